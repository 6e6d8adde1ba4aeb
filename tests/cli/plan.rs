//! `--dry-run`, `--from`, `--grow-vocabulary`, `convert --center`.

use crate::support::{Folder, Tested};

/// Words enough that tables and replicas weigh more than the program itself.
fn write_wide_text(folder: &Folder) {
    let line =
        |line: u32| (0..12).map(|word| format!("w{} ", (line * 7 + word * word * 31) % 8000)).collect::<String>();
    folder.write("wide.txt", (0..60_000).map(|number| line(number) + "\n").collect::<String>());
}

#[cfg(target_os = "linux")]
#[test]
fn a_dry_run_predicts_the_peak_of_memory_and_writes_nothing() {
    let folder = Folder::new();
    write_wide_text(&folder);
    folder.firth("corpus build wide.txt -o corpus").expect_code(0);
    for (input, flags) in [
        ("wide.txt", "--dim 600"),
        ("corpus", "--dim 300 --strategy averaged --replicas 3"),
        ("corpus", "--dim 500 --heldout 10% --loss hs"),
    ] {
        let names = folder.names();
        let train = format!("train skipgram {input} -o run --epochs 2 --threads 2 {flags} --force");
        let plan = folder.json(&format!("{train} --dry-run"));
        assert_eq!(folder.names(), names, "nothing is written");
        assert!(plan["train_seconds"].as_f64() > Some(0.0) && plan["words_per_second"].as_f64() > Some(0.0), "{plan}");
        let report = folder.json(&train);
        let number = |value: &serde_json::Value| value.as_f64().expect("bytes");
        let ratio = number(&plan["memory_bytes"]) / number(&report["peak_rss_bytes"]);
        // Linux tells the peak roughly only, the more so the more processors there are.
        assert!((0.85..1.15).contains(&ratio), "{input} {flags}: {ratio}, {plan}, {report}");
        let written: u64 = ["words.safetensors", "context.safetensors", "nodes.safetensors", "dataset.safetensors"]
            .iter()
            .filter_map(|name| folder.join("run").join(name).metadata().ok())
            .map(|metadata| metadata.len())
            .sum();
        assert!(number(&plan["disk_bytes"]) > written as f64, "{plan}, {written} bytes written");
    }
}

#[test]
fn a_dry_run_leaves_an_earlier_log_alone() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.firth("corpus build a.txt -o corpus --log-json log").expect_code(0);
    let log = folder.read("log");
    for command in ["train cbow a.txt", "train cbow corpus", "train autoencoder a.txt"] {
        folder.firth(&format!("{command} -o run --dry-run --log-json log")).expect_code(0);
        assert_eq!(folder.read("log"), log, "{command}");
    }
    assert!(log.contains("\"done\""), "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_does_not_fit_in_memory_is_refused_before_training() -> Tested {
    let folder = Folder::new();
    write_wide_text(&folder);
    let firth = env!("CARGO_BIN_EXE_firth");
    // 8000 words of 4096 numbers in two tables are 262 MB; what goes with them is small.
    for flag in ["", "--dry-run"] {
        let command = format!("ulimit -v 300000; {firth} train skipgram wide.txt -o run --dim 4096 --threads 1 {flag}");
        let output = std::process::Command::new("sh").current_dir(folder.path()).args(["-c", &command]).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("264 MB of memory") && said.contains("--dim"), "{said}");
        assert_eq!(folder.names(), ["wide.txt"]);
    }
    Ok(())
}

