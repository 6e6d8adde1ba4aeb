//! From a piece of a source to its documents: lines, rows of a table, JSON objects, or the piece of a file.

use std::borrow::Cow;

use memchr::memchr;

use super::chunks::{Chunk, line_ends};
use super::{DocumentFormat, DocumentOptions};
use crate::error::{Error, Result};
use crate::io::quotes::{OPEN_QUOTE, QuotedRows};

/// Where a document's texts are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    text: Column,
    label: Option<Column>,
    id: Option<Column>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    Last,
    /// From 0.
    At(usize),
    Named(String),
}

impl Column {
    fn parse(field: &str) -> Self {
        match field.parse::<usize>() {
            Ok(number) if number > 0 => Self::At(number - 1),
            _ => Self::Named(field.into()),
        }
    }

    fn pick<'a>(&self, fields: &[&'a str]) -> Option<&'a str> {
        match self {
            Self::At(at) => fields.get(*at).copied(),
            Self::Last | Self::Named(_) => None,
        }
    }
}

impl Columns {
    /// The columns as the options name them.
    pub(super) fn numbered(options: &DocumentOptions, format: DocumentFormat) -> Self {
        let field = |name: &Option<String>| {
            name.as_deref().map(|name| match format {
                DocumentFormat::Jsonl => Column::Named(name.into()),
                _ => Column::parse(name),
            })
        };
        let text = field(&options.text_field).unwrap_or(match format {
            DocumentFormat::Jsonl => Column::Named("text".into()),
            _ => Column::Last,
        });
        Self { text, label: field(&options.label_field), id: field(&options.id_field) }
    }

    /// Reads a table's header where there is one, cuts it off and finds the named columns in it.
    pub(super) fn named(options: &DocumentOptions, chunk: &mut Chunk) -> Result<Option<Self>> {
        if !matches!(chunk.format, DocumentFormat::Tsv | DocumentFormat::Csv) {
            return Ok(None);
        }
        let mut columns = Self::numbered(options, chunk.format);
        let named = [Some(&columns.text), columns.label.as_ref(), columns.id.as_ref()];
        if !options.header && !named.into_iter().flatten().any(|column| matches!(column, Column::Named(_))) {
            return Ok(None);
        }
        let (names, length) = header(chunk)?;
        let find = |column: &mut Column, option: &str| -> Result<()> {
            let Column::Named(name) = column else { return Ok(()) };
            match names.iter().position(|known| known == name) {
                Some(at) => *column = Column::At(at),
                None => {
                    return Err(Error::line(
                        &chunk.name,
                        1,
                        format!("no column {name:?} ({option}); the columns are {}", shown(&names)),
                    ));
                }
            }
            Ok(())
        };
        find(&mut columns.text, "--text-field")?;
        columns.label.as_mut().map_or(Ok(()), |column| find(column, "--label-field"))?;
        columns.id.as_mut().map_or(Ok(()), |column| find(column, "--id-field"))?;
        chunk.skip(length);
        Ok(Some(columns))
    }
}

/// Names of columns, or what stands in their place where the first row is no header.
fn shown(names: &[String]) -> String {
    const LONGEST: usize = 40;
    let short = |name: &String| match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.clone(),
    };
    names.iter().map(short).collect::<Vec<_>>().join(", ")
}

/// The names in the first row, and the row's length in bytes.
fn header(chunk: &Chunk) -> Result<(Vec<String>, usize)> {
    let bytes = chunk.bytes();
    if chunk.format == DocumentFormat::Tsv {
        let end = memchr(b'\n', bytes).unwrap_or(bytes.len());
        let line = String::from_utf8_lossy(&bytes[..end]);
        let names = line.trim_end_matches('\r').split('\t').map(str::to_owned).collect();
        return Ok((names, bytes.len().min(end + 1)));
    }
    let mut reader = table(bytes);
    let mut row = csv::ByteRecord::new();
    reader.read_byte_record(&mut row).map_err(|error| Error::line(&chunk.name, 1, error.to_string()))?;
    let names = row.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let end = reader.position().byte() as usize;
    if end == bytes.len()
        && let Some(open) = QuotedRows::of(bytes).open
    {
        return Err(Error::line(&chunk.name, 1 + line_ends(&bytes[..open]), OPEN_QUOTE));
    }
    let half = bytes[..end].ends_with(b"\r") && bytes[end..].starts_with(b"\n");
    Ok((names, end + usize::from(half)))
}

