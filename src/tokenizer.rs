//! A line to tokens: at white space, at Unicode word boundaries, or by any Hugging Face `tokenizer.json`.
//!
//! The only home of `tokenizers`; everyone else sees strings.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::error::{Error, Result};

mod export;
mod spans;

/// What a corpus's folder calls its copy of a `tokenizer.json`.
const FILE: &str = "tokenizer.json";

/// Cuts text into tokens.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    kind: Kind,
    lowercase: bool,
}

#[derive(Debug, Clone)]
enum Kind {
    Words,
    Whitespace,
    File { json: Arc<[u8]>, inner: Box<tokenizers::Tokenizer>, pieces: HashMap<u32, String, FixedState>, checksum: u64 },
}

/// Buffers that [`Tokenizer::spans`] reuses from call to call.
#[derive(Debug, Default)]
pub struct Scratch {
    line: Vec<u8>,
    word: String,
}

impl Tokenizer {
    /// `words`: Unicode words (UAX #29), lower-cased, digits kept. `whitespace`: what stands between white space, as
    /// it is. Anything else is the path of a `tokenizer.json`, whose pieces are the tokens.
    ///
    /// `lowercase` overrides the first two's habit; a `tokenizer.json` has its own rule.
    pub fn new(spec: &str, lowercase: Option<bool>) -> Result<Self> {
        match spec {
            "words" => Ok(Self { kind: Kind::Words, lowercase: lowercase.unwrap_or(true) }),
            "whitespace" => Ok(Self { kind: Kind::Whitespace, lowercase: lowercase.unwrap_or(false) }),
            path => {
                if lowercase.is_some() {
                    return Err(Error::config(
                        "--lowercase",
                        format!("{path} has its own rule; leave out --lowercase and --no-lowercase"),
                    ));
                }
                Self::open(Path::new(path)).map_err(|error| match error {
                    Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Error::config(
                        "--tokenizer",
                        format!(
                            "{path:?} is neither words nor whitespace, and no such file exists; give one of them or the \
                             path of a tokenizer.json"
                        ),
                    ),
                    other => other,
                })
            }
        }
    }

    /// Reads a `tokenizer.json`.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_json(path, std::fs::read(path).map_err(|source| Error::io(path, source))?)
    }

    /// Takes the bytes of a `tokenizer.json` that lies in a file.
    pub fn from_json(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        let mut inner =
            parse(&bytes).map_err(|reason| Error::byte(path, 0, format!("not a Hugging Face tokenizer ({reason})")))?;
        let fail = |error| Error::Backend { source: error };
        // Settings for a network's input: here every text is taken whole.
        inner.with_truncation(None).map_err(fail)?;
        inner.with_padding(None);
        // Ids need not be small, nor be given once; of pieces that share one, the first by bytes is taken.
        let mut all: Vec<(u32, String)> = inner.get_vocab(true).into_iter().map(|(piece, id)| (id, piece)).collect();
        all.sort_unstable();
        all.dedup_by_key(|(id, _)| *id);
        let pieces = all.into_iter().collect();
        let checksum = bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let kind = Kind::File { json: bytes.into(), inner: Box::new(inner), pieces, checksum };
        Ok(Self { kind, lowercase: false })
    }

    /// Gives each token of a text in order. A line at a time, or more: a line end is white space.
    pub fn tokens(&self, line: &str, mut each: impl FnMut(&str)) -> Result<()> {
        self.spans(line, &mut Scratch::default(), |text, start, end| {
            each(std::str::from_utf8(&text[start..end]).expect("tokens of UTF-8 are cut between characters"));
        })
    }

    /// Gives each token as a range in a text, the fastest way: the text is the line itself or a buffer. With
    /// [`Tokenizer::is_plain`], tokens are not empty and hold no zero byte if the line holds none.
    pub fn spans(&self, line: &str, scratch: &mut Scratch, mut each: impl FnMut(&[u8], usize, usize)) -> Result<()> {
        let Scratch { line: folded, word } = scratch;
        let text = if self.lowercase {
            folded.clear();
            folded.extend_from_slice(line.as_bytes());
            folded.make_ascii_lowercase();
            &folded[..]
        } else {
            line.as_bytes()
        };
        match &self.kind {
            Kind::Whitespace => spans::whitespace(line, text, self.lowercase, word, &mut each),
            Kind::Words => spans::words(line, text, self.lowercase, word, &mut each),
            Kind::File { inner, pieces, .. } => {
                let encoding = inner.encode_fast(line, false).map_err(|error| Error::Backend { source: error })?;
                for &id in encoding.get_ids() {
                    let piece = pieces.get(&id).map_or("", String::as_str);
                    each(piece.as_bytes(), 0, piece.len());
                }
            }
        }
        Ok(())
    }

    /// Is it one of the built-in two?
    pub fn is_plain(&self) -> bool {
        !matches!(self.kind, Kind::File { .. })
    }

    /// The bytes of the `tokenizer.json` it was read from and the name under which a corpus keeps them.
    pub fn file(&self) -> Option<(&'static str, &[u8])> {
        match &self.kind {
            Kind::File { json, .. } => Some((FILE, json)),
            _ => None,
        }
    }

    /// The pieces of a `tokenizer.json` and their numbers, which rise; the built-in two have none.
    pub fn pieces(&self) -> Vec<(u32, &str)> {
        let Kind::File { pieces, .. } = &self.kind else { return Vec::new() };
        let mut all: Vec<_> = pieces.iter().map(|(&id, piece)| (id, piece.as_str())).collect();
        all.sort_unstable();
        all
    }

    /// What whole words that are unknown become, if a `tokenizer.json` knows only whole words.
    pub fn unknown(&self) -> Option<&str> {
        match &self.kind {
            Kind::File { inner, .. } => match inner.get_model() {
                tokenizers::ModelWrapper::WordLevel(words) => Some(&words.unk_token),
                _ => None,
            },
            _ => None,
        }
    }

    /// What makes it, for a header: `tokenizer` and `lowercase`, or `tokenizer.json` and its checksum.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        let spec = match &self.kind {
            Kind::Words => "words".into(),
            Kind::Whitespace => "whitespace".into(),
            Kind::File { checksum, .. } => {
                settings.insert("tokenizer_checksum".into(), format!("{checksum:016x}"));
                FILE.into()
            }
        };
        if self.is_plain() {
            settings.insert("lowercase".into(), self.lowercase.to_string());
        }
        settings.insert("tokenizer".into(), spec);
        settings
    }

    /// The tokenizer that a header's settings name; a `tokenizer.json` lies in `folder`.
    pub fn from_settings(settings: &BTreeMap<String, String>, folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let tokenizer = match settings.get("tokenizer").map_or("words", String::as_str) {
            spec @ ("words" | "whitespace") => {
                Self::new(spec, settings.get("lowercase").and_then(|text| text.parse().ok()))?
            }
            _ => Self::open(&path)?,
        };
        let now = tokenizer.settings().remove("tokenizer_checksum");
        if let Some(then) = settings.get("tokenizer_checksum").filter(|then| Some(*then) != now.as_ref()) {
            return Err(Error::mismatch(
                format!("{}: checksum", path.display()),
                then,
                now.unwrap_or_else(|| "none".into()),
            ));
        }
        Ok(tokenizer)
    }
}

