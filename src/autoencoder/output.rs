//! The last layer, its losses and their gradients, in blocks of its columns: all of them, or a sample.
//!
//! Of sums `oᵢⱼ = hᵢ·wⱼ` and targets `tᵢⱼ`, the mean over the rows of
//!
//! ```text
//! multinomial   −Σⱼ tᵢⱼ (oᵢⱼ − log Σₖ ωₖ exp oᵢₖ)      gradient  nᵢ ωⱼ exp oᵢⱼ / Zᵢ − tᵢⱼ,   nᵢ = Σⱼ tᵢⱼ
//! mse           Σⱼ (oᵢⱼ − tᵢⱼ)²                          gradient  2 (oᵢⱼ − tᵢⱼ)
//! bce           −Σⱼ tᵢⱼ log σ(oᵢⱼ) + (1 − tᵢⱼ) log σ(−oᵢⱼ)   gradient  σ(oᵢⱼ) − tᵢⱼ
//! ```
//!
//! The normaliser is taken over the columns that the step's targets have (ω = 1) and some others, drawn at random and weighted
//! so that its mean is that over all columns.

use rayon::prelude::*;

use super::batch::Rows;
use super::config::Loss;
use super::table::{Clock, PIECE, Table};
use crate::math::{Rng, View, multiply, vector};

/// Up to so many columns a sample saves nothing.
pub(super) const FULL: usize = 10_000;

/// Columns that a step scores, ascending.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub rows: Vec<u32>,
    /// What each counts in the normaliser.
    weights: Vec<f32>,
    /// The position of each column among them; of the others, anything.
    slots: Vec<u32>,
    /// A bit for each column.
    marked: Vec<u64>,
}

/// Columns to be found in ascending order, each once.
pub(super) fn marked_columns(marked: &mut [u64], into: &mut Vec<u32>) {
    into.clear();
    for (word, bits) in marked.iter_mut().enumerate() {
        while *bits != 0 {
            into.push((word * 64) as u32 + bits.trailing_zeros());
            *bits &= *bits - 1;
        }
    }
}

/// Sets a column's bit.
pub(super) fn mark(marked: &mut [u64], column: u32) {
    marked[column as usize / 64] |= 1 << (column % 64);
}

impl Candidates {
    pub fn new(columns: usize) -> Self {
        Self { slots: vec![0; columns], marked: vec![0; columns.div_ceil(64)], ..Self::default() }
    }

    /// All columns.
    pub fn all(&mut self) {
        let columns = self.slots.len();
        if self.rows.len() != columns {
            self.rows = (0..columns as u32).collect();
            self.weights = vec![1.0; columns];
            self.slots = self.rows.clone();
        }
    }

    /// The columns `own` and `samples` others, or all if that is no fewer.
    pub fn choose<'c>(&mut self, own: impl Iterator<Item = &'c [u32]>, samples: usize, rng: &mut Rng) {
        let columns = self.slots.len();
        own.flatten().for_each(|&column| mark(&mut self.marked, column));
        let own = self.marked.iter().map(|bits| bits.count_ones() as usize).sum::<usize>();
        if own + samples >= columns {
            self.marked.fill(0);
            return self.all();
        }
        let own_bits = self.marked.clone();
        for _ in 0..samples {
            mark(&mut self.marked, rng.below(columns as u32));
        }
        marked_columns(&mut self.marked, &mut self.rows);
        let others = (self.rows.len() - own).max(1);
        let weight = (columns - own) as f32 / others as f32;
        self.weights.clear();
        for (slot, &column) in self.rows.iter().enumerate() {
            self.slots[column as usize] = slot as u32;
            let is_own = own_bits[column as usize / 64] >> (column % 64) & 1 == 1;
            self.weights.push(if is_own { 1.0 } else { weight });
        }
    }

    /// A column's position.
    pub fn slot(&self, column: u32) -> usize {
        self.slots[column as usize] as usize
    }
}

/// Columns of one task, with room for its numbers that stays from step to step.
#[derive(Debug, Default)]
struct Task {
    /// The rows of the table, together.
    weights: Vec<f32>,
    /// Rows of the step x columns: sums, then their gradients.
    sums: Vec<f32>,
    /// Of each row the greatest sum and the normaliser relative to it.
    parts: Vec<(f32, f32)>,
    loss: f64,
    /// The gradient of what the layer reads, as far as it comes from these columns.
    hidden: Vec<f32>,
}

/// The last layer's work space.
#[derive(Debug, Default)]
pub(super) struct Output {
    tasks: Vec<Task>,
    /// The gradient of the candidates' rows of the table.
    pub gradient: Vec<f32>,
    /// The gradient of what the layer reads, rows x units.
    pub hidden: Vec<f32>,
}

