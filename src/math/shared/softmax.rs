//! Steps on all rows of the output table at once: exact softmax.
//!
//! For a hidden row `h`, all output rows `uⱼ`, the target `t` and learning rate `lr`,
//!
//! ```text
//! gⱼ = lr (yⱼ − exp(h·uⱼ) / Σₖ exp(h·uₖ))        y is 1 for the target and 0 for all others
//! h += Σⱼ gⱼ uⱼ                                  uⱼ += gⱼ h
//! ```
//!
//! and the loss is `ln Σⱼ exp(h·uⱼ) − h·uₜ`. No `gⱼ` is known before all scores are, so the kernel's step is taken in its two
//! halves, and the hidden rows are copies that belong to the worker.
#![allow(unsafe_code)]

use super::{RowId, Tables, Worker};
use crate::math::kernel::{BLOCK, Block, Grads, LANES};
use crate::math::vector::softmax_steps;

impl Tables {
    /// Each row of `hidden` tells the target from all other output rows, up to six of them in one pass over the table.
    pub(super) fn softmax_rows(&self, hidden: &[RowId], target: RowId, lr: f32, worker: &mut Worker) {
        for hidden in hidden.chunks(BLOCK) {
            for (at, &row) in hidden.iter().enumerate() {
                let (private, row) = (self.private_row(at, worker), self.hidden(row, &mut worker.composed));
                // SAFETY: the row was checked; the private row belongs to the worker; the kernel fits this processor.
                unsafe { (self.kernel.gather)(&[row], 1.0, &private, self.input.dim) };
            }
            self.softmax(hidden.len(), target, lr, worker);
            for (at, &row) in hidden.iter().enumerate() {
                let (private, row) = (self.private_row(at, worker), self.hidden(row, &mut worker.composed));
                // SAFETY: as above.
                unsafe { (self.kernel.scatter)(&[row], 1.0, &private, self.input.dim) };
            }
        }
    }

    /// A step of the first `count` private hidden rows, at most six: their gradients gather, the output rows move.
    ///
    /// # Panics
    /// If there is no such target.
    pub(super) fn softmax(&self, count: usize, target: RowId, lr: f32, worker: &mut Worker) {
        let rows = self.output.rows();
        assert!((target.0 as usize) < rows, "row {} of {rows}", target.0);
        let mut block = self.block(lr);
        let mut grads: Grads = [std::ptr::null_mut(); BLOCK];
        block.hidden_len = count;
        for (at, grad) in grads[..count].iter_mut().enumerate() {
            let private = self.private_row(at, worker);
            (block.hidden[at], *grad) = (private.value, private.grad);
        }
        let Worker { scores, carry, .. } = worker;
        // Kept from step to step: the loop allocates nothing.
        scores.resize(rows * BLOCK + LANES, 0.0);
        self.for_each_block(&mut block, |block, first| {
            // SAFETY: all rows were checked and are padded; `scores` has room for a register behind the last score.
            unsafe { (self.kernel.scores)(block, scores.as_mut_ptr().add(first * count), carry) };
        });
        carry.nats += softmax_steps(&mut scores[..rows * count], count, target.0 as usize, lr);
        if lr == 0.0 {
            // Only the loss is asked for.
            return;
        }
        self.for_each_block(&mut block, |block, first| {
            // SAFETY: as above; there is a number for each pair of rows.
            unsafe { (self.kernel.moves)(block, &grads, scores.as_ptr().add(first * count), carry) };
        });
    }

