//! Which loss a run learns by, and what follows from it: the output table's rows, the objective, who takes them over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::{KernelChoice, TrainConfig};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::objective::{HierarchicalSoftmax, HuffmanTree, Manner, NegativeSampling, Objective, Softmax};
use crate::vocabulary::Vocabulary;

/// The most words among which softmax is trained: a prediction then takes 0.1 G multiply-adds at dimension 300.
const MOST_SOFTMAX_WORDS: usize = 100_000;

/// How a prediction is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Loss {
    /// Negative sampling: tell the target from a few noise words; fast, the best for frequent words
    #[default]
    Ns,
    /// Hierarchical softmax: find the target in a Huffman tree of all words; no noise to choose, good for rare words
    Hs,
    /// Softmax over all words, exactly: every prediction costs as many rows as there are words, 100 000 at most
    Softmax,
}

impl Loss {
    /// The name that users know.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ns => "ns",
            Self::Hs => "hs",
            Self::Softmax => "softmax",
        }
    }

    /// The loss of the run that left vectors with such metadata; of one that does not say, negative sampling.
    pub fn of(metadata: &BTreeMap<String, String>) -> Self {
        let config = metadata.get("firth.config").and_then(|text| serde_json::from_str(text).ok());
        config.map_or_else(Self::default, |config: TrainConfig| config.loss)
    }

    /// CBOW's best rate of those measured (`docs/benchmarks.md`); those of the other tasks do not depend on the loss.
    pub(super) fn cbow_lr(self) -> f64 {
        match self {
            Self::Ns => 0.15,
            Self::Hs => 0.1,
            Self::Softmax => 0.2,
        }
    }

    /// Rows of the output table for so many words: one each, or the inner nodes of their tree.
    pub(super) fn output_rows(self, words: usize) -> usize {
        if self == Self::Hs { words.saturating_sub(1) } else { words }
    }

    /// Refuses a vocabulary that the loss is not for.
    pub(super) fn check(self, words: usize) -> Result<()> {
        if self != Self::Ns && words == 1 {
            let reason = format!(
                "{} has nothing to tell the only word of the vocabulary from; lower --min-count or use ns",
                self.name()
            );
            return Err(Error::config("--loss", reason));
        }
        if self == Self::Softmax && words > MOST_SOFTMAX_WORDS {
            let reason = format!(
                "softmax scores all {words} words of the vocabulary at every prediction, {} times what ns does by default; \
                 expected at most {MOST_SOFTMAX_WORDS} words: use --max-vocabulary, raise --min-count, or use hs or ns",
                words / (1 + TrainConfig::default().negative)
            );
            return Err(Error::config("--loss", reason));
        }
        Ok(())
    }

    /// Do these losses, of these words, give the rows of an output table the same meaning? If not, why.
    pub(super) fn differs(self, vocabulary: &Vocabulary, earlier: &Embeddings) -> Option<&'static str> {
        if self != Self::of(&earlier.metadata) {
            return Some("it was trained with another --loss");
        }
        let has_same_tree = || {
            let same_words = vocabulary.keys() == earlier.keys();
            let tree = |counts| HuffmanTree::new(counts);
            same_words && earlier.counts().is_some_and(|counts| tree(counts) == tree(vocabulary.counts()))
        };
        (self == Self::Hs && !has_same_tree()).then_some("other words or counts make another tree")
    }
}

impl TrainConfig {
    /// The loss, for words that occur so often.
    pub(super) fn objective(&self, counts: &[u64]) -> Box<dyn Objective> {
        let manner = Manner { pairwise: self.kernel == KernelChoice::Reference, divide: self.divides_mean() };
        match self.loss {
            Loss::Ns => Box::new(NegativeSampling::new(counts, self.ns_exponent(), self.negative, manner)),
            Loss::Hs => Box::new(HierarchicalSoftmax::new(counts, manner)),
            Loss::Softmax => Box::new(Softmax::new(counts.len(), manner)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_from_before_there_were_losses_are_of_negative_sampling() {
        let of = |config: &str| Loss::of(&BTreeMap::from([("firth.config".to_owned(), config.to_owned())]));
        assert_eq!(of(r#"{"task":"cbow","dim":50,"negative":5}"#), Loss::Ns);
        let config = TrainConfig { loss: Loss::Hs, ..TrainConfig::default() };
        assert_eq!(of(&serde_json::to_string(&config).expect("plain fields")), Loss::Hs);
        assert_eq!(Loss::of(&BTreeMap::new()), Loss::Ns);
    }
}
