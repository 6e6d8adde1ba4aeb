//! Ctrl-C, full disks, closed pipes: nothing half-written stays behind.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

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
