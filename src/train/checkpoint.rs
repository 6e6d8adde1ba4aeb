//! Checkpoints: a run's state in a folder, whole or not there, from which it goes on as if it had never stopped.
//!
//! ```text
//! checkpoints/epoch-0002-turn-000117/
//!     words.safetensors      word vectors, a model like any other
//!     context.safetensors (or nodes), documents.safetensors    the other rows of the tables, as the task has them;
//!                            with subwords rows.safetensors and ngrams.safetensors instead of words
//!     state.json             position, losses, configuration, and what they belong to
//! checkpoints/best-epoch-0002/   with --heldout: the tables of the best epoch so far
//! ```
//!
//! The name tells the epochs that are done and the turns, over all epochs. There are no random numbers to keep: every
//! stream is named by seed and position. All tables carry fingerprints, and the state a checksum, so that a damaged
//! checkpoint is known.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TrainConfig;
use super::layout::{self, Part, Sizes};
use super::progress::Tally;
use super::schedule::Schedule;
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::format::{Candidate, Care, Format, native};
use crate::io::{AtomicFile, Container, checksum};
use crate::math::{SharedTable, fingerprint};

/// What the name of the folder with the best epoch's tables begins with.
const BEST: &str = "best-epoch-";

/// The file that makes a folder a checkpoint.
pub const STATE: &str = "state.json";
/// What a checkpoint's name begins with.
const PREFIX: &str = "epoch-";
/// What stands between epochs and turns in it.
const TURN: &str = "-turn-";
/// The ending of a folder that is not whole yet.
const UNFINISHED: &str = ".tmp";
/// The entry of `state.json` with the checksum of all others.
const CHECKSUM: &str = "checksum";
/// The layout of `state.json` that this version reads and writes.
pub(crate) const SCHEMA: u32 = 2;

/// How often a checkpoint is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Every {
    /// Never, not even when the run is interrupted.
    Never,
    /// After every so many epochs.
    Epochs(usize),
    /// After so much time, at the next end of a shard.
    Time(Duration),
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("{text:?} is no interval; expected epoch, 3 (epochs), 90s, 10m, 2h or never");
        let positive = |number: f64| if number > 0.0 { Ok(number) } else { Err(wrong()) };
        match text {
            "never" => return Ok(Self::Never),
            "epoch" => return Ok(Self::Epochs(1)),
            _ => {}
        }
        let digits = text.trim_end_matches(char::is_alphabetic);
        let number: f64 = digits.parse().map_err(|_| wrong()).and_then(positive)?;
        let seconds = match &text[digits.len()..] {
            "" if number.fract() == 0.0 && number <= 1e6 => return Ok(Self::Epochs(number as usize)),
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3600.0,
            _ => return Err(wrong()),
        };
        // One that rounds to nothing could not be read again from the run's settings.
        let time = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
        time.map(Self::Time).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Every {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::Epochs(1) => f.write_str("epoch"),
            Self::Epochs(epochs) => write!(f, "{epochs}"),
            Self::Time(time) if time.as_secs().is_multiple_of(60) && time.subsec_nanos() == 0 => {
                write!(f, "{}m", time.as_secs() / 60)
            }
            Self::Time(time) => write!(f, "{}s", time.as_secs_f64()),
        }
    }
}

impl Serialize for Every {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Every {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        // A number of epochs may stand in a settings file without quotes.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Text {
            Words(String),
            Number(u64),
        }
        let text = match Text::deserialize(deserializer)? {
            Text::Words(text) => text,
            Text::Number(number) => number.to_string(),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How far a run has come: all of it that is not in the tables.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// Turns done, over all epochs.
    pub turn: u64,
    /// Epochs done, whole.
    pub epoch: usize,
    /// What was done in each epoch so far.
    pub epochs: Vec<Tally>,
    /// Held-out loss after each epoch.
    pub heldout: Vec<f64>,
    /// Seconds of training so far.
    pub seconds: f64,
}

impl State {
    /// The epoch, from 0, with the lowest held-out loss.
    pub fn best(&self) -> Option<usize> {
        (0..self.heldout.len()).min_by(|&a, &b| self.heldout[a].total_cmp(&self.heldout[b]))
    }

