//! When the observer is told and when checkpoints are due.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::Trainer;
use super::checkpoint::Every;
use super::progress::{Observer, Tally};

/// How often the observer is told.
pub(crate) const REPORT: Duration = Duration::from_millis(100);

/// Why a round is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// The observer wants the run to stop.
    Stop,
    /// A checkpoint is due.
    Save,
}

/// The observer, and the times at which it is told and checkpoints are written.
pub(super) struct Watch<'o> {
    pub observer: &'o mut dyn Observer,
    started: Instant,
    told: Instant,
    /// When the last checkpoint was written.
    pub saved: Instant,
    /// Seconds of training before this process took over.
    seconds_before: f64,
    every: Option<Duration>,
}

impl<'o> Watch<'o> {
    pub fn new(trainer: &Trainer<'_>, observer: &'o mut dyn Observer) -> Self {
        let now = Instant::now();
        let every = match trainer.config.checkpoint_every {
            Every::Time(time) => Some(time),
            Every::Never | Every::Epochs(_) => None,
        };
        Self { observer, started: now, told: now, saved: now, seconds_before: trainer.state.seconds, every }
    }

    /// Seconds of training so far.
    pub fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    /// How long to wait before looking again.
    pub fn wait(&self) -> Duration {
        let until = |since: Instant, time: Duration| time.saturating_sub(since.elapsed());
        let save = self.every.map_or(REPORT, |time| until(self.saved, time));
        until(self.told, REPORT).min(save).max(Duration::from_millis(1))
    }

    /// Tells the observer if it is time, and says whether the round is to be cut short; `already` if it is.
    pub fn look(&mut self, trainer: &Trainer<'_>, live: Tally, already: Option<Pause>) -> Option<Pause> {
        if self.told.elapsed() >= REPORT
            && (self.tell(trainer, live) == ControlFlow::Break(()) || trainer.dataset.unchanged().is_err())
        {
            return Some(Pause::Stop);
        }
        let is_due = || self.every.is_some_and(|time| self.saved.elapsed() >= time);
        already.or_else(|| is_due().then_some(Pause::Save))
    }

    pub fn tell(&mut self, trainer: &Trainer<'_>, live: Tally) -> ControlFlow<()> {
        self.told = Instant::now();
        let progress = trainer.progress(live, self.seconds(), self.started.elapsed().as_secs_f64());
        self.observer.progress(&progress)
    }
}
