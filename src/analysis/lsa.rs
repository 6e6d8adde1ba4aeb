//! Latent semantic analysis: the best low-rank picture of a matrix of tf-idf (Deerwester et al., 1990).
//!
//! Counts become tf-idf as an autoencoder's input does. The matrix's directions V, the right singular vectors of the largest
//! singular values, are found by projecting on a random subspace that is turned towards them a few times (Halko, Martinsson
//! and Tropp, 2011, algorithm 4.4). A row x has the coordinates xV, and xVVᵀ is what they keep of it.

use faer::{MatRef, Side};
use rayon::prelude::*;

use crate::autoencoder::Preparation;
use crate::error::{Error, Result};
use crate::estimator::Fit;
use crate::math::{Matrix, Rng, SparseMatrix, SparseRow, View, multiply};

/// Latent semantic analysis of counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Lsa {
    /// Directions to keep.
    pub components: usize,
    /// How often the subspace is turned towards them.
    pub iterations: usize,
    /// Names the random start.
    pub seed: u64,
}

impl Default for Lsa {
    fn default() -> Self {
        Self { components: 100, iterations: 5, seed: 1 }
    }
}

/// Directions, found by [`Lsa`].
#[derive(Debug, Clone)]
pub struct LsaModel {
    weights: Preparation,
    /// Columns x components.
    directions: Matrix,
}

/// Directions beyond those wanted, which make these exact.
const SPARE: usize = 10;
/// Rows whose sums one task adds up; fixed, so that sums do not depend on threads.
const ROWS: usize = 512;

impl Fit<SparseMatrix> for Lsa {
    type Model = LsaModel;

    fn fit(&self, counts: &SparseMatrix) -> Result<LsaModel> {
        let (rows, cols) = (counts.rows(), counts.cols());
        if self.components == 0 || self.components > rows.min(cols) {
            let reason =
                format!("{} directions of {rows} rows of {cols}: give 1 to {}", self.components, rows.min(cols));
            return Err(Error::config("components", reason));
        }
        let with: Vec<f64> = counts.entries_by_column().into_iter().map(f64::from).collect();
        let weights = Preparation::tfidf(rows, &with);
        let x = weighted(counts, &weights);
        let width = (self.components + SPARE).min(rows.min(cols));
        let mut rng = Rng::stream(self.seed, &[]);
        let mut across: Vec<f32> = (0..cols * width).map(|_| rng.uniform() - 0.5).collect();
        for _ in 0..self.iterations {
            let mut along = times(&x, &across, width);
            orthogonalize(&mut along, width);
            across = transposed_times(&x, &along, width);
            orthogonalize(&mut across, width);
        }
        // (XQ)ᵀ(XQ) = W Σ² Wᵀ, and V = QW.
        let along = times(&x, &across, width);
        let mut gram = vec![0f64; width * width];
        for row in along.chunks_exact(width) {
            for (into, &a) in gram.chunks_exact_mut(width).zip(row) {
                into.iter_mut().zip(row).for_each(|(sum, &b)| *sum += f64::from(a) * f64::from(b));
            }
        }
        let eigen = MatRef::from_column_major_slice(&gram, width, width)
            .self_adjoint_eigen(Side::Lower)
            .map_err(|error| Error::Backend { source: format!("eigenvectors: {error:?}").into() })?;
        let vectors = eigen.U();
        // Eigenvalues rise.
        let turn: Vec<f32> = (0..width)
            .flat_map(|row| (0..self.components).map(move |at| vectors[(row, width - 1 - at)] as f32))
            .collect();
        let mut directions = vec![0.0; cols * self.components];
        let turn = View::new(&turn, width, self.components, self.components);
        multiply(View::new(&across, cols, width, width), turn, &mut directions);
        Ok(LsaModel { weights, directions: Matrix::from_vec(cols, self.components, directions)? })
    }
}

impl LsaModel {
    /// The directions, columns x components.
    pub fn directions(&self) -> &Matrix {
        &self.directions
    }

    /// The coordinates of rows of counts.
    pub fn transform(&self, counts: &SparseMatrix) -> Result<Matrix> {
        let (columns, width) = (self.directions.rows(), self.directions.cols());
        if counts.cols() != columns {
            return Err(Error::mismatch("columns to project", columns, counts.cols()));
        }
        let coordinates = times(&weighted(counts, &self.weights), self.directions.as_slice(), width);
        Matrix::from_vec(counts.rows(), width, coordinates)
    }

    /// What coordinates keep of rows: rows x columns, so give few.
    pub fn restore(&self, coordinates: &Matrix) -> Result<Matrix> {
        let (rows, width, cols) = (coordinates.rows(), self.directions.cols(), self.directions.rows());
        let mut out = vec![0.0; rows * cols];
        let directions = View::new(self.directions.as_slice(), cols, width, width).transposed();
        multiply(View::new(coordinates.as_slice(), rows, width, width), directions, &mut out);
        Matrix::from_vec(rows, cols, out)
    }
}

