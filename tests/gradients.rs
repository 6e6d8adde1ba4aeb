//! The hand-written steps of kernels and losses against candle's automatic differentiation.

use candle_core::{D, Device, Result, Tensor, Var};
use candle_nn::loss::{binary_cross_entropy_with_logit, cross_entropy};
use firth::math::{Kernel, Matrix, Outputs, Rng, RowId, SharedTable, Tables, Worker};
use firth::objective::{HierarchicalSoftmax, HuffmanTree, Manner, Objective, Softmax};
use firth::pretext::{Example, Hidden, Later};
use firth::vocabulary::WordId;

const ROWS: usize = 12;

/// Rows of a kernel's block, on either side.
const BLOCK: usize = 6;

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

/// Both tables and a loss.
type Stepped = (Vec<f32>, Vec<f32>, f64);

/// Both tables after one plain gradient step on the summed loss of hidden rows (rows x dim, made of the input table) with
/// the output table; and that loss.
fn by_autodiff(
    dim: usize,
    hidden: impl Fn(&Tensor) -> Result<Tensor>,
    loss: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
    lr: f64,
) -> Result<Stepped> {
    let (input, output) = (var(&table(dim, 1).into_matrix())?, var(&table(dim, 2).into_matrix())?);
    let loss = loss(&hidden(&input)?, &output)?;
    let grads = loss.backward()?;
    let moved = |var: &Var| -> Result<Vec<f32>> {
        let grad = grads.get(var).expect("part of the graph");
        (var.as_tensor() - (grad * lr)?)?.flatten_all()?.to_vec1()
    };
    Ok((moved(&input)?, moved(&output)?, f64::from(loss.to_scalar::<f32>()?)))
}

/// The logistic loss of hidden rows on some outputs, of which the first `positives` are right.
fn logistic(hidden: &Tensor, output: &Tensor, outputs: &[u32], positives: usize) -> Result<Tensor> {
    let chosen = output.index_select(&Tensor::from_slice(outputs, outputs.len(), &Device::Cpu)?, 0)?;
    let logits = hidden.matmul(&chosen.t()?)?;
    let largest = logits.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
    let is_telling = largest > 1.5 || outputs.len() < BLOCK;
    assert!(is_telling, "logits up to {largest} do not tell one sigmoid from another");
    let labels = (0..logits.elem_count()).map(|at| f32::from(at % outputs.len() < positives)).collect();
    let labels = Tensor::from_vec(labels, logits.shape(), &Device::Cpu)?;
    binary_cross_entropy_with_logit(&logits, &labels)? * logits.elem_count() as f64
}

/// The rows of a table, or their mean.
fn picked(rows: &[u32], hidden: Hidden) -> impl Fn(&Tensor) -> Result<Tensor> {
    move |input| {
        let rows = input.index_select(&Tensor::from_slice(rows, rows.len(), &Device::Cpu)?, 0)?;
        if hidden == Hidden::Each { Ok(rows) } else { rows.mean_keepdim(0) }
    }
}

/// The same by a kernel.
fn by_kernel(dim: usize, kernel: Kernel, step: impl Fn(&Tables, &mut Worker)) -> Stepped {
    let tables = Tables::new(table(dim, 1), table(dim, 2), kernel).expect("equal widths");
    let mut worker = tables.worker().expect("a worker");
    step(&tables, &mut worker);
    let (input, output) = tables.into_parts();
    (input.into_matrix().as_slice().to_vec(), output.into_matrix().as_slice().to_vec(), worker.take_loss())
}

