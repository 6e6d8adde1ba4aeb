//! The kernels' hand-written steps against candle's automatic differentiation.

use candle_core::{Device, Result, Tensor, Var};
use candle_nn::loss::binary_cross_entropy_with_logit;
use firth::math::{Kernel, Matrix, Rng, RowId, SharedTable, Tables};

const ROWS: usize = 12;

/// Rows so long that logits spread with this deviation: near zero a sigmoid that is ½ everywhere would pass.
const SPREAD: f32 = 2.5;

/// A table whose products with another have a deviation of `SPREAD`.
fn table(dim: usize, seed: u64) -> SharedTable {
    // Numbers between ±a have a variance of a²/3, products of them a⁴/9, and a row sums up `dim`.
    let a = (3.0 * SPREAD / (dim as f32).sqrt()).sqrt();
    let mut rng = Rng::stream(seed, &[]);
    let numbers = (0..ROWS * dim).map(|_| (2.0 * rng.uniform() - 1.0) * a).collect();
    let matrix = Matrix::from_vec(ROWS, dim, numbers).expect("rows of dim numbers");
    let mut table = SharedTable::zeros(matrix.rows(), matrix.cols()).expect("a small table");
    table.set_rows(0, matrix.iter_rows());
    table
}

fn var(matrix: &Matrix) -> Result<Var> {
    Var::from_tensor(&Tensor::from_slice(matrix.as_slice(), (matrix.rows(), matrix.cols()), &Device::Cpu)?)
}

/// Both tables after one plain gradient step on the summed loss of `hidden` (rows x dim) against the outputs, of which
/// the first is the target; and that loss.
fn by_autodiff(
    dim: usize,
    hidden: impl Fn(&Tensor) -> Result<Tensor>,
    outputs: &[u32],
    lr: f64,
) -> Result<(Vec<f32>, Vec<f32>, f64)> {
    let (input, output) = (var(&table(dim, 1).into_matrix())?, var(&table(dim, 2).into_matrix())?);
    let hidden = hidden(&input)?;
    let chosen = output.index_select(&Tensor::from_slice(outputs, outputs.len(), &Device::Cpu)?, 0)?;
    let logits = hidden.matmul(&chosen.t()?)?;
    let largest = logits.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
    assert!(largest > 1.5, "logits up to {largest} do not tell one sigmoid from another");
    let labels: Vec<f32> = (0..hidden.dim(0)? * outputs.len()).map(|at| f32::from(at % outputs.len() == 0)).collect();
    let labels = Tensor::from_vec(labels, logits.shape(), &Device::Cpu)?;
    let loss = (binary_cross_entropy_with_logit(&logits, &labels)? * logits.elem_count() as f64)?;
    let grads = loss.backward()?;
    let moved = |var: &Var| -> Result<Vec<f32>> {
        let grad = grads.get(var).expect("part of the graph");
        (var.as_tensor() - (grad * lr)?)?.flatten_all()?.to_vec1()
    };
    Ok((moved(&input)?, moved(&output)?, f64::from(loss.to_scalar::<f32>()?)))
}

/// The same by a kernel.
fn by_kernel(
    dim: usize,
    kernel: Kernel,
    step: impl Fn(&Tables, &mut firth::math::Worker),
) -> (Vec<f32>, Vec<f32>, f64) {
    let tables = Tables::new(table(dim, 1), table(dim, 2), kernel).expect("equal widths");
    let mut worker = tables.worker().expect("a worker");
    step(&tables, &mut worker);
    let (input, output) = tables.into_parts();
    (input.into_matrix().as_slice().to_vec(), output.into_matrix().as_slice().to_vec(), worker.take_loss())
}

fn assert_close(what: &str, found: &(Vec<f32>, Vec<f32>, f64), expected: &(Vec<f32>, Vec<f32>, f64)) {
    let pairs = found.0.iter().zip(&expected.0).chain(found.1.iter().zip(&expected.1));
    for (at, (found, expected)) in pairs.enumerate() {
        // A few roundings of numbers of that size, and of the sums that lead to them.
        assert!(
            (found - expected).abs() < 1e-5 * (1.0 + expected.abs()),
            "{what}, number {at}: {found}, expected {expected}"
        );
    }
    assert!((found.2 / expected.2 - 1.0).abs() < 1e-5, "{what}, loss: {}, expected {}", found.2, expected.2);
}

#[test]
fn skipgram_blocks_follow_the_gradient() -> Result<()> {
    for dim in [3, 50, 100] {
        let rows = [4u32, 0, 7, 2, 9];
        let outputs = [1u32, 11, 3, 5, 4, 0];
        let pick = |input: &Tensor| input.index_select(&Tensor::new(&rows, &Device::Cpu)?, 0);
        let expected = by_autodiff(dim, pick, &outputs, 0.5)?;
        for kernel in Kernel::available() {
            let found = by_kernel(dim, kernel, |tables, worker| {
                tables.step_rows(&rows.map(RowId), &outputs.map(RowId), 0.5, worker);
            });
            assert_close(&format!("{kernel:?}, dim {dim}"), &found, &expected);
        }
    }
    Ok(())
}

#[test]
fn cbow_follows_the_gradient_of_the_mean() -> Result<()> {
    for dim in [3, 50, 100] {
        // A word may stand in a window twice: its row then has twice the weight and twice the gradient.
        let rows = [4u32, 0, 7, 4, 9];
        let outputs = [1u32, 11, 3, 5, 4, 0];
        let mean = |input: &Tensor| input.index_select(&Tensor::new(&rows, &Device::Cpu)?, 0)?.mean_keepdim(0);
        let expected = by_autodiff(dim, mean, &outputs, 0.5)?;
        for kernel in Kernel::available() {
            let found = by_kernel(dim, kernel, |tables, worker| {
                tables.step_mean(&rows.map(RowId), 0.2, &outputs.map(RowId), 0.5, worker);
            });
            assert_close(&format!("{kernel:?}, dim {dim}"), &found, &expected);
        }
    }
    Ok(())
}
