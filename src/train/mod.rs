//! Training: a parallel loop over shards of the encoded corpus.
//!
//! A run is a sequence of rounds. Within a round workers take jobs in turn: shards of one shared model, on which they
//! step without locks (Hogwild; Recht et al., 2011), or replicas of it, which are merged when the round ends
//! (`averaged`). Between rounds nobody trains: there epochs end, held-out loss is measured and checkpoints are written.
//! With one worker, or with replicas, the result is a function of corpus, configuration and seed, resumed or not.

pub(crate) mod checkpoint;
mod common;
mod config;
mod continued;
mod heldout;
mod infer;
mod layout;
mod loss;
mod needs;
mod progress;
mod replicas;
mod saved;
mod schedule;
mod step;
mod subwords;
pub(crate) mod watch;

pub use checkpoint::{Checkpoint, Every, STATE, forget_best, names as checkpoints};
pub use common::COMMON;
pub(crate) use config::available_threads;
#[cfg(feature = "cli")]
pub(crate) use config::share;
pub use config::{Compat, KernelChoice, Strategy, Task, TrainConfig};
pub use continued::Drift;
pub use infer::{KnownWords, ParagraphVectors};
pub use layout::{CONTEXT, DOCUMENTS, NODES, output_file};
pub use loss::Loss;
pub use needs::Needs;
pub use progress::{Observer, Progress, Silent, Summary};
pub use saved::DocumentNames;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Instant;

use crate::dataset::Dataset;
use crate::error::{Divergence, Error, Result};
use crate::format::native;
use crate::math::{Kernel, SharedTable, Tables, fingerprint};
use crate::vocabulary::{Subsampling, Vocabulary};
use checkpoint::{Record, State};
use common::Common;
use layout::{Part, Sizes};
use progress::{Live, Tally};
use replicas::Replicas;
use schedule::Schedule;
use step::{Scratch, Step};
use subwords::SubwordRows;
use watch::{Pause, Watch};

/// Tokens between two looks at a worker's loss.
const TALLY_TOKENS: u64 = 1 << 13;

/// Names of the random streams that a run draws from.
mod streams {
    pub const TABLE: u64 = 1;
    pub const SENTENCE: u64 = 2;
    pub const NOISE: u64 = 3;
    pub const HELD_OUT: u64 = 4;
    pub const HELD_OUT_WORDS: u64 = 5;
    pub const HELD_OUT_NOISE: u64 = 6;
    pub const INFERRED: u64 = 7;
}

/// One training run on an encoded corpus.
#[derive(Debug)]
pub struct Trainer<'a> {
    config: TrainConfig,
    vocabulary: &'a Vocabulary,
    dataset: &'a Dataset,
    step: Step,
    schedule: Schedule,
    /// The model; with replicas, what they had in common last.
    tables: Tables,
    heldout: Vec<u64>,
    state: State,
    /// Turns that were done when this process took over.
    resumed_at: u64,
    /// What was taken off the vectors of documents, when training was over.
    common: Option<Common>,
    unmoved: Vec<usize>,
}

impl<'a> Trainer<'a> {
    /// Checks the configuration and lays out the tables: two of `vocabulary x dim` numbers, and a row for each document
    /// where the task has such.
    pub fn new(config: &TrainConfig, vocabulary: &'a Vocabulary, dataset: &'a Dataset) -> Result<Self> {
        let config = config.with_epochs_for(dataset.tokens()).resolved()?;
        let (words, dim) = (vocabulary.len(), config.dim);
        let seed = crate::math::Rng::stream(config.seed, &[streams::TABLE]).next();
        config.loss.check(words)?;
        let subwords = config.subwords().map(|subwords| SubwordRows::new(subwords, vocabulary));
        let input =
            SharedTable::uniform(layout::input_rows(&config, sizes(vocabulary, &subwords, dataset)), dim, seed)?;
        let output = SharedTable::zeros(config.loss.output_rows(words), dim)?;
        let tables = Tables::new(input, output, config.kernel()?)?;
        Self::with_tables(config, vocabulary, dataset, subwords, tables)
    }

