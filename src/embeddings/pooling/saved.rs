//! The file of a fitted pooling: a safetensors container of weights and directions.
//!
//! Tensors, all f32: `weights`, one for each word; `scale`, one for each column, or empty; `directions`, one a row;
//! `shares`, one for each direction. The header's `about` holds method and settings; a caller may put entries beside it.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::{Pooling, PoolingModel};
use crate::error::{Error, Result};
use crate::io::{Container, ContainerWriter};
use crate::math::{Matrix, fingerprint};

/// The file of a pooling in a run's folder.
pub const FILE: &str = "pooling.safetensors";
/// The kind in its header.
const KIND: &str = "pooling";
/// The header's entry with all that is not a table.
const ABOUT: &str = "about";
/// The header's entry with the checksum of the tables.
const FINGERPRINT: &str = "firth.fingerprint";

#[derive(Serialize, Deserialize)]
struct About {
    #[serde(flatten)]
    pooling: Pooling,
    documents: u64,
}

impl PoolingModel {
    /// Writes it, whole or not at all, with the caller's entries in the header.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn save(&self, path: &Path, entries: &BTreeMap<String, String>) -> Result<()> {
        let about = About { pooling: self.pooling.clone(), documents: self.documents };
        let about = serde_json::to_string(&about).map_err(|source| Error::Backend { source: source.into() })?;
        let mut entries = entries.clone();
        entries.extend([(ABOUT.to_owned(), about), (FINGERPRINT.to_owned(), self.fingerprint())]);
        let tensors = [
            ("weights", Dtype::F32, vec![self.weights.len()]),
            ("scale", Dtype::F32, vec![self.scale.len()]),
            ("directions", Dtype::F32, vec![self.directions.rows(), self.dim()]),
            ("shares", Dtype::F32, vec![self.shares.len()]),
        ];
        let mut writer = ContainerWriter::create(path, KIND, &entries, &tensors)?;
        self.tables().into_iter().try_for_each(|table| writer.write(table))?;
        writer.commit()
    }

    /// Reads one that was saved, or that of a run's folder, and the entries in its header.
    ///
    /// # Errors
    /// If it is no pooling, damaged, or of a newer version.
    pub fn open(path: &Path) -> Result<(Self, BTreeMap<String, String>)> {
        let path = if path.is_dir() { &path.join(FILE) } else { path };
        let container = Container::open_kind(path, KIND)?;
        let damaged = |what: &str| Error::damaged(path, what);
        let about = container.entry(ABOUT).ok_or_else(|| damaged("the header does not tell the method"))?;
        let About { pooling, documents } = serde_json::from_str(about)
            .map_err(|error| damaged(&format!("the method cannot be read from the header ({error})")))?;
        let table = |name: &str| Ok::<_, Error>(container.slice::<f32>(name)?.to_vec());
        let (_, shape) = container.shape("directions")?;
        let &[rows, dim] = shape.as_slice() else {
            return Err(damaged(&format!("directions of shape {shape:?}, expected [directions, dimension]")));
        };
        let model = Self {
            pooling,
            documents,
            weights: table("weights")?,
            scale: table("scale")?,
            directions: Matrix::from_vec(rows, dim, table("directions")?)?,
            shares: table("shares")?,
        };
        if model.shares.len() != rows || !(model.scale.is_empty() || model.scale.len() == dim) {
            return Err(damaged("its tables do not fit one another"));
        }
        let (expected, found) = (container.entry(FINGERPRINT).unwrap_or_default(), model.fingerprint());
        if found != expected {
            return Err(damaged(&format!("the tables have fingerprint {found}, expected {expected}")));
        }
        Ok((model, container.entries()))
    }

    /// A checksum of the tables, bit by bit, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        format!("{:016x}", fingerprint(self.tables().into_iter()))
    }

    fn tables(&self) -> [&[f32]; 4] {
        [&self.weights, &self.scale, self.directions.as_slice(), &self.shares]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embeddings::{Embeddings, Pool};

    #[test]
    fn a_saved_pooling_treats_documents_alike_and_damage_is_told() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(FILE);
        let vectors = Matrix::from_vec(3, 2, vec![1.0, 0.5, 0.25, 2.0, -1.0, 1.0])?;
        let words = Embeddings::new(["a", "b", "c"].into_iter().collect(), vectors, Some(vec![5, 3, 1]))?;
        let documents: Vec<Vec<u32>> = (0..20).map(|at| vec![at % 3, at % 2, 0]).collect();
        let pooling = Pooling { components: Some(2), ..Pooling::of(Pool::Usif) };
        let model = pooling.fit(&words, &documents)?;
        model.save(&path, &BTreeMap::from([("tokenizer".to_owned(), "words".to_owned())]))?;
        let (read, entries) = PoolingModel::open(folder.path())?;
        assert_eq!((entries["tokenizer"].as_str(), read.pooling(), read.documents()), ("words", model.pooling(), 20));
        assert_eq!(read.pool(&words, &documents)?.as_slice(), model.pool(&words, &documents)?.as_slice());

        let mut bytes = std::fs::read(&path).expect("the file");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, &bytes).expect("written");
        assert!(PoolingModel::open(&path).expect_err("one bit off").to_string().contains("fingerprint"));
        std::fs::write(&path, &bytes[..last]).expect("written");
        assert!(matches!(PoolingModel::open(&path), Err(Error::Parse { .. })));
        Ok(())
    }
}
