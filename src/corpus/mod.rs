//! Files as documents: which files, how they are unpacked, cut into pieces and read as documents.
//!
//! A corpus is any mix of files, folders, patterns and stdin, plain or compressed. It is read as often as needed,
//! piece by piece, and never held in memory; see [`Chunks`] for how it is cut.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

mod chunks;
mod inputs;
mod records;
pub mod synthetic;

pub use chunks::{Chunk, Chunks};
pub use inputs::Source;
pub use records::{End, Omitted, Text};

/// How documents are found in the input.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct DocumentOptions {
    /// How the input is cut into documents; auto goes by each file's extension
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value = "auto", help_heading = "Documents"))]
    pub format: DocumentFormat,
    /// The text's column or JSON field, by name or number from 1 [default: the last column
    /// that is not the label or the id; the field "text"]
    #[cfg_attr(feature = "cli", arg(long, value_name = "FIELD", help_heading = "Documents"))]
    pub text_field: Option<String>,
    /// The label's column or JSON field, by name or number from 1 [default: no labels]
    #[cfg_attr(feature = "cli", arg(long, value_name = "FIELD", help_heading = "Documents"))]
    pub label_field: Option<String>,
    /// The id's column or JSON field, by name or number from 1 [default: no ids; for files their paths]
    #[cfg_attr(feature = "cli", arg(long, value_name = "FIELD", help_heading = "Documents"))]
    pub id_field: Option<String>,
    /// The first row of each TSV or CSV file names its columns; so it does if any field is given by name
    #[cfg_attr(feature = "cli", arg(long, help_heading = "Documents"))]
    pub header: bool,
    /// Invalid UTF-8 is an error; without this it is replaced by U+FFFD and counted
    #[cfg_attr(feature = "cli", arg(long, help_heading = "Documents"))]
    pub strict: bool,
    /// Leave out rows and objects without the text (or label, id) that they are to have, and tell how many, rather than
    /// stop at the first
    #[cfg_attr(feature = "cli", arg(long, help_heading = "Documents"))]
    pub lenient: bool,
}

/// What one document is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum DocumentFormat {
    /// By extension: .tsv, .csv, .jsonl and .ndjson, before .gz and the like; else lines
    #[default]
    Auto,
    /// One document per line
    Lines,
    /// One per line, columns separated by tabs, no quoting
    Tsv,
    /// One per row, columns separated by commas, quoted where needed
    Csv,
    /// One JSON object per line
    Jsonl,
    /// One document per file; its lines are sentences, its path is its id
    Files,
}

/// A document, its id and its label as far as the input has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document<'a> {
    /// The whole text, its lines separated by line ends.
    pub text: &'a str,
    /// Its id.
    pub id: Option<&'a str>,
    /// Its label.
    pub label: Option<&'a str>,
}

/// Files to read documents from.
#[derive(Debug, Clone)]
pub struct Corpus {
    sources: Vec<Source>,
    options: DocumentOptions,
    hidden_files: u64,
}

impl Corpus {
    /// Finds the files that the inputs name: files, folders (with all they hold, except hidden files), patterns
    /// (`*.txt`), and `-` for stdin, which is copied to a temporary file.
    ///
    /// Files are compressed or not; `.gz`, `.zst`, `.bz2` and `.xz` are told by their first bytes.
    pub fn open(inputs: &[PathBuf], options: &DocumentOptions) -> Result<Self> {
        let found = inputs::Inputs::find(inputs, options)?;
        let corpus = Self { sources: found.sources, options: options.clone(), hidden_files: found.hidden_files };
        let fields = [
            ("--text-field", options.text_field.is_some()),
            ("--label-field", options.label_field.is_some()),
            ("--id-field", options.id_field.is_some()),
        ];
        let has = |formats: &[DocumentFormat]| corpus.sources.iter().any(|source| formats.contains(&source.format));
        let tables = has(&[DocumentFormat::Tsv, DocumentFormat::Csv]);
        for (option, _) in fields.into_iter().filter(|(_, given)| *given) {
            if !tables && !has(&[DocumentFormat::Jsonl]) {
                return Err(Error::config(option, "the input has no fields; add --format tsv, csv or jsonl"));
            }
        }
        if options.header && !tables {
            return Err(Error::config("--header", "the input has no columns; add --format tsv or csv"));
        }
        if options.lenient && !tables && !has(&[DocumentFormat::Jsonl]) {
            let reason = "the input has no fields that could be missing; add --format tsv, csv or jsonl";
            return Err(Error::config("--lenient", reason));
        }
        Ok(corpus)
    }

