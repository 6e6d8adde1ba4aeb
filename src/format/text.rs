//! Rows of text, a key and its numbers on each line: read in parallel from the map, written in parallel batches.
//!
//! A line is read from the right: the last `dim` fields are the numbers, one blank stands before them, and all that
//! remains is the key, blanks included. Numbers are written with as few digits as give the same 32 bits again.

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

use super::checks::{self, Place};
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
}

/// The rows of a file.
pub(super) struct Table {
    pub keys: Keys,
    pub vectors: Matrix,
    pub warnings: Vec<String>,
}

/// What a task found in its block.
#[derive(Default)]
struct Block {
    text: String,
    ends: Vec<u64>,
    /// Keys with bytes that are not UTF-8: how many, and the first one's row.
    escaped: (u64, usize),
    /// Keys that end in a number after a blank.
    numeric: (u64, usize),
}

/// Reads all rows.
pub(super) fn read(path: &Path, bytes: &[u8], layout: &Layout) -> Result<Table> {
    let body = layout.start..layout.start + trimmed(&bytes[layout.start..]).len();
    let blocks = blocks(bytes, body.clone());
    let lines: Vec<usize> =
        blocks.par_iter().map(|block| memchr::memchr_iter(b'\n', &bytes[block.clone()]).count()).collect();
    // The last line has lost its newline with the blanks at the end.
    let rows = lines.iter().sum::<usize>() + usize::from(!blocks.is_empty());
    if let Some(expected) = layout.rows.filter(|&expected| expected != rows as u64) {
        return Err(Error::line(
            path,
            1,
            format!(
                "the header says {expected} keys, the file holds {rows} rows; \
                 it is truncated or its header wrong: correct the header or write the file anew"
            ),
        ));
    }
    let least = layout.dim.saturating_mul(2).saturating_add(u64::from(layout.keyed));
    let (rows, dim) = checks::shape(rows as u64, layout.dim, least, body.len() as u64 + 1).map_err(|reason| {
        // If the rows have too few bytes together, one of them has.
        let lines = bytes[body.clone()].split(|&byte| byte == b'\n');
        let short = (layout.line..).zip(lines).find(|(_, line)| (line.len() as u64) < least - 1);
        match short {
            Some((number, line)) => Error::line(path, number, explain(line, layout.dim, layout.keyed)),
            None => Error::line(path, 1, reason),
        }
    })?;

    let mut vectors = Matrix::zeros(rows, dim);
    let mut tasks = Vec::with_capacity(blocks.len());
    let (mut rest, mut first) = (vectors.as_mut_slice(), 0);
    for (block, newlines) in blocks.into_iter().zip(lines) {
        let here = if block.end == body.end { rows - first } else { newlines };
        let (values, after) = rest.split_at_mut(here * dim);
        tasks.push((block, first, values));
        (rest, first) = (after, first + here);
    }
    let found: Vec<_> = tasks
        .into_par_iter()
        .map(|(block, first, values)| read_block(&bytes[block], first, values, dim, layout.keyed))
        .collect();

    let line = |row: usize| layout.line + row as u64;
    let mut all = Block::default();
    for block in found {
        let block = block.map_err(|(row, reason)| Error::line(path, line(row), reason))?;
        let offset = all.text.len() as u64;
        all.text.push_str(&block.text);
        all.ends.extend(block.ends.iter().map(|end| end + offset));
        all.escaped = first_of(all.escaped, block.escaped);
        all.numeric = first_of(all.numeric, block.numeric);
    }
    let keys = Keys::from_parts(all.text, all.ends).expect("each end was taken from the text");
    if layout.keyed {
        checks::distinct(path, &keys, |row| Place::Line(line(row), row))?;
    }
    let mut warnings = Vec::new();
    warnings.extend(escaped_warning(all.escaped, &keys, &format!("line {}", line(all.escaped.1))));
    if all.numeric.0 > 0 {
        warnings.push(format!(
            "{} keys end in a number after a blank (the first is {:?}, line {}); if they should not, \
             the dimension {dim} is too small or a row has too many numbers",
            all.numeric.0,
            keys.get(all.numeric.1),
            line(all.numeric.1)
        ));
    }
    Ok(Table { keys, vectors, warnings })
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

    pub(super) fn push(&mut self, key: &[u8]) {
        if checks::push_key(&mut self.text, key) {
            self.escaped = first_of(self.escaped, (1, self.ends.len()));
        }
        self.ends.push(self.text.len() as u64);
    }

    /// The keys, and a warning if some were not UTF-8; `place` names a row: "line 3".
    pub(super) fn finish(self, place: impl Fn(usize) -> String) -> (Keys, Option<String>) {
        let keys = Keys::from_parts(self.text, self.ends).expect("each end was taken from the text");
        let warning = escaped_warning(self.escaped, &keys, &place(self.escaped.1));
        (keys, warning)
    }
}

