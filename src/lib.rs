//! Firth learns vectors for words and documents from raw text, without labels.
//!
//! "You shall know a word by the company it keeps" (J. R. Firth, 1957).
#![deny(unsafe_code, missing_docs)]

pub mod analysis;
pub mod autoencoder;
pub mod corpus;
pub mod dataset;
pub mod embeddings;
pub mod error;
pub mod estimator;
pub mod eval;
pub mod format;
pub mod io;
pub mod math;
pub mod objective;
pub mod pretext;
pub mod tokenizer;
pub mod train;
pub mod vocabulary;

pub use error::{Error, Result};

/// README's programs, compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
