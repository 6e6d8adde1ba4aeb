//! Autoencoders: rows in, codes out, learnt by giving the rows back (Hinton and Salakhutdinov, 2006).
//!
//! One network covers the family: a first layer over sparse or dense rows, hidden layers, the code, the same mirrored, and a
//! loss. Undercomplete or overcomplete is the code's width, deep is the number of layers, sparse and contractive are
//! penalties, denoising is a corruption of the input.

mod bags;
mod batch;
mod bias;
mod checks;
mod config;
mod fit;
#[cfg(test)]
mod gradients;
mod heldout;
mod model;
mod network;
mod output;
mod prepare;
mod product;
mod saved;
mod spelling;
mod stack;
mod step;
mod table;
mod told;

pub use bags::{Bag, Rare, Words};
pub use config::{Activation, AutoencoderConfig, Corruption, Loss, Predict, Sparsity, Weighting};
pub use fit::{Checkpoint, Trainer};
pub use model::{Autoencoder, FILE};
pub(crate) use prepare::Preparation;
pub use told::Summary;

/// Names of the random streams that a run draws from.
mod streams {
    pub const TABLE: u64 = 1;
    pub const ORDER: u64 = 2;
    pub const NOISE: u64 = 3;
    pub const SAMPLE: u64 = 4;
    pub const SIGNS: u64 = 5;
    pub const HELD_OUT: u64 = 6;
}
