//! A list of results, printed or written into a file: what `recommend` and `rules` share.

use std::path::{Path, PathBuf};

use firth::Error;
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::output::{self, Force, Results};
use crate::place;
use crate::staged::Staged;

/// Where a list goes.
#[derive(Debug, clap::Args)]
pub struct ListFlags {
    /// Where the results go: as JSON if it ends in .json, else a line each, apart by tabs [default: standard output]
    #[arg(short, long, value_name = "PATH", help_heading = "Output")]
    output: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
}

impl ListFlags {
    /// Refuses the flags, and says why they change nothing.
    pub fn refuse(&self, why: &str) -> Outcome {
        if self.output.is_some() {
            return Err(Failure::usage(format!("--output: has no effect, since {why}")));
        }
        Ok(())
    }

    /// Takes the place before the work; `what` is what the list holds.
    pub fn open(&self, what: &str, inputs: &[PathBuf]) -> Outcome<Listing<'_>> {
        let Some(path) = &self.output else {
            if self.force.force {
                return Err(Failure::usage("--force: has no effect without --output"));
            }
            return Ok(Listing(None));
        };
        place::check(path, what, inputs)?;
        Ok(Listing(Some((path, Staged::new(path, self.force.force)?))))
    }
}

/// The place of a list: a file, or standard output.
pub struct Listing<'a>(Option<(&'a Path, Staged)>);

impl<'a> Listing<'a> {
    /// Prints answers, as JSON or a row each, or writes them and tells the file.
    pub fn put<A: Serialize>(
        self,
        answers: &[A],
        header: &[&str],
        rows: &[Vec<String>],
        globals: &Globals,
    ) -> Outcome<Option<&'a Path>> {
        let Some((path, staged)) = self.0 else {
            if globals.json {
                return output::json(&answers).map(|()| None);
            }
            let mut results = Results::new();
            output::table(&mut results, header, rows)?;
            return results.done().map(|()| None);
        };
        let content = if path.extension().is_some_and(|ending| ending == "json") {
            serde_json::to_string(answers).map_err(|error| Error::Backend { source: Box::new(error) })?
        } else {
            // A tab or the end of a line in a key would be one of the list's own.
            let line =
                |row: &Vec<String>| row.iter().map(|cell| output::plain(cell)).collect::<Vec<_>>().join("\t") + "\n";
            rows.iter().map(line).collect()
        };
        std::fs::write(staged.path(), content).map_err(|source| Error::io(path, source))?;
        staged.commit()?;
        Ok(Some(path))
    }
}
