//! NumPy's `.npy` for the vectors and a text file beside it for the keys (`numpy/lib/format.py`, NEP 1).
//!
//! `NAME.npy`: `\x93NUMPY`, version 1 0, `u16` length of a header that is a Python dictionary padded to 64 bytes, then
//! the rows as little-endian `f32`. `NAME.vocab`: one key per line, UTF-8; `NAME.keys` is read too. Of other programs'
//! files, `f2`, `f4`, `f8` and `i1` in C order are read, and headers of versions 1 to 3.

use std::path::{Path, PathBuf};

use super::care::Omitted;
use super::checks::{self, Keeps, Place};
use super::npy::{self, Header, Kind, Number};
use super::{Candidate, Care, Dtype, Format, care, numbers, text};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::{AtomicFile, MappedFile};
use crate::math::Matrix;
use crate::vocabulary::Keys;

/// What takes keys that this format refuses.
const HOLDS: &str = "safetensors";
/// Endings of the file of keys; the first is written.
const KEYS: [&str; 2] = ["vocab", "keys"];

/// The `.npy` format with keys beside it.
pub struct Numpy;

impl Format for Numpy {
    fn name(&self) -> &'static str {
        "npy"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["numpy"]
    }

    fn about(&self) -> &'static str {
        "NumPy array NAME.npy with the keys in NAME.vocab, one per line"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["npy"]
    }

    fn cannot_hold(&self) -> &'static str {
        "counts, metadata, keys with a newline or carriage return, a first key that begins with a byte order mark"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        checks::dropped(embeddings, Keeps::default())
    }

    fn companions(&self, path: &Path) -> Vec<PathBuf> {
        vec![path.with_extension(KEYS[0])]
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        let beside = path.with_extension(KEYS[0]);
        if beside == path {
            return Err(Error::Unsupported {
                format: self.name().into(),
                feature: format!("vectors in {}, the name of its file of keys; end it in .npy", path.display()),
            });
        }
        numbers::writable(self, embeddings, dtype)?;
        checks::no_characters(self.name(), embeddings.keys(), &['\n', '\r'], HOLDS)?;
        checks::no_mark(self.name(), embeddings.keys(), HOLDS)?;
        let mut keys = AtomicFile::create(&beside)?;
        for key in embeddings.keys().iter() {
            keys.write(key.as_bytes())?;
            keys.write(b"\n")?;
        }
        let mut file = AtomicFile::create(path)?;
        npy::write(&mut file, embeddings.vectors(), dtype).map_err(|source| Error::io(path, source))?;
        // Both are whole by now; the array comes last, since it is what readers look for.
        keys.commit()?;
        file.commit()
    }

    fn dtypes(&self) -> &'static [Dtype] {
        &[Dtype::F32, Dtype::F16]
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let file = candidate.file()?;
        file.advise_sequential();
        let path = file.path();
        let array = Array::read(path, file.bytes(), care)?;
        let mut warnings = Vec::new();
        let (keys, beside) = read_keys(candidate, array.rows, array.said, &mut warnings)?;
        if array.said > array.rows as u64 {
            let (said, rows) = (array.said, array.rows);
            warnings.push(format!("the header says {said} rows, the file holds {rows} whole ones"));
        }
        let vectors = Matrix::from_vec(array.rows, array.dim, array.numbers(file.bytes()))?;
        if array.number.kind == Kind::F64 {
            warnings.push("64-bit numbers were rounded to 32 bits".into());
        }
        let mut embeddings = Embeddings::new(keys, vectors, None)?;
        (embeddings.numbers, embeddings.warnings) = (array.number.kind.name(), warnings);
        let (numbers, keys) = (|row| array.place(row), |row| Place::Line(row as u64 + 1));
        care::sound_apart((path, &numbers), (&beside, &keys), embeddings, Omitted::new(care))
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        candidate.bytes().is_some_and(|bytes| bytes.starts_with(npy::MAGIC))
    }
}

