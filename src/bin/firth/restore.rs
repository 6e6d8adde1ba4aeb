//! `firth restore`: words that a document has lost, words that do not belong, and rows of a matrix without their noise.

mod evaluate;

use std::io::Write;
use std::path::{Path, PathBuf};

use firth::Error;
use firth::analysis::restore::Restorer;
use firth::autoencoder::Autoencoder;
use firth::corpus::{Corpus, DocumentOptions};
use firth::format::matrix;
use firth::math::{Matrix, Samples};
use serde_json::{Value, json};

use crate::blocks;
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::output::{self, Force, Results, plain};
use crate::progress::note;
use crate::rows::{self, Names};
use crate::staged::Staged;
use crate::{encoder, place};

/// Tell which words a document has most likely lost and which do not belong, or take the noise out of a matrix.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth restore run new.txt --missing 5 --foreign 3\n  \
    firth restore run noisy.npy -o clean.npy --target true.npy\n\n\
    With --evaluate, hides 30% of the distinct words of each document (of 15 or more, at most 1,500 documents) and ranks\n\
    all absent words; puts in as many foreign ones and tells them from the document's own; beside frequency and LSA.\n\
    Columns when piped: id, missing or foreign, words; of --evaluate: method, recall@50 and precision@10 of missing\n\
    words, AUC of foreign ones.")]
pub struct Flags {
    /// The run folder of an autoencoder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Documents (files, folders, globs, - for standard input), or one matrix, as the run learnt from
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// Words that are most likely missing, for each document [0 to 1000]
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(0..=1000))]
    missing: u16,
    /// Words that fit the rest of the document least, for each [0 to 1000]
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=1000))]
    foreign: u16,
    /// Measure instead how well hidden words are found and foreign ones told
    #[arg(long)]
    evaluate: bool,
    /// Where to write the restored rows of a matrix, .npy or .csv; missing folders are made
    #[arg(short, long, value_name = "PATH", help_heading = "Output")]
    output: Option<PathBuf>,
    /// What the restored rows should be, to be compared with
    #[arg(long, value_name = "PATH")]
    target: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    documents: DocumentOptions,
}

/// Rows of a matrix that are given back together.
const ROWS: usize = 512;

/// Restores, and prints or writes.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    let model = encoder::open(&flags.run)?;
    if let Some(path) = encoder::matrix(&model, &flags.run, &flags.inputs, typed)? {
        let why = format!("{} has learnt from a matrix", flags.run.display());
        ["missing", "foreign", "evaluate"].iter().try_for_each(|flag| typed.refuse(flag, &why))?;
        return of_matrix(flags, &model, path, globals);
    }
    let why = format!("{} has learnt from text", flags.run.display());
    // Short spellings, too, are refused.
    for (flag, is_given) in [("output", flags.output.is_some()), ("target", flags.target.is_some())] {
        if is_given {
            return Err(Failure::usage(format!("--{flag}: has no effect, since {why}")));
        }
    }
    typed.refuse("force", &why)?;
    if flags.evaluate {
        ["missing", "foreign"].iter().try_for_each(|flag| typed.refuse(flag, "--evaluate prints figures only"))?;
        return evaluate::run(flags, &model, globals);
    }
    of_text(flags, &model, globals)
}

fn of_text(flags: &Flags, model: &Autoencoder, globals: &Globals) -> Outcome {
    let words = model.words().expect("checked: text");
    let restorer = Restorer::new(model)?;
    let segmenter = encoder::segmenter(&flags.run)?;
    let corpus = Corpus::open(&flags.inputs, &flags.documents).reading()?;
    let (mut names, mut all, mut results) = (Names::default(), Vec::new(), Results::new());
    blocks::documents(&corpus, "restoring", globals, |block| {
        let bags = encoder::bags(block, words, &segmenter)?;
        let missing = restorer.missing(&bags, flags.missing.into())?;
        for ((waiting, bag), missing) in block.iter().zip(&bags).zip(missing) {
            names.add(waiting.id.as_deref());
            let id = names.keys().get(names.keys().len() - 1);
            let foreign = if flags.foreign > 0 { restorer.foreign(bag)? } else { Vec::new() };
            let foreign = &foreign[..foreign.len().min(flags.foreign.into())];
            let name = |column: u32| words.keys().get(column as usize);
            if globals.json {
                let missing: Vec<Value> = missing
                    .iter()
                    .map(|&(column, probability)| json!({"term": name(column), "probability": probability}))
                    .collect();
                let foreign: Vec<Value> = foreign
                    .iter()
                    .map(|word| json!({"term": name(word.column), "surprise": word.surprise, "excess": word.excess}))
                    .collect();
                all.push(json!({"id": id, "missing": missing, "foreign": foreign}));
            } else {
                let missing: Vec<_> = missing.iter().map(|&(column, _)| plain(name(column))).collect();
                let foreign: Vec<_> = foreign.iter().map(|word| plain(name(word.column))).collect();
                let id = plain(id);
                writeln!(results, "{id}\tmissing\t{}", missing.join("\t"))?;
                writeln!(results, "{id}\tforeign\t{}", foreign.join("\t"))?;
            }
        }
        Ok(())
    })?;
    names.done();
    if globals.json {
        drop(results);
        return output::json(&all);
    }
    results.done()
}