    /// The size of all files on disk.
    pub fn bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.bytes).sum()
    }

    /// The files in the order in which they are read.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// How documents are found in them.
    pub fn options(&self) -> &DocumentOptions {
        &self.options
    }

    /// Files and folders that were skipped because their names begin with a dot.
    pub fn hidden_files(&self) -> u64 {
        self.hidden_files
    }

    /// Do documents have ids of their own?
    pub fn has_ids(&self) -> bool {
        self.options.id_field.is_some() || self.sources.iter().any(|source| source.format == DocumentFormat::Files)
    }

    /// Do documents have labels?
    pub fn has_labels(&self) -> bool {
        self.options.label_field.is_some()
    }

    /// What messages about the whole corpus call it.
    pub fn name(&self) -> String {
        match &self.sources[..] {
            [one] => one.name.display().to_string(),
            [first, rest @ ..] => format!("{} and {} more files", first.name.display(), rest.len()),
            [] => "no input".into(),
        }
    }

    /// Hands out the corpus in pieces, in order.
    pub fn chunks(&self) -> Chunks<'_> {
        Chunks::new(self)
    }

    /// Gives every document in order, empty ones as well, and tells what was left out.
    pub fn documents(&self, mut each: impl FnMut(Document<'_>) -> Result<()>) -> Result<Omitted> {
        let mut chunks = self.chunks();
        let (mut whole, mut omitted) = (String::new(), Omitted::default());
        while let Some(chunk) = chunks.next_chunk()? {
            let (text, _) = chunk.decoded(self.options.strict)?;
            let of_chunk = chunk.texts(&text, |part| {
                whole.push_str(part.text);
                match part.end {
                    End::Nothing => {}
                    End::Sentence => whole.push('\n'),
                    End::Document => {
                        each(Document { text: &whole, id: part.id, label: part.label })?;
                        whole.clear();
                    }
                }
                Ok(())
            })?;
            omitted.append(of_chunk);
        }
        Ok(omitted)
    }
}

impl Corpus {
    /// Gives every line of every file in order, with the file's name and the line's number from 1, whatever the format.
    pub fn lines(&self, mut each: impl FnMut(&Path, u64, &str) -> Result<()>) -> Result<()> {
        let mut sources = self.sources.clone();
        sources.iter_mut().for_each(|source| source.format = DocumentFormat::Lines);
        let lines = Self { sources, options: DocumentOptions::default(), hidden_files: self.hidden_files };
        let mut chunks = lines.chunks();
        let (mut whole, mut number) = (String::new(), 0);
        while let Some(chunk) = chunks.next_chunk()? {
            let (text, _) = chunk.decoded(self.options.strict)?;
            // Lines are never at fault.
            let _ = chunk.texts(&text, |part| {
                whole.push_str(part.text);
                if part.end != End::Nothing {
                    number += 1;
                    each(&chunk.name, number, whole.strip_suffix('\r').unwrap_or(&whole))?;
                    whole.clear();
                }
                Ok(())
            })?;
            number *= u64::from(!chunk.last);
        }
        Ok(())
    }
}

impl Chunk {
    /// Its text, and how many invalid sequences were replaced in it; refuses binary files.
    pub fn decoded(&self, strict: bool) -> Result<(Cow<'_, str>, u64)> {
        let bytes = self.bytes();
        if let Some(at) = memchr::memchr(0, bytes) {
            return Err(Error::byte(
                &self.name,
                self.offset + at as u64,
                "a NUL byte: this is a binary file (or UTF-16), expected text in UTF-8",
            ));
        }
        if let Ok(text) = simdutf8::basic::from_utf8(bytes) {
            return Ok((Cow::Borrowed(text), 0));
        }
        if strict {
            let at = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), |text| text.len());
            return Err(Error::byte(
                &self.name,
                self.offset + at as u64,
                "invalid UTF-8; mend the file, or leave out --strict to have it replaced",
            ));
        }
        let invalid = bytes.utf8_chunks().filter(|part| !part.invalid().is_empty()).count();
        Ok((String::from_utf8_lossy(bytes), invalid as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_in_each_file() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in [("a.csv", "x,y\n1,\"2\n\n"), ("b.txt", "one\r\ntwo"), ("c.txt", "")] {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        let mut found = Vec::new();
        Corpus::open(&[folder.path().into()], &DocumentOptions::default())?.lines(|path, number, line| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push(format!("{name} {number} {line}"));
            Ok(())
        })?;
        assert_eq!(found, ["a.csv 1 x,y", "a.csv 2 1,\"2", "a.csv 3 ", "b.txt 1 one", "b.txt 2 two"]);
        Ok(())
    }
}
