//! fastText's models (`facebookresearch/fastText`, `src/{args,dictionary,fasttext,densematrix,quantmatrix}.cc`).
//!
//! Magic number and version, settings, dictionary, a matrix with a row for each word and then for each bucket, and a
//! matrix of what is predicted. The vector of a word is the mean of its own row and of those of its n-grams: readers
//! here make it, as fastText does when asked, and the writer takes the n-grams off again. The second matrix is that of the
//! context vectors, where a run kept them and its loss was not hierarchical softmax (the nodes of whose tree fastText and
//! gensim each number in another way); else it is written as zeros, and what goes on training from it spoils the vectors.
//!
//! Read are models with and without n-grams, supervised ones (their words, not their labels), and quantised ones
//! (`.ftz`), also thinned out. There, n-grams without a row do not count in fastText's mean, and vectors of unseen
//! words have the same direction here, but not the same length.

use std::path::Path;

use rayon::prelude::*;

use super::care::Omitted;
use super::checks::{self, Keeps, Place};
use super::cursor::Cursor;
use super::{Candidate, Care, Dtype, Format, buckets, care, numbers, text};
use crate::embeddings::{Embeddings, Ngrams};
use crate::error::{Error, Result};
use crate::io::{AtomicFile, as_bytes};
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
        let keeps = Keeps { counts: true, ngrams: true, metadata: true, ..Keeps::default() };
        let mut losses = checks::dropped(embeddings, keeps);
        losses.extend(checks::dropped_metadata(embeddings, &[header::ARGUMENTS]));
        let cut =
            embeddings.counts().unwrap_or_default().iter().filter(|&&count| count == 0 || count > i64::MAX as u64);
        match cut.count() {
            0 => {}
            cut => losses.push(format!("that {cut} keys occurred other than 1 to 2^63-1 times")),
        }
        if embeddings.contexts().is_none() {
            losses.push("what training would go on from (the vectors of what is predicted are zeros)".into());
        }
        if embeddings.ngrams().is_some() {
            losses.push("the last digits (a word's own row is its vector less its n-grams)".into());
        }
        losses
    }

    fn has_all_buckets(&self) -> bool {
        true
    }

    fn keeps_contexts(&self) -> bool {
        true
    }

    fn read_contexts(&self, candidate: &Candidate) -> Result<Option<Matrix>> {
        let file = candidate.file()?;
        let mut cursor = Cursor::new(file.path(), file.bytes());
        let header = Header::read(&mut cursor)?;
        Rows::read(&mut cursor)?;
        // Codes are too coarse to train on; hierarchical softmax has rows for the nodes of its tree, a supervised model
        // for its labels.
        let Rows::Dense { rows, dim, bytes } = Rows::read(&mut cursor)? else { return Ok(None) };
        let arguments = &header.arguments;
        let is_of_words = arguments.loss != header::HIERARCHICAL_SOFTMAX && arguments.model != header::SUPERVISED;
        if !is_of_words || rows != header.words.len() as u64 || dim != header.arguments.dim as u64 {
            return Ok(None);
        }
        let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        let is_learnt = numbers.iter().any(|&value| value != 0.0) && numbers.iter().all(|value| value.is_finite());
        is_learnt.then(|| Matrix::from_vec(rows as usize, dim as usize, numbers)).transpose()
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
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
        match embeddings.contexts() {
            Some(contexts) => file.write(as_bytes(contexts.as_slice()))?,
            None => buckets::write_zeros(&mut file, embeddings.len() * dim)?,
        }
        file.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let file = candidate.file()?;
        file.advise_sequential();
        let path = file.path();
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
        let ngrams = input.ngrams().map_err(|reason| start.fault(reason))?;
        let mut embeddings = Embeddings::new(keys, vectors, header.counts)?.with_ngrams(ngrams)?;
        embeddings.numbers = input.rows.numbers();
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
        care::sound(path, embeddings, Omitted::new(care), place)
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

    fn numbers(&self) -> &'static str {
        if matches!(self, Self::Dense { .. }) { "f32" } else { numbers::CODES }
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
            let row = self.row_of(bucket).expect("a bucket that has a row");
            self.each(row, |column, value| into[column] = value);
        };
        let ngrams = match &self.pruned {
            None => buckets::read(subwords, self.dim, (0..subwords.buckets).into_par_iter(), fill),
            Some(pruned) => buckets::read(subwords, self.dim, pruned.par_iter().map(|pair| pair.0), fill),
        };
        ngrams.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, fault, refused, scratch};

    /// Words with rows for all of a few buckets, and their file.
    fn model() -> Result<(Embeddings, Vec<u8>)> {
        let folder = scratch();
        let path = folder.path().join("a.bin");
        let subwords = Subwords { min_n: 2, max_n: 3, buckets: 5 };
        let rows = Matrix::from_vec(5, 2, (1..11).map(|value| value as f32 / 8.0).collect())?;
        let words = embeddings(&["the", "</s>", "naïve"], 2);
        let words = words.with_ngrams(Some(Ngrams::new(subwords, (0..5).collect(), rows)?))?;
        FastText.write(&words, &path)?;
        Ok((words, std::fs::read(&path).expect("the file")))
    }

    /// Where the dictionary begins.
    const DICTIONARY: usize = 8 + 12 * 4 + 8;

    fn read(bytes: &[u8]) -> Result<Embeddings> {
        let folder = scratch();
        std::fs::write(folder.path().join("a"), bytes).expect("a file");
        FastText.read(&folder.path().join("a"))
    }

    #[test]
    fn rows_of_words_are_what_their_n_grams_leave() -> Result<()> {
        let (words, bytes) = model()?;
        let header = DICTIONARY + 12 + 16 + ["the", "</s>", "naïve"].map(|word| word.len() + 10).iter().sum::<usize>();
        assert_eq!(bytes.len(), header + 2 * 17 + (3 + 5 + 3) * 2 * 4);
        let number = |at: usize| f32::from_le_bytes(bytes[header + 17 + 4 * at..][..4].try_into().expect("four bytes"));
        // </s> has no n-grams; "the" has <t th he e> <th the he>.
        assert_eq!([number(2), number(3)], words.vectors().row(1));
        let mut found = Vec::new();
        words.ngrams().expect("n-grams").subwords().buckets_of("the", &mut found);
        let sum: f32 = found.iter().map(|&bucket| (2 * bucket + 1) as f32 / 8.0).sum();
        assert_eq!((found.len(), number(0)), (7, words.vectors().row(0)[0] * 8.0 - sum));
        let read = read(&bytes)?;
        assert_eq!(read.vector("unseen"), words.vector("unseen"));
        assert!(read.metadata[ARGUMENTS].contains("\"maxn\":3"), "{:?}", read.metadata);
        Ok(())
    }

    #[test]
    fn rows_of_labels_are_no_context_vectors() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a.bin");
        let words = embeddings(&["a", "b"], 2);
        let contexts = words.vectors().clone();
        FastText.write(&words.with_contexts(Some(contexts.clone()))?, &path)?;
        assert_eq!(
            FastText.read_contexts(&Candidate::open(&path)?)?.as_ref().map(Matrix::as_slice),
            Some(contexts.as_slice())
        );
        let mut bytes = std::fs::read(&path).expect("the file");
        bytes[8 + 7 * 4] = 3;
        std::fs::write(&path, bytes).expect("a file");
        assert!(FastText.read_contexts(&Candidate::open(&path)?)?.is_none());
        Ok(())
    }

    #[test]
    fn settings_of_the_run_are_written() -> Result<()> {
        let mut words = embeddings(&["a"], 1);
        let config = r#"{"task":"cbow","window":8,"epochs":3,"negative":7,"sample":0.001,"loss":"hs"}"#;
        words.metadata.insert("firth.config".into(), config.into());
        let of = Arguments::of(&words);
        assert_eq!((of.ws, of.epoch, of.neg, of.model, of.loss, of.t, of.dim), (8, 3, 7, 1, 1, 0.001, 1));
        // A model that was read keeps its own, but for labels.
        let again = serde_json::to_string(&Arguments { model: 3, loss: 4, lr_update_rate: 50, ..of }).expect("JSON");
        words.metadata = [(ARGUMENTS.to_owned(), again)].into();
        let of = Arguments::of(&words);
        assert_eq!((of.ws, of.model, of.loss, of.lr_update_rate), (8, 2, 3, 50));
        Ok(())
    }

    #[test]
    fn labels_of_version_11_are_learnt_without_n_grams_of_characters() -> Result<()> {
        let (_, mut bytes) = model()?;
        bytes[4] = 11;
        assert!(read(&bytes)?.ngrams().is_some());
        bytes[8 + 7 * 4] = 3;
        assert!(read(&bytes)?.ngrams().is_none());
        Ok(())
    }

    #[test]
    fn faults_tell_what_and_where() -> Result<()> {
        let (_, bytes) = model()?;
        let with = |at: usize, part: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at..at + part.len()].copy_from_slice(part);
            fault(&FastText, &bytes)
        };
        let entry = DICTIONARY + 12 + 16;
        let matrix = entry + 3 + 10 + 4 + 10 + 6 + 10;
        let floret = [&bytes[..DICTIONARY - 12], &[1, 0, 0, 0, 2, 0, 0, 0], &bytes[DICTIONARY - 12..]].concat();
        for (found, message) in [
            (fault(&FastText, &floret), "byte 8: the file is a floret model"),
            (with(4, &[13]), "version 13, expected 11 or 12"),
            (with(8, &[0; 4]), "vectors of 0 numbers"),
            (with(8, &[3]), "rows of 2 numbers, expected 3"),
            (with(8 + 10 * 4, &[65]), "n-grams of up to 65 characters, expected at most 64"),
            (with(8 + 8 * 4, &[4]), "8 rows, expected 7 for 3 words and their n-grams"),
            (with(8 + 8 * 4, &[255, 255, 255, 127]), "8 rows, expected 2147483650"),
            (with(DICTIONARY, &[9]), "a dictionary of 9 entries that are 3 words and 0 labels"),
            (with(DICTIONARY, &[255, 255, 255, 127, 255, 255, 255, 127]), "2147483647 keys with 2 numbers each need"),
            (with(entry + 3 + 9, &[1]), "entry 1 is \"the\", expected a word"),
            (with(entry + 3 + 8, &[0x80]), "a count of -"),
            (with(matrix + 1, &[255; 8]), "a matrix of"),
            (with(matrix + 17, &f32::NAN.to_le_bytes()), "row 1: number 1 of the vector of \"the\" is NaN"),
            (with(matrix + 17 + 5 * 8, &f32::INFINITY.to_le_bytes()), " is inf"),
            (fault(&FastText, &[&bytes[..], b"x"].concat()), "1 bytes follow"),
        ] {
            assert!(found.contains(message), "{found} holds {message}");
        }
        refused(&FastText, &["a", "b\0"], "fasttext cannot hold a key with a zero byte (\"b\\0\" in row 2)");
        refused(&FastText, &[], "0 keys");
        Ok(())
    }
}
