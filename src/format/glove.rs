//! GloVe's text: a key and its numbers on each line, no header (`stanfordnlp/GloVe/src/glove.c`, lines 303-321).
//!
//! The first hundred lines tell the dimension: most end in so many numbers, less the key if that is a number too. All
//! lines are then read from the right, since keys of the large published files hold spaces.

use std::path::Path;

use super::checks::Keeps;
use super::{Candidate, Care, Dtype, Format, checks, detect, numbers, text};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::AtomicFile;

/// What takes keys that this format refuses.
const HOLDS: &str = "safetensors";

/// GloVe's text format.
pub struct Glove;

impl Format for Glove {
    fn name(&self) -> &'static str {
        "glove"
    }

    fn about(&self) -> &'static str {
        "GloVe text: a key and its numbers per line, no header"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["glove"]
    }

    fn cannot_hold(&self) -> &'static str {
        "counts, metadata, keys with a newline or carriage return, no keys at all, \
         a first key that makes the file look like another, keys that mostly end in a number after a space"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        checks::dropped(embeddings, Keeps::default())
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        checks::no_characters(self.name(), embeddings.keys(), &['\n', '\r'], HOLDS)?;
        let Some(first) = embeddings.keys().iter().next() else {
            return Err(Error::Unsupported {
                format: self.name().into(),
                feature: "no keys at all, since nothing would tell the dimension; write word2vec instead".into(),
            });
        };
        checks::no_mark(self.name(), embeddings.keys(), HOLDS)?;
        let lines: String = embeddings.keys().iter().take(text::ASKED).map(|key| format!("{key} 0\n")).collect();
        if text::usual_numbers(lines.as_bytes(), 0) != 1 {
            let mut keys = embeddings.keys().iter().enumerate();
            let (row, key) = keys.find(|(_, key)| text::has_numeric_end(key.as_bytes())).unwrap_or((0, first));
            let why = "that ends in a number after a space, as most of the first do, which tell the dimension";
            return Err(checks::unsupported(self.name(), row, key, why, HOLDS));
        }
        let mut file = AtomicFile::create(path)?;
        text::write(&mut file, Some(embeddings.keys()), embeddings.vectors(), b' ')?;
        detect::no_other(self, &mut file, first, HOLDS)?;
        file.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let file = candidate.file()?;
        file.advise_sequential();
        let (path, bytes) = (file.path(), file.bytes());
        let start = if bytes.starts_with(text::BOM) { text::BOM.len() } else { 0 };
        let dim = text::usual_numbers(&bytes[start..], 0);
        if dim == 0 {
            let found = checks::excerpt(text::line_at(bytes, start));
            return Err(Error::line(path, 1, format!("found {found}, expected a key and its numbers")));
        }
        let layout = text::Layout { start, line: 1, dim, keyed: true, rows: None, care };
        text::read(path, bytes, &layout)?.embeddings(path)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        let Some(bytes) = candidate.bytes() else { return false };
        let line = text::line_at(bytes.strip_prefix(text::BOM).unwrap_or(bytes), 0);
        let is_text = !line.iter().any(|&byte| byte < b' ' && !byte.is_ascii_whitespace());
        is_text && text::numbers_at_end(line, true) > 0 && !has_commas(line)
    }
}

