//! `embed --pool`: vectors of documents from those of words, to a file, to standard output, and into a run.

use serde_json::Value;

use crate::support::Folder;

/// Vectors of words, and a text of which they know some.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    folder.write("d.txt", "man man king\n\nrock\nno word at all\nwoman, queen!\n");
    folder
}

/// Enough documents to tell what they share.
fn many() -> Folder {
    let folder = folder();
    let words = ["man", "woman", "king", "queen", "rock", "stone"];
    let line = |at: usize| format!("{}\t{} {} unknown", at % 2, words[at % 6], words[at * 5 / 2 % 6]);
    folder.write("many.tsv", (0..40).map(line).collect::<Vec<_>>().join("\n"));
    folder
}

fn numbers(value: &Value) -> Vec<f64> {
    value["vector"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

#[test]
fn documents_get_the_mean_or_the_maximum_of_their_words() {
    let folder = folder();
    let ran = folder.firth("embed v.txt d.txt --pool mean");
    let expected = "1\t1.6666666\t0\t1\n2\t0\t0\t0\n3\t-1\t-1\t0.5\n4\t0\t0\t0\n5\t0\t1.5\t0.5\n";
    assert_eq!(ran.expect_code(0).stdout, expected);
    assert!(ran.stderr.contains("2 documents have no word that the model knows"), "{}", ran.stderr);
    assert!(ran.stderr.contains("knows 6 of 10 words (60.0 %)"), "{}", ran.stderr);
    let found = folder.json("embed v.txt d.txt --pool max");
    assert_eq!(numbers(&found[0]), [3.0, 0.0, 3.0]);
    assert_eq!(numbers(&found[2]), [-1.0, -1.0, 0.5]);
}

#[test]
fn few_documents_keep_what_they_share_and_are_told() {
    let folder = folder();
    let ran = folder.firth("embed v.txt d.txt --pool sif");
    assert!(ran.expect_code(0).stderr.contains("too few to tell what all documents share"), "{}", ran.stderr);
    let ran = folder.firth_with(&["embed", "v.txt", "-"], "rock\n");
    assert!(ran.expect_code(0).stdout.starts_with("1\t-0"), "{}", ran.stdout);
    let ran = folder.firth_with(&["embed", "v.txt", "-", "--json"], "");
    assert_eq!(ran.expect_code(0).stdout, "[]\n");
}

#[test]
fn a_run_of_pooled_documents_treats_new_ones_alike() {
    let folder = many();
    for pool in ["sif", "usif --components 2", "idf", "mean", "max"] {
        let made = folder.json(&format!("embed v.txt many.tsv --label-field 1 --pool {pool} -o run --force"));
        assert_eq!((&made["documents"], &made["dim"]), (&40.into(), &3.into()), "{pool}");
        let fitted = folder.json(&format!("embed v.txt many.tsv --pool {pool}"));
        let alone = folder.firth_with(&["embed", "run", "-", "--json"], "man man unknown");
        let alone: Value = serde_json::from_str(&alone.expect_code(0).stdout).expect("one JSON document");
        assert_eq!(folder.json("embed run many.tsv"), fitted, "{pool}: read again, not fitted again");
        assert_eq!(numbers(&alone[0]).len(), 3);
    }
    let names = ["config.toml", "documents.safetensors", "pooling.safetensors", "words.safetensors"];
    assert_eq!(folder.names_in("run"), names);
    assert!(folder.read("run/config.toml").contains("task = \"pooling\""));
    assert_eq!(folder.firth("nearest run king --top 1").expect_code(0).stdout, "king\tman\t0.707107\n");
    assert_eq!(folder.json("info run")["documents"], 40);
    folder.firth("embed run many.tsv --tokenizer whitespace").expect_error(2, &["--tokenizer", "its own way"]);
    folder.firth("embed run many.tsv --pool sif --tokenizer words").expect_error(2, &["--tokenizer", "of its own"]);
}

#[test]
fn a_run_of_words_keeps_its_tokenizer_and_counts() {
    let folder = Folder::new();
    folder.write_text("a.txt", 200);
    folder.firth("train skipgram a.txt -o words --dim 10 --epochs 1 --threads 1").expect_code(0);
    let made = folder.json("embed words a.txt -o pooled");
    assert_eq!((&made["pooling"]["pool"], &made["pooling"]["frequencies"]), (&"sif".into(), &"model".into()));
    assert!(folder.names_in("pooled").contains(&"vocabulary.safetensors".to_owned()));
    let ran = folder.firth("embed words a.txt --pool usif --frequencies rank --threads 3");
    assert_eq!(ran.expect_code(0).stdout, folder.firth("embed words a.txt --pool usif --frequencies rank").stdout);
    folder.firth("embed words a.txt -o pooled").expect_error(2, &["pooled", "--force"]);
}

#[test]
fn words_are_looked_up_as_written_and_then_lower_cased() {
    let folder = Folder::new();
    folder.write("v.txt", "3 1\nus 1\nUS 5\ngo 3\n");
    folder.write("d.txt", "US\nUs\nGO\n");
    assert_eq!(folder.firth("embed v.txt d.txt --pool mean").expect_code(0).stdout, "1\t5\n2\t1\n3\t3\n");
    let ran = folder.firth("embed v.txt d.txt --pool mean --lowercase");
    assert_eq!(ran.expect_code(0).stdout, "1\t1\n2\t1\n3\t3\n");
}

#[test]
fn a_damaged_pooling_is_told() {
    let folder = many();
    folder.firth("embed v.txt many.tsv -o run").expect_code(0);
    let path = folder.join("run/pooling.safetensors");
    let whole = std::fs::read(&path).expect("the file");
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 0x40;
    for (bytes, part) in [(&changed[..], "fingerprint"), (&whole[..whole.len() / 2], "not a whole safetensors file")] {
        std::fs::write(&path, bytes).expect("a writable folder");
        folder.firth("embed run d.txt").expect_error(3, &["pooling.safetensors", part]);
    }
    std::fs::write(&path, whole).expect("a writable folder");
    folder.write("other.txt", "1 3\nman 1 0 0\n");
    folder.firth("convert other.txt run/words.safetensors --force").expect_code(0);
    folder.firth("embed run d.txt").expect_error(3, &["6 words of 3", "1 words of 3"]);
}

#[test]
fn what_has_no_effect_on_the_method_is_refused() {
    let folder = folder();
    for (flags, parts) in [
        ("--pool mean --a 0.1", ["--a", "only sif"]),
        ("--pool usif --a 0.1", ["--a", "only sif"]),
        ("--pool max --components 1", ["--components", "only sif and usif"]),
        ("--pool idf --frequencies rank", ["--frequencies", "only sif and usif"]),
        ("--pool sif --a 0", ["--a", "above 0"]),
        ("--pool sif --components 4", ["--components", "3 numbers"]),
        ("--pool sif --frequencies model", ["--frequencies", "rank"]),
        ("--pool siff", ["siff", "sif"]),
        ("-o docs.arrow", ["docs.arrow", "format"]),
    ] {
        folder.firth(&format!("embed v.txt d.txt {flags}")).expect_error(2, &parts);
    }
    folder.firth("embed v.txt --words king --pool mean").expect_error(2, &["--pool", "words are no documents"]);
    folder.firth("embed v.txt --pool mean -o run").expect_error(2, &["INPUT"]);
    assert_eq!(folder.names(), ["d.txt", "v.txt"]);
}
