//! Documents, or the rows of a matrix, that an autoencoder has not seen, encoded block by block.

use std::path::Path;

use firth::autoencoder::Autoencoder;
use firth::corpus::Corpus;
use firth::embeddings::Embeddings;
use firth::math::{Matrix, Samples, SparseMatrix};
use serde_json::{Value, json};

use super::{Flags, Place};
use crate::encoder::{self, BLOCK};
use crate::failure::{Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::output::{self, Results};
use crate::rows::{self, NAMED, Names};
use crate::staged::Staged;

/// Encodes the inputs and prints or saves their codes.
pub fn run(flags: &Flags, place: Option<Place<'_>>, globals: &Globals, typed: &Typed) -> Outcome {
    let model = encoder::open(&flags.model)?;
    // A name that is taken is told before the work, not after it.
    let staged = place.map(|(path, _)| Staged::new(path, flags.force.force)).transpose()?;
    let matrix = encoder::matrix(&model, &flags.model, &flags.inputs, typed)?;
    let mut sink = Sink::new(place.is_some(), globals, model.code());
    match (model.words(), matrix) {
        (Some(words), _) => {
            let tokenizer = encoder::tokenizer(&flags.model)?;
            let corpus = Corpus::open(&flags.inputs, &flags.documents).reading()?;
            encoder::documents(&corpus, words, &tokenizer, "encoding", globals, |block, bags| {
                let mut rows = SparseMatrix::empty(model.columns());
                bags.into_iter().for_each(|bag| rows.push(bag.counts));
                sink.take(block.iter().map(|waiting| waiting.id.as_deref()), &rows.into(), &model)
            })?;
        }
        (None, path) => matrix_rows(&model, path.expect("checked: a matrix"), &mut sink)?,
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

fn matrix_rows(model: &Autoencoder, path: &Path, sink: &mut Sink) -> Outcome {
    let rows = encoder::read_matrix(path, model.columns())?;
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
