//! What a run leaves: files in a folder, or vectors.

use std::collections::BTreeMap;
use std::path::Path;

use super::Trainer;
use super::common::COMMON;
use super::layout::DOCUMENTS;
use crate::embeddings::Embeddings;
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
    /// Writes the tables as they are now into a folder, `words.safetensors` last, whose presence says that the run is
    /// finished. Documents without `names` are numbered from 1.
    pub fn save(&mut self, folder: &Path, names: Option<&DocumentNames>) -> Result<()> {
        // Checkpoints hold rows as they are trained, before anything is taken off.
        if let Some(common) = &self.common {
            common.save(&folder.join(COMMON))?;
        }
        let metadata = self.metadata();
        let unnamed =
            if names.is_none() && self.config.task.has_documents() { self.dataset.documents_len() } else { 0 };
        let numbers: Keys = (1..=unnamed).map(|number| number.to_string()).collect();
        for part in self.parts() {
            let mut known = native::Words {
                keys: self.vocabulary.keys(),
                counts: Some(self.vocabulary.counts()),
                labels: None,
                texts: None,
                dim: self.config.dim,
            };
            if part.is_documents() {
                let keys = names.map_or(&numbers, |names| &names.keys);
                let of = |strings: fn(&DocumentNames) -> Option<&Keys>| names.and_then(strings);
                let (labels, texts) = (of(|names| names.labels.as_ref()), of(|names| names.texts.as_ref()));
                known = native::Words { keys, counts: None, labels, texts, ..known };
            }
            let table = self.tables.parts_mut().into_iter().nth(part.table).expect("two tables");
            let rows = table.as_rows().range(part.rows);
            native::write_rows(&folder.join(part.file), known, &metadata, Dtype::F32, || rows.iter())?;
        }
        Ok(())
    }

    /// The word vectors, in the order of the vocabulary, with the configuration that made them.
    pub fn finish(self) -> Result<Embeddings> {
        let (keys, counts) = (self.vocabulary.keys().clone(), self.vocabulary.counts().to_vec());
        let metadata = self.metadata();
        let mut embeddings = Embeddings::new(keys, self.into_matrix(native::FILE)?, Some(counts))?;
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
        let mut numbers = Vec::with_capacity(part.rows.len() * self.config.dim);
        let count = part.rows.len();
        table.as_rows().range(part.rows).iter().for_each(|row| numbers.extend_from_slice(row));
        Matrix::from_vec(count, self.config.dim, numbers)
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("firth.config".to_owned(), serde_json::to_string(&self.config).expect("plain fields")),
            ("firth.corpus".to_owned(), format!("{:016x}", self.dataset.checksum())),
            ("firth.kernel".to_owned(), self.tables.kernel().name().to_owned()),
        ])
    }
}
