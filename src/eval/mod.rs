//! How good vectors are, measured on questions that people wrote.
//!
//! Everything here follows gensim's rules where it has the same test, so that scores can be compared: words are folded
//! by upper-casing, the commonest spelling wins, and what has an unknown word is left out and shows in the coverage.

mod analogy;
mod correlation;
mod lexicon;
mod pairs;
mod questions;
mod similarity;

use std::path::Path;

pub use crate::embeddings::Method;
pub use analogy::{Analogy, AnalogyReport, Section, Tally};
pub use correlation::{pearson, spearman};
pub use similarity::{Similarity, SimilarityReport};

use crate::embeddings::Embeddings;
use crate::error::Result;

/// A test of embeddings against a data file.
pub trait Evaluation: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// Scores embeddings on a file.
    ///
    /// # Errors
    /// If the file cannot be read or holds nothing to test with, or an option is out of range.
    fn evaluate(&self, embeddings: &Embeddings, data: &Path) -> Result<Report>;
}

/// Every evaluation, with its usual options.
pub const EVALUATIONS: &[&dyn Evaluation] = &[&Analogy::USUAL, &Similarity::USUAL];

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Report {
    /// Of [`Analogy`].
    Analogy(AnalogyReport),
    /// Of [`Similarity`].
    Similarity(SimilarityReport),
}

impl Report {
    /// The one number to compare by; none if nothing was covered.
    pub fn score(&self) -> Option<f64> {
        match self {
            Self::Analogy(report) => report.overall.accuracy,
            Self::Similarity(report) => report.spearman,
        }
    }

    /// Items whose words are all known, and all items.
    pub fn covered_of_total(&self) -> (u64, u64) {
        match self {
            Self::Analogy(report) => (report.overall.covered, report.overall.total),
            Self::Similarity(report) => (report.covered, report.total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Matrix;

    #[test]
    fn every_evaluation_refuses_a_missing_file_by_name() -> Result<()> {
        let words = Embeddings::new(["a"].into_iter().collect(), Matrix::zeros(1, 1), None)?;
        for evaluation in EVALUATIONS {
            let error = evaluation.evaluate(&words, Path::new("no/such-file.txt")).expect_err("there is no file");
            assert!(error.to_string().contains("no/such-file.txt"), "{}: {error}", evaluation.name());
        }
        Ok(())
    }
}
