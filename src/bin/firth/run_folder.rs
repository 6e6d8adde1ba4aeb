//! A run's folder: hidden until its first checkpoint or its end, then in its place; and what a run is resumed from.

use std::fs::File;
use std::path::{Path, PathBuf};

use firth::Error;
use firth::dataset::EncodedCorpus;
use firth::embeddings::{Embeddings, PoolingModel, pooling};
use firth::error::WRITE_ANEW;
use firth::format::{Format, native};
use firth::io::AtomicFile;
use firth::tokenizer::Tokenizer;
use firth::train::{self, Every, Loss, output_file};
use firth::vocabulary::{Phrases, Segmenter, Vocabulary};
use serde::Serialize;

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::Typed;
use crate::progress::warn;
use crate::staged::{self, Staged};
use crate::{config, ownership, pooled, signals, text};

/// The file with a run's settings.
pub const CONFIG: &str = "config.toml";
/// The file with a run's reports.
pub const LOG: &str = "log.jsonl";
/// The file with the vectors of a run's documents, or of the rows of its matrix.
pub use firth::train::DOCUMENTS;
/// The file with a run's vocabulary and, if it was made from text, what cut the text into words.
pub const VOCABULARY: &str = "vocabulary.safetensors";
/// The file with the text of a run, or of an encoded corpus, as numbers.
pub const DATASET: &str = "dataset.safetensors";
/// The folder of a run's checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";

/// Where a run's files go.
pub struct RunFolder {
    target: PathBuf,
    /// The hidden folder, until the run is published.
    staged: Option<Staged>,
    /// The name until the run is finished, if it is to replace something finished.
    interim: Option<PathBuf>,
    /// Has the run its name already?
    is_published: bool,
    /// Are only vectors wanted, beside which a corpus, a log and checkpoints have no place?
    is_bare: bool,
    /// May what is there already be replaced?
    force: bool,
}

impl RunFolder {
    /// A folder in the making that will be named `target`.
    pub fn new(target: &Path, force: bool, checkpoints: Every) -> Outcome<Self> {
        let staged = Staged::folder(target, force)?;
        let interim = interim(target);
        let is_needed = checkpoints != Every::Never && target.exists() && !is_unfinished(target);
        if is_needed && interim.symlink_metadata().is_ok() {
            let shown = interim.display();
            if !is_unfinished(&interim) {
                let reason = "has the name under which this run is kept until it is finished; rename it or remove it";
                return Err(Failure::usage(format!("{shown}: {reason}")));
            }
            staged::refuse_existing(&interim, force, None)?;
            warn(format_args!("{shown}: an earlier run, which the first checkpoint of this one will replace"));
        }
        Ok(Self { staged: Some(staged), is_published: false, ..Self::at(target, force) })
    }

    /// No folder: vectors alone will be named `target`.
    pub fn bare(target: &Path, force: bool) -> Outcome<Self> {
        let staged = Staged::new(target, force)?;
        Ok(Self { staged: Some(staged), is_published: false, is_bare: true, ..Self::at(target, force) })
    }

    /// The folder of a run that stopped.
    pub fn stopped(target: &Path) -> Self {
        Self::at(target, false)
    }

    fn at(target: &Path, force: bool) -> Self {
        Self { target: target.into(), staged: None, interim: None, is_published: true, is_bare: false, force }
    }

    /// Where the run's files are now.
    pub fn path(&self) -> Outcome<PathBuf> {
        match &self.staged {
            Some(staged) if self.is_bare => staged.scratch(),
            Some(staged) => Ok(staged.path()),
            None => Ok(self.place().into()),
        }
    }

    /// The name that the run has, or will have, until it is finished.
    pub fn place(&self) -> &Path {
        self.interim.as_deref().unwrap_or(&self.target)
    }

    /// The hidden folder, while it is one.
    pub fn staged(&self) -> Option<&Staged> {
        self.staged.as_ref()
    }

    /// The folder for checkpoints and for the best epoch; hidden with the run until [`RunFolder::saved`].
    pub fn checkpoints(&self) -> Outcome<PathBuf> {
        Ok(self.path()?.join(CHECKPOINTS))
    }

