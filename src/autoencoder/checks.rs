//! What data must be before they are learnt from.

use super::config::{AutoencoderConfig, Corruption, Loss, Predict, Weighting};
use crate::error::{Error, Result};
use crate::math::Samples;

/// Numbers of all tables together that are refused as a slip; 2³⁸ bytes with their moments.
const MOST_WEIGHTS: u64 = 1 << 34;

/// Refuses data that the settings cannot learn from, and finds the rows without anything in them.
pub(super) fn data(config: &AutoencoderConfig, input: &Samples, target: &Samples) -> Result<Vec<usize>> {
    let settings = config.settings();
    if input.rows() != target.rows() {
        return Err(Error::mismatch(
            "rows of the target",
            format!("{}, as the input has", input.rows()),
            target.rows(),
        ));
    }
    if input.rows() >= u32::MAX as usize {
        return Err(Error::data(format!("{} rows are too many, expected fewer than 2^32", input.rows())));
    }
    let units = config.hidden.first().copied().unwrap_or(settings.code) as u64;
    let widths = config.hidden.iter().copied().chain([settings.code]).collect::<Vec<_>>();
    let inner: u64 = widths.windows(2).map(|pair| 2 * pair[0] as u64 * pair[1] as u64).sum();
    let weights = (input.cols() as u64 + target.cols() as u64).saturating_mul(units).saturating_add(inner);
    if weights > MOST_WEIGHTS {
        let reason = format!(
            "{units} units over {} columns make {weights} weights, at most {MOST_WEIGHTS} are possible; lower it",
            input.cols()
        );
        return Err(Error::config(if config.hidden.is_empty() { "--code" } else { "--hidden" }, reason));
    }
    if config.tied && input.cols() != target.cols() {
        let reason = format!("one table cannot serve {} columns in and {} out", input.cols(), target.cols());
        return Err(Error::config("--tied", reason));
    }
    if config.predict == Predict::Hidden && !have_equal_places(input, target) {
        return Err(Error::config(
            "--predict",
            "hidden needs sparse rows, and a target with entries in the same places",
        ));
    }
    if let Corruption::Block { image: [rows, cols], .. } = settings.noise
        && !input.cols().is_multiple_of(rows * cols)
    {
        let reason = format!("{}: an image of {rows} x {cols} does not fit rows of {}", settings.noise, input.cols());
        return Err(Error::config("--noise", reason));
    }
    let is_counting = |weighting| matches!(weighting, Weighting::Log | Weighting::Tfidf);
    let in_range = |value: f32| match settings.loss {
        Loss::Multinomial => value >= 0.0,
        Loss::Bce => !matches!(settings.target, Weighting::Counts) || (0.0..=1.0).contains(&value),
        Loss::Mse => !is_counting(settings.target) || value >= 0.0,
    };
    let mut empty = Vec::new();
    for row in 0..input.rows() {
        let (read, wanted) = (input.stored(row), target.stored(row));
        let fault = |what: &str, value: f32, expected: &str| {
            Err(Error::data(format!("row {} of the {what} holds {value}, {expected}", row + 1)))
        };
        let finite = "expected finite numbers; mend or drop the row";
        if let Some(&value) = read.iter().find(|value| !value.is_finite()) {
            return fault("input", value, finite);
        }
        if let Some(&value) = wanted.iter().find(|value| !value.is_finite()) {
            return fault("target", value, finite);
        }
        if is_counting(settings.input)
            && let Some(&value) = read.iter().find(|&&value| value < 0.0)
        {
            return fault("input", value, "expected counts of 0 or more; use --input counts for measurements");
        }
        if let Some(&value) = wanted.iter().find(|&&value| !in_range(value)) {
            let expected = match settings.loss {
                Loss::Bce => "expected numbers from 0 to 1 for --loss bce; use --loss mse",
                _ => {
                    "expected counts of 0 or more for this loss; use --loss mse --target-input counts for measurements"
                }
            };
            return fault("target", value, expected);
        }
        let is_zero = |values: &[f32]| values.iter().all(|&value| value == 0.0);
        if is_zero(read) || settings.loss == Loss::Multinomial && is_zero(wanted) {
            empty.push(row);
        }
    }
    if empty.len() == input.rows() {
        return Err(Error::data("no row holds anything to learn from: all are empty or zero"));
    }
    Ok(empty)
}

/// Are both sparse, with entries in the same places?
fn have_equal_places(input: &Samples, target: &Samples) -> bool {
    match (input, target) {
        (Samples::Sparse(input), Samples::Sparse(target)) => {
            input.indices() == target.indices()
                && (0..input.rows()).all(|row| input.row(row).indices.len() == target.row(row).indices.len())
        }
        _ => false,
    }
}
