//! Other tools' flags that say what a command or a name says here: taken where they agree, refused where they do not.

use crate::failure::{Failure, Outcome};

/// What word2vec.c and gensim call `hs 1`. Both add noise words to it unless told not to, by `negative 0`.
pub const HIERARCHICAL: &str = "--loss=hs";

/// What such a flag chooses.
#[derive(Debug, Clone, Copy)]
pub enum Switch {
    /// word2vec.c's `-cbow`: 1 is CBOW.
    Cbow,
    /// gensim's `sg`: 1 is skip-gram.
    SkipGram,
    /// Hierarchical softmax.
    Hierarchical,
    /// word2vec.c's binary or text.
    Binary,
    /// word2vec.c's `-debug 2` and fastText's `-verbose 2`: how much is said.
    Verbosity,
}

/// The switch of that name.
pub fn find(name: &str) -> Option<Switch> {
    Some(match name {
        "cbow" => Switch::Cbow,
        "sg" => Switch::SkipGram,
        "hs" => Switch::Hierarchical,
        "binary" => Switch::Binary,
        "debug" | "verbose" => Switch::Verbosity,
        _ => return None,
    })
}

impl Switch {
    /// Is it one with these dashes and this value? Our own `--verbose` has none, and a number behind it is an input's name.
    pub fn takes(self, dashes: &str, value: Option<&str>) -> bool {
        !matches!(self, Self::Verbosity) || dashes == "-" && value.is_some_and(|value| value.parse::<u32>().is_ok())
    }

    /// The flag of ours that does the same, if one is needed; `flag` and `value` as typed, `task` of the command.
    pub fn ours(self, flag: &str, value: &str, task: &str) -> Outcome<Option<String>> {
        let refuse = |why: &str| Err(Failure::usage(format!("{flag} {value}: {why}")));
        let is_on = match value {
            _ if matches!(self, Self::Verbosity) => value != "0",
            "0" => false,
            "1" => true,
            _ => return Err(Failure::usage(format!("{flag}: expected 0 or 1, found '{value}'"))),
        };
        let asked = match (self, is_on) {
            (Self::Hierarchical, true) => return Ok(Some(HIERARCHICAL.into())),
            (Self::Hierarchical, false) => return Ok(None),
            (Self::Verbosity, is_on) => return Ok((!is_on).then(|| "--quiet".into())),
            (Self::Binary, true) => return Ok(Some("--to=word2vec-bin".into())),
            (Self::Binary, false) => return Ok(Some("--to=word2vec".into())),
            (Self::Cbow, true) | (Self::SkipGram, false) => "cbow",
            (Self::Cbow, false) | (Self::SkipGram, true) => "skipgram",
        };
        if task == asked { Ok(None) } else { refuse(&format!("use firth train {asked}")) }
    }
}
