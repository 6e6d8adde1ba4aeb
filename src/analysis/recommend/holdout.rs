//! How well a model finds what was kept from it: users held out, or one item of each basket.
//!
//! Recall@k = found among the first k / min(k, hidden). NDCG@k = Σ 1 / log₂(1 + rank) over the hidden items among the first
//! k, divided by the same sum for the best order, which has min(k, hidden) of them. Both as in Liang et al. (2018).

use serde::Serialize;

use super::{Recommend, best};
use crate::error::{Error, Result};
use crate::math::{Rng, SparseMatrix};

/// How far down recall looks.
const RECALL: usize = 20;
/// How far down the discounted gain looks.
const NDCG: usize = 100;
/// Histories that are scored together, so that dense scores stay few.
const BATCH: usize = 256;
/// Named streams of random numbers.
const USERS: u64 = 1;
const BASKETS: u64 = 2;

/// Users to learn from, and others of whom a part of the items is shown and the rest is to be found.
#[derive(Debug, Clone, PartialEq)]
pub struct Holdout {
    /// Users to learn from.
    pub train: SparseMatrix,
    /// Of each user held out, four fifths of the items.
    pub shown: SparseMatrix,
    /// The others, ascending.
    pub hidden: Vec<Vec<u32>>,
}

/// How well held-out users are served.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ranking {
    /// The mean of Recall@20.
    #[serde(rename = "recall@20")]
    pub recall: f64,
    /// The mean of NDCG@100.
    #[serde(rename = "ndcg@100")]
    pub ndcg: f64,
    /// Users that were held out.
    pub users: usize,
}

impl Holdout {
    /// Holds out a tenth of the users, at least 50, at most half, and from 5000 users on 1000; drawn afresh for every round.
    /// A user with a single item has nothing to show, and is always learnt from.
    ///
    /// # Errors
    /// With fewer than four users of two items or more.
    pub fn new(users: &SparseMatrix, seed: u64, round: u64) -> Result<Self> {
        let mut rng = Rng::stream(seed, &[USERS, round]);
        let mut order: Vec<usize> = (0..users.rows()).filter(|&user| users.row(user).indices.len() > 1).collect();
        if order.len() < 4 {
            let found = order.len();
            let reason = format!("{found} users have two items or more; to hold some out, at least 4 are needed");
            return Err(Error::data(reason));
        }
        shuffle(&mut order, &mut rng);
        let total = order.len();
        let count = if total < 5000 { (total / 10).max(50).min(total / 2) } else { 1000 };
        let held = &order[..count];
        let mut is_held = vec![false; users.rows()];
        held.iter().for_each(|&user| is_held[user] = true);
        let mut train = SparseMatrix::empty(users.cols());
        (0..users.rows()).filter(|&user| !is_held[user]).for_each(|user| push(&mut train, users, user));
        let mut shown = SparseMatrix::empty(users.cols());
        let mut hidden = Vec::with_capacity(count);
        for &user in held {
            let row = users.row(user);
            let mut places: Vec<usize> = (0..row.indices.len()).collect();
            shuffle(&mut places, &mut rng);
            let fifth = (places.len() / 5).max(1);
            let (away, kept) = places.split_at_mut(fifth);
            away.sort_unstable();
            kept.sort_unstable();
            shown.push(kept.iter().map(|&at| (row.indices[at], row.values[at])));
            hidden.push(away.iter().map(|&at| row.indices[at]).collect());
        }
        Ok(Self { train, shown, hidden })
    }

    /// Scores a model that has learnt from [`Holdout::train`].
    pub fn evaluate(&self, model: &dyn Recommend) -> Result<Ranking> {
        let (mut recall, mut ndcg) = (0.0, 0.0);
        each_row(model, &self.shown, |user, scores| {
            let ranked = best(scores, self.shown.row(user).indices, NDCG);
            let ranked: Vec<u32> = ranked.iter().map(|found| found.position as u32).collect();
            recall += recall_at(RECALL, &ranked, &self.hidden[user]);
            ndcg += ndcg_at(NDCG, &ranked, &self.hidden[user]);
        })?;
        let users = self.hidden.len();
        Ok(Ranking { recall: recall / users as f64, ndcg: ndcg / users as f64, users })
    }
}

/// The share of the hidden items (ascending) that are among the first `k`, at best 1.
fn recall_at(k: usize, ranked: &[u32], hidden: &[u32]) -> f64 {
    let found = ranked.iter().take(k).filter(|item| hidden.binary_search(item).is_ok()).count();
    found as f64 / hidden.len().min(k).max(1) as f64
}

