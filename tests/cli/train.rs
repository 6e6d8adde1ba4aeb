//! `train`, and `demo`.

use crate::support::{Folder, Tested};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    folder
}

const QUICK: &str = "--dim 12 --epochs 2 --threads 1";

#[test]
fn a_run_is_a_folder_that_every_command_takes() {
    let folder = folder();
    let ran = folder.firth(&format!("train skipgram a.txt -o run {QUICK}"));
    ran.expect_code(0);
    assert!(ran.stdout.contains("output\trun\n"), "{}", ran.stdout);
    assert!(ran.stderr.contains("next: firth nearest run "), "{}", ran.stderr);
    for name in ["config.toml", "vocabulary.safetensors", "dataset.safetensors", "words.safetensors", "log.jsonl"] {
        assert!(folder.join("run").join(name).is_file(), "{name}");
    }
    assert_eq!(folder.names(), ["a.txt", "run"]);
    folder.firth("nearest run cat --top 3").expect_code(0);
    folder.firth("convert run words.bin").expect_code(0);
    let info = folder.json("info run --check");
    assert_eq!((&info["kind"], &info["dim"], &info["documents"]), (&"run".into(), &12.into(), &400.into()));
    assert_eq!(folder.json("corpus info run")["documents"], 400);
}

#[test]
fn training_reports_the_promised_fields() {
    let folder = folder();
    for task in ["skipgram", "cbow"] {
        let report = folder.json(&format!("train {task} a.txt -o {task} {QUICK}"));
        assert_eq!((&report["task"], &report["output"]), (&task.into(), &task.into()));
        assert_eq!((&report["epochs"], &report["dim"], &report["threads"]), (&2.into(), &12.into(), &1.into()));
        for field in
            ["tokens", "words_trained", "vocabulary", "train_seconds", "wall_seconds", "words_per_second", "loss"]
        {
            assert!(report[field].is_number(), "{field}: {report}");
        }
        for field in ["cpu_seconds", "peak_rss_bytes"] {
            assert!(report[field].is_number() || cfg!(not(target_os = "linux")), "{field}: {report}");
        }
        assert!(report["strategy"].is_string());
        let (tokens, seconds) = (report["tokens"].as_f64(), report["train_seconds"].as_f64());
        let speed = tokens.zip(seconds).map(|(tokens, seconds)| tokens * 2.0 / seconds);
        let ratio = speed.zip(report["words_per_second"].as_f64()).map(|(ours, theirs)| ours / theirs);
        assert!(ratio.is_some_and(|ratio| (ratio - 1.0).abs() < 0.01), "{report}");
    }
}

#[test]
fn logs_are_json_lines_and_quiet_is_silent() -> Tested {
    let folder = folder();
    let ran = folder.firth(&format!("train cbow a.txt -o run --log-json log --quiet {QUICK}"));
    assert_eq!((ran.expect_code(0).stdout.as_str(), ran.stderr.as_str()), ("", ""));
    for log in ["log", "run/log.jsonl"] {
        let lines: Vec<serde_json::Value> =
            folder.read(log).lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        assert_eq!(lines.last().map(|line| &line["event"]), Some(&"done".into()), "{log}");
    }
    Ok(())
}

#[test]
fn an_encoded_corpus_gives_the_same_vectors_as_its_text() {
    let folder = folder();
    folder.firth("corpus build a.txt -o corpus").expect_code(0);
    folder.firth(&format!("train skipgram corpus -o one {QUICK}")).expect_code(0);
    folder.firth(&format!("train skipgram a.txt -o two {QUICK}")).expect_code(0);
    let vectors = |run: &str| folder.firth(&format!("embed {run} --words")).stdout;
    assert_eq!(vectors("one"), vectors("two"));
    assert!(folder.join("one/vocabulary.safetensors").is_file() && !folder.join("one/dataset.safetensors").exists());
}

#[test]
fn a_name_with_a_known_ending_gets_the_vectors_alone() {
    let folder = folder();
    for name in ["words.txt", "words.bin", "words.safetensors"] {
        folder.firth(&format!("train cbow a.txt -o {name} {QUICK}")).expect_code(0);
        folder.firth(&format!("nearest {name} cat")).expect_code(0);
    }
    assert_eq!(folder.names(), ["a.txt", "words.bin", "words.safetensors", "words.txt"]);
}

