//! Sentence similarity: do cosines rank pairs of sentences as people do? (STS benchmark; Cer et al., 2017.)
//!
//! A line holds a score and two sentences, or two sentences and a score, apart by tabs, perhaps after other columns, as the
//! benchmark's own files have them. A pair counts if the model knows a word of each sentence. What makes vectors of sentences
//! is the caller's affair.

use std::path::Path;

use super::correlation::Correlation;
use crate::embeddings::cosine;
use crate::error::{Error, Result};
use crate::io::read_text;
use crate::math::Matrix;

/// A file of scored pairs of sentences.
#[derive(Debug, Clone, PartialEq)]
pub struct SentencePairs {
    /// The file.
    pub file: String,
    /// The sentences, two for each pair.
    pub sentences: Vec<[String; 2]>,
    /// How alike people found each pair.
    pub scores: Vec<f64>,
    /// Lines, from 1, that hold no scored pair and were left out.
    pub bad_lines: Vec<u64>,
}

/// What the sentence similarity test found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SentenceReport {
    /// The file of pairs.
    pub file: String,
    /// The correlations; a pair is covered if both sentences have a known word.
    #[serde(flatten)]
    pub correlation: Correlation,
}

impl SentencePairs {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or most of its lines hold no scored pair.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let wanted = "expected score, sentence, sentence, apart by tabs (or sentence, sentence, score)";
        let mut pairs = Self::parse(&text).map_err(|(line, found)| {
            Error::line(path, line, format!("no scored pair of sentences in the whole file; found {found}, {wanted}"))
        })?;
        let (bad, good) = (pairs.bad_lines.len(), pairs.scores.len());
        if let Some(&first) = pairs.bad_lines.first().filter(|_| bad > good) {
            let reason = format!("{bad} of {} lines hold no scored pair, this is the first; {wanted}", bad + good);
            return Err(Error::line(path, first, reason));
        }
        pairs.file = path.display().to_string();
        Ok(pairs)
    }

    /// The pairs, or the first line that could have been one and what it holds.
    fn parse(text: &str) -> Result<Self, (u64, String)> {
        let rows: Vec<(u64, Vec<&str>)> = (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(number, line)| (number, line.split('\t').map(str::trim).collect()))
            .collect();
        let Some((first, row)) = rows.first() else { return Err((1, "no line".into())) };
        let Some([score, a, b]) = columns(&rows) else {
            return Err((*first, format!("{:?}", row.join("\t").chars().take(60).collect::<String>())));
        };
        let mut pairs = Self { file: String::new(), sentences: Vec::new(), scores: Vec::new(), bad_lines: Vec::new() };
        for (at, (number, row)) in rows.iter().enumerate() {
            match (row.get(score).and_then(|field| number_in(field)), row.get(a), row.get(b)) {
                (Some(score), Some(a), Some(b)) => {
                    pairs.sentences.push([a, b].map(|&sentence| sentence.to_owned()));
                    pairs.scores.push(score);
                }
                // A header.
                _ if at == 0 && row.len() > score.max(b) => {}
                _ => pairs.bad_lines.push(*number),
            }
        }
        if pairs.scores.is_empty() { Err((*first, "no number".into())) } else { Ok(pairs) }
    }

    /// Compares the cosines of the vectors, of which rows 2i and 2i + 1 belong to pair i; `is_known` tells the sentences with
    /// a known word.
    ///
    /// # Errors
    /// If there are not two rows for each pair.
    pub fn report(&self, vectors: &Matrix, is_known: &[bool]) -> Result<SentenceReport> {
        let sentences = 2 * self.scores.len();
        if vectors.rows() != sentences || is_known.len() != sentences {
            return Err(Error::mismatch("vectors of sentences", sentences, vectors.rows().min(is_known.len())));
        }
        let is_covered = |at: &usize| is_known[2 * at] && is_known[2 * at + 1];
        let compared = |at: usize| (self.scores[at], cosine(vectors.row(2 * at), vectors.row(2 * at + 1)));
        let covered: Vec<_> = (0..self.scores.len()).filter(is_covered).map(compared).collect();
        Ok(SentenceReport { file: self.file.clone(), correlation: Correlation::of(&covered, self.scores.len()) })
    }
}

