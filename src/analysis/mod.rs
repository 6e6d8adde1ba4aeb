//! What vectors tell: neighbours and principal components.

mod neighbors;
mod pca;

pub use crate::embeddings::{Method, Neighbor};
pub use neighbors::Neighbors;
pub use pca::{Pca, PcaModel};
//! What can be learnt from vectors: neighbours, clusters, reductions, maps.

#[cfg(feature = "plot")]
pub mod plot;
