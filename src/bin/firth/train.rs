//! `firth train`: vectors of words, and of documents, from text or from an encoded corpus; autoencoders in a file of their
//! own.

mod autoencoder;

use std::path::{Path, PathBuf};
use std::time::Instant;

use firth::dataset::EncodedCorpus;
use firth::embeddings::{Embeddings, Ngrams};
use firth::format::Format;
use firth::math::Matrix;
use firth::train::{Every, Loss, Strategy, Task, TrainConfig, Trainer};
use firth::vocabulary::{Given, Segmenter, Subwords};

use crate::earlier::Earlier;
use crate::failure::{Failure, Outcome};
use crate::globals::{Globals, Typed};
use crate::output::{self, Force};
use crate::plan::Plan;
use crate::progress::{self, Log};
use crate::run_folder::{self, Elsewhere, LOG, Lock, Origin, RunFolder};
use crate::staged::Staged;
use crate::text::{self, TextFlags};
use crate::training::{self, Work};
use crate::{documents, model, place, signals};

/// Learn vectors.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Word vectors: each word predicts the words around it (Mikolov et al., 2013). Best for rare words and analogies.
    #[command(
        allow_negative_numbers = true,
        mut_arg("dbow_words", |flag| flag.hide(true)),
        after_help = "Example:\n  firth train skipgram text.txt -o run --dim 300 --epochs 10"
    )]
    Skipgram(Flags),
    /// Word vectors: the words around it predict each word (Mikolov et al., 2013). Faster; good for frequent words.
    #[command(
        allow_negative_numbers = true,
        mut_arg("dbow_words", |flag| flag.hide(true)),
        after_help = "Example:\n  firth train cbow text.txt -o run --dim 300 --epochs 10"
    )]
    Cbow(Flags),
    /// Document vectors: each document predicts its words (Le and Mikolov, 2014; gensim's Doc2Vec with dm=0). With word
    /// vectors.
    #[command(
        allow_negative_numbers = true,
        mut_args(of_documents),
        after_help = "Example:\n  firth train pv-dbow docs.txt -o run && firth nearest run --documents \"a few words\""
    )]
    PvDbow(Flags),
    /// Document vectors: a document, with the words around a centre, predicts it (Le and Mikolov, 2014; gensim's dm=1). With
    /// word vectors.
    #[command(
        allow_negative_numbers = true,
        mut_args(of_documents),
        mut_arg("dbow_words", |flag| flag.hide(true)),
        after_help = "Example:\n  firth train pv-dm docs.txt -o run && firth nearest run --documents \"a few words\""
    )]
    PvDm(Flags),
    /// Codes for documents, and word vectors: a document's words are squeezed through a few numbers and given back. Takes a
    /// matrix, too.
    #[command(
        allow_negative_numbers = true,
        // What is in one document only is left out by --min-documents.
        mut_arg("min_count", |flag| flag.default_value("1")),
        after_help = "Example:\n  firth train autoencoder docs.txt -o run && firth info run --latents"
    )]
    Autoencoder(autoencoder::Flags),
}

/// A flag as the tasks of documents have it.
fn of_documents(flag: clap::Arg) -> clap::Arg {
    const WITHOUT_EFFECT: [&str; 7] = ["heldout", "patience", "min_n", "max_n", "buckets", "from", "grow_vocabulary"];
    if WITHOUT_EFFECT.contains(&flag.get_id().as_str()) {
        flag.hide(true)
    } else if flag.get_id() == "min_count" {
        // A word that two documents share tells something of both.
        flag.default_value("2")
    } else {
        flag
    }
}

