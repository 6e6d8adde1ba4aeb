//! A folder that `spacy.load` opens: a pipeline of nothing but a vocabulary with vectors (`explosion/spaCy`,
//! `spacy/vectors.pyx`, `spacy/vocab.pyx`).
//!
//! `vocab/vectors`: a NumPy array. `vocab/key2row`: MessagePack, from the number of a string to its row. `vocab/strings.json`:
//! the strings, whose numbers are hashes (`spacy/strings.rs`). `vocab/vectors.cfg`: the mode and which form of a word is looked
//! up. `meta.json`, `config.cfg`, `tokenizer`: language `xx` (any), and rules for cutting text that come near to firth's
//! words; punctuation marks are tokens of their own. If no key has a capital letter, words are looked up in lower case.
//!
//! Read are folders of any pipeline and its `vocab` folder alone; several strings may share a row.

use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use super::care::Omitted;
use super::checks::{self, Keeps};
use super::cursor::Cursor;
use super::folder::{self, Folder};
use super::numpy::Array;
use super::{Candidate, Care, Dtype, Format, care, npy, numbers};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::{AtomicFile, MappedFile};
use crate::math::Matrix;
use crate::vocabulary::Keys;
use strings::Strings;

mod msgpack;
mod strings;

/// What the pipeline is called, which tells whose it is.
pub const NAME: &str = "firth_vectors";
const VOCABULARY: &str = "vocab";
const VECTORS: &str = "vectors";
const ROWS: &str = "key2row";
const STRINGS: &str = "strings.json";
const SETTINGS: &str = "vectors.cfg";
/// What takes keys that this format refuses.
const HOLDS: &str = "safetensors";
/// spaCy's number for the lower-case form of a word, and for its form as it stands.
const LOWER: u64 = 66;
const ORTH: u64 = 65;

/// The least that spaCy needs to make a pipeline.
const CONFIG: &str = r#"[nlp]
lang = "xx"
pipeline = []
disabled = []
before_creation = null
after_creation = null
after_pipeline_creation = null
batch_size = 1000

[nlp.tokenizer]
@tokenizers = "spacy.Tokenizer.v1"

[nlp.vectors]
@vectors = "spacy.Vectors.v1"

[components]
"#;

/// What is cut off the front and the end of what stands between white space, and what parts it within.
const RULES: [(&str, &str); 3] = [
    ("prefix_search", r"^[^\w\s]"),
    ("suffix_search", r"[^\w\s]$"),
    ("infix_finditer", r"[^\w\s.,;:'’·]+|[.,;:'’·]{2,}|(?<=[^\W\d_])[,;](?=[^\W\d_])"),
];

/// spaCy's vectors.
pub struct Spacy;

impl Format for Spacy {
    fn name(&self) -> &'static str {
        "spacy"
    }

    fn about(&self) -> &'static str {
        "a folder for spacy.load: a blank pipeline with vectors"
    }

    fn is_folder(&self) -> bool {
        true
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["spacy"]
    }

    fn cannot_hold(&self) -> &'static str {
        "counts, metadata, empty keys"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        checks::dropped(embeddings, Keeps::default())
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        checks::no_empty(self.name(), embeddings.keys(), HOLDS)?;
        let numbers = Strings::new().numbers(embeddings.keys().iter());
        let mut sorted: Vec<(u64, usize)> = numbers.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let key = embeddings.keys().get(pair[1].1);
            return Err(checks::unsupported(self.name(), pair[1].1, key, "with the hash of another key", HOLDS));
        }
        let mut folder = Folder::create(path);
        folder.file("config.cfg")?.write(CONFIG.as_bytes())?;
        write_meta(folder.file("meta.json")?, embeddings)?;
        write_rules(folder.file("tokenizer")?)?;
        let lower = !embeddings.keys().text().chars().any(char::is_uppercase);
        let settings = serde_json::json!({"mode": "default", "attr": if lower { LOWER } else { ORTH }});
        folder.file(&format!("{VOCABULARY}/{SETTINGS}"))?.write(settings.to_string().as_bytes())?;
        // No tables: an empty map.
        folder.file(&format!("{VOCABULARY}/lookups.bin"))?.write(&[0x80])?;
        let file = folder.file(&format!("{VOCABULARY}/{STRINGS}"))?;
        for (row, key) in embeddings.keys().iter().enumerate() {
            let before = if row == 0 { "[\n" } else { ",\n" };
            file.write(format!("{before}{}", serde_json::Value::from(key)).as_bytes())?;
        }
        file.write(if embeddings.is_empty() { b"[]\n" } else { b"\n]\n" })?;
        msgpack::write(folder.file(&format!("{VOCABULARY}/{ROWS}"))?, &numbers)?;
        npy::write(folder.file(&format!("{VOCABULARY}/{VECTORS}"))?, embeddings.vectors(), Dtype::F32)
            .map_err(|source| Error::io(path, source))?;
        folder.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let folder = vocabulary(candidate.path()).unwrap_or_else(|| candidate.path().into());
        let [vectors, rows, settings] = [VECTORS, ROWS, SETTINGS].map(|name| folder.join(name));
        if settings.is_file() {
            let found: serde_json::Value = folder::json(&settings)?;
            if let Some(mode) = found["mode"].as_str().filter(|mode| *mode != "default") {
                let reason = format!("vectors of mode {mode:?}, in which words have no rows; expected \"default\"");
                return Err(Error::line(settings, 1, reason));
            }
        }
        let file = MappedFile::open(&vectors)?;
        file.advise_sequential();
        let array = Array::read(&vectors, file.bytes(), Care::Strict)?;
        let map = MappedFile::open(&rows)?;
        let mut cursor = Cursor::new(&rows, map.bytes());
        let mut pairs = msgpack::read(&mut cursor)?;
        cursor.finish()?;
        if let Some((_, row)) = pairs.iter().find(|(_, row)| *row >= array.rows as u64) {
            let reason = format!("a string in row {row}, but {} has {} rows", vectors.display(), array.rows);
            return Err(Error::byte(rows, 0, reason));
        }
        checks::growth(pairs.len() as u64, array.dim as u64, (file.bytes().len() + map.bytes().len()) as u64)
            .map_err(|reason| Error::byte(&rows, 0, reason))?;

        let strings = read_strings(&folder.join(STRINGS))?;
        let known = pairs.len();
        pairs.retain(|(number, _)| strings.contains_key(number));
        // Strings of the same row stay in their order.
        pairs.sort_by_key(|pair| pair.1);
        let numbers = array.numbers(file.bytes());
        let mut values = Vec::with_capacity(pairs.len() * array.dim);
        pairs.iter().for_each(|&(_, row)| values.extend_from_slice(&numbers[row as usize * array.dim..][..array.dim]));
        let values = Matrix::from_vec(pairs.len(), array.dim, values)?;
        let keys: Keys = pairs.iter().map(|(number, _)| &strings[number]).collect();
        let place = |row: usize| array.place(pairs[row].1 as usize);
        let mut embeddings = Embeddings::new(keys, values, None)?;
        embeddings.numbers = array.number.kind.name();
        if pairs.len() < known {
            let lost = known - pairs.len();
            embeddings.warnings.push(format!("{lost} vectors whose strings {STRINGS} does not hold were left out"));
        }
        care::sound(&vectors, embeddings, Omitted::new(care), place)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        candidate.bytes().is_none() && vocabulary(candidate.path()).is_some()
    }
}

