//! What vectors tell: neighbours, principal components, maps; what does not fit, and what is missing.

pub mod anomaly;
mod lsa;
mod neighbors;
mod pca;
#[cfg(feature = "plot")]
pub mod plot;
pub mod ranking;
pub mod restore;

pub use crate::embeddings::{Method, Neighbor};
pub use lsa::{Lsa, LsaModel};
pub use neighbors::Neighbors;
pub use pca::{Pca, PcaModel};
