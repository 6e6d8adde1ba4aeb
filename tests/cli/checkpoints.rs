//! Checkpoints: when they are written, which stay, and what stays when a run cannot go on.

use std::io::Write;
use std::process::Child;

use crate::forge::forge;
use crate::support::{Folder, Ran, Tested};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    folder
}

fn checkpoints(folder: &Folder) -> Vec<String> {
    folder.names_in("run/checkpoints")
}

#[test]
fn the_newest_checkpoints_are_kept() {
    let folder = folder();
    folder.firth("train cbow a.txt -o run --dim 12 --epochs 4 --checkpoint-every epoch --keep 2").expect_code(0);
    let found = checkpoints(&folder);
    let epochs: Vec<_> = found.iter().map(|name| &name[..10]).collect();
    assert_eq!(epochs, ["epoch-0003", "epoch-0004"], "{found:?}");
    for name in found {
        let files = folder.names_in(&format!("run/checkpoints/{name}"));
        assert_eq!(files, ["context.safetensors", "state.json", "words.safetensors"]);
    }
}

#[test]
fn an_interval_of_epochs_is_kept_to() {
    let folder = folder();
    folder.firth("train cbow a.txt -o run --dim 12 --epochs 7 --checkpoint-every 3 --keep 9").expect_code(0);
    let found = checkpoints(&folder);
    let epochs: Vec<_> = found.iter().map(|name| &name[..10]).collect();
    assert_eq!(epochs, ["epoch-0003", "epoch-0006"], "{found:?}");
}

#[test]
fn a_run_without_checkpoints_has_none() {
    let folder = folder();
    for flags in ["--checkpoint-every never", "--checkpoint-every 10m"] {
        folder.firth(&format!("train cbow a.txt -o run --dim 12 --force {flags}")).expect_code(0);
        assert!(!folder.join("run/checkpoints").exists(), "{flags}");
    }
}

#[cfg(unix)]
#[test]
fn without_checkpoints_an_interruption_leaves_nothing() -> Tested {
    let folder = folder();
    for flags in ["", "--heldout 10%"] {
        let train = format!(
            "train cbow a.txt -o run --epochs 10000 --sample 0 --dim 300 --threads 1 --checkpoint-every never {flags}"
        );
        let ran = folder.interrupt(&train, "-INT")?;
        ran.expect_code(130);
        assert!(ran.stderr.contains("interrupted; nothing was written"), "{}", ran.stderr);
        assert_eq!(folder.names(), ["a.txt"], "{flags}");
    }
    Ok(())
}

/// A run on an encoded corpus beside it, which has a checkpoint and is far from its end.
fn running(folder: &Folder) -> Tested<Child> {
    folder.firth("corpus build a.txt -o corpus").expect_code(0);
    let train = "train skipgram corpus -o run --epochs 10000 --sample 0 --checkpoint-every 0.05s";
    let mut child = folder.command(train).spawn()?;
    folder.wait_for("run", &mut child)?;
    Ok(child)
}

/// Expects the end of a run whose corpus has gone wrong.
fn expect_stopped(folder: &Folder, child: Child, what: &str) -> Tested {
    let ran = Ran::from(child.wait_with_output()?);
    ran.expect_error(3, &["corpus/dataset.safetensors", what]);
    assert!(ran.stderr.contains("what was saved is kept"), "{}", ran.stderr);
    assert!(!folder.join("run/words.safetensors").exists());
    assert_eq!(checkpoints(folder).len(), 1);
    Ok(())
}

#[test]
fn a_corpus_changed_under_a_run_stops_it() -> Tested {
    let folder = folder();
    let child = running(&folder)?;
    std::fs::File::options().append(true).open(folder.join("corpus/dataset.safetensors"))?.write_all(b"more")?;
    expect_stopped(&folder, child, "was changed")
}

#[cfg(unix)]
#[test]
fn a_corpus_removed_under_a_run_stops_it() -> Tested {
    let folder = folder();
    let child = running(&folder)?;
    std::fs::remove_dir_all(folder.join("corpus"))?;
    expect_stopped(&folder, child, "was removed")
}

#[test]
fn a_rate_far_too_high_is_named_and_leaves_nothing() {
    let folder = folder();
    for rate in ["100", "1e4"] {
        for flags in ["skipgram a.txt --strategy serial", "cbow a.txt --strategy averaged", "cbow a.txt --heldout 10%"]
        {
            for output in ["run --checkpoint-every epoch", "words.bin"] {
                let ran = folder.firth(&format!("train {flags} --lr {rate} --epochs 1000 -o {output}"));
                ran.expect_error(4, &["diverged in epoch 1", "the loss", "lower --lr"]);
                assert_eq!(folder.names(), ["a.txt"], "{flags}");
            }
        }
    }
}

#[test]
fn a_run_that_diverges_later_keeps_its_last_good_checkpoint() -> Tested {
    let folder = folder();
    let train = "train skipgram a.txt -o run --dim 12 --epochs 3 --checkpoint-every 2 --sample 0 --lr 0.03125";
    folder.firth(train).expect_code(0);
    std::fs::remove_file(folder.join("run/words.safetensors"))?;
    let before = checkpoints(&folder);
    let file = format!("run/checkpoints/{}/state.json", before[0]);
    forge(&folder.join(&file), |state| state["config"]["lr"] = 10000.0.into());
    let ran = folder.firth("resume run");
    ran.expect_error(4, &["diverged in epoch 3", "lower --lr"]);
    assert!(ran.stderr.contains("what was saved is kept: run/checkpoints, for firth resume run"), "{}", ran.stderr);
    assert_eq!(checkpoints(&folder), before);
    assert!(!folder.join("run/words.safetensors").exists());
    Ok(())
}

#[test]
fn the_loss_of_knowing_nothing_is_not_that_of_a_first_step() -> Tested {
    let folder = folder();
    let train = "train autoencoder a.txt -o run --max-documents 100% --code 8 --batch 8 --epochs 10 --threads 1";
    folder.firth(&format!("{train} --checkpoint-every 6 --keep 1")).expect_code(0);
    std::fs::remove_file(folder.join("run/words.safetensors"))?;
    let file = format!("run/checkpoints/{}/state.json", checkpoints(&folder)[0]);
    let chance = |first: f64| {
        forge(&folder.join(&file), |state| {
            (state["config"]["lr"], state["state"]["first"]) = (1e4.into(), first.into());
        });
        let ran = folder.firth("resume run");
        ran.expect_error(4, &["is far above that of knowing nothing, "]);
        ran.stderr.split("knowing nothing, ").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned)
    };
    assert_eq!(chance(0.0), chance(99.0));
    Ok(())
}
