//! A folder of several files that are one result.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::AtomicFile;

/// Files in the making; they get their names together, at the end.
pub(super) struct Folder {
    path: PathBuf,
    files: Vec<AtomicFile>,
    /// Was there nothing of that name?
    is_new: bool,
}

impl Folder {
    /// A folder, new or to be filled anew.
    pub(super) fn create(path: &Path) -> Self {
        Self { path: path.into(), files: Vec::new(), is_new: !path.exists() }
    }

    /// Starts a file, perhaps in a folder within.
    pub(super) fn file(&mut self, name: &str) -> Result<&mut AtomicFile> {
        self.files.push(AtomicFile::create(&self.path.join(name))?);
        Ok(self.files.last_mut().expect("pushed above"))
    }

    /// Gives all files their names, in the order in which they were started.
    pub(super) fn commit(mut self) -> Result<()> {
        let files = std::mem::take(&mut self.files);
        self.is_new = false;
        files.into_iter().try_for_each(AtomicFile::commit)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.files.clear();
        if self.is_new {
            // Empty folders are all that is left; others stay.
            let within = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
            within.for_each(|entry| drop(std::fs::remove_dir(entry.path())));
            let _ = std::fs::remove_dir(&self.path);
        }
    }
}

/// Reads a file of JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::line(path, error.line().max(1) as u64, format!("not the JSON that it should be ({error})"))
    })
}
