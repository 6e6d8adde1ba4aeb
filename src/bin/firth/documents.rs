//! Vectors of documents with what is known of these: distinct keys, labels, first words.

use firth::dataset::EncodedCorpus;
use firth::embeddings::{Embeddings, beginning};
use firth::math::Matrix;
use firth::vocabulary::{DocId, Keys};

use crate::blocks::Waiting;
use crate::failure::Outcome;
use crate::rows::Names;

/// More words than a document's beginning holds.
const FIRST_WORDS: usize = 100;

/// Gives the vectors of a corpus's documents, in its order, the keys `keys`, their labels and their first words.
pub fn of_corpus(corpus: &EncodedCorpus, keys: Keys, vectors: Matrix) -> Outcome<Embeddings> {
    let all = (0..keys.len()).map(|at| DocId(at as u32));
    let texts = all.clone().map(|doc| beginning(&corpus.first_words(doc, FIRST_WORDS))).collect();
    let documents = Embeddings::new(keys, vectors, None)?.with_texts(texts)?;
    if corpus.dataset.document_label(DocId(0)).is_none() {
        return Ok(documents);
    }
    let labels = all.map(|doc| corpus.dataset.document_label(doc).unwrap_or_default()).collect();
    Ok(documents.with_labels(labels)?)
}

/// What is known of documents that are read block by block.
#[derive(Default)]
pub struct Known {
    pub names: Names,
    labels: Keys,
    texts: Keys,
    has_labels: bool,
}

impl Known {
    /// Notes some more documents.
    pub fn add(&mut self, block: &[Waiting]) {
        for waiting in block {
            self.names.add(waiting.id.as_deref());
            self.labels.push(waiting.label.as_deref().unwrap_or_default());
            self.texts.push(&beginning(&waiting.text));
            self.has_labels |= waiting.label.is_some();
        }
    }

    /// Joins it with the documents' vectors, a row each.
    pub fn with(self, vectors: Matrix) -> Outcome<Embeddings> {
        let documents = Embeddings::new(self.names.done(), vectors, None)?.with_texts(self.texts)?;
        Ok(if self.has_labels { documents.with_labels(self.labels)? } else { documents })
    }
}
