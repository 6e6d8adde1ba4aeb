//! `firth train`: word vectors from text or from an encoded corpus.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firth::dataset::EncodedCorpus;
use firth::embeddings::Embeddings;
use firth::format::{self, Format};
use firth::io::AtomicFile;
use firth::math::Matrix;
use firth::train::{Observer, Progress, Summary, Task, TrainConfig, Trainer};
use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::globals::{Globals, Typed};
use crate::output::{self, Force, Results};
use crate::ownership;
use crate::progress::{self, Log, Meter, clock, memory_now, short, thousands};
use crate::staged::Staged;
use crate::text::{self, TextFlags};
use crate::{config, model, process, signals};

/// Learn vectors.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Word vectors: each word predicts the words around it (Mikolov et al., 2013). Best for rare words and analogies.
    #[command(
        allow_negative_numbers = true,
        after_help = "Example:\n  firth train skipgram text.txt -o run --dim 300 --epochs 10"
    )]
    Skipgram(Flags),
    /// Word vectors: the words around it predict each word (Mikolov et al., 2013). Faster; good for frequent words.
    #[command(
        allow_negative_numbers = true,
        after_help = "Example:\n  firth train cbow text.txt -o run --dim 300 --epochs 10"
    )]
    Cbow(Flags),
}

/// Flags of both tasks.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// Text (files, folders, globs, - for standard input; .gz .zst .bz2 .xz too) or one encoded corpus
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "Training")]
    train: TrainConfig,
    #[command(flatten)]
    text: TextFlags,
    /// Where the run goes: a folder; a name such as words.bin or words.txt gets the vectors alone
    #[arg(short, long, value_name = "PATH", help_heading = "Output")]
    output: PathBuf,
    #[command(flatten)]
    force: Force,
}

/// Trains and writes the run.
pub fn run(command: &Command, globals: &Globals, typed: &Typed) -> Outcome {
    let (task, flags) = match command {
        Command::Skipgram(flags) => (Task::SkipGram, flags),
        Command::Cbow(flags) => (Task::Cbow, flags),
    };
    let started = Instant::now();
    let target = flags.output.as_path();
    let vectors_only = format::for_path(target, None).ok();
    let encoded_input = match flags.inputs.as_slice() {
        [only] if EncodedCorpus::is_encoded(only) => Some(only.as_path()),
        _ => None,
    };
    if let Some(path) = encoded_input {
        TextFlags::refuse(typed, path)?;
    }
    let mut config = flags.train.clone();
    config.task = task;
    config.threads = globals.threads();
    config.seed = globals.seed;
    let config = config.resolved()?;

    let force = flags.force.force;
    let staged = if vectors_only.is_some() { Staged::new(target, force)? } else { Staged::folder(target, force)? };
    ownership::refuse_inputs(flags.inputs.iter().map(PathBuf::as_path), target)?;
    // Corpus and log of a run are parts of it; beside bare vectors they have no place.
    let folder = if vectors_only.is_some() { staged.scratch()? } else { staged.path() };
    let mut log = Log::create([folder.join("log.jsonl")].iter().chain(&globals.log_json).map(PathBuf::as_path))?;
    let corpus = match encoded_input {
        Some(path) => EncodedCorpus::open(path).map_err(Failure::Input)?,
        None => flags.text.build(&flags.inputs, &staged, &folder, globals, &mut log)?,
    };
    if let Some(format) = vectors_only {
        rehearse(format, &corpus, &folder.join("rehearsal"))?;
    }
    let (summary, vectors) = learn(&config, &corpus, globals, &mut log)?;
    match vectors_only {
        Some(format) => model::write(&vectors, format, &staged, target)?,
        None => {
            format::native::Native.write(&vectors, &folder.join("words.safetensors"))?;
            if encoded_input.is_some() {
                corpus.vocabulary.save(&folder.join("vocabulary.safetensors"), &Default::default())?;
            }
        }
    }
    let report = report(&summary, target, started)?;
    log.report("done", &report)?;
    drop(log);
    if vectors_only.is_none() {
        save_config(&folder.join("config.toml"), typed, &config, encoded_input.is_none(), flags, &corpus)?;
    }
    staged.commit()?;
    if globals.json { output::json(&report) } else { print(&summary, &corpus, target, globals) }
}

/// Writes the words with one number each, so that what a format cannot hold is told before hours of training.
fn rehearse(format: &dyn Format, corpus: &EncodedCorpus, path: &Path) -> Outcome {
    let (keys, counts) = (corpus.vocabulary.keys().clone(), corpus.vocabulary.counts().to_vec());
    let zeros = Matrix::zeros(keys.len(), 1);
    let words = Embeddings::new(keys, zeros, Some(counts))?;
    Ok(format.write(&words, path)?)
}

