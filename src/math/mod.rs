//! Numbers: matrices, shared training tables, kernels, random numbers, sampling.

mod blocks;
mod composed;
mod kernel;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod lanes;
mod matrix;
mod moment;
mod rng;
mod sampling;
mod scalar;
mod shared;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod simd;
mod sparse;
pub(crate) mod vector;

pub use blocks::Outputs;
pub use composed::Compositions;
pub use kernel::Kernel;
pub(crate) use matrix::Fingerprint;
pub use matrix::{Matrix, View, dot, fingerprint, multiply, multiply_transposed};
pub use moment::{Directions, Moment};
pub use rng::Rng;
pub use sampling::AliasTable;
pub use shared::{RowId, Rows, SharedTable, Tables, Worker};
pub use sparse::{Samples, SparseMatrix, SparseRow};
