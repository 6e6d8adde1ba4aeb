//! The dense middle of the network, between the first and the last layer: candle's tensors and its automatic differentiation.
//!
//! The first layer's sums come in, what the last layer reads goes out. The wide layers on both sides stay outside, since
//! candle knows neither sparse rows nor sparse gradients.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Linear, Module, ops::sigmoid};

use super::config::{Activation, Sparsity};
use super::network::Shape;
use crate::error::{Error, Result};
use crate::math::Rng;

/// candle's failures are not the user's doing.
impl From<candle_core::Error> for Error {
    fn from(source: candle_core::Error) -> Self {
        Self::Backend { source: source.into() }
    }
}

/// Adds to the gradient of the first layer: `weights · moments`, from the contractive penalty.
#[derive(Debug, Clone)]
pub(super) struct Contraction {
    /// The penalty, summed over the rows and weighted.
    pub loss: f64,
    /// Units x units of the first layer; the sum of the cotangents' outer products, weighted.
    pub moments: Vec<f32>,
}

/// The dense layers with the weights of one step.
#[derive(Debug)]
pub(super) struct Stack<'s> {
    shape: &'s Shape,
    /// Weights (units x inputs) and biases of the encoder's layers after the first, then of the decoder's before the last.
    encoder: Vec<[Var; 2]>,
    /// Without weights of their own if tied.
    decoder: Vec<(Option<Var>, Var)>,
}

/// What a forward pass leaves for the backward one.
pub(super) struct Pass {
    sums: Var,
    code: Tensor,
    last: Tensor,
    penalty: Option<Tensor>,
    pub contraction: Option<Contraction>,
    /// The code's numbers, rows x code.
    pub codes: Vec<f32>,
    /// What the last layer reads, rows x units.
    pub hidden: Vec<f32>,
}

/// What a pass is to compute beside its output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contractive<'a> {
    /// The penalty's weight divided by the number of rows of the step.
    pub weight: f64,
    /// The first layer's products of columns, units x units.
    pub gram: &'a [f32],
    /// Seed and path of the random signs.
    pub seed: u64,
    /// The first row's number in the epoch, after the epoch's own.
    pub path: [u64; 3],
}

impl<'s> Stack<'s> {
    /// Takes the weights of the middle, in the order of [`Shape::layout`].
    pub fn new(shape: &'s Shape, parameters: &[&[f32]]) -> Result<Self> {
        let mut next = parameters.iter();
        let mut var = |rows: usize, cols: usize| -> Result<Var> {
            let numbers = next.next().expect("as many as in the layout");
            let dims = if rows == 0 { vec![cols] } else { vec![rows, cols] };
            Ok(Var::from_tensor(&Tensor::from_slice(numbers, dims, &Device::Cpu)?)?)
        };
        let pairs = shape.encoder_widths();
        let encoder = pairs.iter().map(|&[from, to]| Ok([var(to, from)?, var(0, to)?])).collect::<Result<_>>()?;
        let decoder = pairs.iter().rev().map(|&[to, from]| {
            let weights = if shape.tied { None } else { Some(var(to, from)?) };
            Ok((weights, var(0, to)?))
        });
        Ok(Self { shape, encoder, decoder: decoder.collect::<Result<_>>()? })
    }

    fn decoder_layer(&self, at: usize) -> Result<Linear> {
        let (weights, bias) = &self.decoder[at];
        let weights = match weights {
            Some(weights) => weights.as_tensor().clone(),
            None => self.encoder[self.encoder.len() - 1 - at][0].t()?,
        };
        Ok(Linear::new(weights, Some(bias.as_tensor().clone())))
    }

    /// The activations of all layers up to the code, the code last.
    fn encode(&self, sums: &Tensor) -> Result<Vec<Tensor>> {
        let mut layers = vec![self.activated(sums, 0)?];
        for (at, [weights, bias]) in self.encoder.iter().enumerate() {
            let layer = Linear::new(weights.as_tensor().clone(), Some(bias.as_tensor().clone()));
            layers.push(self.activated(&layer.forward(&layers[at])?, at + 1)?);
        }
        if let Sparsity::TopK(units) = self.shape.sparse {
            let code = layers.pop().expect("a code");
            layers.push((&code * mask_of_largest(&code, units)?)?);
        }
        Ok(layers)
    }

    fn decode(&self, code: &Tensor) -> Result<Tensor> {
        let mut last = code.clone();
        for at in 0..self.decoder.len() {
            last = activated(&self.decoder_layer(at)?.forward(&last)?, self.shape.activation)?;
        }
        Ok(last)
    }

