//! Frequent itemsets, by occurrence deliver (Uno et al., 2004, "LCM").
//!
//! Items are numbered from the rarest to the commonest, and each basket is written down ascending. The baskets that hold a
//! set are known as places: where, in each, its last item stands. What follows there are the items that the set can be
//! extended by, so that one pass counts all extensions, and a second one writes down the places of the frequent ones. The
//! work is the length of what is read; no two lists are ever intersected, and no set is counted that has no basket.

use std::hash::BuildHasher;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::estimator::Fit;
use crate::math::SparseMatrix;

/// The most itemsets that are listed: some 300 MB.
pub const MOST_ITEMSETS: usize = 4_000_000;

/// How often a set must occur to count as frequent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Support {
    /// In so many baskets.
    Count(u64),
    /// In this share of them.
    Share(f64),
}

impl FromStr for Support {
    type Err = String;

    /// Reads a share (`0.5%`, `0.005`) or a number of baskets (`50`).
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse().map(|percent: f64| percent / 100.0).ok(),
            None => match text.parse() {
                Ok(count) if count > 0 => return Ok(Self::Count(count)),
                _ => text.parse().ok(),
            },
        };
        match share {
            Some(share) if share > 0.0 && share <= 1.0 => Ok(Self::Share(share)),
            _ => Err("expected a share above 0 to 100% (0.5%, 0.005), or a number of baskets from 1 (50)".into()),
        }
    }
}

impl Support {
    /// The number of baskets, at least one.
    fn baskets(self, all: usize) -> Result<u64> {
        match self {
            Self::Count(0) => Err(Error::config("--min-support", "0 is out of range, expected 1 or more baskets")),
            Self::Count(count) => Ok(count),
            Self::Share(share) if share > 0.0 && share <= 1.0 => Ok((share * all as f64 - 1e-9).ceil().max(1.0) as u64),
            Self::Share(share) => {
                let reason = format!("a share of {share} is out of range, expected above 0 to 1 (100%)");
                Err(Error::config("--min-support", reason))
            }
        }
    }
}

/// The search for sets of items that many baskets hold.
#[derive(Debug, Clone, PartialEq)]
pub struct FrequentItemsets {
    /// How often a set must occur.
    pub min_support: Support,
    /// The most items in a set, from 1.
    pub max_items: usize,
}

impl Default for FrequentItemsets {
    fn default() -> Self {
        Self { min_support: Support::Share(0.005), max_items: 4 }
    }
}

/// Sets of items and the number of baskets that hold each, in the order of their items (as numbers, ascending).
#[derive(Debug, Clone)]
pub struct Itemsets {
    baskets: usize,
    least: u64,
    ends: Vec<usize>,
    items: Vec<u32>,
    counts: Vec<u64>,
    index: HashTable<u32>,
}

const HASHER: FixedState = FixedState::with_seed(0);

impl Itemsets {
    /// The number of baskets.
    pub fn baskets(&self) -> usize {
        self.baskets
    }

    /// The number of baskets that a set must be in.
    pub fn least(&self) -> u64 {
        self.least
    }

    /// The number of sets.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Is no set frequent?
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// A set's items, ascending.
    pub fn items(&self, set: usize) -> &[u32] {
        &self.items[if set == 0 { 0 } else { self.ends[set - 1] }..self.ends[set]]
    }

    /// How many baskets hold a set.
    pub fn count(&self, set: usize) -> u64 {
        self.counts[set]
    }

    /// The position of a set, given by its items, ascending; `None` if it is not frequent.
    pub fn find(&self, items: &[u32]) -> Option<usize> {
        let found = self.index.find(HASHER.hash_one(items), |&set| self.items(set as usize) == items);
        found.map(|&set| set as usize)
    }

    fn new(baskets: usize, least: u64, mut sets: Vec<(Box<[u32]>, u64)>) -> Self {
        sets.par_sort_unstable();
        let mut all = Self {
            baskets,
            least,
            ends: Vec::with_capacity(sets.len()),
            items: Vec::new(),
            counts: Vec::with_capacity(sets.len()),
            index: HashTable::with_capacity(sets.len()),
        };
        for (items, count) in sets {
            all.items.extend_from_slice(&items);
            all.ends.push(all.items.len());
            all.counts.push(count);
        }
        let mut index = std::mem::take(&mut all.index);
        for set in 0..all.len() {
            let hash = |set: &u32| HASHER.hash_one(all.items(*set as usize));
            index.insert_unique(hash(&(set as u32)), set as u32, hash);
        }
        all.index = index;
        all
    }
}

impl Fit<SparseMatrix> for FrequentItemsets {
    type Model = Itemsets;

    /// Finds all frequent sets of a matrix of baskets x items, of which only the places of the entries count.
    fn fit(&self, baskets: &SparseMatrix) -> Result<Itemsets> {
        self.search(baskets, MOST_ITEMSETS)
    }
}

