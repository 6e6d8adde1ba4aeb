//! Principal components: the directions along which rows differ most (Pearson, 1901).
//!
//! The covariance C = (X − μ)ᵀ(X − μ) / (n − 1) is summed in f64; the components are its eigenvectors of the largest
//! eigenvalues, which are the variances along them. An eigenvector's sign is arbitrary: here its largest number in
//! magnitude is positive, as in scikit-learn, so that a map never flips.
//!
//! ```
//! # fn main() -> firth::Result<()> {
//! use firth::analysis::Pca;
//! use firth::estimator::{Fit, Transform};
//! use firth::math::Matrix;
//!
//! let points = Matrix::from_vec(3, 2, vec![0.0, 0.0, 1.0, 2.0, 2.0, 4.0])?;
//! let model = Pca { components: 1 }.fit(&points)?;
//! assert!((model.explained_variance_ratio()[0] - 1.0).abs() < 1e-9);
//! assert!((model.transform(&points)?.row(2)[0] - 5f32.sqrt()).abs() < 1e-6);
//! # Ok(())
//! # }
//! ```

use rayon::prelude::*;

use super::checks::check_finite;
use crate::error::{Error, Result};
use crate::estimator::{Fit, Transform};
use crate::math::{Matrix, Moment, multiply_transposed};

/// Principal component analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// How many components to keep: at most the number of columns, and of rows.
    pub components: usize,
}

impl Default for Pca {
    /// Two, for a map.
    fn default() -> Self {
        Self { components: 2 }
    }
}

/// Principal components, found by [`Pca`].
#[derive(Debug, Clone)]
pub struct PcaModel {
    mean: Vec<f64>,
    components: Matrix,
    variance: Vec<f64>,
    total_variance: f64,
}

/// Rows that are taken together; fixed, so that sums do not depend on threads.
const BLOCK: usize = 1024;

impl PcaModel {
    /// The mean of each column.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The components, one a row, of length one and at right angles, that of the largest variance first.
    pub fn components(&self) -> &Matrix {
        &self.components
    }

    /// The variance along each component.
    pub fn explained_variance(&self) -> &[f64] {
        &self.variance
    }

    /// The part of all variance along each component, from 0 to 1; 0 if all rows are equal.
    pub fn explained_variance_ratio(&self) -> Vec<f64> {
        let ratio = |&variance: &f64| if self.total_variance > 0.0 { variance / self.total_variance } else { 0.0 };
        self.variance.iter().map(ratio).collect()
    }
}

impl Fit<Matrix> for Pca {
    type Model = PcaModel;

    fn fit(&self, x: &Matrix) -> Result<PcaModel> {
        let (rows, dim) = (x.rows(), x.cols());
        if rows < 2 || dim == 0 {
            return Err(Error::data(format!("principal components need two rows or more, found {rows} x {dim}")));
        }
        if self.components == 0 || self.components > dim.min(rows) {
            let reason = format!("{} components of {rows} rows of {dim}: give 1 to {}", self.components, dim.min(rows));
            return Err(Error::config("--to", reason));
        }
        check_finite(x)?;
        let mean = column_means(x);
        let mut moment = Moment::new(dim);
        let mut block = Vec::with_capacity(BLOCK.min(rows) * dim);
        for rows in x.as_slice().chunks(BLOCK * dim) {
            block.clear();
            block.extend(centered(rows, &mean));
            moment.add(&block);
        }
        let scale = 1.0 / (rows - 1) as f64;
        let found = moment.directions(self.components)?;
        let components = found.vectors.iter().map(|&x| x as f32).collect();
        let variance = found.values.iter().map(|sum| sum * scale).collect();
        let total_variance = moment.total() * scale;
        Ok(PcaModel { mean, components: Matrix::from_vec(self.components, dim, components)?, variance, total_variance })
    }
}

impl Transform<Matrix> for PcaModel {
    fn transform(&self, x: &Matrix) -> Result<Matrix> {
        let (dim, kept) = (self.mean.len(), self.components.rows());
        if x.cols() != dim {
            return Err(Error::mismatch("columns to project", dim, x.cols()));
        }
        let mut out = Matrix::zeros(x.rows(), kept);
        let blocks = out.as_mut_slice().par_chunks_mut(BLOCK * kept).zip(x.as_slice().par_chunks(BLOCK * dim));
        blocks.for_each(|(out, rows)| {
            let centered: Vec<f32> = centered(rows, &self.mean).map(|x| x as f32).collect();
            multiply_transposed(&centered, self.components.as_slice(), dim, out);
        });
        Ok(out)
    }
}

