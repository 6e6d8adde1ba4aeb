//! `firth resume`: goes on with a run that was stopped.

use std::path::PathBuf;
use std::time::Instant;

use firth::format::native;
use firth::train::{Checkpoint, Trainer};

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::progress::{Log, note, warn};
use crate::run_folder::{self, CHECKPOINTS, LOG, Lock, RunFolder};
use crate::{output, signals, training};

/// Go on with a run from its last checkpoint.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth resume run\n\n\
    A run that was killed and resumed gives the same vectors, to the last bit, as one that was not\n\
    (with --strategy serial or averaged).")]
pub struct Flags {
    /// The run folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
}

/// Trains what is left, and writes the run.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    typed.refuse("seed", "a run keeps the seed that it began with")?;
    let (started, run) = (Instant::now(), flags.run.as_path());
    let shown = run.display();
    // Locked before anything is read: another process may be finishing the run or replacing a checkpoint.
    let _lock = run_folder::is_unfinished(run).then(|| Lock::take(run)).transpose()?;
    if run.join(native::FILE).is_file() {
        let message = format!("{shown}: is finished; to train on, use firth train skipgram TEXT --from {shown} -o NEW");
        return Err(Failure::usage(message));
    }
    if !run.is_dir() {
        return Err(Failure::Input(firth::Error::data(format!("{shown}: is no folder, expected that of a run"))));
    }
    let (checkpoint, damaged) = Checkpoint::newest(&run.join(CHECKPOINTS)).reading()?;
    for error in damaged {
        warn(format_args!("{error}; the checkpoint before it is used"));
    }
    let corpus = run_folder::corpus(run)?;
    corpus.dataset.verify().reading()?;
    let mut trainer = Trainer::resume(&checkpoint, globals.threads(), &corpus.vocabulary, &corpus.dataset).reading()?;
    let threads = trainer.config().workers();
    note(globals, format_args!("{shown}: on from epoch {} of {}", checkpoint.epochs() + 1, checkpoint.config().epochs));
    drop(checkpoint);
    signals::install();
    let mut log = Log::resume(&run.join(LOG), globals.log_json.as_deref())?;
    let mut folder = RunFolder::stopped(run);
    signals::can_be_resumed(run);
    let summary = training::learn(&mut trainer, threads, Some(&mut folder), globals, &mut log)?;
    signals::disarm();
    trainer.save(run)?;
    folder.finish()?;
    let report = training::report(&summary, None, run, started)?;
    log.report("done", &report)?;
    if globals.json { output::json(&report) } else { training::print(&summary, None, &corpus, run, globals) }
}
