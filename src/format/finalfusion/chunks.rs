//! The chunks of a finalfusion file.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::cursor::{Cursor, floats};
use super::super::numbers::CODES;
use super::super::{checks, text};
use crate::error::{Error, Result};
use crate::math::dot;
use crate::vocabulary::{Keys, Subwords};

/// How every file begins.
pub(super) const MAGIC: &[u8] = b"FiFu";

/// Kinds of chunks and of numbers.
pub(super) mod kind {
    /// Words.
    pub const VOCABULARY: u32 = 1;
    /// 32-bit numbers.
    pub const NUMBERS: u32 = 2;
    /// Words, and n-grams by finalfusion's hash.
    pub const HASHED_VOCABULARY: u32 = 3;
    /// Quantised numbers.
    pub const QUANTIZED: u32 = 4;
    /// Metadata.
    pub const METADATA: u32 = 5;
    /// Lengths of rows.
    pub const NORMS: u32 = 6;
    /// Words, and n-grams by fastText's hash.
    pub const FASTTEXT_VOCABULARY: u32 = 7;
    /// Words, and a list of n-grams.
    pub const EXPLICIT_VOCABULARY: u32 = 8;
    /// n-grams by floret's hashes.
    pub const FLORET_VOCABULARY: u32 = 9;
    /// Bytes.
    pub const U8: u32 = 1;
    /// 32-bit numbers.
    pub const F32: u32 = 10;
}

/// More characters than any n-gram needs, as for `--max-n`.
const LONGEST: u32 = 64;

/// Zero bytes before numbers that would begin at this place: 4 where none are needed.
pub(super) fn padding(at: usize) -> usize {
    4 - at % 4
}

/// What a file holds.
pub(super) struct Chunks<'a> {
    pub keys: Keys,
    /// Where each key stands.
    pub starts: Vec<usize>,
    pub subwords: Option<Subwords>,
    pub storage: Storage<'a>,
    /// Where the numbers begin.
    pub start: usize,
    pub norms: Option<Vec<f32>>,
    pub metadata: BTreeMap<String, String>,
    pub warnings: Vec<String>,
}

impl<'a> Chunks<'a> {
    pub(super) fn read(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(path, bytes);
        if cursor.take(4, "the magic number")? != MAGIC {
            return Err(Cursor::new(path, bytes).fault("not a finalfusion file"));
        }
        let version = cursor.u32("the version")?;
        if version != 0 {
            return Err(cursor.fault(format!("version {version}, expected 0")));
        }
        let count = cursor.u32("the number of chunks")?;
        let kinds = cursor.take(u64::from(count) * 4, "the kinds of chunks")?;
        let (mut vocabulary, mut storage, mut norms) = (None, None, None);
        let (mut metadata, mut warnings) = (BTreeMap::new(), Vec::new());
        for kind in kinds.as_chunks::<4>().0.iter().map(|&kind| u32::from_le_bytes(kind)) {
            let found = cursor.u32("a chunk")?;
            if found != kind {
                return Err(cursor.fault(format!("a chunk of kind {found}, but the header says {kind}")));
            }
            // The Python package counts too few bytes for n-grams that are listed; other readers go by the content.
            let length = cursor.u64("the length of a chunk")?;
            match kind {
                kind::METADATA => metadata = read_metadata(&mut cursor, length)?,
                kind::NORMS => norms = Some((cursor.at(), read_norms(&mut cursor)?)),
                kind::NUMBERS => storage = Some((cursor.at(), Storage::Dense(Dense::read(&mut cursor)?))),
                kind::QUANTIZED => {
                    storage = Some((cursor.at(), Storage::Quantized(Quantized::read(&mut cursor)?)));
                }
                kind::VOCABULARY | kind::HASHED_VOCABULARY | kind::FASTTEXT_VOCABULARY | kind::EXPLICIT_VOCABULARY => {
                    vocabulary = Some((cursor.at(), Vocabulary::read(&mut cursor, kind)?));
                }
                kind::FLORET_VOCABULARY => {
                    return Err(cursor.fault("n-grams by floret's hashes, among which words have no rows of their own"));
                }
                _ => {
                    cursor.take(length, "a chunk")?;
                    warnings.push(format!("a chunk of unknown kind {kind} was left out"));
                }
            }
        }
        let missing = |what| Error::byte(path, bytes.len() as u64, format!("the file has no chunk of {what}"));
        let (_, vocabulary) = vocabulary.ok_or_else(|| missing("words"))?;
        let (start, storage) = storage.ok_or_else(|| missing("numbers"))?;
        cursor.finish()?;
        let (words, rows) = (vocabulary.starts.len() as u64, storage.rows());
        if rows < words + vocabulary.buckets {
            let reason =
                format!("{rows} rows, expected {} for {words} words and their n-grams", words + vocabulary.buckets);
            return Err(Error::byte(path, start as u64, reason));
        }
        let norms = norms.map(|(at, norms)| match norms.len() as u64 {
            found if found == words => Ok(norms),
            found => {
                Err(Error::byte(path, at as u64, format!("{found} norms, expected one for each of {words} words")))
            }
        });
        let Vocabulary { keys, starts, subwords, mut warnings_of_words, .. } = vocabulary;
        warnings_of_words.append(&mut warnings);
        let (norms, warnings) = (norms.transpose()?, warnings_of_words);
        Ok(Self { keys, starts, subwords, storage, start, norms, metadata, warnings })
    }
}