impl FrequentItemsets {
    fn search(&self, baskets: &SparseMatrix, most: usize) -> Result<Itemsets> {
        if baskets.entries() == 0 {
            let reason = format!("no rules without goods: {} baskets, and nothing in them", baskets.rows());
            return Err(Error::data(reason));
        }
        if self.max_items == 0 {
            return Err(Error::config("--max-items", "0 is out of range, expected 1 or more"));
        }
        let least = self.min_support.baskets(baskets.rows())?;
        let search = Search::new(baskets, least, self.max_items, most)?;
        let items = (0..search.names.len() as u32).into_par_iter();
        let found: Vec<Vec<_>> = items.map_init(|| search.levels(), |levels, item| search.from(item, levels)).collect();
        if search.found.load(Relaxed) > most {
            let reason = format!(
                "more than {most} itemsets occur in {least} baskets or more; raise --min-support, or lower --max-items"
            );
            return Err(Error::config("--min-support", reason));
        }
        Ok(Itemsets::new(baskets.rows(), least, found.into_iter().flatten().collect()))
    }
}

/// What stands behind the last item of each basket.
const END: u32 = u32::MAX;

struct Search {
    /// The columns of the frequent items, from the rarest to the commonest.
    names: Vec<u32>,
    /// The baskets' frequent items, by their rank above, ascending, each basket with an end.
    items: Vec<u32>,
    /// Of each item the places just behind it.
    places: Vec<Vec<u32>>,
    least: u64,
    max_items: usize,
    most: usize,
    found: AtomicUsize,
}

/// What a depth of the search needs, used again and again.
#[derive(Default)]
struct Level {
    counts: Vec<u32>,
    /// Where an extension's places begin, while they are written down: where the next one goes.
    next: Vec<u32>,
    extensions: Vec<u32>,
    places: Vec<u32>,
}

impl Search {
    fn new(baskets: &SparseMatrix, least: u64, max_items: usize, most: usize) -> Result<Self> {
        if baskets.entries() + baskets.rows() >= END as usize {
            let reason = format!("{} goods in {} baskets are too many", baskets.entries(), baskets.rows());
            return Err(Error::data(reason));
        }
        let counts = baskets.entries_by_column();
        let frequent = |&column: &u32| u64::from(counts[column as usize]) >= least;
        let mut names: Vec<u32> = (0..baskets.cols() as u32).filter(frequent).collect();
        names.sort_by_key(|&column| (counts[column as usize], column));
        let mut ranks = vec![END; baskets.cols()];
        names.iter().enumerate().for_each(|(rank, &column)| ranks[column as usize] = rank as u32);
        let mut places: Vec<Vec<u32>> =
            names.iter().map(|&column| Vec::with_capacity(counts[column as usize] as usize)).collect();
        let mut items = Vec::new();
        let mut basket = Vec::new();
        for row in baskets.iter_rows() {
            basket.clear();
            basket.extend(row.indices.iter().map(|&column| ranks[column as usize]).filter(|&rank| rank != END));
            basket.sort_unstable();
            for &item in &basket {
                items.push(item);
                places[item as usize].push(items.len() as u32);
            }
            items.push(END);
        }
        Ok(Self { names, items, places, least, max_items, most, found: AtomicUsize::new(0) })
    }

    /// Room for the search below one item.
    fn levels(&self) -> Vec<Level> {
        (1..self.max_items.min(self.names.len())).map(|_| Level::default()).collect()
    }

    /// All frequent sets whose rarest item this is.
    fn from(&self, item: u32, levels: &mut [Level]) -> Vec<(Box<[u32]>, u64)> {
        let (mut set, mut found) = (Vec::new(), Vec::new());
        self.visit(item, &self.places[item as usize], &mut set, levels, &mut found);
        found
    }

    /// Notes the set with this item added, whose places are given, and goes on to its extensions.
    fn visit(
        &self,
        item: u32,
        places: &[u32],
        set: &mut Vec<u32>,
        levels: &mut [Level],
        found: &mut Vec<(Box<[u32]>, u64)>,
    ) {
        if self.found.fetch_add(1, Relaxed) >= self.most {
            return;
        }
        set.push(item);
        let mut names: Box<[u32]> = set.iter().map(|&item| self.names[item as usize]).collect();
        names.sort_unstable();
        found.push((names, places.len() as u64));
        if let Some((level, deeper)) = levels.split_first_mut() {
            self.extend(places, level);
            let mut start = 0;
            for at in 0..level.extensions.len() {
                let extension = level.extensions[at];
                let end = level.next[extension as usize] as usize;
                self.visit(extension, &level.places[start..end], set, deeper, found);
                start = end;
            }
        }
        set.pop();
    }

