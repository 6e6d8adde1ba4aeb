//! What an autoencoder learns from: the documents of a corpus as bags of words, or the rows of a matrix.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use firth::Error;
use firth::autoencoder::Words;
use firth::dataset::EncodedCorpus;
use firth::format::matrix;
use firth::math::{Matrix, Samples, SparseMatrix};
use firth::vocabulary::Keys;

use crate::documents;
use crate::failure::{Failure, Outcome, Reading};
use crate::progress::{thousands, warn};
use crate::run_folder::{self, Settings};

/// Words in fewer documents are left out, and so are words in a larger share of all documents.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Vocabulary")]
pub struct Spread {
    /// Words in fewer documents are left out [documents, from 1]
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub min_documents: u32,
    /// Words in a larger share of all documents are left out: they tell none from another [above 0 to 1, or 100%]
    #[arg(long, value_name = "SHARE", default_value = "30%", value_parser = share)]
    pub max_documents: f64,
}

/// The flags above, by name.
pub const SPREAD: [&str; 2] = ["min-documents", "max-documents"];

fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f64>().map(|number| number / unit);
    share.ok().filter(|&share| share > 0.0 && share <= 1.0).ok_or_else(|| "expected a share above 0 to 1, or 1%".into())
}

/// Rows to learn from, and what they are.
pub struct Rows {
    pub input: Samples,
    /// What is to be learnt from the input, if not itself.
    pub target: Option<Samples>,
    /// The names of the input's columns, if it is text.
    pub words: Option<Words>,
    /// The text, if it is.
    pub corpus: Option<EncodedCorpus>,
}

impl Rows {
    /// Documents as bags of words.
    pub fn of_corpus(corpus: EncodedCorpus, spread: Spread) -> Outcome<Self> {
        let (words, counts) = Words::choose(&corpus, spread.min_documents, spread.max_documents)?;
        Ok(Self { input: counts.into(), target: None, words: Some(words), corpus: Some(corpus) })
    }

    /// The rows of a matrix and, with a target, what is to be learnt from each.
    pub fn of_matrix(path: &Path, target: Option<&Path>) -> Outcome<Self> {
        let input = matrix::read(path).reading()?;
        let other = target.map(|path| matrix::read(path).reading()).transpose()?;
        if let (Some(path), Some(other)) = (target, &other)
            && input.rows() != other.rows()
        {
            let what = format!("{}: rows of the target", path.display());
            return Err(Failure::Input(Error::mismatch(what, input.rows(), other.rows())));
        }
        Ok(Self { input, target: other, words: None, corpus: None })
    }

    /// What a run that stopped learns from.
    pub fn of_run(run: &Path) -> Outcome<Self> {
        let settings = Settings::read(run)?;
        if let Some((path, target)) = settings.matrix() {
            return Self::of_matrix(path, target);
        }
        let value = |flag: &str| {
            let missing = || Error::data(format!("{}: its settings do not tell {flag}; train anew", run.display()));
            settings.get(flag).ok_or_else(missing).reading()
        };
        let wrong = |flag: &str| {
            Failure::Input(Error::data(format!("{}: {flag} in its settings is no such value", run.display())))
        };
        let [documents, most] = SPREAD;
        let spread = Spread {
            min_documents: value(documents)?.parse().map_err(|_| wrong(documents))?,
            max_documents: share(&value(most)?).map_err(|_| wrong(most))?,
        };
        let corpus = run_folder::corpus(run)?;
        corpus.dataset.verify().reading()?;
        Self::of_corpus(corpus, spread)
    }

    /// What its rows are called in reports: one, and many.
    pub fn nouns(&self) -> [&'static str; 2] {
        if self.words.is_some() { ["document", "documents"] } else { ["row", "rows"] }
    }

    /// A key for each row: the documents' ids, or positions from 1.
    pub fn keys(&self) -> Keys {
        if let Some(corpus) = &self.corpus {
            return documents::keys(corpus);
        }
        (1..=self.input.rows()).map(|row| row.to_string()).collect()
    }
}

