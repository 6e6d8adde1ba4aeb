//! The demo's autoencoder: codes for the documents, and how well they tell what each is about.

use std::collections::HashMap;
use std::path::Path;

use firth::analysis::Neighbors;
use firth::autoencoder::{AutoencoderConfig, Summary, Trainer};
use firth::dataset::EncodedCorpus;
use firth::embeddings::Embeddings;
use firth::math::{Matrix, Samples};
use firth::train::Every;
use firth::vocabulary::DocId;

use super::clusters::Clusters;
use crate::codes;
use crate::failure::Outcome;
use crate::globals::Globals;
use crate::info::latents::{self, Latent};
use crate::progress::Log;
use crate::rows::{Rows, Spread};
use crate::training::{self, Work};

/// Short documents of few words need few passes and few numbers.
const EPOCHS: usize = 4;
const CODE: usize = 50;
/// Every so many documents' neighbour is looked at.
const SAMPLED: usize = 20;
/// Words of each direction that are shown.
const WORDS: usize = 7;

/// What was learnt of the documents.
pub struct Documents {
    pub summary: Summary,
    pub codes: Embeddings,
    labels: Vec<String>,
    /// The share of documents whose nearest document has the same label, and what it would be by chance.
    pub same_label: f64,
    pub chance: f64,
    /// What the numbers of the code stand for, those first whose documents agree most.
    pub latents: Vec<Latent>,
    /// Documents that belong together.
    pub clusters: Option<Clusters>,
}

impl Documents {
    /// Trains, writes all that a run has into a folder, and measures.
    pub fn learn(corpus: EncodedCorpus, folder: &Path, globals: &Globals, log: &mut Log) -> Outcome<Self> {
        let label = |doc| corpus.dataset.document_label(DocId(doc as u32)).unwrap_or_default().to_owned();
        let labels: Vec<String> = (0..corpus.dataset.documents_len()).map(label).collect();
        let rows = Rows::of_corpus(corpus, Spread { min_documents: 2, max_documents: 0.5 })?;
        let config = AutoencoderConfig {
            code: Some(CODE),
            epochs: Some(EPOCHS),
            checkpoint_every: Every::Never,
            threads: globals.threads(),
            seed: globals.seed,
            ..AutoencoderConfig::default()
        };
        let mut trainer = Trainer::new(&config, &rows.input, None, rows.words.clone())?;
        let work = Work { unit: codes::unit(&rows), threads: config.threads };
        let summary = training::learn(|observer| trainer.run(observer), work, None, globals, log)?;
        let model = trainer.finish();
        std::fs::create_dir_all(folder).map_err(|source| firth::Error::io(folder, source))?;
        // With what cuts text into words, new documents can be encoded.
        rows.corpus.as_ref().map_or(Ok(()), |corpus| corpus.save_vocabulary(folder))?;
        let codes = codes::write(&model, &rows, folder)?;

        let mut latents = latents::all(&model, &codes, WORDS)?;
        let agreement = |latent: &Latent| {
            let label = |key: &String| codes.keys().find(key).map(|at| labels[at].as_str());
            let count = |keys: &[String]| commonest(keys.iter().filter_map(label));
            count(&latent.documents_high) + count(&latent.documents_low)
        };
        latents.sort_by_key(|latent| std::cmp::Reverse(agreement(latent)));
        let clusters = match (&rows.input, &rows.words) {
            (Samples::Sparse(counts), Some(words)) => {
                Some(Clusters::find(&codes, counts, words.keys(), &labels, globals.seed)?)
            }
            _ => None,
        };
        let mut documents = Self { summary, codes, labels, same_label: 0.0, chance: 0.0, latents, clusters };
        let asked: Vec<usize> = (0..documents.codes.len()).step_by(SAMPLED).collect();
        let nearest = documents.nearest(&asked, 1)?;
        let same = asked.iter().zip(&nearest).filter(|(at, found)| {
            found.first().is_some_and(|&found| documents.labels[found] == documents.labels[**at])
        });
        documents.same_label = same.count() as f64 / asked.len().max(1) as f64;
        documents.chance = chance(&documents.labels);
        Ok(documents)
    }

    /// What a document is about.
    pub fn label(&self, at: usize) -> &str {
        &self.labels[at]
    }

    /// The positions of the documents nearest to some, without these themselves.
    pub fn nearest(&self, asked: &[usize], top: usize) -> Outcome<Vec<Vec<usize>>> {
        let vectors: Vec<f32> = asked.iter().flat_map(|&at| self.codes.vectors().row(at)).copied().collect();
        let vectors = Matrix::from_vec(asked.len(), self.codes.dim(), vectors)?;
        let themselves: Vec<Vec<usize>> = asked.iter().map(|&at| vec![at]).collect();
        let found = Neighbors::new(&self.codes).nearest(&vectors, top, &themselves)?;
        Ok(found.into_iter().map(|found| found.into_iter().map(|neighbor| neighbor.position).collect()).collect())
    }
}

/// How often the commonest of some labels stands among them.
fn commonest<'a>(labels: impl Iterator<Item = &'a str>) -> usize {
    counts(labels).into_values().max().unwrap_or(0)
}

/// The odds that two documents, taken at random, have the same label.
fn chance(labels: &[String]) -> f64 {
    let all = labels.len().max(1) as f64;
    let counts = counts(labels.iter().map(String::as_str));
    counts.into_values().map(|count| (count as f64 / all).powi(2)).sum()
}

fn counts<'a>(labels: impl Iterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    let mut counts = HashMap::new();
    labels.for_each(|label| *counts.entry(label).or_insert(0) += 1);
    counts
}
