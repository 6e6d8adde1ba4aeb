//! Reports while a command works: one line on standard error, one JSON line in each log.

use std::fs::{File, TryLockError};
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use firth::Error;
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::output::plain;
use crate::{ownership, process};

/// How often a terminal's line is redrawn.
const REDRAW: Duration = Duration::from_millis(200);
/// How long before a log on standard error sees its first line, and then between two lines.
const FIRST: Duration = Duration::from_millis(500);
const BETWEEN: Duration = Duration::from_secs(10);

/// The line on standard error: redrawn on a terminal, appended now and then anywhere else.
pub struct Meter {
    is_quiet: bool,
    is_terminal: bool,
    next: Instant,
    drawn: usize,
}

impl Meter {
    /// A meter that stays silent under `--quiet`.
    pub fn new(globals: &Globals) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let wait = if is_terminal { REDRAW } else { FIRST };
        Self { is_quiet: globals.quiet, is_terminal, next: Instant::now() + wait, drawn: 0 }
    }

    /// Shows a line if it is time for one.
    pub fn show(&mut self, line: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.is_quiet || now < self.next {
            return;
        }
        let line = line();
        if self.is_terminal {
            self.next = now + REDRAW;
            let blanks = self.drawn.saturating_sub(line.chars().count());
            put(format_args!("\r{line}{:blanks$}", ""));
            self.drawn = line.chars().count();
        } else {
            self.next = now + BETWEEN;
            tell(format_args!("{line}"));
        }
    }

    /// Wipes the redrawn line, so that what follows starts on a clean one.
    pub fn clear(&mut self) {
        if self.is_terminal && self.drawn > 0 {
            put(format_args!("\r{:width$}\r", "", width = self.drawn));
            self.drawn = 0;
        }
    }
}

/// More than the first line of a log ever has.
const LONGEST_LINE: u64 = 1 << 16;

/// The event that tells how far the encoding of text has come.
pub const BUILD: &str = "build";

/// JSON lines in files: the run's own log and the one of `--log-json`.
///
/// Nothing is written before training, or the end of a command that has none. If the command is refused until then, an
/// earlier log stays as it is, and a file that was new vanishes again.
pub struct Log {
    files: Vec<LogFile>,
    /// Lines that are not written yet.
    held: String,
    has_begun: bool,
}

struct LogFile {
    path: PathBuf,
    file: File,
    /// Did it not exist before?
    is_new: bool,
    /// Does it take the place of an earlier log?
    replaces: bool,
}

impl Log {
    /// Starts the log of a new run's own, and another one (`--log-json`), which may replace a log but nothing else.
    pub fn create(own: Option<&Path>, other: Option<&Path>) -> Outcome<Self> {
        let own = own.map(|path| {
            let file = File::create(path).map_err(|source| Error::io(path, source))?;
            Ok::<_, Error>(LogFile { path: path.into(), file, is_new: true, replaces: false })
        });
        let files = own.transpose()?.into_iter().chain(other.map(LogFile::other).transpose()?).collect();
        Ok(Self { files, held: String::new(), has_begun: false })
    }

    /// Goes on with a run's own log, and starts another if one is wanted.
    pub fn resume(own: &Path, other: Option<&Path>) -> Outcome<Self> {
        let mut log = Self::create(None, other)?;
        let file = File::options().append(true).create(true).open(own).map_err(|source| Error::io(own, source))?;
        log.files.push(LogFile { path: own.into(), file, is_new: false, replaces: false });
        Ok(log)
    }

    /// Appends one report to each log, with the time (seconds since 1970) and the memory (bytes) of this moment: at once
    /// readable by others, but for those of the encoding, which wait for what follows it.
    pub fn report(&mut self, event: &str, report: &impl Serialize) -> Outcome {
        let report = serde_json::to_value(report).map_err(|error| Error::Backend { source: Box::new(error) })?;
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let mut line = serde_json::Map::from_iter([
            ("event".to_owned(), event.into()),
            ("time".to_owned(), time.into()),
            ("memory_bytes".to_owned(), process::memory().into()),
        ]);
        match report {
            serde_json::Value::Object(fields) => line.extend(fields),
            other => drop(line.insert("value".into(), other)),
        }
        self.held += &format!("{}\n", serde_json::Value::from(line));
        if event == BUILD {
            return Ok(());
        }
        for log in &mut self.files {
            if !self.has_begun && log.replaces {
                log.empty()?;
            }
            log.file.write_all(self.held.as_bytes()).map_err(|source| Error::io(&log.path, source))?;
        }
        (self.held, self.has_begun) = (String::new(), true);
        Ok(())
    }
}

