//! Association rules: who buys these often buys that as well (Agrawal and Srikant, 1994).
//!
//! Of a rule a => b, with N baskets and n(·) those that hold a set:
//!
//! - support n(ab) / N, confidence n(ab) / n(a), lift confidence N / n(b): how many times likelier b becomes by a;
//! - leverage n(ab) / N − n(a) n(b) / N², conviction (1 − n(b) / N) / (1 − confidence).
//!
//! Counts are exact. [`Estimator`] is what an autoencoder of the baskets says to the same question; it has seen the items
//! through its code only, so that what it says of rare sets rests on similar ones as well.
//!
//! ```
//! # fn main() -> firth::Result<()> {
//! use firth::analysis::rules::{FrequentItemsets, Rules, Support};
//! use firth::estimator::Fit;
//! use firth::math::SparseMatrix;
//!
//! // Bread is 0, butter 1, tea 2.
//! let mut baskets = SparseMatrix::empty(3);
//! [vec![0, 1], vec![0, 1, 2], vec![0], vec![2]].iter().for_each(|items| baskets.push(items.iter().map(|&i| (i, 1.0))));
//! let itemsets = FrequentItemsets { min_support: Support::Count(2), max_items: 2 }.fit(&baskets)?;
//! let rules = Rules { min_confidence: 0.9, ..Rules::default() }.find(&itemsets)?;
//! assert_eq!((&rules[0].antecedent[..], &rules[0].consequent[..], rules[0].count), (&[1][..], &[0][..], 2));
//! assert_eq!(rules[0].lift(), 4.0 / 3.0);
//! # Ok(())
//! # }
//! ```

mod estimate;
mod itemsets;

use rayon::prelude::*;

use crate::error::{Error, Result};

pub use estimate::{Estimator, common_part};
pub use itemsets::{FrequentItemsets, Itemsets, MOST_ITEMSETS, Support};

/// The most rules that are compared: 240 MB.
pub const MOST_RULES: usize = 20_000_000;

/// Which rules to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The least confidence, from 0 to 1.
    pub min_confidence: f64,
    /// The least lift, from 0; at 1 the antecedent tells nothing.
    pub min_lift: f64,
    /// Keep rules with this item on either side only.
    pub with: Option<u32>,
    /// How many to keep, the best; all without.
    pub top: Option<usize>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { min_confidence: 0.1, min_lift: 1.0, with: None, top: None }
    }
}

/// If a basket holds the antecedent, it is likely to hold the consequent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What the basket holds, ascending.
    pub antecedent: Vec<u32>,
    /// What it is likely to hold as well, ascending.
    pub consequent: Vec<u32>,
    /// Baskets with both.
    pub count: u64,
    /// Baskets with the antecedent.
    pub antecedent_count: u64,
    /// Baskets with the consequent.
    pub consequent_count: u64,
    /// All baskets.
    pub baskets: u64,
}

impl Rule {
    /// The share of all baskets that hold both.
    pub fn support(&self) -> f64 {
        self.count as f64 / self.baskets as f64
    }

    /// The share of the baskets with the antecedent that hold the consequent as well.
    pub fn confidence(&self) -> f64 {
        self.count as f64 / self.antecedent_count as f64
    }

    /// How many times likelier the antecedent makes the consequent.
    pub fn lift(&self) -> f64 {
        lift(self.baskets, self.count, self.antecedent_count, self.consequent_count)
    }

    /// The share of baskets that hold both beyond what chance would give.
    pub fn leverage(&self) -> f64 {
        let share = |count: u64| count as f64 / self.baskets as f64;
        self.support() - share(self.antecedent_count) * share(self.consequent_count)
    }

    /// How many times likelier than observed it would be, by chance, that the rule fails; infinite if it never does.
    pub fn conviction(&self) -> f64 {
        let expected = 1.0 - self.consequent_count as f64 / self.baskets as f64;
        let failed = self.antecedent_count - self.count;
        if failed == 0 { f64::INFINITY } else { expected * self.antecedent_count as f64 / failed as f64 }
    }
}

/// Both products are exact up to 2⁵³, so that equal lifts are equal numbers.
fn lift(baskets: u64, count: u64, antecedent: u64, consequent: u64) -> f64 {
    (baskets as f64 * count as f64) / (antecedent as f64 * consequent as f64)
}

/// A rule as three sets by position: both sides, antecedent, consequent.
type Sides = [u32; 3];