    /// There is a checkpoint, whole, which is to outlive this process: the run takes its place.
    ///
    /// If that place is to be taken from something finished (`--force`), or something has appeared there, the run gets a name
    /// beside it until it is finished itself, so that stopping it costs nobody anything.
    pub fn saved(&mut self) -> Outcome {
        if let Some(staged) = &self.staged {
            // The corpus was left to the system to write; a power failure must not part it from its checkpoint.
            let corpus = File::open(staged.path().join(DATASET));
            let _ = corpus.and_then(|corpus| corpus.sync_all()); // There may be none in the run.
            let is_taken = self.target.symlink_metadata().is_ok() && !is_unfinished(&self.target);
            let place = if is_taken { interim(&self.target) } else { self.target.clone() };
            if let Some(staged) = self.staged.take() {
                staged.commit_as(Path::new(place.file_name().unwrap_or_default()))?;
            }
            self.interim = is_taken.then_some(place);
            self.is_published = true;
        }
        signals::can_be_resumed(self.place());
        Ok(())
    }

    /// Gives the finished run, or the vectors, their name. The best epoch needs no copy of its own any more.
    pub fn finish(mut self) -> Outcome {
        if !self.is_bare {
            train::forget_best(&self.checkpoints()?);
        }
        if let Some(staged) = self.staged.take() {
            staged.commit()?;
        } else if let Some(interim) = self.interim.take() {
            staged::take_place(&interim, &self.target, self.force)?;
        }
        Ok(())
    }

    /// Has the run its name already?
    pub fn is_published(&self) -> bool {
        self.is_published
    }
}

/// The name of a run that is to replace something finished, until it is finished itself.
pub fn interim(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    target.with_file_name(name)
}

/// What a run learns, and from what.
pub struct Origin<'a> {
    /// The task's name.
    pub task: &'a str,
    /// The inputs as they were given.
    pub inputs: &'a [PathBuf],
    /// What the run reads again when it is resumed and does not hold itself.
    pub elsewhere: Elsewhere<'a>,
    /// The checksum of the encoded corpus.
    pub checksum: Option<&'a str>,
}

/// What a run reads and does not hold itself.
#[derive(Clone, Copy)]
pub enum Elsewhere<'a> {
    /// Nothing: its corpus lies in its folder.
    Nothing,
    /// An encoded corpus.
    Corpus(&'a Path),
    /// A matrix, and perhaps another one to be learnt from it.
    Matrix(&'a Path, Option<&'a Path>),
}

/// Writes the settings in force, itself a file for `--config`, and what they were used on. `config` has no seed but zero,
/// since the true one may be larger than TOML's numbers.
pub fn save_config(folder: &Path, typed: &Typed, config: &impl Serialize, origin: &Origin<'_>) -> Outcome {
    let backend = |error: toml::ser::Error| Error::Backend { source: Box::new(error) };
    let mut settings = typed.settings().clone();
    if !matches!(origin.elsewhere, Elsewhere::Nothing) {
        settings.retain(|name, _| !text::NAMES.contains(&name));
    }
    let mut resolved = toml::Table::try_from(config).map_err(backend)?;
    // The seed stands among the flags already.
    resolved.remove("seed");
    resolved.remove("task");
    settings.extend(resolved);
    let inputs: Vec<toml::Value> =
        origin.inputs.iter().map(|input| input.to_string_lossy().into_owned().into()).collect();
    let mut run = toml::Table::new();
    run.insert("task".into(), origin.task.into());
    run.insert("inputs".into(), inputs.into());
    let places = match origin.elsewhere {
        Elsewhere::Nothing => [None, None],
        Elsewhere::Corpus(path) => [Some((ENCODED, path)), None],
        Elsewhere::Matrix(path, target) => [Some((MATRIX, path)), target.map(|target| (TARGET, target))],
    };
    for (name, path) in places.into_iter().flatten() {
        let path = path.canonicalize().map_err(|source| Error::io(path, source))?;
        run.insert(name.into(), path.to_string_lossy().into_owned().into());
    }
    if let Some(checksum) = origin.checksum {
        run.insert("corpus-checksum".into(), checksum.into());
    }
    run.insert("firth".into(), env!("CARGO_PKG_VERSION").into());
    settings.insert(config::RUN_TABLE.into(), run.into());
    let mut file = AtomicFile::create(&folder.join(CONFIG))?;
    file.write(toml::to_string(&settings).map_err(backend)?.as_bytes())?;
    Ok(file.commit()?)
}