/// Reads the keys of an array from the file beside it, which holds as many or, of an array that is cut, those of all rows.
fn read_keys(candidate: &Candidate, rows: usize, said: u64, warnings: &mut Vec<String>) -> Result<(Keys, PathBuf)> {
    let (path, named) = (candidate.path(), candidate.unpacked_path());
    let names = KEYS.map(|ending| named.with_extension(ending));
    let Some(beside) = names.iter().find(|name| name.is_file() && **name != named) else {
        return Err(Error::data(format!(
            "{}: the keys are missing; write them, one per line, to {} or {}",
            path.display(),
            names[0].display(),
            names[1].display()
        )));
    };
    let file = MappedFile::open(beside)?;
    let lines = text::lines(file.bytes());
    let is_blank = |line: &&[u8]| text::trimmed(line).is_empty();
    let fits = |rows: u64| rows <= lines.len() as u64 && lines[rows as usize..].iter().all(is_blank);
    if !fits(rows as u64) && !fits(said) {
        let found = lines.len();
        let reason = format!("found {found} lines, expected one key for each of {said} rows of {}", path.display());
        return Err(Error::line(beside, said.saturating_add(1).min(found as u64), reason));
    }
    let mut keys = text::KeyList::with_capacity(rows);
    lines[..rows].iter().for_each(|line| keys.push(line));
    let (keys, warning) = keys.finish(|row| format!("line {}", row + 1));
    warnings.extend(warning);
    Ok((keys, beside.clone()))
}

/// An array that may be word vectors.
pub(super) struct Array {
    pub number: Number,
    /// How many rows are there, whole, and how many the header says.
    pub rows: usize,
    pub said: u64,
    pub dim: usize,
    start: usize,
}

impl Array {
    pub(super) fn read(path: &Path, bytes: &[u8], care: Care) -> Result<Self> {
        let fault = |reason: String| Error::byte(path, 0, reason);
        let mut header = Header::read(bytes).map_err(fault)?;
        let room = (bytes.len() - header.start) as u64;
        let said = header.shape.as_ref().and_then(|shape| shape.first().copied()).unwrap_or(0);
        if care == Care::Lenient {
            header.cut(room);
        }
        let (number, rows, dim) = header.vectors(room).map_err(fault)?;
        let found = room - (rows * dim * number.bytes()) as u64;
        if found > 0 && said == rows as u64 {
            let reason = format!("{found} bytes follow {rows} x {dim} numbers; the header's shape is wrong");
            return Err(Error::byte(path, bytes.len() as u64 - found, reason));
        }
        Ok(Self { number, rows, said, dim, start: header.start })
    }

    /// Where a row lies.
    pub(super) fn place(&self, row: usize) -> Place {
        Place::Byte((self.start + row * self.dim * self.number.bytes()) as u64, row)
    }

