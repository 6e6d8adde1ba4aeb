//! The one product of training: keys and a vector for each.

mod beginning;
mod ngrams;
pub mod pooling;
mod similarity;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::math::Matrix;
use crate::vocabulary::{Keys, Segmenter};

pub use beginning::beginning;
pub use ngrams::Ngrams;
pub use pooling::{Frequencies, Pool, Pooling, PoolingModel};
pub(crate) use similarity::BLOCK_ROWS;
pub use similarity::{Best, Cosines, Method, Neighbor, cosine, inverse_norm};

/// How numbers are kept that no file holds.
const MADE: &str = "f32";

/// Keys (words, or document ids) and their vectors.
///
/// Shape: `vectors` is `len x dim`, row `i` belongs to key `i`. Words stand in the order of falling count.
#[derive(Debug, Clone)]
pub struct Embeddings {
    keys: Keys,
    vectors: Matrix,
    counts: Option<Vec<u64>>,
    labels: Option<Keys>,
    texts: Option<Keys>,
    ngrams: Option<Ngrams>,
    contexts: Option<Matrix>,
    segmenter: Option<Segmenter>,
    /// How the file that they were read from keeps their numbers: `f32`, `i8`, `text`; `f32` of numbers made since.
    pub numbers: &'static str,
    /// What made them: configuration, version, corpus. Formats other than the native one drop it.
    pub metadata: BTreeMap<String, String>,
    /// What a reader changed, guessed or left out, a sentence each, for the caller to show; no part of the product.
    pub warnings: Vec<String>,
}

impl Embeddings {
    /// A vector for each key; the counts, where known, are those of the training corpus.
    pub fn new(keys: Keys, vectors: Matrix, counts: Option<Vec<u64>>) -> Result<Self> {
        one_each("vectors", &keys, vectors.rows())?;
        if let Some(counts) = &counts {
            one_each("counts", &keys, counts.len())?;
        }
        let (metadata, warnings) = (BTreeMap::new(), Vec::new());
        Ok(Self {
            keys,
            vectors,
            counts,
            labels: None,
            texts: None,
            ngrams: None,
            contexts: None,
            segmenter: None,
            numbers: MADE,
            metadata,
            warnings,
        })
    }

    /// Adds the class of each key, as the input told it; they need not be distinct.
    pub fn with_labels(mut self, labels: Keys) -> Result<Self> {
        one_each("labels", &self.keys, labels.len())?;
        self.labels = Some(labels);
        Ok(self)
    }

    /// Adds the first words of each key's text ([`beginning`]), for people to read.
    pub fn with_texts(mut self, texts: Keys) -> Result<Self> {
        one_each("texts", &self.keys, texts.len())?;
        self.texts = Some(texts);
        Ok(self)
    }

    /// Adds the vectors of n-grams, from which those of unseen keys are made; `None` takes them away.
    pub fn with_ngrams(mut self, ngrams: Option<Ngrams>) -> Result<Self> {
        if let Some(ngrams) = ngrams.as_ref().filter(|ngrams| ngrams.vectors().cols() != self.dim()) {
            return Err(Error::mismatch("dimension of the n-grams", self.dim(), ngrams.vectors().cols()));
        }
        self.ngrams = ngrams;
        Ok(self)
    }

    /// Adds the vectors of keys as what is predicted, from which training can go on; `None` takes them away.
    pub fn with_contexts(mut self, contexts: Option<Matrix>) -> Result<Self> {
        if let Some(contexts) = &contexts {
            one_each("context vectors", &self.keys, contexts.rows())?;
            if contexts.cols() != self.dim() {
                return Err(Error::mismatch("dimension of the context vectors", self.dim(), contexts.cols()));
            }
        }
        self.contexts = contexts;
        Ok(self)
    }

    /// Adds what cut the text that the vectors were learnt from into keys; `None` takes it away.
    pub fn with_segmenter(mut self, segmenter: Option<Segmenter>) -> Self {
        self.segmenter = segmenter;
        self
    }