/// The entries, among what a run was used on, of an encoded corpus, of a matrix and of its target that lie elsewhere.
const ENCODED: &str = "encoded-corpus";
const MATRIX: &str = "matrix";
const TARGET: &str = "target";

/// A run's settings, as [`save_config`] wrote them.
pub struct Settings(toml::Table);

impl Settings {
    /// Reads them.
    pub fn read(run: &Path) -> Outcome<Self> {
        let path = run.join(CONFIG);
        let text = std::fs::read_to_string(&path).map_err(|source| Error::io(&path, source)).reading()?;
        let table = toml::from_str(&text)
            .map_err(|error| Error::data(format!("{}: not TOML: {}", path.display(), error.message())))
            .reading()?;
        Ok(Self(table))
    }

    /// A flag's value, as it would be typed.
    pub fn get(&self, flag: &str) -> Option<String> {
        let value = self.0.get(flag)?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// What the run learns.
    pub fn task(&self) -> Option<&str> {
        self.used("task")
    }

    /// The matrix that the run learns from, and its target.
    pub fn matrix(&self) -> Option<(&Path, Option<&Path>)> {
        Some((Path::new(self.used(MATRIX)?), self.used(TARGET).map(Path::new)))
    }

    fn used(&self, name: &str) -> Option<&str> {
        self.0.get(config::RUN_TABLE)?.get(name)?.as_str()
    }
}

/// What a run learns, if its folder tells.
pub fn task(run: &Path) -> Option<String> {
    Settings::read(run).ok().as_ref().and_then(Settings::task).map(str::to_owned)
}

/// Refuses a run that lacks a file of its model and has no checkpoint to go on from: what is left of it would pass for
/// something else.
pub fn refuse_incomplete(run: &Path) -> Outcome {
    let Ok(settings) = Settings::read(run) else { return Ok(()) };
    let Some(task) = settings.task() else { return Ok(()) };
    let mut needed = match task {
        "skipgram" | "cbow" => Vec::new(),
        "autoencoder" => vec![firth::autoencoder::FILE, DOCUMENTS],
        "pv-dbow" | "pv-dm" => vec![DOCUMENTS, firth::train::COMMON],
        pooled::TASK => vec![DOCUMENTS, pooling::FILE],
        _ => return Ok(()),
    };
    if settings.matrix().is_none() {
        needed.push(native::FILE);
    }
    match needed.iter().find(|name| !is_unfinished(run) && !run.join(name).is_file()) {
        Some(name) => {
            let remedy = made_anew(task);
            let reason = format!("{name} is missing from the run {} ({task}); {remedy}", run.display());
            Err(Failure::Input(Error::data(reason)))
        }
        None => Ok(()),
    }
}

/// The output table of a run whose words are these, if it keeps one.
pub fn outputs(run: &Path, words: &Embeddings) -> Outcome<Option<Embeddings>> {
    let file = run.join(output_file(Loss::of(&words.metadata)));
    if file.is_file() { native::Native.read(&file).reading().map(Some) } else { Ok(None) }
}

/// The corpus of a run that stopped: its own, or the one that its settings name.
pub fn corpus(run: &Path) -> Outcome<EncodedCorpus> {
    if EncodedCorpus::is_encoded(run) {
        return EncodedCorpus::open(run).reading();
    }
    let settings = Settings::read(run)?;
    let Some(encoded) = settings.used(ENCODED) else {
        let reason = format!("neither the run nor {ENCODED} in its settings holds the corpus; train anew");
        return Err(Failure::Input(Error::data(format!("{}: {reason}", run.display()))));
    };
    EncodedCorpus::open(Path::new(encoded)).reading()
}

/// The run whose words a path gives: itself, or the one in which its file of words lies.
pub fn of(path: &Path) -> Option<&Path> {
    let folder = if path.is_dir() { path } else { path.parent().filter(|_| path.ends_with(native::FILE))? };
    ownership::is_run(folder).then_some(folder)
}

/// What cut a run's text into words, if it tells.
pub fn segmenter(run: &Path) -> Outcome<Option<Segmenter>> {
    let file = run.join(VOCABULARY);
    let (phrases, settings) = if file.is_file() {
        let (vocabulary, settings) = Vocabulary::open_with_settings(&file).reading()?;
        (vocabulary.phrases().clone(), settings)
    } else if run.join(pooling::FILE).is_file() {
        (Phrases::default(), PoolingModel::open(run).reading()?.1)
    } else {
        return Ok(None);
    };
    if settings.contains_key("tokenizer") {
        Ok(Some(Segmenter::new(Tokenizer::from_settings(&settings, run).reading()?, phrases)))
    } else {
        Ok(None)
    }
}

/// Says of a damaged file of a run, or of an encoded corpus, what mends it: nobody writes such a file by hand.
pub fn with_remedy(failure: Failure) -> Failure {
    let (Failure::Library(Error::Parse { path, at, reason }) | Failure::Input(Error::Parse { path, at, reason })) =
        &failure
    else {
        return failure;
    };
    let Some((fault, folder)) = reason.strip_suffix(WRITE_ANEW).zip(path.parent()) else { return failure };
    let (task, shown) = (task(folder), folder.display());
    let is_text = path.ends_with(VOCABULARY) || path.ends_with(DATASET);
    let remedy = if task.is_some() && !is_text && has_checkpoints(folder) {
        let last = if vectors(folder) == folder { native::FILE } else { DOCUMENTS };
        format!("remove {last} and go on from the last checkpoint with firth resume {shown}")
    } else if let Some(task) = task {
        made_anew(&task).into()
    } else if is_text && folder.join(DATASET).is_file() {
        "build the corpus anew".into()
    } else {
        return failure;
    };
    Failure::Input(Error::Parse { path: path.clone(), at: *at, reason: format!("{fault}{remedy}") })
}

/// How a run comes about a second time.
fn made_anew(task: &str) -> &'static str {
    if task == pooled::TASK { "embed its documents anew" } else { "train the run anew" }
}

