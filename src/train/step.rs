//! One training step: the heart of the loop.

use crate::dataset::Sentence;
use crate::error::Result;
use crate::math::{Rng, RowId, Tables, Worker};
use crate::objective::{Noise, Objective};
use crate::pretext::{Examples, Hidden, PretextTask};
use crate::vocabulary::{Subsampling, WordId};

use super::progress::Tally;
use super::streams;

/// Words ahead whose rows are fetched while the words before them are computed.
const FETCH_AHEAD: usize = 4;

/// Tokens between two looks at the loss and the shared counter.
const TALLY_TOKENS: u64 = 1 << 13;

/// What to learn and where to: the same for all workers.
#[derive(Debug)]
pub(super) struct Step {
    pub task: Box<dyn PretextTask>,
    pub objective: Box<dyn Objective>,
    pub subsampling: Subsampling,
    pub tables: Tables,
    pub seed: u64,
    /// How far a word's row is used before the word is the centre.
    pub ahead: usize,
}

/// A worker's buffers: nothing is allocated per sentence once they have grown.
#[derive(Debug)]
pub(super) struct Scratch {
    words: Vec<WordId>,
    examples: Examples,
    worker: Worker,
    tally: Tally,
}

impl Scratch {
    pub fn new(step: &Step) -> Result<Self> {
        Ok(Self {
            words: Vec::new(),
            examples: Examples::default(),
            worker: step.tables.worker()?,
            tally: Tally::default(),
        })
    }

    /// Counts a sentence's tokens; every few thousand, gives what has gathered.
    pub fn take_tally(&mut self, tokens: usize) -> Option<Tally> {
        self.tally.tokens += tokens as u64;
        if self.tally.tokens >= TALLY_TOKENS { self.flush() } else { None }
    }

    /// What has gathered since the last time.
    pub fn flush(&mut self) -> Option<Tally> {
        let mut tally = std::mem::take(&mut self.tally);
        tally.loss = self.worker.take_loss();
        (tally.tokens > 0).then_some(tally)
    }
}

impl Step {
    /// The noise words of a shard.
    pub fn noise(&self, epoch: usize, shard: usize) -> Noise<'_> {
        self.objective.noise(self.seed, &[streams::NOISE, epoch as u64, shard as u64])
    }

    /// Learns from one sentence.
    pub fn sentence(
        &self,
        sentence: &Sentence<'_>,
        epoch: usize,
        lr: f32,
        noise: &mut Noise<'_>,
        scratch: &mut Scratch,
    ) {
        let Scratch { words, examples, worker, tally } = scratch;
        let mut rng = Rng::stream(self.seed, &[streams::SENTENCE, epoch as u64, sentence.index]);
        self.subsampling.keep(sentence.words, &mut rng, words);
        examples.clear();
        self.task.examples(words, &mut rng, examples);
        let hidden = self.task.hidden();
        for example in examples.iter() {
            if let Some(word) = words.get(example.position + FETCH_AHEAD) {
                self.tables.fetch_output(RowId(word.0), worker);
            }
            if let Some(word) = words.get(example.position + FETCH_AHEAD + self.ahead) {
                self.tables.fetch_input(RowId(word.0), worker);
            }
            tally.targets += 1;
            tally.predictions += if hidden == Hidden::Each { example.rows.len() as u64 } else { 1 };
            self.objective.step(example, hidden, &self.tables, lr, noise, worker);
        }
    }
}
