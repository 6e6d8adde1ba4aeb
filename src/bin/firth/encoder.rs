//! A finished run of an autoencoder, and what is put to it: documents as bags of words, or the rows of a matrix.

use std::path::{Path, PathBuf};

use firth::Error;
use firth::autoencoder::{self, Autoencoder, Bag, Words};
use firth::format::matrix;
use firth::math::Samples;
use firth::vocabulary::Segmenter;
use rayon::prelude::*;

use crate::blocks::Waiting;
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::Typed;
use crate::{run_folder, text};

/// The model of a finished run.
pub fn open(run: &Path) -> Outcome<Autoencoder> {
    let shown = run.display();
    let file = run.join(autoencoder::FILE);
    if file.is_file() && run_folder::is_finished(run) {
        return Autoencoder::open(&file).reading();
    }
    // Says what is wrong with what is no model at all.
    crate::model::read(run)?;
    let message =
        format!("{shown}: is no run of an autoencoder, which this needs: firth train autoencoder TEXT -o RUN");
    Err(Failure::usage(message))
}

/// What cut a run's text into words.
pub fn segmenter(run: &Path) -> Outcome<Segmenter> {
    run_folder::segmenter(run)?.ok_or_else(|| {
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

/// The bags of a block of documents.
pub fn bags(block: &[Waiting], words: &Words, segmenter: &Segmenter) -> Outcome<Vec<Bag>> {
    let bag = |waiting: &Waiting| words.bag(&waiting.document(), segmenter);
    Ok(block.par_iter().map(bag).collect::<Result<_, _>>()?)
}
