//! What all formats refuse alike, before writing and after reading.

use std::hash::BuildHasher;
use std::path::Path;

use foldhash::fast::FixedState;
use rayon::prelude::*;

use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::vocabulary::Keys;

/// Longer vectors are taken for a corrupt header.
pub(super) const MAX_DIM: u64 = 1 << 20;
/// Rows in full may take so many times the room of a file that holds them in few bytes; usual ones take some ten times.
const GROWTH: u64 = 64;

/// Refuses a shape that no file of `room` bytes can hold, before memory is asked for it.
///
/// `row_bytes` is the least that a row takes. Returns the shape as memory sizes.
pub(super) fn shape(rows: u64, dim: u64, row_bytes: u64, room: u64) -> Result<(usize, usize), String> {
    if dim == 0 || dim > MAX_DIM {
        return Err(format!("vectors of {dim} numbers, expected 1 to {MAX_DIM}"));
    }
    if rows > u64::from(u32::MAX) {
        return Err(format!("{rows} keys, expected fewer than 2^32"));
    }
    if rows.checked_mul(row_bytes).is_none_or(|bytes| bytes > room) {
        return Err(format!(
            "{rows} keys with {dim} numbers each need at least {} bytes, but {room} are left; \
             the file is truncated or its header wrong",
            u128::from(rows) * u128::from(row_bytes)
        ));
    }
    Ok((rows as usize, dim as usize))
}

/// Refuses rows that would take far more memory than their file: of codes, or of one row under many keys.
pub(super) fn growth(rows: u64, dim: u64, size: u64) -> Result<(), String> {
    if rows.saturating_mul(dim).saturating_mul(4) <= GROWTH * size.max(64) {
        return Ok(());
    }
    Err(format!("{rows} rows of {dim} numbers would take more than {GROWTH} times the {size} bytes of the file"))
}

/// Refuses embeddings that no format may hold: without dimension, with a key twice, with a number that is not finite.
pub(super) fn writable(embeddings: &Embeddings) -> Result<()> {
    if embeddings.dim() == 0 {
        return Err(Error::data("the vectors have no numbers (dimension 0); there is nothing to write"));
    }
    if let Some((first, again)) = repeated(embeddings.keys()) {
        let key = embeddings.keys().get(again);
        return Err(Error::data(format!("key {key:?} stands in row {} and row {}; keep one", first + 1, again + 1)));
    }
    if let Some(ngrams) = embeddings.ngrams()
        && let Some((row, column)) = not_finite(ngrams.vectors().as_slice(), embeddings.dim())
    {
        let (bucket, value) = (ngrams.buckets()[row], ngrams.vectors().row(row)[column]);
        let reason = format!("number {} of the vector of the n-grams of bucket {bucket} is {value}", column + 1);
        return Err(Error::data(format!("{reason}; nothing is written; train again with a lower --lr")));
    }
    if let Some((row, column)) = not_finite(embeddings.vectors().as_slice(), embeddings.dim()) {
        let (key, value) = (embeddings.keys().get(row), embeddings.vectors().row(row)[column]);
        return Err(Error::data(format!(
            "number {} of the vector of {key:?} (row {}) is {value}; nothing is written; train again with a lower --lr",
            column + 1,
            row + 1
        )));
    }
    Ok(())
}

/// Refuses keys with one of the characters that would end the key early in that format.
pub(super) fn no_characters(format: &str, keys: &Keys, forbidden: &[char], holds: &str) -> Result<()> {
    // One search over all keys at once; only a hit needs to know whose it is.
    if !keys.text().contains(forbidden) {
        return Ok(());
    }
    match keys.iter().enumerate().find_map(|(row, key)| key.find(forbidden).map(|at| (row, key, at))) {
        Some((row, key, at)) => {
            let what = match key[at..].chars().next() {
                Some(' ') => "space",
                Some('\t') => "tab",
                Some('\r') => "carriage return",
                Some('\0') => "zero byte",
                _ => "newline",
            };
            Err(unsupported(format, row, key, &format!("with a {what}"), holds))
        }
        None => Ok(()),
    }
}