/// What `tokenizers` makes of a file, or says of it. Of some damage it panics: of a decoder that is no JSON, and within
/// normalizers.
fn parse(json: &[u8]) -> Result<tokenizers::Tokenizer, String> {
    #[derive(serde::Deserialize)]
    struct Checked {
        #[serde(default, rename = "decoder")]
        _decoder: serde_json::Value,
    }
    serde_json::from_slice::<Checked>(json).map_err(|error| error.to_string())?;
    std::panic::catch_unwind(|| tokenizers::Tokenizer::from_bytes(json))
        .unwrap_or_else(|_| Err("its parts do not fit together".into()))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(spec: &str, lowercase: Option<bool>, text: &str) -> Vec<String> {
        let tokenizer = Tokenizer::new(spec, lowercase).expect("a tokenizer");
        let mut all = Vec::new();
        tokenizer.tokens(text, |token| all.push(token.to_owned())).expect("tokens");
        all
    }

    #[test]
    fn words_are_unicode_words_in_lower_case() {
        let text = "Don't stop, R2-D2: 3.14 is \u{201c}ÜBER\u{201d} Москва_1 a.b x..y";
        let expected = ["don't", "stop", "r2", "d2", "3.14", "is", "über", "москва_1", "a.b", "x", "y"];
        assert_eq!(tokens("words", None, text), expected);
        assert_eq!(tokens("words", Some(false), "ÜBER It"), ["ÜBER", "It"]);
    }

    #[test]
    fn whitespace_keeps_what_stands_between() {
        let text = " The\tcat,\u{a0}sat\u{3000}on\u{2003}a  \"mat\".\r\n";
        assert_eq!(tokens("whitespace", None, text), ["The", "cat,", "sat", "on", "a", "\"mat\"."]);
        assert_eq!(tokens("whitespace", Some(true), "The ÜBER"), ["the", "über"]);
        assert!(tokens("whitespace", None, " \n\t ").is_empty());
    }

    #[test]
    fn settings_make_the_same_tokenizer() -> Result<()> {
        let settings = Tokenizer::new("whitespace", Some(true))?.settings();
        assert_eq!(Tokenizer::from_settings(&settings, Path::new("none"))?.settings(), settings);
        let error = Tokenizer::new("wrods", None).expect_err("no such file").to_string();
        assert!(error.contains("neither words nor whitespace"), "{error}");
        assert!(Tokenizer::new("tokenizer.json", Some(true)).is_err());
        Ok(())
    }

    #[test]
    fn ids_of_any_size_are_pieces() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.json");
        let json = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "a": 4000000000, "c": 7, "b": 7}}}"#;
        std::fs::write(&path, json).expect("written");
        assert_eq!(tokens(&path.display().to_string(), None, "a d b c"), ["a", "?", "b", "b"]);
        let tokenizer = Tokenizer::open(&path)?;
        let (name, bytes) = tokenizer.file().expect("a file");
        assert_eq!(bytes, json.as_bytes());
        let settings = tokenizer.settings();
        let error = Tokenizer::from_settings(&settings, folder.path()).expect_err("no copy yet").to_string();
        assert!(error.contains("tokenizer.json") && !error.contains("--tokenizer"), "{error}");
        std::fs::write(folder.path().join(name), json).expect("written");
        assert_eq!(Tokenizer::from_settings(&settings, folder.path())?.settings(), settings);
        std::fs::write(folder.path().join(name), json.replace("\"c\"", "\"x\"")).expect("written");
        assert!(matches!(Tokenizer::from_settings(&settings, folder.path()), Err(Error::Mismatch { .. })));
        Ok(())
    }
}
