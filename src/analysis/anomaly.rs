//! How far documents are from what an autoencoder has learnt, and which words are to blame.
//!
//! Each document has three parts, that are different detectors. With t the document's counts weighted as in training's
//! target, and p what the autoencoder gives back:
//!
//! ```text
//! surprise   −Σ t_w ln p_w / Σ t_w               how badly its words fit together
//! distance   mean of 1 − cos to the k nearest training codes
//! unseen     share of the tokens whose words training has not seen, or too seldom
//! excess     −Σ t_w (ln p_w − ln u_w) / Σ t_w    surprise beyond that of the words' frequencies u
//! ```
//!
//! Reconstruction alone cannot see new words. An unseen word therefore costs what one of the words did that training left
//! out for being too rare: −ln P(unseen) + ln(their number), with P(unseen) their share of the training text, half a token
//! added to each count so that it is never zero. The known words share what P(unseen) leaves.

use rayon::prelude::*;

use super::Neighbors;
use super::ranking::rank_average;
use crate::autoencoder::{Autoencoder, Bag, Loss, Rare};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::math::{Matrix, Samples, SparseMatrix};

/// Rows that are given back together: each costs a number for every column.
const ROWS: usize = 64;

/// What a document is ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Score {
    /// The mean of the ranks by surprise, distance and, twice, unseen: within the documents that are scored together
    #[default]
    Combination,
    /// Surprise of a word, in nats
    Surprise,
    /// Distance to the nearest training codes
    Distance,
    /// Share of unseen words
    Unseen,
    /// Surprise beyond that of the words' frequencies: best for spam
    Excess,
}

/// A word, or a column, and how surprising it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// What it is.
    pub word: Blamed,
    /// −ln p, in nats; for rows of measurements, the squared error.
    pub surprise: f64,
}

/// What a term is.
#[derive(Debug, Clone, PartialEq)]
pub enum Blamed {
    /// A column of the model.
    Column(u32),
    /// A word that training has not seen.
    Unseen(String),
}

/// The parts of a document's score.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parts {
    /// Mean surprise of a word, in nats; for rows of measurements, the mean squared error of a column.
    pub surprise: f64,
    /// Surprise beyond that of the words' frequencies.
    pub excess: f64,
    /// Mean cosine distance to the nearest training codes.
    pub distance: f64,
    /// Share of the tokens that training has not seen.
    pub unseen: f64,
    /// Tokens.
    pub tokens: u32,
    /// The terms that add most to the surprise, the worst first.
    pub terms: Vec<Term>,
}

/// Scores of documents that were scored together.
///
/// Ranks, and so [`Score::Combination`], are those within these documents: below [`super::ranking::ENOUGH`] they say little.
pub fn scores(parts: &[Parts], score: Score) -> Vec<f64> {
    let all = |part: fn(&Parts) -> f64| -> Vec<f64> { parts.iter().map(part).collect() };
    match score {
        Score::Surprise => all(|parts| parts.surprise),
        Score::Distance => all(|parts| parts.distance),
        Score::Unseen => all(|parts| parts.unseen),
        Score::Excess => all(|parts| parts.excess),
        Score::Combination => rank_average(&[
            (1.0, &all(|parts| parts.surprise)),
            (1.0, &all(|parts| parts.distance)),
            (2.0, &all(|parts| parts.unseen)),
        ]),
    }
}

/// The price of an unseen word, and what the known ones leave to it, in nats: −ln P(unseen) + ln types, −ln(1 − P(unseen)).
pub fn prices(rare: Rare, known_tokens: u64, columns: usize) -> [f64; 2] {
    let all = (rare.tokens + known_tokens) as f64 + 0.5 * (columns + 1) as f64;
    let unseen = (rare.tokens as f64 + 0.5) / all;
    [(rare.types.max(1) as f64).ln() - unseen.ln(), -(1.0 - unseen).ln()]
}

/// Finds the parts.
#[derive(Debug)]
pub struct Detector<'a> {
    model: &'a Autoencoder,
    codes: Neighbors<'a>,
    /// Training codes to compare with.
    neighbors: usize,
    /// Terms to blame.
    terms: usize,
    /// ln u of each column, weighted as the target is.
    chance: Vec<f32>,
    /// What unseen and known words cost on top.
    prices: [f64; 2],
}

impl<'a> Detector<'a> {
    /// Prepares: `codes` are those of the training documents, of which the `neighbors` nearest count; `terms` are named.
    ///
    /// # Errors
    /// If the codes are not the model's, or what it gives back cannot be compared with its input.
    pub fn new(model: &'a Autoencoder, codes: &'a Embeddings, neighbors: usize, terms: usize) -> Result<Self> {
        if codes.dim() != model.code() {
            return Err(Error::mismatch("numbers of a training code", model.code(), codes.dim()));
        }
        if model.outputs() != model.columns() {
            let reason = format!("the model makes {} columns of {}", model.outputs(), model.columns());
            return Err(Error::data(format!(
                "{reason}; only a model that gives back its input can be surprised by it"
            )));
        }
        let rare = model.words().map(|words| words.rare()).unwrap_or_default();
        let prices = match model.words() {
            Some(_) => prices(rare, model.counts().iter().sum(), model.columns()),
            None => [0.0; 2],
        };
        Ok(Self { model, codes: Neighbors::new(codes), neighbors, terms, chance: log_chances(model), prices })
    }

