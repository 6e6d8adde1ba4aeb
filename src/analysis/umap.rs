//! UMAP: a map that keeps near things near and groups apart (McInnes, Healy and Melville, 2018).
//!
//! Each row is tied to its k nearest by w = exp(−max(0, d − ρ) / σ), with ρ the distance to the nearest and σ such that the
//! ties sum to log₂ (k + 1), the row itself being one more, as umap-learn counts it; a tie from either side counts,
//! w + w' − w w'. On the map the tie of two points at distance d is 1 / (1 + a d²ᵇ), and stochastic gradient descent brings
//! the two pictures together: ties pull as often as they are strong, and for each pull five points at random push away.
//!
//! Where tools differ: umap-learn starts from eigenvectors of the graph, and here principal components are the start; it
//! moves points on many threads at once, and no run is like another unless it is told a seed, which costs it all but one
//! thread. Here one thread moves the points and all look for the neighbours: the map is a function of rows and seed.

use super::checks::{MOST_TO_MAP, check_mappable};
use super::nearest_rows::{MapStep, nearest_of_checked};
use super::{Neighbor, Pca};
use crate::error::{Error, Result};
use crate::estimator::{Fit, Transform};
use crate::math::{Matrix, Rng};

/// The settings of UMAP.
#[derive(Debug, Clone, PartialEq)]
pub struct Umap {
    /// Numbers of the map's rows, from 1.
    pub dimensions: usize,
    /// The nearest of each row that it is tied to, from 2; `None` is 15, or as many as few rows allow. Fewer show detail,
    /// more the whole.
    pub neighbors: Option<usize>,
    /// Passes over the ties; `None` is 500, and 200 from ten thousand rows on.
    pub iterations: Option<usize>,
    /// Where the points that push away, and the jitter of the start, are drawn from.
    pub seed: u64,
}

impl Default for Umap {
    fn default() -> Self {
        Self { dimensions: 2, neighbors: None, iterations: None, seed: 1 }
    }
}

/// The usual number of neighbours.
const NEIGHBORS: usize = 15;
/// The principal components among which neighbours are looked for.
const COMPONENTS: usize = 50;
/// The curve of ties on the map that is nearest to 1 up to a distance of 0.1, then falls off within 1: umap-learn's
/// `min_dist` 0.1 and `spread` 1.
const CURVE: (f32, f32) = (1.576_943_5, 0.895_060_9);
/// Points that push away for each pull.
const PUSHES: u32 = 5;
/// The half of the start's longer side.
const SPREAD: f32 = 10.0;
/// How often σ is halved or doubled, and the least σ, as a part of the mean distance.
const ROUNDS: usize = 64;
const LEAST: f64 = 1e-3;

/// A tie of two points, and how many passes lie between two of its pulls.
struct Tie {
    points: (u32, u32),
    period: f32,
}

impl Umap {
    /// The most rows that it takes.
    pub const MOST: usize = MOST_TO_MAP;

    /// A map of the rows; `step` is told how far it is, a move of the points being a pass, and `stop` is asked now and then.
    ///
    /// Of rows with more than 50 numbers the first 50 principal components are taken.
    ///
    /// # Errors
    /// If there are fewer than five rows or more than [`Umap::MOST`], a number is not finite or above 1e15, or a setting is
    /// out of range.
    pub fn map(
        &self,
        rows: &Matrix,
        stop: &(dyn Fn() -> bool + Sync),
        mut step: impl FnMut(MapStep),
    ) -> Result<Matrix> {
        let n = rows.rows();
        check_mappable(rows, "UMAP")?;
        if self.dimensions == 0 || self.dimensions > rows.cols() {
            let reason = format!("{}: of rows of {} numbers UMAP makes 1 to so many", self.dimensions, rows.cols());
            return Err(Error::config("--to", reason));
        }
        let neighbors = self.neighbors.unwrap_or(NEIGHBORS.min(n - 1));
        if !(2..n).contains(&neighbors) {
            let reason = format!("{neighbors} of {n} rows: give 2 to {}", n - 1);
            return Err(Error::config("--neighbors", reason));
        }
        let passes = self.iterations.unwrap_or(if n < 10_000 { 500 } else { 200 });
        if !(10..=100_000).contains(&passes) {
            return Err(Error::config("--iterations", format!("{passes}: give 10 to 100000")));
        }
        let kept = COMPONENTS.min(rows.cols()).min(n);
        let components = Pca { components: kept }.fit(rows)?.transform(rows)?;
        let near = nearest_of_checked(&components, neighbors, stop, &mut |rows| step(MapStep::Neighbors(rows)))?;
        let ties = ties(&near, passes);
        let mut points = self.start(&components);
        let mut next: Vec<f32> = ties.iter().map(|tie| tie.period).collect();
        for pass in 0..passes {
            if stop() {
                return Err(Error::Interrupted);
            }
            let rate = 1.0 - pass as f32 / passes as f32;
            for (at, (tie, next)) in ties.iter().zip(&mut next).enumerate() {
                if *next <= (pass + 1) as f32 {
                    *next += tie.period;
                    let rng = Rng::stream(self.seed, &[pass as u64, at as u64]);
                    self.pull(&mut points, tie.points, rate, rng);
                }
            }
            step(MapStep::Moves(pass + 1));
        }
        if points.iter().any(|number| !number.is_finite()) {
            return Err(Error::data("UMAP left the finite numbers; give other --neighbors or use pca"));
        }
        Matrix::from_vec(n, self.dimensions, points)
    }