impl LogFile {
    /// The one of `--log-json`, which stays as it is for now.
    fn other(path: &Path) -> Outcome<Self> {
        let is_new = path.symlink_metadata().is_err();
        refuse_foreign(path)?;
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|source| Error::io(path, source))?;
        let log = Self { path: path.into(), file, is_new, replaces: true };
        // Devices and pipes may have several writers.
        if log.is_file() && matches!(log.file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(Failure::usage(format!("{}: another firth writes this log; name another", path.display())));
        }
        Ok(log)
    }

    fn is_file(&self) -> bool {
        self.file.metadata().is_ok_and(|about| about.is_file())
    }

    /// Takes out the lines of an earlier command. Hours may lie between this and the first look at the file.
    fn empty(&self) -> Outcome {
        refuse_foreign(&self.path)?;
        // A device or a pipe has no length.
        if self.is_file() {
            self.file.set_len(0).map_err(|source| Error::io(&self.path, source))?;
        }
        Ok(())
    }
}

/// Refuses a file that holds something else than a log, a text or vectors, say, and a place in the folder of a run.
fn refuse_foreign(path: &Path) -> Outcome {
    let shown = path.display();
    if ownership::resolved(path).is_some_and(|path| path.parent().is_some_and(ownership::is_run)) {
        let reason = "is in the folder of a run, which keeps its own log; name another file for --log-json";
        return Err(Failure::usage(format!("{shown}: {reason}")));
    }
    // Of a device or a pipe nothing is lost.
    if !path.is_file() {
        return Ok(());
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST_LINE).read_to_end(&mut start));
    read.map_err(|source| Error::io(path, source))?;
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
    if start.is_empty() || line["event"].is_string() && line["memory_bytes"].is_number() {
        return Ok(());
    }
    Err(Failure::usage(format!("{shown}: is no log of firth's, which --log-json would replace; name another file")))
}

impl Drop for Log {
    fn drop(&mut self) {
        // What others have put there meanwhile is theirs.
        let is_empty = |log: &&LogFile| log.path.metadata().is_ok_and(|about| about.len() == 0);
        let new = self.files.iter().filter(|log| log.is_new && !self.has_begun);
        new.filter(is_empty).for_each(|log| drop(std::fs::remove_file(&log.path)));
    }
}

/// Says a line on standard error. Where nobody can hear it, it is lost: what is said is no reason to fail.
pub fn tell(line: std::fmt::Arguments<'_>) {
    put(format_args!("{}\n", plain(&line.to_string())));
}

/// Says something on standard error that does not end its line.
pub fn put(text: std::fmt::Arguments<'_>) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_fmt(text).and_then(|()| stderr.flush());
}

/// A note for the reader, unless told to be quiet.
pub fn note(globals: &Globals, text: impl std::fmt::Display) {
    if !globals.quiet {
        tell(format_args!("firth: {text}"));
    }
}

/// A warning: shown even when quiet, since the result is not all that was asked for.
pub fn warn(text: impl std::fmt::Display) {
    tell(format_args!("firth: warning: {text}"));
}

/// The memory in use, for the end of a line.
pub fn memory_now() -> String {
    process::memory().map_or_else(String::new, |bytes| format!("  mem {}", size(bytes)))
}

/// Bytes for people: `812 kB`, `212 MB`, `3.1 GB`.
pub fn size(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes >= 1e10 => format!("{:.0} GB", bytes / 1e9),
        bytes if bytes >= 1e9 => format!("{:.1} GB", bytes / 1e9),
        bytes if bytes >= 1e6 => format!("{:.0} MB", bytes / 1e6),
        bytes => format!("{:.0} kB", bytes / 1e3),
    }
}

/// A count or a rate for people: `950`, `13.7k`, `1.37M`.
pub fn short(count: f64) -> String {
    match count {
        count if count >= 1e9 => format!("{:.2}G", count / 1e9),
        count if count >= 1e6 => format!("{:.2}M", count / 1e6),
        count if count >= 1e3 => format!("{:.1}k", count / 1e3),
        count => format!("{count:.0}"),
    }
}

/// A whole number: with its thousands apart for a person, `1 234 567`; bare for a program.
pub fn thousands(count: u64) -> String {
    if std::io::stdout().is_terminal() { grouped(count) } else { count.to_string() }
}

fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: `1 line`, `2 lines`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

/// A duration for people: `0:01:03`.
pub fn clock(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "?".into();
    }
    let seconds = seconds.max(0.0).round() as u64;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!((short(1_370_000.0), short(950.2), short(13_700.0)), ("1.37M".into(), "950".into(), "13.7k".into()));
        assert_eq!((size(212_000_000), size(3_140_000_000)), ("212 MB".into(), "3.1 GB".into()));
        assert_eq!((grouped(1_234_567), grouped(12)), ("1 234 567".into(), "12".into()));
        assert_eq!((clock(63.4), clock(f64::NAN)), ("0:01:03".into(), "?".into()));
    }
}
