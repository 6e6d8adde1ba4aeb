//! What vectors tell: neighbours, principal components, maps; and what users' items tell: recommendations and rules.

pub mod interactions;
mod neighbors;
mod pca;
#[cfg(feature = "plot")]
pub mod plot;
pub mod recommend;
pub mod rules;

pub use crate::embeddings::{Method, Neighbor};
pub use neighbors::Neighbors;
pub use pca::{Pca, PcaModel};
