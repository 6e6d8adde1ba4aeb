//! K-means: k centres such that the squared distances of rows to the nearest of them sum to little (Lloyd, 1982).
//!
//! inertia = Σ |xᵢ − c(xᵢ)|². Seeds are chosen by greedy k-means++, the best of several restarts is kept, and a cluster that
//! runs empty gets the row that is farthest from its centre, all as in scikit-learn. Spherical k-means compares directions:
//! rows and centres have length one (Dhillon and Modha, 2001), and the inertia is twice the sum of 1 − cosine. Large inputs
//! go by mini-batches (Sculley, 2010).
//!
//! Clusters are numbered from 0 by falling size, of equal ones that with the first row first. If fewer rows differ than
//! clusters were asked for, there are as many clusters as different rows. A row of zeros has no direction; spherical k-means
//! puts it into some cluster all the same.
//!
//! ```
//! # fn main() -> firth::Result<()> {
//! use firth::analysis::KMeans;
//! use firth::estimator::Fit;
//! use firth::math::Matrix;
//!
//! let points = Matrix::from_vec(5, 1, vec![1.0, 1.1, 9.0, 9.1, 9.2])?;
//! let model = KMeans { clusters: 2, ..KMeans::default() }.fit(&points)?;
//! assert_eq!(model.assignments, [1, 1, 0, 0, 0]);
//! assert_eq!(model.predict(&Matrix::from_vec(1, 1, vec![2.0])?)?, [1]);
//! # Ok(())
//! # }
//! ```

mod batches;
mod lloyd;
mod points;
mod seeding;

use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::estimator::Fit;
use crate::math::{Matrix, Rng};
use lloyd::Lloyd;
use points::Points;

/// K-means clustering.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeans {
    /// How many clusters: at most the number of rows.
    pub clusters: usize,
    /// Starts, of which the best is kept.
    pub restarts: usize,
    /// Iterations at most: passes over all rows.
    pub iterations: usize,
    /// Iterations end when the centres' squared moves sum to less than this part of the columns' mean variance.
    pub tolerance: f64,
    /// How many rows are gone through between two moves of the centres.
    pub batch: Batch,
    /// Makes the length of rows one before they are compared.
    pub normalize: bool,
    /// Compares directions instead of places: makes the length of rows one, and that of the centres too.
    pub spherical: bool,
    /// Names the random choices.
    pub seed: u64,
}

/// How many rows are gone through between two moves of the centres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Batch {
    /// All, and from [`Batch::MANY`] rows on [`Batch::DEFAULT`] at a time, or two for each cluster.
    #[default]
    Auto,
    /// All: Lloyd's iterations.
    All,
    /// So many, at random; at most as many as there are.
    Rows(usize),
}

impl Batch {
    /// Rows from which [`Batch::Auto`] takes some at a time.
    pub const MANY: usize = 100_000;
    /// How many it then takes.
    pub const DEFAULT: usize = 4096;

    fn size(self, rows: usize, clusters: usize) -> Option<usize> {
        let size = match self {
            Self::All => None,
            Self::Rows(batch) => Some(batch),
            Self::Auto => (rows >= Self::MANY).then_some(Self::DEFAULT.max(2 * clusters)),
        };
        size.map(|size| size.min(rows))
    }
}

impl Default for KMeans {
    /// Eight clusters, the best of ten starts.
    fn default() -> Self {
        Self {
            clusters: 8,
            restarts: 10,
            iterations: 300,
            tolerance: 1e-4,
            batch: Batch::Auto,
            normalize: false,
            spherical: false,
            seed: 1,
        }
    }
}

/// Clusters, found by [`KMeans`].
#[derive(Debug, Clone)]
pub struct KMeansModel {
    /// The centres, a row each, that of the largest cluster first.
    pub centers: Matrix,
    /// The cluster of each row that was learnt from.
    pub assignments: Vec<u32>,
    /// The sum of squared distances of rows to their centres.
    pub inertia: f64,
    /// Iterations of the start that was kept; of mini-batches how often they went through as many rows as there are, and
    /// the iterations after them.
    pub iterations: usize,
    /// Did it end by itself, or at the most iterations? Mini-batches end by themselves when they no longer help.
    pub has_converged: bool,
    /// Are rows made of length one before they are compared with the centres?
    pub normalize: bool,
}

