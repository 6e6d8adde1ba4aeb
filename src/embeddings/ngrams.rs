//! Vectors of character n-grams, from which those of unseen words are made.

use crate::error::{Error, Result};
use crate::math::Matrix;
use crate::vocabulary::Subwords;

/// The vectors of the buckets that n-grams fall into.
///
/// Shape: `vectors` is `buckets.len() x dim`. A bucket that training never met has no row and counts as zeros.
#[derive(Debug, Clone)]
pub struct Ngrams {
    subwords: Subwords,
    buckets: Vec<u32>,
    vectors: Matrix,
}

impl Ngrams {
    /// The rows of some buckets, which must rise and stay below the number of all.
    pub fn new(subwords: Subwords, buckets: Vec<u32>, vectors: Matrix) -> Result<Self> {
        if buckets.len() != vectors.rows() {
            return Err(Error::mismatch("vectors of n-grams", buckets.len(), vectors.rows()));
        }
        let rise = buckets.windows(2).all(|pair| pair[0] < pair[1]);
        if !rise || buckets.last().is_some_and(|&last| last >= subwords.buckets) {
            return Err(Error::data(format!("buckets out of order, or not below {}", subwords.buckets)));
        }
        Ok(Self { subwords, buckets, vectors })
    }

    /// How words are cut.
    pub fn subwords(&self) -> Subwords {
        self.subwords
    }

    /// The buckets that have a row, in rising order.
    pub fn buckets(&self) -> &[u32] {
        &self.buckets
    }

    /// A row for each of [`Ngrams::buckets`].
    pub fn vectors(&self) -> &Matrix {
        &self.vectors
    }

    /// The same buckets with other vectors.
    pub fn with_vectors(self, vectors: Matrix) -> Result<Self> {
        Self::new(self.subwords, self.buckets, vectors)
    }

    /// The row of a bucket.
    pub fn row(&self, bucket: u32) -> Option<&[f32]> {
        self.buckets.binary_search(&bucket).ok().map(|at| self.vectors.row(at))
    }

    /// The sum of the vectors of a word's n-grams, and how many n-grams the word has: those without a row count, too.
    pub fn sum(&self, word: &str) -> (Vec<f32>, usize) {
        let (mut found, mut sum) = (Vec::new(), vec![0.0; self.vectors.cols()]);
        self.subwords.buckets_of(word, &mut found);
        for row in found.iter().filter_map(|&bucket| self.row(bucket)) {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        (sum, found.len())
    }

    /// The vector of a word that has no row of its own: the mean of its n-grams' vectors; `None` if it has none that is
    /// known.
    pub fn compose(&self, word: &str) -> Option<Vec<f32>> {
        let (mut sum, count) = self.sum(word);
        if count == 0 || sum.iter().all(|&value| value == 0.0) {
            return None;
        }
        sum.iter_mut().for_each(|value| *value /= count as f32);
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unseen_words_are_means_of_known_and_unknown_n_grams() -> Result<()> {
        let subwords = Subwords { min_n: 3, max_n: 3, buckets: 1000 };
        let mut known = Vec::new();
        subwords.buckets_of("ab", &mut known); // <ab, ab>
        known.sort_unstable();
        let ngrams = Ngrams::new(subwords, known, Matrix::from_vec(2, 1, vec![1.0, 3.0])?)?;
        assert_eq!(ngrams.compose("ab"), Some(vec![2.0]));
        // <ab abc bc>: one of three is known.
        let one = ngrams.compose("abc").expect("one is known")[0];
        assert!((one - 1.0 / 3.0).abs() < 1e-6 || (one - 1.0).abs() < 1e-6, "{one}");
        assert_eq!((ngrams.compose("xyz"), ngrams.compose("")), (None, None));
        assert!(Ngrams::new(subwords, vec![3, 2], Matrix::zeros(2, 1)).is_err());
        assert!(Ngrams::new(subwords, vec![1000], Matrix::zeros(1, 1)).is_err());
        Ok(())
    }
}
