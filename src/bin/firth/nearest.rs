//! `firth nearest`: the words nearest to a word, the documents nearest to a document or a text.

mod documents;
mod search;

use std::io::IsTerminal;
use std::path::PathBuf;

use firth::Error;
use firth::analysis::Neighbor;
use firth::embeddings::Embeddings;
use firth::math::Matrix;

use self::documents::Documents;
use self::search::Search;
use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::model::{self, Finder, Found};
use crate::queries::{self, Answer, Queries, Scored};
use crate::run_folder::DOCUMENTS;

/// Print the words nearest to each word, or the documents nearest to each document or text, by cosine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth nearest run king queen --top 5\n  \
    firth nearest run --documents \"a rocket to the moon\"\n\n\
    Without queries, asks for them; from a pipe, reads one a line. What is the id of one of the run's documents\n\
    stands for it; anything else is a text. Of several queries those that can be are answered; exit code 2 tells of\n\
    others. Columns when piped: query, key, score; of documents label and first words too, where these are known.")]
pub struct Flags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The words; each is a query of its own. With --documents ids of documents, or texts in quotation marks
    #[arg(value_name = "QUERY")]
    queries: Vec<String>,
    /// Ask for documents instead of words
    #[arg(long)]
    documents: bool,
    /// Results for each query, from 1
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = queries::parse_top)]
    top: usize,
    /// Make an index first, which finds almost all of the nearest: pays from some hundred thousand queries on. How much it
    /// finds is measured and told
    #[arg(long)]
    approximate: bool,
}

/// Prints neighbours.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    let is_piped = flags.queries.is_empty() && !std::io::stdin().is_terminal();
    if flags.documents {
        let documents = Documents::open(&flags.model)?;
        let search = Search::new(&documents.vectors, flags.approximate, is_piped, globals)?;
        return ask(&documents::Nearest { documents: &documents, search, top: flags.top }, flags, globals);
    }
    let model = model::read(&flags.model)?;
    let search = Search::new(&model, flags.approximate, is_piped, globals)?;
    let finder = Finder::new(&model, &flags.model);
    ask(&Nearest { model: &model, path: &flags.model, finder, search, top: flags.top }, flags, globals)
}

fn ask<Q: Queries>(kind: &Q, flags: &Flags, globals: &Globals) -> Outcome {
    queries::run(kind, flags.queries.iter().map(|query| kind.parse(query.trim())).collect(), globals)
}

struct Nearest<'a> {
    model: &'a Embeddings,
    path: &'a std::path::Path,
    finder: Finder<'a>,
    search: Search<'a>,
    top: usize,
}

impl<'a> Queries for Nearest<'a> {
    type Query = Found<'a>;
    const PROMPT: &'static str = "Nearest to which word?";

    fn parse(&self, line: &str) -> Outcome<Found<'a>> {
        let found = self.finder.find(line).map_err(|failure| match failure {
            // A run that has documents may be asked about these.
            Failure::Library(error @ Error::UnknownKey { .. }) if self.path.join(DOCUMENTS).is_file() => {
                Failure::usage(format!("{error}; to ask about its documents, or by a text, add --documents"))
            }
            other => other,
        });
        found?.with_direction()
    }

    fn answer(&self, queries: &[Found<'a>]) -> Outcome<Vec<Answer>> {
        let vectors: Vec<f32> = queries.iter().flat_map(|query| query.vector.iter()).copied().collect();
        let vectors = Matrix::from_vec(queries.len(), self.model.dim(), vectors)?;
        let exclude: Vec<Vec<usize>> = queries.iter().map(|query| query.position.into_iter().collect()).collect();
        let found = self.search.nearest(&vectors, self.top, &exclude)?;
        let answer =
            |(query, found): (&Found<'a>, _)| Answer { query: query.key.clone(), results: named(self.model, found) };
        Ok(queries.iter().zip(found).map(answer).collect())
    }
}

/// Neighbours with their keys.
pub fn named(model: &Embeddings, found: Vec<Neighbor>) -> Vec<Scored> {
    let scored = |neighbor: Neighbor| Scored::new(model.keys().get(neighbor.position), neighbor.score);
    found.into_iter().map(scored).collect()
}
