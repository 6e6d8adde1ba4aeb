//! Outlier detection: which of a group of words does not belong? (Camacho-Collados and Navigli, 2016.)
//!
//! A case is the n words of a group and one outlier. The words are ranked by their mean cosine with the others, which ranks
//! them as the paper's compactness score does; the outlier's position is 0 for the most central word and n for the least.
//!
//! accuracy = share of cases with the outlier at n, OPP = mean of position / n.
//!
//! A tie counts against the outlier. A phrase joined by `_` that the model does not know is the mean of the unit vectors of
//! its known parts, as in the authors' program. Words of the group that are still unknown are left out, and n shrinks; a case
//! without its outlier, or with fewer than two words of the group, is not covered.

use std::path::Path;

use super::lexicon::Lexicon;
use crate::embeddings::{Embeddings, inverse_norm};
use crate::error::{Error, Result};
use crate::io::read_text;

/// The outlier detection test.
#[derive(Debug, Default, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Outlier {
    /// Know only the N most frequent words [default: all].
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub restrict: Option<usize>,
    /// Tell upper from lower case; otherwise the most frequent spelling of a word stands for all.
    #[cfg_attr(feature = "cli", arg(long))]
    pub keep_case: bool,
}

/// What the outlier detection test found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct OutlierReport {
    /// The file of groups.
    pub file: String,
    /// The share of covered cases whose outlier was found, from 0 to 1; none if no case is covered.
    pub accuracy: Option<f64>,
    /// The outlier position percentage, as a share from 0 to 1, likewise.
    pub opp: Option<f64>,
    /// Cases whose outlier was found.
    pub correct: u64,
    /// Cases with a known outlier and two known words of the group or more.
    pub covered: u64,
    /// All cases: an outlier and its group each.
    pub total: u64,
    /// Groups in the file.
    pub groups: u64,
    /// Words of all groups, outliers among them, that are unknown, phrases of unknown parts too.
    pub unknown: u64,
    /// Phrases that were made of their parts.
    pub joined: u64,
    /// Lines that hold no group and were left out.
    pub skipped_lines: usize,
    /// The number of the first of them, from 1.
    pub first_skipped_line: Option<u64>,
}

/// A group and what does not belong to it.
#[derive(Debug, PartialEq)]
struct Group<'a> {
    words: Vec<&'a str>,
    outliers: Vec<&'a str>,
}

impl Outlier {
    /// Tries all outliers of a file: a line holds a name, the group's words apart by `|`, and the outliers likewise, the three
    /// apart by tabs.
    ///
    /// # Errors
    /// If the file cannot be read or most of its lines hold no group.
    pub fn run(&self, embeddings: &Embeddings, groups: &Path) -> Result<OutlierReport> {
        let lexicon = Lexicon::new(embeddings, self.restrict, self.keep_case)?;
        let text = read_text(groups)?;
        let (found, bad_lines) = parse(&text);
        if bad_lines.len() > found.len() || found.is_empty() {
            let line = bad_lines.first().copied().unwrap_or(1);
            let (bad, all) = (bad_lines.len(), bad_lines.len() + found.len());
            let wanted = "expected name, words apart by |, outliers apart by |, with tabs between the three";
            let reason = format!("{bad} of {all} lines hold no group, this is the first; {wanted}");
            return Err(Error::line(groups, line, reason));
        }
        let mut report = OutlierReport {
            file: groups.display().to_string(),
            accuracy: None,
            opp: None,
            correct: 0,
            covered: 0,
            total: 0,
            groups: found.len() as u64,
            unknown: 0,
            joined: 0,
            skipped_lines: bad_lines.len(),
            first_skipped_line: bad_lines.first().copied(),
        };
        let mut positions = 0.0;
        for group in &found {
            let mut find = |words: &[&str]| -> Vec<Vec<f64>> {
                words.iter().filter_map(|word| unit(embeddings, &lexicon, word, &mut report)).collect()
            };
            let (words, outliers) = (find(&group.words), find(&group.outliers));
            report.total += group.outliers.len() as u64;
            if words.len() < 2 {
                continue;
            }
            for outlier in &outliers {
                let position = position(&words, outlier);
                report.covered += 1;
                report.correct += u64::from(position == words.len());
                positions += position as f64 / words.len() as f64;
            }
        }
        let share = |sum: f64| (report.covered > 0).then(|| sum / report.covered as f64);
        (report.accuracy, report.opp) = (share(report.correct as f64), share(positions));
        Ok(report)
    }
}

