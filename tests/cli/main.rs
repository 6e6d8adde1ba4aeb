//! The command line through the real binary: output, exit codes, and each message.

mod convert;
mod corpus;
mod faults;
mod force;
mod foreign;
mod places;
mod plan;
mod queries;
mod signals;
mod support;
mod train;
mod usage;
