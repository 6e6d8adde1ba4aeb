//! finalfusion's files (`finalfusion/finalfusion-rust`, `src/chunks`): `.fifu`.
//!
//! `FiFu`, `u32` version 0, `u32` number of chunks and the `u32` kind of each; then the chunks: `u32` kind, `u64` length,
//! data. Metadata (5) are TOML; vocabularies plain (1) or with n-grams (3, 7, 8); numbers 32-bit (2) or quantised (4);
//! norms (6) are what rows of length one are to be multiplied with. Before 32-bit numbers stand 1 to 4 zero bytes, so
//! that they begin at a multiple of four.
//!
//! Rows are written with length one, as finalfusion's queries expect, and numbers come back to the last digit or two;
//! n-grams are written as they are, as finalfusion's own converter does. n-grams of other kinds of vocabulary than
//! fastText's (7) are hashed or listed in ways firth does not know: words are read, n-grams are not.

use std::path::Path;

use rayon::prelude::*;

use super::care::Omitted;
use super::checks::{self, Keeps, Place};
use super::{Candidate, Care, Dtype, Format, buckets, care, numbers};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::{AtomicFile, as_bytes};
use crate::math::Matrix;
use crate::vocabulary::Subwords;
use chunks::{Chunks, MAGIC, kind};

mod chunks;

/// What takes keys and vectors that this format refuses.
const HOLDS: &str = "safetensors";

/// finalfusion's `.fifu`.
pub struct FinalFusion;

impl Format for FinalFusion {
    fn name(&self) -> &'static str {
        "finalfusion"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["fifu"]
    }

    fn about(&self) -> &'static str {
        "finalfusion's file, with subwords and metadata; numbers come back but for the last digit"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["fifu"]
    }

    fn cannot_hold(&self) -> &'static str {
        "counts, vectors longer than 3.4e38; numbers come back but for the last digit"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        let keeps = Keeps { ngrams: true, metadata: true, ..Keeps::default() };
        let mut losses = checks::dropped(embeddings, keeps);
        losses.push("the last digits (rows are kept with length one)".into());
        if embeddings.ngrams().is_some_and(|ngrams| ngrams.subwords().min_n == 1) {
            losses.push("how unseen words are cut (finalfusion takes < and > alone as n-grams, too)".into());
        }
        losses
    }

    fn has_all_buckets(&self) -> bool {
        true
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        let norms = norms(embeddings)?;
        let mut file = Writer { file: AtomicFile::create(path)?, at: 0 };
        let metadata: String = embeddings.metadata.iter().map(|(name, value)| entry(name, value)).collect();
        let vocabulary = if embeddings.ngrams().is_some() { kind::FASTTEXT_VOCABULARY } else { kind::VOCABULARY };
        let kinds = [kind::METADATA, vocabulary, kind::NUMBERS, kind::NORMS];
        let kinds = &kinds[usize::from(metadata.is_empty())..];
        file.write(MAGIC)?;
        file.write(&0u32.to_le_bytes())?;
        file.write(&(kinds.len() as u32).to_le_bytes())?;
        file.write(as_bytes(kinds))?;
        if !metadata.is_empty() {
            file.start(kind::METADATA, metadata.len() as u64)?;
            file.write(metadata.as_bytes())?;
        }
        write_vocabulary(&mut file, embeddings, vocabulary)?;
        write_numbers(&mut file, embeddings, &norms)?;

        let padding = file.start_floats(kind::NORMS, 8 + 4, norms.len() as u64)?;
        file.write(&(norms.len() as u64).to_le_bytes())?;
        file.write(&kind::F32.to_le_bytes())?;
        file.write(padding)?;
        file.write(as_bytes(&norms))?;
        file.file.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let file = candidate.file()?;
        file.advise_sequential();
        let path = file.path();
        let found = Chunks::read(path, file.bytes())?;
        let (rows, dim) = (found.starts.len(), found.storage.dim());
        let mut vectors = Matrix::zeros(rows, dim);
        let filled = vectors.as_mut_slice().par_chunks_mut(dim).enumerate().with_min_len(64);
        filled.for_each(|(row, into)| {
            found.storage.fill(row, into);
            if let Some(norms) = &found.norms {
                into.iter_mut().for_each(|value| *value *= norms[row]);
            }
        });
        let place = |row: usize| Place::Byte(found.starts[row] as u64, row);
        let fill = |bucket: u32, into: &mut [f32]| found.storage.fill(rows + bucket as usize, into);
        let all = |subwords: Subwords| buckets::read(subwords, dim, (0..subwords.buckets).into_par_iter(), fill);
        let ngrams = found.subwords.map(all).transpose();
        let ngrams = ngrams.map_err(|reason| Error::byte(path, found.start as u64, reason))?;
        let mut embeddings = Embeddings::new(found.keys, vectors, None)?.with_ngrams(ngrams)?;
        embeddings.numbers = found.storage.numbers();
        embeddings.metadata = found.metadata;
        embeddings.warnings = found.warnings;
        care::sound(path, embeddings, Omitted::new(care), place)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        candidate.bytes().is_some_and(|bytes| bytes.starts_with(MAGIC))
    }
}