#[test]
fn old_words_keep_their_rows_and_new_ones_join_them() {
    let folder = Folder::new();
    folder.write_text("old.txt", 400);
    folder.firth("train skipgram old.txt -o old --dim 12 --epochs 3 --threads 1 --no-lowercase").expect_code(0);
    let new = "The cat and the zebra and the okapi eat green grass near the zoo\n".repeat(40);
    folder.write("new.txt", new);

    let known = folder.json("train skipgram new.txt -o known --from old --epochs 1 --threads 1");
    assert_eq!((&known["drift"]["new_words"], &known["dim"]), (&0.into(), &12.into()));
    let grown = folder.json("train skipgram new.txt -o grown --from old --grow-vocabulary --epochs 1 --threads 1");
    let drift = &grown["drift"];
    assert_eq!(drift["new_words"], 3, "zebra, okapi, zoo: {grown}");
    assert!(drift["mean_cosine"].as_f64() > Some(0.8) && drift["mean_cosine"].as_f64() < Some(1.0), "{drift}");
    let row =
        |run: &str, word: &str| folder.firth(&format!("embed {run} --words {word}")).expect_code(0).stdout.clone();
    // "The" with a capital was a word of the old run, whose way of cutting text is used again; ships were not met.
    assert_eq!(row("old", "harbour"), row("grown", "harbour"), "a word that does not occur stays where it was");
    assert_ne!(row("old", "The"), row("grown", "The"));
    row("grown", "okapi");
    folder.firth("embed known --words okapi").expect_error(2, &["okapi"]);
}

#[test]
fn what_does_not_fit_an_earlier_run_is_refused() {
    let folder = Folder::new();
    folder.write_text("a.txt", 200);
    folder.write("b.txt", "one two three four five six\n".repeat(20));
    folder.write_vectors("v.txt");
    folder.firth("train cbow a.txt -o run --dim 8 --epochs 1").expect_code(0);
    folder.firth("corpus build b.txt -o other").expect_code(0);
    folder.firth("corpus build b.txt -o fitting --vocabulary run").expect_code(3);
    folder.firth("train cbow a.txt -o new --from run --dim 9").expect_error(2, &["--dim", "9", "8"]);
    folder.firth("train cbow other -o new --from run").expect_error(2, &["other", "--vocabulary run"]);
    folder.firth("train cbow a.txt -o new --from none").expect_error(3, &["none"]);
    folder.firth("train cbow a.txt -o new --from v.txt").expect_error(3, &["v.txt", "how often"]);
    folder.firth("train cbow a.txt -o new --grow-vocabulary").expect_error(2, &["--from"]);
    for flag in ["--min-count", "--max-vocabulary"] {
        let train = format!("train cbow a.txt -o new --from run {flag} 3");
        folder.firth(&train).expect_error(2, &[flag, "no effect", "--grow-vocabulary"]);
    }
    folder.firth("train cbow a.txt -o new --from run --vocabulary run").expect_error(2, &["--vocabulary"]);
    assert!(!folder.join("new").exists());
}

#[test]
fn centered_vectors_have_mean_zero() {
    let folder = Folder::new();
    folder.write("v.txt", "3 2\na 1 4\nb 3 4\nc 5 1\n");
    folder.firth("convert v.txt w.txt --center").expect_code(0);
    assert_eq!(folder.read("w.txt"), "3 2\na -2.0 1.0\nb 0.0 1.0\nc 2.0 -2.0\n");
}

#[test]
fn a_changed_number_shows_in_the_fingerprint() {
    let folder = Folder::new();
    folder.write_text("a.txt", 200);
    let report = folder.json("train cbow a.txt -o run --dim 8 --epochs 1 --threads 1");
    let info = folder.json("info run --check");
    assert_eq!(info["fingerprint"], report["fingerprint"]);
    assert!(info["metadata"]["firth.version"].is_string() && info["metadata"]["firth.kernel"].is_string(), "{info}");
    let path = folder.join("run/words.safetensors");
    let mut bytes = std::fs::read(&path).expect("the vectors");
    // The last bit of a vector's first number, behind the header, the ends of 24 words and their counts.
    let header = u64::from_le_bytes(*bytes.first_chunk().expect("a header's length"));
    let at = 8 + header as usize + 24 * 16 + 4 * 8;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("writable");
    folder.firth("info run").expect_code(0);
    folder.firth("info run --check").expect_error(3, &["words.safetensors", "fingerprint"]);
}
