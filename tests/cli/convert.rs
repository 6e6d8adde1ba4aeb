//! `convert` and `info`.

use crate::support::Folder;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    folder
}

#[test]
fn vectors_survive_the_way_through_every_format() {
    let folder = folder();
    let wanted = folder.firth("embed v.txt --words").stdout;
    let mut last = "v.txt".to_owned();
    for name in
        ["a.bin", "b.safetensors", "c.npy", "d.glove", "e.vec", "f.projector", "g.npz", "h.parquet", "i.csv", "j.jsonl"]
    {
        folder.firth(&format!("convert {last} {name}")).expect_code(0);
        assert_eq!(folder.firth(&format!("embed {name} --words")).expect_code(0).stdout, wanted, "{name}");
        last = name.into();
    }
}

#[test]
fn top_and_normalize_change_the_vectors() {
    let folder = folder();
    let report = folder.json("convert v.txt a.bin --top 2 --normalize");
    assert_eq!((&report["keys"], &report["dropped"], &report["dim"]), (&2.into(), &4.into(), &3.into()));
    assert_eq!((&report["from"], &report["to"]), (&"word2vec".into(), &"word2vec-bin".into()));
    assert_eq!(folder.firth("embed a.bin --words").stdout, "man\t1\t0\t0\nwoman\t0\t1\t0\n");
}

#[test]
fn an_existing_output_is_refused_unless_forced() {
    let folder = folder();
    folder.write("a.bin", "mine");
    folder.firth("convert v.txt a.bin").expect_error(2, &["a.bin", "--force"]);
    assert_eq!(folder.read("a.bin"), "mine");
    folder.firth("convert v.txt a.bin --force").expect_code(0);
    assert_eq!(folder.firth("nearest a.bin king --top 1").stdout, "king\tman\t0.707107\n");
    folder.write("c.vocab", "mine");
    folder.firth("convert v.txt c.npy").expect_error(2, &["c.vocab", "--force"]);
    assert_eq!(folder.names(), ["a.bin", "c.vocab", "v.txt"]);
}

#[test]
fn folders_of_others_are_never_replaced() {
    let folder = folder();
    std::fs::create_dir(folder.join("thesis")).expect("a folder");
    folder.write("thesis/chapter.tex", "years of work");
    for arguments in ["convert v.txt thesis --to projector --force", "corpus generate world -o thesis --force"] {
        folder.firth(arguments).expect_error(2, &["thesis"]);
    }
    assert_eq!(folder.read("thesis/chapter.tex"), "years of work");
    assert_eq!(folder.names(), ["thesis", "v.txt"]);
}

#[test]
fn info_tells_what_a_file_is() {
    let folder = folder();
    let report = folder.json("info v.txt --check");
    assert_eq!((&report["kind"], &report["format"]), (&"vectors".into(), &"word2vec".into()));
    assert_eq!((&report["keys"], &report["dim"], &report["checked"]), (&6.into(), &3.into(), &true.into()));
    let ran = folder.firth("info v.txt");
    assert!(ran.expect_code(0).stdout.contains("kind\tvectors\nformat\tword2vec\n"), "{}", ran.stdout);
}

#[test]
fn info_knows_every_file_of_firth() {
    let folder = folder();
    folder.write_text("a.txt", 100);
    folder.firth("train cbow a.txt -o run --dim 4").expect_code(0);
    for (file, kind) in
        [("dataset.safetensors", "dataset"), ("vocabulary.safetensors", "vocabulary"), ("config.toml", "settings")]
    {
        assert_eq!(folder.json(&format!("info run/{file}"))["kind"], kind);
    }
    assert!(folder.firth("info v.txt --check").stdout.contains("has no checksum"));
    folder.firth("corpus info v.txt").expect_error(2, &["v.txt: not an encoded corpus", "firth corpus build"]);
}

#[test]
fn what_a_format_drops_is_one_line_and_no_less_when_quiet() {
    let folder = folder();
    folder.write_text("a.txt", 100);
    folder.firth("train cbow a.txt -o run --dim 4").expect_code(0);
    let ran = folder.firth("convert run a.txt --to glove --force");
    assert_eq!(ran.expect_code(0).stderr.matches("drops").count(), 1, "{}", ran.stderr);
    let quiet = folder.firth("convert run b.txt --quiet").expect_code(0).stderr.clone();
    assert!(quiet.starts_with("firth: warning: b.txt: word2vec drops the counts of"), "{quiet}");
    assert_eq!(quiet.lines().count(), 1, "{quiet}");
    assert_eq!(folder.firth("convert run c.safetensors --quiet").expect_code(0).stderr, "");
}

