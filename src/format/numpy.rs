//! NumPy's `.npy` for the vectors and a text file beside it for the keys (`numpy/lib/format.py`, NEP 1).
//!
//! `NAME.npy`: `\x93NUMPY`, version 1 0, `u16` length of a header that is a Python dictionary padded to 64 bytes, then
//! the rows as little-endian `f32`. `NAME.vocab`: one key per line, UTF-8; `NAME.keys` is read too. Of other programs'
//! files, `<f2`, `<f4` and `<f8` in C order are read, and headers of versions 1 to 3.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::checks::{self, Place};
use super::{Candidate, Format, text};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::{AtomicFile, MappedFile, as_bytes};
use crate::math::Matrix;
use crate::vocabulary::Keys;

const MAGIC: &[u8] = b"\x93NUMPY";
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
        checks::dropped(embeddings, true, true)
    }

    fn write(&self, embeddings: &Embeddings, path: &Path) -> Result<()> {
        let beside = path.with_extension(KEYS[0]);
        if beside == path {
            let reason = format!("{} is the name of the file of keys; end it in .npy", path.display());
            return Err(Error::config("--output", reason));
        }
        checks::writable(embeddings)?;
        checks::no_characters(self.name(), embeddings.keys(), &['\n', '\r'], HOLDS)?;
        checks::no_mark(self.name(), embeddings.keys(), HOLDS)?;
        let mut keys = AtomicFile::create(&beside)?;
        for key in embeddings.keys().iter() {
            keys.write(key.as_bytes())?;
            keys.write(b"\n")?;
        }
        let mut file = AtomicFile::create(path)?;
        let (rows, dim) = (embeddings.len(), embeddings.dim());
        let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
        // Ten bytes stand before it and a newline behind, together a multiple of 64.
        let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
        header.push_str(&" ".repeat(length - 1 - header.len()));
        header.push('\n');
        file.write(MAGIC)?;
        file.write(&[1, 0])?;
        file.write(&(length as u16).to_le_bytes())?;
        file.write(header.as_bytes())?;
        file.write(as_bytes(embeddings.vectors().as_slice()))?;
        // Both are whole by now; the array comes last, since it is what readers look for.
        keys.commit()?;
        file.commit()
    }

    fn read(&self, path: &Path) -> Result<Embeddings> {
        let file = MappedFile::open(path)?;
        file.advise_sequential();
        let header = Header::read(path, file.bytes())?;
        let mut warnings = Vec::new();
        let (keys, beside) = read_keys(path, header.rows, &mut warnings)?;
        let vectors = header.numbers(&file.bytes()[header.start..])?;
        checks::distinct(&beside, &keys, |row| Place::Line(row as u64 + 1, row))?;
        checks::finite(path, &keys, &vectors, |row| {
            Place::Byte((header.start + row * header.dim * header.width.bytes()) as u64, row)
        })?;
        if header.width == Width::F64 {
            warnings.push("64-bit numbers were rounded to 32 bits".into());
        }
        let mut embeddings = Embeddings::new(keys, vectors, None)?;
        embeddings.warnings = warnings;
        Ok(embeddings)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        candidate.bytes().is_some_and(|bytes| bytes.starts_with(MAGIC))
    }
}

/// Reads the file of keys beside an array.
fn read_keys(path: &Path, rows: usize, warnings: &mut Vec<String>) -> Result<(Keys, PathBuf)> {
    let names = KEYS.map(|ending| path.with_extension(ending));
    let Some(beside) = names.iter().find(|name| name.is_file() && *name != path) else {
        return Err(Error::data(format!(
            "{}: the keys are missing; write them, one per line, to {} or {}",
            path.display(),
            names[0].display(),
            names[1].display()
        )));
    };
    let file = MappedFile::open(beside)?;
    let lines = text::lines(file.bytes());
    let (lines, blank) = lines.split_at(rows.min(lines.len()));
    if lines.len() < rows || blank.iter().any(|line| !text::trimmed(line).is_empty()) {
        let found = lines.len() + blank.len();
        let reason = format!("found {found} lines, expected one key for each of {rows} rows of {}", path.display());
        return Err(Error::line(beside, found.min(rows + 1) as u64, reason));
    }
    let mut keys = text::KeyList::with_capacity(rows);
    lines.iter().for_each(|line| keys.push(line));
    let (keys, warning) = keys.finish(|row| format!("line {}", row + 1));
    warnings.extend(warning);
    Ok((keys, beside.clone()))
}

/// The types of numbers that are read.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Width {
    F16,
    F32,
    F64,
}

