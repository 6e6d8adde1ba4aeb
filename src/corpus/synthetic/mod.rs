//! Planted corpora: plain English grown from our own facts and templates, whose right answers are known.
//!
//! `world` plants analogies: a country's words share their rivers, towns and food, and each kind of word, say capitals,
//! has sentences of its own; no sentence states the answers side by side. `topics` plants labels, documents that do not
//! belong, and goods that are bought together.
//!
//! ```
//! # fn main() -> firth::Result<()> {
//! let planted = firth::corpus::synthetic::Planted::grow("world", 1, 100)?;
//! assert_eq!(planted.documents.len(), 100);
//! # Ok(())
//! # }
//! ```

mod facts;
mod files;
mod market;
mod similarity;
mod template;
mod topics;
mod world;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A kind of planted corpus.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// What `firth corpus generate` calls it.
    pub name: &'static str,
    /// What is planted, in one line.
    pub about: &'static str,
    /// How many documents it has unless told otherwise.
    pub documents: usize,
}

/// All kinds; the first is the default.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "world",
        about: "analogies and similarities: countries, families, word forms, animals, trades, and topical documents",
        documents: 56_000,
    },
    Kind {
        name: "topics",
        about: "topic labels, documents that do not belong, and goods that are bought together",
        documents: 15_000,
    },
];

/// A corpus with its known answers.
#[derive(Debug, Clone, Default)]
pub struct Planted {
    /// Which of [`KINDS`] it is.
    pub kind: String,
    /// The seed it was grown from.
    pub seed: u64,
    /// The text.
    pub documents: Vec<PlantedDocument>,
    /// Analogy questions; the names of syntactic sections start with `gram`, as in Google's set.
    pub analogies: Vec<Section>,
    /// Pairs of words and how alike they are, from 0 to 10.
    pub similarity: Vec<(String, String, f64)>,
    /// Documents whose words come from a topic that no other document has.
    pub anomalies: Vec<Anomaly>,
    /// What was bought together, one basket per document labelled `market`.
    pub baskets: Vec<Basket>,
    /// The planted association rules, with the figures they have in [`Planted::baskets`].
    pub rules: Vec<Rule>,
}

/// One document: a few sentences on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlantedDocument {
    /// Unique in the corpus.
    pub id: String,
    /// What it is about; an anomaly's label is a lie.
    pub label: String,
    /// The sentences, separated by single spaces.
    pub text: String,
}

/// Questions of one relation: the first word is to the second as the third is to the fourth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// As it stands after the colon: `country-capital`.
    pub name: String,
    /// Lower-case words, ready for vectors of lower-cased text.
    pub questions: Vec<[String; 4]>,
}

/// A document that does not belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// The document's id.
    pub id: String,
    /// The topic its words come from.
    pub topic: String,
}

/// The goods in one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basket {
    /// The document's id.
    pub id: String,
    /// The goods, sorted.
    pub items: Vec<String>,
}

/// Who buys these also buys that.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What must be in the basket.
    pub antecedent: Vec<String>,
    /// What then often is.
    pub consequent: String,
    /// The share of all baskets that hold both.
    pub support: f64,
    /// The share of the baskets with the antecedent that hold the consequent.
    pub confidence: f64,
    /// Confidence over the consequent's share of all baskets.
    pub lift: f64,
}

impl Planted {
    /// Grows a corpus of that many documents; the same seed gives the same text.
    ///
    /// # Errors
    /// If no kind has that name.
    pub fn grow(kind: &str, seed: u64, documents: usize) -> Result<Self> {
        match kind {
            "world" => Ok(world::grow(seed, documents)),
            "topics" => Ok(topics::grow(seed, documents)),
            _ => Err(unknown(kind)),
        }
    }

    /// Writes text, labels and answers into a folder, which is made if it is missing; returns the files.
    ///
    /// Each file appears whole or not at all, and replaces what had its name.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        files::write(self, folder)
    }
}

/// Grows a corpus of the kind's own size and writes it into a folder; returns the files.
pub fn generate(kind: &str, seed: u64, folder: &Path) -> Result<Vec<PathBuf>> {
    let size = KINDS.iter().find(|known| known.name == kind).ok_or_else(|| unknown(kind))?.documents;
    Planted::grow(kind, seed, size)?.write(folder)
}

fn unknown(kind: &str) -> Error {
    let names: Vec<&str> = KINDS.iter().map(|known| known.name).collect();
    Error::config("KIND", format!("found {kind:?}, expected one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_same_seed_gives_the_same_corpus_and_another_seed_another() -> Result<()> {
        for kind in KINDS {
            let [first, again, other] = [1, 1, 2].map(|seed| Planted::grow(kind.name, seed, 200));
            let (first, again, other) = (first?, again?, other?);
            assert_eq!(first.documents, again.documents);
            assert_eq!(first.analogies, again.analogies);
            assert_ne!(first.documents, other.documents);
        }
        Ok(())
    }

    #[test]
    fn documents_are_whole_sentences_in_plain_english() -> Result<()> {
        for kind in KINDS {
            let planted = Planted::grow(kind.name, 1, 3000)?;
            let ids: HashSet<&str> = planted.documents.iter().map(|document| document.id.as_str()).collect();
            assert_eq!(ids.len(), 3000);
            for PlantedDocument { label, text, .. } in &planted.documents {
                assert!(!label.is_empty() && text.split(' ').count() >= 5, "{text}");
                assert!(text.ends_with(['.', '?', '!', '"']), "{text}");
                assert!(!text.contains("  ") && !text.contains(['\t', '\n', '{', '}', '[', ']', '|']), "{text}");
                assert!(text.starts_with(|first: char| first.is_uppercase() || first == '"'), "{text}");
                let words: Vec<&str> = text.split(' ').collect();
                for pair in words.windows(2) {
                    match pair[0].trim_start_matches('"') {
                        "a" | "A" => assert!(!template::takes_an(pair[1]), "{text}"),
                        "an" | "An" => assert!(template::takes_an(pair[1]), "{text}"),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn an_unknown_kind_names_the_known_ones() {
        let message = Planted::grow("wrold", 1, 1).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("world, topics"), "{message}");
    }
}