impl Rules {
    /// All rules with both sides frequent, by falling lift, then falling support, then items.
    ///
    /// # Errors
    /// If a threshold is out of range, or more rules pass than can be compared.
    pub fn find(&self, itemsets: &Itemsets) -> Result<Vec<Rule>> {
        if !(0.0..=1.0).contains(&self.min_confidence) {
            let reason = format!("{} is out of range, expected 0 to 1 (100%)", self.min_confidence);
            return Err(Error::config("--min-confidence", reason));
        }
        if !(self.min_lift.is_finite() && self.min_lift >= 0.0) {
            let reason = format!("{} is out of range, expected a number from 0", self.min_lift);
            return Err(Error::config("--min-lift", reason));
        }
        let baskets = itemsets.baskets() as u64;
        let counts = |sides: &Sides| sides.map(|set| itemsets.count(set as usize));
        let passes = |sides: &Sides| {
            let [count, antecedent, consequent] = counts(sides);
            count as f64 >= self.min_confidence * antecedent as f64 - 1e-9
                && lift(baskets, count, antecedent, consequent) >= self.min_lift - 1e-12
        };
        let mut found: Vec<Sides> = Vec::new();
        for start in (0..itemsets.len()).step_by(BLOCK) {
            let block = start..itemsets.len().min(start + BLOCK);
            let rules = block.into_par_iter().flat_map_iter(|set| self.sides(itemsets, set).filter(passes));
            found.par_extend(rules);
            if found.len() > MOST_RULES {
                let reason = format!("more than {MOST_RULES} rules; raise it or --min-support, or lower --max-items");
                return Err(Error::config("--min-confidence", reason));
            }
        }
        let items = |set: u32| itemsets.items(set as usize);
        found.par_sort_unstable_by(|a, b| {
            let ([n, a_if, a_then], [m, b_if, b_then]) = (counts(a), counts(b));
            let lifts = lift(baskets, m, b_if, b_then).total_cmp(&lift(baskets, n, a_if, a_then));
            lifts.then(m.cmp(&n)).then_with(|| items(a[1]).cmp(items(b[1]))).then_with(|| items(a[2]).cmp(items(b[2])))
        });
        found.truncate(self.top.unwrap_or(usize::MAX));
        let rule = |sides: &Sides| {
            let [count, antecedent_count, consequent_count] = counts(sides);
            let [antecedent, consequent] = [sides[1], sides[2]].map(|set| items(set).to_vec());
            Rule { antecedent, consequent, count, antecedent_count, consequent_count, baskets }
        };
        Ok(found.iter().map(rule).collect())
    }

    /// All ways to part a set into two sides.
    fn sides<'a>(&self, itemsets: &'a Itemsets, set: usize) -> impl Iterator<Item = Sides> + 'a {
        let items = itemsets.items(set);
        let is_wanted = self.with.is_none_or(|item| items.binary_search(&item).is_ok());
        let ways = if is_wanted && items.len() > 1 { (1u64 << items.len()) - 1 } else { 1 };
        (1..ways).map(move |way| {
            let side = |bit: u64| -> Vec<u32> {
                (0..items.len()).filter(|at| way >> at & 1 == bit).map(|at| items[at]).collect()
            };
            let [antecedent, consequent] = [side(1), side(0)]
                .map(|items| itemsets.find(&items).expect("a part of a frequent set is frequent, and listed") as u32);
            [set as u32, antecedent, consequent]
        })
    }
}

