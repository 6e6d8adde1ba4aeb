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
mod plot;
mod queries;
mod recommend;
mod reduce;
mod restore;
mod resume;
mod rules;
mod search;
mod signals;
mod support;
mod train;
mod usage;
