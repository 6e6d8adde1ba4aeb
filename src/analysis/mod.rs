//! What can be learnt from vectors: neighbours, clusters, reductions, maps.

#[cfg(feature = "plot")]
pub mod plot;
