//! What a run will need, told before it begins, and refused if it is not there.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use firth::dataset::EncodedCorpus;
use firth::format::Format;
use firth::train::{Every, Loss, Needs, Observer, Progress, TrainConfig, Trainer};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::model::Buckets;
use crate::output::{self, Results};
use crate::progress::{clock, short, size};
use crate::{process, signals};

/// How long a calibration trains.
const CALIBRATION: Duration = Duration::from_secs(2);

/// What a run needs and what there is, in bytes.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// The most memory that the process will have held.
    memory_bytes: u64,
    available_memory_bytes: Option<u64>,
    /// The run and its checkpoints, without a corpus that is there already.
    disk_bytes: u64,
    available_disk_bytes: Option<u64>,
    /// What of the disk a format takes that has a row for every bucket of n-grams.
    #[serde(skip_serializing_if = "Option::is_none")]
    all_buckets: Option<Buckets>,
    #[serde(flatten)]
    speed: Option<Speed>,
}

/// Bytes that a run takes beyond what is held and written already, and what to do if they are not there.
#[derive(Clone, Copy)]
pub struct Needed {
    pub memory: u64,
    pub disk: u64,
    pub remedy: &'static str,
}

/// How fast a run will be.
#[derive(Debug, Serialize)]
struct Speed {
    words_per_second: f64,
    train_seconds: f64,
}

impl Plan {
    /// What a run with these settings needs; fails if there is less. `vectors_only` is the format if vectors alone are to be
    /// written; `is_built` says that the corpus was just encoded, and lies in the run's folder.
    pub fn of(
        config: &TrainConfig,
        corpus: &EncodedCorpus,
        target: &Path,
        vectors_only: Option<&dyn Format>,
        is_built: bool,
    ) -> Outcome<Self> {
        let mut needs = Needs::of(config, &corpus.vocabulary, &corpus.dataset);
        let is_of_words = !config.task.has_documents();
        if vectors_only.is_some_and(|format| format.keeps_contexts()) && is_of_words && config.loss != Loss::Hs {
            // A copy of them, beside the tables.
            needs.memory += (corpus.vocabulary.len() * config.dim * 4) as u64;
        }
        let all_buckets = vectors_only.zip(config.subwords());
        let all_buckets = all_buckets.and_then(|(format, subwords)| Buckets::of(format, subwords, config.dim));
        let disk = needs.tables_on_disk + needs.checkpoints + all_buckets.as_ref().map_or(0, |all| all.bytes);
        let (now, peak) = (process::memory().unwrap_or(0), process::peak_memory().unwrap_or(0));
        // A corpus that was opened has been read already, to check it.
        let to_come = needs.memory + if is_built { needs.mapped } else { 0 };
        let plan = Self {
            memory_bytes: peak.max(now + to_come),
            // What is held already does not have to be found.
            available_memory_bytes: process::available_memory().map(|left| left + now),
            disk_bytes: disk + if is_built { needs.mapped } else { 0 },
            available_disk_bytes: process::available_disk(target),
            all_buckets,
            speed: None,
        };
        let remedy = "lower --dim, raise --min-count or use fewer --replicas";
        let needed = Needed { memory: needs.memory, disk, remedy };
        plan.refuse(needed, now, target)?;
        Ok(plan)
    }

    /// What a run of another kind needs, whose data are in memory already; fails if there is less.
    pub fn from_needs(needed: Needed, target: &Path) -> Outcome<Self> {
        let (now, peak) = (process::memory().unwrap_or(0), process::peak_memory().unwrap_or(0));
        let plan = Self {
            memory_bytes: peak.max(now.saturating_add(needed.memory)),
            available_memory_bytes: process::available_memory().map(|left| left + now),
            disk_bytes: needed.disk,
            available_disk_bytes: process::available_disk(target),
            all_buckets: None,
            speed: None,
        };
        plan.refuse(needed, now, target)?;
        Ok(plan)
    }

    fn refuse(&self, Needed { memory, disk, remedy }: Needed, now: u64, target: &Path) -> Outcome {
        let lacking = |need: u64, left: Option<u64>| left.filter(|&left| need > left);
        if let Some(left) = lacking(memory, self.available_memory_bytes.map(|left| left.saturating_sub(now))) {
            return Err(Failure::Lacking(format!(
                "training needs {} of memory, {} are left; {remedy}",
                size(memory),
                size(left)
            )));
        }
        if let Some(left) = lacking(disk, self.available_disk_bytes) {
            return Err(Failure::Lacking(format!(
                "{}: the run needs {} of disk, {} are left; make room, lower --keep or write elsewhere",
                target.display(),
                size(disk),
                size(left)
            )));
        }
        Ok(())
    }

    /// Trains for two seconds to see how fast it goes; nothing of it stays.
    pub fn calibrated(self, config: &TrainConfig, corpus: &EncodedCorpus) -> Outcome<Self> {
        struct Calibration(Option<Progress>);
        impl Observer for Calibration {
            fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
                let is_over = progress.seconds >= CALIBRATION.as_secs_f64() || signals::interrupted();
                self.0 = Some(progress.clone());
                if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        }
        let trial = TrainConfig { checkpoint_every: Every::Never, heldout: 0.0, patience: 0, ..config.clone() };
        let mut calibration = Calibration(None);
        let outcome = signals::polled(|| {
            Trainer::new(&trial, &corpus.vocabulary, &corpus.dataset)?.run(&mut calibration).map(drop)
        });
        match outcome {
            Ok(()) => {}
            Err(firth::Error::Interrupted) if !signals::interrupted() => {}
            Err(error) => return Err(error.into()),
        }
        let speed = calibration.0.map(|progress| Speed {
            words_per_second: progress.words_per_second,
            train_seconds: progress.total_tokens as f64 / progress.words_per_second.max(1e-9),
        });
        Ok(Self { speed, ..self })
    }

    /// Prints it.
    pub fn print(&self, globals: &Globals) -> Outcome {
        if globals.json {
            return output::json(self);
        }
        let left = |left: Option<u64>| left.map(|left| format!(", {} are left", size(left))).unwrap_or_default();
        let mut lines = vec![
            ["memory".to_owned(), size(self.memory_bytes) + &left(self.available_memory_bytes)],
            ["disk".to_owned(), size(self.disk_bytes) + &left(self.available_disk_bytes)],
        ];
        lines.extend(self.all_buckets.as_ref().map(|all| ["n-grams".to_owned(), all.to_string()]));
        if let Some(speed) = &self.speed {
            lines.push(["speed".to_owned(), format!("{} words/s", short(speed.words_per_second))]);
            lines.push(["training".to_owned(), clock(speed.train_seconds)]);
        }
        lines.push(["written".to_owned(), "nothing (--dry-run)".to_owned()]);
        let mut results = Results::new();
        output::pairs(&mut results, lines)?;
        results.done()
    }
}
