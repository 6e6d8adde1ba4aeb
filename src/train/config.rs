//! The settings of a training run; each is written once, here, with its help.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checkpoint::Every;
use super::loss::Loss;
use crate::error::{Error, Result, check_positive, check_range};
use crate::math::Kernel;
use crate::pretext::{Cbow, PretextTask, PvDbow, PvDm, SkipGram};
use crate::vocabulary::Subwords;

/// What is predicted from what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Each word around a centre predicts it.
    #[default]
    SkipGram,
    /// The mean of the words around a centre predicts it.
    Cbow,
    /// A document predicts each of its words (paragraph vectors).
    #[serde(rename = "pv-dbow")]
    PvDbow,
    /// The mean of a document and of the words around a centre predicts it (paragraph vectors).
    #[serde(rename = "pv-dm")]
    PvDm,
}

impl Task {
    /// Do documents have vectors?
    pub fn has_documents(self) -> bool {
        matches!(self, Self::PvDbow | Self::PvDm)
    }
}

/// How workers share the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Strategy {
    /// `serial` with one thread, `hogwild` with more.
    #[default]
    Auto,
    /// One worker: the same bytes for the same input, configuration and seed.
    Serial,
    /// Workers write the same tables without locks: fast, varies a little from run to run.
    Hogwild,
    /// Replicas train apart and are merged at intervals: the same bytes for any number of threads; needs more memory.
    Averaged,
}

impl Strategy {
    /// The name that users know.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Serial => "serial",
            Self::Hogwild => "hogwild",
            Self::Averaged => "averaged",
        }
    }
}

/// Which instructions train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum KernelChoice {
    /// The fastest that this processor has.
    #[default]
    Auto,
    /// 16 floats at a time (x86-64-v4).
    Avx512,
    /// 8 floats at a time (x86-64-v3).
    Avx2,
    /// Portable.
    Scalar,
    /// One pair at a time with fresh noise, as word2vec.c: slow, the oracle for quality.
    Reference,
}

/// Whose defaults and habits to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Compat {
    /// word2vec.c: sample 1e-3, lr 0.025 (CBOW 0.05), CBOW without dividing the gradient.
    Word2vec,
    /// fastText: lr 0.05, noise exponent 0.5, n-grams of 3 to 6 characters, CBOW without dividing the gradient.
    Fasttext,
    /// gensim: sample 1e-3, lr 0.025, CBOW without dividing the gradient.
    Gensim,
}

/// The settings of a run that learns word vectors by prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct TrainConfig {
    /// What is predicted from what.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub task: Task,
    /// Numbers in each vector [1 to 4096]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = 100))]
    pub dim: usize,
    /// Farthest context word, in words; drawn evenly from 1 to this for each centre [1 to 1000] [default: 5, pv-dm 2]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// Words predict, too, as in skip-gram, so that documents and words lie in one space
    #[cfg_attr(feature = "cli", arg(long))]
    pub dbow_words: bool,
    /// How a prediction is judged
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t))]
    pub loss: Loss,
    /// Noise words for each target [1 to 1000]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = 5))]
    pub negative: usize,
    /// Noise words are drawn in proportion to count to this power [-2 to 2] [default: 0.75; skipgram with
    /// subwords 0.5]
    #[cfg_attr(feature = "cli", arg(long, value_name = "POWER", allow_negative_numbers = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ns_exponent: Option<f64>,
    /// Words above this share of the corpus are thinned out; 0 keeps all [0 to 1] [default: 1e-4]
    #[cfg_attr(feature = "cli", arg(long, value_name = "SHARE"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<f64>,
    /// Learning rate at the start; falls in a line with the tokens done [above 0] [default: skipgram 0.04,
    /// with subwords 0.03 below --dim 200, cbow 0.15 (hs 0.1, softmax 0.2), pv-dbow 0.03, pv-dm 0.1]
    #[cfg_attr(feature = "cli", arg(long, value_name = "RATE"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// The learning rate falls no lower than this fraction of --lr [0 to 1]
    #[cfg_attr(feature = "cli", arg(long, value_name = "FRACTION", default_value_t = 1e-4))]
    pub min_lr: f64,
    /// Subwords: characters of the shortest n-gram whose vector is part of a word's [1 to 64] [default: 3 with --max-n]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", help_heading = "Subwords"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_n: Option<usize>,
    /// Subwords: characters of the longest n-gram; 0 learns words only [0 to 64] [default: 0, 6 with --min-n]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", help_heading = "Subwords"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_n: Option<usize>,
    /// Buckets that n-grams are hashed to; only those in use take memory [1 to 2147483647]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = BUCKETS, help_heading = "Subwords"))]
    pub buckets: u32,
    /// Passes over the corpus [1 to 10000] [default: words 5; documents 20, more below 250 000 tokens]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// How threads share the work
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t))]
    pub strategy: Strategy,
    /// Models that train apart under --strategy averaged; as many threads are of use [2 to 64]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = 2))]
    pub replicas: usize,
    /// Corpus tokens that each replica trains on between two averagings [1 to 10^12]
    #[cfg_attr(feature = "cli", arg(long, value_name = "TOKENS", default_value_t = 1 << 20))]
    pub sync_tokens: u64,
    /// Share of the sentences, chosen at random, to measure on instead of training; the best epoch is kept [0 to 0.5, or 1%]
    #[cfg_attr(feature = "cli", arg(long, value_name = "SHARE", default_value = "0", value_parser = share))]
    pub heldout: f64,
    /// With --heldout, stop after so many epochs without a better one; 0 never does [0 to 10000]
    #[cfg_attr(feature = "cli", arg(long, value_name = "EPOCHS", default_value_t = 0))]
    pub patience: usize,
    /// How often a checkpoint is written: epoch, 3 (epochs), 90s, 10m, 2h or never
    #[cfg_attr(feature = "cli", arg(long, value_name = "INTERVAL", default_value_t = CHECKPOINT_EVERY))]
    pub checkpoint_every: Every,
    /// Checkpoints that stay, the newest ones [1 to 1000]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = 1))]
    pub keep: usize,
    /// Which instructions train
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t))]
    pub kernel: KernelChoice,
    /// Follow another tool's defaults and habits
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compat: Option<Compat>,
    /// Workers.
    #[cfg_attr(feature = "cli", arg(skip = available_threads()))]
    #[serde(skip, default = "available_threads")]
    pub threads: usize,
    /// Names all random numbers of the run.
    #[cfg_attr(feature = "cli", arg(skip = 1u64))]
    pub seed: u64,
}