/// The length of the line end that a text begins with.
fn line_end(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [b'\r', b'\n', ..] => Some(2),
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}

fn table(bytes: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes)
}

/// What ends where a text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing: the text goes on in the next piece of the source.
    Nothing,
    /// A line.
    Sentence,
    /// A document.
    Document,
}

/// A line of a document, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    /// The text, without a line end.
    pub text: &'a str,
    /// What ends with it.
    pub end: End,
    /// The document's id where it ends, if the input has ids.
    pub id: Option<&'a str>,
    /// The document's label where it ends, if the input has labels.
    pub label: Option<&'a str>,
}

/// Rows and objects without the text, the label or the id that they are to have, which a lenient reading leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Omitted {
    /// How many.
    pub records: u64,
    /// Where the first is, and what is wrong with it.
    pub first: Option<String>,
}

impl Omitted {
    /// Adds what was left out later in the corpus.
    pub fn append(&mut self, later: Self) {
        self.records += later.records;
        self.first = self.first.take().or(later.first);
    }
}

/// What a strict reading says at the end of an error about one record.
const REMEDY: &str = "--lenient leaves such records out";

/// A document as one record holds it.
struct Record<'a> {
    text: Cow<'a, str>,
    id: Option<Cow<'a, str>>,
    label: Option<Cow<'a, str>>,
}

