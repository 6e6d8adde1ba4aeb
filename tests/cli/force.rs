//! `--force`: what it replaces, and what it never does.

use crate::support::{Folder, Tested};

const QUICK: &str = "--dim 4 --epochs 1 --threads 1 --force";

#[test]
fn folders_of_others_survive() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    std::fs::create_dir(folder.join("project"))?;
    folder.write("project/thesis.tex", "years");
    for (name, content) in [
        ("config.toml", "[server]\nport = 1\n"),
        ("vectors.tsv", "1\t2\n"),
        ("demo.json", "{}"),
        ("words.safetensors", "a network"),
    ] {
        folder.write(&format!("project/{name}"), content);
        for command in ["train cbow a.txt --dim 4", "corpus build a.txt", "corpus generate world", "demo"] {
            folder.firth(&format!("{command} -o project --force")).expect_error(2, &["project", "--force"]);
        }
        folder.firth("demo -o project").expect_error(2, &["project"]);
        assert_eq!(folder.read("project/thesis.tex"), "years", "{name}");
    }
    // A file of firth's among other things does not make the folder firth's.
    folder.firth("convert a.txt project/words.safetensors --force").expect_code(3);
    folder.write_vectors("v.txt");
    std::fs::create_dir(folder.join("mixed"))?;
    folder.write("mixed/thesis.tex", "years");
    folder.firth("convert v.txt mixed/words.safetensors").expect_code(0);
    folder.firth(&format!("train cbow a.txt -o mixed {QUICK}")).expect_error(2, &["mixed"]);
    Ok(())
}

#[test]
fn what_has_the_name_of_an_unfinished_run_and_is_none_survives() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.firth(&format!("train cbow a.txt -o run {QUICK}")).expect_code(0);
    folder.firth(&format!("train cbow a.txt -o run.unfinished {QUICK}")).expect_code(0);
    let train = format!("train cbow a.txt -o run --checkpoint-every epoch {QUICK}");
    folder.firth(&train).expect_error(2, &["run.unfinished", "rename it or remove it"]);
    assert!(folder.join("run.unfinished/words.safetensors").is_file());
    std::fs::remove_dir_all(folder.join("run.unfinished")).expect("a folder");
    folder.write("run.unfinished", "years");
    folder.firth(&train).expect_error(2, &["run.unfinished", "rename it or remove it"]);
    assert_eq!(folder.read("run.unfinished"), "years");
}

#[test]
fn a_run_without_checkpoints_has_no_unfinished_name() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.write_vectors("v.txt");
    folder.write("run.unfinished", "years");
    let train = "train cbow a.txt -o run --checkpoint-every never --dim 4";
    for command in ["embed v.txt a.txt --pool mean -o run", train] {
        for _ in 0..2 {
            folder.firth(&format!("{command} --force")).expect_code(0);
        }
    }
    assert_eq!(folder.read("run.unfinished"), "years");
}

#[test]
fn a_folder_does_not_take_the_place_of_a_file() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.write_vectors("v.txt");
    folder.write("note", "years");
    let commands = [
        &format!("train cbow a.txt -o note {QUICK}"),
        "corpus build a.txt -o note --force",
        "convert v.txt note --to spacy --force",
    ];
    for command in commands {
        folder.firth(command).expect_error(2, &["note: is a file", "another output"]);
        assert_eq!(folder.read("note"), "years");
    }
}

#[test]
fn what_firth_made_is_replaced() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.write_vectors("v.txt");
    for first in [
        "train skipgram a.txt --dim 4 --epochs 1 --threads 1 -o out",
        "corpus build a.txt -o out",
        "corpus generate world -o out",
        "convert v.txt out --to projector",
    ] {
        folder.firth(&format!("{first} --force")).expect_code(0);
        folder.firth(&format!("train cbow a.txt -o out {QUICK}")).expect_code(0);
    }
    folder.firth("corpus build a.txt -o corpus").expect_code(0);
    folder.firth(&format!("train cbow corpus -o out {QUICK}")).expect_code(0);
    folder.firth(&format!("train cbow corpus -o out {QUICK}")).expect_code(0);
    assert_eq!(folder.names(), ["a.txt", "corpus", "out", "v.txt"]);
}

#[test]
fn an_input_is_never_replaced_by_its_own_output() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.write_vectors("v.txt");
    folder.firth("train cbow a.txt -o run --dim 4 --epochs 1 --threads 1").expect_code(0);
    std::fs::create_dir(folder.join("empty"))?;
    for command in [
        "train cbow run -o run",
        "train cbow empty/../run -o run",
        "train cbow run -o ./empty/../run",
        "train cbow run/config.toml -o run",
        "train cbow run/c*.toml -o run",
        "train cbow a.txt -o a.txt",
        "corpus build run/log.jsonl -o run",
        "convert run run --to word2vec",
        "convert run/words.safetensors run --to npy",
        "embed run --words cat -o run --to word2vec",
    ] {
        folder.firth(&format!("{command} --force")).expect_error(2, &["name another output"]);
    }
    folder.firth("info run --check").expect_code(0);
    folder.firth("corpus info run").expect_code(0);
    assert_eq!(folder.names(), ["a.txt", "empty", "run", "v.txt"]);
    Ok(())
}

#[test]
fn force_without_an_output_is_refused() {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    folder.firth("embed v.txt --words king --force").expect_error(2, &["--force", "--output"]);
}

#[test]
fn what_cannot_be_done_is_told_before_the_work() {
    let folder = Folder::new();
    folder.write("taken.txt", "mine");
    // The input does not exist, which would be found out as soon as the work began.
    for command in [
        "convert none.bin taken.txt",
        "embed none.bin -o taken.txt --words a",
        "embed none.bin none.txt -o taken.txt --to word2vec",
        "reduce none.bin -o taken.txt --to 2",
        "cluster none.bin --clusters 2 -o taken.txt",
        "recommend none.csv --all-users -o taken.txt",
        "rules none.csv -o taken.txt",
    ] {
        folder.firth(command).expect_error(2, &["taken.txt: is there already", "--force"]);
    }
    for (command, part) in [
        ("plot none.bin none.txt -o map.png --color labels", "--color labels: these documents have none"),
        ("plot none.bin none.txt -o map.png --method pca --perplexity 5", "--perplexity: has no effect"),
        ("cluster none.bin none.txt", "missing --clusters"),
        ("eval clusters none.bin none.txt", "no labels to compare with"),
        ("eval classify none.bin none.txt", "no labels to compare with"),
    ] {
        folder.firth(command).expect_error(2, &[part]);
    }
    assert_eq!((folder.names(), folder.read("taken.txt")), (vec!["taken.txt".to_owned()], "mine".to_owned()));
}
