//! `train pv-dbow` and `pv-dm`: document vectors with ids, labels and first words; new documents; going on; bad input.

use crate::support::{Folder, Tested};

/// Documents of two kinds, with ids and labels.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_text("lines.txt", 400);
    let lines = folder.read("lines.txt");
    let row = |(at, line): (usize, &str)| format!("d{at}\t{}\t{line}\n", ["land", "sea"][at % 2]);
    folder.write("docs.tsv", lines.lines().enumerate().map(row).collect::<String>());
    folder
}

const FIELDS: &str = "--id-field 1 --label-field 2 --text-field 3";
const FAST: &str = "--dim 16 --epochs 30 --sample 0 --strategy serial";

#[test]
fn a_run_has_documents_with_what_is_known_of_them_and_words() {
    let folder = folder();
    for task in ["pv-dbow", "pv-dbow --dbow-words", "pv-dm"] {
        let report = folder.json(&format!("train {task} docs.tsv {FIELDS} {FAST} -o run --force"));
        assert_eq!((&report["documents"], &report["task"]), (&400.into(), &task.split(' ').next().into()));
        let documents = firth::format::read(&folder.join("run/documents.safetensors")).expect("documents");
        assert_eq!((documents.len(), documents.keys().get(7)), (400, "d7"));
        assert_eq!(documents.labels().map(|labels| labels.get(7).to_owned()), Some("sea".into()));
        assert!(documents.texts().is_some_and(|texts| texts.get(7).starts_with("a ")), "{task}");
        // The nearest of a document is about the same.
        let found = folder.json("nearest run/documents.safetensors d7 --top 5");
        let keys = found[0]["results"].as_array().into_iter().flatten();
        let same = keys
            .filter(|result| result["key"].as_str().is_some_and(|key| key[1..].parse::<u32>().unwrap_or(0) % 2 == 1));
        assert_eq!(same.count(), 5, "{task}: {found}");
        folder.firth("nearest run boat").expect_code(0);
        let info = folder.json("info run --check");
        assert_eq!((&info["documents"], &info["keys"]), (&400.into(), &report["vocabulary"]));
    }
}

#[test]
fn new_documents_have_the_same_vector_each_time_and_wordless_ones_none() {
    let folder = folder();
    folder.firth(&format!("train pv-dbow docs.tsv {FIELDS} {FAST} -o run")).expect_code(0);
    folder.write("new.txt", "the cat and the dog eat grass\n\nzebra\nboat\nthe cat and the dog eat grass\n");
    let ran = folder.firth("embed run new.txt");
    let lines: Vec<&str> = ran.expect_code(0).stdout.lines().collect();
    let numbers = |at: usize| lines[at].split_once('\t').map(|(_, numbers)| numbers.to_owned());
    assert_eq!(lines.len(), 5);
    assert_eq!(numbers(0), numbers(4));
    assert!(numbers(1).is_some_and(|numbers| numbers.split('\t').all(|number| number == "0")), "{}", lines[1]);
    assert_eq!(numbers(1), numbers(2));
    assert!(ran.stderr.contains("2 documents have no word that the model knows"), "{}", ran.stderr);
    assert_eq!(folder.firth("embed run new.txt --threads 1").stdout, ran.stdout);
    let alone = folder.firth_with(&["embed", "run", "-"], "boat\n");
    assert_eq!(alone.stdout.split_once('\t').map(|(_, numbers)| numbers.trim().to_owned()), numbers(3));
}

