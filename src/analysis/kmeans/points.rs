//! Rows as k-means sees them: moved to their mean or scaled to length one, block by block, and the nearest centre of each.
//!
//! |x − c|² = |x|² − 2 x·c + |c|². All products of a block of rows with the centres are one matrix product. Rows are moved
//! to their mean first, since the difference of large squares is what is lost in f32. No copy of all rows is made.

use std::ops::Range;

use rayon::prelude::*;

use super::super::checks::check_squarable;
use crate::error::Result;
use crate::math::{Matrix, dot, multiply_transposed, vector};

/// Rows that are taken together; fixed, so that sums do not depend on threads.
pub(super) const BLOCK: usize = 256;
/// Centres that a block is multiplied with at a time, so that the products stay in the cache.
const PANEL: usize = 512;
/// Rows are summed in at most so many stripes of at least so many rows, which are joined in order.
const STRIPES: usize = 16;
const STRIPE: usize = 2048;
/// All stripes' sums together have at most about so many numbers.
const SUMS: usize = 1 << 23;

/// Rows, and what is done to them before they are compared.
pub(super) struct Points<'a> {
    data: &'a [f32],
    pub dim: usize,
    shift: Shift,
    /// Have the centres length one, as the rows?
    pub is_unit: bool,
    /// The squared length of each row, after the shift.
    norms: Vec<f32>,
}

enum Shift {
    /// The rows are ready.
    Done,
    /// Taken off each row.
    By(Vec<f32>),
    /// The inverse length of each row.
    Unit(Vec<f32>),
}

/// Centres in the shifted coordinates, and their squared lengths.
#[derive(Debug, Clone)]
pub(super) struct Centers {
    pub rows: Vec<f32>,
    pub dim: usize,
    norms: Vec<f32>,
}

impl Centers {
    pub fn new(rows: Vec<f32>, dim: usize) -> Self {
        let norms = rows.chunks_exact(dim).map(|row| dot(row, row)).collect();
        Self { rows, dim, norms }
    }

    pub fn len(&self) -> usize {
        self.norms.len()
    }

    pub fn row(&self, at: usize) -> &[f32] {
        &self.rows[at * self.dim..][..self.dim]
    }
}

/// Numbers in which a thread works.
#[derive(Default)]
struct Scratch {
    block: Vec<f32>,
    products: Vec<f32>,
}

impl<'a> Points<'a> {
    /// Rows as they are compared: `normalize` makes their length one, `unit` that of the centres too.
    pub fn new(x: &'a Matrix, normalize: bool, unit: bool) -> Result<Self> {
        check_squarable(x)?;
        let shift = if normalize {
            let inverse = |row: &[f32]| {
                let norm = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
                if norm > 0.0 { (1.0 / norm) as f32 } else { 0.0 }
            };
            Shift::Unit(x.as_slice().par_chunks_exact(x.cols()).map(inverse).collect())
        } else {
            Shift::By(mean(x).iter().map(|&mean| mean as f32).collect())
        };
        Ok(Self::shifted(x, shift, unit))
    }

    /// Rows as a model compares them with its centres.
    pub fn beside(x: &'a Matrix, centers: &Matrix, normalize: bool) -> Result<Self> {
        if normalize {
            return Self::new(x, true, false);
        }
        check_squarable(x)?;
        let shift = mean(centers).iter().map(|&mean| mean as f32).collect();
        Ok(Self::shifted(x, Shift::By(shift), false))
    }

    /// Rows that [`Points::chosen`] gave.
    pub fn ready(x: &'a Matrix, unit: bool) -> Self {
        Self::shifted(x, Shift::Done, unit)
    }

    fn shifted(x: &'a Matrix, shift: Shift, is_unit: bool) -> Self {
        let mut points = Self { data: x.as_slice(), dim: x.cols(), shift, is_unit, norms: Vec::new() };
        let mut norms = vec![0.0; x.rows()];
        points.for_each_block(&mut norms, |_, block, norms| {
            norms.iter_mut().zip(block.chunks_exact(x.cols())).for_each(|(norm, row)| *norm = dot(row, row));
        });
        points.norms = norms;
        points
    }

