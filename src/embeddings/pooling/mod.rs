//! Vectors of documents, pooled from those of their words.
//!
//! | method | vector of a document of n known words w |
//! |---|---|
//! | mean | Σ v(w) / n |
//! | max | of each number the largest among the words |
//! | idf | Σ idf(w) v(w) / Σ idf(w), with idf = ln((1 + N) / (1 + N(w))) + 1 as in scikit-learn |
//! | sif | Σ a / (a + p(w)) v(w) / n, less its part along the first direction u (Arora, Liang and Ma, 2017) |
//! | usif | Σ a / (a/2 + p(w)) v(w) / n, less λᵢ of its part along each of five directions (Ethayarajh, 2018) |
//!
//! N is the number of documents and N(w) of those with w. p(w) is a word's share of all words: by the model's counts; or,
//! where a file of vectors has none, by Zipf's law from its rank, since such files stand in the order of falling count.
//! The directions are the first right singular vectors of the fitted documents' vectors, which are not centred, as in both
//! papers' programs and in fse; λᵢ is the square of the i-th singular value over the sum of the five squares.
//!
//! SIF's a is 1e-3. uSIF finds its own: with V words and n the mean length of a document, α is the share of words with
//! p > 1 − (1 − 1/V)ⁿ, and a = (1 − α) / (α V/2). fse takes n = 11 whatever the documents. Before pooling, uSIF scales each
//! column of the words' vectors to length one: over the vocabulary here, over the words of the sentence in the author's
//! program (which makes ±1 of the vector of a sentence of one word), not at all in fse.
//!
//! ```
//! # fn main() -> firth::Result<()> {
//! use firth::embeddings::{Embeddings, Pool, Pooling};
//! use firth::math::Matrix;
//!
//! let vectors = Matrix::from_vec(2, 2, vec![1.0, 0.0, 0.0, 3.0])?;
//! let words = Embeddings::new(["a", "b"].into_iter().collect(), vectors, None)?;
//! let documents = vec![vec![0, 1, 1], vec![]];
//! let model = Pooling::of(Pool::Mean).fit(&words, &documents)?;
//! assert_eq!(model.pool(&words, &documents)?.as_slice(), [1.0 / 3.0, 2.0, 0.0, 0.0]);
//! # Ok(())
//! # }
//! ```

mod fit;
mod known;
mod saved;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Embeddings;
use crate::error::{Error, Result};
use crate::math::Matrix;

pub use fit::{Fitting, Survey};
pub use known::{Found, Known, has_capitals};
pub use saved::FILE;

/// How the vectors of a document's words become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Pool {
    /// The mean
    Mean,
    /// The mean, rare words weighing more; the common direction of all documents is taken off
    Sif,
    /// As sif, with weights that fit vocabulary and length, and five directions taken off in part
    Usif,
    /// The mean, words of few documents weighing more
    Idf,
    /// Of each number the largest
    Max,
}

/// Where the frequencies of words are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Frequencies {
    /// The model's own counts
    Model,
    /// A word's rank in the model, by Zipf's law
    Rank,
    /// The documents that are fitted
    Documents,
}

/// A method and its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pooling {
    /// The method.
    pub pool: Pool,
    /// Of SIF: how common a word is that weighs half (above 0).
    pub a: f64,
    /// How many directions are taken off, by SIF and uSIF; `None` is 1 and 5.
    pub components: Option<usize>,
    /// Where SIF and uSIF take frequencies from; `None` is the model's counts if it has any, else ranks.
    pub frequencies: Option<Frequencies>,
}

impl Default for Pooling {
    fn default() -> Self {
        Self { pool: Pool::Sif, a: 1e-3, components: None, frequencies: None }
    }
}

impl Pooling {
    /// A method with its usual settings.
    pub fn of(pool: Pool) -> Self {
        Self { pool, ..Self::default() }
    }

    /// A method's name.
    pub fn name(pool: Pool) -> &'static str {
        match pool {
            Pool::Mean => "mean",
            Pool::Sif => "sif",
            Pool::Usif => "usif",
            Pool::Idf => "idf",
            Pool::Max => "max",
        }
    }
}

/// What pooling learnt from documents: weights of words, and directions to take off.
#[derive(Debug, Clone)]
pub struct PoolingModel {
    pooling: Pooling,
    /// The documents with known words that the directions were found in.
    documents: u64,
    /// One for each word.
    weights: Vec<f32>,
    /// A factor for each column; none if all are one.
    scale: Vec<f32>,
    /// One a row.
    directions: Matrix,
    /// The part of each that is taken off.
    shares: Vec<f32>,
}

impl PoolingModel {
    /// The method and its settings, as they were resolved.
    pub fn pooling(&self) -> &Pooling {
        &self.pooling
    }

    /// The length of the vectors.
    pub fn dim(&self) -> usize {
        self.directions.cols()
    }

