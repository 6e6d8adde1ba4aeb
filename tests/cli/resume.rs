//! `resume`: a run that was killed, stopped or damaged goes on as if nothing had happened, or it is said why not.

use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::Duration;

use firth::math::Rng;

use crate::support::{Folder, Ran, Tested};

/// A training that always gives the same bytes.
const SERIAL: &str = "train skipgram a.txt --strategy serial --sample 0";

/// Both tables of a run.
fn tables(folder: &Folder, run: &str) -> [Vec<u8>; 2] {
    ["words", "context"].map(|name| {
        let path = folder.join(run).join(name).with_extension("safetensors");
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    })
}

fn checkpoints(folder: &Folder) -> Vec<String> {
    folder.names_in("run/checkpoints")
}

/// A run with the checkpoints of its last two epochs that was killed shortly before its end, and what it would have been.
fn stopped(flags: &str) -> Tested<(Folder, [Vec<u8>; 2])> {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    folder.firth(&format!("{SERIAL} -o run --dim 12 --epochs 3 --checkpoint-every epoch {flags}")).expect_code(0);
    let whole = tables(&folder, "run");
    unfinish(&folder)?;
    Ok((folder, whole))
}

fn unfinish(folder: &Folder) -> Tested {
    Ok(["words", "context"]
        .iter()
        .try_for_each(|name| std::fs::remove_file(folder.join("run").join(name).with_extension("safetensors")))?)
}

/// Kills a run at twenty random moments, goes on each time, and compares what comes of it with an undisturbed run.
fn kill_and_resume(strategy: &str) -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 4000);
    let train = |run| {
        let flags = "--sample 0 --dim 50 --epochs 450 --checkpoint-every 0.05s";
        format!("train skipgram a.txt -o {run} --strategy {strategy} {flags}")
    };
    folder.firth(&train("whole")).expect_code(0);
    let next = || if folder.join("run").exists() { "resume run".to_owned() } else { train("run") };
    let is_finished = || folder.join("run/words.safetensors").exists();
    let (mut moments, mut kills) = (Rng::stream(1957, &[]), 0);
    while kills < 20 && !is_finished() {
        let before = checkpoints(&folder);
        let mut child = folder.command(&next()).spawn()?;
        // Some die early, the others between one checkpoint and the next, by their number on any machine.
        while kills % 3 > 0 && checkpoints(&folder) == before && child.try_wait()?.is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(60).mul_f32(moments.uniform()));
        child.kill()?;
        child.wait()?;
        kills += 1;
        println!("{strategy}, kill {kills}: {:?}", checkpoints(&folder));
    }
    // Each comes a checkpoint or two further; how many there are depends on the machine.
    assert!(kills > 2, "the run ended after {kills} kills");
    if !is_finished() {
        folder.firth(&next()).expect_code(0);
    }
    assert!(tables(&folder, "run") == tables(&folder, "whole"), "{strategy}");
    let log = folder.read("run/log.jsonl");
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
    Ok(())
}

#[test]
fn a_serial_run_killed_twenty_times_gives_the_same_bytes() -> Tested {
    kill_and_resume("serial")
}

#[test]
fn an_averaged_run_killed_twenty_times_gives_the_same_bytes() -> Tested {
    kill_and_resume("averaged")
}

#[cfg(unix)]
#[test]
fn a_serial_run_interrupted_twice_gives_the_same_bytes() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 4000);
    let train = |run| format!("{SERIAL} -o {run} --dim 50 --epochs 300 --checkpoint-every 30");
    folder.firth(&train("whole")).expect_code(0);
    folder.interrupt_saved(&train("run"), "-INT")?.expect_code(130);
    folder.interrupt_saved("resume run", "-TERM")?.expect_code(130);
    folder.firth("resume run").expect_code(0);
    assert!(tables(&folder, "run") == tables(&folder, "whole"));
    Ok(())
}

