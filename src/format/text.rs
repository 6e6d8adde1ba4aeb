//! Rows of text, a key and its numbers on each line: read in parallel from the map, written in parallel batches.
//!
//! A line is read from the right: the last `dim` fields are the numbers, one blank stands before them, and all that
//! remains is the key, blanks included. Numbers are written with as few digits as give the same 32 bits again.

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

use super::Care;
use super::care::{self, Omitted};
use super::checks::{self, Place};
use super::numbers;
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::AtomicFile;
use crate::math::Matrix;
use crate::vocabulary::Keys;

/// A task's share of a file, rounded up to whole lines.
const BLOCK: usize = 1 << 20;
/// Numbers that one task writes at once: about a megabyte of text.
const BATCH: usize = 1 << 17;

/// Marks a file as UTF-8, as some editors do; no part of the text.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Where the rows of a file begin and how long they are.
pub(super) struct Layout {
    /// The byte at which the first row begins.
    pub start: usize,
    /// The number of its line, from 1.
    pub line: u64,
    /// Numbers in a row.
    pub dim: u64,
    /// Does a key stand before the numbers?
    pub keyed: bool,
    /// How many rows there must be, where a header tells.
    pub rows: Option<u64>,
    /// Are rows at fault errors?
    pub care: Care,
}

/// The rows of a file.
pub(super) struct Table {
    pub keys: Keys,
    pub vectors: Matrix,
    /// Which lines these are, counted from the first row's, if some were left out.
    pub kept: Option<Vec<usize>>,
    /// How many lines there are.
    pub lines: usize,
    pub omitted: Omitted,
    pub warnings: Vec<String>,
    /// The number of the first row's line.
    first: u64,
}

/// Blanks as they stand between fields.
const BLANKS: [char; 2] = [' ', '\t'];

impl Table {
    /// Takes the blanks off the ends of keys, for a format that cannot hold them.
    pub fn trim_keys(&mut self) {
        let is_loose = |&(_, key): &(usize, &str)| key.starts_with(BLANKS) || key.ends_with(BLANKS);
        let mut loose = self.keys.iter().enumerate().filter(is_loose);
        let Some((row, key)) = loose.next() else { return };
        let (count, line) = (1 + loose.count(), line_of(row, self.first, self.kept.as_deref()));
        self.warnings.push(format!(
            "{count} keys stand between blanks, which were taken off (the first is {key:?}, line {line})"
        ));
        self.keys = self.keys.iter().map(|key| key.trim_matches(BLANKS)).collect();
    }

    /// Keys and vectors, each key once.
    pub fn embeddings(self, path: &Path) -> Result<Embeddings> {
        let Self { keys, vectors, kept, omitted, warnings, first, .. } = self;
        let mut embeddings = Embeddings::new(keys, vectors, None)?;
        (embeddings.numbers, embeddings.warnings) = (numbers::TEXT, warnings);
        care::sound(path, embeddings, omitted, |row| Place::Line(line_of(row, first, kept.as_deref())))
    }
}

/// The number of a row's line: of lines from `first` on these are `kept`, or all.
fn line_of(row: usize, first: u64, kept: Option<&[usize]>) -> u64 {
    first + kept.map_or(row, |kept| kept[row]) as u64
}

/// What a task found in its block.
struct Block {
    keys: KeyList,
    /// The lines that became rows, if some may not have.
    kept: Vec<usize>,
    /// Keys that end in a number after a blank: how many, and the first.
    numeric: (u64, usize),
    omitted: Omitted,
}

