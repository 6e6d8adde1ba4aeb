//! Counting distinct words: a table that gives each new word the next number and counts every meeting.
//!
//! Nine words in ten have at most eight bytes and all but one in a hundred at most sixteen. Those are kept as the
//! integers they are, padded with zero bytes, in the slots themselves: a look-up loads the word straight from the
//! text, multiplies once and touches one cache line. Only longer words go through an arena.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// A word as an integer: little-endian, padded with zeros. No word is zero, since no such word holds a zero byte.
pub(super) trait Key: Copy + Eq + Default {
    fn hash(self) -> u64;
}

impl Key for u64 {
    fn hash(self) -> u64 {
        fold(self, 0x9e37_79b9_7f4a_7c15)
    }
}

impl Key for u128 {
    fn hash(self) -> u64 {
        fold(self as u64 ^ 0x2545_f491_4f6c_dd1d, (self >> 64) as u64 ^ 0x9e37_79b9_7f4a_7c15)
    }
}

/// Both halves of the product: every bit of the factors reaches the low bits.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot<K> {
    pub key: K,
    pub id: u32,
    pub count: u32,
}

/// Open addressing with linear probing, at most half full.
#[derive(Debug)]
pub(super) struct Slots<K> {
    slots: Vec<Slot<K>>,
    used: usize,
    /// Words that wait to be looked up, and where their numbers go.
    pub pending: Vec<(K, usize)>,
}

/// Look-ups made together: enough to overlap the waits for memory.
pub(super) const BATCH: usize = 64;

impl<K: Key> Slots<K> {
    pub fn new() -> Self {
        Self { slots: vec![Slot::default(); 1 << 10], used: 0, pending: Vec::with_capacity(BATCH) }
    }

    /// The slot of a key; where it is new, the slot with `fresh` as its id and no count.
    #[inline]
    fn slot(&mut self, key: K, fresh: u32) -> &mut Slot<K> {
        let mask = self.slots.len() - 1;
        let mut at = key.hash() as usize & mask;
        loop {
            let found = self.slots[at].key;
            if found == key {
                return &mut self.slots[at];
            }
            if found == K::default() {
                return self.insert(key, fresh, at);
            }
            at = (at + 1) & mask;
        }
    }

    /// Looks up and counts what is pending.
    ///
    /// A large table's slots are seldom in the nearest cache. Reading all home slots first, with nothing to wait for
    /// in between, makes the processor fetch them at the same time.
    pub fn flush(&mut self, next: &mut u32, carries: &mut Vec<u32>, numbers: &mut [u32]) {
        let mask = self.slots.len() - 1;
        let seen = self.pending.iter().fold(0, |seen, (key, _)| seen ^ self.slots[key.hash() as usize & mask].count);
        std::hint::black_box(seen);
        let mut pending = std::mem::take(&mut self.pending);
        for &(key, place) in &pending {
            numbers[place] = self.count(key, 1, next, carries);
        }
        pending.clear();
        self.pending = pending;
    }

    #[inline]
    pub fn count(&mut self, key: K, times: u64, next: &mut u32, carries: &mut Vec<u32>) -> u32 {
        let slot = self.slot(key, *next);
        *next += u32::from(slot.count == 0);
        add(&mut slot.count, slot.id, times, carries);
        slot.id
    }

    #[cold]
    fn insert(&mut self, key: K, id: u32, mut at: usize) -> &mut Slot<K> {
        self.used += 1;
        if self.used * 2 > self.slots.len() {
            let double = vec![Slot::default(); self.slots.len() * 2];
            let old = std::mem::replace(&mut self.slots, double);
            for slot in old.into_iter().filter(|slot| slot.key != K::default()) {
                let free = self.free(slot.key);
                self.slots[free] = slot;
            }
            at = self.free(key);
        }
        self.slots[at] = Slot { key, id, count: 0 };
        &mut self.slots[at]
    }

    fn free(&self, key: K) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = key.hash() as usize & mask;
        while self.slots[at].key != K::default() {
            at = (at + 1) & mask;
        }
        at
    }

    pub fn filled(&self) -> impl Iterator<Item = &Slot<K>> {
        self.slots.iter().filter(|slot| slot.key != K::default())
    }
}

