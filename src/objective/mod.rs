//! Objectives: a block of hidden rows and a target to gradients, one file per loss.

mod negative_sampling;
mod noise;

pub use negative_sampling::NegativeSampling;
pub use noise::Noise;

use crate::math::{Tables, Worker};
use crate::pretext::{Example, Hidden};

/// A loss: scores an example's hidden rows on its target and the target's rivals, and moves all rows.
pub trait Objective: std::fmt::Debug + Send + Sync {
    /// A worker's source of noise words, named by `stream`.
    fn noise(&self, seed: u64, stream: &[u64]) -> Noise<'_>;

    /// Takes one step; the loss gathers in the worker.
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
