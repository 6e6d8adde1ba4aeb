//! Numbers: matrices, shared training tables, kernels, random numbers, sampling.

mod matrix;
mod rng;
mod sampling;

pub use matrix::{Matrix, dot, multiply_transposed};
pub use rng::Rng;
pub use sampling::AliasTable;
