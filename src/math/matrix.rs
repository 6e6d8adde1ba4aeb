//! Dense rows of `f32`, owned or mapped, and the products that queries are made of.

use crate::error::{Error, Result};
use crate::io::{MappedSlice, checksum};

/// A dense matrix of `rows x cols` numbers, row after row.
#[derive(Debug, Clone)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    Owned(Vec<f32>),
    Mapped(MappedSlice<f32>),
}

impl Matrix {
    /// All zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: Data::Owned(vec![0.0; rows * cols]) }
    }

    /// Rows one after another; the length must be `rows * cols`.
    pub fn from_vec(rows: usize, cols: usize, data: Vec<f32>) -> Result<Self> {
        check(rows, cols, data.len())?;
        Ok(Self { rows, cols, data: Data::Owned(data) })
    }

    /// Rows in a mapped file; the length must be `rows * cols`.
    pub fn from_mapped(rows: usize, cols: usize, data: MappedSlice<f32>) -> Result<Self> {
        check(rows, cols, data.len())?;
        Ok(Self { rows, cols, data: Data::Mapped(data) })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Is it still in its file?
    pub fn is_mapped(&self) -> bool {
        matches!(self.data, Data::Mapped(_))
    }

    /// All numbers, row after row.
    pub fn as_slice(&self) -> &[f32] {
        match &self.data {
            Data::Owned(data) => data,
            Data::Mapped(data) => data,
        }
    }

    /// All numbers, to be changed; a mapped matrix is copied first.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        if let Data::Mapped(data) = &self.data {
            self.data = Data::Owned(data.to_vec());
        }
        match &mut self.data {
            Data::Owned(data) => data,
            Data::Mapped(_) => unreachable!("copied above"),
        }
    }

    /// One row.
    ///
    /// # Panics
    /// If `row` is not below [`Matrix::rows`].
    pub fn row(&self, row: usize) -> &[f32] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        &self.as_slice()[row * self.cols..(row + 1) * self.cols]
    }

    /// All rows in order; a matrix without columns has none.
    pub fn iter_rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.as_slice().chunks_exact(self.cols.max(1))
    }

    /// The mean of all rows.
    pub fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0f64; self.cols];
        for row in self.iter_rows() {
            mean.iter_mut().zip(row).for_each(|(mean, &value)| *mean += f64::from(value) / self.rows as f64);
        }
        mean
    }

    /// A copy from whose rows `common` is taken off.
    pub fn less(&self, common: &[f64]) -> Self {
        let mut copy = self.clone();
        let cols = copy.cols.max(1);
        for row in copy.as_mut_slice().chunks_exact_mut(cols) {
            row.iter_mut().zip(common).for_each(|(value, common)| *value = (f64::from(*value) - common) as f32);
        }
        copy
    }

    /// A copy from whose rows their mean is taken off: what all rows share tells none of them apart (Mu and Viswanath,
    /// 2018, "All-but-the-Top").
    pub fn centered(&self) -> Self {
        self.less(&self.mean())
    }

    /// A copy whose rows have length one; rows of zeros stay as they are.
    pub fn normalized(&self) -> Self {
        let mut copy = self.clone();
        let cols = copy.cols.max(1);
        for row in copy.as_mut_slice().chunks_exact_mut(cols) {
            normalize(row);
        }
        copy
    }
}

/// A checksum of rows of numbers, bit by bit: equal for equal numbers in equal order, however they are stored.
pub fn fingerprint<R: AsRef<[f32]>>(rows: impl Iterator<Item = R>) -> u64 {
    let mut all = Fingerprint::default();
    rows.for_each(|row| all.add(row.as_ref()));
    all.finish()
}

/// What [`fingerprint`] has of the rows so far, for rows that are not there all at once.
#[derive(Debug, Default)]
pub(crate) struct Fingerprint {
    sum: u64,
    rows: u64,
    numbers: u64,
}

impl Fingerprint {
    /// Takes the next row in.
    pub fn add(&mut self, row: &[f32]) {
        let part = checksum::part(row, self.numbers, |value: f32| u64::from(value.to_bits()) + 1);
        self.sum = self.sum.wrapping_add(part);
        self.rows += 1;
        self.numbers += row.len() as u64;
    }

    /// The checksum of all.
    pub fn finish(self) -> u64 {
        checksum::join(&[(self.sum, self.rows), (self.numbers, 0)])
    }
}

/// Scales a vector to length one, in place; zeros stay zeros.
fn normalize(row: &mut [f32]) {
    let norm = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    if norm > 0.0 {
        for x in row {
            *x = (f64::from(*x) / norm) as f32;
        }
    }
}

