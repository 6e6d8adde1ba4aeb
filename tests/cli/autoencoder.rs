//! `train autoencoder`, and what other commands do with its runs.

use crate::support::{Folder, Ran, Tested};

const QUICK: &str = "--max-documents 100% --code 8 --epochs 3 --threads 1";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    folder
}

fn trained(flags: &str) -> Folder {
    let folder = folder();
    folder.firth(&format!("train autoencoder a.txt -o run {QUICK} {flags}")).expect_code(0);
    folder
}

/// A matrix of f32 as numpy saves it.
fn npy(rows: usize, cols: usize, value: impl Fn(usize, usize) -> f32) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {cols}), }}");
    let header = format!("{header:117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for row in 0..rows {
        (0..cols).for_each(|col| bytes.extend(value(row, col).to_le_bytes()));
    }
    bytes
}

/// Two kinds of rows, a little different each.
fn two_kinds(row: usize, col: usize) -> f32 {
    let is_on = row.is_multiple_of(2) == (col < 4);
    (if is_on { 0.8 } else { 0.1 }) + 0.02 * ((row * 7 + col * 3) % 5) as f32
}

fn folder_of_matrices() -> Folder {
    let folder = Folder::new();
    folder.write("x.npy", npy(100, 8, two_kinds));
    folder.write("y.npy", npy(100, 3, |row, col| two_kinds(row, col + 2)));
    folder
}

fn files(folder: &Folder, run: &str, names: &[&str]) -> Tested<Vec<Vec<u8>>> {
    Ok(names.iter().map(|name| std::fs::read(folder.join(run).join(name))).collect::<Result<_, _>>()?)
}

const PRODUCTS: [&str; 3] = ["autoencoder.safetensors", "documents.safetensors", "words.safetensors"];

#[test]
fn a_run_has_the_model_codes_for_documents_and_vectors_for_words() {
    let folder = folder();
    let ran = folder.firth(&format!("train autoencoder a.txt -o run {QUICK}"));
    ran.expect_code(0);
    assert!(ran.stdout.contains("output\trun\n") && ran.stdout.contains("codes\t400 of 8 numbers\n"), "{}", ran.stdout);
    for hint in ["next: firth info run --latents", "next: firth embed run ", "next: firth nearest run "] {
        assert!(ran.stderr.contains(hint), "{hint}: {}", ran.stderr);
    }
    for name in PRODUCTS.iter().chain(&["config.toml", "vocabulary.safetensors", "dataset.safetensors", "log.jsonl"]) {
        assert!(folder.join("run").join(name).is_file(), "{name}");
    }
    assert_eq!(folder.names(), ["a.txt", "run"]);
    folder.firth("nearest run cat --top 3").expect_code(0);
    let nearest = folder.json("nearest run/documents.safetensors 1 --top 3");
    assert_eq!(nearest[0]["query"], "1");
    let info = folder.json("info run --check");
    assert_eq!((&info["kind"], &info["task"]), (&"run".into(), &"autoencoder".into()));
    assert_eq!((&info["code"], &info["documents"]), (&8.into(), &400.into()));
    assert!(info["columns"].as_u64() > Some(10) && info["fingerprint"].is_string(), "{info}");
}

#[test]
fn training_reports_the_promised_fields() {
    let folder = folder();
    let report = folder.json(&format!("train autoencoder a.txt -o run {QUICK}"));
    assert_eq!((&report["task"], &report["output"]), (&"autoencoder".into(), &"run".into()));
    assert_eq!((&report["epochs"], &report["dim"], &report["threads"]), (&3.into(), &8.into(), &1.into()));
    assert_eq!((&report["documents"], &report["empty_documents"]), (&400.into(), &0.into()));
    for field in [
        "tokens",
        "words_trained",
        "vocabulary",
        "train_seconds",
        "wall_seconds",
        "words_per_second",
        "loss",
        "epoch",
        "restart",
    ] {
        assert!(report[field].is_number(), "{field}: {report}");
    }
    assert_eq!(report["epoch_losses"].as_array().map(Vec::len), Some(3));
    assert!(report["strategy"].is_string() && report["fingerprint"].is_string(), "{report}");
    assert!(report["epoch_losses"][2].as_f64() < report["epoch_losses"][0].as_f64(), "{report}");
}

