//! `corpus build|info|generate`.

use crate::support::{Folder, Tested};

#[test]
fn a_built_corpus_reports_what_it_holds() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    let built = folder.json("corpus build a.txt -o corpus");
    for field in ["documents", "sentences", "tokens", "tokens_kept", "vocabulary", "bytes_in", "seconds"] {
        assert!(built[field].is_number(), "{field}: {built}");
    }
    assert_eq!((&built["documents"], &built["tokens"]), (&100.into(), &1150.into()));
    let info = folder.json("corpus info corpus --top 3");
    for field in ["documents", "sentences", "tokens", "tokens_kept", "vocabulary", "bytes_in"] {
        assert_eq!(info[field], built[field], "{field}");
    }
    assert_eq!(info["commonest"].as_array().map(Vec::len), Some(3));
    assert_eq!(info["commonest"][0], serde_json::json!({"word": "the", "count": 200}));
    assert_eq!(folder.names(), ["a.txt", "corpus"]);
    let report = folder.json("info corpus --check");
    assert_eq!((&report["kind"], &report["documents"]), (&"corpus".into(), &100.into()));
    Ok(())
}

#[test]
fn human_output_is_lines_of_name_and_value() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    let ran = folder.firth("corpus build a.txt -o corpus");
    let is_pair = |line: &str| line.split('\t').count() == 2;
    assert!(ran.expect_code(0).stdout.lines().all(is_pair), "{}", ran.stdout);
    assert!(ran.stderr.contains("firth train skipgram corpus"), "{}", ran.stderr);
    let ran = folder.firth("corpus info corpus");
    assert!(ran.expect_code(0).stdout.contains("\nthe\t200\n"), "{}", ran.stdout);
}

#[test]
fn standard_input_folders_patterns_and_compressed_files_are_read() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 60);
    let text = folder.read("a.txt");
    std::fs::create_dir(folder.join("texts"))?;
    folder.write("texts/one.txt", &text);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text.as_bytes())?;
    folder.write("texts/two.txt.gz", gzip.finish()?);
    folder.write("texts/three.zst", zstd::encode_all(text.as_bytes(), 1)?);
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    std::io::Write::write_all(&mut bzip2, text.as_bytes())?;
    folder.write("texts/four.bz2", bzip2.finish()?);
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    std::io::Write::write_all(&mut xz, text.as_bytes())?;
    folder.write("texts/five.xz", xz.finish()?);
    let ran = folder.firth_with(&["corpus", "build", "-", "-o", "c0", "--json"], text.as_str());
    let tokens = |ran: &str| -> Tested<u64> {
        let report: serde_json::Value = serde_json::from_str(ran)?;
        Ok(report["tokens"].as_u64().expect("a number"))
    };
    assert_eq!(tokens(&ran.expect_code(0).stdout)?, 690);
    assert_eq!(folder.json("corpus build texts -o c1")["tokens"], 3450);
    for (number, name) in ["one.txt", "two.txt.gz", "three.zst", "four.bz2", "five.xz"].iter().enumerate() {
        let report = folder.json(&format!("corpus build texts/{name} -o d{number}"));
        assert_eq!((&report["tokens"], &report["documents"]), (&690.into(), &60.into()), "{name}");
    }
    assert_eq!(folder.json("corpus build texts/*.gz a.txt -o c2")["tokens"], 1380);
    Ok(())
}

#[test]
fn tables_and_json_lines_are_documents() {
    let folder = Folder::new();
    let row = "cats chase mice";
    folder.write("t.tsv", format!("id\tlabel\ttext\n{}", format!("1\tx\t{row}\n").repeat(10)));
    let report =
        folder.json("corpus build t.tsv -o c1 --text-field text --label-field label --id-field id --min-count 1");
    assert_eq!((&report["documents"], &report["vocabulary"]), (&10.into(), &3.into()));
    folder.write("t.jsonl", format!("{{\"text\": \"{row}\"}}\n").repeat(10));
    let report = folder.json("corpus build t.jsonl -o c2");
    assert_eq!((&report["documents"], &report["tokens"]), (&10.into(), &30.into()));
}

#[test]
fn records_without_a_text_stop_a_command_or_are_left_out_and_told() {
    let folder = Folder::new();
    let good = "{\"text\": \"cats chase mice\"}\n";
    folder.write("t.jsonl", format!("{}{{\"text\": null}}\n{{\"body\": \"x\"}}\n{}", good.repeat(9), good.repeat(9)));
    folder.write("v.txt", "3 2\ncats 1 0\nchase 0 1\nmice 1 1\n");
    let commands = [
        "corpus build t.jsonl -o c",
        "train cbow t.jsonl -o r --epochs 1 --sample 0",
        "train autoencoder t.jsonl -o a --epochs 1 --max-documents 1",
        "embed v.txt t.jsonl -o e.npy --pool sif",
        "embed v.txt t.jsonl -o p --pool sif",
        "cluster p t.jsonl --clusters 1",
    ];
    for command in commands {
        let refused = ["t.jsonl, line 10: field \"text\" (--text-field) is null", "--lenient leaves such records out"];
        folder.firth(command).expect_error(3, &refused);
        let ran = folder.firth(&format!("{command} --lenient --quiet"));
        let told: Vec<&str> = ran.expect_code(0).stderr.lines().filter(|line| line.contains("left out")).collect();
        let expected = "firth: warning: 2 records were left out (the first is t.jsonl, line 10: field \"text\" (--text-field) \
                        is null, expected text or a number); documents are numbered without them";
        assert_eq!(told, [expected], "{command}");
    }
    assert_eq!(folder.json("corpus info c")["omitted_records"], 2);
    assert_eq!(folder.json("corpus info c")["documents"], 18);
    assert!(folder.json("corpus info c").get("first_omitted").is_none(), "the same text gives the same bytes anywhere");
    folder.write("none.jsonl", "{\"text\": null}\n");
    folder.firth("corpus build none.jsonl -o n --lenient").expect_error(3, &["none.jsonl", "1 record", "line 1"]);
    folder.write("a.txt", "cats\n");
    folder.firth("corpus build a.txt -o n --lenient").expect_error(2, &["--lenient", "--format"]);
    folder.firth("train cbow c -o n --lenient").expect_error(2, &["--lenient", "no effect"]);
}

#[test]
fn vocabularies_can_be_limited_and_used_again() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    assert_eq!(folder.json("corpus build a.txt -o c1 --max-vocabulary 7")["vocabulary"], 7);
    folder.write_text("b.txt", 10);
    assert_eq!(folder.json("corpus build b.txt -o c2 --vocabulary c1")["vocabulary"], 7);
    let strict = folder.json("corpus build a.txt -o c3 --min-count 60");
    assert!(strict["vocabulary"].as_u64() < Some(10) && strict["tokens_kept"].as_u64() < strict["tokens"].as_u64());
}

#[test]
fn planted_corpora_come_with_their_questions() {
    let folder = Folder::new();
    let report = folder.json("corpus generate world -o planted --seed 3");
    assert_eq!((&report["kind"], &report["seed"]), (&"world".into(), &3.into()));
    for file in report["files"].as_array().expect("a list") {
        assert!(folder.join(file.as_str().expect("a path")).is_file(), "{file}");
    }
    folder.firth("corpus generate world -o planted").expect_error(2, &["--force"]);
    folder.firth("corpus generate world -o planted --force").expect_code(0);
    for name in ["text.txt", "questions.txt", "similarity.tsv"] {
        assert!(folder.join("planted").join(name).is_file(), "{name}");
    }
}