fn number_in(field: &str) -> Option<f64> {
    field.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The columns of the score and of the two sentences: the first column of numbers before two of text, else after two.
fn columns(rows: &[(u64, Vec<&str>)]) -> Option<[usize; 3]> {
    let width = rows.iter().map(|(_, row)| row.len()).max()?;
    let share = |column: usize, is: fn(&str) -> bool| {
        2 * rows.iter().filter(|(_, row)| row.get(column).is_some_and(|field| is(field))).count() >= rows.len()
    };
    let is_score: Vec<bool> = (0..width).map(|column| share(column, |field| number_in(field).is_some())).collect();
    let is_text: Vec<bool> = (0..width).map(|column| share(column, |field| number_in(field).is_none())).collect();
    let before = (0..width.saturating_sub(2)).find(|&at| is_score[at] && is_text[at + 1] && is_text[at + 2]);
    let after = || (2..width).find(|&at| is_score[at] && is_text[at - 1] && is_text[at - 2]);
    before.map(|at| [at, at + 1, at + 2]).or_else(|| after().map(|at| [at, at - 2, at - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<(f64, String, String)> {
        let pairs = SentencePairs::parse(text).expect("pairs");
        pairs.scores.into_iter().zip(pairs.sentences).map(|(score, [a, b])| (score, a, b)).collect()
    }

    fn pair(score: f64, a: &str, b: &str) -> (f64, String, String) {
        (score, a.into(), b.into())
    }

    #[test]
    fn the_score_stands_before_or_after_and_may_follow_other_columns() {
        let expected = [pair(4.5, "A dog.", "The dog, 2."), pair(0.0, "42", "x")];
        assert_eq!(parse("4.5\tA dog.\tThe dog, 2.\n0\t42\tx\n"), expected);
        assert_eq!(parse("a\tb\tscore\r\nA dog.\tThe dog, 2.\t4.5\r\n\n42\tx\t0\n"), expected);
        let benchmark = "main-news\tMSRpar\t2012\t0001\t4.5\tA dog.\tThe dog, 2.\nmain\tx\t2013\t0002\t0\t42\tx\n";
        assert_eq!(parse(benchmark), expected);
    }

    #[test]
    fn bad_lines_are_counted_and_a_file_without_pairs_is_refused() {
        let pairs = SentencePairs::parse("1\ta b\tc\n2\tonly one\nx\ty\tz\n3\td\te\n4\tf\tg\n").expect("pairs");
        assert_eq!((pairs.scores.len(), pairs.bad_lines), (3, vec![2, 3]));
        assert!(matches!(SentencePairs::parse("\njust a text\n"), Err((2, found)) if found.contains("just")));
        assert!(matches!(SentencePairs::parse(""), Err((1, _))));
    }

    #[test]
    fn pairs_with_an_unknown_sentence_do_not_count() -> Result<()> {
        let pairs = SentencePairs::parse("5\ta\tb\n1\tc\td\n3\te\tf\n").expect("pairs");
        let rows = vec![1., 0., 1., 0., 1., 0., -1., 0., 1., 0., 0., 0.];
        let vectors = Matrix::from_vec(6, 2, rows)?;
        let report = pairs.report(&vectors, &[true, true, true, true, true, false])?;
        assert_eq!((report.correlation.covered, report.correlation.total), (2, 3));
        assert_eq!((report.correlation.spearman, report.correlation.pearson), (Some(1.0), Some(1.0)));
        assert!(pairs.report(&Matrix::zeros(5, 2), &[true; 5]).is_err());
        Ok(())
    }
}
