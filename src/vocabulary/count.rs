//! From counted words to a vocabulary: which words stay, and what each becomes.
//!
//! Every worker counts into a table of its own. Tables that fit are merged in memory. A worker that meets more
//! distinct words than its share writes its table to a temporary file, sorted, and starts a new one; then the sorted
//! runs are merged word by word. Either way all counts are exact and memory stays within bounds: nothing is pruned.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use super::table::WordTable;
use super::{Given, Keys, Vocabulary, VocabularyConfig};
use crate::error::{Error, Result};

/// In place of a word that is not in the vocabulary.
pub const DROPPED: u32 = u32::MAX;

/// What was counted beside the vocabulary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// All words met, with repetitions.
    pub tokens: u64,
    /// Distinct words met.
    pub types: u64,
    /// Words met that are in the vocabulary, with repetitions.
    pub kept: u64,
    /// The commonest word and its count.
    pub commonest: Option<(String, u64)>,
}

/// A vocabulary chosen from counted words: the words that stay come in the order of their bytes.
struct Selection<'a> {
    config: &'a VocabularyConfig,
    text: String,
    kept: Vec<(u64, usize, usize)>,
    counted: Counted,
}

impl<'a> Selection<'a> {
    fn new(config: &'a VocabularyConfig) -> Self {
        Self { config, text: String::new(), kept: Vec::new(), counted: Counted::default() }
    }

    fn add(&mut self, word: &[u8], count: u64) {
        self.counted.tokens += count;
        self.counted.types += 1;
        // Words may come in any order, so of equally common ones the first by bytes is named.
        let commoner = self
            .counted
            .commonest
            .as_ref()
            .is_none_or(|(common, most)| count > *most || count == *most && word < common.as_bytes());
        if commoner || count >= self.config.min_count {
            let word = String::from_utf8_lossy(word);
            if count >= self.config.min_count {
                let start = self.text.len();
                self.text.push_str(&word);
                self.kept.push((count, start, self.text.len()));
            }
            if commoner {
                self.counted.commonest = Some((word.into_owned(), count));
            }
        }
    }

    fn finish(self) -> (Vocabulary, Counted) {
        let Self { config, text, mut kept, counted } = self;
        kept.par_sort_unstable_by(|a, b| {
            b.0.cmp(&a.0).then_with(|| text.as_bytes()[a.1..a.2].cmp(&text.as_bytes()[b.1..b.2]))
        });
        kept.truncate(config.max_vocabulary.unwrap_or(usize::MAX));
        let keys: Keys = kept.iter().map(|&(_, start, end)| &text[start..end]).collect();
        (Vocabulary::new(keys, kept.into_iter().map(|(count, ..)| count).collect()), counted)
    }
}

/// Merges tables in memory. Gives the vocabulary and, for each table, what each of its numbers becomes.
pub fn merge_tables(
    tables: Vec<WordTable>,
    config: &VocabularyConfig,
    given: Option<Given>,
) -> (Vocabulary, Counted, Vec<Vec<u32>>) {
    let mut tables = tables.into_iter();
    let mut all = tables.next().unwrap_or_default();
    let own = all.len();
    let others: Vec<Vec<u32>> = tables.map(|table| all.absorb(&table)).collect();
    let mut selection = Selection::new(config);
    all.each(|word, _, count| selection.add(word, count));
    let (chosen, mut counted) = selection.finish();
    let vocabulary = of(given, chosen);
    let mut first = vec![DROPPED; all.len()];
    all.each(|word, id, count| {
        first[id as usize] = look_up(&vocabulary, word);
        counted.kept += if first[id as usize] == DROPPED { 0 } else { count };
    });
    let mut maps: Vec<Vec<u32>> =
        others.into_iter().map(|numbers| numbers.iter().map(|&id| first[id as usize]).collect()).collect();
    first.truncate(own);
    maps.insert(0, first);
    (vocabulary, counted, maps)
}

fn of(given: Option<Given>, chosen: Vocabulary) -> Vocabulary {
    match given {
        Some(given) => given.with(chosen),
        None => chosen,
    }
}

fn look_up(vocabulary: &Vocabulary, word: &[u8]) -> u32 {
    std::str::from_utf8(word).ok().and_then(|word| vocabulary.id(word)).map_or(DROPPED, |id| id.0)
}

/// A table as sorted bytes: for each word its count (u64), number (u32), length (u32) and text.
pub fn sorted_run(table: &WordTable) -> Vec<u8> {
    let mut text = Vec::new();
    let mut words = Vec::with_capacity(table.len());
    table.each(|word, id, count| {
        words.push((text.len(), word.len(), id, count));
        text.extend_from_slice(word);
    });
    words.sort_unstable_by(|a, b| text[a.0..a.0 + a.1].cmp(&text[b.0..b.0 + b.1]));
    let mut run = Vec::with_capacity(text.len() + 16 * words.len());
    for (start, length, id, count) in words {
        run.extend_from_slice(&count.to_le_bytes());
        run.extend_from_slice(&id.to_le_bytes());
        run.extend_from_slice(&(length as u32).to_le_bytes());
        run.extend_from_slice(&text[start..start + length]);
    }
    run
}

/// Reads a sorted run from its start.
struct Run<'a>(&'a [u8]);

