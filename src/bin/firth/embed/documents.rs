//! Documents, or the rows of a matrix, that an autoencoder has not seen, encoded block by block.

use std::path::Path;
use std::time::Instant;

use firth::Error;
use firth::autoencoder::{self, Autoencoder, Bag, Words};
use firth::corpus::{Corpus, Document};
use firth::embeddings::Embeddings;
use firth::format::matrix;
use firth::math::{Matrix, Samples, SparseMatrix};
use firth::tokenizer::Tokenizer;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::{Flags, Place};
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::output::{self, Results};
use crate::progress::{Meter, memory_now, short};
use crate::rows::{self, NAMED, Names};
use crate::staged::Staged;
use crate::{run_folder, text};

/// Documents that are encoded together.
const BLOCK: usize = 1024;
/// The text of a block holds no more bytes than this and one document.
const BLOCK_BYTES: usize = 1 << 24;

/// Encodes the inputs and prints or saves their codes.
pub fn run(flags: &Flags, place: Option<Place<'_>>, globals: &Globals, typed: &Typed) -> Outcome {
    let shown = flags.model.display();
    let file = flags.model.join(autoencoder::FILE);
    if !file.is_file() || !run_folder::is_finished(&flags.model) {
        if run_folder::is_unfinished(&flags.model) {
            return Err(Failure::usage(format!("{shown}: is unfinished; go on with firth resume {shown}")));
        }
        // Says what is wrong with what is no model at all.
        crate::model::read(&flags.model)?;
        let message = format!(
            "{shown}: has vectors for words only; documents need an autoencoder: firth train autoencoder TEXT -o RUN"
        );
        return Err(Failure::usage(message));
    }
    // A name that is taken is told before the work, not after it.
    let staged = place.map(|(path, _)| Staged::new(path, flags.force.force)).transpose()?;
    let model = Autoencoder::open(&file).reading()?;
    let matrix = flags.inputs.iter().find(|path| matrix::is_matrix(path));
    let mut sink = Sink::new(place.is_some(), globals, model.code());
    match (model.words(), matrix) {
        (Some(_), Some(path)) => {
            let message = format!("{}: is a matrix, but {shown} has learnt from text; give text", path.display());
            return Err(Failure::usage(message));
        }
        (Some(words), None) => {
            let tokenizer = run_folder::tokenizer(&flags.model)?.ok_or_else(|| {
                let reason = format!("{shown}: does not tell how its text was cut into words (vocabulary.safetensors)");
                Failure::Input(Error::data(reason))
            })?;
            let corpus = Corpus::open(&flags.inputs, &flags.documents).reading()?;
            documents(&model, words, &tokenizer, &corpus, &mut sink, globals)?;
        }
        (None, _) => {
            let why = format!("{shown} has learnt from a matrix");
            text::DOCUMENTS.iter().try_for_each(|flag| typed.refuse(flag, &why))?;
            let [input] = flags.inputs.as_slice() else {
                return Err(Failure::usage(format!("{why}; give one matrix of {} columns", model.columns())));
            };
            if matrix.is_none() && input.is_file() {
                let message = format!("{}: is no matrix, but {why}; give one (.npy, .npz)", input.display());
                return Err(Failure::usage(message));
            }
            matrix_rows(&model, input, &mut sink)?;
        }
    }
    sink.warn_of_empty(model.words().is_some());
    match (sink.done()?, staged.zip(place)) {
        (Some(vectors), Some((staged, place))) => {
            let noun = if model.words().is_some() { "documents" } else { "rows" };
            super::save(&vectors, staged, place, noun, globals)
        }
        _ => Ok(()),
    }
}

fn documents(
    model: &Autoencoder,
    words: &Words,
    tokenizer: &Tokenizer,
    corpus: &Corpus,
    sink: &mut Sink,
    globals: &Globals,
) -> Outcome {
    let (mut meter, started) = (Meter::new(globals), Instant::now());
    let (mut block, mut bytes, mut failure) = (Vec::new(), 0, None);
    let mut flush = |block: &mut Vec<Waiting>| -> Outcome {
        let bags: Vec<Bag> = block.par_iter().map(|waiting| waiting.bag(words, tokenizer)).collect::<Result<_, _>>()?;
        let mut rows = SparseMatrix::empty(model.columns());
        bags.into_iter().for_each(|bag| rows.push(bag.counts));
        let ids = block.iter().map(|waiting| waiting.id.as_deref());
        sink.take(ids, &rows.into(), model)?;
        block.clear();
        let done = sink.names.keys().len() as f64;
        let speed = done / started.elapsed().as_secs_f64().max(1e-9);
        meter.show(|| format!("encoding  {} documents  {}/s{}", short(done), short(speed), memory_now()));
        Ok(())
    };
    let read = corpus.documents(|document| {
        bytes += document.text.len();
        block.push(Waiting { text: document.text.into(), id: document.id.map(str::to_owned) });
        if block.len() < BLOCK && bytes < BLOCK_BYTES {
            return Ok(());
        }
        bytes = 0;
        flush(&mut block).map_err(|found| {
            failure = Some(found);
            Error::Interrupted
        })
    });
    let rest = if read.is_ok() { flush(&mut block) } else { Ok(()) };
    meter.clear();
    if let Some(failure) = failure {
        return Err(failure);
    }
    read.reading()?;
    rest
}

