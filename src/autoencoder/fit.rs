//! The training loop: starts, epochs, steps; what is measured, kept and told on the way.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Words;
use super::batch::Data;
use super::bias::start_bias;
use super::checks;
use super::config::AutoencoderConfig;
use super::heldout;
use super::model::Autoencoder;
use super::network::{Network, Shape};
use super::prepare::{Preparation, sums};
use super::saved;
use super::step::Model;
use super::streams;
use super::table::Clock;
use super::told::{Summary, Watch};
use crate::embeddings::Embeddings;
use crate::error::{Divergence, Error, Result};
use crate::math::{Rng, Samples};
use crate::train::checkpoint::{Place, SCHEMA, misplaced, write};
use crate::train::{Every, Observer, Progress};

/// Steps over which the loss is averaged before it is judged.
const JUDGED: usize = 50;
/// And rows at least.
const JUDGED_ROWS: usize = 1000;
/// A mean loss so many times that of the start, before anything was learnt, is no learning any more.
const WORSE_THAN_CHANCE: f64 = 2.0;

/// One training run: an input, perhaps another matrix as target, and a network.
#[derive(Debug)]
pub struct Trainer<'a> {
    config: AutoencoderConfig,
    data: Data<'a>,
    words: Option<Words>,
    /// The last layer's biases at the start: the target's mean, as the loss sees it.
    bias: Vec<f32>,
    /// The mean loss of the start biases alone.
    chance: f64,
    /// Positions of the rows to train on, to measure on, and without anything to learn from.
    rows: Vec<u32>,
    heldout: Vec<u32>,
    empty: Vec<usize>,
    tokens: u64,
    model: Model,
    clock: Clock,
    /// The first layer's start, where it is not random: row and numbers.
    start: Vec<(u32, Vec<f32>)>,
    state: State,
    best: Option<Vec<Vec<f32>>>,
    /// The mean code, once training has ended.
    center: Vec<f32>,
    resumed_tokens: u64,
}

/// How far a run has come.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub restart: usize,
    pub epoch: usize,
    pub step: usize,
    /// The loss of the first step of this start: random weights may begin worse than none.
    pub first: Option<f64>,
    /// Loss, summed over the rows of the epoch at hand, and their number.
    pub sum: f64,
    pub seen: u64,
    /// Mean loss of each epoch, and on held-out rows after it, of this start.
    pub losses: Vec<f64>,
    pub heldout: Vec<f64>,
    pub best: Option<Best>,
    pub seconds: f64,
    /// Epochs done, of all starts.
    pub all_epochs: usize,
    /// Losses of the last steps, not yet judged.
    pub judged: Vec<f64>,
}

/// The weights that are kept so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Best {
    pub restart: usize,
    pub epoch: usize,
    /// What it was chosen by: held-out loss, or that of the last epoch.
    pub loss: f64,
    pub losses: Vec<f64>,
    pub heldout: Vec<f64>,
}

/// What `state.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    schema: u32,
    firth: String,
    config: AutoencoderConfig,
    /// Checksums of input and target, in hexadecimal.
    data: [String; 2],
    state: State,
}

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Checkpoint {
    record: Record,
    saved: saved::Tables,
    path: PathBuf,
}

impl Checkpoint {
    /// Reads the newest checkpoint of a folder that is whole. What was wrong with newer ones is said in the second part.
    ///
    /// # Errors
    /// If there is none.
    pub fn newest(folder: &Path) -> Result<(Self, Vec<Error>)> {
        crate::train::checkpoint::newest(folder, |path| {
            let record = crate::train::checkpoint::read_state(path)?;
            Ok(Self { record, saved: saved::Tables::read(path)?, path: path.into() })
        })
    }

    /// The settings of the run.
    pub fn config(&self) -> &AutoencoderConfig {
        &self.record.config
    }