/// Words too long for a slot, the empty word, and words with zero bytes.
#[derive(Debug, Default)]
struct LongWords {
    text: Vec<u8>,
    ends: Vec<usize>,
    ids: Vec<u32>,
    counts: Vec<u32>,
    index: HashTable<u32>,
}

const HASHER: FixedState = FixedState::with_seed(0);

impl LongWords {
    fn get(&self, at: u32) -> &[u8] {
        let at = at as usize;
        &self.text[if at == 0 { 0 } else { self.ends[at - 1] }..self.ends[at]]
    }

    /// The position of a word, new or known.
    fn place(&mut self, word: &[u8], fresh: u32) -> usize {
        let hash = HASHER.hash_one(word);
        if let Some(&at) = self.index.find(hash, |&at| self.get(at) == word) {
            return at as usize;
        }
        let at = self.ids.len() as u32;
        self.text.extend_from_slice(word);
        self.ends.push(self.text.len());
        self.ids.push(fresh);
        self.counts.push(0);
        let Self { text, ends, index, .. } = self;
        let get = |at: u32| &text[if at == 0 { 0 } else { ends[at as usize - 1] }..ends[at as usize]];
        index.insert_unique(hash, at, |&at| HASHER.hash_one(get(at)));
        at as usize
    }
}

/// Distinct words, numbered in the order in which they were first met, and their counts.
#[derive(Debug)]
pub struct WordTable {
    short: Slots<u64>,
    medium: Slots<u128>,
    long: LongWords,
    next: u32,
    /// Slots count to 2^32 - 1; each entry here is that many more for a word.
    carries: Vec<u32>,
}

impl Default for WordTable {
    fn default() -> Self {
        Self { short: Slots::new(), medium: Slots::new(), long: LongWords::default(), next: 0, carries: Vec::new() }
    }
}

impl WordTable {
    /// The number of distinct words.
    pub fn len(&self) -> usize {
        self.next as usize
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.next == 0
    }

    /// Counts the word `text[start..end]`, which holds no zero byte and is not empty, and appends its number. The
    /// number may be filled in later: at the latest by [`WordTable::flush`].
    ///
    /// The surrounding text is passed along so that the word can be loaded in one piece with what follows it.
    #[inline]
    pub fn count_at(&mut self, text: &[u8], start: usize, end: usize, numbers: &mut Vec<u32>) {
        let Self { short, medium, next, carries, .. } = self;
        let length = end - start;
        let place = numbers.len();
        if length <= 8 {
            let key = match text.get(start..start + 8) {
                Some(bytes) => load(bytes) & (u64::MAX >> (64 - 8 * length as u32)),
                None => padded(&text[start..end]) as u64,
            };
            numbers.push(0);
            short.pending.push((key, place));
            if short.pending.len() == BATCH {
                short.flush(next, carries, numbers);
            }
        } else if length <= 16 {
            let key = match text.get(start..start + 16) {
                Some(bytes) => {
                    let high = load(&bytes[8..]) & (u64::MAX >> (128 - 8 * length as u32));
                    u128::from(load(bytes)) | u128::from(high) << 64
                }
                None => padded(&text[start..end]),
            };
            numbers.push(0);
            medium.pending.push((key, place));
            if medium.pending.len() == BATCH {
                medium.flush(next, carries, numbers);
            }
        } else {
            numbers.push(self.count_long(&text[start..end], 1));
        }
    }

    /// Fills in all numbers that wait, of the list that [`WordTable::count_at`] appended to.
    pub fn flush(&mut self, numbers: &mut [u32]) {
        self.short.flush(&mut self.next, &mut self.carries, numbers);
        self.medium.flush(&mut self.next, &mut self.carries, numbers);
    }

    /// Counts any word, whatever its bytes, `times` times, and gives its number.
    pub fn count(&mut self, word: &[u8], times: u64) -> u32 {
        let Self { short, medium, next, carries, .. } = self;
        match word.len() {
            _ if word.is_empty() || memchr::memchr(0, word).is_some() => self.count_long(word, times),
            0..=8 => short.count(padded(word) as u64, times, next, carries),
            9..=16 => medium.count(padded(word), times, next, carries),
            _ => self.count_long(word, times),
        }
    }

    #[cold]
    fn count_long(&mut self, word: &[u8], times: u64) -> u32 {
        let at = self.long.place(word, self.next);
        let id = self.long.ids[at];
        self.next += u32::from(id == self.next);
        add(&mut self.long.counts[at], id, times, &mut self.carries);
        id
    }

