//! Windows that shrink at random: near words count more than far ones (Mikolov et al., 2013, section 3.1).

use super::Examples;
use crate::math::Rng;
use crate::vocabulary::WordId;

/// For each word of a sentence its position and its neighbours to the left and to the right: up to a number drawn
/// evenly from 1 to `window`, afresh for each word.
pub fn windows<'a>(
    words: &'a [WordId],
    window: usize,
    rng: &mut Rng,
) -> impl Iterator<Item = (usize, &'a [WordId], &'a [WordId])> {
    (0..words.len()).map(move |center| {
        let reach = 1 + rng.below(window as u32) as usize;
        let left = &words[center.saturating_sub(reach)..center];
        let right = &words[center + 1..words.len().min(center + 1 + reach)];
        (center, left, right)
    })
}

/// Adds, for each word that has neighbours, the example that they predict it: what skip-gram and CBOW share.
pub(super) fn around(words: &[WordId], window: usize, rng: &mut Rng, out: &mut Examples) {
    for (center, left, right) in windows(words, window, rng) {
        out.push(left, right, words[center], center);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reach_from_one_to_window_is_equally_likely() {
        let words = vec![WordId(0); 10_000];
        let mut seen = [0; 6];
        for (_, left, right) in windows(&words, 5, &mut Rng::stream(1, &[])).skip(5).take(9_990) {
            assert!(left.len() == right.len());
            seen[left.len()] += 1;
        }
        assert_eq!(seen[0], 0);
        assert!(seen[1..].iter().all(|&count| (1_850..2_150).contains(&count)), "{seen:?}");
    }
}