    /// Epochs that are done, whole, of the start at hand.
    pub fn epochs(&self) -> usize {
        self.record.state.epoch
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
        let is_sparse = matches!(input, Samples::Sparse(_));
        let config = config.with_epochs_for(input).resolved(is_sparse)?;
        let settings = config.settings();
        let target = target.unwrap_or(input);
        let empty = checks::data(&config, input, target)?;
        let prepare_input = Preparation::of_input(settings.input, input);
        let prepare_target = Preparation::of_target(settings.target, settings.sif, target);
        let data =
            Data { input, target, prepare_input, prepare_target, noise: settings.noise, predict: config.predict };

        let is_out = |row: u32| {
            config.heldout > 0.0
                && f64::from(Rng::stream(config.seed, &[streams::HELD_OUT, u64::from(row)]).uniform()) < config.heldout
        };
        let mut next = empty.iter().peekable();
        let usable = (0..input.rows()).filter(|row| next.next_if_eq(&row).is_none()).map(|row| row as u32);
        let (heldout, rows): (Vec<u32>, Vec<u32>) = usable.partition(|&row| is_out(row));
        if config.heldout > 0.0 && (heldout.is_empty() || rows.is_empty()) {
            let (all, found) = (heldout.len() + rows.len(), heldout.len());
            let reason = format!("{} of {all} rows are {found}; hold out another share", config.heldout);
            return Err(Error::config("--heldout", reason));
        }
        let tokens = match input {
            Samples::Sparse(_) => rows.iter().map(|&row| total(input, row)).sum::<f64>() as u64,
            Samples::Dense(_) => rows.len() as u64,
        };
        let (bias, chance) = start_bias(settings.loss, &data, &rows);
        let shape = Shape::new(&config, input.cols(), target.cols());
        let model = Model::new(&config, shape);
        let steps = rows.len().div_ceil(settings.batch);
        let clock = Clock::new(settings.lr, config.min_lr, settings.decay, steps, steps * settings.epochs);
        let (state, start) = (State::default(), Vec::new());
        let mut trainer = Self {
            config,
            data,
            words,
            bias,
            chance,
            rows,
            heldout,
            empty,
            tokens,
            model,
            clock,
            start,
            state,
            best: None,
            center: Vec::new(),
            resumed_tokens: 0,
        };
        trainer.begin();
        Ok(trainer)
    }

    /// Goes on from a checkpoint; `threads` may differ from before.
    ///
    /// # Errors
    /// If the data are not those that the run began with.
    pub fn resume(
        checkpoint: Checkpoint,
        threads: usize,
        input: &'a Samples,
        target: Option<&'a Samples>,
        words: Option<Words>,
    ) -> Result<Self> {
        let Checkpoint { record, saved, path } = checkpoint;
        let config = AutoencoderConfig { threads, ..record.config };
        let mut trainer = Self::new(&config, input, target, words)?;
        let found = trainer.checksums();
        if found != record.data {
            let what = "checksums of the data that the run was trained on";
            return Err(Error::mismatch(what, record.data.join(" and "), found.join(" and ")));
        }
        trainer.state = record.state;
        trainer.best = saved.install(&trainer.model.shape, &mut trainer.model.tables)?;
        if !trainer.is_within_run() {
            let State { restart, epoch, step, .. } = trainer.state;
            let state = format!("step {step} of epoch {epoch} of start {restart}, with what was measured and kept,");
            return Err(misplaced(&path, &state));
        }
        trainer.clock.go_to(trainer.state.epoch * trainer.steps() + trainer.state.step + 1);
        trainer.resumed_tokens = trainer.tokens_done();
        Ok(trainer)
    }

    /// Is its state one that the run comes by between steps, and are weights kept if it says so?
    fn is_within_run(&self) -> bool {
        let State { restart, epoch, step, losses, heldout, best, all_epochs, .. } = &self.state;
        let (epochs, steps) = (self.epochs(), self.steps());
        let measured = if self.heldout.is_empty() { 0 } else { *epoch };
        *restart < self.config.restarts
            && (*epoch < epochs && *step <= steps || *epoch == epochs && *step == 0)
            && (losses.len(), heldout.len()) == (*epoch, measured)
            && *all_epochs <= self.config.restarts * epochs
            && best.is_some() == self.best.is_some()
    }

    /// The first layer starts from these word vectors, which have as many numbers as that layer has units; words that they
    /// lack start as usual. They are scaled to the size of a usual start. Says how many were found.
    ///
    /// # Errors
    /// If the data have no words, or the vectors another length.
    pub fn start_from(&mut self, vectors: &Embeddings) -> Result<usize> {
        let units = self.model.shape.first_units();
        let Some(words) = &self.words else {
            return Err(Error::config("--init-words", "the rows of a matrix have no words"));
        };
        if self.config.restarts > 1 {
            return Err(Error::config("--init-words", "every start would begin alike; drop --restarts"));
        }
        if vectors.dim() != units {
            let reason = format!("vectors of {} numbers do not fit a first layer of {units} units", vectors.dim());
            return Err(Error::config("--init-words", reason));
        }
        let found = words.keys().iter().enumerate().filter_map(|(column, key)| Some((column, vectors.row(key)?)));
        let found: Vec<(usize, &[f32])> = found.collect();
        let squares: f64 = found.iter().flat_map(|(_, row)| *row).map(|&x| f64::from(x) * f64::from(x)).sum();
        let size = (squares / (found.len() * units).max(1) as f64).sqrt().max(f64::MIN_POSITIVE);
        let factor = (START_SIZE / size) as f32;
        self.start = found
            .iter()
            .map(|(column, row)| (*column as u32, row.iter().map(|number| number * factor).collect()))
            .collect();
        if self.state.restart == 0 && self.clock.step() == 1 {
            self.begin();
        }
        Ok(self.start.len())
    }

