//! An observer that stops runs.

use std::ops::ControlFlow;
use std::path::PathBuf;

use firth::train::{Observer, Progress};
use firth::{Error, Result};

/// Keeps checkpoints in a folder and stops the run right after so many of them: by their number, not by the clock, so
/// that a test does the same on any machine.
pub struct Stopper {
    /// Where checkpoints go.
    pub folder: PathBuf,
    /// How many more are written until the run is stopped.
    pub left: usize,
}

impl Observer for Stopper {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn checkpoints(&mut self) -> Result<Option<PathBuf>> {
        Ok(Some(self.folder.clone()))
    }

    fn saved(&mut self) -> Result<()> {
        self.left -= 1;
        if self.left == 0 { Err(Error::Interrupted) } else { Ok(()) }
    }
}
