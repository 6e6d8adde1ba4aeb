//! A finished run of an autoencoder, and the documents or rows that are put to it, block by block.

use std::path::{Path, PathBuf};
use std::time::Instant;

use firth::Error;
use firth::autoencoder::{self, Autoencoder, Bag, Words};
use firth::corpus::{Corpus, Document};
use firth::format::matrix;
use firth::math::Samples;
use firth::tokenizer::Tokenizer;
use rayon::prelude::*;

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::progress::{Meter, memory_now, short};
use crate::{run_folder, text};

/// Documents that are taken together.
pub const BLOCK: usize = 1024;
/// The text of a block holds no more bytes than this and one document.
const BLOCK_BYTES: usize = 1 << 24;

/// The model of a finished run.
pub fn open(run: &Path) -> Outcome<Autoencoder> {
    let shown = run.display();
    let file = run.join(autoencoder::FILE);
    if file.is_file() && run_folder::is_finished(run) {
        return Autoencoder::open(&file).reading();
    }
    if run_folder::is_unfinished(run) {
        return Err(Failure::usage(format!("{shown}: is unfinished; go on with firth resume {shown}")));
    }
    // Says what is wrong with what is no model at all.
    crate::model::read(run)?;
    let message = format!(
        "{shown}: has vectors for words only; documents need an autoencoder: firth train autoencoder TEXT -o RUN"
    );
    Err(Failure::usage(message))
}

/// What cut a run's text into words.
pub fn tokenizer(run: &Path) -> Outcome<Tokenizer> {
    run_folder::tokenizer(run)?.ok_or_else(|| {
        let shown = run.display();
        let reason = format!("{shown}: does not tell how its text was cut into words (vocabulary.safetensors)");
        Failure::Input(Error::data(reason))
    })
}

/// The one matrix among the inputs, if the run has learnt from one, without what is said of documents. A run on text
/// takes text.
pub fn matrix<'a>(model: &Autoencoder, run: &Path, inputs: &'a [PathBuf], typed: &Typed) -> Outcome<Option<&'a Path>> {
    let shown = run.display();
    let matrix = inputs.iter().find(|path| matrix::is_matrix(path));
    match (model.words(), matrix) {
        (Some(_), Some(path)) => {
            let message = format!("{}: is a matrix, but {shown} has learnt from text; give text", path.display());
            Err(Failure::usage(message))
        }
        (Some(_), None) => Ok(None),
        (None, _) => {
            let why = format!("{shown} has learnt from a matrix");
            text::DOCUMENTS.iter().try_for_each(|flag| typed.refuse(flag, &why))?;
            let [input] = inputs else {
                return Err(Failure::usage(format!("{why}; give one matrix of {} columns", model.columns())));
            };
            if matrix.is_none() && input.is_file() {
                let message = format!("{}: is no matrix, but {why}; give one (.npy, .npz, .csv)", input.display());
                return Err(Failure::usage(message));
            }
            Ok(Some(input))
        }
    }
}

/// The rows of a matrix, of so many columns.
pub fn read_matrix(path: &Path, columns: usize) -> Outcome<Samples> {
    let rows = matrix::read(path).reading()?;
    if rows.cols() != columns {
        let what = format!("{}: columns", path.display());
        return Err(Failure::Input(Error::mismatch(what, columns, rows.cols())));
    }
    Ok(rows)
}

/// A document of a block.
pub struct Waiting {
    text: String,
    pub id: Option<String>,
    pub label: Option<String>,
}

/// Gives all documents, block by block, with their bags; `doing` is what the meter says.
pub fn documents(
    corpus: &Corpus,
    words: &Words,
    tokenizer: &Tokenizer,
    doing: &str,
    globals: &Globals,
    mut each: impl FnMut(&[Waiting], Vec<Bag>) -> Outcome,
) -> Outcome {
    let (mut meter, started) = (Meter::new(globals), Instant::now());
    let (mut block, mut bytes, mut done, mut failure) = (Vec::new(), 0, 0, None);
    let mut flush = |block: &mut Vec<Waiting>| -> Outcome {
        let bag = |waiting: &Waiting| {
            let Waiting { text, id, label } = waiting;
            words.bag(&Document { text, id: id.as_deref(), label: label.as_deref() }, tokenizer)
        };
        let bags: Vec<Bag> = block.par_iter().map(bag).collect::<Result<_, _>>()?;
        each(block, bags)?;
        done += block.len();
        block.clear();
        let speed = done as f64 / started.elapsed().as_secs_f64().max(1e-9);
        meter.show(|| format!("{doing}  {} documents  {}/s{}", short(done as f64), short(speed), memory_now()));
        Ok(())
    };
    let read = corpus.documents(|document| {
        bytes += document.text.len();
        let [id, label] = [document.id, document.label].map(|text| text.map(str::to_owned));
        block.push(Waiting { text: document.text.into(), id, label });
        if block.len() < BLOCK && bytes < BLOCK_BYTES {
            return Ok(());
        }
        bytes = 0;
        flush(&mut block).map_err(|found| {
            failure = Some(found);
            Error::Interrupted
        })
    });
    let rest = if read.is_ok() { flush(&mut block) } else { Ok(()) };
    meter.clear();
    if let Some(failure) = failure {
        return Err(failure);
    }
    read.reading()?;
    rest
}