/// Some of the rows, as they are.
pub fn part(rows: &Samples, range: Range<usize>) -> Outcome<Samples> {
    Ok(match rows {
        Samples::Dense(all) => {
            let numbers = all.as_slice()[range.start * all.cols()..range.end * all.cols()].to_vec();
            Matrix::from_vec(range.len(), all.cols(), numbers)?.into()
        }
        Samples::Sparse(all) => {
            let mut part = SparseMatrix::empty(all.cols());
            for row in range {
                let row = all.row(row);
                part.push(row.indices.iter().copied().zip(row.values.iter().copied()));
            }
            part.into()
        }
    })
}

/// Distinct keys for rows: ids, positions where there are none, and a number behind an id that comes again.
#[derive(Default)]
pub struct Names {
    keys: Keys,
    given: HashSet<String>,
    has_ids: bool,
    repeated: u64,
    first_repeated: Option<String>,
}

impl Names {
    /// Names the next row.
    pub fn add(&mut self, id: Option<&str>) {
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            let position = (self.keys.len() + 1).to_string();
            // Positions cannot repeat; they are put down only where an id might.
            return if self.has_ids { self.add_distinct(&position) } else { self.keys.push(&position) };
        };
        if !self.has_ids {
            self.has_ids = true;
            self.given = self.keys.iter().map(str::to_owned).collect();
        }
        self.add_distinct(id);
    }

    fn add_distinct(&mut self, id: &str) {
        if self.given.insert(id.to_owned()) {
            return self.keys.push(id);
        }
        self.repeated += 1;
        self.first_repeated.get_or_insert_with(|| id.to_owned());
        let another = (2u64..).map(|number| format!("{id}#{number}")).find(|name| !self.given.contains(name));
        let another = another.expect("numbers do not end");
        self.keys.push(&another);
        self.given.insert(another);
    }

    /// The keys so far.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The keys; says if ids came again.
    pub fn done(self) -> Keys {
        if let Some(id) = &self.first_repeated {
            let count = thousands(self.repeated);
            warn(format_args!(
                "{count} ids stand more than once, {id:?} first; from the second on they end in #2, #3, ..."
            ));
        }
        self.keys
    }
}

/// Warns of rows in which there is nothing: how many, and the first of them.
pub fn warn_of_empty(count: usize, first: &[&str], what: [&str; 2]) {
    if count == 0 {
        return;
    }
    let dots = if first.len() < count { ", ..." } else { "" };
    let [one, many] = what;
    let said = if count == 1 { one } else { many };
    warn(format_args!("{} {said}: {}{dots}", thousands(count as u64), first.join(", ")));
}

/// So many empty rows are named.
pub const NAMED: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_distinct_whatever_the_ids() {
        let named = |ids: &[Option<&str>]| {
            let mut names = Names::default();
            ids.iter().for_each(|id| names.add(*id));
            names.done().iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(named(&[None, None, None]), ["1", "2", "3"]);
        assert_eq!(named(&[Some("a"), Some("b"), Some("a"), Some("a")]), ["a", "b", "a#2", "a#3"]);
        assert_eq!(named(&[Some("a"), Some("a#2"), Some("a")]), ["a", "a#2", "a#3"]);
        assert_eq!(named(&[None, Some("1"), Some(""), Some("3")]), ["1", "1#2", "3", "3#2"]);
    }

    #[test]
    fn shares_are_numbers_or_percents() {
        assert_eq!((share("50%"), share("0.25"), share("1")), (Ok(0.5), Ok(0.25), Ok(1.0)));
        for text in ["0", "-1", "101%", "nan", "half", ""] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts_of_rows_are_the_rows_themselves() -> Outcome {
        let sparse = Samples::from(SparseMatrix::new(4, vec![2, 2, 3], vec![0, 3, 1], vec![1.0, 2.0, 3.0])?);
        let Samples::Sparse(found) = part(&sparse, 1..3)? else { panic!("still sparse") };
        assert_eq!(found, SparseMatrix::new(4, vec![0, 1], vec![1], vec![3.0])?);
        let dense = Samples::from(Matrix::from_vec(3, 2, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0])?);
        assert_eq!(part(&dense, 1..2)?.stored(0), [2.0, 3.0]);
        Ok(())
    }
}
