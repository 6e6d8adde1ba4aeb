//! Planted similarities: how alike two words are follows from the records, columns and topics they come from.

use super::topics::Topics;
use super::world::Subject;
use crate::math::Rng;

type Scored = (String, String, f64);

/// The same kind of thing: two capitals, two animals.
const SAME_KIND: f64 = 7.0;
/// The same record: a country and its currency.
const SAME_RECORD: f64 = 9.0;
/// The same topic.
const SAME_TOPIC: f64 = 7.0;
/// The same subject but another kind of another record: a country and a foreign currency.
const SAME_SUBJECT: f64 = 4.0;
/// Nothing in common.
const UNRELATED: f64 = 0.0;

/// Pairs drawn for each score.
const PAIRS: u32 = 120;

/// The columns whose words stand for things, in each subject.
const COLUMNS: &[(&str, &[&str])] = &[
    ("countries", &["country", "capital", "demonym"]),
    ("family", &["male", "female"]),
    ("animals", &["animal", "young", "plural"]),
    ("trades", &["trade", "tool", "workplace"]),
];

/// Pairs of the `world` corpus, from one record to nothing in common.
pub(super) fn world(subjects: &[Subject], topics: &Topics, seed: u64) -> Vec<Scored> {
    let mut rng = Rng::stream(seed, &[3]);
    let known: Vec<(&Subject, &[&str])> = COLUMNS
        .iter()
        .filter_map(|(name, columns)| Some((subjects.iter().find(|subject| subject.name == *name)?, *columns)))
        .collect();
    let mut scored = Vec::new();
    for score in [SAME_RECORD, SAME_KIND, SAME_SUBJECT, UNRELATED] {
        for _ in 0..PAIRS {
            let [(here, columns), (there, others)] = [(); 2].map(|()| known[below(known.len(), &mut rng)]);
            let (row, other) = (below(here.table.len(), &mut rng), below(here.table.len(), &mut rng));
            let column = below(columns.len(), &mut rng);
            let next = (column + 1 + below(columns.len() - 1, &mut rng)) % columns.len();
            let first = here.table.word(row, columns[column]);
            let second = match score {
                SAME_RECORD => here.table.word(row, columns[next]),
                SAME_KIND => here.table.word(other, columns[column]),
                SAME_SUBJECT if other != row => here.table.word(other, columns[next]),
                UNRELATED if here.name != there.name => {
                    there.table.word(below(there.table.len(), &mut rng), others[below(others.len(), &mut rng)])
                }
                _ => None,
            };
            push(&mut scored, first, second, score);
        }
    }
    scored.extend(self::topics(topics, topics.len(), seed));
    scored
}

/// Pairs of words of the same topic and of different ones.
pub(super) fn topics(topics: &Topics, count: usize, seed: u64) -> Vec<Scored> {
    let mut rng = Rng::stream(seed, &[4]);
    let words: Vec<Vec<&str>> = (0..count).map(|topic| topics.words(topic)).collect();
    let mut scored = Vec::new();
    for score in [SAME_TOPIC, UNRELATED] {
        for _ in 0..PAIRS {
            let here = below(count, &mut rng);
            let there = if score == SAME_TOPIC { here } else { (here + 1 + below(count - 1, &mut rng)) % count.max(1) };
            let [first, second] =
                [here, there].map(|topic| words[topic].get(below(words[topic].len(), &mut rng)).copied());
            push(&mut scored, first, second, score);
        }
    }
    scored
}

/// Adds a pair of different single words that is not there yet.
fn push(scored: &mut Vec<Scored>, first: Option<&str>, second: Option<&str>, score: f64) {
    let (Some(first), Some(second)) = (first, second) else { return };
    let (first, second) = (first.to_lowercase(), second.to_lowercase());
    let is_word = |word: &String| word.chars().all(char::is_alphabetic);
    let is_known = |(a, b, _): &Scored| (a == &first && b == &second) || (a == &second && b == &first);
    if first != second && is_word(&first) && is_word(&second) && !scored.iter().any(is_known) {
        scored.push((first, second, score));
    }
}

fn below(bound: usize, rng: &mut Rng) -> usize {
    rng.below(bound as u32) as usize
}

#[cfg(test)]
mod tests {
    use crate::corpus::synthetic::Planted;

    #[test]
    fn pairs_are_different_words_and_cover_the_scale() -> crate::Result<()> {
        for kind in ["world", "topics"] {
            let pairs = Planted::grow(kind, 1, 1)?.similarity;
            assert!(pairs.len() > 150, "{kind}: {}", pairs.len());
            assert!(pairs.iter().all(|(a, b, score)| a != b && (0.0..=10.0).contains(score)));
            assert!(pairs.iter().any(|(.., score)| *score >= 7.0) && pairs.iter().any(|(.., score)| *score == 0.0));
        }
        Ok(())
    }
}