    /// Its numbers, row after row.
    pub(super) fn numbers(&self, bytes: &[u8]) -> Vec<f32> {
        self.number.floats(&bytes[self.start..][..self.rows * self.dim * self.number.bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, refused, same, scratch};

    fn array(folder: &Path, header: &str, numbers: &[u8], keys: &str) -> Result<Embeddings> {
        let path = folder.join("a.npy");
        let length = (header.len() as u16).to_le_bytes();
        let bytes = [npy::MAGIC, &[1, 0], &length, header.as_bytes(), numbers].concat();
        std::fs::write(&path, bytes).expect("a file");
        std::fs::write(path.with_extension("vocab"), keys).expect("a file");
        crate::format::read(&path)
    }

    #[test]
    fn arrays_are_aligned_and_come_back() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a.npy");
        let words = embeddings(&["a b", "", "日\t本"], 5);
        Numpy.write(&words, &path)?;
        let bytes = std::fs::read(&path).expect("the file");
        assert_eq!((bytes.len(), bytes[127]), (128 + 60, b'\n'));
        same(&words, &crate::format::read(&path)?, false);
        refused(&Numpy, &["a\nb"], "npy cannot hold a key with a newline");
        Ok(())
    }

    #[test]
    fn the_array_has_another_name_than_its_keys() {
        let folder = scratch();
        let error = Numpy.write(&embeddings(&["a"], 1), &folder.path().join("a.vocab")).expect_err("one name");
        assert!(error.to_string().contains("a.vocab, the name of its file of keys; end it in .npy"), "{error}");
    }

    #[test]
    fn other_types_are_read() -> Result<()> {
        let folder = scratch();
        let header = |kind: &str| format!("{{\"descr\": '{kind}', 'fortran_order': False, 'shape': (2, 1), }}");
        let wide = [1.5f64.to_le_bytes(), (-0.1f64).to_le_bytes()].concat();
        let read = array(folder.path(), &header("<f8"), &wide, "\u{feff}a\r\nb\r\n\r\n")?;
        assert_eq!((read.row("a"), read.row("b")), (Some(&[1.5][..]), Some(&[-0.1][..])));
        assert_eq!(read.warnings, ["64-bit numbers were rounded to 32 bits"]);
        let narrow = [0x3c01u16.to_le_bytes(), 0x8001u16.to_le_bytes()].concat();
        let read = array(folder.path(), &header("<f2"), &narrow, "a\nb")?;
        assert_eq!(read.vectors().as_slice(), [1.0 + 1.0 / 1024.0, -(2f32.powi(-24))]);
        let turned = [1.5f32, -2.0].map(f32::to_be_bytes).concat();
        assert_eq!(array(folder.path(), &header(">f4"), &turned, "a\nb")?.vectors().as_slice(), [1.5, -2.0]);
        Ok(())
    }

    #[test]
    fn lenient_takes_the_whole_rows_of_an_array_that_is_cut() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a.npy");
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }";
        let numbers = [1f32, 2.0, 3.0, 4.0, 5.0].map(f32::to_le_bytes).concat();
        // The keys are those of all rows or of the whole ones, else nothing tells whose the rows are.
        for (keys, is_read) in [("a\nb\nc\nd\n", true), ("a\nb\n", true), ("a\nb\nc\n", false), ("a\n", false)] {
            let strict = array(folder.path(), header, &numbers, keys).expect_err("a cut array").to_string();
            assert!(strict.contains("4 keys with 2 numbers each need at least 32 bytes, but 20 are left"), "{strict}");
            match Candidate::open(&path).and_then(|candidate| Numpy.read_as(&candidate, Care::Lenient)) {
                Ok(read) => {
                    assert!(is_read && read.len() == 2 && read.row("b") == Some(&[3.0, 4.0]), "{keys:?}");
                    assert_eq!(read.warnings, ["the header says 4 rows, the file holds 2 whole ones"]);
                }
                Err(error) => assert!(!is_read && error.to_string().contains("for each of 4 rows"), "{error}"),
            }
        }
        Ok(())
    }

    #[test]
    fn faults_are_told_precisely() {
        let folder = scratch();
        let row = [1f32, 2.0].map(f32::to_le_bytes).concat();
        let with = |kind: &str, fortran: &str, shape: &str, keys: &str| {
            let header = format!("{{'descr': {kind}, 'fortran_order': {fortran}, 'shape': {shape}, }}");
            array(folder.path(), &header, &row, keys).map_or_else(|error| error.to_string(), |_| "read".into())
        };
        assert_eq!(with("'<f4'", "False", "(1, 2)", "a\n"), "read");
        for (found, message) in [
            (with("'<f4'", "True", "(1, 2)", "a\n"), "numpy.ascontiguousarray"),
            (with("'<i4'", "False", "(1, 2)", "a\n"), "numbers of type \"'<i4'\""),
            (with("[('x', '<f4')]", "False", "(1, 2)", "a\n"), "astype"),
            (with("'<f4'", "False", "(2,)", "a\n"), "shape \"(2,)\", expected floats (keys, dimension)"),
            (with("'<f4'", "False", "(2, 2)", "a\nb\n"), "2 keys with 2 numbers each need at least 16 bytes, but 8"),
            (with("'<f4'", "False", "(99999999999, 99999999999)", "a\n"), "byte 0: vectors of 99999999999 numbers"),
            (with("'<f4'", "False", "(1, 1)", "a\n"), "4 bytes follow 1 x 1 numbers"),
            (with("'<f4'", "False", "(2, 1)", "a\n"), "a.vocab, line 1: found 1 lines, expected one key for each of 2"),
            (with("'<f4'", "False", "(2, 1)", "a\nb\nc\n"), "a.vocab, line 3: found 3 lines"),
            (with("'<f4'", "False", "(2, 1)", "a\na\n"), "a.vocab, line 2: \"a\" stands here and on line 1"),
        ] {
            assert!(found.contains(message), "{found} holds {message}");
        }
        let (header, halves) = ("{'descr': '<f2', 'fortran_order': False, 'shape': (2, 1), }", [0, 0x3c, 0, 0x7e]);
        let error = array(folder.path(), header, &halves, "a\nb\n").expect_err("not a number").to_string();
        let place = format!("a.npy, byte {}: row 2: number 1 of the vector of \"b\" is NaN", 10 + header.len() + 2);
        assert!(error.contains(&place), "{error} holds {place}");
        std::fs::remove_file(folder.path().join("a.vocab")).expect("the file");
        let error = Numpy.read(&folder.path().join("a.npy")).expect_err("no keys").to_string();
        assert!(error.contains("the keys are missing") && error.contains("a.keys"), "{error}");
    }
}
