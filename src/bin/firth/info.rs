//! `firth info`: what a path holds; of an autoencoder's run, what its codes mean.

pub mod latents;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use firth::autoencoder::{self, Autoencoder};
use firth::dataset::EncodedCorpus;
use firth::embeddings::{Embeddings, Ngrams};
use firth::format::{self, Care, Format};
use firth::io::Container;
use firth::io::compression::Compression;
use firth::train::{self, Checkpoint};
use firth::vocabulary::{Phrases, Subwords, Vocabulary};
use serde::Serialize;

use crate::embedder::Embedder;
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::Globals;
use crate::output::{self, Results};
use crate::progress::{thousands, warn};
use crate::{codes, model, queries, run_folder};

/// Tell what a model, vector file, corpus or vocabulary is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth info run --check\n  firth info run --latents --top 5")]
pub struct Flags {
    /// A run folder, a vector file of any format (compressed or not), an encoded corpus, or a file of firth's
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Read all of it: are the numbers finite, the keys distinct, the checksums right?
    #[arg(long)]
    check: bool,
    /// For each number of an autoencoder's code, the words that raise and lower it and the documents that show it most and
    /// least
    #[arg(long, conflicts_with = "check")]
    latents: bool,
    /// With --latents, words and documents of each kind, from 1
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = queries::parse_top, requires = "latents")]
    top: usize,
}

/// What `--check` can say. Only firth's own vector files keep a fingerprint; in others a number that changed into another
/// goes unseen.
const READ: &str = "keys are distinct, numbers finite; the format has no checksum, so a changed number would go unseen";
const SOUND: &str = "keys are distinct, numbers finite, the vectors' fingerprint right";
const VERIFIED: &str = "all of it was read and the checksum is right";

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    path: PathBuf,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    /// What a run learnt by.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    /// What the file was packed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dim: Option<usize>,
    /// How the vectors' numbers are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ngrams: Option<NgramsFound>,
    /// Pairs of words that are joined, for each pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    phrases: Vec<usize>,
    /// Numbers of an autoencoder's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<usize>,
    /// Columns of an autoencoder's input.
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    metadata: BTreeMap<String, String>,
    /// What `--check` has made sure of.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<&'static str>,
    checked: bool,
}

/// How words are cut, and how many of the buckets have a row; unknown of a run that is unfinished.
#[derive(Debug, Serialize)]
struct NgramsFound {
    #[serde(flatten)]
    cut: Subwords,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<usize>,
}

impl std::fmt::Display for NgramsFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Subwords { min_n, max_n, buckets } = self.cut;
        let used = self.used.map(|used| format!("{} of ", thousands(used as u64))).unwrap_or_default();
        write!(f, "{min_n} to {max_n} characters, {used}{} buckets", thousands(buckets.into()))?;
        if used.is_empty() { Ok(()) } else { f.write_str(" in use") }
    }
}

/// Looks, and prints.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    if flags.latents {
        return latents::run(&flags.path, flags.top, globals);
    }
    let mut report = look(&flags.path, flags.check)?;
    report.loss = report.metadata.get("firth.config").and_then(|settings| loss_of(settings));
    if globals.json {
        return output::json(&report);
    }
    let number = |name: &str, number: Option<u64>| number.map(|number| (name.to_owned(), thousands(number)));
    let passes: Vec<String> = report.phrases.iter().map(|&pairs| thousands(pairs as u64)).collect();
    let phrases = (!passes.is_empty()).then(|| passes.join(" + "));
    let lines = [
        Some(("kind".to_owned(), report.kind.to_owned())),
        report.task.map(|task| ("task".into(), task)),
        report.loss.map(|loss| ("loss".into(), loss)),
        report.format.map(|format| ("format".into(), format.into())),
        report.compression.map(|compression| ("compression".into(), compression.into())),
        number("keys", report.keys.map(|keys| keys as u64)),
        number("dim", report.dim.map(|dim| dim as u64)),
        report.numbers.map(|numbers| ("numbers".into(), numbers.into())),
        report.ngrams.map(|ngrams| ("n-grams".into(), ngrams.to_string())),
        phrases.map(|phrases| ("phrases".into(), phrases)),
        number("code", report.code.map(|code| code as u64)),
        number("columns", report.columns.map(|columns| columns as u64)),
        number("documents", report.documents),
        number("tokens", report.tokens),
        report.checksum.map(|checksum| ("checksum".into(), checksum)),
        report.fingerprint.map(|fingerprint| ("fingerprint".into(), fingerprint)),
    ];
    let checked = report.check.map(|check| ("check".into(), check.into()));
    let lines = lines.into_iter().flatten().chain(report.metadata).chain(checked);
    let mut results = Results::new();
    output::pairs(&mut results, lines.map(|(name, value)| [name, value]))?;
    results.done()
}

