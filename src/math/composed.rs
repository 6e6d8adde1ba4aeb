//! Hidden rows that are means of input rows: a word is the mean of its own row and of its n-grams' (Bojanowski et al., 2017).
//!
//! Gathering and scattering twenty rows for every pair of words would cost far more than the pair. A worker therefore
//! composes a word once, when it comes into a window, into a row of its own; blocks step on that row while the word is in
//! reach of a centre, and what has moved goes back to all rows of the mean when it leaves. Each of these moves by the whole
//! of it, as in fastText: so the mean moves as a row of a word without n-grams would.
#![allow(unsafe_code)]

use super::kernel::PrivateRow;
use super::shared::{RowId, Tables, Worker};
use crate::error::Result;
use crate::io::PageBuffer;

/// The input rows that each word is the mean of, in one flat list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compositions {
    ends: Vec<u64>,
    rows: Vec<RowId>,
}

impl Compositions {
    /// No words yet.
    pub fn new() -> Self {
        Self { ends: Vec::new(), rows: Vec::new() }
    }

    /// Adds the next word, the mean of these rows; one that stands twice counts twice.
    pub fn push(&mut self, rows: impl IntoIterator<Item = RowId>) {
        self.rows.extend(rows);
        self.ends.push(self.rows.len() as u64);
    }

    /// The rows of a word.
    ///
    /// # Panics
    /// If there is no such word.
    #[inline]
    pub fn of(&self, word: usize) -> &[RowId] {
        let start = if word == 0 { 0 } else { self.ends[word - 1] as usize };
        &self.rows[start..self.ends[word] as usize]
    }

    /// The number of words.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The rows of all words together.
    pub fn rows_len(&self) -> usize {
        self.rows.len()
    }
}

impl Default for Compositions {
    fn default() -> Self {
        Self::new()
    }
}

/// A worker's composed rows: each as it is now and as it was composed.
#[derive(Debug)]
pub(super) struct Composed {
    now: PageBuffer,
    before: PageBuffer,
    slots: usize,
    stride: usize,
}

impl Composed {
    pub fn new(slots: usize, stride: usize) -> Result<Self> {
        let numbers = slots * stride;
        Ok(Self { now: PageBuffer::zeroed(numbers)?, before: PageBuffer::zeroed(numbers)?, slots, stride })
    }

    /// A slot's row as it is now.
    ///
    /// # Panics
    /// If there is no such slot, or the table's rows are not as wide.
    #[inline(always)]
    pub fn row(&mut self, slot: RowId, stride: usize) -> *mut f32 {
        assert!(self.stride == stride, "a worker of other tables");
        assert!((slot.0 as usize) < self.slots, "slot {} of {}", slot.0, self.slots);
        // SAFETY: within the buffer, as just checked.
        unsafe { self.now.as_mut_ptr().add(slot.0 as usize * self.stride) }
    }

    #[inline(always)]
    fn span(&self, slot: RowId) -> std::ops::Range<usize> {
        slot.0 as usize * self.stride..(slot.0 as usize + 1) * self.stride
    }
}

impl Tables {
    /// Fills a slot of the worker with the mean of some input rows; none, and it is zeros.
    ///
    /// # Panics
    /// If the worker was not made by [`Tables::composing_worker`], or has no such slot.
    pub fn compose(&self, slot: RowId, rows: &[RowId], worker: &mut Worker) {
        worker.note_inputs(rows);
        let (pointers, composed, value) = self.parts(slot, rows, worker);
        let span = composed.span(slot);
        // SAFETY: the slot was checked, and both buffers have as many.
        let row = PrivateRow { value, grad: unsafe { composed.before.as_mut_ptr().add(span.start) } };
        // SAFETY: all rows were checked and are padded; the slot belongs to this worker; the kernel fits this processor.
        unsafe { (self.kernel.gather)(pointers, 1.0 / rows.len().max(1) as f32, &row, self.input.dim()) };
        composed.before.as_mut_slice()[span.clone()].copy_from_slice(&composed.now.as_slice()[span]);
    }

    /// Moves some input rows by what a slot has moved since it was composed of them.
    ///
    /// # Panics
    /// As [`Tables::compose`].
    pub fn spread(&self, slot: RowId, rows: &[RowId], worker: &mut Worker) {
        let (pointers, composed, value) = self.parts(slot, rows, worker);
        let span = composed.span(slot);
        let moves = &mut composed.before.as_mut_slice()[span.clone()];
        moves.iter_mut().zip(&composed.now.as_slice()[span]).for_each(|(before, now)| *before = now - *before);
        let row = PrivateRow { value, grad: moves.as_mut_ptr() };
        // SAFETY: as in `compose`; a row may be listed twice.
        unsafe { (self.kernel.scatter)(pointers, 1.0, &row, self.input.dim()) };
    }

