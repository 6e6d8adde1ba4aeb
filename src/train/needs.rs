//! What a run will take, told before it begins.

use super::config::{Strategy, TrainConfig};
use super::layout::Sizes;
use super::loss::Loss;
use super::subwords::SubwordRows;
use crate::dataset::Dataset;
use crate::vocabulary::Vocabulary;

/// Rows are padded to so many numbers, and tables to whole huge pages.
const PADDING: usize = 16;
const HUGE_PAGE: u64 = 2 << 20;

/// Bytes that a run takes beyond the program, the vocabulary and what was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Memory of its own: the tables, replicas, noise and subsampling.
    pub memory: u64,
    /// Pages of the encoded corpus, which the system may take back at any time but counts as the process's own.
    pub mapped: u64,
    /// Disk for both tables, once.
    pub tables_on_disk: u64,
    /// Disk for all the checkpoints that are there at the same time, the best epoch among them.
    pub checkpoints: u64,
}

impl Needs {
    /// Those of a run with these settings.
    pub fn of(config: &TrainConfig, vocabulary: &Vocabulary, dataset: &Dataset) -> Self {
        let words = vocabulary.len() as u64;
        let documents = if config.task.has_documents() { dataset.documents_len() } else { 0 };
        let subwords = config.subwords().map(|subwords| SubwordRows::new(subwords, vocabulary));
        let ngrams = subwords.as_ref().map_or(0, |subwords| subwords.buckets.len());
        let sizes = Sizes { words: vocabulary.len(), ngrams, documents: documents as usize };
        let input = super::layout::input_rows(config, sizes) as u64;
        // Which rows make which word, and the words' vectors when they are made of them.
        let composed = subwords.as_ref().map_or(0, |subwords| {
            // Vectors that are written alone, as runs without checkpoints are, want those of n-grams copied, too.
            let copied = if config.checkpoint_every == super::Every::Never { ngrams as u64 } else { 0 };
            4 * (subwords.compositions.rows_len() + ngrams) as u64
                + 8 * words
                + 4 * config.dim as u64 * (words + copied)
        });
        let table = |rows: u64| (rows * config.dim.next_multiple_of(PADDING) as u64 * 4).next_multiple_of(HUGE_PAGE);
        let output = config.loss.output_rows(vocabulary.len()) as u64;
        let replicas = if config.strategy == Strategy::Averaged { config.replicas as u64 } else { 0 };
        // The odds of subsampling (4 bytes a word), and for each replica what has moved (2); the alias table (8), or the way
        // to each word while the tree is made, or the scores of six hidden rows for each worker.
        let own = match config.loss {
            Loss::Ns => 8,
            Loss::Hs => 160,
            Loss::Softmax => 24 * config.workers() as u64,
        };
        let lists = words * (4 + own + replicas) + input * replicas;
        let heldout = 8 * (config.heldout * dataset.sentences_len() as f64) as u64;
        let keys = vocabulary.keys().text().len() as u64 + 16 * words;
        // A key, a label and the first words of each document.
        let names = |count: u64| 256 * count;
        let tables_on_disk = (input + output) * config.dim as u64 * 4 + 2 * keys + names(documents);
        let kept = if config.checkpoint_every == super::Every::Never { 0 } else { config.keep as u64 + 1 };
        Self {
            memory: (table(input) + table(output)) * (1 + replicas) + lists + heldout + composed + names(documents),
            mapped: 4 * dataset.tokens() + 8 * (dataset.sentences_len() + dataset.documents_len()),
            tables_on_disk,
            checkpoints: tables_on_disk * (kept + u64::from(config.heldout > 0.0)),
        }
    }
}
