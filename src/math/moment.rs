//! Sums of products of columns, Σ x xᵀ over rows that stream by, and the directions in which those sums are largest.
//!
//! Of rows whose mean was taken off, divided by their number less one, this is the covariance, and the directions are
//! principal components; of rows as they are, the directions are the right singular vectors of the matrix of all rows,
//! and the values the squares of its singular values. Memory is that of the sums, whatever the number of rows.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

use crate::error::{Error, Result};

/// Σ x xᵀ, in f64.
#[derive(Debug, Clone)]
pub struct Moment {
    dim: usize,
    rows: u64,
    /// Column after column; only the part on and below the diagonal is complete.
    sums: Vec<f64>,
}

/// Directions of length one and at right angles, that of the largest sum first.
#[derive(Debug, Clone, PartialEq)]
pub struct Directions {
    /// The sum of squares along each; not below zero.
    pub values: Vec<f64>,
    /// The directions, one after another. Signs are arbitrary: the largest number in magnitude of each is positive.
    pub vectors: Vec<f64>,
}

/// Columns of the sums that one task adds to; fixed, so that sums do not depend on threads.
const PANEL: usize = 64;

impl Moment {
    /// No rows yet; each will have `dim` numbers.
    pub fn new(dim: usize) -> Self {
        Self { dim, rows: 0, sums: vec![0.0; dim * dim] }
    }

    /// Adds a block of whole rows, on the current rayon pool. How rows are parted into blocks may change the last digits.
    ///
    /// # Panics
    /// If the last row is not whole.
    pub fn add(&mut self, block: &[f64]) {
        let dim = self.dim;
        if dim == 0 {
            return;
        }
        assert_eq!(block.len() % dim, 0, "whole rows of {dim} numbers");
        self.rows += (block.len() / dim) as u64;
        // Rows of the block are columns of this matrix, so that it is D x B = dim x rows.
        let block = MatRef::from_column_major_slice(block, dim, block.len() / dim);
        self.sums.par_chunks_mut(PANEL * dim).enumerate().for_each(|(index, panel)| {
            let (first, width) = (index * PANEL, panel.len() / dim);
            let panel = MatMut::from_column_major_slice_mut(panel, dim, width).subrows_mut(first, dim - first);
            let (left, right) = (block.subrows(first, dim - first), block.subrows(first, width));
            matmul(panel, Accum::Add, left, right.transpose(), 1.0, Par::Seq);
        });
    }

    /// The number of rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The sum of the squares of all numbers.
    pub fn total(&self) -> f64 {
        (0..self.dim).map(|column| self.sums[column * self.dim + column]).sum()
    }

    /// The `count` directions of the largest sums, at most as many as columns.
    ///
    /// # Errors
    /// If the sums are not finite, or the decomposition fails.
    pub fn directions(&self, count: usize) -> Result<Directions> {
        let (dim, count) = (self.dim, count.min(self.dim));
        if !self.total().is_finite() {
            return Err(Error::data("rows hold numbers that are not finite, or too large; there are no directions"));
        }
        let eigen = MatRef::from_column_major_slice(&self.sums, dim, dim)
            .self_adjoint_eigen(Side::Lower)
            .map_err(|error| Error::Backend { source: format!("eigenvectors of {dim} columns: {error:?}").into() })?;
        let (values, vectors) = (eigen.S().column_vector(), eigen.U());
        let mut found = Directions { values: Vec::with_capacity(count), vectors: Vec::with_capacity(count * dim) };
        // Eigenvalues rise; those of a flat cloud may end up a little below zero.
        for column in (dim - count..dim).rev() {
            let vector: Vec<f64> = (0..dim).map(|row| vectors[(row, column)]).collect();
            let sign = sign_of_largest(&vector);
            found.vectors.extend(vector.iter().map(|x| sign * x));
            found.values.push(values[column].max(0.0));
        }
        Ok(found)
    }
}

fn sign_of_largest(vector: &[f64]) -> f64 {
    let mut largest = 0f64;
    for &x in vector {
        // Two numbers that are equal but for rounding: the first decides.
        if x.abs() > largest.abs() * (1.0 + 1e-9) {
            largest = x;
        }
    }
    if largest < 0.0 { -1.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_the_singular_vectors_of_all_rows() -> Result<()> {
        // Rows along (0.6, 0.8) of lengths 3 and -4, and one across it of length 1.
        let mut moment = Moment::new(2);
        moment.add(&[1.8, 2.4, -2.4, -3.2]);
        moment.add(&[0.8, -0.6]);
        assert_eq!((moment.rows(), (moment.total() - 26.0).abs() < 1e-12), (3, true));
        let found = moment.directions(5)?;
        let close = |found: &[f64], expected: &[f64]| {
            assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12), "{found:?}");
        };
        close(&found.values, &[25.0, 1.0]);
        close(&found.vectors, &[0.6, 0.8, 0.8, -0.6]);
        Ok(())
    }

    #[test]
    fn no_rows_and_no_numbers_have_defined_outcomes() -> Result<()> {
        assert_eq!(Moment::new(3).directions(1)?.values, [0.0]);
        assert!(Moment::new(0).directions(1)?.values.is_empty());
        let mut moment = Moment::new(1);
        moment.add(&[f64::NAN]);
        assert!(matches!(moment.directions(1), Err(Error::Data { .. })));
        Ok(())
    }
}