    /// The settings in force.
    pub fn config(&self) -> &AutoencoderConfig {
        &self.config
    }

    /// Rows without anything to learn from, which are left out, by position from 0.
    pub fn empty_rows(&self) -> &[usize] {
        &self.empty
    }

    /// Trains what is left of the run.
    ///
    /// The observer is told about ten times a second and may stop it: the run then writes a checkpoint, where one has a
    /// place, and fails with [`Error::Interrupted`].
    ///
    /// # Errors
    /// [`Error::Diverged`] if the loss is no number, or far worse than before anything was learnt.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Summary> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.config.threads)
            .build()
            .map_err(|source| Error::Backend { source: source.into() })?;
        let mut watch = Watch::new(observer, self.state.seconds);
        while self.state.restart < self.config.restarts {
            while self.state.epoch < self.epochs() && !self.has_lost_patience() {
                self.epoch(&pool, &mut watch)?;
            }
            self.end_start()?;
        }
        if self.config.settings().center {
            let network = self.network();
            self.center = pool.install(|| network.mean_code(self.data.input, &self.rows))?;
        }
        self.state.seconds = watch.seconds();
        let _ = watch.tell(self);
        Ok(self.summary())
    }

    /// What is left of an epoch, and what follows it.
    fn epoch(&mut self, pool: &rayon::ThreadPool, watch: &mut Watch<'_>) -> Result<()> {
        let (restart, epoch) = (self.state.restart as u64, self.state.epoch as u64);
        let mut order = self.rows.clone();
        let mut rng = Rng::stream(self.config.seed, &[streams::ORDER, restart, epoch]);
        for at in (1..order.len()).rev() {
            order.swap(at, rng.below(at as u32 + 1) as usize);
        }
        let batch = self.config.settings().batch;
        while let Some(rows) = order.chunks(batch).nth(self.state.step) {
            let path = [restart, epoch, self.state.step as u64];
            let (model, data, clock) = (&mut self.model, &self.data, &self.clock);
            let loss = pool.install(|| model.step(data, rows, clock, path))?;
            self.judge(loss)?;
            self.state.sum += loss * rows.len() as f64;
            self.state.seen += rows.len() as u64;
            self.state.step += 1;
            self.clock.go_to(self.clock.step() + 1);
            let stops = watch.is_time_to_tell() && watch.tell(self) == ControlFlow::Break(());
            let is_due = matches!(self.config.checkpoint_every, Every::Time(time) if watch.saved.elapsed() >= time);
            if stops || is_due {
                self.checkpoint(watch)?;
            }
            if stops {
                return Err(Error::Interrupted);
            }
        }
        self.end_epoch(pool)?;
        match self.config.checkpoint_every {
            Every::Epochs(every) if self.state.epoch.is_multiple_of(every) => self.checkpoint(watch),
            _ => Ok(()),
        }
    }

    fn end_epoch(&mut self, pool: &rayon::ThreadPool) -> Result<()> {
        let state = &mut self.state;
        state.losses.push(state.sum / state.seen.max(1) as f64);
        (state.sum, state.seen, state.step) = (0.0, 0, 0);
        state.epoch += 1;
        state.all_epochs += 1;
        if self.heldout.is_empty() {
            return Ok(());
        }
        let network = self.network_of(self.model.settled(&self.clock));
        let loss = self.config.settings().loss;
        let loss = pool.install(|| heldout::loss(&network, &self.data, &self.heldout, loss))?;
        if !loss.is_finite() {
            return Err(self.diverged(Divergence::NotFinite));
        }
        self.state.heldout.push(loss);
        self.keep_if_best(loss, || network.tables);
        Ok(())
    }

    /// The end of a start: its last weights count if nothing is held out; then the next start begins.
    fn end_start(&mut self) -> Result<()> {
        // Short runs end before their steps are judged.
        if let Some(cause) = self.state.losses.last().and_then(|&loss| self.divergence(loss)) {
            return Err(self.diverged(cause));
        }
        self.check_finite()?;
        if self.heldout.is_empty() {
            let loss = self.state.losses.last().copied().unwrap_or(f64::INFINITY);
            let tables = self.model.settled(&self.clock);
            self.keep_if_best(loss, || tables);
        }
        let State { restart, best, seconds, all_epochs, .. } = std::mem::take(&mut self.state);
        self.state = State { restart: restart + 1, best, seconds, all_epochs, ..State::default() };
        if self.state.restart < self.config.restarts {
            self.begin();
        }
        Ok(())
    }

    fn keep_if_best(&mut self, loss: f64, tables: impl FnOnce() -> Vec<Vec<f32>>) {
        let state = &mut self.state;
        let is_best = state.best.as_ref().is_none_or(|best| loss < best.loss);
        if is_best {
            self.best = Some(tables());
            let (restart, epoch) = (state.restart + 1, state.epoch);
            state.best = Some(Best { restart, epoch, loss, losses: Vec::new(), heldout: Vec::new() });
        }
        // Of the start that is kept, what is told goes on to its end.
        if let Some(best) = state.best.as_mut().filter(|best| best.restart == state.restart + 1) {
            (best.losses, best.heldout) = (state.losses.clone(), state.heldout.clone());
        }
    }

    /// Lays out the tables of a new start.
    fn begin(&mut self) {
        let is_sparse = matches!(self.data.input, Samples::Sparse(_));
        let path = [streams::TABLE, self.state.restart as u64];
        let mut tables = self.model.shape.start(is_sparse, self.config.seed, &path, &self.bias);
        let cols = self.model.shape.layout()[0].cols;
        for (row, numbers) in &self.start {
            tables[0][*row as usize * cols..][..numbers.len()].copy_from_slice(numbers);
        }
        self.model.begin(tables);
        self.clock.go_to(1);
    }

    fn has_lost_patience(&self) -> bool {
        let heldout = &self.state.heldout;
        let best = (0..heldout.len()).min_by(|&a, &b| heldout[a].total_cmp(&heldout[b]));
        self.config.patience > 0 && best.is_some_and(|best| heldout.len() - 1 - best >= self.config.patience)
    }

    /// Fails if the loss has left all bounds.
    fn judge(&mut self, loss: f64) -> Result<()> {
        let rows = self.config.settings().batch;
        self.state.first.get_or_insert(loss);
        let judged = &mut self.state.judged;
        judged.push(loss);
        // Rows differ in length, and with it in loss: of a few nothing is said.
        let count = judged.len();
        let is_due = count >= JUDGED && count * rows >= JUDGED_ROWS;
        let mean = is_due.then(|| judged.drain(..).sum::<f64>() / count as f64);
        let far_off = mean.and_then(|mean| self.divergence(mean));
        let cause = if loss.is_finite() { far_off } else { Some(Divergence::NotFinite) };
        cause.map_or(Ok(()), |cause| Err(self.diverged(cause)))
    }

    /// What a mean loss far worse than that of no learning tells.
    fn divergence(&self, loss: f64) -> Option<Divergence> {
        let chance = self.chance;
        let start = chance.max(self.state.first.unwrap_or(0.0));
        // Where the target never changes, anything is worse than its mean.
        let is_far_off = chance > 0.0 && loss > WORSE_THAN_CHANCE * start;
        is_far_off.then_some(Divergence::AboveChance { loss, chance })
    }

    fn check_finite(&self) -> Result<()> {
        if self.model.is_finite() { Ok(()) } else { Err(self.diverged(Divergence::NotFinite)) }
    }

    fn diverged(&self, cause: Divergence) -> Error {
        let (tokens, lr) = (self.tokens_done(), self.clock.lr() as f32);
        Error::Diverged { epoch: self.state.epoch + 1, tokens, lr, cause }
    }

    fn checkpoint(&mut self, watch: &mut Watch<'_>) -> Result<()> {
        watch.saved = Instant::now();
        if self.config.checkpoint_every == Every::Never {
            return Ok(());
        }
        let Some(folder) = watch.observer.checkpoints()? else { return Ok(()) };
        self.check_finite()?;
        self.state.seconds = watch.seconds();
        let record = Record {
            schema: SCHEMA,
            firth: env!("CARGO_PKG_VERSION").into(),
            config: self.config.clone(),
            data: self.checksums(),
            state: self.state.clone(),
        };
        let epoch = self.state.restart * self.epochs() + self.state.epoch;
        let turn = (epoch * self.steps() + self.state.step) as u64;
        let place = Place { at: (epoch, turn), best: None, keep: self.config.keep };
        let (shape, tables, best) = (&self.model.shape, &self.model.tables, self.best.as_deref());
        write(&folder, &place, &record, |folder| saved::Tables::write(folder, shape, tables, best))?;
        watch.observer.saved()
    }

    fn checksums(&self) -> [String; 2] {
        [self.data.input, self.data.target].map(|samples| format!("{:016x}", samples.fingerprint()))
    }

    fn epochs(&self) -> usize {
        self.config.settings().epochs
    }

    /// Steps of an epoch.
    fn steps(&self) -> usize {
        self.rows.len().div_ceil(self.config.settings().batch)
    }

    /// Tokens done, over all starts and epochs.
    fn tokens_done(&self) -> u64 {
        let epochs = (self.state.restart * self.epochs() + self.state.epoch) as f64;
        let part = self.state.step as f64 / self.steps().max(1) as f64;
        ((epochs + part) * self.tokens as f64) as u64
    }

    /// The network with the best weights, or those of now if no start has ended.
    fn network(&self) -> Network {
        let tables = self.best.clone().unwrap_or_else(|| self.model.settled(&self.clock));
        self.network_of(tables)
    }

    fn network_of(&self, tables: Vec<Vec<f32>>) -> Network {
        let (shape, input) = (self.model.shape.clone(), self.data.prepare_input.clone());
        Network { shape, input, center: self.center.clone(), tables }
    }

    pub(super) fn progress(&self, seconds: f64, here: f64) -> Progress {
        let (tokens, state) = (self.tokens_done(), &self.state);
        let total = self.tokens * (self.epochs() * self.config.restarts) as u64;
        let speed = (tokens - self.resumed_tokens) as f64 / here.max(1e-9);
        let best = state.best.as_ref();
        let last = state.losses.last().or_else(|| best.and_then(|best| best.losses.last())).copied();
        Progress {
            epoch: (state.epoch + 1).min(self.epochs()),
            epochs: self.epochs(),
            tokens,
            total_tokens: total,
            words_per_second: speed,
            lr: self.clock.lr(),
            loss: if state.seen > 0 { state.sum / state.seen as f64 } else { last.unwrap_or(0.0) },
            heldout: state.heldout.last().or_else(|| best.and_then(|best| best.heldout.last())).copied(),
            seconds,
            eta_seconds: if speed > 0.0 { (total - tokens.min(total)) as f64 / speed } else { f64::INFINITY },
        }
    }

    fn summary(&self) -> Summary {
        let best = self.state.best.as_ref().expect("a start has ended");
        let tokens_trained = self.tokens * self.state.all_epochs as u64;
        let tables = self.best.iter().flatten().map(Vec::as_slice);
        Summary {
            task: "autoencoder",
            documents: self.rows.len() as u64,
            empty_documents: self.empty.len() as u64,
            tokens: self.tokens,
            words_trained: tokens_trained,
            epochs: best.losses.len(),
            planned_epochs: self.epochs(),
            vocabulary: self.data.input.cols(),
            dim: self.model.shape.code,
            threads: self.config.threads,
            strategy: "batch",
            lr: self.config.settings().lr,
            train_seconds: self.state.seconds,
            words_per_second: tokens_trained as f64 / self.state.seconds.max(1e-9),
            loss: best.losses.get(best.epoch.max(1) - 1).copied().unwrap_or(f64::NAN),
            epoch_losses: best.losses.clone(),
            heldout_losses: best.heldout.clone(),
            epoch: best.epoch,
            restart: best.restart,
            fingerprint: format!("{:016x}", crate::math::fingerprint(tables)),
        }
    }

    /// The model: the best weights, or those of now if training has not ended.
    pub fn finish(self) -> Autoencoder {
        let network = self.network();
        let sums = sums(self.data.target);
        let all = sums.iter().map(|sum| sum.max(0.0)).sum::<f64>().max(f64::MIN_POSITIVE);
        Autoencoder {
            config: self.config,
            words: self.words,
            counts: super::prepare::sums(self.data.input).iter().map(|&sum| sum.max(0.0) as u64).collect(),
            unigram: sums.iter().map(|sum| (sum.max(0.0) / all) as f32).collect(),
            target: self.data.prepare_target,
            network,
        }
    }
}

/// The standard deviation of a wide first layer's random start.
const START_SIZE: f64 = 0.005 / 1.732_050_8;

/// The sum of a row.
fn total(samples: &Samples, row: u32) -> f64 {
    samples.stored(row as usize).iter().map(|&value| f64::from(value)).sum()
}