/// Refuses an empty key.
pub(super) fn no_empty(format: &str, keys: &Keys, holds: &str) -> Result<()> {
    match keys.iter().position(str::is_empty) {
        Some(row) => Err(unsupported(format, row, "", "that is empty", holds)),
        None => Ok(()),
    }
}

/// Refuses a byte order mark where readers would take it for that of the file.
pub(super) fn no_mark(format: &str, keys: &Keys, holds: &str) -> Result<()> {
    match keys.iter().next().filter(|key| key.starts_with('\u{feff}')) {
        Some(key) => Err(unsupported(format, 0, key, "in the first row that begins with a byte order mark", holds)),
        None => Ok(()),
    }
}

/// The error for a key that does not fit; `holds` names formats that take it.
pub(super) fn unsupported(format: &str, row: usize, key: &str, why: &str, holds: &str) -> Error {
    Error::Unsupported {
        format: format.into(),
        feature: format!("a key {why} ({key:?} in row {}); write {holds} instead", row + 1),
    }
}

/// The first key that stands twice: its earlier and its later position.
///
/// Sorted hashes find out quickly that there is none, as a rule.
pub(super) fn repeated(keys: &Keys) -> Option<(usize, usize)> {
    let hasher = FixedState::with_seed(1);
    let mut hashes: Vec<u64> =
        (0..keys.len()).into_par_iter().map(|row| hasher.hash_one(keys.get(row).as_bytes())).collect();
    hashes.par_sort_unstable();
    let suspicious = hashes.par_windows(2).any(|pair| pair[0] == pair[1]);
    suspicious.then(|| keys.first_repeated()).flatten()
}

/// A row's place in its file.
pub(super) enum Place {
    /// A line from 1.
    Line(u64),
    /// A byte offset from 0, and the row.
    Byte(u64, usize),
}

impl Place {
    /// An error at this place.
    pub(super) fn error(&self, path: &Path, reason: impl Into<String>) -> Error {
        match *self {
            Self::Line(line) => Error::line(path, line, reason),
            Self::Byte(byte, row) => Error::byte(path, byte, format!("row {}: {}", row + 1, reason.into())),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Byte(byte, row) => write!(f, "row {} (byte {byte})", row + 1),
        }
    }
}

/// The first number that is NaN or infinite: its row and column.
pub(super) fn not_finite(values: &[f32], dim: usize) -> Option<(usize, usize)> {
    // All exponent bits are set in exactly these numbers; without a branch per number this runs at memory speed.
    let broken = |values: &&[f32]| values.iter().fold(false, |broken, x| broken | !x.is_finite());
    let chunk = values.par_chunks(1 << 14).enumerate().find_first(|(_, values)| broken(values))?;
    let at = (chunk.0 << 14) + chunk.1.iter().position(|x| !x.is_finite())?;
    Some((at / dim, at % dim))
}

/// Appends a key to `text`; bytes that are not UTF-8 are written as `\xNN`. Says whether there were any.
pub(super) fn push_key(text: &mut String, key: &[u8]) -> bool {
    if let Ok(key) = std::str::from_utf8(key) {
        text.push_str(key);
        return false;
    }
    for part in key.utf8_chunks() {
        text.push_str(part.valid());
        for byte in part.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    true
}

/// The start of some bytes, to be shown in a message.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN)]);
    let short: String = shown.chars().take(SHOWN).collect();
    let more = if short.len() < shown.len() || bytes.len() > 4 * SHOWN { "…" } else { "" };
    format!("{short:?}{more}")
}

/// What a format keeps beside keys and their vectors.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Keeps {
    pub counts: bool,
    /// Labels, and first words, of documents.
    pub texts: bool,
    pub ngrams: bool,
    pub metadata: bool,
}

/// What a format drops that keeps so much, and not how text is joined to phrases.
pub(super) fn dropped(embeddings: &Embeddings, keeps: Keeps) -> Vec<String> {
    let mut losses = Vec::new();
    if !keeps.counts && embeddings.counts().is_some() {
        losses.push(format!("the counts of {} keys", embeddings.len()));
    }
    if !keeps.texts && embeddings.labels().is_some() {
        losses.push("the labels".into());
    }
    if !keeps.texts && embeddings.texts().is_some() {
        losses.push("the first words of the documents' texts".into());
    }
    losses.extend(dropped_metadata(embeddings, &[]).filter(|_| !keeps.metadata));
    if let Some(ngrams) = embeddings.ngrams().filter(|_| !keeps.ngrams) {
        losses.push(format!("the vectors of {} n-grams (unseen words get none)", ngrams.buckets().len()));
    }
    if embeddings.segmenter().is_some_and(|segmenter| !segmenter.phrases().is_empty()) {
        losses.push("how words of text are joined to phrases".into());
    }
    losses
}