    /// Is it a place that a run in this order comes by, `measured` after each epoch or not?
    pub fn is_within(&self, schedule: &Schedule, measured: bool) -> bool {
        let (epoch, shard) = schedule.place(self.turn);
        self.turn <= schedule.turns()
            && self.epoch == epoch
            && self.epochs.len() == epoch + usize::from(shard > 0)
            && self.heldout.len() == if measured { epoch } else { 0 }
    }
}

/// What `state.json` holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub schema: u32,
    pub firth: String,
    pub config: TrainConfig,
    /// The checksum of the encoded corpus, in hexadecimal.
    pub corpus: String,
    /// The instructions that trained it.
    pub kernel: String,
    /// All turns of the run: other shards would give them another meaning.
    pub turns: u64,
    pub state: State,
}

impl Record {
    pub fn new(config: &TrainConfig, corpus: u64, kernel: &str, turns: u64, state: &State) -> Self {
        Self {
            schema: SCHEMA,
            firth: env!("CARGO_PKG_VERSION").into(),
            config: config.clone(),
            corpus: format!("{corpus:016x}"),
            kernel: kernel.into(),
            turns,
            state: state.clone(),
        }
    }

    /// Where a checkpoint of it stands.
    pub fn place(&self, keep: usize) -> Place {
        Place { at: (self.state.epoch, self.state.turn), best: self.state.best(), keep }
    }
}

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Checkpoint {
    pub(super) record: Record,
    /// The file of each part of the tables, and its vectors.
    pub(super) tables: Vec<(&'static str, Embeddings)>,
    path: PathBuf,
}

impl Checkpoint {
    /// Reads the newest checkpoint of a folder that is whole. What was wrong with newer ones is said in the second part.
    pub fn newest(folder: &Path) -> Result<(Self, Vec<Error>)> {
        newest(folder, Self::open)
    }

    /// Reads one checkpoint and checks that it is whole.
    pub fn open(path: &Path) -> Result<Self> {
        let record: Record = read_state(path)?;
        let table = |part: Part| {
            let file = Candidate::open(&path.join(part.file))?;
            let vectors = native::Native.read_as(&file, Care::Strict)?;
            native::verify(&native::container(&file)?, vectors.vectors())?;
            Ok::<_, Error>((part.file, vectors))
        };
        // How many rows there must be is known with the corpus only.
        let tables = layout::parts(&record.config, Sizes::default()).into_iter().map(table).collect::<Result<_>>()?;
        Ok(Self { record, tables, path: path.into() })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The settings of the run.
    pub fn config(&self) -> &TrainConfig {
        &self.record.config
    }

    /// The checksum of the encoded corpus that it was trained on, in hexadecimal.
    pub fn corpus(&self) -> &str {
        &self.record.corpus
    }

    /// Epochs that are done, whole.
    pub fn epochs(&self) -> usize {
        self.record.state.epoch
    }

    /// Corpus tokens done, over all epochs.
    pub fn tokens(&self) -> u64 {
        self.record.state.epochs.iter().map(|epoch| epoch.tokens).sum()
    }
}

/// Reads the newest checkpoint of a folder that `open` finds whole, and says what was wrong with newer ones.
pub(crate) fn newest<T>(folder: &Path, open: impl Fn(&Path) -> Result<T>) -> Result<(T, Vec<Error>)> {
    let mut wrong = Vec::new();
    for path in names(folder)?.into_iter().rev() {
        match open(&path) {
            Ok(found) => return Ok((found, wrong)),
            Err(error) => wrong.push(error),
        }
    }
    let shown = folder.display();
    // The newest one's fault is the one to know.
    let Some(error) = wrong.into_iter().next() else {
        return Err(Error::data(format!("{shown}: there is no checkpoint to resume from")));
    };
    // What another version wrote, or what may not be read, has a remedy of its own.
    let is_damage = match &error {
        Error::Parse { .. } | Error::Mismatch { .. } => true,
        Error::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    };
    if !is_damage {
        return Err(error);
    }
    let remedy = "put a copy of one back, or train anew";
    let is_best = |name: &String| name.starts_with(BEST) && !name.ends_with(UNFINISHED);
    let best = entries(folder)?.into_iter().map(|(name, _)| name).find(is_best);
    let best = best.map(|name| format!("; {name} beside it holds the best epoch so far")).unwrap_or_default();
    Err(Error::data(format!("{error}; no checkpoint in {shown} can be read: {remedy}{best}")))
}

/// Reads what a checkpoint's `state.json` holds.
pub(crate) fn read_state<T: serde::de::DeserializeOwned>(checkpoint: &Path) -> Result<T> {
    let file = checkpoint.join(STATE);
    let text = fs::read_to_string(&file).map_err(|source| Error::io(&file, source))?;
    let damaged = |error: serde_json::Error| {
        Error::line(&file, error.line() as u64, format!("the checkpoint is damaged ({error})"))
    };
    let mut state: Value = serde_json::from_str(&text).map_err(damaged)?;
    if let Some(schema) = state["schema"].as_u64().filter(|&schema| schema != u64::from(SCHEMA)) {
        let reason = format!("a checkpoint of layout {schema}, where this version of firth has {SCHEMA}");
        return Err(Error::data(format!("{}: {reason}; resume it with the version that wrote it", file.display())));
    }
    let expected = state.as_object_mut().and_then(|state| state.remove(CHECKSUM));
    let expected = expected.as_ref().and_then(Value::as_str).unwrap_or("none");
    let found = sum(&state);
    if expected != found {
        let what = format!("{}: checksum (the checkpoint is damaged)", file.display());
        return Err(Error::mismatch(what, expected, found));
    }
    serde_json::from_value(state).map_err(|error| Error::data(format!("{}: {error}", file.display())))
}

/// What a state's entries come to. They are sorted by name, and numbers are read as they were written.
fn sum(state: &Value) -> String {
    format!("{:016x}", checksum::part(state.to_string().as_bytes(), 0, u64::from))
}

/// The fault of a checkpoint whose state is none that its run comes by.
pub(crate) fn misplaced(checkpoint: &Path, state: &str) -> Error {
    let (file, folder) = (checkpoint.join(STATE), checkpoint.display());
    let remedy = format!("remove {folder} to go on from the one before, or train anew");
    Error::data(format!("{}: the checkpoint is damaged ({state} is no place in its run); {remedy}", file.display()))
}

/// Where a checkpoint stands in its run, and what is to stay beside it.
pub(crate) struct Place {
    /// Epochs and turns done.
    pub at: (usize, u64),
    /// The epoch, from 0, whose tables are the best so far.
    pub best: Option<usize>,
    /// Checkpoints that stay, the newest ones.
    pub keep: usize,
}

/// Writes a checkpoint, after which only the newest remain: `tables` fills a folder, to which `record` is added.
pub(crate) fn write(
    folder: &Path,
    place: &Place,
    record: &impl Serialize,
    tables: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let name = format!("{PREFIX}{:04}{TURN}{:06}", place.at.0, place.at.1);
    put(folder, &name, |folder| {
        tables(folder)?;
        let mut state = serde_json::to_value(record).map_err(|source| Error::Backend { source: source.into() })?;
        state[CHECKSUM] = sum(&state).into();
        let mut file = AtomicFile::create(&folder.join(STATE))?;
        file.write(format!("{state:#}").as_bytes())?;
        file.commit()
    })?;
    let target = folder.join(&name);
    let all = names(folder)?;
    // Those after this one are damaged, or of a future that a resumed run did not have.
    let (mut kept, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|path| at(path) <= at(&target));
    let old = kept.drain(..kept.len().saturating_sub(place.keep));
    old.chain(later).for_each(|path| discard(&path));
    forget_best_but(folder, place.best);
    Ok(())
}

/// A checkpoint's position, from its name.
fn at(path: &Path) -> Option<(u64, u64)> {
    path.file_name().and_then(|name| position(&name.to_string_lossy()))
}

/// Deletes a folder. One that another process keeps open may stay; it costs disk, not the run.
fn discard(path: &Path) {
    // Renamed first, so that a half-deleted one is never taken for whole.
    let mut doomed = path.as_os_str().to_owned();
    doomed.push(UNFINISHED);
    let doomed = Path::new(&doomed);
    let _ = fs::rename(path, doomed).and_then(|()| fs::remove_dir_all(doomed));
}

/// The name of the folder with an epoch's tables, the epoch from 0.
pub(super) fn best_name(epoch: usize) -> String {
    format!("{BEST}{:04}", epoch + 1)
}

/// Deletes the tables of all epochs but one.
pub(super) fn forget_best_but(folder: &Path, epoch: Option<usize>) {
    let kept = epoch.map(best_name);
    for (name, path) in entries(folder).unwrap_or_default() {
        if name.starts_with(BEST) && Some(&name) != kept.as_ref() {
            discard(&path);
        }
    }
}

/// Deletes what a finished run does not need any more: the tables of its best epoch, which are its own by now.
pub fn forget_best(folder: &Path) {
    forget_best_but(folder, None);
    // Only an empty folder can be removed so.
    let _ = fs::remove_dir(folder);
}

/// Makes a folder within another, whole or not at all, in the place of one of that name.
pub(super) fn put(folder: &Path, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let (target, new) = (folder.join(name), folder.join(format!("{name}{UNFINISHED}")));
    let failed = |source| Error::io(&target, source);
    // What a killed run left half-written, most likely at another turn.
    for (name, path) in entries(folder)? {
        if name.strip_suffix(UNFINISHED).is_some_and(|name| name.starts_with(BEST) || position(name).is_some()) {
            fs::remove_dir_all(path).map_err(failed)?;
        }
    }
    fs::create_dir_all(&new).map_err(failed)?;
    let filled = fill(&new).and_then(|()| {
        // Names must survive a power failure, too; a system that cannot promise it changes nothing else.
        let _ = fs::File::open(&new).and_then(|new| new.sync_all());
        if target.exists() {
            fs::remove_dir_all(&target).map_err(failed)?;
        }
        fs::rename(&new, &target).map_err(failed)?;
        let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    });
    if filled.is_err() {
        // The first failure is what is told.
        let _ = fs::remove_dir_all(&new);
    }
    filled
}

/// Reads a file into some rows of a table that is there already, bit by bit, so that both are never held whole.
pub(super) fn read_into(path: &Path, table: &mut SharedTable, into: Range<usize>) -> Result<()> {
    const PARTS: usize = 16;
    let (rows, dim, stride) = (into.len(), table.dim(), table.stride());
    let mut expected = None;
    for part in 0..PARTS {
        // Pages that were read are given back with the map.
        let container = Container::open_kind(path, native::KIND)?;
        let numbers = container.slice::<f32>("vectors")?;
        if numbers.len() != rows * dim {
            let what = format!("{}: numbers in the table", path.display());
            return Err(Error::mismatch(what, rows * dim, numbers.len()));
        }
        let range = rows * part / PARTS..rows * (part + 1) / PARTS;
        let from = numbers[range.start * dim..range.end * dim].chunks_exact(dim);
        let place = (into.start + range.start) * stride..(into.start + range.end) * stride;
        let to = table.as_padded_mut()[place].chunks_exact_mut(stride);
        to.zip(from).for_each(|(to, from)| to[..dim].copy_from_slice(from));
        expected = container.entry(native::FINGERPRINT).map(str::to_owned);
    }
    let found = format!("{:016x}", fingerprint(table.as_rows().range(into).iter()));
    match expected {
        Some(expected) if expected != found => {
            Err(Error::mismatch(format!("{}: fingerprint (the file is damaged)", path.display()), expected, found))
        }
        _ => Ok(()),
    }
}

/// The checkpoints in a folder, oldest first; none if it does not exist.
pub fn names(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<_> =
        entries(folder)?.into_iter().filter_map(|(name, path)| Some((position(&name)?, path))).collect();
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Epochs and turns done, from a checkpoint's name; as numbers, since a long run needs more digits than the first few.
fn position(name: &str) -> Option<(u64, u64)> {
    let (epoch, turn) = name.strip_prefix(PREFIX)?.split_once(TURN)?;
    Some((epoch.parse().ok()?, turn.parse().ok()?))
}

/// The names in a folder, and their paths; none if it does not exist.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let failed = |source| Error::io(folder, source);
    let found = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.map_err(failed)?,
    };
    let named = |entry: fs::DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry.path());
    found.map(|entry| entry.map(named).map_err(failed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_and_written_alike() {
        let time = |seconds| Ok(Every::Time(Duration::from_secs_f64(seconds)));
        for (text, every) in [
            ("epoch", Ok(Every::Epochs(1))),
            ("3", Ok(Every::Epochs(3))),
            ("never", Ok(Every::Never)),
            ("10m", time(600.0)),
            ("90s", time(90.0)),
            ("0.25s", time(0.25)),
            ("2h", time(7200.0)),
        ] {
            assert_eq!(text.parse::<Every>(), every);
            let again = every.expect("an interval");
            assert_eq!(again.to_string().parse(), Ok(again), "{text}");
        }
        for text in ["", "0", "-1m", "1.5", "10d", "m", "nan", "infs", "1e300h", "1e-10s", "epochs"] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_folder_appears_whole_or_not_at_all_and_only_the_newest_stay() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        assert!(put(folder.path(), "epoch-0001-turn-000001", |_| Err(Error::Interrupted)).is_err());
        assert!(names(folder.path())?.is_empty() && !at("epoch-0001-turn-000001.tmp").exists());
        fs::create_dir(at("epoch-0000-turn-000007.tmp")).expect("what a killed run left");
        let config = TrainConfig::default();
        for turn in 1..=4 {
            let record = Record::new(&config, 7, "scalar", 9, &State { turn, ..State::default() });
            write(folder.path(), &record.place(2), &record, |_| Ok(()))?;
        }
        assert_eq!(names(folder.path())?, [at("epoch-0000-turn-000003"), at("epoch-0000-turn-000004")]);
        assert!(!at("epoch-0000-turn-000007.tmp").exists());
        // A run that went on from the third, since the fourth was damaged, needs what it writes, not that one.
        fs::remove_dir_all(at("epoch-0000-turn-000003")).expect("a folder");
        let record = Record::new(&config, 7, "scalar", 9, &State { turn: 3, ..State::default() });
        write(folder.path(), &record.place(1), &record, |_| Ok(()))?;
        assert_eq!(names(folder.path())?, [at("epoch-0000-turn-000003")]);
        Ok(())
    }

    #[test]
    fn the_best_epoch_stays_until_a_checkpoint_names_another() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = TrainConfig::default();
        let mut state = State { turn: 1, epoch: 2, heldout: vec![2.0, 3.0], ..State::default() };
        let exist = || [0, 1, 2].map(|epoch| folder.path().join(best_name(epoch)).exists());
        (0..3).try_for_each(|epoch| put(folder.path(), &best_name(epoch), |_| Ok(())))?;
        let record = Record::new(&config, 7, "scalar", 9, &state);
        write(folder.path(), &record.place(1), &record, |_| Ok(()))?;
        assert_eq!(exist(), [true, false, false]);
        put(folder.path(), &best_name(2), |_| Ok(()))?;
        assert_eq!(exist(), [true, false, true]);
        (state.turn, state.heldout) = (2, vec![2.0, 3.0, 1.0]);
        let record = Record::new(&config, 7, "scalar", 9, &state);
        write(folder.path(), &record.place(1), &record, |_| Ok(()))?;
        assert_eq!(exist(), [false, false, true]);
        forget_best(folder.path());
        assert_eq!(exist(), [false; 3]);
        Ok(())
    }

    #[test]
    fn checkpoints_are_ordered_by_number_however_long() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let in_order =
            ["epoch-0009-turn-999999", "epoch-0009-turn-1000000", "epoch-9999-turn-000001", "epoch-10000-turn-000002"]
                .map(|name| folder.path().join(name));
        in_order.iter().for_each(|path| fs::create_dir(path).expect("a folder"));
        fs::create_dir(folder.path().join(best_name(0))).expect("a folder");
        assert_eq!(names(folder.path())?, in_order);
        Ok(())
    }
}
