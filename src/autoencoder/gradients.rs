//! Tests of whole steps: their losses and gradients against a plain network in `f64`, differenced, and against candle's.

use candle_core::{DType, Device, Tensor, Var};

use super::batch::Data;
use super::config::{Activation, AutoencoderConfig, Corruption, Loss, Predict, Sparsity, Weighting};
use super::network::Shape;
use super::prepare::Preparation;
use super::stack::{Contractive, Stack};
use super::step::Model;
use super::streams;
use super::table::Clock;
use crate::error::Result;
use crate::math::{Matrix, Rng, Samples, SparseMatrix};

/// Rows of the step, and columns.
const ROWS: usize = 5;
const COLS: usize = 9;
/// What the first step of Adam leaves of a gradient in the first moment.
const FIRST: f64 = 0.1;

type Tables = Vec<Vec<f64>>;
type Grid = Vec<Vec<f64>>;

/// The network written down naively: every product a loop, every number `f64`.
struct Plain {
    shape: Shape,
    loss: Loss,
    contractive: f64,
    /// The estimator's signs, a row each; without them the Jacobian's norm is exact.
    signs: Option<Grid>,
}

fn value(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Relu => x.max(0.0),
        Activation::Linear => x,
    }
}

/// The derivative, from the value at which it is taken.
fn slope(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Tanh => 1.0 - x.tanh().powi(2),
        Activation::Sigmoid => value(activation, x) * (1.0 - value(activation, x)),
        Activation::Relu => f64::from(u8::from(x > 0.0)),
        Activation::Linear => 1.0,
    }
}

impl Plain {
    /// Weights (units x inputs) and biases of the encoder's layers, the first included.
    fn encoder(&self, tables: &Tables) -> Vec<(Grid, Vec<f64>)> {
        let (units, stride) = (self.shape.first_units(), self.shape.layout()[0].cols);
        let first = (0..units).map(|unit| (0..self.shape.inputs).map(|col| tables[0][col * stride + unit]).collect());
        let mut layers = vec![(first.collect(), tables[1].clone())];
        for (at, [from, _]) in self.shape.encoder_widths().into_iter().enumerate() {
            layers.push((tables[2 + 2 * at].chunks(from).map(<[f64]>::to_vec).collect(), tables[3 + 2 * at].clone()));
        }
        layers
    }

    /// The same of the decoder, the last layer included.
    fn decoder(&self, tables: &Tables) -> Vec<(Grid, Vec<f64>)> {
        let encoder = self.encoder(tables);
        let mut next = 2 + 2 * self.shape.hidden.len();
        let mut layers = Vec::new();
        for (at, [_, from]) in self.shape.encoder_widths().into_iter().rev().enumerate() {
            let weights: Grid = if self.shape.tied {
                transposed(&encoder[encoder.len() - 1 - at].0)
            } else {
                next += 1;
                tables[next - 1].chunks(from).map(<[f64]>::to_vec).collect()
            };
            layers.push((weights, tables[next].clone()));
            next += 1;
        }
        let units = self.shape.first_units();
        let last = &tables[self.shape.last()];
        layers.push(last.chunks(units + 1).map(|row| (row[..units].to_vec(), row[units])).unzip());
        layers
    }

    /// The code of a row, and its Jacobian by the row (code x inputs).
    fn code(&self, tables: &Tables, row: &[f64]) -> (Vec<f64>, Grid) {
        let (mut values, mut jacobian) = (row.to_vec(), Grid::new());
        for (layer, (weights, bias)) in self.encoder(tables).iter().enumerate() {
            let activation = self.shape.activation_of(layer);
            let sums: Vec<f64> = weights.iter().zip(bias).map(|(w, b)| dot(w, &values) + b).collect();
            let product: Grid = match layer {
                0 => weights.clone(),
                _ => {
                    let columns = transposed(&jacobian);
                    weights.iter().map(|w| columns.iter().map(|column| dot(w, column)).collect()).collect()
                }
            };
            let scaled = |(row, &sum): (&Vec<f64>, &f64)| row.iter().map(|x| x * slope(activation, sum)).collect();
            jacobian = product.iter().zip(&sums).map(scaled).collect();
            values = sums.iter().map(|&sum| value(activation, sum)).collect();
        }
        if let Sparsity::TopK(units) = self.shape.sparse {
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
            for &silent in &order[units..] {
                values[silent] = 0.0;
                jacobian[silent].fill(0.0);
            }
        }
        (values, jacobian)
    }

