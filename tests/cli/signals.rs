//! Ctrl-C, full disks, closed pipes: nothing half-written stays behind.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::support::{Folder, Tested, kill};

/// Long enough on any machine to be interrupted: subsampling would leave next to nothing of so small a text.
const LONG: &str = "--epochs 10000 --sample 0 --threads 1";

/// Waits for what a command stages in a folder: on Linux, for the lock that is made last.
fn wait_for_staging(folder: &Folder, within: &str, child: &mut Child) -> Tested {
    let mark = if cfg!(target_os = "linux") { ".lock" } else { "" };
    let is_staged = |name: &String| name.starts_with(".firth-") && folder.join(within).join(name).join(mark).exists();
    while !folder.names_in(within).iter().any(is_staged) {
        assert!(child.try_wait()?.is_none(), "the command ended before it was interrupted");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

#[test]
fn an_interrupted_training_leaves_a_run_to_go_on_with() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 2000);
    let train = format!("train skipgram a.txt -o run {LONG}");
    for (command, signal) in [(&*train, "-INT"), ("resume run", "-TERM"), ("resume run", "-HUP")] {
        let ran = folder.interrupt(command, signal)?;
        ran.expect_code(130);
        let message = "interrupted: firth resume run goes on";
        assert!(ran.stderr.contains(message) && !ran.stderr.contains("panicked"), "{}", ran.stderr);
        assert_eq!(folder.names(), ["a.txt", "run"]);
    }
    Ok(())
}

#[test]
fn a_finished_run_is_replaced_by_a_finished_one_only() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 2000);
    folder.firth("train skipgram a.txt -o run --epochs 1 --dim 8").expect_code(0);
    let vectors = || std::fs::read(folder.join("run/words.safetensors"));
    let before = vectors()?;
    let ran = folder.interrupt(&format!("train skipgram a.txt -o run --force {LONG}"), "-INT")?;
    ran.expect_code(130);
    assert!(ran.stderr.contains("firth resume run.unfinished goes on"), "{}", ran.stderr);
    assert_eq!(
        (folder.names(), vectors()?),
        (vec!["a.txt".into(), "run".into(), "run.unfinished".into()], before.clone())
    );

    folder.firth("resume run").expect_error(2, &["run: is finished", "firth resume run.unfinished"]);

    let flags = "--force --epochs 3 --dim 8 --checkpoint-every epoch";
    let ran = folder.firth(&format!("train skipgram a.txt -o run {flags}"));
    assert!(ran.expect_code(0).stderr.contains("warning: run.unfinished: an earlier run"), "{}", ran.stderr);
    assert_eq!(folder.names(), ["a.txt", "run"], "the unfinished one was replaced on the way");
    assert!(vectors()? != before && !folder.names_in("run/checkpoints").is_empty());
    Ok(())
}

#[test]
fn an_interrupted_training_of_vectors_alone_leaves_nothing() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 2000);
    for flags in ["", "--heldout 10%"] {
        let ran = folder.interrupt(&format!("train cbow a.txt -o words.bin {LONG} {flags}"), "-INT")?;
        ran.expect_code(130);
        assert!(ran.stderr.contains("interrupted; nothing was written"), "{}", ran.stderr);
        assert_eq!(folder.names(), ["a.txt"]);
    }
    Ok(())
}

/// Interrupts a command that is given the same lines for ever.
fn interrupt_pipe(folder: &Folder, arguments: &str, wait: Duration) -> Tested<(Option<i32>, String)> {
    let mut command = folder.command(arguments);
    std::fs::create_dir_all(folder.join("temporary"))?;
    command.env("TMPDIR", folder.join("temporary")).stdin(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    // Ends with the pipe, when the command has ended.
    let feeder = std::thread::spawn(move || while stdin.write_all(b"one two three four five six\n").is_ok() {});
    wait_for_staging(folder, ".", &mut child)?;
    std::thread::sleep(wait);
    kill(&child, "-INT")?;
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said)?;
    let code = child.wait()?.code();
    feeder.join().expect("the feeder ends");
    Ok((code, said))
}

#[test]
fn an_interrupted_reading_of_standard_input_leaves_nothing() -> Tested {
    let folder = Folder::new();
    for arguments in ["train skipgram - -o run", "corpus build - -o corpus"] {
        let (code, said) = interrupt_pipe(&folder, arguments, Duration::from_millis(200))?;
        assert_eq!((code, said.contains("interrupted")), (Some(130), true), "{said}");
        assert_eq!(folder.names(), ["temporary"]);
        assert_eq!(std::fs::read_dir(folder.join("temporary"))?.count(), 0, "the copy of standard input is gone");
    }
    Ok(())
}

#[test]
fn an_interrupted_encoding_leaves_nothing() -> Tested {
    let folder = Folder::new();
    let line = "The quick brown fox jumps over the lazy dog and runs into the dark green forest\n";
    folder.write("a.txt", line.repeat(1_500_000));
    for arguments in ["corpus build a.txt -o new/corpus --threads 1", "train cbow a.txt -o new/run --threads 1"] {
        let mut child = folder.command(arguments).spawn()?;
        wait_for_staging(&folder, "new", &mut child)?;
        kill(&child, "-INT")?;
        let mut said = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut said)?;
        assert_eq!((child.wait()?.code(), said.contains("interrupted")), (Some(130), true), "{said}");
        assert_eq!(folder.names(), ["a.txt"]);
    }
    Ok(())
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() -> Tested {
    let folder = Folder::new();
    let rows: String = (0..5000).map(|row| format!("word{row} {row} 1\n")).collect();
    folder.write("v.txt", format!("5000 2\n{rows}"));
    let mut child = folder.command("embed v.txt --words").spawn()?;
    let mut line = String::new();
    BufReader::with_capacity(16, child.stdout.take().expect("a pipe")).read_line(&mut line)?;
    assert_eq!(line, "word0\t0\t1\n");
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said)?;
    assert_eq!((child.wait()?.code(), said.as_str()), (Some(0), ""));
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure_with_a_message() -> Tested {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
    if full().is_err() {
        println!("skipped: no /dev/full here");
        return Ok(());
    }
    for arguments in ["nearest v.txt king", "embed v.txt --words --json", "info v.txt", "--help"] {
        let output = folder.command(arguments).stdout(full()?).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
        assert!(said.contains("standard output") && said.contains("No space left"), "{arguments}: {said}");
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_error_changes_nothing() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 2000);
    folder.write_vectors("v.txt");
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
    if full().is_err() {
        println!("skipped: no /dev/full here");
        return Ok(());
    }
    for (arguments, code) in [
        ("train cbow a.txt -o run --epochs 300 --dim 20 --threads 1 -v", 0),
        ("convert v.txt v.bin", 0),
        ("nearest v.txt kimg", 2),
        ("nearst", 2),
        ("", 2),
        ("info none", 3),
    ] {
        let status = folder.command(arguments).stdout(Stdio::null()).stderr(full()?).status()?;
        assert_eq!(status.code(), Some(code), "{arguments}");
    }
    assert_eq!(folder.names(), ["a.txt", "run", "v.bin", "v.txt"]);
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_on_a_full_disk_stops_the_training() {
    if !std::path::Path::new("/dev/full").exists() {
        println!("skipped: no /dev/full here");
        return;
    }
    let folder = Folder::new();
    folder.write_text("a.txt", 200);
    let ran = folder.firth("train cbow a.txt -o run --log-json /dev/full");
    ran.expect_error(1, &["/dev/full", "No space left"]);
    assert_eq!(folder.names(), ["a.txt"]);
}
