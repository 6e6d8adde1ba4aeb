//! What a build tells: how far it is, and what it made and dropped.

use std::sync::atomic::{AtomicBool, Ordering};

/// What became of a corpus: everything in it is either kept or counted here.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct CorpusReport {
    /// Documents in the dataset, among them those whose words are all too rare.
    pub documents: u64,
    /// Sentences in the dataset: lines with at least one word that is kept, cut at 4096 words.
    pub sentences: u64,
    /// Words in the text.
    pub tokens: u64,
    /// Words in the dataset; the others are not in the vocabulary, or joined to one before them.
    pub tokens_kept: u64,
    /// Words joined to the one before them, as part of a phrase in the vocabulary.
    #[serde(skip_serializing_if = "is_zero")]
    pub tokens_joined: u64,
    /// Pairs that were found to be phrases, in each pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phrases: Vec<u64>,
    /// Words in the vocabulary.
    pub vocabulary: u64,
    /// Distinct words in the text.
    pub types: u64,
    /// Bytes of text, unpacked.
    pub bytes_in: u64,
    /// Files read.
    pub files: u64,
    /// Files and folders skipped because their names begin with a dot.
    pub hidden_files: u64,
    /// Documents without any word, which are left out.
    pub empty_documents: u64,
    /// Records left out by a lenient reading, without the text (or label, id) that they are to have.
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted_records: u64,
    /// Where the first of these is and what is wrong with it; told by the build, not kept with the corpus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_omitted: Option<String>,
    /// Invalid UTF-8 sequences replaced by U+FFFD.
    pub invalid_utf8: u64,
    /// Tables of distinct words that were put on disk, since memory is bounded.
    pub spilled_tables: u64,
    /// Wall time of the build.
    pub seconds: f64,
    /// The dataset's checksum, in hexadecimal.
    pub checksum: String,
}

impl CorpusReport {
    /// Words that are left out, not being in the vocabulary.
    pub fn tokens_dropped(&self) -> u64 {
        self.tokens.saturating_sub(self.tokens_kept).saturating_sub(self.tokens_joined)
    }
}

/// Corpora without phrases, or without records left out, are what they were before there were any.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One of a build's passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// Text is read, cut into words and counted.
    Count,
    /// Words are joined to phrases: each sweep through them begins anew.
    Join,
    /// Words become ids of the vocabulary.
    Encode,
}

/// How far a build is.
#[derive(Debug, Clone, Copy)]
pub struct BuildProgress<'a> {
    /// Which pass it is in.
    pub pass: Pass,
    /// Bytes on disk that are done, of `total`.
    pub done: u64,
    /// Bytes on disk of all input.
    pub total: u64,
    /// Words met so far in this pass.
    pub tokens: u64,
    pub(super) stop: &'a AtomicBool,
}

impl BuildProgress<'_> {
    /// Ends the build soon, with [`crate::Error::Interrupted`] and nothing left behind.
    pub fn interrupt(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
