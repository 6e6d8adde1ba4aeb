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
    for (name, why) in [("v.arrow", "format"), ("v.txt.gz", "no compressed file"), ("run.zst", "no compressed file")] {
        folder.firth(&format!("train cbow a.txt -o {name}")).expect_error(2, &[name, why]);
    }
    assert_eq!(folder.names(), ["a.txt", "v.txt"]);
}

#[test]
fn a_name_that_looks_like_a_files_is_said_to_be_a_folders() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    for (name, is_told) in [("v.vce", true), ("run", false), ("run.v1", false), ("v.bin", false)] {
        let ran = folder.firth(&format!("train cbow a.txt --dim 4 --epochs 1 -o {name}"));
        let told =
            ran.expect_code(0).stderr.lines().any(|line| line.contains("the folder of a run") && line.contains(".bin"));
        assert_eq!((told, folder.join(name).is_dir()), (is_told, name != "v.bin"), "{name}: {}", ran.stderr);
    }
    folder.firth("train cbow a.txt -o v.tsv").expect_error(2, &["v.tsv", "does not tell a format"]);
    let ran = folder.firth("embed run a.txt -o d.foo");
    assert!(ran.expect_code(0).stderr.contains("d.foo: will be the folder of a run"), "{}", ran.stderr);
}

#[test]
fn a_log_takes_the_place_of_nothing_but_a_log() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.write_vectors("v.txt");
    let train = "train cbow a.txt --dim 4 --epochs 1 -o run";
    let vectors = folder.read("v.txt");
    for command in [train, "train cbow a.txt -o run --dry-run", "corpus build a.txt -o corpus", "demo"] {
        folder.firth(&format!("{command} --log-json v.txt")).expect_error(2, &["v.txt", "no log", "another file"]);
        assert_eq!((folder.read("v.txt"), folder.names()), (vectors.clone(), vec!["a.txt".into(), "v.txt".into()]));
    }
    folder.write("log", "");
    for _ in 0..2 {
        folder.firth(&format!("{train} --force --log-json log")).expect_code(0);
        assert!(folder.read("log").ends_with('\n'));
    }
    let log = folder.read("run/log.jsonl");
    let ran = folder.firth("train cbow a.txt -o other --dim 4 --log-json run/log.jsonl");
    ran.expect_error(2, &["run/log.jsonl", "folder of a run", "another file"]);
    assert_eq!(folder.read("run/log.jsonl"), log);
    // Lines of somebody else's.
    folder.write("events", "{\"event\":\"click\",\"time\":3}\n");
    folder.firth(&format!("{train} --force --log-json events")).expect_error(2, &["events", "no log"]);
}

#[test]
fn a_log_never_lies_where_the_output_goes() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.firth("train cbow a.txt --dim 4 --epochs 1 -o run").expect_code(0);
    let log = folder.read("run/log.jsonl");
    for (command, log) in [
        ("train cbow a.txt -o words.jsonl", "words.jsonl"),
        ("train cbow a.txt -o new --dry-run", "./new"),
        ("train cbow a.txt -o new", "new/log"),
        ("train cbow a.txt -o run --force", "run/log.jsonl"),
        ("train cbow a.txt -o run --force", "run.unfinished"),
        ("train autoencoder a.txt -o run --force", "run/train.log"),
        ("corpus build a.txt -o corpus", "corpus/build.log"),
        ("demo -o demo", "demo"),
    ] {
        let ran = folder.firth(&format!("{command} --log-json {log}"));
        ran.expect_error(2, &[log, "where the output goes", "another file"]);
        assert_eq!(folder.names(), ["a.txt", "run"], "{command}");
    }
    assert_eq!(folder.read("run/log.jsonl"), log);
}

#[test]
fn a_log_stays_out_of_runs_not_out_of_folders_with_their_settings() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.firth("train cbow a.txt --dim 4 --epochs 1 -o run").expect_code(0);
    std::fs::copy(folder.join("run/config.toml"), folder.join("config.toml"))?;
    for _ in 0..2 {
        let train = "train cbow a.txt -o other --config config.toml --log-json log.jsonl --force";
        folder.firth(train).expect_code(0);
    }
    let names = folder.names_in("run");
    let ran = folder.firth("train cbow a.txt -o new --log-json run/new.jsonl");
    ran.expect_error(2, &["run/new.jsonl", "folder of a run"]);
    assert_eq!(folder.names_in("run"), names);
    Ok(())
}

#[cfg(unix)]
#[test]
fn two_trainings_share_a_device_and_no_file() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    let train = "train cbow a.txt --threads 1 --sample 0";
    for (log, code) in [("/dev/null", 0), ("log", 2)] {
        let long = format!("{train} -o run --epochs 10000 --dim 300 --checkpoint-every 0.001s --log-json {log}");
        let mut child = folder.command(&long).spawn()?;
        folder.wait_for("run", &mut child)?;
        let ran = folder.firth(&format!("{train} -o other-{code} --epochs 1 --dim 4 --log-json {log}"));
        child.kill()?;
        child.wait()?;
        ran.expect_code(code);
        assert!(code == 0 || ran.stderr.contains("log: another firth writes this log"), "{}", ran.stderr);
        std::fs::remove_dir_all(folder.join("run"))?;
    }
    Ok(())
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

#[test]
fn what_stands_beside_an_output_is_looked_at_before_the_work() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.write_text("a.vocab", 100);
    let text = folder.read("a.vocab");
    let train = "train cbow --dim 4 --epochs 1 -o a.npy";
    let ran = folder.firth(&format!("{train} a.txt"));
    ran.expect_error(2, &["a.vocab", "is there already", "--force"]);
    assert!(!ran.stderr.contains("words/s"), "{}", ran.stderr);
    folder.firth(&format!("{train} a.vocab --force")).expect_error(2, &["a.vocab", "input"]);
    assert_eq!((folder.read("a.vocab"), folder.names()), (text, vec!["a.txt".to_owned(), "a.vocab".to_owned()]));
    folder.firth("train cbow a.txt -o b.vocab --to npy").expect_error(2, &["b.vocab", "the name of its file of keys"]);
    folder.firth(&format!("{train} a.txt --force")).expect_code(0);
    assert!(folder.read("a.vocab").lines().any(|word| word == "harbour"));
}