    /// The same keys with other vectors, and all else that is known of them but the n-grams and the context vectors, which
    /// would not fit.
    pub fn with_vectors(mut self, vectors: Matrix) -> Result<Self> {
        one_each("vectors", &self.keys, vectors.rows())?;
        (self.vectors, self.ngrams, self.contexts, self.numbers) = (vectors, None, None, MADE);
        Ok(self)
    }

    /// The same keys with their mean taken off each vector ([`Matrix::centered`]) and off each n-gram's, so that those of
    /// unseen keys, being means of n-grams', are moved as far; or less, by the share of their n-grams that have no vector.
    pub fn centered(mut self) -> Result<Self> {
        let mean = self.vectors.mean();
        (self.vectors, self.numbers) = (self.vectors.less(&mean), MADE);
        // Vectors that were learnt beside others than these would not fit.
        self.contexts = None;
        if let Some(ngrams) = self.ngrams.take() {
            let moved = ngrams.vectors().less(&mean);
            self.ngrams = Some(ngrams.with_vectors(moved)?);
        }
        Ok(self)
    }

    /// The rows at some positions, with all that is known of their keys.
    ///
    /// # Panics
    /// If a position is not below [`Embeddings::len`].
    pub fn select(&self, positions: &[usize]) -> Result<Self> {
        let chosen = |strings: &Keys| positions.iter().map(|&position| strings.get(position)).collect::<Keys>();
        let rows = |matrix: &Matrix| {
            let rows = positions.iter().flat_map(|&position| matrix.row(position)).copied().collect();
            Matrix::from_vec(positions.len(), self.dim(), rows)
        };
        Ok(Self {
            keys: chosen(&self.keys),
            vectors: rows(&self.vectors)?,
            counts: self.counts.as_ref().map(|counts| positions.iter().map(|&position| counts[position]).collect()),
            labels: self.labels.as_ref().map(chosen),
            texts: self.texts.as_ref().map(chosen),
            ngrams: self.ngrams.clone(),
            contexts: self.contexts.as_ref().map(rows).transpose()?,
            segmenter: self.segmenter.clone(),
            numbers: self.numbers,
            metadata: self.metadata.clone(),
            warnings: Vec::new(),
        })
    }

    /// Adds keys that have no row, and vectors made for them, behind the others: with a count of 0 and nothing else known.
    pub fn extended<'k>(mut self, unseen: impl IntoIterator<Item = (&'k str, &'k [f32])>) -> Result<Self> {
        let (before, mut rows) = (self.len(), Vec::new());
        for (key, vector) in unseen {
            self.keys.push(key);
            rows.extend_from_slice(vector);
        }
        let added = self.len() - before;
        if added == 0 {
            return Ok(self);
        }
        let dim = self.dim();
        let with =
            |matrix: &Matrix, rows: &[f32]| Matrix::from_vec(before + added, dim, [matrix.as_slice(), rows].concat());
        (self.vectors, self.numbers) = (with(&self.vectors, &rows)?, MADE);
        if let Some(contexts) = &mut self.contexts {
            *contexts = with(contexts, &vec![0.0; rows.len()])?;
        }
        self.counts.iter_mut().for_each(|counts| counts.resize(before + added, 0));
        for strings in [&mut self.labels, &mut self.texts].into_iter().flatten() {
            (0..added).for_each(|_| strings.push(""));
        }
        Ok(self)
    }

    /// The keys in order.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The vectors, a row for each key.
    pub fn vectors(&self) -> &Matrix {
        &self.vectors
    }

    /// How often each key occurred in training, where the file tells.
    pub fn counts(&self) -> Option<&[u64]> {
        self.counts.as_deref()
    }

    /// The class of each key, where the input told it; empty for those that have none.
    pub fn labels(&self) -> Option<&Keys> {
        self.labels.as_ref()
    }

    /// The first words of each key's text, where it is a document.
    pub fn texts(&self) -> Option<&Keys> {
        self.texts.as_ref()
    }

    /// The vectors of n-grams, where the model was trained with subwords.
    pub fn ngrams(&self) -> Option<&Ngrams> {
        self.ngrams.as_ref()
    }

    /// The vectors of keys as what is predicted, a row for each, where they were kept with the model.
    pub fn contexts(&self) -> Option<&Matrix> {
        self.contexts.as_ref()
    }

    /// What cut the text that the vectors were learnt from into keys, where it was kept with the model.
    pub fn segmenter(&self) -> Option<&Segmenter> {
        self.segmenter.as_ref()
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The length of each vector.
    pub fn dim(&self) -> usize {
        self.vectors.cols()
    }

    /// A key's stored vector.
    pub fn row(&self, key: &str) -> Option<&[f32]> {
        self.keys.find(key).map(|position| self.vectors.row(position))
    }

    /// A key's vector: the stored one or, with subwords, the mean of its n-grams'.
    pub fn vector(&self, key: &str) -> Option<Cow<'_, [f32]>> {
        let composed = || self.ngrams.as_ref()?.compose(key).map(Cow::Owned);
        self.row(key).map(Cow::Borrowed).or_else(composed)
    }

    /// A key's vector, or an error that suggests near spellings.
    pub fn require(&self, key: &str) -> Result<Cow<'_, [f32]>> {
        self.vector(key).ok_or_else(|| Error::UnknownKey { key: key.into(), nearest: self.keys.nearest(key, 3) })
    }

    /// A key's position, or an error that suggests near spellings.
    pub fn position(&self, key: &str) -> Result<usize> {
        self.keys.find(key).ok_or_else(|| Error::UnknownKey { key: key.into(), nearest: self.keys.nearest(key, 3) })
    }
}

