//! Words, their counts and their ids.

mod keys;
mod subsample;

pub use keys::Keys;
pub use subsample::Subsampling;

/// A word's position in the vocabulary: its rank by falling count.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WordId(pub u32);

/// A document's position in its corpus.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocId(pub u32);

/// Words by falling count, ties by bytes: an id is a frequency rank.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    keys: Keys,
    counts: Vec<u64>,
    tokens: u64,
}

impl Vocabulary {
    /// Words and their counts in the order of their ids.
    ///
    /// # Panics
    /// If the two have different lengths.
    pub fn new(keys: Keys, counts: Vec<u64>) -> Self {
        assert_eq!(keys.len(), counts.len(), "a count for each word");
        let tokens = counts.iter().sum();
        Self { keys, counts, tokens }
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
