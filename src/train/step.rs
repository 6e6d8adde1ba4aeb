//! One training step: the heart of the loop.

use crate::dataset::Sentence;
use crate::error::Result;
use crate::math::{Rng, RowId, Tables, Worker};
use crate::objective::{Noise, Objective};
use crate::pretext::{Example, Examples, Hidden, PretextTask};
use crate::vocabulary::{Subsampling, WordId};

use super::progress::Tally;

/// Words ahead whose rows are fetched while the words before them are computed.
const FETCH_AHEAD: usize = 4;

/// What to learn: the same for all workers.
#[derive(Debug)]
pub(super) struct Step {
    pub task: Box<dyn PretextTask>,
    pub objective: Box<dyn Objective>,
    pub subsampling: Subsampling,
    pub seed: u64,
    /// How far a word's input row is used before the word is the centre; `None` where words have none.
    pub ahead: Option<usize>,
    /// The first document's input row.
    pub documents: u32,
}

/// A worker's buffers: nothing is allocated per sentence once they have grown.
#[derive(Debug)]
pub(super) struct Scratch {
    words: Vec<WordId>,
    examples: Examples,
    pub worker: Worker,
    tally: Tally,
}

impl Scratch {
    pub fn new(tables: &Tables) -> Result<Self> {
        Ok(Self { words: Vec::new(), examples: Examples::default(), worker: tables.worker()?, tally: Tally::default() })
    }

    /// Tokens whose loss has gathered since the last [`Scratch::flush`].
    pub fn tokens(&self) -> u64 {
        self.tally.tokens
    }

    /// What has gathered since the last time.
    pub fn flush(&mut self) -> Tally {
        let mut tally = std::mem::take(&mut self.tally);
        tally.loss = self.worker.take_loss();
        tally
    }
}

impl Step {
    /// Learns from one sentence. `pass` names, with the sentence, the random choices in it: what is thinned out, how far
    /// windows reach.
    pub fn sentence(
        &self,
        sentence: &Sentence<'_>,
        pass: [u64; 2],
        tables: &Tables,
        lr: f32,
        noise: &mut Noise<'_>,
        scratch: &mut Scratch,
    ) {
        let Scratch { words, examples, worker, tally } = scratch;
        let mut rng = Rng::stream(self.seed, &[pass[0], pass[1], sentence.index]);
        self.subsampling.keep(sentence.words, &mut rng, words);
        examples.clear();
        self.task.examples(words, RowId(self.documents + sentence.doc.0), &mut rng, examples);
        let hidden = self.task.hidden();
        tally.tokens += sentence.words.len() as u64;
        for example in examples.iter() {
            if let Some(ahead) = self.ahead
                && let Some(word) = words.get(example.position + FETCH_AHEAD + ahead)
            {
                tables.fetch_input(RowId(word.0), worker);
            }
            tally.targets += 1;
            tally.predictions += if hidden == Hidden::Each { example.rows.len() as u64 } else { 1 };
            let example = Example { later: words.get(example.position + FETCH_AHEAD).copied(), ..example };
            self.objective.step(example, hidden, tables, lr, noise, worker);
        }
    }
}
