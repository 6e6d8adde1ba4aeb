//! Pretext tasks: a sentence to training examples. Pure: no tables, no gradients.

mod cbow;
mod pv_dbow;
mod pv_dm;
mod skipgram;
mod window;

pub use cbow::Cbow;
pub use pv_dbow::PvDbow;
pub use pv_dm::PvDm;
pub use skipgram::SkipGram;
pub use window::windows;

use std::ops::Range;

use crate::math::{Rng, RowId};
use crate::vocabulary::WordId;

/// How an example's input rows make hidden rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// Each input row is a hidden row.
    Each,
    /// The mean of all input rows is the one hidden row.
    Mean,
}

/// The hidden rows made of `rows` should predict `target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example<'a> {
    /// Rows of the input table; at least one.
    pub rows: &'a [RowId],
    /// The word to predict.
    pub target: WordId,
    /// Where the target stands in its sentence.
    pub position: usize,
    /// What comes a few examples later, as far as the loop tells.
    pub later: Later,
}

/// A word and an input row that are needed later: what they stand for may be fetched from memory meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Later {
    /// A word to predict.
    pub target: Option<WordId>,
    /// An input row.
    pub row: Option<RowId>,
}

/// The examples of one sentence, in flat buffers that are cleared and used again.
#[derive(Debug, Default)]
pub struct Examples {
    rows: Vec<RowId>,
    examples: Vec<(usize, WordId, u32)>,
}

impl Examples {
    /// Forgets all examples but keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.examples.clear();
    }

    /// Adds the example that the words in some places, and before them a document if there is one, predict the word at
    /// `position`.
    #[inline]
    pub fn push(&mut self, sentence: &Rows<'_>, document: Option<RowId>, near: [Range<usize>; 2], position: usize) {
        self.rows.extend(document);
        near.into_iter().for_each(|places| self.rows.extend_from_slice(&sentence.rows[places]));
        self.examples.push((self.rows.len(), sentence.words[position], position as u32));
    }

    /// The examples in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Example<'_>> {
        let mut start = 0;
        self.examples.iter().map(move |&(end, target, position)| {
            let rows = &self.rows[start..end];
            start = end;
            Example { rows, target, position: position as usize, later: Later::default() }
        })
    }
}

/// A way to make examples of a sentence.
pub trait PretextTask: std::fmt::Debug + Send + Sync {
    /// The name that users know.
    fn name(&self) -> &'static str;

    /// How its examples' rows make hidden rows.
    fn hidden(&self) -> Hidden;

    /// Adds the examples of a sentence; tasks of words alone pass over its document.
    fn examples(&self, sentence: &Rows<'_>, rng: &mut Rng, out: &mut Examples);
}

/// What is left of a sentence after subsampling, and the rows that stand for it.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The words, as targets.
    pub words: &'a [WordId],
    /// A hidden or input row for each word.
    pub rows: &'a [RowId],
    /// The input row of the document that they are from.
    pub document: RowId,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The document's row in lists of examples.
    pub(crate) const DOCUMENT: u32 = 100;

    /// Examples as plain numbers: rows, target.
    pub(crate) fn listed(task: &dyn PretextTask, words: &[u32], rng: &mut Rng) -> Vec<(Vec<u32>, u32)> {
        let words: Vec<_> = words.iter().map(|&word| WordId(word)).collect();
        let rows: Vec<_> = words.iter().map(|word| RowId(word.0)).collect();
        let mut examples = Examples::default();
        let sentence = Rows { words: &words, rows: &rows, document: RowId(DOCUMENT) };
        task.examples(&sentence, rng, &mut examples);
        examples.iter().map(|e| (e.rows.iter().map(|row| row.0).collect(), e.target.0)).collect()
    }
}