/// The folder with the vectors: that of a pipeline or the one given.
fn vocabulary(path: &Path) -> Option<PathBuf> {
    let has_all = |folder: &PathBuf| [VECTORS, ROWS, STRINGS].iter().all(|name| folder.join(name).is_file());
    [path.join(VOCABULARY), path.into()].into_iter().find(has_all)
}

fn write_meta(file: &mut AtomicFile, embeddings: &Embeddings) -> Result<()> {
    let meta = serde_json::json!({
        "lang": "xx",
        "name": NAME,
        "version": "0.0.0",
        "spacy_version": ">=3.4.0,<4.0.0",
        "description": concat!("Word vectors written by firth ", env!("CARGO_PKG_VERSION")),
        "vectors": {"width": embeddings.dim(), "vectors": embeddings.len(), "keys": embeddings.len(), "mode": "default"},
        "pipeline": [],
    });
    file.write(format!("{meta:#}\n").as_bytes())
}

fn write_rules(file: &mut AtomicFile) -> Result<()> {
    let text = |file: &mut AtomicFile, text: &str| {
        // A string of fewer than 2^8 bytes.
        file.write(&[0xd9, u8::try_from(text.len()).expect("a short rule")])?;
        file.write(text.as_bytes())
    };
    file.write(&[0x80 | RULES.len() as u8])?;
    for (name, rule) in RULES {
        text(file, name)?;
        text(file, rule)?;
    }
    Ok(())
}

/// The strings of a vocabulary by their numbers, and spaCy's own symbols.
fn read_strings(path: &Path) -> Result<HashMap<u64, String>> {
    let mut found: Vec<String> = folder::json(path)?;
    let own = Strings::new();
    found.extend(own.symbols().iter().skip(1).cloned());
    let numbers = own.numbers(found.iter().map(String::as_str));
    Ok(numbers.into_iter().zip(found).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, refused, same, scratch};

    #[test]
    fn words_come_back_from_the_pipeline_and_from_its_vocabulary() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        let words = embeddings(&["the", "mark", "New York", "日\"本\n"], 3);
        Spacy.write(&words, &path)?;
        same(&words, &crate::format::read(&path)?, false);
        same(&words, &crate::format::read(&path.join(VOCABULARY))?, false);
        let settings = |path: &Path| std::fs::read_to_string(path.join(VOCABULARY).join(SETTINGS)).expect("JSON");
        assert!(settings(&path).contains("65"));
        Spacy.write(&embeddings(&["the", "日本"], 3), &path)?;
        assert!(settings(&path).contains("66"));
        refused(&Spacy, &["a", ""], "spacy cannot hold a key that is empty");
        Ok(())
    }

    #[test]
    fn faults_name_the_file_and_what_is_missing() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        Spacy.write(&embeddings(&["the", "mark", "sea"], 2), &path)?;
        let vocabulary = path.join(VOCABULARY);
        std::fs::write(vocabulary.join(STRINGS), "[\"the\"]").expect("written");
        let read = Spacy.read(&path)?;
        // That of a symbol is known without its string.
        assert_eq!(read.keys().iter().collect::<Vec<_>>(), ["the", "mark"]);
        assert_eq!(read.warnings, ["1 vectors whose strings strings.json does not hold were left out"]);
        for (name, bytes, message) in [
            (STRINGS, &b"[\"the\", 3]"[..], "strings.json, line 1: not the JSON that it should be"),
            (ROWS, b"\x81\x01\x03", "key2row, byte 0: a string in row 3, but"),
            (SETTINGS, b"{\"mode\": \"floret\"}", "vectors of mode \"floret\", in which words have no rows"),
        ] {
            std::fs::write(vocabulary.join(name), bytes).expect("written");
            let error = Spacy.read(&path).expect_err(message).to_string();
            assert!(error.contains(message), "{error} holds {message}");
        }
        Ok(())
    }
}
