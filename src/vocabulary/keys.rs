//! Strings by position and positions by string: one arena instead of a `Vec<String>`.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// Distinct strings in order; a position is found by string in constant time.
///
/// The index is built on the first look-up. Two equal keys are allowed here, since files have them; the first one is
/// found, and [`Keys::first_repeated`] tells readers that must refuse them.
#[derive(Debug, Default)]
pub struct Keys {
    text: String,
    ends: Vec<u64>,
    index: OnceLock<HashTable<u32>>,
}

const HASHER: FixedState = FixedState::with_seed(0);

impl Keys {
    /// No keys yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes text and the end of each key in it, as files hold them; `None` if an end is out of order or splits a
    /// character.
    pub fn from_parts(text: String, ends: Vec<u64>) -> Option<Self> {
        let mut start = 0;
        for &end in &ends {
            let end = usize::try_from(end).ok()?;
            if end < start || !text.is_char_boundary(end) {
                return None;
            }
            start = end;
        }
        (start == text.len()).then_some(Self { text, ends, index: OnceLock::new() })
    }

    /// All keys, one after another without separator.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where each key ends in [`Keys::text`], in bytes.
    pub fn ends(&self) -> &[u64] {
        &self.ends
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Appends a key.
    pub fn push(&mut self, key: &str) {
        self.text.push_str(key);
        self.ends.push(self.text.len() as u64);
        if let Some(mut index) = self.index.take() {
            self.insert(&mut index, self.len() - 1);
            self.index = index.into();
        }
    }

    /// The key at a position.
    ///
    /// # Panics
    /// If `position` is not below [`Keys::len`].
    pub fn get(&self, position: usize) -> &str {
        let start = if position == 0 { 0 } else { self.ends[position - 1] as usize };
        &self.text[start..self.ends[position] as usize]
    }

    /// All keys in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|position| self.get(position))
    }

    /// The first position of a key.
    pub fn find(&self, key: &str) -> Option<usize> {
        let index = self.index.get_or_init(|| self.build());
        index.find(HASHER.hash_one(key), |&at| self.get(at as usize) == key).map(|&at| at as usize)
    }

    /// The first two positions that hold the same key.
    pub fn first_repeated(&self) -> Option<(usize, usize)> {
        (0..self.len()).find_map(|at| self.find(self.get(at)).filter(|&first| first < at).map(|first| (first, at)))
    }

    /// Known keys that are spelt like `key`, nearest first: at most `count`, at most a third of its letters apart.
    ///
    /// Distance is the number of letters to insert, delete, replace or swap with their neighbour (Damerau, 1964),
    /// without regard to case; equally near keys stay in order, and the commoner words stand first in a vocabulary.
    pub fn nearest(&self, key: &str, count: usize) -> Vec<String> {
        let wanted: Vec<char> = key.to_lowercase().chars().collect();
        let limit = (wanted.len() / 3).clamp(1, 3);
        let mut found: Vec<(usize, usize)> = Vec::new();
        for (position, known) in self.iter().enumerate() {
            if known.len().abs_diff(key.len()) > 4 * limit {
                continue;
            }
            let known: Vec<char> = known.chars().flat_map(char::to_lowercase).collect();
            if let Some(distance) = edit_distance(&wanted, &known, limit) {
                found.push((distance, position));
            }
        }
        found.sort_unstable();
        found.into_iter().take(count).map(|(_, position)| self.get(position).to_owned()).collect()
    }

    fn build(&self) -> HashTable<u32> {
        let mut index = HashTable::with_capacity(self.len());
        (0..self.len()).for_each(|position| self.insert(&mut index, position));
        index
    }

    /// Puts a position into the index, unless an equal key stands there.
    fn insert(&self, index: &mut HashTable<u32>, position: usize) {
        let (key, hash) = (self.get(position), |key: &str| HASHER.hash_one(key));
        let position = u32::try_from(position).expect("fewer than 2^32 keys");
        if index.find(hash(key), |&at| self.get(at as usize) == key).is_none() {
            index.insert_unique(hash(key), position, |&at| hash(self.get(at as usize)));
        }
    }
}

impl Clone for Keys {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), ends: self.ends.clone(), index: OnceLock::new() }
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.ends == other.ends
    }
}

impl<S: AsRef<str>> FromIterator<S> for Keys {
    fn from_iter<I: IntoIterator<Item = S>>(keys: I) -> Self {
        let mut all = Self::new();
        for key in keys {
            all.push(key.as_ref());
        }
        all
    }
}

/// The edit distance if it is at most `limit`.
fn edit_distance(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        if row.iter().all(|&distance| distance > limit) {
            return None;
        }
        before = std::mem::replace(&mut last, row);
    }
    Some(last[b.len()]).filter(|&distance| distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_string_and_by_position() {
        let mut keys: Keys = ["der", "", "Straße", "a b"].into_iter().collect();
        assert_eq!(keys.find("Straße"), Some(2));
        assert_eq!(keys.find(""), Some(1));
        assert_eq!(keys.find("strasse"), None);
        keys.push("new");
        assert_eq!(keys.find("new"), Some(4));
        assert_eq!(keys.get(3), "a b");
        assert_eq!(keys.first_repeated(), None);
        keys.push("der");
        assert_eq!((keys.find("der"), keys.first_repeated()), (Some(0), Some((0, 5))));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert!(Keys::from_parts("aß".into(), vec![1, 3]).is_some());
        for ends in [vec![2, 3], vec![3, 1], vec![1], vec![1, 4]] {
            assert!(Keys::from_parts("aß".into(), ends).is_none());
        }
    }

    #[test]
    fn near_spellings_are_suggested_nearest_first() {
        let keys: Keys = ["the", "king", "kings", "Kign", "queen", "knight"].into_iter().collect();
        assert_eq!(keys.nearest("kimg", 3), ["king"]);
        assert_eq!(keys.nearest("kign", 3), ["Kign", "king"]);
        assert!(keys.nearest("zzzzzz", 3).is_empty());
    }
}
