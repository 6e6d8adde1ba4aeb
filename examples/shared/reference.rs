//! Methods to compare with, and how images are compared.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use firth::analysis::{Pca, PcaModel};
use firth::estimator::{Fit, Transform};
use firth::math::Matrix;

use super::{Result, map_rows};

/// Peak signal-to-noise ratio in decibels: `10 log10(1 / mean squared error)` of values cut to 0 to 1.
pub fn psnr(found: &Matrix, truth: &Matrix) -> f64 {
    psnr_where(found, truth, |_| true)
}

/// The same, over some of the numbers.
pub fn psnr_where(found: &Matrix, truth: &Matrix, counts: impl Fn(usize) -> bool) -> f64 {
    let pairs = found.as_slice().iter().zip(truth.as_slice()).enumerate();
    let errors =
        pairs.filter(|&(at, _)| counts(at)).map(|(_, (found, truth))| f64::from(found.clamp(0.0, 1.0) - truth));
    let (sum, count) = errors.fold((0.0, 0usize), |(sum, count), error| (sum + error * error, count + 1));
    -10.0 * (sum / count as f64).log10()
}

/// The best of several, by score, with what it was made with: an advantage, since it is chosen on the test part.
pub fn best<T: Copy>(choices: &[T], mut score: impl FnMut(T) -> Result<f64>) -> Result<(T, f64)> {
    let mut best = None;
    for &choice in choices {
        let score = score(choice)?;
        if best.is_none_or(|(_, least)| score > least) {
            best = Some((choice, score));
        }
    }
    best.ok_or_else(|| "nothing to choose from".into())
}

/// Every image is the mean one.
pub fn mean_image(train: &Matrix, count: usize) -> Result<Matrix> {
    let mut mean = vec![0f32; train.cols()];
    for row in train.iter_rows() {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / train.rows() as f32);
    }
    Ok(Matrix::from_vec(count, train.cols(), mean.repeat(count))?)
}

/// The best linear map, `T ≈ [X 1] W`, with `W = ([X 1]ᵀ[X 1] + λI)⁻¹ [X 1]ᵀT`.
pub struct Ridge(Mat<f64>);

impl Ridge {
    /// Learns the map; λ is the one of five that does best on the last tenth of the rows.
    pub fn fit(input: &Matrix, target: &Matrix) -> Result<Self> {
        let (known, rows) = (input.rows() * 9 / 10, input.rows());
        let error = |map: &Self| -> Result<f64> {
            let pairs = (known..rows).map(|row| (map.row(input.row(row)), target.row(row)));
            Ok(pairs
                .flat_map(|(found, truth)| found.into_iter().zip(truth))
                .map(|(f, &t)| f64::from(f - t).powi(2))
                .sum())
        };
        let strengths = [1e-2, 1e-1, 1.0, 10.0, 100.0];
        let (strength, _) = best(&strengths, |strength| Ok(-error(&Self::solve(input, target, known, strength)?)?))?;
        Self::solve(input, target, rows, strength)
    }

    fn solve(input: &Matrix, target: &Matrix, rows: usize, strength: f64) -> Result<Self> {
        let cols = input.cols();
        let x = Mat::from_fn(rows, cols + 1, |i, j| if j < cols { f64::from(input.row(i)[j]) } else { 1.0 });
        let t = Mat::from_fn(rows, target.cols(), |i, j| f64::from(target.row(i)[j]));
        let ridge = Mat::from_fn(cols + 1, cols + 1, |i, j| if i == j { strength } else { 0.0 });
        let products = x.transpose() * &x + ridge;
        let factors = products.llt(Side::Lower).map_err(|error| format!("normal equations: {error:?}"))?;
        Ok(Self(factors.solve(x.transpose() * t)))
    }

    fn row(&self, row: &[f32]) -> Vec<f32> {
        let Self(weights) = self;
        let bias = weights.nrows() - 1;
        let output = |j: usize| {
            let sum: f64 = row.iter().enumerate().map(|(i, &value)| f64::from(value) * weights[(i, j)]).sum();
            (sum + weights[(bias, j)]) as f32
        };
        (0..weights.ncols()).map(output).collect()
    }

    /// What rows become.
    pub fn apply(&self, rows: &Matrix) -> Result<Matrix> {
        map_rows(rows, self.0.ncols(), |_, row| self.row(row))
    }
}

/// Principal components of rows.
pub fn components(rows: &Matrix, components: usize) -> Result<PcaModel> {
    Ok(Pca { components }.fit(rows)?)
}

/// Rows, projected on components and put back.
pub fn projected(model: &PcaModel, rows: &Matrix) -> Result<Matrix> {
    let codes = model.transform(rows)?;
    map_rows(&codes, rows.cols(), |_, code| {
        let mut row: Vec<f32> = model.mean().iter().map(|&mean| mean as f32).collect();
        for (&weight, component) in code.iter().zip(model.components().iter_rows()) {
            row.iter_mut().zip(component).for_each(|(value, part)| *value += weight * part);
        }
        row
    })
}

/// Positions of the `k` rows nearest to a point, the nearest first.
fn nearest(rows: &Matrix, point: &[f32], k: usize) -> Vec<usize> {
    let distance = |row: &[f32]| row.iter().zip(point).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
    let mut order: Vec<(f64, usize)> = rows.iter_rows().map(distance).zip(0..).collect();
    let by_distance = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if k < order.len() {
        order.select_nth_unstable_by(k, by_distance);
        order.truncate(k);
    }
    order.sort_unstable_by(by_distance);
    order.into_iter().map(|(_, row)| row).collect()
}

/// For each row the mean of the targets of its `k` nearest rows in training.
pub fn nearest_mean(train: &Matrix, target: &Matrix, rows: &Matrix, k: usize) -> Result<Matrix> {
    map_rows(rows, target.cols(), |_, row| {
        let mut mean = vec![0f32; target.cols()];
        for near in nearest(train, row, k) {
            mean.iter_mut().zip(target.row(near)).for_each(|(mean, value)| *mean += value / k as f32);
        }
        mean
    })
}
