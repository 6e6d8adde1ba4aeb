//! Results: lines and JSON on standard output, and files that appear whole or not at all.

use std::fs;
use std::io::{BufWriter, IsTerminal, StdoutLock, Write};
use std::path::{Path, PathBuf};

use firth::Error;
use serde::Serialize;
use tempfile::TempDir;

use crate::failure::{Failure, Outcome};
use crate::signals;

/// Standard output, buffered; [`Results::done`] writes what is left and tells if that failed.
pub struct Results {
    writer: BufWriter<StdoutLock<'static>>,
}

impl Results {
    /// Takes standard output.
    pub fn new() -> Self {
        Self { writer: BufWriter::with_capacity(1 << 16, std::io::stdout().lock()) }
    }

    /// Writes all that is buffered.
    pub fn done(mut self) -> Outcome {
        Ok(self.writer.flush()?)
    }
}

impl Write for Results {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

/// Does a person read standard output?
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Prints one JSON document: indented for a person, on one line for a program.
pub fn json(value: &impl Serialize) -> Outcome {
    let text = if is_terminal() { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    let text = text.map_err(|error| Error::Backend { source: Box::new(error) })?;
    let mut results = Results::new();
    writeln!(results, "{text}")?;
    results.done()
}

/// Prints rows: in columns under a header for a person, apart by tabs for a program.
pub fn table(results: &mut Results, header: &[&str], rows: &[Vec<String>]) -> Outcome {
    if !is_terminal() {
        for row in rows {
            writeln!(results, "{}", row.join("\t"))?;
        }
        return Ok(());
    }
    columns(results, header, rows)
}

/// Prints rows in columns under a header.
pub fn columns(results: &mut Results, header: &[&str], rows: &[Vec<String>]) -> Outcome {
    let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&header]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    for row in std::iter::once(&header).chain(rows) {
        let cell = |(column, cell): (usize, &String)| {
            let blanks = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
            // Names to the left, numbers to the right.
            if column == 0 { format!("{cell}{blanks}") } else { format!("{blanks}{cell}") }
        };
        let line: Vec<String> = row.iter().enumerate().map(cell).collect();
        writeln!(results, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

/// Prints names and values: in two columns for a person, apart by a tab for a program.
pub fn pairs(results: &mut Results, pairs: impl IntoIterator<Item = [String; 2]>) -> Outcome {
    const WIDTH: usize = 14;
    for [name, value] in pairs {
        if is_terminal() {
            writeln!(results, "{name:WIDTH$} {value}")?;
        } else {
            writeln!(results, "{name}\t{value}")?;
        }
    }
    Ok(())
}

/// Where a command may write.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct OutputFlags {
    /// Where the result goes; it appears whole or not at all
    #[arg(short, long, value_name = "PATH")]
    pub output: PathBuf,
    #[command(flatten)]
    pub force: Force,
}

/// May an existing output be replaced?
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Force {
    /// Replace the output if it is there already
    #[arg(long, help_heading = "Output")]
    pub force: bool,
}

/// An output in the making, in a hidden folder beside its target.
///
/// Dropped before [`Staged::commit`], or on Ctrl-C, it leaves nothing behind.
pub struct Staged {
    work: TempDir,
    name: PathBuf,
    parent: PathBuf,
    made_parents: Option<PathBuf>,
    force: bool,
}

/// The name of the folder, within the hidden one, of what is not part of the output.
const SCRATCH: &str = ".scratch";

/// The files that tell a folder of firth's from any other; a folder without them is never replaced.
const OWN_FILES: [&str; 6] =
    ["demo.json", "config.toml", "dataset.safetensors", "vocabulary.safetensors", "words.safetensors", "vectors.tsv"];

/// How the README.txt of a planted corpus begins.
const PLANTED: &str = "A planted corpus of kind";

impl Staged {
    /// A folder that will be named `target`; [`Staged::path`] is its future content.
    pub fn folder(target: &Path, force: bool) -> Outcome<Self> {
        let staged = Self::new(target, force)?;
        fs::create_dir(staged.path()).map_err(|source| Error::io(target, source))?;
        Ok(staged)
    }

    /// A file, several that stand side by side, or a folder yet to be made; the main one named `target`.
    pub fn new(target: &Path, force: bool) -> Outcome<Self> {
        let Some(name) = target.file_name() else {
            return Err(Failure::usage(format!("{}: is no name for an output", target.display())));
        };
        refuse_existing(target, force)?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        signals::install();
        let made_parents = parent.ancestors().take_while(|folder| !folder.exists()).last().map(Path::to_owned);
        fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
        let work = tempfile::Builder::new()
            .prefix(".firth-")
            .suffix(".tmp")
            .tempdir_in(parent)
            .map_err(|source| Error::io(parent, source))?;
        signals::remove_on_interrupt(work.path());
        Ok(Self { work, name: name.into(), parent: parent.into(), made_parents, force })
    }

    /// Where to write now; its last part is the final name.
    pub fn path(&self) -> PathBuf {
        self.work.path().join(&self.name)
    }

    /// A place for intermediate files, which do not become part of the output.
    pub fn scratch(&self) -> Outcome<PathBuf> {
        let scratch = self.work.path().join(SCRATCH);
        fs::create_dir_all(&scratch).map_err(|source| Error::io(&scratch, source))?;
        Ok(scratch)
    }

    /// Gives the output its name.
    pub fn commit(mut self) -> Outcome {
        let names = self.names()?;
        for name in &names {
            refuse_existing(&self.parent.join(name), self.force)?;
        }
        signals::disarm();
        for name in &names {
            let target = self.parent.join(name);
            if target.is_dir() {
                let old = self.scratch()?.join(name);
                fs::rename(&target, old).map_err(|source| Error::io(&target, source))?;
            }
            fs::rename(self.work.path().join(name), &target).map_err(|source| Error::io(&target, source))?;
        }
        self.made_parents = None;
        Ok(())
    }

    fn names(&self) -> Outcome<Vec<PathBuf>> {
        let entries = fs::read_dir(self.work.path()).map_err(|source| Error::io(&self.parent, source))?;
        let mut names: Vec<PathBuf> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name().into())
            .filter(|name: &PathBuf| name.as_os_str() != SCRATCH)
            .collect();
        names.sort();
        Ok(names)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Best effort: the message about the first error matters more than one about tidying up.
        let _ = fs::remove_dir_all(self.work.path());
        if let Some(top) = &self.made_parents {
            for folder in self.parent.ancestors() {
                if fs::remove_dir(folder).is_err() || folder == top {
                    break;
                }
            }
        }
    }
}

fn refuse_existing(target: &Path, force: bool) -> Outcome {
    if !force && target.symlink_metadata().is_ok() {
        return Err(Failure::usage(format!(
            "{}: is there already; name another output or replace it with --force",
            target.display()
        )));
    }
    if target.is_dir() && !is_own_folder(target) {
        return Err(Failure::usage(format!(
            "{}: is a folder with other things than firth's, which --force does not replace; name another output",
            target.display()
        )));
    }
    Ok(())
}

fn is_own_folder(folder: &Path) -> bool {
    let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    let is_planted = || fs::read_to_string(folder.join("README.txt")).is_ok_and(|text| text.starts_with(PLANTED));
    is_empty || OWN_FILES.iter().any(|name| folder.join(name).is_file()) || is_planted()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tested = Result<(), Failure>;

    #[test]
    fn a_dropped_output_leaves_nothing() -> Tested {
        let folder = tempfile::tempdir()?;
        let staged = Staged::folder(&folder.path().join("new/run"), false)?;
        fs::write(staged.path().join("a"), "half")?;
        drop(staged);
        assert_eq!(fs::read_dir(folder.path())?.count(), 0);
        Ok(())
    }

    #[test]
    fn an_output_appears_whole_and_is_not_replaced_unasked() -> Tested {
        let folder = tempfile::tempdir()?;
        let target = folder.path().join("run");
        let staged = Staged::folder(&target, false)?;
        fs::write(staged.path().join("config.toml"), "")?;
        assert!(!target.exists());
        staged.commit()?;
        assert!(target.join("config.toml").is_file());
        assert!(matches!(Staged::folder(&target, false), Err(Failure::Usage(message)) if message.contains("--force")));
        Staged::folder(&target, true)?.commit()?;
        assert_eq!(fs::read_dir(&target)?.count(), 0);
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }

    #[test]
    fn folders_of_others_are_never_replaced() -> Tested {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("thesis.tex"), "years")?;
        assert!(matches!(Staged::folder(folder.path(), true), Err(Failure::Usage(_))));
        Ok(())
    }

    #[test]
    fn companions_of_a_file_appear_with_it() -> Tested {
        let folder = tempfile::tempdir()?;
        let staged = Staged::new(&folder.path().join("a.npy"), false)?;
        fs::write(staged.path(), "vectors")?;
        fs::write(staged.path().with_extension("keys"), "keys")?;
        staged.commit()?;
        assert!(folder.path().join("a.npy").is_file() && folder.path().join("a.keys").is_file());
        assert_eq!(fs::read_dir(folder.path())?.count(), 2);
        Ok(())
    }
}
