//! The command line through the real binary: output, exit codes, and each message.

mod anomaly;
mod autoencoder;
mod checkpoints;
mod cluster;
mod convert;
mod corpus;
mod eval_documents;
mod faults;
mod force;
mod foreign;
#[path = "../forge/mod.rs"]
mod forge;
mod heldout;
mod losses;
mod meanwhile;
mod packed;
mod paragraphs;
mod phrases;
mod places;
mod plan;
mod plot;
mod pooling;
mod queries;
mod recommend;
mod reduce;
mod restore;
mod resume;
mod retrieval;
mod rules;
mod search;
mod signals;
mod subwords;
mod support;
mod train;
mod usage;
