//! Training on: old words keep their rows, new ones are added, and how far the old ones have moved is told.

use serde::Serialize;

use super::{Loss, Trainer};
use crate::embeddings::{Embeddings, Ngrams, cosine};
use crate::error::{Error, Result};
use crate::vocabulary::Subwords;

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
        for earlier in [Some(words), context].into_iter().flatten() {
            if earlier.dim() != self.config.dim {
                return Err(Error::mismatch("--dim of the earlier run", self.config.dim, earlier.dim()));
            }
        }
        let (subwords, earlier) = (self.config.subwords(), words.ngrams().map(Ngrams::subwords));
        if subwords != earlier {
            let told = |subwords: Option<Subwords>| match subwords {
                Some(Subwords { min_n, max_n, buckets }) => format!("{min_n} to {max_n} in {buckets} buckets"),
                None => "none".into(),
            };
            return Err(Error::mismatch("n-grams (--min-n, --max-n, --buckets)", told(earlier), told(subwords)));
        }
        let [input, output] = self.tables.parts_mut();
        let places = |of: &Embeddings| -> Vec<(usize, usize)> {
            let keys = vocabulary.keys().iter().enumerate();
            keys.filter_map(|(word, key)| Some((word, of.keys().find(key)?))).collect()
        };
        if let Some((subwords, ngrams)) = self.step.subwords.as_ref().zip(words.ngrams()) {
            for (at, &bucket) in subwords.buckets.iter().enumerate() {
                input.set_rows(vocabulary.len() + at, ngrams.row(bucket));
            }
            places(words).into_iter().for_each(|(word, at)| subwords.set(word, words.vectors().row(at), input));
        } else {
            places(words).into_iter().for_each(|(word, at)| input.set_rows(word, [words.vectors().row(at)]));
        }
        let Some(context) = context else { return Ok(Some("it has none")) };
        if let Some(why) = loss.differs(vocabulary, words) {
            return Ok(Some(why));
        }
        if loss != Loss::Hs {
            places(context).into_iter().for_each(|(word, at)| output.set_rows(word, [context.vectors().row(at)]));
        } else if context.len() == output.rows() {
            output.set_rows(0, context.vectors().iter_rows());
        } else {
            return Err(Error::mismatch("nodes of the earlier run", output.rows(), context.len()));
        }
        Ok(None)
    }

    /// How far the words of an earlier run have moved by now.
    pub fn drift(&mut self, before: &Embeddings) -> Drift {
        let keys = self.vocabulary.keys();
        let composed = self.composed();
        let [input, _] = self.tables.parts_mut();
        let rows: Vec<&[f32]> = match &composed {
            Some(vectors) => vectors.iter_rows().collect(),
            None => input.as_rows().iter().collect(),
        };
        let rows = keys.iter().zip(rows);
        let mut moved: Vec<(&str, f64)> =
            rows.filter_map(|(key, row)| Some((key, cosine(before.row(key)?, row)))).collect();
        let mean_cosine = moved.iter().map(|(_, cosine)| cosine).sum::<f64>() / moved.len().max(1) as f64;
        let words = moved.len();
        moved.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(b.0)));
        let moved_most = moved.iter().take(NAMED).map(|&(key, cosine)| (key.to_owned(), cosine)).collect();
        Drift { words, new_words: keys.len() - words, mean_cosine, moved_most }
    }
}
