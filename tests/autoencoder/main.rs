//! The family of autoencoders, trained: each variant does what it is for, and runs can be repeated and resumed.

mod data;
#[path = "../forge/mod.rs"]
mod forge;
mod measures;
mod real;
mod runs;
#[path = "../stopper/mod.rs"]
mod stopper;
mod variants;