fn check(rows: usize, cols: usize, len: usize) -> Result<()> {
    if rows.checked_mul(cols) == Some(len) {
        Ok(())
    } else {
        Err(Error::mismatch("numbers in a matrix", format!("{rows} x {cols}"), len))
    }
}

/// The inner product of two vectors of equal length, summed in eight lanes.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    debug_assert_eq!(a.len(), b.len());
    let mut lanes = [0f32; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// A matrix laid over numbers, perhaps transposed or with gaps between its rows.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    /// Numbers from one row to the next, and from one column to the next.
    strides: [usize; 2],
}

impl<'a> View<'a> {
    /// The first `cols` of every `stride` numbers are a row.
    ///
    /// # Panics
    /// If the numbers do not suffice.
    pub fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(
            cols <= stride && (rows == 0 || (rows - 1) * stride + cols <= data.len()),
            "a matrix within its numbers"
        );
        Self { data, rows, cols, strides: [stride, 1] }
    }

    /// The transposed matrix.
    pub fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, strides: [self.strides[1], self.strides[0]], ..self }
    }
}

/// `out = a b`, row after row, on this thread; callers split the rows between threads.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply(a: View<'_>, b: View<'_>, out: &mut [f32]) {
    assert!(a.cols == b.rows && out.len() == a.rows * b.cols, "shapes of a product");
    #[allow(unsafe_code)]
    // SAFETY: both views lie within their numbers, `out` holds exactly a.rows x b.cols, with the strides given, and is
    // borrowed exclusively.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            out.as_mut_ptr(),
            1,
            b.cols as isize,
            false,
            a.data.as_ptr(),
            a.strides[1] as isize,
            a.strides[0] as isize,
            b.data.as_ptr(),
            b.strides[1] as isize,
            b.strides[0] as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// `out = a * bᵀ`: all inner products of `m` rows of `a` with `n` rows of `b`, each of `dim` numbers, on this thread.
///
/// `out` is `m x n`, row after row. Callers split the rows between threads.
///
/// # Panics
/// If a slice is not a whole number of rows or `out` has another size.
pub fn multiply_transposed(a: &[f32], b: &[f32], dim: usize, out: &mut [f32]) {
    let (m, n) = (a.len() / dim.max(1), b.len() / dim.max(1));
    assert!(a.len() == m * dim && b.len() == n * dim, "shapes of a product");
    multiply(View::new(a, m, dim, dim), View::new(b, n, dim, dim).transposed(), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_one_bit_an_order_and_a_shape() {
        let of = |rows: &[&[f32]]| fingerprint(rows.iter().copied());
        let first = of(&[&[1.0, 2.0], &[3.0, 4.0]]);
        assert_eq!(first, of(&[&[1.0, 2.0], &[3.0, 4.0]]));
        let others = [
            of(&[&[1.0, 2.0], &[3.0, f32::from_bits(4f32.to_bits() + 1)]]),
            of(&[&[3.0, 4.0], &[1.0, 2.0]]),
            of(&[&[1.0, 2.0, 3.0, 4.0]]),
            of(&[&[0.0]]),
            of(&[&[-0.0]]),
            of(&[&[0.0], &[0.0]]),
        ];
        for (at, other) in others.iter().enumerate() {
            assert!(*other != first && !others[at + 1..].contains(other), "{at}");
        }
    }

    #[test]
    fn a_product_equals_its_inner_products() {
        let a: Vec<f32> = (0..3 * 13).map(|i| (i % 7) as f32 - 3.0).collect();
        let b: Vec<f32> = (0..5 * 13).map(|i| (i % 5) as f32 - 2.0).collect();
        let mut out = vec![f32::NAN; 15];
        multiply_transposed(&a, &b, 13, &mut out);
        for i in 0..3 {
            for j in 0..5 {
                assert_eq!(out[i * 5 + j], dot(&a[i * 13..][..13], &b[j * 13..][..13]));
            }
        }
    }

    #[test]
    fn centered_rows_have_mean_zero() -> Result<()> {
        let matrix = Matrix::from_vec(3, 2, vec![1.0, 5.0, 2.0, 5.0, 6.0, 5.0])?.centered();
        assert_eq!(matrix.as_slice(), [-2.0, 0.0, -1.0, 0.0, 3.0, 0.0]);
        Ok(())
    }

    #[test]
    fn normalized_rows_have_length_one_and_zeros_stay() -> Result<()> {
        let matrix = Matrix::from_vec(2, 2, vec![3.0, 4.0, 0.0, 0.0])?.normalized();
        assert_eq!(matrix.as_slice(), [0.6, 0.8, 0.0, 0.0]);
        assert!(Matrix::from_vec(2, 2, vec![0.0; 3]).is_err());
        Ok(())
    }
}
