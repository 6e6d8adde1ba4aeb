//! Recommendation: which items a user, known by the items of the past, will want next.
//!
//! What all methods share: a model scores every item for a history, and what the history holds is not recommended again.
//! [`Popularity`] is the same for all; [`ItemKnn`] and [`Ease`] add up weights between items; [`MultDae`] is the
//! autoencoder; [`Sum`] adds z-scores of several, which on MovieLens is better than each alone.
//!
//! ```
//! # fn main() -> firth::Result<()> {
//! use firth::analysis::recommend::{Ease, Recommend, best};
//! use firth::estimator::Fit;
//! use firth::math::SparseMatrix;
//!
//! // Who took items 0 and 1 took item 2 as well.
//! let mut users = SparseMatrix::empty(4);
//! [vec![0, 1, 2], vec![0, 1, 2], vec![1, 3]].iter().for_each(|items| users.push(items.iter().map(|&item| (item, 1.0))));
//! let model = Ease { lambda: 1.0 }.fit(&users)?;
//! let mut history = SparseMatrix::empty(4);
//! history.push([(0, 1.0), (1, 1.0)]);
//! let scores = model.scores(&history)?;
//! assert_eq!(best(scores.row(0), &[0, 1], 1)[0].position, 2);
//! # Ok(())
//! # }
//! ```

mod denoising;
mod holdout;
mod item_item;

use std::sync::Arc;

use rayon::prelude::*;

use crate::embeddings::{Best, Neighbor};
use crate::error::{Error, Result};
use crate::estimator::Fit;
use crate::math::{Matrix, SparseMatrix};

pub use denoising::{MultDae, MultDaeModel};
pub use holdout::{HiddenItems, Hits, Holdout, Ranking};
pub use item_item::{Confidence, Ease, ItemItem, ItemKnn, MOST_ITEMS};

/// A model that scores every item for a history.
pub trait Recommend: Send + Sync {
    /// The number of items.
    fn items(&self) -> usize;

    /// Scores, `histories x items`; more is better, and only the order within a row means anything.
    ///
    /// # Errors
    /// If the histories have another number of items.
    fn scores(&self, histories: &SparseMatrix) -> Result<Matrix>;
}

/// The `top` items of a row of scores without those that the user has had (ascending); equal scores in the order of items.
pub fn best(scores: &[f32], had: &[u32], top: usize) -> Vec<Neighbor> {
    let mut best = Best::new(top.min(scores.len()));
    best.offer(0, scores, |item| had.binary_search(&(item as u32)).is_err());
    best.into_sorted()
}

/// Recommends what most users have had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Popularity;

/// How many users had each item.
#[derive(Debug, Clone, PartialEq)]
pub struct PopularityModel {
    counts: Vec<f32>,
}

impl Fit<SparseMatrix> for Popularity {
    type Model = PopularityModel;

    fn fit(&self, users: &SparseMatrix) -> Result<PopularityModel> {
        check(users)?;
        Ok(PopularityModel { counts: users.entries_by_column().into_iter().map(|count| count as f32).collect() })
    }
}

impl Recommend for PopularityModel {
    fn items(&self) -> usize {
        self.counts.len()
    }

    fn scores(&self, histories: &SparseMatrix) -> Result<Matrix> {
        check_items(self.items(), histories)?;
        Matrix::from_vec(histories.rows(), self.items(), self.counts.repeat(histories.rows()))
    }
}

/// The sum of the z-scores that several models give: each row of each model is shifted and scaled to mean 0 and variance 1.
pub struct Sum {
    /// The models.
    pub parts: Vec<Arc<dyn Recommend>>,
}

impl Recommend for Sum {
    fn items(&self) -> usize {
        self.parts.first().map_or(0, |part| part.items())
    }

    fn scores(&self, histories: &SparseMatrix) -> Result<Matrix> {
        check_items(self.items(), histories)?;
        let mut sum = Matrix::zeros(histories.rows(), self.items());
        let items = self.items().max(1);
        for part in &self.parts {
            let scores = part.scores(histories)?;
            let rows = sum.as_mut_slice().par_chunks_mut(items).zip(scores.as_slice().par_chunks(items));
            rows.for_each(|(sum, scores)| add_standardized(scores, sum));
        }
        Ok(sum)
    }
}

fn add_standardized(scores: &[f32], sum: &mut [f32]) {
    let count = scores.len() as f64;
    let mean = scores.iter().map(|&score| f64::from(score)).sum::<f64>() / count;
    let variance = scores.iter().map(|&score| (f64::from(score) - mean).powi(2)).sum::<f64>() / count;
    // Scores that are all equal say nothing, and add nothing.
    let scale = if variance > 0.0 { variance.sqrt().recip() } else { 0.0 };
    sum.iter_mut().zip(scores).for_each(|(sum, &score)| *sum += ((f64::from(score) - mean) * scale) as f32);
}

/// Refuses what nothing can be learnt from.
fn check(users: &SparseMatrix) -> Result<()> {
    if users.entries() == 0 {
        let (users, items) = (users.rows(), users.cols());
        return Err(Error::data(format!("nothing to learn from: {users} users and {items} items, but nobody had any")));
    }
    match users.values().iter().find(|value| !value.is_finite()) {
        Some(value) => Err(Error::data(format!("{value} is no number that says how much a user had of an item"))),
        None => Ok(()),
    }
}

fn check_items(items: usize, histories: &SparseMatrix) -> Result<()> {
    if histories.cols() == items {
        return Ok(());
    }
    Err(Error::mismatch("items of a history", items, histories.cols()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of items, each taken once.
    pub(super) fn rows(items: usize, rows: &[&[u32]]) -> SparseMatrix {
        let mut matrix = SparseMatrix::empty(items);
        rows.iter().for_each(|row| matrix.push(row.iter().map(|&item| (item, 1.0))));
        matrix
    }

    #[test]
    fn the_most_popular_come_first_without_what_the_user_had() -> Result<()> {
        let users = rows(4, &[&[0, 1], &[1, 2], &[1, 2, 3], &[]]);
        let model = Popularity.fit(&users)?;
        let scores = model.scores(&users)?;
        assert_eq!(scores.row(2), [1.0, 3.0, 2.0, 1.0]);
        let positions = |had: &[u32], top| -> Vec<usize> {
            best(scores.row(0), had, top).iter().map(|found| found.position).collect()
        };
        assert_eq!(positions(&[], 9), [1, 2, 0, 3]);
        assert_eq!(positions(&[1, 3], 1), [2]);
        Ok(())
    }

    #[test]
    fn z_scores_are_added() -> Result<()> {
        let users = rows(2, &[&[0], &[0, 1], &[0]]);
        let part = || -> Result<Arc<dyn Recommend>> { Ok(Arc::new(Popularity.fit(&users)?)) };
        let sum = Sum { parts: vec![part()?, part()?] };
        // 3 and 1 have the z-scores 1 and -1.
        assert_eq!(sum.scores(&rows(2, &[&[1]]))?.row(0), [2.0, -2.0]);
        assert!(matches!(sum.scores(&rows(3, &[&[1]])), Err(Error::Mismatch { .. })));
        let equal = Sum { parts: vec![Arc::new(Popularity.fit(&rows(2, &[&[0, 1]]))?)] };
        assert_eq!(equal.scores(&rows(2, &[&[1]]))?.row(0), [0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn nothing_to_learn_from_is_refused() {
        assert!(matches!(Popularity.fit(&rows(3, &[&[], &[]])), Err(Error::Data { .. })));
        assert!(matches!(Ease::default().fit(&rows(3, &[])), Err(Error::Data { .. })));
    }
}
