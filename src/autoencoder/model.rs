//! A trained autoencoder.

use std::path::Path;

use super::Words;
use super::config::AutoencoderConfig;
use crate::embeddings::Embeddings;
use crate::error::Result;
use crate::math::{Matrix, Samples};

/// The file of a model in a run's folder.
pub const FILE: &str = "autoencoder.safetensors";

/// A trained autoencoder: maps rows to codes, and codes to rows.
#[derive(Debug, Clone)]
pub struct Autoencoder {
    config: AutoencoderConfig,
    words: Option<Words>,
}

impl Autoencoder {
    /// Reads a model's file.
    pub fn open(path: &Path) -> Result<Self> {
        let _ = path;
        todo!()
    }

    /// Writes it, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        let _ = path;
        todo!()
    }

    /// The settings that made it.
    pub fn config(&self) -> &AutoencoderConfig {
        &self.config
    }

    /// The words of its columns, if it has learnt from text.
    pub fn words(&self) -> Option<&Words> {
        self.words.as_ref()
    }

    /// The number of columns of its input.
    pub fn columns(&self) -> usize {
        todo!()
    }

    /// The number of columns of its output.
    pub fn outputs(&self) -> usize {
        todo!()
    }

    /// The numbers of a code.
    pub fn code(&self) -> usize {
        todo!()
    }

    /// The codes of rows (counts, or numbers as in training), `rows x code`, on the current rayon pool. A row that is empty or
    /// all zero has the code of nothing.
    pub fn encode(&self, rows: &Samples) -> Result<Matrix> {
        let _ = rows;
        todo!()
    }

    /// What it gives back for rows, `rows x outputs`: probabilities that sum to one (multinomial), values (squared error) or
    /// probabilities of each column (binary cross-entropy), on the current rayon pool. For wide outputs, give few rows at a time.
    pub fn reconstruct(&self, rows: &Samples) -> Result<Matrix> {
        let _ = rows;
        todo!()
    }

    /// What it gives back for codes, as [`Autoencoder::reconstruct`].
    pub fn decode(&self, codes: &Matrix) -> Result<Matrix> {
        let _ = codes;
        todo!()
    }

    /// How often each output occurred in training's target, as a share: the guess of one who knows nothing of a row.
    pub fn unigram(&self) -> &[f32] {
        todo!()
    }

    /// What the target's number of a column weighs, in training (SIF): 1 without.
    pub fn target_weights(&self) -> &[f32] {
        todo!()
    }

    /// The words' vectors: their rows of the first layer; `None` without words.
    pub fn word_vectors(&self) -> Option<Result<Embeddings>> {
        todo!()
    }
}
