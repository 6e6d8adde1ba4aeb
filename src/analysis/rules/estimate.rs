//! What an autoencoder makes of a rule: P(consequent | antecedent), read off its decoder.
//!
//! Trained to tell the items that were hidden from a basket, its output for the basket {a} is the share that b has among what
//! else is in such baskets. Times the number of other items in baskets with a, which is counted, it compares with the
//! confidence. Several consequents are added one after another, by the chain rule.

use rayon::prelude::*;

use super::{Itemsets, Rule};
use crate::analysis::recommend::{MultDae, MultDaeModel};
use crate::error::Result;
use crate::math::SparseMatrix;
use crate::train::Observer;

/// An autoencoder of the frequent items, and the baskets that it has learnt from.
#[derive(Debug)]
pub struct Estimator {
    model: MultDaeModel,
    baskets: SparseMatrix,
    /// The baskets with each item.
    holders: Vec<Vec<u32>>,
    /// The items that are frequent, ascending: what the columns stand for.
    items: Vec<u32>,
}

/// Rules that are estimated together.
const BATCH: usize = 256;

/// An antecedent, perhaps with consequents that are given already, and the consequent asked for: as columns.
type Question = (Vec<u32>, u32);

impl Estimator {
    /// Learns from the frequent items of the baskets, and lets `observer` follow; `settings` are best those of
    /// [`MultDae::baskets`].
    ///
    /// # Errors
    /// If no basket holds two frequent items, or learning diverges.
    pub fn fit(
        settings: &MultDae,
        baskets: &SparseMatrix,
        itemsets: &Itemsets,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let (train, _) = common_part(baskets, itemsets.least(), 2);
        let model = settings.fit_observed(&train, observer)?;
        let (baskets, items) = common_part(baskets, itemsets.least(), 0);
        let holders = holders(&baskets);
        Ok(Self { model, baskets, holders, items })
    }

    /// The estimate of each rule, from 0 to 1.
    pub fn estimate(&self, rules: &[Rule]) -> Result<Vec<f64>> {
        let mut estimates = Vec::with_capacity(rules.len());
        for rules in rules.chunks(BATCH) {
            let questions: Vec<Vec<Question>> = rules.iter().map(|rule| self.questions(rule)).collect();
            let all: Vec<&Question> = questions.iter().flatten().collect();
            let mut rows = SparseMatrix::empty(self.items.len());
            all.iter().for_each(|(held, _)| rows.push(held.iter().map(|&item| (item, 1.0))));
            let shares = self.model.shares(&rows)?;
            let answer = |(at, (held, item)): (usize, &&Question)| {
                (f64::from(shares.row(at)[*item as usize]) * others(&self.baskets, &self.holders, held)).min(1.0)
            };
            let answers: Vec<f64> = all.par_iter().enumerate().map(answer).collect();
            let mut answers = answers.into_iter();
            estimates.extend(questions.iter().map(|asked| answers.by_ref().take(asked.len()).product::<f64>()));
        }
        Ok(estimates)
    }

    fn questions(&self, rule: &Rule) -> Vec<Question> {
        let column = |item: &u32| self.items.binary_search(item).expect("items of a rule are frequent") as u32;
        let mut held: Vec<u32> = rule.antecedent.iter().map(column).collect();
        let ask = |item: &u32| {
            let item = column(item);
            let question = (held.clone(), item);
            held.insert(held.partition_point(|&other| other < item), item);
            question
        };
        rule.consequent.iter().map(ask).collect()
    }
}

/// The baskets without items that fewer than `least` baskets hold, then without baskets of fewer than `min_items` items; and
/// the items that stay, ascending, a column each.
pub fn common_part(baskets: &SparseMatrix, least: u64, min_items: usize) -> (SparseMatrix, Vec<u32>) {
    let counts = baskets.entries_by_column();
    let items: Vec<u32> =
        (0..baskets.cols() as u32).filter(|&item| u64::from(counts[item as usize]) >= least).collect();
    let mut columns = vec![None; baskets.cols()];
    items.iter().enumerate().for_each(|(column, &item)| columns[item as usize] = Some(column as u32));
    let mut common = SparseMatrix::empty(items.len());
    let mut kept = Vec::new();
    for row in baskets.iter_rows() {
        kept.clear();
        kept.extend(row.iter().filter_map(|(item, value)| columns[item].map(|column| (column, value))));
        if kept.len() >= min_items {
            common.push(kept.iter().copied());
        }
    }
    (common, items)
}

fn holders(baskets: &SparseMatrix) -> Vec<Vec<u32>> {
    let mut holders = vec![Vec::new(); baskets.cols()];
    for (basket, row) in baskets.iter_rows().enumerate() {
        row.indices.iter().for_each(|&item| holders[item as usize].push(basket as u32));
    }
    holders
}

/// The mean number of other items in baskets that hold these.
fn others(baskets: &SparseMatrix, holders: &[Vec<u32>], held: &[u32]) -> f64 {
    let Some(rarest) = held.iter().min_by_key(|&&item| holders[item as usize].len()) else { return 0.0 };
    let (mut count, mut items) = (0u64, 0u64);
    for &basket in &holders[*rarest as usize] {
        let row = baskets.row(basket as usize);
        if held.iter().all(|item| row.indices.binary_search(item).is_ok()) {
            count += 1;
            items += (row.indices.len() - held.len()) as u64;
        }
    }
    items as f64 / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::tests::{baskets, planted};
    use super::super::{FrequentItemsets, Rules, Support};
    use super::*;
    use crate::estimator::Fit;
    use crate::train::Silent;

    #[test]
    fn the_common_part_leaves_out_rare_items_and_small_baskets() {
        let matrix = baskets(4, &[&[0, 1, 3], &[1, 3], &[2, 3], &[3]]);
        let part = |min_items| -> (Vec<Vec<u32>>, Vec<u32>) {
            let (part, items) = common_part(&matrix, 2, min_items);
            (part.iter_rows().map(|row| row.indices.to_vec()).collect(), items)
        };
        assert_eq!(part(0), (vec![vec![0, 1], vec![0, 1], vec![1], vec![1]], vec![1, 3]));
        assert_eq!(part(2).0, [[0, 1], [0, 1]]);
    }

    #[test]
    fn others_are_counted_in_the_baskets_that_hold_the_set() {
        let matrix = baskets(5, &[&[0, 1, 2], &[0, 1], &[1, 3, 4], &[0, 1, 2, 3, 4]]);
        let others = |held: &[u32]| others(&matrix, &holders(&matrix), held);
        assert_eq!((others(&[0, 1]), others(&[2]), others(&[0, 4])), (4.0 / 3.0, 3.0, 3.0));
    }

    #[test]
    fn the_decoder_agrees_with_what_was_counted() -> Result<()> {
        let matrix = planted();
        let itemsets = FrequentItemsets { min_support: Support::Share(0.02), max_items: 3 }.fit(&matrix)?;
        let rules = Rules { min_confidence: 0.3, ..Rules::default() }.find(&itemsets)?;
        let settings = MultDae { threads: 1, ..MultDae::baskets(matrix.rows()) };
        let estimates = Estimator::fit(&settings, &matrix, &itemsets, &mut Silent)?.estimate(&rules)?;
        for (rule, estimate) in rules.iter().zip(estimates) {
            assert!((rule.confidence() - estimate).abs() < 0.25, "{rule:?}: {} {estimate}", rule.confidence());
        }
        Ok(())
    }
}
