//! What tables have in common: which column holds what, and rows gathered one after another.

use std::path::Path;

use super::care::{self, Omitted};
use super::checks::{Keeps, MAX_DIM, Place};
use super::{Care, numbers, text};
use crate::embeddings::Embeddings;
use crate::error::Result;
use crate::math::Matrix;

/// Names of the column of keys, in any case, the first that is there counts.
const KEY: [&str; 8] = ["word", "key", "token", "term", "name", "text", "id", "label"];
const COUNT: [&str; 3] = ["count", "freq", "frequency"];
const LABEL: [&str; 3] = ["label", "class", "category"];
const TEXT: [&str; 1] = ["text"];
const VECTOR: [&str; 5] = ["vector", "embedding", "embeddings", "values", "vectors"];

/// Which of a table's columns holds what.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Columns {
    pub key: Option<usize>,
    pub count: Option<usize>,
    pub label: Option<usize>,
    pub text: Option<usize>,
    pub vector: Option<usize>,
}

impl Columns {
    /// Finds the columns by name.
    pub fn named(names: &[impl AsRef<str>]) -> Self {
        let find = |wanted: &[&str]| {
            let is = |name: &str, wanted: &str| name.trim().eq_ignore_ascii_case(wanted);
            wanted.iter().find_map(|wanted| names.iter().position(|name| is(name.as_ref(), wanted)))
        };
        let key = find(&KEY);
        let other = |wanted: &[&str]| find(wanted).filter(|&found| Some(found) != key);
        Self { key, count: other(&COUNT), label: other(&LABEL), text: other(&TEXT), vector: other(&VECTOR) }
    }

    /// Is this the column of keys, counts, labels or texts?
    pub fn has(&self, column: usize) -> bool {
        [self.key, self.count, self.label, self.text].contains(&Some(column))
    }
}

/// The name of the column of keys: words, or documents with labels or texts.
pub(super) fn key_name(embeddings: &Embeddings) -> &'static str {
    if embeddings.labels().is_some() || embeddings.texts().is_some() { "key" } else { "word" }
}

/// What a table keeps.
pub(super) const KEEPS: Keeps = Keeps { counts: true, texts: true, ngrams: false, metadata: false };

/// What stands beside a row's numbers.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Row<'a> {
    pub key: &'a [u8],
    pub count: Option<u64>,
    pub label: Option<&'a [u8]>,
    pub text: Option<&'a [u8]>,
}

/// Rows as they are read.
pub(super) struct Rows<'a> {
    path: &'a Path,
    pub omitted: Omitted,
    keys: text::KeyList,
    vectors: Vec<f32>,
    /// Numbers of a row, once the first has told.
    dim: Option<usize>,
    counts: Vec<u64>,
    /// Is there a place for counts, even if there are no rows?
    pub has_counts: bool,
    labels: text::KeyList,
    texts: text::KeyList,
    /// Rows with a label, and with a text.
    beside: (u64, u64),
    /// Bytes of keys, labels and texts.
    text: usize,
    /// The place of each row.
    lines: Vec<u64>,
    by_byte: bool,
    pub warnings: Vec<String>,
    /// How the file keeps the numbers.
    pub numbers: &'static str,
}

impl<'a> Rows<'a> {
    /// No rows yet; their places are lines or, `by_byte`, bytes.
    pub fn new(path: &'a Path, care: Care, dim: Option<usize>, by_byte: bool) -> Self {
        let list = || text::KeyList::with_capacity(0);
        Self {
            path,
            omitted: Omitted::new(care),
            keys: list(),
            vectors: Vec::new(),
            dim,
            counts: Vec::new(),
            has_counts: false,
            labels: list(),
            texts: list(),
            beside: (0, 0),
            text: 0,
            lines: Vec::new(),
            by_byte,
            warnings: Vec::new(),
            numbers: numbers::TEXT,
        }
    }

    /// How many bytes are held, of numbers and of text.
    pub fn held(&self) -> usize {
        4 * self.vectors.len() + self.text
    }