    /// Goes on from a checkpoint, as if the run had not stopped; `threads` may differ from before.
    pub fn resume(
        checkpoint: &Checkpoint,
        threads: usize,
        vocabulary: &'a Vocabulary,
        dataset: &'a Dataset,
    ) -> Result<Self> {
        let Checkpoint { record, tables, .. } = checkpoint;
        let shown = checkpoint.path().display();
        let corpus = format!("{:016x}", dataset.checksum());
        if record.corpus != corpus {
            let what = format!("{shown}: checksum of the corpus that it was trained on");
            return Err(Error::mismatch(what, &record.corpus, corpus));
        }
        let config = TrainConfig { threads, ..record.config.clone() }.resolved()?;
        let subwords = config.subwords().map(|subwords| SubwordRows::new(subwords, vocabulary));
        let sizes = sizes(vocabulary, &subwords, dataset);
        let mut laid = [
            SharedTable::zeros(layout::input_rows(&config, sizes), config.dim)?,
            SharedTable::zeros(config.loss.output_rows(sizes.words), config.dim)?,
        ];
        for (part, (file, table)) in layout::parts(&config, sizes).into_iter().zip(tables) {
            let shape = |rows, cols| format!("{rows} x {cols}");
            if (table.len(), table.dim()) != (part.rows.len(), config.dim) {
                let what = format!("{shown}: table of {file}");
                return Err(Error::mismatch(what, shape(part.rows.len(), config.dim), shape(table.len(), table.dim())));
            }
            laid[part.table].set_rows(part.rows.start, table.vectors().iter_rows());
        }
        // Another kernel rounds differently: the one that the run began with goes on, if this processor has it.
        let begun = Kernel::choose(Some(&record.kernel)).filter(|_| config.kernel == KernelChoice::Auto);
        let kernel = begun.map_or_else(|| config.kernel(), Ok)?;
        let [input, output] = laid;
        let mut trainer =
            Self::with_tables(config, vocabulary, dataset, subwords, Tables::new(input, output, kernel)?)?;
        if record.turns != trainer.schedule.turns() {
            let what = format!("{shown}: shards of all epochs (another version of firth cuts them otherwise)");
            return Err(Error::mismatch(what, record.turns, trainer.schedule.turns()));
        }
        let (state, measured) = (&record.state, !trainer.heldout.is_empty());
        if !state.is_within(&trainer.schedule, measured) {
            let (turn, epoch, losses) = (state.turn, state.epoch, state.heldout.len());
            let state = format!("turn {turn} of {} in epoch {epoch}, with {losses} held-out losses", record.turns);
            return Err(checkpoint::misplaced(checkpoint.path(), &state));
        }
        trainer.state = state.clone();
        trainer.resumed_at = record.state.turn;
        Ok(trainer)
    }

    fn with_tables(
        config: TrainConfig,
        vocabulary: &'a Vocabulary,
        dataset: &'a Dataset,
        subwords: Option<SubwordRows>,
        tables: Tables,
    ) -> Result<Self> {
        dataset.belongs_to(vocabulary)?;
        if vocabulary.is_empty() || dataset.tokens() == 0 {
            return Err(Error::data("the corpus has no words to train on; lower --min-count"));
        }
        let step = Step {
            task: config.pretext(),
            objective: config.objective(vocabulary.counts()),
            subsampling: Subsampling::new(vocabulary, config.sample()),
            seed: config.seed,
            ahead: (config.words_predict() && subwords.is_none()).then_some(config.window()),
            reach: config.window(),
            subwords,
            documents: layout::before_documents(&config, vocabulary.len()) as u32,
        };
        let schedule = Schedule::new(&config, dataset);
        let heldout = heldout::held_out(config.heldout, config.seed, dataset)?;
        let state = State::default();
        Ok(Self {
            config,
            vocabulary,
            dataset,
            step,
            schedule,
            tables,
            heldout,
            state,
            resumed_at: 0,
            common: None,
            unmoved: Vec::new(),
        })
    }

