//! word2vec's two files (`tmikolov/word2vec/word2vec.c`, lines 574-579; gensim reads and writes both).
//!
//! Both begin with a line "keys dimension". Text: the key, a space and the numbers, with spaces between, on a line.
//! Binary: the key, a space, the numbers as little-endian `f32`, and a newline that C and firth write and gensim does
//! not; newlines before a key are skipped, so that both are read.

use std::path::Path;

use rayon::prelude::*;

use super::care::Omitted;
use super::checks::{Keeps, Place};
use super::{Candidate, Care, Dtype, Format, care, checks, numbers, text};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::{AtomicFile, as_bytes};
use crate::math::Matrix;
use crate::vocabulary::Keys;

/// What takes keys that these formats refuse.
const HOLDS: &str = "safetensors or npy";
/// The kind of a row that the end of the file cuts.
const CUT: &str = "that end before their numbers do";
/// No header is longer.
const HEADER: usize = 64;

/// word2vec's text format; fastText's `.vec` is the same.
pub struct Text;

/// word2vec's binary format.
pub struct Binary;

impl Format for Text {
    fn name(&self) -> &'static str {
        "word2vec"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["word2vec-text", "text", "vec"]
    }

    fn about(&self) -> &'static str {
        "word2vec text with a header line, as gensim, fastText and spaCy read it"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["txt", "vec", "w2v"]
    }

    fn cannot_hold(&self) -> &'static str {
        "counts, metadata, empty keys, keys with a space, tab, newline or carriage return"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        checks::dropped(embeddings, Keeps::default())
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        checks::no_characters(self.name(), embeddings.keys(), &[' ', '\t', '\n', '\r'], HOLDS)?;
        checks::no_empty(self.name(), embeddings.keys(), HOLDS)?;
        let mut file = AtomicFile::create(path)?;
        file.write(format!("{} {}\n", embeddings.len(), embeddings.dim()).as_bytes())?;
        text::write(&mut file, Some(embeddings.keys()), embeddings.vectors(), b' ')?;
        file.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let file = candidate.file()?;
        file.advise_sequential();
        let (path, bytes) = (file.path(), file.bytes());
        let Header { rows, dim: said, start } = Header::parse(path, bytes)?;
        let found = text::numbers_at_end(text::line_at(bytes, start), true) as u64;
        if care == Care::Strict && found > said {
            let reason = format!("found {found} numbers after the key, the header says {said}");
            return Err(Error::line(path, 2, format!("{reason}; correct it, or read it with firth convert --lenient")));
        }
        let dim = if care == Care::Lenient { text::usual_numbers(&bytes[start..], said) } else { said };
        let layout = text::Layout { start, line: 2, dim, keyed: true, rows: Some(rows), care };
        let mut table = text::read(path, bytes, &layout)?;
        if dim != said {
            table.warnings.push(format!("the header says {said} numbers after the key, the rows have {dim}"));
        }
        table.trim_keys();
        table.embeddings(path)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        let Some((header, bytes)) = candidate.bytes().and_then(|bytes| Some((Header::find(bytes)?, bytes))) else {
            return false;
        };
        let row = text::line_at(bytes, header.start);
        let numbers = text::numbers_at_end(row, true);
        // A key may hold anything; as many numbers in digits as were promised do not come about by chance.
        let is_binary = numbers as u64 != header.dim && has_control(rows_begin(bytes, header.start));
        // "5 1" may also be GloVe's: the key 5 with one number, if the next line has a key with one number too.
        let is_glove = header.dim != 1 && numbers == 1 && fields(row) == 2;
        !is_glove && !is_binary && (numbers > 0 || text::trimmed(&bytes[header.start..]).is_empty())
    }
}