    /// Draws two tied points together, and pushes some others away from the first.
    fn pull(&self, points: &mut [f32], (a, b): (u32, u32), rate: f32, mut rng: Rng) {
        let (dim, (curve_a, curve_b)) = (self.dimensions, CURVE);
        let count = (points.len() / dim) as u32;
        let square = |points: &[f32], a: usize, b: usize| -> f32 {
            (0..dim).map(|axis| (points[a * dim + axis] - points[b * dim + axis]).powi(2)).sum()
        };
        let (a, b) = (a as usize, b as usize);
        let apart = square(points, a, b);
        if apart > 0.0 {
            let force = -2.0 * curve_a * curve_b * apart.powf(curve_b - 1.0) / (1.0 + curve_a * apart.powf(curve_b));
            for axis in 0..dim {
                let change = (force * (points[a * dim + axis] - points[b * dim + axis])).clamp(-4.0, 4.0) * rate;
                points[a * dim + axis] += change;
                points[b * dim + axis] -= change;
            }
        }
        for _ in 0..PUSHES {
            let other = rng.below(count) as usize;
            if other == a {
                continue;
            }
            let apart = square(points, a, other);
            let force = 2.0 * curve_b / ((0.001 + apart) * (1.0 + curve_a * apart.powf(curve_b)));
            for axis in 0..dim {
                let away = points[a * dim + axis] - points[other * dim + axis];
                // Points in one place are driven apart the same way.
                let change = if apart > 0.0 { (force * away).clamp(-4.0, 4.0) } else { 4.0 };
                points[a * dim + axis] += change * rate;
            }
        }
    }

    /// The first components, scaled, each number moved a little.
    fn start(&self, components: &Matrix) -> Vec<f32> {
        let dim = self.dimensions;
        let longest =
            components.iter_rows().flat_map(|row| row.iter().take(dim)).fold(0f32, |most, x| most.max(x.abs()));
        let scale = if longest > 0.0 { SPREAD / longest } else { 0.0 };
        let place = |(at, row): (usize, &[f32])| -> Vec<f32> {
            let mut rng = Rng::stream(self.seed, &[u64::MAX, at as u64]);
            (0..dim).map(|axis| row.get(axis).map_or(0.0, |x| x * scale) + 1e-2 * (rng.uniform() - 0.5)).collect()
        };
        components.iter_rows().enumerate().flat_map(place).collect()
    }
}

/// The ties of both sides together, without those too weak to pull once; in the order of the points.
fn ties(near: &[Vec<Neighbor>], passes: usize) -> Vec<Tie> {
    let distances = near.iter().flatten().map(|neighbor| f64::from(neighbor.score));
    let mean = distances.sum::<f64>() / near.iter().map(Vec::len).sum::<usize>().max(1) as f64;
    let mut all: Vec<(u32, u32, f64)> = Vec::new();
    for (at, near) in near.iter().enumerate() {
        for (neighbor, weight) in near.iter().zip(weights(near, mean)) {
            let (a, b) = (at as u32, neighbor.position as u32);
            all.extend([(a, b, weight), (b, a, weight)]);
        }
    }
    all.sort_unstable_by_key(|&(a, b, _)| (a, b));
    let joined = all.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)).map(|sides| {
        let weight = sides.iter().fold(0.0, |sum, side| sum + side.2 - sum * side.2);
        (sides[0].0, sides[0].1, weight)
    });
    let joined: Vec<(u32, u32, f64)> = joined.collect();
    let strongest = joined.iter().fold(0.0, |most: f64, tie| most.max(tie.2));
    let tie = |&(a, b, weight): &(u32, u32, f64)| Tie { points: (a, b), period: (strongest / weight) as f32 };
    joined.iter().filter(|tie| tie.2 * passes as f64 >= strongest).map(tie).collect()
}

