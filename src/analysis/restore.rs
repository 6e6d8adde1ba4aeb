//! What an autoencoder would put into a document, and what it would not expect there.
//!
//! Training's target weighs words (frequent ones less, SIF), and so do the probabilities that the model gives back. Divided by
//! these weights, they say how likely a word is to be in the document.
//!
//! A word does not belong if the rest of the document makes it less likely than its frequency does. The rest is encoded
//! without it: with it, every word would help to explain itself.

use rayon::prelude::*;

use super::anomaly::log_chances;
use crate::autoencoder::{Autoencoder, Bag, Loss};
use crate::embeddings::Best;
use crate::error::{Error, Result};
use crate::math::{Matrix, SparseMatrix};

/// Rows that are given back together.
const ROWS: usize = 64;

/// A word that is in a document and is not expected there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Foreign {
    /// The word.
    pub column: u32,
    /// −ln p, given the rest of the document, in nats.
    pub surprise: f64,
    /// The surprise beyond that of the word's frequency; above 0, the rest speaks against it.
    pub excess: f64,
}

/// Fills in documents, and finds what does not belong.
#[derive(Debug)]
pub struct Restorer<'a> {
    model: &'a Autoencoder,
    /// One over the weight of each output.
    factors: Vec<f32>,
    chance: Vec<f32>,
}

impl<'a> Restorer<'a> {
    /// Prepares.
    ///
    /// # Errors
    /// If the model gives back something other than the probabilities of its input's columns.
    pub fn new(model: &'a Autoencoder) -> Result<Self> {
        if model.config().loss != Some(Loss::Multinomial) || model.outputs() != model.columns() {
            return Err(Error::data(
                "words are filled in by probabilities; the model gives none: train with --loss multinomial",
            ));
        }
        let floor = |weight: &f32| 1.0 / weight.max(1e-6);
        let factors = match model.target_weights() {
            [] => vec![1.0; model.outputs()],
            weights => weights.iter().map(floor).collect(),
        };
        Ok(Self { model, factors, chance: log_chances(model) })
    }

    /// How likely each word is to be in documents, a row each that sums to one, from the words in them.
    ///
    /// # Errors
    /// If their columns are not the model's.
    pub fn probabilities(&self, bags: &[Bag]) -> Result<Matrix> {
        let mut out =
            self.model.reconstruct(&rows_of(self.model, bags.iter().map(|bag| bag.counts.as_slice())).into())?;
        let cols = out.cols();
        out.as_mut_slice().par_chunks_exact_mut(cols.max(1)).for_each(|row| {
            row.iter_mut().zip(&self.factors).for_each(|(value, factor)| *value *= factor);
            let total = row.iter().map(|&value| f64::from(value)).sum::<f64>().max(f64::MIN_POSITIVE);
            row.iter_mut().for_each(|value| *value = (f64::from(*value) / total) as f32);
        });
        Ok(out)
    }

    /// The `top` words of each document that it lacks and most likely has lost, with their probabilities.
    ///
    /// # Errors
    /// As [`Restorer::probabilities`].
    pub fn missing(&self, bags: &[Bag], top: usize) -> Result<Vec<Vec<(u32, f32)>>> {
        let parts = bags.par_chunks(ROWS).map(|bags| {
            let all = self.probabilities(bags)?;
            let found = all.iter_rows().zip(bags).map(|(row, bag)| absent(row, bag, top));
            Ok(found.collect::<Vec<_>>())
        });
        Ok(parts.collect::<Result<Vec<_>>>()?.concat())
    }

    /// The words of a document that the rest of it explains least, the least first: all of them. Each costs an encoding.
    ///
    /// # Errors
    /// As [`Restorer::probabilities`].
    pub fn foreign(&self, bag: &Bag) -> Result<Vec<Foreign>> {
        let places: Vec<usize> = (0..bag.counts.len()).collect();
        let parts = places.par_chunks(ROWS).map(|places| {
            let rest = |&out: &usize| -> Vec<(u32, f32)> {
                let kept = bag.counts.iter().enumerate().filter(|(at, _)| *at != out);
                kept.map(|(_, entry)| *entry).collect()
            };
            let rests: Vec<Vec<(u32, f32)>> = places.iter().map(rest).collect();
            let given = self.model.reconstruct(&rows_of(self.model, rests.iter().map(Vec::as_slice)).into())?;
            let found = places.iter().zip(given.iter_rows()).map(|(&at, row)| {
                let column = bag.counts[at].0;
                let surprise = -f64::from(row[column as usize].max(f32::MIN_POSITIVE)).ln();
                Foreign { column, surprise, excess: surprise + f64::from(self.chance[column as usize]) }
            });
            Ok(found.collect::<Vec<_>>())
        });
        let mut found = parts.collect::<Result<Vec<_>>>()?.concat();
        found.sort_by(|a, b| b.excess.total_cmp(&a.excess).then(a.column.cmp(&b.column)));
        Ok(found)
    }
}

/// The `top` columns with the highest scores that a document lacks.
pub fn absent(scores: &[f32], bag: &Bag, top: usize) -> Vec<(u32, f32)> {
    let mut best = Best::new(top);
    let is_absent = |column: usize| bag.counts.binary_search_by_key(&(column as u32), |(known, _)| *known).is_err();
    best.offer(0, scores, is_absent);
    best.into_sorted().into_iter().map(|found| (found.position as u32, found.score)).collect()
}

fn rows_of<'b>(model: &Autoencoder, bags: impl Iterator<Item = &'b [(u32, f32)]>) -> SparseMatrix {
    let mut rows = SparseMatrix::empty(model.columns());
    bags.for_each(|bag| rows.push(bag.iter().copied()));
    rows
}