impl Format for Binary {
    fn name(&self) -> &'static str {
        "word2vec-bin"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["word2vec-binary", "bin"]
    }

    fn about(&self) -> &'static str {
        "word2vec binary: small, fast and exact, for gensim and word2vec's own tools"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["bin"]
    }

    fn cannot_hold(&self) -> &'static str {
        "counts, metadata, empty keys, keys with a space or newline"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        checks::dropped(embeddings, Keeps::default())
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        checks::no_characters(self.name(), embeddings.keys(), &[' ', '\n'], HOLDS)?;
        checks::no_empty(self.name(), embeddings.keys(), HOLDS)?;
        let mut file = AtomicFile::create(path)?;
        file.write(format!("{} {}\n", embeddings.len(), embeddings.dim()).as_bytes())?;
        for (key, row) in embeddings.keys().iter().zip(embeddings.vectors().iter_rows()) {
            file.write(key.as_bytes())?;
            file.write(b" ")?;
            file.write(as_bytes(row))?;
            file.write(b"\n")?;
        }
        file.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let file = candidate.file()?;
        file.advise_sequential();
        let (path, bytes) = (file.path(), file.bytes());
        let header = Header::parse(path, bytes)?;
        let row_bytes = header.dim.saturating_mul(4).saturating_add(1);
        let room = (bytes.len() - header.start) as u64;
        let said = if care == Care::Lenient { room / row_bytes } else { header.rows };
        let (most, dim) =
            checks::shape(said, header.dim, row_bytes, room).map_err(|reason| Error::line(path, 1, reason))?;
        let mut omitted = Omitted::new(care);
        let found = find_rows(path, bytes, header.start, (most, dim), &mut omitted)?;

        let rows = found.starts.len();
        let mut vectors = Matrix::zeros(rows, dim);
        let rows_and_starts = vectors.as_mut_slice().par_chunks_mut(dim).zip(&found.starts).with_min_len(256);
        rows_and_starts.for_each(|(row, &start)| numbers::decode(&bytes[start..start + 4 * dim], Dtype::F32, 1.0, row));
        let mut embeddings = Embeddings::new(found.keys, vectors, None)?;
        embeddings.warnings.extend(found.warning);
        if rows as u64 != header.rows {
            let told = format!("the header says {} keys, the file holds {rows} whole rows", header.rows);
            embeddings.warnings.push(told);
        }
        care::sound(path, embeddings, omitted, |row| Place::Byte(found.starts[row] as u64, row))
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        let Some((header, bytes)) = candidate.bytes().and_then(|bytes| Some((Header::find(bytes)?, bytes))) else {
            return false;
        };
        // The text format was asked before; what is left is GloVe with one number, or binary, perhaps truncated.
        let row = text::line_at(bytes, header.start);
        has_control(rows_begin(bytes, header.start)) || text::numbers_at_end(row, true) == 0
    }
}

/// The first rows, of which a line says little: the first number of a binary file may hold a digit and a newline.
fn rows_begin(bytes: &[u8], start: usize) -> &[u8] {
    &bytes[start..bytes.len().min(start + 1024)]
}

/// Is there a byte that text other than keys does not have?
fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().any(|&byte| byte < b' ' && !byte.is_ascii_whitespace())
}

fn fields(line: &[u8]) -> usize {
    line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')).filter(|field| !field.is_empty()).count()
}

/// The first line.
struct Header {
    rows: u64,
    dim: u64,
    /// Where the first row begins.
    start: usize,
}

impl Header {
    fn find(bytes: &[u8]) -> Option<Self> {
        let mark = if bytes.starts_with(text::BOM) { text::BOM.len() } else { 0 };
        let line = text::line_at(&bytes[..bytes.len().min(mark + HEADER)], mark);
        let end = mark + line.len();
        if end < bytes.len() && bytes[end] != b'\n' {
            return None;
        }
        let line = std::str::from_utf8(line).ok()?;
        let mut numbers = line.split_ascii_whitespace().map(|field| {
            // Only digits: `parse` would take a plus sign as well.
            field.bytes().all(|byte| byte.is_ascii_digit()).then(|| field.parse::<u64>().ok())?
        });
        let (rows, dim) = (numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(Self { rows, dim, start: (end + 1).min(bytes.len()) })
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        Self::find(bytes).ok_or_else(|| {
            let found = checks::excerpt(text::line_at(bytes, 0));
            Error::line(
                path,
                1,
                format!("found {found}, expected two whole numbers, keys and dimension (glove has none)"),
            )
        })
    }
}

/// The keys of a binary file and where their numbers begin.
struct Rows {
    keys: Keys,
    starts: Vec<usize>,
    /// That keys were not UTF-8.
    warning: Option<String>,
}

/// Walks over the rows, `most` at most; only the keys are touched.
fn find_rows(
    path: &Path,
    bytes: &[u8],
    start: usize,
    (most, dim): (usize, usize),
    omitted: &mut Omitted,
) -> Result<Rows> {
    let (mut keys, mut starts) = (text::KeyList::with_capacity(most), Vec::with_capacity(most));
    // From here on there are only blanks, of which some may be the last number's.
    let end = start + text::trimmed(&bytes[start..]).len();
    let mut at = start;
    for row in 0..most {
        at += bytes[at..].iter().take_while(|&&byte| byte == b'\n').count();
        if omitted.is_lenient() && at >= end {
            break;
        }
        let space = memchr::memchr(b' ', &bytes[at..]).map(|length| at + length);
        let Some(space) = space.filter(|space| space + 1 + 4 * dim <= bytes.len()) else {
            omitted.row(path, &Place::Byte(at as u64, row), CUT, || {
                format!(
                    "the file ends in row {} of {most}, expected a key, a space and {} bytes; \
                     it is truncated or its header wrong",
                    row + 1,
                    4 * dim
                )
            })?;
            break;
        };
        keys.push(&bytes[at..space]);
        starts.push(space + 1);
        at = space + 1 + 4 * dim;
    }
    let left = end.saturating_sub(at);
    if left > 0 && !omitted.is_lenient() {
        let reason = format!("{left} bytes follow the last of {most} rows; the header's keys or dimension is wrong");
        return Err(Error::byte(path, at as u64, format!("{reason} (firth convert --lenient reads on)")));
    }
    let (keys, warning) = keys.finish(|row| format!("row {}", row + 1));
    Ok(Rows { keys, starts, warning })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, fault, refused, same, scratch};