#[test]
fn standard_input_is_learned_like_a_file() {
    let folder = folder();
    let arguments = format!("train skipgram - -o piped {QUICK}");
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    folder.firth_with(&arguments, folder.read("a.txt")).expect_code(0);
    folder.firth(&format!("train skipgram a.txt -o read {QUICK}")).expect_code(0);
    assert_eq!(folder.firth("embed piped --words").stdout, folder.firth("embed read --words").stdout);
}

#[test]
fn every_kernel_learns_and_names_itself() {
    let folder = folder();
    for kernel in ["scalar", "reference", "avx2", "avx512"] {
        let ran = folder.firth(&format!("train cbow a.txt -o {kernel} --kernel {kernel} --json {QUICK}"));
        if ran.code == 2 && ran.stderr.contains("this processor has no") {
            println!("skipped: {}", ran.stderr.trim());
            continue;
        }
        ran.expect_code(0);
        let named = |name: &str| ran.stdout.contains(&format!("\"kernel\":\"{name}\""));
        assert!(named(kernel) || kernel == "reference", "{}", ran.stdout);
        folder.firth(&format!("nearest {kernel} cat")).expect_code(0);
    }
}

#[test]
fn serial_training_tells_of_one_thread_whatever_was_typed() {
    let folder = folder();
    folder.write_text("a.txt", 4000);
    let arguments = "train cbow a.txt -o run --strategy serial --threads 4 --sample 1 --epochs 200 --kernel scalar";
    let ran = folder.firth(arguments);
    ran.expect_code(0);
    assert!(ran.stdout.contains("with 1 thread ("), "{}", ran.stdout);
    assert!(ran.stderr.contains("words/s (1 thread)") && !ran.stderr.contains("threads"), "{}", ran.stderr);
}

/// A tokenizer whose words hold spaces.
const PHRASES: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
    "pre_tokenizer": {"type": "Split", "pattern": {"String": "|"}, "behavior": "Removed", "invert": false},
    "post_processor": null, "decoder": null, "model": {"type": "WordLevel", "unk_token": "[UNK]",
    "vocab": {"new york": 0, "paris": 1, "rome": 2, "[UNK]": 3}}}"#;

#[test]
fn words_that_a_format_cannot_hold_are_told_before_training() {
    let folder = Folder::new();
    folder.write("tokenizer.json", PHRASES);
    folder.write("a.txt", "new york|paris|rome\n".repeat(50));
    let train = format!("train cbow a.txt --tokenizer ./tokenizer.json --sample 0 {QUICK}");
    let ran = folder.firth(&format!("{train} -o words.txt --log-json log"));
    ran.expect_error(2, &["word2vec", "new york"]);
    // A log that tells of training would have been kept.
    assert_eq!(folder.names(), ["a.txt", "tokenizer.json"]);
    folder.firth(&format!("{train} -o words.safetensors")).expect_code(0);
}

#[test]
fn a_refused_run_leaves_no_log() {
    let folder = folder();
    folder.write("old", "");
    for arguments in
        ["train cbow none.txt -o run", "train cbow a.txt -o run --min-count 9999", "corpus build none.txt -o corpus"]
    {
        let ran = folder.firth(&format!("{arguments} --log-json log"));
        assert!([2, 3].contains(&ran.code), "{}", ran.stderr);
        assert_eq!(folder.names(), ["a.txt", "old"], "{arguments}");
    }
    let refused = "train cbow none.txt -o run --log-json old";
    folder.firth(refused).expect_code(3);
    assert!(folder.join("old").is_file(), "only what is new goes");
    folder.firth(&format!("train cbow a.txt -o run --log-json old {QUICK}")).expect_code(0);
    let log = folder.read("old");
    for arguments in [
        refused,
        "train cbow a.txt -o new --log-json old --min-count 9999",
        "train cbow a.txt -o new --log-json old --dry-run",
        "train autoencoder a.txt -o new --log-json old --dry-run",
    ] {
        folder.firth(arguments);
        assert_eq!((folder.read("old"), folder.names().len()), (log.clone(), 3), "{arguments}");
    }
    folder.firth("corpus build a.txt -o corpus --log-json old").expect_code(0);
    let log = folder.read("old");
    assert!(log.starts_with('{') && log.contains("\"event\":\"build\"") && !log.contains("\"progress\""), "{log}");
}

