//! Comma-separated values with a header, for pandas, Polars, DuckDB and spreadsheets (RFC 4180).
//!
//! Columns: `word` (`key` if there are labels or texts), `count`, `label` and `text` if known, then the numbers, `v0` to
//! `v{dim - 1}`. Fields with a comma, quote or line break stand in quotes, so that keys may hold anything. Of other
//! programs' files the columns are found by name, else the first is the key; a table without a header is read too.

use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::rows::{self, Columns, Row, Rows};
use super::{Candidate, Care, Dtype, Format, care, checks, numbers, text};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::AtomicFile;
use crate::io::quotes::{OPEN_QUOTE, QuotedRows};

/// So much of a file is looked at to tell what it is.
const LOOKED_AT: usize = 4 << 20;
/// What pandas and others call the column of row numbers.
const INDEX: [&str; 4] = ["", "unnamed: 0", "index", "id"];

/// Comma-separated values.
pub struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "comma-separated values with a header (word, count, v0, v1, ...), for pandas and spreadsheets"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn cannot_hold(&self) -> &'static str {
        "metadata, vectors of n-grams"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        checks::dropped(embeddings, rows::KEEPS)
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        let mut file = AtomicFile::create(path)?;
        let mut header = vec![rows::key_name(embeddings).to_owned()];
        let beside = [
            ("count", embeddings.counts().is_some()),
            ("label", embeddings.labels().is_some()),
            ("text", embeddings.texts().is_some()),
        ];
        header.extend(beside.iter().filter(|column| column.1).map(|column| column.0.to_owned()));
        header.extend((0..embeddings.dim()).map(|column| format!("v{column}")));
        file.write((header.join(",") + "\n").as_bytes())?;
        let before = |row: usize, text: &mut Vec<u8>| {
            quote(embeddings.keys().get(row), text);
            if let Some(counts) = embeddings.counts() {
                text.extend_from_slice(counts[row].to_string().as_bytes());
                text.push(b',');
            }
            for strings in [embeddings.labels(), embeddings.texts()].into_iter().flatten() {
                quote(strings.get(row), text);
            }
        };
        text::write_lines(&mut file, embeddings.vectors(), b',', before, |_, _| ())?;
        file.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let file = candidate.file()?;
        file.advise_sequential();
        let path = file.path();
        let mut reader = records(file.bytes());
        let (mut first, mut record) = (ByteRecord::new(), ByteRecord::new());
        next(&mut reader, &mut first);
        let mut any = next(&mut reader, &mut record);
        let Some(table) = Table::of(&first, any.then_some(&record)) else {
            let found = checks::excerpt(text::line_at(file.bytes(), 0));
            let reason = format!("found {found}, expected a header such as word,count,v0,v1 and rows of numbers");
            return Err(Error::line(path, 1, reason));
        };
        let mut rows = Rows::new(path, care, Some(table.numbers.len()), false);
        rows.warnings.extend(table.warning.clone());
        rows.has_counts = table.columns.count.is_some();
        if !table.has_header {
            table.add(&first, 1, &mut rows)?;
        }
        let text = file.bytes().strip_prefix(text::BOM).unwrap_or(file.bytes());
        if !any {
            no_open_quote(path, text, first.position())?;
        }
        while any {
            // Only the last row can be open.
            if reader.position().byte() as usize == text.len() {
                no_open_quote(path, text, record.position())?;
            }
            let line = record.position().map_or(0, csv::Position::line);
            table.add(&record, line, &mut rows)?;
            any = next(&mut reader, &mut record);
        }
        Ok(rows.finish()?.expect("the header tells how many numbers a row has"))
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        let Some(bytes) = candidate.bytes() else { return false };
        // Binary formats have been asked before; a zero in the first line is none of text.
        if text::line_at(bytes, 0).contains(&0) {
            return false;
        }
        let mut reader = records(&bytes[..bytes.len().min(LOOKED_AT)]);
        let (mut first, mut second) = (ByteRecord::new(), ByteRecord::new());
        next(&mut reader, &mut first);
        let any = next(&mut reader, &mut second);
        Table::of(&first, any.then_some(&second)).is_some()
    }
}

fn records(bytes: &[u8]) -> Reader<&[u8]> {
    let bytes = bytes.strip_prefix(text::BOM).unwrap_or(bytes);
    ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes)
}

/// Refuses a row, at the end of a text, that holds all of its rest in one field.
fn no_open_quote(path: &Path, text: &[u8], row: Option<&csv::Position>) -> Result<()> {
    let start = row.map_or(0, |row| row.byte() as usize);
    match QuotedRows::of(&text[start..]).open {
        None => Ok(()),
        Some(open) => {
            let before = memchr::memchr_iter(b'\n', &text[..start + open]).count() as u64;
            Err(Error::line(path, before + 1, OPEN_QUOTE))
        }
    }
}

/// Reads on; `false` at the end.
fn next(reader: &mut Reader<&[u8]>, record: &mut ByteRecord) -> bool {
    reader.read_byte_record(record).expect("bytes in memory, of records as long as they like")
}

