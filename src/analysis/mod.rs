//! What vectors tell: neighbours, principal components, maps.

mod neighbors;
mod pca;
#[cfg(feature = "plot")]
pub mod plot;

pub use crate::embeddings::{Method, Neighbor};
pub use neighbors::Neighbors;
pub use pca::{Pca, PcaModel};
