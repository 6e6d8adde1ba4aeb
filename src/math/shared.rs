//! Steps on training tables, which threads update without locks.
#![allow(unsafe_code)]

mod softmax;
mod table;

use super::blocks::{Outputs, distinct_blocks};
use super::composed::Composed;
use super::kernel::{BLOCK, Block, Carry, Kernel, PrivateRow};
use crate::error::{Error, Result};
use crate::io::PageBuffer;

pub use table::{RowId, Rows, SharedTable};

/// The two tables of a predictive task and the kernel that steps on them.
#[derive(Debug)]
pub struct Tables {
    pub(super) input: SharedTable,
    output: SharedTable,
    pub(super) kernel: Kernel,
}

/// What one worker needs to step: nothing here is shared, and nothing is allocated per step.
#[derive(Debug)]
pub struct Worker {
    /// Private hidden rows, each a value and then its gradient; of a mean there is one.
    hidden: PageBuffer,
    pub(super) rows: Vec<*mut f32>,
    /// Where hidden rows are composed of input rows.
    pub(super) composed: Option<Composed>,
    /// The scores of private hidden rows on all output rows.
    scores: Vec<f32>,
    carry: Carry,
    touched: Option<[Vec<bool>; 2]>,
}

// SAFETY: the pointers are only kept as storage between steps and are never followed without being set anew.
unsafe impl Send for Worker {}

impl Worker {
    /// The loss since the last call, over all hidden rows. NaN if a row has left the finite numbers.
    pub fn take_loss(&mut self) -> f64 {
        std::mem::take(&mut self.carry.nats) - std::mem::take(&mut self.carry.odds).ln()
    }

    /// Keeps account from now on of the rows that its steps move.
    pub fn note_touched(&mut self, tables: &Tables) {
        self.touched = Some([&tables.input, &tables.output].map(|table| vec![false; table.rows]));
    }

    /// The input and the output rows that moved, which the caller resets; none if no account is kept.
    pub fn touched(&mut self) -> Option<&mut [Vec<bool>; 2]> {
        self.touched.as_mut()
    }

    #[inline(always)]
    fn note_outputs(&mut self, outputs: Outputs<'_>) {
        if let Some([_, output]) = &mut self.touched {
            match outputs {
                Outputs::Each { rows, .. } => rows.iter().for_each(|row| output[row.0 as usize] = true),
                Outputs::All { .. } => output.fill(true),
            }
        }
    }

    /// Keeps account of input rows that move.
    #[inline(always)]
    pub(super) fn note_inputs(&mut self, rows: &[RowId]) {
        if let Some([input, _]) = &mut self.touched {
            rows.iter().for_each(|row| input[row.0 as usize] = true);
        }
    }

    /// Keeps account of a step's rows; the input rows of composed ones were noted when they were composed.
    #[inline(always)]
    fn note(&mut self, hidden: &[RowId], outputs: Outputs<'_>) {
        if self.composed.is_none() {
            self.note_inputs(hidden);
        }
        self.note_outputs(outputs);
    }
}

impl Tables {
    /// Tables of equal `dim`.
    pub fn new(input: SharedTable, output: SharedTable, kernel: Kernel) -> Result<Self> {
        if input.dim != output.dim {
            return Err(Error::mismatch("width of the output table", input.dim, output.dim));
        }
        Ok(Self { input, output, kernel })
    }

    /// A worker for these tables.
    pub fn worker(&self) -> Result<Worker> {
        Ok(Worker {
            hidden: PageBuffer::zeroed(2 * BLOCK * self.input.stride)?,
            rows: Vec::new(),
            composed: None,
            scores: Vec::new(),
            carry: Carry::default(),
            touched: None,
        })
    }

    /// What steps on them.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// The input and the output table, while nobody trains on them.
    pub fn parts_mut(&mut self) -> [&mut SharedTable; 2] {
        [&mut self.input, &mut self.output]
    }

    /// Tables of the same numbers.
    pub fn copied(&mut self) -> Result<Self> {
        let mut copy = Self::new(
            SharedTable::zeros(self.input.rows, self.input.dim)?,
            SharedTable::zeros(self.output.rows, self.output.dim)?,
            self.kernel,
        )?;
        for (to, from) in copy.parts_mut().into_iter().zip(self.parts_mut()) {
            to.as_padded_mut().copy_from_slice(from.buffer.as_slice());
        }
        Ok(copy)
    }

    /// Takes both tables out, when training is over.
    pub fn into_parts(self) -> (SharedTable, SharedTable) {
        (self.input, self.output)
    }