/// The groups, and the numbers of the lines that hold none.
fn parse(text: &str) -> (Vec<Group<'_>>, Vec<u64>) {
    let (mut groups, mut bad_lines) = (Vec::new(), Vec::new());
    let words = |field: &str| -> usize { field.split('|').filter(|word| !word.trim().is_empty()).count() };
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
    {
        match line.split('\t').collect::<Vec<_>>()[..] {
            [_, group, outliers] if words(group) > 1 && words(outliers) > 0 => {
                let split = |field| str::split(field, '|').map(str::trim).filter(|word| !word.is_empty()).collect();
                groups.push(Group { words: split(group), outliers: split(outliers) });
            }
            _ => bad_lines.push(number),
        }
    }
    (groups, bad_lines)
}

/// A word's vector, or that of a phrase, of length one.
fn unit(embeddings: &Embeddings, lexicon: &Lexicon<'_>, word: &str, report: &mut OutlierReport) -> Option<Vec<f64>> {
    let mut sum = vec![0f64; embeddings.dim()];
    let mut add = |row: &[f32]| {
        let scale = f64::from(inverse_norm(row));
        sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += scale * f64::from(value));
    };
    let is_joined = word.contains('_') && lexicon.find(word).is_none();
    if let Some(vector) = lexicon.vector(word).filter(|_| !is_joined) {
        add(&vector);
    } else {
        let parts: Vec<_> = match is_joined {
            true => word.split('_').filter_map(|part| lexicon.vector(part)).collect(),
            false => Vec::new(),
        };
        if parts.is_empty() {
            report.unknown += 1;
            return None;
        }
        report.joined += 1;
        parts.iter().for_each(|vector| add(vector));
    }
    let norm = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    sum.iter_mut().for_each(|value| *value /= if norm > 0.0 { norm } else { 1.0 });
    Some(sum)
}

/// Where the outlier stands among the words: the number of words that are more central.
fn position(words: &[Vec<f64>], outlier: &[f64]) -> usize {
    let mut sum = outlier.to_vec();
    for word in words {
        sum.iter_mut().zip(word).for_each(|(sum, value)| *sum += value);
    }
    // The sum of a unit vector's cosines with all of them, less that with itself; rounded, so that equal ones tie.
    let centrality = |unit: &[f64]| {
        let product = |other: &[f64]| unit.iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
        (product(&sum) - product(unit)) as f32
    };
    let own = centrality(outlier);
    words.iter().filter(|word| centrality(word) > own).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Matrix;

    fn run(groups: &str) -> Result<OutlierReport> {
        let words = ["a", "b", "c", "near", "far", "Half"];
        let rows = vec![1., 0., 2., 0., 1., 0.5, 1., 0.2, -1., 0., 0., 3.];
        let embeddings = Embeddings::new(words.iter().collect(), Matrix::from_vec(6, 2, rows)?, None)?;
        let file = tempfile::NamedTempFile::new().map_err(|error| Error::io("temporary file", error))?;
        std::fs::write(file.path(), groups).map_err(|error| Error::io(file.path(), error))?;
        Outlier::default().run(&embeddings, file.path())
    }

    #[test]
    fn positions_count_the_words_that_are_more_central() -> Result<()> {
        // "far" is last. "near" has a larger mean cosine than all: position 0.
        let report = run("one\tA|b|c\tfar|near\n")?;
        assert_eq!((report.correct, report.covered, report.total, report.groups), (1, 2, 2, 1));
        assert_eq!((report.accuracy, report.opp), (Some(0.5), Some(0.5)));
        Ok(())
    }

    #[test]
    fn phrases_are_made_of_parts_and_what_is_unknown_is_left_out() -> Result<()> {
        let report = run("x\ta|b|zig\tfar_zag|zog\ny\ta|zig\tfar\n")?;
        assert_eq!((report.joined, report.unknown, report.covered, report.total), (1, 3, 1, 3));
        assert_eq!((report.accuracy, report.opp), (Some(1.0), Some(1.0)));
        let report = run("x\tzig|zag\tzog\n")?;
        assert_eq!((report.covered, report.accuracy), (0, None));
        Ok(())
    }

    #[test]
    fn a_tie_counts_against_the_outlier() -> Result<()> {
        let report = run("x\ta|b\tb\n")?;
        assert_eq!((report.correct, report.opp), (0, Some(0.0)));
        Ok(())
    }

    #[test]
    fn a_file_without_groups_is_refused_with_its_first_line() {
        let message = run("\na b c\n").expect_err("no group").to_string();
        assert!(message.contains("line 2: 1 of 1 lines hold no group"), "{message}");
        assert!(run("").is_err());
    }
}
