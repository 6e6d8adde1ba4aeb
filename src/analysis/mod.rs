//! What vectors tell: neighbours, principal components, maps; what users' items tell: recommendations and rules; what does
//! not fit, and what is missing.

pub mod anomaly;
mod checks;
mod describe;
mod hdbscan;
mod hnsw;
pub mod interactions;
pub mod kmeans;
mod lsa;
mod nearest_rows;
mod neighbors;
mod pca;
#[cfg(feature = "plot")]
pub mod plot;
pub mod ranking;
pub mod recommend;
pub mod restore;
pub mod rules;
mod trustworthiness;
mod tsne;
mod umap;

pub use crate::embeddings::{Method, Neighbor};
pub use describe::Describe;
pub use hdbscan::{Hdbscan, HdbscanModel};
pub use hnsw::{Hnsw, HnswIndex};
pub use kmeans::{KMeans, KMeansModel};
pub use lsa::{Lsa, LsaModel};
pub use nearest_rows::{MapStep, nearest_rows};
pub use neighbors::Neighbors;
pub use pca::{Pca, PcaModel};
pub use trustworthiness::Trustworthiness;
pub use tsne::Tsne;
pub use umap::Umap;
