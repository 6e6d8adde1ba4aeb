//! Replicas that train apart and are merged at intervals (local SGD): no shared rows, so the same bytes for any threads.
//!
//! A row that only one replica has moved takes that replica's move. Of a row that several have moved, the moves are
//! combined, after Maleki et al. (2021, "Scaling Distributed Training with Adaptive Summation"):
//!
//! ```text
//! combined(a, b) = (1 − c a·b / |a|²) a + (1 − c a·b / |b|²) b
//! ```
//!
//! Moves at right angles, as two batches with different words make, add up: averages would halve the rate of every rare
//! word. Moves in one direction must add up to less, or the frequent words, which settle within a round, overshoot. With
//! Maleki's c = ½ equal moves are averaged; that learns too slowly here (MEN 1.5 points below one model's, at any
//! interval). Plain sums (c = 0) leave the frequent words swinging, and diverge with more replicas. So c is chosen such
//! that equal moves of all replicas come to [`EQUAL`] times one of them: with two, c = ¼, as good as one model.

use rayon::prelude::*;

use crate::error::Result;
use crate::math::{Tables, Worker, dot};

/// What equal moves of all replicas come to, in moves of one.
const EQUAL: f64 = 1.5;

/// Rows that one thread merges at a time.
const ROWS: usize = 256;

/// The tables of each replica, equal to the model's between rounds.
#[derive(Debug)]
pub(super) struct Replicas {
    copies: Vec<Tables>,
    /// How much of what two moves have in common is taken off each: c above.
    overlap: f32,
}

impl Replicas {
    /// So many copies of a model.
    pub fn new(model: &mut Tables, count: usize) -> Result<Self> {
        let copies = (0..count).map(|_| model.copied()).collect::<Result<_>>()?;
        Ok(Self { copies, overlap: overlap(count) })
    }

    /// One replica's tables.
    pub fn tables(&self, replica: usize) -> &Tables {
        &self.copies[replica]
    }

    /// Moves the model by what the replicas have learned since the last time, and gives it to them all.
    ///
    /// `workers` are the replicas' own, in the same order, and know which rows moved.
    pub fn merge<'w>(&mut self, model: &mut Tables, workers: impl Iterator<Item = &'w mut Worker>) {
        let mut touched: Vec<_> =
            workers.map(|worker| worker.touched().expect("replicas keep account of rows")).collect();
        for (side, table) in model.parts_mut().into_iter().enumerate() {
            let (stride, part) = (table.stride(), table.stride() * ROWS);
            let mut parts: Vec<Part<'_>> = table.as_padded_mut().chunks_mut(part).map(Part::of).collect();
            for (replica, touched) in self.copies.iter_mut().zip(&mut touched) {
                let rows = replica.parts_mut().into_iter().nth(side).expect("two tables").as_padded_mut();
                let moved = touched[side].chunks_mut(ROWS);
                for (part, copy) in parts.iter_mut().zip(rows.chunks_mut(part).zip(moved)) {
                    part.copies.push(copy);
                }
            }
            parts.par_iter_mut().for_each(|part| part.merge(stride, self.overlap));
        }
    }
}

/// Some rows of the model, and of each replica with what has moved there.
struct Part<'a> {
    model: &'a mut [f32],
    copies: Vec<(&'a mut [f32], &'a mut [bool])>,
}

impl<'a> Part<'a> {
    fn of(model: &'a mut [f32]) -> Self {
        Self { model, copies: Vec::new() }
    }

    fn merge(&mut self, stride: usize, overlap: f32) {
        let (mut sum, mut other) = (vec![0f32; stride], vec![0f32; stride]);
        for (row, model) in self.model.chunks_exact_mut(stride).enumerate() {
            let numbers = row * stride..(row + 1) * stride;
            let mut moved = 0;
            for (copy, touched) in &mut self.copies {
                if std::mem::take(&mut touched[row]) {
                    let into = if moved == 0 { &mut sum } else { &mut other };
                    for ((into, copy), model) in into.iter_mut().zip(&copy[numbers.clone()]).zip(&*model) {
                        *into = copy - model;
                    }
                    if moved > 0 {
                        combine(&mut sum, &other, overlap);
                    }
                    moved += 1;
                }
            }
            if moved > 0 {
                model.iter_mut().zip(&sum).for_each(|(model, sum)| *model += sum);
                self.copies.iter_mut().for_each(|(copy, _)| copy[numbers.clone()].copy_from_slice(model));
            }
        }
    }
}

