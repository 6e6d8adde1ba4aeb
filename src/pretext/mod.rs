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
    /// A target that comes a few examples later, if the loop tells: what it needs may be fetched meanwhile.
    pub later: Option<WordId>,
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

    /// Adds the example that the words to the left and to the right of a target predict it, unless there are none.
    #[inline]
    pub fn push(&mut self, left: &[WordId], right: &[WordId], target: WordId, position: usize) {
        if left.len() + right.len() > 0 {
            self.rows.extend(left.iter().map(|word| RowId(word.0)));
            self.rows.extend(right.iter().map(|word| RowId(word.0)));
            self.examples.push((self.rows.len(), target, position as u32));
        }
    }

    /// Adds the example that a document, together with the words around a target, predicts it.
    #[inline]
    pub fn push_with(&mut self, document: RowId, left: &[WordId], right: &[WordId], target: WordId, position: usize) {
        self.rows.push(document);
        self.rows.extend(left.iter().map(|word| RowId(word.0)));
        self.rows.extend(right.iter().map(|word| RowId(word.0)));
        self.examples.push((self.rows.len(), target, position as u32));
    }

    /// The examples in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Example<'_>> {
        let mut start = 0;
        self.examples.iter().map(move |&(end, target, position)| {
            let rows = &self.rows[start..end];
            start = end;
            Example { rows, target, position: position as usize, later: None }
        })
    }
}

/// A way to make examples of a sentence.
pub trait PretextTask: std::fmt::Debug + Send + Sync {
    /// The name that users know.
    fn name(&self) -> &'static str;

    /// How its examples' rows make hidden rows.
    fn hidden(&self) -> Hidden;

    /// Adds the examples of a sentence, of which `words` survived subsampling. A word's input row is its id; `document` is
    /// that of the document they are from, which tasks of words alone pass over.
    fn examples(&self, words: &[WordId], document: RowId, rng: &mut Rng, out: &mut Examples);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The document's row in lists of examples.
    pub(crate) const DOCUMENT: u32 = 100;

    /// Examples as plain numbers: rows, target.
    pub(crate) fn listed(task: &dyn PretextTask, words: &[u32], rng: &mut Rng) -> Vec<(Vec<u32>, u32)> {
        let words: Vec<_> = words.iter().map(|&word| WordId(word)).collect();
        let mut examples = Examples::default();
        task.examples(&words, RowId(DOCUMENT), rng, &mut examples);
        examples.iter().map(|e| (e.rows.iter().map(|row| row.0).collect(), e.target.0)).collect()
    }
}