#[test]
fn threads_and_an_encoded_corpus_change_nothing() -> Tested {
    let folder = trained("");
    folder.firth("corpus build a.txt -o corpus --min-count 1").expect_code(0);
    for (run, train) in [
        ("two", "train autoencoder a.txt -o two --max-documents 100% --code 8 --epochs 3 --threads 2".to_owned()),
        ("encoded", format!("train autoencoder corpus -o encoded {QUICK}")),
    ] {
        folder.firth(&train).expect_code(0);
        assert!(files(&folder, run, &PRODUCTS[1..])? == files(&folder, "run", &PRODUCTS[1..])?, "{run}");
    }
    assert!(!folder.join("encoded/dataset.safetensors").exists());
    folder.firth("embed encoded a.txt").expect_code(0);
    Ok(())
}

#[test]
fn every_word_counts_unless_too_few_documents_have_it() {
    let folder = folder();
    let text = folder.read("a.txt") + "zebra crossing\nzebra stripes\n";
    folder.write("b.txt", text);
    folder.firth(&format!("train autoencoder b.txt -o run {QUICK}")).expect_code(0);
    let words = folder.firth("embed run --words").stdout;
    assert!(words.contains("zebra\t") && !words.contains("stripes\t"), "{words}");
    assert!(folder.read("run/config.toml").contains("min-count = 1"));
    folder.firth(&format!("train autoencoder b.txt -o all {QUICK} --min-documents 1")).expect_code(0);
    assert!(folder.firth("embed all --words").stdout.contains("stripes\t"));
    // "the" is in half of the documents.
    folder.firth(&format!("train autoencoder b.txt -o few {QUICK} --max-documents 20%")).expect_code(0);
    assert!(!folder.firth("embed few --words").stdout.contains("near\t"));
}

#[test]
fn documents_without_learnt_words_are_told() {
    let folder = folder();
    folder.write("b.txt", folder.read("a.txt") + "sesquipedalian verbosity\n");
    let ran = folder.firth(&format!("train autoencoder b.txt -o run {QUICK} --quiet"));
    ran.expect_code(0);
    assert!(ran.stderr.contains("warning: 1 document has no word that is learnt"), "{}", ran.stderr);
    assert!(ran.stderr.contains(": 401\n"), "{}", ran.stderr);
    assert_eq!(folder.firth("embed run/documents.safetensors --words 401").expect_code(0).stdout.lines().count(), 1);
}

#[test]
fn ids_are_keys_and_repeated_ones_get_numbers() {
    let folder = Folder::new();
    let line = |at: usize| format!("{}\tthe {} and the {} run\n", ["a", "b", "a"][at % 3], at % 7, at % 5);
    folder.write("a.tsv", (0..9).map(line).collect::<String>());
    let train = format!("train autoencoder a.tsv --id-field 1 --text-field 2 -o run {QUICK}");
    let ran = folder.firth(&train);
    ran.expect_code(0);
    assert!(ran.stderr.contains("7 ids stand more than once, \"a\" first"), "{}", ran.stderr);
    let keys = |ran: Ran| -> Vec<String> {
        ran.stdout.lines().filter_map(|line| line.split('\t').next()).map(str::to_owned).collect()
    };
    let expected = ["a", "b", "a#2", "a#3", "b#2", "a#4", "a#5", "b#3", "a#6"];
    assert_eq!(keys(folder.firth("embed run/documents.safetensors --words")), expected);
    assert_eq!(keys(folder.firth("embed run a.tsv --id-field 1 --text-field 2")), expected);
}

