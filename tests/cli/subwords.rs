//! `--min-n`, `--max-n`: what is told of n-grams, and what files of them hold.

use firth::format;

use crate::support::Folder;

const SUBWORDS: &str = "--dim 6 --epochs 1 --threads 1 --min-n 3 --max-n 4 --buckets 5000";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_text("a.txt", 200);
    folder
}

/// The last `count` numbers of a file.
fn last_numbers(folder: &Folder, name: &str, count: usize) -> Vec<f32> {
    let bytes = std::fs::read(folder.join(name)).expect("the file");
    bytes[bytes.len() - 4 * count..].as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect()
}

#[test]
fn info_tells_how_words_are_cut_and_how_many_buckets_are_in_use() {
    let folder = folder();
    folder.firth(&format!("train cbow a.txt -o run {SUBWORDS}")).expect_code(0);
    folder.firth("convert run v.fifu").expect_code(0);
    for (path, numbers) in [("run", "f32"), ("v.fifu", "f32")] {
        let report = folder.json(&format!("info {path}"));
        let found = &report["ngrams"];
        assert_eq!((&found["min_n"], &found["max_n"], &found["buckets"]), (&3.into(), &4.into(), &5000.into()));
        let used = found["used"].as_u64().expect("rows in use");
        assert!((50..1000).contains(&used) && report["numbers"] == numbers, "{report}");
        let told = folder.firth(&format!("info {path}")).stdout;
        assert!(told.contains(&format!("\nn-grams\t3 to 4 characters, {used} of 5000 buckets in use\n")), "{told}");
    }
    folder.firth("convert run v.txt").expect_code(0);
    assert!(folder.json("info v.txt")["ngrams"].is_null());
}

#[test]
fn a_dry_run_counts_the_buckets_of_formats_that_have_them_all() {
    let folder = folder();
    let plan = |output: &str| folder.json(&format!("train skipgram a.txt -o {output} {SUBWORDS} --dry-run"));
    let bytes = |plan: &serde_json::Value| plan["disk_bytes"].as_u64().expect("bytes");
    let plain = plan("v.txt");
    assert!(plain["all_buckets"].is_null(), "{plain}");
    for output in ["v.fifu", "v.bin --to fasttext"] {
        let all = plan(output);
        assert_eq!(all["all_buckets"]["bytes"], 5000 * 6 * 4, "{all}");
        assert_eq!(bytes(&all), bytes(&plain) + 5000 * 6 * 4);
        folder.firth(&format!("train skipgram a.txt -o {output} {SUBWORDS}")).expect_code(0);
        let written =
            folder.join(&output[..output.find(' ').unwrap_or(output.len())]).metadata().expect("a file").len();
        assert!(bytes(&all) > written, "{all}, {written} bytes written");
    }
    let told = folder.firth(&format!("train cbow a.txt -o w.fifu {SUBWORDS} --dry-run")).stdout;
    assert!(told.contains("\nn-grams\tfinalfusion has a row for each of 5000 buckets, 120 kB"), "{told}");
}

#[test]
fn unseen_words_leave_counts_and_metadata_to_the_others() {
    let folder = folder();
    folder.firth(&format!("train cbow a.txt -o run {SUBWORDS}")).expect_code(0);
    folder.firth("embed run --words horse horses cow -o few.safetensors").expect_code(0);
    let (run, few) = (format::read(&folder.join("run")), format::read(&folder.join("few.safetensors")));
    let (run, few) = (run.expect("vectors"), few.expect("vectors"));
    assert_eq!(few.keys().iter().collect::<Vec<_>>(), ["horse", "horses", "cow"]);
    let count = |word: &str| run.counts().expect("counts")[run.position(word).expect("a word")];
    assert_eq!(few.counts(), Some(&[count("horse"), 0, count("cow")][..]));
    assert_eq!(few.metadata, run.metadata);
    assert_eq!((few.row("cow"), few.vector("horses")), (run.row("cow"), run.vector("horses")));
}

