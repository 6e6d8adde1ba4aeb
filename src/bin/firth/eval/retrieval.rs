//! `firth eval retrieval`: are the documents that answer a query found? With judgements of people, or labels.

use std::path::{Path, PathBuf};

use firth::Error;
use firth::corpus::{Corpus, DocumentFormat, DocumentOptions};
use firth::embeddings::Embeddings;
use firth::eval::retrieval::{Judgements, Ranker, Retrieved, Wanted, cosines, fused};
use firth::eval::{Bm25, Bm25Index, Terms};
use firth::math::Matrix;
use firth::tokenizer::Tokenizer;
use firth::vocabulary::Keys;
use rayon::prelude::*;
use serde::Serialize;

use super::number;
use crate::embedder::Embedder;
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::output::{self, Results};
use crate::pooled::{PoolFlags, Texts};
use crate::progress::{Meter, counted, note, warn};
use crate::{blocks, documents, model};

mod sides;

use sides::{Query, Relevance, Side};

pub const HELP: &str = "Example:\n  \
    firth eval retrieval run --documents docs.tsv --queries queries.tsv --qrels qrels.tsv\n  \
    firth eval retrieval run news.tsv --label-field 1\n  \
    firth eval retrieval run train.tsv --test test.tsv --label-field 1\n\n\
    With --qrels, documents and queries are known by their ids: --id-field, else the first column of a .tsv or .csv, else\n\
    the number of the line. Without, documents of a query's label are relevant; every document is a query, or those of\n\
    --test are. Measures are those of trec_eval over all documents that are found. Pooling is fitted on the documents,\n\
    unless the run holds one. BM25 sees the words as the model's tokenizer cuts them, without stemming; hybrid is the sum\n\
    of the z-scores of both. Columns when piped: ranking, map, ndcg@10, p@10, queries.";

/// Flags of `eval retrieval`.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Documents with labels (files, folders, globs, - for standard input) [default: those of the run, if it keeps labels]
    #[arg(value_name = "INPUT", conflicts_with_all = ["collection", "queries", "qrels"])]
    inputs: Vec<PathBuf>,
    /// Documents to search [default: the vectors of those that the run keeps, without BM25]
    #[arg(long = "documents", id = "collection", value_name = "PATH", requires_all = ["queries", "qrels"])]
    collection: Option<PathBuf>,
    /// Queries: an id and a text a line, apart by a tab
    #[arg(long, value_name = "FILE", requires = "qrels")]
    queries: Option<PathBuf>,
    /// Judgements: query, document and grade a line (TREC's query, 0, document, grade too), apart by tabs or spaces
    #[arg(long, value_name = "FILE", requires = "queries")]
    qrels: Option<PathBuf>,
    /// Labelled documents that are the queries, searched for among the others
    #[arg(long, value_name = "PATH", conflicts_with_all = ["collection", "queries", "qrels"])]
    test: Option<PathBuf>,
    /// Ask only N of the queries, evenly spread [default: all]
    #[arg(long, value_name = "N", value_parser = crate::queries::parse_top)]
    sample: Option<usize>,
    #[command(flatten)]
    bm25: Bm25,
    #[command(flatten)]
    pool: PoolFlags,
    #[command(flatten)]
    documents: DocumentOptions,
}

/// What was found.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    vectors: Option<Retrieved>,
    queries: usize,
    /// Queries without a relevant document, which do not count.
    left_out: usize,
    documents: usize,
    /// Judgements on documents that are not among those searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bm25: Option<Retrieved>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hybrid: Option<Retrieved>,
}

/// Searches, and prints measures.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    let report = match (&flags.queries, &flags.qrels) {
        (Some(queries), Some(qrels)) => judged(flags, queries, qrels, globals, typed)?,
        _ => labelled(flags, globals, typed)?,
    };
    if report.vectors.is_none() {
        let message = "no query has a relevant document among those that are searched; do the ids, or labels, agree?";
        return Err(Failure::Input(Error::data(message)));
    }
    if report.left_out > 0 {
        let count = counted(report.left_out as u64, "query was", "queries were");
        note(globals, format_args!("{count} left out, without a relevant document"));
    }
    if let Some(missing @ 1..) = report.missing {
        let count = counted(missing as u64, "judgement is", "judgements are");
        warn(format_args!("{count} on documents that are not there; relevant ones count as not found"));
    }
    if globals.json {
        return output::json(&report);
    }
    let row = |(name, found): (&str, Option<Retrieved>)| {
        let Retrieved { map, ndcg, precision } = found?;
        let numbers = [map, ndcg, precision].map(|value| number(Some(value)));
        Some([vec![name.to_owned()], numbers.to_vec(), vec![report.queries.to_string()]].concat())
    };
    let rows = [("vectors", report.vectors), ("bm25", report.bm25), ("hybrid", report.hybrid)];
    let rows: Vec<_> = rows.into_iter().filter_map(row).collect();
    let mut results = Results::new();
    output::table(&mut results, &["ranking", "map", "ndcg@10", "p@10", "queries"], &rows)?;
    results.done()
}

