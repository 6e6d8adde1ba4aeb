//! What is clustered, drawn, reduced and scored: documents or words, their vectors, and what is known of them.

use std::path::{Path, PathBuf};

use firth::Error;
use firth::autoencoder::Words;
use firth::corpus::{Corpus, DocumentOptions};
use firth::embeddings::Embeddings;
use firth::format::matrix;
use firth::math::{Samples, SparseMatrix};
use firth::vocabulary::Keys;

use crate::embedder::Embedder;
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::pooled::Pooled;
use crate::run_folder::DOCUMENTS;
use crate::{blocks, model, run_folder, text};

/// Which vectors.
#[derive(Debug, clap::Args)]
pub struct ItemFlags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// Documents to embed with the run's model (files, folders, globs, - for standard input) [default: the run's own
    /// documents, or else its words]
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// The run's words, though it has documents
    #[arg(long, conflicts_with = "inputs")]
    pub words: bool,
    #[command(flatten)]
    pub documents: DocumentOptions,
}

impl ItemFlags {
    /// Will documents be embedded, which takes its time, that have no labels?
    pub fn lack_labels(&self) -> bool {
        !self.inputs.is_empty() && self.documents.label_field.is_none()
    }
}

/// Documents or words.
pub struct Items {
    /// Their vectors, with labels and first words where these are known.
    pub vectors: Embeddings,
    /// What they are called in reports: one, and many.
    pub nouns: [&'static str; 2],
    texts: Texts,
}

/// Where the whole texts are.
enum Texts {
    /// In the corpus of a run.
    Run(PathBuf),
    /// In the input.
    Input(Box<(Corpus, Embedder)>),
    /// Not at hand, and why.
    Nowhere(String),
}

impl Items {
    /// Reads the vectors, or makes them from documents.
    pub fn open(flags: &ItemFlags, globals: &Globals, typed: &Typed) -> Outcome<Self> {
        let path = flags.model.as_path();
        let shown = path.display();
        run_folder::refuse_incomplete(path)?;
        if !flags.inputs.is_empty() {
            let embedder = Embedder::open(path)?;
            let corpus = Corpus::open(&flags.inputs, &flags.documents).reading()?;
            let vectors = embedder.all(&corpus, globals)?;
            if vectors.is_empty() {
                return Err(Failure::Input(Error::data("the input holds no document")));
            }
            return Ok(Self { vectors, nouns: NOUNS, texts: Texts::Input(Box::new((corpus, embedder))) });
        }
        text::DOCUMENTS.iter().try_for_each(|flag| typed.refuse(flag, "no documents are read; give them as INPUT"))?;
        let documents = path.join(DOCUMENTS);
        if !flags.words && documents.is_file() && run_folder::is_finished(path) {
            let vectors = model::read(&documents)?;
            let is_text = !run_folder::has_rows_alone(path);
            let texts = if Pooled::is_stored(path) {
                Texts::Nowhere(format!("{shown} keeps no whole texts of its documents; give these as INPUT"))
            } else if is_text {
                Texts::Run(path.into())
            } else {
                Texts::Nowhere(format!("{shown} has learnt from a matrix, which has no words"))
            };
            return Ok(Self { vectors, nouns: if is_text { NOUNS } else { ["row", "rows"] }, texts });
        }
        if let Some(rows) = bare_rows(path)? {
            let texts = Texts::Nowhere(format!("{shown} is a matrix, which has no words"));
            return Ok(Self { vectors: rows, nouns: ["row", "rows"], texts });
        }
        let vectors = model::read(path)?;
        // Counts are of words; without them a file does not tell what its keys are.
        let nouns = match (vectors.texts(), vectors.counts(), path.is_dir()) {
            (Some(_), ..) => NOUNS,
            (None, None, false) => ["vector", "vectors"],
            _ => ["word", "words"],
        };
        let texts = Texts::Nowhere(format!("{shown} holds no whole texts; give the run, or the documents as INPUT"));
        Ok(Self { vectors, nouns, texts })
    }

    /// How often each document has which words, in the order of the vectors: the words, and a row of counts for each.
    ///
    /// # Errors
    /// If the texts are not at hand.
    pub fn bags(&self, globals: &Globals) -> Outcome<(Keys, SparseMatrix)> {
        match &self.texts {
            Texts::Run(run) => {
                let (words, counts) = Words::choose(&run_folder::corpus(run)?, 1, 1.0)?;
                self.check(run, counts.rows())?;
                Ok((words.keys().clone(), counts))
            }
            Texts::Input(input) => {
                let (corpus, embedder) = &**input;
                let words = embedder.words();
                let mut counts = SparseMatrix::empty(words.keys().len());
                // What is left out was told when they were embedded.
                let _ = blocks::pass(corpus, "counting words", globals, |block| {
                    embedder.bags(block, &words)?.into_iter().for_each(|bag| counts.push(bag.counts));
                    Ok(())
                })?;
                Ok((words.keys().clone(), counts))
            }
            Texts::Nowhere(why) => Err(Failure::usage(why.clone())),
        }
    }

    fn check(&self, run: &Path, documents: usize) -> Outcome {
        if documents == self.vectors.len() {
            return Ok(());
        }
        let what = format!("{}: documents of its corpus, for its vectors", run.display());
        Err(Failure::Input(Error::mismatch(what, self.vectors.len(), documents)))
    }
}

/// What documents are called.
pub const NOUNS: [&str; 2] = ["document", "documents"];

/// The rows of an array without keys, which are their numbers from 1.
fn bare_rows(path: &Path) -> Outcome<Option<Embeddings>> {
    let has_keys = ["vocab", "keys"].iter().any(|ending| path.with_extension(ending).is_file());
    if has_keys || path.extension().is_none_or(|ending| ending != "npy") {
        return Ok(None);
    }
    let Samples::Dense(rows) = matrix::read(path).reading()? else { return Ok(None) };
    let keys = (1..=rows.rows()).map(|row| row.to_string()).collect();
    Ok(Some(Embeddings::new(keys, rows, None)?))
}
