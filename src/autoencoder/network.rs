//! The network: what its layers are, where their weights begin, and how rows become codes and rows again.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::config::{Activation, AutoencoderConfig, Loss, Sparsity};
use super::prepare::Preparation;
use super::stack::{Stack, backend};
use crate::error::{Error, Result};
use crate::math::{Matrix, Rng, Samples, View, multiply, vector};

/// Rows that one task takes through the network.
const ROWS: usize = 64;

/// The network without its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub inputs: usize,
    pub outputs: usize,
    pub hidden: Vec<usize>,
    pub code: usize,
    pub tied: bool,
    pub activation: Activation,
    pub code_activation: Activation,
    pub sparse: Sparsity,
}

/// A table of weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spec {
    pub name: String,
    pub rows: usize,
    pub cols: usize,
    /// The last numbers of each row that are biases.
    pub biases: usize,
}

impl Shape {
    pub fn new(config: &AutoencoderConfig, inputs: usize, outputs: usize) -> Self {
        let settings = config.settings();
        Self {
            inputs,
            outputs,
            hidden: config.hidden.clone(),
            code: settings.code,
            tied: config.tied,
            activation: settings.activation,
            code_activation: settings.code_activation,
            sparse: config.sparse,
        }
    }

    /// Units of the first layer, and of the last hidden one, which mirrors it.
    pub fn first_units(&self) -> usize {
        self.hidden.first().copied().unwrap_or(self.code)
    }

    /// Inputs and units of the encoder's layers after the first; those of the decoder before the last mirror them.
    pub fn encoder_widths(&self) -> Vec<[usize; 2]> {
        let widths: Vec<usize> = self.hidden.iter().copied().chain([self.code]).collect();
        widths.windows(2).map(|pair| [pair[0], pair[1]]).collect()
    }

    /// The activation of an encoder's layer, counted from 0.
    pub fn activation_of(&self, layer: usize) -> Activation {
        if layer == self.hidden.len() { self.code_activation } else { self.activation }
    }

    /// All tables: the first layer's weights (a row for each column of the input) and biases, the middle's, and the last
    /// layer's (a row for each column of the output, its bias at the end), which is the first's if tied.
    pub fn layout(&self) -> Vec<Spec> {
        let units = self.first_units();
        let mut specs = Vec::new();
        let mut push = |name: String, rows, cols, biases| specs.push(Spec { name, rows, cols, biases });
        push("first".into(), self.inputs, units + usize::from(self.tied), usize::from(self.tied));
        push("first.bias".into(), 1, units, units);
        for (at, [from, to]) in self.encoder_widths().into_iter().enumerate() {
            push(format!("encoder.{at}"), to, from, 0);
            push(format!("encoder.{at}.bias"), 1, to, to);
        }
        for (at, [to, from]) in self.encoder_widths().into_iter().rev().enumerate() {
            if !self.tied {
                push(format!("decoder.{at}"), to, from, 0);
            }
            push(format!("decoder.{at}.bias"), 1, to, to);
        }
        if !self.tied {
            push("last".into(), self.outputs, units + 1, 1);
        }
        specs
    }

    /// The tables' beginnings. Wide layers over sparse rows start near zero, as word2vec's do: the random start of a rare
    /// word would otherwise outlive its training. Dense layers start as Glorot and Bengio (2010) say.
    pub fn start(&self, is_sparse: bool, seed: u64, path: &[u64], bias: &[f32]) -> Vec<Vec<f32>> {
        let layout = self.layout();
        let mut tables = Vec::new();
        for (at, spec) in layout.iter().enumerate() {
            let is_wide = spec.name == "first" || spec.name == "last";
            let is_last = if self.tied { spec.name == "first" } else { spec.name == "last" };
            let limit = match (is_wide && is_sparse, spec.name.as_str()) {
                (true, "first") => 0.005,
                (true, _) => 0.05,
                _ if spec.rows == 1 && spec.biases > 0 => 0.0,
                _ => (6.0 / (spec.rows + spec.cols - spec.biases) as f32).sqrt(),
            };
            let mut table = vec![0f32; spec.rows * spec.cols];
            for (row, numbers) in table.chunks_exact_mut(spec.cols.max(1)).enumerate() {
                let mut name = path.to_vec();
                name.extend([at as u64, row as u64]);
                let mut rng = Rng::stream(seed, &name);
                let weights = spec.cols - spec.biases;
                numbers[..weights].iter_mut().for_each(|weight| *weight = limit * (2.0 * rng.uniform() - 1.0));
                if is_last {
                    numbers[weights] = bias[row];
                }
            }
            tables.push(table);
        }
        tables
    }

    /// Where the last layer's table stands among all.
    pub fn last(&self) -> usize {
        if self.tied { 0 } else { self.layout().len() - 1 }
    }

    /// The middle's tables among all.
    pub fn middle(&self) -> std::ops::Range<usize> {
        2..self.layout().len() - usize::from(!self.tied)
    }
}

/// A network with its weights, after training.
#[derive(Debug, Clone)]
pub(super) struct Network {
    pub shape: Shape,
    pub input: Preparation,
    /// The mean code of training, which is taken off every code; empty if it is not.
    pub center: Vec<f32>,
    /// In the order of [`Shape::layout`].
    pub tables: Vec<Vec<f32>>,
}