#[test]
fn context_vectors_lie_beside_a_runs_words() {
    let folder = folder();
    folder.write_text("a.txt", 100);
    folder.firth("train skipgram a.txt -o run --dim 4 --epochs 1 --threads 1").expect_code(0);
    for (input, output) in [("run", "a.bin"), ("run/words.safetensors", "b.bin"), ("b.bin", "c.bin")] {
        let ran = folder.firth(&format!("convert {input} {output} --to fasttext"));
        assert!(!ran.expect_code(0).stderr.contains("what training would go on from"), "{}", ran.stderr);
    }
    let [a, b] = ["a.bin", "b.bin"].map(|name| std::fs::read(folder.join(name)).expect("the file"));
    assert!(a == b);
    std::fs::copy(folder.join("run/words.safetensors"), folder.join("words.safetensors")).expect("a copy");
    let ran = folder.firth("convert words.safetensors d.bin --to fasttext");
    assert!(ran.expect_code(0).stderr.contains("what training would go on from"), "{}", ran.stderr);
    folder.firth("convert a.bin e.bin --documents").expect_error(2, &["--documents: a.bin is no run"]);
}

#[test]
fn keys_are_kept_in_the_models_order_and_missing_ones_are_told() {
    let folder = folder();
    folder.write("keys.txt", "\u{feff}queen\r\nnobody\n\nking\nqueen\nnemo\n");
    let ran = folder.firth("convert v.txt a.csv --keys keys.txt");
    assert!(ran.expect_code(0).stderr.contains("2 of 5 keys have no vector (\"nobody\", \"nemo\")"), "{}", ran.stderr);
    let words: Vec<String> = folder.read("a.csv").lines().map(|line| line.split(',').next().unwrap().into()).collect();
    assert_eq!(words, ["word", "king", "queen"]);
    let report = folder.json("convert v.txt b.csv --keys keys.txt --top 1 --quiet");
    assert_eq!((&report["keys"], &report["missing"]), (&1.into(), &2.into()));
    folder.write("none.txt", "nobody\n");
    folder
        .firth("convert v.txt c.csv --keys none.txt")
        .expect_error(3, &["none.txt", "none of its 1 keys is in v.txt"]);
    folder.write("latin.txt", b"caf\xe9\n");
    folder.firth("convert v.txt c.csv --keys latin.txt").expect_error(3, &["latin.txt, line 1", "UTF-8"]);
    assert!(!folder.join("c.csv").exists());
}

#[test]
fn numbers_of_fewer_bits_are_written_where_the_format_can() {
    let folder = folder();
    assert_eq!(folder.json("convert v.txt a.safetensors --dtype bf16")["dtype"], "bf16");
    folder.firth("convert v.txt b.npz --dtype i8").expect_code(0);
    for (path, numbers) in [("v.txt", "text"), ("a.safetensors", "bf16"), ("b.npz", "i8")] {
        assert_eq!(folder.json(&format!("info {path}"))["numbers"], numbers, "{path}");
    }
    assert!(folder.firth("info b.npz").stdout.contains("\nnumbers\ti8\n"));
    assert_eq!(folder.firth("nearest a.safetensors king --top 1").stdout, "king\tman\t0.707107\n");
    assert!(folder.firth("info a.safetensors --check").expect_code(0).stdout.contains("fingerprint"));
    folder
        .firth("convert v.txt c.csv --dtype f16")
        .expect_error(2, &["--dtype", "csv cannot hold f16, only f32", "npz"]);
    folder.write("big.txt", "1 2\nhuge 1 1e6\n");
    folder
        .firth("convert big.txt c.npy --dtype f16")
        .expect_error(3, &["number 2 of the vector of \"huge\"", "1e6, beyond the range of f16"]);
    folder.firth("convert v.txt c.csv --dtype f8").expect_error(2, &["f16"]);
    assert_eq!(folder.names(), ["a.safetensors", "b.npz", "big.txt", "v.txt"]);
}

#[test]
fn lenient_leaves_rows_at_fault_out_and_tells_how_many() {
    let folder = Folder::new();
    folder.write(
        "v.txt",
        b"9 2\nking 1 2\nqueen 1\n\nking 3 4\nNew York 5 6\nnan nan 1\ncaf\xe9 7 8\nx 9 1e99\ny 0 z\nlast 1",
    );
    folder.firth("convert v.txt a.npz").expect_error(3, &["v.txt, line 1", "the header says 9 keys", "--lenient"]);
    let ran = folder.firth("convert v.txt a.npz --lenient");
    for told in [
        "the header says 9 keys, the file holds 10 rows",
        "3 rows were left out: with the wrong number of fields",
        "the first is line 3: found 1 numbers",
        "2 rows were left out: with a number that is NaN",
        "1 rows were left out: lines without a key and numbers (the first is line 4",
        "1 rows were left out: whose key stands earlier (the first is line 5: \"king\" stands here and on line 2",
        "1 keys are not valid UTF-8",
    ] {
        assert!(ran.expect_code(0).stderr.contains(told), "{} holds {told}", ran.stderr);
    }
    assert_eq!(folder.firth("embed a.npz --words").stdout, "king\t1\t2\nNew York\t5\t6\ncaf\\xe9\t7\t8\n");
    folder
        .write("cut.bin", [b"3 1\na ", &1f32.to_le_bytes()[..], b"\nb ", &f32::NAN.to_le_bytes(), b"\nc \0"].concat());
    let ran = folder.firth("convert cut.bin b.csv --lenient");
    assert!(ran.expect_code(0).stderr.contains("that end before their numbers do"), "{}", ran.stderr);
    assert_eq!(folder.read("b.csv"), "word,v0\na,1.0\n");
}

