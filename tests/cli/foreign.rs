//! Command lines of other tools, and words with one dash.

use crate::support::Folder;

const LINE: &str =
    "-train a.txt -output y -hs 0 -binary 1 -size 8 -window 5 -negative 5 -sample 1e-2 -threads 2 -iter 2";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_text("a.txt", 200);
    folder
}

#[test]
fn the_canonical_line_of_word2vec_trains_what_it_says() {
    let folder = folder();
    for (number, command) in ["train skipgram", "train", ""].iter().enumerate() {
        let line = format!("{command} {LINE} -cbow 0").replace(" y ", &format!(" y{number} "));
        assert_eq!(folder.json(&line)["task"], "skipgram", "{line}");
        assert_eq!(folder.json(&format!("info y{number}"))["format"], "word2vec-bin");
    }
    assert_eq!(folder.json(&format!("train cbow {LINE} --sg 0 --cbow=1"))["task"], "cbow");
    let hs = format!("train cbow {LINE} -hs 1")
        .replace("-hs 0", "")
        .replace("-negative 5", "-negative 0")
        .replace(" y ", " h ");
    let hs = folder.json(&hs);
    assert_eq!(hs["objective"], "hs");
    folder.firth("train cbow a.txt -o t -binary 0 -size 8").expect_code(0);
    assert_eq!(folder.json("info t")["format"], "word2vec");
}

#[test]
fn what_other_tools_ask_for_and_firth_has_not_is_refused() {
    let folder = folder();
    for (flags, parts) in [
        ("-hs 1 -negative 5", vec!["--negative", "--loss hs has no noise words"]),
        ("-cbow 1", vec!["-cbow 1", "firth train cbow"]),
        ("--sg 0", vec!["--sg 0", "firth train cbow"]),
        ("-cbow x", vec!["-cbow", "0 or 1"]),
        ("-loss ova", vec!["--loss", "ova", "softmax"]),
        ("-debug much", vec!["unknown flag '-debug'"]),
        ("-save-vocab v.txt", vec!["-save-vocab: is no flag of firth's", "firth corpus info RUN"]),
        ("--compute_loss", vec!["--compute_loss: is no flag of firth's", "leave it out"]),
        ("-windw 3", vec!["unknown flag '-windw'", "'--window'"]),
        ("-hs", vec!["-hs", "0 or 1"]),
    ] {
        folder.firth(&format!("train skipgram a.txt -o y {flags}")).expect_error(2, &parts);
    }
    folder.firth(&format!("train {LINE}")).expect_error(2, &["firth train skipgram", "firth train cbow"]);
    assert_eq!(folder.names(), ["a.txt"]);
}

#[test]
fn a_number_behind_our_own_verbose_is_an_input() {
    let folder = folder();
    folder.write("1984", folder.read("a.txt"));
    folder.firth("train skipgram --verbose 1984 -o v --dim 4 --epochs 1").expect_code(0);
    folder.firth("train skipgram -verbose 2 1984 -o w --dim 4 --epochs 1").expect_code(0);
}

#[test]
fn one_dash_and_several_letters_are_one_flag() {
    let folder = folder();
    folder.firth("train skipgram a.txt -outdir y").expect_error(2, &["unknown flag '-outdir'"]);
    folder.write_vectors("v.txt");
    folder.firth("nearest v.txt king -hs 1").expect_error(2, &["'-hs'"]);
    folder.firth("nearest v.txt king -top 1 -json").expect_code(0);
}