impl Output {
    /// Scores `hidden` (rows x (units + 1), ones behind) against the candidates' rows of the table, brought up to date first,
    /// and leaves the gradients of both; returns the loss, summed over the rows and divided by their number.
    pub fn step(
        &mut self,
        table: &mut Table,
        candidates: &Candidates,
        clock: &Clock,
        hidden: &[f32],
        targets: &Rows,
        loss: Loss,
    ) -> f64 {
        let width = table.cols();
        let rows = hidden.len() / width;
        let slots = slots(candidates, targets);
        let parts = table.parts(&candidates.rows, PIECE);
        self.tasks.resize_with(parts.len(), Task::default);
        let starts = |at: usize| at * PIECE..((at + 1) * PIECE).min(candidates.rows.len());

        self.tasks.par_iter_mut().zip(parts).enumerate().for_each(|(at, (task, (columns, mut part)))| {
            task.weights.clear();
            for &column in columns {
                part.refresh(column, clock);
                task.weights.extend_from_slice(part.row(column));
            }
            task.sums.resize(rows * columns.len(), 0.0);
            let weights = View::new(&task.weights, columns.len(), width, width);
            multiply(View::new(hidden, rows, width, width), weights.transposed(), &mut task.sums);
            task.score(candidates, starts(at), targets, &slots, loss, rows);
        });

        let mut total = self.tasks.iter().map(|task| task.loss).sum::<f64>();
        let mut factors = Vec::new();
        if loss == Loss::Multinomial {
            for row in 0..rows {
                let mass = mass(targets, row);
                let greatest = self.tasks.iter().map(|task| task.parts[row].0).fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = self
                    .tasks
                    .iter()
                    .map(|task| f64::from(task.parts[row].1) * f64::from(task.parts[row].0 - greatest).exp())
                    .sum();
                total += mass * (sum.ln() + f64::from(greatest));
                factors.push((greatest, mass / sum));
            }
        }

        self.gradient.resize(candidates.rows.len() * width, 0.0);
        let gradients = self.gradient.chunks_mut(PIECE * width);
        self.tasks.par_iter_mut().zip(gradients.collect::<Vec<_>>()).enumerate().for_each(|(at, (task, gradient))| {
            task.gradients(starts(at), targets, &slots, &factors, hidden, rows, width, gradient);
        });
        self.hidden.clear();
        self.hidden.resize(rows * (width - 1), 0.0);
        // Summed in the order of the columns, whoever computed what.
        for task in &self.tasks {
            vector::add_scaled(&mut self.hidden, 1.0, &task.hidden);
        }
        total / rows.max(1) as f64
    }
}

/// The sum of a row's targets.
fn mass(targets: &Rows, row: usize) -> f64 {
    let values = if targets.is_dense() {
        &targets.values[row * targets.cols..(row + 1) * targets.cols]
    } else {
        &targets.values[targets.entries(row)]
    };
    values.iter().map(|&value| f64::from(value)).sum()
}

/// The candidates' positions of all entries of sparse targets.
fn slots(candidates: &Candidates, targets: &Rows) -> Vec<u32> {
    targets.columns.iter().map(|&column| candidates.slot(column) as u32).collect()
}

/// The entries of a sparse row whose columns are among some candidates.
fn within(targets: &Rows, slots: &[u32], row: usize, columns: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    let entries = targets.entries(row);
    let row = &slots[entries.clone()];
    let from = row.partition_point(|&slot| (slot as usize) < columns.start);
    let to = row.partition_point(|&slot| (slot as usize) < columns.end);
    entries.start + from..entries.start + to
}

impl Task {
    /// Sums become what a column's gradient needs: exponentials (multinomial), or the gradient itself.
    fn score(
        &mut self,
        candidates: &Candidates,
        columns: std::ops::Range<usize>,
        targets: &Rows,
        slots: &[u32],
        loss: Loss,
        rows: usize,
    ) {
        self.loss = 0.0;
        self.parts.clear();
        let count = columns.len();
        let mut dense = Vec::new();
        for (row, sums) in (0..rows).zip(self.sums.chunks_exact_mut(count)) {
            if loss == Loss::Multinomial {
                if targets.is_dense() {
                    let targets = &targets.values[row * targets.cols..][columns.clone()];
                    self.loss -= sums.iter().zip(targets).map(|(&sum, &t)| f64::from(sum) * f64::from(t)).sum::<f64>();
                } else {
                    for entry in within(targets, slots, row, &columns) {
                        let sum = sums[slots[entry] as usize - columns.start];
                        self.loss -= f64::from(sum) * f64::from(targets.values[entry]);
                    }
                }
                self.parts.push(vector::exponentials(sums, &candidates.weights[columns.clone()]));
                continue;
            }
            // Both other losses are over all columns: candidates and columns are the same.
            let targets = if targets.is_dense() {
                &targets.values[row * targets.cols..][columns.clone()]
            } else {
                dense.clear();
                dense.resize(count, 0.0);
                for entry in within(targets, slots, row, &columns) {
                    dense[slots[entry] as usize - columns.start] = targets.values[entry];
                }
                &dense[..]
            };
            if loss == Loss::Bce {
                self.loss += vector::binary_cross_entropy(sums, targets);
            } else {
                for (sum, target) in sums.iter_mut().zip(targets) {
                    let error = *sum - target;
                    self.loss += f64::from(error) * f64::from(error);
                    *sum = 2.0 * error;
                }
            }
        }
    }