/// Itemsets whose rules are made together, before they are counted against [`MOST_RULES`].
const BLOCK: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimator::Fit;
    use crate::math::{Rng, SparseMatrix};

    pub(super) fn baskets(items: usize, baskets: &[&[u32]]) -> SparseMatrix {
        let mut matrix = SparseMatrix::empty(items);
        baskets.iter().for_each(|basket| matrix.push(basket.iter().map(|&item| (item, 1.0))));
        matrix
    }

    /// Of 20 goods each is bought by one in ten; who has 3 and 7 also takes 11, four times of five, and 15 comes with 16.
    pub(super) fn planted() -> SparseMatrix {
        let mut rng = Rng::stream(7, &[]);
        let mut matrix = SparseMatrix::empty(20);
        for _ in 0..5000 {
            let mut basket: Vec<u32> = (0..20).filter(|_| rng.below(10) == 0).collect();
            if rng.below(10) == 0 {
                basket.extend([3, 7]);
            }
            if basket.contains(&3) && basket.contains(&7) && rng.below(5) < 4 {
                basket.push(11);
            }
            if basket.contains(&15) {
                basket.push(16);
            }
            basket.sort_unstable();
            basket.dedup();
            matrix.push(basket.into_iter().map(|item| (item, 1.0)));
        }
        matrix
    }

    #[test]
    fn planted_rules_come_first_with_their_confidence() -> Result<()> {
        let itemsets = FrequentItemsets { min_support: Support::Share(0.03), max_items: 3 }.fit(&planted())?;
        let rules = Rules { min_confidence: 0.7, ..Rules::default() }.find(&itemsets)?;
        let find = |antecedent: &[u32], consequent: &[u32]| {
            rules.iter().find(|rule| rule.antecedent == antecedent && rule.consequent == consequent)
        };
        let rule = find(&[3, 7], &[11]).expect("a planted rule");
        // Four of five, and one in ten of the others by chance.
        assert!((rule.confidence() - 0.82).abs() < 0.04, "{}", rule.confidence());
        assert_eq!(find(&[15], &[16]).expect("a planted rule").confidence(), 1.0);
        assert!(rules.iter().all(|rule| rule.confidence() >= 0.7 && rule.lift() >= 1.0));
        assert!(rules.is_sorted_by(|a, b| a.lift() >= b.lift()));
        let with = Rules { min_confidence: 0.7, with: Some(11), top: Some(1), ..Rules::default() }.find(&itemsets)?;
        assert!(with.len() == 1 && [&with[0].antecedent, &with[0].consequent].iter().any(|side| side.contains(&11)));
        Ok(())
    }

    #[test]
    fn figures_equal_those_of_brute_force() -> Result<()> {
        let matrix = planted();
        let itemsets = FrequentItemsets { min_support: Support::Count(60), max_items: 4 }.fit(&matrix)?;
        let rules = Rules { min_confidence: 0.0, min_lift: 0.0, ..Rules::default() }.find(&itemsets)?;
        let ways = |set: usize| (1usize << itemsets.items(set).len()) - 2;
        assert_eq!(rules.len(), (0..itemsets.len()).map(ways).sum::<usize>());
        let count = |items: &[&[u32]]| {
            let holds = |row: &[u32]| items.iter().flat_map(|items| items.iter()).all(|item| row.contains(item));
            matrix.iter_rows().filter(|row| holds(row.indices)).count() as f64
        };
        for rule in rules.iter().step_by(7) {
            let (a, b) = (&rule.antecedent[..], &rule.consequent[..]);
            let (both, a, b, n) = (count(&[a, b]), count(&[a]), count(&[b]), 5000.0);
            let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{rule:?}");
            close(rule.support(), both / n);
            close(rule.confidence(), both / a);
            close(rule.lift(), both * n / (a * b));
            close(rule.leverage(), both / n - a * b / (n * n));
            if both < a {
                close(rule.conviction(), (1.0 - b / n) / (1.0 - both / a));
            } else {
                assert!(rule.conviction().is_infinite());
            }
        }
        Ok(())
    }

    #[test]
    fn equal_rules_are_ordered_by_support_and_then_by_items() -> Result<()> {
        // Items 0 and 1 meet in two baskets, 2 and 3 in four; all four lifts are 8 / 4.
        let (first, second, third): (&[u32], &[u32], &[u32]) = (&[0, 1], &[1], &[2, 3]);
        let matrix = baskets(4, &[first, first, second, second, third, third, third, third]);
        let itemsets = FrequentItemsets { min_support: Support::Count(1), max_items: 4 }.fit(&matrix)?;
        let rules = Rules::default().find(&itemsets)?;
        let sides: Vec<(u32, u32)> = rules.iter().map(|rule| (rule.antecedent[0], rule.consequent[0])).collect();
        assert!(rules.iter().all(|rule| rule.lift() == 2.0));
        assert_eq!(sides, [(2, 3), (3, 2), (0, 1), (1, 0)]);
        Ok(())
    }

    #[test]
    fn thresholds_out_of_range_are_refused() -> Result<()> {
        let itemsets = FrequentItemsets::default().fit(&baskets(2, &[&[0, 1]]))?;
        for rules in [
            Rules { min_confidence: 1.5, ..Rules::default() },
            Rules { min_confidence: f64::NAN, ..Rules::default() },
            Rules { min_lift: -1.0, ..Rules::default() },
        ] {
            assert!(matches!(rules.find(&itemsets), Err(Error::Config { .. })), "{rules:?}");
        }
        Ok(())
    }
}
