//! Who trains what when: shards, epochs, rounds and the learning rate, all by position alone.

use std::ops::Range;

use super::config::{Strategy, TrainConfig};
use crate::dataset::Dataset;

/// Tokens in a shard: small enough that workers finish together, large enough to keep a noise pool warm.
const SHARD_TOKENS: u64 = 1 << 16;
/// A small corpus has smaller shards, so that several workers or replicas share it, but none smaller than this.
const LEAST_SHARD_TOKENS: u64 = 1 << 12;
/// Shards wanted of a small corpus.
const SHARDS: u64 = 64;

/// Rounds, at least, in which replicas go through an epoch.
const ROUNDS: usize = 8;

/// The order of a run. A turn is one shard in one epoch; turns are counted through all epochs.
///
/// Nothing here depends on threads or on time: a sentence has the same shard, turn and learning rate in every run.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Ranges of sentences, equal in tokens.
    shards: Vec<Range<u64>>,
    /// Tokens before each shard, and at the end all.
    starts: Vec<u64>,
    epochs: usize,
    lr: f64,
    min_lr: f64,
    /// Replicas and the turns that each takes before they are merged; `None` for one model.
    replicas: Option<(usize, usize)>,
}

impl Schedule {
    pub fn new(config: &TrainConfig, dataset: &Dataset) -> Self {
        let tokens = dataset.tokens();
        let count = tokens.div_ceil(SHARD_TOKENS).max(SHARDS.min(tokens / LEAST_SHARD_TOKENS)).max(1);
        let shards = dataset.shards(usize::try_from(count).expect("a shard count"));
        let mut starts: Vec<u64> = shards.iter().map(|shard| dataset.tokens_before(shard.start)).collect();
        starts.push(tokens);
        let replicas = (config.strategy == Strategy::Averaged).then(|| {
            let turns = (config.sync_tokens / tokens.div_ceil(count)).max(1) as usize;
            (config.replicas, turns.min(shards.len() / (ROUNDS * config.replicas)).max(1))
        });
        let lr = config.lr();
        Self { shards, starts, epochs: config.epochs(), lr, min_lr: lr * config.min_lr, replicas }
    }

    /// All turns of the run.
    pub fn turns(&self) -> u64 {
        (self.shards.len() * self.epochs) as u64
    }

    /// Shards, and so turns, of an epoch.
    pub fn turns_per_epoch(&self) -> u64 {
        self.shards.len() as u64
    }

    /// A turn's epoch, from 0, and the position of its shard.
    pub fn place(&self, turn: u64) -> (usize, usize) {
        ((turn / self.turns_per_epoch()) as usize, (turn % self.turns_per_epoch()) as usize)
    }

    /// A shard's sentences.
    pub fn sentences(&self, shard: usize) -> Range<u64> {
        self.shards[shard].clone()
    }

    /// Tokens of an epoch.
    pub fn tokens(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Tokens before a turn, over all epochs.
    pub fn tokens_before(&self, turn: u64) -> u64 {
        let (epoch, shard) = self.place(turn);
        epoch as u64 * self.tokens() + self.starts[shard]
    }

    /// The learning rate after so many tokens: it falls in a line, but not below the minimum.
    pub fn lr(&self, tokens: u64) -> f32 {
        let left = 1.0 - tokens as f64 / (self.tokens() * self.epochs as u64).max(1) as f64;
        (self.lr * left).max(self.min_lr) as f32
    }

    /// The jobs from a turn on that may run side by side: up to the end of the epoch, or of the replicas' round.
    ///
    /// One model's job is a turn; a replica's job is all its turns of the round, and its position is the replica's.
    pub fn jobs(&self, turn: u64) -> Vec<Range<u64>> {
        let epoch_end = (turn / self.turns_per_epoch() + 1) * self.turns_per_epoch();
        match self.replicas {
            None => (turn..epoch_end).map(|turn| turn..turn + 1).collect(),
            Some((replicas, turns)) => {
                let len = ((replicas * turns) as u64).min(epoch_end - turn);
                let cut = |replica: usize| turn + len * replica as u64 / replicas as u64;
                (0..replicas).map(|replica| cut(replica)..cut(replica + 1)).collect()
            }
        }
    }
}