#[test]
fn a_damaged_file_of_a_run_is_made_anew_by_training_or_by_going_on() {
    let folder = folder();
    let train = "train cbow a.txt --dim 8 --epochs 2 --threads 1";
    folder.firth(&format!("{train} -o kept --checkpoint-every 1")).expect_code(0);
    folder.firth(&format!("{train} -o bare --checkpoint-every never")).expect_code(0);
    let halve = |name: &str| {
        let bytes = std::fs::read(folder.join(name)).expect("the file");
        folder.write(name, &bytes[..bytes.len() / 2]);
        bytes
    };
    let whole = halve("kept/words.safetensors");
    halve("bare/words.safetensors");
    folder.firth("nearest bare grass").expect_error(3, &["bare/words.safetensors", "train the run anew"]);
    let remedy = ["kept/words.safetensors", "remove words.safetensors and go on", "firth resume kept"];
    folder.firth("nearest kept grass").expect_error(3, &remedy);
    std::fs::remove_file(folder.join("kept/words.safetensors")).expect("a file");
    folder.firth("resume kept").expect_code(0);
    let again = std::fs::read(folder.join("kept/words.safetensors")).expect("the file");
    assert!(again == whole, "the remedy gives the same vectors");
    folder.firth("corpus build a.txt -o corpus").expect_code(0);
    let whole = halve("corpus/dataset.safetensors");
    folder.firth("corpus info corpus").expect_error(3, &["corpus/dataset.safetensors", "build the corpus anew"]);
    folder.write("corpus/dataset.safetensors", whole);
    // Whatever the damage is, and whichever file has it.
    let spoil = |name: &str| {
        let mut bytes = std::fs::read(folder.join(name)).expect("the file");
        *bytes.last_mut().expect("a byte") = 0xff;
        folder.write(name, bytes);
    };
    folder.firth("embed kept a.txt --pool mean -o pooled").expect_code(0);
    spoil("kept/vocabulary.safetensors");
    folder
        .firth("embed kept a.txt --pool mean")
        .expect_error(3, &["kept/vocabulary.safetensors", "UTF-8", "train the run anew"]);
    halve("pooled/words.safetensors");
    folder.firth("nearest pooled grass").expect_error(3, &["pooled/words.safetensors", "embed its documents anew"]);
    spoil("corpus/vocabulary.safetensors");
    folder
        .firth("corpus info corpus")
        .expect_error(3, &["corpus/vocabulary.safetensors", "UTF-8", "build the corpus anew"]);
    // Files that are no part of a run are their makers' to write.
    folder.firth(&format!("{train} -o alone.safetensors")).expect_code(0);
    halve("alone.safetensors");
    folder.firth("nearest alone.safetensors grass").expect_error(3, &["alone.safetensors", "write it anew"]);
}

#[test]
fn the_configuration_of_a_run_repeats_it() {
    let folder = folder();
    folder.firth("train skipgram a.txt -o one --dim 9 --epochs 3 --threads 1 --seed 7 --min-count 2").expect_code(0);
    let config = folder.read("one/config.toml");
    for line in ["dim = 9", "epochs = 3", "seed = 7", "min-count = 2", "[run]", "task = \"skipgram\""] {
        assert!(config.contains(line), "{line} is not in:\n{config}");
    }
    folder.firth("train skipgram a.txt -o two --config one/config.toml").expect_code(0);
    assert_eq!(folder.firth("embed one --words").stdout, folder.firth("embed two --words").stdout);
    // What is typed wins.
    assert_eq!(folder.json("train skipgram a.txt -o three --config one/config.toml --dim 5")["dim"], 5);
    folder.write("bad.toml", "dimm = 3\n");
    folder.firth("train cbow a.txt -o four --config bad.toml").expect_error(2, &["bad.toml", "dimm", "\"dim\""]);
    folder.write("bad.toml", "dim = \n");
    folder.firth("train cbow a.txt -o four --config bad.toml").expect_error(3, &["bad.toml", "line 1"]);
}

