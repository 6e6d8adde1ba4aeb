//! Where results may not go.

use crate::support::{Folder, Tested};

#[test]
fn an_output_never_takes_the_place_of_an_input() -> Tested {
    let folder = Folder::new();
    std::fs::create_dir(folder.join("texts"))?;
    folder.write_text("texts/a.txt", 100);
    folder.write_vectors("v.txt");
    folder.firth("train cbow texts/a.txt -o run --dim 4").expect_code(0);
    let before = folder.read("texts/a.txt");
    for (arguments, parts) in [
        ("train cbow texts/a.txt -o texts/a.txt", vec!["texts/a.txt", "is an input"]),
        ("train cbow texts -o texts/run", vec!["texts/run", "lies in an input"]),
        ("train cbow texts/a.txt -o texts", vec!["holds an input"]),
        ("train cbow texts/*.txt -o texts/a.txt", vec!["is an input"]),
        ("corpus build texts -o texts/corpus", vec!["lies in an input"]),
        ("convert v.txt ./v.txt", vec!["is an input"]),
        ("convert run run/words.bin", vec!["lies in an input"]),
        ("convert v.txt run --to glove", vec!["run", "does not replace"]),
        ("embed v.txt -o v.txt --words", vec!["is an input"]),
        ("embed v.txt -o run --to word2vec --words", vec!["does not replace"]),
        ("train skipgram texts/a.txt -o run --to word2vec", vec!["does not replace"]),
    ] {
        folder.firth(&format!("{arguments} --force")).expect_error(2, &parts);
    }
    assert_eq!(
        (folder.read("texts/a.txt"), folder.names()),
        (before, ["run", "texts", "v.txt"].map(String::from).into())
    );
    Ok(())
}

#[test]
fn standard_output_and_devices_hold_no_results() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.write_vectors("v.txt");
    for command in ["train cbow a.txt -o -", "corpus build a.txt -o -", "convert v.txt -", "embed v.txt -o - --words"] {
        folder.firth(command).expect_error(2, &["standard output cannot hold"]);
    }
    #[cfg(unix)]
    for command in ["train cbow a.txt -o /dev/null", "convert v.txt /dev/null"] {
        folder.firth(&format!("{command} --force")).expect_error(2, &["/dev/null", "device"]);
    }
    for name in ["v.arrow", "v.txt.gz"] {
        folder.firth(&format!("train cbow a.txt -o {name}")).expect_error(2, &[name, "format"]);
    }
    assert_eq!(folder.names(), ["a.txt", "v.txt"]);
}

#[test]
fn a_log_never_takes_the_place_of_an_input() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    let text = folder.read("a.txt");
    for command in ["train cbow a.txt -o run", "train cbow a.txt -o run --dry-run", "corpus build a.txt -o corpus"] {
        folder.firth(&format!("{command} --log-json a.txt")).expect_error(2, &["a.txt", "input"]);
        assert_eq!((folder.read("a.txt"), folder.names()), (text.clone(), vec!["a.txt".to_owned()]), "{command}");
    }
}
