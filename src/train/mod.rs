//! Training: a parallel loop over shards of the encoded corpus.
//!
//! Workers take shards in turn, epoch after epoch, without waiting for each other, and step on shared tables without
//! locks (Hogwild; Recht et al., 2011). With one worker the result is a function of corpus, configuration and seed;
//! with several, the order in which they meet a row varies, and so do the vectors, a little.

mod config;
mod progress;
mod step;

pub use config::{Compat, KernelChoice, Strategy, Task, TrainConfig};
pub use progress::{Observer, Progress, Silent, Summary};

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::dataset::Dataset;
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::math::{SharedTable, Tables};
use crate::objective::NegativeSampling;
use crate::vocabulary::{Subsampling, Vocabulary};
use progress::{Meters, Tally};
use step::{Scratch, Step};

/// Tokens in a shard: small enough that workers finish together, large enough to keep a noise pool warm.
const SHARD_TOKENS: u64 = 1 << 16;

/// How often the observer is told.
const REPORT: Duration = Duration::from_millis(100);

/// Names of the random streams that a run draws from.
mod streams {
    pub const TABLE: u64 = 1;
    pub const SENTENCE: u64 = 2;
    pub const NOISE: u64 = 3;
}

/// One training run on an encoded corpus.
#[derive(Debug)]
pub struct Trainer<'a> {
    config: TrainConfig,
    vocabulary: &'a Vocabulary,
    dataset: &'a Dataset,
    step: Step,
    shards: Vec<Range<u64>>,
}

impl<'a> Trainer<'a> {
    /// Checks the configuration and lays out the tables: two of `vocabulary x dim` numbers.
    pub fn new(config: &TrainConfig, vocabulary: &'a Vocabulary, dataset: &'a Dataset) -> Result<Self> {
        let config = config.resolved()?;
        dataset.belongs_to(vocabulary)?;
        if vocabulary.is_empty() || dataset.tokens() == 0 {
            return Err(Error::data("the corpus has no words to train on; lower --min-count"));
        }
        let (words, dim) = (vocabulary.len(), config.dim);
        let seed = crate::math::Rng::stream(config.seed, &[streams::TABLE]).next();
        let input = SharedTable::uniform(words, dim, seed)?;
        let output = SharedTable::zeros(words, dim)?;
        let objective = NegativeSampling::new(
            vocabulary.counts(),
            config.ns_exponent(),
            config.negative,
            config.kernel == KernelChoice::Reference,
            config.divides_mean(),
        );
        let step = Step {
            task: config.pretext(),
            objective: Box::new(objective),
            subsampling: Subsampling::new(vocabulary, config.sample()),
            tables: Tables::new(input, output, config.kernel()?)?,
            seed: config.seed,
            ahead: config.window,
        };
        let shards = dataset.shards(usize::try_from(dataset.tokens().div_ceil(SHARD_TOKENS)).expect("a shard count"));
        Ok(Self { config, vocabulary, dataset, step, shards })
    }

    /// Trains all epochs. The observer is told about ten times a second and may stop the run, which then fails with
    /// [`Error::Interrupted`]; a loss that is no longer a number fails with [`Error::Diverged`].
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Summary> {
        let workers = self.config.workers();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(workers)
            .build()
            .map_err(|source| Error::Backend { source: source.into() })?;
        let run = Run {
            meters: Meters::new(&self.config, self.dataset.tokens()),
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        };
        let mut scratches = (0..workers).map(|_| Scratch::new(&self.step)).collect::<Result<Vec<_>>>()?;
        let started = Instant::now();
        let this = &*self;
        let outcome = pool.in_place_scope(|scope| {
            let (sender, receiver) = channel();
            for scratch in &mut scratches {
                let (run, sender) = (&run, sender.clone());
                scope.spawn(move |_| this.work(run, scratch, &sender));
            }
            drop(sender);
            let mut outcome = Ok(());
            loop {
                match receiver.recv_timeout(REPORT) {
                    Ok(diverged) => outcome = Err(diverged),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {
                        let progress = run.meters.progress(started.elapsed());
                        if outcome.is_ok() && observer.progress(&progress) == ControlFlow::Break(()) {
                            run.stop.store(true, Relaxed);
                            outcome = Err(Error::Interrupted);
                        }
                    }
                }
            }
            outcome
        });
        outcome?;
        let last = run.meters.progress(started.elapsed());
        if run.meters.targets() == 0 {
            return Err(self.untrained());
        }
        // Told once more, at 100 %; what it answers no longer matters.
        let _ = observer.progress(&last);
        Ok(run.meters.summary(&self.config, &self.step, self.vocabulary.len(), last.seconds))
    }

