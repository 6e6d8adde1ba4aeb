//! Negative sampling: tell the target from a few noise words (Mikolov et al., 2013, section 2.2).
//!
//! loss = −ln σ(u·h) − Σ ln σ(−uᵢ·h), with noise words drawn in proportion to count^exponent.

use super::{Noise, Objective};
use crate::math::{AliasTable, Rng, Tables, Worker};
use crate::pretext::{Example, Hidden};

/// Negative sampling's settings and its distribution.
#[derive(Debug)]
pub struct NegativeSampling {
    negatives: usize,
    pairwise: bool,
    divide: bool,
    table: AliasTable,
}

impl NegativeSampling {
    /// `negatives` noise words per target, in proportion to `counts^exponent`.
    ///
    /// `pairwise` steps on one hidden row at a time, each with its own fresh noise, in word2vec.c's order: slow, the
    /// oracle for the quality of the blocked steps. (word2vec.c passes over a noise word that equals the target; here, as
    /// in fastText, it is drawn again.) `divide` gives the rows of a mean the gradient of the mean;
    /// without it each gets the mean's whole gradient, as in word2vec.c and gensim.
    pub fn new(counts: &[u64], exponent: f64, negatives: usize, pairwise: bool, divide: bool) -> Self {
        let weights: Vec<f64> = counts.iter().map(|&count| (count as f64).powf(exponent)).collect();
        Self { negatives, pairwise, divide, table: AliasTable::new(&weights) }
    }
}

impl Objective for NegativeSampling {
    fn noise(&self, seed: u64, stream: &[u64]) -> Noise<'_> {
        Noise::new(&self.table, Rng::stream(seed, stream))
    }

    #[inline]
    fn step(
        &self,
        example: Example<'_>,
        hidden: Hidden,
        tables: &Tables,
        lr: f32,
        noise: &mut Noise<'_>,
        worker: &mut Worker,
    ) {
        let Example { rows, target, .. } = example;
        match (hidden, self.pairwise) {
            (Hidden::Each, false) => {
                // A single hidden row is done before its outputs have come: they are asked for one step ahead.
                let ahead = if rows.len() == 1 { self.negatives } else { 0 };
                let outputs = noise.pooled(target, self.negatives, ahead, |row| tables.fetch_output(row, worker));
                tables.step_rows(rows, outputs, lr, worker);
            }
            (Hidden::Each, true) => {
                for row in rows {
                    tables.step_rows(std::slice::from_ref(row), noise.fresh(target, self.negatives), lr, worker);
                }
            }
            (Hidden::Mean, pairwise) => {
                let outputs = if pairwise {
                    noise.fresh(target, self.negatives)
                } else {
                    noise.pooled(target, self.negatives, self.negatives, |row| tables.fetch_output(row, worker))
                };
                let share = if self.divide { 1.0 / rows.len() as f32 } else { 1.0 };
                tables.step_mean(rows, share, outputs, lr, worker);
            }
        }
    }
}