/// Seldom enough to cost nothing, and often enough that a crash does not cost an afternoon.
const CHECKPOINT_EVERY: Every = Every::Time(Duration::from_secs(600));

/// From so many numbers on skip-gram with subwords takes the rate of words.
const WIDE: usize = 200;

/// fastText's n-grams.
const MIN_N: usize = 3;
const MAX_N: usize = 6;
const BUCKETS: u32 = 2_000_000;

/// More than any corpus holds.
const MOST_SYNC_TOKENS: u64 = 1_000_000_000_000;

/// A share as a number or in per cent.
#[cfg(feature = "cli")]
pub(crate) fn share(text: &str) -> std::result::Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is no share; expected a number or 1%"))?;
    Ok(number / unit)
}

pub(crate) fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            task: Task::SkipGram,
            dim: 100,
            window: None,
            dbow_words: false,
            loss: Loss::Ns,
            negative: 5,
            ns_exponent: None,
            sample: None,
            lr: None,
            min_lr: 1e-4,
            min_n: None,
            max_n: None,
            buckets: BUCKETS,
            epochs: None,
            strategy: Strategy::Auto,
            replicas: 2,
            sync_tokens: 1 << 20,
            heldout: 0.0,
            patience: 0,
            checkpoint_every: CHECKPOINT_EVERY,
            keep: 1,
            kernel: KernelChoice::Auto,
            compat: None,
            threads: available_threads(),
            seed: 1,
        }
    }
}

