//! Sparse rows of `f32` in compressed form (CSR), and rows of either kind.

use super::Matrix;
use crate::error::{Error, Result};
use crate::io::checksum;

/// A sparse matrix of `rows x cols` numbers: of each row, the columns that are not zero, ascending, and their values.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseMatrix {
    cols: usize,
    /// Where each row ends in the two lists below.
    ends: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
}

/// One sparse row: columns, ascending, and their values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SparseRow<'a> {
    /// The columns that are not zero.
    pub indices: &'a [u32],
    /// Their values.
    pub values: &'a [f32],
}

impl SparseRow<'_> {
    /// Columns and values, pair by pair.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, f32)> {
        self.indices.iter().zip(self.values).map(|(&index, &value)| (index as usize, value))
    }
}

impl SparseMatrix {
    /// Takes compressed rows: `ends` says where each row ends in `indices` and `values`.
    ///
    /// # Errors
    /// If the ends fall or miss the lists' length, or a row's columns do not ascend or reach `cols`.
    pub fn new(cols: usize, ends: Vec<usize>, indices: Vec<u32>, values: Vec<f32>) -> Result<Self> {
        let last = ends.last().copied().unwrap_or(0);
        if indices.len() != last || values.len() != last {
            let found = format!("{} columns and {} values", indices.len(), values.len());
            return Err(Error::mismatch("entries of a sparse matrix", last, found));
        }
        let mut start = 0;
        for (row, &end) in ends.iter().enumerate() {
            let Some(indices) = indices.get(start..end) else {
                return Err(Error::data(format!("row {} of a sparse matrix ends before it begins", row + 1)));
            };
            if indices.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(Error::data(format!("the columns of row {} of a sparse matrix do not ascend", row + 1)));
            }
            if let Some(&last) = indices.last().filter(|&&last| last as usize >= cols) {
                let reason = format!("row {} of a sparse matrix has column {last} of {cols}", row + 1);
                return Err(Error::data(reason));
            }
            start = end;
        }
        Ok(Self { cols, ends, indices, values })
    }

    /// No rows yet, of so many columns.
    pub fn empty(cols: usize) -> Self {
        Self { cols, ends: Vec::new(), indices: Vec::new(), values: Vec::new() }
    }

    /// Appends a row.
    ///
    /// # Panics
    /// If its columns do not ascend or reach [`SparseMatrix::cols`].
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        let mut next = 0;
        for (index, value) in row {
            assert!(index >= next && (index as usize) < self.cols, "columns ascend below {}", self.cols);
            next = index + 1;
            self.indices.push(index);
            self.values.push(value);
        }
        self.ends.push(self.indices.len());
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The number of entries.
    pub fn entries(&self) -> usize {
        self.indices.len()
    }

    /// The columns of all entries, row after row.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// The values of all entries, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values of all entries, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// One row.
    ///
    /// # Panics
    /// If `row` is not below [`SparseMatrix::rows`].
    pub fn row(&self, row: usize) -> SparseRow<'_> {
        let range = if row == 0 { 0 } else { self.ends[row - 1] }..self.ends[row];
        SparseRow { indices: &self.indices[range.clone()], values: &self.values[range] }
    }

    /// All rows in order.
    pub fn iter_rows(&self) -> impl ExactSizeIterator<Item = SparseRow<'_>> {
        (0..self.rows()).map(|row| self.row(row))
    }

    /// In how many rows each column has an entry.
    pub fn entries_by_column(&self) -> Vec<u32> {
        let mut counts = vec![0; self.cols];
        self.indices.iter().for_each(|&index| counts[index as usize] += 1);
        counts
    }

    /// The sum of each column.
    pub fn sums_by_column(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.cols];
        self.indices.iter().zip(&self.values).for_each(|(&index, &value)| sums[index as usize] += f64::from(value));
        sums
    }
}

/// Rows to learn from, dense or sparse.
#[derive(Debug, Clone)]
pub enum Samples {
    /// Each row has a number in every column.
    Dense(Matrix),
    /// Most numbers are zero.
    Sparse(SparseMatrix),
}

impl Samples {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Dense(matrix) => matrix.rows(),
            Self::Sparse(matrix) => matrix.rows(),
        }
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        match self {
            Self::Dense(matrix) => matrix.cols(),
            Self::Sparse(matrix) => matrix.cols(),
        }
    }

    /// A copy of some rows.
    ///
    /// # Panics
    /// If one is not below [`Samples::rows`].
    pub fn chosen(&self, rows: &[u32]) -> Self {
        match self {
            Self::Dense(matrix) => {
                let numbers = rows.iter().flat_map(|&row| matrix.row(row as usize)).copied().collect();
                Self::Dense(Matrix::from_vec(rows.len(), matrix.cols(), numbers).expect("whole rows"))
            }
            Self::Sparse(matrix) => {
                let mut some = SparseMatrix::empty(matrix.cols());
                for &row in rows {
                    let row = matrix.row(row as usize);
                    some.push(row.indices.iter().copied().zip(row.values.iter().copied()));
                }
                Self::Sparse(some)
            }
        }
    }

    /// A checksum of all numbers and their places, bit by bit.
    pub fn fingerprint(&self) -> u64 {
        match self {
            Self::Dense(matrix) => super::fingerprint(matrix.iter_rows()),
            Self::Sparse(matrix) => {
                let values = super::fingerprint(matrix.iter_rows().map(|row| row.values));
                let columns = checksum::part(&matrix.indices, 0, |column| u64::from(column) + 1);
                let ends = checksum::part(&matrix.ends, 0, |end| end as u64 + 1);
                checksum::join(&[(values, matrix.cols as u64), (columns, matrix.indices.len() as u64), (ends, 0)])
            }
        }
    }

    /// The values of a row that are stored: all of a dense one, the entries of a sparse one.
    pub fn stored(&self, row: usize) -> &[f32] {
        match self {
            Self::Dense(matrix) => matrix.row(row),
            Self::Sparse(matrix) => matrix.row(row).values,
        }
    }
}

impl From<Matrix> for Samples {
    fn from(matrix: Matrix) -> Self {
        Self::Dense(matrix)
    }
}

impl From<SparseMatrix> for Samples {
    fn from(matrix: SparseMatrix) -> Self {
        Self::Sparse(matrix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_whole_or_refused() -> Result<()> {
        let matrix = SparseMatrix::new(4, vec![2, 2, 3], vec![0, 3, 1], vec![1.0, 2.0, 3.0])?;
        assert_eq!((matrix.rows(), matrix.cols(), matrix.entries()), (3, 4, 3));
        let rows: Vec<Vec<_>> = matrix.iter_rows().map(|row| row.iter().collect()).collect();
        assert_eq!(rows, [vec![(0, 1.0), (3, 2.0)], vec![], vec![(1, 3.0)]]);
        assert_eq!(matrix.sums_by_column(), [1.0, 3.0, 0.0, 2.0]);
        let mut same = SparseMatrix::empty(4);
        [vec![(0, 1.0), (3, 2.0)], vec![], vec![(1, 3.0)]].into_iter().for_each(|row| same.push(row));
        assert_eq!(same, matrix);
        for (ends, indices) in
            [(vec![2], vec![1, 1]), (vec![2], vec![1, 4]), (vec![2, 1, 2], vec![0, 1]), (vec![3], vec![0, 1])]
        {
            assert!(SparseMatrix::new(4, ends, indices, vec![1.0; 2]).is_err());
        }
        Ok(())
    }
}
