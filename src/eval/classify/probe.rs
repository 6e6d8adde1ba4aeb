//! Multinomial logistic regression, and what is done to rows before it.

use rayon::prelude::*;

use super::lbfgs;
use crate::error::{Error, Result};
use crate::math::{Matrix, View, multiply, multiply_transposed};

/// Logistic regression with a quadratic penalty.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// How much the data weigh against the penalty: scikit-learn's C.
    pub strength: f64,
    /// What is done to rows before they are learnt from.
    pub scaling: Scaling,
    /// Iterations at most.
    pub iterations: usize,
}

/// What is done to rows before a probe learns from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scaling {
    /// Each column less its mean and divided by its deviation, both of the training rows.
    #[default]
    Standard,
    /// Each row divided by its length.
    Unit,
    /// Nothing.
    None,
}

impl Default for Probe {
    /// scikit-learn's penalty, on standardised columns.
    fn default() -> Self {
        Self { strength: 1.0, scaling: Scaling::Standard, iterations: 300 }
    }
}

/// Logistic regression, learnt by [`Probe`].
#[derive(Debug, Clone)]
pub struct ProbeModel {
    scaling: Scaling,
    shift: Vec<f64>,
    scale: Vec<f64>,
    /// A row for each label.
    weights: Vec<f32>,
    biases: Vec<f64>,
    /// The labels, ascending.
    labels: Vec<u32>,
}

/// Rows whose scores are one product.
const BLOCK: usize = 512;
/// Gradients are summed in at most so many stripes of whole blocks, which are joined in order, whatever the threads.
const STRIPES: usize = 16;
/// All stripes' gradients together have at most about so many numbers.
const SUMS: usize = 1 << 23;
/// The largest part of the mean loss's gradient that is left.
const TOLERANCE: f64 = 1e-5;

impl Probe {
    /// Learns to tell labels from rows.
    ///
    /// # Errors
    /// If there are fewer than two labels, a number is not finite, or rows and labels do not fit.
    pub fn fit(&self, x: &Matrix, labels: &[u32]) -> Result<ProbeModel> {
        if labels.len() != x.rows() {
            return Err(Error::mismatch("labels", format!("one for each of {} rows", x.rows()), labels.len()));
        }
        if !(self.strength > 0.0 && self.strength.is_finite()) {
            return Err(Error::config("--strength", format!("{}: give a number above 0", self.strength)));
        }
        check(x)?;
        let mut names = labels.to_vec();
        names.sort_unstable();
        names.dedup();
        if names.len() < 2 {
            let reason =
                format!("{} label in {} rows to learn from; telling labels apart needs two", names.len(), x.rows());
            return Err(Error::data(reason));
        }
        let place = |label: &u32| names.binary_search(label).expect("one of them");
        let targets: Vec<usize> = labels.iter().map(place).collect();
        let (shift, scale) = match self.scaling {
            Scaling::Standard => moments(x),
            Scaling::Unit | Scaling::None => (vec![0.0; x.cols()], vec![1.0; x.cols()]),
        };
        let (classes, dim) = (names.len(), x.cols());
        let mut model =
            ProbeModel { scaling: self.scaling, shift, scale, weights: Vec::new(), biases: Vec::new(), labels: names };
        let rows = model.prepared(x);
        // Of the mean loss; see the module's head for two labels.
        let penalty = if classes == 2 { 2.0 } else { 1.0 } / (self.strength * x.rows() as f64);
        let mut parameters = vec![0.0; classes * (dim + 1)];
        lbfgs::minimize(&mut parameters, TOLERANCE, self.iterations, |at, gradient| {
            loss(&rows, dim, &targets, at, penalty, gradient)
        });
        model.weights = parameters[..classes * dim].iter().map(|&x| x as f32).collect();
        model.biases = parameters[classes * dim..].to_vec();
        Ok(model)
    }
}

impl ProbeModel {
    /// The likeliest label of each row.
    ///
    /// # Errors
    /// If the rows have another number of columns than the model learnt from, or hold what is no number.
    pub fn predict(&self, x: &Matrix) -> Result<Vec<u32>> {
        let (dim, classes) = (self.shift.len(), self.labels.len());
        if x.cols() != dim {
            return Err(Error::mismatch("columns to classify", dim, x.cols()));
        }
        check(x)?;
        let rows = self.prepared(x);
        let mut labels = vec![0; x.rows()];
        labels.par_chunks_mut(BLOCK).zip(rows.par_chunks(BLOCK * dim)).for_each(|(labels, rows)| {
            let mut scores = vec![0.0; labels.len() * classes];
            multiply_transposed(rows, &self.weights, dim, &mut scores);
            for (label, scores) in labels.iter_mut().zip(scores.chunks_exact(classes)) {
                let score = |at: usize| f64::from(scores[at]) + self.biases[at];
                // The first of equals.
                let best = (0..classes).rev().max_by(|&a, &b| score(a).total_cmp(&score(b)));
                *label = self.labels[best.expect("two labels or more")];
            }
        });
        Ok(labels)
    }

