//! One step: a batch forward, its losses, and every table moved.

use rayon::prelude::*;

use super::batch::{Batch, Data, Rows};
use super::config::{AutoencoderConfig, Corruption, Loss, Settings, Sparsity};
use super::network::{Shape, Spec, first_sums, with_ones};
use super::output::{Candidates, FULL, Output, mark, marked_columns};
use super::stack::{Contractive, Pass, Stack};
use super::streams;
use super::table::{Clock, PIECE, Part, Table};
use crate::error::Result;
use crate::math::{Rng, View, multiply, vector};

/// The most rows that one task takes through the middle of the network.
const ROWS: usize = 64;

/// The network in training, with its work space.
#[derive(Debug)]
pub(super) struct Model {
    pub shape: Shape,
    pub tables: Vec<Table>,
    settings: Settings,
    contractive: f64,
    samples: usize,
    seed: u64,
    candidates: Candidates,
    output: Output,
    touched: Touched,
}

/// The rows of the first layer that a step needs, ascending, and who needs them.
#[derive(Debug, Default)]
struct Touched {
    rows: Vec<u32>,
    marked: Vec<u64>,
    /// The position of each row among them.
    slots: Vec<u32>,
    /// Where each one's uses end.
    ends: Vec<usize>,
    /// Rows of the batch and values, use by use.
    uses: Vec<(u32, f32)>,
}

impl Touched {
    /// All rows of the first layer.
    fn all(&mut self) {
        if self.rows.len() != self.slots.len() {
            self.rows = (0..self.slots.len() as u32).collect();
            self.slots = self.rows.clone();
        }
    }

    /// Those that a batch reads.
    fn read_by(&mut self, input: &Rows) {
        input.columns.iter().for_each(|&column| mark(&mut self.marked, column));
        marked_columns(&mut self.marked, &mut self.rows);
        self.name();
    }

    fn name(&mut self) {
        for (slot, &row) in self.rows.iter().enumerate() {
            self.slots[row as usize] = slot as u32;
        }
    }

    /// Turns the batch around: for each row of the first layer its uses, in the batch's order.
    fn turn_around(&mut self, input: &Rows) {
        self.ends.clear();
        self.ends.resize(self.rows.len(), 0);
        for &column in &input.columns {
            self.ends[self.slots[column as usize] as usize] += 1;
        }
        let mut next = 0;
        for end in &mut self.ends {
            next += std::mem::replace(end, next);
        }
        self.uses.resize(input.columns.len(), (0, 0.0));
        for row in 0..input.ends.len() {
            for entry in input.entries(row) {
                let place = &mut self.ends[self.slots[input.columns[entry] as usize] as usize];
                self.uses[*place] = (row as u32, input.values[entry]);
                *place += 1;
            }
        }
    }
}

impl Model {
    pub fn new(config: &AutoencoderConfig, shape: Shape) -> Self {
        let (inputs, outputs) = (shape.inputs, shape.outputs);
        Self {
            settings: config.settings(),
            contractive: config.contractive,
            samples: config.samples,
            seed: config.seed,
            tables: Vec::new(),
            candidates: Candidates::new(outputs),
            output: Output::default(),
            touched: Touched { marked: vec![0; inputs.div_ceil(64)], slots: vec![0; inputs], ..Touched::default() },
            shape,
        }
    }

    /// Takes these weights, untrained.
    pub fn begin(&mut self, weights: Vec<Vec<f32>>) {
        let specs: Vec<Spec> = self.shape.layout();
        let tables = specs.iter().zip(weights);
        self.tables = tables.map(|(spec, weights)| Table::new(spec.cols, spec.biases, weights)).collect();
    }

    pub fn is_finite(&self) -> bool {
        self.tables.iter().all(Table::is_finite)
    }

    /// The weights after all steps before the one at hand.
    pub fn settled(&self, clock: &Clock) -> Vec<Vec<f32>> {
        self.tables.iter().map(|table| table.settled(clock)).collect()
    }

    /// Does this step score a sample of the columns only?
    fn is_sampled(&self) -> bool {
        self.settings.loss == Loss::Multinomial && self.samples > 0 && self.shape.outputs > FULL
    }