/// The c with which `count` equal moves come to [`EQUAL`] of them.
fn overlap(count: usize) -> f32 {
    // The sum s of equal moves so far and one more come to (1 − c)(s + 1), which falls as c rises: bisect.
    let comes_to = |c: f64| (1..count).fold(1.0, |sum, _| (1.0 - c) * (sum + 1.0));
    let (mut low, mut high) = (0.0, 0.5);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if comes_to(middle) > EQUAL {
            low = middle;
        } else {
            high = middle;
        }
    }
    high as f32
}

/// Replaces `a` by the combination of `a` and `b`.
fn combine(a: &mut [f32], b: &[f32], overlap: f32) {
    let (product, of_a, of_b) = (dot(a, b), dot(a, a), dot(b, b));
    // A move of nothing combines with anything to the other.
    let share = |square: f32| if square > 0.0 { 1.0 - overlap * product / square } else { 1.0 };
    let (share_a, share_b) = (share(of_a), share(of_b));
    a.iter_mut().zip(b).for_each(|(a, b)| *a = share_a * *a + share_b * b);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{Kernel, Outputs, RowId, SharedTable};

    #[test]
    fn moves_at_right_angles_add_up_and_equal_moves_come_to_less() {
        let combined = |a: &[f32], b: &[f32]| {
            let mut a = a.to_vec();
            combine(&mut a, b, overlap(2));
            a
        };
        assert_eq!(combined(&[2.0, 0.0], &[0.0, 3.0]), [2.0, 3.0]);
        assert_eq!(combined(&[2.0, 4.0], &[2.0, 4.0]), [3.0, 6.0]);
        for count in 2..=64 {
            let mut sum = vec![2.0];
            (1..count).for_each(|_| combine(&mut sum, &[2.0], overlap(count)));
            assert!((sum[0] - 3.0).abs() < 1e-3, "{count} equal moves come to {sum:?}");
        }
        assert_eq!(combined(&[0.0, 0.0], &[2.0, 4.0]), [2.0, 4.0]);
    }

    #[test]
    fn a_row_moved_by_one_replica_moves_all_and_others_stay() -> Result<()> {
        let kernel = Kernel::choose(None).expect("scalar runs everywhere");
        let mut model = Tables::new(SharedTable::uniform(700, 20, 1)?, SharedTable::uniform(700, 20, 2)?, kernel)?;
        let before = model.copied()?;
        let mut replicas = Replicas::new(&mut model, 3)?;
        let mut workers = (0..3).map(|_| model.worker()).collect::<Result<Vec<_>>>()?;
        workers.iter_mut().for_each(|worker| worker.note_touched(&model));
        let outputs = [RowId(3), RowId(4)];
        replicas.tables(1).step_rows(&[RowId(650)], Outputs::target_first(&outputs), 0.5, &mut workers[1]);
        replicas.merge(&mut model, workers.iter_mut());
        let rows = |tables: &mut Tables| -> Vec<Vec<f32>> {
            let [input, output] = tables.parts_mut();
            input.as_rows().iter().chain(output.as_rows().iter()).map(<[f32]>::to_vec).collect()
        };
        let (mut before, after) = (before, rows(&mut model));
        let moved: Vec<usize> =
            rows(&mut before).iter().zip(&after).enumerate().filter(|(_, (a, b))| a != b).map(|(row, _)| row).collect();
        assert_eq!(moved, [650, 703, 704]);
        for replica in &mut replicas.copies {
            assert!(rows(replica) == after);
        }
        Ok(())
    }
}