fn judged(flags: &Flags, queries: &Path, qrels: &Path, globals: &Globals, typed: &Typed) -> Outcome<Report> {
    typed.refuse("label-field", "judgements say what is relevant")?;
    let judgements = Judgements::read(qrels).reading()?;
    let open = |path: &Path| {
        let options = with_ids(&flags.documents, path);
        let corpus = Corpus::open(&[path.to_owned()], &options).reading()?;
        if options.lenient && !corpus.has_ids() {
            let reason = "documents without ids are known by their place, which changes when one is left out";
            return Err(Failure::usage(format!("--lenient: {}: {reason}; add --id-field", path.display())));
        }
        Ok(corpus)
    };
    let queries = open(queries)?;
    let (embedder, found, index) = match &flags.collection {
        Some(documents) => {
            let documents = open(documents)?;
            let embedder = Embedder::open_or_fit(&flags.model, &flags.pool, Texts::Corpus(&documents), typed, globals)?;
            let mut index = flags.bm25.index()?;
            let found = Side::read(&documents, &embedder, Some(&mut index), globals)?;
            found.check_ids(&documents.name(), "document")?;
            (embedder, found, Some(index))
        }
        None => {
            let (embedder, found) = kept(flags, globals, typed)?;
            (embedder, found, None)
        }
    };
    let asked = Side::read(&queries, &embedder, None, globals)?;
    asked.check_ids(&queries.name(), "query")?;
    let (mut missing, mut left_out, mut all) = (0, 0, Vec::new());
    for at in chosen(asked.vectors.rows(), flags.sample) {
        let judged = judgements.of(asked.ids.get(at));
        let wanted = Wanted::new(judged.iter().map(|(_, grade)| *grade));
        let place = |(document, grade): &(String, i64)| Some((found.ids.find(document)? as u32, *grade));
        let grades: Vec<(u32, i64)> = judged.iter().filter_map(place).collect();
        missing += judged.len() - grades.len();
        if wanted.relevant == 0 {
            left_out += 1;
            continue;
        }
        let words = asked.words[at].iter().map(String::as_str);
        let terms = index.as_ref().map(|index| index.query(words)).unwrap_or_default();
        let relevance = Relevance::Graded(grades.into_iter().collect());
        all.push(Query { vector: asked.vectors.row(at), terms, relevance, wanted, itself: None });
    }
    let unasked = judgements.queries().iter().filter(|query| asked.ids.find(query).is_none()).count();
    if unasked > 0 {
        let count = counted(unasked as u64, "query is judged", "queries are judged");
        warn(format_args!("{count} in {} and not among the queries", qrels.display()));
    }
    let [vectors, bm25, hybrid] = search(&all, &found, index.as_ref(), globals);
    let documents = found.vectors.rows();
    Ok(Report { vectors, queries: all.len(), left_out, documents, missing: Some(missing), bm25, hybrid })
}