    /// Trains on some rows; `path` is restart, epoch and step. Returns the mean loss of a row, with penalties.
    pub fn step(&mut self, data: &Data<'_>, rows: &[u32], clock: &Clock, path: [u64; 3]) -> Result<f64> {
        let spoil = (data.noise != Corruption::None).then_some((self.seed, [streams::NOISE, path[0], path[1]]));
        let batch = data.batch(rows, spoil);
        let is_dense = batch.input.is_dense();
        self.choose(&batch, path);
        let first = &mut self.tables[0];
        first.refresh(&self.touched.rows, clock);
        if !is_dense {
            self.touched.turn_around(&batch.input);
        }

        let units = self.shape.first_units();
        let gram = if self.contractive > 0.0 { gram(&self.tables[0], units) } else { Vec::new() };
        let middle: Vec<&[f32]> = self.tables[self.shape.middle()].iter().map(|table| &table.weights[..]).collect();
        let stack = Stack::new(&self.shape, &middle)?;
        let size = batch.rows.div_ceil(2).clamp(1, ROWS);
        let starts: Vec<usize> = (0..batch.rows).step_by(size).collect();
        let range = |start: usize| start..(start + size).min(batch.rows);
        let (first, bias) = (&self.tables[0], &self.tables[1].weights);
        let passes = starts.par_iter().map(|&start| {
            let sums =
                batch.input.with_block(range(start), |block| first_sums(&first.weights, first.cols(), bias, block));
            let contractive = (self.contractive > 0.0).then(|| Contractive {
                weight: self.contractive / batch.rows as f64,
                gram: &gram,
                seed: self.seed,
                path: [streams::SIGNS, path[0] << 32 | path[1], path[2] << 32 | start as u64],
            });
            stack.forward(&sums, contractive)
        });
        let passes: Vec<Pass> = passes.collect::<Result<_>>()?;

        let hidden: Vec<f32> = passes.iter().flat_map(|pass| with_ones(&pass.hidden, units)).collect();
        let last = self.shape.last();
        let mut loss = self.output.step(
            &mut self.tables[last],
            &self.candidates,
            clock,
            &hidden,
            &batch.target,
            self.settings.loss,
        );

        let (penalty, code) = penalty(self.shape.sparse, self.shape.code, batch.rows, &passes);
        loss += penalty;
        let into_hidden = &self.output.hidden;
        let gradients = starts.par_iter().zip(&passes).map(|(&start, pass)| {
            let of = |numbers: &[f32], cols: usize| {
                let range = range(start);
                numbers[range.start * cols..range.end * cols].to_vec()
            };
            let code = code.as_ref().map(|code| of(code, self.shape.code));
            stack.backward(pass, code.as_deref(), &of(into_hidden, units))
        });
        let gradients: Vec<(Vec<f32>, Vec<Vec<f32>>)> = gradients.collect::<Result<_>>()?;
        drop(stack);
        let mut moments = Vec::new();
        for contraction in passes.iter().filter_map(|pass| pass.contraction.as_ref()) {
            loss += contraction.loss;
            moments.resize(units * units, 0.0);
            vector::add_scaled(&mut moments, 1.0, &contraction.moments);
        }
        let (sums, middle) = joined(gradients);
        self.update(&batch, &sums, &middle, &moments, clock);
        Ok(loss)
    }

    /// Which columns are scored and which rows of the first layer are needed.
    fn choose(&mut self, batch: &Batch, path: [u64; 3]) {
        // Contraction moves every row of the first layer; tied, that is every row of the last.
        let moves_all = self.shape.tied && self.contractive > 0.0;
        if self.is_sampled() && !batch.target.is_dense() && !moves_all {
            let mut rng = Rng::stream(self.seed, &[streams::SAMPLE, path[0], path[1], path[2]]);
            // Tied, the first layer's rows are moved with the last's.
            let input: &[u32] = if self.shape.tied { &batch.input.columns } else { &[] };
            self.candidates.choose([&batch.target.columns[..], input].into_iter(), self.samples, &mut rng);
        } else {
            self.candidates.all();
        }
        if self.shape.tied {
            self.touched.rows.clone_from(&self.candidates.rows);
            self.touched.name();
        } else if batch.input.is_dense() || self.contractive > 0.0 {
            self.touched.all();
        } else {
            self.touched.read_by(&batch.input);
        }
    }

