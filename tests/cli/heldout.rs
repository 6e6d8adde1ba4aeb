//! `--heldout` and `--patience`: what is reported and kept; and what every line of a log holds.

use serde_json::Value;

use crate::support::{Folder, Tested};

/// Text that can only be learnt by heart, which what is held out does not reward.
fn folder() -> Folder {
    let folder = Folder::new();
    let word = |line: usize, at: usize| format!("w{} ", (line * line * 7 + at * (line * 13 + 5)) % 61);
    let text: String = (0..200).map(|line| (0..8).map(|at| word(line, at)).collect::<String>() + "\n").collect();
    folder.write("a.txt", text);
    folder
}

const TRAIN: &str = "train skipgram a.txt --strategy serial --lr 0.1 --min-lr 1 --epochs 12 --sample 0 --dim 50";

fn losses(report: &Value) -> Vec<f64> {
    report["heldout_losses"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

/// The epoch, from 1, with the lowest of these losses.
fn best(losses: &[f64]) -> Option<u64> {
    (1..).zip(losses).min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(epoch, _)| epoch)
}

#[test]
fn the_best_epoch_is_reported_and_kept() {
    let folder = folder();
    let report = folder.json(&format!("{TRAIN} -o run --heldout 10%"));
    let (losses, epoch) = (losses(&report), report["epoch"].as_u64());
    assert_eq!((losses.len(), epoch, &report["epochs"]), (12, best(&losses), &12.into()), "{report}");
    assert!(epoch < Some(12), "the text cannot be learnt for ever: {report}");
    // With a rate that does not fall, a run that ends there is the same so far.
    let short = folder.json(&format!("{TRAIN} -o short --heldout 10% --epochs {}", epoch.unwrap_or_default()));
    assert_eq!(short["fingerprint"], report["fingerprint"]);
    assert!(folder.firth("embed run --words").stdout == folder.firth("embed short --words").stdout);
}

#[test]
fn patience_stops_at_the_epoch_that_it_allows() {
    let folder = folder();
    let whole = folder.json(&format!("{TRAIN} -o whole --heldout 10%"));
    for patience in [1, 3] {
        let report = folder.json(&format!("{TRAIN} -o run{patience} --heldout 10% --patience {patience}"));
        let (epoch, epochs) = (report["epoch"].as_u64(), report["epochs"].as_u64());
        assert_eq!(epoch.map(|epoch| epoch + patience), epochs, "{report}");
        assert_eq!((&report["planned_epochs"], &whole["planned_epochs"]), (&12.into(), &whole["epochs"]));
        let (stopped, whole) = (losses(&report), losses(&whole));
        assert_eq!((best(&stopped), &stopped[..]), (epoch, &whole[..stopped.len()]));
    }
}

#[test]
fn a_stop_by_patience_and_a_rising_loss_are_told() {
    let folder = folder();
    let ran = folder.firth(&format!("{TRAIN} -o run --heldout 10% --patience 1"));
    assert!(ran.expect_code(0).stdout.contains("of 12 (--patience)"), "{}", ran.stdout);
    assert!(!folder.firth(&format!("{TRAIN} -o run --force")).expect_code(0).stdout.contains("--patience"));
    // Articles of a few words each: a high rate learns each by heart, and forgets it with the next.
    let word = |article: usize, at: usize| format!("w{} ", (article * 37 + at * at * 11 % 8 * 53) % 300);
    let line = |line: usize| (0..10).map(|at| word(line / 12, at + line)).collect::<String>() + "\n";
    folder.write("a.txt", (0..720).map(line).collect::<String>());
    let train =
        "train skipgram a.txt --strategy serial --lr 0.2 --epochs 6 --sample 0 --dim 20 --min-count 1 -o run --force";
    for (flags, look) in [("", "look at --heldout 1%"), ("--heldout 10%", "look at the held-out loss")] {
        let ran = folder.firth(&format!("{train} {flags}"));
        assert!(ran.expect_code(0).stderr.contains(look), "{}{}", ran.stdout, ran.stderr);
    }
    // One epoch cannot rise.
    assert!(!folder.firth(&format!("{train} --epochs 1")).stderr.contains("rose"));
}

#[test]
fn every_line_of_a_log_has_the_promised_fields() -> Tested {
    let folder = folder();
    folder.firth(&format!("{TRAIN} -o run --heldout 10% --log-json log")).expect_code(0);
    let lines = folder.read("log").lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    for line in &lines {
        assert!(line["event"].is_string() && line["time"].as_f64() > Some(1.7e9), "{line}");
        assert!(line["memory_bytes"].as_u64() > Some(1 << 16) || cfg!(not(target_os = "linux")), "{line}");
    }
    let progress: Vec<_> = lines.iter().filter(|line| line["event"] == "progress").collect();
    for line in &progress {
        for field in ["epoch", "tokens", "words_per_second", "lr", "loss"] {
            assert!(line[field].is_number(), "{field}: {line}");
        }
        assert!(line.get("heldout").is_some(), "{line}");
    }
    let done = lines.last().ok_or("a line")?;
    assert_eq!((&done["event"], losses(done).len()), (&"done".into(), 12));
    assert_eq!(
        progress.last().map(|line| &line["heldout"]),
        done["heldout_losses"].as_array().and_then(|all| all.last())
    );
    assert!(folder.read("run/log.jsonl") == folder.read("log"));
    Ok(())
}

#[test]
fn flags_without_effect_are_refused() {
    let folder = folder();
    for (flags, flag) in [
        ("run --patience 2", "--patience"),
        ("run --patience 2 --heldout 0", "--patience"),
        ("run --replicas 3", "--replicas"),
        ("run --replicas 3 --strategy hogwild", "--replicas"),
        ("run --sync-tokens 1000", "--sync-tokens"),
        ("words.bin --checkpoint-every epoch", "--checkpoint-every"),
        ("words.bin --keep 2", "--keep"),
        ("run --keep 2 --checkpoint-every never", "--keep"),
    ] {
        folder.firth(&format!("train cbow a.txt -o {flags}")).expect_error(2, &[flag, "no effect"]);
    }
    for (flags, part) in [
        ("--heldout 60%", "--heldout: 0.6 is out of range"),
        ("--heldout 1e-9", "--heldout"),
        ("--checkpoint-every soon", "expected epoch, 3 (epochs)"),
        ("--checkpoint-every 0.0000000001s", "expected epoch, 3 (epochs)"),
        ("--keep 0", "--keep: 0 is out of range"),
    ] {
        folder.firth(&format!("train cbow a.txt -o run {flags}")).expect_error(2, &[part]);
    }
    assert_eq!(folder.names(), ["a.txt"]);
}

#[test]
fn held_out_words_without_neighbours_measure_nothing() {
    let folder = Folder::new();
    // Few lines have neighbours, and none of the few that are held out.
    let line = |line: usize| if line.is_multiple_of(400) { "one two three four\n" } else { "alone\n" };
    folder.write("a.txt", (0..4000).map(line).collect::<String>());
    let ran = folder.firth("train skipgram a.txt -o run --heldout 0.001 --sample 0");
    ran.expect_error(2, &["--heldout", "no word has a neighbour"]);
    assert_eq!(folder.names(), ["a.txt"]);
}