impl TrainConfig {
    /// Checks every range and fills in what was left to the task's or the other tool's defaults.
    pub fn resolved(&self) -> Result<Self> {
        let resolved = Self {
            window: Some(self.window()),
            epochs: Some(self.epochs()),
            ns_exponent: Some(self.ns_exponent()),
            sample: Some(self.sample()),
            lr: Some(self.lr()),
            strategy: self.strategy_in_force(),
            min_n: Some(self.subwords().map_or(0, |subwords| subwords.min_n)),
            max_n: Some(self.subwords().map_or(0, |subwords| subwords.max_n)),
            ..self.clone()
        };
        check_range("--dim", self.dim, 1..=4096)?;
        check_range("--window", resolved.window(), 1..=1000)?;
        check_range("--negative", self.negative, 1..=1000)?;
        check_range("--epochs", resolved.epochs(), 1..=10_000)?;
        check_range("--threads", self.threads, 1..=1024)?;
        check_range("--ns-exponent", resolved.ns_exponent(), -2.0..=2.0)?;
        check_range("--sample", resolved.sample(), 0.0..=1.0)?;
        check_positive("--lr", resolved.lr())?;
        check_range("--min-lr", self.min_lr, 0.0..=1.0)?;
        check_range("--heldout", self.heldout, 0.0..=0.5)?;
        check_range("--replicas", self.replicas, 2..=64)?;
        check_range("--sync-tokens", self.sync_tokens, 1..=MOST_SYNC_TOKENS)?;
        check_range("--patience", self.patience, 0..=10_000)?;
        check_range("--keep", self.keep, 1..=1000)?;
        if self.task.has_documents() && self.heldout > 0.0 {
            let reason = "a document whose sentences are held out would learn nothing; measure on its labels instead";
            return Err(Error::config("--heldout", reason));
        }
        if let Some(subwords) = self.subwords() {
            subwords.validate()?;
            if self.task.has_documents() {
                let reason = "documents are learnt with words as they are; train skipgram or cbow, or leave it out";
                return Err(Error::config("--min-n, --max-n", reason));
            }
        }
        if self.loss == Loss::Hs && !self.words_predict() {
            let reason = "hs predicts nodes of a tree, which leaves words without vectors; add --dbow-words, or use ns";
            return Err(Error::config("--loss", reason));
        }
        self.kernel()?;
        Ok(resolved)
    }

    /// The window in force.
    pub fn window(&self) -> usize {
        // Near words tell the rest too well: with many of them nothing is left for the document to say.
        self.window.unwrap_or(if self.task == Task::PvDm { 2 } else { 5 })
    }

    /// The passes in force, over a corpus that is not small.
    pub fn epochs(&self) -> usize {
        // A document is seen once in each pass, a word as often as it occurs: documents need more of them.
        self.epochs.unwrap_or(if self.task.has_documents() { 20 } else { 5 })
    }

    /// With as many passes as a corpus of so many tokens needs, if that was left open: the usual, or for documents as many
    /// as it takes for the words of a small corpus to settle (`docs/benchmarks.md`).
    pub fn with_epochs_for(&self, tokens: u64) -> Self {
        const MOST: usize = 100;
        const ENOUGH_TOKENS: u64 = 5_000_000;
        let enough = ENOUGH_TOKENS.div_ceil(tokens.max(1)).min(MOST as u64) as usize;
        let least = if self.task.has_documents() { enough } else { 0 };
        Self { epochs: Some(self.epochs.unwrap_or(self.epochs().max(least))), ..self.clone() }
    }

    /// The noise exponent in force.
    pub fn ns_exponent(&self) -> f64 {
        // With subwords a flatter law was measured as better, as fastText has it.
        let is_flat = self.compat == Some(Compat::Fasttext) || self.compat.is_none() && self.is_skipgram_of_subwords();
        self.ns_exponent.unwrap_or(if is_flat { 0.5 } else { 0.75 })
    }

    /// The subsampling threshold in force.
    pub fn sample(&self) -> f64 {
        let old = matches!(self.compat, Some(Compat::Word2vec | Compat::Gensim));
        self.sample.unwrap_or(if old { 1e-3 } else { 1e-4 })
    }

    /// The learning rate in force. Firth's own defaults are the best measured (`docs/benchmarks.md`).
    pub fn lr(&self) -> f64 {
        self.lr.unwrap_or(match (self.compat, self.task) {
            (Some(Compat::Word2vec), Task::Cbow) | (Some(Compat::Fasttext), _) => 0.05,
            (Some(Compat::Word2vec | Compat::Gensim), _) => 0.025,
            // Words of a window share n-grams, which move with each of them: the more so, the fewer numbers there are.
            (None, Task::SkipGram) if self.is_skipgram_of_subwords() && self.dim < WIDE => 0.03,
            (None, Task::SkipGram) => 0.04,
            (None, Task::Cbow) => self.loss.cbow_lr(),
            (None, Task::PvDbow) => 0.03,
            (None, Task::PvDm) => 0.1,
        })
    }

    /// How words are cut into n-grams; `None`: not at all. Where one end is given, the other is fastText's.
    pub fn subwords(&self) -> Option<Subwords> {
        let off = if self.compat == Some(Compat::Fasttext) && !self.task.has_documents() { None } else { Some(0) };
        let (min_n, max_n) = match (self.min_n, self.max_n) {
            (None, None) => (off.unwrap_or(MIN_N), off.unwrap_or(MAX_N)),
            (Some(min_n), None) => (min_n, if min_n == 0 { 0 } else { min_n.max(MAX_N) }),
            (None, Some(max_n)) => (max_n.min(MIN_N), max_n),
            (Some(min_n), Some(max_n)) => (min_n, max_n),
        };
        (min_n > 0 || max_n > 0).then_some(Subwords { min_n, max_n, buckets: self.buckets })
    }