/// Reads all rows.
pub(super) fn read(path: &Path, bytes: &[u8], layout: &Layout) -> Result<Table> {
    let body = layout.start..layout.start + trimmed(&bytes[layout.start..]).len();
    let blocks = blocks(bytes, body.clone());
    let least = layout.dim.saturating_mul(2).saturating_add(u64::from(layout.keyed));
    let is_lenient = layout.care == Care::Lenient;
    // All lines are rows, but of a file with faults only those that are long enough can be.
    let counted: Vec<(usize, usize)> = blocks
        .par_iter()
        .map(|block| {
            let block = &bytes[block.clone()];
            // The last line has lost its newline with the blanks at the end.
            let lines = memchr::memchr_iter(b'\n', block).count() + usize::from(!block.ends_with(b"\n"));
            let long = |line: &&[u8]| line.len() as u64 + 1 >= least;
            (lines, if is_lenient { split(block).filter(long).count() } else { lines })
        })
        .collect();
    let lines = counted.iter().map(|count| count.0).sum::<usize>();
    let mut warnings = Vec::new();
    if let Some(expected) = layout.rows.filter(|&expected| expected != lines as u64) {
        let reason = format!("the header says {expected} keys, the file holds {lines} rows");
        if !is_lenient {
            let remedy = "it is truncated or its header wrong: correct the header or write the file anew";
            return Err(Error::line(path, 1, format!("{reason}; {remedy}, or read it with firth convert --lenient")));
        }
        warnings.push(reason);
    }
    let rows = counted.iter().map(|count| count.1).sum::<usize>();
    let (rows, dim) = checks::shape(rows as u64, layout.dim, least, body.len() as u64 + 1).map_err(|reason| {
        // If the rows have too few bytes together, one of them has.
        let short = (layout.line..).zip(split(&bytes[body.clone()])).find(|(_, line)| (line.len() as u64) < least - 1);
        match short {
            Some((number, line)) => Error::line(path, number, explain(line, layout.dim, layout.keyed)),
            None => Error::line(path, 1, reason),
        }
    })?;

    let mut vectors = vec![0f32; rows * dim];
    let mut tasks = Vec::with_capacity(blocks.len());
    let (mut rest, mut first) = (vectors.as_mut_slice(), 0);
    for (block, (lines, rows)) in blocks.into_iter().zip(counted) {
        let (values, after) = rest.split_at_mut(rows * dim);
        tasks.push((block, first, values));
        (rest, first) = (after, first + lines);
    }
    let room: Vec<usize> = tasks.iter().map(|(.., values)| values.len() / dim).collect();
    let found: Vec<Result<Block>> = tasks
        .into_par_iter()
        .map(|(block, first, values)| read_block(path, &bytes[block], first, values, layout))
        .collect();

    let mut keys = KeyList::with_capacity(rows);
    let (mut numeric, mut kept, mut omitted) = ((0, 0), Vec::new(), Omitted::new(layout.care));
    let mut start = 0;
    for (block, room) in found.into_iter().zip(room) {
        let block = block?;
        let (before, here) = (keys.len(), block.keys.len());
        // Close the gaps that rows left.
        vectors.copy_within(start * dim..(start + here) * dim, before * dim);
        start += room;
        numeric = first_of(numeric, (block.numeric.0, before + block.numeric.1));
        keys.append(block.keys);
        kept.extend(block.kept);
        omitted.append(block.omitted);
    }
    vectors.truncate(keys.len() * dim);
    let kept = (keys.len() < lines).then_some(kept);
    let line = |row: usize| line_of(row, layout.line, kept.as_deref());
    let (keys, escaped) = keys.finish(|row| format!("line {}", line(row)));
    warnings.extend(escaped);
    if numeric.0 > 0 {
        warnings.push(format!(
            "{} keys end in a number after a blank (the first is {:?}, line {}); if they should not, \
             the dimension {dim} is too small or a row has too many numbers",
            numeric.0,
            keys.get(numeric.1),
            line(numeric.1)
        ));
    }
    let vectors = Matrix::from_vec(keys.len(), dim, vectors)?;
    Ok(Table { keys, vectors, kept, lines, omitted, warnings, first: layout.line })
}

/// Keys as they are read, one after another; bytes that are not UTF-8 are counted and written as `\xNN`.
pub(super) struct KeyList {
    text: String,
    ends: Vec<u64>,
    /// How many keys were not UTF-8, and the row of the first.
    escaped: (u64, usize),
}

impl KeyList {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self { text: String::new(), ends: Vec::with_capacity(rows), escaped: (0, 0) }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn push(&mut self, key: &[u8]) {
        let is_escaped = checks::push_key(&mut self.text, key);
        self.end(is_escaped);
    }

    /// Adds a key of Unicode's numbers, of which some may be no characters.
    pub(super) fn push_codes(&mut self, codes: impl Iterator<Item = u32>) {
        let mut is_escaped = false;
        for code in codes {
            if let Some(letter) = char::from_u32(code) {
                self.text.push(letter);
                continue;
            }
            is_escaped = true;
            match code {
                // What Python makes of a byte that is not UTF-8 (PEP 383).
                0xdc80..=0xdcff => self.text.push_str(&format!("\\x{:02x}", code & 0xff)),
                _ => code.to_be_bytes().iter().for_each(|byte| self.text.push_str(&format!("\\x{byte:02x}"))),
            }
        }
        self.end(is_escaped);
    }