/// Flags of all tasks that predict words.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// Text (files, folders, globs, - for standard input; .gz .zst .bz2 .xz too) or one encoded corpus
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "Training")]
    train: TrainConfig,
    /// Start from the vectors of an earlier run; its words keep their rows, and its --dim is used
    #[arg(long, value_name = "RUN", help_heading = "Training on")]
    from: Option<PathBuf>,
    /// With --from, add the words of the text that the earlier run lacks and that occur --min-count times
    #[arg(long, requires = "from", help_heading = "Training on")]
    grow_vocabulary: bool,
    /// Tell what the run will need and how long it will take, after two seconds of trial, and write nothing, no log
    /// either
    #[arg(long, help_heading = "Output")]
    dry_run: bool,
    #[command(flatten)]
    text: TextFlags,
    /// Where the run goes: a folder; a name such as words.bin or words.txt gets the vectors alone; missing folders are
    /// made
    #[arg(short, long, value_name = "PATH", help_heading = "Output")]
    output: PathBuf,
    /// Write the vectors alone, in this format [default: what the name's ending stands for, else a run]
    #[arg(long, value_name = "FORMAT", help_heading = "Output")]
    to: Option<String>,
    #[command(flatten)]
    force: Force,
}

/// Trains and writes the run.
pub fn run(command: &Command, globals: &Globals, typed: &Typed) -> Outcome {
    let (task, flags) = match command {
        Command::Skipgram(flags) => (Task::SkipGram, flags),
        Command::Cbow(flags) => (Task::Cbow, flags),
        Command::PvDbow(flags) => (Task::PvDbow, flags),
        Command::PvDm(flags) => (Task::PvDm, flags),
        Command::Autoencoder(flags) => return autoencoder::run(flags, globals, typed),
    };
    let started = Instant::now();
    let target = flags.output.as_path();
    let read: Vec<PathBuf> = flags.inputs.iter().chain(&flags.from).cloned().collect();
    place::check(target, "a run", &read)?;
    place::check_log(globals.log_json.as_deref(), &read, target)?;
    let vectors_only = place::vectors_only(target, flags.to.as_deref())?;
    if let Some(format) = vectors_only {
        place::check_vectors(target, format, &read, flags.force.force)?;
        for flag in ["checkpoint-every", "keep"] {
            typed.refuse(flag, "vectors alone have no place for checkpoints; name a folder with -o")?;
        }
    } else {
        place::note_folder(target, globals);
    }
    let encoded_input = match flags.inputs.as_slice() {
        [only] if EncodedCorpus::is_encoded(only) => Some(only.as_path()),
        _ => None,
    };
    match encoded_input {
        Some(path) => TextFlags::refuse(typed, &TextFlags::is_encoded(path))?,
        None => flags.text.check(typed)?,
    }
    if task.has_documents() {
        typed.refuse("from", "new documents need no training: firth embed RUN NEW.txt")?;
    }
    let earlier = flags.from.as_deref().map(Earlier::read).transpose()?;
    let config = resolve(task, flags, earlier.as_ref(), vectors_only.is_some(), globals, typed)?;

    let force = flags.force.force;
    let mut run = match vectors_only {
        Some(_) => RunFolder::bare(target, force)?,
        None => RunFolder::new(target, force, config.checkpoint_every)?,
    };
    let folder = run.path()?;
    let mut log = Log::create(Some(&folder.join(LOG)), globals.log_json.as_deref())?;
    let corpus = match (encoded_input, run.staged()) {
        (None, Some(staged)) => build(flags, earlier.as_ref(), staged, &folder, globals, &mut log)?,
        (Some(path), _) => EncodedCorpus::open(path).map_err(Failure::Input)?,
        (None, None) => unreachable!("a new run is hidden until it has a corpus"),
    };
    if let (Some(path), Some(earlier)) = (encoded_input, &earlier) {
        earlier.check(path, &corpus.vocabulary, flags.grow_vocabulary)?;
    }
    let config = config.with_epochs_for(corpus.dataset.tokens()).resolved()?;
    let plan = Plan::of(&config, &corpus, target, vectors_only, encoded_input.is_none())?;
    if flags.dry_run {
        return plan.calibrated(&config, &corpus)?.print(globals);
    }
    if let Some(format) = vectors_only {
        rehearse(task, format, &corpus, &folder.join("rehearsal"), target)?;
    } else {
        if encoded_input.is_some() {
            corpus.save_vocabulary(&folder)?;
        }
        let checksum = corpus.report().checksum.as_str();
        let elsewhere = encoded_input.map_or(Elsewhere::Nothing, Elsewhere::Corpus);
        let origin = Origin { task: name_of(task), inputs: &flags.inputs, elsewhere, checksum: Some(checksum) };
        run_folder::save_config(&folder, typed, &TrainConfig { seed: 0, ..config.clone() }, &origin)?;
    }
    if globals.verbose {
        let settings =
            serde_json::to_string(&config).map_err(|error| firth::Error::Backend { source: Box::new(error) })?;
        progress::note(globals, format_args!("{} words, settings {settings}", corpus.vocabulary.len()));
    }
    let _lock = vectors_only.is_none().then(|| Lock::take(&folder)).transpose()?;
    let mut trainer = Trainer::new(&config, &corpus.vocabulary, &corpus.dataset)?;
    if let Some(earlier) = &earlier {
        earlier.give(&mut trainer)?;
    }
    let summary = training::learn(
        |observer| trainer.run(observer),
        Work::words(config.workers()),
        Some(&mut run),
        globals,
        &mut log,
    )?;
    if run.is_published() {
        // What is left to do takes a moment, and stopping in its middle would leave half a file.
        signals::disarm();
    }
    let drift = earlier.map(|earlier| trainer.drift(&earlier.words));
    let names = documents::names(&trainer, &corpus);
    if let Some(names) = &names {
        documents::warn_of_unmoved(&trainer, &names.keys);
    }
    match (vectors_only, run.staged()) {
        (Some(format), Some(staged)) => {
            let vectors = match names {
                Some(names) => trainer.finish_documents(names)?,
                None => {
                    let contexts = if format.keeps_contexts() { trainer.contexts() } else { None };
                    let segmenter = Segmenter::new(corpus.tokenizer()?, corpus.vocabulary.phrases().clone());
                    trainer.finish()?.with_contexts(contexts)?.with_segmenter(Some(segmenter))
                }
            };
            model::write(&vectors, format, staged, target, globals)?;
        }
        _ => trainer.save(&run.path()?, names.as_ref())?,
    }
    let report = training::report(&summary, drift.as_ref(), target, started)?;
    log.report("done", &report)?;
    drop(log);
    run.finish()?;
    if globals.json {
        return output::json(&report);
    }
    training::print(&summary, drift.as_ref(), &corpus, target, globals)
}