    fn activated(&self, sums: &Tensor, layer: usize) -> Result<Tensor> {
        activated(sums, self.shape.activation_of(layer))
    }

    /// The codes of rows, from the first layer's sums.
    pub fn codes(&self, sums: &[f32]) -> Result<Vec<f32>> {
        let sums = tensor(sums, self.shape.first_units())?;
        numbers(self.encode(&sums)?.last().expect("a code"))
    }

    /// What the last layer reads for codes.
    pub fn hidden_of(&self, codes: &[f32]) -> Result<Vec<f32>> {
        numbers(&self.decode(&tensor(codes, self.shape.code)?)?)
    }

    /// A pass that can be gone back.
    pub fn forward(&self, sums: &[f32], contractive: Option<Contractive<'_>>) -> Result<Pass> {
        let sums = Var::from_tensor(&tensor(sums, self.shape.first_units())?)?;
        let layers = self.encode(&sums)?;
        let code = layers.last().expect("a code").clone();
        let last = self.decode(&code)?;
        let (penalty, contraction) = match contractive {
            None => (None, None),
            Some(contractive) => {
                let (penalty, contraction) = self.contract(&layers, contractive)?;
                (Some(penalty), Some(contraction))
            }
        };
        let (codes, hidden) = (numbers(&code)?, numbers(&last)?);
        Ok(Pass { sums, code, last, penalty, contraction, codes, hidden })
    }

    /// The squared norm of the code's Jacobian by the input, summed over the rows.
    ///
    /// Of one layer it is `Σⱼ act'(aⱼ)² |Wⱼ|²`, exactly (Rifai et al., 2011). Of several, `|Jᵀu|²` with random signs `u` has it
    /// as its mean, and is written out in ordinary operations, so that differentiating once suffices.
    fn contract(&self, layers: &[Tensor], contractive: Contractive<'_>) -> Result<(Tensor, Contraction)> {
        let units = self.shape.first_units();
        let gram = tensor(contractive.gram, units)?;
        let slope = |at: usize| {
            let slope = slope(&layers[at], self.shape.activation_of(at))?;
            match self.shape.sparse {
                // Silenced units do not move with the input, whatever the slope of their activation at zero.
                Sparsity::TopK(_) if at == self.encoder.len() => {
                    Ok::<_, Error>((slope * layers[at].ne(0f32)?.to_dtype(DType::F32)?)?)
                }
                _ => Ok(slope),
            }
        };
        let (penalty, moments) = if self.encoder.is_empty() {
            let slopes = slope(0)?.sqr()?;
            let lengths: Vec<f32> = (0..units).map(|unit| contractive.gram[unit * units + unit]).collect();
            let mut moments = vec![0f32; units * units];
            for (unit, moment) in numbers(&slopes.sum(0)?)?.into_iter().enumerate() {
                moments[unit * units + unit] = moment;
            }
            (slopes.broadcast_mul(&tensor(&lengths, units)?)?.sum_all()?, moments)
        } else {
            let (rows, code) = layers.last().expect("a code").dims2()?;
            let mut rng = Rng::stream(contractive.seed, &contractive.path);
            let signs: Vec<f32> = (0..rows * code).map(|_| if rng.below(2) == 0 { -1.0 } else { 1.0 }).collect();
            let mut cotangent = (tensor(&signs, code)? * slope(self.encoder.len())?)?;
            for (at, [weights, _]) in self.encoder.iter().enumerate().rev() {
                cotangent = (cotangent.matmul(weights)? * slope(at)?)?;
            }
            let penalty = (cotangent.matmul(&gram)? * &cotangent)?.sum_all()?;
            let cotangent = cotangent.detach();
            (penalty, numbers(&cotangent.t()?.matmul(&cotangent)?)?)
        };
        let weighted = (penalty * contractive.weight)?;
        let loss = f64::from(weighted.to_dtype(DType::F32)?.to_scalar::<f32>()?);
        let factor = 2.0 * contractive.weight as f32;
        let moments = moments.into_iter().map(|moment| moment * factor).collect();
        Ok((weighted, Contraction { loss, moments }))
    }

