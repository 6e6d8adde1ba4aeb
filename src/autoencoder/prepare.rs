//! What a row's numbers become before they are learnt.

use serde::{Deserialize, Serialize};

use super::config::Weighting;
use crate::math::{Samples, SparseRow};

/// A weighting, fitted: it treats new rows as it did those of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Preparation {
    weighting: Weighting,
    /// What each column is multiplied by; empty if all are one.
    factors: Vec<f32>,
    /// The length that each row is scaled to, if it is.
    length: Option<f32>,
}

impl Preparation {
    /// The input's. Rows of tf-idf have the length √(mean number of entries), at which `tanh` works in its middle range.
    pub fn of_input(weighting: Weighting, samples: &Samples) -> Self {
        match weighting {
            Weighting::Tfidf => Self::tfidf(samples.rows(), &documents_with(samples)),
            _ => Self { weighting, factors: Vec::new(), length: None },
        }
    }

    /// Tf-idf over so many rows, `with` of which have something in each column.
    pub fn tfidf(rows: usize, with: &[f64]) -> Self {
        let rows = rows.max(1) as f64;
        let length = (with.iter().sum::<f64>() / rows).sqrt() as f32;
        let factors = with.iter().map(|&with| (((1.0 + rows) / (1.0 + with)).ln() + 1.0) as f32).collect();
        Self { weighting: Weighting::Tfidf, factors, length: Some(length) }
    }

    /// The target's: columns of frequency p weigh a / (a + p), if a is above 0 (Arora et al., 2017).
    pub fn of_target(weighting: Weighting, sif: f64, samples: &Samples) -> Self {
        let mut this = Self { length: None, ..Self::of_input(weighting, samples) };
        if sif > 0.0 {
            let sums = sums(samples);
            let total = sums.iter().sum::<f64>().max(f64::MIN_POSITIVE);
            let weights = sums.iter().map(|sum| (sif / (sif + sum / total)) as f32);
            this.factors = match this.factors.is_empty() {
                true => weights.collect(),
                false => this.factors.iter().zip(weights).map(|(factor, weight)| factor * weight).collect(),
            };
        }
        this
    }

    /// What each column is multiplied by; empty if all are one.
    pub fn factors(&self) -> &[f32] {
        &self.factors
    }

    /// The number of a column that training has not seen: it weighs one.
    pub fn unseen(&self, count: f32) -> f32 {
        self.value(usize::MAX, count)
    }

    fn value(&self, column: usize, count: f32) -> f32 {
        let value = match self.weighting {
            Weighting::Counts => count,
            Weighting::Binary => f32::from(u8::from(count != 0.0)),
            Weighting::Log => count.ln_1p(),
            // Continuous at one, where counts may be fractions.
            Weighting::Tfidf if count >= 1.0 => 1.0 + count.ln(),
            Weighting::Tfidf => count,
        };
        self.factors.get(column).map_or(value, |factor| value * factor)
    }

    /// A sparse row's values.
    pub fn sparse(&self, row: SparseRow<'_>, into: &mut Vec<f32>) {
        let start = into.len();
        into.extend(row.iter().map(|(column, count)| self.value(column, count)));
        self.rescale(&mut into[start..]);
    }

    /// A dense row's values.
    pub fn dense(&self, row: &[f32], into: &mut Vec<f32>) {
        let start = into.len();
        into.extend(row.iter().enumerate().map(|(column, &count)| self.value(column, count)));
        self.rescale(&mut into[start..]);
    }

    fn rescale(&self, row: &mut [f32]) {
        if let Some(length) = self.length {
            let norm = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
            if norm > 0.0 {
                let factor = (f64::from(length) / norm) as f32;
                row.iter_mut().for_each(|value| *value *= factor);
            }
        }
    }
}

/// In how many rows each column is not zero.
fn documents_with(samples: &Samples) -> Vec<f64> {
    match samples {
        Samples::Sparse(matrix) => matrix.entries_by_column().into_iter().map(f64::from).collect(),
        Samples::Dense(matrix) => {
            let mut counts = vec![0.0; matrix.cols()];
            for row in matrix.iter_rows() {
                counts.iter_mut().zip(row).for_each(|(count, &value)| *count += f64::from(u8::from(value != 0.0)));
            }
            counts
        }
    }
}

/// The sum of each column.
pub(super) fn sums(samples: &Samples) -> Vec<f64> {
    match samples {
        Samples::Sparse(matrix) => matrix.sums_by_column(),
        Samples::Dense(matrix) => {
            let mut sums = vec![0.0; matrix.cols()];
            for row in matrix.iter_rows() {
                sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
            }
            sums
        }
    }
}
