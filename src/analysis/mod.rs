//! What vectors tell: neighbours and principal components.

mod neighbors;
mod pca;

pub use crate::embeddings::{Method, Neighbor};
pub use neighbors::Neighbors;
pub use pca::{Pca, PcaModel};
