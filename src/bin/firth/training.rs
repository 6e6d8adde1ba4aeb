//! What `train`, `resume` and `demo` share: training with a line of progress and a log, and the report at its end.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firth::dataset::EncodedCorpus;
use firth::train::{Drift, Observer, Progress, Summary};
use firth::vocabulary::Keys;
use serde::Serialize;
use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::output::{self, Results};
use crate::process;
use crate::progress::{self, Log, Meter, clock, counted, memory_now, short, thousands};
use crate::run_folder::RunFolder;
use crate::signals;
use crate::text;

/// What trains, and is counted in the line of progress.
#[derive(Clone, Copy)]
pub struct Work {
    /// What its speed counts: words, or rows.
    pub unit: &'static str,
    /// Workers.
    pub threads: usize,
}

impl Work {
    /// Training on words.
    pub fn words(threads: usize) -> Self {
        Self { unit: "words", threads }
    }
}

/// Trains to the end, with a line of progress, a log, and checkpoints where there is a folder for them; `train` runs a
/// trainer of any kind.
pub fn learn<S>(
    train: impl FnOnce(&mut dyn Observer) -> firth::Result<S>,
    work: Work,
    folder: Option<&mut RunFolder>,
    globals: &Globals,
    log: &mut Log,
) -> Outcome<S> {
    let mut watcher = Watcher { meter: Meter::new(globals), work, log, folder, logged: None, failure: None };
    let summary = signals::polled(|| train(&mut watcher));
    watcher.meter.clear();
    let is_over = summary.is_ok() && watcher.failure.is_none();
    if !is_over
        && !signals::interrupted()
        && let Some(folder) = watcher.folder.as_ref().filter(|folder| folder.is_published())
    {
        let run = folder.place().display();
        progress::note(globals, format_args!("what was saved is kept: {run}/checkpoints, for firth resume {run}"));
    }
    if let Some(failure) = watcher.failure {
        return Err(failure);
    }
    if let Err(error) = &summary
        && signals::interrupted()
        && !matches!(error, firth::Error::Interrupted)
    {
        // The last checkpoint could not be written, say: those before it are all there is.
        progress::warn(error);
    }
    Ok(summary?)
}

/// A loss that ends so many times above its lowest is explained.
const TOLD_RISE: f64 = 1.05;

/// How often a log gets a line.
const BETWEEN_LOGS: Duration = Duration::from_secs(1);

/// Shows progress, logs it, and stops on Ctrl-C.
struct Watcher<'a> {
    meter: Meter,
    work: Work,
    log: &'a mut Log,
    folder: Option<&'a mut RunFolder>,
    logged: Option<(Instant, usize)>,
    failure: Option<Failure>,
}

impl Observer for Watcher<'_> {
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
        let work = self.work;
        self.meter.show(|| line(progress, work));
        // A new epoch has something to tell, too: what the last one came to.
        let is_due =
            self.logged.is_none_or(|(logged, epoch)| logged.elapsed() >= BETWEEN_LOGS || epoch != progress.epoch);
        if is_due || progress.tokens == progress.total_tokens {
            self.logged = Some((Instant::now(), progress.epoch));
            let failure = self.log.report("progress", progress).err();
            self.failure = self.failure.take().or(failure);
        }
        if signals::interrupted() || self.failure.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn checkpoints(&mut self) -> firth::Result<Option<PathBuf>> {
        let path = self.folder.as_ref().map(|folder| folder.checkpoints()).transpose();
        self.told(path)
    }

    fn saved(&mut self) -> firth::Result<()> {
        let saved = self.folder.as_mut().map_or(Ok(()), |folder| folder.saved());
        self.told(saved)
    }
}

impl Watcher<'_> {
    /// What the library can be told of an outcome; [`learn`] returns the failure itself.
    fn told<T>(&mut self, outcome: Outcome<T>) -> firth::Result<T> {
        outcome.map_err(|failure| match failure {
            Failure::Library(error) => error,
            failure => {
                let error = firth::Error::data(failure.to_string());
                self.failure = Some(failure);
                error
            }
        })
    }
}

fn line(progress: &Progress, work: Work) -> String {
    let part = 100.0 * progress.tokens as f64 / progress.total_tokens.max(1) as f64;
    let heldout = progress.heldout.map(|loss| format!("  held-out {loss:.4}")).unwrap_or_default();
    format!(
        "epoch {}/{}  {part:.1}%  {} {}/s ({})  lr {:.4}  loss {:.4}{heldout}  eta {}{}",
        progress.epoch,
        progress.epochs,
        short(progress.words_per_second),
        work.unit,
        threads_of(work.threads),
        progress.lr,
        progress.loss,
        clock(progress.eta_seconds),
        memory_now()
    )
}

