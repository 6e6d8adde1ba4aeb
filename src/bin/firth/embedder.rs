//! A finished run that turns documents into vectors, whatever it has learnt them by.

use std::path::Path;

use firth::autoencoder::{self, Autoencoder, Bag, Words};
use firth::corpus::Corpus;
use firth::embeddings::Embeddings;
use firth::math::{Matrix, SparseMatrix};
use firth::train::{KnownWords, ParagraphVectors};
use firth::vocabulary::Segmenter;
use rayon::prelude::*;

use crate::blocks::{self, Waiting};
use crate::documents::Known;
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::pooled::{PoolFlags, Pooled, Texts, texts_of};
use crate::progress::{note, thousands};
use crate::rows::{self, NAMED};
use crate::text::quoted;
use crate::{encoder, model, run_folder};

/// A model of documents.
pub struct Embedder(Model);

enum Model {
    Autoencoder(Box<Autoencoder>, Segmenter),
    Paragraph(Box<ParagraphVectors>, Segmenter),
    Pooled(Box<Pooled>),
}

/// The vectors of a block of documents.
pub struct Embedded {
    /// A row for each document.
    pub vectors: Matrix,
    /// How many of a document's tokens the model knows.
    pub known: Vec<u32>,
    /// How many it does not know.
    pub unknown: Vec<u32>,
}

impl Embedder {
    /// Opens a run that has learnt from text.
    pub fn open(run: &Path) -> Outcome<Self> {
        run_folder::refuse_unfinished(run)?;
        run_folder::refuse_incomplete(run)?;
        if Pooled::is_stored(run) {
            return Ok(Self(Model::Pooled(Pooled::open(run)?.into())));
        }
        if is_paragraph(run) {
            let model = ParagraphVectors::open(run).reading()?;
            return Ok(Self(Model::Paragraph(model.into(), encoder::segmenter(run)?)));
        }
        if !Self::has_own(run) && !run_folder::has_rows_alone(run) {
            // Says what is wrong with what is no model at all.
            model::read(run)?;
            let shown = quoted(&run.to_string_lossy());
            return Err(Failure::usage(format!(
                "{shown}: has vectors of words only; make a run of documents of it: firth embed {shown} TEXT --pool sif -o RUN"
            )));
        }
        let model = encoder::open(run)?;
        if model.words().is_none() {
            let shown = run.display();
            return Err(Failure::usage(format!(
                "{shown}: has learnt from a matrix and knows no words; documents need a run on text"
            )));
        }
        Ok(Self(Model::Autoencoder(model.into(), encoder::segmenter(run)?)))
    }

    /// Opens a run that makes vectors of documents, or pools the word vectors of a run or of a vector file, fitted on
    /// `documents`: if it has no way of its own, or if the flags ask for it.
    pub fn open_or_fit(
        path: &Path,
        flags: &PoolFlags,
        documents: Texts<'_>,
        typed: &Typed,
        globals: &Globals,
    ) -> Outcome<Self> {
        run_folder::refuse_unfinished(path)?;
        run_folder::refuse_incomplete(path)?;
        if !flags.has_method() && Self::has_own(path) {
            PoolFlags::refuse(typed, &format!("{} has its own way to make vectors of documents", path.display()))?;
            return Self::open(path);
        }
        Ok(Self(Model::Pooled(Pooled::fit(path, flags, documents, typed, globals)?.into())))
    }

    /// Does a run make vectors of documents, with no more than it holds?
    pub fn has_own(path: &Path) -> bool {
        Pooled::is_stored(path) || path.join(autoencoder::FILE).is_file() || is_paragraph(path)
    }

    /// The word vectors that it pools, if it does.
    pub fn pooled(&self) -> Option<&Pooled> {
        match &self.0 {
            Model::Pooled(pooled) => Some(pooled),
            Model::Autoencoder(..) | Model::Paragraph(..) => None,
        }
    }

    /// The length of each vector.
    pub fn dim(&self) -> usize {
        match &self.0 {
            Model::Autoencoder(model, _) => model.code(),
            Model::Paragraph(model, _) => model.dim(),
            Model::Pooled(pooled) => pooled.dim(),
        }
    }