    fn end(&mut self, is_escaped: bool) {
        if is_escaped {
            self.escaped = first_of(self.escaped, (1, self.ends.len()));
        }
        self.ends.push(self.text.len() as u64);
    }

    /// Adds the keys of a later part.
    fn append(&mut self, later: Self) {
        let (rows, offset) = (self.len(), self.text.len() as u64);
        self.escaped = first_of(self.escaped, (later.escaped.0, rows + later.escaped.1));
        self.text.push_str(&later.text);
        self.ends.extend(later.ends.iter().map(|end| end + offset));
    }

    /// The keys, and a warning if some were not UTF-8; `place` names a row: "line 3".
    pub(super) fn finish(self, place: impl Fn(usize) -> String) -> (Keys, Option<String>) {
        self.finish_as("keys", place)
    }

    /// [`KeyList::finish`], of labels or texts.
    pub(super) fn finish_as(self, what: &str, place: impl Fn(usize) -> String) -> (Keys, Option<String>) {
        let (count, first) = self.escaped;
        let keys = Keys::from_parts(self.text, self.ends).expect("each end was taken from the text");
        let warning = (count > 0).then(|| {
            format!(
                "{count} {what} are not valid UTF-8; the wrong bytes are written as \\xNN (the first is {:?}, {})",
                keys.get(first),
                place(first)
            )
        });
        (keys, warning)
    }
}

fn first_of(a: (u64, usize), b: (u64, usize)) -> (u64, usize) {
    (a.0 + b.0, if a.0 > 0 { a.1 } else { b.1 })
}

/// Without blanks and newlines at the end.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).map_or(0, |at| at + 1);
    &bytes[..end]
}

/// The line that begins at `start`, without its end.
pub(super) fn line_at(bytes: &[u8], start: usize) -> &[u8] {
    let rest = &bytes[start.min(bytes.len())..];
    &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())]
}

/// All lines without their ends, CRLF too; a newline at the very end begins no further line.
pub(super) fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    let mut lines: Vec<_> =
        bytes.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    lines.pop_if(|line| line.is_empty());
    lines
}

/// Lines one after another; one that is empty counts, but for that after the last newline.
pub(super) fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let line = (start < bytes.len()).then(|| line_at(bytes, start))?;
        start += line.len() + 1;
        Some(line)
    })
}

/// Cuts into parts of whole lines, each of about [`BLOCK`] bytes.
fn blocks(bytes: &[u8], body: Range<usize>) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut start = body.start;
    while start < body.end {
        let near = (start + BLOCK).min(body.end);
        let end = memchr::memchr(b'\n', &bytes[near..body.end]).map_or(body.end, |at| near + at + 1);
        blocks.push(start..end);
        start = end;
    }
    blocks
}

/// Reads the lines of a block, of which `first` are before it, into as many rows of `values` as fit.
fn read_block(path: &Path, bytes: &[u8], first: usize, values: &mut [f32], layout: &Layout) -> Result<Block> {
    let (dim, keyed) = (layout.dim as usize, layout.keyed);
    let rows = values.len() / dim;
    let mut found = Block {
        keys: KeyList::with_capacity(rows),
        kept: Vec::new(),
        numeric: (0, 0),
        omitted: Omitted::new(layout.care),
    };
    for (at, line) in (first..).zip(split(bytes)) {
        let row = found.keys.len();
        let place = Place::Line(layout.line + at as u64);
        // A line that is too short to be a row has no room.
        let values = values.get_mut(row * dim..(row + 1) * dim);
        let Some((key, values)) = values.and_then(|values| Some((read_row(line, values, keyed)?, values))) else {
            let kind = if trimmed(line).is_empty() { care::EMPTY } else { care::FIELDS };
            found.omitted.row(path, &place, kind, || explain(line, layout.dim, keyed))?;
            continue;
        };
        if let Some(column) = values.iter().position(|x| !x.is_finite()) {
            found.omitted.row(path, &place, care::NOT_FINITE, || {
                format!(
                    "number {} of the vector of {} is not a finite 32-bit number (NaN, infinite or too large); \
                     remove the row or mend it",
                    column + 1,
                    checks::excerpt(key)
                )
            })?;
            continue;
        }
        if keyed && has_numeric_end(key) {
            found.numeric = first_of(found.numeric, (1, row));
        }
        if found.omitted.is_lenient() {
            found.kept.push(at);
        }
        found.keys.push(key);
    }
    Ok(found)
}

