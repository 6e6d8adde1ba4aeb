//! What a run leaves: files in a folder, or vectors.

use std::collections::BTreeMap;
use std::path::Path;

use super::Trainer;
use super::common::COMMON;
use super::layout::{CONTEXT, DOCUMENTS, NGRAMS, Part};
use crate::embeddings::{Embeddings, Ngrams};
use crate::error::{Error, Result};
use crate::format::{Dtype, native};
use crate::math::Matrix;
use crate::vocabulary::Keys;

/// What documents are called, and what else is known of them, in the order of the corpus.
#[derive(Debug, Clone, Default)]
pub struct DocumentNames {
    /// Distinct keys.
    pub keys: Keys,
    /// Their classes.
    pub labels: Option<Keys>,
    /// Their first words.
    pub texts: Option<Keys>,
}

impl Trainer<'_> {
    /// Writes what was learned into a folder, `words.safetensors` last, whose presence says that the run is finished.
    /// Documents without `names` are numbered from 1.
    pub fn save(&mut self, folder: &Path, names: Option<&DocumentNames>) -> Result<()> {
        let Some(vectors) = self.composed() else { return self.save_rows(folder, names) };
        self.save_parts(folder, names, |part| part.table == 1)?;
        let metadata = self.metadata();
        let [input, _] = self.tables.parts_mut();
        let subwords = self.step.subwords.as_ref().expect("what was composed");
        let (cut, ngrams) = (subwords.subwords(), subwords.ngrams(input.as_rows()));
        let words = native::Words {
            counts: Some(self.vocabulary.counts()),
            ngrams: Some((cut, &subwords.buckets, ngrams)),
            ..native::Words::new(self.vocabulary.keys(), self.config.dim)
        };
        native::write_rows(&folder.join(native::FILE), words, &metadata, Dtype::F32, || vectors.iter_rows())
    }

    /// Writes the rows of the tables as they are now, each part in its file.
    pub(super) fn save_rows(&mut self, folder: &Path, names: Option<&DocumentNames>) -> Result<()> {
        self.save_parts(folder, names, |_| true)
    }

    fn save_parts(
        &mut self,
        folder: &Path,
        names: Option<&DocumentNames>,
        is_wanted: impl Fn(&Part) -> bool,
    ) -> Result<()> {
        // Checkpoints hold rows as they are trained, before anything is taken off.
        if let Some(common) = &self.common {
            common.save(&folder.join(COMMON))?;
        }
        let metadata = self.metadata();
        let unnamed =
            if names.is_none() && self.config.task.has_documents() { self.dataset.documents_len() } else { 0 };
        let numbers: Keys = (1..=unnamed).map(|number| number.to_string()).collect();
        let nodes: Keys = (0..self.nodes()).map(|number| number.to_string()).collect();
        let buckets = self.step.subwords.as_ref().map_or(&[][..], |subwords| &subwords.buckets);
        let buckets: Keys = buckets.iter().map(|bucket| bucket.to_string()).collect();
        for part in self.parts().into_iter().filter(is_wanted) {
            let mut known = native::Words {
                counts: Some(self.vocabulary.counts()),
                ..native::Words::new(self.vocabulary.keys(), self.config.dim)
            };
            if part.is_documents() {
                let keys = names.map_or(&numbers, |names| &names.keys);
                let of = |strings: fn(&DocumentNames) -> Option<&Keys>| names.and_then(strings);
                let (labels, texts) = (of(|names| names.labels.as_ref()), of(|names| names.texts.as_ref()));
                known = native::Words { labels, texts, ..native::Words::new(keys, self.config.dim) };
            } else if part.file == NGRAMS {
                known = native::Words::new(&buckets, self.config.dim);
            } else if part.is_nodes() {
                known = native::Words::new(&nodes, self.config.dim);
            }
            let table = self.tables.parts_mut().into_iter().nth(part.table).expect("two tables");
            let rows = table.as_rows().range(part.rows);
            native::write_rows(&folder.join(part.file), known, &metadata, Dtype::F32, || rows.iter())?;
        }
        Ok(())
    }

    /// The inner nodes that have rows of their own.
    fn nodes(&self) -> usize {
        self.parts().iter().find(|part| part.is_nodes()).map_or(0, |part| part.rows.len())
    }

    /// The vectors of words that are means of rows; `None` if words have rows of their own.
    pub(super) fn composed(&mut self) -> Option<Matrix> {
        let [input, _] = self.tables.parts_mut();
        let subwords = self.step.subwords.as_ref()?;
        Some(subwords.compose(input.as_rows(), self.config.dim))
    }

    /// The vectors of words as what is predicted, in the order of the vocabulary; `None` where other rows than theirs are
    /// predicted, or where these are the words' only vectors.
    pub fn contexts(&mut self) -> Option<Matrix> {
        let part = self.parts().into_iter().find(|part| part.file == CONTEXT)?;
        let [_, output] = self.tables.parts_mut();
        Some(output.as_rows().range(part.rows).to_matrix())
    }

    /// The word vectors, in the order of the vocabulary, with the configuration that made them.
    pub fn finish(mut self) -> Result<Embeddings> {
        let (keys, counts) = (self.vocabulary.keys().clone(), self.vocabulary.counts().to_vec());
        let metadata = self.metadata();
        let mut embeddings = match self.composed() {
            None => Embeddings::new(keys, self.into_matrix(native::FILE)?, Some(counts))?,
            Some(vectors) => {
                let subwords = self.step.subwords.take().expect("what was composed");
                let (mut input, output) = self.tables.into_parts();
                drop(output);
                let rows = subwords.ngrams(input.as_rows()).to_matrix();
                let ngrams = Ngrams::new(subwords.subwords(), subwords.buckets, rows)?;
                Embeddings::new(keys, vectors, Some(counts))?.with_ngrams(Some(ngrams))?
            }
        };
        embeddings.metadata = metadata;
        Ok(embeddings)
    }

    /// The vectors of documents, in the order of the corpus, with the configuration that made them.
    ///
    /// # Errors
    /// If the task has none, or `names` do not fit.
    pub fn finish_documents(self, names: DocumentNames) -> Result<Embeddings> {
        let metadata = self.metadata();
        let mut embeddings = Embeddings::new(names.keys, self.into_matrix(DOCUMENTS)?, None)?;
        if let Some(labels) = names.labels {
            embeddings = embeddings.with_labels(labels)?;
        }
        if let Some(texts) = names.texts {
            embeddings = embeddings.with_texts(texts)?;
        }
        embeddings.metadata = metadata;
        Ok(embeddings)
    }

    /// The rows that would go to a file; all others are given back first.
    fn into_matrix(self, file: &str) -> Result<Matrix> {
        let part = self.parts().into_iter().find(|part| part.file == file);
        let part = part.ok_or_else(|| Error::data("the task has no vectors for documents"))?;
        let (input, output) = self.tables.into_parts();
        let mut table = if part.table == 0 { input } else { output };
        Ok(table.as_rows().range(part.rows).to_matrix())
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("firth.config".to_owned(), serde_json::to_string(&self.config).expect("plain fields")),
            ("firth.corpus".to_owned(), format!("{:016x}", self.dataset.checksum())),
            ("firth.kernel".to_owned(), self.tables.kernel().name().to_owned()),
        ])
    }
}