/// The loss that a run's settings name, if they name one.
fn loss_of(settings: &str) -> Option<String> {
    let settings: serde_json::Value = serde_json::from_str(settings).ok()?;
    settings["loss"].as_str().map(str::to_owned)
}

fn look(path: &Path, check: bool) -> Outcome<Report> {
    let mut report = Report { path: path.into(), checked: check, ..Report::default() };
    let has = |name: &str| path.join(name).is_file();
    // A checkpoint, too, has words.
    let is_run = run_folder::is_finished(path);
    report.task = if path.is_dir() { run_folder::task(path) } else { None };
    if run_folder::is_unfinished(path) {
        add_unfinished(&mut report, path, check)?;
        return Ok(report);
    }
    if !is_run {
        run_folder::refuse_incomplete(path)?;
    }
    if path.is_dir() && !is_run && EncodedCorpus::is_encoded(path) {
        report.kind = "corpus";
        add_corpus(&mut report, path, check)?;
        return Ok(report);
    }
    if has("demo.json") {
        report.kind = "demo";
        let parts = ["skipgram", "cbow", "autoencoder", "corpus", "planted", "map.png"].map(|name| path.join(name));
        let parts = parts.iter().filter(|part| part.exists()).map(|part| part.display().to_string());
        report.metadata.insert("holds".into(), parts.collect::<Vec<_>>().join(", "));
        report.checked = false;
        return Ok(report);
    }
    if path.extension().is_some_and(|ending| ending == "toml") && path.is_file() {
        report.kind = "settings";
        report.metadata = settings(path)?;
        return Ok(report);
    }
    let kind = Container::open(path).ok().as_ref().and_then(Container::kind).map(str::to_owned);
    if kind.as_deref() == Some("dataset") {
        report.kind = "dataset";
        let folder = path.parent().unwrap_or(Path::new(""));
        if !EncodedCorpus::is_encoded(folder) {
            let reason = "the text of a corpus as numbers; its words, vocabulary.safetensors, must lie beside it";
            return Err(Failure::Input(firth::Error::data(format!("{}: {reason}", path.display()))));
        }
        add_corpus(&mut report, folder, check)?;
        return Ok(report);
    }
    if kind.as_deref() == Some("vocabulary") {
        let vocabulary = Vocabulary::open(path).reading()?;
        report.kind = "vocabulary";
        add_phrases(&mut report, vocabulary.phrases());
        (report.keys, report.tokens) = (Some(vocabulary.len()), Some(vocabulary.tokens()));
        report.check = check.then_some("all of it was read; it has no checksum of its own");
        return Ok(report);
    }
    if kind.as_deref() == Some("autoencoder") {
        report.kind = "autoencoder";
        add_autoencoder(&mut report, path)?;
        report.check = check.then_some("all of it was read");
        return Ok(report);
    }
    // Reading vectors checks that keys are distinct and numbers finite, whatever the format.
    let candidate = model::open(path)?;
    let found = candidate.format().reading()?;
    let vectors = model::read_as(&candidate, Care::Strict)?;
    report.kind = match is_run {
        true if has(train::STATE) => "checkpoint",
        true => "run",
        false => "vectors",
    };
    report.format = Some(found.name());
    report.compression = candidate.compression().map(Compression::name);
    report.check = check.then_some(READ);
    if found.name() == format::native::Native.name() {
        let container = format::native::container(&candidate).reading()?;
        report
            .metadata
            .extend(container.entry("firth.version").map(|text| ("firth.version".to_owned(), text.to_owned())));
        report.fingerprint = container.entry(format::native::FINGERPRINT).map(str::to_owned);
        if check && format::native::verify(&container, vectors.vectors()).reading()?.is_some() {
            report.check = Some(SOUND);
        }
    }
    add_vectors(&mut report, vectors);
    if is_run && has(autoencoder::FILE) {
        add_autoencoder(&mut report, &path.join(autoencoder::FILE))?;
    }
    if is_run && has(run_folder::DOCUMENTS) {
        add_documents(&mut report, path, check)?;
    }
    if is_run && EncodedCorpus::is_encoded(path) {
        add_corpus(&mut report, path, check)?;
    } else if is_run && has(run_folder::VOCABULARY) {
        add_phrases(&mut report, Vocabulary::open(&path.join(run_folder::VOCABULARY)).reading()?.phrases());
    }
    Ok(report)
}

