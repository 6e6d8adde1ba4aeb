//! `firth eval categories`: k-means of words against the categories that people put them into.

use std::path::PathBuf;

use firth::analysis::KMeans;
use firth::eval::{Categories, CategoryReport};

use super::{check_coverage, number, warn_of_lines};
use crate::clustering;
use crate::failure::{Outcome, Reading};
use crate::globals::Globals;
use crate::model;
use crate::output::{self, Results};

/// Flags of `eval categories`.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Files of categories (- for standard input; .gz .zst .bz2 .xz too): a category and a word a line, apart by a tab,
    /// a comma or blanks
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    categories: Categories,
    /// Starts of k-means, of which the best is kept, from 1
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = crate::queries::parse_top)]
    restarts: usize,
}

/// Clusters the words of each file into as many clusters as it has categories, by cosine, and prints scores.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    let model = model::read(&flags.model)?;
    let mut reports: Vec<CategoryReport> = Vec::new();
    for file in &flags.files {
        let words = flags.categories.read(&model, file).reading()?;
        warn_of_lines(&words.file, words.skipped_lines, words.first_skipped_line);
        check_coverage(&words.file, words.words.len() as u64, words.total, "words")?;
        let vectors = &words.words;
        clustering::warn_of_zeros(vectors, ["word", "words"]);
        let settings = KMeans {
            clusters: words.names.len(),
            restarts: flags.restarts,
            spherical: true,
            seed: globals.seed,
            ..KMeans::default()
        };
        let found = clustering::kmeans(&settings, vectors.vectors(), "", globals)?;
        reports.push(words.score(&found.assignments)?);
    }
    if globals.json {
        return output::json(&reports);
    }
    let row = |report: &CategoryReport| {
        let scores = [report.agreement.purity, report.agreement.nmi, report.agreement.ari];
        let counts = [report.categories as u64, report.covered, report.total].map(|count| count.to_string());
        let scores = scores.map(|score| number(Some(score)));
        [vec![report.file.clone()], scores.to_vec(), counts.to_vec()].concat()
    };
    let mut results = Results::new();
    let header = ["file", "purity", "nmi", "ari", "categories", "covered", "total"];
    output::table(&mut results, &header, &reports.iter().map(row).collect::<Vec<_>>())?;
    results.done()
}