/// The first layer's sums for one block of rows that are prepared already.
pub(super) fn first_sums(first: &[f32], stride: usize, bias: &[f32], block: Block<'_>) -> Vec<f32> {
    let units = bias.len();
    match block {
        Block::Sparse { ends, columns, values } => {
            let mut sums = Vec::with_capacity(ends.len() * units);
            let mut start = 0;
            for &end in ends {
                let at = sums.len();
                sums.extend_from_slice(bias);
                vector::add_rows(&mut sums[at..], first, stride, &columns[start..end], &values[start..end]);
                start = end;
            }
            sums
        }
        Block::Dense { cols, values } => {
            let rows = values.len() / cols.max(1);
            let mut sums = vec![0.0; rows * units];
            multiply(View::new(values, rows, cols, cols), View::new(first, cols, units, stride), &mut sums);
            for sums in sums.chunks_exact_mut(units) {
                vector::add_scaled(sums, 1.0, bias);
            }
            sums
        }
    }
}

/// Rows, prepared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Block<'a> {
    /// Where each row ends, columns and values.
    Sparse { ends: &'a [usize], columns: &'a [u32], values: &'a [f32] },
    /// Row after row.
    Dense { cols: usize, values: &'a [f32] },
}

impl Network {
    fn stack(&self) -> Result<Stack<'_>> {
        let middle: Vec<&[f32]> = self.tables[self.shape.middle()].iter().map(Vec::as_slice).collect();
        Stack::new(&self.shape, &middle).map_err(backend)
    }

    fn check(&self, what: &str, expected: usize, found: usize) -> Result<()> {
        if expected == found { Ok(()) } else { Err(Error::mismatch(what, expected, found)) }
    }

    /// Adds the center to codes, or takes it off.
    fn shift(&self, codes: &mut [f32], factor: f32) {
        if !self.center.is_empty() {
            codes.chunks_exact_mut(self.shape.code).for_each(|code| vector::add_scaled(code, factor, &self.center));
        }
    }

    /// The mean code of some rows, summed in their order.
    pub fn mean_code(&self, samples: &Samples, rows: &[u32]) -> Result<Vec<f32>> {
        let mut mean = vec![0f64; self.shape.code];
        for part in rows.chunks(1 << 14) {
            for code in self.encode(&samples.chosen(part))?.iter_rows() {
                mean.iter_mut().zip(code).for_each(|(mean, &value)| *mean += f64::from(value) / rows.len() as f64);
            }
        }
        Ok(mean.into_iter().map(|mean| mean as f32).collect())
    }

    /// The codes of rows.
    pub fn encode(&self, rows: &Samples) -> Result<Matrix> {
        self.check("columns of the rows to encode", self.shape.inputs, rows.cols())?;
        let stack = self.stack()?;
        let stride = self.shape.first_units() + usize::from(self.shape.tied);
        let blocks: Vec<usize> = (0..rows.rows()).step_by(ROWS).collect();
        let codes = blocks.into_par_iter().map(|start| {
            let range = start..(start + ROWS).min(rows.rows());
            let (mut ends, mut columns, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for row in range {
                match rows {
                    Samples::Sparse(matrix) => {
                        let row = matrix.row(row);
                        columns.extend_from_slice(row.indices);
                        self.input.sparse(row, &mut values);
                        ends.push(columns.len());
                    }
                    Samples::Dense(matrix) => self.input.dense(matrix.row(row), &mut values),
                }
            }
            let block = match rows {
                Samples::Sparse(_) => Block::Sparse { ends: &ends, columns: &columns, values: &values },
                Samples::Dense(matrix) => Block::Dense { cols: matrix.cols(), values: &values },
            };
            let mut codes =
                stack.codes(&first_sums(&self.tables[0], stride, &self.tables[1], block)).map_err(backend)?;
            self.shift(&mut codes, -1.0);
            Ok(codes)
        });
        let codes: Vec<Vec<f32>> = codes.collect::<Result<_>>()?;
        Matrix::from_vec(rows.rows(), self.shape.code, codes.concat())
    }

    /// The last layer's sums for codes, rows x outputs.
    pub fn decode(&self, codes: &Matrix) -> Result<Matrix> {
        self.check("numbers of the codes to decode", self.shape.code, codes.cols())?;
        let stack = self.stack()?;
        let (units, outputs) = (self.shape.first_units(), self.shape.outputs);
        let last = &self.tables[self.shape.last()];
        let sums = codes.as_slice().par_chunks((ROWS * self.shape.code).max(1)).map(|codes| {
            let mut codes = codes.to_vec();
            self.shift(&mut codes, 1.0);
            let hidden = with_ones(&stack.hidden_of(&codes).map_err(backend)?, units);
            let rows = hidden.len() / (units + 1);
            let mut sums = vec![0.0; rows * outputs];
            let last = View::new(last, outputs, units + 1, units + 1).transposed();
            multiply(View::new(&hidden, rows, units + 1, units + 1), last, &mut sums);
            Ok(sums)
        });
        let sums: Vec<Vec<f32>> = sums.collect::<Result<_>>()?;
        Matrix::from_vec(codes.rows(), outputs, sums.concat())
    }
}

/// Rows with a one behind each, which the last layer's biases are multiplied by.
pub(super) fn with_ones(rows: &[f32], units: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows.len() / units.max(1) * (units + 1));
    for row in rows.chunks_exact(units.max(1)) {
        out.extend_from_slice(row);
        out.push(1.0);
    }
    out
}

/// Sums of the last layer as what they stand for: shares of a row, values, or probabilities of each column.
pub(super) fn finish(sums: &mut [f32], outputs: usize, loss: Loss) {
    match loss {
        Loss::Mse => {}
        Loss::Bce => sums.iter_mut().for_each(|sum| *sum = 1.0 / (1.0 + (-*sum).exp())),
        Loss::Multinomial => {
            let ones = vec![1.0; outputs];
            sums.par_chunks_exact_mut(outputs.max(1)).for_each(|row| {
                let (_, total) = vector::exponentials(row, &ones);
                vector::scale(row, 1.0 / total);
            });
        }
    }
}