    fn prepared(&self, x: &Matrix) -> Vec<f32> {
        if self.scaling == Scaling::Unit {
            return x.normalized().as_slice().to_vec();
        }
        let scaled = |row: &[f32]| -> Vec<f32> {
            let moved = row.iter().zip(&self.shift).zip(&self.scale);
            moved.map(|((&x, shift), scale)| ((f64::from(x) - shift) * scale) as f32).collect()
        };
        x.iter_rows().flat_map(scaled).collect()
    }
}

/// What a stripe of rows adds up, and where it works.
struct Sums {
    loss: f64,
    gradient: Vec<f64>,
    scores: Vec<f32>,
    /// The weights' gradient of one block.
    block: Vec<f32>,
}

/// The mean loss with its penalty, and the gradient: weights, a row for each class, then biases.
fn loss(rows: &[f32], dim: usize, targets: &[usize], at: &[f64], penalty: f64, gradient: &mut [f64]) -> f64 {
    let classes = at.len() / (dim + 1);
    let (weights, biases) = at.split_at(classes * dim);
    let single: Vec<f32> = weights.iter().map(|&x| x as f32).collect();
    let add_block = |rows: &[f32], targets: &[usize], sums: &mut Sums| {
        sums.scores.resize(targets.len() * classes, 0.0);
        multiply_transposed(rows, &single, dim, &mut sums.scores);
        let (into_weights, into_biases) = sums.gradient.split_at_mut(classes * dim);
        for (scores, &target) in sums.scores.chunks_exact_mut(classes).zip(targets) {
            scores.iter_mut().zip(biases).for_each(|(score, bias)| *score = (f64::from(*score) + bias) as f32);
            let greatest = scores.iter().copied().fold(f32::MIN, f32::max);
            sums.loss -= f64::from(scores[target] - greatest);
            scores.iter_mut().for_each(|score| *score = (*score - greatest).exp());
            let sum: f64 = scores.iter().map(|&power| f64::from(power)).sum();
            sums.loss += sum.ln();
            scores.iter_mut().for_each(|power| *power = (f64::from(*power) / sum) as f32);
            scores[target] -= 1.0;
            into_biases.iter_mut().zip(&*scores).for_each(|(sum, &error)| *sum += f64::from(error));
        }
        let errors = View::new(&sums.scores, targets.len(), classes, classes).transposed();
        multiply(errors, View::new(rows, targets.len(), dim, dim), &mut sums.block);
        into_weights.iter_mut().zip(&sums.block).for_each(|(sum, &x)| *sum += f64::from(x));
    };
    let most = (SUMS / at.len()).clamp(1, STRIPES);
    let each = targets.len().div_ceil(most).next_multiple_of(BLOCK);
    let stripe = |(rows, targets): (&[f32], &[usize])| {
        let mut sums =
            Sums { loss: 0.0, gradient: vec![0.0; at.len()], scores: Vec::new(), block: vec![0.0; classes * dim] };
        let blocks = rows.chunks(BLOCK * dim).zip(targets.chunks(BLOCK));
        blocks.for_each(|(rows, targets)| add_block(rows, targets, &mut sums));
        (sums.loss, sums.gradient)
    };
    let stripes = rows.par_chunks(each * dim).zip(targets.par_chunks(each));
    let parts: Vec<(f64, Vec<f64>)> = stripes.map(stripe).collect();
    gradient.fill(0.0);
    let mut total = 0.0;
    for (loss, part) in parts {
        total += loss;
        gradient.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
    }
    let share = 1.0 / targets.len() as f64;
    gradient.iter_mut().for_each(|g| *g *= share);
    gradient.iter_mut().zip(weights).for_each(|(g, w)| *g += penalty * w);
    total * share + penalty / 2.0 * weights.iter().map(|w| w * w).sum::<f64>()
}