    /// The parts of documents.
    ///
    /// # Errors
    /// If their columns are not the model's.
    pub fn documents(&self, bags: &[Bag]) -> Result<Vec<Parts>> {
        let mut rows = SparseMatrix::empty(self.model.columns());
        bags.iter().for_each(|bag| rows.push(bag.counts.iter().copied()));
        self.parts(&rows.into(), |row| Some(&bags[row]))
    }

    /// The parts of rows of a matrix.
    ///
    /// # Errors
    /// If their columns are not the model's.
    pub fn rows(&self, rows: &Samples) -> Result<Vec<Parts>> {
        self.parts(rows, |_| None)
    }

    fn parts<'b>(&self, rows: &Samples, bag: impl Fn(usize) -> Option<&'b Bag> + Sync) -> Result<Vec<Parts>> {
        let is_multinomial = self.model.config().loss == Some(Loss::Multinomial);
        let codes = self.model.encode(rows)?;
        let nearest = self.codes.nearest(&codes, self.neighbors, &[])?;
        let blocks: Vec<usize> = (0..rows.rows()).step_by(ROWS).collect();
        let parts = blocks.into_par_iter().map(|start| {
            let range = start..rows.rows().min(start + ROWS);
            let numbers = codes.as_slice()[start * codes.cols()..range.end * codes.cols()].to_vec();
            let given = self.model.decode(&Matrix::from_vec(range.len(), codes.cols(), numbers)?)?;
            let one = |row: usize| {
                let given = given.row(row - start);
                let mut parts = match is_multinomial {
                    true => self.surprised(rows, row, bag(row), given),
                    false => self.mistaken(rows, row, given),
                };
                let cosines = nearest[row].iter().map(|neighbor| f64::from(neighbor.score));
                parts.distance = 1.0 - cosines.sum::<f64>() / nearest[row].len().max(1) as f64;
                if let Some(bag) = bag(row) {
                    parts.tokens = bag.tokens;
                    parts.unseen = bag.unseen.len() as f64 / f64::from(bag.tokens.max(1));
                }
                parts
            };
            Ok(range.map(one).collect::<Vec<_>>())
        });
        Ok(parts.collect::<Result<Vec<_>>>()?.concat())
    }

    /// The surprise of counts under probabilities.
    fn surprised(&self, rows: &Samples, row: usize, bag: Option<&Bag>, given: &[f32]) -> Parts {
        let [unseen_price, known_price] = self.prices;
        let (mut sum, mut excess, mut total, mut known, mut blamed) = (0.0, 0.0, 0.0, 0.0, Vec::new());
        let values = self.model.target_values(rows, row);
        for (column, weight) in columns(rows, row).zip(values).filter(|(_, weight)| *weight > 0.0) {
            let (weight, log) = (f64::from(weight), f64::from(given[column as usize].max(f32::MIN_POSITIVE)).ln());
            let surprise = known_price - log;
            sum += weight * surprise;
            excess += weight * (f64::from(self.chance[column as usize]) - log);
            total += weight;
            known += weight;
            blamed.push((weight * surprise, Term { word: Blamed::Column(column), surprise }));
        }
        let mut unseen: Vec<&String> = bag.iter().flat_map(|bag| &bag.unseen).collect();
        unseen.sort_unstable();
        for same in unseen.chunk_by(|a, b| a == b) {
            let weight = f64::from(self.model.unseen_value(same.len() as f32));
            sum += weight * unseen_price;
            total += weight;
            let term = Term { word: Blamed::Unseen(same[0].clone()), surprise: unseen_price };
            blamed.push((weight * unseen_price, term));
        }
        let [total, known] = [total, known].map(|weight| if weight > 0.0 { weight } else { 1.0 });
        Parts { surprise: sum / total, excess: excess / known, terms: self.worst(blamed), ..Parts::default() }
    }

    /// The squared errors of measurements.
    fn mistaken(&self, rows: &Samples, row: usize, given: &[f32]) -> Parts {
        let mut expected = vec![0.0; given.len()];
        for (column, value) in columns(rows, row).zip(self.model.target_values(rows, row)) {
            expected[column as usize] = value;
        }
        let errors = given.iter().zip(&expected).map(|(given, expected)| f64::from(given - expected).powi(2));
        let blamed: Vec<(f64, Term)> = errors
            .enumerate()
            .map(|(column, error)| (error, Term { word: Blamed::Column(column as u32), surprise: error }))
            .collect();
        let mean = blamed.iter().map(|(error, _)| error).sum::<f64>() / given.len().max(1) as f64;
        Parts { surprise: mean, excess: mean, terms: self.worst(blamed), ..Parts::default() }
    }

    /// The terms that add most, the largest first; equal ones as they stand.
    fn worst(&self, mut blamed: Vec<(f64, Term)>) -> Vec<Term> {
        blamed.sort_by(|a, b| b.0.total_cmp(&a.0));
        blamed.truncate(self.terms);
        blamed.into_iter().map(|(_, term)| term).collect()
    }
}