    /// Asks for an input row that a later step needs.
    #[inline(always)]
    pub fn fetch_input(&self, row: RowId, worker: &mut Worker) {
        worker.carry.fetch.push(self.input.row(row));
    }

    /// Asks for an output row that a later step needs.
    #[inline(always)]
    pub fn fetch_output(&self, row: RowId, worker: &mut Worker) {
        worker.carry.fetch.push(self.output.row(row));
    }

    /// Each row of `hidden` tells the outputs apart; all move.
    ///
    /// Rows are taken in blocks of at most six on either side that hold no row twice, since a block reads each row
    /// once; within a block all scores come from the rows as they were. Those of [`Outputs::All`] come from all output rows
    /// as they were.
    #[inline]
    pub fn step_rows(&self, hidden: &[RowId], outputs: Outputs<'_>, lr: f32, worker: &mut Worker) {
        worker.note(hidden, outputs);
        let (rows, positives) = match outputs {
            Outputs::Each { rows, positives } => (rows, positives),
            Outputs::All { target } => return self.softmax_rows(hidden, target, lr, worker),
        };
        let mut block = self.block(lr);
        for (before, rows) in distinct_blocks(rows) {
            self.set_outputs(&mut block, rows, positives.saturating_sub(before));
            for (_, hidden) in distinct_blocks(hidden) {
                self.set_hidden(&mut block, hidden, &mut worker.composed);
                // SAFETY: all rows were checked, are padded, and differ; the kernel fits this processor.
                unsafe { (self.kernel.in_place)(&block, &mut worker.carry) };
            }
        }
    }

    /// The mean of the rows of `hidden` tells the outputs apart. Each row of `hidden` then moves by `share` times the mean's
    /// gradient: 1 / their number is the true gradient. No rows, no step.
    ///
    /// # Panics
    /// If the worker was made for narrower tables.
    #[inline]
    pub fn step_mean(&self, hidden: &[RowId], share: f32, outputs: Outputs<'_>, lr: f32, worker: &mut Worker) {
        if hidden.is_empty() {
            return;
        }
        worker.note(hidden, outputs);
        let row = self.private_row(0, worker);
        let Worker { rows: pointers, composed, .. } = worker;
        pointers.clear();
        match composed {
            None => pointers.extend(hidden.iter().map(|&row| self.input.row(row))),
            Some(composed) => pointers.extend(hidden.iter().map(|&row| composed.row(row, self.input.stride))),
        }
        // SAFETY: all rows were checked and are padded; the private row belongs to this worker.
        unsafe { (self.kernel.gather)(&worker.rows, 1.0 / hidden.len() as f32, &row, self.input.dim) };
        match outputs {
            Outputs::Each { rows, positives } => {
                let mut block = self.block(lr);
                (block.hidden[0], block.hidden_len) = (row.value, 1);
                for (before, rows) in distinct_blocks(rows) {
                    self.set_outputs(&mut block, rows, positives.saturating_sub(before));
                    // SAFETY: as above, and no output row is listed twice.
                    unsafe { (self.kernel.private)(&block, &row, &mut worker.carry) };
                }
            }
            Outputs::All { target } => self.softmax(1, target, lr, worker),
        }
        // SAFETY: as above.
        unsafe { (self.kernel.scatter)(&worker.rows, share, &row, self.input.dim) };
    }

    /// One of the worker's own hidden rows, of which it has as many as a block.
    #[inline(always)]
    fn private_row(&self, at: usize, worker: &mut Worker) -> PrivateRow {
        let stride = self.input.stride;
        assert!(worker.hidden.as_slice().len() >= 2 * (at + 1) * stride, "a worker of other tables");
        // SAFETY: within the buffer, as just checked.
        let value = unsafe { worker.hidden.as_mut_ptr().add(2 * at * stride) };
        // SAFETY: as above.
        PrivateRow { value, grad: unsafe { value.add(stride) } }
    }

    /// A hidden row: composed, or an input row itself.
    #[inline(always)]
    fn hidden(&self, row: RowId, composed: &mut Option<Composed>) -> *mut f32 {
        composed.as_mut().map_or_else(|| self.input.row(row), |composed| composed.row(row, self.input.stride))
    }

    /// One look for all rows at whether they are composed: this runs for every block.
    #[inline(always)]
    fn set_hidden(&self, block: &mut Block, hidden: &[RowId], composed: &mut Option<Composed>) {
        block.hidden_len = hidden.len();
        let slots = block.hidden.iter_mut().zip(hidden);
        match composed {
            None => slots.for_each(|(slot, &row)| *slot = self.input.row(row)),
            Some(composed) => slots.for_each(|(slot, &row)| *slot = composed.row(row, self.input.stride)),
        }
    }

