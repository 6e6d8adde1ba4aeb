//! A corpus in pieces of about a mebibyte, cut where no document, or at least no word, is split.
//!
//! Where a cut falls depends on the file's unpacked bytes alone, so that every result does: not on the number of
//! threads, not on whether the file is compressed. A cut comes after the last end of a record in the piece. Where the
//! piece holds none, lines and whole files are cut before the last white space; rows of a table are not cut and the
//! piece grows until the row ends, up to a gibibyte: more is taken for damage, such as a quote that nothing closes.

use std::path::PathBuf;
use std::sync::Arc;

use memchr::{memchr_iter, memrchr};

use super::records::Columns;
use super::{Corpus, DocumentFormat, Source};
use crate::error::{Error, Result};
use crate::io::MappedFile;
use crate::io::compression::{Compression, Decoder};
use crate::io::quotes::QuotedRows;

/// The length of a piece in bytes, if it can be cut there.
const LENGTH: usize = 1 << 20;
/// The longest piece in bytes. One that cannot be cut is held in memory, once for each thread.
const LONGEST: usize = 1 << 30;

enum Bytes {
    Mapped(MappedFile, std::ops::Range<usize>),
    Owned(Vec<u8>),
}

/// A piece of a source.
pub struct Chunk {
    bytes: Bytes,
    /// The source's name.
    pub(super) name: PathBuf,
    pub(super) format: DocumentFormat,
    /// Where it starts among the source's unpacked bytes.
    pub(super) offset: u64,
    /// Line ends of the source before it; of a mapped one they may be counted when something is wrong.
    lines_before: Option<u64>,
    /// Does it go on with a document that the piece before began?
    pub continues: bool,
    /// Is it the source's last?
    pub(super) last: bool,
    pub(super) columns: Arc<Columns>,
    /// Are records at fault left out?
    pub(super) is_lenient: bool,
}

impl Chunk {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(file, range) => &file.bytes()[range.clone()],
            Bytes::Owned(bytes) => bytes,
        }
    }

    /// The number, from 1, of the source's line in which it starts.
    pub(super) fn line(&self) -> u64 {
        1 + match (self.lines_before, &self.bytes) {
            (None, Bytes::Mapped(file, range)) => line_ends(&file.bytes()[..range.start]),
            (lines, _) => lines.unwrap_or_default(),
        }
    }
}

enum Reader {
    Mapped { file: MappedFile, at: usize },
    Packed { decoder: Decoder, ahead: Vec<u8>, ended: bool },
}

struct Open {
    reader: Reader,
    offset: u64,
    /// Counted if they cannot be seen again, or if many records may be at fault: all who read wait for it.
    lines_before: Option<u64>,
    continues: bool,
    first: bool,
    columns: Arc<Columns>,
}

/// Hands out a corpus piece by piece, in order.
pub struct Chunks<'a> {
    corpus: &'a Corpus,
    next: usize,
    open: Option<Open>,
    /// Bytes on disk of the sources that are done.
    done: u64,
    length: usize,
    longest: usize,
}

impl<'a> Chunks<'a> {
    pub(super) fn new(corpus: &'a Corpus) -> Self {
        Self { corpus, next: 0, open: None, done: 0, length: LENGTH, longest: LONGEST }
    }

    /// Bytes on disk that were handed out, of [`Corpus::bytes`]; those of a compressed source count at its end.
    pub fn begun(&self) -> u64 {
        match &self.open {
            Some(Open { reader: Reader::Mapped { at, .. }, .. }) => self.done + *at as u64,
            _ => self.done,
        }
    }

    fn close(&mut self) {
        self.open = None;
        self.done += self.corpus.sources()[self.next - 1].bytes;
    }

    /// The next piece; `None` at the end.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        loop {
            if self.open.is_none() {
                let Some(source) = self.corpus.sources().get(self.next) else { return Ok(None) };
                self.next += 1;
                let columns = Columns::numbered(self.corpus.options(), source.format);
                self.open = Some(Open::new(source.map()?, columns, self.corpus.options().lenient)?);
            }
            let source = &self.corpus.sources()[self.next - 1];
            if let Some(open) = &mut self.open {
                match open.piece(source, self.length, self.longest)? {
                    Some((bytes, cut)) => {
                        let mut chunk = Chunk {
                            bytes,
                            name: source.name.clone(),
                            format: source.format,
                            offset: open.offset,
                            lines_before: open.lines_before,
                            continues: open.continues,
                            last: cut.last,
                            columns: open.columns.clone(),
                            is_lenient: self.corpus.options().lenient,
                        };
                        open.offset += chunk.bytes().len() as u64;
                        open.lines_before = open.lines_before.map(|lines| lines + line_ends(chunk.bytes()));
                        open.continues = !cut.ends_document && !cut.last;
                        if std::mem::take(&mut open.first) {
                            skip_mark(&mut chunk)?;
                            if let Some(columns) = Columns::named(self.corpus.options(), &mut chunk)? {
                                open.columns = Arc::new(columns);
                                chunk.columns = open.columns.clone();
                            }
                        }
                        if cut.last {
                            self.close();
                        }
                        return Ok(Some(chunk));
                    }
                    None => self.close(),
                }
            }
        }
    }
}

