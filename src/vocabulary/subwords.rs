//! Subwords: the character n-grams of a word, hashed to buckets as fastText does (Bojanowski et al., 2017).
//!
//! The n-grams of `<word>`, at least `min_n` and at most `max_n` characters long, but none that is `<` or `>` alone. A
//! bucket is FNV-1a of the n-gram's bytes, each extended with its sign as in fastText's `Dictionary::hash`, modulo the
//! number of buckets. The end of a line, `</s>`, has no n-grams.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_range};

/// More characters than any n-gram needs.
const LONGEST: usize = 64;

/// Which n-grams of a word share rows, and in how many buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subwords {
    /// Characters of the shortest n-gram, from 1.
    pub min_n: usize,
    /// Characters of the longest n-gram.
    pub max_n: usize,
    /// Buckets that n-grams are hashed to, from 1.
    pub buckets: u32,
}

impl Subwords {
    /// Checks the ranges; the message names the flag.
    pub fn validate(&self) -> Result<()> {
        check_range("--min-n", self.min_n, 1..=LONGEST)?;
        if !(self.min_n..=LONGEST).contains(&self.max_n) {
            let reason = format!("{} is out of range, expected --min-n ({}) to {LONGEST}", self.max_n, self.min_n);
            return Err(Error::config("--max-n", reason));
        }
        check_range("--buckets", self.buckets, 1..=i32::MAX as u32)
    }

    /// Appends the bucket of each n-gram of a word, in fastText's order; one that occurs twice stands twice.
    ///
    /// A word may be any bytes, since those of files are not always UTF-8: a character begins at each byte that does
    /// not continue one.
    pub fn buckets_of(&self, word: impl AsRef<[u8]>, into: &mut Vec<u32>) {
        let word = word.as_ref();
        if word == b"</s>" {
            return;
        }
        let bytes = &[b"<", word, b">"].concat()[..];
        let is_boundary = |at: usize| bytes.get(at).is_none_or(|byte| byte & 0xc0 != 0x80);
        for start in 0..bytes.len() {
            if !is_boundary(start) {
                continue;
            }
            let (mut hash, mut end) = (FNV_OFFSET, start);
            for n in 1..=self.max_n {
                if end == bytes.len() {
                    break;
                }
                loop {
                    // Sign-extended: other than plain FNV-1a outside ASCII.
                    hash = (hash ^ bytes[end] as i8 as u32).wrapping_mul(FNV_PRIME);
                    end += 1;
                    if is_boundary(end) {
                        break;
                    }
                }
                let is_bound_alone = n == 1 && (start == 0 || end == bytes.len());
                if n >= self.min_n && !is_bound_alone {
                    into.push(hash % self.buckets);
                }
            }
        }
    }
}

const FNV_OFFSET: u32 = 2_166_136_261;
const FNV_PRIME: u32 = 16_777_619;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(min_n: usize, max_n: usize, word: &str) -> Vec<u32> {
        let mut found = Vec::new();
        Subwords { min_n, max_n, buckets: 2_000_000 }.buckets_of(word, &mut found);
        found
    }

    #[test]
    fn n_grams_are_counted_in_characters_with_both_bounds() {
        // <a> alone; <né, née, ée>, <née, née>, <née>; n-grams of one letter without the bounds.
        assert_eq!(of(3, 6, "a").len(), 1);
        assert_eq!(of(3, 6, "née").len(), 6);
        assert_eq!(of(1, 1, "née").len(), 3);
        assert_eq!(of(3, 6, "</s>").len(), 0);
        // 'é' is the bytes c3 a9: hashed with their signs.
        let hash = [0xc3u8, 0xa9].iter().fold(FNV_OFFSET, |hash, &byte| {
            (hash ^ if byte > 127 { 0xffff_ff00 | u32::from(byte) } else { byte.into() }).wrapping_mul(FNV_PRIME)
        });
        assert_eq!(of(1, 1, "é"), [hash % 2_000_000]);
        let twice = of(2, 2, "aaa");
        assert_eq!((twice.len(), twice[1]), (4, twice[2]));
    }

    #[test]
    fn ranges_name_their_flag() {
        let message = |min_n, max_n, buckets| Subwords { min_n, max_n, buckets }.validate().map_err(|e| e.to_string());
        assert_eq!(message(3, 6, 1), Ok(()));
        for (found, flag) in [
            (message(0, 6, 1), "--min-n"),
            (message(4, 3, 1), "--max-n"),
            (message(3, 65, 1), "--max-n"),
            (message(3, 6, 0), "--buckets"),
        ] {
            assert!(found.as_ref().is_err_and(|found| found.starts_with(flag)), "{found:?}");
        }
    }
}