    /// Embeds a block of documents.
    pub fn embed(&self, block: &[Waiting]) -> Outcome<Embedded> {
        match &self.0 {
            Model::Pooled(pooled) => {
                let (vectors, known, unknown) = pooled.embed(&texts_of(block))?;
                Ok(Embedded { vectors, known, unknown })
            }
            Model::Autoencoder(model, segmenter) => {
                let words = model.words().expect("checked: a run on text");
                let mut rows = SparseMatrix::empty(model.columns());
                let bags = encoder::bags(block, words, segmenter)?;
                let unknown = bags.iter().map(|bag| bag.unseen.len() as u32).collect();
                let known = bags.iter().map(|bag| bag.counts.iter().map(|&(_, count)| count as u32).sum()).collect();
                bags.into_iter().for_each(|bag| rows.push(bag.counts));
                Ok(Embedded { vectors: model.encode(&rows.into())?, known, unknown })
            }
            Model::Paragraph(model, segmenter) => {
                let read = |waiting: &Waiting| model.read(&waiting.text, segmenter);
                let documents: Vec<KnownWords> = block.par_iter().map(read).collect::<Result<_, _>>()?;
                let known = documents.iter().map(|document| document.words.len() as u32).collect();
                let unknown = documents.iter().map(|document| document.tokens - document.words.len() as u32).collect();
                Ok(Embedded { vectors: model.infer(&documents)?, known, unknown })
            }
        }
    }

    /// The words that it knows, in which documents can be counted.
    pub fn words(&self) -> Words {
        match &self.0 {
            Model::Autoencoder(model, _) => model.words().expect("checked: a run on text").clone(),
            Model::Paragraph(model, _) => Words::new(model.words().keys().clone()),
            Model::Pooled(pooled) => Words::new(pooled.words.keys().clone()),
        }
    }

    /// Counts the words of a block of documents.
    pub fn bags(&self, block: &[Waiting], words: &Words) -> Outcome<Vec<Bag>> {
        encoder::bags(block, words, self.segmenter())
    }

    /// What cuts text into words.
    pub fn segmenter(&self) -> &Segmenter {
        match &self.0 {
            Model::Autoencoder(_, segmenter) | Model::Paragraph(_, segmenter) => segmenter,
            Model::Pooled(pooled) => &pooled.segmenter,
        }
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
        unknown.tell(globals);
        let count = known.names.keys().len();
        known.with(Matrix::from_vec(count, self.dim(), numbers)?)
    }
}

/// Does a run hold paragraph vectors?
fn is_paragraph(run: &Path) -> bool {
    matches!(run_folder::task(run).as_deref(), Some("pv-dbow" | "pv-dm"))
}

/// What a model does not know of documents: words, and all of the words of a few.
#[derive(Default)]
pub struct Unknown {
    count: usize,
    first: Vec<String>,
    /// Words that are known, and all.
    words: [u64; 2],
}

impl Unknown {
    /// Looks at some more documents; `key` tells the name of one, by its position among these.
    pub fn note(&mut self, embedded: &Embedded, key: impl Fn(usize) -> String) {
        for (at, (&known, &unknown)) in embedded.known.iter().zip(&embedded.unknown).enumerate() {
            self.words[0] += u64::from(known);
            self.words[1] += u64::from(known) + u64::from(unknown);
            if known == 0 {
                self.count += 1;
                if self.first.len() < NAMED {
                    self.first.push(key(at));
                }
            }
        }
    }

    /// Words that the model knows, and all.
    pub fn words(&self) -> [u64; 2] {
        self.words
    }

    /// Says how many words are known, and warns of documents of which none is.
    pub fn tell(&self, globals: &Globals) {
        let [known, all] = self.words;
        if all > 0 {
            let share = 100.0 * known as f64 / all as f64;
            note(
                globals,
                format_args!("the model knows {} of {} words ({share:.1} %)", thousands(known), thousands(all)),
            );
        }
        let first: Vec<&str> = self.first.iter().map(String::as_str).collect();
        let what = [
            "document has no word that the model knows; its vector is that of nothing",
            "documents have no word that the model knows; their vectors are that of nothing",
        ];
        rows::warn_of_empty(self.count, &first, what);
    }
}
