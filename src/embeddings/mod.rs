//! The one product of training: keys and a vector for each.

pub mod pooling;
mod similarity;

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::math::Matrix;
use crate::vocabulary::Keys;

pub use pooling::{Frequencies, Pool, Pooling, PoolingModel};
pub(crate) use similarity::BLOCK_ROWS;
pub use similarity::{Best, Cosines, Method, Neighbor, cosine, inverse_norm};

/// Keys (words, or document ids) and their vectors.
///
/// Shape: `vectors` is `len x dim`, row `i` belongs to key `i`. Words stand in the order of falling count.
#[derive(Debug, Clone)]
pub struct Embeddings {
    keys: Keys,
    vectors: Matrix,
    counts: Option<Vec<u64>>,
    /// What made them: configuration, version, corpus. Formats other than the native one drop it.
    pub metadata: BTreeMap<String, String>,
    /// What a reader changed, guessed or left out, a sentence each, for the caller to show; no part of the product.
    pub warnings: Vec<String>,
}

impl Embeddings {
    /// A vector for each key; the counts, where known, are those of the training corpus.
    pub fn new(keys: Keys, vectors: Matrix, counts: Option<Vec<u64>>) -> Result<Self> {
        if keys.len() != vectors.rows() {
            return Err(Error::mismatch("vectors", format!("one for each of {} keys", keys.len()), vectors.rows()));
        }
        if let Some(counts) = &counts
            && counts.len() != keys.len()
        {
            return Err(Error::mismatch("counts", format!("one for each of {} keys", keys.len()), counts.len()));
        }
        Ok(Self { keys, vectors, counts, metadata: BTreeMap::new(), warnings: Vec::new() })
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

    /// A key's position, or an error that suggests near spellings.
    pub fn position(&self, key: &str) -> Result<usize> {
        self.keys.find(key).ok_or_else(|| Error::UnknownKey { key: key.into(), nearest: self.keys.nearest(key, 3) })
    }
}
