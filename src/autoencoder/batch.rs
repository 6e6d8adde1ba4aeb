//! The rows of one step: spoilt and weighted for the first layer, weighted for the last.

use rayon::prelude::*;

use super::config::{Corruption, Predict};
use super::network::Block;
use super::prepare::Preparation;
use crate::math::{Rng, Samples};

/// Rows that one task prepares.
const ROWS: usize = 16;

/// What is learnt from, and how its numbers are weighted.
#[derive(Debug)]
pub(super) struct Data<'a> {
    pub input: &'a Samples,
    pub target: &'a Samples,
    pub prepare_input: Preparation,
    pub prepare_target: Preparation,
    pub noise: Corruption,
    pub predict: Predict,
}

/// Rows of a step, sparse or dense.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    /// Where each sparse row ends; empty for dense rows.
    pub ends: Vec<usize>,
    /// The columns of sparse rows.
    pub columns: Vec<u32>,
    pub values: Vec<f32>,
    /// Columns of dense rows; 0 for sparse ones.
    pub cols: usize,
}

impl Rows {
    fn dense(cols: usize) -> Self {
        Self { cols, ..Self::default() }
    }

    pub fn is_dense(&self) -> bool {
        self.cols > 0
    }

    /// Where a sparse row's entries stand.
    pub fn entries(&self, row: usize) -> std::ops::Range<usize> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        start..self.ends[row]
    }

    /// Rows `range` as the first layer takes them.
    pub fn with_block<T>(&self, range: std::ops::Range<usize>, each: impl FnOnce(Block<'_>) -> T) -> T {
        if self.is_dense() {
            let values = &self.values[range.start * self.cols..range.end * self.cols];
            return each(Block::Dense { cols: self.cols, values });
        }
        let start = self.entries(range.start).start;
        let ends: Vec<usize> = self.ends[range.clone()].iter().map(|end| end - start).collect();
        let entries = start..self.ends[range.end - 1];
        each(Block::Sparse { ends: &ends, columns: &self.columns[entries.clone()], values: &self.values[entries] })
    }

    fn append(&mut self, other: &Self) {
        let before = self.columns.len();
        self.ends.extend(other.ends.iter().map(|end| end + before));
        self.columns.extend_from_slice(&other.columns);
        self.values.extend_from_slice(&other.values);
        self.cols = self.cols.max(other.cols);
    }
}

/// A step's rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    pub rows: usize,
    pub input: Rows,
    pub target: Rows,
}

impl Data<'_> {
    /// Prepares rows; `spoil` names the random stream of this epoch, without which nothing is spoilt.
    pub fn batch(&self, rows: &[u32], spoil: Option<(u64, [u64; 3])>) -> Batch {
        let parts: Vec<Batch> = rows
            .par_chunks(ROWS)
            .map(|rows| {
                let mut part = Batch::default();
                rows.iter().for_each(|&row| self.add(row as usize, spoil, &mut part));
                part
            })
            .collect();
        let mut batch = Batch { rows: rows.len(), ..Batch::default() };
        for part in &parts {
            batch.input.append(&part.input);
            batch.target.append(&part.target);
        }
        batch
    }

    fn add(&self, row: usize, spoil: Option<(u64, [u64; 3])>, into: &mut Batch) {
        let mut rng = spoil.map(|(seed, path)| Rng::stream(seed, &[path[0], path[1], path[2], row as u64]));
        let mut is_hidden = Vec::new();
        match self.input {
            Samples::Sparse(matrix) => {
                let row = matrix.row(row);
                let input = &mut into.input;
                let mut values = Vec::with_capacity(row.values.len());
                self.prepare_input.sparse(row, &mut values);
                if let (Some(rng), Corruption::Mask(share)) = (&mut rng, self.noise) {
                    let factor = (1.0 / (1.0 - share)) as f32;
                    for (&column, &value) in row.indices.iter().zip(&values) {
                        let hide = f64::from(rng.uniform()) < share;
                        is_hidden.push(hide);
                        if !hide {
                            input.columns.push(column);
                            input.values.push(value * factor);
                        }
                    }
                } else {
                    input.columns.extend_from_slice(row.indices);
                    input.values.extend_from_slice(&values);
                }
                input.ends.push(input.columns.len());
            }
            Samples::Dense(matrix) => {
                into.input.cols = matrix.cols();
                let start = into.input.values.len();
                self.prepare_input.dense(matrix.row(row), &mut into.input.values);
                if let Some(rng) = &mut rng {
                    spoil_dense(&mut into.input.values[start..], self.noise, rng);
                }
            }
        }
        match self.target {
            Samples::Sparse(matrix) => {
                let (row, target) = (matrix.row(row), &mut into.target);
                let start = target.values.len();
                self.prepare_target.sparse(row, &mut target.values);
                target.columns.extend_from_slice(row.indices);
                if self.predict == Predict::Hidden && !is_hidden.is_empty() {
                    let mut kept = start;
                    for (at, _) in is_hidden.iter().enumerate().filter(|(_, hidden)| **hidden) {
                        target.columns[kept] = target.columns[start + at];
                        target.values[kept] = target.values[start + at];
                        kept += 1;
                    }
                    target.columns.truncate(kept);
                    target.values.truncate(kept);
                }
                target.ends.push(target.columns.len());
            }
            Samples::Dense(matrix) => {
                if into.target.cols == 0 {
                    into.target = Rows::dense(matrix.cols());
                }
                self.prepare_target.dense(matrix.row(row), &mut into.target.values);
            }
        }
    }
}

