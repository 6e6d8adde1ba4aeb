//! `firth eval`: how good vectors are, on questions and judgements that people wrote.

mod categories;
mod classify;
mod clusters;
mod outlier;
mod retrieval;
mod sentences;

use std::path::PathBuf;

use firth::eval::{Analogy, AnalogyReport, Correlation, Similarity, SimilarityReport, Tally};

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::model;
use crate::output::{self, Results};
use crate::progress::{counted, warn};

/// Score vectors.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Answer "a is to b as c is to ?" questions and count the right ones.
    #[command(after_help = "Example:\n  firth eval analogy run questions-words.txt\n\n\
        Columns when piped: section, correct, covered, total, accuracy.")]
    Analogy(AnalogyFlags),
    /// Compare cosines with how alike people find pairs of words.
    #[command(after_help = "Example:\n  firth eval similarity run wordsim353.tsv simlex999.txt\n\n\
        Columns when piped: file, spearman, pearson, covered, total.")]
    Similarity(SimilarityFlags),
    /// Cluster words and compare with the categories that people put them into.
    #[command(after_help = "Example:\n  firth eval categories run battig.tsv\n\n\
        Columns when piped: file, purity, nmi, ari, categories, covered, total.")]
    Categories(categories::Flags),
    /// Cluster documents and compare with their labels.
    #[command(after_help = clusters::HELP)]
    Clusters(clusters::Flags),
    /// Learn to tell labels from vectors, by logistic regression, and count how often it is right on others.
    #[command(after_help = classify::HELP)]
    Classify(classify::Flags),
    /// Compare cosines with how alike people find pairs of sentences.
    #[command(after_help = sentences::HELP)]
    Sentences(sentences::Flags),
    /// Find the word of a group that does not belong.
    #[command(after_help = "Example:\n  firth eval outlier run outliers-8-8-8.tsv\n\n\
        Columns when piped: file, accuracy, opp (outlier position percentage), correct, covered, total.")]
    Outlier(outlier::Flags),
    /// Search documents and score what is found, beside BM25.
    #[command(after_help = retrieval::HELP)]
    Retrieval(Box<retrieval::Flags>),
}

/// Flags of `eval analogy`.
#[derive(Debug, clap::Args)]
pub struct AnalogyFlags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Files of questions (- for standard input; .gz .zst .bz2 .xz too): four words a line, sections behind a colon
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    analogy: Analogy,
}

/// Flags of `eval similarity`.
#[derive(Debug, clap::Args)]
pub struct SimilarityFlags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Files of pairs (- for standard input; .gz .zst .bz2 .xz too): two words and a score a line, apart by tabs, commas
    /// or spaces
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    similarity: Similarity,
}

/// Prints scores.
pub fn run(command: &Command, globals: &Globals, typed: &Typed) -> Outcome {
    match command {
        Command::Analogy(flags) => analogy(flags, globals),
        Command::Similarity(flags) => similarity(flags, globals),
        Command::Categories(flags) => categories::run(flags, globals),
        Command::Clusters(flags) => clusters::run(flags, globals, typed),
        Command::Classify(flags) => classify::run(flags, globals, typed),
        Command::Sentences(flags) => sentences::run(flags, globals, typed),
        Command::Outlier(flags) => outlier::run(flags, globals),
        Command::Retrieval(flags) => retrieval::run(flags, globals, typed),
    }
}

fn analogy(flags: &AnalogyFlags, globals: &Globals) -> Outcome {
    let model = model::read(&flags.model)?;
    let run = |file: &PathBuf| flags.analogy.run(&model, file);
    let reports: Vec<AnalogyReport> = flags.files.iter().map(run).collect::<Result<_, _>>().reading()?;
    for report in &reports {
        warn_of_lines(&report.file, report.skipped_lines, report.first_skipped_line);
        check_coverage(&report.file, report.overall.covered, report.overall.total, "questions")?;
    }
    match (reports.as_slice(), globals.json) {
        ([report], true) => return output::json(report),
        (_, true) => return output::json(&reports),
        _ => {}
    }
    let mut results = Results::new();
    for report in &reports {
        output::table(&mut results, &["section", "correct", "covered", "total", "accuracy"], &analogy_rows(report))?;
    }
    results.done()
}

fn number(number: Option<f64>) -> String {
    number.map_or_else(|| "-".into(), |number| format!("{number:.4}"))
}

/// Refuses a score of nothing and warns of one of little.
fn check_coverage(file: &str, covered: u64, total: u64, what: &str) -> Outcome {
    /// Below this share a score says more of the vocabulary than of the vectors.
    const LITTLE: f64 = 0.1;
    if covered == 0 {
        let reason =
            format!("{file}: the model knows all words of none of the {total} {what}; is it of that language?");
        return Err(Failure::Input(firth::Error::data(reason)));
    }
    if (covered as f64) < LITTLE * total as f64 {
        warn(format_args!("{file}: only {covered} of {total} {what} are covered; the score says little"));
    }
    Ok(())
}

/// The sections and the totals, a row each.
pub fn analogy_rows(report: &AnalogyReport) -> Vec<Vec<String>> {
    let row = |name: &str, tally: &Tally| {
        let Tally { correct, covered, total, accuracy, .. } = tally;
        vec![name.to_owned(), correct.to_string(), covered.to_string(), total.to_string(), number(*accuracy)]
    };
    let sections = report.sections.iter().map(|section| row(&section.name, &section.tally));
    let both = report.semantic.total > 0 && report.syntactic.total > 0;
    let kinds = [("semantic", &report.semantic), ("syntactic", &report.syntactic)];
    let kinds = kinds.iter().filter(|_| both).map(|(name, tally)| row(name, tally));
    sections.chain(kinds).chain([row("all", &report.overall)]).collect()
}

fn similarity(flags: &SimilarityFlags, globals: &Globals) -> Outcome {
    let model = model::read(&flags.model)?;
    let run = |file: &PathBuf| flags.similarity.run(&model, file);
    let reports: Vec<SimilarityReport> = flags.files.iter().map(run).collect::<Result<_, _>>().reading()?;
    for report in &reports {
        warn_of_lines(&report.file, report.skipped_lines, report.first_skipped_line);
        check_coverage(&report.file, report.correlation.covered, report.correlation.total, "pairs")?;
    }
    if globals.json {
        return output::json(&reports);
    }
    let mut results = Results::new();
    let row = |report: &SimilarityReport| correlation_row(&report.file, &report.correlation);
    let rows: Vec<_> = reports.iter().map(row).collect();
    output::table(&mut results, &["file", "spearman", "pearson", "covered", "total"], &rows)?;
    results.done()
}

/// A file and how its scores and the cosines agree.
fn correlation_row(file: &str, found: &Correlation) -> Vec<String> {
    let (covered, total) = (found.covered.to_string(), found.total.to_string());
    vec![file.to_owned(), number(found.spearman), number(found.pearson), covered, total]
}

fn warn_of_lines(file: &str, count: usize, first: Option<u64>) {
    if let (1.., Some(first)) = (count, first) {
        warn(format_args!(
            "{file}: left out {}, the first is line {first}",
            counted(count as u64, "line that could not be read", "lines that could not be read")
        ));
    }
}
