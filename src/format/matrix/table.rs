//! Numbers as text: a row on each line, a tab, a semicolon or a comma between.
//!
//! Names in a header may be quoted and hold the separator; line breaks in quotes are not understood, since no number
//! has one.

use std::path::Path;

use rayon::prelude::*;

use super::{checks, text};
use crate::error::{Error, Result};
use crate::math::Matrix;

/// Reads all rows.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Matrix> {
    let body = text::trimmed(bytes.strip_prefix(text::BOM).unwrap_or(bytes));
    if body.is_empty() {
        return Err(Error::byte(path, 0, "the file is empty, expected a matrix (.npy, .npz, .csv or .tsv)"));
    }
    let lines = text::lines(body);
    if lines[0].contains(&0) {
        let known = "which begins no matrix that firth reads (.npy, .npz, or numbers as text in UTF-8)";
        return Err(Error::byte(path, 0, format!("found {}, {known}", checks::excerpt(bytes))));
    }
    let separator = separator(lines[0]);
    let is_header = is_header(lines[0], separator);
    let first = usize::from(is_header);
    let rows = &lines[first..];
    if rows.is_empty() {
        let found = checks::excerpt(lines[0]);
        return Err(Error::line(path, 1, format!("found {found} and no line of numbers after it; expected a matrix")));
    }
    let cols = fields(lines[0], separator).count();
    let read_line = |row: usize, values: &mut [f32]| {
        let fault = |reason| Error::line(path, (first + row) as u64 + 1, reason);
        read_row(rows[row], separator, values).map_err(fault)
    };
    // A line holds a character and a separator for each column at least. Lines that are too short for that are known
    // before memory is asked for: a long first line would promise much.
    if let Some(short) = rows.iter().position(|line| line.len() + 1 < 2 * cols) {
        read_line(short, &mut vec![0.0; cols])?;
    }
    let mut values = vec![0.0; rows.len() * cols];
    let faults = values.par_chunks_mut(cols).enumerate().map(|(row, values)| read_line(row, values).err());
    match faults.find_map_first(|fault| fault) {
        Some(fault) => Err(fault),
        None => Matrix::from_vec(rows.len(), cols, values),
    }
}

/// Does the second line, or the only one, hold mostly numbers? A few that are none are faults to be told, not text.
pub(super) fn recognizes(bytes: &[u8]) -> bool {
    let body = bytes.strip_prefix(text::BOM).unwrap_or(bytes);
    let first = text::line_at(body, 0);
    let second = text::trimmed(text::line_at(body, first.len() + 1));
    let line = if second.is_empty() { text::trimmed(first) } else { second };
    let separator = separator(first);
    let numbers = fields(line, separator).filter(|field| text::number(field).is_some()).count();
    2 * numbers > fields(line, separator).count()
}

/// What stands between the fields of a file with this first line.
fn separator(line: &[u8]) -> u8 {
    [b'\t', b';'].into_iter().find(|&separator| fields(line, separator).nth(1).is_some()).unwrap_or(b',')
}

/// Has the first line names instead of numbers, in half of its fields at least? Fewer are faults among numbers. An
/// empty name is one of the first column only, as pandas leaves it above an index; elsewhere it is a number that is
/// missing.
fn is_header(line: &[u8], separator: u8) -> bool {
    let is_name = |(column, field): (usize, &[u8])| text::number(field).is_none() && (column == 0 || !field.is_empty());
    let names = fields(line, separator).enumerate().filter(|field| is_name(*field)).count();
    names > 0 && 2 * names >= fields(line, separator).count() && !line.trim_ascii().is_empty()
}

/// The fields of a line, without blanks and quotes around them.
fn fields(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let ends = move |byte: &u8| {
        quoted ^= *byte == b'"';
        *byte == separator && !quoted
    };
    line.split(ends).map(|field| {
        let field = field.trim_ascii();
        field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).unwrap_or(field)
    })
}