#[test]
fn a_run_can_be_resumed_from_the_moment_it_has_its_name() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    for flags in ["--checkpoint-every epoch", "--checkpoint-every epoch --heldout 10%"] {
        let mut child = folder.command(&format!("{SERIAL} -o run --epochs 10000 {flags}")).spawn()?;
        folder.wait_for("run", &mut child)?;
        child.kill()?;
        child.wait()?;
        let mut child = folder.command("resume run").spawn()?;
        std::thread::sleep(Duration::from_millis(200));
        assert!(child.try_wait()?.is_none(), "it trains, with {flags}");
        child.kill()?;
        child.wait()?;
        std::fs::remove_dir_all(folder.join("run"))?;
    }
    Ok(())
}

#[test]
fn a_run_killed_as_it_ends_has_both_tables_or_can_be_resumed() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    let mut child = folder.command(&format!("{SERIAL} -o run --epochs 20 --checkpoint-every 10")).spawn()?;
    folder.wait_for("run/words.safetensors", &mut child)?;
    child.kill()?;
    child.wait()?;
    tables(&folder, "run");
    Ok(())
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_used() -> Tested {
    let (folder, whole) = stopped("--keep 2")?;
    let newest = folder.join("run/checkpoints").join(&checkpoints(&folder)[1]);
    for (name, is_cut) in
        [("words.safetensors", false), ("context.safetensors", true), ("state.json", true), ("state.json", false)]
    {
        let file = newest.join(name);
        let mut bytes = std::fs::read(&file)?;
        if is_cut {
            bytes.truncate(bytes.len() / 2);
        } else if name == "state.json" {
            bytes = String::from_utf8(bytes)?.replace("\"turn\": ", "\"turn\": 1").into();
        } else {
            // The vectors lie before the keys, which are shorter than this.
            let at = bytes.len() - 300;
            bytes[at] ^= 1;
        }
        std::fs::write(&file, bytes)?;
        let ran = folder.firth("resume run");
        ran.expect_code(0);
        let warning = ran.stderr.lines().find(|line| line.starts_with("firth: warning: ")).unwrap_or_default();
        let place = format!("{}/{name}", checkpoints(&folder)[1]);
        assert!(warning.contains(&place) && warning.ends_with("the checkpoint before it is used"), "{}", ran.stderr);
        assert!(ran.stderr.contains("on from epoch 3 of 3"), "{}", ran.stderr);
        assert!(tables(&folder, "run") == whole, "{name}");
        unfinish(&folder)?;
    }
    Ok(())
}

