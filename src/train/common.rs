//! What the vectors of all documents have in common is taken off them.
//!
//! Negative sampling has no bias for a word's frequency, so every document's row learns one: a long way in one direction,
//! the same for all. Cosines then tell little. A document's vector is therefore its row, of length one, less the mean of
//! all those (as SIF does with pooled word vectors; Arora et al., 2017). On 20 Newsgroups that raises P@10 from .44 to .49
//! (`docs/benchmarks.md`). The mean is kept, so that new documents are treated alike.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::Dtype;

use crate::embeddings::PoolingModel;
use crate::error::{Error, Result};
use crate::format::native::FINGERPRINT;
use crate::io::{Container, ContainerWriter};
use crate::math::{dot, fingerprint};

/// The file with the mean.
pub const COMMON: &str = "common.safetensors";
const KIND: &str = "common";

/// The mean of the training documents' rows, each of length one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Common(Vec<f32>);

impl Common {
    /// Turns rows, each `dim` numbers and padding, into vectors of documents, in place; rows of zeros stay.
    ///
    /// What fewer than [`PoolingModel::ENOUGH`] documents have in common is what they are: nothing is taken off them.
    pub fn settle(rows: &mut [f32], dim: usize, stride: usize) -> Self {
        let (mut sums, mut count) = (vec![0f64; dim], 0u64);
        for row in rows.chunks_exact_mut(stride) {
            let row = &mut row[..dim];
            if shorten(row) {
                count += 1;
                sums.iter_mut().zip(&*row).for_each(|(sum, &value)| *sum += f64::from(value));
            }
        }
        let share = if count < PoolingModel::ENOUGH { 0.0 } else { 1.0 / count as f64 };
        let common = Self(sums.iter().map(|sum| (sum * share) as f32).collect());
        rows.chunks_exact_mut(stride).for_each(|row| common.subtract(&mut row[..dim]));
        common
    }

    /// Does to a new document's row what was done to the others.
    pub fn take_off(&self, row: &mut [f32]) {
        shorten(row);
        self.subtract(row);
    }

    fn subtract(&self, row: &mut [f32]) {
        if row.iter().any(|&value| value != 0.0) {
            row.iter_mut().zip(&self.0).for_each(|(value, mean)| *value -= mean);
        }
    }

    /// Reads it; it must have `dim` numbers.
    pub fn open(path: &Path, dim: usize) -> Result<Self> {
        let container = Container::open_kind(path, KIND)?;
        let mean = container.slice::<f32>("mean")?.to_vec();
        if mean.len() != dim {
            return Err(Error::mismatch(format!("{}: numbers in the mean", path.display()), dim, mean.len()));
        }
        if mean.iter().any(|value| !value.is_finite()) {
            return Err(Error::damaged(path, "the mean holds what is no number"));
        }
        let (expected, found) = (container.entry(FINGERPRINT).unwrap_or_default(), print(&mean));
        if expected != found {
            let fault = format!("the mean has fingerprint {found}, expected {expected}");
            return Err(Error::damaged(path, fault));
        }
        Ok(Self(mean))
    }

    /// Writes it.
    pub fn save(&self, path: &Path) -> Result<()> {
        let metadata = BTreeMap::from([(FINGERPRINT.to_owned(), print(&self.0))]);
        let mut writer = ContainerWriter::create(path, KIND, &metadata, &[("mean", Dtype::F32, vec![self.0.len()])])?;
        writer.write(&self.0)?;
        writer.commit()
    }
}

/// A checksum of the mean, bit by bit.
fn print(mean: &[f32]) -> String {
    format!("{:016x}", fingerprint(std::iter::once(mean)))
}

/// Makes a row one of length one; false if it is all zeros.
fn shorten(row: &mut [f32]) -> bool {
    let length = dot(row, row).sqrt();
    if length == 0.0 {
        return false;
    }
    row.iter_mut().for_each(|value| *value /= length);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_rows_of_length_one_less_their_mean_and_new_ones_alike() -> Result<()> {
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        let few = [3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0];
        let mut rows = few.to_vec();
        Common::settle(&mut rows, 2, 3);
        assert!(near(&rows, &[0.6, 0.8, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]), "of few nothing is taken off: {rows:?}");
        let mut rows = few.repeat(5);
        let common = Common::settle(&mut rows, 2, 3);
        assert!(near(&common.0, &[0.8, 0.4]), "{common:?}");
        assert!(near(&rows[..9], &[-0.2, 0.4, 0.0, 0.0, 0.0, 0.0, 0.2, -0.4, 0.0]), "{rows:?}");
        let (mut new, mut nothing) = ([6.0, 8.0], [0.0, 0.0]);
        common.take_off(&mut new);
        common.take_off(&mut nothing);
        assert!(near(&new, &rows[..2]) && nothing == [0.0, 0.0]);

        let folder = tempfile::tempdir().map_err(|source| Error::io("a temporary folder", source))?;
        let path = folder.path().join(COMMON);
        common.save(&path)?;
        assert_eq!(Common::open(&path, 2)?, common);
        assert!(Common::open(&path, 3).is_err());
        let mut bytes = std::fs::read(&path).map_err(|source| Error::io(&path, source))?;
        *bytes.last_mut().expect("bytes") ^= 1;
        std::fs::write(&path, bytes).map_err(|source| Error::io(&path, source))?;
        assert!(Common::open(&path, 2).is_err_and(|error| error.to_string().contains("fingerprint")));
        Ok(())
    }
}
