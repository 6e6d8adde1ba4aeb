//! Documents as bags of the words that a model knows.

use crate::corpus::Document;
use crate::dataset::EncodedCorpus;
use crate::error::Result;
use crate::math::SparseMatrix;
use crate::tokenizer::Tokenizer;
use crate::vocabulary::Keys;

/// The words that are a model's columns, in the vocabulary's order.
#[derive(Debug, Clone)]
pub struct Words {
    keys: Keys,
}

/// A document's words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bag {
    /// Columns of known words, ascending, and how often each occurs.
    pub counts: Vec<(u32, f32)>,
    /// Tokens of words that are no column, because training never saw them or left them out.
    pub unseen: Vec<String>,
    /// All tokens.
    pub tokens: u32,
}

impl Words {
    /// Chooses from a corpus the words that are in at least `min_documents` documents and at most in a share `max_share` of
    /// them, and counts them: a row for each document of the corpus, in order, possibly empty.
    pub fn choose(corpus: &EncodedCorpus, min_documents: u32, max_share: f64) -> Result<(Self, SparseMatrix)> {
        let _ = (corpus, min_documents, max_share);
        todo!()
    }

    /// The words, a column each.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Counts a document's words.
    pub fn bag(&self, document: &Document<'_>, tokenizer: &Tokenizer) -> Result<Bag> {
        let _ = (document, tokenizer);
        todo!()
    }
}