/// What k-means is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Centres are chosen, one after another.
    Seeding,
    /// Rows go to centres and centres to rows.
    Iterations,
    /// The same with some rows at a time.
    Batches,
}

/// Where k-means stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The start at hand, from 1.
    pub restart: usize,
    /// All starts.
    pub restarts: usize,
    /// What is being done.
    pub stage: Stage,
    /// Centres, iterations or batches done.
    pub done: usize,
    /// How many of them there are at most.
    pub total: usize,
    /// The sum of squared distances, or for batches an estimate of it.
    pub inertia: Option<f64>,
}

impl Step {
    fn of(settings: &KMeans) -> Self {
        let restarts = settings.restarts;
        Self { restart: restarts, restarts, stage: Stage::Seeding, done: 0, total: 0, inertia: None }
    }
}

impl KMeans {
    /// Clusters rows, and lets `observer` follow; `Break` ends it with [`Error::Interrupted`].
    pub fn fit_observed(&self, x: &Matrix, observer: &mut dyn FnMut(&Step) -> ControlFlow<()>) -> Result<KMeansModel> {
        self.check(x)?;
        let points = Points::new(x, self.normalize || self.spherical, self.spherical)?;
        let mut tell = |step: Step| observer(&step).is_continue();
        let best = match self.batch.size(x.rows(), self.clusters) {
            Some(batch) => batches::run(self, &points, batch, &mut tell)?,
            None => self.best_of_restarts(&points, &mut tell)?,
        };
        Ok(self.finished(best, &points))
    }

    fn check(&self, x: &Matrix) -> Result<()> {
        if x.rows() == 0 || x.cols() == 0 {
            return Err(Error::data(format!("k-means needs rows of numbers, found {} x {}", x.rows(), x.cols())));
        }
        if self.clusters == 0 || self.clusters > x.rows() {
            let reason = format!("{} clusters of {} rows: give 1 to {}", self.clusters, x.rows(), x.rows());
            return Err(Error::config("--clusters", reason));
        }
        for (option, value) in [("--restarts", self.restarts), ("--iterations", self.iterations)] {
            if value == 0 {
                return Err(Error::config(option, "0 leaves nothing to do; give 1 or more"));
            }
        }
        if self.batch == Batch::Rows(0) {
            return Err(Error::config("--batch", "0 rows at a time; give 1 or more"));
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return Err(Error::config("--tolerance", format!("{}: give 0 or more", self.tolerance)));
        }
        if u32::try_from(x.rows()).is_err() {
            return Err(Error::data(format!("{} rows are more than k-means takes, {}", x.rows(), u32::MAX)));
        }
        Ok(())
    }

    fn best_of_restarts(&self, points: &Points<'_>, tell: &mut dyn FnMut(Step) -> bool) -> Result<Lloyd> {
        let mut best: Option<Lloyd> = None;
        for restart in 0..self.restarts {
            let mut rng = Rng::stream(self.seed, &[restart as u64]);
            let step = |stage, done, total, inertia| Step {
                restart: restart + 1,
                stage,
                done,
                total,
                inertia,
                ..Step::of(self)
            };
            let mut go_on = |done| tell(step(Stage::Seeding, done, self.clusters, None));
            let centers = seeding::choose(points, self.clusters, &mut rng, &mut go_on)?;
            let mut go_on = |done, inertia| tell(step(Stage::Iterations, done, self.iterations, Some(inertia)));
            let found = lloyd::run(points, centers, self.iterations, self.tolerance, &mut go_on)?;
            if best.as_ref().is_none_or(|best| found.inertia < best.inertia) {
                best = Some(found);
            }
        }
        Ok(best.expect("checked: one restart or more"))
    }