/// ln u: how probable each output is to one who knows nothing of the row, weighted as training's target is.
pub(super) fn log_chances(model: &Autoencoder) -> Vec<f32> {
    let weights = model.target_weights();
    let weighted = model.unigram().iter().enumerate().map(|(at, share)| share * weights.get(at).unwrap_or(&1.0));
    let weighted: Vec<f64> = weighted.map(f64::from).collect();
    let total = weighted.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    weighted.iter().map(|share| (share / total).max(1e-12).ln() as f32).collect()
}

/// The columns of a row's stored numbers.
fn columns(rows: &Samples, row: usize) -> Box<dyn Iterator<Item = u32> + '_> {
    match rows {
        Samples::Sparse(matrix) => Box::new(matrix.row(row).indices.iter().copied()),
        Samples::Dense(matrix) => Box::new(0..matrix.cols() as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autoencoder::{AutoencoderConfig, Trainer, Words};

    #[test]
    fn an_unseen_word_costs_what_one_rare_word_did() {
        // 9 of 100 tokens were of 3 rare words; 10 columns add 5.5 to the tokens.
        let [unseen, known] = prices(Rare { tokens: 9, types: 3 }, 91, 10);
        assert!((unseen - (3.0f64.ln() - (9.5f64 / 105.5).ln())).abs() < 1e-12);
        assert!((known + (1.0 - 9.5f64 / 105.5).ln()).abs() < 1e-12);
        // A training text without rare words: dear, but not infinitely so.
        let [unseen, known] = prices(Rare::default(), 1000, 99);
        assert!(unseen.is_finite() && (unseen + (0.5f64 / 1050.0).ln()).abs() < 1e-12 && known > 0.0);
    }

    #[test]
    fn unseen_words_count_twice_in_the_combination() {
        let part = |surprise, distance, unseen| Parts { surprise, distance, unseen, ..Parts::default() };
        let parts = [part(2.0, 2.0, 0.0), part(1.0, 1.0, 0.5)];
        assert_eq!(scores(&parts, Score::Combination), [0.75, 0.75]);
        assert_eq!(scores(&parts, Score::Surprise), [2.0, 1.0]);
        assert_eq!(scores(&parts, Score::Unseen), [0.0, 0.5]);
    }

    #[test]
    fn words_of_another_kind_and_unseen_ones_are_to_blame() -> Result<()> {
        // Columns 0 to 2 occur together, and so do 3 to 5.
        let mut rows = SparseMatrix::empty(6);
        for row in 0..200u32 {
            let start = row % 2 * 3;
            rows.push([(start, 1.0), (start + 1, 1.0), (start + 2, 1.0)]);
        }
        let samples = Samples::from(rows);
        let config = AutoencoderConfig {
            code: Some(2),
            batch: Some(10),
            epochs: Some(20),
            decay: Some(0.0),
            threads: 1,
            ..AutoencoderConfig::default()
        };
        let words = Words::new(["a", "b", "c", "d", "e", "f"].into_iter().collect());
        let mut trainer = Trainer::new(&config, &samples, None, Some(words))?;
        trainer.run(&mut crate::train::Silent)?;
        let model = trainer.finish();
        let keys = (0..200).map(|row| row.to_string()).collect();
        let codes = Embeddings::new(keys, model.encode(&samples)?, None)?;
        let bag = |counts: &[(u32, f32)], unseen: &[&str]| Bag {
            counts: counts.to_vec(),
            unseen: unseen.iter().map(|&word| word.to_owned()).collect(),
            tokens: (counts.len() + unseen.len()) as u32,
        };
        let bags = [
            bag(&[(0, 1.0), (1, 1.0), (2, 1.0)], &[]),
            bag(&[(0, 1.0), (1, 1.0), (5, 1.0)], &[]),
            bag(&[(0, 1.0), (1, 1.0)], &["x", "y", "x"]),
            bag(&[], &[]),
        ];
        let parts = Detector::new(&model, &codes, 5, 2)?.documents(&bags)?;
        assert!(parts[1].surprise > parts[0].surprise + 0.1, "{parts:?}");
        assert!(parts[1].distance > parts[0].distance, "{parts:?}");
        assert_eq!(parts[1].terms[0].word, Blamed::Column(5));
        assert!(parts[2].surprise > parts[1].surprise && parts[2].unseen == 0.6);
        assert_eq!(parts[2].terms[0].word, Blamed::Unseen("x".into()));
        // A word beyond the rows' own number of words: its frequency explains more than the document does.
        assert!(parts[0].excess < 0.0 && parts[1].excess > parts[0].excess);
        assert_eq!((parts[3].surprise, parts[3].unseen, parts[3].terms.len()), (0.0, 0.0, 0));
        let other = Embeddings::new(["k"].into_iter().collect(), Matrix::zeros(1, 3), None)?;
        assert!(Detector::new(&model, &other, 5, 2).is_err());
        Ok(())
    }
}
