//! Matrices of numbers without keys. A place holder: branch h-matrix has the readers.

use std::path::Path;

use crate::error::{Error, Result};
use crate::math::Samples;

/// Does a file hold a matrix, rather than text?
pub fn is_matrix(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "npy" || ending == "npz")
}

/// Reads a matrix.
pub fn read(path: &Path) -> Result<Samples> {
    Err(Error::data(format!("{}: matrices cannot be read yet", path.display())))
}