#[test]
fn empty_wordless_and_repeated_documents_are_told() {
    let folder = folder();
    folder.write("odd.tsv", "a\tthe cat and the dog\nb\t\na\tthe dog\nc\tzebra\nd\tthe\n");
    let train = format!("train pv-dbow odd.tsv --id-field 1 --text-field 2 {FAST} -o run");
    let ran = folder.firth(&train);
    ran.expect_code(0);
    for part in [
        "1 document without words",
        "1 document has no word that is learnt",
        "all zeros: c",
        "1 ids stand more than once",
    ] {
        assert!(ran.stderr.contains(part) || ran.stdout.contains(part), "{part}: {}{}", ran.stdout, ran.stderr);
    }
    let documents = firth::format::read(&folder.join("run/documents.safetensors")).expect("documents");
    assert_eq!(documents.keys().iter().collect::<Vec<_>>(), ["a", "a#2", "c", "d"]);
    assert!(documents.vectors().row(2).iter().all(|&value| value == 0.0));
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bytes() -> Tested {
    let folder = folder();
    for task in ["pv-dbow", "pv-dm"] {
        let train = format!("train {task} docs.tsv {FIELDS} {FAST} --checkpoint-every 10 --keep 3 -o run --force");
        folder.firth(&train).expect_code(0);
        let files = |folder: &Folder| -> std::io::Result<Vec<Vec<u8>>> {
            ["documents", "common", "words"]
                .iter()
                .map(|name| std::fs::read(folder.join("run").join(name).with_extension("safetensors")))
                .collect()
        };
        let whole = files(&folder)?;
        for name in ["documents", "common", "words"] {
            std::fs::remove_file(folder.join("run").join(name).with_extension("safetensors"))?;
        }
        // The last checkpoint is of the end: without it, ten passes are to be done again.
        let last = folder.names_in("run/checkpoints").pop().expect("checkpoints");
        assert!(last.starts_with("epoch-0030"), "{last}");
        std::fs::remove_dir_all(folder.join("run/checkpoints").join(last))?;
        folder.firth("resume run").expect_code(0);
        assert!(files(&folder)? == whole, "{task}");
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_to_the_same_bytes() -> Tested {
    let folder = folder();
    let flags = format!("{FIELDS} --dim 32 --sample 0 --strategy serial --epochs 3000 --checkpoint-every 300");
    folder.firth(&format!("train pv-dbow docs.tsv {flags} -o whole")).expect_code(0);
    let ran = folder.interrupt_saved(&format!("train pv-dbow docs.tsv {flags} -o run"), "-INT")?;
    ran.expect_code(130);
    folder.firth("resume run").expect_code(0);
    for name in ["documents.safetensors", "words.safetensors", "common.safetensors"] {
        let read = |run: &str| std::fs::read(folder.join(run).join(name));
        assert!(read("run")? == read("whole")?, "{name}");
    }
    Ok(())
}

#[test]
fn vectors_alone_are_those_of_documents() {
    let folder = folder();
    folder.firth(&format!("train pv-dbow docs.tsv {FIELDS} {FAST} -o docs.bin")).expect_code(0);
    let documents = firth::format::read(&folder.join("docs.bin")).expect("vectors");
    assert_eq!((documents.len(), documents.keys().get(0)), (400, "d0"));
}

#[test]
fn a_run_that_lost_a_part_of_its_model_is_not_taken_for_another() {
    let folder = folder();
    folder.firth(&format!("train pv-dbow docs.tsv {FIELDS} {FAST} -o run")).expect_code(0);
    folder.firth("info run --check").expect_code(0);
    let path = folder.join("run/common.safetensors");
    let mut bytes = std::fs::read(&path).expect("a file");
    *bytes.last_mut().expect("bytes") ^= 1;
    std::fs::write(&path, bytes).expect("a writable file");
    folder.firth("info run --check").expect_error(3, &["common.safetensors", "fingerprint"]);
    folder.firth("embed run lines.txt").expect_error(3, &["common.safetensors", "fingerprint"]);
    std::fs::remove_file(path).expect("a file");
    folder.firth("embed run lines.txt").expect_error(3, &["common.safetensors", "train the run anew"]);
    std::fs::remove_file(folder.join("run/documents.safetensors")).expect("a file");
    folder.firth("cluster run --clusters 2").expect_error(3, &["documents.safetensors", "train the run anew"]);
}

#[test]
fn the_text_is_the_last_column_that_is_not_something_else() {
    let folder = folder();
    folder.write("swapped.tsv", "the cat and the dog\tland\td1\na boat and a raft\tsea\td2\n");
    folder
        .firth(&format!("train pv-dbow swapped.tsv --label-field 2 --id-field 3 --min-count 1 {FAST} -o run"))
        .expect_code(0);
    let documents = firth::format::read(&folder.join("run/documents.safetensors")).expect("documents");
    assert_eq!(documents.texts().map(|texts| texts.get(1).to_owned()), Some("a boat and a raft".into()));
}

#[test]
fn what_has_no_effect_or_no_sense_is_refused() {
    let folder = folder();
    // A run's own settings repeat it, passes too.
    folder.firth(&format!("train pv-dbow docs.tsv {FIELDS} --epochs 7 --dim 8 -o seven")).expect_code(0);
    let again = folder.json("train pv-dbow docs.tsv --config seven/config.toml -o again");
    assert_eq!(again["epochs"], 7);
    for (flags, part) in [
        ("pv-dbow lines.txt --window 3", "--window"),
        ("pv-dm lines.txt --dbow-words", "--dbow-words"),
        ("skipgram lines.txt --dbow-words", "--dbow-words"),
        ("pv-dm lines.txt --heldout 10%", "--heldout"),
        ("pv-dbow lines.txt --from run", "--from"),
    ] {
        folder.firth(&format!("train {flags} -o run")).expect_error(2, &[part]);
    }
    folder.firth(&format!("train pv-dbow docs.tsv {FIELDS} {FAST} -o run")).expect_code(0);
    std::fs::remove_file(folder.join("run/common.safetensors")).expect("a file");
    folder.firth("embed run lines.txt").expect_error(3, &["common.safetensors"]);
}
