//! A linear probe: how well does logistic regression tell the labels of rows from their vectors?
//!
//! `loss = Σ −ln softmax(Wx + b)[label] + |W|² / (2 C)`, without a penalty on b, by L-BFGS (Nocedal and Wright, 2006, algorithm
//! 7.5). With two labels scikit-learn has one row of W, the difference of ours, so that a penalty of twice the size gives the
//! same classes. [`Scaling::Standard`] with C = 1 equals `make_pipeline(StandardScaler(), LogisticRegression(C=1))`, and
//! [`Scaling::None`] `LogisticRegression(C=1)`, up to where the iterations stop.
//!
//! Folds are those of scikit-learn's `StratifiedKFold` without shuffling, which `cross_val_score` takes: of each label's
//! rows, in their order, the first part is tested by the first fold, the next by the second. A label with fewer rows than
//! folds is not in all of them.

mod lbfgs;
mod probe;

use std::ops::ControlFlow;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::math::Matrix;
pub use probe::{Probe, ProbeModel, Scaling};

/// How well a linear probe does on rows that it has not seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassifyReport {
    /// The share of rows whose label is found: the mean over folds.
    pub accuracy: f64,
    /// The mean over labels of the F1 score, likewise.
    pub macro_f1: f64,
    /// Folds; none if test rows were given.
    pub folds: Option<usize>,
    /// The standard deviation of the accuracy over folds.
    pub accuracy_spread: Option<f64>,
    /// The standard deviation of the macro-F1 over folds.
    pub macro_f1_spread: Option<f64>,
    /// Different labels.
    pub labels: usize,
    /// Rows.
    pub documents: usize,
    /// The share of the commonest label: what guessing that would score.
    pub commonest: f64,
}

/// Labels as numbers, in the order in which they first occur.
pub fn numbered<'a>(labels: impl IntoIterator<Item = &'a str>) -> (Vec<u32>, Vec<&'a str>) {
    let mut names: Vec<&str> = Vec::new();
    let mut known = std::collections::BTreeMap::new();
    let number = |label: &'a str| {
        *known.entry(label).or_insert_with(|| {
            names.push(label);
            names.len() as u32 - 1
        })
    };
    let numbers = labels.into_iter().map(number).collect();
    (numbers, names)
}