fn assert_close(what: &str, found: &Stepped, expected: &Stepped) {
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

/// Five input rows of skip-gram; of CBOW, in whose window a word may stand twice: its row then has twice the weight and twice
/// the gradient.
const EXAMPLES: [(Hidden, [u32; 5]); 2] = [(Hidden::Each, [4, 0, 7, 2, 9]), (Hidden::Mean, [4, 0, 7, 4, 9])];

#[test]
fn negative_sampling_follows_the_gradient() -> Result<()> {
    for (dim, (hidden, rows)) in [3, 50, 100].into_iter().flat_map(|dim| EXAMPLES.map(|example| (dim, example))) {
        let outputs = [1u32, 11, 3, 5, 4, 0];
        let loss = |hidden: &Tensor, output: &Tensor| logistic(hidden, output, &outputs, 1);
        let expected = by_autodiff(dim, picked(&rows, hidden), loss, 0.5)?;
        for kernel in Kernel::available() {
            let found = by_kernel(dim, kernel, |tables, worker| {
                let (rows, outputs) = (rows.map(RowId), outputs.map(RowId));
                match hidden {
                    Hidden::Each => tables.step_rows(&rows, Outputs::target_first(&outputs), 0.5, worker),
                    Hidden::Mean => tables.step_mean(&rows, 0.2, Outputs::target_first(&outputs), 0.5, worker),
                }
            });
            assert_close(&format!("{kernel:?}, dim {dim}, {hidden:?}"), &found, &expected);
        }
    }
    Ok(())
}

/// One step of a loss by each kernel against the same by autodiff.
fn assert_follows(
    objective: &dyn Objective,
    hidden: Hidden,
    rows: &[u32],
    target: WordId,
    loss: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<()> {
    for dim in [3, 50, 100] {
        let expected = by_autodiff(dim, picked(rows, hidden), &loss, 0.5)?;
        for kernel in Kernel::available() {
            let found = by_kernel(dim, kernel, |tables, worker| {
                let rows: Vec<RowId> = rows.iter().map(|&row| RowId(row)).collect();
                let example = Example { rows: &rows, target, position: 0, later: Later::default() };
                objective.step(example, hidden, tables, 0.5, &mut objective.noise(1, &[]), worker);
            });
            assert_close(&format!("{objective:?}, {kernel:?}, dim {dim}, {hidden:?}, {target:?}"), &found, &expected);
        }
    }
    Ok(())
}

const MANNER: Manner = Manner { pairwise: false, divide: true };

#[test]
fn hierarchical_softmax_follows_the_gradient() -> Result<()> {
    // Thirteen words have as many inner nodes as the table has rows: in a bush, with turns of all kinds, and in a chain.
    for base in [1, 3u64] {
        let counts: Vec<u64> = (0..=ROWS as u32).map(|word| base.pow(word) * u64::from(word + 1)).collect();
        let (objective, tree) = (HierarchicalSoftmax::new(&counts, MANNER), HuffmanTree::new(&counts));
        let mut turns = Vec::new();
        for (hidden, rows) in EXAMPLES {
            for target in (0..=ROWS as u32).map(WordId) {
                let (nodes, lighter) = tree.path(target);
                // Rows that move in place go a longer way in several blocks, each from the rows as the last one left them.
                if hidden == Hidden::Each && nodes.len() > BLOCK {
                    continue;
                }
                turns.push((nodes.len(), lighter));
                let nodes: Vec<u32> = nodes.iter().map(|node| node.0).collect();
                assert_follows(&objective, hidden, &rows, target, |hidden, output| {
                    logistic(hidden, output, &nodes, lighter)
                })?;
            }
        }
        turns.sort_unstable();
        turns.dedup();
        assert!(turns.len() > 5, "base {base}: {turns:?}");
    }
    Ok(())
}

#[test]
fn the_probabilities_of_hierarchical_softmax_sum_to_one() {
    let counts: Vec<u64> = (1..=ROWS as u64 + 1).map(|word| word * word).collect();
    let objective = HierarchicalSoftmax::new(&counts, MANNER);
    for kernel in Kernel::available() {
        let tables = Tables::new(table(20, 1), table(20, 2), kernel).expect("equal widths");
        let mut worker = tables.worker().expect("a worker");
        let mut probability = |word| {
            let example = Example { rows: &[RowId(3)], target: WordId(word), position: 0, later: Later::default() };
            objective.step(example, Hidden::Each, &tables, 0.0, &mut objective.noise(1, &[]), &mut worker);
            (-worker.take_loss()).exp()
        };
        let all: Vec<f64> = (0..=ROWS as u32).map(&mut probability).collect();
        assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{kernel:?}: {all:?}");
    }
}

#[test]
fn softmax_follows_the_gradient() -> Result<()> {
    let objective = Softmax::new(ROWS, MANNER);
    for (hidden, rows) in EXAMPLES {
        for target in [0, 5, 11] {
            assert_follows(&objective, hidden, &rows, WordId(target), |hidden, output| {
                let logits = hidden.matmul(&output.t()?)?;
                let targets = Tensor::full(target, logits.dim(0)?, &Device::Cpu)?;
                cross_entropy(&logits, &targets)? * logits.dim(D::Minus2)? as f64
            })?;
        }
    }
    Ok(())
}
