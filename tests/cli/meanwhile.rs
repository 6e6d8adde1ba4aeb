//! What others put into the place of an output while it is made.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Folder, Ran, Tested};

const TRAIN: &str = "train cbow - --dim 4 --epochs 3 --threads 1";

/// Runs a command on standard input, which ends only when something was done after the command had begun its output.
fn run(folder: &Folder, arguments: &str, meanwhile: impl FnOnce()) -> Tested<Ran> {
    folder.write_text("a.txt", 100);
    let mut child = folder.command(arguments).stdin(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    while !folder.names().iter().any(|name| name.starts_with(".firth-")) {
        assert!(child.try_wait()?.is_none(), "the command ended before its input did");
        std::thread::yield_now();
    }
    meanwhile();
    stdin.write_all(folder.read("a.txt").as_bytes())?;
    drop(stdin);
    Ok(child.wait_with_output()?.into())
}

fn write_thesis(folder: &Folder, name: &str) {
    std::fs::create_dir(folder.join(name)).expect("a new folder");
    folder.write(&format!("{name}/thesis.tex"), "years");
}

/// Gives what was made the name that the message says how to give.
fn name_it(folder: &Folder, ran: &Ran) -> Tested {
    let made = ran.stderr.split("mv ").nth(1).and_then(|rest| rest.split(" NAME").next()).expect("a name");
    Ok(std::fs::rename(folder.join(made), folder.join("named"))?)
}

#[test]
fn what_appears_in_the_place_of_a_run_stays_and_so_does_the_run() -> Tested {
    for force in ["", "--force"] {
        let folder = Folder::new();
        let train = format!("{TRAIN} -o run --checkpoint-every epoch {force}");
        let ran = run(&folder, &train, || write_thesis(&folder, "run"))?;
        let reason = if force.is_empty() { "run: is there already" } else { "run: is a folder with other things" };
        ran.expect_error(2, &[reason, "what was made is whole", "mv run.unfinished NAME"]);
        assert_eq!(folder.read("run/thesis.tex"), "years");
        assert_eq!(folder.names(), ["a.txt", "run", "run.unfinished"]);
        name_it(&folder, &ran)?;
        folder.firth("info named --check").expect_code(0);
    }
    Ok(())
}

#[test]
fn what_is_made_in_one_go_is_not_lost_either() -> Tested {
    for (command, name) in [
        (format!("{TRAIN} -o run --checkpoint-every never"), "run"),
        (format!("{TRAIN} -o words.bin"), "words.bin"),
        ("corpus build - -o corpus".into(), "corpus"),
    ] {
        let folder = Folder::new();
        let ran = run(&folder, &command, || write_thesis(&folder, name))?;
        ran.expect_error(2, &[&format!("{name}: is there already"), "what was made is whole"]);
        assert_eq!(folder.read(&format!("{name}/thesis.tex")), "years");
        name_it(&folder, &ran)?;
        folder.firth("info named --check").expect_code(0);
        // Nothing but the thing itself was kept: the copy of the input is gone.
        let hidden = folder.names().into_iter().find(|name| name.starts_with(".firth-")).unwrap_or_default();
        assert_eq!(folder.names_in(&hidden), [""; 0], "{command}");
    }
    Ok(())
}

#[test]
fn what_appears_beside_an_output_stays_and_so_does_what_was_made() -> Tested {
    let folder = Folder::new();
    let ran = run(&folder, &format!("{TRAIN} -o words.npy"), || folder.write("words.vocab", "mine"))?;
    ran.expect_error(2, &["words.vocab: is there already", "what was made is whole"]);
    assert_eq!(folder.read("words.vocab"), "mine");
    name_it(&folder, &ran)?;
    folder.firth("nearest named/words.npy cat").expect_code(0);
    Ok(())
}