    #[test]
    fn text_is_as_gensim_writes_it() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a.txt");
        let vectors = Matrix::from_vec(2, 3, vec![1.0, -0.1, 1e-9, 16777216.0, -0.0, f32::MIN_POSITIVE])?;
        let words = Embeddings::new(["</s>", "naïve"].into_iter().collect(), vectors, None)?;
        Text.write(&words, &path)?;
        let text = std::fs::read_to_string(&path).expect("the file");
        assert_eq!(text, "2 3\n</s> 1.0 -0.1 1e-9\nnaïve 16777216.0 -0.0 1.1754944e-38\n");
        same(&words, &Text.read(&path)?, false);
        Ok(())
    }

    #[test]
    fn keys_that_end_early_are_refused() {
        refused(&Text, &["a", "New York"], "word2vec cannot hold a key with a space (\"New York\" in row 2)");
        refused(&Text, &["a\tb"], "with a tab");
        refused(&Text, &["a", ""], "that is empty (\"\" in row 2)");
        refused(&Binary, &["New York"], "word2vec-bin cannot hold a key with a space");
        refused(&Binary, &["a\nb"], "with a newline");
    }

    #[test]
    fn text_of_others_is_read() {
        for text in ["2 2\na 1 2\nb 3 4\n", "\u{feff}2 2 \r\na 1 2 \r\nb 3 4 \r\n\r\n", "2\t2\na\t1\t2\nb  3\t 4"] {
            assert_eq!(fault(&Text, text.as_bytes()), "read", "{text:?}");
        }
    }

    #[test]
    fn blanks_around_a_key_are_taken_off_and_told() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "4 2\nnew york 1 2\na  1 2\n\u{a0} 5 6\n\tb 3 4\n").expect("a file");
        let read = crate::format::read(&path)?;
        assert_eq!(read.keys().iter().collect::<Vec<_>>(), ["new york", "a", "\u{a0}", "b"]);
        let told = "2 keys stand between blanks, which were taken off (the first is \"a \", line 3)";
        assert!(read.warnings.iter().any(|warning| warning == told), "{:?}", read.warnings);
        assert!(fault(&Text, b"2 1\na 1\na  2\n").contains("line 3: \"a\" stands here and on line 2"));
        Ok(())
    }

    #[test]
    fn control_characters_in_a_key_do_not_make_text_binary() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        std::fs::write(&path, "2 2\na\u{1b}[31m 1 2\nb\u{2} 3 4\n").expect("a file");
        assert_eq!(crate::format::detect(&path)?.name(), "word2vec");
        Ok(())
    }

    #[test]
    fn faults_in_text_name_the_line() {
        for (text, message) in [
            ("", "line 1: found \"\", expected two whole numbers"),
            ("a 1 2\n", "line 1: found \"a 1 2\""),
            ("+1 2\na 1 2\n", "line 1"),
            ("3 2\na 1 2\nb 3 4\n", "line 1: the header says 3 keys, the file holds 2 rows"),
            ("99999999999999999999 2\n", "line 1"),
            ("18446744073709551615 2\na 1 2\n", "line 1: the header says 18446744073709551615 keys"),
            ("1 0\na\n", "line 1: vectors of 0 numbers"),
            (
                "1 18446744073709551615\na 1\n",
                "line 2: found 1 numbers at the end of the line, expected 18446744073709551615",
            ),
            ("2 3\na 1 2 3\nb 1 2\n", "line 3: found 2 numbers at the end of the line, expected 3 after the key"),
            ("1 2\na 1 2 3\n", "line 2: found 3 numbers after the key, the header says 2"),
            ("1 2\na 1 inf\n", "line 2: number 2 of the vector of \"a\""),
            ("2 1\na 1\na 2\n", "line 3: \"a\" stands here and on line 2"),
        ] {
            let found = fault(&Text, text.as_bytes());
            assert!(found.contains(message), "{found} holds {message}");
        }
    }

    #[test]
    fn binary_is_read_with_and_without_newlines() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a.bin");
        let words = embeddings(&["</s>", "a\tb", "日本"], 2);
        Binary.write(&words, &path)?;
        let bytes = std::fs::read(&path).expect("the file");
        assert_eq!(bytes[..9], *b"3 2\n</s> ");
        same(&words, &Binary.read(&path)?, false);
        let mut without = b"3 2\n".to_vec();
        for (key, row) in words.keys().iter().zip(words.vectors().iter_rows()) {
            without.extend([key.as_bytes(), b" ", as_bytes(row)].concat());
        }
        std::fs::write(&path, &without).expect("a file");
        same(&words, &crate::format::read(&path)?, false);
        Ok(())
    }

    #[test]
    fn a_number_with_a_newline_does_not_make_a_binary_file_text() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        let digit = f32::from_le_bytes(*b"4\n\x80?");
        let words = Embeddings::new(["a"].iter().collect(), Matrix::from_vec(1, 2, vec![digit, 1e-3])?, None)?;
        Binary.write(&words, &path)?;
        assert_eq!(crate::format::detect(&path)?.name(), "word2vec-bin");
        Ok(())
    }

    #[test]
    fn faults_in_binary_name_the_byte_and_row() {
        let row = |key: &[u8], values: [f32; 2]| [key, b" ", as_bytes(&values), b"\n"].concat();
        let (a, b) = (row(b"a", [1.0, 2.0]), row(b"b", [3.0, 4.0]));
        let with = |header: &str, rows: &[&[u8]]| fault(&Binary, &[header.as_bytes(), &rows.concat()].concat());
        assert_eq!(with("2 2\n", &[&a, &b]), "read");
        for (found, message) in [
            (with("2 2\n", &[&a, &b[..7]]), "row 2 of 2"),
            (with("3 2\n", &[&a, &b]), "line 1: 3 keys with 2 numbers each need at least 27 bytes, but 22 are left"),
            (with("1 2\n", &[&a, &b]), "11 bytes follow the last of 1 rows"),
            (with("900000000000 300\n", &[&a, &b]), "line 1: "),
            (with("2 2\n", &[&a, &a]), "row 2: \"a\" stands here and on row 1 (byte 6)"),
            (with("2 2\n", &[&a, &row(b"b", [1.0, f32::NAN])]), "row 2: number 2 of the vector of \"b\" is NaN"),
        ] {
            assert!(found.contains(message), "{found} holds {message}");
        }
    }

    #[test]
    fn a_long_end_of_blanks_is_looked_at_once() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a.bin");
        let row = |row: u32| [format!("k{row} ").as_bytes(), b"    "].concat();
        let rows: Vec<u8> = (0..100_000).flat_map(row).collect();
        // Once for each row it would take minutes; the last number is blanks as well.
        std::fs::write(&path, [b"100000 1\n", &rows[..], &vec![b'\n'; 8 << 20]].concat()).expect("a file");
        for care in [Care::Strict, Care::Lenient] {
            let read = Binary.read_as(&Candidate::open(&path)?, care)?;
            assert_eq!((read.len(), read.warnings.len()), (100_000, 0), "{:?}", read.warnings);
        }
        Ok(())
    }

    #[test]
    fn keys_of_a_binary_file_that_are_not_utf8_are_told_with_the_first_row() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a.bin");
        let row = |key: &[u8], value: f32| [key, b" ", &value.to_le_bytes()].concat();
        let rows = [row(b"a", 1.5), row(b"caf\xe9", 2.5), row(b"\xff", 3.5)].concat();
        std::fs::write(&path, [b"3 1\n", &rows[..]].concat()).expect("a file");
        let read = Binary.read(&path)?;
        assert_eq!(read.keys().iter().collect::<Vec<_>>(), ["a", "caf\\xe9", "\\xff"]);
        assert!(read.warnings[0].starts_with("2 keys are not valid UTF-8"), "{:?}", read.warnings);
        assert!(read.warnings[0].contains("row 2"), "{:?}", read.warnings);
        Ok(())
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept_visible_and_told() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, b"2 1\nb 1\ncaf\xe9 2\n").expect("a file");
        let read = crate::format::read(&path)?;
        assert_eq!(read.keys().get(1), "caf\\xe9");
        assert!(read.warnings[0].contains("1 keys are not valid UTF-8") && read.warnings[0].contains("line 3"));
        Ok(())
    }
}
