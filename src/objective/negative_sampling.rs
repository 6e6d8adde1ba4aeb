//! Negative sampling: tell the target from a few noise words (Mikolov et al., 2013, section 2.2).
//!
//! loss = −ln σ(u·h) − Σ ln σ(−uᵢ·h), with noise words drawn in proportion to count^exponent.

use super::{Manner, Noise, Objective, fetch_input};
use crate::math::{AliasTable, Outputs, Rng, RowId, Tables, Worker};
use crate::pretext::{Example, Hidden};
use crate::vocabulary::WordId;

/// Negative sampling's settings and its distribution.
#[derive(Debug)]
pub struct NegativeSampling {
    negatives: usize,
    manner: Manner,
    table: AliasTable,
}

impl NegativeSampling {
    /// `negatives` noise words per target, in proportion to `counts^exponent`.
    ///
    /// Pairwise, each hidden row has its own fresh noise, as in word2vec.c. (That passes over a noise word that equals the
    /// target; here, as in fastText, it is drawn again.)
    pub fn new(counts: &[u64], exponent: f64, negatives: usize, manner: Manner) -> Self {
        let weights: Vec<f64> = counts.iter().map(|&count| (count as f64).powf(exponent)).collect();
        Self { negatives, manner, table: AliasTable::new(&weights) }
    }
}

impl Objective for NegativeSampling {
    fn noise(&self, seed: u64, stream: &[u64]) -> Noise<'_> {
        Noise::new(&self.table, Rng::stream(seed, stream))
    }

    /// ln 2 for the target and for each noise word.
    fn chance(&self) -> f64 {
        self.most_outputs() as f64 * std::f64::consts::LN_2
    }

    fn most_outputs(&self) -> usize {
        1 + self.negatives
    }

    fn outputs<'n>(&'n self, target: WordId, noise: &'n mut Noise<'_>) -> Outputs<'n> {
        Outputs::target_first(noise.fresh(target, self.negatives))
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
        let Example { rows, target, later, .. } = example;
        if let Some(word) = later.target {
            tables.fetch_output(RowId(word.0), worker);
        }
        fetch_input(later, tables, worker);
        if self.manner.pairwise && hidden == Hidden::Each {
            for row in rows {
                tables.step_rows(std::slice::from_ref(row), self.outputs(target, noise), lr, worker);
            }
            return;
        }
        if self.manner.pairwise {
            return self.manner.step(rows, hidden, self.outputs(target, noise), tables, lr, worker);
        }
        // A single hidden row is done before its outputs have come: they are asked for one step ahead.
        let ahead = if hidden == Hidden::Mean || rows.len() == 1 { self.negatives } else { 0 };
        let outputs = noise.pooled(target, self.negatives, ahead, |row| tables.fetch_output(row, worker));
        self.manner.step(rows, hidden, Outputs::target_first(outputs), tables, lr, worker);
    }
}