fn read_metadata(cursor: &mut Cursor<'_>, length: u64) -> Result<BTreeMap<String, String>> {
    let start = cursor.clone();
    let text = std::str::from_utf8(cursor.take(length, "the metadata")?);
    let text = text.map_err(|error| start.fault(format!("metadata that are not UTF-8 ({error})")))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| start.fault(format!("metadata that are not TOML ({})", error.message())))?;
    let shown = |value: toml::Value| match value {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(table.into_iter().map(|(name, value)| (name, shown(value))).collect())
}

fn read_norms(cursor: &mut Cursor<'_>) -> Result<Vec<f32>> {
    let count = cursor.u64("the number of norms")?;
    read_kind(cursor, kind::F32)?;
    skip_padding(cursor)?;
    Ok(floats(cursor.take(count.saturating_mul(4), "the norms")?))
}

fn read_kind(cursor: &mut Cursor<'_>, expected: u32) -> Result<()> {
    let found = cursor.u32("the kind of numbers")?;
    if found == expected {
        return Ok(());
    }
    Err(cursor.fault(format!("numbers of kind {found}, expected {expected}")))
}

fn skip_padding(cursor: &mut Cursor<'_>) -> Result<()> {
    cursor.take(padding(cursor.at()) as u64, "the bytes before the numbers").map(drop)
}

struct Vocabulary {
    keys: Keys,
    starts: Vec<usize>,
    subwords: Option<Subwords>,
    /// Rows that must follow those of words.
    buckets: u64,
    warnings_of_words: Vec<String>,
}

impl Vocabulary {
    fn read(cursor: &mut Cursor<'_>, kind: u32) -> Result<Self> {
        let start = cursor.clone();
        let count = cursor.u64("the number of words")?;
        let listed = match kind {
            kind::EXPLICIT_VOCABULARY => cursor.u64("the number of n-grams")?,
            _ => 0,
        };
        let (mut subwords, mut buckets) = (None, 0);
        if kind != kind::VOCABULARY {
            let min_n = cursor.u32("the shortest n-gram")?;
            let max_n = cursor.u32("the longest n-gram")?;
            if min_n == 0 || max_n < min_n || max_n > LONGEST {
                return Err(start.fault(format!("n-grams of {min_n} to {max_n} characters, expected 1 to {LONGEST}")));
            }
            if kind == kind::FASTTEXT_VOCABULARY {
                let hashed = cursor.u32("the number of buckets")?;
                if hashed == 0 {
                    return Err(start.fault("no buckets for n-grams"));
                }
                buckets = hashed.into();
                subwords = Some(Subwords { min_n: min_n as usize, max_n: max_n as usize, buckets: hashed });
            } else if kind == kind::HASHED_VOCABULARY {
                let exponent = cursor.u32("the number of buckets")?;
                buckets = 1u64.checked_shl(exponent).unwrap_or(u64::MAX >> 1);
            }
        }
        // A word takes at least the four bytes of its length.
        if count > cursor.left() / 4 || count > u32::MAX.into() {
            return Err(start.fault(format!("{count} words, but {} bytes are left for them", cursor.left())));
        }
        let (mut keys, mut starts) = (text::KeyList::with_capacity(count as usize), Vec::new());
        for _ in 0..count {
            starts.push(cursor.at());
            keys.push(read_text(cursor)?);
        }
        for _ in 0..listed {
            read_text(cursor)?;
            cursor.take(8, "the row of an n-gram")?;
        }
        let (keys, warning) = keys.finish(|row| format!("row {}", row + 1));
        let mut warnings_of_words = Vec::from_iter(warning);
        if kind == kind::HASHED_VOCABULARY || kind == kind::EXPLICIT_VOCABULARY {
            let how = if listed > 0 { "listed" } else { "hashed in finalfusion's own way" };
            warnings_of_words.push(format!("n-grams that are {how} were left out; unseen words get no vectors"));
        }
        Ok(Self { keys, starts, subwords, buckets, warnings_of_words })
    }
}

fn read_text<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
    let length = cursor.u32("the length of a word")?;
    cursor.take(length.into(), "a word")
}