    /// Moves every table.
    fn update(&mut self, batch: &Batch, sums: &[f32], middle: &[Vec<f32>], moments: &[f32], clock: &Clock) {
        let units = self.shape.first_units();
        let is_tied = self.shape.tied;
        let range = self.shape.middle();
        for (table, gradient) in self.tables[range].iter_mut().zip(middle) {
            table.update_all(gradient, clock);
        }
        let mut bias = vec![0.0; units];
        sums.chunks_exact(units).for_each(|sums| vector::add_scaled(&mut bias, 1.0, sums));
        self.tables[1].update_all(&bias, clock);

        let Self { tables, touched, candidates, output, .. } = self;
        let (first, rest) = tables.split_first_mut().expect("a first layer");
        let width = first.cols();
        let last_gradient = &output.gradient;
        let move_first = || {
            first.parts(&touched.rows, PIECE).into_par_iter().enumerate().for_each(|(at, (rows, mut part))| {
                let from = at * PIECE;
                let mut gradient = match is_tied {
                    true => last_gradient[from * width..(from + rows.len()) * width].to_vec(),
                    false => vec![0.0; rows.len() * width],
                };
                if batch.input.is_dense() {
                    add_dense(&mut gradient, &batch.input, rows, sums, units, width);
                } else {
                    touched.add(&mut gradient, from, rows.len(), sums, units, width);
                }
                if !moments.is_empty() {
                    add_contraction(&mut gradient, &part, rows, moments, units, width);
                }
                for (&row, gradient) in rows.iter().zip(gradient.chunks_exact(width)) {
                    part.update(row, gradient, clock);
                }
            });
        };
        let move_last = || {
            if let Some(last) = rest.last_mut().filter(|_| !is_tied) {
                let width = last.cols();
                last.parts(&candidates.rows, PIECE).into_par_iter().enumerate().for_each(|(at, (rows, mut part))| {
                    let gradient = last_gradient[at * PIECE * width..].chunks_exact(width);
                    rows.iter().zip(gradient).for_each(|(&row, gradient)| part.update(row, gradient, clock));
                });
            }
        };
        rayon::join(move_first, move_last);
    }
}

impl Touched {
    /// Adds the gradients of some touched rows, from those of the sums that they are part of.
    fn add(&self, gradient: &mut [f32], from: usize, count: usize, sums: &[f32], units: usize, width: usize) {
        for (at, gradient) in (from..from + count).zip(gradient.chunks_exact_mut(width)) {
            let start = if at == 0 { 0 } else { self.ends[at - 1] };
            for &(row, value) in &self.uses[start..self.ends[at]] {
                vector::add_scaled(&mut gradient[..units], value, &sums[row as usize * units..][..units]);
            }
        }
    }
}

/// The same for dense rows, of which `rows` are consecutive columns.
fn add_dense(gradient: &mut [f32], input: &Rows, rows: &[u32], sums: &[f32], units: usize, width: usize) {
    let count = sums.len() / units;
    let columns = View::new(&input.values[rows[0] as usize..], count, rows.len(), input.cols);
    let mut product = vec![0.0; rows.len() * units];
    multiply(columns.transposed(), View::new(sums, count, units, units), &mut product);
    for (gradient, product) in gradient.chunks_exact_mut(width).zip(product.chunks_exact(units)) {
        vector::add_scaled(&mut gradient[..units], 1.0, product);
    }
}

/// The contractive penalty's gradient: the rows themselves, times the moments.
fn add_contraction(gradient: &mut [f32], part: &Part<'_>, rows: &[u32], moments: &[f32], units: usize, width: usize) {
    let weights: Vec<f32> = rows.iter().flat_map(|&row| &part.row(row)[..units]).copied().collect();
    let mut product = vec![0.0; rows.len() * units];
    multiply(View::new(&weights, rows.len(), units, units), View::new(moments, units, units, units), &mut product);
    for (gradient, product) in gradient.chunks_exact_mut(width).zip(product.chunks_exact(units)) {
        vector::add_scaled(&mut gradient[..units], 1.0, product);
    }
}

