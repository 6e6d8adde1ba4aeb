//! What data must be before they are learnt from.

use super::config::{AutoencoderConfig, Corruption, Loss, Predict, Weighting};
use crate::error::{Error, Result};
use crate::math::Samples;

/// Numbers of all tables together that are refused as a slip; 2³⁸ bytes with their moments.
const MOST_WEIGHTS: u64 = 1 << 34;
/// Steps of a run that are refused as a slip; some gigabytes of learning rates.
const MOST_STEPS: u64 = 1 << 26;

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
    let steps = (input.rows().div_ceil(settings.batch) as u64).saturating_mul(settings.epochs as u64);
    if steps > MOST_STEPS {
        let reason = format!("{} make {steps} steps, at most {MOST_STEPS} are possible; lower it", settings.epochs);
        return Err(Error::config("--epochs", reason));
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
    if settings.loss == Loss::Bce && settings.target == Weighting::Tfidf {
        return Err(Error::config(
            "--target-input",
            "tfidf exceeds 1, --loss bce expects numbers from 0 to 1; use binary",
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
        // Above 1 the loss has no lowest value.
        Loss::Bce => settings.target == Weighting::Binary || (0.0..=1.0).contains(&value),
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
                Loss::Bce => "expected numbers from 0 to 1 for --loss bce; use --target-input binary or --loss mse",
                _ => {
                    "expected counts of 0 or more for this loss; use --loss mse --target-input counts for measurements"
                }
            };
            return fault("target", value, expected);
        }
        if settings.sif > 0.0
            && let Some(&value) = wanted.iter().find(|&&value| value < 0.0)
        {
            return fault("target", value, "expected counts of 0 or more, whose frequencies --sif weighs; use --sif 0");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{Matrix, SparseMatrix};

    fn dense(rows: usize, cols: usize, numbers: &[f32]) -> Samples {
        Matrix::from_vec(rows, cols, numbers.to_vec()).expect("as many as rows and columns").into()
    }

    fn sparse(cols: usize, rows: &[&[(u32, f32)]]) -> Samples {
        let mut matrix = SparseMatrix::empty(cols);
        rows.iter().for_each(|row| matrix.push(row.iter().copied()));
        matrix.into()
    }

    fn check(config: AutoencoderConfig, input: &Samples, target: &Samples) -> Result<Vec<usize>> {
        data(&config.resolved(matches!(input, Samples::Sparse(_)))?, input, target)
    }

    fn refusal(config: AutoencoderConfig, input: &Samples, target: &Samples) -> String {
        check(config, input, target).expect_err("refused").to_string()
    }

    fn with(loss: Loss) -> AutoencoderConfig {
        AutoencoderConfig { loss: Some(loss), ..Default::default() }
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused_with_their_row() {
        let good = dense(2, 2, &[1.0, 2.0, 3.0, 4.0]);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let rows = dense(2, 2, &[1.0, 2.0, 3.0, bad]);
            let expected =
                |what| format!("row 2 of the {what} holds {bad}, expected finite numbers; mend or drop the row");
            assert_eq!(refusal(with(Loss::Mse), &rows, &rows), expected("input"));
            assert_eq!(refusal(with(Loss::Mse), &good, &rows), expected("target"));
            let rows = sparse(3, &[&[(0, 1.0)], &[(1, bad)]]);
            assert_eq!(refusal(AutoencoderConfig::default(), &rows, &rows), expected("input"));
        }
    }

    #[test]
    fn negative_counts_are_refused_where_counts_are_expected() {
        let rows = sparse(3, &[&[(0, 1.0)], &[(1, 2.0), (2, -3.0)]]);
        assert_eq!(
            refusal(AutoencoderConfig::default(), &rows, &rows),
            "row 2 of the input holds -3, expected counts of 0 or more; use --input counts for measurements"
        );
        let plain = AutoencoderConfig { input: Some(Weighting::Counts), ..Default::default() };
        let expected = "row 2 of the target holds -3, expected counts of 0 or more for this loss; \
                        use --loss mse --target-input counts for measurements";
        assert_eq!(refusal(plain.clone(), &rows, &rows), expected);
        let log = AutoencoderConfig { loss: Some(Loss::Mse), ..plain.clone() };
        assert_eq!(refusal(log.clone(), &rows, &rows), expected);
        let measured = AutoencoderConfig { target_input: Some(Weighting::Counts), ..log };
        assert_eq!(check(measured, &rows, &rows).expect("measurements may be negative"), [0; 0]);
    }

    #[test]
    fn targets_of_binary_cross_entropy_lie_from_0_to_1() {
        let input = dense(2, 2, &[1.0, 2.0, 3.0, 4.0]);
        for value in [1.5, -0.5] {
            let message = refusal(with(Loss::Bce), &input, &dense(2, 2, &[0.0, 1.0, 0.5, value]));
            let expected = format!("row 2 of the target holds {value}, expected numbers from 0 to 1 for --loss bce");
            assert!(message.starts_with(&expected), "{message}");
        }
        assert_eq!(check(with(Loss::Bce), &input, &dense(2, 2, &[0.0, 1.0, 0.5, 0.2])).expect("from 0 to 1"), [0; 0]);
        // Whatever a weighting makes of them.
        let counts = sparse(3, &[&[(0, 1.0)], &[(1, 5.0)]]);
        let config = |weighting| AutoencoderConfig { target_input: Some(weighting), ..with(Loss::Bce) };
        let message = refusal(config(Weighting::Log), &counts, &counts);
        assert!(message.starts_with("row 2 of the target holds 5, expected numbers from 0 to 1"), "{message}");
        let message = refusal(config(Weighting::Tfidf), &counts, &counts);
        assert_eq!(message, "--target-input: tfidf exceeds 1, --loss bce expects numbers from 0 to 1; use binary");
        let binary = AutoencoderConfig { target_input: Some(Weighting::Binary), ..with(Loss::Bce) };
        assert_eq!(check(binary, &counts, &counts).expect("zeros and ones"), [0; 0]);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let (input, other) = (dense(2, 2, &[1.0; 4]), dense(3, 2, &[1.0; 6]));
        assert_eq!(
            refusal(with(Loss::Mse), &input, &other),
            "rows of the target: expected 2, as the input has, found 3"
        );
        let wide = dense(2, 3, &[1.0; 6]);
        let tied = AutoencoderConfig { tied: true, ..with(Loss::Mse) };
        assert_eq!(refusal(tied, &input, &wide), "--tied: one table cannot serve 2 columns in and 3 out");
        let noise = Corruption::Block { size: [1, 1], image: [2, 2] };
        let block = AutoencoderConfig { noise: Some(noise), ..with(Loss::Mse) };
        assert_eq!(
            refusal(block.clone(), &wide, &wide),
            "--noise: block:1x1:2x2: an image of 2 x 2 does not fit rows of 3"
        );
        let colours = dense(1, 12, &[1.0; 12]);
        assert_eq!(check(block, &colours, &colours).expect("three channels"), [0; 0]);
    }

    #[test]
    fn a_code_wider_than_any_memory_is_refused_before_it_is_allocated() {
        let rows = sparse(10_000_000, &[&[(0, 1.0)]]);
        let wide = AutoencoderConfig { code: Some(65_536), ..Default::default() };
        let message = refusal(wide.clone(), &rows, &rows);
        let expected = "--code: 65536 units over 10000000 columns make 1310720000000 weights, at most 17179869184";
        assert!(message.starts_with(expected), "{message}");
        let deep = AutoencoderConfig { hidden: vec![65_536], code: Some(10), ..wide };
        assert!(refusal(deep, &rows, &rows).starts_with("--hidden: 65536 units over"));
    }

    #[test]
    fn only_what_was_hidden_in_the_same_places_can_be_predicted() {
        let rows = sparse(3, &[&[(0, 1.0)], &[(1, 2.0)]]);
        let hidden = AutoencoderConfig { predict: Predict::Hidden, ..Default::default() };
        assert_eq!(check(hidden.clone(), &rows, &rows).expect("its own target"), [0; 0]);
        let expected = "--predict: hidden needs sparse rows, and a target with entries in the same places";
        let elsewhere = sparse(3, &[&[(1, 1.0)], &[(1, 2.0)]]);
        assert_eq!(refusal(hidden.clone(), &rows, &elsewhere), expected);
        let (rows, noise) = (dense(1, 2, &[1.0; 2]), Some(Corruption::Mask(0.5)));
        assert_eq!(refusal(AutoencoderConfig { noise, ..hidden }, &rows, &rows), expected);
    }

    #[test]
    fn rows_without_anything_are_found_and_not_learnt_from() {
        let rows = sparse(3, &[&[], &[(1, 2.0)], &[(0, 0.0)]]);
        assert_eq!(check(AutoencoderConfig::default(), &rows, &rows).expect("one row is left"), [0, 2]);
        let empty = sparse(3, &[&[], &[(0, 0.0)]]);
        let expected = "no row holds anything to learn from: all are empty or zero";
        assert_eq!(refusal(AutoencoderConfig::default(), &empty, &empty), expected);
        let (rows, zeros) = (dense(2, 2, &[1.0; 4]), dense(2, 2, &[1.0, 0.0, 0.0, 0.0]));
        assert_eq!(check(with(Loss::Mse), &zeros, &rows).expect("one row is left"), [1]);
        assert_eq!(check(with(Loss::Multinomial), &rows, &zeros).expect("one row is left"), [1]);
        assert_eq!(check(with(Loss::Mse), &rows, &zeros).expect("zeros can be learnt"), [0; 0]);
        let none = sparse(3, &[]);
        assert_eq!(refusal(AutoencoderConfig::default(), &none, &none), expected);
    }
}