    fn total(&self, tables: &Tables, input: &Grid, target: &Grid) -> f64 {
        let (mut total, rows) = (0.0, input.len() as f64);
        let mut means = vec![0.0; self.shape.code];
        let decoder = self.decoder(tables);
        for (at, (row, target)) in input.iter().zip(target).enumerate() {
            let (code, jacobian) = self.code(tables, row);
            means.iter_mut().zip(&code).for_each(|(mean, value)| *mean += value / rows);
            if let Sparsity::L1(weight) = self.shape.sparse {
                total += weight * code.iter().map(|value| value.abs()).sum::<f64>() / rows;
            }
            let norm: f64 = match &self.signs {
                None => jacobian.iter().flatten().map(|x| x * x).sum(),
                Some(signs) => transposed(&jacobian).iter().map(|column| dot(column, &signs[at]).powi(2)).sum(),
            };
            total += self.contractive * norm / rows;
            let mut values = code;
            for (layer, (weights, bias)) in decoder.iter().enumerate() {
                let is_last = layer + 1 == decoder.len();
                let activation = if is_last { Activation::Linear } else { self.shape.activation };
                values = weights.iter().zip(bias).map(|(w, b)| value(activation, dot(w, &values) + b)).collect();
            }
            total += row_loss(self.loss, &values, target) / rows;
        }
        if let Sparsity::Kl { rho, beta } = self.shape.sparse {
            let kl = |m: f64| rho * (rho / m).ln() + (1.0 - rho) * ((1.0 - rho) / (1.0 - m)).ln();
            total += beta * means.into_iter().map(kl).sum::<f64>();
        }
        total
    }

    /// Central differences by every weight.
    fn gradients(&self, tables: &Tables, input: &Grid, target: &Grid) -> Tables {
        let mut moved = tables.clone();
        let mut gradients = tables.clone();
        for (table, gradients) in gradients.iter_mut().enumerate() {
            for (at, gradient) in gradients.iter_mut().enumerate() {
                let mut loss = |by: f64| {
                    moved[table][at] = tables[table][at] + by;
                    self.total(&moved, input, target)
                };
                *gradient = (loss(1e-6) - loss(-1e-6)) / 2e-6;
                moved[table][at] = tables[table][at];
            }
        }
        gradients
    }
}

