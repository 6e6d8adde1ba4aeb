//! Runs: the same bytes for any number of threads and across interruptions; bounds of memory; divergence; empty rows.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firth::autoencoder::{
    Activation, Autoencoder, AutoencoderConfig, Checkpoint, Corruption, FILE, Loss, Sparsity, Trainer, Weighting,
};
use firth::math::{Matrix, Samples};
use firth::train::{Every, Observer, Progress, STATE, checkpoints};
use firth::{Error, Result};

use crate::data::{bags, dense, images};
use crate::forge::forge;
use crate::stopper::Stopper;
use crate::variants::train;

/// More columns than are scored all at once.
const WIDE: usize = 12_000;

/// Runs of all kinds: settings and data.
fn runs() -> Result<Vec<(&'static str, AutoencoderConfig, Samples)>> {
    let short = AutoencoderConfig { code: Some(12), epochs: Some(3), batch: Some(50), ..Default::default() };
    let tied = AutoencoderConfig { tied: true, ..short.clone() };
    let deep = AutoencoderConfig {
        hidden: vec![24, 20],
        activation: Some(Activation::Tanh),
        noise: Some(Corruption::Gauss(0.1)),
        contractive: 0.1,
        restarts: 2,
        heldout: 0.2,
        ..short.clone()
    };
    let penalised = AutoencoderConfig {
        code_activation: Some(Activation::Sigmoid),
        sparse: Sparsity::Kl { rho: 0.1, beta: 0.5 },
        contractive: 0.1,
        hidden: vec![20],
        ..short.clone()
    };
    Ok(vec![
        ("sampled", short.clone(), bags(420, WIDE, 30, 1)),
        ("sampled and tied", tied, bags(420, WIDE, 30, 2)),
        ("full", AutoencoderConfig { heldout: 0.1, ..short.clone() }, bags(420, 900, 30, 3)),
        ("sampled, deep, contractive", penalised, bags(300, WIDE, 30, 4)),
        ("dense, deep", deep, images(420, 5)?.images),
    ])
}

#[test]
fn any_number_of_threads_gives_the_same_bytes_and_another_seed_does_not() -> Result<()> {
    for (what, config, rows) in runs()? {
        let run = |threads, seed| {
            let (model, summary) = train(AutoencoderConfig { threads, seed, ..config.clone() }, &rows)?;
            Ok::<_, Error>((model.fingerprint(), summary.epoch_losses, summary.heldout_losses))
        };
        let expected = run(1, 1)?;
        for threads in [2, 3, 8] {
            assert_eq!(run(threads, 1)?, expected, "{what}, {threads} threads");
        }
        assert_ne!(run(2, 2)?.0, expected.0, "{what}, another seed");
    }
    Ok(())
}

/// Trains until so many checkpoints are written.
fn stop_after(count: usize, config: &AutoencoderConfig, rows: &Samples, folder: &Path) -> Result<()> {
    let mut stopper = Stopper { folder: folder.into(), left: count };
    match Trainer::new(config, rows, None, None)?.run(&mut stopper) {
        Err(Error::Interrupted) => Ok(()),
        other => panic!("it was to be stopped after checkpoint {count}: {other:?}"),
    }
}

#[test]
fn runs_that_were_stopped_go_on_to_the_same_bytes() -> Result<()> {
    for (what, config, rows) in runs()? {
        let (whole, expected) = train(config.clone(), &rows)?;
        let steps = Every::Time(Duration::from_nanos(1));
        // After an epoch; within the first and the last one of a start, and in another start where there is one.
        let several = if config.restarts > 1 { 4 } else { 2 };
        for (every, stops) in [(Every::Epochs(1), several), (steps, 3), (steps, 15), (steps, 7 * several)] {
            let folder = tempfile::tempdir().expect("a folder");
            let config = AutoencoderConfig { checkpoint_every: every, threads: 2, keep: 2, ..config.clone() };
            stop_after(stops, &config, &rows, folder.path())?;
            let (checkpoint, wrong) = Checkpoint::newest(folder.path())?;
            assert!(wrong.is_empty(), "{wrong:?}");
            let mut trainer = Trainer::resume(checkpoint, 3, &rows, None, None)?;
            let mut rest = Stopper { folder: folder.path().into(), left: usize::MAX };
            let summary = trainer.run(&mut rest)?;
            let what = format!("{what}, stopped after checkpoint {stops}, {every}");
            assert_eq!(trainer.finish().fingerprint(), whole.fingerprint(), "{what}");
            assert_eq!(summary.epoch_losses, expected.epoch_losses, "{what}");
            assert_eq!(summary.heldout_losses, expected.heldout_losses, "{what}");
            assert_eq!((summary.epoch, summary.restart), (expected.epoch, expected.restart), "{what}");
            assert_eq!(checkpoints(folder.path())?.len(), 2, "{what}");
        }
    }
    Ok(())
}

