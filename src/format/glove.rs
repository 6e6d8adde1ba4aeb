//! GloVe's text: a key and its numbers on each line, no header (`stanfordnlp/GloVe/src/glove.c`, lines 303-321).
//!
//! The first line tells the dimension: the numbers at its end, less the key if that is a number too. All lines are
//! then read from the right, since keys of the large published files hold spaces.

use std::path::Path;

use super::{Candidate, Care, Dtype, Format, checks, numbers, text};
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
         a first key that ends in a number after a space or begins with a byte order mark"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        checks::dropped(embeddings, true, true)
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
        if text::numbers_at_end(format!("{first} 0").as_bytes(), true) != 1 {
            let why = "in the first row that ends in a number after a space, since that row tells the dimension";
            return Err(checks::unsupported(self.name(), 0, first, why, HOLDS));
        }
        checks::no_mark(self.name(), embeddings.keys(), HOLDS)?;
        let mut file = AtomicFile::create(path)?;
        text::write(&mut file, Some(embeddings.keys()), embeddings.vectors(), b' ')?;
        file.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let file = candidate.file()?;
        file.advise_sequential();
        let (path, bytes) = (file.path(), file.bytes());
        let start = if bytes.starts_with(text::BOM) { text::BOM.len() } else { 0 };
        let first = text::line_at(bytes, start);
        let dim = text::numbers_at_end(first, true) as u64;
        if dim == 0 {
            let found = checks::excerpt(first);
            return Err(Error::line(path, 1, format!("found {found}, expected a key and its numbers")));
        }
        let layout = text::Layout { start, line: 1, dim, keyed: true, rows: None, care };
        text::read(path, bytes, &layout)?.embeddings(path)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        let Some(bytes) = candidate.bytes() else { return false };
        let line = text::line_at(bytes.strip_prefix(text::BOM).unwrap_or(bytes), 0);
        !line.iter().any(|&byte| byte < b' ' && !byte.is_ascii_whitespace()) && text::numbers_at_end(line, true) > 0
    }
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
        refused(&Glove, &["route 66"], "(\"route 66\" in row 1); write safetensors");
        refused(&Glove, &["a 5 "], "tells the dimension");
        refused(&Glove, &["a", "b\nc"], "a key with a newline (\"b\\nc\" in row 2)");
        refused(&Glove, &["\u{feff}a"], "byte order mark");
        refused(&Glove, &[], "no keys at all");
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
