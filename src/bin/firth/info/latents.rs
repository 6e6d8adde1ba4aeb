//! `firth info RUN --latents`: what each number of an autoencoder's code stands for.
//!
//! A word's weight in a number is what its row of the first layer adds to it; with layers in between, what a document of
//! this word alone has more of it than an empty one. Words that were seen a few times only have been moved by a few
//! documents: a weight counts in full from some dozens of occurrences on (count / (count + 10)), or the lists would be
//! of names and misspellings.

use std::io::Write;
use std::path::Path;

use firth::autoencoder::{self, Autoencoder};
use firth::embeddings::{Best, Embeddings};
use firth::math::{Matrix, Samples, SparseMatrix};
use firth::vocabulary::Keys;
use serde::Serialize;

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::Globals;
use crate::output::{self, Results, plain};
use crate::run_folder::{self, DOCUMENTS};
use crate::{codes, model};

/// With so many occurrences a word's weight counts by half.
const HALF: f64 = 10.0;

/// One number of the code.
#[derive(Debug, Serialize)]
pub struct Latent {
    /// Its position, from 1.
    pub dimension: usize,
    pub raised_by: Vec<String>,
    pub lowered_by: Vec<String>,
    pub documents_high: Vec<String>,
    pub documents_low: Vec<String>,
}

/// Prints them all.
pub fn run(path: &Path, top: usize, globals: &Globals) -> Outcome {
    let file = path.join(autoencoder::FILE);
    if !file.is_file() || !run_folder::is_finished(path) {
        let shown = path.display();
        let message = format!("{shown}: is no finished run of an autoencoder, which --latents looks into");
        return Err(Failure::usage(message));
    }
    let autoencoder = Autoencoder::open(&file).reading()?;
    let documents = model::read(&path.join(DOCUMENTS))?;
    let latents = all(&autoencoder, &documents, top)?;
    if globals.json {
        return output::json(&latents);
    }
    let is_of_text = autoencoder.words().is_some();
    let names = if is_of_text { ["documents high", "documents low"] } else { ["rows high", "rows low"] };
    let mut results = Results::new();
    for latent in &latents {
        let number = latent.dimension;
        if output::is_terminal() {
            writeln!(results, "{}dimension {number}", if number > 1 { "\n" } else { "" })?;
        }
        for (name, keys) in [
            ("raised by", &latent.raised_by),
            ("lowered by", &latent.lowered_by),
            (names[0], &latent.documents_high),
            (names[1], &latent.documents_low),
        ] {
            let keys: Vec<_> = keys.iter().map(|key| plain(key)).collect();
            if output::is_terminal() {
                writeln!(results, "  {name:14}  {}", keys.join("  "))?;
            } else {
                writeln!(results, "{number}\t{name}\t{}", keys.join("\t"))?;
            }
        }
    }
    results.done()
}

/// The numbers of the code, and the `top` words and documents for each.
pub fn all(model: &Autoencoder, documents: &Embeddings, top: usize) -> Outcome<Vec<Latent>> {
    let (columns, weights) = weights(model)?;
    let shown = |weights: &Matrix, keys: &Keys, dimension: usize, sign: f32| -> Vec<String> {
        let mut best = Best::new(top);
        let scores: Vec<f32> = weights.iter_rows().map(|row| sign * row[dimension]).collect();
        best.offer(0, &scores, |_| true);
        best.into_sorted().into_iter().map(|found| keys.get(found.position).to_owned()).collect()
    };
    let latent = |dimension| Latent {
        dimension: dimension + 1,
        raised_by: shown(&weights, &columns, dimension, 1.0),
        lowered_by: shown(&weights, &columns, dimension, -1.0),
        documents_high: shown(documents.vectors(), documents.keys(), dimension, 1.0),
        documents_low: shown(documents.vectors(), documents.keys(), dimension, -1.0),
    };
    Ok((0..model.code()).map(latent).collect())
}

/// The names of the columns, and what each adds to the numbers of the code.
fn weights(model: &Autoencoder) -> Outcome<(Keys, Matrix)> {
    let words = model.word_vectors().transpose()?;
    let is_deep = !model.config().hidden.is_empty();
    let keys = match &words {
        Some(words) => words.keys().clone(),
        None => (1..=model.columns()).map(|column| column.to_string()).collect(),
    };
    let counts = words.as_ref().and_then(Embeddings::counts).map(<[u64]>::to_vec);
    let mut weights = match words {
        Some(words) if !is_deep => words.vectors().clone(),
        _ => responses(model)?,
    };
    if let Some(counts) = counts {
        for (row, count) in weights.as_mut_slice().chunks_exact_mut(model.code()).zip(counts) {
            let trust = (count as f64 / (count as f64 + HALF)) as f32;
            row.iter_mut().for_each(|weight| *weight *= trust);
        }
    }
    Ok((keys, weights))
}

/// For each column, by how much the code of a row with a one in it alone differs from that of an empty row.
fn responses(model: &Autoencoder) -> Outcome<Matrix> {
    let columns = model.columns();
    let mut ones = SparseMatrix::empty(columns);
    (0..columns as u32).for_each(|column| ones.push([(column, 1.0)]));
    let mut nothing = SparseMatrix::empty(columns);
    nothing.push([]);
    let origin = model.encode(&Samples::from(nothing))?;
    let mut codes = codes::encode(model, &ones.into())?;
    for code in codes.as_mut_slice().chunks_exact_mut(model.code()) {
        code.iter_mut().zip(origin.row(0)).for_each(|(value, origin)| *value -= origin);
    }
    Ok(codes)
}