/// How strong the ties to a row's nearest are, by bisection for σ.
fn weights(near: &[Neighbor], mean: f64) -> Vec<f64> {
    let distances: Vec<f64> = near.iter().map(|neighbor| f64::from(neighbor.score)).collect();
    let first = distances.iter().copied().filter(|&distance| distance > 0.0).fold(f64::INFINITY, f64::min);
    let first = if first.is_finite() { first } else { 0.0 };
    // The row itself counts as one of its neighbours, as in umap-learn.
    let target = ((near.len() + 1) as f64).log2();
    let (mut low, mut high, mut sigma) = (0.0, f64::INFINITY, 1.0f64);
    for _ in 0..ROUNDS {
        let sum: f64 = distances.iter().map(|distance| (-(distance - first).max(0.0) / sigma).exp()).sum();
        if (sum - target).abs() < 1e-5 {
            break;
        }
        (low, high) = if sum > target { (low, sigma) } else { (sigma, high) };
        sigma = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * sigma };
    }
    let sigma = sigma.max(LEAST * mean).max(f64::MIN_POSITIVE);
    distances.iter().map(|distance| (-(distance - first).max(0.0) / sigma).exp()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::nearest_rows;
    use super::super::nearest_rows::tests::{groups, never};
    use super::*;

    #[test]
    fn groups_stay_together_on_any_number_of_threads() -> Result<()> {
        let rows = groups(60)?;
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let mut steps = Vec::new();
        let map = pool(1).install(|| Umap::default().map(&rows, &never, |step| steps.push(step)))?;
        let again = pool(3).install(|| Umap::default().map(&rows, &never, |_| ()))?;
        assert_eq!(map.as_slice(), again.as_slice());
        assert_eq!((steps[0], steps.len()), (MapStep::Neighbors(180), 501));
        assert_eq!(steps.last(), Some(&MapStep::Moves(500)));
        let nearest = nearest_rows(&map, 5, &never)?;
        let same =
            |(at, near): (usize, &Vec<Neighbor>)| near.iter().filter(|near| near.position / 60 == at / 60).count();
        let same: usize = nearest.iter().enumerate().map(same).sum();
        assert!(same > 5 * 180 * 98 / 100, "{same}");
        Ok(())
    }

    #[test]
    fn ties_sum_to_the_logarithm_of_their_number() {
        let near: Vec<Neighbor> =
            [0.3f32, 0.4, 0.8, 1.0, 1.1, 2.0, 2.5].iter().map(|&score| Neighbor { position: 0, score }).collect();
        let weights = weights(&near, 1.0);
        assert!((weights.iter().sum::<f64>() - 3.0).abs() < 1e-4, "{weights:?}");
        assert_eq!(weights[0], 1.0);
    }

    #[test]
    fn equal_rows_few_rows_and_one_number_make_a_map() -> Result<()> {
        let settings = Umap { iterations: Some(50), ..Umap::default() };
        for rows in [Matrix::zeros(40, 3), Matrix::from_vec(5, 2, (0..10).map(|x| x as f32).collect())?, groups(4)?] {
            for dimensions in [1, 2] {
                let map = Umap { dimensions, ..settings.clone() }.map(&rows, &never, |_| ())?;
                assert_eq!((map.rows(), map.cols()), (rows.rows(), dimensions));
                assert!(map.as_slice().iter().all(|x| x.is_finite()));
            }
        }
        Ok(())
    }

    #[test]
    fn what_cannot_be_mapped_is_refused() -> Result<()> {
        let rows = groups(4)?;
        let refused = |settings: Umap| settings.map(&rows, &never, |_| ()).err().map(|e| e.to_string());
        assert!(refused(Umap { neighbors: Some(12), ..Umap::default() }).is_some_and(|e| e.contains("give 2 to 11")));
        assert!(refused(Umap { dimensions: 11, ..Umap::default() }).is_some_and(|e| e.contains("--to")));
        assert!(refused(Umap { iterations: Some(1), ..Umap::default() }).is_some_and(|e| e.contains("--iterations")));
        assert!(Umap::default().map(&Matrix::zeros(4, 2), &never, |_| ()).is_err());
        let large = Matrix::from_vec(6, 1, vec![0.0, 1e20, 2e20, 3.0, -1e20, 5.0])?;
        let error =
            Umap { dimensions: 1, ..Umap::default() }.map(&large, &never, |_| ()).expect_err("large").to_string();
        assert!(error.contains("row 2") && error.contains("scale the rows down"), "{error}");
        // The largest allowed are mapped.
        let large = Matrix::from_vec(6, 1, vec![0.0, 1e15, -1e15, 3.0, -1e14, 5.0])?;
        Umap { dimensions: 1, ..Umap::default() }.map(&large, &never, |_| ())?;
        assert!(matches!(Umap::default().map(&rows, &|| true, |_| ()), Err(Error::Interrupted)));
        Ok(())
    }
}