#[test]
fn documents_that_it_has_not_seen_are_encoded() {
    let folder = trained("");
    // Those that it has seen get the codes that they have.
    let again = folder.firth("embed run a.txt --quiet");
    again.expect_code(0);
    let codes = folder.firth("embed run/documents.safetensors --words").stdout;
    assert_eq!(again.stdout, codes);
    folder.write("new.txt", "a cat near a horse\n\nxyzzy\nthe raft and the canoe\n");
    let ran = folder.firth("embed run new.txt");
    let keys: Vec<_> = ran.expect_code(0).stdout.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(keys, ["1", "2", "3", "4"]);
    assert!(ran.stderr.contains("2 documents have no word that the model knows"), "{}", ran.stderr);
    assert!(ran.stderr.contains(": 2, 3\n"), "{}", ran.stderr);
    let piped = folder.firth_with(&["embed", "run", "-"], folder.read("new.txt"));
    assert_eq!(piped.expect_code(0).stdout, ran.stdout);
    let vectors = folder.json("embed run new.txt");
    assert_eq!((&vectors[3]["key"], vectors[3]["vector"].as_array().map(Vec::len)), (&"4".into(), Some(8)));
    let saved = folder.json("embed run new.txt -o new.npy");
    assert_eq!((&saved["documents"], &saved["dim"], &saved["format"]), (&4.into(), &8.into(), &"npy".into()));
    assert_eq!(folder.firth("embed new.npy --words").stdout, ran.stdout);
    folder.firth("embed run new.txt -o new.npy").expect_error(2, &["--force"]);
}

#[test]
fn latents_name_words_and_documents() {
    let folder = trained("");
    let latents = folder.json("info run --latents --top 3");
    let latents = latents.as_array().expect("a list");
    assert_eq!(latents.len(), 8);
    for (at, latent) in latents.iter().enumerate() {
        assert_eq!(latent["dimension"], at + 1);
        for field in ["raised_by", "lowered_by", "documents_high", "documents_low"] {
            assert_eq!(latent[field].as_array().map(Vec::len), Some(3), "{latent}");
        }
    }
    let lines = folder.firth("info run --latents").stdout;
    assert_eq!(lines.lines().count(), 4 * 8);
    assert!(lines.starts_with("1\traised by\t") && lines.lines().all(|line| line.split('\t').count() == 10), "{lines}");
    folder.firth(&format!("train autoencoder a.txt -o deep --hidden 12 {QUICK}")).expect_code(0);
    assert_eq!(folder.json("info deep --latents").as_array().map(Vec::len), Some(8));
    folder.firth("info a.txt --latents").expect_error(2, &["a.txt", "autoencoder"]);
}

#[test]
fn the_configuration_of_a_run_repeats_it() -> Tested {
    let folder = trained("--seed 7 --noise mask:0.3 --min-documents 3");
    let config = folder.read("run/config.toml");
    for line in ["code = 8", "noise = \"mask:0.3\"", "seed = 7", "min-documents = 3", "task = \"autoencoder\""] {
        assert!(config.contains(line), "{line} is not in:\n{config}");
    }
    folder.firth("train autoencoder a.txt -o two --config run/config.toml --threads 1").expect_code(0);
    assert!(files(&folder, "two", &PRODUCTS)? == files(&folder, "run", &PRODUCTS)?);
    assert_eq!(folder.json("train autoencoder a.txt -o three --config run/config.toml --code 5")["dim"], 5);
    Ok(())
}