    fn is_skipgram_of_subwords(&self) -> bool {
        self.task == Task::SkipGram && self.subwords().is_some()
    }

    /// Are words input rows, which predict, or do documents alone predict?
    pub(super) fn words_predict(&self) -> bool {
        self.task != Task::PvDbow || self.dbow_words
    }

    /// Do the rows of a mean share its gradient? word2vec.c, fastText and gensim give each the whole.
    pub(super) fn divides_mean(&self) -> bool {
        self.compat.is_none()
    }

    /// The number of workers in force.
    pub fn workers(&self) -> usize {
        match self.strategy {
            Strategy::Serial => 1,
            Strategy::Averaged => self.threads.min(self.replicas),
            Strategy::Auto | Strategy::Hogwild => self.threads,
        }
    }

    /// What `auto` stands for. It is decided once, so that a resumed run goes on as it began.
    fn strategy_in_force(&self) -> Strategy {
        match self.strategy {
            Strategy::Auto if self.threads == 1 => Strategy::Serial,
            Strategy::Auto => Strategy::Hogwild,
            given => given,
        }
    }

    /// The kernel in force.
    pub(super) fn kernel(&self) -> Result<Kernel> {
        let name = match self.kernel {
            KernelChoice::Auto | KernelChoice::Reference => None,
            KernelChoice::Avx512 => Some("avx512"),
            KernelChoice::Avx2 => Some("avx2"),
            KernelChoice::Scalar => Some("scalar"),
        };
        Kernel::choose(name).ok_or_else(|| {
            let known: Vec<_> = Kernel::available().iter().map(Kernel::name).collect();
            let reason = format!("this processor has no {}; it runs {}", name.unwrap_or("kernel"), known.join(", "));
            Error::config("--kernel", reason)
        })
    }

    /// The kernel's name, for reports.
    pub(super) fn kernel_name(&self, kernel: Kernel) -> String {
        let name = kernel.name();
        if self.kernel == KernelChoice::Reference { format!("reference ({name})") } else { name.into() }
    }

    /// The pretext task.
    pub(super) fn pretext(&self) -> Box<dyn PretextTask> {
        let window = self.window();
        match self.task {
            Task::SkipGram => Box::new(SkipGram { window }),
            Task::Cbow => Box::new(Cbow { window }),
            Task::PvDbow => Box::new(PvDbow { words: self.dbow_words.then_some(window) }),
            Task::PvDm => Box::new(PvDm { window }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked_and_the_message_names_the_flag() {
        let wrong = [
            (TrainConfig { dim: 0, ..Default::default() }, "--dim: 0 is out of range, expected 1 to 4096"),
            (
                TrainConfig { lr: Some(-1.0), ..Default::default() },
                "--lr: -1 is out of range, expected a number above 0",
            ),
            (TrainConfig { sample: Some(2.0), ..Default::default() }, "--sample: 2 is out of range, expected 0 to 1"),
        ];
        for (config, message) in wrong {
            assert_eq!(config.resolved().expect_err("out of range").to_string(), message);
        }
    }

    #[test]
    fn words_and_documents_have_passes_and_windows_of_their_own() {
        let of = |task, tokens| {
            let config = TrainConfig { task, ..Default::default() }.with_epochs_for(tokens);
            let config = config.resolved().expect("defaults");
            (config.window, config.epochs)
        };
        for tokens in [1000, 10_000_000] {
            assert_eq!(of(Task::SkipGram, tokens), (Some(5), Some(5)));
        }
        assert_eq!(of(Task::PvDbow, 10_000_000), (Some(5), Some(20)));
        assert_eq!(of(Task::PvDm, 100_000), (Some(2), Some(50)));
        assert_eq!(of(Task::PvDm, 0), (Some(2), Some(100)));
        let given = TrainConfig { task: Task::PvDm, window: Some(9), epochs: Some(3), ..Default::default() };
        assert_eq!((given.window(), given.with_epochs_for(1000).epochs()), (9, 3));
    }

    #[test]
    fn compat_sets_what_was_left_open_and_nothing_else() {
        let config = TrainConfig { compat: Some(Compat::Word2vec), task: Task::Cbow, ..Default::default() };
        assert_eq!((config.sample(), config.lr(), config.divides_mean()), (1e-3, 0.05, false));
        let config = TrainConfig { sample: Some(1e-5), ..config };
        assert_eq!(config.sample(), 1e-5);
        assert!(TrainConfig::default().divides_mean());
    }
}