/// Each column's mean and inverse deviation; a column whose numbers are all the same is only shifted.
fn moments(x: &Matrix) -> (Vec<f64>, Vec<f64>) {
    let rows = x.rows() as f64;
    let mut means = vec![0f64; x.cols()];
    for row in x.iter_rows() {
        means.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    means.iter_mut().for_each(|sum| *sum /= rows);
    let mut variances = vec![0f64; x.cols()];
    for row in x.iter_rows() {
        let parts = row.iter().zip(&means).map(|(&x, mean)| (f64::from(x) - mean).powi(2));
        variances.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
    }
    let inverse = |(sum, mean): (f64, &f64)| {
        let variance = sum / rows;
        // As scikit-learn: what is left of equal numbers by rounding is no variance.
        let rounding = 10.0 * f64::EPSILON * rows.max(1.0) * mean * mean;
        if variance > rounding { 1.0 / variance.sqrt() } else { 1.0 }
    };
    let scales = variances.into_iter().zip(&means).map(inverse).collect();
    (means, scales)
}

fn check(x: &Matrix) -> Result<()> {
    if x.cols() == 0 {
        return Err(Error::data(format!("a probe needs numbers, found {} rows of none", x.rows())));
    }
    match x.as_slice().iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(place) => {
            let (row, column) = (place / x.cols() + 1, place % x.cols() + 1);
            Err(Error::data(format!("row {row}, column {column} holds {}, no number", x.as_slice()[place])))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    fn random(rows: usize, dim: usize) -> Matrix {
        let mut rng = Rng::stream(2, &[]);
        Matrix::from_vec(rows, dim, (0..rows * dim).map(|_| rng.uniform() - 0.5).collect()).expect("whole rows")
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (rows, dim, classes) = (random(40, 3), 3, 4);
        let targets: Vec<usize> = (0..40).map(|row| row * 7 % classes).collect();
        let at: Vec<f64> = (0..classes * 4).map(|place| (place as f64 * 0.7).sin()).collect();
        let mut gradient = vec![0.0; at.len()];
        loss(rows.as_slice(), dim, &targets, &at, 0.3, &mut gradient);
        for place in 0..at.len() {
            let near = |by: f64| {
                let mut moved = at.clone();
                moved[place] += by;
                loss(rows.as_slice(), dim, &targets, &moved, 0.3, &mut vec![0.0; at.len()])
            };
            let slope = (near(1e-2) - near(-1e-2)) / 2e-2;
            assert!((slope - gradient[place]).abs() < 1e-4, "{place}: {slope} {}", gradient[place]);
        }
    }

    #[test]
    fn a_line_between_labels_is_found_whatever_the_columns_scale() -> Result<()> {
        let x = random(300, 2);
        let labels: Vec<u32> = x.iter_rows().map(|row| if row[0] + row[1] > 0.0 { 9 } else { 4 }).collect();
        let scaled = x.iter_rows().flat_map(|row| [1e4 * row[0] + 3e4, 1e-3 * row[1]]).collect();
        let scaled = Matrix::from_vec(300, 2, scaled)?;
        let model = Probe { strength: 1e3, ..Probe::default() }.fit(&scaled, &labels)?;
        let found = model.predict(&scaled)?;
        let right = found.iter().zip(&labels).filter(|(a, b)| a == b).count();
        assert!(right > 290, "{right}");
        assert!(matches!(model.predict(&Matrix::zeros(1, 3)), Err(Error::Mismatch { .. })));
        Ok(())
    }

    #[test]
    fn models_do_not_depend_on_threads() -> Result<()> {
        // Stripes of two blocks, the last of one and a part.
        let x = random(11_900, 5);
        let labels: Vec<u32> = x.iter_rows().map(|row| (row[0] > 0.1).into()).collect();
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let fit = || Probe::default().fit(&x, &labels);
        assert_eq!(pool(1).install(fit)?.weights, pool(3).install(fit)?.weights);
        Ok(())
    }

    #[test]
    fn what_cannot_be_learnt_from_is_refused() -> Result<()> {
        let fit = |numbers: Vec<f32>, labels: &[u32]| {
            Probe::default().fit(&Matrix::from_vec(2, 1, numbers).expect("whole rows"), labels).map(|_| ())
        };
        assert!(matches!(fit(vec![0.0, 1.0], &[1]), Err(Error::Mismatch { .. })));
        assert!(matches!(fit(vec![0.0, 1.0], &[1, 1]), Err(Error::Data { .. })));
        assert!(matches!(fit(vec![0.0, f32::NAN], &[1, 2]), Err(Error::Data { .. })));
        fit(vec![7.0, 7.0], &[1, 2])
    }
}