/// Takes a finished run back to what it was after its first epoch.
fn unfinish(folder: &Folder, products: &[&str]) -> Tested {
    for name in products {
        std::fs::remove_file(folder.join("run").join(name))?;
    }
    let checkpoints = folder.names_in("run/checkpoints");
    assert!(checkpoints.len() >= 2, "{checkpoints:?}");
    for name in &checkpoints[1..] {
        std::fs::remove_dir_all(folder.join("run/checkpoints").join(name))?;
    }
    Ok(())
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bytes() -> Tested {
    for more in ["", "--heldout 10%"] {
        let folder = trained(&format!("--checkpoint-every epoch --keep 5 {more}"));
        let whole = files(&folder, "run", &PRODUCTS)?;
        folder.firth("resume run").expect_error(2, &["is finished", "firth embed run"]);
        unfinish(&folder, &PRODUCTS)?;
        assert_eq!(folder.json("info run --check")["kind"], "unfinished run");
        folder.firth("embed run a.txt").expect_error(2, &["unfinished", "firth resume run"]);
        let report = folder.json("resume run --threads 2");
        assert_eq!((&report["task"], &report["epochs"]), (&"autoencoder".into(), &3.into()));
        assert!(files(&folder, "run", &PRODUCTS)? == whole, "{more}");
    }
    // Killed after the codes and before the words, it is not finished.
    let folder = trained("--checkpoint-every epoch --keep 5");
    unfinish(&folder, &PRODUCTS[2..])?;
    folder.firth("resume run").expect_code(0);
    Ok(())
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_to_the_same_bytes() -> Tested {
    let folder = folder();
    let flags = "--max-documents 100% --code 16 --epochs 6000 --threads 1 --checkpoint-every 600";
    let train = |run| format!("train autoencoder a.txt -o {run} {flags}");
    folder.firth(&train("whole")).expect_code(0);
    let ran = folder.interrupt_saved(&train("run"), "-INT")?;
    ran.expect_code(130);
    assert!(ran.stderr.contains("firth resume run"), "{}", ran.stderr);
    folder.firth("resume run").expect_code(0);
    assert!(files(&folder, "run", &PRODUCTS)? == files(&folder, "whole", &PRODUCTS)?);
    Ok(())
}

#[test]
fn word_vectors_may_be_the_start() {
    let folder = folder();
    folder.firth("train skipgram a.txt -o words --dim 8 --epochs 2 --threads 1").expect_code(0);
    let ran = folder.firth(&format!("train autoencoder a.txt -o run --init-words words {QUICK}"));
    ran.expect_code(0);
    assert!(ran.stderr.contains("from the vectors given"), "{}", ran.stderr);
    let wrong = folder.firth("train autoencoder a.txt -o two --init-words words --code 9");
    wrong.expect_error(2, &["--init-words", "8 numbers", "9 units", "--code 8"]);
    let wrong = folder.firth("train autoencoder a.txt -o two --init-words words --code 8 --hidden 9");
    wrong.expect_error(2, &["--init-words", "--hidden 8"]);
}

#[test]
fn the_rows_of_a_matrix_are_learnt_and_encoded() -> Tested {
    let folder = folder_of_matrices();
    let train = "train autoencoder x.npy -o run --code 2 --epochs 5 --checkpoint-every epoch --keep 9";
    let report = folder.json(train);
    assert_eq!((&report["documents"], &report["vocabulary"]), (&100.into(), &8.into()));
    assert!(!folder.join("run/words.safetensors").exists());
    let info = folder.json("info run --check");
    assert_eq!((&info["kind"], &info["code"], &info["columns"]), (&"run".into(), &2.into(), &8.into()));
    folder.firth("nearest run 1 --top 3").expect_code(0);
    let codes = folder.firth("embed run --words").stdout;
    assert_eq!(folder.firth("embed run x.npy").expect_code(0).stdout, codes);
    assert_eq!(folder.json("embed run x.npy -o codes.npy")["rows"], 100);
    let latents = folder.json("info run --latents --top 2");
    assert_eq!(latents[0]["raised_by"].as_array().map(Vec::len), Some(2), "{latents}");
    let products = &PRODUCTS[..2];
    let whole = files(&folder, "run", products)?;
    folder.firth("resume run").expect_error(2, &["is finished"]);
    unfinish(&folder, products)?;
    folder.firth("resume run").expect_code(0);
    assert!(files(&folder, "run", products)? == whole);
    folder.firth(&format!("{train} --force")).expect_code(0);
    Ok(())
}

#[test]
fn one_matrix_is_learnt_from_another() {
    let folder = folder_of_matrices();
    folder.firth("train autoencoder x.npy --target y.npy -o run --code 2 --epochs 5").expect_code(0);
    assert!(folder.read("run/config.toml").contains("y.npy"));
    folder.write("short.npy", npy(99, 3, two_kinds));
    let wrong = folder.firth("train autoencoder x.npy --target short.npy -o two");
    wrong.expect_error(3, &["short.npy", "100", "99"]);
    folder.write("wide.npy", npy(3, 9, two_kinds));
    folder.firth("embed run wide.npy").expect_error(3, &["wide.npy", "8", "9"]);
    folder.write_text("a.txt", 10);
    folder.firth("embed run a.txt").expect_error(2, &["a.txt", "matrix"]);
    folder.firth("embed run x.npy --format csv").expect_error(2, &["--format", "no effect"]);
}

#[test]
fn numbers_that_are_none_and_counts_below_zero_are_refused() {
    let folder = Folder::new();
    folder.write("nan.npy", npy(10, 4, |row, col| if (row, col) == (3, 1) { f32::NAN } else { 1.0 }));
    folder.write("negative.npy", npy(10, 4, |row, _| if row == 3 { -1.0 } else { 1.0 }));
    folder.write("zero.npy", npy(10, 4, |_, _| 0.0));
    folder.firth("train autoencoder nan.npy -o run").expect_code(3);
    folder.firth("train autoencoder negative.npy -o run --loss multinomial").expect_code(3);
    folder.firth("train autoencoder zero.npy -o run --loss multinomial").expect_code(3);
    assert_eq!(folder.names(), ["nan.npy", "negative.npy", "zero.npy"]);
}

#[test]
fn what_has_no_effect_is_refused() {
    let folder = folder_of_matrices();
    folder.write_text("a.txt", 10);
    for (flags, parts) in [
        ("a.txt -o run --target y.npy", ["--target", "matrix"]),
        ("a.txt -o run --patience 2", ["--patience", "--heldout"]),
        ("a.txt -o run --checkpoint-every never --keep 2", ["--keep", "no checkpoint"]),
        ("a.txt -o run --loss mse --samples 5", ["--samples", "multinomial"]),
        ("x.npy -o run --min-count 2", ["--min-count", "x.npy is a matrix"]),
        ("x.npy -o run --min-documents 2", ["--min-documents", "x.npy is a matrix"]),
        ("x.npy -o run --init-words x.npy", ["--init-words", "x.npy is a matrix"]),
        ("x.npy y.npy -o run", ["x.npy", "the only input"]),
        ("a.txt x.npy -o run", ["x.npy", "the only input"]),
        ("a.txt -o run --window 5", ["unknown flag", "--window"]),
    ] {
        folder.firth(&format!("train autoencoder {flags}")).expect_error(2, &parts);
    }
    assert_eq!(folder.names(), ["a.txt", "x.npy", "y.npy"]);
}

#[test]
fn wrong_values_and_outputs_are_told() {
    let folder = folder();
    for (flags, parts) in [
        ("-o codes.npy", ["codes.npy", "firth embed RUN"]),
        ("-o run --code 0", ["--code", "1 to 65536"]),
        ("-o run --code many", ["--code", "many"]),
        ("-o run --noise mask", ["--noise", "mask:0.5"]),
        ("-o run --noise gauss:1", ["--noise", "dense"]),
        ("-o run --sparse topk:500", ["--sparse", "500"]),
        ("-o run --max-documents 0", ["--max-documents", "above 0 to 1"]),
        ("-o run --min-documents 0", ["--min-documents", "0"]),
        ("-o run --loss msee", ["msee", "mse"]),
    ] {
        folder.firth(&format!("train autoencoder a.txt {flags}")).expect_error(2, &parts);
    }
    assert_eq!(folder.names(), ["a.txt"]);
}

#[test]
fn documents_need_an_autoencoder() {
    let folder = folder();
    folder.write_vectors("v.txt");
    folder.firth("anomaly v.txt a.txt").expect_error(2, &["v.txt", "firth train autoencoder"]);
    folder.firth("embed v.txt").expect_error(2, &["INPUT", "--words"]);
    folder.firth("embed v.txt a.txt --words king").expect_error(2, &["--words"]);
    folder.firth("embed v.txt --words king --format csv").expect_error(2, &["--format", "no effect"]);
}

#[test]
fn a_dry_run_tells_what_is_needed_and_writes_nothing() {
    let folder = folder();
    let plan = folder.json(&format!("train autoencoder a.txt -o run {QUICK} --dry-run"));
    assert!(plan["memory_bytes"].is_number() && plan["disk_bytes"].is_number(), "{plan}");
    assert_eq!(folder.names(), ["a.txt"]);
}
