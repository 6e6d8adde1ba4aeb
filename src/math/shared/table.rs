//! Training tables: matrices that threads update without locks.
#![allow(unsafe_code)]

use crate::error::{Error, Result};
use crate::io::PageBuffer;
use crate::math::{Matrix, Rng};

/// A row of a table: a word's, an n-gram's, a document's, a tree node's.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub u32);

/// Rows are padded with zeros to whole cache lines, so that kernels have no tails.
const LINE: usize = 16;

/// An `f32` matrix that threads update without locks. No `&f32` into it exists while they do.
#[derive(Debug)]
pub struct SharedTable {
    pub(super) rows: usize,
    pub(super) dim: usize,
    pub(super) stride: usize,
    start: *mut f32,
    pub(super) buffer: PageBuffer,
}

// SAFETY: the pointer is into the table's own buffer; shared access goes through kernels only, which read and write as
// by relaxed atomics (see `lanes.rs`).
unsafe impl Send for SharedTable {}
// SAFETY: as above.
unsafe impl Sync for SharedTable {}

impl SharedTable {
    /// All zeros.
    pub fn zeros(rows: usize, dim: usize) -> Result<Self> {
        let stride = dim.next_multiple_of(LINE);
        let numbers = rows.checked_mul(stride).filter(|_| u32::try_from(rows).is_ok());
        let numbers = numbers.ok_or_else(|| Error::data(format!("a table of {rows} x {dim} numbers is too large")))?;
        let mut buffer = PageBuffer::zeroed(numbers)?;
        Ok(Self { rows, dim, stride, start: buffer.as_mut_ptr(), buffer })
    }

    /// Uniform from −½ to ½, divided by `dim`, as word2vec starts; a row's numbers depend on `seed` and the row only.
    pub fn uniform(rows: usize, dim: usize, seed: u64) -> Result<Self> {
        let mut table = Self::zeros(rows, dim)?;
        let stride = table.stride;
        for (id, row) in table.buffer.as_mut_slice().chunks_exact_mut(stride).enumerate() {
            Self::start(seed, id, &mut row[..dim]);
        }
        Ok(table)
    }

    /// The numbers that [`SharedTable::uniform`] gives to a row.
    pub fn start(seed: u64, id: usize, row: &mut [f32]) {
        let (mut rng, dim) = (Rng::stream(seed, &[id as u64]), row.len() as f32);
        row.iter_mut().for_each(|value| *value = (rng.uniform() - 0.5) / dim);
    }

    /// Copies rows of the same width to those from `first` on; nobody trains on them meanwhile.
    ///
    /// # Panics
    /// If they do not fit.
    pub fn set_rows<'a>(&mut self, first: usize, rows: impl IntoIterator<Item = &'a [f32]>) {
        let (dim, stride) = (self.dim, self.stride);
        let numbers = self.buffer.as_mut_slice();
        for (at, row) in rows.into_iter().enumerate() {
            numbers[(first + at) * stride..][..dim].copy_from_slice(row);
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The table without its padding, when training is over.
    pub fn into_matrix(mut self) -> Matrix {
        let mut data = Vec::with_capacity(self.rows * self.dim);
        self.as_rows().iter().for_each(|row| data.extend_from_slice(row));
        Matrix::from_vec(self.rows, self.dim, data).expect("rows of dim numbers")
    }

    /// All rows, to be read while nobody trains on them.
    pub fn as_rows(&mut self) -> Rows<'_> {
        let Self { dim, stride, .. } = *self;
        Rows { numbers: self.buffer.as_slice(), stride, dim }
    }

    /// All rows with their padding, which must stay zero, to be changed while nobody trains on them.
    pub fn as_padded_mut(&mut self) -> &mut [f32] {
        self.buffer.as_mut_slice()
    }

    /// Numbers in a row with its padding.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// A row's address.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline(always)]
    pub(in crate::math) fn row(&self, row: RowId) -> *mut f32 {
        assert!((row.0 as usize) < self.rows, "row {} of {}", row.0, self.rows);
        // SAFETY: within the buffer, as just checked.
        unsafe { self.start.add(row.0 as usize * self.stride) }
    }
}

/// The rows of a table that nobody trains on meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    numbers: &'a [f32],
    stride: usize,
    dim: usize,
}

impl<'a> Rows<'a> {
    /// Those of a matrix.
    pub fn of(matrix: &'a Matrix) -> Self {
        Self { numbers: matrix.as_slice(), stride: matrix.cols(), dim: matrix.cols() }
    }

    /// Each row's `dim` numbers, in order.
    pub fn iter(self) -> impl Iterator<Item = &'a [f32]> {
        self.numbers.chunks_exact(self.stride.max(1)).map(move |row| &row[..self.dim])
    }

    /// One row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn get(self, row: RowId) -> &'a [f32] {
        &self.numbers[row.0 as usize * self.stride..][..self.dim]
    }

    /// Some of the rows.
    pub fn range(self, rows: std::ops::Range<usize>) -> Self {
        Self { numbers: &self.numbers[rows.start * self.stride..rows.end * self.stride], ..self }
    }

    /// A copy of them.
    pub fn to_matrix(self) -> Matrix {
        let count = self.numbers.len() / self.stride.max(1);
        let mut numbers = Vec::with_capacity(count * self.dim);
        self.iter().for_each(|row| numbers.extend_from_slice(row));
        Matrix::from_vec(count, self.dim, numbers).expect("as many numbers")
    }

    /// Are all numbers finite?
    pub fn are_finite(self) -> bool {
        // Without branches within a part, so that compilers vectorise it.
        self.numbers.chunks(1 << 12).all(|part| part.iter().fold(true, |finite, value| finite & value.is_finite()))
    }
}
