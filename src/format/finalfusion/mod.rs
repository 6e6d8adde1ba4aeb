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

use super::checks::{self, Place};
use super::{Candidate, Care, Dtype, Format, buckets};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::{AtomicFile, MappedFile, as_bytes};
use crate::math::Matrix;
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
        let mut losses = checks::dropped_with_ngrams(embeddings, true, false);
        losses.push("the last digits (rows are kept with length one)".into());
        if embeddings.ngrams().is_some_and(|ngrams| ngrams.subwords().min_n == 1) {
            losses.push("how unseen words are cut (finalfusion takes < and > alone as n-grams, too)".into());
        }
        losses
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, _: Dtype) -> Result<()> {
        checks::writable(embeddings)?;
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

    fn read_as(&self, path: &Path, _: Care) -> Result<Embeddings> {
        let file = MappedFile::open(path)?;
        file.advise_sequential();
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
        checks::distinct(path, &found.keys, place)?;
        checks::finite(path, &found.keys, &vectors, place)?;
        let fill = |bucket: u32, into: &mut [f32]| {
            found.storage.fill(rows + bucket as usize, into);
            true
        };
        let ngrams = found.subwords.map(|subwords| buckets::read(subwords, dim, fill)).transpose();
        let ngrams = ngrams.map_err(|reason| Error::byte(path, found.start as u64, reason))?;
        let mut embeddings = Embeddings::new(found.keys, vectors, None)?.with_ngrams(ngrams)?;
        embeddings.metadata = found.metadata;
        embeddings.warnings = found.warnings;
        Ok(embeddings)
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
