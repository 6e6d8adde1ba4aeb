//! Objectives: an example to the output rows that it steps on, one file per loss.

mod hierarchical_softmax;
mod huffman;
mod negative_sampling;
mod noise;
mod softmax;

pub use hierarchical_softmax::HierarchicalSoftmax;
pub use huffman::HuffmanTree;
pub use negative_sampling::NegativeSampling;
pub use noise::Noise;
pub use softmax::Softmax;

use crate::math::{Outputs, RowId, Tables, Worker};
use crate::pretext::{Example, Hidden, Later};
use crate::vocabulary::WordId;

/// A loss: scores an example's hidden rows on its target and the target's rivals, and moves all rows.
pub trait Objective: std::fmt::Debug + Send + Sync {
    /// A worker's source of noise words, named by `stream`; empty for a loss that needs none.
    fn noise(&self, _seed: u64, _stream: &[u64]) -> Noise<'_> {
        Noise::none()
    }

    /// The loss of a prediction by a model that knows nothing, in nats; of the worst word, where they differ.
    fn chance(&self) -> f64;

    /// The most rows of the output table that one target takes.
    fn most_outputs(&self) -> usize;

    /// The output rows of a target; noise is drawn afresh.
    fn outputs<'n>(&'n self, target: WordId, noise: &'n mut Noise<'_>) -> Outputs<'n>;

    /// Takes one step; the loss gathers in the worker. Asks for the rows that are needed later.
    fn step(
        &self,
        example: Example<'_>,
        hidden: Hidden,
        tables: &Tables,
        lr: f32,
        noise: &mut Noise<'_>,
        worker: &mut Worker,
    );
}

/// Asks for the input row that is needed later; after the output rows, since what is asked for last is fetched first.
#[inline(always)]
fn fetch_input(later: Later, tables: &Tables, worker: &mut Worker) {
    if let Some(row) = later.row {
        tables.fetch_input(row, worker);
    }
}

/// How hidden rows step, whatever the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// One hidden row at a time, as in word2vec.c: slow, the oracle for the quality of the blocked steps.
    pub pairwise: bool,
    /// The rows of a mean share its gradient; without it each gets the whole, as in word2vec.c and gensim.
    pub divide: bool,
}

impl Manner {
    /// Steps on outputs that are the same for all hidden rows.
    #[inline]
    fn step(self, rows: &[RowId], hidden: Hidden, outputs: Outputs<'_>, tables: &Tables, lr: f32, worker: &mut Worker) {
        match hidden {
            Hidden::Each if self.pairwise => {
                for row in rows {
                    tables.step_rows(std::slice::from_ref(row), outputs, lr, worker);
                }
            }
            Hidden::Each => tables.step_rows(rows, outputs, lr, worker),
            Hidden::Mean => tables.step_mean(rows, self.share(rows), outputs, lr, worker),
        }
    }

    /// What each row of a mean gets of its gradient.
    fn share(self, rows: &[RowId]) -> f32 {
        if self.divide { 1.0 / rows.len() as f32 } else { 1.0 }
    }
}
