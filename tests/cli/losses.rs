//! `--loss`: every loss trains, names itself and its files; what has no sense with one is refused.

use crate::support::Folder;

const QUICK: &str = "--dim 12 --epochs 2 --threads 1 --sample 1e-2";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    folder
}

#[test]
fn every_loss_trains_tells_its_name_and_can_be_repeated() {
    let folder = folder();
    for (loss, output, other) in
        [("ns", "context", "nodes"), ("hs", "nodes", "context"), ("softmax", "context", "nodes")]
    {
        for task in ["skipgram", "cbow", "pv-dm", "pv-dbow --dbow-words"] {
            let plan = folder.json(&format!("train {task} a.txt -o run --loss {loss} {QUICK} --dry-run --force"));
            assert!(plan["words_per_second"].as_f64() > Some(0.0), "{task} {loss}: {plan}");
            let report = folder.json(&format!("train {task} a.txt -o run --loss {loss} {QUICK} --force"));
            assert_eq!(report["objective"], loss, "{task}");
            let info = folder.json("info run --check");
            assert_eq!((&info["loss"], &info["kind"]), (&loss.into(), &"run".into()), "{task}");
            let has = |name: &str| folder.join("run").join(name).with_extension("safetensors").is_file();
            assert!(has(output) && !has(other), "{task} {loss}: {:?}", folder.names_in("run"));
            folder.firth("nearest run cat --top 3").expect_code(0);
            let again = folder.json(&format!(
                "train {} a.txt -o again --config run/config.toml --force",
                task.split(' ').next().unwrap_or(task)
            ));
            assert_eq!((&again["fingerprint"], &again["objective"]), (&report["fingerprint"], &loss.into()), "{task}");
        }
    }
    // Nodes are numbered, so that nobody takes them for words.
    folder.firth(&format!("train cbow a.txt -o hs --loss hs {QUICK}")).expect_code(0);
    let nodes = firth::format::read(&folder.join("hs/nodes.safetensors")).expect("nodes");
    let words = firth::format::read(&folder.join("hs")).expect("words");
    assert_eq!((nodes.len() + 1, nodes.keys().get(0)), (words.len(), "0"));
}

#[test]
fn what_has_no_sense_with_a_loss_is_refused() {
    let folder = folder();
    for (flags, parts) in [
        ("skipgram --loss hs --negative 5", ["--negative", "--loss hs has no noise words"]),
        ("cbow --loss softmax --ns-exponent 0.5", ["--ns-exponent", "--loss softmax has no noise words"]),
        ("pv-dbow --loss hs", ["--loss", "--dbow-words"]),
        ("skipgram --loss ova", ["ova", "softmax"]),
    ] {
        folder.firth(&format!("train {flags} a.txt -o run")).expect_error(2, &parts);
    }
    folder.write("one.txt", "one one one\n");
    for loss in ["hs", "softmax"] {
        let train = format!("train cbow one.txt -o run --min-count 1 --loss {loss}");
        folder.firth(&train).expect_error(2, &["--loss", "the only word", "--min-count"]);
    }
    folder.write("many.txt", (0..100_001).map(|word| format!("{word}\n")).collect::<String>());
    let train = "train cbow many.txt -o run --min-count 1 --loss softmax";
    folder.firth(train).expect_error(2, &["100001 words", "at most 100000", "--max-vocabulary"]);
    assert_eq!(folder.names(), ["a.txt", "many.txt", "one.txt"]);
}

#[test]
fn an_output_table_of_another_meaning_is_left_and_that_is_told() {
    let folder = folder();
    folder.firth(&format!("train skipgram a.txt -o hs --loss hs {QUICK}")).expect_code(0);
    folder.write("new.txt", "the cat and the zebra eat green grass near the zoo\n".repeat(40));
    for (flags, told) in [
        ("--loss hs", None),
        ("--loss ns", Some("another --loss")),
        ("--loss hs --grow-vocabulary", Some("another tree")),
    ] {
        let train = format!("train skipgram new.txt -o new --from hs --epochs 1 --threads 1 --force {flags}");
        let ran = folder.firth(&train);
        let is_told = ran.expect_code(0).stderr.contains("starts from nothing");
        assert_eq!(is_told, told.is_some(), "{flags}: {}", ran.stderr);
        assert!(told.is_none_or(|told| ran.stderr.contains(told)), "{flags}: {}", ran.stderr);
    }
}