    /// Every word with its number and its count, in no particular order.
    pub fn each(&self, mut each: impl FnMut(&[u8], u32, u64)) {
        let total = total(&self.carries);
        for slot in self.short.filled() {
            let bytes = slot.key.to_le_bytes();
            each(&bytes[..8 - slot.key.leading_zeros() as usize / 8], slot.id, total(slot.id, slot.count));
        }
        for slot in self.medium.filled() {
            let bytes = slot.key.to_le_bytes();
            each(&bytes[..16 - slot.key.leading_zeros() as usize / 8], slot.id, total(slot.id, slot.count));
        }
        for (at, (&id, &count)) in self.long.ids.iter().zip(&self.long.counts).enumerate() {
            each(self.long.get(at as u32), id, total(id, count));
        }
    }

    /// Adds another table's counts; returns this table's number for each of the other's.
    pub fn absorb(&mut self, other: &Self) -> Vec<u32> {
        let mut numbers = vec![0; other.len()];
        other.each(|word, id, count| numbers[id as usize] = self.count(word, count));
        numbers
    }
}

/// Adds to a count, carrying over what a slot cannot hold.
#[inline]
fn add(count: &mut u32, id: u32, times: u64, carries: &mut Vec<u32>) {
    let sum = u64::from(*count) + times;
    *count = match u32::try_from(sum) {
        Ok(sum) => sum,
        Err(_) => carry(sum, id, carries),
    };
}

/// What a slot has counted in all.
pub(super) fn total(carries: &[u32]) -> impl Fn(u32, u32) -> u64 {
    let mut carries = carries.to_vec();
    carries.sort_unstable();
    move |id, count| {
        let carried = carries.partition_point(|&at| at <= id) - carries.partition_point(|&at| at < id);
        u64::from(count) + carried as u64 * u64::from(u32::MAX)
    }
}

/// Keeps at least one in the slot, since a slot without count is one that was just made.
#[cold]
fn carry(mut sum: u64, id: u32, carries: &mut Vec<u32>) -> u32 {
    while sum > u64::from(u32::MAX) {
        sum -= u64::from(u32::MAX);
        carries.push(id);
    }
    sum as u32
}

#[inline]
fn load(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"))
}

fn padded(word: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    bytes[..word.len()].copy_from_slice(word);
    u128::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn counts(table: &WordTable) -> BTreeMap<Vec<u8>, u64> {
        let mut all = BTreeMap::new();
        table.each(|word, _, count| assert!(all.insert(word.to_vec(), count).is_none()));
        all
    }

    #[test]
    fn words_of_every_length_are_told_apart() {
        let text: Vec<u8> = (0..40).map(|i| b'a' + (i % 3) as u8).collect();
        let mut table = WordTable::default();
        let mut expected = BTreeMap::new();
        for start in 0..text.len() {
            for end in start + 1..=text.len() {
                let mut numbers = Vec::new();
                table.count_at(&text, start, end, &mut numbers);
                table.flush(&mut numbers);
                assert_eq!(numbers, [table.count(&text[start..end], 2)]);
                *expected.entry(text[start..end].to_vec()).or_insert(0) += 3;
            }
        }
        assert_eq!(counts(&table), expected);
        assert_eq!(table.len(), expected.len());
    }

    #[test]
    fn zero_bytes_and_the_empty_word_are_words_of_their_own() {
        let mut table = WordTable::default();
        let words: [&[u8]; 5] = [b"", b"\0", b"a", b"a\0", b"a\0\0"];
        let ids: Vec<_> = words.iter().map(|word| table.count(word, 1)).collect();
        assert_eq!(ids, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn counts_beyond_four_thousand_million_are_kept() {
        let mut table = WordTable::default();
        let many = 3 * u64::from(u32::MAX) + 7;
        table.count(b"the", many);
        table.count(b"of", u64::from(u32::MAX));
        table.count(b"of", 1);
        let mut other = WordTable::default();
        other.count(b"a", 1);
        assert_eq!(other.absorb(&table).len(), 2);
        assert_eq!(counts(&other)[&b"the"[..]], many);
        assert_eq!(counts(&other)[&b"of"[..]], 1 << 32);
        assert_eq!(other.len(), 3);
    }
}