impl Open {
    fn new(file: MappedFile, columns: Columns, is_lenient: bool) -> Result<Self> {
        let reader = match Compression::detect(file.bytes()) {
            None => {
                file.advise_sequential();
                Reader::Mapped { file, at: 0 }
            }
            Some(kind) => {
                let decoder = Decoder::new(file.clone(), file.path(), kind)?;
                Reader::Packed { decoder, ahead: Vec::new(), ended: false }
            }
        };
        let lines_before = (is_lenient || matches!(reader, Reader::Packed { .. })).then_some(0);
        Ok(Self { reader, offset: 0, lines_before, continues: false, first: true, columns: Arc::new(columns) })
    }

    fn piece(&mut self, source: &Source, length: usize, longest: usize) -> Result<Option<(Bytes, Cut)>> {
        let (format, offset, is_first) = (source.format, self.offset, self.first);
        let cut = |seen: &[u8], last| {
            // Quotes open a field behind the mark, too.
            let mark = if is_first { mark(seen) } else { 0 };
            cut(&seen[mark..], format, last).map(|cut| Cut { at: mark + cut.at, ..cut })
        };
        let more = |want: usize| {
            if want < longest { Ok(longest.min(want * 2)) } else { Err(too_long(source, offset, longest)) }
        };
        match &mut self.reader {
            Reader::Mapped { file, at } => {
                let rest = &file.bytes()[*at..];
                if rest.is_empty() {
                    return Ok(None);
                }
                let mut want = length;
                loop {
                    let seen = &rest[..want.min(rest.len())];
                    if let Some(cut) = cut(seen, seen.len() == rest.len()) {
                        let range = *at..*at + cut.at;
                        *at += cut.at;
                        return Ok(Some((Bytes::Mapped(file.clone(), range), cut)));
                    }
                    want = more(want)?;
                }
            }
            Reader::Packed { decoder, ahead, ended } => {
                let mut want = length;
                loop {
                    // One byte more than wanted tells whether the end has come, as a mapped file knows at once.
                    while !*ended && ahead.len() <= want {
                        let missing = want + 1 - ahead.len();
                        *ended = decoder.read(missing, ahead)? < missing;
                    }
                    if ahead.is_empty() {
                        return Ok(None);
                    }
                    let seen = &ahead[..want.min(ahead.len())];
                    if let Some(cut) = cut(seen, *ended && seen.len() == ahead.len()) {
                        let rest = ahead.split_off(cut.at);
                        return Ok(Some((Bytes::Owned(std::mem::replace(ahead, rest)), cut)));
                    }
                    want = more(want)?;
                }
            }
        }
    }
}

fn too_long(source: &Source, offset: u64, longest: usize) -> Error {
    let what = match source.format {
        DocumentFormat::Csv => "a row",
        DocumentFormat::Tsv | DocumentFormat::Jsonl => "a line",
        _ => "a line without white space",
    };
    let longest = if longest == LONGEST { "1 GiB".into() } else { format!("{longest} bytes") };
    let remedy = match source.format {
        DocumentFormat::Csv => "; close the quote that is open, or break the row",
        _ => "; is this text? break the line",
    };
    Error::byte(&source.name, offset, format!("{what} of more than {longest}{remedy}"))
}

/// Where a piece ends.
struct Cut {
    at: usize,
    /// Does a document end there?
    ends_document: bool,
    last: bool,
}

/// Finds the cut in what is seen of a source; `None` if more must be seen.
fn cut(seen: &[u8], format: DocumentFormat, last: bool) -> Option<Cut> {
    if last {
        return Some(Cut { at: seen.len(), ends_document: true, last });
    }
    let line = match format {
        DocumentFormat::Csv => QuotedRows::of(seen).end,
        _ => memrchr(b'\n', seen).map(|at| at + 1),
    };
    if let Some(at) = line {
        return Some(Cut { at, ends_document: format != DocumentFormat::Files, last });
    }
    if matches!(format, DocumentFormat::Lines | DocumentFormat::Files | DocumentFormat::Auto) {
        // Before the white space, which tokenizers may take as the start of the word that follows.
        let at = seen.iter().rposition(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).filter(|&at| at > 0)?;
        return Some(Cut { at, ends_document: false, last });
    }
    None
}

/// How many lines end in a text.
pub(super) fn line_ends(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}

/// Skips the mark that some programs put before UTF-8, and refuses UTF-16.
fn skip_mark(chunk: &mut Chunk) -> Result<()> {
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = chunk.bytes() {
        return Err(Error::byte(&chunk.name, 0, "text in UTF-16, expected UTF-8; convert it, for instance with iconv"));
    }
    chunk.skip(mark(chunk.bytes()));
    Ok(())
}

