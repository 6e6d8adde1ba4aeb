//! Training on: old words keep their rows, new ones are added, and how far the old ones have moved is told.

use serde::Serialize;

use super::{Loss, Trainer};
use crate::embeddings::{Embeddings, cosine};
use crate::error::{Error, Result};
use crate::math::SharedTable;

/// Words named in a report on drift.
const NAMED: usize = 5;

/// How far the words of an earlier run have moved.
#[derive(Debug, Clone, Serialize)]
pub struct Drift {
    /// Words that were there before.
    pub words: usize,
    /// Words that are new.
    pub new_words: usize,
    /// The mean, over the old words, of the cosine of a word's vectors before and after.
    pub mean_cosine: f64,
    /// The old words that moved most, and their cosines.
    pub moved_most: Vec<(String, f64)>,
}

impl Trainer<'_> {
    /// Starts from the word vectors of an earlier run and, where it has one, its output table. If that cannot be used and
    /// starts from nothing, it is said why.
    ///
    /// Rows are found by word, those of a tree's nodes by number. Words that the earlier run lacks start as in a new run.
    pub fn start_from(&mut self, words: &Embeddings, context: Option<&Embeddings>) -> Result<Option<&'static str>> {
        let (vocabulary, loss) = (self.vocabulary, self.config.loss);
        let [input, output] = self.tables.parts_mut();
        let take = |table: &mut SharedTable, from: &Embeddings| {
            if from.dim() != table.dim() {
                return Err(Error::mismatch("--dim of the earlier run", table.dim(), from.dim()));
            }
            let (dim, stride) = (table.dim(), table.stride());
            for (key, row) in vocabulary.keys().iter().zip(table.as_padded_mut().chunks_exact_mut(stride)) {
                if let Some(earlier) = from.row(key) {
                    row[..dim].copy_from_slice(earlier);
                }
            }
            Ok(())
        };
        take(input, words)?;
        let Some(context) = context else { return Ok(Some("it has none")) };
        if let Some(why) = loss.differs(vocabulary, words) {
            return Ok(Some(why));
        }
        if loss != Loss::Hs {
            take(output, context)?;
        } else if (context.len(), context.dim()) == (output.rows(), output.dim()) {
            output.set_rows(0, context.vectors().iter_rows());
        } else {
            let shape = |rows, dim| format!("{rows} x {dim}");
            let (expected, found) = (shape(output.rows(), output.dim()), shape(context.len(), context.dim()));
            return Err(Error::mismatch("nodes of the earlier run", expected, found));
        }
        Ok(None)
    }

    /// How far the words of an earlier run have moved by now.
    pub fn drift(&mut self, before: &Embeddings) -> Drift {
        let keys = self.vocabulary.keys();
        let [input, _] = self.tables.parts_mut();
        let rows = keys.iter().zip(input.as_rows().iter());
        let mut moved: Vec<(&str, f64)> =
            rows.filter_map(|(key, row)| Some((key, cosine(before.row(key)?, row)))).collect();
        let mean_cosine = moved.iter().map(|(_, cosine)| cosine).sum::<f64>() / moved.len().max(1) as f64;
        let words = moved.len();
        moved.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(b.0)));
        let moved_most = moved.iter().take(NAMED).map(|&(key, cosine)| (key.to_owned(), cosine)).collect();
        Drift { words, new_words: keys.len() - words, mean_cosine, moved_most }
    }
}
