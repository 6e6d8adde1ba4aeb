//! Ctrl-C, full disks, closed pipes: nothing half-written stays behind.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Folder, Tested};

fn firth(folder: &Folder, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firth"));
    command.current_dir(folder.path()).args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

/// Sends a signal as soon as a line of progress has appeared, and waits for the end.
fn interrupt(folder: &Folder, arguments: &str, signal: &str) -> Tested<(Option<i32>, String)> {
    let mut child = firth(folder, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut said = String::new();
    stderr.read_line(&mut said)?;
    assert!(said.contains("words/s"), "the first line is progress: {said}");
    assert!(folder.names().iter().any(|name| name.starts_with(".firth-")), "work is in a hidden folder");
    Command::new("kill").args([signal, &child.id().to_string()]).status()?;
    stderr.read_to_string(&mut said)?;
    Ok((child.wait()?.code(), said))
}

#[test]
fn an_interrupted_training_exits_with_130_and_leaves_nothing() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 2000);
    for signal in ["-INT", "-TERM"] {
        let (code, said) = interrupt(&folder, "train skipgram a.txt -o run --epochs 10000 --dim 50", signal)?;
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("interrupted") && !said.contains("panicked"), "{said}");
        assert_eq!(folder.names(), ["a.txt"]);
    }
    let (code, _) = interrupt(&folder, "train cbow a.txt -o words.bin --epochs 10000", "-INT")?;
    assert_eq!((code, folder.names()), (Some(130), vec!["a.txt".to_owned()]));
    Ok(())
}

/// Interrupts a command that is given the same lines for ever.
fn interrupt_pipe(folder: &Folder, arguments: &str, wait: Duration) -> Tested<(Option<i32>, String)> {
    let mut command = firth(folder, arguments);
    std::fs::create_dir_all(folder.join("temporary"))?;
    command.env("TMPDIR", folder.join("temporary")).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    // Ends with the pipe, when the command has ended.
    let feeder = std::thread::spawn(move || while stdin.write_all(b"one two three four five six\n").is_ok() {});
    while !folder.names().iter().any(|name| name.starts_with(".firth-")) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(wait);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
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
        let mut child = firth(&folder, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        while !folder.join("new").exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(100));
        Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
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
    let mut child = firth(&folder, "embed v.txt --words").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
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
    for arguments in ["nearest v.txt king", "embed v.txt --words --json", "info v.txt", "--help"] {
        let output = firth(&folder, arguments).stdout(full()?).stderr(Stdio::piped()).output()?;
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
    for (arguments, code) in [
        ("train cbow a.txt -o run --epochs 300 --dim 20 --threads 1 -v", 0),
        ("convert v.txt v.bin", 0),
        ("nearest v.txt kimg", 2),
        ("nearst", 2),
        ("", 2),
        ("info none", 3),
    ] {
        let status = firth(&folder, arguments).stdout(Stdio::null()).stderr(full()?).status()?;
        assert_eq!(status.code(), Some(code), "{arguments}");
    }
    assert_eq!(folder.names(), ["a.txt", "run", "v.bin", "v.txt"]);
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_on_a_full_disk_stops_the_training() {
    let folder = Folder::new();
    folder.write_text("a.txt", 200);
    let ran = folder.firth("train cbow a.txt -o run --log-json /dev/full");
    ran.expect_error(1, &["/dev/full", "No space left"]);
    assert_eq!(folder.names(), ["a.txt"]);
}
