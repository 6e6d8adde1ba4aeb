//! One training step: the heart of the loop.

use crate::dataset::Sentence;
use crate::error::Result;
use crate::math::{Compositions, Rng, RowId, Tables, Worker};
use crate::objective::{Noise, Objective};
use crate::pretext::{Example, Examples, Hidden, Later, PretextTask, Rows};
use crate::vocabulary::{Subsampling, WordId};

use super::progress::Tally;
use super::subwords::SubwordRows;

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
    /// How far around a centre a word may be a hidden row.
    pub reach: usize,
    /// The input rows that each word is the mean of, if it is not one itself.
    pub subwords: Option<SubwordRows>,
}

/// A worker's buffers: nothing is allocated per sentence once they have grown.
#[derive(Debug)]
pub(super) struct Scratch {
    words: Vec<WordId>,
    rows: Vec<RowId>,
    examples: Examples,
    pub worker: Worker,
    tally: Tally,
}

impl Scratch {
    pub fn new(step: &Step, tables: &Tables) -> Result<Self> {
        let worker = match &step.subwords {
            Some(_) => tables.composing_worker(slots(step.reach))?,
            None => tables.worker()?,
        };
        let (examples, tally) = (Examples::default(), Tally::default());
        Ok(Self { words: Vec::new(), rows: Vec::new(), examples, worker, tally })
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
        let Scratch { words, rows, examples, worker, tally } = scratch;
        let mut rng = Rng::stream(self.seed, &[pass[0], pass[1], sentence.index]);
        self.subsampling.keep(sentence.words, &mut rng, words);
        rows.clear();
        match &self.subwords {
            Some(_) => rows.extend((0..words.len()).map(|at| slot(at, self.reach))),
            None => rows.extend(words.iter().map(|word| RowId(word.0))),
        }
        examples.clear();
        let document = RowId(self.documents + sentence.doc.0);
        self.task.examples(&Rows { words, rows, document }, &mut rng, examples);
        let hidden = self.task.hidden();
        tally.tokens += sentence.words.len() as u64;
        let mut reached = self.subwords.as_ref().map(|subwords| Reached {
            words,
            of: &subwords.compositions,
            reach: self.reach,
            tables,
            is_still: lr == 0.0,
            left: 0,
            entered: 0,
        });
        for example in examples.iter() {
            if let Some(reached) = &mut reached {
                reached.move_to(example.position, worker);
            }
            let at = example.position + FETCH_AHEAD;
            let row = self.ahead.and_then(|ahead| words.get(at + ahead)).map(|word| RowId(word.0));
            let example = Example { later: Later { target: words.get(at).copied(), row }, ..example };
            tally.targets += 1;
            tally.predictions += if hidden == Hidden::Each { example.rows.len() as u64 } else { 1 };
            self.objective.step(example, hidden, tables, lr, noise, worker);
        }
        if let Some(reached) = &mut reached {
            reached.leave(words.len(), worker);
        }
    }
}

/// Rows that words in reach of a centre are composed in.
fn slots(reach: usize) -> usize {
    2 * reach + 1
}

/// The slot of the word at a position.
fn slot(position: usize, reach: usize) -> RowId {
    RowId((position % slots(reach)) as u32)
}

/// The words of a sentence that are composed at the moment: they enter when a centre comes in reach, and leave behind it.
struct Reached<'a> {
    words: &'a [WordId],
    of: &'a Compositions,
    reach: usize,
    tables: &'a Tables,
    /// Does nothing move, since only the loss is asked for?
    is_still: bool,
    left: usize,
    entered: usize,
}

impl Reached<'_> {
    /// Brings the words around a centre, which comes after the one before.
    fn move_to(&mut self, center: usize, worker: &mut Worker) {
        self.leave(center.saturating_sub(self.reach), worker);
        for at in self.entered..self.words.len().min(center + self.reach + 1) {
            self.tables.compose(slot(at, self.reach), self.of.of(self.words[at].0 as usize), worker);
            self.entered = at + 1;
        }
    }

    /// Gives back what the words before a position have moved.
    fn leave(&mut self, end: usize, worker: &mut Worker) {
        if self.is_still {
            return;
        }
        for at in self.left..end.min(self.entered) {
            self.tables.spread(slot(at, self.reach), self.of.of(self.words[at].0 as usize), worker);
            self.left = at + 1;
        }
    }
}