#[test]
fn without_a_good_checkpoint_nothing_is_deleted() -> Tested {
    let (folder, _) = stopped("--keep 2")?;
    let found = checkpoints(&folder);
    for name in &found {
        folder.write(&format!("run/checkpoints/{name}/state.json"), "{");
    }
    let before = folder.names_in("run");
    let ran = folder.firth("resume run");
    ran.expect_error(
        3,
        &[&found[1], "state.json", "damaged", "no checkpoint in run/checkpoints can be read", "train anew"],
    );
    assert!(!ran.stderr.contains("best epoch"), "{}", ran.stderr);
    assert_eq!((checkpoints(&folder), folder.names_in("run")), (found, before));
    std::fs::create_dir(folder.join("run/checkpoints/best-epoch-0001"))?;
    folder.firth("resume run").expect_error(3, &["best-epoch-0001 beside it holds the best epoch so far"]);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_full_disk_costs_a_run_no_vectors() -> Tested {
    let (folder, whole) = stopped("--dim 1000")?;
    // Files of more than 64 KiB find no room; a table has 100.
    let limited = |arguments: &str| {
        let command = format!("trap '' XFSZ; ulimit -f 64; {} {arguments}", env!("CARGO_BIN_EXE_firth"));
        Command::new("sh").current_dir(folder.path()).args(["-c", &command]).output().map(Ran::from)
    };
    limited("resume run")?.expect_error(1, &["run/context.safetensors", "too large"]);
    limited(&format!("{SERIAL} -o new --dim 1000 --checkpoint-every epoch"))?.expect_error(1, &["too large"]);
    assert_eq!(folder.names(), ["a.txt", "run"]);
    folder.firth("resume run").expect_code(0);
    assert!(tables(&folder, "run") == whole);
    Ok(())
}

#[test]
fn an_unfinished_run_says_what_it_is_and_can_be_replaced() -> Tested {
    let (folder, _) = stopped("")?;
    let info = folder.json("info run --check");
    assert_eq!((&info["kind"], &info["metadata"]["epochs done"]), (&"unfinished run".into(), &"3 of 3".into()));
    folder.firth("nearest run cat").expect_error(2, &["run: is unfinished", "firth resume run"]);
    folder.firth(&format!("{SERIAL} -o run")).expect_error(2, &["run", "--force"]);
    folder.firth(&format!("{SERIAL} -o run --force")).expect_code(0);
    folder.firth("nearest run cat").expect_code(0);
    Ok(())
}

#[test]
fn what_cannot_be_resumed_is_refused_with_a_reason() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    std::fs::create_dir(folder.join("empty"))?;
    folder.firth(&format!("{SERIAL} -o done --dim 12 --epochs 1")).expect_code(0);
    folder.firth("resume done").expect_error(2, &["done: is finished"]);
    folder.firth("resume empty").expect_error(3, &["empty", "no checkpoint to resume from"]);
    folder.firth("resume none").expect_error(3, &["none: does not exist"]);
    folder.firth("resume a.txt").expect_error(2, &["a.txt: is no folder"]);
    assert_eq!(
        (folder.names(), folder.names_in("empty").len()),
        (["a.txt", "done", "empty"].map(String::from).into(), 0)
    );
    Ok(())
}

#[test]
fn a_checkpoint_names_its_run() -> Tested {
    let (folder, _) = stopped("")?;
    for part in ["run/checkpoints".into(), format!("run/checkpoints/{}", checkpoints(&folder)[0])] {
        folder.firth(&format!("resume {part}")).expect_error(2, &[&part, "is part of a run", "/run"]);
    }
    Ok(())
}

#[test]
fn what_a_run_keeps_is_neither_listed_nor_taken() -> Tested {
    let (folder, _) = stopped("")?;
    let help = folder.firth("resume --help");
    assert!(help.expect_code(0).stdout.contains("--threads"));
    folder.write("threads.toml", "threads = 1\n");
    for flag in ["--seed", "--config"] {
        assert!(!help.stdout.contains(flag), "{}", help.stdout);
        let value = if flag == "--seed" { "3" } else { "threads.toml" };
        folder.firth(&format!("resume run {flag} {value}")).expect_error(2, &[flag, "no effect"]);
    }
    Ok(())
}

#[test]
fn another_layout_and_an_unreadable_file_have_remedies_of_their_own() -> Tested {
    let (folder, _) = stopped("--keep 1")?;
    let state = format!("run/checkpoints/{}/state.json", checkpoints(&folder)[0]);
    folder.write(&state, folder.read(&state).replace("\"schema\": 2", "\"schema\": 1"));
    let ran = folder.firth("resume run");
    ran.expect_error(3, &["layout 1", "resume it with the version that wrote it"]);
    assert!(!ran.stderr.contains("train anew"), "{}", ran.stderr);
    // It cannot be read by anybody, root neither.
    std::fs::remove_file(folder.join(&state))?;
    std::fs::create_dir(folder.join(&state))?;
    let ran = folder.firth("resume run");
    ran.expect_error(3, &["state.json"]);
    assert!(!ran.stderr.contains("train anew"), "{}", ran.stderr);
    std::fs::remove_dir(folder.join(&state))?;
    folder.firth("resume run").expect_error(3, &["state.json", "put a copy of one back, or train anew"]);
    Ok(())
}