    /// Adds a row, or leaves it out; `read` appends its numbers and gives the rest, or says what is wrong.
    pub fn add<'b>(
        &mut self,
        place: u64,
        read: impl FnOnce(&mut Vec<f32>) -> Result<Row<'b>, (&'static str, String)>,
    ) -> Result<()> {
        let start = self.vectors.len();
        let found = read(&mut self.vectors);
        let count = self.vectors.len() - start;
        let found = found.and_then(|row| match self.dim {
            _ if count == 0 => Err((care::FIELDS, "the vector has no numbers".into())),
            _ if count as u64 > MAX_DIM => {
                Err((care::FIELDS, format!("found a vector of {count} numbers, expected {} at most", MAX_DIM)))
            }
            Some(dim) if dim != count => {
                Err((care::FIELDS, format!("found a vector of {count} numbers, expected {dim} as before")))
            }
            _ => Ok(row),
        });
        let row = match found {
            Ok(row) => row,
            Err((kind, reason)) => {
                self.vectors.truncate(start);
                let row = self.keys.len();
                let place = if self.by_byte { Place::Byte(place, row) } else { Place::Line(place) };
                return self.omitted.row(self.path, &place, kind, || reason);
            }
        };
        self.dim = Some(count);
        self.text +=
            [row.key.len(), row.label.map_or(0, <[u8]>::len), row.text.map_or(0, <[u8]>::len)].iter().sum::<usize>();
        self.keys.push(row.key);
        self.counts.extend(row.count);
        self.labels.push(row.label.unwrap_or_default());
        self.texts.push(row.text.unwrap_or_default());
        self.beside.0 += u64::from(row.label.is_some());
        self.beside.1 += u64::from(row.text.is_some());
        self.lines.push(place);
        Ok(())
    }

    /// All rows, each key once; `None` if nothing told how long they are.
    pub fn finish(self) -> Result<Option<Embeddings>> {
        let Self {
            path,
            omitted,
            keys,
            vectors,
            dim,
            counts,
            has_counts,
            labels,
            texts,
            beside,
            lines,
            by_byte,
            mut warnings,
            numbers,
            ..
        } = self;
        let Some(dim) = dim else { return Ok(None) };
        let place = |row: usize| if by_byte { Place::Byte(lines[row], row) } else { Place::Line(lines[row]) };
        let (rows, counted) = (keys.len(), counts.len());
        if (1..rows).contains(&counted) {
            warnings.push(format!("only {counted} of {rows} rows have a count; the counts were left out"));
        }
        let mut strings = |what: &str, list: text::KeyList| {
            let (strings, escaped) = list.finish_as(what, |row| place(row).to_string());
            warnings.extend(escaped);
            strings
        };
        let keys = strings("keys", keys);
        let [labels, texts] = [("labels", labels, beside.0), ("texts", texts, beside.1)]
            .map(|(what, list, known)| (known > 0).then(|| strings(what, list)));
        let counts = Some(counts).filter(|_| counted == rows && (rows > 0 || has_counts));
        let mut embeddings = Embeddings::new(keys, Matrix::from_vec(rows, dim, vectors)?, counts)?;
        if let Some(labels) = labels {
            embeddings = embeddings.with_labels(labels)?;
        }
        if let Some(texts) = texts {
            embeddings = embeddings.with_texts(texts)?;
        }
        (embeddings.numbers, embeddings.warnings) = (numbers, warnings);
        care::sound(path, embeddings, omitted, place).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_an_end() -> Result<()> {
        let mut rows = Rows::new(Path::new("a"), Care::Strict, None, false);
        let mut add = |count: u64| {
            rows.add(1, |vector| {
                vector.resize(vector.len() + count as usize, 0.0);
                Ok(Row { key: b"a", ..Row::default() })
            })
        };
        let error = add(MAX_DIM + 1).expect_err("too long").to_string();
        assert!(error.contains("a vector of 1048577 numbers, expected 1048576 at most"), "{error}");
        add(MAX_DIM)
    }

    #[test]
    fn the_key_is_the_most_telling_column() {
        let named = |names: &[&str]| Columns::named(names);
        let all = named(&["id", "Text", "label", "COUNT", "embedding"]);
        assert_eq!((all.key, all.label, all.count, all.text, all.vector), (Some(1), Some(2), Some(3), None, Some(4)));
        let documents = named(&["key", "label", "text"]);
        assert_eq!((documents.key, documents.label, documents.text), (Some(0), Some(1), Some(2)));
        assert_eq!(named(&["a", "b"]), Columns::default());
        assert!(documents.has(2) && !documents.has(3));
    }
}
