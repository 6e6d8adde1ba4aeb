//! What a run tells while it goes and when it ends.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

use crate::error::{Divergence, Result};

/// A loss so many times that of a model that knows nothing is no learning any more.
const WORSE_THAN_CHANCE: f64 = 2.0;

/// Predictions whose mean loss is judged.
const JUDGED: u64 = 1000;

/// Hears of a run's progress, about ten times a second, and may stop it; says where checkpoints go.
pub trait Observer {
    /// `Break` stops the run after the shards at hand.
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()>;

    /// The folder for checkpoints and for the best epoch, asked for whenever one is to be written; `None`: nowhere.
    fn checkpoints(&mut self) -> Result<Option<PathBuf>> {
        Ok(None)
    }

    /// A checkpoint lies in that folder, whole: from here on the run can be resumed.
    fn saved(&mut self) -> Result<()> {
        Ok(())
    }
}

/// An observer that says nothing, stops nothing and keeps nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Serialize)]
pub struct Progress {
    /// The epoch at hand, from 1.
    pub epoch: usize,
    /// All epochs.
    pub epochs: usize,
    /// Corpus tokens done, over all epochs.
    pub tokens: u64,
    /// Corpus tokens to do, over all epochs.
    pub total_tokens: u64,
    /// Corpus tokens a second, since training began or was resumed.
    pub words_per_second: f64,
    /// The learning rate now.
    pub lr: f64,
    /// The mean loss of the epoch at hand: nats per prediction, a prediction being a hidden row and its target. Of the
    /// epoch before while nothing has been counted in this one; zero at the very start.
    pub loss: f64,
    /// The mean loss on held-out sentences after the last epoch, in the same unit; `None` without `--heldout`.
    pub heldout: Option<f64>,
    /// Seconds since training began, pauses between stopping and resuming apart.
    pub seconds: f64,
    /// Seconds that remain at this speed.
    pub eta_seconds: f64,
}

/// What a finished run did.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The pretext task.
    pub task: String,
    /// What `loss` is: `ns`, `hs` or `softmax`.
    pub objective: String,
    /// Corpus tokens of one epoch, after the minimum count.
    pub tokens: u64,
    /// Words that were predicted, in all epochs, after subsampling.
    pub words_trained: u64,
    /// Epochs done.
    pub epochs: usize,
    /// Epochs asked for: more than were done if `--patience` has ended the run.
    pub planned_epochs: usize,
    /// Words that have a vector.
    pub vocabulary: usize,
    /// Numbers in a vector.
    pub dim: usize,
    /// Workers.
    pub threads: usize,
    /// How they shared the work.
    pub strategy: String,
    /// The instructions that did it.
    pub kernel: String,
    /// The learning rate at the start.
    pub lr: f64,
    /// Seconds of training alone.
    pub train_seconds: f64,
    /// Corpus tokens a second: tokens x epochs / train_seconds.
    pub words_per_second: f64,
    /// The mean loss of the last epoch, in nats per prediction.
    pub loss: f64,
    /// The mean loss of each epoch.
    pub epoch_losses: Vec<f64>,
    /// The mean loss on held-out sentences after each epoch; empty without `--heldout`.
    pub heldout_losses: Vec<f64>,
    /// The epoch, from 1, whose vectors these are: with `--heldout` the one with the lowest held-out loss.
    pub epoch: usize,
    /// A checksum of the vectors, of documents where there are such, bit by bit.
    pub fingerprint: String,
    /// Documents that have a vector, where the task has such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
}

/// What a worker has done since it last told.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Tally {
    pub tokens: u64,
    pub targets: u64,
    pub predictions: u64,
    pub loss: f64,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.targets += other.targets;
        self.predictions += other.predictions;
        self.loss += other.loss;
    }

    /// The loss of a prediction.
    pub fn mean(&self) -> f64 {
        self.loss / self.predictions.max(1) as f64
    }

    /// Has the loss left all bounds? `chance` is that of a model that knows nothing.
    pub fn divergence(&self, chance: f64) -> Option<Divergence> {
        if !self.loss.is_finite() {
            return Some(Divergence::NotFinite);
        }
        // A few predictions may surprise any model; many do not.
        let is_far_off = self.predictions >= JUDGED && self.mean() > WORSE_THAN_CHANCE * chance;
        is_far_off.then(|| Divergence::AboveChance { loss: self.mean(), chance })
    }
}

/// What the workers have done in the round at hand, as seen from outside.
#[derive(Debug, Default)]
pub(super) struct Live {
    tokens: AtomicU64,
    predictions: AtomicU64,
    /// An `f64`'s bits.
    loss: AtomicU64,
}

impl Live {
    pub fn add(&self, tally: Tally) {
        self.tokens.fetch_add(tally.tokens, Relaxed);
        self.predictions.fetch_add(tally.predictions, Relaxed);
        let sum = |bits| Some((f64::from_bits(bits) + tally.loss).to_bits());
        // Always some, so it cannot fail.
        let _ = self.loss.fetch_update(Relaxed, Relaxed, sum);
    }

    pub fn tally(&self) -> Tally {
        Tally {
            tokens: self.tokens.load(Relaxed),
            targets: 0,
            predictions: self.predictions.load(Relaxed),
            loss: f64::from_bits(self.loss.load(Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_tells_numbers_that_are_none_from_losses_above_chance() {
        let told = |loss: f64, predictions| {
            let tally = Tally { loss: loss * predictions as f64, predictions, ..Tally::default() };
            tally.divergence(4.0).map(|cause| cause.to_string())
        };
        assert_eq!((told(8.0, 1000), told(9.0, 999)), (None, None));
        let far_off = "the loss, 9.0000, is far above that of knowing nothing, 4.0000";
        assert_eq!(told(9.0, 1000).as_deref(), Some(far_off));
        for loss in [f64::NAN, f64::INFINITY] {
            assert_eq!(told(loss, 1).as_deref(), Some("the loss, or a number of the model, is no longer finite"));
        }
    }
}
