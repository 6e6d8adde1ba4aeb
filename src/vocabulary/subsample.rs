//! Subsampling of frequent words (Mikolov et al., 2013, section 2.3, in the form of word2vec.c).
//!
//! A word of relative frequency `f` is kept with odds `√(t/f) + t/f`, at most 1. Words rarer than `t` are always kept.

use super::{Vocabulary, WordId};
use crate::math::Rng;

/// The odds of keeping each word, as thresholds for 32 random bits.
#[derive(Debug, Clone)]
pub struct Subsampling {
    thresholds: Vec<u32>,
}

impl Subsampling {
    /// Odds for a threshold `sample` on relative frequency (1e-5 to 1e-3 are usual); 0 keeps everything.
    pub fn new(vocabulary: &Vocabulary, sample: f64) -> Self {
        let total = vocabulary.tokens() as f64;
        let odds = |&count: &u64| {
            let ratio = sample * total / count as f64;
            if sample == 0.0 { 1.0 } else { ratio.sqrt() + ratio }
        };
        let threshold = |odds: f64| if odds >= 1.0 { u32::MAX } else { (odds * 2f64.powi(32)) as u32 };
        Self { thresholds: vocabulary.counts().iter().map(|count| threshold(odds(count))).collect() }
    }

    /// Copies the words that are kept this time.
    #[inline]
    pub fn keep(&self, words: &[WordId], rng: &mut Rng, into: &mut Vec<WordId>) {
        into.resize(words.len(), WordId(0));
        let mut kept = 0;
        for &word in words {
            let threshold = self.thresholds[word.0 as usize];
            // Always drawn, so that a word's fate does not shift with its neighbours' odds; and written without a
            // branch, which would be guessed wrong every other time.
            let random = (rng.next() >> 32) as u32;
            into[kept] = word;
            kept += usize::from(threshold == u32::MAX || random < threshold);
        }
        into.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Keys;

    #[test]
    fn words_are_kept_by_the_formula() {
        let vocabulary = Vocabulary::new(["the", "of", "rare"].into_iter().collect::<Keys>(), vec![9000, 990, 10]);
        let subsampling = Subsampling::new(&vocabulary, 1e-2);
        let mut rng = Rng::stream(1, &[]);
        let mut kept = Vec::new();
        for (word, expected) in [(0, 0.1165), (1, 0.4188), (2, 1.0)] {
            subsampling.keep(&[WordId(word); 100_000], &mut rng, &mut kept);
            assert!((kept.len() as f64 / 1e5 - expected).abs() < 0.005, "{} kept of word {word}", kept.len());
        }
        Subsampling::new(&vocabulary, 0.0).keep(&[WordId(0); 100], &mut rng, &mut kept);
        assert_eq!(kept.len(), 100);
    }
}