/// The warning that keys were not UTF-8, if any were.
fn escaped_warning((count, first): (u64, usize), keys: &Keys, place: &str) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "{count} keys are not valid UTF-8; the wrong bytes are written as \\xNN (the first is {:?}, {place})",
            keys.get(first)
        )
    })
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

fn read_block(
    bytes: &[u8],
    first: usize,
    values: &mut [f32],
    dim: usize,
    keyed: bool,
) -> Result<Block, (usize, String)> {
    let mut found = Block::default();
    let mut start = 0;
    for (row, values) in (first..).zip(values.chunks_exact_mut(dim)) {
        let line = line_at(bytes, start);
        start += line.len() + 1;
        let Some(key) = read_row(line, values, keyed) else {
            return Err((row, explain(line, dim as u64, keyed)));
        };
        if let Some(column) = values.iter().position(|x| !x.is_finite()) {
            return Err((
                row,
                format!(
                    "number {} of the vector of {} is not a finite 32-bit number (NaN, infinite or too large); \
                     remove the row or mend it",
                    column + 1,
                    checks::excerpt(key)
                ),
            ));
        }
        if checks::push_key(&mut found.text, key) {
            found.escaped = first_of(found.escaped, (1, row));
        }
        if keyed && has_numeric_end(key) {
            found.numeric = first_of(found.numeric, (1, row));
        }
        found.ends.push(found.text.len() as u64);
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

fn is_blank(byte: &u8) -> bool {
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

/// Appends all rows, each after its key if there are keys, formatted by all threads, in order.
pub(super) fn write(file: &mut AtomicFile, keys: Option<&Keys>, vectors: &Matrix, blank: u8) -> Result<()> {
    let threads = rayon::current_num_threads().max(1);
    let task = (BATCH / vectors.cols().max(1)).max(1);
    let starts: Vec<usize> = (0..vectors.rows()).step_by(task).collect();
    for group in starts.chunks(4 * threads) {
        let texts: Vec<Vec<u8>> = group
            .par_iter()
            .map(|&start| write_rows(keys, vectors, start..(start + task).min(vectors.rows()), blank))
            .collect();
        for text in texts {
            file.write(&text)?;
        }
    }
    Ok(())
}

fn write_rows(keys: Option<&Keys>, vectors: &Matrix, rows: Range<usize>, blank: u8) -> Vec<u8> {
    let mut text = Vec::with_capacity(rows.len() * (vectors.cols() * 13 + 8));
    for row in rows {
        if let Some(keys) = keys {
            text.extend_from_slice(keys.get(row).as_bytes());
            text.push(blank);
        }
        for value in vectors.row(row) {
            // Debug writes the fewest digits that round back, with an exponent where that is shorter.
            write!(text, "{value:?}").expect("memory takes all bytes");
            text.push(blank);
        }
        text.pop();
        text.push(b'\n');
    }
    text
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
    fn blocks_are_whole_lines_and_cover_everything() {
        let text = "word 0.5\n".repeat(300_000) + &"x".repeat(3 << 20);
        let found = blocks(text.as_bytes(), 0..text.len());
        assert!(found.len() > 2);
        assert_eq!((found[0].start, found[found.len() - 1].end), (0, text.len()));
        assert!(found.windows(2).all(|pair| pair[0].end == pair[1].start && text.as_bytes()[pair[0].end - 1] == b'\n'));
    }
}