    /// All output rows, in order, in blocks of six and then one by one, each with the number of rows before it.
    fn for_each_block(&self, block: &mut Block, mut visit: impl FnMut(&Block, usize)) {
        let (rows, mut first) = (self.output.rows(), 0);
        while first < rows {
            block.outputs_len = if rows - first < BLOCK { 1 } else { BLOCK };
            for (at, slot) in block.outputs[..block.outputs_len].iter_mut().enumerate() {
                *slot = self.output.row(RowId((first + at) as u32));
            }
            visit(block, first);
            first += block.outputs_len;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Result;
    use crate::math::{Kernel, Outputs, RowId, SharedTable, Tables};

    /// Both tables and the loss after a few steps on an output table of so many rows.
    fn after(rows: usize, dim: usize, kernel: Kernel, lr: f32) -> Result<(Vec<f32>, f64)> {
        let mut parts = [SharedTable::uniform(9, dim, 1)?, SharedTable::uniform(rows, dim, 2)?];
        for table in &mut parts {
            // Large enough that every logit matters.
            table.as_padded_mut().iter_mut().for_each(|value| *value *= 3.0 * (dim as f32).sqrt());
        }
        let [input, output] = parts;
        let tables = Tables::new(input, output, kernel)?;
        let mut worker = tables.worker()?;
        for hidden in 1..=9 {
            let hidden: Vec<RowId> = (0..hidden).map(|row| RowId(row % 8)).collect();
            let target = |at: usize| Outputs::All { target: RowId((at % rows) as u32) };
            tables.step_rows(&hidden, target(hidden.len()), lr, &mut worker);
            tables.step_mean(&hidden, 0.4, target(3 * hidden.len()), lr, &mut worker);
        }
        let (mut input, mut output) = tables.into_parts();
        // With the padding, which must stay zero.
        Ok(([input.as_padded_mut(), output.as_padded_mut()].concat(), worker.take_loss()))
    }

    #[test]
    fn every_kernel_equals_scalar_at_every_width_and_size() -> Result<()> {
        for (rows, dim) in (1..=20).map(|rows| (rows, 17)).chain((1..=67).map(|dim| (15, dim))) {
            let (expected, expected_loss) = after(rows, dim, Kernel::choose(Some("scalar")).expect("always"), 0.1)?;
            for kernel in Kernel::available() {
                let (found, loss) = after(rows, dim, kernel, 0.1)?;
                for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let is_close = (found - expected).abs() < 2e-5 * (1.0 + expected.abs());
                    assert!(is_close, "{kernel:?}, {rows} x {dim}, {at}: {found}, expected {expected}");
                }
                assert!(
                    (loss - expected_loss).abs() < 1e-4 * (1.0 + expected_loss),
                    "{kernel:?}, {rows} x {dim}: {loss}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn at_rate_zero_nothing_moves_and_the_loss_is_told() -> Result<()> {
        for kernel in Kernel::available() {
            let (before, _) = after(7, 20, kernel, 0.0)?;
            let (again, loss) = after(7, 20, kernel, 0.0)?;
            let (moved, _) = after(7, 20, kernel, 0.1)?;
            assert!(before == again && before != moved && loss > 0.0, "{kernel:?}: {loss}");
        }
        Ok(())
    }

    #[test]
    fn huge_scores_do_not_overflow_and_numbers_that_are_none_show() -> Result<()> {
        for kernel in Kernel::available() {
            for (poison, expected) in [(1e4, Some(1e4 * 1e4)), (f32::NAN, None), (f32::INFINITY, None)] {
                let mut parts = [SharedTable::zeros(1, 8)?, SharedTable::zeros(8, 8)?];
                parts[0].set_rows(0, [[1e4f32; 1].as_slice(), &[0.0; 7]].concat().chunks(8));
                parts[1].set_rows(3, [[poison; 1].as_slice(), &[0.0; 7]].concat().chunks(8));
                let [input, output] = parts;
                let tables = Tables::new(input, output, kernel)?;
                let mut worker = tables.worker()?;
                tables.step_rows(&[RowId(0)], Outputs::All { target: RowId(5) }, 0.0, &mut worker);
                let loss = worker.take_loss();
                let is_right = expected.map_or(loss.is_nan(), |expected| (loss / expected - 1.0).abs() < 1e-5);
                assert!(is_right, "{kernel:?}, {poison}: {loss}");
            }
        }
        Ok(())
    }
}