/// Are these fields of a table, with a blank after each comma: a key, numbers with a comma each, and a number?
fn has_commas(line: &[u8]) -> bool {
    let mut fields = text::trimmed(line).rsplit(text::is_blank).filter(|field| !field.is_empty()).skip(1);
    let is_number = |field: &[u8]| field.strip_suffix(b",").is_some_and(|number| text::number(number).is_some());
    // The field before the last, which is not the first.
    fields.next().is_some_and(is_number) && fields.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, refused, same, scratch};

    #[test]
    fn keys_with_spaces_and_numbers_survive() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a.glove");
        let words = embeddings(&["5", ". . .", "", " a", "b ", "route 66", "1 2 3", "日本"], 2);
        Glove.write(&words, &path)?;
        let read = crate::format::read(&path)?;
        same(&words, &read, false);
        assert!(read.warnings.iter().any(|warning| warning.contains("2 keys end in a number")), "{:?}", read.warnings);
        Ok(())
    }

    #[test]
    fn keys_that_would_mislead_the_reader_are_refused() {
        refused(&Glove, &["a", "route 66", "b 7"], "(\"route 66\" in row 2); write safetensors");
        refused(&Glove, &["a 5 "], "tell the dimension");
        refused(&Glove, &["a", "b\nc"], "a key with a newline (\"b\\nc\" in row 2)");
        refused(&Glove, &["\u{feff}a"], "byte order mark");
        refused(&Glove, &[], "no keys at all");
        for (key, look) in [
            ("{\"", "jsonl"),
            ("{ }", "jsonl"),
            ("PAR1s", "parquet"),
            ("FiFu", "finalfusion"),
            ("\u{1}a", "no file of text"),
            ("\0", "no file of text"),
        ] {
            let message = format!("in the first row that makes the file look like {look} ({key:?} in row 1)");
            refused(&Glove, &[key, "a"], &message);
        }
    }

    #[test]
    fn first_keys_like_those_of_other_formats_come_back() -> Result<()> {
        let folder = scratch();
        for first in ["{", "{a", ",", "1,", "route 66", "a 1,", "BM", "PK"] {
            let path = folder.path().join("vectors");
            let words = embeddings(&[first, "b", "PAR1", "{\""], 2);
            Glove.write(&words, &path)?;
            same(&words, &crate::format::read(&path)?, false);
        }
        Ok(())
    }

    #[test]
    fn most_rows_tell_the_dimension() -> Result<()> {
        let text = b"a 0.1\nb 0.1 0.2\nc 0.3 0.4\n";
        let error = crate::format::checks::tests::fault(&Glove, text);
        assert!(error.contains("line 1: found 1 numbers at the end of the line, expected 2"), "{error}");
        let folder = scratch();
        let path = folder.path().join("a.glove");
        std::fs::write(&path, text).expect("a file");
        let read = crate::format::read_as(&path, Care::Lenient)?;
        assert_eq!((read.dim(), read.keys().iter().collect::<Vec<_>>()), (2, vec!["b", "c"]));
        assert!(read.warnings[0].contains("1 rows were left out"), "{:?}", read.warnings);
        Ok(())
    }

    #[test]
    fn tables_with_blanks_after_commas_are_none() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("b.csv");
        for text in ["king, 0.1, 0.2\nqueen, 0.3, 0.4\n", "word, 0, 1\nking, 0.1, 0.2\nqueen, 0.3, 0.4\n"] {
            std::fs::write(&path, text).expect("a file");
            assert_eq!(crate::format::detect(&path)?.name(), "csv");
            let read = crate::format::read(&path)?;
            assert_eq!((read.len(), read.row("queen")), (2, Some(&[0.3, 0.4][..])));
        }
        Ok(())
    }

    #[test]
    fn faults_name_the_line() {
        let fault = |text: &[u8]| crate::format::checks::tests::fault(&Glove, text);
        assert_eq!(fault(b"a 1 2\nb 1 2 \r\n\n \n"), "read");
        assert!(fault(b"").contains("line 1: found \"\""));
        assert!(fault(b"a 1 2\nb 1\n").contains("line 2: found 1 numbers at the end of the line, expected 2"));
        assert!(fault(b"a 1 2\n\nb 1 2\n").contains("line 2: the line is empty"));
        assert!(fault(b"a 1 2\nb 1 nan\n").contains("line 2: number 2 of the vector of \"b\" is not a finite"));
        assert!(fault(b"a 1 2\nb 1 1e60\n").contains("too large"));
        assert!(fault(b"a 1 2\nb 1 2\na 3 4\n").contains("line 3: \"a\" stands here and on line 1"));
    }
}