/// The resolved configuration, itself a file for `--config`, and what it was used on.
fn save_config(
    path: &Path,
    typed: &Typed,
    config: &TrainConfig,
    is_text: bool,
    flags: &Flags,
    corpus: &EncodedCorpus,
) -> Outcome {
    let backend = |error: toml::ser::Error| firth::Error::Backend { source: Box::new(error) };
    let mut settings = typed.settings().clone();
    if !is_text {
        settings.retain(|name, _| !text::NAMES.contains(&name));
    }
    let mut resolved = toml::Table::try_from(TrainConfig { seed: 0, ..config.clone() }).map_err(backend)?;
    // The seed stands among the flags already, where it may be larger than TOML's numbers.
    resolved.remove("seed");
    let task = resolved.remove("task").unwrap_or_else(|| "".into());
    settings.extend(resolved);
    let inputs: Vec<toml::Value> =
        flags.inputs.iter().map(|input| input.to_string_lossy().into_owned().into()).collect();
    let mut run = toml::Table::new();
    run.insert("task".into(), task);
    run.insert("inputs".into(), inputs.into());
    run.insert("corpus-checksum".into(), corpus.report().checksum.clone().into());
    run.insert("firth".into(), env!("CARGO_PKG_VERSION").into());
    settings.insert(config::RUN_TABLE.into(), run.into());
    let mut file = AtomicFile::create(path)?;
    file.write(toml::to_string(&settings).map_err(backend)?.as_bytes())?;
    Ok(file.commit()?)
}

/// Trains with a line of progress and a log.
pub fn learn(
    config: &TrainConfig,
    corpus: &EncodedCorpus,
    globals: &Globals,
    log: &mut Log,
) -> Outcome<(Summary, Embeddings)> {
    if globals.verbose {
        let settings =
            serde_json::to_string(config).map_err(|error| firth::Error::Backend { source: Box::new(error) })?;
        progress::note(globals, format_args!("{} words, settings {settings}", corpus.vocabulary.len()));
    }
    let mut trainer = Trainer::new(config, &corpus.vocabulary, &corpus.dataset)?;
    let mut watcher =
        Watcher { meter: Meter::new(globals), threads: config.workers(), log, logged: None, failure: None };
    let summary = signals::polled(|| trainer.run(&mut watcher));
    watcher.meter.clear();
    if let Some(failure) = watcher.failure {
        return Err(failure);
    }
    let summary = summary?;
    let vectors = trainer.finish()?;
    Ok((summary, vectors))
}

/// How often a log gets a line.
const BETWEEN_LOGS: Duration = Duration::from_secs(1);

/// Shows progress, logs it, and stops on Ctrl-C.
struct Watcher<'a> {
    meter: Meter,
    threads: usize,
    log: &'a mut Log,
    logged: Option<Instant>,
    failure: Option<Failure>,
}

impl Observer for Watcher<'_> {
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
        let threads = self.threads;
        self.meter.show(|| line(progress, threads));
        let is_due = self.logged.is_none_or(|logged| logged.elapsed() >= BETWEEN_LOGS);
        if is_due || progress.tokens == progress.total_tokens {
            self.logged = Some(Instant::now());
            self.failure = self.log.report("progress", progress).err();
        }
        if signals::interrupted() || self.failure.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

fn line(progress: &Progress, threads: usize) -> String {
    let part = 100.0 * progress.tokens as f64 / progress.total_tokens.max(1) as f64;
    format!(
        "epoch {}/{}  {part:.1}%  {} words/s ({})  lr {:.4}  loss {:.4}  eta {}{}",
        progress.epoch,
        progress.epochs,
        short(progress.words_per_second),
        threads_of(threads),
        progress.lr,
        progress.loss,
        clock(progress.eta_seconds),
        memory_now()
    )
}

/// The summary of training with what the process as a whole has used.
fn report(summary: &Summary, target: &Path, started: Instant) -> Outcome<Value> {
    let mut report =
        serde_json::to_value(summary).map_err(|error| firth::Error::Backend { source: Box::new(error) })?;
    if let Value::Object(fields) = &mut report {
        fields.insert("wall_seconds".into(), started.elapsed().as_secs_f64().into());
        fields.insert("cpu_seconds".into(), process::cpu_seconds().into());
        fields.insert("peak_rss_bytes".into(), process::peak_memory().into());
        fields.insert("output".into(), target.to_string_lossy().into());
    }
    Ok(report)
}

fn print(report: &Summary, corpus: &EncodedCorpus, target: &Path, globals: &Globals) -> Outcome {
    if globals.quiet {
        return Ok(());
    }
    let losses: Vec<String> = report.epoch_losses.iter().map(|loss| format!("{loss:.4}")).collect();
    let speed = format!(
        "{} words/s with {} ({}, {})",
        short(report.words_per_second),
        threads_of(report.threads),
        report.strategy,
        report.kernel
    );
    let trained = [
        ("vectors", format!("{} of {} numbers", thousands(report.vocabulary as u64), report.dim)),
        (
            "trained",
            format!(
                "{} words in {} epochs, {}",
                thousands(report.words_trained),
                report.epochs,
                clock(report.train_seconds)
            ),
        ),
        ("training speed", speed),
        ("loss by epoch", losses.join(" ")),
        ("output", target.display().to_string()),
    ];
    let trained = trained.map(|(name, value)| [name.to_owned(), value]);
    let mut results = Results::new();
    output::pairs(&mut results, text::summary(corpus.report()).into_iter().chain(trained))?;
    results.done()?;
    let word = corpus.vocabulary.keys().iter().find(|word| word.chars().count() > 4).unwrap_or("the");
    progress::note(globals, format_args!("next: firth nearest {} {word}", target.display()));
    Ok(())
}

fn threads_of(threads: usize) -> String {
    if threads == 1 { "1 thread".into() } else { format!("{threads} threads") }
}