/// An observer whose user has had enough.
struct Impatient(PathBuf);

impl Observer for Impatient {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn checkpoints(&mut self) -> Result<Option<PathBuf>> {
        Ok(Some(self.0.clone()))
    }
}

#[test]
fn an_interrupted_run_leaves_a_checkpoint_to_go_on_from() -> Result<()> {
    let rows = images(300, 6)?.images;
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = AutoencoderConfig { code: Some(32), epochs: Some(2000), ..Default::default() };
    let run = |config: &_| Trainer::new(config, &rows, None, None)?.run(&mut Impatient(folder.path().into()));
    let mut stopped = run(&config);
    // A trainer asks its observer by the clock: on a quick machine it takes more epochs until it does.
    while stopped.is_ok() {
        config.epochs = config.epochs.map(|epochs| 2 * epochs);
        stopped = run(&config);
    }
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    let (checkpoint, _) = Checkpoint::newest(folder.path())?;
    let mut trainer = Trainer::resume(checkpoint, 1, &rows, None, None)?;
    trainer.run(&mut firth::train::Silent)?;
    assert_eq!(trainer.finish().fingerprint(), train(config, &rows)?.0.fingerprint());
    Ok(())
}

#[test]
fn damaged_checkpoints_are_named_and_an_older_one_serves() -> Result<()> {
    let (_, config, rows) = runs()?.swap_remove(2);
    let config = AutoencoderConfig { checkpoint_every: Every::Epochs(1), keep: 2, ..config };
    for (file, text) in [(FILE, "damaged"), (STATE, "damaged")] {
        let folder = tempfile::tempdir().expect("a folder");
        stop_after(2, &config, &rows, folder.path())?;
        let newest = checkpoints(folder.path())?.pop().expect("two checkpoints").join(file);
        let mut bytes = std::fs::read(&newest).expect("a file");
        // In the numbers, behind the header, or a digit of the state.
        let at =
            if file == STATE { bytes.iter().rposition(u8::is_ascii_digit).expect("digits") } else { bytes.len() / 2 };
        bytes[at] ^= 1;
        std::fs::write(&newest, bytes).expect("written");
        let (older, wrong) = Checkpoint::newest(folder.path())?;
        assert_eq!(older.epochs(), 1);
        let message = wrong[0].to_string();
        assert!(message.contains(&*newest.to_string_lossy()) && message.contains(text), "{message}");
        std::fs::remove_dir_all(&checkpoints(folder.path())?[0]).expect("the older one is gone");
        let message = Checkpoint::newest(folder.path()).expect_err("no other is left").to_string();
        assert!(message.contains(&*newest.to_string_lossy()), "{message}");
    }
    Ok(())
}

#[test]
fn a_checkpoint_of_no_place_in_its_run_is_refused() -> Result<()> {
    let (_, config, rows) = runs()?.swap_remove(2);
    let config = AutoencoderConfig { checkpoint_every: Every::Epochs(1), ..config };
    let folder = tempfile::tempdir().expect("a folder");
    stop_after(1, &config, &rows, folder.path())?;
    let state = checkpoints(folder.path())?.pop().expect("a checkpoint").join(STATE);
    let whole = std::fs::read(&state).expect("the state");
    for (field, value) in [
        ("restart", serde_json::json!(1)),
        ("epoch", serde_json::json!(4)),
        ("step", serde_json::json!(u64::MAX)),
        ("losses", serde_json::json!([])),
        ("heldout", serde_json::json!([])),
        ("best", serde_json::json!(null)),
        ("all_epochs", serde_json::json!(u64::MAX)),
    ] {
        std::fs::write(&state, &whole).expect("written");
        forge(&state, |all| all["state"][field] = value);
        let (checkpoint, _) = Checkpoint::newest(folder.path())?;
        let resumed = Trainer::resume(checkpoint, 1, &rows, None, None);
        let message = resumed.expect_err("no place in the run").to_string();
        assert!(message.contains("is no place in its run") && message.contains(&*state.to_string_lossy()), "{message}");
    }
    Ok(())
}