fn of_matrix(flags: &Flags, model: &Autoencoder, path: &Path, globals: &Globals) -> Outcome {
    if flags.output.is_none() && flags.target.is_none() {
        return Err(Failure::usage("missing --output, a matrix to write, or --target, one to compare with"));
    }
    let staged = match &flags.output {
        Some(output) => {
            let read: Vec<PathBuf> = [Some(&flags.run), flags.target.as_ref()].into_iter().flatten().cloned().collect();
            place::check(output, "restored rows", &[read, flags.inputs.clone()].concat())?;
            Some((output, Staged::new(output, flags.force.force)?))
        }
        None if flags.force.force => return Err(Failure::usage("--force: has no effect without --output")),
        None => None,
    };
    let rows = encoder::read_matrix(path, model.columns())?;
    let target = flags.target.as_deref().map(|path| encoder::read_matrix(path, model.outputs())).transpose()?;
    if let (Some(target), Some(path)) = (&target, &flags.target)
        && target.rows() != rows.rows()
    {
        let what = format!("{}: rows", path.display());
        return Err(Failure::Input(Error::mismatch(what, rows.rows(), target.rows())));
    }
    let mut numbers = Vec::with_capacity(rows.rows() * model.outputs());
    for start in (0..rows.rows()).step_by(ROWS) {
        let block = rows::part(&rows, start..rows.rows().min(start + ROWS))?;
        numbers.extend_from_slice(model.reconstruct(&block)?.as_slice());
    }
    let restored = Samples::from(Matrix::from_vec(rows.rows(), model.outputs(), numbers)?);
    let mut report = json!({"rows": rows.rows(), "columns": model.outputs()});
    let mut lines = vec![["rows".to_owned(), rows.rows().to_string()]];
    if let Some(target) = &target {
        let mut compare = |name: &str, found: &Samples| {
            let [mse, psnr] = errors(found, target);
            report[name] = json!({"mse": mse, "psnr": if psnr.is_finite() { json!(psnr) } else { Value::Null }});
            lines.push([name.to_owned(), format!("mean squared error {mse:.6}  PSNR {psnr:.2} dB")]);
        };
        if rows.cols() == target.cols() {
            compare("input", &rows);
        }
        compare("restored", &restored);
    }
    if let (Some((output, staged)), Samples::Dense(restored)) = (staged, &restored) {
        // The ending of the name says in which format.
        let ending = output.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        let hidden = staged.scratch()?.join(format!("restored.{ending}"));
        matrix::write(restored, &hidden)?;
        std::fs::rename(&hidden, staged.path()).map_err(|source| Error::io(output, source))?;
        staged.commit()?;
        report["output"] = output.to_string_lossy().into();
        note(globals, format_args!("{} rows of {} numbers in {}", rows.rows(), model.outputs(), output.display()));
    }
    if globals.json {
        return output::json(&report);
    }
    let mut results = Results::new();
    output::pairs(&mut results, lines)?;
    results.done()
}

/// The mean squared error, and the ratio of the target's range to it in decibels.
fn errors(found: &Samples, target: &Samples) -> [f64; 2] {
    let (mut sum, mut low, mut high) = (0.0, f32::INFINITY, f32::NEG_INFINITY);
    for row in 0..target.rows() {
        for (found, target) in dense(found, row).iter().zip(dense(target, row)) {
            sum += f64::from(found - target).powi(2);
            (low, high) = (low.min(target), high.max(target));
        }
    }
    let mse = sum / (target.rows() * target.cols()).max(1) as f64;
    [mse, 10.0 * (f64::from(high - low).powi(2) / mse).log10()]
}

fn dense(rows: &Samples, row: usize) -> Vec<f32> {
    match rows {
        Samples::Dense(rows) => rows.row(row).to_vec(),
        Samples::Sparse(rows) => {
            let mut dense = vec![0.0; rows.cols()];
            rows.row(row).iter().for_each(|(column, value)| dense[column] = value);
            dense
        }
    }
}
