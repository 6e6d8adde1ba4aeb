//! What a run tells while it goes and when it ends.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

use super::config::TrainConfig;
use super::step::Step;

/// Hears of a run's progress, about ten times a second, and may stop it.
pub trait Observer {
    /// `Break` stops the run at the next sentence.
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()>;
}

/// An observer that says nothing and stops nothing.
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
    /// Corpus tokens a second so far.
    pub words_per_second: f64,
    /// The learning rate now.
    pub lr: f64,
    /// The mean loss of the epoch at hand: nats per prediction, a prediction being a hidden row and its target. Of the
    /// epoch before while nothing has been counted in this one; zero at the very start.
    pub loss: f64,
    /// Seconds since training began.
    pub seconds: f64,
    /// Seconds that remain at this speed.
    pub eta_seconds: f64,
}

/// What a finished run did.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The pretext task.
    pub task: String,
    /// Corpus tokens of one epoch, after the minimum count.
    pub tokens: u64,
    /// Words that were predicted, in all epochs, after subsampling.
    pub words_trained: u64,
    /// Epochs done.
    pub epochs: usize,
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
}

/// What a worker has done since it last told.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub tokens: u64,
    pub targets: u64,
    pub predictions: u64,
    pub loss: f64,
}

/// Counters that all workers add to, every few thousand tokens.
#[derive(Debug)]
pub(super) struct Meters {
    lr: f64,
    min_lr: f64,
    total: u64,
    tokens: AtomicU64,
    targets: AtomicU64,
    epochs: Vec<Epoch>,
}

#[derive(Debug, Default)]
struct Epoch {
    /// An `f64`'s bits.
    loss: AtomicU64,
    predictions: AtomicU64,
}

impl Epoch {
    fn mean(&self) -> f64 {
        f64::from_bits(self.loss.load(Relaxed)) / self.predictions.load(Relaxed).max(1) as f64
    }
}

impl Meters {
    pub fn new(config: &TrainConfig, tokens: u64) -> Self {
        let lr = config.lr();
        Self {
            lr,
            min_lr: lr * config.min_lr,
            total: tokens * config.epochs as u64,
            tokens: AtomicU64::new(0),
            targets: AtomicU64::new(0),
            epochs: (0..config.epochs).map(|_| Epoch::default()).collect(),
        }
    }

    /// Adds a worker's tally; false if its loss is not finite.
    pub fn add(&self, epoch: usize, tally: Tally) -> bool {
        self.tokens.fetch_add(tally.tokens, Relaxed);
        self.targets.fetch_add(tally.targets, Relaxed);
        let epoch = &self.epochs[epoch];
        epoch.predictions.fetch_add(tally.predictions, Relaxed);
        let sum = |bits| Some((f64::from_bits(bits) + tally.loss).to_bits());
        // Always some, so it cannot fail.
        let _ = epoch.loss.fetch_update(Relaxed, Relaxed, sum);
        tally.loss.is_finite()
    }

    /// Corpus tokens done.
    pub fn tokens(&self) -> u64 {
        self.tokens.load(Relaxed)
    }

    /// Words predicted.
    pub fn targets(&self) -> u64 {
        self.targets.load(Relaxed)
    }

    /// The learning rate now: it falls in a line with the tokens done, but not below the minimum.
    pub fn lr(&self) -> f32 {
        let left = 1.0 - self.tokens() as f64 / self.total.max(1) as f64;
        (self.lr * left).max(self.min_lr) as f32
    }

    pub fn progress(&self, elapsed: Duration) -> Progress {
        let (tokens, seconds) = (self.tokens(), elapsed.as_secs_f64());
        let done = tokens as f64 / self.total.max(1) as f64;
        let epochs = self.epochs.len();
        let epoch = (tokens / (self.total / epochs as u64).max(1)).min(epochs as u64 - 1) as usize;
        let counted = (0..=epoch).rev().find(|&epoch| self.epochs[epoch].predictions.load(Relaxed) > 0);
        Progress {
            epoch: epoch + 1,
            epochs,
            tokens,
            total_tokens: self.total,
            words_per_second: tokens as f64 / seconds.max(1e-9),
            lr: f64::from(self.lr()),
            loss: counted.map_or(0.0, |epoch| self.epochs[epoch].mean()),
            seconds,
            eta_seconds: if done > 0.0 { seconds / done - seconds } else { f64::INFINITY },
        }
    }

    pub fn summary(&self, config: &TrainConfig, step: &Step, vocabulary: usize, seconds: f64) -> Summary {
        let epoch_losses: Vec<f64> = self.epochs.iter().map(Epoch::mean).collect();
        Summary {
            task: step.task.name().into(),
            tokens: self.total / config.epochs as u64,
            words_trained: self.targets.load(Relaxed),
            epochs: config.epochs,
            vocabulary,
            dim: config.dim,
            threads: config.workers(),
            strategy: config.strategy.name(config.workers()).into(),
            kernel: config.kernel_name(),
            lr: config.lr(),
            train_seconds: seconds,
            words_per_second: self.total as f64 / seconds.max(1e-9),
            loss: epoch_losses.last().copied().unwrap_or(f64::NAN),
            epoch_losses,
        }
    }
}