/// Appends a field and a comma, in quotes where it must be.
fn quote(field: &str, text: &mut Vec<u8>) {
    if field.is_empty() || field.contains([',', '"', '\n', '\r']) {
        text.push(b'"');
        text.extend_from_slice(field.replace('"', "\"\"").as_bytes());
        text.push(b'"');
    } else {
        text.extend_from_slice(field.as_bytes());
    }
    text.push(b',');
}

/// What a table's columns are.
struct Table {
    columns: Columns,
    key: usize,
    numbers: Vec<usize>,
    /// How many fields a row has.
    fields: usize,
    has_header: bool,
    warning: Option<String>,
}

impl Table {
    /// Tells from the first two rows; `None` if these are no vectors.
    fn of(first: &ByteRecord, second: Option<&ByteRecord>) -> Option<Self> {
        let fields = first.len();
        if fields < 2 {
            return None;
        }
        let is_number = |field: &[u8]| text::number(field.trim_ascii()).is_some();
        let names: Vec<_> = first.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
        let mut columns = Columns::named(&names);
        // The names of columns may be numbers, as pandas has them: 0, 1, 2.
        let counts_up = |from: usize| (from..).zip(&names[1..]).all(|(at, name)| name.trim() == at.to_string());
        let is_numeric = first.iter().skip(1).all(is_number);
        let is_index = |column: usize| INDEX.contains(&names[column].trim().to_ascii_lowercase().as_str());
        let is_named = columns.key == Some(0) || is_index(0);
        // Whatever the first is called, but there must be rows to be the header of, and a row's one or two numbers may
        // be 0 and 1 by chance.
        let is_guessed = !is_named && !is_number(&first[0]) && second.is_some() && fields > 3 && counts_up(0);
        let has_header = !is_numeric || is_guessed || is_named && (counts_up(0) || counts_up(1));
        if second.is_some_and(|second| second.len() != fields && !has_header) {
            return None;
        }
        if !has_header {
            let numbers = (1..fields).collect();
            let columns = Columns::default();
            // A line of two numbers may be anything.
            let is_keyed = !is_number(&first[0]) || fields > 2;
            return is_keyed.then_some(Self { columns, key: 0, numbers, fields, has_header, warning: None });
        }
        let key = columns.key.or_else(|| (is_index(0) || is_guessed).then_some(0))?;
        columns.key = Some(key);
        let rest: Vec<usize> = (0..fields).filter(|&at| !columns.has(at) && !is_index(at)).collect();
        let counted = |&at: &usize| names[at].ends_with(|last: char| last.is_ascii_digit());
        let mut numbers: Vec<usize> = rest.iter().copied().filter(counted).collect();
        if numbers.is_empty() {
            let is_numeric = |&at: &usize| second.is_none_or(|row| row.get(at).is_some_and(is_number));
            numbers = rest.into_iter().filter(is_numeric).collect();
        }
        if numbers.is_empty() || second.is_some_and(|row| !row.iter().any(is_number)) {
            return None;
        }
        let out: Vec<_> = (0..fields)
            .filter(|&at| !columns.has(at) && !numbers.contains(&at) && !names[at].is_empty())
            .map(|at| names[at].as_str())
            .take(8)
            .collect();
        let mut warning = (!out.is_empty()).then(|| format!("columns were left out: {}", out.join(", ")));
        if is_guessed {
            let found = format!("the first line ({:?} and numbers that count up from 0)", names[0]);
            let remedy = "if it is a row, put a header such as word,v0,v1 before it";
            warning = Some(format!("{found} was taken for a header; {remedy}"));
        }
        Some(Self { columns, key, numbers, fields, has_header, warning })
    }