#[test]
fn a_table_of_a_newer_layout_is_no_damage() -> Tested {
    let (folder, _) = stopped("--keep 1")?;
    let checkpoint = format!("run/checkpoints/{}", checkpoints(&folder)[0]);
    for name in folder.names_in(&checkpoint).iter().filter(|name| name.ends_with(".safetensors")) {
        let path = folder.join(&format!("{checkpoint}/{name}"));
        let (mut bytes, [old, new]) = (std::fs::read(&path)?, [1, 9].map(|at| format!("\"firth.schema\":\"{at}\"")));
        let at = bytes.windows(old.len()).position(|found| found == old.as_bytes()).expect("the layout");
        bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
        std::fs::write(path, bytes)?;
    }
    let ran = folder.firth("resume run");
    ran.expect_error(3, &[&checkpoint, "layout 9", "the version that wrote it"]);
    assert!(!ran.stderr.contains("train anew"), "{}", ran.stderr);
    Ok(())
}

#[test]
fn the_own_log_of_a_run_may_be_named_and_goes_on() -> Tested {
    let (folder, _) = stopped("")?;
    let before = folder.read("run/log.jsonl");
    for log in ["run", "run/other.jsonl"] {
        folder.firth(&format!("resume run --log-json {log}")).expect_error(2, &[log, "where the output goes"]);
    }
    folder.firth("resume run --log-json ./run/log.jsonl").expect_code(0);
    let after = folder.read("run/log.jsonl");
    let added = after.strip_prefix(&before).expect("what was there stays");
    let done = |line: &&str| line.contains("\"event\":\"done\"");
    assert_eq!(added.lines().filter(done).count(), 1, "each line once: {added}");
    assert!(!folder.join("run/other.jsonl").exists());
    Ok(())
}

#[test]
fn a_run_whose_corpus_is_not_the_same_is_not_resumed() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    folder.firth("corpus build a.txt -o corpus").expect_code(0);
    folder.firth("train cbow corpus -o run --dim 12 --checkpoint-every epoch").expect_code(0);
    unfinish(&folder)?;
    folder.write_text("a.txt", 401);
    folder.firth("corpus build a.txt -o corpus --force").expect_code(0);
    folder.firth("resume run").expect_error(3, &["run/checkpoints/epoch-", "checksum of the corpus"]);
    std::fs::remove_dir_all(folder.join("corpus"))?;
    folder.firth("resume run").expect_error(3, &["corpus"]);
    folder.write_text("a.txt", 400);
    folder.firth("corpus build a.txt -o corpus").expect_code(0);
    folder.firth("resume run").expect_code(0);
    Ok(())
}

#[test]
fn a_damaged_corpus_within_the_run_is_named() -> Tested {
    let (folder, _) = stopped("")?;
    let path = folder.join("run/dataset.safetensors");
    let mut bytes = std::fs::read(&path)?;
    let header = u64::from_le_bytes(bytes[..8].try_into()?) as usize;
    bytes[8 + header] ^= 1;
    std::fs::write(&path, bytes)?;
    folder.firth("resume run").expect_error(3, &["run/dataset.safetensors", "checksum", "damaged"]);
    Ok(())
}

#[test]
fn only_one_process_trains_a_run() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    let train = format!("{SERIAL} -o run --epochs 10000 --dim 300 --checkpoint-every 0.001s");
    for first in [&train, "resume run"] {
        let mut child = folder.command(first).spawn()?;
        folder.wait_for("run", &mut child)?;
        if first != train {
            let mut said = String::new();
            BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut said)?;
            assert!(said.contains("on from epoch"), "{said}");
        }
        // Its checkpoints come and go meanwhile.
        let others = [
            "train cbow a.txt -o run --force",
            "train cbow a.txt -o run --to spacy --force",
            "corpus build a.txt -o run --force",
            "corpus generate world -o run --force",
            "demo -o run --force",
        ];
        for command in [&["resume run"; 10][..], &others].concat() {
            folder.firth(command).expect_error(2, &["run: is being trained by another process"]);
        }
        child.kill()?;
        child.wait()?;
    }
    Ok(())
}