#[test]
fn a_fasttext_model_holds_what_training_goes_on_from() {
    let folder = folder();
    let words = |run: &str| format::read(&folder.join(run)).expect("vectors");
    for (run, flags) in [("ns", ""), ("softmax", "--loss softmax")] {
        folder.firth(&format!("train skipgram a.txt -o {run} {SUBWORDS} {flags}")).expect_code(0);
        let ran = folder.firth(&format!("convert {run} {run}.bin --to fasttext"));
        assert!(!ran.expect_code(0).stderr.contains("zeros"), "{}", ran.stderr);
        let contexts = words(&format!("{run}/context.safetensors"));
        let numbers = contexts.vectors().as_slice();
        assert!(numbers.iter().any(|&number| number != 0.0));
        assert_eq!(last_numbers(&folder, &format!("{run}.bin"), numbers.len()), numbers);
        folder.firth(&format!("train skipgram a.txt -o {run}-2.bin --to fasttext {SUBWORDS} {flags}")).expect_code(0);
        assert_eq!(
            std::fs::read(folder.join(&format!("{run}.bin"))).expect("a file"),
            std::fs::read(folder.join(&format!("{run}-2.bin"))).expect("a file")
        );
    }
    // Out of a model again, and on from it.
    folder.firth("convert ns.bin again.bin --to fasttext").expect_code(0);
    let bytes = |name: &str| std::fs::read(folder.join(name)).expect("a file");
    assert_eq!(last_numbers(&folder, "again.bin", 60), last_numbers(&folder, "ns.bin", 60));
    assert_eq!(bytes("again.bin").len(), bytes("ns.bin").len());
    let ran = folder.firth(&format!("train skipgram a.txt -o on --from ns.bin {SUBWORDS}"));
    assert!(!ran.expect_code(0).stderr.contains("not taken over"), "{}", ran.stderr);
    // Rows stay with their words, and a word that was never predicted has zeros.
    folder.write("keys.txt", "horses\ncow\nhorse\n");
    folder.firth("convert ns few.bin --to fasttext --keys keys.txt").expect_code(0);
    let (few, contexts) = (words("few.bin"), words("ns/context.safetensors"));
    let rows = few.keys().iter().flat_map(|word| contexts.row(word).unwrap_or(&[0.0; 6])).copied();
    assert_eq!(last_numbers(&folder, "few.bin", 3 * 6), rows.collect::<Vec<_>>());
    // What does not fit is not written, and that is told.
    folder.firth(&format!("train skipgram a.txt -o hs {SUBWORDS} --loss hs")).expect_code(0);
    for command in ["convert hs none.bin", "convert ns none.bin --normalize", "convert ns none.bin --center"] {
        let ran = folder.firth(&format!("{command} --to fasttext --force"));
        assert!(ran.expect_code(0).stderr.contains("what training would go on from"), "{}", ran.stderr);
        assert_eq!(last_numbers(&folder, "none.bin", words("ns").len() * 6), vec![0.0; words("ns").len() * 6]);
    }
}

#[test]
fn several_words_are_not_composed_as_if_they_were_one() {
    let folder = folder();
    folder.firth(&format!("train cbow a.txt -o m.bin --to fasttext {SUBWORDS}")).expect_code(0);
    let word = format::read(&folder.join("m.bin")).expect("a model").keys().get(0).to_owned();
    folder.firth_with(&["embed", "m.bin", "--words", &format!("{word}x")], "").expect_code(0);
    let two = format!("{word} {word}x");
    folder.firth_with(&["nearest", "m.bin", &two], "").expect_error(2, &[&format!("{two:?} is not in the vocabulary")]);
    folder.write("keys.txt", format!("{word}\n{two}\n"));
    let ran = folder.firth("convert m.bin few.txt --keys keys.txt");
    assert!(ran.expect_code(0).stderr.contains("1 of 2 keys have no vector"), "{}", ran.stderr);
    assert_eq!(folder.read("few.txt").lines().count(), 2);
}