impl Chunk {
    /// Gives the texts of a piece in order, and tells what was left out. `text` is the piece, as UTF-8.
    pub fn texts(&self, text: &str, mut each: impl FnMut(Text<'_>) -> Result<()>) -> Result<Omitted> {
        let mut omitted = Omitted::default();
        match self.format {
            DocumentFormat::Lines | DocumentFormat::Auto => self.lines(text, &mut each)?,
            DocumentFormat::Files => self.file(text, &mut each)?,
            DocumentFormat::Tsv => self.tsv(text, &mut omitted, &mut each)?,
            DocumentFormat::Csv => self.csv(text, &mut omitted, &mut each)?,
            DocumentFormat::Jsonl => self.jsonl(text, &mut omitted, &mut each)?,
        }
        Ok(omitted)
    }

    fn lines(&self, text: &str, each: &mut impl FnMut(Text<'_>) -> Result<()>) -> Result<()> {
        for (_, line, ended) in lines(text) {
            let end = if ended || self.last { End::Document } else { End::Nothing };
            each(Text { text: line, end, id: None, label: None })?;
        }
        Ok(())
    }

    fn file(&self, text: &str, each: &mut impl FnMut(Text<'_>) -> Result<()>) -> Result<()> {
        for (_, line, ended) in lines(text) {
            each(Text { text: line, end: if ended { End::Sentence } else { End::Nothing }, id: None, label: None })?;
        }
        if self.last {
            let name = self.name.to_string_lossy();
            each(Text { text: "", end: End::Document, id: Some(&name), label: None })?;
        }
        Ok(())
    }

    fn tsv(&self, text: &str, omitted: &mut Omitted, each: &mut impl FnMut(Text<'_>) -> Result<()>) -> Result<()> {
        let mut fields = Vec::new();
        for (at, line, _) in lines(text) {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.is_empty() {
                each(Text { text: "", end: End::Document, id: None, label: None })?;
                continue;
            }
            fields.clear();
            fields.extend(line.split('\t'));
            self.give(self.row(&fields), &text[..at], omitted, each)?;
        }
        Ok(())
    }

    fn csv(&self, text: &str, omitted: &mut Omitted, each: &mut impl FnMut(Text<'_>) -> Result<()>) -> Result<()> {
        let mut reader = table(text.as_bytes());
        let mut row = csv::StringRecord::new();
        let mut fields = Vec::new();
        loop {
            let mut at = reader.position().byte() as usize;
            if text[..at].ends_with('\r') && text[at..].starts_with('\n') {
                at += 1;
            }
            // The reader passes over rows without anything; they are documents without words, as in other formats.
            while let Some(length) = line_end(&text[at..]) {
                each(Text { text: "", end: End::Document, id: None, label: None })?;
                at += length;
            }
            let more = reader.read_record(&mut row).map_err(|error| self.fault(&text[..at], error.to_string()))?;
            if !more {
                return Ok(());
            }
            // Only the last row can be open.
            if reader.position().byte() as usize == text.len()
                && let Some(open) = QuotedRows::of(&text.as_bytes()[at..]).open
            {
                return Err(self.fault(&text[..at + open], OPEN_QUOTE));
            }
            fields.clear();
            // The fields borrow from the row, which the next turn fills anew.
            fields.extend(row.iter().map(str::to_owned));
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            self.give(self.row(&fields), &text[..at], omitted, each)?;
        }
    }

    /// Gives the lines of a record's document; of a record at fault an error, or a note if it may be left out.
    fn give(
        &self,
        record: Result<Record<'_>, String>,
        before: &str,
        omitted: &mut Omitted,
        each: &mut impl FnMut(Text<'_>) -> Result<()>,
    ) -> Result<()> {
        match record {
            Ok(Record { text, id, label }) => document(&text, id.as_deref(), label.as_deref(), each),
            Err(reason) if self.is_lenient => {
                omitted.records += 1;
                omitted.first.get_or_insert_with(|| self.fault(before, reason).to_string());
                Ok(())
            }
            Err(reason) => Err(self.fault(before, format!("{reason}; {REMEDY}"))),
        }
    }

    /// What is wrong with a record, at its line: the one after all of the piece's text that is before it.
    fn fault(&self, before: &str, reason: impl Into<String>) -> Error {
        Error::line(&self.name, self.line() + line_ends(before.as_bytes()), reason)
    }

    fn row<'a>(&self, fields: &[&'a str]) -> Result<Record<'a>, String> {
        let pick = |column: &Column, option: &str| {
            column.pick(fields).ok_or_else(|| {
                let expected = match column {
                    Column::At(at) => format!("at least {} ({option})", at + 1),
                    _ => format!("the one named by {option}"),
                };
                format!("a row of {} columns, expected {expected}", fields.len())
            })
        };
        let columns = &self.columns;
        let text = match &columns.text {
            // The last column that is not something else.
            Column::Last => {
                let is_taken = |at: usize| {
                    let others = columns.label.iter().chain(&columns.id);
                    others.into_iter().any(|column| matches!(column, Column::At(taken) if *taken == at))
                };
                let last = (0..fields.len()).rev().find(|&at| !is_taken(at));
                fields[last.ok_or("a row without a column for the text; name it with --text-field")?]
            }
            named => pick(named, "--text-field")?,
        };
        let label = columns.label.as_ref().map(|column| pick(column, "--label-field")).transpose()?;
        let id = columns.id.as_ref().map(|column| pick(column, "--id-field")).transpose()?;
        Ok(Record { text: text.into(), id: id.map(Cow::from), label: label.map(Cow::from) })
    }

    fn jsonl(&self, text: &str, omitted: &mut Omitted, each: &mut impl FnMut(Text<'_>) -> Result<()>) -> Result<()> {
        for (at, line, _) in lines(text) {
            if line.trim_ascii().is_empty() {
                each(Text { text: "", end: End::Document, id: None, label: None })?;
                continue;
            }
            self.give(self.object(line), &text[..at], omitted, each)?;
        }
        Ok(())
    }

    fn object(&self, line: &str) -> Result<Record<'static>, String> {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).map_err(|error| {
            // The line that serde names is always the first, of those that it was given.
            let said = error.to_string();
            let what = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
            format!("column {}: not a JSON object ({what}); expected one in each line", error.column())
        })?;
        let field = |column: &Column, option: &str| match column {
            Column::Named(name) => match object.get(name) {
                Some(serde_json::Value::String(text)) => Ok(Cow::Owned(text.clone())),
                Some(value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => {
                    Ok(Cow::Owned(value.to_string()))
                }
                Some(value) => {
                    let kind = match value {
                        serde_json::Value::Null => "null",
                        serde_json::Value::Array(_) => "a list",
                        _ => "an object",
                    };
                    Err(format!("field {name:?} ({option}) is {kind}, expected text or a number"))
                }
                None => {
                    let known: Vec<&str> = object.keys().map(String::as_str).collect();
                    Err(format!("no field {name:?} ({option}); the fields are {}", known.join(", ")))
                }
            },
            _ => Err(format!("{option} names a field of a JSON object")),
        };
        let columns = &self.columns;
        let text = field(&columns.text, "--text-field")?;
        let label = columns.label.as_ref().map(|column| field(column, "--label-field")).transpose()?;
        let id = columns.id.as_ref().map(|column| field(column, "--id-field")).transpose()?;
        Ok(Record { text, id, label })
    }
}

/// Gives a document's lines.
fn document(
    text: &str,
    id: Option<&str>,
    label: Option<&str>,
    each: &mut impl FnMut(Text<'_>) -> Result<()>,
) -> Result<()> {
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n') {
        each(Text { text: line, end: End::Sentence, id: None, label: None })?;
        rest = after;
    }
    each(Text { text: rest, end: End::Document, id, label })
}

/// Each line with its offset, and whether a line end follows it. A text that ends with a line end has no line more.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str, bool)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let end = memchr(b'\n', rest.as_bytes());
        at += end.map_or(rest.len(), |end| end + 1);
        Some((start, &rest[..end.unwrap_or(rest.len())], end.is_some()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Corpus;
    use super::*;

    #[test]
    fn records_at_fault_are_left_out_and_counted_if_that_is_wanted() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let columns = DocumentOptions { text_field: Some("2".into()), ..Default::default() };
        let files = [
            ("a.jsonl", "{\"text\": \"one\"}\n{\"text\": null}\n{\"body\": 1}\n[]\n{\"text\": 2}\n", "null", 3),
            ("b.tsv", "1\tone\n2\n\n3\t2\n", "a row of 1 columns, expected at least 2 (--text-field)", 1),
            ("c.csv", "1,one\n2\n\n3,2\n", "a row of 1 columns, expected at least 2 (--text-field)", 1),
        ];
        for (name, text, reason, count) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            let strict = if name == "a.jsonl" { DocumentOptions::default() } else { columns.clone() };
            let read = |options: &DocumentOptions| {
                let mut found = Vec::new();
                let omitted = Corpus::open(std::slice::from_ref(&path), options)?.documents(|document| {
                    found.push(document.text.to_owned());
                    Ok(())
                })?;
                found.retain(|text| !text.is_empty());
                Ok::<_, Error>((found, omitted))
            };
            let error = read(&strict).expect_err("a fault").to_string();
            assert!(error.contains(&format!("{name}, line 2: ")) && error.contains(reason), "{error}");
            assert!(error.ends_with(REMEDY), "{error}");
            let (found, omitted) = read(&DocumentOptions { lenient: true, ..strict })?;
            assert_eq!((found, omitted.records), (vec!["one".to_owned(), "2".to_owned()], count), "{name}");
            assert_eq!(omitted.first, error.strip_suffix(&format!("; {REMEDY}")).map(str::to_owned));
        }
        Ok(())
    }

    #[test]
    fn blank_rows_are_empty_documents() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.csv");
        let options = DocumentOptions { header: true, ..Default::default() };
        for end in ["\n", "\r\n"] {
            let rows = ["id,text", "1,one", "", "2,\"two\"", "", "", "3,three", "", ""];
            std::fs::write(&path, rows.join(end)).expect("written");
            let mut found = Vec::new();
            let _ = Corpus::open(std::slice::from_ref(&path), &options)?.documents(|document| {
                found.push(document.text.to_owned());
                Ok(())
            })?;
            assert_eq!(found, ["one", "", "two", "", "", "three", ""], "{end:?}");
        }
        Ok(())
    }
}
