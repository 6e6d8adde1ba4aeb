//! Word similarity: do cosines rank pairs of words as people do?
//!
//! A pair counts if both words are known or, where the model has subwords, can be composed; Spearman's correlation is what the literature reports.

use std::borrow::Cow;
use std::path::Path;

use super::correlation::Correlation;
use super::lexicon::Lexicon;
use super::pairs::PairFile;
use crate::embeddings::{Embeddings, cosine};
use crate::error::Result;

/// The word similarity test.
#[derive(Debug, Default, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Similarity {
    /// Ask only about the N most frequent words [default: all].
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub restrict: Option<usize>,
    /// Tell upper from lower case; otherwise the most frequent spelling of a word stands for all.
    #[cfg_attr(feature = "cli", arg(long))]
    pub keep_case: bool,
}

/// What the word similarity test found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SimilarityReport {
    /// The file of pairs.
    pub file: String,
    /// The correlations; a pair is covered if both words are known, or composed of n-grams.
    #[serde(flatten)]
    pub correlation: Correlation,
    /// Covered pairs with a word composed of n-grams.
    pub composed: u64,
    /// Lines that are neither a pair with a score nor a header or comment, and were left out.
    pub skipped_lines: usize,
    /// The number of the first of them, from 1.
    pub first_skipped_line: Option<u64>,
}

impl Similarity {
    /// Compares all pairs of a file.
    ///
    /// # Errors
    /// If the file cannot be read or holds no pair with a score.
    pub fn run(&self, embeddings: &Embeddings, pairs: &Path) -> Result<SimilarityReport> {
        let lexicon = Lexicon::new(embeddings, self.restrict, self.keep_case)?;
        let file = PairFile::read(pairs)?;
        let (mut covered, mut composed) = (Vec::new(), 0);
        for pair in &file.pairs {
            if let [Some(a), Some(b)] = pair.words.each_ref().map(|word| lexicon.vector(word)) {
                covered.push((pair.score, cosine(&a, &b)));
                composed += u64::from([&a, &b].into_iter().any(|vector| matches!(vector, Cow::Owned(_))));
            }
        }
        Ok(SimilarityReport {
            file: pairs.display().to_string(),
            correlation: Correlation::of(&covered, file.pairs.len()),
            composed,
            skipped_lines: file.bad_lines.len(),
            first_skipped_line: file.bad_lines.first().copied(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::math::Matrix;

    fn run(test: &Similarity, pairs: &str) -> Result<SimilarityReport> {
        let words = ["east", "north", "northeast", "West"];
        let vectors = Matrix::from_vec(4, 2, vec![1., 0., 0., 1., 1., 1., -2., 0.])?;
        let embeddings = Embeddings::new(words.iter().collect(), vectors, None)?;
        let file = tempfile::NamedTempFile::new().map_err(|error| Error::io("temporary file", error))?;
        std::fs::write(file.path(), pairs).map_err(|error| Error::io(file.path(), error))?;
        test.run(&embeddings, file.path())
    }

    const PAIRS: &str = "word1,word2,score\neast,north,5\nEast,northeast,9\neast,west,1\nnorth,up,3\nbroken\n";

    #[test]
    fn correlations_are_those_of_the_known_pairs() -> Result<()> {
        let report = run(&Similarity::default(), PAIRS)?;
        let found = &report.correlation;
        assert_eq!((found.covered, found.total, found.coverage), (3, 4, 0.75));
        assert_eq!(found.spearman, Some(1.0));
        // Cosines 0, √½, −1 against 5, 9, 1.
        let half = 0.5f64.sqrt();
        let mean = (half - 1.0) / 3.0;
        let squares = (0.0 - mean).powi(2) + (half - mean).powi(2) + (-1.0 - mean).powi(2);
        let expected = (4.0 * (half - mean) - 4.0 * (-1.0 - mean)) / (squares * 32.0).sqrt();
        assert!((found.pearson.expect("defined") - expected).abs() < 1e-6);
        assert_eq!((found.interval, report.skipped_lines, report.first_skipped_line), (None, 1, Some(6)));
        Ok(())
    }

    #[test]
    fn case_and_restriction_limit_the_words() -> Result<()> {
        assert_eq!(run(&Similarity { keep_case: true, ..Similarity::default() }, PAIRS)?.correlation.covered, 1);
        let found = run(&Similarity { restrict: Some(2), ..Similarity::default() }, PAIRS)?.correlation;
        assert_eq!((found.covered, found.spearman), (1, None));
        Ok(())
    }

    #[test]
    fn a_file_without_pairs_is_refused_with_its_name_and_line() {
        let message = run(&Similarity::default(), "# nothing\n\nthe quick fox\n").expect_err("no pairs").to_string();
        assert!(message.contains("line 3: no scored pair"), "{message}");
    }

    #[test]
    fn a_missing_file_is_named() -> Result<()> {
        let words = Embeddings::new(["a"].into_iter().collect(), Matrix::zeros(1, 1), None)?;
        let error = Similarity::default().run(&words, Path::new("no/such-file.tsv")).expect_err("there is no file");
        assert!(error.to_string().contains("no/such-file.tsv"), "{error}");
        Ok(())
    }
}
