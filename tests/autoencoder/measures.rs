//! What the variants are measured by.

use firth::Result;
use firth::autoencoder::Autoencoder;
use firth::math::{Matrix, Samples};

use crate::data::dense;

/// The signal to noise ratio of reconstructions of numbers from 0 to 1, in decibels.
pub fn psnr(found: &Matrix, expected: &Samples) -> f64 {
    let pairs = found.as_slice().iter().zip(dense(expected).as_slice());
    let squares: f64 = pairs.map(|(&a, &b)| f64::from(a.clamp(0.0, 1.0) - b).powi(2)).sum();
    10.0 * (found.as_slice().len() as f64 / squares.max(1e-12)).log10()
}

/// The share of code units above 2 % of the largest.
pub fn active(codes: &Matrix) -> f64 {
    let largest = codes.as_slice().iter().fold(0f32, |most, x| most.max(x.abs()));
    let count = codes.as_slice().iter().filter(|x| x.abs() > 0.02 * largest).count();
    count as f64 / codes.as_slice().len() as f64
}

/// The mean squared norm of the encoder's Jacobian at some rows, by central differences.
pub fn jacobian(model: &Autoencoder, rows: &Samples, count: usize) -> Result<f64> {
    const BY: f32 = 0.01;
    let rows = dense(rows);
    let cols = rows.cols();
    let mut moved = Vec::new();
    for row in rows.iter_rows().take(count) {
        for col in 0..cols {
            for by in [BY, -BY] {
                moved.extend_from_slice(row);
                let at = moved.len() - cols + col;
                moved[at] += by;
            }
        }
    }
    let codes = model.encode(&Matrix::from_vec(moved.len() / cols, cols, moved)?.into())?;
    let pairs = codes.as_slice().chunks(2 * codes.cols());
    let slopes = pairs.flat_map(|pair| {
        let (up, down) = pair.split_at(pair.len() / 2);
        up.iter().zip(down).map(|(up, down)| f64::from((up - down) / (2.0 * BY)).powi(2))
    });
    Ok(slopes.sum::<f64>() / count as f64)
}

/// A linear probe: ridge regression on the ten digits, of codes scaled to one deviation.
pub struct Probe {
    mean: Vec<f64>,
    deviation: Vec<f64>,
    /// Features and a one, by digits.
    weights: Vec<[f64; 10]>,
}

impl Probe {
    pub fn fit(codes: &Matrix, digits: &[usize]) -> Self {
        let (rows, cols) = (codes.rows() as f64, codes.cols());
        let column = |col: usize| codes.iter_rows().map(move |row| f64::from(row[col]));
        let mean: Vec<f64> = (0..cols).map(|col| column(col).sum::<f64>() / rows).collect();
        let variance = |col: usize| column(col).map(|x| (x - mean[col]).powi(2)).sum::<f64>() / rows;
        let deviation: Vec<f64> = (0..cols).map(|col| variance(col).sqrt() + 1e-6).collect();
        let mut probe = Self { mean, deviation, weights: Vec::new() };
        let size = cols + 1;
        let (mut gram, mut right) = (vec![0.0; size * size], vec![[0.0; 10]; size]);
        for (row, &digit) in codes.iter_rows().zip(digits) {
            let features = probe.features(row);
            for a in 0..size {
                right[a][digit] += features[a];
                (0..=a).for_each(|b| gram[a * size + b] += features[a] * features[b]);
            }
        }
        (0..size).for_each(|at| gram[at * size + at] += 0.02 * rows);
        solve(&mut gram, &mut right);
        probe.weights = right;
        probe
    }

    fn features(&self, row: &[f32]) -> Vec<f64> {
        let scaled = row.iter().zip(&self.mean).zip(&self.deviation).map(|((&x, m), d)| (f64::from(x) - m) / d);
        scaled.chain([1.0]).collect()
    }

    /// The share of rows whose digit it finds.
    pub fn accuracy(&self, codes: &Matrix, digits: &[usize]) -> f64 {
        let right = codes.iter_rows().zip(digits).filter(|(row, digit)| {
            let features = self.features(row);
            let score = |at: usize| features.iter().zip(&self.weights).map(|(x, w)| x * w[at]).sum::<f64>();
            (0..10).max_by(|&a, &b| score(a).total_cmp(&score(b))) == Some(**digit)
        });
        right.count() as f64 / digits.len() as f64
    }
}

/// The study's probe: softmax regression with a penalty of half the squared weights, by Adam on all rows.
pub fn fit_softmax(codes: &Matrix, digits: &[usize]) -> Probe {
    let mut probe = Probe::fit(codes, digits);
    let rows: Vec<Vec<f64>> = codes.iter_rows().map(|row| probe.features(row)).collect();
    let size = codes.cols() + 1;
    let mut weights = vec![[0.0; 10]; size];
    let mut moments = vec![[[0.0f64; 2]; 10]; size];
    for step in 1..=300 {
        let mut gradient = weights.clone();
        gradient[size - 1] = [0.0; 10];
        for (row, &digit) in rows.iter().zip(digits) {
            let mut sums = [0.0; 10];
            row.iter().zip(&weights).for_each(|(x, w)| (0..10).for_each(|at| sums[at] += x * w[at]));
            let greatest = sums.iter().copied().fold(f64::MIN, f64::max);
            let powers = sums.map(|sum| (sum - greatest).exp());
            let mut errors = powers.map(|power| power / powers.iter().sum::<f64>());
            errors[digit] -= 1.0;
            row.iter().zip(&mut gradient).for_each(|(x, g)| (0..10).for_each(|at| g[at] += x * errors[at]));
        }
        let corrections = [0.9f64, 0.999].map(|beta| 1.0 - beta.powi(step));
        for (feature, gradient) in gradient.iter().enumerate() {
            for (at, g) in gradient.iter().enumerate() {
                let [first, second] = &mut moments[feature][at];
                *first = 0.9 * *first + 0.1 * g;
                *second = 0.999 * *second + 0.001 * g * g;
                weights[feature][at] -= 0.02 * *first / corrections[0] / ((*second / corrections[1]).sqrt() + 1e-8);
            }
        }
    }
    probe.weights = weights;
    probe
}

/// Solves `gram x = right` in place by Cholesky's decomposition; only the lower half is read.
fn solve(gram: &mut [f64], right: &mut [[f64; 10]]) {
    let size = right.len();
    for a in 0..size {
        for b in 0..=a {
            let (left, other) = (&gram[a * size..a * size + b], &gram[b * size..b * size + b]);
            let rest = gram[a * size + b] - left.iter().zip(other).map(|(x, y)| x * y).sum::<f64>();
            gram[a * size + b] = if a == b { rest.sqrt() } else { rest / gram[b * size + b] };
        }
    }
    #[allow(clippy::needless_range_loop)] // The formula has indices.
    for at in 0..10 {
        for a in 0..size {
            let rest: f64 = (0..a).map(|b| gram[a * size + b] * right[b][at]).sum();
            right[a][at] = (right[a][at] - rest) / gram[a * size + a];
        }
        for a in (0..size).rev() {
            let rest: f64 = (a + 1..size).map(|b| gram[b * size + a] * right[b][at]).sum();
            right[a][at] = (right[a][at] - rest) / gram[a * size + a];
        }
    }
}