fn centered<'a>(rows: &'a [f32], mean: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    rows.chunks_exact(mean.len()).flat_map(move |row| row.iter().zip(mean).map(|(&x, mean)| f64::from(x) - mean))
}

fn column_means(x: &Matrix) -> Vec<f64> {
    let mut sums = vec![0f64; x.cols()];
    for row in x.iter_rows() {
        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    sums.into_iter().map(|sum| sum / x.rows() as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    #[test]
    fn a_tilted_cloud_has_its_axes_as_components() -> Result<()> {
        // Around (10, 20): two steps along (0.6, 0.8), one along (−0.8, 0.6).
        let points = vec![11.2, 21.6, 8.8, 18.4, 9.2, 20.6, 10.8, 19.4];
        let points = Matrix::from_vec(4, 2, points)?;
        let model = Pca { components: 2 }.fit(&points)?;
        let close = |found: &[f64], expected: &[f64]| {
            assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5), "{found:?}");
        };
        close(model.mean(), &[10.0, 20.0]);
        close(model.explained_variance(), &[8.0 / 3.0, 2.0 / 3.0]);
        close(&model.explained_variance_ratio(), &[0.8, 0.2]);
        let components: Vec<f64> = model.components().as_slice().iter().map(|&x| x.into()).collect();
        close(&components, &[0.6, 0.8, 0.8, -0.6]);
        let projected: Vec<f64> = model.transform(&points)?.as_slice().iter().map(|&x| x.into()).collect();
        close(&projected, &[2.0, 0.0, -2.0, 0.0, 0.0, -1.0, 0.0, 1.0]);
        Ok(())
    }

    #[test]
    fn all_components_keep_distances_and_do_not_depend_on_threads() -> Result<()> {
        let (rows, dim) = (2500, 150);
        let mut rng = Rng::stream(5, &[]);
        let numbers = (0..rows * dim).map(|i| 100.0 + rng.uniform() * (1 + i % dim) as f32).collect();
        let points = Matrix::from_vec(rows, dim, numbers)?;
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let fit = || -> Result<Matrix> { Pca { components: dim }.fit(&points)?.transform(&points) };
        let projected = pool(1).install(fit)?;
        assert_eq!(pool(3).install(fit)?.as_slice(), projected.as_slice());
        let distance = |of: &Matrix, i, j| -> f64 {
            of.row(i).iter().zip(of.row(j)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
        };
        for (i, j) in [(0, 1), (7, 2400), (1023, 1024)] {
            let expected = distance(&points, i, j);
            assert!((distance(&projected, i, j) - expected).abs() < 1e-4 * expected);
        }
        let variances = (0..dim).map(|k| projected.iter_rows().map(|row| f64::from(row[k]).powi(2)).sum::<f64>());
        assert!(variances.collect::<Vec<_>>().is_sorted_by(|a, b| a >= b));
        Ok(())
    }

    #[test]
    fn what_cannot_be_analysed_is_refused() -> Result<()> {
        let fit = |components, rows, cols| Pca { components }.fit(&Matrix::zeros(rows, cols));
        assert!(matches!(fit(1, 1, 3), Err(Error::Data { .. })));
        assert!(matches!(fit(1, 0, 3), Err(Error::Data { .. })));
        assert!(matches!(fit(0, 5, 3), Err(Error::Config { .. })));
        assert!(matches!(fit(4, 5, 3), Err(Error::Config { .. })));
        let model = fit(2, 5, 3)?;
        assert_eq!(model.explained_variance_ratio(), [0.0, 0.0]);
        assert!(matches!(model.transform(&Matrix::zeros(1, 2)), Err(Error::Mismatch { .. })));
        assert_eq!(model.transform(&Matrix::zeros(0, 3))?.rows(), 0);
        let message = Pca::default().fit(&Matrix::from_vec(2, 2, vec![0.0, 1.0, 2.0, f32::NAN])?);
        assert!(message.expect_err("NaN").to_string().contains("row 2, column 2"));
        Ok(())
    }
}
