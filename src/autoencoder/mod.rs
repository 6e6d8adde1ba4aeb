//! Autoencoders: rows in, codes out, learnt by giving the rows back (Hinton and Salakhutdinov, 2006).
//!
//! One network covers the family: a first layer over sparse or dense rows, hidden layers, the code, the same mirrored, and a
//! loss. Undercomplete or overcomplete is the code's width, deep is the number of layers, sparse and contractive are
//! penalties, denoising is a corruption of the input.

mod bags;
mod config;
mod fit;
mod model;

pub use bags::{Bag, Words};
pub use config::{Activation, AutoencoderConfig, Corruption, Loss, Predict, Sparsity, Weighting};
pub use fit::{Checkpoint, Summary, Trainer};
pub use model::{Autoencoder, FILE};
