//! t-SNE: a map on which near things stay near (van der Maaten and Hinton, 2008; Barnes-Hut, van der Maaten, 2014).
//!
//! Each row spreads its attention over its nearest others by a Gaussian whose width is such that it attends to
//! `perplexity` of them; on the map the attention is Student's t, and the points move until the two agree (least
//! Kullback-Leibler divergence). Distances within a group mean something; those between groups and the sizes of
//! groups mean little.
//!
//! The descent starts from the two principal components, scaled to a deviation of 1e-4, with a learning rate of a
//! twelfth of the rows, as openTSNE's does (Policar et al., 2024). The tree is crate barnes-hut-tree's. The optimiser of its
//! sibling bhtsne is not used: it sums as threads come and go, and maps would differ from run to run.

mod attention;

use barnes_hut_tree::{BarnesHutTree, Dim, Morton};
use rayon::prelude::*;

use super::Pca;
use super::checks::{MOST_TO_MAP, check_mappable};
use super::nearest_rows::{MapStep, nearest_of_checked};
use crate::error::{Error, Result};
use crate::estimator::{Fit, Transform};
use crate::math::{Matrix, Rng};
use attention::Attention;

/// The settings of t-SNE.
#[derive(Debug, Clone, PartialEq)]
pub struct Tsne {
    /// Numbers of the map's rows: 2 or 3.
    pub dimensions: usize,
    /// How many neighbours a point attends to, above 1 and below a third of the rows; `None` is 30, or what few rows allow.
    pub perplexity: Option<f32>,
    /// Steps of the descent; in the first quarter, at most 250, groups are drawn together (early exaggeration by 12).
    pub iterations: usize,
    /// Where the jitter starts from that sets equal rows apart.
    pub seed: u64,
}

impl Default for Tsne {
    /// A plane, perplexity 30 where there are enough rows, 750 steps.
    fn default() -> Self {
        Self { dimensions: 2, perplexity: None, iterations: 750, seed: 1 }
    }
}

/// The perplexity that most use.
const PERPLEXITY: f32 = 30.0;
/// How coarse the tree may be: groups of points seen under a smaller angle count as one.
const THETA: f32 = 0.5;
/// The deviation of the start, and the part of it that is jitter.
const SPREAD: f32 = 1e-4;
const JITTER: f32 = 0.01;
/// Early exaggeration: for some steps all attention counts this much.
const EXAGGERATION: f32 = 12.0;
const EARLY: usize = 250;
/// The least learning rate, for few rows, and the part of a step that goes on in the next.
const RATE: f32 = 200.0;
const MOMENTUM: f32 = 0.8;
/// The longest step of a point, which tames those that begin close together.
const LONGEST: f32 = 5.0;
/// Points that one task moves.
const TASK: usize = 64;
/// The principal components among which neighbours are looked for.
const COMPONENTS: usize = 50;

/// What moves a point: towards those it attends to, away from all, and its part of what that is divided by.
#[derive(Clone, Copy)]
struct Forces<const D: usize> {
    pull: [f32; D],
    push: [f32; D],
    sum: f32,
}

impl<const D: usize> Default for Forces<D> {
    fn default() -> Self {
        Self { pull: [0.0; D], push: [0.0; D], sum: 0.0 }
    }
}

impl Tsne {
    /// The most rows that it takes.
    pub const MOST: usize = MOST_TO_MAP;