    /// What was scored becomes the gradients of the columns' weights and of what the layer reads.
    #[allow(clippy::too_many_arguments)] // A step's operands; a struct would hold them for this one call.
    fn gradients(
        &mut self,
        columns: std::ops::Range<usize>,
        targets: &Rows,
        slots: &[u32],
        factors: &[(f32, f64)],
        hidden: &[f32],
        rows: usize,
        width: usize,
        gradient: &mut [f32],
    ) {
        let count = columns.len();
        let share = 1.0 / rows as f32;
        for (row, sums) in self.sums.chunks_exact_mut(count).enumerate() {
            let Some(&(greatest, factor)) = factors.get(row) else {
                vector::scale(sums, share);
                continue;
            };
            let relative = f64::from(self.parts[row].0 - greatest).exp();
            vector::scale(sums, (factor * relative) as f32 * share);
            if targets.is_dense() {
                vector::add_scaled(sums, -share, &targets.values[row * targets.cols..][columns.clone()]);
            } else {
                for entry in within(targets, slots, row, &columns) {
                    sums[slots[entry] as usize - columns.start] -= targets.values[entry] * share;
                }
            }
        }
        let sums = View::new(&self.sums, rows, count, count);
        multiply(sums.transposed(), View::new(hidden, rows, width, width), gradient);
        self.hidden.resize(rows * (width - 1), 0.0);
        multiply(sums, View::new(&self.weights, count, width - 1, width), &mut self.hidden);
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor, Var};

    use super::*;
    use crate::error::Result;

    /// Columns of more than one task.
    const COLUMNS: usize = PIECE + 44;
    const UNITS: usize = 5;
    const ROWS: usize = 3;

    fn numbers(count: usize, low: f32, high: f32, stream: u64) -> Vec<f32> {
        let mut rng = Rng::stream(stream, &[]);
        (0..count).map(|_| low + (high - low) * rng.uniform()).collect()
    }

    fn hidden() -> Vec<f32> {
        super::super::network::with_ones(&numbers(ROWS * UNITS, -1.0, 1.0, 1), UNITS)
    }

    fn table() -> Table {
        Table::new(UNITS + 1, 1, numbers(COLUMNS * (UNITS + 1), -1.0, 1.0, 2))
    }

    /// Targets of about ten columns a row, as rows of both kinds.
    fn targets() -> (Rows, Rows) {
        let (mut rng, mut sparse) = (Rng::stream(3, &[]), Rows::default());
        let mut dense = vec![0.0; ROWS * COLUMNS];
        for row in 0..ROWS {
            for column in (0..COLUMNS).filter(|_| rng.below(30) == 0).collect::<Vec<_>>() {
                let value = rng.uniform();
                dense[row * COLUMNS + column] = value;
                sparse.columns.push(column as u32);
                sparse.values.push(value);
            }
            sparse.ends.push(sparse.columns.len());
        }
        (sparse, Rows { cols: COLUMNS, values: dense, ..Rows::default() })
    }

    fn clock() -> Clock {
        Clock::new(0.1, 1.0, 0.0, 1, 1)
    }