#[test]
fn a_training_without_anything_to_learn_is_an_error() {
    let folder = folder();
    folder.write("ones.txt", "alpha\nbeta\ngamma\n".repeat(20));
    folder.firth(&format!("train skipgram ones.txt -o run {QUICK}")).expect_error(3, &["60 tokens stand alone"]);
    folder.write("same.txt", "the the the\n".repeat(4));
    let ran = folder.firth("train cbow same.txt -o run --dim 4 --sample 1e-9 --threads 1");
    ran.expect_error(3, &["sampling 1e-9 left nothing to predict of 12 tokens", "--sample 0"]);
    assert_eq!(folder.names(), ["a.txt", "ones.txt", "same.txt"]);
}

#[test]
fn the_next_command_names_a_word_that_works() {
    let folder = folder();
    for (number, text) in ["a b c d\n".repeat(20), "it's o'er x'y\n".repeat(20)].iter().enumerate() {
        folder.write("odd.txt", text);
        let ran = folder.firth(&format!("train cbow odd.txt -o run{number} --tokenizer whitespace --sample 0 {QUICK}"));
        let next =
            ran.expect_code(0).stderr.lines().find_map(|line| line.split_once("next: firth ")).unwrap_or_default();
        let word = next.1.rsplit(' ').next().unwrap_or_default().replace("'\\''", "\"");
        let word = word.trim_matches('\'').replace('"', "'");
        folder.firth_with(&["nearest", &format!("run{number}"), &word], "").expect_code(0);
    }
}

#[test]
fn a_hopeless_learning_rate_is_reported_as_divergence() {
    let folder = folder();
    let ran = folder.firth("train skipgram a.txt -o run --lr 1e30 --sample 1 --epochs 20 --threads 1");
    ran.expect_error(4, &["diverged", "--lr"]);
    assert_eq!(folder.names(), ["a.txt"]);
}

#[test]
fn the_demo_learns_its_corpus_and_draws_it() {
    let folder = Folder::new();
    let ran = folder.firth("demo --quiet --threads 2");
    ran.expect_code(0);
    assert!(ran.stdout.contains("firth-demo"), "{}", ran.stdout);
    let images = |name: &String| name.ends_with(".png");
    let names: Vec<String> = std::fs::read_dir(folder.join("firth-demo"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().any(images), "{names:?}");
    folder.firth("nearest firth-demo/skipgram france").expect_code(0);
    folder.firth("nearest firth-demo/autoencoder --documents paris --top 3").expect_code(0);
    assert!(folder.read("firth-demo/documents.html").contains("documents by t-SNE"));
    // Its own output may be replaced, nobody else's.
    folder.write("firth-demo/skipgram/mark", "");
    folder.firth("demo --threads 2").expect_error(2, &["firth-demo", "other things than firth's"]);
    std::fs::remove_file(folder.join("firth-demo/skipgram/mark")).expect("the file");
    std::fs::remove_file(folder.join("firth-demo/map.png")).expect("the map");
    let report = folder.json("demo --threads 2");
    assert!(report["skipgram"]["accuracy"].as_f64() > Some(0.8), "{report}");
    let documents = &report["autoencoder"];
    assert!(documents["same_label"].as_f64() > documents["chance"].as_f64().map(|chance| 2.0 * chance), "{report}");
    assert!(documents["nmi"].as_f64() > Some(0.4), "{report}");
    folder.firth("embed firth-demo/autoencoder firth-demo/planted/README.txt").expect_code(0);
    assert!(folder.join("firth-demo/map.png").exists());
    std::fs::create_dir(folder.join("other")).expect("a folder");
    folder.write("other/thesis.tex", "");
    folder.firth("demo -o other").expect_error(2, &["other"]);
}
