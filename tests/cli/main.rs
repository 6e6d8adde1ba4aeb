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
mod heldout;
mod places;
mod plan;
mod pooling;
mod queries;
mod recommend;
mod restore;
mod resume;
mod retrieval;
mod rules;
mod signals;
mod support;
mod train;
mod usage;