    /// A map of the rows; `step` is told how far it is, and `stop` is asked now and then.
    ///
    /// Of rows with more than 50 numbers the first 50 principal components are taken.
    ///
    /// # Errors
    /// If there are fewer than five rows or more than [`Tsne::MOST`], a number is not finite or above 1e15, or a setting is
    /// out of range.
    pub fn map(
        &self,
        rows: &Matrix,
        stop: &(dyn Fn() -> bool + Sync),
        mut step: impl FnMut(MapStep),
    ) -> Result<Matrix> {
        let n = rows.rows();
        check_mappable(rows, "t-SNE")?;
        if !(10..=100_000).contains(&self.iterations) {
            return Err(Error::config("--iterations", format!("{}: give 10 to 100000", self.iterations)));
        }
        let most = (n - 1) as f32 / 3.0;
        let perplexity = self.perplexity.unwrap_or(PERPLEXITY.min(most));
        if !(1.0..=most).contains(&perplexity) {
            let reason = format!("{perplexity} with {n} rows: give 1 to {most:.1}, a third of the other rows");
            return Err(Error::config("--perplexity", reason));
        }
        let kept = COMPONENTS.min(rows.cols()).min(n);
        let model = Pca { components: kept }.fit(rows)?;
        let components = model.transform(rows)?;
        let count = (3.0 * perplexity) as usize;
        let neighbors = nearest_of_checked(&components, count, stop, &mut |rows| step(MapStep::Neighbors(rows)))?;
        let attention = Attention::new(&neighbors, f64::from(perplexity));
        let step = |done| step(MapStep::Moves(done));
        let map = match self.dimensions {
            2 => self.descend::<2>(&components, &attention, stop, step)?,
            3 => self.descend::<3>(&components, &attention, stop, step)?,
            other => return Err(Error::config("--to", format!("{other}: t-SNE makes maps of 2 or 3 numbers"))),
        };
        if map.iter().any(|number| !number.is_finite()) {
            return Err(Error::data("t-SNE left the finite numbers; give another --perplexity or use pca"));
        }
        Matrix::from_vec(n, self.dimensions, map)
    }

    /// Gradient descent with momentum and a gain for each number, which grows while the number keeps its way and shrinks
    /// when it turns (Jacobs, 1988).
    fn descend<const D: usize>(
        &self,
        components: &Matrix,
        attention: &Attention,
        stop: &(dyn Fn() -> bool + Sync),
        mut step: impl FnMut(usize),
    ) -> Result<Vec<f32>>
    where
        Dim<D>: Morton<D>,
    {
        let n = components.rows();
        let mut points = self.start(components, D);
        let mut moves = vec![0f32; points.len()];
        let mut gains = vec![1f32; points.len()];
        let mut forces = vec![Forces::<D>::default(); n];
        let mut tree = BarnesHutTree::<f32, <Dim<D> as Morton<D>>::Word, D>::empty();
        let rate = (n as f32 / EXAGGERATION).max(RATE);
        let early = (self.iterations / 4).min(EARLY);
        for done in 0..self.iterations {
            if stop() {
                return Err(Error::Interrupted);
            }
            let exaggeration = if done < early { EXAGGERATION } else { 1.0 };
            tree.rebuild_uniform(&points);
            let (tree, now) = (&tree, &points);
            forces.par_iter_mut().enumerate().with_min_len(TASK).for_each_init(
                Dim::<D>::empty_stack,
                |stack, (at, forces)| {
                    *forces = Forces::default();
                    for (other, share) in attention.of(at) {
                        let apart: [f32; D] = std::array::from_fn(|axis| now[at * D + axis] - now[other * D + axis]);
                        let pull = share / (1.0 + apart.iter().map(|x| x * x).sum::<f32>());
                        forces.pull.iter_mut().zip(apart).for_each(|(sum, x)| *sum += pull * x);
                    }
                    let (push, sum) = (&mut forces.push, &mut forces.sum);
                    tree.compute_non_edge_forces(at, THETA * THETA, now, push, sum, stack.as_mut());
                },
            );
            // In order, so that the sum does not depend on threads.
            let total: f64 = forces.iter().map(|forces| f64::from(forces.sum)).sum();
            let share = if total > 0.0 { (1.0 / total) as f32 } else { 0.0 };
            for (at, forces) in forces.iter().enumerate() {
                let range = at * D..(at + 1) * D;
                let (moves, gains) = (&mut moves[range.clone()], &mut gains[range.clone()]);
                for axis in 0..D {
                    let gradient = exaggeration * forces.pull[axis] - share * forces.push[axis];
                    let turns = gradient.signum() == moves[axis].signum();
                    gains[axis] = if turns { (gains[axis] * 0.8).max(0.01) } else { gains[axis] + 0.2 };
                    moves[axis] = MOMENTUM * moves[axis] - rate * gains[axis] * gradient;
                }
                let length = moves.iter().map(|x| x * x).sum::<f32>().sqrt();
                let short = if length > LONGEST { LONGEST / length } else { 1.0 };
                moves.iter_mut().for_each(|x| *x *= short);
                points[range].iter_mut().zip(moves).for_each(|(point, x)| *point += *x);
            }
            step(done + 1);
        }
        Ok(points)
    }

