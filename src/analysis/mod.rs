//! What vectors tell: neighbours, principal components, maps; what users' items tell: recommendations and rules; what does
//! not fit, and what is missing.

pub mod anomaly;
mod describe;
mod hdbscan;
pub mod interactions;
pub mod kmeans;
mod lsa;
mod neighbors;
mod pca;
#[cfg(feature = "plot")]
pub mod plot;
pub mod ranking;
pub mod recommend;
pub mod restore;
pub mod rules;

pub use crate::embeddings::{Method, Neighbor};
pub use describe::Describe;
pub use hdbscan::{Hdbscan, HdbscanModel};
pub use kmeans::{KMeans, KMeansModel};
pub use lsa::{Lsa, LsaModel};
pub use neighbors::Neighbors;
pub use pca::{Pca, PcaModel};
