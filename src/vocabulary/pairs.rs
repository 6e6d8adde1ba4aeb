//! Counting pairs of neighbouring words in bounded memory.
//!
//! A table that grows too large drops the pairs whose hash is above a limit, and counts those below it to the end. All
//! tables of a sweep through the text agree on the lowest limit; the next sweep counts the pairs from there. So counts are
//! exact, and only time depends on how much memory there is.

use std::ops::Range;

use super::table::{BATCH, Key, Slots, total};

/// All hashes: those of the words' table, halved, so that there is a number above them.
pub const HASHES: Range<u64> = 0..1 << 63;

fn hash(key: u64) -> u64 {
    key.hash() >> 1
}

/// Pairs and how often each occurs.
#[derive(Debug)]
pub struct PairTable {
    slots: Slots<u64>,
    next: u32,
    carries: Vec<u32>,
    hashes: Range<u64>,
}

impl PairTable {
    /// Counts the pairs whose hashes are within a range.
    pub fn new(hashes: Range<u64>) -> Self {
        Self { slots: Slots::new(), next: 0, carries: Vec::new(), hashes }
    }

    /// How many distinct pairs there are, at least.
    pub fn len(&self) -> usize {
        self.next as usize
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.next == 0 && self.slots.pending.is_empty()
    }

    /// Counts a pair once.
    #[inline]
    pub fn count(&mut self, left: u32, right: u32) {
        // Zero is no key.
        let key = (u64::from(left) + 1) << 32 | u64::from(right);
        if self.hashes.contains(&hash(key)) {
            self.slots.pending.push((key, 0));
            if self.slots.pending.len() == BATCH {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        self.slots.flush(&mut self.next, &mut self.carries, &mut [0]);
    }

    /// The upper limit of hashes that makes for at most `most` pairs, some half of what there are at a time.
    pub fn limit(&mut self, most: usize) -> u64 {
        self.flush();
        while self.len() > most {
            self.narrow(self.hashes.start + (self.hashes.end - self.hashes.start) / 2);
        }
        self.hashes.end
    }

    /// Forgets the pairs whose hashes are not below a limit, and counts them no more.
    pub fn narrow(&mut self, limit: u64) {
        self.flush();
        if limit < self.hashes.end {
            let old = std::mem::replace(self, Self::new(self.hashes.start..limit));
            self.absorb(&old);
        }
    }

    /// Adds the counts of another table, of pairs within this one's range.
    pub fn absorb(&mut self, other: &Self) {
        other.each_key(|key, count| {
            if self.hashes.contains(&hash(key)) {
                self.slots.count(key, count, &mut self.next, &mut self.carries);
            }
        });
    }

    fn each_key(&self, mut each: impl FnMut(u64, u64)) {
        assert!(self.slots.pending.is_empty(), "a table that is read has counted all");
        let total = total(&self.carries);
        self.slots.filled().for_each(|slot| each(slot.key, total(slot.id, slot.count)));
    }

    /// Every pair and its count, in no particular order.
    ///
    /// # Panics
    /// If it was not narrowed since the last pair was counted.
    pub fn each(&self, mut each: impl FnMut([u32; 2], u64)) {
        self.each_key(|key, count| each([(key >> 32) as u32 - 1, key as u32], count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn sweeps_of_any_number_of_tables_count_every_pair_once() {
        let pairs: Vec<[u32; 2]> = (0..60_000u32).map(|at| [at * at % 251, at * 7 % 97]).collect();
        let mut expected = BTreeMap::new();
        pairs.iter().for_each(|&pair| *expected.entry(pair).or_insert(0u64) += 1);
        for most in [usize::MAX, 3000, 700] {
            let (mut found, mut from, mut sweeps) = (BTreeMap::new(), HASHES.start, 0);
            while from < HASHES.end {
                let mut tables = [PairTable::new(from..HASHES.end), PairTable::new(from..HASHES.end)];
                let mut limit = HASHES.end;
                for (at, &[left, right]) in pairs.iter().enumerate() {
                    let table = &mut tables[at % 3 / 2];
                    table.count(left, right);
                    limit = if at % 1000 == 0 { limit.min(table.limit(most)) } else { limit };
                }
                tables.iter_mut().for_each(|table| table.narrow(limit));
                let [mut all, other] = tables;
                all.absorb(&other);
                all.each(|pair, count| assert!(found.insert(pair, count).is_none(), "{pair:?} in two sweeps"));
                (from, sweeps) = (limit, sweeps + 1);
            }
            assert_eq!((found == expected, sweeps > 1), (true, most < expected.len()), "{most}");
        }
    }
}