    /// What each word of the model weighs.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The directions that are taken off, one a row.
    pub fn directions(&self) -> &Matrix {
        &self.directions
    }

    /// How much of a vector's part along each direction is taken off, from 0 to 1.
    pub fn shares(&self) -> &[f32] {
        &self.shares
    }

    /// In how many documents the directions were found; with fewer than [`PoolingModel::ENOUGH`] none is taken off, since
    /// it would be that of the documents themselves.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// Fewer documents than this have no direction in common worth the name.
    pub const ENOUGH: u64 = 10;

    /// The vectors of documents, given as positions of words, on the current rayon pool. A document without words has the
    /// zero vector.
    ///
    /// # Errors
    /// If the words are others than those that it was fitted on, by number or length.
    ///
    /// # Panics
    /// If a position is not below the number of words.
    pub fn pool(&self, words: &Embeddings, documents: &[Vec<u32>]) -> Result<Matrix> {
        self.pool_composed(words, documents, &[])
    }

    /// [`PoolingModel::pool`] of documents that have unseen words, too: `composed` holds their vectors, one after another,
    /// for each document, or is empty. They weigh as much as the rarest known word.
    ///
    /// # Errors
    /// As [`PoolingModel::pool`], or if the lists differ in number.
    pub fn pool_composed(&self, words: &Embeddings, documents: &[Vec<u32>], composed: &[Vec<f32>]) -> Result<Matrix> {
        self.check(words)?;
        if !composed.is_empty() && composed.len() != documents.len() {
            return Err(Error::mismatch("lists of composed vectors", documents.len(), composed.len()));
        }
        let dim = self.dim();
        let rarest = self.weights.iter().copied().fold(0.0, f32::max);
        let mut out = Matrix::zeros(documents.len(), dim);
        if dim > 0 {
            let rows = out.as_mut_slice().par_chunks_mut(dim).zip(documents).enumerate();
            rows.for_each_init(Vec::new, |sum, (at, (out, document))| {
                let unseen = composed.get(at).map_or(&[][..], Vec::as_slice).chunks_exact(dim);
                let known = self.weighed(words, document);
                self.gather(known.chain(unseen.map(|row| (rarest, row))), sum);
                self.take_off(sum);
                out.iter_mut().zip(&*sum).for_each(|(out, &sum)| *out = sum as f32);
            });
        }
        Ok(out)
    }

    fn check(&self, words: &Embeddings) -> Result<()> {
        let shape = |words: usize, dim: usize| format!("{words} words of {dim} numbers");
        let (expected, found) = (shape(self.weights.len(), self.dim()), shape(words.len(), words.dim()));
        if expected == found { Ok(()) } else { Err(Error::mismatch("word vectors to pool", expected, found)) }
    }

    /// The weights and vectors of some words.
    fn weighed<'a>(&'a self, words: &'a Embeddings, document: &'a [u32]) -> impl Iterator<Item = (f32, &'a [f32])> {
        document.iter().map(|&word| (self.weights[word as usize], words.vectors().row(word as usize)))
    }

    /// A document's vector before any direction is taken off, from the weights and vectors of its words.
    fn gather<'a>(&self, rows: impl Iterator<Item = (f32, &'a [f32])>, sum: &mut Vec<f64>) {
        let is_max = self.pooling.pool == Pool::Max;
        sum.clear();
        sum.resize(self.dim(), if is_max { f64::NEG_INFINITY } else { 0.0 });
        let (mut weight_of_all, mut count) = (0.0, 0);
        for (weight, row) in rows {
            let weight = f64::from(weight);
            (weight_of_all, count) = (weight_of_all + weight, count + 1);
            if is_max {
                sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum = sum.max(f64::from(value)));
            } else {
                sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += weight * f64::from(value));
            }
        }
        if count == 0 {
            return sum.fill(0.0);
        }
        if is_max {
            return;
        }
        // SIF's paper divides by the number of words, not by their weights.
        let by = if self.pooling.pool == Pool::Idf { weight_of_all } else { f64::from(count) };
        if by > 0.0 {
            sum.iter_mut().for_each(|sum| *sum /= by);
        }
        sum.iter_mut().zip(&self.scale).for_each(|(sum, &scale)| *sum *= f64::from(scale));
    }

    /// v − Σ λᵢ (v·uᵢ) uᵢ. The directions stand at right angles, so that their order does not matter.
    fn take_off(&self, vector: &mut [f64]) {
        for (direction, &share) in self.directions.iter_rows().zip(&self.shares) {
            let along: f64 = vector.iter().zip(direction).map(|(&x, &u)| x * f64::from(u)).sum();
            let part = f64::from(share) * along;
            vector.iter_mut().zip(direction).for_each(|(x, &u)| *x -= part * f64::from(u));
        }
    }
}
