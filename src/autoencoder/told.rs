//! What a run tells while it goes and when it ends.

use std::ops::ControlFlow;
use std::time::Instant;

use serde::Serialize;

use super::fit::Trainer;
use crate::train::Observer;
use crate::train::watch::REPORT;

/// What a finished run did.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Always `autoencoder`.
    pub task: &'static str,
    /// Rows that were trained on.
    pub documents: u64,
    /// Rows that were not: nothing in them to learn from.
    pub empty_documents: u64,
    /// Sum of the counts of one epoch (text), or rows (matrices).
    pub tokens: u64,
    /// The same, over all epochs.
    pub words_trained: u64,
    /// Epochs done, of the start that is kept.
    pub epochs: usize,
    /// Epochs asked for: more than were done if `--patience` has ended that start.
    pub planned_epochs: usize,
    /// Columns.
    pub vocabulary: usize,
    /// Units of the code.
    pub dim: usize,
    /// Workers.
    pub threads: usize,
    /// How threads share the work: `batch`, parts of a step, with the same result for any number of them.
    pub strategy: &'static str,
    /// The learning rate at the start.
    pub lr: f64,
    /// Seconds of training alone.
    pub train_seconds: f64,
    /// Tokens a second: tokens x epochs / train_seconds.
    pub words_per_second: f64,
    /// The mean loss of a row in the last epoch.
    pub loss: f64,
    /// The mean loss of each epoch.
    pub epoch_losses: Vec<f64>,
    /// The mean loss on held-out rows after each epoch; empty without `--heldout`.
    pub heldout_losses: Vec<f64>,
    /// The epoch, from 1, whose weights these are.
    pub epoch: usize,
    /// The start, from 1, whose weights these are.
    pub restart: usize,
    /// A checksum of the weights, bit by bit.
    pub fingerprint: String,
}

/// The observer, and the times at which it is told and checkpoints are written.
pub(super) struct Watch<'o> {
    pub observer: &'o mut dyn Observer,
    started: Instant,
    told: Instant,
    pub saved: Instant,
    seconds_before: f64,
}

impl<'o> Watch<'o> {
    pub fn new(observer: &'o mut dyn Observer, seconds_before: f64) -> Self {
        let now = Instant::now();
        Self { observer, started: now, told: now, saved: now, seconds_before }
    }

    pub fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    pub fn is_time_to_tell(&self) -> bool {
        self.told.elapsed() >= REPORT
    }

    pub fn tell(&mut self, trainer: &Trainer<'_>) -> ControlFlow<()> {
        self.told = Instant::now();
        let progress = trainer.progress(self.seconds(), self.started.elapsed().as_secs_f64());
        self.observer.progress(&progress)
    }
}