fn row_loss(loss: Loss, sums: &[f64], target: &[f64]) -> f64 {
    let pairs = sums.iter().zip(target);
    match loss {
        Loss::Mse => pairs.map(|(sum, target)| (sum - target).powi(2)).sum(),
        Loss::Bce => pairs.map(|(sum, target)| sum.exp().ln_1p() - target * sum).sum(),
        Loss::Multinomial => {
            let normaliser = sums.iter().map(|sum| sum.exp()).sum::<f64>().ln();
            pairs.map(|(sum, target)| target * (normaliser - sum)).sum()
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn transposed(grid: &Grid) -> Grid {
    (0..grid[0].len()).map(|col| grid.iter().map(|row| row[col]).collect()).collect()
}

/// Numbers from `low` to `high` that `f32` holds, of which a share is zero.
fn grid(rows: usize, cols: usize, low: f64, high: f64, zeros: f32, rng: &mut Rng) -> Grid {
    let mut number = |_| match rng.uniform() < zeros {
        true => 0.0,
        false => f64::from((low + (high - low) * f64::from(rng.uniform())) as f32),
    };
    (0..rows).map(|_| (0..cols).map(&mut number).collect()).collect()
}

fn samples(grid: &Grid, is_sparse: bool) -> Result<Samples> {
    let cols = grid[0].len();
    if !is_sparse {
        let numbers = grid.iter().flatten().map(|&x| x as f32).collect();
        return Ok(Matrix::from_vec(grid.len(), cols, numbers)?.into());
    }
    let mut matrix = SparseMatrix::empty(cols);
    for row in grid {
        let entries = row.iter().enumerate().filter(|(_, x)| **x != 0.0);
        matrix.push(entries.map(|(col, &x)| (col as u32, x as f32)));
    }
    Ok(matrix.into())
}

/// One network, its data, and a step on them.
struct Case {
    plain: Plain,
    tables: Tables,
    input: Grid,
    target: Grid,
    is_sparse: bool,
    config: AutoencoderConfig,
}

impl Case {
    fn new(config: AutoencoderConfig, is_sparse: bool) -> Result<Self> {
        let config = AutoencoderConfig {
            input: Some(Weighting::Counts),
            target_input: Some(Weighting::Counts),
            sif: Some(0.0),
            noise: Some(Corruption::None),
            decay: Some(0.0),
            ..config
        }
        .resolved(is_sparse)?;
        let shape = Shape::new(&config, COLS, COLS);
        let mut rng = Rng::stream(7, &[]);
        let input = grid(ROWS, COLS, 0.1, 1.0, if is_sparse { 0.5 } else { 0.1 }, &mut rng);
        let target = grid(ROWS, COLS, 0.1, 1.0, if is_sparse { 0.5 } else { 0.1 }, &mut rng);
        let tables = shape.layout().into_iter().map(|spec| {
            let limit = 2.0 / (spec.cols as f64).sqrt();
            grid(1, spec.rows * spec.cols, -limit, limit, 0.0, &mut rng).concat()
        });
        let tables = tables.collect();
        let plain = Plain { shape, loss: config.settings().loss, contractive: config.contractive, signs: None };
        Ok(Self { plain, tables, input, target, is_sparse, config })
    }

    /// The loss and the gradients of a step of the trainer's.
    fn step(&self) -> Result<(f64, Tables)> {
        let (input, target) = (samples(&self.input, self.is_sparse)?, samples(&self.target, self.is_sparse)?);
        let plain = |samples| Preparation::of_input(Weighting::Counts, samples);
        let data = Data {
            input: &input,
            target: &target,
            prepare_input: plain(&input),
            prepare_target: plain(&target),
            noise: Corruption::None,
            predict: Predict::All,
        };
        let mut model = Model::new(&self.config, self.plain.shape.clone());
        model.begin(self.tables.iter().map(|table| table.iter().map(|&x| x as f32).collect()).collect());
        let rows: Vec<u32> = (0..ROWS as u32).collect();
        let loss = model.step(&data, &rows, &Clock::new(1e-3, 1.0, 0.0, 10, 10), [0; 3])?;
        let moments = model.tables.iter().map(|table| table.first.iter().map(|&m| f64::from(m) / FIRST).collect());
        Ok((loss, moments.collect()))
    }

    fn check(&self, what: &str) -> Result<()> {
        let loss = self.plain.total(&self.tables, &self.input, &self.target);
        let gradients = self.plain.gradients(&self.tables, &self.input, &self.target);
        self.compare(what, loss, &gradients)
    }

    fn compare(&self, what: &str, loss: f64, gradients: &Tables) -> Result<()> {
        let (found_loss, found) = self.step()?;
        assert!((found_loss / loss - 1.0).abs() < 1e-5, "{what}: loss {found_loss}, expected {loss}");
        for ((spec, found), expected) in self.plain.shape.layout().iter().zip(&found).zip(gradients) {
            let size = expected.iter().fold(1e-3, |most: f64, x| most.max(x.abs()));
            for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert!(
                    (found - expected).abs() < 1e-4 * size,
                    "{what}: gradient {at} of {}: {found}, expected {expected}",
                    spec.name
                );
            }
        }
        Ok(())
    }

    /// The signs that the estimator of a deep network's Jacobian draws in this step.
    fn draw_signs(&mut self) {
        let size = ROWS.div_ceil(2);
        let mut signs = Grid::new();
        for start in (0..ROWS).step_by(size) {
            let mut rng = Rng::stream(1, &[streams::SIGNS, 0, start as u64]);
            for _ in start..(start + size).min(ROWS) {
                let code = self.plain.shape.code;
                signs.push((0..code).map(|_| if rng.below(2) == 0 { -1.0 } else { 1.0 }).collect());
            }
        }
        self.plain.signs = Some(signs);
    }
}

const ACTIVATIONS: [Activation; 4] = [Activation::Tanh, Activation::Sigmoid, Activation::Relu, Activation::Linear];

#[test]
fn steps_follow_the_gradient_in_every_shape() -> Result<()> {
    for activation in ACTIVATIONS {
        for (hidden, code) in [(vec![], 4), (vec![5], 3), (vec![6, 5], 12)] {
            for tied in [false, true] {
                for loss in [Loss::Multinomial, Loss::Mse, Loss::Bce] {
                    for is_sparse in [false, true] {
                        let config = AutoencoderConfig {
                            code: Some(code),
                            hidden: hidden.clone(),
                            tied,
                            activation: Some(activation),
                            loss: Some(loss),
                            ..Default::default()
                        };
                        let what = format!("{activation:?} {hidden:?} tied {tied} {loss:?} sparse rows {is_sparse}");
                        Case::new(config, is_sparse)?.check(&what)?;
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn sparsity_adds_its_penalty_and_gradient() -> Result<()> {
    for hidden in [vec![], vec![5]] {
        for (sparse, code_activation) in [
            (Sparsity::L1(0.3), Activation::Tanh),
            (Sparsity::L1(0.3), Activation::Relu),
            (Sparsity::Kl { rho: 0.05, beta: 0.7 }, Activation::Sigmoid),
            (Sparsity::TopK(2), Activation::Tanh),
            (Sparsity::TopK(2), Activation::Linear),
        ] {
            for tied in [false, true] {
                let config = AutoencoderConfig {
                    code: Some(6),
                    hidden: hidden.clone(),
                    tied,
                    activation: Some(Activation::Tanh),
                    code_activation: Some(code_activation),
                    sparse,
                    ..Default::default()
                };
                let case = Case::new(config.clone(), false)?;
                case.check(&format!("{sparse} {code_activation:?} {hidden:?} tied {tied}"))?;
                let without = Case::new(AutoencoderConfig { sparse: Sparsity::None, ..config }, false)?;
                let [with, without] = [case.step()?.0, without.step()?.0];
                assert!((with - without).abs() > 1e-2, "{sparse} changes the loss: {with}, {without}");
            }
        }
    }
    Ok(())
}

#[test]
fn contraction_adds_the_jacobians_norm_and_its_gradient() -> Result<()> {
    for activation in ACTIVATIONS {
        for (hidden, sparse) in [(vec![], Sparsity::None), (vec![5], Sparsity::None), (vec![6, 5], Sparsity::TopK(2))] {
            for (tied, is_sparse) in [(false, false), (false, true), (true, false), (true, true)] {
                let config = AutoencoderConfig {
                    code: Some(4),
                    hidden: hidden.clone(),
                    tied,
                    activation: Some(activation),
                    loss: Some(Loss::Mse),
                    contractive: 0.8,
                    sparse,
                    ..Default::default()
                };
                let mut case = Case::new(config, is_sparse)?;
                if !hidden.is_empty() {
                    case.draw_signs();
                }
                case.check(&format!("{activation:?} {hidden:?} {sparse} tied {tied} sparse rows {is_sparse}"))?;
            }
        }
    }
    Ok(())
}

#[test]
fn silenced_units_of_one_layer_do_not_count_in_the_jacobian() -> Result<()> {
    for activation in ACTIVATIONS {
        let config = AutoencoderConfig {
            code: Some(6),
            activation: Some(activation),
            contractive: 0.8,
            sparse: Sparsity::TopK(2),
            ..Default::default()
        };
        Case::new(config, false)?.check(&format!("{activation:?}"))?;
    }
    Ok(())
}

#[test]
fn the_jacobian_of_the_plain_network_is_that_of_its_differences() -> Result<()> {
    let config = AutoencoderConfig {
        code: Some(4),
        hidden: vec![6, 5],
        activation: Some(Activation::Tanh),
        ..Default::default()
    };
    let case = Case::new(config, false)?;
    let (_, jacobian) = case.plain.code(&case.tables, &case.input[0]);
    for col in 0..COLS {
        let moved = |by: f64| {
            let mut row = case.input[0].clone();
            row[col] += by;
            case.plain.code(&case.tables, &row).0
        };
        for (unit, (up, down)) in moved(1e-5).iter().zip(moved(-1e-5)).enumerate() {
            assert!(((up - down) / 2e-5 - jacobian[unit][col]).abs() < 1e-8, "unit {unit} by column {col}");
        }
    }
    Ok(())
}

#[test]
fn three_hundred_draws_estimate_the_jacobian_of_a_deep_encoder_within_two_percent() -> Result<()> {
    let config = AutoencoderConfig {
        code: Some(4),
        hidden: vec![6, 5],
        activation: Some(Activation::Tanh),
        ..Default::default()
    };
    let case = Case::new(config, false)?;
    let shape = &case.plain.shape;
    let exact: f64 = case
        .input
        .iter()
        .flat_map(|row| case.plain.code(&case.tables, row).1)
        .flatten()
        .map(|slope| slope * slope)
        .sum();
    let encoder = case.plain.encoder(&case.tables);
    let (first, bias) = &encoder[0];
    let sums = case.input.iter().flat_map(|row| first.iter().zip(bias).map(|(w, b)| (dot(w, row) + b) as f32));
    let sums: Vec<f32> = sums.collect();
    let gram: Vec<f32> = first.iter().flat_map(|a| first.iter().map(|b| dot(a, b) as f32)).collect();
    let tables: Vec<Vec<f32>> = case.tables.iter().map(|table| table.iter().map(|&x| x as f32).collect()).collect();
    let middle: Vec<&[f32]> = tables[shape.middle()].iter().map(Vec::as_slice).collect();
    let stack = Stack::new(shape, &middle)?;
    let draws = (0..300).map(|draw| {
        let contractive = Contractive { weight: 1.0, gram: &gram, seed: 3, path: [0, 0, draw] };
        Ok(stack.forward(&sums, Some(contractive))?.contraction.expect("asked for").loss)
    });
    let draws: Vec<f64> = draws.collect::<Result<_>>()?;
    let mean = draws.iter().sum::<f64>() / 300.0;
    assert!((mean / exact - 1.0).abs() < 0.02, "mean {mean}, exact {exact}");
    assert!(draws.iter().any(|draw| (draw / exact - 1.0).abs() > 0.02), "one draw alone is no measure");
    Ok(())
}

/// The gradients of one tanh layer by candle's automatic differentiation, everything dense.
fn by_candle(case: &Case) -> Result<(f64, Tables)> {
    let (shape, device) = (&case.plain.shape, &Device::Cpu);
    let tensor = |rows: &Grid| Tensor::from_vec(rows.concat(), (rows.len(), rows[0].len()), device);
    let vars = shape
        .layout()
        .into_iter()
        .zip(&case.tables)
        .map(|(spec, table)| Ok(Var::from_tensor(&Tensor::from_slice(table, (spec.rows, spec.cols), device)?)?));
    let vars: Vec<Var> = vars.collect::<Result<_>>()?;
    let units = shape.code;
    let weights = vars[0].narrow(1, 0, units)?;
    let code = tensor(&case.input)?.matmul(&weights)?.broadcast_add(&vars[1])?.tanh()?;
    let last = vars[shape.last()].as_tensor();
    let sums = code.matmul(&last.narrow(1, 0, units)?.t()?)?.broadcast_add(&last.narrow(1, units, 1)?.t()?)?;
    let target = tensor(&case.target)?;
    let log = candle_nn::ops::log_softmax(&sums, 1)?;
    let loss = ((target * log)?.sum_all()? * (-1.0 / ROWS as f64))?;
    let slopes = code.sqr()?.affine(-1.0, 1.0)?.sqr()?;
    let norm = slopes.broadcast_mul(&weights.sqr()?.sum_keepdim(0)?)?.sum_all()?;
    let loss = (loss + (norm * (case.plain.contractive / ROWS as f64))?)?;
    let gradients = loss.backward()?;
    let of = |var: &Var| Ok(gradients.get(var).expect("part of the graph").flatten_all()?.to_vec1()?);
    Ok((loss.to_dtype(DType::F64)?.to_scalar()?, vars.iter().map(of).collect::<Result<_>>()?))
}

#[test]
fn sparse_steps_are_those_of_candle_on_dense_tensors() -> Result<()> {
    for tied in [false, true] {
        for contractive in [0.0, 0.5] {
            let config = AutoencoderConfig { code: Some(4), tied, contractive, ..Default::default() };
            let case = Case::new(config, true)?;
            let (loss, gradients) = by_candle(&case)?;
            case.compare(&format!("tied {tied}, contractive {contractive}"), loss, &gradients)?;
        }
    }
    Ok(())
}