impl Width {
    fn bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// What stands before the numbers.
struct Header {
    width: Width,
    rows: usize,
    dim: usize,
    start: usize,
}

impl Header {
    fn read(path: &Path, bytes: &[u8]) -> Result<Self> {
        let fault = |reason: String| Error::byte(path, 0, reason);
        let short = || fault("the file ends in its header, expected a NumPy array; write it anew".into());
        if !bytes.starts_with(MAGIC) {
            return Err(fault(format!("found {}, expected a NumPy array", checks::excerpt(bytes))));
        }
        let (before, length) = match bytes.get(6).ok_or_else(short)? {
            1 => (10, bytes.get(8..10).map(|b| u64::from(u16::from_le_bytes([b[0], b[1]])))),
            2 | 3 => (12, bytes.get(8..12).map(|b| u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])))),
            version => return Err(fault(format!("version {version} of .npy, expected 1 to 3"))),
        };
        let length = length.filter(|&length| length <= (bytes.len() - before) as u64).ok_or_else(short)? as usize;
        let start = before + length;
        let header = String::from_utf8_lossy(&bytes[before..start]);
        let entry = |name| {
            entry(&header, name).ok_or_else(|| {
                fault(format!("found the header {}, expected an entry {name:?}", checks::excerpt(header.as_bytes())))
            })
        };

        let kind = entry("descr")?;
        let width = match quoted(kind) {
            Some("<f2") => Width::F16,
            Some("<f4") => Width::F32,
            Some("<f8") => Width::F64,
            _ => {
                let found = checks::excerpt(kind.split(", '").next().unwrap_or(kind).as_bytes());
                let reason = format!("numbers of type {found}, expected '<f2', '<f4' or '<f8'");
                return Err(fault(format!("{reason}; save array.astype('<f4')")));
            }
        };
        if !entry("fortran_order")?.starts_with("False") {
            return Err(fault(
                "the array is stored column by column (fortran_order), expected row by row; \
                 save numpy.ascontiguousarray(array)"
                    .into(),
            ));
        }
        let shape = entry("shape")?;
        let (rows, dim) = pair(shape).ok_or_else(|| {
            let found = shape.split_inclusive(')').next().unwrap_or(shape);
            fault(format!("an array of shape {}, expected (keys, dimension)", checks::excerpt(found.as_bytes())))
        })?;
        let room = (bytes.len() - start) as u64;
        let row_bytes = dim.saturating_mul(width.bytes() as u64);
        let (rows, dim) = checks::shape(rows, dim, row_bytes, room).map_err(&fault)?;
        let found = room - rows as u64 * row_bytes;
        if found > 0 {
            let reason = format!("{found} bytes follow {rows} x {dim} numbers; the header's shape is wrong");
            return Err(Error::byte(path, bytes.len() as u64 - found, reason));
        }
        Ok(Self { width, rows, dim, start })
    }

    /// Copies the numbers; a copy, since NumPy writes over files in place while a map of them is open.
    fn numbers(&self, bytes: &[u8]) -> Result<Matrix> {
        let mut matrix = Matrix::zeros(self.rows, self.dim);
        const PART: usize = 1 << 16;
        let parts = matrix.as_mut_slice().par_chunks_mut(PART).zip(bytes.par_chunks(PART * self.width.bytes()));
        parts.for_each(|(values, bytes)| match self.width {
            Width::F16 => fill(values, bytes.as_chunks().0, |two| half(u16::from_le_bytes(*two))),
            Width::F32 => fill(values, bytes.as_chunks().0, |four| f32::from_le_bytes(*four)),
            Width::F64 => fill(values, bytes.as_chunks().0, |eight| f64::from_le_bytes(*eight) as f32),
        });
        Ok(matrix)
    }
}

fn fill<const N: usize>(values: &mut [f32], bytes: &[[u8; N]], number: impl Fn(&[u8; N]) -> f32) {
    for (value, bytes) in values.iter_mut().zip(bytes) {
        *value = number(bytes);
    }
}

/// A 16-bit float (IEEE 754 binary16), exactly.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = ((bits >> 10) & 0x1f, f32::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f32.powi(-24),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(i32::from(exponent) - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// The text of a dictionary from an entry's value on.
fn entry<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let quoted = ['\'', '"'].map(|quote| format!("{quote}{name}{quote}"));
    let (at, length) = quoted.iter().find_map(|key| Some((header.find(key)?, key.len())))?;
    Some(header[at + length..].trim_start().strip_prefix(':')?.trim_start())
}

/// The string in quotes at the beginning.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    text[1..].split_once(quote).map(|(inside, _)| inside)
}

/// A tuple of two numbers.
fn pair(text: &str) -> Option<(u64, u64)> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let (rows, dim) = inside.trim().trim_end_matches(',').split_once(',')?;
    Some((rows.trim().parse().ok()?, dim.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, refused, same, scratch};

    fn array(folder: &Path, header: &str, numbers: &[u8], keys: &str) -> Result<Embeddings> {
        let path = folder.join("a.npy");
        let length = (header.len() as u16).to_le_bytes();
        let bytes = [MAGIC, &[1, 0], &length, header.as_bytes(), numbers].concat();
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
            (with("'>f4'", "False", "(1, 2)", "a\n"), "numbers of type \"'>f4'\""),
            (with("[('x', '<f4')]", "False", "(1, 2)", "a\n"), "astype"),
            (with("'<f4'", "False", "(2,)", "a\n"), "shape \"(2,)\", expected (keys, dimension)"),
            (with("'<f4'", "False", "(2, 2)", "a\nb\n"), "2 keys with 2 numbers each need at least 16 bytes, but 8"),
            (with("'<f4'", "False", "(99999999999, 99999999999)", "a\n"), "byte 0: vectors of 99999999999 numbers"),
            (with("'<f4'", "False", "(1, 1)", "a\n"), "4 bytes follow 1 x 1 numbers"),
            (with("'<f4'", "False", "(2, 1)", "a\n"), "a.vocab, line 1: found 1 lines, expected one key for each of 2"),
            (with("'<f4'", "False", "(2, 1)", "a\nb\nc\n"), "a.vocab, line 3: found 3 lines"),
            (with("'<f4'", "False", "(2, 1)", "a\na\n"), "a.vocab, line 2: \"a\" stands here and on line 1"),
        ] {
            assert!(found.contains(message), "{found} holds {message}");
        }
        std::fs::remove_file(folder.path().join("a.vocab")).expect("the file");
        let error = Numpy.read(&folder.path().join("a.npy")).expect_err("no keys").to_string();
        assert!(error.contains("the keys are missing") && error.contains("a.keys"), "{error}");
    }
}