/// A run that was stopped: where it stands, and that its checkpoint is whole.
fn add_unfinished(report: &mut Report, path: &Path, check: bool) -> Outcome {
    let folder = path.join(run_folder::CHECKPOINTS);
    report.kind = "unfinished run";
    let settings = if report.task.as_deref() == Some(codes::TASK) {
        let (checkpoint, damaged) = autoencoder::Checkpoint::newest(&folder).reading()?;
        damaged.into_iter().for_each(warn);
        let config = checkpoint.config();
        report.code = config.code;
        add_epochs(report, checkpoint.epochs(), config.epochs.unwrap_or_default());
        serde_json::to_string(config)
    } else {
        let (checkpoint, damaged) = Checkpoint::newest(&folder).reading()?;
        damaged.into_iter().for_each(warn);
        let config = checkpoint.config();
        report.dim = Some(config.dim);
        report.ngrams = config.subwords().map(|cut| NgramsFound { cut, used: None });
        add_epochs(report, checkpoint.epochs(), config.epochs());
        report.metadata.extend([
            ("checkpoint".to_owned(), checkpoint.path().display().to_string()),
            ("tokens done".to_owned(), checkpoint.tokens().to_string()),
            ("firth.corpus".to_owned(), checkpoint.corpus().to_owned()),
        ]);
        serde_json::to_string(config)
    };
    let settings = settings.map_err(|error| firth::Error::Backend { source: Box::new(error) })?;
    report.metadata.insert("firth.config".to_owned(), settings);
    report.check = check.then_some("the checkpoint's fingerprints are right");
    if EncodedCorpus::is_encoded(path) {
        add_corpus(report, path, check)?;
    }
    Ok(())
}

fn add_epochs(report: &mut Report, done: usize, all: usize) {
    report.metadata.insert("epochs done".to_owned(), format!("{done} of {all}"));
}

/// An autoencoder: its shape, and the settings that made it.
fn add_autoencoder(report: &mut Report, file: &Path) -> Outcome {
    let model = Autoencoder::open(file).reading()?;
    (report.code, report.columns) = (Some(model.code()), Some(model.columns()));
    let settings =
        serde_json::to_string(model.config()).map_err(|error| firth::Error::Backend { source: Box::new(error) })?;
    report.metadata.insert("firth.config".to_owned(), settings);
    Ok(())
}

/// The codes of an autoencoder's documents, or of the rows of its matrix.
fn add_documents(report: &mut Report, run: &Path, check: bool) -> Outcome {
    let file = run.join(run_folder::DOCUMENTS);
    let candidate = model::open(&file)?;
    let codes = model::read_as(&candidate, Care::Strict)?;
    report.documents = Some(codes.len() as u64);
    if check {
        let container = format::native::container(&candidate).reading()?;
        format::native::verify(&container, codes.vectors()).reading()?;
        // Whatever else its model holds is read, and compared with what was noted of it.
        run_folder::refuse_incomplete(run)?;
        if !run_folder::has_rows_alone(run) {
            Embedder::open(run)?;
        }
    }
    Ok(())
}

/// A file of settings, a line each; what a run was trained on is among them.
fn settings(path: &Path) -> Outcome<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).map_err(|source| firth::Error::io(path, source)).reading()?;
    let table: toml::Table = toml::from_str(&text)
        .map_err(|error| firth::Error::data(format!("{}: not TOML: {}", path.display(), error.message())))
        .reading()?;
    let plain = |value: &toml::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut found = BTreeMap::new();
    for (name, value) in &table {
        match value {
            toml::Value::Table(inner) => {
                found.extend(inner.iter().map(|(key, value)| (format!("{name}.{key}"), plain(value))));
            }
            value => drop(found.insert(name.clone(), plain(value))),
        }
    }
    Ok(found)
}

fn add_vectors(report: &mut Report, vectors: Embeddings) {
    (report.keys, report.dim) = (Some(vectors.len()), Some(vectors.dim()));
    report.numbers = Some(vectors.numbers);
    let found = |ngrams: &Ngrams| NgramsFound { cut: ngrams.subwords(), used: Some(ngrams.buckets().len()) };
    report.ngrams = vectors.ngrams().map(found);
    if let Some(segmenter) = vectors.segmenter() {
        add_phrases(report, segmenter.phrases());
    }
    report.metadata.extend(vectors.metadata);
}

fn add_phrases(report: &mut Report, phrases: &Phrases) {
    report.phrases = phrases.passes().iter().map(Vec::len).collect();
}

fn add_corpus(report: &mut Report, path: &Path, check: bool) -> Outcome {
    let corpus = EncodedCorpus::open(path).reading()?;
    let counted = corpus.report();
    report.keys = report.keys.or(Some(corpus.vocabulary.len()));
    report.documents = report.documents.or(Some(counted.documents));
    report.tokens = Some(counted.tokens_kept);
    report.checksum = Some(counted.checksum.clone());
    add_phrases(report, corpus.vocabulary.phrases());
    if check {
        corpus.dataset.verify().reading()?;
        report.check = report.check.or(Some(VERIFIED));
    }
    Ok(())
}
