//! A finished run that turns documents into vectors, whatever it has learnt them by.

use std::path::Path;

use firth::autoencoder::{Autoencoder, Bag, Words};
use firth::corpus::Corpus;
use firth::embeddings::Embeddings;
use firth::math::{Matrix, SparseMatrix};
use firth::tokenizer::Tokenizer;
use firth::train::{KnownWords, ParagraphVectors};
use rayon::prelude::*;

use crate::blocks::{self, Waiting};
use crate::documents::Known;
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::Globals;
use crate::rows::{self, NAMED};
use crate::{encoder, run_folder};

/// A model of documents.
pub struct Embedder {
    model: Model,
    tokenizer: Tokenizer,
}

enum Model {
    Autoencoder(Box<Autoencoder>),
    Paragraph(Box<ParagraphVectors>),
}

/// The vectors of a block of documents.
pub struct Embedded {
    /// A row for each document.
    pub vectors: Matrix,
    /// How many of a document's tokens the model knows.
    pub known: Vec<u32>,
}

impl Embedder {
    /// Opens a run that has learnt from text.
    pub fn open(run: &Path) -> Outcome<Self> {
        if matches!(run_folder::task(run).as_deref(), Some("pv-dbow" | "pv-dm")) {
            let model = ParagraphVectors::open(run).reading()?;
            return Ok(Self { model: Model::Paragraph(model.into()), tokenizer: encoder::tokenizer(run)? });
        }
        let model = encoder::open(run)?;
        if model.words().is_none() {
            let shown = run.display();
            return Err(Failure::usage(format!(
                "{shown}: has learnt from a matrix and knows no words; documents need a run on text"
            )));
        }
        Ok(Self { model: Model::Autoencoder(model.into()), tokenizer: encoder::tokenizer(run)? })
    }

    /// The length of each vector.
    pub fn dim(&self) -> usize {
        match &self.model {
            Model::Autoencoder(model) => model.code(),
            Model::Paragraph(model) => model.dim(),
        }
    }

    /// Embeds a block of documents.
    pub fn embed(&self, block: &[Waiting]) -> Outcome<Embedded> {
        match &self.model {
            Model::Autoencoder(model) => {
                let words = model.words().expect("checked: a run on text");
                let mut rows = SparseMatrix::empty(model.columns());
                let bags = encoder::bags(block, words, &self.tokenizer)?;
                let known = bags.iter().map(|bag| bag.counts.iter().map(|&(_, count)| count as u32).sum()).collect();
                bags.into_iter().for_each(|bag| rows.push(bag.counts));
                Ok(Embedded { vectors: model.encode(&rows.into())?, known })
            }
            Model::Paragraph(model) => {
                let read = |waiting: &Waiting| model.read(&waiting.text, &self.tokenizer);
                let documents: Vec<KnownWords> = block.par_iter().map(read).collect::<Result<_, _>>()?;
                let known = documents.iter().map(|document| document.words.len() as u32).collect();
                Ok(Embedded { vectors: model.infer(&documents), known })
            }
        }
    }

    /// The words that it knows, in which documents can be counted.
    pub fn words(&self) -> Words {
        match &self.model {
            Model::Autoencoder(model) => model.words().expect("checked: a run on text").clone(),
            Model::Paragraph(model) => Words::new(model.words().keys().clone()),
        }
    }

    /// Counts the words of a block of documents.
    pub fn bags(&self, block: &[Waiting], words: &Words) -> Outcome<Vec<Bag>> {
        encoder::bags(block, words, &self.tokenizer)
    }

    /// Embeds one text.
    pub fn text(&self, text: &str) -> Outcome<Embedded> {
        self.embed(&[Waiting { text: text.to_owned(), id: None, label: None }])
    }

    /// Embeds all documents, with their keys, labels and first words; warns of those of which the model knows no word.
    pub fn all(&self, corpus: &Corpus, globals: &Globals) -> Outcome<Embeddings> {
        let (mut known, mut numbers, mut unknown) = (Known::default(), Vec::new(), Unknown::default());
        blocks::documents(corpus, "embedding", globals, |block| {
            let first = known.names.keys().len();
            known.add(block);
            let embedded = self.embed(block)?;
            unknown.note(&embedded, |at| known.names.keys().get(first + at).to_owned());
            numbers.extend_from_slice(embedded.vectors.as_slice());
            Ok(())
        })?;
        unknown.warn();
        let count = known.names.keys().len();
        known.with(Matrix::from_vec(count, self.dim(), numbers)?)
    }
}

/// Documents of which a model knows no word: how many, and the first of them.
#[derive(Default)]
pub struct Unknown {
    count: usize,
    first: Vec<String>,
}

impl Unknown {
    /// Looks at some more documents; `key` tells the name of one, by its position among these.
    pub fn note(&mut self, embedded: &Embedded, key: impl Fn(usize) -> String) {
        for (at, _) in embedded.known.iter().enumerate().filter(|(_, known)| **known == 0) {
            self.count += 1;
            if self.first.len() < NAMED {
                self.first.push(key(at));
            }
        }
    }

    /// Warns if there were any.
    pub fn warn(&self) {
        let first: Vec<&str> = self.first.iter().map(String::as_str).collect();
        let what = [
            "document has no word that the model knows; its vector is that of nothing",
            "documents have no word that the model knows; their vectors are that of nothing",
        ];
        rows::warn_of_empty(self.count, &first, what);
    }
}
