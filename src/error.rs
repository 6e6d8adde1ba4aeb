//! The library's only error type, grouped by what the reader must do.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// What a firth function returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed. Each variant asks for a different remedy, which its message names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused: mend the path, the permission or the disk.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file holds something else than it should: mend the input.
    #[error("{}, {at}: {reason}", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where in it.
        at: Position,
        /// What was found, what was expected, what to do.
        reason: String,
    },
    /// An option's value is out of range or does not fit the others: change that option.
    #[error("{option}: {reason}")]
    Config {
        /// The option, as the command line spells it: `--dim`.
        option: String,
        /// What was given, what is allowed.
        reason: String,
    },
    /// The data do not allow what was asked: change the corpus or a threshold.
    #[error("{reason}")]
    Data {
        /// What is missing, with the file and the numbers.
        reason: String,
    },
    /// A word or document that the model does not know: ask for another.
    #[error("{key:?} is not in the vocabulary{}", suggestion(.nearest))]
    UnknownKey {
        /// The key asked for.
        key: String,
        /// Known keys that are spelt alike, nearest first; may be empty.
        nearest: Vec<String>,
    },
    /// A format cannot hold or do this: choose another.
    #[error("{format} cannot hold {feature}")]
    Unsupported {
        /// The format's name.
        format: String,
        /// What it cannot hold, and which format can.
        feature: String,
    },
    /// Two things that should belong together do not.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// What was compared.
        what: String,
        /// The value that would fit.
        expected: String,
        /// The value met.
        found: String,
    },
    /// Training left the finite numbers, or learns nothing any more: lower the learning rate.
    #[error("training diverged in epoch {epoch} after {tokens} tokens at learning rate {lr}: {cause}; lower --lr")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// Tokens seen so far.
        tokens: u64,
        /// The learning rate at that point.
        lr: f32,
        /// How it showed.
        cause: Divergence,
    },
    /// The user stopped it.
    #[error("interrupted")]
    Interrupted,
    /// A library underneath failed in a way that is not the user's doing: report it.
    #[error("{source}")]
    Backend {
        /// What the library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// How it shows that training has diverged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Divergence {
    /// The loss, or a number of the model, is infinite or none at all.
    NotFinite,
    /// The loss is far above what knowing nothing comes to.
    AboveChance {
        /// The mean loss.
        loss: f64,
        /// That of a model that knows nothing.
        chance: f64,
    },
}

impl Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFinite => f.write_str("the loss, or a number of the model, is no longer finite"),
            Self::AboveChance { loss, chance } => {
                write!(f, "the loss, {loss:.4}, is far above that of knowing nothing, {chance:.4}")
            }
        }
    }
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// A line, from 1.
    Line(u64),
    /// A byte offset, from 0.
    Byte(u64),
}

impl Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Byte(byte) => write!(f, "byte {byte}"),
        }
    }
}

/// How the fault of a damaged file ends; whoever knows what wrote the file may put a better remedy in its place.
pub const WRITE_ANEW: &str = "write it anew";

impl Error {
    /// A file-system error with its path.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().into(), source }
    }

    /// A malformed line, counted from 1.
    pub fn line(path: impl AsRef<Path>, line: u64, reason: impl Into<String>) -> Self {
        Self::Parse { path: path.as_ref().into(), at: Position::Line(line), reason: reason.into() }
    }

    /// Malformed bytes at an offset from 0.
    pub fn byte(path: impl AsRef<Path>, byte: u64, reason: impl Into<String>) -> Self {
        Self::Parse { path: path.as_ref().into(), at: Position::Byte(byte), reason: reason.into() }
    }

    /// A file of firth's own that nobody can mend by hand.
    pub(crate) fn damaged(path: impl AsRef<Path>, fault: impl Display) -> Self {
        Self::byte(path, 0, format!("{fault}; the file is damaged, {WRITE_ANEW}"))
    }

    /// An option out of range.
    pub fn config(option: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config { option: option.into(), reason: reason.into() }
    }

    /// Data that do not allow what was asked.
    pub fn data(reason: impl Into<String>) -> Self {
        Self::Data { reason: reason.into() }
    }

    /// Two things that do not belong together.
    pub fn mismatch(what: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Self::Mismatch { what: what.into(), expected: expected.to_string(), found: found.to_string() }
    }
}

/// Fails, naming the option and its range, if a value lies outside it.
pub(crate) fn check_range<T: PartialOrd + Display>(option: &str, value: T, range: RangeInclusive<T>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let (low, high) = (range.start(), range.end());
    Err(Error::config(option, format!("{value} is out of range, expected {low} to {high}")))
}

/// Fails, naming the option, if a number is not above 0, or not finite.
pub(crate) fn check_positive(option: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::config(option, format!("{value} is out of range, expected a number above 0")))
}

/// What a message about an unknown name ends with: the known ones that are spelt alike.
pub fn suggestion(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!("; did you mean {one:?}?"),
        several => format!("; did you mean one of {}?", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_file_place_and_remedy() {
        let error = Error::line("a/b.txt", 3, "found 2 numbers, expected 100");
        assert_eq!(error.to_string(), "a/b.txt, line 3: found 2 numbers, expected 100");
        let error = Error::UnknownKey { key: "kimg".into(), nearest: vec!["king".into()] };
        assert_eq!(error.to_string(), "\"kimg\" is not in the vocabulary; did you mean \"king\"?");
    }
}