    /// The first components, small, each moved a little: rows that are equal would never part.
    fn start(&self, components: &Matrix, dimensions: usize) -> Vec<f32> {
        let squares: f64 = components.iter_rows().map(|row| f64::from(row[0]).powi(2)).sum();
        let deviation = (squares / components.rows() as f64).sqrt() as f32;
        let scale = if deviation > 0.0 { SPREAD / deviation } else { 0.0 };
        let mut start = Vec::with_capacity(components.rows() * dimensions);
        for (at, row) in components.iter_rows().enumerate() {
            let mut rng = Rng::stream(self.seed, &[at as u64]);
            for axis in 0..dimensions {
                let value = row.get(axis).map_or(0.0, |value| value * scale);
                start.push(value + SPREAD * JITTER * (rng.uniform() - 0.5));
            }
        }
        start
    }
}

#[cfg(test)]
mod tests {
    use super::super::nearest_rows;
    use super::super::nearest_rows::tests::{groups, never};
    use super::*;
    use crate::embeddings::Neighbor;

    #[test]
    fn groups_stay_together_on_any_number_of_threads() -> Result<()> {
        let rows = groups(60)?;
        let settings = Tsne { iterations: 300, ..Tsne::default() };
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let mut steps = Vec::new();
        let map = pool(1).install(|| settings.map(&rows, &never, |step| steps.push(step)))?;
        let again = pool(3).install(|| settings.map(&rows, &never, |_| ()))?;
        assert_eq!(map.as_slice(), again.as_slice());
        assert_eq!((steps[0], steps.len()), (MapStep::Neighbors(180), 301));
        assert_eq!(steps.last(), Some(&MapStep::Moves(300)));
        let nearest = nearest_rows(&map, 5, &never)?;
        let same =
            |(at, near): (usize, &Vec<_>)| near.iter().filter(|near: &&Neighbor| near.position / 60 == at / 60).count();
        let same: usize = nearest.iter().enumerate().map(same).sum();
        assert!(same > 5 * 180 * 98 / 100, "{same}");
        Ok(())
    }

    #[test]
    fn equal_rows_part_and_few_rows_make_a_map() -> Result<()> {
        let mut values = groups(10)?.as_slice().to_vec();
        let first = values[..10].to_vec();
        values[10..200].chunks_exact_mut(10).for_each(|row| row.copy_from_slice(&first));
        let rows = Matrix::from_vec(30, 10, values)?;
        let settings = Tsne { iterations: 100, ..Tsne::default() };
        let map = settings.map(&rows, &never, |_| ())?;
        assert_ne!(map.row(0), map.row(1));
        for rows in [Matrix::zeros(40, 3), Matrix::from_vec(5, 1, vec![1.0, 2.0, 3.0, 4.0, 9.0])?] {
            assert_eq!(settings.map(&rows, &never, |_| ())?.rows(), rows.rows());
        }
        assert_eq!(Tsne { dimensions: 3, ..settings }.map(&rows, &never, |_| ())?.cols(), 3);
        Ok(())
    }

    #[test]
    fn what_cannot_be_mapped_is_refused() -> Result<()> {
        let refused = |settings: &Tsne, rows: &Matrix| settings.map(rows, &never, |_| ()).err().map(|e| e.to_string());
        let (settings, rows) = (Tsne { iterations: 20, ..Tsne::default() }, groups(10)?);
        assert!(refused(&settings, &Matrix::zeros(4, 3)).is_some_and(|e| e.contains("5 rows")));
        let greedy = Tsne { perplexity: Some(10.0), ..settings.clone() };
        assert!(refused(&greedy, &rows).is_some_and(|e| e.contains("--perplexity: 10 with 30 rows: give 1 to 9.7")));
        assert!(refused(&Tsne { dimensions: 4, ..settings.clone() }, &rows).is_some_and(|e| e.contains("--to")));
        assert!(
            refused(&Tsne { iterations: 0, ..settings.clone() }, &rows).is_some_and(|e| e.contains("--iterations"))
        );
        let bad = Matrix::from_vec(6, 1, vec![0.0, 1.0, 2.0, f32::INFINITY, 4.0, 5.0])?;
        assert!(refused(&settings, &bad).is_some_and(|e| e.contains("row 4")));
        // Squared distances of such numbers are infinite.
        let large = Matrix::from_vec(6, 1, vec![0.0, 1e20, 2e20, 3.0, -1e20, 5.0])?;
        assert!(refused(&settings, &large).is_some_and(|e| e.contains("row 2") && e.contains("scale the rows down")));
        Ok(())
    }
}