/// The discounted gain of the first `k`, by that of the best order.
fn ndcg_at(k: usize, ranked: &[u32], hidden: &[u32]) -> f64 {
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let is_hidden = |(_, item): &(usize, &u32)| hidden.binary_search(item).is_ok();
    let found: f64 = ranked.iter().take(k).enumerate().filter(is_hidden).map(|(rank, _)| gain(rank)).sum();
    let ideal: f64 = (0..hidden.len().min(k)).map(gain).sum();
    if ideal > 0.0 { found / ideal } else { 0.0 }
}

/// Baskets to learn from, and others of which one item is hidden.
#[derive(Debug, Clone, PartialEq)]
pub struct HiddenItems {
    /// Baskets to learn from.
    pub train: SparseMatrix,
    /// The others, without the hidden item.
    pub shown: SparseMatrix,
    /// The hidden item of each.
    pub hidden: Vec<u32>,
}

/// At which rank hidden items are found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hits {
    /// The share that comes first.
    #[serde(rename = "hit@1")]
    pub first: f64,
    /// The share among the first five.
    #[serde(rename = "hit@5")]
    pub five: f64,
    /// The share among the first ten.
    #[serde(rename = "hit@10")]
    pub ten: f64,
    /// The mean of 1 / rank.
    pub mrr: f64,
    /// Baskets with a hidden item.
    pub baskets: usize,
}

impl HiddenItems {
    /// Takes a fifth of the baskets away and hides one item of each; baskets of one item are left out.
    ///
    /// # Errors
    /// With fewer than five baskets of two items or more.
    pub fn new(baskets: &SparseMatrix, seed: u64) -> Result<Self> {
        let mut rng = Rng::stream(seed, &[BASKETS]);
        let mut order: Vec<usize> = (0..baskets.rows()).filter(|&row| baskets.row(row).indices.len() > 1).collect();
        if order.len() < 5 {
            let found = order.len();
            let reason = format!("{found} baskets have two items or more; to hold some out, at least 5 are needed");
            return Err(Error::data(reason));
        }
        shuffle(&mut order, &mut rng);
        let (kept, held) = order.split_at(order.len() * 4 / 5);
        let mut train = SparseMatrix::empty(baskets.cols());
        kept.iter().for_each(|&basket| push(&mut train, baskets, basket));
        let mut shown = SparseMatrix::empty(baskets.cols());
        let mut hidden = Vec::with_capacity(held.len());
        for &basket in held {
            let row = baskets.row(basket);
            let away = row.indices[rng.below(row.indices.len() as u32) as usize];
            shown.push(row.indices.iter().copied().zip(row.values.iter().copied()).filter(|(item, _)| *item != away));
            hidden.push(away);
        }
        Ok(Self { train, shown, hidden })
    }

    /// Scores a model that has learnt from [`HiddenItems::train`]. Of equal scores the first item comes first.
    pub fn evaluate(&self, model: &dyn Recommend) -> Result<Hits> {
        let mut ranks = Vec::with_capacity(self.hidden.len());
        each_row(model, &self.shown, |basket, scores| {
            let hidden = self.hidden[basket] as usize;
            let wanted = scores[hidden];
            let is_before = |item: usize| scores[item] > wanted || (scores[item] == wanted && item < hidden);
            let shown = self.shown.row(basket).indices;
            let before = (0..scores.len()).filter(|&item| is_before(item)).count();
            ranks.push(before - shown.iter().filter(|&&item| is_before(item as usize)).count() + 1);
        })?;
        let count = ranks.len() as f64;
        let within = |most: usize| ranks.iter().filter(|&&rank| rank <= most).count() as f64 / count;
        let mrr = ranks.iter().map(|&rank| 1.0 / rank as f64).sum::<f64>() / count;
        Ok(Hits { first: within(1), five: within(5), ten: within(10), mrr, baskets: ranks.len() })
    }
}

/// Gives each history's scores, a batch at a time.
fn each_row(model: &dyn Recommend, rows: &SparseMatrix, mut each: impl FnMut(usize, &[f32])) -> Result<()> {
    for start in (0..rows.rows()).step_by(BATCH) {
        let mut batch = SparseMatrix::empty(rows.cols());
        (start..rows.rows().min(start + BATCH)).for_each(|row| push(&mut batch, rows, row));
        let scores = model.scores(&batch)?;
        scores.iter_rows().enumerate().for_each(|(at, scores)| each(start + at, scores));
    }
    Ok(())
}