/// Scores a probe on each of several folds by what it learns from the others; `observer` hears how many are done.
///
/// # Errors
/// If labels and rows are not as many, there are fewer than two folds or two labels, or no label has as many rows as there
/// are folds.
pub fn cross_validate(
    probe: &Probe,
    x: &Matrix,
    labels: &[u32],
    folds: usize,
    observer: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<ClassifyReport> {
    if labels.len() != x.rows() {
        return Err(Error::mismatch("labels", format!("one for each of {} rows", x.rows()), labels.len()));
    }
    let tested = stratified(labels, folds)?;
    let (mut accuracies, mut scores) = (Vec::new(), Vec::new());
    for fold in 0..folds as u32 {
        if observer(fold as usize).is_break() {
            return Err(Error::Interrupted);
        }
        let (test, train): (Vec<usize>, Vec<usize>) = (0..x.rows()).partition(|&row| tested[row] == fold);
        let of = |rows: &[usize]| rows.iter().map(|&row| labels[row]).collect::<Vec<_>>();
        let model = probe.fit(&chosen(x, &train), &of(&train))?;
        let found = model.predict(&chosen(x, &test))?;
        let expected = of(&test);
        accuracies.push(accuracy(&found, &expected));
        scores.push(macro_f1(&found, &expected));
    }
    Ok(ClassifyReport {
        accuracy: mean(&accuracies),
        macro_f1: mean(&scores),
        folds: Some(folds),
        accuracy_spread: spread(&accuracies),
        macro_f1_spread: spread(&scores),
        ..described(labels)
    })
}

/// Scores a probe on test rows by what it learns from training rows.
///
/// # Errors
/// If the training rows have fewer than two labels, or rows and labels do not fit.
pub fn train_and_test(
    probe: &Probe,
    (x, labels): (&Matrix, &[u32]),
    (test, expected): (&Matrix, &[u32]),
) -> Result<ClassifyReport> {
    let found = probe.fit(x, labels)?.predict(test)?;
    if found.len() != expected.len() {
        return Err(Error::mismatch("labels", format!("one for each of {} rows", found.len()), expected.len()));
    }
    let (accuracy, macro_f1) = (accuracy(&found, expected), macro_f1(&found, expected));
    Ok(ClassifyReport { accuracy, macro_f1, ..described(expected) })
}

fn described(labels: &[u32]) -> ClassifyReport {
    let mut sorted = labels.to_vec();
    sorted.sort_unstable();
    let sizes: Vec<usize> = sorted.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
    ClassifyReport {
        accuracy: 0.0,
        macro_f1: 0.0,
        folds: None,
        accuracy_spread: None,
        macro_f1_spread: None,
        labels: sizes.len(),
        documents: labels.len(),
        commonest: sizes.iter().max().map_or(0.0, |&most| most as f64 / labels.len() as f64),
    }
}

/// The fold that tests each row.
fn stratified(labels: &[u32], folds: usize) -> Result<Vec<u32>> {
    if folds < 2 {
        return Err(Error::config("--folds", format!("{folds}: give 2 or more")));
    }
    // Labels by first appearance, as scikit-learn numbers them.
    let mut order: Vec<u32> = Vec::new();
    let mut rows: std::collections::BTreeMap<u32, Vec<usize>> = std::collections::BTreeMap::new();
    for (row, &label) in labels.iter().enumerate() {
        rows.entry(label)
            .or_insert_with(|| {
                order.push(label);
                Vec::new()
            })
            .push(row);
    }
    let most = rows.values().map(Vec::len).max().unwrap_or(0);
    if order.len() < 2 {
        let reason = format!("{} label in {} rows; telling labels apart needs two or more", order.len(), labels.len());
        return Err(Error::data(reason));
    }
    if most < folds {
        let reason = format!("{folds} folds, but the commonest label has {most} rows; give at most {most}");
        return Err(Error::config("--folds", reason));
    }
    let mut fold_of = vec![0; labels.len()];
    // Were all rows sorted by label, every `folds`th of them, from the fold's number on, would be the fold's.
    let mut start = 0;
    for label in order {
        let rows = &rows[&label];
        let share = |fold: usize| (start..start + rows.len()).filter(|at| at % folds == fold).count();
        let mut next = rows.iter();
        for fold in 0..folds {
            next.by_ref().take(share(fold)).for_each(|&row| fold_of[row] = fold as u32);
        }
        start += rows.len();
    }
    Ok(fold_of)
}

/// The share of rows whose label is found; 0 of none.
pub fn accuracy(found: &[u32], expected: &[u32]) -> f64 {
    let right = found.iter().zip(expected).filter(|(found, expected)| found == expected).count();
    right as f64 / expected.len().max(1) as f64
}

/// The mean F1 score over all labels that are expected or found; 0 of none.
pub fn macro_f1(found: &[u32], expected: &[u32]) -> f64 {
    // Of each label: right, found, expected.
    let mut tallies: std::collections::BTreeMap<u32, [u64; 3]> = std::collections::BTreeMap::new();
    for (&found, &expected) in found.iter().zip(expected) {
        tallies.entry(found).or_default()[1] += 1;
        let tally = tallies.entry(expected).or_default();
        tally[2] += 1;
        tally[0] += u64::from(found == expected);
    }
    let f1 = |&[right, found, expected]: &[u64; 3]| 2.0 * right as f64 / (found + expected) as f64;
    tallies.values().map(f1).sum::<f64>() / tallies.len().max(1) as f64
}

/// The mean; 0 of none.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The standard deviation of a sample; none of fewer than two.
pub fn spread(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

fn chosen(x: &Matrix, rows: &[usize]) -> Matrix {
    let numbers = rows.iter().flat_map(|&row| x.row(row)).copied().collect();
    Matrix::from_vec(rows.len(), x.cols(), numbers).expect("whole rows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    #[test]
    fn folds_are_those_of_scikit_learn() -> Result<()> {
        // StratifiedKFold(3) on these labels tests rows 0, 1, 3, then 2, 4, 7, then 5, 6, 8.
        let labels = [1, 0, 0, 1, 1, 0, 1, 2, 2];
        assert_eq!(stratified(&labels, 3)?, [0, 0, 1, 0, 1, 2, 2, 1, 2]);
        assert!(matches!(stratified(&labels, 1), Err(Error::Config { .. })));
        assert!(matches!(stratified(&labels, 5), Err(Error::Config { .. })));
        assert!(matches!(stratified(&[1, 1], 2), Err(Error::Data { .. })));
        Ok(())
    }

    #[test]
    fn scores_count_all_labels_alike() {
        assert_eq!(accuracy(&[0, 0, 1, 2], &[0, 1, 1, 1]), 0.5);
        // F1: 2/3 of label 0, 1/2 of label 1, 0 of label 2, which is only found.
        assert!((macro_f1(&[0, 0, 1, 2], &[0, 1, 1, 1]) - (2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12);
        assert_eq!((macro_f1(&[], &[]), accuracy(&[], &[])), (0.0, 0.0));
        assert_eq!((spread(&[1.0]), spread(&[1.0, 3.0])), (None, Some(2f64.sqrt())));
    }

    #[test]
    fn labels_that_a_line_parts_are_told_and_random_ones_are_not() -> Result<()> {
        let mut rng = Rng::stream(1, &[]);
        let numbers: Vec<f32> = (0..600).map(|_| rng.uniform() - 0.5).collect();
        let x = Matrix::from_vec(200, 3, numbers)?;
        let told: Vec<u32> = x.iter_rows().map(|row| u32::from(row[0] > row[1]) + u32::from(row[0] > 0.3)).collect();
        let probe = Probe { strength: 100.0, ..Probe::default() };
        let mut go_on = |_| ControlFlow::Continue(());
        let report = cross_validate(&probe, &x, &told, 5, &mut go_on)?;
        assert!(report.accuracy > 0.9 && report.macro_f1 > 0.9, "{report:?}");
        assert_eq!((report.labels, report.documents, report.folds), (3, 200, Some(5)));
        let random: Vec<u32> = (0..200).map(|_| rng.below(4)).collect();
        let report = cross_validate(&probe, &x, &random, 5, &mut go_on)?;
        assert!(report.accuracy < 0.4, "{report:?}");
        let stopped = cross_validate(&probe, &x, &told, 5, &mut |_| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(Error::Interrupted)));
        for labels in [&told[..199], &[told.as_slice(), &[0]].concat()] {
            assert!(matches!(cross_validate(&probe, &x, labels, 5, &mut go_on), Err(Error::Mismatch { .. })));
        }
        Ok(())
    }
}
