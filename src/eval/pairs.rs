//! Word pairs with a score, in the formats such tests come in.
//!
//! Two words stand first, then the score, maybe after other columns: `word, word, score` (WordSim-353, MEN, RW, RG-65),
//! `word, word, part of speech, score, …` under a header (SimLex-999). Columns are parted by tabs, semicolons, commas or
//! spaces, whichever comes first in this order in the first line. Lines that open with `#` are comments.

use std::path::Path;

use crate::error::{Error, Result};
use crate::io::read_text;

/// A file of pairs, and the lines that are none.
#[derive(Debug)]
pub(super) struct PairFile {
    pub(super) pairs: Vec<Pair>,
    /// Line numbers, from 1.
    pub(super) bad_lines: Vec<u64>,
}

/// Two words and how alike people found them.
#[derive(Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) words: [String; 2],
    pub(super) score: f64,
}

/// What headers call the score: SimLex999, Human (mean), similarity, …
const SCORE_NAMES: [&str; 7] = ["simlex", "score", "human", "mean", "sim", "rating", "relatedness"];

impl PairFile {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let file = Self::parse(&text).map_err(|(line, found)| {
            Error::line(
                path,
                line,
                format!("no scored pair in the whole file; found {found}, expected word, word, score"),
            )
        })?;
        if let Some(&first) = file.bad_lines.first().filter(|_| file.bad_lines.len() > file.pairs.len()) {
            let (bad, all) = (file.bad_lines.len(), file.bad_lines.len() + file.pairs.len());
            let reason =
                format!("{bad} of {all} lines hold no scored pair, this is the first; expected word, word, score");
            return Err(Error::line(path, first, reason));
        }
        Ok(file)
    }

    /// The pairs, or the first line that could have been one and what it holds.
    fn parse(text: &str) -> Result<Self, (u64, String)> {
        let lines: Vec<(u64, &str)> =
            (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')).collect();
        let Some(&(first, line)) = lines.first() else { return Err((1, "no line".into())) };
        let separator = ['\t', ';', ','].into_iter().find(|&separator| line.contains(separator));
        let rows: Vec<(u64, Vec<&str>)> =
            lines.into_iter().map(|(number, line)| (number, fields(line, separator))).collect();
        let Some((column, has_header)) = score_column(&rows) else {
            return Err((first, format!("{:?}", line.chars().take(60).collect::<String>())));
        };
        let mut file = Self { pairs: Vec::new(), bad_lines: Vec::new() };
        for (number, fields) in &rows[usize::from(has_header)..] {
            match (fields.get(column).and_then(|field| number_in(field)), &fields[..]) {
                (Some(score), [a, b, ..]) => {
                    file.pairs.push(Pair { words: [a, b].map(|&word| word.to_owned()), score });
                }
                _ => file.bad_lines.push(*number),
            }
        }
        Ok(file)
    }
}

fn fields(line: &str, separator: Option<char>) -> Vec<&str> {
    match separator {
        Some(separator) => line.split(separator).map(|field| field.trim().trim_matches('"')).collect(),
        None => line.split_whitespace().collect(),
    }
}

fn number_in(field: &str) -> Option<f64> {
    field.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The column of the score, and whether the first row is a header.
///
/// Columns are known by the rows below the first: at least half of a score's fields are numbers. If the first row has none there,
/// it is a header, and a column that it names as the score comes before the leftmost.
fn score_column(rows: &[(u64, Vec<&str>)]) -> Option<(usize, bool)> {
    let below = if rows.len() > 1 { &rows[1..] } else { rows };
    let is_number = |row: &[&str], column: usize| row.get(column).is_some_and(|field| number_in(field).is_some());
    let width = below.iter().map(|(_, row)| row.len()).max()?;
    let numeric: Vec<usize> = (2..width)
        .filter(|&column| 2 * below.iter().filter(|(_, row)| is_number(row, column)).count() >= below.len())
        .collect();
    let leftmost = *numeric.first()?;
    let header = &rows[0].1;
    if is_number(header, leftmost) {
        return Some((leftmost, false));
    }
    let names_score = |&&column: &&usize| {
        let name = header.get(column).map(|name| name.to_lowercase()).unwrap_or_default();
        SCORE_NAMES.iter().any(|known| name.contains(known))
    };
    Some((*numeric.iter().find(names_score).unwrap_or(&leftmost), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<(String, String, f64)> {
        let file = PairFile::parse(text).expect("a file of pairs");
        file.pairs.into_iter().map(|Pair { words: [a, b], score }| (a, b, score)).collect()
    }

    fn pair(a: &str, b: &str, score: f64) -> (String, String, f64) {
        (a.into(), b.into(), score)
    }

    #[test]
    fn every_separator_is_understood() {
        let expected = [pair("gem", "jewel", 3.84), pair("noon", "string", 0.04)];
        for separator in ["\t", ";", ",", " ", ", "] {
            let text = format!("gem{separator}jewel{separator}3.84\r\n\nnoon{separator}string{separator}0.04\n");
            assert_eq!(parse(&text), expected, "{separator:?}");
        }
        assert_eq!(parse("ice cream\tjewel\t1\n"), [pair("ice cream", "jewel", 1.0)]);
    }

    #[test]
    fn headers_and_further_columns_are_understood() {
        let simlex = "word1\tword2\tPOS\tSimLex999\tconc(w1)\tSD(SimLex)\nold\tnew\tA\t1.58\t2.72\t0.41\n";
        assert_eq!(parse(simlex), [pair("old", "new", 1.58)]);
        let wordsim = "# comment\nWord 1,Word 2,Human (mean),1,2\nlove,sex,6.77,9,6\ntiger,cat,7.35,9,7\n";
        assert_eq!(parse(wordsim), [pair("love", "sex", 6.77), pair("tiger", "cat", 7.35)]);
        let rare = "squishing\tsquirt\t5.88\t7\t7\nundated\tundatable\t5.83\t10\t9\n";
        assert_eq!(parse(rare)[0], pair("squishing", "squirt", 5.88));
        let verbs = "take\tremove\tV\t6.81\tSYNONYMS\n";
        assert_eq!(parse(verbs), [pair("take", "remove", 6.81)]);
        let named = "a,b,id,similarity\nx,y,1,0.5\n";
        assert_eq!(parse(named), [pair("x", "y", 0.5)]);
    }

    #[test]
    fn bad_lines_are_counted_and_a_file_without_pairs_is_refused() {
        let file = PairFile::parse("a b 1\nc d\ne f x\ng h 2\ni j 3\nk l nan\nm n 1\n").expect("a file of pairs");
        assert_eq!((file.pairs.len(), file.bad_lines), (4, vec![2, 3, 6]));
        assert!(matches!(PairFile::parse("# only this\n"), Err((1, _))));
        assert!(matches!(PairFile::parse("\n: capitals\na b c d\n"), Err((2, found)) if found.contains("capitals")));
    }
}