/// A line of TOML: strings in JSON's escapes, which are TOML's; other ways to quote are too new for some readers.
fn entry(name: &str, value: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f");
    format!("{} = {}\n", quoted(name), quoted(value))
}

/// The lengths of all rows, rounded to 32 bits.
fn norms(embeddings: &Embeddings) -> Result<Vec<f32>> {
    let length = |row: &[f32]| row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt() as f32;
    let norms: Vec<f32> =
        embeddings.vectors().as_slice().par_chunks(embeddings.dim()).with_min_len(64).map(length).collect();
    match norms.iter().position(|norm| !norm.is_finite()) {
        None => Ok(norms),
        Some(row) => {
            let key = embeddings.keys().get(row);
            Err(checks::unsupported("finalfusion", row, key, "whose vector is longer than 3.4e38", HOLDS))
        }
    }
}

fn write_vocabulary(file: &mut Writer, embeddings: &Embeddings, kind: u32) -> Result<()> {
    let keys = embeddings.keys();
    let subwords = embeddings.ngrams().map(|ngrams| ngrams.subwords());
    let settings = if subwords.is_some() { 12 } else { 0 };
    file.start(kind, 8 + settings + 4 * keys.len() as u64 + keys.text().len() as u64)?;
    file.write(&(keys.len() as u64).to_le_bytes())?;
    if let Some(subwords) = subwords {
        file.write(as_bytes(&[subwords.min_n as u32, subwords.max_n as u32, subwords.buckets]))?;
    }
    for (row, key) in keys.iter().enumerate() {
        let length = u32::try_from(key.len());
        let length = length.map_err(|_| checks::unsupported("finalfusion", row, "", "of 4 GiB", HOLDS))?;
        file.write(&length.to_le_bytes())?;
        file.write(key.as_bytes())?;
    }
    Ok(())
}

fn write_numbers(file: &mut Writer, embeddings: &Embeddings, norms: &[f32]) -> Result<()> {
    let dim = embeddings.dim();
    let rows = embeddings.len() as u64 + embeddings.ngrams().map_or(0, |ngrams| ngrams.subwords().buckets.into());
    let padding = file.start_floats(kind::NUMBERS, 8 + 4 + 4, rows * dim as u64)?;
    file.write(&rows.to_le_bytes())?;
    file.write(as_bytes(&[dim as u32, kind::F32]))?;
    file.write(padding)?;
    let mut unit = vec![0f32; dim];
    for (row, &norm) in embeddings.vectors().iter_rows().zip(norms) {
        for (unit, &value) in unit.iter_mut().zip(row) {
            // By the rounded length, so that only two roundings lie between a number and what is read.
            *unit = if norm > 0.0 { (f64::from(value) / f64::from(norm)) as f32 } else { value };
        }
        file.write(as_bytes(&unit))?;
    }
    // Numbers of four bytes do not change where the next ones may begin.
    embeddings.ngrams().map_or(Ok(()), |ngrams| buckets::write(&mut file.file, ngrams))
}