    #[inline(always)]
    fn block(&self, lr: f32) -> Block {
        Block {
            hidden: [std::ptr::null_mut(); BLOCK],
            hidden_len: 0,
            outputs: [std::ptr::null_mut(); BLOCK],
            outputs_len: 0,
            positives: 0,
            lr,
            dim: self.input.dim,
        }
    }

    #[inline(always)]
    fn set_outputs(&self, block: &mut Block, rows: &[RowId], positives: usize) {
        block.positives = positives.min(rows.len());
        block.outputs_len = rows.len();
        for (slot, &row) in block.outputs.iter_mut().zip(rows) {
            *slot = self.output.row(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Matrix;

    fn rows(ids: impl IntoIterator<Item = u32>) -> Vec<RowId> {
        ids.into_iter().map(RowId).collect()
    }

    fn first(rows: &[RowId]) -> Outputs<'_> {
        Outputs::target_first(rows)
    }

    /// Tables of 16 rows with numbers large enough that every logit matters.
    fn tables(dim: usize, kernel: Kernel) -> Result<Tables> {
        let mut parts = [SharedTable::uniform(16, dim, 1)?, SharedTable::uniform(16, dim, 2)?];
        for table in &mut parts {
            let scale = 3.0 * (dim as f32).sqrt();
            for value in table.buffer.as_mut_slice() {
                *value *= scale;
            }
        }
        let [input, output] = parts;
        Tables::new(input, output, kernel)
    }

    /// Both tables and the loss after a few steps.
    fn after(dim: usize, kernel: Kernel, steps: impl Fn(&Tables, &mut Worker)) -> Result<(Vec<f32>, f64)> {
        let tables = tables(dim, kernel)?;
        let mut worker = tables.worker()?;
        steps(&tables, &mut worker);
        let (input, output) = tables.into_parts();
        let padding = |table: &SharedTable| {
            table.buffer.as_slice().chunks(table.stride).all(|row| row[dim..].iter().all(|&x| x == 0.0))
        };
        assert!(padding(&input) && padding(&output), "{kernel:?}, dim {dim}: the padding stays zero");
        let numbers = [input.into_matrix().as_slice(), output.into_matrix().as_slice()].concat();
        Ok((numbers, worker.take_loss()))
    }

    fn assert_all_kernels_agree(dim: usize, steps: impl Fn(&Tables, &mut Worker)) -> Result<()> {
        let kernels = Kernel::available();
        let (scalar, others) = kernels.split_last().expect("scalar is always there");
        assert_eq!(scalar.name(), "scalar");
        let (expected, expected_loss) = after(dim, *scalar, &steps)?;
        for kernel in others {
            let (found, loss) = after(dim, *kernel, &steps)?;
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!((found - expected).abs() < 2e-5, "{kernel:?}, dim {dim}, {at}: {found}, expected {expected}");
            }
            assert!(
                (loss / expected_loss - 1.0).abs() < 1e-5,
                "{kernel:?}, dim {dim}: {loss}, expected {expected_loss}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_matrix_comes_back_and_its_rows_are_padded_with_zeros() -> Result<()> {
        for dim in [1, 16, 17] {
            let numbers: Vec<f32> = (1..=3 * dim).map(|x| x as f32).collect();
            let mut table = SharedTable::zeros(3, dim)?;
            table.set_rows(0, Matrix::from_vec(3, dim, numbers.clone())?.iter_rows());
            let padding = table.buffer.as_slice().chunks_exact(table.stride).flat_map(|row| &row[dim..]);
            assert!(padding.copied().all(|x| x == 0.0));
            assert_eq!(table.into_matrix().as_slice(), numbers);
        }
        assert_eq!(SharedTable::zeros(2, 0)?.into_matrix().rows(), 2);
        Ok(())
    }

    #[test]
    fn every_kernel_equals_scalar_on_blocks_of_every_size() -> Result<()> {
        for hidden in 1..=7 {
            for outputs in 1..=8 {
                for positives in 0..=outputs {
                    for dim in [1, 7, 8, 17, 33, 100] {
                        assert_all_kernels_agree(dim, |tables, worker| {
                            let step = |inputs: Vec<RowId>, outputs: Vec<RowId>, worker: &mut Worker| {
                                let outputs = Outputs::Each { rows: &outputs, positives: positives as usize };
                                tables.step_rows(&inputs, outputs, 0.3, worker);
                                tables.step_mean(&inputs, 0.5, outputs, 0.3, worker);
                            };
                            step(rows(0..hidden), rows(3..3 + outputs), worker);
                            step(rows(2..2 + hidden), rows(0..outputs), worker);
                        })?;
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn every_kernel_equals_scalar_at_every_width() -> Result<()> {
        for dim in 1..=67 {
            assert_all_kernels_agree(dim, |tables, worker| {
                tables.fetch_input(RowId(9), worker);
                tables.step_rows(&rows([1, 2, 3, 4]), first(&rows([5, 1, 7, 3, 8, 2])), 0.3, worker);
                tables.step_mean(&rows([4, 5, 4, 6, 7]), 0.2, first(&rows([9, 1, 2, 3, 4, 5, 6, 7])), 0.3, worker);
            })?;
        }
        Ok(())
    }

    #[test]
    fn rows_listed_twice_move_twice() -> Result<()> {
        for kernel in Kernel::available() {
            let twice = after(20, kernel, |tables, worker| {
                tables.step_rows(&rows([1, 1]), first(&rows([5, 6, 6])), 0.1, worker);
            })?;
            let in_turn = after(20, kernel, |tables, worker| {
                let worker = &mut *worker;
                // Blocks of distinct rows: outputs [5, 6] then [6], hidden [1] then [1].
                for _ in 0..2 {
                    tables.step_rows(&rows([1]), first(&rows([5, 6])), 0.1, worker);
                }
                let mut block = tables.block(0.1);
                tables.set_outputs(&mut block, &rows([6]), 0);
                (block.hidden[0], block.hidden_len) = (tables.input.row(RowId(1)), 1);
                for _ in 0..2 {
                    // SAFETY: one row on either side, of the table's own.
                    unsafe { (tables.kernel.in_place)(&block, &mut worker.carry) };
                }
            })?;
            assert_eq!(twice, in_turn, "{kernel:?}");
        }
        Ok(())
    }

    #[test]
    fn the_loss_is_that_of_the_pairs() -> Result<()> {
        for kernel in Kernel::available() {
            let tables = tables(40, kernel)?;
            let (h, u) = (tables.input.buffer.as_slice().to_vec(), tables.output.buffer.as_slice().to_vec());
            let stride = tables.input.stride;
            let logit =
                |i: usize, j: usize| -> f64 { (0..40).map(|d| f64::from(h[i * stride + d] * u[j * stride + d])).sum() };
            let softplus = |z: f64| (1.0 + (-z).exp()).ln();
            let expected: f64 =
                [1, 2].iter().map(|&i| softplus(logit(i, 7)) + softplus(-logit(i, 8)) + softplus(-logit(i, 9))).sum();
            let mut worker = tables.worker()?;
            tables.step_rows(&rows([1, 2]), first(&rows([7, 8, 9])), 0.1, &mut worker);
            let found = worker.take_loss();
            assert!((found / expected - 1.0).abs() < 1e-5, "{kernel:?}: {found}, expected {expected}");
            assert_eq!(worker.take_loss(), 0.0);
        }
        Ok(())
    }

    #[test]
    fn a_row_that_is_not_finite_shows_in_the_loss() -> Result<()> {
        for kernel in Kernel::available() {
            for poison in [f32::NAN, f32::INFINITY] {
                let mut tables = tables(24, kernel)?;
                tables.output.buffer.as_mut_slice()[5 * tables.output.stride + 3] = poison;
                tables.input.buffer.as_mut_slice()[tables.input.stride] = poison;
                let mut worker = tables.worker()?;
                tables.step_rows(&rows([1, 2, 3]), first(&rows([4, 5, 6, 7, 8, 9])), 0.1, &mut worker);
                tables.step_rows(&rows([1, 2, 3]), first(&rows([4, 5, 6, 7, 8, 9])), 0.1, &mut worker);
                assert!(worker.take_loss().is_nan(), "{kernel:?}, {poison}");
            }
        }
        Ok(())
    }

    #[test]
    #[should_panic(expected = "a worker of other tables")]
    fn a_worker_of_narrower_tables_is_a_panic_and_no_wild_write() {
        let kernel = Kernel::choose(None).expect("scalar runs everywhere");
        let mut worker = tables(8, kernel).expect("small tables").worker().expect("a worker");
        let wide = tables(800, kernel).expect("small tables");
        wide.step_mean(&[RowId(1)], 1.0, first(&[RowId(0)]), 0.1, &mut worker);
    }

    #[test]
    #[should_panic(expected = "row 16 of 16")]
    fn a_row_out_of_range_is_a_panic_and_no_wild_write() {
        let kernel = Kernel::choose(None).expect("scalar runs everywhere");
        let tables = tables(8, kernel).expect("small tables");
        let mut worker = tables.worker().expect("a worker");
        tables.step_rows(&[RowId(16)], first(&[RowId(0)]), 0.1, &mut worker);
    }
}