/// The summary of training with what the process as a whole has used.
pub fn report(summary: &impl Serialize, drift: Option<&Drift>, target: &Path, started: Instant) -> Outcome<Value> {
    let mut report =
        serde_json::to_value(summary).map_err(|error| firth::Error::Backend { source: Box::new(error) })?;
    if let Value::Object(fields) = &mut report {
        if let Some(drift) = drift {
            let drift =
                serde_json::to_value(drift).map_err(|error| firth::Error::Backend { source: Box::new(error) })?;
            fields.insert("drift".into(), drift);
        }
        fields.insert("wall_seconds".into(), started.elapsed().as_secs_f64().into());
        fields.insert("cpu_seconds".into(), process::cpu_seconds().into());
        fields.insert("peak_rss_bytes".into(), process::peak_memory().into());
        fields.insert("output".into(), target.to_string_lossy().into());
    }
    Ok(report)
}

/// Prints what was trained, and what to do next.
pub fn print(
    report: &Summary,
    drift: Option<&Drift>,
    corpus: &EncodedCorpus,
    target: &Path,
    globals: &Globals,
) -> Outcome {
    if globals.quiet {
        return Ok(());
    }
    let speed = format!(
        "{} words/s with {} ({}, {})",
        short(report.words_per_second),
        threads_of(report.threads),
        report.strategy,
        report.kernel
    );
    let words = thousands(report.vocabulary as u64);
    let vectors = match report.documents {
        Some(documents) => {
            format!("{} of documents, {words} of words, of {} numbers", thousands(documents), report.dim)
        }
        None => format!("{words} of {} numbers", report.dim),
    };
    let mut trained = vec![
        ("vectors", vectors),
        (
            "trained",
            format!(
                "{} in {}, {}",
                counted(report.words_trained, "word", "words"),
                epochs(report.epochs, report.planned_epochs),
                clock(report.train_seconds)
            ),
        ),
        ("training speed", speed),
        ("loss", report.objective.clone()),
        ("loss by epoch", losses(&report.epoch_losses)),
    ];
    if !report.heldout_losses.is_empty() {
        trained.push(("held-out loss", losses(&report.heldout_losses)));
        trained.push(("epoch kept", report.epoch.to_string()));
    }
    if let Some(drift) = drift {
        let most: Vec<String> = drift.moved_most.iter().map(|(word, cosine)| format!("{word} {cosine:.2}")).collect();
        let words = counted(drift.words as u64, "old word", "old words");
        trained.push(("new words", thousands(drift.new_words as u64)));
        trained.push(("drift", format!("mean cosine {:.4} of {words}; most: {}", drift.mean_cosine, most.join(", "))));
    }
    trained.push(("fingerprint", report.fingerprint.clone()));
    trained.push(("output", target.display().to_string()));
    let trained = trained.into_iter().map(|(name, value)| [name.to_owned(), value]);
    let mut results = Results::new();
    output::pairs(&mut results, text::summary(corpus.report()).into_iter().chain(trained))?;
    results.done()?;
    let lowest = report.epoch_losses.iter().copied().fold(f64::INFINITY, f64::min);
    if report.documents.is_none() && report.epoch_losses.last().is_some_and(|&last| last > TOLD_RISE * lowest) {
        let look = if report.heldout_losses.is_empty() { "--heldout 1%" } else { "the held-out loss" };
        let why = "a high rate adapts to the text at hand, and as it falls that help fades";
        progress::note(
            globals,
            format_args!("the training loss rose, which is no sign of worse vectors ({why}): look at {look}"),
        );
    }
    let (run, word) = (text::quoted(&target.to_string_lossy()), example_word(corpus.vocabulary.keys()));
    let next = match report.documents {
        Some(_) => format!("firth nearest {run} --documents {word}, firth cluster {run} --clusters 20 --describe"),
        None => format!("firth nearest {run} {word}"),
    };
    progress::note(globals, format_args!("next: {next}"));
    Ok(())
}

/// A word to try: of middle frequency, so that its neighbours tell something.
pub fn example_word(keys: &Keys) -> String {
    const RANK: usize = 200;
    let is_content = |word: &&str| word.chars().count() >= 4 && word.chars().all(char::is_alphabetic);
    let word = keys.iter().skip(RANK.min(keys.len() / 2)).find(is_content).or_else(|| keys.iter().find(is_content));
    text::quoted(word.or_else(|| keys.iter().next()).unwrap_or_default())
}

/// How many epochs were done, and of how many if not all.
pub fn epochs(done: usize, planned: usize) -> String {
    let told = counted(done as u64, "epoch", "epochs");
    if done < planned { format!("{told} of {planned} (--patience)") } else { told }
}

/// The losses of the epochs, in order.
pub fn losses(losses: &[f64]) -> String {
    losses.iter().map(|loss| format!("{loss:.4}")).collect::<Vec<_>>().join(" ")
}

/// How many threads work.
pub fn threads_of(threads: usize) -> String {
    if threads == 1 { "1 thread".into() } else { format!("{threads} threads") }
}
