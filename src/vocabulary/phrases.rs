//! Phrases: which neighbouring words are joined to one, pass by pass.
//!
//! A pass goes through a line from the left and joins a word to its successor wherever the two are a pair of that pass; a
//! joined word is not joined again before the next pass. So pass 1 makes phrases of two words, pass 2 of up to four.
//! Everything is done on numbers; what a phrase is called, `new_york`, is only looked up.

use std::collections::HashSet;
use std::fmt;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::Keys;
use super::collocation::PhraseConfig;

/// What stands between the words of a phrase.
const JOINER: &str = "_";

/// Longer phrases are not made [bytes].
const LONGEST: usize = 256;

/// The pairs of words that are joined, in the order of passes.
///
/// Words and phrases have numbers, the words those of a list: either of all that text may hold, or of those only that are
/// part of a phrase ([`Phrases::alone`]). Phrases come behind them. A word of the list that is spelt like a phrase is the
/// same as it.
#[derive(Clone, Default)]
pub struct Phrases {
    keys: Keys,
    words: usize,
    /// The pairs of each pass.
    passes: Vec<Vec<[u32; 2]>>,
    /// What becomes of them.
    tables: Vec<HashMap<u64, u32, FixedState>>,
    /// For each key, a bit for each pass in which a pair begins with it, and one for each in which a pair ends so.
    places: Vec<[u8; 2]>,
    /// The first pair that makes each phrase.
    parts: HashMap<u32, [u32; 2], FixedState>,
}

impl Phrases {
    /// No phrases yet, of these words.
    pub fn of(words: Keys) -> Self {
        Self { words: words.len(), places: vec![[0; 2]; words.len()], keys: words, ..Self::default() }
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.passes.iter().all(Vec::is_empty)
    }

    /// The pairs of each pass, by number.
    pub fn passes(&self) -> &[Vec<[u32; 2]>] {
        &self.passes
    }

    /// How many words the list has; the phrases' numbers follow.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Words and phrases, by number.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The two parts of a phrase; `None` for a word.
    pub fn parts(&self, number: u32) -> Option<[u32; 2]> {
        self.parts.get(&number).copied()
    }

    /// Is it a phrase?
    pub fn contains(&self, key: &str) -> bool {
        !self.is_empty() && self.keys.find(key).is_some_and(|number| self.parts.contains_key(&(number as u32)))
    }

    /// What two words become, unless that is too long for a phrase.
    pub fn spelling(&self, [left, right]: [u32; 2]) -> Option<String> {
        let [left, right] = [left, right].map(|part| self.keys.get(part as usize));
        (left.len() + JOINER.len() + right.len() <= LONGEST).then(|| [left, right].join(JOINER))
    }

    /// Adds a pass of pairs of what there is so far; too long ones are left out.
    ///
    /// # Panics
    /// If a part is no number so far, or if there are eight passes already.
    pub fn add_pass(&mut self, mut pairs: Vec<[u32; 2]>) {
        let pass = self.passes.len();
        assert!(pass < usize::from(PhraseConfig::MOST), "a bit for each pass");
        pairs.retain(|&pair| self.spelling(pair).is_some());
        let mut table = HashMap::with_capacity_and_hasher(pairs.len(), FixedState::default());
        for &pair in &pairs {
            let spelling = self.spelling(pair).expect("the others are left out");
            let number = self.keys.find(&spelling).unwrap_or_else(|| {
                self.keys.push(&spelling);
                self.keys.len() - 1
            });
            table.insert(key(pair), number as u32);
            self.parts.entry(number as u32).or_insert(pair);
            (0..2).for_each(|place| self.places[pair[place] as usize][place] |= 1 << pass);
        }
        self.places.resize(self.keys.len(), [0; 2]);
        self.tables.push(table);
        self.passes.push(pairs);
    }

