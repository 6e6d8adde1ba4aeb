//! How good vectors are, measured on questions that people wrote.
//!
//! Everything here follows gensim's rules where it has the same test, so that scores can be compared: words are folded
//! by upper-casing, the commonest spelling wins, and what has an unknown word is left out and shows in the coverage.

mod analogy;
mod bm25;
mod categories;
pub mod classify;
mod clusters;
mod correlation;
mod lexicon;
mod outlier;
mod pairs;
mod questions;
pub mod retrieval;
mod sentences;
mod similarity;

pub use crate::embeddings::Method;
pub use analogy::{Analogy, AnalogyReport, Section, Tally};
pub use bm25::{Bm25, Bm25Index, Terms};
pub use categories::{Categories, CategoryReport, CategoryWords};
pub use clusters::Agreement;
pub use correlation::{Correlation, pearson, spearman};
pub use outlier::{Outlier, OutlierReport};
pub use sentences::{SentencePairs, SentenceReport};
pub use similarity::{Similarity, SimilarityReport};