#[test]
fn documents_keep_labels_and_texts() {
    let folder = folder();
    folder.write("docs.tsv", "sea\tking man, \"quoted\"\nland\tqueen woman\nsea\tman man\n");
    folder.firth("embed v.txt docs.tsv --format tsv --label-field 1 --text-field 2 -o run").expect_code(0);
    for name in ["d.parquet", "d.csv", "d.jsonl", "d.npz"] {
        let ran = folder.firth(&format!("convert run/documents.safetensors {name}"));
        let told = ran.expect_code(0).stderr.clone();
        assert!(!told.contains("labels") && !told.contains("first words"), "{told}");
        folder.firth(&format!("convert {name} back-{name}.csv")).expect_code(0);
        let text = folder.read(&format!("back-{name}.csv"));
        assert!(text.starts_with("key,label,text,v0,v1,v2\n1,sea,\"king man, \"\"quoted\"\"\",0."), "{name}: {text}");
    }
    let ran = folder.firth("convert run/documents.safetensors d.bin");
    assert!(ran.expect_code(0).stderr.contains("drops the labels and the first words"), "{}", ran.stderr);
}

#[test]
fn vector_files_with_faults_are_refused_with_the_place() {
    let folder = folder();
    folder.write("nan.txt", "2 3\na 1 2 3\nb 1 nan 3\n");
    folder.firth("nearest nan.txt a").expect_error(3, &["nan.txt", "line 3", "nan"]);
    folder.write("twice.txt", "2 2\na 1 2\na 3 4\n");
    folder.firth("info twice.txt --check").expect_error(3, &["twice.txt", "line 3", "\"a\""]);
    folder.write("short.txt", "3 2\na 1 2\nb 3 4\n");
    folder.firth("convert short.txt x.bin").expect_error(3, &["short.txt"]);
    folder.firth("convert v.txt v.bin").expect_code(0);
    let bytes = std::fs::read(folder.join("v.bin")).expect("the file");
    folder.write("cut.bin", &bytes[..bytes.len() - 5]);
    folder.firth("nearest cut.bin king").expect_error(3, &["cut.bin"]);
    folder.firth("convert v.txt v.safetensors").expect_code(0);
    let bytes = std::fs::read(folder.join("v.safetensors")).expect("the file");
    folder.write("cut.safetensors", &bytes[..bytes.len() / 2]);
    folder.firth("info cut.safetensors").expect_error(3, &["cut.safetensors"]);
    folder.write("empty.txt", "");
    folder.firth("nearest empty.txt king").expect_error(3, &["empty.txt"]);
    folder.firth("nearest none.txt king").expect_error(3, &["none.txt"]);
    assert!(!folder.names().iter().any(|name| name == "x.bin" || name.starts_with('.')));
}

#[test]
fn the_documents_of_a_run_are_converted_on_demand() {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    folder.write("d.tsv", "one\tman king\ntwo\tqueen\n");
    folder.firth("embed v.txt d.tsv --id-field 1 --pool mean -o run").expect_code(0);
    folder.firth("convert run d.txt --documents").expect_code(0);
    let keys = |name: &str| -> Vec<String> {
        let text = folder.read(name);
        text.lines().skip(1).filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
    };
    assert_eq!(keys("d.txt"), ["one", "two"]);
    // An id has no other spelling.
    folder.write("keys.txt", "ONE\ntwo\n");
    let ran = folder.firth("convert run k.txt --documents --keys keys.txt");
    assert!(ran.expect_code(0).stderr.contains("1 of 2 keys have no vector (\"ONE\")"), "{}", ran.stderr);
    assert_eq!(keys("k.txt"), ["two"]);
    folder.firth("convert run w.txt").expect_code(0);
    assert_eq!(keys("w.txt").len(), 6);
    folder.firth("convert run/documents.safetensors same.txt").expect_code(0);
    assert_eq!(folder.read("same.txt"), folder.read("d.txt"));
    folder.write_text("a.txt", 100);
    folder.firth("train skipgram a.txt -o words --dim 4 --epochs 1 --threads 1").expect_code(0);
    folder
        .firth("convert words x.txt --documents")
        .expect_error(2, &["words: has vectors for words only", "--pool sif"]);
}