    /// Joins the words of a line where they lie; gives how many there are then. Numbers beyond the keys are words that are
    /// part of no phrase.
    pub fn join(&self, line: &mut [u32]) -> usize {
        let mut len = line.len();
        for (pass, table) in self.tables.iter().enumerate() {
            let (mut from, mut to) = (0, 0);
            while from < len {
                let word = line[from];
                from += 1;
                line[to] = word;
                let may = |word: u32, place: usize| {
                    self.places.get(word as usize).is_some_and(|places| places[place] >> pass & 1 == 1)
                };
                if from < len
                    && may(word, 0)
                    && may(line[from], 1)
                    && let Some(&joined) = table.get(&key([word, line[from]]))
                {
                    line[to] = joined;
                    from += 1;
                }
                to += 1;
            }
            len = to;
        }
        len
    }

    /// Gives a word or phrase with what `find` finds for it; a phrase for which it finds nothing is taken apart, and its
    /// parts are given so.
    pub fn apart<T>(
        &self,
        number: u32,
        find: &mut impl FnMut(u32) -> Option<T>,
        each: &mut impl FnMut(u32, Option<T>),
    ) {
        let found = find(number);
        match self.parts(number) {
            Some(parts) if found.is_none() => parts.into_iter().for_each(|part| self.apart(part, find, each)),
            _ => each(number, found),
        }
    }

    /// The words that are part of phrases and no phrases of an earlier pass.
    fn components(&self) -> Keys {
        let (mut seen, mut made, mut components) = (HashSet::new(), HashSet::new(), Keys::new());
        for (pairs, table) in self.passes.iter().zip(&self.tables) {
            for &part in pairs.iter().flatten() {
                if !made.contains(&part) && seen.insert(part) {
                    components.push(self.keys.get(part as usize));
                }
            }
            made.extend(table.values().copied());
        }
        components
    }

    /// The same phrases with numbers for these words first, and then for the others that are part of phrases.
    pub fn over(&self, mut words: Keys) -> Self {
        for word in self.components().iter() {
            if words.find(word).is_none() {
                words.push(word);
            }
        }
        let mut over = Self::of(words);
        for pairs in &self.passes {
            let number =
                |part: u32| over.keys.find(self.keys.get(part as usize)).expect("a word, or of an earlier pass");
            over.add_pass(pairs.iter().map(|pair| pair.map(|part| number(part) as u32)).collect());
        }
        over
    }

    /// The same phrases of no more words than they are made of.
    pub fn alone(&self) -> Self {
        if self.is_empty() { Self::default() } else { self.over(Keys::new()) }
    }
}

fn key([left, right]: [u32; 2]) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

/// The same pairs, by number: all else follows from these.
impl PartialEq for Phrases {
    fn eq(&self, other: &Self) -> bool {
        (&self.keys, &self.passes) == (&other.keys, &other.passes)
    }
}

