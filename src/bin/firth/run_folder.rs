//! A run's folder: hidden until its first checkpoint or its end, then in its place; and what a run is resumed from.

use std::fs::File;
use std::path::{Path, PathBuf};

use firth::Error;
use firth::dataset::EncodedCorpus;
use firth::format::native;
use firth::io::AtomicFile;
use firth::train::{self, TrainConfig};

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::Typed;
use crate::staged::{self, Staged};
use crate::{config, signals, text};

/// The file with a run's settings.
const CONFIG: &str = "config.toml";
/// The file with a run's reports.
pub const LOG: &str = "log.jsonl";
/// The folder of a run's checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";

/// Where a run's files go.
pub struct RunFolder {
    target: PathBuf,
    /// The hidden folder, until the run is published.
    staged: Option<Staged>,
    /// The name until the run is finished, if it is to replace something finished.
    interim: Option<PathBuf>,
    /// Are only vectors wanted, beside which a corpus, a log and checkpoints have no place?
    is_bare: bool,
}

impl RunFolder {
    /// A folder in the making that will be named `target`.
    pub fn new(target: &Path, force: bool) -> Outcome<Self> {
        let staged = Staged::folder(target, force)?;
        Ok(Self { target: target.into(), staged: Some(staged), interim: None, is_bare: false })
    }

    /// No folder: vectors alone will be named `target`.
    pub fn bare(target: &Path, force: bool) -> Outcome<Self> {
        let staged = Staged::new(target, force)?;
        Ok(Self { target: target.into(), staged: Some(staged), interim: None, is_bare: true })
    }

    /// The folder of a run that stopped.
    pub fn stopped(target: &Path) -> Self {
        Self { target: target.into(), staged: None, interim: None, is_bare: false }
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
    /// If that place is to be taken from something finished (`--force`), the run gets a name beside it until it is finished
    /// itself, so that stopping it costs nobody anything.
    pub fn saved(&mut self) -> Outcome {
        if let Some(staged) = self.staged.take() {
            // The corpus was left to the system to write; a power failure must not part it from its checkpoint.
            let corpus = File::open(staged.path().join("dataset.safetensors"));
            let _ = corpus.and_then(|corpus| corpus.sync_all()); // There may be none in the run.
            if self.target.exists() && !is_unfinished(&self.target) {
                let mut name = self.target.file_name().unwrap_or_default().to_owned();
                name.push(".unfinished");
                staged.commit_as(Path::new(&name))?;
                self.interim = Some(self.target.with_file_name(name));
            } else {
                // Another process may have begun to go on with the run that is replaced.
                let _lock = self.target.exists().then(|| Lock::take(&self.target)).transpose()?;
                staged.commit()?;
            }
        }
        signals::can_be_resumed(self.place());
        Ok(())
    }

    /// Gives the finished run, or the vectors, their name. The best epoch needs no copy of its own any more.
    pub fn finish(mut self) -> Outcome {
        if let Some(staged) = self.staged.take() {
            staged.commit()?;
        } else if let Some(interim) = self.interim.take() {
            staged::take_place(&interim, &self.target)?;
        }
        if !self.is_bare {
            train::forget_best(&self.target.join(CHECKPOINTS));
        }
        Ok(())
    }

    /// Has the run its name already?
    pub fn is_published(&self) -> bool {
        self.staged.is_none()
    }
}

/// Writes the resolved configuration, itself a file for `--config`, and what it was used on.
pub fn save_config(
    folder: &Path,
    typed: &Typed,
    config: &TrainConfig,
    inputs: &[PathBuf],
    encoded_input: Option<&Path>,
    corpus: &EncodedCorpus,
) -> Outcome {
    let backend = |error: toml::ser::Error| Error::Backend { source: Box::new(error) };
    let mut settings = typed.settings().clone();
    if encoded_input.is_some() {
        settings.retain(|name, _| !text::NAMES.contains(&name));
    }
    let mut resolved = toml::Table::try_from(TrainConfig { seed: 0, ..config.clone() }).map_err(backend)?;
    // The seed stands among the flags already, where it may be larger than TOML's numbers.
    resolved.remove("seed");
    let task = resolved.remove("task").unwrap_or_else(|| "".into());
    settings.extend(resolved);
    let inputs: Vec<toml::Value> = inputs.iter().map(|input| input.to_string_lossy().into_owned().into()).collect();
    let mut run = toml::Table::new();
    run.insert("task".into(), task);
    run.insert("inputs".into(), inputs.into());
    if let Some(path) = encoded_input {
        let path = path.canonicalize().map_err(|source| Error::io(path, source))?;
        run.insert(ENCODED.into(), path.to_string_lossy().into_owned().into());
    }
    run.insert("corpus-checksum".into(), corpus.report().checksum.clone().into());
    run.insert("firth".into(), env!("CARGO_PKG_VERSION").into());
    settings.insert(config::RUN_TABLE.into(), run.into());
    let mut file = AtomicFile::create(&folder.join(CONFIG))?;
    file.write(toml::to_string(&settings).map_err(backend)?.as_bytes())?;
    Ok(file.commit()?)
}

/// The entry, among what a run was used on, of an encoded corpus that lies elsewhere.
const ENCODED: &str = "encoded-corpus";

/// The corpus of a run that stopped: its own, or the one that its settings name.
pub fn corpus(run: &Path) -> Outcome<EncodedCorpus> {
    if EncodedCorpus::is_encoded(run) {
        return EncodedCorpus::open(run).reading();
    }
    let path = run.join(CONFIG);
    let text = std::fs::read_to_string(&path).map_err(|source| Error::io(&path, source)).reading()?;
    let settings: toml::Table = toml::from_str(&text)
        .map_err(|error| Error::data(format!("{}: not TOML: {}", path.display(), error.message())))
        .reading()?;
    let encoded = settings.get(config::RUN_TABLE).and_then(|run| run.get(ENCODED)).and_then(toml::Value::as_str);
    let Some(encoded) = encoded else {
        let reason = format!("neither the run nor {ENCODED} in its settings holds the corpus; train anew");
        return Err(Failure::Input(Error::data(format!("{}: {reason}", run.display()))));
    };
    EncodedCorpus::open(Path::new(encoded)).reading()
}

/// Is it a run that has checkpoints but no vectors yet?
pub fn is_unfinished(path: &Path) -> bool {
    !path.join(native::FILE).exists() && train::checkpoints(&path.join(CHECKPOINTS)).is_ok_and(|all| !all.is_empty())
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