/// Reads a line from the right into `values`; gives the key, or `None` if the line does not fit.
fn read_row<'a>(line: &'a [u8], values: &mut [f32], keyed: bool) -> Option<&'a [u8]> {
    let mut rest = trimmed(line);
    for (column, value) in values.iter_mut().enumerate().rev() {
        let start = rest.iter().rposition(is_blank).map_or(0, |at| at + 1);
        *value = number(&rest[start..])?;
        rest = match (column, keyed) {
            // Exactly one blank belongs to the format, more belong to the key.
            (0, true) => &rest[..start.checked_sub(1)?],
            _ => trimmed(&rest[..start]),
        };
    }
    (keyed || rest.is_empty()).then_some(rest)
}

pub(super) fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A decimal number, rounded to the nearest `f32`.
///
/// Up to 2²⁴ and 10¹⁰, digits and power of ten are exact, so that one division rounds correctly (Clinger, 1990);
/// the standard library does all other numbers.
pub(super) fn number(field: &[u8]) -> Option<f32> {
    const POWERS: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];
    let (negative, digits) = match field.first()? {
        b'-' => (true, &field[1..]),
        _ => (false, field),
    };
    if digits.len() <= 12 {
        let (mut mantissa, mut decimals, mut point, mut plain) = (0u64, 0usize, false, digits.len() > 1);
        for &byte in digits {
            match byte {
                b'0'..=b'9' => {
                    mantissa = mantissa * 10 + u64::from(byte - b'0');
                    decimals += usize::from(point);
                }
                b'.' if !point => point = true,
                _ => {
                    plain = false;
                    break;
                }
            }
        }
        if plain && mantissa <= 1 << 24 && decimals < POWERS.len() {
            let value = mantissa as f32 / POWERS[decimals];
            return Some(if negative { -value } else { value });
        }
    }
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// How many fields at the end of a line are numbers; with a key, its own field does not count.
pub(super) fn numbers_at_end(line: &[u8], keyed: bool) -> usize {
    let line = trimmed(line);
    let fields = line.rsplit(is_blank).filter(|field| !field.is_empty());
    let run = fields.take_while(|field| number(field).is_some()).count();
    let all = line.split(is_blank).filter(|field| !field.is_empty()).count();
    let has_empty_key = line.first().is_some_and(is_blank);
    if keyed && run == all && !has_empty_key { run.saturating_sub(1) } else { run }
}

/// The first lines, which tell how many numbers most rows have.
pub(super) const ASKED: usize = 100;

/// The numbers that most rows have after their keys, as the first of them show; what a header `said` (or 0) if any of
/// these agrees, or none ends in a number. Of two that are as frequent it is what comes first.
pub(super) fn usual_numbers(bytes: &[u8], said: u64) -> u64 {
    let counts = split(bytes).take(ASKED).map(|line| numbers_at_end(line, true) as u64);
    let found: Vec<u64> = counts.filter(|&count| count > 0).collect();
    if found.contains(&said) {
        return said;
    }
    let times = |count: u64| found.iter().filter(|&&other| other == count).count();
    // The last of the most frequent is taken, hence backwards.
    found.iter().copied().rev().max_by_key(|&count| times(count)).unwrap_or(said)
}

/// Does a key look as if a number of its vector had been left in it?
pub(super) fn has_numeric_end(key: &[u8]) -> bool {
    key.iter().rposition(is_blank).is_some_and(|at| number(&key[at + 1..]).is_some())
}

/// Why a line did not fit.
fn explain(line: &[u8], dim: u64, keyed: bool) -> String {
    let after = if keyed { " after the key" } else { "" };
    if trimmed(line).is_empty() {
        return format!("the line is empty, expected {dim} numbers{after}; remove it");
    }
    format!(
        "found {} numbers at the end of the line, expected {dim}{after}; it begins {}",
        numbers_at_end(line, keyed),
        checks::excerpt(line)
    )
}

/// Appends all rows, each after its key if there are keys.
pub(super) fn write(file: &mut AtomicFile, keys: Option<&Keys>, vectors: &Matrix, blank: u8) -> Result<()> {
    let before = |row: usize, text: &mut Vec<u8>| {
        if let Some(keys) = keys {
            text.extend_from_slice(keys.get(row).as_bytes());
            text.push(blank);
        }
    };
    write_lines(file, vectors, blank, before, |_, _| ())
}