impl fmt::Debug for Phrases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.passes.iter().map(Vec::len).collect::<Vec<_>>();
        f.debug_struct("Phrases").field("words", &self.words).field("pairs", &pairs).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Phrases of passes of pairs, over the words of a text.
    fn phrases(text: &str, passes: &[&[&str]]) -> Phrases {
        let mut words = Keys::new();
        for word in text.split(' ') {
            if words.find(word).is_none() {
                words.push(word);
            }
        }
        let mut phrases = Phrases::of(words);
        for pairs in passes {
            let number = |word: &str| phrases.keys.find(word).expect("a word") as u32;
            let pairs = pairs.iter().map(|pair| pair.split_once(' ').expect("two words"));
            phrases.add_pass(pairs.map(|(left, right)| [left, right].map(number)).collect());
        }
        phrases
    }

    fn joined(phrases: &Phrases, text: &str) -> String {
        let number = |word| phrases.keys.find(word).map_or(u32::MAX, |number| number as u32);
        let mut line: Vec<u32> = text.split(' ').map(number).collect();
        let len = phrases.join(&mut line);
        let word = |&number: &u32| if number == u32::MAX { "?" } else { phrases.keys.get(number as usize) };
        line[..len].iter().map(word).collect::<Vec<_>>().join(" ")
    }

    const TEXT: &str = "the new york times in new york city";

    #[test]
    fn pairs_are_joined_from_the_left_pass_by_pass() {
        let passes: [&[&str]; 2] = [&["new york", "york times", "york city"], &["new_york times", "the new_york"]];
        let one = phrases(TEXT, &passes[..1]);
        assert_eq!(joined(&one, TEXT), "the new_york times in new_york city");
        assert_eq!(joined(&one, "new new york york times ice york city"), "new new_york york_times ? york_city");
        let two = phrases(TEXT, &passes);
        assert_eq!(joined(&two, TEXT), "the_new_york times in new_york city");
        assert_eq!(joined(&two, "new york times new york"), "new_york_times new_york");
        assert_eq!(joined(&two, "new ? york"), "new ? york");
        assert_eq!(joined(&two, ""), "?");
    }

    #[test]
    fn what_is_spelt_alike_is_one_word() {
        let both = phrases("a b c", &[&["a b", "b c"], &["a_b c", "a b_c"]]);
        let abc = both.keys().find("a_b_c").expect("a phrase") as u32;
        assert_eq!(
            (both.keys().len(), both.parts(abc).map(|[left, _]| both.keys().get(left as usize))),
            (6, Some("a_b"))
        );
        let written = phrases("a b a_b c", &[&["a b", "a_b c"]]);
        assert_eq!(joined(&written, "a b c a_b c"), "a_b c a_b_c");
        assert!(written.contains("a_b") && !written.contains("a"));
        for phrases in [both, written] {
            assert_eq!(phrases.alone().alone(), phrases.alone());
            assert_eq!(joined(&phrases.alone(), "a b c a_b c"), joined(&phrases, "a b c a_b c"));
        }
    }

    #[test]
    fn numbers_may_be_those_of_other_words() {
        let two = phrases(TEXT, &[&["new york", "york times"], &["new_york times"]]);
        let alone = two.alone();
        assert_eq!(
            alone.keys().iter().collect::<Vec<_>>(),
            ["new", "york", "times", "new_york", "york_times", "new_york_times"]
        );
        let over = alone.over(["york", "elsewhere", "new_york_times"].into_iter().collect());
        assert_eq!((over.words(), over.keys().find("elsewhere")), (5, Some(1)));
        for text in [TEXT, "new york times york times"] {
            assert_eq!(joined(&over, text).replace("?", ""), joined(&alone, text).replace("?", ""));
        }
        assert_eq!(over.alone(), alone);
    }

    #[test]
    fn unknown_phrases_fall_into_known_parts() {
        let two = phrases("new york times", &[&["new york"], &["new_york times"]]);
        let parts = |known: &[&str]| {
            let mut found = Vec::new();
            let number = two.keys().find("new_york_times").expect("a phrase") as u32;
            let is_known = |at: u32| known.contains(&two.keys().get(at as usize)).then_some(());
            two.apart(number, &mut { is_known }, &mut |at, _| found.push(two.keys().get(at as usize)));
            found.join(" ")
        };
        assert_eq!(parts(&["new_york_times"]), "new_york_times");
        assert_eq!(parts(&["new_york"]), "new_york times");
        assert_eq!(parts(&["new"]), "new york times");
    }

    #[test]
    fn phrases_do_not_grow_for_ever() {
        let mut phrases = Phrases::of(["a".repeat(30)].iter().collect());
        for _ in 0..8 {
            let last = phrases.keys().len() as u32 - 1;
            phrases.add_pass(vec![[last, last]]);
        }
        assert_eq!(phrases.keys().iter().map(str::len).collect::<Vec<_>>(), [30, 61, 123, 247]);
        assert_eq!(phrases.passes().iter().map(Vec::len).sum::<usize>(), 3);
    }
}