fn labelled(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome<Report> {
    if flags.inputs.is_empty() {
        return stored(flags, globals, typed);
    }
    let open = |paths: &[PathBuf]| Corpus::open(paths, &flags.documents).reading();
    let documents = open(&flags.inputs)?;
    if !documents.has_labels() {
        let message =
            "--label-field: is missing; it says what is relevant (or give --documents, --queries and --qrels)";
        return Err(Failure::usage(message));
    }
    let embedder = Embedder::open_or_fit(&flags.model, &flags.pool, Texts::Corpus(&documents), typed, globals)?;
    let mut index = flags.bm25.index()?;
    let mut found = Side::read(&documents, &embedder, Some(&mut index), globals)?;
    let asked = flags.test.as_ref().map(|path| -> Outcome<Side> {
        let mut asked = Side::read(&open(std::slice::from_ref(path))?, &embedder, None, globals)?;
        asked.terms = asked.words.iter().map(|words| index.query(words.iter().map(String::as_str))).collect();
        Ok(asked)
    });
    let asked = asked.transpose()?;
    found.name_by_position();
    by_label(&found, asked.as_ref(), Some(&index), flags.sample, globals)
}

/// The documents that a run keeps, by their ids, and what embeds the queries.
fn kept(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome<(Embedder, Side)> {
    let (shown, file) = (flags.model.display(), documents::of_model(&flags.model)?);
    if !Embedder::has_own(&flags.model) {
        return Err(Failure::usage(format!("--documents: is missing, and {shown} keeps no vectors of documents")));
    }
    let why = "no documents are read; give them as --documents";
    ["k1", "b"].iter().try_for_each(|flag| typed.refuse(flag, why))?;
    PoolFlags::refuse(typed, why)?;
    let embedder = Embedder::open(&flags.model)?;
    note(globals, "the run's documents are searched: no BM25 beside the vectors; give --documents for one");
    Ok((embedder, Side::stored(&model::read(&file)?, Keys::new())))
}

/// The documents that a run keeps, with their labels; without their texts there is no BM25.
fn stored(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome<Report> {
    let shown = flags.model.display();
    if flags.test.is_some() {
        return Err(Failure::usage("--test: needs the documents that are searched; give them as INPUT"));
    }
    for flag in ["k1", "b"].iter().chain(&crate::text::DOCUMENTS) {
        typed.refuse(flag, "no texts are read; give them as INPUT")?;
    }
    PoolFlags::refuse(typed, "no texts are read; give them as INPUT")?;
    let vectors = model::read(&documents::of_model(&flags.model)?)?;
    let Some(labels) = vectors.labels().cloned() else {
        let message = format!(
            "{shown}: keeps no labels of documents; give documents and --label-field, or --documents, --queries and --qrels"
        );
        return Err(Failure::usage(message));
    };
    note(globals, "no texts are read: no BM25 beside the vectors; give the documents as INPUT for one");
    by_label(&Side::stored(&vectors, labels), None, None, flags.sample, globals)
}

/// Documents of the query's label are relevant, but not the query itself.
fn by_label(
    found: &Side,
    asked: Option<&Side>,
    index: Option<&Bm25Index>,
    sample: Option<usize>,
    globals: &Globals,
) -> Outcome<Report> {
    let classes = found.classes();
    let (mut left_out, mut all) = (0, Vec::new());
    let side = asked.unwrap_or(found);
    for at in chosen(side.vectors.rows(), sample) {
        let label = side.labels.get(at);
        let relevant = classes.get(label).map_or(0, |&(_, count)| count) - usize::from(asked.is_none());
        if relevant == 0 || label.is_empty() {
            left_out += 1;
            continue;
        }
        let wanted = Wanted::new(std::iter::repeat_n(1, relevant));
        let (vector, terms) = (side.vectors.row(at), side.terms.get(at).cloned().unwrap_or_default());
        let relevance = Relevance::Class(classes[label].0);
        all.push(Query { vector, terms, relevance, wanted, itself: asked.is_none().then_some(at as u32) });
    }
    let [vectors, bm25, hybrid] = search(&all, found, index, globals);
    Ok(Report { vectors, queries: all.len(), left_out, documents: found.vectors.rows(), missing: None, bm25, hybrid })
}

/// Asks all queries: by vectors, by BM25, and by both.
fn search(queries: &[Query<'_>], found: &Side, index: Option<&Bm25Index>, globals: &Globals) -> [Option<Retrieved>; 3] {
    let ranker = Ranker::new(found.ids.iter());
    let (unit, classes) = (found.vectors.normalized(), found.class_of_each());
    let answer = |query: &Query<'_>| -> [Retrieved; 3] {
        let hide = |mut scores: Vec<f32>| {
            if let Some(itself) = query.itself {
                scores[itself as usize] = f32::NAN;
            }
            scores
        };
        let measure = |scores: &[f32]| {
            Retrieved::of(&ranker.rank(scores), &query.wanted, |at| query.relevance.grade(at, &classes))
        };
        let by_vector = hide(cosines(query.vector, &unit));
        let Some(index) = index else { return [measure(&by_vector), Retrieved::default(), Retrieved::default()] };
        let by_words = hide(index.scores(&query.terms));
        let both = fused(&by_vector, &by_words);
        [by_vector, by_words, both].map(|scores| measure(&scores))
    };
    let mut meter = Meter::new(globals);
    let mut all: Vec<[Retrieved; 3]> = Vec::with_capacity(queries.len());
    for part in queries.chunks(256) {
        all.extend(part.par_iter().map(answer).collect::<Vec<_>>());
        meter.show(|| format!("searching  {} of {} queries", all.len(), queries.len()));
    }
    meter.clear();
    let mean = |ranking: usize| Retrieved::mean(&all.iter().map(|found| found[ranking]).collect::<Vec<_>>());
    [mean(0), mean(1).filter(|_| index.is_some()), mean(2).filter(|_| index.is_some())]
}

/// Some of so many, evenly spread.
fn chosen(count: usize, sample: Option<usize>) -> Vec<usize> {
    let wanted = sample.unwrap_or(count).min(count);
    (0..wanted).map(|at| at * count / wanted).collect()
}

/// Ids of the first column, if the input is a table and no flag says where they are.
fn with_ids(options: &DocumentOptions, path: &Path) -> DocumentOptions {
    let format = options.format.of(path);
    let is_table = matches!(format, DocumentFormat::Tsv | DocumentFormat::Csv);
    let id_field = options.id_field.clone().or_else(|| is_table.then(|| "1".to_owned()));
    // Lines have no fields that could be missing.
    let lenient = options.lenient && format != DocumentFormat::Lines;
    DocumentOptions { id_field, lenient, ..options.clone() }
}
