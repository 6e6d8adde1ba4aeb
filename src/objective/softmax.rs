//! Softmax: tell the target from all other words, exactly.
//!
//! loss = ln Σ exp(uⱼ·h) − u·h of the target. Every word's row is scored and moved at each step: for small vocabularies, and
//! as a measure for the losses that come close to it at a fraction of the cost.

use super::{Manner, Noise, Objective, fetch_input};
use crate::math::{Outputs, RowId, Tables, Worker};
use crate::pretext::{Example, Hidden};
use crate::vocabulary::WordId;

/// Softmax over so many words.
#[derive(Debug)]
pub struct Softmax {
    words: usize,
    manner: Manner,
}

impl Softmax {
    /// Over so many words.
    pub fn new(words: usize, manner: Manner) -> Self {
        Self { words, manner }
    }
}

impl Objective for Softmax {
    /// All words alike.
    fn chance(&self) -> f64 {
        (self.words as f64).ln()
    }

    fn most_outputs(&self) -> usize {
        self.words
    }

    #[inline]
    fn outputs<'n>(&'n self, target: WordId, _: &'n mut Noise<'_>) -> Outputs<'n> {
        Outputs::All { target: RowId(target.0) }
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
        // Output rows come in order and need no asking.
        fetch_input(example.later, tables, worker);
        self.manner.step(example.rows, hidden, self.outputs(example.target, noise), tables, lr, worker);
    }
}