/// A document that waits for its block to be full.
struct Waiting {
    text: String,
    id: Option<String>,
}

impl Waiting {
    fn bag(&self, words: &Words, tokenizer: &Tokenizer) -> firth::Result<Bag> {
        words.bag(&Document { text: &self.text, id: self.id.as_deref(), label: None }, tokenizer)
    }
}

fn matrix_rows(model: &Autoencoder, path: &Path, sink: &mut Sink) -> Outcome {
    let rows = matrix::read(path).reading()?;
    if rows.cols() != model.columns() {
        let what = format!("{}: columns", path.display());
        return Err(Failure::Input(Error::mismatch(what, model.columns(), rows.cols())));
    }
    for start in (0..rows.rows()).step_by(BLOCK) {
        let range = start..rows.rows().min(start + BLOCK);
        sink.take(range.clone().map(|_| None), &rows::part(&rows, range)?, model)?;
    }
    Ok(())
}

/// Where codes go: to standard output as they come, or kept for a file.
struct Sink {
    names: Names,
    out: Out,
    /// Rows with nothing in them that the model knows, and the first of them.
    empty: usize,
    first_empty: Vec<String>,
    dim: usize,
}

enum Out {
    Lines(Results),
    Json(Vec<Value>),
    Kept(Vec<f32>),
}

impl Sink {
    fn new(is_kept: bool, globals: &Globals, dim: usize) -> Self {
        let out = match (is_kept, globals.json) {
            (true, _) => Out::Kept(Vec::new()),
            (false, true) => Out::Json(Vec::new()),
            (false, false) => Out::Lines(Results::new()),
        };
        Self { names: Names::default(), out, empty: 0, first_empty: Vec::new(), dim }
    }

    fn take<'a>(&mut self, ids: impl Iterator<Item = Option<&'a str>>, rows: &Samples, model: &Autoencoder) -> Outcome {
        let first = self.names.keys().len();
        ids.for_each(|id| self.names.add(id));
        for row in (0..rows.rows()).filter(|&row| rows.stored(row).iter().all(|&value| value == 0.0)) {
            self.empty += 1;
            if self.first_empty.len() < NAMED {
                self.first_empty.push(self.names.keys().get(first + row).to_owned());
            }
        }
        let codes = model.encode(rows)?;
        for (at, code) in codes.iter_rows().enumerate() {
            let key = self.names.keys().get(first + at);
            match &mut self.out {
                Out::Lines(results) => super::print_row(results, key, code)?,
                Out::Json(all) => all.push(json!({"key": key, "vector": code})),
                Out::Kept(numbers) => numbers.extend_from_slice(code),
            }
        }
        Ok(())
    }

    fn warn_of_empty(&self, is_text: bool) {
        let first: Vec<&str> = self.first_empty.iter().map(String::as_str).collect();
        let what = if is_text {
            [
                "document has no word that the model knows; its code is that of nothing",
                "documents have no word that the model knows; their codes are that of nothing",
            ]
        } else {
            [
                "row has nothing but zeros; its code is that of nothing",
                "rows have nothing but zeros; their codes are that of nothing",
            ]
        };
        rows::warn_of_empty(self.empty, &first, what);
    }

    /// Ends the output; what was kept for a file is returned.
    fn done(self) -> Outcome<Option<Embeddings>> {
        let keys = self.names.done();
        match self.out {
            Out::Lines(results) => results.done().map(|()| None),
            Out::Json(all) => output::json(&all).map(|()| None),
            Out::Kept(numbers) => {
                let codes = Matrix::from_vec(keys.len(), self.dim, numbers)?;
                Ok(Some(Embeddings::new(keys, codes, None)?))
            }
        }
    }
}
