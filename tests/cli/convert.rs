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
    for name in ["a.bin", "b.safetensors", "c.npy", "d.glove", "e.vec", "f.projector"] {
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
    folder.firth("corpus info v.txt").expect_error(3, &["v.txt: not an encoded corpus", "firth corpus build"]);
}

#[test]
fn what_a_format_drops_is_one_line_and_quiet_none() {
    let folder = folder();
    folder.write_text("a.txt", 100);
    folder.firth("train cbow a.txt -o run --dim 4").expect_code(0);
    let ran = folder.firth("convert run a.txt --to glove --force");
    assert_eq!(ran.expect_code(0).stderr.matches("drops").count(), 1, "{}", ran.stderr);
    assert_eq!(folder.firth("convert run b.txt --quiet").expect_code(0).stderr, "");
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