/// A file, and how many bytes of it are written, but for whole numbers of four bytes.
struct Writer {
    file: AtomicFile,
    at: usize,
}

impl Writer {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.at += bytes.len();
        self.file.write(bytes)
    }

    fn start(&mut self, kind: u32, length: u64) -> Result<()> {
        self.write(&kind.to_le_bytes())?;
        self.write(&length.to_le_bytes())
    }

    /// Starts a chunk of `count` numbers after `before` bytes; gives the zero bytes that stand between.
    fn start_floats(&mut self, kind: u32, before: u64, count: u64) -> Result<&'static [u8]> {
        let padding = chunks::padding(self.at + 4 + 8 + before as usize);
        self.start(kind, before + padding as u64 + 4 * count)?;
        Ok(&[0; 4][..padding])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embeddings::Ngrams;
    use crate::format::checks::tests::{embeddings, fault, scratch};
    use crate::vocabulary::Subwords;

    #[test]
    fn numbers_begin_at_multiples_of_four_whatever_stands_before() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        for name in ["", "a", "ab", "abc", "abcd"] {
            let mut words = embeddings(&[name, "Grüße"], 3);
            words.metadata.insert("quote's \"\u{7f}\n".into(), name.into());
            FinalFusion.write(&words, &path)?;
            let bytes = std::fs::read(&path).expect("the file");
            let unit = (f64::from(words.vectors().row(0)[0]) / f64::from(norms(&words)?[0])) as f32;
            let at = bytes.windows(4).position(|four| *four == unit.to_le_bytes()).expect("the first number");
            assert_eq!(at % 4, 0);
            let read = FinalFusion.read(&path)?;
            assert_eq!((read.keys(), &read.metadata), (words.keys(), &words.metadata));
        }
        Ok(())
    }

    #[test]
    fn faults_tell_what_and_where() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        let subwords = Subwords { min_n: 1, max_n: 2, buckets: 4 };
        let words = embeddings(&["a", "b"], 2);
        let words =
            words.with_ngrams(Some(Ngrams::new(subwords, vec![1], Matrix::from_vec(1, 2, vec![1.0, 2.0])?)?))?;
        assert!(FinalFusion.losses(&words).join(" ").contains("takes < and > alone"));
        FinalFusion.write(&words, &path)?;
        let bytes = std::fs::read(&path).expect("the file");
        let with = |at: usize, part: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at..at + part.len()].copy_from_slice(part);
            fault(&FinalFusion, &bytes)
        };
        // Three kinds of chunks, the vocabulary of two words of one letter, the numbers.
        let vocabulary = 12 + 12 + 12;
        let numbers = vocabulary + 8 + 12 + 10 + 12;
        for (found, message) in [
            (with(4, &[1]), "version 1, expected 0"),
            (with(8, &[255; 4]), "the kinds of chunks of 17179869180 bytes"),
            (with(24, &[1]), "a chunk of kind 1, but the header says 7"),
            (with(12, &[9, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 9]), "floret"),
            (with(vocabulary, &[255; 8]), "18446744073709551615 words, but"),
            (with(vocabulary + 8, &[0]), "n-grams of 0 to 2 characters"),
            (with(vocabulary + 16, &[9]), "6 rows, expected 11 for 2 words and their n-grams"),
            (with(vocabulary + 20, &[200]), "a word of 200 bytes"),
            (with(numbers, &[255; 8]), "18446744073709551615 keys"),
            (with(numbers + 12, &[11]), "numbers of kind 11, expected 10"),
            (fault(&FinalFusion, &bytes[..bytes.len() - 1]), "the norms of 8 bytes, but 7 are left"),
            (fault(&FinalFusion, &[&bytes[..], b"x"].concat()), "1 bytes follow"),
        ] {
            assert!(found.contains(message), "{found} holds {message}");
        }
        let long = Embeddings::new(["a"].iter().collect(), Matrix::from_vec(1, 2, vec![f32::MAX; 2])?, None)?;
        let error = FinalFusion.write(&long, &path).expect_err("too long").to_string();
        assert!(error.contains("whose vector is longer than 3.4e38 (\"a\" in row 1)"), "{error}");
        Ok(())
    }
}