    /// Adds a row.
    fn add(&self, record: &ByteRecord, line: u64, rows: &mut Rows) -> Result<()> {
        rows.add(line, |vectors| {
            if record.len() != self.fields {
                return Err((care::FIELDS, format!("found {} fields, expected {}", record.len(), self.fields)));
            }
            for (at, &column) in self.numbers.iter().enumerate() {
                let field = record[column].trim_ascii();
                let number = text::number(field).ok_or_else(|| {
                    let found = checks::excerpt(field);
                    (care::FIELDS, format!("found {found} in column {}, expected number {}", column + 1, at + 1))
                })?;
                vectors.push(number);
            }
            let count = self.columns.count.map(|column| &record[column]).filter(|field| !field.is_empty());
            let count = count.map(|field| {
                let count = std::str::from_utf8(field).ok().and_then(|field| field.trim().parse().ok());
                let found = || format!("found the count {}, expected a whole number", checks::excerpt(field));
                count.ok_or_else(|| (care::FIELDS, found()))
            });
            let field = |column: Option<usize>| column.map(|column| &record[column]);
            Ok(Row {
                key: &record[self.key],
                count: count.transpose()?,
                label: field(self.columns.label),
                text: field(self.columns.text),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, fault, same, scratch};
    use crate::format::{self, detect};

    #[test]
    fn keys_may_hold_anything() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        let words = embeddings(&["a,b", "say \"no\"", "two\nlines", "", " blank ", "5", "\u{feff}", "a\r\n"], 3);
        Csv.write(&words, &path)?;
        assert_eq!(detect(&path)?.name(), "csv");
        same(&words, &format::read(&path)?, true);
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.starts_with("word,count,v0,v1,v2\n\"a,b\",7,-0.8333333,"), "{text}");
        Ok(())
    }

    #[test]
    fn tables_of_others_are_read() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        for (text, dim) in [
            ("word,0,1\na,1,2\nb,3,4\n", 2),
            (",0,1\na,1,2\nb,3,4\n", 2),
            ("\u{feff}Token,x,y\r\na,1,2\r\nb,3,4\r\n", 2),
            (",word,dim_0,dim_1\n0,a,1,2\n1,b,3,4", 2),
            ("a,1,2\nb,3,4\n", 2),
            ("id,part,text,v1,v2\n7,x,a,1,2\n8,y,b,3,4\n", 2),
        ] {
            std::fs::write(&path, text).expect("a file");
            let read = format::read(&path)?;
            assert_eq!(read.keys().iter().collect::<Vec<_>>(), ["a", "b"], "{text}");
            assert_eq!((read.dim(), read.row("b")), (dim, Some(&[3.0, 4.0][..])), "{text}");
            assert_eq!(read.warnings.len(), usize::from(text.contains("part")), "{text} {:?}", read.warnings);
        }
        for text in ["Once upon a time, there was\nanother\n", "a,b\nc,d\n", "1,2\n3,4\n", "a 1 2\nb 3 4\n", "x\n"] {
            std::fs::write(&path, text).expect("a file");
            assert!(!Csv.recognizes(&Candidate::open(&path)?), "{text}");
        }
        Ok(())
    }

    #[test]
    fn a_header_of_numbers_counts_up() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        for (text, keys, warnings) in [
            ("lemma,0,1,2\nking,0.5,0.25,1\n", &["king"][..], 1),
            ("king,0\nqueen,1\n", &["king", "queen"], 0),
            ("king,0,1\nqueen,1,0\n", &["king", "queen"], 0),
            ("name,0,1\nking,0.5,0.25\n", &["king"], 0),
            ("name,1,2\nking,0.5,0.25\n", &["king"], 0),
            ("name,0.5,0.25\nking,1,2\n", &["name", "king"], 0),
            ("word,7,2\nking,1,2\n", &["word", "king"], 0),
            ("lemma,1,2\nking,1,2\n", &["lemma", "king"], 0),
            ("5,0,1\n6,1,0\n", &["5", "6"], 0),
            ("lemma,0,1\n", &["lemma"], 0),
        ] {
            std::fs::write(&path, text).expect("a file");
            let read = format::read(&path)?;
            let dim = text.lines().next().map_or(0, |line| line.matches(',').count());
            assert_eq!((read.keys().iter().collect::<Vec<_>>(), read.dim()), (keys.to_vec(), dim), "{text}");
            assert_eq!(read.warnings.len(), warnings, "{text} {:?}", read.warnings);
        }
        Ok(())
    }

    #[test]
    fn labels_and_texts_that_are_not_utf8_are_told() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        std::fs::write(&path, b"key,label,text,v0\na,x,\xff,1\nb,caf\xe9,y,2\n").expect("a file");
        let read = format::read(&path)?;
        let [labels, texts] = read.warnings.as_slice() else { panic!("{:?}", read.warnings) };
        assert!(
            labels.starts_with("1 labels are not valid UTF-8") && labels.contains("\"caf\\\\xe9\", line 3"),
            "{labels}"
        );
        assert!(texts.starts_with("1 texts are not valid UTF-8") && texts.contains("line 2"), "{texts}");
        Ok(())
    }

    #[test]
    fn faults_name_the_line_and_lenient_leaves_the_row_out() -> Result<()> {
        for (text, message) in [
            ("word,v0,v1\na,1,2\nb,1\n", "line 3: found 2 fields, expected 3"),
            ("word,v0,v1\na,1,x\nb,1,2\n", "line 2: found \"x\" in column 3, expected number 2"),
            ("word,v0,v1\na,1,\n", "line 2: found \"\" in column 3"),
            ("word,count,v0\na,1.5,2\n", "line 2: found the count \"1.5\""),
            ("word,v0\na,1\n\"b\nc\",nan\n", "line 3: number 1 of the vector of \"b\\nc\" is NaN"),
            ("word,v0\na,1\na,2\n", "line 3: \"a\" stands here and on line 2"),
        ] {
            let found = fault(&Csv, text.as_bytes());
            assert!(found.contains(message) && found.contains("--lenient"), "{found} holds {message}");
            let folder = scratch();
            let path = folder.path().join("a");
            std::fs::write(&path, text).expect("a file");
            let read = Csv.read_as(&Candidate::open(&path)?, Care::Lenient)?;
            assert_eq!(read.len(), text.matches('\n').count() - 2 - usize::from(text.contains('"')), "{text}");
            assert!(read.warnings[0].contains("1 rows were left out") && read.warnings[0].contains(message));
        }
        assert!(fault(&Csv, b"a b c\n").contains("line 1: found \"a b c\", expected a header"));
        Ok(())
    }
}
