//! Where rows of CSV end, and quotes that nothing closes.

use memchr::{memchr, memchr2};

/// What quotes make of some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotedRows {
    /// The end of the last whole row: the last line end outside quotes.
    pub end: Option<usize>,
    /// The quote that nothing closes.
    pub open: Option<usize>,
}

impl QuotedRows {
    /// Looks at rows from their beginning. A quote opens a field only at its start.
    pub fn of(rows: &[u8]) -> Self {
        let mut end = None;
        let mut at = 0;
        while let Some(next) = memchr2(b'"', b'\n', &rows[at..]).map(|next| at + next) {
            let opens = next == 0 || matches!(rows[next - 1], b',' | b'\n' | b'\r');
            at = next + 1;
            if rows[next] == b'\n' {
                end = Some(at);
            } else if opens {
                // Inside quotes a doubled quote stands for one.
                loop {
                    let Some(close) = memchr(b'"', &rows[at..]) else { return Self { end, open: Some(next) } };
                    at += close + 1;
                    if rows.get(at) != Some(&b'"') {
                        break;
                    }
                    at += 1;
                }
            }
        }
        Self { end, open: None }
    }
}

/// What is wrong with a quote that nothing closes.
pub const OPEN_QUOTE: &str = "the quote that opens a field here is never closed, and would take in the rest of the file; close \
                              it, or write the field in quotes and double those within";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_end_outside_quotes_and_open_quotes_are_found() {
        for (rows, end, open) in [
            ("", None, None),
            ("a,b", None, None),
            ("a,b\nc", Some(4), None),
            ("a,\"b\nc\"\nd", Some(8), None),
            ("a\r\n\"b\r\nc\"\r\n", Some(11), None),
            // Within a field a quote is a character.
            ("5\" disk\n", Some(8), None),
            ("\"a\"b\"c\"\n", Some(8), None),
            // A doubled quote stands for one, at the end of a field as well.
            ("\"a\"\"\"\nb", Some(6), None),
            ("\"a\"\"\nb", None, Some(0)),
            ("a\nb,\"c\nd\n", Some(2), Some(4)),
            ("\"\"\n\"", Some(3), Some(3)),
            // Old line ends alone end no row, and quotes open behind them.
            ("a\r\"b\n\"\n", Some(7), None),
        ] {
            assert_eq!(QuotedRows::of(rows.as_bytes()), QuotedRows { end, open }, "{rows:?}");
        }
    }
}
