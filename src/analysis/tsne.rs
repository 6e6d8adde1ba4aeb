//! t-SNE: a map on which near things stay near (van der Maaten and Hinton, 2008; Barnes-Hut, van der Maaten, 2014).
//!
//! Each row spreads its attention over its nearest others by a Gaussian whose width is such that it attends to
//! `perplexity` of them; on the map the attention is Student's t, and the points move until the two agree (least
//! Kullback-Leibler divergence). Distances within a group mean something; those between groups and the sizes of
//! groups mean little.
//!
//! The neighbours are ours and exact, the descent is crate bhtsne's. It starts from the two principal components,
//! scaled to a deviation of 1e-4, as openTSNE's and scikit-learn's does; the crate's own start at random is not used. No
//! sum depends on the number of threads, and so neither does the map.

use bhtsne::tSNE;

use super::{Neighbor, Pca, nearest_rows};
use crate::error::{Error, Result};
use crate::estimator::{Fit, Transform};
use crate::math::{Matrix, Rng};

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
/// The fewest rows: one has three neighbours then.
const ROWS: usize = 5;
/// How coarse the tree may be: groups of points seen under a smaller angle count as one.
const THETA: f32 = 0.5;
/// The deviation of the start, and the part of it that is jitter.
const SPREAD: f32 = 1e-4;
const JITTER: f32 = 0.01;
/// The principal components among which neighbours are looked for.
const COMPONENTS: usize = 50;

impl Tsne {
    /// A map of the rows; `step` is told the steps done so far, and `stop` is asked while neighbours are looked for.
    ///
    /// Of rows with more than 50 numbers the first 50 principal components are taken.
    ///
    /// # Errors
    /// If there are fewer than five rows, a number is not finite, or a setting is out of range.
    pub fn map(&self, rows: &Matrix, stop: &(dyn Fn() -> bool + Sync), step: impl FnMut(usize)) -> Result<Matrix> {
        let n = rows.rows();
        if n < ROWS || rows.cols() == 0 {
            let reason = format!("t-SNE needs {ROWS} rows or more, found {n} of {} numbers; use pca", rows.cols());
            return Err(Error::data(reason));
        }
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
        let neighbors = nearest_rows(&components, (3.0 * perplexity) as usize, stop)?;
        let near = |near: &Neighbor| bhtsne::Neighbor { index: near.position, distance: near.score };
        let neighbors: Vec<Vec<_>> = neighbors.iter().map(|all| all.iter().map(near).collect()).collect();
        let points: Vec<&[f32]> = components.iter_rows().collect();
        let map = match self.dimensions {
            2 => {
                let mut tsne = self.prepared::<2>(&components, &points, perplexity, step);
                tsne.barnes_hut_with_neighbors(THETA, &neighbors).embedding()
            }
            3 => {
                let mut tsne = self.prepared::<3>(&components, &points, perplexity, step);
                tsne.barnes_hut_with_neighbors(THETA, &neighbors).embedding()
            }
            other => return Err(Error::config("--to", format!("{other}: t-SNE makes maps of 2 or 3 numbers"))),
        };
        if map.iter().any(|number| !number.is_finite()) {
            return Err(Error::data("t-SNE left the finite numbers; give another --perplexity or use pca"));
        }
        Matrix::from_vec(n, self.dimensions, map)
    }

    fn prepared<'a, const D: usize>(
        &self,
        components: &Matrix,
        points: &'a [&'a [f32]],
        perplexity: f32,
        mut step: impl FnMut(usize) + 'a,
    ) -> tSNE<'a, f32, &'a [f32], D> {
        let early = (self.iterations / 4).min(250);
        let mut tsne = tSNE::new(points);
        tsne.perplexity(perplexity)
            .epochs(self.iterations)
            .stop_lying_epoch(early)
            .momentum_switch_epoch(early)
            .initial_embedding(self.start(components, D))
            .epoch_callback(move |epoch, _| step(epoch + 1));
        tsne
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
    use super::*;

    /// Three groups of rows of ten numbers, one after another.
    fn groups(each: usize) -> Result<Matrix> {
        let mut rng = Rng::stream(1, &[]);
        let mut row = |group: usize| -> Vec<f32> {
            (0..10).map(|column| rng.uniform() + if column % 3 == group { 2.0 } else { 0.0 }).collect()
        };
        Matrix::from_vec(3 * each, 10, (0..3 * each).flat_map(|at| row(at / each)).collect())
    }

    fn never() -> bool {
        false
    }

    #[test]
    fn groups_stay_together_on_any_number_of_threads() -> Result<()> {
        let rows = groups(60)?;
        let settings = Tsne { iterations: 300, ..Tsne::default() };
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let mut steps = 0;
        let map = pool(1).install(|| settings.map(&rows, &never, |step| steps = step))?;
        let again = pool(3).install(|| settings.map(&rows, &never, |_| ()))?;
        assert_eq!((map.as_slice(), steps), (again.as_slice(), 300));
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
        Ok(())
    }
}
