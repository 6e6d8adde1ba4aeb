//! Documents as bags of the words that a model knows.

use serde::{Deserialize, Serialize};

use crate::corpus::Document;
use crate::dataset::EncodedCorpus;
use crate::error::{Error, Result};
use crate::math::SparseMatrix;
use crate::vocabulary::{DocId, Keys, Segmenter, Segments, WordId};

/// The words that are a model's columns, in the vocabulary's order, and what is known of the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    keys: Keys,
    common: Keys,
    rare: Rare,
}

/// Words of the training text that are no columns, since too few documents have them: what unseen words are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rare {
    /// Their occurrences.
    pub tokens: u64,
    /// How many words they are.
    pub types: u64,
}

/// A document's words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bag {
    /// Columns of known words, ascending, and how often each occurs.
    pub counts: Vec<(u32, f32)>,
    /// Tokens of words that are no column, because training never saw them or too seldom. Those that it left out for being
    /// in too many documents are not among them.
    pub unseen: Vec<String>,
    /// All words, known or not; a phrase is one.
    pub tokens: u32,
}

impl Words {
    /// Chooses from a corpus the words that are in at least `min_documents` documents and at most in a share `max_share` of
    /// them, and counts them: a row for each document of the corpus, in order, possibly empty.
    ///
    /// # Errors
    /// If no word is chosen.
    pub fn choose(corpus: &EncodedCorpus, min_documents: u32, max_share: f64) -> Result<(Self, SparseMatrix)> {
        let (words, documents) = (corpus.vocabulary.len(), corpus.dataset.documents_len());
        let (mut with, mut tokens) = (vec![0u32; words], vec![0u64; words]);
        for_each_bag(corpus, |bag| {
            for &(word, count) in bag {
                with[word as usize] += 1;
                tokens[word as usize] += count as u64;
            }
        });
        let most = (max_share * documents as f64).max(1.0);
        let is_chosen = |&word: &usize| with[word] >= min_documents && f64::from(with[word]) <= most;
        let mut columns = vec![None; words];
        let mut keys = Keys::new();
        for (column, word) in (0..words).filter(is_chosen).enumerate() {
            columns[word] = Some(column as u32);
            keys.push(corpus.vocabulary.keys().get(word));
        }
        if keys.is_empty() {
            let reason = format!(
                "none of {words} words is in {min_documents} to {most:.0} of the {documents} documents; \
                 lower --min-documents, raise --max-documents or give more documents (one a line)"
            );
            return Err(Error::data(reason));
        }
        let mut counts = SparseMatrix::empty(keys.len());
        for_each_bag(corpus, |bag| {
            counts.push(bag.iter().filter_map(|&(word, count)| Some((columns[word as usize]?, count))));
        });
        let report = corpus.report();
        let mut rare = Rare { tokens: report.tokens_dropped(), types: report.types.saturating_sub(report.vocabulary) };
        let mut common = Keys::new();
        for word in (0..words).filter(|word| !is_chosen(word)) {
            if f64::from(with[word]) > most {
                common.push(corpus.vocabulary.keys().get(word));
            } else {
                rare.tokens += tokens[word];
                rare.types += 1;
            }
        }
        Ok((Self { keys, common, rare }, counts))
    }

    /// Words that are columns already; of others nothing is known.
    pub fn new(keys: Keys) -> Self {
        Self::with_others(keys, Keys::new(), Rare::default())
    }

    /// Words that are columns already, and what is known of the others.
    pub(super) fn with_others(keys: Keys, common: Keys, rare: Rare) -> Self {
        Self { keys, common, rare }
    }

    /// Words that too many documents have to tell one from another: no columns, and not unseen.
    pub fn common(&self) -> &Keys {
        &self.common
    }

    /// The words that too few documents have.
    pub fn rare(&self) -> Rare {
        self.rare
    }

    /// The words, a column each.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Counts a document's words.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn bag(&self, document: &Document<'_>, segmenter: &Segmenter) -> Result<Bag> {
        let (mut known, mut bag, mut segments) = (Vec::new(), Bag::default(), Segments::default());
        let find = |word: &str| {
            let column = self.keys.find(word).map(|column| Some(WordId(column as u32)));
            column.or_else(|| self.common.find(word).map(|_| None))
        };
        for line in document.text.lines() {
            segmenter.each_known(line, &mut segments, find, |word, found| {
                bag.tokens += 1;
                match found {
                    Some(column) => known.extend(column),
                    None => bag.unseen.push(word.to_owned()),
                }
            })?;
        }
        count(&mut known, &mut bag.counts);
        Ok(bag)
    }
}

/// Counts the words of each document, in order.
fn for_each_bag(corpus: &EncodedCorpus, mut each: impl FnMut(&[(u32, f32)])) {
    let dataset = &corpus.dataset;
    let (mut words, mut bag) = (Vec::new(), Vec::new());
    for document in 0..dataset.documents_len() {
        let sentences = dataset.document(DocId(document as u32));
        let range = dataset.tokens_before(sentences.start) as usize..dataset.tokens_before(sentences.end) as usize;
        words.clear();
        words.extend_from_slice(&dataset.words()[range]);
        count(&mut words, &mut bag);
        each(&bag);
    }
}

/// Sorts words and counts them.
fn count(words: &mut [WordId], into: &mut Vec<(u32, f32)>) {
    words.sort_unstable();
    into.clear();
    into.extend(words.chunk_by(|a, b| a == b).map(|same| (same[0].0, same.len() as f32)));
}