    /// The addresses of input rows, and a slot's own.
    #[inline(always)]
    fn parts<'w>(
        &self,
        slot: RowId,
        rows: &[RowId],
        worker: &'w mut Worker,
    ) -> (&'w [*mut f32], &'w mut Composed, *mut f32) {
        let Worker { composed, rows: pointers, .. } = worker;
        let composed = composed.as_mut().expect("a worker that composes");
        pointers.clear();
        pointers.extend(rows.iter().map(|&row| self.input.row(row)));
        let value = composed.row(slot, self.input.stride());
        (pointers, composed, value)
    }

    /// A worker whose hidden rows are not input rows but `slots` rows of its own, composed of input rows.
    pub fn composing_worker(&self, slots: usize) -> Result<Worker> {
        let mut worker = self.worker()?;
        worker.composed = Some(Composed::new(slots, self.input.stride())?);
        Ok(worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{Kernel, Outputs, SharedTable};

    fn ids(ids: impl IntoIterator<Item = u32>) -> Vec<RowId> {
        ids.into_iter().map(RowId).collect()
    }

    #[test]
    fn rows_of_a_mean_each_move_by_what_the_mean_moves() -> Result<()> {
        for kernel in Kernel::available() {
            let dim = 40;
            let tables = Tables::new(SharedTable::uniform(8, dim, 1)?, SharedTable::uniform(8, dim, 2)?, kernel)?;
            let mut worker = tables.composing_worker(3)?;
            let parts = ids([1, 4, 6]);
            tables.compose(RowId(2), &parts, &mut worker);
            tables.step_rows(&[RowId(2)], Outputs::Each { rows: &ids([3, 5]), positives: 1 }, 0.5, &mut worker);
            tables.spread(RowId(2), &parts, &mut worker);
            let (mut input, _) = tables.into_parts();
            // The same step on a table whose row is the mean from the start.
            let start = SharedTable::uniform(8, dim, 1)?.into_matrix();
            let mean: Vec<f32> =
                (0..dim).map(|d| [1, 4, 6].iter().map(|&r| start.row(r)[d]).sum::<f32>() / 3.0).collect();
            let mut plain = SharedTable::zeros(1, dim)?;
            plain.set_rows(0, [&mean[..]]);
            let plain = Tables::new(plain, SharedTable::uniform(8, dim, 2)?, kernel)?;
            plain.step_rows(&[RowId(0)], Outputs::Each { rows: &ids([3, 5]), positives: 1 }, 0.5, &mut plain.worker()?);
            let moved = plain.into_parts().0.into_matrix();
            for (id, row) in input.as_rows().iter().enumerate() {
                for d in 0..dim {
                    let by = if [1, 4, 6].contains(&id) { moved.row(0)[d] - mean[d] } else { 0.0 };
                    let expected = start.row(id)[d] + by;
                    assert!((row[d] - expected).abs() < 1e-6, "{kernel:?}, row {id}: {} for {expected}", row[d]);
                }
            }
        }
        Ok(())
    }

    #[test]
    #[should_panic(expected = "a worker of other tables")]
    fn a_worker_of_narrower_tables_is_a_panic_and_no_wild_write() {
        let kernel = Kernel::choose(None).expect("scalar runs everywhere");
        let tables = |dim| {
            let table = || SharedTable::zeros(2, dim).expect("a small table");
            Tables::new(table(), table(), kernel).expect("tables")
        };
        let mut worker = tables(8).composing_worker(3).expect("a worker");
        tables(800).compose(RowId(0), &[RowId(0)], &mut worker);
    }

    #[test]
    #[should_panic(expected = "slot 3 of 3")]
    fn a_slot_out_of_range_is_a_panic_and_no_wild_write() {
        let kernel = Kernel::choose(None).expect("scalar runs everywhere");
        let table = || SharedTable::zeros(2, 8).expect("a small table");
        let tables = Tables::new(table(), table(), kernel).expect("tables");
        let mut worker = tables.composing_worker(3).expect("a worker");
        tables.compose(RowId(3), &[RowId(0)], &mut worker);
    }
}
