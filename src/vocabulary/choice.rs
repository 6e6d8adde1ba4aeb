//! From words joined to phrases to a vocabulary: which of them stay, and what becomes of the others.
//!
//! A phrase that is no word of the vocabulary, for being too rare, is taken apart: its parts are met instead, and counted.
//! Nothing is lost but what would have been without phrases.

use std::cmp::Reverse;

use super::count::DROPPED;
use super::{Given, Keys, Phrases, Vocabulary, VocabularyConfig};

/// What each word or phrase of a text becomes in a vocabulary.
#[derive(Debug)]
pub struct Choice {
    ids: Vec<u32>,
    ends: Vec<u32>,
    /// Words met that are in the vocabulary, with repetitions.
    pub kept: u64,
    /// Words met that are not, among those that were numbered.
    pub dropped: u64,
}

impl Choice {
    /// Chooses a vocabulary among words and phrases by how often each occurs, or takes what is given.
    pub fn new(
        phrases: &Phrases,
        counts: &[u64],
        config: &VocabularyConfig,
        given: Option<Given>,
    ) -> (Vocabulary, Self) {
        let vocabulary = match given {
            Some(given) if given.grows => given.with(chosen(phrases, counts, config)),
            Some(given) => given.vocabulary,
            None => chosen(phrases, counts, config).with_phrases(phrases),
        };
        let find = |number: u32| vocabulary.id(phrases.keys().get(number as usize)).map(|id| id.0);
        let ids: Vec<u32> = (0..counts.len() as u32).map(|number| find(number).unwrap_or(DROPPED)).collect();
        let mut choice = Self { ids: Vec::new(), ends: Vec::new(), kept: 0, dropped: 0 };
        for (number, count) in counts.iter().enumerate() {
            phrases.apart(
                number as u32,
                &mut |part| Some(ids[part as usize]).filter(|&id| id != DROPPED),
                &mut |_, id| {
                    choice.ids.extend(id);
                    *if id.is_some() { &mut choice.kept } else { &mut choice.dropped } += count;
                },
            );
            choice.ends.push(choice.ids.len() as u32);
        }
        (vocabulary, choice)
    }

    /// The ids that a word or phrase becomes, in order.
    pub fn ids(&self, number: u32) -> &[u32] {
        let start = (number as usize).checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.ids[start as usize..self.ends[number as usize] as usize]
    }
}

fn chosen(phrases: &Phrases, counts: &[u64], config: &VocabularyConfig) -> Vocabulary {
    let keys = phrases.keys();
    let mut counts = counts.to_vec();
    let mut joined: Vec<u32> = (phrases.words() as u32..keys.len() as u32).collect();
    joined.extend((0..phrases.words() as u32).filter(|&word| phrases.parts(word).is_some()));
    // Parts are shorter than what they make up.
    joined.sort_by_key(|&number| (Reverse(keys.get(number as usize).len()), number));
    let take_apart = |counts: &mut [u64], stays: &dyn Fn(usize, u64) -> bool| {
        for &number in &joined {
            let count = counts[number as usize];
            if let Some(parts) = phrases.parts(number).filter(|_| !stays(number as usize, count)) {
                counts[number as usize] = 0;
                parts.iter().for_each(|&part| counts[part as usize] += count);
            }
        }
    };
    take_apart(&mut counts, &|_, count| count >= config.min_count);
    let by_count = |kept: &mut Vec<usize>, counts: &[u64]| {
        kept.sort_unstable_by(|&a, &b| counts[b].cmp(&counts[a]).then_with(|| keys.get(a).cmp(keys.get(b))));
    };
    let mut kept: Vec<usize> = (0..keys.len()).filter(|&number| counts[number] >= config.min_count).collect();
    by_count(&mut kept, &counts);
    if let Some(most) = config.max_vocabulary.filter(|&most| most < kept.len()) {
        kept.truncate(most);
        let mut stays = vec![false; keys.len()];
        kept.iter().for_each(|&number| stays[number] = true);
        take_apart(&mut counts, &|number, _| stays[number]);
        by_count(&mut kept, &counts);
    }
    let words: Keys = kept.iter().map(|&number| keys.get(number)).collect();
    Vocabulary::new(words, kept.iter().map(|&number| counts[number]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// new 0, york 1, times 2, the 3, new_york 4, new_york_times 5.
    fn phrases() -> Phrases {
        let mut phrases = Phrases::of(["new", "york", "times", "the"].into_iter().collect());
        phrases.add_pass(vec![[0, 1]]);
        phrases.add_pass(vec![[4, 2]]);
        phrases
    }

    fn choose(counts: [u64; 6], min_count: u64, max_vocabulary: Option<usize>) -> (Vec<(String, u64)>, Choice) {
        let config = VocabularyConfig { min_count, max_vocabulary, ..Default::default() };
        let (vocabulary, choice) = Choice::new(&phrases(), &counts, &config, None);
        assert_eq!(choice.kept, vocabulary.tokens());
        (vocabulary.keys().iter().map(str::to_owned).zip(vocabulary.counts().to_vec()).collect(), choice)
    }

    #[test]
    fn phrases_that_do_not_stay_are_counted_as_their_parts() {
        let named =
            |words: &[(&str, u64)]| words.iter().map(|&(word, count)| (word.to_owned(), count)).collect::<Vec<_>>();
        let (words, choice) = choose([9, 1, 7, 20, 4, 3], 3, None);
        assert_eq!(words, named(&[("the", 20), ("new", 9), ("times", 7), ("new_york", 4), ("new_york_times", 3)]));
        assert_eq!((choice.dropped, choice.ids(5), choice.ids(1)), (1, &[4][..], &[][..]));
        // Too rare, the longest leaves another new_york, which is common enough thereby.
        let (words, choice) = choose([9, 1, 7, 20, 4, 3], 6, None);
        assert_eq!(words, named(&[("the", 20), ("times", 10), ("new", 9), ("new_york", 7)]));
        assert_eq!((choice.dropped, choice.ids(5), choice.ids(4)), (1, &[3, 1][..], &[3][..]));
        let (words, choice) = choose([9, 1, 7, 20, 4, 3], 3, Some(3));
        assert_eq!(words, named(&[("the", 20), ("new", 16), ("times", 10)]));
        assert_eq!((choice.dropped, choice.ids(5)), (1 + 7, &[1, 2][..]));
    }

    #[test]
    fn given_words_stay_as_they_are_or_grow() {
        let given = Vocabulary::new(["york", "new_york"].into_iter().collect(), vec![8, 5]).with_phrases(&phrases());
        let of = |grows: bool| {
            let given = Given { vocabulary: given.clone(), grows };
            let config = VocabularyConfig { min_count: 6, ..Default::default() };
            Choice::new(&phrases(), &[9, 1, 5, 20, 6, 3], &config, Some(given))
        };
        let (same, choice) = of(false);
        assert_eq!((same, choice.kept, choice.dropped), (given.clone(), 1 + 6 + 3, 9 + 5 + 20 + 3));
        let (grown, _) = of(true);
        assert_eq!(grown.keys().iter().collect::<Vec<_>>(), ["the", "new_york", "new", "times", "york"]);
        assert_eq!((grown.counts(), grown.phrases()), (&[20, 14, 9, 8, 8][..], given.phrases()));
    }
}