    /// Why nothing was there to learn.
    fn untrained(&self) -> Error {
        let (sample, tokens) = (self.config.sample(), self.dataset.tokens());
        let alone = self.dataset.sentences(0..self.dataset.sentences_len()).all(|sentence| sentence.words.len() < 2);
        Error::data(if alone {
            format!("no word has a neighbour: all {tokens} tokens stand alone; lower --min-count or put more on a line")
        } else {
            format!(
                "sampling {sample:e} left no word with a neighbour in {tokens} tokens; \
                 lower --min-count, add text or use --sample 0"
            )
        })
    }

    /// One worker: shard after shard until none is left or the run is stopped.
    fn work(&self, run: &Run, scratch: &mut Scratch, diverged: &Sender<Error>) {
        loop {
            let turn = run.next.fetch_add(1, Relaxed);
            let (epoch, shard) = (turn / self.shards.len(), turn % self.shards.len());
            // Every worker takes one turn too many, so several may lie past the end.
            if epoch >= self.config.epochs {
                return;
            }
            let mut noise = self.step.noise(epoch, shard);
            for sentence in self.dataset.sentences(self.shards[shard].clone()) {
                if run.stop.load(Relaxed) {
                    return;
                }
                let lr = run.meters.lr();
                self.step.sentence(&sentence, epoch, lr, &mut noise, scratch);
                let tally = scratch.take_tally(sentence.words.len());
                if !self.told(run, epoch, tally, diverged) {
                    return;
                }
            }
            if !self.told(run, epoch, scratch.flush(), diverged) {
                return;
            }
        }
    }

    /// Adds a worker's tally to the run's; false, and the run stops, if its loss is no longer a number.
    fn told(&self, run: &Run, epoch: usize, tally: Option<Tally>, diverged: &Sender<Error>) -> bool {
        let Some(tally) = tally else { return true };
        if run.meters.add(epoch, tally) {
            return true;
        }
        run.stop.store(true, Relaxed);
        let (tokens, lr) = (run.meters.tokens(), run.meters.lr());
        // The receiver lives as long as the scope.
        let _ = diverged.send(Error::Diverged { epoch: epoch + 1, tokens, lr });
        false
    }

    /// The word vectors: the input table, in the order of the vocabulary, with the configuration that made them.
    ///
    /// Fails with [`Error::Diverged`] if a number in them is not finite, so that no such vector is ever written.
    pub fn finish(self) -> Result<Embeddings> {
        let (input, _) = self.step.tables.into_parts();
        let vectors = input.into_matrix();
        if vectors.as_slice().iter().any(|value| !value.is_finite()) {
            // The loss is bounded, so that a row can overflow in the last few thousand tokens unseen.
            let tokens = self.dataset.tokens() * self.config.epochs as u64;
            return Err(Error::Diverged { epoch: self.config.epochs, tokens, lr: self.config.lr() as f32 });
        }
        let mut embeddings =
            Embeddings::new(self.vocabulary.keys().clone(), vectors, Some(self.vocabulary.counts().to_vec()))?;
        embeddings.metadata = BTreeMap::from([
            ("firth.config".to_owned(), serde_json::to_string(&self.config).expect("plain fields")),
            ("firth.corpus".to_owned(), format!("{:016x}", self.dataset.checksum())),
            ("firth.kernel".to_owned(), self.config.kernel()?.name().to_owned()),
        ]);
        Ok(embeddings)
    }
}

/// What the workers of a run share.
struct Run {
    meters: Meters,
    /// The next shard, counted through all epochs.
    next: AtomicUsize,
    stop: AtomicBool,
}