    /// The mean over columns of their variance.
    pub fn variance(&self) -> f64 {
        let rows = self.len().max(1) as f64;
        // The mean square less the square of the mean.
        let mean = self.means(&vec![0; self.len()], 1).sums;
        let squares: f64 = self.norms.iter().map(|&norm| f64::from(norm)).sum::<f64>() / rows;
        (squares - mean.iter().map(|sum| (sum / rows).powi(2)).sum::<f64>()).max(0.0) / self.dim as f64
    }

    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Centres in the coordinates of the rows that were given.
    pub fn restored(&self, centers: &Centers) -> Vec<f32> {
        match &self.shift {
            Shift::By(shift) => centers
                .rows
                .chunks_exact(self.dim)
                .flat_map(|row| row.iter().zip(shift).map(|(x, by)| x + by))
                .collect(),
            Shift::Done | Shift::Unit(_) => centers.rows.clone(),
        }
    }

    /// A model's centres in the coordinates of these points.
    pub fn moved(&self, centers: &Matrix) -> Centers {
        let rows = match &self.shift {
            Shift::By(shift) => {
                centers.iter_rows().flat_map(|row| row.iter().zip(shift).map(|(x, by)| x - by)).collect()
            }
            Shift::Done | Shift::Unit(_) => centers.as_slice().to_vec(),
        };
        Centers::new(rows, self.dim)
    }

    /// Appends one row.
    pub fn append(&self, row: usize, into: &mut Vec<f32>) {
        let numbers = &self.data[row * self.dim..][..self.dim];
        match &self.shift {
            Shift::Done => into.extend_from_slice(numbers),
            Shift::By(shift) => into.extend(numbers.iter().zip(shift).map(|(x, by)| x - by)),
            Shift::Unit(factors) => into.extend(numbers.iter().map(|x| x * factors[row])),
        }
    }

    /// Some rows, as they are compared, to be made points of their own.
    pub fn chosen(&self, rows: &[u32]) -> Matrix {
        let mut chosen = Vec::with_capacity(rows.len() * self.dim);
        rows.iter().for_each(|&row| self.append(row as usize, &mut chosen));
        Matrix::from_vec(rows.len(), self.dim, chosen).expect("whole rows")
    }

    /// The squared length of a row.
    pub fn norm(&self, row: usize) -> f32 {
        self.norms[row]
    }

    /// The squared distance of a row to a centre, exactly.
    pub fn distance(&self, row: usize, center: &[f32]) -> f64 {
        let numbers = self.data[row * self.dim..][..self.dim].iter();
        let square = |(x, c): (f32, &f32)| (f64::from(x) - f64::from(*c)).powi(2);
        match &self.shift {
            Shift::Done => numbers.copied().zip(center).map(square).sum(),
            Shift::By(shift) => numbers.zip(shift).map(|(x, by)| x - by).zip(center).map(square).sum(),
            Shift::Unit(factors) => numbers.map(|x| x * factors[row]).zip(center).map(square).sum(),
        }
    }

    /// Lets tasks see each block of rows, with the rows of `out` that belong to it.
    fn for_each_block<T: Send>(&self, out: &mut [T], each: impl Fn(Range<usize>, &[f32], &mut [T]) + Sync) {
        let rows = self.len();
        let width = out.len() / rows.max(1);
        out.par_chunks_mut((BLOCK * width).max(1)).enumerate().for_each_init(Vec::new, |block, (at, out)| {
            let range = at * BLOCK..((at + 1) * BLOCK).min(rows);
            block.clear();
            range.clone().for_each(|row| self.append(row, block));
            each(range, block, out);
        });
    }

    /// The nearest centre of each row, the first of equals, and the squared distance to it.
    pub fn assign(&self, centers: &Centers, labels: &mut [u32], distances: &mut [f32]) {
        let rows = self.len();
        let blocks = labels.par_chunks_mut(BLOCK).zip(distances.par_chunks_mut(BLOCK)).enumerate();
        blocks.for_each_init(Scratch::default, |scratch, (at, (labels, distances))| {
            let range = at * BLOCK..((at + 1) * BLOCK).min(rows);
            scratch.block.clear();
            range.clone().for_each(|row| self.append(row, &mut scratch.block));
            nearest(&scratch.block, &self.norms[range], centers, &mut scratch.products, labels, distances);
        });
    }