/// What of the metadata a format drops that keeps some entries only.
pub(super) fn dropped_metadata(embeddings: &Embeddings, kept: &[&str]) -> Option<String> {
    let names: Vec<_> = embeddings.metadata.keys().map(String::as_str).filter(|name| !kept.contains(name)).collect();
    (!names.is_empty()).then(|| format!("the metadata ({})", names.join(", ")))
}

#[cfg(test)]
pub(in crate::format) mod tests {
    use super::*;
    use crate::format::Format;
    use crate::math::Matrix;

    pub fn scratch() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    /// Keys with some vectors and counts.
    pub fn embeddings(keys: &[&str], dim: usize) -> Embeddings {
        let values = (0..keys.len() * dim).map(|i| (i as f32 - 2.5) / 3.0).collect();
        let vectors = Matrix::from_vec(keys.len(), dim, values).expect("as many numbers");
        let counts = (0..keys.len() as u64).rev().collect();
        Embeddings::new(keys.iter().collect(), vectors, Some(counts)).expect("as many rows")
    }

    /// Asserts that keys and numbers are the same, bit by bit.
    pub fn same(a: &Embeddings, b: &Embeddings, counts: bool) {
        let bits = |x: &Embeddings| x.vectors().as_slice().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!((a.keys(), a.dim(), bits(a)), (b.keys(), b.dim(), bits(b)));
        assert_eq!(b.counts(), if counts { a.counts() } else { None });
    }

    /// Asserts that a format refuses to write keys with a message, and leaves nothing behind.
    pub fn refused(format: &dyn Format, keys: &[&str], message: &str) {
        let folder = scratch();
        let error = format.write(&embeddings(keys, 2), &folder.path().join("a")).expect_err("a refusal").to_string();
        assert!(error.contains(message), "{error} holds {message}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
    }

    /// What a format says of a file with these bytes: the error, or "read".
    pub fn fault(format: &dyn Format, bytes: &[u8]) -> String {
        let folder = scratch();
        let path = folder.path().join("a");
        std::fs::write(&path, bytes).expect("a file");
        format.read(&path).map_or_else(|error| error.to_string(), |_| "read".into())
    }

    #[test]
    fn bytes_that_are_not_utf8_are_written_out() {
        let mut text = String::from("a");
        assert!(!push_key(&mut text, "ß".as_bytes()));
        assert!(push_key(&mut text, b"caf\xe9 \xf0\x9f"));
        assert_eq!(text, "aßcaf\\xe9 \\xf0\\x9f");
    }

    #[test]
    fn shapes_are_checked_without_overflow() {
        assert_eq!(shape(3, 2, 9, 27), Ok((3, 2)));
        for (rows, dim, row_bytes, room) in
            [(4, 2, 9, 27), (1, 0, 1, 27), (u64::MAX, 2, 9, 27), (1 << 31, 9, u64::MAX, 9)]
        {
            assert!(shape(rows, dim, row_bytes, room).is_err());
        }
        assert!(shape(0, MAX_DIM + 1, 9, 27).is_err());
    }

    #[test]
    fn the_first_number_that_is_not_finite_is_found() {
        let mut values = vec![0f32; 40_000];
        assert_eq!(not_finite(&values, 7), None);
        values[30_003] = f32::NAN;
        values[39_999] = f32::INFINITY;
        assert_eq!(not_finite(&values, 7), Some((30_003 / 7, 30_003 % 7)));
    }

    #[test]
    fn excerpts_are_short() {
        assert_eq!(excerpt(b"ab\n"), "\"ab\\n\"");
        assert_eq!(excerpt("ä".repeat(50).as_bytes()), format!("\"{}\"…", "ä".repeat(40)));
    }
}
