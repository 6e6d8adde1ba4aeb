//! `firth nearest --documents`: the documents nearest to a document of the run, or to any text.

use std::path::Path;

use firth::embeddings::Embeddings;
use firth::math::Matrix;

use super::search::Search;
use crate::documents;
use crate::embedder::Embedder;
use crate::failure::{Failure, Outcome};
use crate::model;
use crate::queries::{Answer, Queries, Scored};
use crate::run_folder;

/// A run's documents, or a file of such, and what turns a text into a vector.
pub struct Documents {
    pub vectors: Embeddings,
    embedder: Result<Embedder, String>,
}

impl Documents {
    /// Opens a run that has documents, or a vector file of documents.
    pub fn open(path: &Path) -> Outcome<Self> {
        let (shown, vectors) = (path.display(), model::read(&documents::of_model(path)?)?);
        let embedder = if !path.is_dir() {
            Err(format!("{shown} is a vector file, without the model that turns text into vectors; give the run"))
        } else if run_folder::has_rows_alone(path) {
            Err(format!("{shown} has learnt from a matrix and knows no words"))
        } else {
            Ok(Embedder::open(path)?)
        };
        Ok(Self { vectors, embedder })
    }
}

/// What is asked for.
pub enum Query {
    /// A document of the run.
    Known(usize),
    /// Some other text, and its vector.
    Text(String, Vec<f32>),
}

/// Queries about documents.
pub struct Nearest<'a> {
    pub documents: &'a Documents,
    pub search: Search<'a>,
    pub top: usize,
}

impl Queries for Nearest<'_> {
    type Query = Query;
    const PROMPT: &'static str = "Nearest to which document, or to which text?";

    fn parse(&self, line: &str) -> Outcome<Query> {
        let vectors = &self.documents.vectors;
        if let Some(position) = vectors.keys().find(line) {
            model::refuse_zeros(line, vectors.vectors().row(position))?;
            return Ok(Query::Known(position));
        }
        let embedder = match &self.documents.embedder {
            Ok(embedder) => embedder,
            Err(why) => {
                let unknown = vectors.position(line).err().map(|error| error.to_string()).unwrap_or_default();
                return Err(Failure::usage(format!("{unknown}; {why}")));
            }
        };
        let embedded = embedder.text(line)?;
        if embedded.known.iter().all(|&known| known == 0) {
            let message = format!("{line:?} is no document's id, and as a text it has no word that the model knows");
            return Err(Failure::usage(message));
        }
        model::refuse_zeros(line, embedded.vectors.row(0))?;
        Ok(Query::Text(line.split_whitespace().collect::<Vec<_>>().join(" "), embedded.vectors.row(0).to_vec()))
    }

    fn answer(&self, queries: &[Query]) -> Outcome<Vec<Answer>> {
        let all = &self.documents.vectors;
        let vector = |query: &Query| match query {
            Query::Known(at) => all.vectors().row(*at).to_vec(),
            Query::Text(_, vector) => vector.clone(),
        };
        let vectors = Matrix::from_vec(queries.len(), all.dim(), queries.iter().flat_map(vector).collect())?;
        let itself = |query: &Query| match query {
            Query::Known(at) => vec![*at],
            Query::Text(..) => Vec::new(),
        };
        let exclude: Vec<Vec<usize>> = queries.iter().map(itself).collect();
        let found = self.search.nearest(&vectors, self.top, &exclude)?;
        let name = |query: &Query| match query {
            Query::Known(at) => all.keys().get(*at).to_owned(),
            Query::Text(text, _) => text.clone(),
        };
        let scored = |neighbor: firth::analysis::Neighbor| Scored {
            key: all.keys().get(neighbor.position).into(),
            score: neighbor.score,
            label: all.labels().map(|labels| labels.get(neighbor.position).to_owned()),
            text: all.texts().map(|texts| texts.get(neighbor.position).to_owned()),
        };
        let answer = |(query, found): (&Query, Vec<_>)| Answer {
            query: name(query),
            results: found.into_iter().map(scored).collect(),
        };
        Ok(queries.iter().zip(found).map(answer).collect())
    }
}
