//! `firth resume`: goes on with a run that was stopped.

use std::path::{Path, PathBuf};
use std::time::Instant;

use firth::autoencoder;
use firth::train::{Checkpoint, Trainer};

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::progress::{Log, note, warn};
use crate::rows::Rows;
use crate::run_folder::{self, CHECKPOINTS, LOG, Lock, RunFolder};
use crate::training::{self, Work};
use crate::{codes, documents, output, place, signals};

/// Go on with a run from its last checkpoint.
#[derive(Debug, clap::Args)]
#[command(arg = hidden("seed").value_parser(clap::value_parser!(u64)))]
#[command(arg = hidden("config").value_parser(clap::value_parser!(PathBuf)))]
#[command(after_help = "Example:\n  firth resume run\n\n\
    A run that was killed and resumed gives the same vectors, to the last bit, as one that was not\n\
    (with --strategy serial or averaged).")]
pub struct Flags {
    /// The run folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
}

/// A flag of every command that a run which goes on has no use for: known, to be refused with a reason, but not listed.
fn hidden(flag: &'static str) -> clap::Arg {
    clap::Arg::new(flag).long(flag).hide(true)
}

/// Trains what is left, and writes the run.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    ["seed", "config"].iter().try_for_each(|flag| typed.refuse(flag, "a run keeps the settings that it began with"))?;
    let (started, run) = (Instant::now(), flags.run.as_path());
    let shown = run.display();
    if let Some(whole) = run_of_checkpoint(run) {
        let whole = whole.display();
        return Err(Failure::usage(format!("{shown}: is part of a run, which goes on with firth resume {whole}")));
    }
    // Locked before anything is read: another process may be finishing the run or replacing a checkpoint.
    let _lock = run_folder::is_unfinished(run).then(|| Lock::take(run)).transpose()?;
    let is_autoencoder = run_folder::task(run).as_deref() == Some(codes::TASK);
    if run_folder::is_finished(run) {
        let interim = run_folder::interim(run);
        let next = if run_folder::is_unfinished(&interim) {
            let interim = interim.display();
            format!("{interim}, which was to replace it, is not: firth resume {interim}")
        } else if is_autoencoder || run.join(run_folder::DOCUMENTS).is_file() {
            format!("what it has not seen is embedded by firth embed {shown} INPUT")
        } else {
            format!("to train on, use firth train skipgram TEXT --from {shown} -o NEW")
        };
        return Err(Failure::usage(format!("{shown}: is finished; {next}")));
    }
    if !run.exists() {
        return Err(Failure::Input(firth::Error::data(format!(
            "{shown}: does not exist, expected the folder of a run"
        ))));
    }
    if !run.is_dir() {
        return Err(Failure::usage(format!("{shown}: is no folder, expected that of a run")));
    }
    let own = run.join(LOG);
    // The run's own log is written anyway.
    let is_own = |log: &&Path| own.canonicalize().is_ok_and(|own| log.canonicalize().is_ok_and(|log| log == own));
    let log = globals.log_json.as_deref().filter(|log| !is_own(log));
    place::check_log(log, &[], run)?;
    if is_autoencoder { autoencoder(run, log, started, globals) } else { words(run, log, started, globals) }
}

/// The run of a checkpoint, of the tables of a best epoch, or of the folder of both.
fn run_of_checkpoint(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let checkpoints = path.ancestors().take(2).find(|folder| folder.ends_with(CHECKPOINTS))?;
    checkpoints.parent().filter(|run| run_folder::task(run).is_some()).map(Path::to_owned)
}

fn words(run: &Path, log: Option<&Path>, started: Instant, globals: &Globals) -> Outcome {
    let checkpoint = whole(Checkpoint::newest(&run.join(CHECKPOINTS)))?;
    let corpus = run_folder::corpus(run)?;
    corpus.dataset.verify().reading()?;
    let mut trainer = Trainer::resume(&checkpoint, globals.threads(), &corpus.vocabulary, &corpus.dataset).reading()?;
    let work = Work::words(trainer.config().workers());
    tell(run, checkpoint.epochs(), checkpoint.config().epochs(), globals);
    drop(checkpoint);
    let (mut folder, mut log) = begin(run, log)?;
    let summary = training::learn(|observer| trainer.run(observer), work, Some(&mut folder), globals, &mut log)?;
    signals::disarm();
    let names = documents::names(&trainer, &corpus);
    if let Some(names) = &names {
        documents::warn_of_unmoved(&trainer, &names.keys);
    }
    trainer.save(run, names.as_ref())?;
    folder.finish()?;
    let report = training::report(&summary, None, run, started)?;
    log.report("done", &report)?;
    if globals.json { output::json(&report) } else { training::print(&summary, None, &corpus, run, globals) }
}

fn autoencoder(run: &Path, log: Option<&Path>, started: Instant, globals: &Globals) -> Outcome {
    let checkpoint = whole(autoencoder::Checkpoint::newest(&run.join(CHECKPOINTS)))?;
    let rows = Rows::of_run(run)?;
    let (done, all) = (checkpoint.epochs(), checkpoint.config().epochs.unwrap_or_default());
    let (input, target, words) = (&rows.input, rows.target.as_ref(), rows.words.clone());
    let threads = globals.threads();
    let mut trainer = autoencoder::Trainer::resume(checkpoint, threads, input, target, words).reading()?;
    tell(run, done, all, globals);
    let (mut folder, mut log) = begin(run, log)?;
    let work = Work { unit: codes::unit(&rows), threads };
    let summary = training::learn(|observer| trainer.run(observer), work, Some(&mut folder), globals, &mut log)?;
    signals::disarm();
    let empty = trainer.empty_rows().to_vec();
    let documents = codes::write(&trainer.finish(), &rows, run)?;
    codes::warn_of_empty(&empty, &rows, &documents);
    folder.finish()?;
    let report = training::report(&summary, None, run, started)?;
    log.report("done", &report)?;
    if globals.json { output::json(&report) } else { codes::print(&summary, &rows, run, globals) }
}

/// The newest checkpoint that is whole, after warnings of newer ones that are not.
fn whole<C>(found: firth::Result<(C, Vec<firth::Error>)>) -> Outcome<C> {
    let (checkpoint, damaged) = found.reading()?;
    for error in damaged {
        warn(format_args!("{error}; the checkpoint before it is used"));
    }
    Ok(checkpoint)
}

fn tell(run: &Path, done: usize, all: usize, globals: &Globals) {
    note(globals, format_args!("{}: on from epoch {} of {all}", run.display(), done + 1));
}

/// From here on the run's files are written, and another log if one is wanted.
fn begin(run: &Path, log: Option<&Path>) -> Outcome<(RunFolder, Log)> {
    signals::install();
    let log = Log::resume(&run.join(LOG), log)?;
    let folder = RunFolder::stopped(run);
    signals::can_be_resumed(run);
    Ok((folder, log))
}