/// The products of the first layer's columns, units x units.
fn gram(first: &Table, units: usize) -> Vec<f32> {
    let weights = View::new(&first.weights, first.rows(), units, first.cols());
    let mut gram = vec![0.0; units * units];
    multiply(weights.transposed(), weights, &mut gram);
    gram
}

/// What keeps the code sparse: the penalty, and its gradient by the code's numbers (rows x code).
fn penalty(sparse: Sparsity, code: usize, rows: usize, passes: &[Pass]) -> (f64, Option<Vec<f32>>) {
    let share = 1.0 / rows as f64;
    let codes = || passes.iter().flat_map(|pass| &pass.codes);
    match sparse {
        Sparsity::None | Sparsity::TopK(_) => (0.0, None),
        Sparsity::L1(weight) => {
            let penalty = codes().map(|&value| f64::from(value.abs())).sum::<f64>() * weight * share;
            let sign = |&value: &f32| if value == 0.0 { 0.0 } else { (weight * share) as f32 * value.signum() };
            (penalty, Some(codes().map(sign).collect()))
        }
        Sparsity::Kl { rho, beta } => {
            let mut means = vec![0f64; code];
            for pass in passes {
                for row in pass.codes.chunks_exact(code) {
                    means.iter_mut().zip(row).for_each(|(mean, &value)| *mean += f64::from(value) * share);
                }
            }
            let means = means.into_iter().map(|mean| mean.clamp(1e-4, 1.0 - 1e-4));
            let (penalties, slopes): (Vec<f64>, Vec<f32>) = means
                .map(|mean| {
                    let divergence = rho * (rho / mean).ln() + (1.0 - rho) * ((1.0 - rho) / (1.0 - mean)).ln();
                    let slope = -rho / mean + (1.0 - rho) / (1.0 - mean);
                    (beta * divergence, (beta * share * slope) as f32)
                })
                .unzip();
            (penalties.iter().sum(), Some((0..rows).flat_map(|_| slopes.iter().copied()).collect()))
        }
    }
}

/// The tasks' gradients: of the sums one after another, of the weights added up in the tasks' order.
fn joined(gradients: Vec<(Vec<f32>, Vec<Vec<f32>>)>) -> (Vec<f32>, Vec<Vec<f32>>) {
    let mut all = gradients.into_iter();
    let (mut sums, mut weights) = all.next().unwrap_or_default();
    for (more_sums, more_weights) in all {
        sums.extend(more_sums);
        for (into, from) in weights.iter_mut().zip(&more_weights) {
            vector::add_scaled(into, 1.0, from);
        }
    }
    (sums, weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autoencoder::config::{Predict, Weighting};
    use crate::autoencoder::prepare::Preparation;
    use crate::math::{Samples, SparseMatrix};

    #[test]
    fn contraction_moves_every_row_even_where_columns_are_sampled() -> Result<()> {
        let columns = FULL + 100;
        let mut matrix = SparseMatrix::empty(columns);
        (0..4).for_each(|row| matrix.push([(row, 1.0), (row + 10, 2.0)]));
        let samples: Samples = matrix.into();
        for tied in [false, true] {
            let config = AutoencoderConfig { code: Some(3), tied, contractive: 0.1, samples: 50, ..Default::default() };
            let config = config.resolved(true)?;
            let data = Data {
                input: &samples,
                target: &samples,
                prepare_input: Preparation::of_input(Weighting::Counts, &samples),
                prepare_target: Preparation::of_target(Weighting::Counts, 0.0, &samples),
                noise: Corruption::None,
                predict: Predict::All,
            };
            let mut model = Model::new(&config, Shape::new(&config, columns, columns));
            model.begin(model.shape.start(true, 1, &[], &vec![0.0; columns]));
            model.step(&data, &[0, 1, 2, 3], &Clock::new(1e-2, 1.0, 0.0, 10, 10), [0; 3])?;
            let table = &model.tables[0];
            let moved = table.first.chunks(table.cols()).filter(|row| row[..3].iter().any(|&m| m != 0.0)).count();
            assert_eq!(moved, columns, "tied {tied}");
        }
        Ok(())
    }
}