/// Refuses what is not as many as the keys.
fn one_each(what: &str, keys: &Keys, found: usize) -> Result<()> {
    if found == keys.len() {
        return Ok(());
    }
    Err(Error::mismatch(what, format!("one for each of {} keys", keys.len()), found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Subwords;

    /// Two words, and the n-grams of a third.
    fn model() -> Result<Embeddings> {
        let subwords = Subwords { min_n: 3, max_n: 3, buckets: 1000 };
        let mut buckets = Vec::new();
        subwords.buckets_of("ab", &mut buckets);
        buckets.sort_unstable();
        let ngrams = Ngrams::new(subwords, buckets, Matrix::from_vec(2, 1, vec![5.0, 7.0])?)?;
        let vectors = Matrix::from_vec(2, 1, vec![1.0, 3.0])?;
        Embeddings::new(["x", "y"].iter().collect(), vectors, Some(vec![9, 8]))?.with_ngrams(Some(ngrams))
    }

    #[test]
    fn unseen_keys_stand_behind_with_a_count_of_zero() -> Result<()> {
        let words = model()?.with_contexts(Some(Matrix::from_vec(2, 1, vec![2.0, 4.0])?))?;
        let more = words.select(&[1])?.extended([("ab", &[6.0][..]), ("cd", &[8.0])])?;
        assert_eq!(more.keys().iter().collect::<Vec<_>>(), ["y", "ab", "cd"]);
        assert_eq!((more.vectors().as_slice(), more.counts()), (&[3.0, 6.0, 8.0][..], Some(&[8, 0, 0][..])));
        assert_eq!(more.contexts().map(Matrix::as_slice), Some(&[4.0, 0.0, 0.0][..]));
        assert!(words.centered()?.contexts().is_none());
        Ok(())
    }

    #[test]
    fn numbers_that_were_made_are_no_longer_those_of_a_file() -> Result<()> {
        let read = Embeddings { numbers: "i8", ..model()? };
        assert_eq!((read.select(&[1])?.numbers, read.clone().extended([])?.numbers), ("i8", "i8"));
        let made = [
            read.clone().centered()?,
            read.clone().with_vectors(read.vectors().normalized())?,
            read.extended([("z", &[1.0][..])])?,
        ];
        assert_eq!(made.map(|vectors| vectors.numbers), ["f32"; 3]);
        Ok(())
    }

    #[test]
    fn n_grams_are_moved_with_the_words() -> Result<()> {
        let centered = model()?.centered()?;
        assert_eq!(centered.vectors().as_slice(), [-1.0, 1.0]);
        assert_eq!(centered.vector("ab").as_deref(), Some(&[4.0][..]));
        Ok(())
    }
}
