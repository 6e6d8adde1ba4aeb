//! The encoded corpus: words as ids in a mapped file, with the ends of sentences and documents.
//!
//! A folder holds `vocabulary.safetensors` and `dataset.safetensors`. The dataset's tensors:
//!
//! | tensor | type | for each | what |
//! |---|---|---|---|
//! | `words` | u32 | word kept | its id, in the order of the text |
//! | `padding` | u32 | – | present, and one zero, if the words are odd in number: aligns what follows |
//! | `sentence_ends` | u64 | sentence | where it ends in `words` |
//! | `document_ends` | u64 | document | where it ends in `sentence_ends` |
//! | `id_ends`, `id_text` | u64, u8 | document | its id's end in the text; only if the input has ids |
//! | `label_ends`, `label_text` | u64, u8 | document | its label's end in the text; only if the input has labels |
//!
//! A sentence is what a training window may not cross: a line, less the words that are not in the vocabulary. Phrases are
//! joined in the line as it stands: a word that is not in the vocabulary keeps its neighbours apart. Lines of more than 4096 such words are cut every 4096, and lines of more than a mebibyte also where the corpus is cut
//! into pieces ([`crate::corpus::Chunks`]); nothing is lost at a cut. A document without any word is left out; one
//! whose words are all too rare stays, without sentences.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::io::{Container, MappedSlice, checksum};
use crate::vocabulary::{DocId, Vocabulary, WordId};

mod encode;
mod encoded;
mod phrases;
mod report;
mod scan;

pub use encoded::EncodedCorpus;
pub use report::{BuildProgress, CorpusReport, Pass};

/// The most words in a sentence.
pub const MAX_SENTENCE: usize = 4096;

const KIND: &str = "dataset";

/// A corpus as integers. Sentences borrow straight from the mapped file.
#[derive(Debug, Clone)]
pub struct Dataset {
    words: MappedSlice<WordId>,
    sentence_ends: MappedSlice<u64>,
    document_ends: MappedSlice<u64>,
    ids: Option<Strings>,
    labels: Option<Strings>,
    checksum: u64,
    vocabulary_checksum: u64,
    path: PathBuf,
}

#[derive(Debug, Clone)]
struct Strings {
    ends: MappedSlice<u64>,
    text: MappedSlice<u8>,
}

impl Strings {
    fn get(&self, at: usize) -> Option<&str> {
        let start = if at == 0 { 0 } else { *self.ends.get(at - 1)? as usize };
        std::str::from_utf8(self.text.get(start..*self.ends.get(at)? as usize)?).ok()
    }
}

/// A run of words that a training window may not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sentence<'a> {
    /// Its words, at least one.
    pub words: &'a [WordId],
    /// The document it is from.
    pub doc: DocId,
    /// Its position in the dataset.
    pub index: u64,
}

impl Dataset {
    /// Opens a dataset file. Everything in it is checked, at the price of reading it once: afterwards every sentence
    /// lies within the words and every word is below `vocabulary`, whatever the file held.
    pub fn open(path: &Path, vocabulary: usize) -> Result<Self> {
        let container = Container::open_kind(path, KIND)?;
        let dataset = Self::read(&container)?;
        dataset.check(path, vocabulary)?;
        Ok(dataset)
    }

    fn read(container: &Container) -> Result<Self> {
        let strings = |ends: &str, text: &str| -> Result<Option<Strings>> {
            if container.shape(ends).is_err() {
                return Ok(None);
            }
            Ok(Some(Strings { ends: container.slice(ends)?, text: container.slice(text)? }))
        };
        let number = |key: &str| {
            let number = container.entry(key).and_then(|text| u64::from_str_radix(text, 16).ok());
            number.ok_or_else(|| Error::damaged(container.path(), format!("no {key} in the header")))
        };
        Ok(Self {
            words: container.slice("words")?,
            sentence_ends: container.slice("sentence_ends")?,
            document_ends: container.slice("document_ends")?,
            ids: strings("id_ends", "id_text")?,
            labels: strings("label_ends", "label_text")?,
            checksum: number("checksum")?,
            vocabulary_checksum: number("vocabulary_checksum")?,
            path: container.path().into(),
        })
    }

    fn check(&self, path: &Path, vocabulary: usize) -> Result<()> {
        let bad = |what: &str| Error::damaged(path, what);
        let rises = |ends: &[u64], strictly: bool| {
            ends.par_windows(2).all(|pair| if strictly { pair[0] < pair[1] } else { pair[0] <= pair[1] })
        };
        let (words, sentences) = (self.words.len() as u64, self.sentence_ends.len() as u64);
        if !rises(&self.sentence_ends, true)
            || self.sentence_ends.first() == Some(&0)
            || self.sentence_ends.last().map_or(0, |&end| end) != words
        {
            return Err(bad("sentence ends do not fit the words"));
        }
        if !rises(&self.document_ends, false) || self.document_ends.last().map_or(0, |&end| end) != sentences {
            return Err(bad("document ends do not fit the sentences"));
        }
        if self.document_ends.len() >= u32::MAX as usize {
            return Err(bad("more than 2^32 documents"));
        }
        for strings in self.ids.iter().chain(&self.labels) {
            if strings.ends.len() != self.document_ends.len() {
                return Err(bad("ids or labels do not fit the documents"));
            }
        }
        let greatest = self.words.par_chunks(1 << 16).map(|part| part.iter().max().copied()).max().flatten();
        match greatest {
            Some(WordId(id)) if id as usize >= vocabulary => Err(Error::mismatch(
                format!("{}: word ids", path.display()),
                format!("below {vocabulary}, the number of words in the vocabulary"),
                id,
            )),
            _ => Ok(()),
        }
    }

