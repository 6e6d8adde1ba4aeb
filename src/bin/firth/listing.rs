//! A list of results, printed or written into a file: what `recommend`, `rules` and `cluster` share.

use std::path::{Path, PathBuf};

use firth::{Error, format};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::output::{self, Force, Results};
use crate::place;
use crate::staged::Staged;

/// Where a list goes.
#[derive(Debug, clap::Args)]
pub struct ListFlags {
    /// Where the results go: as JSON if it ends in .json, as CSV under a header if in .csv, else a line each, apart by
    /// tabs; missing folders are made [default: standard output]
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
        format::refuse_compressed(path)?;
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
        if self.0.is_some() {
            return self.save(answers, header, rows);
        }
        if globals.json {
            return output::json(&answers).map(|()| None);
        }
        let mut results = Results::new();
        output::table(&mut results, header, rows)?;
        results.done().map(|()| None)
    }

    /// Writes answers and tells the file, if they are to go to one.
    pub fn save<A: Serialize>(self, answers: &[A], header: &[&str], rows: &[Vec<String>]) -> Outcome<Option<&'a Path>> {
        let Some((path, staged)) = self.0 else { return Ok(None) };
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase()).unwrap_or_default();
        let content = match ending.to_str() {
            Some("json") => serde_json::to_vec(answers).map_err(|error| Error::Backend { source: Box::new(error) })?,
            Some("csv") => csv(header, rows).map_err(|error| Error::Backend { source: Box::new(error) })?,
            _ => lines(rows).into_bytes(),
        };
        std::fs::write(staged.path(), content).map_err(|source| Error::io(path, source))?;
        staged.commit()?;
        Ok(Some(path))
    }
}

/// Rows under a header, fields in quotes where they must be.
fn csv(header: &[&str], rows: &[Vec<String>]) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(header)?;
    rows.iter().try_for_each(|row| table.write_record(row))?;
    table.into_inner().map_err(|error| error.into_error().into())
}

/// A row a line. A tab or the end of a line in a cell would be one of the list's own.
fn lines(rows: &[Vec<String>]) -> String {
    let line = |row: &Vec<String>| row.iter().map(|cell| output::plain(cell)).collect::<Vec<_>>().join("\t") + "\n";
    rows.iter().map(line).collect()
}
