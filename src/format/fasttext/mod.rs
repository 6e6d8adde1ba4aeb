//! fastText's models (`facebookresearch/fastText`, `src/{args,dictionary,fasttext,densematrix,quantmatrix}.cc`).
//!
//! Magic number and version, settings, dictionary, a matrix with a row for each word and then for each bucket, and a
//! matrix of what is predicted. The vector of a word is the mean of its own row and of those of its n-grams: readers
//! here make it, as fastText does when asked, and the writer takes the n-grams off again. What is predicted, firth does
//! not keep; the second matrix is written as zeros, so that fastText loads the file but cannot go on with its training.
//!
//! Read are models with and without n-grams, supervised ones (their words, not their labels), and quantised ones
//! (`.ftz`), also thinned out. There, n-grams without a row do not count in fastText's mean, and vectors of unseen
//! words have the same direction here, but not the same length.

use std::path::Path;

use rayon::prelude::*;

use super::checks::{self, Place};
use super::cursor::Cursor;
use super::{Candidate, Care, Dtype, Format, buckets, text};
use crate::embeddings::{Embeddings, Ngrams};
use crate::error::{Error, Result};
use crate::io::{AtomicFile, MappedFile, as_bytes};
use crate::math::Matrix;
use crate::vocabulary::Subwords;
use header::{ARGUMENTS, Arguments, Header};
use quantized::Quantized;

mod header;
mod quantized;

/// What takes keys that this format refuses.
const HOLDS: &str = "safetensors";
/// Rows that are made side by side before they are written.
const BATCH: usize = 1 << 14;

/// fastText's `.bin` and `.ftz`.
pub struct FastText;

impl Format for FastText {
    fn name(&self) -> &'static str {
        "fasttext"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["fasttext-bin"]
    }

    fn about(&self) -> &'static str {
        "fastText model with subwords, for fastText and gensim; name it .bin and say --to; .ftz is read too"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["fasttext"]
    }

    fn cannot_hold(&self) -> &'static str {
        "metadata, no keys at all, keys with a zero byte; occurrences are 1 to 2^63-1"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        let mut losses = checks::dropped_with_ngrams(embeddings, false, true);
        let cut =
            embeddings.counts().unwrap_or_default().iter().filter(|&&count| count == 0 || count > i64::MAX as u64);
        match cut.count() {
            0 => {}
            cut => losses.push(format!("that {cut} keys occurred other than 1 to 2^63-1 times")),
        }
        if embeddings.ngrams().is_some() {
            losses.push("the last digits (a word's own row is its vector less its n-grams)".into());
        }
        losses
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, _: Dtype) -> Result<()> {
        checks::writable(embeddings)?;
        checks::no_characters(self.name(), embeddings.keys(), &['\0'], HOLDS)?;
        if embeddings.is_empty() || embeddings.len() > i32::MAX as usize {
            let feature = format!("{} keys, expected 1 to {}; write {HOLDS} instead", embeddings.len(), i32::MAX);
            return Err(Error::Unsupported { format: self.name().into(), feature });
        }
        let mut file = AtomicFile::create(path)?;
        Arguments::of(embeddings).write(&mut file)?;
        header::write_dictionary(&mut file, embeddings)?;
        let count = embeddings.ngrams().map_or(0, |ngrams| ngrams.subwords().buckets) as usize;
        let dim = embeddings.dim();
        start_matrix(&mut file, embeddings.len() + count, dim)?;
        match embeddings.ngrams() {
            None => file.write(as_bytes(embeddings.vectors().as_slice()))?,
            Some(ngrams) => {
                write_own_rows(&mut file, embeddings, ngrams)?;
                buckets::write(&mut file, ngrams)?;
            }
        }
        start_matrix(&mut file, embeddings.len(), dim)?;
        buckets::write_zeros(&mut file, embeddings.len() * dim)?;
        file.commit()
    }

    fn read_as(&self, path: &Path, _: Care) -> Result<Embeddings> {
        let file = MappedFile::open(path)?;
        file.advise_sequential();
        let mut cursor = Cursor::new(path, file.bytes());
        let header = Header::read(&mut cursor)?;
        let start = cursor.clone();
        let rows = Rows::read(&mut cursor)?;
        Rows::read(&mut cursor)?;
        cursor.finish()?;
        let input = Input::new(&header, rows).map_err(|reason| start.fault(reason))?;

        let vectors = input.compose(&header.words);
        let mut keys = text::KeyList::with_capacity(header.words.len());
        header.words.iter().for_each(|(word, _)| keys.push(word));
        let place = |row: usize| Place::Byte(header.words[row].1 as u64, row);
        let (keys, warning) = keys.finish(|row| format!("row {}", row + 1));
        checks::distinct(path, &keys, place)?;
        checks::finite(path, &keys, &vectors, place)?;
        let ngrams = input.ngrams().map_err(|reason| start.fault(reason))?;
        let mut embeddings = Embeddings::new(keys, vectors, header.counts)?.with_ngrams(ngrams)?;
        let arguments = serde_json::to_string(&header.arguments).expect("plain fields");
        embeddings.metadata.insert(ARGUMENTS.into(), arguments);
        embeddings.warnings.extend(warning);
        if header.labels > 0 {
            embeddings.warnings.push(format!("{} labels and their vectors were left out", header.labels));
        }
        if input.pruned.as_ref().is_some_and(|pruned| !pruned.is_empty()) {
            embeddings.warnings.push(
                "n-grams were thinned out: vectors of unseen words have fastText's direction, but not its length"
                    .into(),
            );
        }
        Ok(embeddings)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        candidate.bytes().is_some_and(|bytes| bytes.starts_with(&header::MAGIC))
    }
}

