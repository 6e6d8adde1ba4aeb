//! `firth nearest`: the words nearest to a word.

use std::path::PathBuf;

use firth::analysis::{Neighbor, Neighbors};
use firth::embeddings::Embeddings;
use firth::math::Matrix;

use crate::failure::Outcome;
use crate::globals::Globals;
use crate::model;
use crate::queries::{self, Answer, Queries, Scored};

/// Print the words nearest to each word, by cosine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth nearest run king queen --top 5\n\n\
    Without words, asks for them; from a pipe, reads one a line.")]
pub struct Flags {
    /// A run folder or a vector file of any format
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The words; each is a query of its own
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Results for each query, from 1
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = queries::parse_top)]
    top: usize,
}

/// Prints neighbours.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    let model = model::read(&flags.model)?;
    let nearest = Nearest { model: &model, neighbors: Neighbors::new(&model), top: flags.top };
    let given = flags.words.iter().map(|word| nearest.parse(word)).collect::<Outcome<_>>()?;
    queries::run(&nearest, given, globals)
}

struct Nearest<'a> {
    model: &'a Embeddings,
    neighbors: Neighbors<'a>,
    top: usize,
}

impl Queries for Nearest<'_> {
    type Query = usize;
    const PROMPT: &'static str = "Nearest to which word?";

    fn parse(&self, line: &str) -> Outcome<usize> {
        Ok(self.model.position(line)?)
    }

    fn answer(&self, positions: &[usize]) -> Outcome<Vec<Answer>> {
        let vectors: Vec<f32> = positions.iter().flat_map(|&at| self.model.vectors().row(at)).copied().collect();
        let vectors = Matrix::from_vec(positions.len(), self.model.dim(), vectors)?;
        let exclude: Vec<Vec<usize>> = positions.iter().map(|&at| vec![at]).collect();
        let found = self.neighbors.nearest(&vectors, self.top, &exclude)?;
        let answer =
            |(&at, found)| Answer { query: self.model.keys().get(at).into(), results: named(self.model, found) };
        Ok(positions.iter().zip(found).map(answer).collect())
    }
}

/// Neighbours with their keys.
pub fn named(model: &Embeddings, found: Vec<Neighbor>) -> Vec<Scored> {
    let scored = |neighbor: Neighbor| Scored { key: model.keys().get(neighbor.position).into(), score: neighbor.score };
    found.into_iter().map(scored).collect()
}
