//! The family of autoencoders, trained: each variant does what it is for, and runs can be repeated and resumed.

#[path = "../common/mod.rs"]
mod common;
mod data;
mod measures;
mod real;
mod runs;
mod variants;