    /// The gradients of the sums that came in and of all weights, given those of the code and of what went out.
    pub fn backward(&self, pass: &Pass, code: Option<&[f32]>, hidden: &[f32]) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
        let mut objective = (&pass.last * tensor(hidden, self.shape.first_units())?)?.sum_all()?;
        if let Some(code) = code {
            objective = (objective + (&pass.code * tensor(code, self.shape.code)?)?.sum_all()?)?;
        }
        if let Some(penalty) = &pass.penalty {
            objective = (objective + penalty)?;
        }
        let gradients = objective.backward()?;
        let of = |var: &Var| match gradients.get(var) {
            Some(gradient) => numbers(gradient),
            None => Ok(vec![0.0; var.elem_count()]),
        };
        let mut all = Vec::new();
        for [weights, bias] in &self.encoder {
            all.extend([of(weights)?, of(bias)?]);
        }
        for (weights, bias) in &self.decoder {
            if let Some(weights) = weights {
                all.push(of(weights)?);
            }
            all.push(of(bias)?);
        }
        Ok((of(&pass.sums)?, all))
    }
}

fn tensor(numbers: &[f32], cols: usize) -> Result<Tensor> {
    Ok(Tensor::from_slice(numbers, (numbers.len() / cols.max(1), cols), &Device::Cpu)?)
}

fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

fn activated(sums: &Tensor, activation: Activation) -> Result<Tensor> {
    Ok(match activation {
        Activation::Tanh => sums.tanh()?,
        Activation::Sigmoid => sigmoid(sums)?,
        Activation::Relu => sums.relu()?,
        Activation::Linear => sums.clone(),
    })
}

/// The derivative of an activation, from its value.
fn slope(value: &Tensor, activation: Activation) -> Result<Tensor> {
    Ok(match activation {
        Activation::Tanh => value.sqr()?.affine(-1.0, 1.0)?,
        Activation::Sigmoid => (value * value.affine(-1.0, 1.0)?)?,
        Activation::Relu => value.gt(0f32)?.to_dtype(DType::F32)?,
        Activation::Linear => value.ones_like()?,
    })
}

/// One where a row's number is among its `units` largest in size, zero elsewhere; of equals the first.
fn mask_of_largest(code: &Tensor, units: usize) -> Result<Tensor> {
    let (rows, cols) = code.dims2()?;
    let values = numbers(code)?;
    let mut mask = vec![0f32; values.len()];
    for (row, mask) in values.chunks_exact(cols).zip(mask.chunks_exact_mut(cols)) {
        let mut order: Vec<usize> = (0..cols).collect();
        let by_size = |&a: &usize, &b: &usize| row[b].abs().total_cmp(&row[a].abs()).then(a.cmp(&b));
        if units < cols {
            order.select_nth_unstable_by(units, by_size);
        }
        order[..units.min(cols)].iter().for_each(|&unit| mask[unit] = 1.0);
    }
    Ok(Tensor::from_vec(mask, (rows, cols), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(sparse: Sparsity) -> Shape {
        Shape {
            inputs: 1,
            outputs: 1,
            hidden: Vec::new(),
            code: 8,
            tied: false,
            activation: Activation::Tanh,
            code_activation: Activation::Tanh,
            sparse,
        }
    }

    #[test]
    fn top_k_keeps_the_largest_in_size_and_nothing_else() -> Result<()> {
        let sums = [0.1f32, -2.0, 0.3, 1.5, -0.2, 0.0, 0.4, -0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        let full = Stack::new(&shape(Sparsity::None), &[])?.codes(&sums)?;
        for (units, kept) in [(1, vec![1]), (3, vec![1, 3, 7]), (8, (0..8).collect())] {
            let shape = shape(Sparsity::TopK(units));
            let stack = Stack::new(&shape, &[])?;
            let codes = stack.codes(&sums)?;
            let expected = |unit: usize| if kept.contains(&unit) { full[unit] } else { 0.0 };
            assert_eq!(codes[..8], (0..8).map(expected).collect::<Vec<_>>(), "{units}");
            // Of equals as many, the first ones.
            let first = (0..8).map(|unit| if unit < units { full[8] } else { 0.0 });
            assert_eq!(codes[8..], first.collect::<Vec<_>>(), "{units}");
        }
        Ok(())
    }

    #[test]
    fn passes_that_train_and_passes_that_encode_give_the_same_numbers() -> Result<()> {
        let shape = Shape { hidden: vec![3], code: 2, ..shape(Sparsity::TopK(1)) };
        let tables: Vec<Vec<f32>> =
            [6, 2, 6, 3].map(|count| (0..count).map(|at| 0.7 - 0.3 * at as f32).collect()).into();
        let stack = Stack::new(&shape, &tables.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        let sums = [0.5, -1.0, 2.0, 0.1, 0.2, -0.3];
        let pass = stack.forward(&sums, None)?;
        assert_eq!(pass.codes, stack.codes(&sums)?);
        assert_eq!(pass.hidden, stack.hidden_of(&pass.codes)?);
        Ok(())
    }
}
