//! Words, their counts and their ids; phrases of words.

use crate::error::{Error, Result};
use crate::io::Plain;

pub mod choice;
mod collocation;
pub mod count;
mod file;
mod keys;
mod pairs;
mod phrases;
mod segmenter;
mod subsample;
mod subwords;
mod table;

pub use collocation::{Collocation, PhraseConfig, PhraseScore};
pub(crate) use file::{Parts, phrases};
pub use keys::Keys;
pub use pairs::{HASHES, PairTable};
pub use phrases::Phrases;
pub use segmenter::{Segmenter, Segments};
pub use subsample::Subsampling;
pub use subwords::Subwords;
pub use table::WordTable;

/// Which of the words met in a corpus are learnt.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct VocabularyConfig {
    /// Words that occur less often are left out [times, from 1]
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            default_value_t = 5,
            value_name = "N",
            help_heading = "Vocabulary",
            alias = "min_count",
            alias = "minCount"
        )
    )]
    pub min_count: u64,
    /// Only the commonest words are kept [words; default: all]
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "N",
            help_heading = "Vocabulary",
            alias = "max_vocabulary",
            alias = "max_final_vocab",
            alias = "max-vocab"
        )
    )]
    pub max_vocabulary: Option<usize>,
    /// Which neighbouring words are joined to phrases.
    #[cfg_attr(feature = "cli", command(flatten))]
    pub phrases: PhraseConfig,
}

impl Default for VocabularyConfig {
    fn default() -> Self {
        Self { min_count: 5, max_vocabulary: None, phrases: PhraseConfig::default() }
    }
}

impl VocabularyConfig {
    /// Refuses values that no vocabulary can have.
    pub fn validate(&self) -> Result<()> {
        if self.min_count == 0 {
            return Err(Error::config("--min-count", "0 is too small; 1 keeps every word"));
        }
        if self.max_vocabulary == Some(0) {
            return Err(Error::config("--max-vocabulary", "0 leaves no word; give at least 1, or drop the flag"));
        }
        self.phrases.validate()
    }
}

/// A word's position in the vocabulary: its rank by falling count.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WordId(pub u32);

impl Plain for WordId {
    const DTYPE: safetensors::tensor::Dtype = safetensors::tensor::Dtype::U32;
}

/// A document's position in its corpus.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocId(pub u32);

/// Words by falling count, ties by bytes: an id is a frequency rank. Some may be phrases.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    keys: Keys,
    counts: Vec<u64>,
    tokens: u64,
    phrases: Phrases,
}

/// Words that there are before a text is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The words; its phrases are those that are joined.
    pub vocabulary: Vocabulary,
    /// Are words of the text added, and all counts?
    pub grows: bool,
}

impl Given {
    /// The words to use, of a text of which these would be chosen.
    pub(crate) fn with(self, chosen: Vocabulary) -> Vocabulary {
        if self.grows { self.vocabulary.joined(&chosen) } else { self.vocabulary }
    }
}

impl Vocabulary {
    /// Words and their counts in the order of their ids.
    ///
    /// # Panics
    /// If the two have different lengths.
    pub fn new(keys: Keys, counts: Vec<u64>) -> Self {
        assert_eq!(keys.len(), counts.len(), "a count for each word");
        let tokens = counts.iter().sum();
        Self { keys, counts, tokens, phrases: Phrases::default() }
    }

    /// The same words, made from text by joining these phrases.
    pub fn with_phrases(mut self, phrases: &Phrases) -> Self {
        self.phrases = phrases.alone();
        self
    }

    /// The phrases that are joined in text before its words are looked up; not all need be words of the vocabulary.
    pub fn phrases(&self) -> &Phrases {
        &self.phrases
    }

    /// The words of both, each with the sum of its counts; the phrases are those of `self`.
    pub fn joined(&self, other: &Self) -> Self {
        let mut words: Vec<(&str, u64)> = self.keys.iter().zip(self.counts.iter().copied()).collect();
        for (word, &count) in other.keys.iter().zip(&other.counts) {
            match self.keys.find(word) {
                Some(at) => words[at].1 += count,
                None => words.push((word, count)),
            }
        }
        words.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        Self::new(words.iter().map(|&(word, _)| word).collect(), words.iter().map(|&(_, count)| count).collect())
            .with_phrases(&self.phrases)
    }

    /// The words.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How often each word occurs in the corpus.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The number of words.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How often these words occur together: the sum of the counts.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// A word's id.
    pub fn id(&self, word: &str) -> Option<WordId> {
        self.keys.find(word).map(|position| WordId(position as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_vocabularies_add_counts_and_keep_the_order_of_counts() {
        let of = |words: &[(&str, u64)]| {
            Vocabulary::new(words.iter().map(|word| word.0).collect(), words.iter().map(|word| word.1).collect())
        };
        let joined = of(&[("a", 5), ("c", 3), ("b", 2)]).joined(&of(&[("d", 9), ("b", 4), ("e", 3)]));
        assert_eq!(joined, of(&[("d", 9), ("b", 6), ("a", 5), ("c", 3), ("e", 3)]));
    }

    #[test]
    fn a_config_of_zeros_names_its_flag() {
        assert!(VocabularyConfig::default().validate().is_ok());
        let message = |config: VocabularyConfig| config.validate().expect_err("zero").to_string();
        assert!(message(VocabularyConfig { min_count: 0, ..Default::default() }).starts_with("--min-count: "));
        let none = VocabularyConfig { max_vocabulary: Some(0), ..Default::default() };
        assert!(message(none).starts_with("--max-vocabulary: "));
    }
}
