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
