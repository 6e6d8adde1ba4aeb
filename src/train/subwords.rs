//! Words as means of rows: of each word the own row and those of its n-grams, and back to vectors when training is over.

use crate::math::vector::add_scaled;
use crate::math::{Compositions, Matrix, RowId, Rows, SharedTable};
use crate::vocabulary::{Subwords, Vocabulary};

/// The rows of the input table with subwords: first one for each word, then one for each bucket that some word's n-gram
/// falls into. Buckets that no word meets would never be trained and have none: fastText's tables hold two million.
#[derive(Debug)]
pub(super) struct SubwordRows {
    subwords: Subwords,
    /// The buckets in use, rising.
    pub buckets: Vec<u32>,
    /// The rows of each word.
    pub compositions: Compositions,
}

impl SubwordRows {
    /// Those of a vocabulary.
    pub fn new(subwords: Subwords, vocabulary: &Vocabulary) -> Self {
        let (mut of_words, mut ends) = (Vec::new(), Vec::with_capacity(vocabulary.len()));
        for word in vocabulary.keys().iter() {
            subwords.buckets_of(word, &mut of_words);
            ends.push(of_words.len());
        }
        let mut buckets = of_words.clone();
        buckets.sort_unstable();
        buckets.dedup();
        let mut compositions = Compositions::new();
        let mut start = 0;
        for (word, &end) in ends.iter().enumerate() {
            let row = |bucket: &u32| vocabulary.len() + buckets.binary_search(bucket).expect("a bucket in use");
            let ngrams = of_words[start..end].iter().map(row);
            compositions.push(std::iter::once(word).chain(ngrams).map(|row| RowId(row as u32)));
            start = end;
        }
        Self { subwords, buckets, compositions }
    }

    /// How words are cut.
    pub fn subwords(&self) -> Subwords {
        self.subwords
    }

    /// The rows of the n-grams among those of the input table.
    pub fn ngrams<'a>(&self, rows: Rows<'a>) -> Rows<'a> {
        let words = self.compositions.len();
        rows.range(words..words + self.buckets.len())
    }

    /// The vector of each word, from the rows of the input table.
    pub fn compose(&self, rows: Rows<'_>, dim: usize) -> Matrix {
        let mut vectors = Matrix::zeros(self.compositions.len(), dim);
        for (word, vector) in vectors.as_mut_slice().chunks_exact_mut(dim).enumerate() {
            let of = self.compositions.of(word);
            of.iter().for_each(|&row| add_scaled(vector, 1.0, rows.get(row)));
            vector.iter_mut().for_each(|value| *value /= of.len() as f32);
        }
        vectors
    }

    /// Sets the own row of a word such that its mean becomes a vector; the rows of n-grams stay.
    pub fn set(&self, word: usize, vector: &[f32], table: &mut SharedTable) {
        let of = self.compositions.of(word);
        let mut own: Vec<f32> = vector.iter().map(|value| value * of.len() as f32).collect();
        of[1..].iter().for_each(|&row| add_scaled(&mut own, -1.0, table.as_rows().get(row)));
        table.set_rows(word, [&own[..]]);
    }
}
