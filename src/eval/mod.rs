//! How good vectors are, measured on questions that people wrote.
//!
//! Everything here follows gensim's rules where it has the same test, so that scores can be compared: words are folded
//! by upper-casing, the commonest spelling wins, and what has an unknown word is left out and shows in the coverage.

mod analogy;
mod categories;
pub mod classify;
mod clusters;
mod correlation;
mod lexicon;
mod pairs;
mod questions;
mod similarity;

pub use crate::embeddings::Method;
pub use analogy::{Analogy, AnalogyReport, Section, Tally};
pub use categories::{Categories, CategoryReport, CategoryWords};
pub use clusters::Agreement;
pub use correlation::{pearson, spearman};
pub use similarity::{Similarity, SimilarityReport};
