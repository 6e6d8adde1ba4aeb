//! The training loop.

use std::path::Path;

use serde::Serialize;

use super::Words;
use super::config::AutoencoderConfig;
use super::model::Autoencoder;
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::math::Samples;
use crate::train::Observer;

/// One training run: an input, perhaps another matrix as target, and a network.
#[derive(Debug)]
pub struct Trainer<'a> {
    input: &'a Samples,
    target: Option<&'a Samples>,
}

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
    /// Epochs done.
    pub epochs: usize,
    /// Columns.
    pub vocabulary: usize,
    /// Units of the code.
    pub dim: usize,
    /// Workers.
    pub threads: usize,
    /// How threads share the work: `batch`, parts of a step, with the same result for any number of them.
    pub strategy: &'static str,
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

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Checkpoint;

impl Checkpoint {
    /// Reads the newest checkpoint of a folder that is whole. What was wrong with newer ones is said in the second part.
    pub fn newest(folder: &Path) -> Result<(Self, Vec<Error>)> {
        let _ = folder;
        todo!()
    }

    /// The settings of the run.
    pub fn config(&self) -> &AutoencoderConfig {
        todo!()
    }

    /// Epochs that are done, whole.
    pub fn epochs(&self) -> usize {
        todo!()
    }
}

impl<'a> Trainer<'a> {
    /// Checks configuration and data, and lays out the network. `words` names the columns of bags of words. Without a
    /// `target` the input itself is to be given back.
    ///
    /// # Errors
    /// If a number is not finite, a count is negative under a multinomial loss, the shapes do not fit, or no row holds
    /// anything to learn from.
    pub fn new(
        config: &AutoencoderConfig,
        input: &'a Samples,
        target: Option<&'a Samples>,
        words: Option<Words>,
    ) -> Result<Self> {
        let _ = (config, words);
        Ok(Self { input, target })
    }

    /// Goes on from a checkpoint; `threads` may differ from before.
    pub fn resume(
        checkpoint: Checkpoint,
        threads: usize,
        input: &'a Samples,
        target: Option<&'a Samples>,
        words: Option<Words>,
    ) -> Result<Self> {
        let _ = (checkpoint, threads, words);
        Ok(Self { input, target })
    }

    /// The first layer starts from these word vectors, which have as many numbers as that layer has units; words that they
    /// lack start as usual. Says how many were found.
    pub fn start_from(&mut self, words: &Embeddings) -> Result<usize> {
        let _ = words;
        todo!()
    }

    /// The settings in force.
    pub fn config(&self) -> &AutoencoderConfig {
        todo!()
    }

    /// Rows without anything to learn from, which are left out, by position from 0.
    pub fn empty_rows(&self) -> &[usize] {
        todo!()
    }

    /// Trains what is left of the run. As [`crate::train::Trainer::run`] does.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Summary> {
        let _ = (observer, self.input, self.target);
        todo!()
    }

    /// The model.
    pub fn finish(self) -> Autoencoder {
        todo!()
    }
}