    /// Counts the items behind the places, and writes down the places of the frequent ones, one after another.
    fn extend(&self, places: &[u32], level: &mut Level) {
        let Level { counts, next, extensions, places: written } = level;
        counts.resize(self.names.len(), 0);
        next.resize(self.names.len(), 0);
        extensions.clear();
        for &place in places {
            for &item in self.behind(place) {
                if counts[item as usize] == 0 {
                    extensions.push(item);
                }
                counts[item as usize] += 1;
            }
        }
        extensions.retain(|&item| {
            let is_frequent = u64::from(counts[item as usize]) >= self.least;
            counts[item as usize] *= u32::from(is_frequent);
            is_frequent
        });
        extensions.sort_unstable();
        let mut total = 0;
        for &item in &*extensions {
            next[item as usize] = total;
            total += counts[item as usize];
        }
        written.clear();
        written.resize(total as usize, 0);
        for &place in places {
            for (step, &item) in self.behind(place).iter().enumerate() {
                if counts[item as usize] > 0 {
                    written[next[item as usize] as usize] = place + step as u32 + 1;
                    next[item as usize] += 1;
                }
            }
        }
        extensions.iter().for_each(|&item| counts[item as usize] = 0);
    }

    /// The items from a place to the end of its basket.
    fn behind(&self, place: u32) -> &[u32] {
        let rest = &self.items[place as usize..];
        &rest[..rest.iter().position(|&item| item == END).unwrap_or(rest.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    fn random(baskets: usize, items: u32, seed: u64) -> SparseMatrix {
        let mut rng = Rng::stream(seed, &[]);
        let mut matrix = SparseMatrix::empty(items as usize);
        for _ in 0..baskets {
            // Item i with probability 1 / (1 + i / 2).
            let basket: Vec<_> = (0..items).filter(|&item| rng.below(2 + item) < 2).map(|item| (item, 1.0)).collect();
            matrix.push(basket);
        }
        matrix
    }

    #[test]
    fn counts_equal_those_of_brute_force() -> Result<()> {
        for (seed, least, max_items) in [(1, 5, 4), (2, 1, 3), (3, 20, 12), (4, 2, 1)] {
            let baskets = random(150, 12, seed);
            let found = FrequentItemsets { min_support: Support::Count(least), max_items }.fit(&baskets)?;
            let masks: Vec<u32> =
                baskets.iter_rows().map(|row| row.indices.iter().map(|item| 1 << item).sum()).collect();
            let mut expected = 0;
            for set in 1u32..1 << 12 {
                let count = masks.iter().filter(|&&basket| basket & set == set).count() as u64;
                let items: Vec<u32> = (0..12).filter(|item| set >> item & 1 == 1).collect();
                let position = found.find(&items);
                if count >= least && items.len() <= max_items {
                    expected += 1;
                    assert_eq!(position.map(|position| found.count(position)), Some(count), "{items:?}");
                } else {
                    assert_eq!(position, None, "{items:?}");
                }
            }
            assert_eq!((found.len(), found.baskets()), (expected, 150));
            assert!((1..found.len()).all(|set| found.items(set - 1) < found.items(set)));
        }
        Ok(())
    }

    #[test]
    fn a_share_is_rounded_up_to_whole_baskets() -> Result<()> {
        for (share, all, expected) in [(0.005, 1000, 5), (0.005, 1001, 6), (1e-9, 10, 1), (1.0, 7, 7), (0.1, 30, 3)] {
            assert_eq!(Support::Share(share).baskets(all)?, expected, "{share} of {all}");
        }
        for wrong in [Support::Share(0.0), Support::Share(1.1), Support::Share(f64::NAN), Support::Count(0)] {
            assert!(matches!(wrong.baskets(10), Err(Error::Config { .. })));
        }
        Ok(())
    }

    #[test]
    fn a_support_is_a_share_or_a_number() {
        for (text, expected) in [
            ("0.5%", Support::Share(0.005)),
            ("0.25", Support::Share(0.25)),
            ("1.0", Support::Share(1.0)),
            ("1", Support::Count(1)),
            ("50", Support::Count(50)),
        ] {
            assert_eq!(text.parse(), Ok(expected));
        }
        for wrong in ["0", "0%", "101%", "1.5", "-3", "few", ""] {
            assert!(wrong.parse::<Support>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn too_many_sets_are_refused_with_the_remedy() -> Result<()> {
        let mut baskets = SparseMatrix::empty(30);
        (0..10).for_each(|_| baskets.push((0..30).map(|item| (item, 1.0))));
        let search = FrequentItemsets { min_support: Support::Count(10), max_items: 10 };
        let message = search.search(&baskets, 1000).expect_err("2^30 sets").to_string();
        assert!(message.contains("more than 1000 itemsets") && message.contains("raise --min-support"), "{message}");
        let search = FrequentItemsets { max_items: 2, ..search };
        assert_eq!(search.search(&baskets, 465)?.len(), 465);
        assert!(search.search(&baskets, 464).is_err());
        assert!(matches!(search.fit(&SparseMatrix::empty(3)), Err(Error::Data { .. })));
        Ok(())
    }

    #[test]
    fn threads_do_not_change_the_result() -> Result<()> {
        let baskets = random(400, 40, 9);
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let search = FrequentItemsets { min_support: Support::Share(0.01), max_items: 5 };
        let (one, three) = (pool(1).install(|| search.fit(&baskets))?, pool(3).install(|| search.fit(&baskets))?);
        assert_eq!((one.items, one.counts, one.ends), (three.items, three.counts, three.ends));
        Ok(())
    }
}