#[test]
fn a_model_whose_settings_are_damaged_is_refused() -> Result<()> {
    let config = AutoencoderConfig { code: Some(4), epochs: Some(1), tied: true, ..Default::default() };
    let rows = images(60, 4)?.images;
    let mut trainer = Trainer::new(&config, &rows, None, None)?;
    trainer.run(&mut firth::train::Silent)?;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(FILE);
    trainer.finish().save(&path)?;
    let whole = std::fs::read(&path).expect("the model");
    // The settings stand before the layers. What is not set has its usual value.
    for (text, damaged, expected) in [
        (r#"\"code\":4"#, r#"\"code\":0"#, "its settings cannot be (--code: 0 is out of range"),
        (r#"\"code\":4"#, r#"\"code\":5"#, "its layers are not those of its settings"),
        (r#"\"loss\":\"mse\""#, r#"\"loss\":null   "#, ""),
    ] {
        let mut bytes = whole.clone();
        let at = bytes.windows(text.len()).position(|found| found == text.as_bytes()).expect("in the header");
        bytes[at..at + text.len()].copy_from_slice(damaged.as_bytes());
        std::fs::write(&path, bytes).expect("written");
        let given_back = Autoencoder::open(&path).and_then(|model| model.reconstruct(&rows));
        let message = given_back.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(message.contains(expected) && message.is_empty() == expected.is_empty(), "{message}");
    }
    Ok(())
}

#[test]
fn other_data_than_before_are_refused() -> Result<()> {
    let (_, config, rows) = runs()?.swap_remove(2);
    let config = AutoencoderConfig { checkpoint_every: Every::Epochs(1), ..config };
    let folder = tempfile::tempdir().expect("a folder");
    stop_after(1, &config, &rows, folder.path())?;
    let (checkpoint, _) = Checkpoint::newest(folder.path())?;
    let message = Trainer::resume(checkpoint, 1, &bags(420, 900, 30, 99), None, None).expect_err("others").to_string();
    assert!(message.starts_with("checksums of the data that the run was trained on: expected "), "{message}");
    Ok(())
}

#[test]
fn a_hundred_thousand_columns_are_sampled() -> Result<()> {
    let rows = bags(20_000, 100_000, 20, 7);
    let config = AutoencoderConfig { code: Some(32), epochs: Some(1), ..Default::default() };
    let (_, summary) = train(config, &rows)?;
    assert!(summary.loss.is_finite());
    Ok(())
}

#[test]
fn wild_learning_rates_are_called_divergence() -> Result<()> {
    let pixels = images(400, 8)?.images;
    let words = bags(400, 900, 30, 9);
    let deep = AutoencoderConfig { hidden: vec![32], loss: Some(Loss::Bce), ..Default::default() };
    for (what, config, rows) in [
        ("images", AutoencoderConfig::default(), &pixels),
        ("images, few steps", AutoencoderConfig { epochs: Some(2), ..Default::default() }, &pixels),
        ("images, deep, cross-entropy", deep, &pixels),
        ("words", AutoencoderConfig::default(), &words),
        ("words, few steps", AutoencoderConfig { epochs: Some(2), ..Default::default() }, &words),
    ] {
        let config = AutoencoderConfig { lr: Some(1e3), code: Some(16), ..config };
        match train(config, rows) {
            Err(Error::Diverged { epoch, lr, .. }) => assert!(epoch > 0 && lr > 0.0),
            Err(other) => panic!("{what}: {other}"),
            Ok((_, summary)) => panic!("{what}: loss {:?}", summary.epoch_losses),
        }
    }
    Ok(())
}

#[test]
fn empty_rows_are_told_and_change_nothing() -> Result<()> {
    let rows = images(50, 9)?.images;
    let mut numbers = dense(&rows).as_slice().to_vec();
    let cols = rows.cols();
    numbers.extend(vec![0.0; 2 * cols]);
    let more: Samples = Matrix::from_vec(52, cols, numbers)?.into();
    let config =
        AutoencoderConfig { code: Some(8), epochs: Some(3), input: Some(Weighting::Counts), ..Default::default() };
    let trainer = Trainer::new(&config, &more, None, None)?;
    assert_eq!(trainer.empty_rows(), [50, 51]);
    let ((with, summary), (without, _)) = (train(config.clone(), &more)?, train(config, &rows)?);
    assert_eq!((summary.documents, summary.empty_documents), (50, 2));
    assert_eq!(with.fingerprint(), without.fingerprint());
    Ok(())
}
