//! Results: lines and JSON on standard output, and the flags that say where files go.

use std::borrow::Cow;
use std::io::{BufWriter, IsTerminal, StdoutLock, Write};
use std::path::PathBuf;

use firth::Error;
use serde::Serialize;

use crate::failure::Outcome;

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

/// Text that stays in its line and column: characters that would break these, drive the terminal or turn the direction of
/// what follows are escaped, as `\n` and `\u{1b}`. Keys, ids and first words come from files that anyone may have written.
pub fn plain(text: &str) -> Cow<'_, str> {
    let is_unsafe = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(is_unsafe) {
        return text.into();
    }
    let escaped = |c: char| if is_unsafe(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect::<String>().into()
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
            let cells: Vec<_> = row.iter().map(|cell| plain(cell)).collect();
            writeln!(results, "{}", cells.join("\t"))?;
        }
        return Ok(());
    }
    columns(results, header, rows)
}

/// Prints rows in columns under a header.
pub fn columns(results: &mut Results, header: &[&str], rows: &[Vec<String>]) -> Outcome {
    let header: Vec<Cow<'_, str>> = header.iter().map(|&name| name.into()).collect();
    let rows: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&header]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    for row in std::iter::once(&header).chain(&rows) {
        let cell = |(column, cell): (usize, &Cow<'_, str>)| {
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
        let (name, value) = (plain(&name), plain(&value));
        if is_terminal() {
            writeln!(results, "{name:WIDTH$} {value}")?;
        } else {
            writeln!(results, "{name}\t{value}")?;
        }
    }
    Ok(())
}

/// Prints a vector: its key and its numbers, apart by tabs.
pub fn vector(results: &mut Results, key: &str, numbers: &[f32]) -> Outcome {
    let numbers: Vec<String> = numbers.iter().map(f32::to_string).collect();
    Ok(writeln!(results, "{}\t{}", plain(key), numbers.join("\t"))?)
}

/// Where a command may write.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct OutputFlags {
    /// Where the result goes; it appears whole or not at all, missing folders are made
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