    /// Clusters by falling size, without those that are empty.
    fn finished(&self, found: Lloyd, points: &Points<'_>) -> KMeansModel {
        let (mut sizes, mut first) = (vec![0usize; found.centers.len()], vec![usize::MAX; found.centers.len()]);
        for (row, &label) in found.labels.iter().enumerate() {
            sizes[label as usize] += 1;
            first[label as usize] = first[label as usize].min(row);
        }
        let mut order: Vec<usize> = (0..sizes.len()).filter(|&at| sizes[at] > 0).collect();
        order.sort_by_key(|&at| (std::cmp::Reverse(sizes[at]), first[at]));
        let mut names = vec![0; sizes.len()];
        order.iter().zip(0..).for_each(|(&at, name)| names[at] = name);
        let all = points.restored(&found.centers);
        let centers = order.iter().flat_map(|&at| &all[at * points.dim..][..points.dim]).copied().collect();
        KMeansModel {
            centers: Matrix::from_vec(order.len(), points.dim, centers).expect("whole rows"),
            assignments: found.labels.iter().map(|&label| names[label as usize]).collect(),
            inertia: found.inertia,
            iterations: found.iterations,
            has_converged: found.has_converged,
            normalize: self.normalize || self.spherical,
        }
    }
}

impl Fit<Matrix> for KMeans {
    type Model = KMeansModel;

    fn fit(&self, x: &Matrix) -> Result<KMeansModel> {
        self.fit_observed(x, &mut |_| ControlFlow::Continue(()))
    }
}

impl KMeansModel {
    /// The nearest cluster of each row.
    ///
    /// # Errors
    /// If the rows have another number of columns than the centres, or hold what is no number.
    pub fn predict(&self, x: &Matrix) -> Result<Vec<u32>> {
        if x.cols() != self.centers.cols() {
            return Err(Error::mismatch("columns to cluster", self.centers.cols(), x.cols()));
        }
        let points = Points::beside(x, &self.centers, self.normalize)?;
        let (mut labels, mut distances) = (vec![0; x.rows()], vec![0.0; x.rows()]);
        points.assign(&points.moved(&self.centers), &mut labels, &mut distances);
        Ok(labels)
    }

    /// How many of the rows that were learnt from each cluster has.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.centers.rows()];
        self.assignments.iter().for_each(|&cluster| sizes[cluster as usize] += 1);
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows around as many corners of a cube as there are kinds, and their kinds.
    fn blobs(rows: usize, dim: usize, kinds: usize, spread: f32) -> (Matrix, Vec<usize>) {
        let mut rng = Rng::stream(3, &[]);
        let of: Vec<usize> = (0..rows).map(|_| rng.below(kinds as u32) as usize).collect();
        let corner = |kind: usize, column: usize| if kind >> (column % 4) & 1 == 1 { 10.0 } else { 5.0 };
        let mut numbers = Vec::new();
        for &kind in &of {
            for column in 0..dim {
                let noise: f32 = (0..6).map(|_| rng.uniform() - 0.5).sum();
                numbers.push(corner(kind, column) + spread * noise);
            }
        }
        (Matrix::from_vec(rows, dim, numbers).expect("whole rows"), of)
    }

    /// Is each cluster one kind?
    fn agree(clusters: &[u32], kinds: &[usize]) -> bool {
        let mut kind_of = vec![None; kinds.len()];
        clusters.iter().zip(kinds).all(|(&cluster, &kind)| *kind_of[cluster as usize].get_or_insert(kind) == kind)
    }

