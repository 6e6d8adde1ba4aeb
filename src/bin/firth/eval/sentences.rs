//! `firth eval sentences`: cosines of sentences against how alike people find them.

use std::path::PathBuf;

use firth::embeddings::{Pool, Pooling};
use firth::eval::{SentencePairs, SentenceReport};
use firth::math::Matrix;
use serde::Serialize;

use super::{check_coverage, correlation_row, warn_of_lines};
use crate::blocks::{BLOCK, Waiting};
use crate::embedder::{Embedder, Unknown};
use crate::failure::{Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::output::{self, Results};
use crate::pooled::{PoolFlags, Texts};

pub const HELP: &str = "Example:\n  firth eval sentences run stsb-test.tsv --pool usif\n\n\
    Pooling is fitted on the sentences of each file, unless the run holds one of its own (made by firth embed ... -o RUN).\n\
    Columns when piped: file, spearman, pearson, covered, total, pooling.";

/// Flags of `eval sentences`.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Files of pairs (- for standard input; .gz .zst .bz2 .xz too): a score and two sentences a line, or two sentences
    /// and a score, apart by tabs
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    pool: PoolFlags,
}

/// A file's scores and how its sentences got vectors.
#[derive(Serialize)]
struct Scored {
    #[serde(flatten)]
    report: SentenceReport,
    /// The pooling, if words were pooled.
    pool: Option<Pool>,
    /// Was it fitted on the file's own sentences?
    fitted: bool,
    words_known: u64,
    words: u64,
    skipped_lines: usize,
}

/// Prints correlations.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    let mut all = Vec::new();
    for file in &flags.files {
        let pairs = SentencePairs::read(file).reading()?;
        all.push(scored(&pairs, flags, globals, typed)?);
        let Scored { report, .. } = &all[all.len() - 1];
        warn_of_lines(&report.file, pairs.bad_lines.len(), pairs.bad_lines.first().copied());
        check_coverage(&report.file, report.correlation.covered, report.correlation.total, "pairs")?;
    }
    if globals.json {
        return output::json(&all);
    }
    let row = |Scored { report, pool, .. }: &Scored| {
        let how = pool.map_or("own", Pooling::name).to_owned();
        [correlation_row(&report.file, &report.correlation), vec![how]].concat()
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    let mut results = Results::new();
    output::table(&mut results, &["file", "spearman", "pearson", "covered", "total", "pooling"], &rows)?;
    results.done()
}

fn scored(pairs: &SentencePairs, flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome<Scored> {
    let sentences: Vec<&str> = pairs.sentences.iter().flatten().map(String::as_str).collect();
    let embedder = Embedder::open_or_fit(&flags.model, &flags.pool, Texts::Slice(&sentences), typed, globals)?;
    let (mut numbers, mut is_known, mut unknown) = (Vec::new(), Vec::new(), Unknown::default());
    for part in sentences.chunks(BLOCK) {
        let waiting = |text: &&str| Waiting { text: (*text).to_owned(), id: None, label: None };
        let embedded = embedder.embed(&part.iter().map(waiting).collect::<Vec<_>>())?;
        unknown.note(&embedded, |_| String::new());
        numbers.extend_from_slice(embedded.vectors.as_slice());
        is_known.extend(embedded.known.iter().map(|&known| known > 0));
    }
    let vectors = Matrix::from_vec(sentences.len(), embedder.dim(), numbers)?;
    let [words_known, words] = unknown.words();
    Ok(Scored {
        report: pairs.report(&vectors, &is_known)?,
        pool: embedder.pooled().map(|pooled| pooled.model.pooling().pool),
        fitted: flags.pool.has_method() || !Embedder::has_own(&flags.model),
        words_known,
        words,
        skipped_lines: pairs.bad_lines.len(),
    })
}
