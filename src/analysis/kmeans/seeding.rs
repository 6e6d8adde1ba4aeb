//! The first centres: greedy k-means++ (Arthur and Vassilvitskii, 2007, with the several trials of their section 4).
//!
//! A row is drawn in proportion to its squared distance from the centres so far; of 2 + ⌊ln k⌋ such rows that is taken
//! which leaves the least sum of squared distances, as in scikit-learn.

use super::points::{BLOCK, Centers, Points};
use crate::error::{Error, Result};
use crate::math::Rng;

/// Chooses rows as centres: `clusters` of them, or fewer if no more of them differ.
///
/// `go_on` is asked now and then.
pub(super) fn choose(
    points: &Points<'_>,
    clusters: usize,
    rng: &mut Rng,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Result<Centers> {
    let (rows, dim) = (points.len(), points.dim);
    let trials = 2 + (clusters as f64).ln() as usize;
    let mut centers = Vec::with_capacity(clusters * dim);
    points.append((uniform(rng) * rows as f64) as usize, &mut centers);
    let mut closest = vec![0f32; rows];
    points.distances_to(&Centers::new(centers.clone(), dim), &mut closest);
    mend(points, &centers, &mut closest);
    let mut distances = vec![0f32; rows * trials];
    while centers.len() < clusters * dim {
        if !go_on(centers.len() / dim) {
            return Err(Error::Interrupted);
        }
        let sums = block_sums(&closest);
        let total: f64 = sums.iter().sum();
        if total <= 0.0 {
            break;
        }
        let drawn: Vec<u32> = (0..trials).map(|_| draw(&closest, &sums, total * uniform(rng))).collect();
        points.distances_to(&Centers::new(points.chosen(&drawn).as_slice().to_vec(), dim), &mut distances);
        let mut left = vec![0f64; trials];
        for (row, &closest) in distances.chunks_exact(trials).zip(&closest) {
            left.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x.min(closest)));
        }
        let best = (0..trials).min_by(|&a, &b| left[a].total_cmp(&left[b])).expect("trials");
        for (row, closest) in distances.chunks_exact(trials).zip(&mut closest) {
            *closest = closest.min(row[best]);
        }
        // What was chosen, and each row like it, is not chosen again.
        let from = centers.len();
        points.append(drawn[best] as usize, &mut centers);
        mend(points, &centers[from..], &mut closest);
    }
    Ok(Centers::new(centers, dim))
}

/// Distances that may be nothing but rounding are computed exactly, so that equal rows are at zero.
fn mend(points: &Points<'_>, center: &[f32], closest: &mut [f32]) {
    let norm: f32 = center.iter().map(|x| x * x).sum();
    for (row, closest) in closest.iter_mut().enumerate() {
        if *closest > 0.0 && *closest < 1e-5 * (norm + points.norm(row)) {
            *closest = closest.min(points.distance(row, center) as f32);
        }
    }
}

fn block_sums(distances: &[f32]) -> Vec<f64> {
    distances.chunks(BLOCK).map(|block| block.iter().map(|&x| f64::from(x)).sum()).collect()
}

/// The row at which the running sum of distances passes `at`.
fn draw(distances: &[f32], sums: &[f64], mut at: f64) -> u32 {
    let mut found = None;
    for (block, &sum) in sums.iter().enumerate() {
        if sum > 0.0 {
            found = Some(block);
            if at < sum {
                break;
            }
            at -= sum;
        }
    }
    let start = found.expect("a sum above zero") * BLOCK;
    let mut row = start;
    for (place, &distance) in distances[start..].iter().take(BLOCK).enumerate() {
        if distance > 0.0 {
            row = start + place;
            at -= f64::from(distance);
            if at < 0.0 {
                break;
            }
        }
    }
    row as u32
}

/// From 0 up to but without 1, in steps of 2⁻⁵³: finer than one of a million rows.
pub(super) fn uniform(rng: &mut Rng) -> f64 {
    (rng.next() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}