    #[test]
    fn planted_clusters_are_found_by_all_rows_by_batches_and_by_directions() -> Result<()> {
        let (points, kinds) = blobs(3000, 8, 6, 0.5);
        for batch in [Batch::All, Batch::Rows(200)] {
            for spherical in [false, true] {
                let model = KMeans { clusters: 6, batch, spherical, ..KMeans::default() }.fit(&points)?;
                assert!(agree(&model.assignments, &kinds), "{batch:?} {spherical}");
                assert_eq!(model.predict(&points)?, model.assignments);
                let sizes = model.sizes();
                assert!(sizes.len() == 6 && sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
                let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
                assert!(!spherical || model.centers.iter_rows().all(|row| (length(row) - 1.0).abs() < 1e-5));
            }
        }
        Ok(())
    }

    #[test]
    fn centres_are_means_and_the_inertia_is_the_sum_of_squared_distances() -> Result<()> {
        let (points, _) = blobs(1000, 5, 4, 8.0);
        let model = KMeans { clusters: 7, tolerance: 0.0, ..KMeans::default() }.fit(&points)?;
        assert!(model.has_converged);
        let mut inertia = 0.0;
        let mut means = vec![0f64; 7 * 5];
        for (row, &cluster) in points.iter_rows().zip(&model.assignments) {
            let center = model.centers.row(cluster as usize);
            inertia += row.iter().zip(center).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
            let size = model.sizes()[cluster as usize] as f64;
            means[cluster as usize * 5..][..5].iter_mut().zip(row).for_each(|(mean, &x)| *mean += f64::from(x) / size);
        }
        assert!((model.inertia / inertia - 1.0).abs() < 1e-5, "{} {inertia}", model.inertia);
        let pairs = model.centers.as_slice().iter().zip(&means);
        assert!(pairs.clone().all(|(&a, b)| (f64::from(a) - b).abs() < 1e-4));
        Ok(())
    }

    #[test]
    fn batches_are_no_larger_than_all_rows_and_tell_whether_they_ended_by_themselves() -> Result<()> {
        let (points, _) = blobs(9000, 7, 8, 6.0);
        let kmeans = KMeans { clusters: 9, restarts: 1, tolerance: 0.0, ..KMeans::default() };
        let model = KMeans { batch: Batch::Rows(500), ..kmeans.clone() }.fit(&points)?;
        assert!(model.has_converged && (2..100).contains(&model.iterations), "{}", model.iterations);
        let model = KMeans { batch: Batch::Rows(usize::MAX), iterations: 1, ..kmeans }.fit(&points)?;
        assert_eq!((model.has_converged, model.iterations), (false, 2));
        Ok(())
    }

    #[test]
    fn results_do_not_depend_on_threads_and_repeat() -> Result<()> {
        let (points, _) = blobs(9000, 7, 8, 6.0);
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        for batch in [Batch::All, Batch::Rows(500)] {
            let kmeans = KMeans { clusters: 9, restarts: 2, batch, ..KMeans::default() };
            let one = pool(1).install(|| kmeans.fit(&points))?;
            let three = pool(3).install(|| kmeans.fit(&points))?;
            assert_eq!(one.centers.as_slice(), three.centers.as_slice());
            assert_eq!((one.assignments, one.inertia.to_bits()), (three.assignments, three.inertia.to_bits()));
        }
        Ok(())
    }

    #[test]
    fn rows_far_from_the_origin_are_told_apart() -> Result<()> {
        let numbers = (0..40).flat_map(|row| [10_000.0 + (row % 2) as f32, 10_000.0]).collect();
        let points = Matrix::from_vec(40, 2, numbers)?;
        let model = KMeans { clusters: 2, ..KMeans::default() }.fit(&points)?;
        assert!((model.inertia, model.assignments[0]) == (0.0, model.assignments[2]), "{}", model.inertia);
        assert_ne!(model.assignments[0], model.assignments[1]);
        assert_eq!(model.predict(&points)?, model.assignments);
        Ok(())
    }

    #[test]
    fn fewer_different_rows_than_clusters_give_fewer_clusters() -> Result<()> {
        for spherical in [false, true] {
            for batch in [Batch::All, Batch::Rows(4)] {
                let numbers = (0..30).flat_map(|row| [[0.1, 0.7], [0.7, 0.1], [0.3, 0.3]][row % 3]).collect();
                let points = Matrix::from_vec(30, 2, numbers)?;
                let model = KMeans { clusters: 5, spherical, batch, ..KMeans::default() }.fit(&points)?;
                assert_eq!(model.sizes(), [10, 10, 10]);
                assert!(model.inertia < 1e-12, "{}", model.inertia);
            }
        }
        let model = KMeans { clusters: 3, ..KMeans::default() }.fit(&Matrix::zeros(3, 2))?;
        assert_eq!(model.assignments, [0, 0, 0]);
        let model = KMeans { clusters: 2, spherical: true, ..KMeans::default() }.fit(&Matrix::zeros(3, 2))?;
        assert_eq!(model.assignments, [0, 0, 0]);
        Ok(())
    }

    #[test]
    fn normalized_rows_need_no_copy() -> Result<()> {
        let (points, _) = blobs(800, 5, 4, 6.0);
        let kmeans = KMeans { clusters: 5, ..KMeans::default() };
        let copied = kmeans.fit(&points.normalized())?;
        let model = KMeans { normalize: true, ..kmeans }.fit(&points)?;
        assert!((model.inertia / copied.inertia - 1.0).abs() < 1e-3, "{} {}", model.inertia, copied.inertia);
        assert_eq!(model.predict(&points)?, model.assignments);
        Ok(())
    }

    #[test]
    fn one_cluster_is_all_and_each_row_may_be_its_own() -> Result<()> {
        let (points, _) = blobs(50, 3, 4, 5.0);
        let of = |clusters| KMeans { clusters, ..KMeans::default() }.fit(&points);
        assert!(of(1)?.assignments.iter().all(|&cluster| cluster == 0));
        let all = of(50)?;
        assert_eq!((all.sizes(), all.inertia), (vec![1; 50], 0.0));
        Ok(())
    }

    #[test]
    fn an_empty_cluster_gets_the_farthest_row() -> Result<()> {
        let points = Matrix::from_vec(5, 1, vec![0.0, 1.0, 2.0, 3.0, 50.0])?;
        let points = Points::new(&points, false, false)?;
        // Two centres so far out that nothing comes to them, in coordinates around the mean of 11.2.
        let centers = points::Centers::new(vec![-9.0, 9000.0, 9001.0], 1);
        let found = lloyd::run(&points, centers, 1, 0.0, &mut |_, _| true)?;
        let mut sizes = [0; 3];
        found.labels.iter().for_each(|&label| sizes[label as usize] += 1);
        assert!(sizes.iter().all(|&size| size > 0), "{sizes:?}");
        Ok(())
    }

    #[test]
    fn what_cannot_be_clustered_is_refused() -> Result<()> {
        let fit =
            |clusters, rows, cols| KMeans { clusters, ..KMeans::default() }.fit(&Matrix::zeros(rows, cols)).map(|_| ());
        assert!(matches!(fit(1, 0, 3), Err(Error::Data { .. })));
        assert!(matches!(fit(1, 3, 0), Err(Error::Data { .. })));
        assert!(matches!(fit(0, 3, 3), Err(Error::Config { .. })));
        let message = fit(4, 3, 3).expect_err("too many").to_string();
        assert!(message.contains("4 clusters of 3 rows: give 1 to 3"), "{message}");
        for (number, part) in [(f32::NAN, "column 2 holds NaN"), (f32::INFINITY, "inf"), (1e30, "scale")] {
            let points = Matrix::from_vec(2, 2, vec![0.0, number, 2.0, 3.0])?;
            let message = KMeans { clusters: 1, ..KMeans::default() }.fit(&points).expect_err("no number").to_string();
            assert!(message.contains("row 1") && message.contains(part), "{message}");
        }
        for wrong in [
            KMeans { restarts: 0, ..KMeans::default() },
            KMeans { iterations: 0, ..KMeans::default() },
            KMeans { tolerance: f64::NAN, ..KMeans::default() },
            KMeans { batch: Batch::Rows(0), ..KMeans::default() },
        ] {
            assert!(matches!(wrong.fit(&Matrix::zeros(9, 1)), Err(Error::Config { .. })), "{wrong:?}");
        }
        let model = KMeans { clusters: 1, ..KMeans::default() }.fit(&Matrix::zeros(3, 2))?;
        assert!(matches!(model.predict(&Matrix::zeros(1, 3)), Err(Error::Mismatch { .. })));
        assert!(model.predict(&Matrix::zeros(0, 2))?.is_empty());
        Ok(())
    }

    #[test]
    fn an_observer_hears_of_each_stage_and_may_stop_it() {
        let (points, _) = blobs(400, 3, 4, 5.0);
        for batch in [Batch::All, Batch::Rows(50)] {
            let kmeans = KMeans { clusters: 4, restarts: 2, batch, ..KMeans::default() };
            let mut seen = Vec::new();
            let model = kmeans.fit_observed(&points, &mut |step| {
                assert!(step.done <= step.total && (1..=2).contains(&step.restart));
                seen.push(step.stage);
                ControlFlow::Continue(())
            });
            assert!(model.is_ok() && seen.contains(&Stage::Seeding) && seen.contains(&Stage::Iterations));
            assert_eq!(seen.contains(&Stage::Batches), batch != Batch::All);
            for stop in 1..seen.len() {
                let mut heard = 0;
                let stopped = kmeans.fit_observed(&points, &mut |_| {
                    heard += 1;
                    if heard == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                assert!(matches!(stopped, Err(Error::Interrupted)) && heard == stop);
            }
        }
    }
}
