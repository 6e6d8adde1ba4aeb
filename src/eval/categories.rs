//! Word categories: do the clusters of words match the categories that people put them into?
//!
//! A file has a category and a word a line, apart by a tab, a comma or blanks; a line with a category alone is a heading.
//! Words that the model does not know are left out and show in the coverage. Who clusters is the caller's choice; as many clusters as categories are usual (Baroni et al.,
//! 2014, with purity as the score).

use std::path::Path;

use serde::Serialize;

use super::clusters::Agreement;
use super::lexicon::Lexicon;
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::read_text;
use crate::math::Matrix;

/// The word category test.
#[derive(Debug, Default, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Categories {
    /// Ask only about the N most frequent words [default: all].
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub restrict: Option<usize>,
    /// Tell upper from lower case; otherwise the most frequent spelling of a word stands for all.
    #[cfg_attr(feature = "cli", arg(long))]
    pub keep_case: bool,
}

/// The known words of a file of categories.
#[derive(Debug, Clone)]
pub struct CategoryWords {
    /// The file.
    pub file: String,
    /// The known words, and those that were composed of n-grams, with their vectors.
    pub words: Embeddings,
    /// The category of each.
    pub categories: Vec<u32>,
    /// The categories' names, in the order in which the file has them; of known words only.
    pub names: Vec<String>,
    /// Words in the file.
    pub total: u64,
    /// Lines that are no category and word, and were left out.
    pub skipped_lines: usize,
    /// The number of the first of them, from 1.
    pub first_skipped_line: Option<u64>,
}

/// What the word category test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CategoryReport {
    /// The file of categories.
    pub file: String,
    /// How much clusters and categories agree.
    #[serde(flatten)]
    pub agreement: Agreement,
    /// Categories with a known word.
    pub categories: usize,
    /// Words that are known.
    pub covered: u64,
    /// Words in the file.
    pub total: u64,
    /// `covered / total`, from 0 to 1.
    pub coverage: f64,
}

impl Categories {
    /// Reads a file and finds its words in the model.
    ///
    /// # Errors
    /// If the file cannot be read or most of its lines are no category and word.
    pub fn read(&self, embeddings: &Embeddings, path: &Path) -> Result<CategoryWords> {
        let lexicon = Lexicon::new(embeddings, self.restrict, self.keep_case)?;
        let text = read_text(path)?;
        let (mut keys, mut vectors) = (Vec::new(), Vec::new());
        let mut words = CategoryWords {
            file: path.display().to_string(),
            words: Embeddings::new([""; 0].into_iter().collect(), Matrix::zeros(0, embeddings.dim()), None)?,
            categories: Vec::new(),
            names: Vec::new(),
            total: 0,
            skipped_lines: 0,
            first_skipped_line: None,
        };
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((category, word)) = fields(line) else {
                words.skipped_lines += 1;
                words.first_skipped_line.get_or_insert(number);
                continue;
            };
            if word.is_empty() {
                continue;
            }
            words.total += 1;
            if let Some(vector) = lexicon.vector(word) {
                let known = words.names.iter().position(|name| name == category);
                let at = known.unwrap_or_else(|| {
                    words.names.push(category.to_owned());
                    words.names.len() - 1
                });
                keys.push(word);
                vectors.extend_from_slice(&vector);
                words.categories.push(at as u32);
            }
        }
        if let Some(first) = words.first_skipped_line.filter(|_| words.skipped_lines as u64 > words.total) {
            let (bad, all) = (words.skipped_lines, words.skipped_lines as u64 + words.total);
            let reason = format!("{bad} of {all} lines hold no category and word, this is the first");
            return Err(Error::line(path, first, reason));
        }
        if words.total == 0 {
            return Err(Error::line(path, 1, "no category and word in the whole file"));
        }
        let vectors = Matrix::from_vec(keys.len(), embeddings.dim(), vectors)?;
        words.words = Embeddings::new(keys.into_iter().collect(), vectors, None)?;
        Ok(words)
    }
}

impl CategoryWords {
    /// The score of a clustering: a cluster for each of the known words.
    ///
    /// # Errors
    /// If there are more or fewer.
    pub fn score(&self, clusters: &[u32]) -> Result<CategoryReport> {
        let covered = self.words.len() as u64;
        Ok(CategoryReport {
            file: self.file.clone(),
            agreement: Agreement::between(clusters, &self.categories)?,
            categories: self.names.len(),
            covered,
            total: self.total,
            coverage: covered as f64 / self.total.max(1) as f64,
        })
    }
}

fn fields(line: &str) -> Option<(&str, &str)> {
    let separator = ['\t', ';', ','].into_iter().find(|&separator| line.contains(separator));
    let mut fields: Box<dyn Iterator<Item = &str>> = match separator {
        Some(separator) => Box::new(line.split(separator).map(|field| field.trim().trim_matches('"'))),
        None => Box::new(line.split_whitespace()),
    };
    match (fields.next(), fields.next(), fields.next()) {
        (Some(category), Some(word), None) if !category.is_empty() => Some((category, word)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Matrix;

    fn read(text: &str) -> Result<CategoryWords> {
        let words = ["cat", "dog", "Boat"];
        let embeddings = Embeddings::new(words.iter().collect(), Matrix::zeros(3, 1), None)?;
        let file = tempfile::NamedTempFile::new().map_err(|error| Error::io("temporary file", error))?;
        std::fs::write(file.path(), text).map_err(|error| Error::io(file.path(), error))?;
        Categories::default().read(&embeddings, file.path())
    }

    #[test]
    fn known_words_keep_their_categories_and_unknown_ones_show_in_the_coverage() -> Result<()> {
        let words = read("animal\t\nanimal\tcat\nplant\trose\nanimal\tdog\nprecious thing\tboat\nbroken\n")?;
        assert_eq!((words.words.len(), &words.categories), (3, &vec![0, 0, 1]));
        assert_eq!((words.total, words.skipped_lines, words.first_skipped_line), (4, 1, Some(6)));
        let report = words.score(&[5, 5, 2])?;
        assert_eq!((report.agreement.purity, report.coverage, report.categories), (1.0, 0.75, 2));
        assert!(words.score(&[1]).is_err());
        Ok(())
    }

    #[test]
    fn a_file_of_something_else_is_refused_with_its_line() {
        let message = read("one two three\n\nfour five six\n").expect_err("no categories").to_string();
        assert!(message.contains("line 1: 2 of 2 lines hold no category and word"), "{message}");
        assert!(read("\n").is_err());
    }
}