    /// The squared distances of all rows to a few others, row after row.
    pub fn distances_to(&self, others: &Centers, out: &mut [f32]) {
        let count = others.len();
        self.for_each_block(out, |range, block, out| {
            multiply_transposed(block, &others.rows, self.dim, out);
            for (out, norm) in out.chunks_exact_mut(count).zip(&self.norms[range]) {
                out.iter_mut().zip(&others.norms).for_each(|(x, other)| *x = (norm + other - 2.0 * *x).max(0.0));
            }
        });
    }

    /// Sums and sizes of clusters: stripe by stripe, each in the order of rows, whatever the threads.
    pub fn means(&self, labels: &[u32], clusters: usize) -> Means {
        let numbers = clusters * self.dim;
        let most = (SUMS / numbers.max(1)).clamp(1, STRIPES);
        let rows = labels.len().div_ceil(most).max(STRIPE);
        let stripe = |(at, labels): (usize, &[u32])| {
            let (mut sums, mut sizes) = (vec![0f64; numbers], vec![0u32; clusters]);
            let mut numbers = Vec::with_capacity(self.dim);
            for (row, &label) in (at * rows..).zip(labels) {
                numbers.clear();
                self.append(row, &mut numbers);
                let sums = &mut sums[label as usize * self.dim..][..self.dim];
                sums.iter_mut().zip(&numbers).for_each(|(sum, &x)| *sum += f64::from(x));
                sizes[label as usize] += 1;
            }
            Means { sums, sizes }
        };
        let mut parts = labels.par_chunks(rows).enumerate().map(stripe).collect::<Vec<_>>().into_iter();
        let empty = || Means { sums: vec![0.0; clusters * self.dim], sizes: vec![0; clusters] };
        let mut all = parts.next().unwrap_or_else(empty);
        for part in parts {
            all.sums.iter_mut().zip(part.sums).for_each(|(sum, x)| *sum += x);
            all.sizes.iter_mut().zip(part.sizes).for_each(|(size, x)| *size += x);
        }
        all
    }

    /// The sum of squared distances to the centres, in f64.
    pub fn inertia(&self, labels: &[u32], centers: &Centers) -> f64 {
        let block = |(at, labels): (usize, &[u32])| -> f64 {
            let distance = |(row, &label): (usize, &u32)| self.distance(at * BLOCK + row, centers.row(label as usize));
            labels.iter().enumerate().map(distance).sum()
        };
        labels.par_chunks(BLOCK).enumerate().map(block).collect::<Vec<_>>().iter().sum()
    }
}

/// Sums over the members of each cluster, and their numbers.
pub(super) struct Means {
    pub sums: Vec<f64>,
    pub sizes: Vec<u32>,
}

/// The nearest centre of each row of a block.
pub(super) fn nearest(
    block: &[f32],
    norms: &[f32],
    centers: &Centers,
    products: &mut Vec<f32>,
    labels: &mut [u32],
    distances: &mut [f32],
) {
    let dim = centers.dim;
    distances.fill(f32::INFINITY);
    let panels = centers.rows.chunks(PANEL * dim).zip(centers.norms.chunks(PANEL));
    for (first, (panel, center_norms)) in (0..).step_by(PANEL).zip(panels) {
        products.resize(labels.len() * center_norms.len(), 0.0);
        multiply_transposed(block, panel, dim, products);
        let rows = products.chunks_exact(center_norms.len());
        for ((products, norm), (label, distance)) in rows.zip(norms).zip(labels.iter_mut().zip(distances.iter_mut())) {
            let (at, least) = vector::nearest(products, center_norms);
            if norm + least < *distance {
                (*label, *distance) = (first + at as u32, norm + least);
            }
        }
    }
    distances.iter_mut().for_each(|distance| *distance = distance.max(0.0));
}

fn mean(x: &Matrix) -> Vec<f64> {
    let part = |rows: &[f32]| {
        let mut sums = vec![0f64; x.cols()];
        for row in rows.chunks_exact(x.cols()) {
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        sums
    };
    let parts: Vec<Vec<f64>> = x.as_slice().par_chunks(STRIPE * x.cols()).map(part).collect();
    let mut sums = vec![0f64; x.cols()];
    parts.iter().for_each(|part| sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += x));
    sums.into_iter().map(|sum| sum / x.rows().max(1) as f64).collect()
}
