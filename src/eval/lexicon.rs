//! Words of a test to positions in the vocabulary, with or without regard to case.

use std::borrow::Cow;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::embeddings::Embeddings;
use crate::embeddings::pooling::has_capitals;
use crate::error::{Error, Result};

/// The first spellings of the most frequent words.
pub(super) struct Lexicon<'a> {
    embeddings: &'a Embeddings,
    /// Are words composed of n-grams where they are unknown?
    composes: bool,
    lowers: bool,
    positions: HashMap<Cow<'a, str>, usize, FixedState>,
    keep_case: bool,
}

impl<'a> Lexicon<'a> {
    /// Takes the first `restrict` words, or all.
    pub(super) fn new(embeddings: &'a Embeddings, restrict: Option<usize>, keep_case: bool) -> Result<Self> {
        if restrict == Some(0) {
            return Err(Error::config("--restrict", "0 words leave nothing to ask; give 1 or more, or leave it out"));
        }
        let size = restrict.unwrap_or(usize::MAX).min(embeddings.len());
        let mut positions = HashMap::with_capacity_and_hasher(size, FixedState::with_seed(0));
        for (position, key) in embeddings.keys().iter().take(size).enumerate() {
            positions.entry(fold(key, keep_case)).or_insert(position);
        }
        let composes = restrict.is_none() && embeddings.ngrams().is_some();
        let lowers = composes && !keep_case && !has_capitals(embeddings.keys());
        Ok(Self { embeddings, composes, lowers, positions, keep_case })
    }

    /// A word's vector; one that is unknown, and not merely left out by `restrict`, is composed of n-grams where the model
    /// has such, lower-cased if all of the model is.
    pub(super) fn vector(&self, word: &str) -> Option<Cow<'a, [f32]>> {
        if let Some(position) = self.find(word) {
            return Some(Cow::Borrowed(self.embeddings.vectors().row(position)));
        }
        let ngrams = self.embeddings.ngrams().filter(|_| self.composes)?;
        let composed = if self.lowers { ngrams.compose(&word.to_lowercase()) } else { ngrams.compose(word) };
        composed.map(Cow::Owned)
    }

    /// Where a word stands; of several spellings, the most frequent.
    pub(super) fn find(&self, word: &str) -> Option<usize> {
        self.positions.get(&*fold(word, self.keep_case)).copied()
    }
}

/// Upper case, as gensim folds: `ß` becomes `SS`, which lower-casing would not unite.
fn fold(word: &str, keep_case: bool) -> Cow<'_, str> {
    if keep_case { Cow::Borrowed(word) } else { Cow::Owned(word.to_uppercase()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Matrix;

    #[test]
    fn the_most_frequent_spelling_wins() -> Result<()> {
        let keys = ["us", "US", "Straße", "STRASSE", "rare"].into_iter().collect();
        let words = Embeddings::new(keys, Matrix::zeros(5, 1), None)?;
        let folded = Lexicon::new(&words, Some(4), false)?;
        assert_eq!(["Us", "strasse", "rare"].map(|word| folded.find(word)), [Some(0), Some(2), None]);
        let kept = Lexicon::new(&words, None, true)?;
        assert_eq!(["Us", "US", "STRASSE", "rare"].map(|word| kept.find(word)), [None, Some(1), Some(3), Some(4)]);
        assert!(Lexicon::new(&words, Some(0), false).is_err());
        Ok(())
    }
}