fn start_matrix(file: &mut AtomicFile, rows: usize, dim: usize) -> Result<()> {
    // Not quantised.
    file.write(&[0])?;
    file.write(&(rows as i64).to_le_bytes())?;
    file.write(&(dim as i64).to_le_bytes())
}

/// Writes what of each word's vector is not its n-grams': (1 + n) times the vector, less the sum of n rows.
fn write_own_rows(file: &mut AtomicFile, embeddings: &Embeddings, ngrams: &Ngrams) -> Result<()> {
    let dim = embeddings.dim();
    let mut rows = vec![0f32; BATCH.min(embeddings.len()) * dim];
    for first in (0..embeddings.len()).step_by(BATCH) {
        let count = BATCH.min(embeddings.len() - first);
        let part = &mut rows[..count * dim];
        part.par_chunks_mut(dim).enumerate().with_min_len(64).for_each_init(Default::default, |scratch, (at, row)| {
            let (found, sum): &mut (Vec<u32>, Vec<f64>) = scratch;
            found.clear();
            ngrams.subwords().buckets_of(embeddings.keys().get(first + at), found);
            sum.clear();
            let all = (1 + found.len()) as f64;
            sum.extend(embeddings.vectors().row(first + at).iter().map(|&value| f64::from(value) * all));
            for known in found.iter().filter_map(|&bucket| ngrams.row(bucket)) {
                sum.iter_mut().zip(known).for_each(|(sum, &value)| *sum -= f64::from(value));
            }
            row.iter_mut().zip(&*sum).for_each(|(value, &sum)| *value = sum as f32);
        });
        if let Some((row, _)) = checks::not_finite(part, dim) {
            let key = embeddings.keys().get(first + row);
            return Err(checks::unsupported("fasttext", first + row, key, "with numbers near the largest", HOLDS));
        }
        file.write(as_bytes(part))?;
    }
    Ok(())
}