fn read_row(line: &[u8], separator: u8, values: &mut [f32]) -> Result<(), String> {
    if line.trim_ascii().is_empty() {
        return Err(format!("the line is empty, expected {} numbers; remove it", values.len()));
    }
    let found = fields(line, separator).count();
    if found != values.len() {
        let expected = values.len();
        return Err(format!("found {found} fields, expected {expected} as in line 1; every row needs as many"));
    }
    for (column, (field, value)) in fields(line, separator).zip(values).enumerate() {
        *value = text::number(field).filter(|value| value.is_finite()).ok_or_else(|| {
            let found = checks::excerpt(field);
            let why = match text::number(field) {
                Some(value) if value.is_nan() => "expected a finite number; replace it or remove the row",
                Some(_) => "which is infinite or beyond the range of 32 bits (3.4e38); replace it or remove the row",
                None if field.is_empty() => "expected a number; fill the gap or remove the row",
                None if field.contains(&b' ') => "expected a number; write commas, tabs or semicolons between numbers",
                None => "expected a number with a decimal point; mend it or remove the row",
            };
            format!("column {}: found {found}, {why}", column + 1)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<(usize, Vec<f32>), String> {
        let matrix = read(Path::new("a.csv"), text.as_bytes()).map_err(|error| error.to_string())?;
        Ok((matrix.rows(), matrix.as_slice().into()))
    }

    #[test]
    fn tables_of_many_kinds_are_read() {
        let two = Ok((2, vec![1.0, -2.5, 3e5, 0.0]));
        for text in [
            "1,-2.5\n3e5,0\n",
            "1\t-2.5\n3e5\t0",
            "\u{feff}1;-2.5\r\n3e5;0\r\n\r\n",
            "x,y\n1, -2.5\n 3e5 ,0\n",
            "\"a;b\",\"c\"\n\"1\",-2.5\n3e5,\"+0\"\n",
            ",0\n1,-2.5\n3e5,0\n",
            "é;\"x\ty\"\n1;-2.5\n3e5;.0\n",
        ] {
            assert_eq!(of(text), two, "{text:?}");
        }
        assert_eq!(of("x\n1\n2\n3\n"), Ok((3, vec![1.0, 2.0, 3.0])));
        assert_eq!(of("7"), Ok((1, vec![7.0])));
        // Neither a header nor text: one fault among numbers, in whichever line.
        assert!(of("x,2,3\n4,5,6\n").is_err_and(|error| error.starts_with("a.csv, line 1: column 1")));
        assert!(recognizes(b"1,2,3\n4,x,6\n") && recognizes(b"1,2,3\n,5,6\n") && !recognizes(b"a,b\nc,some text\n"));
        // Not a header: a gap among numbers is no name.
        assert_eq!(
            of("1,,3\n4,5,6\n"),
            Err("a.csv, line 1: column 2: found \"\", expected a number; fill the gap or remove the row".into())
        );
    }

    #[test]
    fn faults_name_line_and_column() {
        let long = format!("{}1\n{}", "1,".repeat(99), "2\n".repeat(50));
        for (text, message) in [
            ("\n \n", "a.csv, byte 0: the file is empty"),
            ("\n1,2\n", "a.csv, line 1: the line is empty"),
            ("x,y\n", "a.csv, line 1: found \"x,y\" and no line of numbers after it"),
            ("1,2\n3\n", "a.csv, line 2: found 1 fields, expected 2 as in line 1"),
            ("1,2\n3,4,5\n", "a.csv, line 2: found 3 fields, expected 2"),
            ("x,y\n1,2,3\n", "a.csv, line 2: found 3 fields, expected 2"),
            ("1,2\n\n3,4\n", "a.csv, line 2: the line is empty, expected 2 numbers"),
            ("x\n1\nnone\n", "a.csv, line 3: column 1: found \"none\", expected a number with a decimal point"),
            ("1;2\n3;4,5\n", "a.csv, line 2: column 2: found \"4,5\", expected a number with a decimal point"),
            ("1,nan\n", "a.csv, line 1: column 2: found \"nan\", expected a finite number"),
            ("1,2\n-inf,2\n", "a.csv, line 2: column 1: found \"-inf\", which is infinite"),
            ("1,2\n3,1e39\n", "a.csv, line 2: column 2: found \"1e39\", which is infinite or beyond the range of 32"),
            ("1 2\n3 4\n", "a.csv, line 2: column 1: found \"3 4\", expected a number; write commas"),
            (&long, "a.csv, line 2: found 1 fields, expected 100"),
        ] {
            let found = of(text).expect_err(message);
            assert!(found.contains(message), "{found} holds {message}");
        }
    }

    #[test]
    fn a_cut_table_is_read_or_refused() {
        let text = "x;\"y\"\r\n1.5;2e3\r\n\"-3\";4\r\n";
        for end in 0..text.len() {
            let _ = of(&text[..end]);
        }
    }
}
