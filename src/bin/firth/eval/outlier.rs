//! `firth eval outlier`: the word of a group that does not belong.

use std::path::PathBuf;

use firth::eval::{Outlier, OutlierReport};

use super::{check_coverage, number, warn_of_lines};
use crate::failure::{Outcome, Reading};
use crate::globals::Globals;
use crate::model;
use crate::output::{self, Results};

/// Flags of `eval outlier`.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Files of groups (- for standard input; .gz .zst .bz2 .xz too): a name, the group's words apart by |, and
    /// outliers apart by |, with tabs between the three; _ joins the words of a phrase
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    outlier: Outlier,
}

/// Prints accuracy and outlier position percentage.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    let model = model::read(&flags.model)?;
    let run = |file: &PathBuf| flags.outlier.run(&model, file);
    let reports: Vec<OutlierReport> = flags.files.iter().map(run).collect::<Result<_, _>>().reading()?;
    for report in &reports {
        warn_of_lines(&report.file, report.skipped_lines, report.first_skipped_line);
        check_coverage(&report.file, report.covered, report.total, "cases")?;
    }
    if globals.json {
        return output::json(&reports);
    }
    let row = |report: &OutlierReport| {
        let counts = [report.correct, report.covered, report.total].map(|count| count.to_string());
        [vec![report.file.clone(), number(report.accuracy), number(report.opp)], counts.to_vec()].concat()
    };
    let rows: Vec<_> = reports.iter().map(row).collect();
    let mut results = Results::new();
    output::table(&mut results, &["file", "accuracy", "opp", "correct", "covered", "total"], &rows)?;
    results.done()
}