/// The rows of words and buckets.
pub(super) enum Storage<'a> {
    Dense(Dense<'a>),
    Quantized(Quantized<'a>),
}

impl Storage<'_> {
    pub(super) fn rows(&self) -> u64 {
        match self {
            Self::Dense(dense) => dense.rows as u64,
            Self::Quantized(quantized) => quantized.rows as u64,
        }
    }

    pub(super) fn dim(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.dim,
            Self::Quantized(quantized) => quantized.dim,
        }
    }

    /// How they keep numbers.
    pub(super) fn numbers(&self) -> &'static str {
        if matches!(self, Self::Dense(_)) { "f32" } else { CODES }
    }

    /// Copies a row.
    pub(super) fn fill(&self, row: usize, into: &mut [f32]) {
        match self {
            Self::Dense(Dense { dim, bytes, .. }) => {
                let bytes = bytes[row * dim * 4..(row + 1) * dim * 4].as_chunks::<4>().0;
                into.iter_mut().zip(bytes).for_each(|(into, four)| *into = f32::from_le_bytes(*four));
            }
            Self::Quantized(quantized) => quantized.fill(row, into),
        }
    }
}

/// `u64` rows, `u32` columns, `u32` kind, zero bytes, `f32` row after row.
pub(super) struct Dense<'a> {
    rows: usize,
    dim: usize,
    bytes: &'a [u8],
}

impl<'a> Dense<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self> {
        let start = cursor.clone();
        let rows = cursor.u64("the number of rows")?;
        let dim = u64::from(cursor.u32("the dimension")?);
        read_kind(cursor, kind::F32)?;
        skip_padding(cursor)?;
        let (rows, dim) = checks::shape(rows, dim, dim * 4, cursor.left()).map_err(|reason| start.fault(reason))?;
        Ok(Self { rows, dim, bytes: cursor.take((rows * dim * 4) as u64, "the numbers")? })
    }
}

/// Rows of codes (Jégou et al., 2011): `u32` is there a projection, `u32` are there norms, `u32` codes of a row, `u32`
/// dimension, `u32` centroids for each code, `u64` rows, two kinds of numbers, zero bytes; then `f32` the projection,
/// the centroids, the norms, and the codes, a byte each.
pub(super) struct Quantized<'a> {
    rows: usize,
    dim: usize,
    parts: usize,
    centroids: Vec<f32>,
    projection: Option<Vec<f32>>,
    norms: Option<Vec<f32>>,
    codes: &'a [u8],
}

impl<'a> Quantized<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self> {
        let start = cursor.clone();
        let mut next = || cursor.u32("the quantiser");
        let (is_projected, is_scaled) = (next()? != 0, next()? != 0);
        let (parts, dim, count) = (u64::from(next()?), u64::from(next()?), u64::from(next()?));
        let rows = cursor.u64("the number of rows")?;
        read_kind(cursor, kind::U8)?;
        read_kind(cursor, kind::F32)?;
        skip_padding(cursor)?;
        if parts == 0 || count == 0 || dim % parts != 0 {
            let reason = format!("{parts} codes of {count} centroids for {dim} numbers, which does not add up");
            return Err(start.fault(reason));
        }
        let size = cursor.at() as u64 + cursor.left();
        checks::growth(rows, dim, size).map_err(|reason| start.fault(reason))?;
        checks::shape(rows, dim, parts, cursor.left()).map_err(|reason| start.fault(reason))?;
        let mut read = |count: u64, what| Ok(floats(cursor.take(count.saturating_mul(4), what)?));
        let projection = is_projected.then(|| read(dim * dim, "the projection")).transpose()?;
        let centroids = read(count * dim, "the centroids")?;
        let norms = is_scaled.then(|| read(rows, "the norms")).transpose()?;
        let codes = cursor.take(rows * parts, "the codes")?;
        if let Some(code) = codes.iter().find(|&&code| u64::from(code) >= count) {
            return Err(start.fault(format!("the code {code}, but there are {count} centroids")));
        }
        let (rows, dim, parts) = (rows as usize, dim as usize, parts as usize);
        Ok(Self { rows, dim, parts, centroids, projection, norms, codes })
    }

    fn fill(&self, row: usize, into: &mut [f32]) {
        let (part, centroids) = (self.dim / self.parts, self.centroids.len() / self.dim);
        let codes = &self.codes[row * self.parts..(row + 1) * self.parts];
        for (at, (into, &code)) in into.chunks_exact_mut(part).zip(codes).enumerate() {
            let start = (at * centroids + code as usize) * part;
            into.copy_from_slice(&self.centroids[start..start + part]);
        }
        if let Some(projection) = &self.projection {
            let before = into.to_vec();
            let rows = projection.chunks_exact(self.dim);
            into.iter_mut().zip(rows).for_each(|(into, row)| *into = dot(&before, row));
        }
        if let Some(norms) = &self.norms {
            into.iter_mut().for_each(|value| *value *= norms[row]);
        }
    }
}