/// The length of the mark before UTF-8, if there is one.
fn mark(bytes: &[u8]) -> usize {
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) { 3 } else { 0 }
}

impl Chunk {
    /// Leaves out bytes at the front.
    pub(super) fn skip(&mut self, count: usize) {
        self.offset += count as u64;
        self.lines_before = self.lines_before.map(|lines| lines + line_ends(&self.bytes()[..count]));
        match &mut self.bytes {
            Bytes::Mapped(_, range) => range.start += count,
            Bytes::Owned(bytes) => drop(bytes.drain(..count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(text: &[u8], format: DocumentFormat, length: usize) -> Vec<String> {
        let mut all = Vec::new();
        let mut at = 0;
        let mut want = length;
        while at < text.len() {
            let seen = &text[at..text.len().min(at + want)];
            match cut(seen, format, at + seen.len() == text.len()) {
                Some(cut) => {
                    all.push(String::from_utf8_lossy(&seen[..cut.at]).into_owned());
                    at += cut.at;
                    want = length;
                }
                None => want *= 2,
            }
        }
        all
    }

    #[test]
    fn cuts_fall_between_lines_then_between_words() {
        assert_eq!(cuts(b"a b\nc d\ne", DocumentFormat::Lines, 6), ["a b\n", "c d\ne"]);
        assert_eq!(cuts(b"aa bb cc dd", DocumentFormat::Lines, 5), ["aa", " bb", " cc", " dd"]);
        assert_eq!(
            cuts(b"abcdefghijkl mn op qr st", DocumentFormat::Lines, 4),
            ["abcdefghijkl mn", " op", " qr", " st"]
        );
        assert_eq!(cuts(b"ab cd ef\nx\ny\nzzzzzz", DocumentFormat::Tsv, 4), ["ab cd ef\nx\ny\n", "zzzzzz"]);
    }

    #[test]
    fn rows_with_quoted_line_ends_stay_whole() {
        assert_eq!(cuts(b"1,\"a\n\"\"b\"\n2,x\n3,y", DocumentFormat::Csv, 8), ["1,\"a\n\"\"b\"\n2,x\n", "3,y"]);
        assert_eq!(cuts(b"1,5\" disk\n2,x\n3,y\n", DocumentFormat::Csv, 11), ["1,5\" disk\n", "2,x\n3,y\n"]);
        // A quote that is open where the sight ends leaves the rows before it.
        let rows = b"1,\"a\"\n2,\"bbbbbbbb\"\n";
        assert_eq!(cuts(rows, DocumentFormat::Csv, 10), ["1,\"a\"\n", "2,\"bbbbbbbb\"\n"]);
    }

    fn corpus(files: &[(&str, &[u8])]) -> Result<(tempfile::TempDir, Corpus)> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
        for (path, (_, bytes)) in paths.iter().zip(files) {
            std::fs::write(path, bytes).expect("written");
        }
        let corpus = Corpus::open(&paths, &Default::default())?;
        Ok((folder, corpus))
    }

    #[test]
    fn pieces_that_never_end_are_refused_with_their_place() -> Result<()> {
        let long = "x".repeat(100);
        let packed = zstd::encode_all(format!("a b\n{long}\n").as_bytes(), 1).expect("memory");
        let files: [(&str, &[u8], &str); 4] = [
            ("a.txt", &format!("a b\n{long} c").into_bytes(), "byte 4: a line without white space of more than 40"),
            ("b.zst", &packed, "byte 4: a line without white space of more than 40"),
            ("c.csv", &format!("a,b\nc,\"{long} {long}").into_bytes(), "byte 4: a row of more than 40"),
            ("d.jsonl", &format!("{{}}\n{{\"text\": \"{long}\"}}\n").into_bytes(), "byte 3: a line of more than 40"),
        ];
        for (name, bytes, expected) in files {
            let (_folder, corpus) = corpus(&[(name, bytes)])?;
            let mut chunks = Chunks { length: 5, longest: 40, ..corpus.chunks() };
            let error = loop {
                match chunks.next_chunk() {
                    Ok(chunk) => assert!(chunk.is_some(), "{name}: an error is due"),
                    Err(error) => break error.to_string(),
                }
            };
            assert!(error.contains(expected) && error.contains(name), "{error}");
        }
        Ok(())
    }

    #[test]
    fn bytes_handed_out_add_up_to_all() -> Result<()> {
        let packed = zstd::encode_all(&b"c\n"[..], 1).expect("memory");
        let (_folder, corpus) = corpus(&[("a", b"a\nb\n"), ("b", b""), ("c.zst", &packed), ("d", b"dd\n")])?;
        let mut chunks = Chunks { length: 2, ..corpus.chunks() };
        let mut seen = vec![chunks.begun()];
        while chunks.next_chunk()?.is_some() {
            seen.push(chunks.begun());
        }
        let packed = packed.len() as u64;
        assert_eq!(seen, [0, 2, 4, 4 + packed, 7 + packed]);
        assert_eq!(chunks.begun(), corpus.bytes());
        Ok(())
    }
}