    /// Loss and gradients of the candidates' rows and of what the layer reads, by candle in `f64`.
    fn by_candle(candidates: &Candidates, targets: &Rows, loss: Loss) -> Result<(f64, Vec<f64>, Vec<f64>)> {
        let device = &Device::Cpu;
        let tensor = |numbers: &[f32], rows: usize| {
            let numbers: Vec<f64> = numbers.iter().map(|&x| f64::from(x)).collect();
            Tensor::from_slice(&numbers, (rows, numbers.len() / rows), device)
        };
        let rows = Tensor::from_slice(&candidates.rows, candidates.rows.len(), device)?;
        let weights = Var::from_tensor(&tensor(&table().weights, COLUMNS)?.index_select(&rows, 0)?)?;
        let hidden = Var::from_tensor(&tensor(&hidden(), ROWS)?)?;
        let target = tensor(&targets.values, ROWS)?.index_select(&rows, 1)?;
        let sums = hidden.matmul(&weights.t()?)?;
        let losses = match loss {
            Loss::Multinomial => {
                let counts = tensor(&candidates.weights, 1)?;
                let normaliser = sums.exp()?.broadcast_mul(&counts)?.sum_keepdim(1)?.log()?;
                (&target * normaliser.broadcast_sub(&sums)?)?
            }
            Loss::Mse => (&sums - &target)?.sqr()?,
            Loss::Bce => (sums.exp()?.affine(1.0, 1.0)?.log()? - (&target * &sums)?)?,
        };
        let loss = (losses.sum_all()? * (1.0 / ROWS as f64))?;
        let gradients = loss.backward()?;
        let of = |var: &Var| gradients.get(var).expect("part of the graph").flatten_all()?.to_vec1::<f64>();
        let hidden = of(&hidden)?.chunks(UNITS + 1).flat_map(|row| row[..UNITS].to_vec()).collect();
        Ok((loss.to_scalar()?, of(&weights)?, hidden))
    }

    fn assert_close(what: &str, found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let size = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        for (at, (&found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((f64::from(found) - expected).abs() < 1e-5 * size, "{what} {at}: {found}, expected {expected}");
        }
    }

    fn check(candidates: &Candidates, loss: Loss) -> Result<()> {
        let (sparse, dense) = targets();
        let (expected, weights, hidden_gradient) = by_candle(candidates, &dense, loss)?;
        let is_full = candidates.rows.len() == COLUMNS;
        for targets in [Some(&sparse), is_full.then_some(&dense)].into_iter().flatten() {
            let mut output = Output::default();
            // Twice, since work space stays from step to step.
            for _ in 0..2 {
                let found = output.step(&mut table(), candidates, &clock(), &hidden(), targets, loss);
                let what = format!("{loss:?}, dense targets {}", targets.is_dense());
                assert!((found / expected - 1.0).abs() < 1e-5, "{what}: {found}, expected {expected}");
                assert_close(&format!("{what}, weight"), &output.gradient, &weights);
                assert_close(&format!("{what}, hidden"), &output.hidden, &hidden_gradient);
            }
        }
        Ok(())
    }

    #[test]
    fn losses_over_all_columns_follow_their_gradients() -> Result<()> {
        let mut all = Candidates::new(COLUMNS);
        all.all();
        [Loss::Multinomial, Loss::Mse, Loss::Bce].into_iter().try_for_each(|loss| check(&all, loss))
    }

    #[test]
    fn sampled_columns_follow_the_gradient_of_the_weighted_normaliser() -> Result<()> {
        let (sparse, _) = targets();
        let mut candidates = Candidates::new(COLUMNS);
        candidates.choose([&sparse.columns[..]].into_iter(), 20, &mut Rng::stream(4, &[]));
        let others = candidates.weights.iter().filter(|&&weight| weight > 1.0).count();
        assert!((10..=20).contains(&others), "{others} others");
        check(&candidates, Loss::Multinomial)
    }

    #[test]
    fn the_sampled_normaliser_has_the_full_one_as_its_mean() {
        let own = [3u32, 77, 200];
        let powers: Vec<f64> = numbers(COLUMNS, -2.0, 2.0, 5).iter().map(|&x| f64::from(x).exp()).collect();
        let full: f64 = powers.iter().sum();
        let (mut candidates, draws) = (Candidates::new(COLUMNS), 4000);
        let mut mean = 0.0;
        for draw in 0..draws {
            candidates.choose([&own[..]].into_iter(), 20, &mut Rng::stream(6, &[draw]));
            assert!(candidates.rows.is_sorted() && own.iter().all(|column| candidates.rows.contains(column)));
            let weighted = candidates.rows.iter().zip(&candidates.weights);
            mean += weighted.map(|(&column, &w)| f64::from(w) * powers[column as usize]).sum::<f64>() / draws as f64;
        }
        assert!((mean / full - 1.0).abs() < 0.01, "mean {mean}, full {full}");
    }

    #[test]
    fn a_sample_as_large_as_the_whole_is_the_whole_and_the_next_one_is_a_sample_again() {
        let mut candidates = Candidates::new(COLUMNS);
        candidates.choose([&[5u32][..]].into_iter(), COLUMNS, &mut Rng::stream(1, &[]));
        assert_eq!(candidates.rows.len(), COLUMNS);
        assert!(candidates.weights.iter().all(|&weight| weight == 1.0));
        candidates.choose([&[5u32][..]].into_iter(), 4, &mut Rng::stream(1, &[]));
        assert!(candidates.rows.len() <= 5 && candidates.rows[candidates.slot(5)] == 5);
        candidates.all();
        assert!((0..COLUMNS).all(|column| candidates.slot(column as u32) == column));
    }
}
