//! Vectors of documents with what is known of these: distinct keys, labels, first words.

use std::path::{Path, PathBuf};

use firth::dataset::EncodedCorpus;
use firth::embeddings::{Embeddings, beginning};
use firth::math::Matrix;
use firth::train::{DocumentNames, Trainer};
use firth::vocabulary::{DocId, Keys};

use crate::blocks::Waiting;
use crate::failure::{Failure, Outcome};
use crate::model;
use crate::progress::{thousands, warn};
use crate::rows::{self, NAMED, Names};
use crate::run_folder::{self, DOCUMENTS};

/// More words than a document's beginning holds.
const FIRST_WORDS: usize = 100;

/// Where the vectors of a model's documents are: in a run that has some, or in a vector file, which is taken for such.
pub fn of_model(path: &Path) -> Outcome<PathBuf> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let documents = path.join(DOCUMENTS);
    if documents.is_file() && run_folder::is_finished(path) {
        return Ok(documents);
    }
    // Says what is wrong with what is no finished run at all.
    model::read(path)?;
    let shown = path.display();
    Err(Failure::usage(format!(
        "{shown}: has vectors for words only; documents need a run that learns them: \
         firth train autoencoder|pv-dbow|pv-dm TEXT -o RUN, or firth embed {shown} TEXT --pool sif -o RUN"
    )))
}

/// Distinct keys for a corpus's documents: their ids, or positions from 1.
pub fn keys(corpus: &EncodedCorpus) -> Keys {
    if corpus.report().empty_documents > 0 && corpus.dataset.document_id(DocId(0)).is_none() {
        let count = thousands(corpus.report().empty_documents);
        warn(format_args!("documents are numbered without the empty ones ({count}), which a corpus does not keep"));
    }
    let mut names = Names::default();
    all(corpus).for_each(|doc| names.add(corpus.dataset.document_id(doc)));
    names.done()
}

fn all(corpus: &EncodedCorpus) -> impl Iterator<Item = DocId> + use<> {
    (0..corpus.dataset.documents_len()).map(|at| DocId(at as u32))
}

fn labels(corpus: &EncodedCorpus) -> Option<Keys> {
    let label = |doc| corpus.dataset.document_label(doc);
    label(DocId(0))?;
    Some(all(corpus).map(|doc| label(doc).unwrap_or_default()).collect())
}

fn texts(corpus: &EncodedCorpus) -> Keys {
    all(corpus).map(|doc| beginning(&corpus.first_words(doc, FIRST_WORDS))).collect()
}

/// Joins the vectors of a corpus's documents, a row each, with what is known of these.
pub fn of_corpus(corpus: &EncodedCorpus, vectors: Matrix) -> Outcome<Embeddings> {
    let documents = Embeddings::new(keys(corpus), vectors, None)?.with_texts(texts(corpus))?;
    Ok(match labels(corpus) {
        Some(labels) => documents.with_labels(labels)?,
        None => documents,
    })
}

/// What a trainer's documents are called; `None` if it has no vectors for such.
pub fn names(trainer: &Trainer<'_>, corpus: &EncodedCorpus) -> Option<DocumentNames> {
    trainer.config().task.has_documents().then(|| DocumentNames {
        keys: keys(corpus),
        labels: labels(corpus),
        texts: Some(texts(corpus)),
    })
}

/// Warns of documents of which nothing was learnt.
pub fn warn_of_unmoved(trainer: &Trainer<'_>, keys: &Keys) {
    let unmoved = trainer.unmoved_documents();
    let first: Vec<&str> = unmoved.iter().take(NAMED).map(|&at| keys.get(at)).collect();
    let what = [
        "document has no word that is learnt; its vector is all zeros",
        "documents have no word that is learnt; their vectors are all zeros",
    ];
    rows::warn_of_empty(unmoved.len(), &first, what);
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
