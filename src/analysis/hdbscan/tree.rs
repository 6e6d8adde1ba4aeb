//! Core distances, and the minimum spanning tree over mutual reachability (Prim, 1957): each row with each, but no matrix of
//! them. Rows are kept column by column, so that one row's distances to all are computed many at a time.

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::math::{Matrix, vector};

/// Distances that are computed together, so that they stay in the cache; fixed, for what is least among equals.
const CHUNK: usize = 2048;
/// Distances kept beyond those wanted, at least.
const SPARE: usize = 64;
/// Rows whose core distances are found between two looks at the observer.
const ROWS: usize = 1024;
/// Steps of the tree between two looks at the observer.
const STEPS: usize = 256;

/// An edge of the tree: two rows and how far apart they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub rows: [u32; 2],
    pub distance: f32,
}

/// Rows, column by column, and what is known of each.
struct Rows {
    columns: Vec<f32>,
    stride: usize,
    dim: usize,
    /// The squared core distance.
    cores: Vec<f32>,
    ids: Vec<u32>,
}

impl Rows {
    fn new(x: &Matrix) -> Self {
        let (rows, dim) = (x.rows(), x.cols());
        let mut columns = vec![0.0; rows * dim];
        for (row, numbers) in x.iter_rows().enumerate() {
            numbers.iter().enumerate().for_each(|(column, &number)| columns[column * rows + row] = number);
        }
        Self { columns, stride: rows, dim, cores: vec![0.0; rows], ids: (0..rows as u32).collect() }
    }

    fn point(&self, at: usize) -> Vec<f32> {
        (0..self.dim).map(|column| self.columns[column * self.stride + at]).collect()
    }

    fn distances(&self, point: &[f32], start: usize, out: &mut [f32]) {
        vector::squared_distances(&self.columns[start..], self.stride, point, out);
    }

    /// Puts the row at `last` in the place of another.
    fn replace(&mut self, at: usize, last: usize) {
        (0..self.dim)
            .for_each(|column| self.columns[column * self.stride + at] = self.columns[column * self.stride + last]);
        self.cores.swap(at, last);
        self.ids.swap(at, last);
    }
}

/// The edges of a minimum spanning tree.
pub(super) fn spanning(
    x: &Matrix,
    min_samples: usize,
    observer: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Vec<Edge>> {
    let count = x.rows();
    let total = 2 * count;
    let mut rows = Rows::new(x);
    let mut cores = vec![0f32; count];
    for (block, cores) in cores.chunks_mut(ROWS).enumerate() {
        if observer(block * ROWS, total).is_break() {
            return Err(Error::Interrupted);
        }
        cores.par_iter_mut().enumerate().for_each_init(Vec::new, |nearest, (at, core)| {
            *core = core_distance(&rows, block * ROWS + at, min_samples, nearest);
        });
    }
    rows.cores = cores;
    let mut edges = Vec::with_capacity(count - 1);
    // Of each row that is not in the tree yet: its squared distance to the tree, and to which row of it.
    let (mut nearest, mut from) = (vec![f32::INFINITY; count], vec![0u32; count]);
    let mut next = 0;
    for left in (1..count).rev() {
        if left % STEPS == 0 && observer(total - left, total).is_break() {
            return Err(Error::Interrupted);
        }
        let (point, core, id) = (rows.point(next), rows.cores[next], rows.ids[next]);
        rows.replace(next, left);
        nearest.swap(next, left);
        from.swap(next, left);
        let chunk = |(chunk, (nearest, from)): (usize, (&mut [f32], &mut [u32]))| {
            let start = chunk * CHUNK;
            let mut distances = [0f32; CHUNK];
            let distances = &mut distances[..nearest.len()];
            rows.distances(&point, start, distances);
            let cores = &rows.cores[start..];
            let mut least = f32::INFINITY;
            for (((&distance, &other), nearest), from) in distances.iter().zip(cores).zip(nearest.iter_mut()).zip(from)
            {
                let reach = distance.max(core).max(other);
                if reach < *nearest {
                    (*nearest, *from) = (reach, id);
                }
                least = least.min(*nearest);
            }
            let equals = (start..).zip(&*nearest).filter(|(_, distance)| **distance == least);
            let best = equals.map(|(at, _)| (rows.ids[at], at)).min();
            best.map(|(id, at)| (least, id, at)).unwrap_or((f32::INFINITY, u32::MAX, start))
        };
        let lists = nearest[..left].par_chunks_mut(CHUNK).zip(from[..left].par_chunks_mut(CHUNK)).enumerate();
        let closer = |a: (f32, u32, usize), b: (f32, u32, usize)| if (b.0, b.1) < (a.0, a.1) { b } else { a };
        let (distance, found, at) = lists.map(chunk).reduce(|| (f32::INFINITY, u32::MAX, 0), closer);
        edges.push(Edge { rows: [from[at], found], distance: distance.sqrt() });
        next = at;
    }
    Ok(edges)
}

/// The squared distance of a row to the `nth` nearest, itself counted; `nearest` is room to work in.
fn core_distance(rows: &Rows, at: usize, nth: usize, nearest: &mut Vec<f32>) -> f32 {
    let point = rows.point(at);
    let mut distances = [0f32; CHUNK];
    // What may be among the nearest is kept until it is twice as much, so that picking them costs little for each.
    let (room, mut bound) = (nth + nth.max(SPARE), f32::INFINITY);
    let pick = |nearest: &mut Vec<f32>| {
        let bound = *nearest.select_nth_unstable_by(nth - 1, f32::total_cmp).1;
        nearest.truncate(nth);
        bound
    };
    nearest.clear();
    for start in (0..rows.ids.len()).step_by(CHUNK) {
        let size = CHUNK.min(rows.ids.len() - start);
        let distances = &mut distances[..size];
        rows.distances(&point, start, distances);
        for &distance in &*distances {
            if distance < bound {
                nearest.push(distance);
                if nearest.len() == room {
                    bound = pick(nearest);
                }
            }
        }
    }
    pick(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    #[test]
    fn core_distances_are_those_of_sorted_rows() -> Result<()> {
        let (count, mut rng) = (3000, Rng::stream(8, &[]));
        // Whole numbers, so that many distances are equal.
        let x = Matrix::from_vec(count, 2, (0..2 * count).map(|_| rng.below(40) as f32).collect())?;
        let (rows, mut room) = (Rows::new(&x), Vec::new());
        for (at, nth) in [(0, 1), (7, 2), (2999, 63), (5, 64), (1500, 1000), (8, 2999), (9, 3000)] {
            let square = |other: &[f32]| x.row(at).iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            let mut all: Vec<f32> = x.iter_rows().map(square).collect();
            all.sort_by(f32::total_cmp);
            assert_eq!(core_distance(&rows, at, nth, &mut room), all[nth - 1], "{at} {nth}");
        }
        Ok(())
    }
}