/// The command that a task goes by.
fn name_of(task: Task) -> &'static str {
    match task {
        Task::SkipGram => "skipgram",
        Task::Cbow => "cbow",
        Task::PvDbow => "pv-dbow",
        Task::PvDm => "pv-dm",
    }
}

/// Encodes the text with words of its own, with those of an earlier run, or with both.
fn build(
    flags: &Flags,
    earlier: Option<&Earlier>,
    staged: &Staged,
    folder: &Path,
    globals: &Globals,
    log: &mut Log,
) -> Outcome<EncodedCorpus> {
    let Some(earlier) = earlier else {
        let text = flags.text.open(&flags.inputs, staged, None)?;
        return flags.text.encode(&text, None, folder, globals, log);
    };
    let tokenizer = earlier.segmenter.as_ref().map(|segmenter| segmenter.tokenizer().clone());
    let text = flags.text.open(&flags.inputs, staged, tokenizer)?;
    let given = Given { vocabulary: earlier.vocabulary.clone(), grows: flags.grow_vocabulary };
    flags.text.encode(&text, Some(given), folder, globals, log)
}

/// The settings, checked, but for the passes, which follow from the corpus; a flag without effect on them is refused.
fn resolve(
    task: Task,
    flags: &Flags,
    earlier: Option<&Earlier>,
    is_bare: bool,
    globals: &Globals,
    typed: &Typed,
) -> Outcome<TrainConfig> {
    let mut config = flags.train.clone();
    if let Some(earlier) = earlier {
        if typed.has("dim") && config.dim != earlier.words.dim() {
            let (given, found) = (config.dim, earlier.words.dim());
            return Err(Failure::usage(format!(
                "--dim: {given} does not fit --from, whose vectors have {found} numbers"
            )));
        }
        config.dim = earlier.words.dim();
        typed.refuse("vocabulary", "--from brings its own words")?;
        text::PHRASES.iter().try_for_each(|flag| typed.refuse(flag, "--from brings its own phrases"))?;
        if !flags.grow_vocabulary {
            let why = "--from brings its own words; add --grow-vocabulary";
            ["min-count", "max-vocabulary"].iter().try_for_each(|flag| typed.refuse(flag, why))?;
        }
    }
    config.task = task;
    config.threads = globals.threads();
    config.seed = globals.seed;
    if is_bare {
        config.checkpoint_every = Every::Never;
    }
    if config.strategy != Strategy::Averaged {
        for flag in ["replicas", "sync-tokens"] {
            typed.refuse(flag, "only --strategy averaged has replicas")?;
        }
    }
    if config.checkpoint_every == Every::Never {
        typed.refuse("keep", "no checkpoint is written")?;
    }
    if config.heldout == 0.0 {
        typed.refuse("patience", "nothing is held out; add --heldout 1%")?;
    }
    if config.loss != Loss::Ns {
        for flag in ["negative", "ns-exponent"] {
            typed.refuse(flag, &format!("--loss {} has no noise words", config.loss.name()))?;
        }
    }
    if let Some(earlier) = earlier {
        let theirs = earlier.words.ngrams().map(Ngrams::subwords);
        if !["min-n", "max-n", "buckets"].iter().any(|flag| typed.has(flag)) {
            // Its n-grams go on, too.
            config.min_n = Some(theirs.map_or(0, |subwords| subwords.min_n));
            config.max_n = Some(theirs.map_or(0, |subwords| subwords.max_n));
            config.buckets = theirs.map_or(config.buckets, |subwords| subwords.buckets);
        }
        if config.subwords() != theirs {
            let found = theirs.map_or("no n-grams".into(), |Subwords { min_n, max_n, buckets }| {
                format!("n-grams of {min_n} to {max_n} characters in {buckets} buckets")
            });
            let flags = "--min-n, --max-n, --buckets";
            return Err(Failure::usage(format!("{flags}: do not fit --from, which has {found}; leave them out")));
        }
    }
    if config.subwords().is_none() {
        typed.refuse("buckets", "no n-grams are learnt; add --min-n 3 --max-n 6")?;
    }
    if task != Task::PvDbow {
        typed.refuse("dbow-words", "it is a variant of pv-dbow; see also pv-dm")?;
    } else if !config.dbow_words {
        typed.refuse("window", "documents alone predict, from any distance; add --dbow-words")?;
    }
    config.resolved()?;
    Ok(config)
}

/// Writes the keys with one number each under the output's name, so that what a format cannot hold is told before hours of
/// training.
fn rehearse(task: Task, format: &dyn Format, corpus: &EncodedCorpus, folder: &Path, target: &Path) -> Outcome {
    std::fs::create_dir_all(folder).map_err(|source| firth::Error::io(folder, source))?;
    let path = folder.join(target.file_name().unwrap_or_default());
    let (keys, counts) = if task.has_documents() {
        (documents::keys(corpus), None)
    } else {
        (corpus.vocabulary.keys().clone(), Some(corpus.vocabulary.counts().to_vec()))
    };
    let zeros = Matrix::zeros(keys.len(), 1);
    Ok(format.write(&Embeddings::new(keys, zeros, counts)?, &path)?)
}