/// Appends all rows, a line each, with what stands before and after a row's numbers; formatted by all threads, in order.
pub(super) fn write_lines(
    file: &mut AtomicFile,
    vectors: &Matrix,
    between: u8,
    before: impl Fn(usize, &mut Vec<u8>) + Sync,
    after: impl Fn(usize, &mut Vec<u8>) + Sync,
) -> Result<()> {
    let threads = rayon::current_num_threads().max(1);
    let task = (BATCH / vectors.cols().max(1)).max(1);
    let starts: Vec<usize> = (0..vectors.rows()).step_by(task).collect();
    let format = |start: usize| {
        let rows = start..(start + task).min(vectors.rows());
        let mut text = Vec::with_capacity(rows.len() * (vectors.cols() * 13 + 8));
        for row in rows {
            before(row, &mut text);
            for value in vectors.row(row) {
                // Debug writes the fewest digits that round back, with an exponent where that is shorter.
                write!(text, "{value:?}").expect("memory takes all bytes");
                text.push(between);
            }
            text.pop();
            after(row, &mut text);
            text.push(b'\n');
        }
        text
    };
    for group in starts.chunks(4 * threads) {
        let texts: Vec<Vec<u8>> = group.par_iter().map(|&start| format(start)).collect();
        texts.iter().try_for_each(|text| file.write(text))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_from_the_right() {
        let mut values = [0.0; 2];
        assert_eq!(read_row(b"new york  0.5 -1e-3 \r", &mut values, true), Some(&b"new york "[..]));
        assert_eq!(values, [0.5, -1e-3]);
        assert_eq!(read_row(b" 1 2", &mut values, true), Some(&b""[..]));
        assert_eq!(read_row(b"1 2", &mut values, true), None);
        assert_eq!(read_row(b"1\t2", &mut values, false), Some(&b""[..]));
        assert_eq!(read_row(b"a\t1\t2", &mut values, false), None);
    }

    #[test]
    fn numbers_equal_the_standard_library_bit_for_bit() {
        let mut rng = crate::math::Rng::stream(1, &[]);
        let check = |text: &str| {
            let expected = text.parse::<f32>().ok().map(f32::to_bits);
            assert_eq!(number(text.as_bytes()).map(f32::to_bits), expected, "{text:?}");
        };
        for _ in 0..20_000 {
            let value = f32::from_bits(rng.next() as u32);
            let short = rng.uniform() - 0.5;
            for text in [format!("{value:?}"), format!("{value}"), format!("{short:.6}"), format!("{short:.3}")] {
                check(&text);
            }
        }
        for text in ["", "-", ".", "-.", "+1", "5.", ".5", "-0", "1e", "--1", "0x1", "16777217", "nan", "1_0", "1.2.3"]
        {
            check(text);
        }
    }

    #[test]
    fn numbers_are_counted_without_the_key() {
        for (line, count) in [("a 1 2", 2), ("1 2 3", 2), (" 1 2", 2), ("a b", 0), ("a 1 2 \r", 2), ("7", 0), ("", 0)] {
            assert_eq!(numbers_at_end(line.as_bytes(), true), count, "{line:?}");
        }
        assert_eq!(numbers_at_end(b"1\t2", false), 2);
    }

    #[test]
    fn most_of_the_first_rows_tell_how_many_numbers_there_are() {
        for (text, said, usual) in [
            ("a 1\nb 1 2\nc 1 2\n", 0, 2),
            ("a 1\nb 1 2\nc 1 2\n", 1, 1),
            ("a 1 2\nb 1\n", 0, 2),
            ("a 1\nb 1 2\n", 3, 1),
            ("a\n\n", 0, 0),
            ("", 7, 7),
        ] {
            assert_eq!(usual_numbers(text.as_bytes(), said), usual, "{text:?} {said}");
        }
    }

    #[test]
    fn blocks_are_whole_lines_and_cover_everything() {
        let text = "word 0.5\n".repeat(300_000) + &"x".repeat(3 << 20);
        let found = blocks(text.as_bytes(), 0..text.len());
        assert!(found.len() > 2);
        assert_eq!((found[0].start, found[found.len() - 1].end), (0, text.len()));
        assert!(found.windows(2).all(|pair| pair[0].end == pair[1].start && text.as_bytes()[pair[0].end - 1] == b'\n'));
    }
}