    /// Reads everything and compares it with the checksum in the header.
    pub fn verify(&self) -> Result<()> {
        const PART: usize = 1 << 18;
        let sum = |ends: &[u64]| {
            let parts = ends.par_chunks(PART).enumerate();
            parts.map(|(at, part)| checksum::part(part, (at * PART) as u64, |x| x)).reduce(|| 0, u64::wrapping_add)
        };
        let parts = self.words.par_chunks(PART).enumerate();
        let words = parts
            .map(|(at, part)| checksum::part(part, (at * PART) as u64, |WordId(id)| id.into()))
            .reduce(|| 0, u64::wrapping_add);
        let found = checksum::join(&[
            (words, self.words.len() as u64),
            (sum(&self.sentence_ends), self.sentence_ends.len() as u64),
            (sum(&self.document_ends), self.document_ends.len() as u64),
        ]);
        if found == self.checksum {
            return Ok(());
        }
        let fault = format!("a checksum of {found:016x}, expected {:016x}", self.checksum);
        Err(Error::damaged(&self.path, fault))
    }

    /// Refuses any vocabulary but the one whose ids its words are.
    pub fn belongs_to(&self, vocabulary: &Vocabulary) -> Result<()> {
        let found = vocabulary.checksum();
        if found == self.vocabulary_checksum {
            return Ok(());
        }
        let what = format!("{}: checksum of the vocabulary it was encoded with", self.path.display());
        let [expected, found] = [self.vocabulary_checksum, found].map(|sum| format!("{sum:016x}"));
        Err(Error::mismatch(what, expected, found))
    }

    /// The number of words.
    pub fn tokens(&self) -> u64 {
        self.words.len() as u64
    }

    /// All words, without regard to sentences.
    pub fn words(&self) -> &[WordId] {
        &self.words
    }

    /// The number of sentences.
    pub fn sentences_len(&self) -> u64 {
        self.sentence_ends.len() as u64
    }

    /// The number of words before a sentence; all of them for the position after the last.
    pub fn tokens_before(&self, sentence: u64) -> u64 {
        if sentence == 0 { 0 } else { self.sentence_ends[sentence as usize - 1] }
    }

    /// Fails if another process has changed or removed its file since it was opened.
    pub fn unchanged(&self) -> Result<()> {
        self.words.file().unchanged()
    }

    /// The number of documents.
    pub fn documents_len(&self) -> u64 {
        self.document_ends.len() as u64
    }

    /// A document's sentences; an empty range if the document is unknown.
    pub fn document(&self, doc: DocId) -> Range<u64> {
        let at = doc.0 as usize;
        let end = self.document_ends.get(at).copied().unwrap_or(self.sentences_len());
        if at == 0 { 0..end } else { self.document_ends.get(at - 1).copied().unwrap_or(end)..end }
    }

    /// A document's id, if the input had ids.
    pub fn document_id(&self, doc: DocId) -> Option<&str> {
        self.ids.as_ref()?.get(doc.0 as usize)
    }

    /// A document's label, if the input had labels.
    pub fn document_label(&self, doc: DocId) -> Option<&str> {
        self.labels.as_ref()?.get(doc.0 as usize)
    }

    /// A checksum of words, sentences and documents, from the header.
    pub fn checksum(&self) -> u64 {
        self.checksum
    }

    /// Cuts the sentences into `count` ranges that follow each other and hold about as many words each. A range is
    /// empty if there are fewer sentences than ranges.
    ///
    /// # Panics
    /// If `count` is zero.
    pub fn shards(&self, count: usize) -> Vec<Range<u64>> {
        assert!(count > 0, "at least one shard");
        let ends: &[u64] = &self.sentence_ends;
        let cut = |shard: usize| {
            let words = (u128::from(self.tokens()) * shard as u128 / count as u128) as u64;
            ends.partition_point(|&end| end <= words) as u64
        };
        (0..count).map(|shard| cut(shard)..cut(shard + 1)).collect()
    }

    /// The sentences of a range, in order.
    ///
    /// # Panics
    /// If the range goes beyond [`Dataset::sentences_len`].
    pub fn sentences(&self, range: Range<u64>) -> impl Iterator<Item = Sentence<'_>> {
        let (words, sentence_ends): (&[WordId], &[u64]) = (&self.words, &self.sentence_ends);
        let document_ends: &[u64] = &self.document_ends;
        let first = range.start as usize;
        let mut start = if first == 0 { 0 } else { sentence_ends[first - 1] as usize };
        let mut doc = document_ends.partition_point(|&end| end <= range.start);
        sentence_ends[first..range.end.max(range.start) as usize].iter().zip(range.start..).map(move |(&end, index)| {
            while document_ends.get(doc).is_some_and(|&last| last <= index) {
                doc += 1;
            }
            let sentence = Sentence { words: &words[start..end as usize], doc: DocId(doc as u32), index };
            start = end as usize;
            sentence
        })
    }
}