/// Spoils a dense row in place.
fn spoil_dense(row: &mut [f32], noise: Corruption, rng: &mut Rng) {
    match noise {
        Corruption::None => {}
        Corruption::Mask(share) => {
            row.iter_mut().filter(|_| f64::from(rng.uniform()) < share).for_each(|value| *value = 0.0);
        }
        Corruption::Gauss(deviation) => row.iter_mut().for_each(|value| *value += deviation as f32 * normal(rng)),
        Corruption::Salt(share) => {
            for value in row {
                if f64::from(rng.uniform()) < share {
                    *value = rng.below(2) as f32;
                }
            }
        }
        Corruption::Block { size, image } => {
            let channels = row.len() / (image[0] * image[1]);
            let start = [0, 1].map(|side| rng.below((image[side] - size[side] + 1) as u32) as usize);
            for line in start[0]..start[0] + size[0] {
                let at = (line * image[1] + start[1]) * channels;
                row[at..at + size[1] * channels].fill(0.0);
            }
        }
    }
}

/// A draw from the standard normal distribution (Box and Muller, 1958).
fn normal(rng: &mut Rng) -> f32 {
    let (radius, angle) = (1.0 - rng.uniform(), rng.uniform());
    (-2.0 * radius.ln()).sqrt() * (std::f32::consts::TAU * angle).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoilt(noise: Corruption, row: &[f32]) -> Vec<f32> {
        let mut copy = row.to_vec();
        spoil_dense(&mut copy, noise, &mut Rng::stream(1, &[]));
        copy
    }

    #[test]
    fn each_noise_does_what_it_says() {
        let row = vec![0.5; 40_000];
        let share =
            |row: &[f32], value| row.iter().filter(|&&number| number == value).count() as f64 / row.len() as f64;
        assert!((share(&spoilt(Corruption::Mask(0.3), &row), 0.0) - 0.3).abs() < 0.01);
        let salted = spoilt(Corruption::Salt(0.2), &row);
        assert!((share(&salted, 0.0) - 0.1).abs() < 0.01 && (share(&salted, 1.0) - 0.1).abs() < 0.01);
        let noisy = spoilt(Corruption::Gauss(0.2), &row);
        let mean = noisy.iter().map(|&value| f64::from(value)).sum::<f64>() / 4e4;
        let variance = noisy.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / 4e4;
        assert!((mean - 0.5).abs() < 0.01 && (variance.sqrt() - 0.2).abs() < 0.01, "{mean} {variance}");
        let block = spoilt(Corruption::Block { size: [2, 3], image: [4, 5] }, &[1.0; 20]);
        let zeros: Vec<usize> = (0..20).filter(|&at| block[at] == 0.0).collect();
        assert_eq!(zeros.len(), 6);
        assert!(zeros.iter().all(|at| at / 5 - zeros[0] / 5 < 2 && at % 5 - zeros[0] % 5 < 3));
        assert_eq!(spoilt(Corruption::None, &row), row);
    }

    #[test]
    fn what_is_spoilt_differs_from_epoch_to_epoch_and_the_target_stays_clean() {
        use super::super::config::Weighting;
        use crate::math::SparseMatrix;

        let mut matrix = SparseMatrix::empty(200);
        (0..3).for_each(|_| matrix.push((0..200).map(|column| (column, 2.0))));
        let samples: Samples = matrix.into();
        let plain = || Preparation::of_input(Weighting::Counts, &samples);
        let data = |predict| Data {
            input: &samples,
            target: &samples,
            prepare_input: plain(),
            prepare_target: plain(),
            noise: Corruption::Mask(0.5),
            predict,
        };
        let spoilt = |epoch| data(Predict::All).batch(&[0, 2], Some((1, [0, 0, epoch])));
        let (batch, again, next) = (spoilt(0), spoilt(0), spoilt(1));
        assert_eq!(batch.input.columns, again.input.columns);
        assert_ne!(batch.input.columns, next.input.columns);
        assert_ne!(batch.input.columns[..batch.input.ends[0]], batch.input.columns[batch.input.ends[0]..]);
        assert!((150..250).contains(&batch.input.columns.len()));
        // Half is hidden, so the rest counts double.
        assert!(batch.input.values.iter().all(|&value| value == 4.0));
        assert_eq!((batch.target.values.len(), batch.target.ends.clone()), (400, vec![200, 400]));
        let hidden = data(Predict::Hidden).batch(&[0, 2], Some((1, [0, 0, 0])));
        assert_eq!(hidden.input.columns, batch.input.columns);
        for row in 0..2 {
            let mut all = hidden.input.columns[hidden.input.entries(row)].to_vec();
            all.extend_from_slice(&hidden.target.columns[hidden.target.entries(row)]);
            all.sort_unstable();
            assert!(all.into_iter().eq(0..200), "seen or asked for, never both");
        }
    }
}