/// Counts as tf-idf, all rows of one length.
fn weighted(counts: &SparseMatrix, weights: &Preparation) -> SparseMatrix {
    let mut out = SparseMatrix::empty(counts.cols());
    let mut values = Vec::new();
    for row in counts.iter_rows() {
        values.clear();
        weights.sparse(row, &mut values);
        out.push(row.indices.iter().copied().zip(values.iter().copied()));
    }
    out
}

fn add_scaled(into: &mut [f32], factor: f32, from: &[f32]) {
    into.iter_mut().zip(from).for_each(|(into, from)| *into += factor * from);
}

/// XB, for `b` of columns x width.
fn times(x: &SparseMatrix, b: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; x.rows() * width];
    out.par_chunks_exact_mut(width).enumerate().for_each(|(row, out)| {
        x.row(row).iter().for_each(|(column, value)| add_scaled(out, value, &b[column * width..][..width]));
    });
    out
}

/// XᵀB, for `b` of rows x width, summed in order of the rows.
fn transposed_times(x: &SparseMatrix, b: &[f32], width: usize) -> Vec<f32> {
    let mut by_column: Vec<Vec<(u32, f32)>> = vec![Vec::new(); x.cols()];
    for (at, row) in x.iter_rows().enumerate() {
        let SparseRow { indices, values } = row;
        indices.iter().zip(values).for_each(|(&column, &value)| by_column[column as usize].push((at as u32, value)));
    }
    let mut out = vec![0.0; x.cols() * width];
    out.par_chunks_exact_mut(width).zip(&by_column).with_min_len(ROWS).for_each(|(out, entries)| {
        entries.iter().for_each(|&(row, value)| add_scaled(out, value, &b[row as usize * width..][..width]));
    });
    out
}

/// Makes columns orthonormal (modified Gram-Schmidt, twice); those that depend on others become zero.
fn orthogonalize(matrix: &mut [f32], width: usize) {
    let rows = matrix.len() / width;
    let mut columns: Vec<Vec<f64>> =
        (0..width).map(|at| (0..rows).map(|row| f64::from(matrix[row * width + at])).collect()).collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for at in 0..width {
        let (done, rest) = columns.split_at_mut(at);
        let column = &mut rest[0];
        let before = product(column, column).sqrt();
        for _ in 0..2 {
            for other in done.iter() {
                let overlap = product(column, other);
                column.iter_mut().zip(other).for_each(|(x, other)| *x -= overlap * other);
            }
        }
        let norm = product(column, column).sqrt();
        let factor = if norm > 1e-7 * before { 1.0 / norm } else { 0.0 };
        column.iter_mut().for_each(|x| *x *= factor);
    }
    for (at, column) in columns.iter().enumerate() {
        column.iter().enumerate().for_each(|(row, &x)| matrix[row * width + at] = x as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of two kinds with a word in common.
    fn counts() -> SparseMatrix {
        let mut counts = SparseMatrix::empty(5);
        for row in 0..20 {
            let more = 1.0 + (row % 3) as f32;
            counts.push(if row % 2 == 0 {
                vec![(0, more), (1, 2.0), (4, 1.0)]
            } else {
                vec![(2, 1.0), (3, more), (4, 1.0)]
            });
        }
        counts
    }

    #[test]
    fn all_directions_keep_all() -> Result<()> {
        let (counts, lsa) = (counts(), Lsa { components: 5, ..Lsa::default() });
        let model = lsa.fit(&counts)?;
        let kept = model.restore(&model.transform(&counts)?)?;
        let expected = weighted(&counts, &model.weights);
        for (kept, expected) in kept.iter_rows().zip(expected.iter_rows()) {
            let mut dense = [0.0; 5];
            expected.iter().for_each(|(column, value)| dense[column] = value);
            assert!(kept.iter().zip(dense).all(|(a, b)| (a - b).abs() < 1e-4), "{kept:?} {dense:?}");
        }
        Ok(())
    }

    #[test]
    fn two_directions_fill_in_what_the_kind_has() -> Result<()> {
        let (counts, lsa) = (counts(), Lsa { components: 2, ..Lsa::default() });
        let model = lsa.fit(&counts)?;
        let mut part = SparseMatrix::empty(5);
        part.push([(0, 1.0)]);
        let kept = model.restore(&model.transform(&part)?)?;
        assert!(kept.row(0)[1] > 5.0 * kept.row(0)[2].abs().max(kept.row(0)[3].abs()), "{kept:?}");
        assert!(Lsa { components: 6, ..lsa.clone() }.fit(&counts).is_err());
        assert!(model.transform(&SparseMatrix::empty(4)).is_err());
        Ok(())
    }

    #[test]
    fn directions_do_not_depend_on_threads() -> Result<()> {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let lsa = Lsa { components: 3, ..Lsa::default() };
        let one = pool(1).install(|| lsa.fit(&counts()))?;
        assert_eq!(pool(3).install(|| lsa.fit(&counts()))?.directions.as_slice(), one.directions.as_slice());
        Ok(())
    }
}