fn push(into: &mut SparseMatrix, from: &SparseMatrix, row: usize) {
    let row = from.row(row);
    into.push(row.indices.iter().copied().zip(row.values.iter().copied()));
}

/// Fisher and Yates.
fn shuffle<T>(list: &mut [T], rng: &mut Rng) {
    for last in (1..list.len()).rev() {
        list.swap(last, rng.below(last as u32 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::rows;
    use super::super::{Confidence, Popularity};
    use super::*;
    use crate::estimator::Fit;

    #[test]
    fn metrics_equal_those_made_by_hand() {
        let ranked = [7, 3, 9, 1];
        assert_eq!(recall_at(2, &ranked, &[1, 3, 8]), 0.5);
        assert_eq!(recall_at(20, &ranked, &[1, 3, 8]), 2.0 / 3.0);
        let ideal = 1.0 + 1.0 / 3f64.log2() + 0.5;
        let found = 1.0 / 3f64.log2() + 1.0 / 5f64.log2();
        assert!((ndcg_at(100, &ranked, &[1, 3, 8]) - found / ideal).abs() < 1e-12);
        assert!((ndcg_at(1, &ranked, &[7, 8]) - 1.0).abs() < 1e-12, "the best order is cut off as well");
        assert_eq!((ndcg_at(9, &ranked, &[]), recall_at(9, &ranked, &[])), (0.0, 0.0));
    }

    #[test]
    fn a_fifth_of_each_held_out_user_is_hidden_and_none_is_learnt_from() -> Result<()> {
        let mut users = SparseMatrix::empty(40);
        for user in 0..120u32 {
            users.push((0..10).map(|item| (item * 4 + (user + item) % 4, 1.0)));
        }
        users.push([(0, 1.0)]);
        let split = Holdout::new(&users, 1, 0)?;
        assert_eq!((split.train.rows(), split.shown.rows(), split.hidden.len()), (71, 50, 50));
        for (shown, hidden) in split.shown.iter_rows().zip(&split.hidden) {
            assert_eq!((shown.indices.len(), hidden.len()), (8, 2));
            assert!(hidden.is_sorted() && hidden.iter().all(|item| shown.indices.binary_search(item).is_err()));
        }
        assert_eq!(Holdout::new(&users, 1, 0)?, split);
        assert_ne!(Holdout::new(&users, 1, 1)?, split);
        assert_ne!(Holdout::new(&users, 2, 0)?, split);
        assert!(Holdout::new(&rows(3, &[&[0, 1], &[0], &[1, 2], &[0, 2]]), 1, 0).is_err());
        Ok(())
    }

    #[test]
    fn what_is_shown_is_not_found_again() -> Result<()> {
        // All users hold the two commonest items and one of the others.
        let mut users = SparseMatrix::empty(10);
        (0..100u32).for_each(|user| users.push([(0, 1.0), (1, 1.0), (2 + user % 8, 1.0)]));
        let split = Holdout::new(&users, 3, 0)?;
        let ranking = split.evaluate(&Popularity.fit(&split.train)?)?;
        let firsts = split.hidden.iter().filter(|hidden| hidden[0] < 2).count() as f64 / 50.0;
        assert_eq!((ranking.recall, ranking.users), (1.0, 50), "ten items are all among the first twenty");
        assert!(ranking.ndcg >= firsts && ranking.ndcg < 1.0, "{ranking:?}");
        Ok(())
    }

    #[test]
    fn a_hidden_item_that_its_partner_implies_is_found_first() -> Result<()> {
        let mut baskets = SparseMatrix::empty(20);
        (0..500u32).for_each(|basket| baskets.push([(basket % 10 * 2, 1.0), (basket % 10 * 2 + 1, 1.0)]));
        let split = HiddenItems::new(&baskets, 1)?;
        assert_eq!((split.train.rows(), split.hidden.len()), (400, 100));
        let hits = split.evaluate(&Confidence.fit(&split.train)?)?;
        assert_eq!((hits.first, hits.mrr, hits.baskets), (1.0, 1.0, 100));
        let hits = split.evaluate(&Popularity.fit(&split.train)?)?;
        assert!(hits.first < 0.3 && hits.five < hits.ten && hits.ten < 0.8, "{hits:?}");
        Ok(())
    }
}
