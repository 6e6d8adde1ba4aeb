//! Windows that shrink at random: near words count more than far ones (Mikolov et al., 2013, section 3.1).

use std::ops::Range;

use super::{Examples, Rows};
use crate::math::Rng;

/// For each of so many words its position, and those of its neighbours to the left and to the right: up to a number drawn
/// evenly from 1 to `window`, afresh for each word.
pub fn windows(
    words: usize,
    window: usize,
    rng: &mut Rng,
) -> impl Iterator<Item = (usize, Range<usize>, Range<usize>)> + use<'_> {
    (0..words).map(move |center| {
        let reach = 1 + rng.below(window as u32) as usize;
        (center, center.saturating_sub(reach)..center, center + 1..words.min(center + 1 + reach))
    })
}

/// Adds, for each word that has neighbours, the example that they predict it: what skip-gram and CBOW share.
pub(super) fn around(sentence: &Rows<'_>, window: usize, rng: &mut Rng, out: &mut Examples) {
    for (center, left, right) in windows(sentence.words.len(), window, rng) {
        if left.len() + right.len() > 0 {
            out.push(sentence, None, [left, right], center);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reach_from_one_to_window_is_equally_likely() {
        let mut seen = [0; 6];
        for (_, left, right) in windows(10_000, 5, &mut Rng::stream(1, &[])).skip(5).take(9_990) {
            assert!(left.len() == right.len());
            seen[left.len()] += 1;
        }
        assert_eq!(seen[0], 0);
        assert!(seen[1..].iter().all(|&count| (1_850..2_150).contains(&count)), "{seen:?}");
    }
}