/// The rows of a matrix.
enum Rows<'a> {
    Dense { rows: u64, dim: u64, bytes: &'a [u8] },
    Quantized(Quantized<'a>),
}

impl<'a> Rows<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self> {
        if cursor.number::<1>("the kind of matrix")?[0] != 0 {
            return Ok(Self::Quantized(Quantized::read(cursor)?));
        }
        let rows = cursor.u64("the number of rows")?;
        let dim = cursor.u64("the dimension")?;
        let bytes = cursor.take(rows.saturating_mul(dim).saturating_mul(4), "a matrix")?;
        Ok(Self::Dense { rows, dim, bytes })
    }

    fn shape(&self) -> (u64, u64) {
        match self {
            Self::Dense { rows, dim, .. } => (*rows, *dim),
            Self::Quantized(quantized) => (quantized.rows, quantized.dim),
        }
    }
}

/// The rows of words and buckets, and how words are cut.
struct Input<'a> {
    rows: Rows<'a>,
    dim: usize,
    words: usize,
    subwords: Option<Subwords>,
    pruned: Option<Vec<(u32, u32)>>,
}

impl<'a> Input<'a> {
    fn new(header: &Header<'_>, rows: Rows<'a>) -> Result<Self, String> {
        let (found, dim) = rows.shape();
        if dim != header.arguments.dim as u64 {
            return Err(format!("rows of {dim} numbers, expected {}", header.arguments.dim));
        }
        // Before quantisation nothing is thinned out; a 0 there is what other writers leave.
        let pruned = header.pruned.clone().filter(|_| matches!(rows, Rows::Quantized(_)));
        let subwords = header.arguments.subwords().filter(|_| pruned.as_ref().is_none_or(|pruned| !pruned.is_empty()));
        let words = header.words.len() as u64;
        let buckets = subwords.map_or(0, |subwords| u64::from(subwords.buckets));
        let expected = words + pruned.as_ref().map_or(buckets, |pruned| pruned.len() as u64);
        // Buckets of sequences of words may follow where there are none of characters.
        if found < expected || subwords.is_some() && found > expected {
            return Err(format!("{found} rows, expected {expected} for {words} words and their n-grams"));
        }
        Ok(Self { rows, dim: dim as usize, words: words as usize, subwords, pruned })
    }

    fn each(&self, row: usize, mut each: impl FnMut(usize, f32)) {
        match &self.rows {
            Rows::Quantized(quantized) => quantized.each(row, each),
            Rows::Dense { bytes, .. } => {
                let bytes = &bytes[row * self.dim * 4..(row + 1) * self.dim * 4];
                let values = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four));
                values.enumerate().for_each(|(column, value)| each(column, value));
            }
        }
    }

    /// The row of a bucket, if that has one.
    fn row_of(&self, bucket: u32) -> Option<usize> {
        let row = match &self.pruned {
            None => bucket,
            Some(pruned) => pruned[pruned.binary_search_by_key(&bucket, |pair| pair.0).ok()?].1,
        };
        Some(self.words + row as usize)
    }

    /// The vectors of words, summed in fastText's order and precision.
    fn compose(&self, words: &[(&[u8], usize)]) -> Matrix {
        let mut vectors = Matrix::zeros(words.len(), self.dim);
        let rows = vectors.as_mut_slice().par_chunks_mut(self.dim).zip(words).enumerate().with_min_len(64);
        rows.for_each_init(Vec::new, |found, (at, (row, (word, _)))| {
            self.each(at, |column, value| row[column] = value);
            found.clear();
            if let Some(subwords) = self.subwords {
                subwords.buckets_of(word, found);
            }
            let mut count = 1;
            for bucket in found.iter().filter_map(|&bucket| self.row_of(bucket)) {
                self.each(bucket, |column, value| row[column] += value);
                count += 1;
            }
            if count > 1 {
                let share = 1.0 / count as f32;
                row.iter_mut().for_each(|value| *value *= share);
            }
        });
        vectors
    }

    /// The rows of buckets.
    fn ngrams(&self) -> Result<Option<Ngrams>, String> {
        let Some(subwords) = self.subwords else { return Ok(None) };
        let fill = |bucket: u32, into: &mut [f32]| {
            let row = self.row_of(bucket);
            row.into_iter().for_each(|row| self.each(row, |column, value| into[column] = value));
            row.is_some()
        };
        buckets::read(subwords, self.dim, fill).map(Some)
    }
}