/// Is it a finished run, one that has what is written last: words, or the codes of a matrix's rows?
pub fn is_finished(path: &Path) -> bool {
    path.join(native::FILE).is_file() || has_rows_alone(path)
}

/// Is it a finished run on a matrix, which has vectors for rows and none for words?
pub fn has_rows_alone(path: &Path) -> bool {
    let is_of_matrix = || Settings::read(path).is_ok_and(|settings| settings.matrix().is_some());
    path.join(DOCUMENTS).is_file() && !path.join(native::FILE).is_file() && is_of_matrix()
}

/// Where the vectors of a model are: the path itself, but of a run on a matrix the file with the codes of its rows.
pub fn vectors(path: &Path) -> PathBuf {
    if has_rows_alone(path) { path.join(DOCUMENTS) } else { path.into() }
}

/// Is it a run that has checkpoints but no vectors yet?
pub fn is_unfinished(path: &Path) -> bool {
    !is_finished(path) && has_checkpoints(path)
}

fn has_checkpoints(run: &Path) -> bool {
    train::checkpoints(&run.join(CHECKPOINTS)).is_ok_and(|all| !all.is_empty())
}

/// A run that was stopped has no model yet.
pub fn refuse_unfinished(path: &Path) -> Outcome {
    if is_unfinished(path) {
        let shown = path.display();
        return Err(Failure::usage(format!("{shown}: is unfinished; go on with firth resume {shown}")));
    }
    Ok(())
}

/// Keeps other processes from going on with the same run; released when dropped.
pub struct Lock(#[allow(dead_code)] File); // Held, not used.

impl Lock {
    /// Locks a run by its log.
    pub fn take(run: &Path) -> Outcome<Self> {
        let path = run.join(LOG);
        let file = File::options().append(true).create(true).open(&path).map_err(|source| Error::io(&path, source))?;
        match file.try_lock() {
            // A file system without locks: then nothing keeps two processes apart, as before.
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => Ok(Self(file)),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(Failure::usage(format!("{}: is being trained by another process", run.display())))
            }
        }
    }
}