    /// The settings in force.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Trains what is left of the run.
    ///
    /// The observer is told about ten times a second and may stop it: the run then writes a checkpoint, where one has a
    /// place, and fails with [`Error::Interrupted`]. A loss or a row that is no longer a number, or a loss far worse
    /// than that of no learning at all, fails with [`Error::Diverged`]; the last checkpoint stays.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Summary> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.config.threads)
            .build()
            .map_err(|source| Error::Backend { source: source.into() })?;
        let copies = if self.config.strategy == Strategy::Averaged { self.config.replicas } else { 0 };
        let mut replicas = Replicas::new(&mut self.tables, copies)?;
        let mut scratches = (0..copies.max(self.config.workers()))
            .map(|_| {
                let mut scratch = Scratch::new(&self.step, &self.tables)?;
                if copies > 0 {
                    scratch.worker.note_touched(&self.tables);
                }
                Ok(scratch)
            })
            .collect::<Result<Vec<_>>>()?;
        let mut watch = Watch::new(self, observer);
        while self.state.turn < self.schedule.turns() && !self.has_lost_patience() {
            let before = self.state.turn;
            let pause = self.round(&pool, &replicas, &mut scratches, &mut watch)?;
            if copies > 0 {
                let workers = scratches.iter_mut().map(|scratch| &mut scratch.worker);
                pool.install(|| replicas.merge(&mut self.tables, workers));
            }
            self.state.seconds = watch.seconds();
            let has_ended = self.state.turn > before && self.state.turn.is_multiple_of(self.schedule.turns_per_epoch());
            if has_ended {
                self.end_epoch(&pool, &mut watch)?;
            }
            self.checkpoint_if_due(has_ended, pause, &mut watch)?;
            if pause == Some(Pause::Stop) {
                return Err(Error::Interrupted);
            }
        }
        if self.state.epochs.iter().all(|epoch| epoch.targets == 0) {
            return Err(self.untrained());
        }
        self.check_finite()?;
        let epoch = self.take_best(watch.observer)?;
        self.settle();
        // Told once more, at the end; what it answers no longer matters.
        let _ = watch.tell(self, Tally::default());
        Ok(self.summary(epoch))
    }

    /// One round: all jobs that may run side by side, or as many as were begun before a pause.
    fn round(
        &mut self,
        pool: &rayon::ThreadPool,
        replicas: &Replicas,
        scratches: &mut [Scratch],
        watch: &mut Watch<'_>,
    ) -> Result<Option<Pause>> {
        let jobs = self.schedule.jobs(self.state.turn);
        let is_averaged = self.config.strategy == Strategy::Averaged;
        let round =
            Round { jobs: &jobs, next: AtomicUsize::new(0), stop: AtomicBool::new(false), live: Live::default() };
        let this = &*self;
        let mut pause = None;
        let done = pool.in_place_scope(|scope| {
            let (sender, receiver) = channel();
            for (position, scratch) in scratches.iter_mut().enumerate() {
                let (round, sender) = (&round, sender.clone());
                scope.spawn(move |_| {
                    if is_averaged {
                        this.work_apart(round, position, replicas.tables(position), scratch, &sender);
                    } else {
                        this.work(round, scratch, &sender);
                    }
                });
            }
            drop(sender);
            let mut done = Vec::new();
            loop {
                match receiver.recv_timeout(watch.wait()) {
                    Ok(message) => done.push(message),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {}
                }
                pause = watch.look(this, round.live.tally(), pause);
                // Replicas end their round, which is short: where it ends must not depend on time.
                round.stop.fetch_or(pause.is_some() && !is_averaged, Relaxed);
            }
            done
        });
        self.dataset.unchanged()?;
        let mut done = done.into_iter().collect::<Result<Vec<_>>>()?;
        // Summed in the order of turns, whoever did them when.
        done.sort_unstable_by_key(|&(turn, _)| turn);
        for (turn, tally) in done {
            let epoch = self.schedule.place(turn).0;
            if self.state.epochs.len() <= epoch {
                self.state.epochs.resize(epoch + 1, Tally::default());
            }
            self.state.epochs[epoch].add(tally);
            self.state.turn = turn + 1;
        }
        Ok(pause)
    }

    /// One worker on the shared model: shard after shard until none is left or the run pauses, but one at least, so that
    /// each checkpoint is of a later turn than the one before and never takes its place.
    fn work(&self, round: &Round<'_>, scratch: &mut Scratch, sender: &Sender<Done>) {
        while let Some(turns) = round.jobs.get(round.next.fetch_add(1, Relaxed)) {
            if !self.turn(turns.start, &self.tables, round, scratch, sender) || round.stop.load(Relaxed) {
                return;
            }
        }
    }

    /// One replica: all its turns of the round.
    fn work_apart(
        &self,
        round: &Round<'_>,
        replica: usize,
        tables: &Tables,
        scratch: &mut Scratch,
        sender: &Sender<Done>,
    ) {
        for turn in round.jobs[replica].clone() {
            if round.stop.load(Relaxed) || !self.turn(turn, tables, round, scratch, sender) {
                return;
            }
        }
    }

    /// Trains one shard; false, and the round stops, if the loss has left all bounds.
    fn turn(
        &self,
        turn: u64,
        tables: &Tables,
        round: &Round<'_>,
        scratch: &mut Scratch,
        sender: &Sender<Done>,
    ) -> bool {
        let (epoch, shard) = self.schedule.place(turn);
        let mut tokens = self.schedule.tokens_before(turn);
        let mut noise = self.step.objective.noise(self.step.seed, &[streams::NOISE, epoch as u64, shard as u64]);
        let (mut total, chance) = (Tally::default(), self.step.objective.chance());
        let mut tell = |scratch: &mut Scratch| {
            let tally = scratch.flush();
            round.live.add(tally);
            total.add(tally);
            tally.divergence(chance)
        };
        for sentence in self.dataset.sentences(self.schedule.sentences(shard)) {
            let lr = self.schedule.lr(tokens);
            tokens += sentence.words.len() as u64;
            if heldout::is_held_out(self.config.heldout, self.config.seed, sentence.index) {
                continue;
            }
            let pass = [streams::SENTENCE, epoch as u64];
            self.step.sentence(&sentence, pass, tables, lr, &mut noise, scratch);
            if scratch.tokens() >= TALLY_TOKENS
                && let Some(cause) = tell(scratch)
            {
                return diverged(round, sender, Error::Diverged { epoch: epoch + 1, tokens, lr, cause });
            }
        }
        if let Some(cause) = tell(scratch) {
            let lr = self.schedule.lr(tokens);
            return diverged(round, sender, Error::Diverged { epoch: epoch + 1, tokens, lr, cause });
        }
        // What was held out counts as done.
        total.tokens = tokens - self.schedule.tokens_before(turn);
        // The receiver lives as long as the scope.
        let _ = sender.send(Ok((turn, total)));
        true
    }

    /// Measures on what was held out, and keeps the tables if they are the best so far.
    fn end_epoch(&mut self, pool: &rayon::ThreadPool, watch: &mut Watch<'_>) -> Result<()> {
        self.state.epoch += 1;
        if self.heldout.is_empty() {
            return Ok(());
        }
        let loss = pool.install(|| heldout::loss(&self.step, &self.tables, self.dataset, &self.heldout))?;
        if !loss.is_finite() {
            return Err(self.no_longer_finite());
        }
        self.state.heldout.push(loss);
        // The last epoch's tables are at hand already.
        if self.state.best() == Some(self.state.epoch - 1) && self.state.turn < self.schedule.turns() {
            let folder = watch.observer.checkpoints()?.ok_or_else(no_place_for_the_best)?;
            self.check_finite()?;
            let name = checkpoint::best_name(self.state.epoch - 1);
            checkpoint::put(&folder, &name, |folder| self.save_rows(folder, None))?;
            if self.config.checkpoint_every == Every::Never {
                // No checkpoint will ever name an older one.
                checkpoint::forget_best_but(&folder, self.state.best());
            }
        }
        Ok(())
    }

    fn has_lost_patience(&self) -> bool {
        let since_best = self.state.best().map_or(0, |best| self.state.epoch - 1 - best);
        self.config.patience > 0 && since_best >= self.config.patience
    }

    /// The best epoch's tables take the place of the last one's; says which epoch, from 1, that is.
    fn take_best(&mut self, observer: &mut dyn Observer) -> Result<usize> {
        let best = self.state.best().unwrap_or(self.state.epoch - 1);
        if best + 1 < self.state.epoch {
            let folder = observer.checkpoints()?.ok_or_else(no_place_for_the_best)?;
            let folder = folder.join(checkpoint::best_name(best));
            for part in self.parts() {
                let table = self.tables.parts_mut().into_iter().nth(part.table).expect("two tables");
                checkpoint::read_into(&folder.join(part.file), table, part.rows)?;
            }
        }
        Ok(best + 1)
    }

    fn checkpoint_if_due(&mut self, has_ended: bool, pause: Option<Pause>, watch: &mut Watch<'_>) -> Result<()> {
        let is_over = self.state.turn == self.schedule.turns();
        let is_due = match self.config.checkpoint_every {
            Every::Never => false,
            _ if pause == Some(Pause::Stop) => true,
            Every::Epochs(epochs) => has_ended && self.state.epoch.is_multiple_of(epochs),
            Every::Time(time) => watch.saved.elapsed() >= time && !is_over,
        };
        if !is_due {
            return Ok(());
        }
        watch.saved = Instant::now();
        if let Some(folder) = watch.observer.checkpoints()? {
            self.check_finite()?;
            let (corpus, kernel) = (self.dataset.checksum(), self.tables.kernel().name());
            let record = Record::new(&self.config, corpus, kernel, self.schedule.turns(), &self.state);
            checkpoint::write(&folder, &record.place(self.config.keep), &record, |folder| {
                self.save_rows(folder, None)
            })?;
            watch.observer.saved()?;
        }
        Ok(())
    }

    /// The rows of documents become their vectors, when training is over.
    fn settle(&mut self) {
        let Some(part) = self.parts().into_iter().find(Part::is_documents).filter(|_| self.common.is_none()) else {
            return;
        };
        let seed = self.start_seed();
        let table = self.tables.parts_mut().into_iter().nth(part.table).expect("two tables");
        let (dim, stride) = (table.dim(), table.stride());
        let rows = &mut table.as_padded_mut()[part.rows.start * stride..part.rows.end * stride];
        let mut start = vec![0.0; dim];
        for (document, row) in rows.chunks_exact_mut(stride).enumerate() {
            SharedTable::start(seed, part.rows.start + document, &mut start);
            if row[..dim] == start {
                // What nothing has moved must not look like a vector that was learnt.
                row.fill(0.0);
                self.unmoved.push(document);
            }
        }
        self.common = Some(Common::settle(rows, dim, stride));
    }

    /// The positions of documents of which nothing was learnt, when training is over: they have no word of the vocabulary,
    /// or only words so common that sampling left them out in every pass.
    pub fn unmoved_documents(&self) -> &[usize] {
        &self.unmoved
    }

    fn start_seed(&self) -> u64 {
        crate::math::Rng::stream(self.config.seed, &[streams::TABLE]).next()
    }

    fn parts(&self) -> Vec<Part> {
        layout::parts(&self.config, sizes(self.vocabulary, &self.step.subwords, self.dataset))
    }

    /// Fails if a number in the tables is not finite, so that no such vector is ever written: the loss is bounded, and a
    /// row can overflow in the last few thousand tokens unseen.
    fn check_finite(&mut self) -> Result<()> {
        let is_finite = self.tables.parts_mut().into_iter().all(|table| table.as_rows().are_finite());
        if is_finite { Ok(()) } else { Err(self.no_longer_finite()) }
    }

    fn no_longer_finite(&self) -> Error {
        let turn = self.state.turn.saturating_sub(1);
        let (epoch, tokens) = (self.schedule.place(turn).0 + 1, self.schedule.tokens_before(turn));
        Error::Diverged { epoch, tokens, lr: self.schedule.lr(tokens), cause: Divergence::NotFinite }
    }

    /// Why nothing was there to learn.
    fn untrained(&self) -> Error {
        let (sample, tokens) = (self.config.sample(), self.dataset.tokens());
        let alone = self.dataset.sentences(0..self.dataset.sentences_len()).all(|sentence| sentence.words.len() < 2);
        // A document predicts a word that stands alone, too.
        Error::data(if alone && !self.config.task.has_documents() {
            format!("no word has a neighbour: all {tokens} tokens stand alone; lower --min-count or put more on a line")
        } else {
            format!(
                "sampling {sample:e} left nothing to predict of {tokens} tokens; \
                 lower --min-count, add text or use --sample 0"
            )
        })
    }

    fn progress(&self, live: Tally, seconds: f64, here: f64) -> Progress {
        let total = self.schedule.tokens() * self.config.epochs() as u64;
        let before = self.schedule.tokens_before(self.resumed_at);
        let tokens = self.schedule.tokens_before(self.state.turn) + live.tokens;
        let epoch = self.schedule.place(self.state.turn).0.min(self.config.epochs() - 1);
        let mut tally = self.state.epochs.get(epoch).copied().unwrap_or_default();
        tally.add(live);
        let last = || self.state.epochs.last().map_or(0.0, Tally::mean);
        let speed = (tokens - before) as f64 / here.max(1e-9);
        Progress {
            epoch: epoch + 1,
            epochs: self.config.epochs(),
            tokens,
            total_tokens: total,
            words_per_second: speed,
            lr: f64::from(self.schedule.lr(tokens)),
            loss: if tally.predictions > 0 { tally.mean() } else { last() },
            heldout: self.state.heldout.last().copied(),
            seconds,
            eta_seconds: if speed > 0.0 { (total - tokens.min(total)) as f64 / speed } else { f64::INFINITY },
        }
    }

    fn summary(&mut self, epoch: usize) -> Summary {
        let epoch_losses: Vec<f64> = self.state.epochs.iter().map(Tally::mean).collect();
        let tokens = self.schedule.tokens();
        let kernel = self.config.kernel_name(self.tables.kernel());
        let documents = self.config.task.has_documents().then(|| self.dataset.documents_len());
        let file = if documents.is_some() { DOCUMENTS } else { native::FILE };
        let fingerprint = match self.composed() {
            Some(words) => fingerprint(words.iter_rows()),
            None => {
                let main = self.parts().into_iter().find(|part| part.file == file);
                let main = main.expect("words, and documents where the task has such");
                let table = self.tables.parts_mut().into_iter().nth(main.table).expect("two tables");
                fingerprint(table.as_rows().range(main.rows).iter())
            }
        };
        let fingerprint = format!("{fingerprint:016x}");
        Summary {
            task: self.step.task.name().into(),
            objective: self.config.loss.name().into(),
            tokens,
            words_trained: self.state.epochs.iter().map(|epoch| epoch.targets).sum(),
            epochs: self.state.epoch,
            planned_epochs: self.config.epochs(),
            vocabulary: self.vocabulary.len(),
            dim: self.config.dim,
            threads: self.config.workers(),
            strategy: self.config.strategy.name().into(),
            kernel,
            lr: self.config.lr(),
            train_seconds: self.state.seconds,
            words_per_second: (tokens * self.state.epoch as u64) as f64 / self.state.seconds.max(1e-9),
            loss: epoch_losses.last().copied().unwrap_or(f64::NAN),
            epoch_losses,
            heldout_losses: self.state.heldout.clone(),
            epoch,
            fingerprint,
            documents,
        }
    }
}

fn sizes(vocabulary: &Vocabulary, subwords: &Option<SubwordRows>, dataset: &Dataset) -> Sizes {
    let ngrams = subwords.as_ref().map_or(0, |subwords| subwords.buckets.len());
    Sizes { words: vocabulary.len(), ngrams, documents: dataset.documents_len() as usize }
}

/// Ends a round that learns nothing any more; always false.
fn diverged(round: &Round<'_>, sender: &Sender<Done>, error: Error) -> bool {
    round.stop.store(true, Relaxed);
    let _ = sender.send(Err(error));
    false
}

fn no_place_for_the_best() -> Error {
    Error::config("--heldout", "the best epoch has no place to be kept; give the observer a folder for checkpoints")
}

/// A shard that was trained and what came of it, or why the run cannot go on.
type Done = Result<(u64, Tally)>;

/// What the workers of a round share.
struct Round<'a> {
    jobs: &'a [Range<u64>],
    /// The next job.
    next: AtomicUsize,
    stop: AtomicBool,
    live: Live,
}