impl<'a> Iterator for Run<'a> {
    type Item = (&'a [u8], u32, u64);

    fn next(&mut self) -> Option<Self::Item> {
        let (count, rest) = self.0.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (word, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.0 = rest;
        Some((word, u32::from_le_bytes(*id), u64::from_le_bytes(*count)))
    }
}

/// Merges sorted runs, of which only the words that stay are held in memory. What stays in each, [`map_run`] tells.
pub fn merge_runs(runs: &[&[u8]], config: &VocabularyConfig, given: Option<Given>) -> (Vocabulary, Counted) {
    let mut selection = Selection::new(config);
    let mut readers: Vec<Run<'_>> = runs.iter().map(|run| Run(run)).collect();
    let mut heads = BinaryHeap::new();
    for (at, reader) in readers.iter_mut().enumerate() {
        heads.extend(reader.next().map(|(word, _, count)| Reverse((word, at, count))));
    }
    let mut current: Option<(&[u8], u64)> = None;
    while let Some(Reverse((word, at, count))) = heads.pop() {
        heads.extend(readers[at].next().map(|(word, _, count)| Reverse((word, at, count))));
        match &mut current {
            Some((same, sum)) if *same == word => *sum += count,
            _ => {
                if let Some((word, sum)) = current.replace((word, count)) {
                    selection.add(word, sum);
                }
            }
        }
    }
    if let Some((word, sum)) = current {
        selection.add(word, sum);
    }
    let (chosen, counted) = selection.finish();
    (of(given, chosen), counted)
}

/// What each of a run's numbers becomes, and how many of its words stay, with repetitions.
pub fn map_run(run: &[u8], vocabulary: &Vocabulary) -> (Vec<u32>, u64) {
    let words = Run(run).count();
    let mut map = vec![DROPPED; words];
    let mut kept = 0;
    for (word, id, count) in Run(run) {
        map[id as usize] = look_up(vocabulary, word);
        kept += if map[id as usize] == DROPPED { 0 } else { count };
    }
    (map, kept)
}

/// Refuses a vocabulary without words or without any of the text's, and says what would give one.
pub fn check(vocabulary: &Vocabulary, counted: &Counted, config: &VocabularyConfig, inputs: &str) -> Result<()> {
    match &counted.commonest {
        None => Err(Error::data(format!("{inputs}: no words; expected text"))),
        Some((word, count)) if vocabulary.is_empty() => Err(Error::data(format!(
            "{inputs}: no word occurs {} times ({word:?}, the commonest, occurs {count}); lower --min-count",
            config.min_count
        ))),
        // A vocabulary chosen from the text has its words; this one was given.
        Some((word, _)) if counted.kept == 0 => Err(Error::data(format!(
            "{inputs}: not one of its {} distinct words ({word:?} is the commonest) is among the {} of the vocabulary \
             given by --vocabulary ({:?} is its first); give that of similar text, cut by the same tokenizer",
            counted.types,
            vocabulary.len(),
            vocabulary.keys().get(0)
        ))),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> WordTable {
        let mut table = WordTable::default();
        for word in text.split_whitespace() {
            table.count(word.as_bytes(), 1);
        }
        table
    }

    const TEXTS: [&str; 3] = ["b a a c extraordinarily-long-word d", "c c c b e", "extraordinarily-long-word f a"];

    #[test]
    fn merging_in_memory_and_by_runs_agree() {
        for (min_count, max_vocabulary) in [(1, None), (2, None), (1, Some(3)), (9, None)] {
            let config = VocabularyConfig { min_count, max_vocabulary, ..Default::default() };
            let (vocabulary, counted, maps) = merge_tables(TEXTS.map(table).into(), &config, None);
            let runs = TEXTS.map(|text| sorted_run(&table(text)));
            let slices: Vec<&[u8]> = runs.iter().map(Vec::as_slice).collect();
            let (by_runs, mut counted_by_runs) = merge_runs(&slices, &config, None);
            let (mapped, kept): (Vec<_>, Vec<u64>) = slices.iter().map(|run| map_run(run, &vocabulary)).unzip();
            counted_by_runs.kept = kept.iter().sum();
            assert_eq!((by_runs, counted_by_runs), (vocabulary, counted));
            assert_eq!(mapped, maps);
        }
    }

    #[test]
    fn ids_rank_by_falling_count_then_bytes() {
        let config = VocabularyConfig { min_count: 2, ..Default::default() };
        let (vocabulary, counted, maps) = merge_tables(TEXTS.map(table).into(), &config, None);
        assert_eq!(vocabulary.keys().iter().collect::<Vec<_>>(), ["c", "a", "b", "extraordinarily-long-word"]);
        assert_eq!(vocabulary.counts(), [4, 3, 2, 2]);
        assert_eq!(counted, Counted { tokens: 14, types: 7, kept: 11, commonest: Some(("c".into(), 4)) });
        assert_eq!(maps[1], [0, 2, DROPPED]);
    }

    #[test]
    fn a_vocabulary_without_words_is_refused_with_the_commonest() {
        let config = VocabularyConfig { min_count: 5, ..Default::default() };
        let (vocabulary, counted, _) = merge_tables(vec![table("b a a b")], &config, None);
        let error = check(&vocabulary, &counted, &config, "x.txt").expect_err("nothing is left");
        assert_eq!(
            error.to_string(),
            "x.txt: no word occurs 5 times (\"a\", the commonest, occurs 2); lower --min-count"
        );
    }

    #[test]
    fn a_given_vocabulary_without_any_word_of_the_text_is_refused() {
        let config = VocabularyConfig { min_count: 1, ..Default::default() };
        let vocabulary = Vocabulary::new(["x", "y"].into_iter().collect(), vec![2, 1]);
        let given = Given { vocabulary, grows: false };
        let (vocabulary, counted, _) = merge_tables(vec![table("b a a b")], &config, Some(given));
        let error = check(&vocabulary, &counted, &config, "x.txt").expect_err("no common word").to_string();
        for part in ["x.txt", "2 distinct words", "\"a\"", "--vocabulary", "\"x\""] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
