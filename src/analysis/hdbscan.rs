//! HDBSCAN: clusters are what stays together over the widest range of densities; it finds out how many there are, and leaves
//! what belongs to none as noise (Campello, Moulavi and Sander, 2013).
//!
//! A row's core distance is that to its `min_samples`-th nearest row, itself counted. Two rows are max(core, core, distance)
//! apart; the minimum spanning tree over that (`tree`) is cut from its longest edge on, parts below `min_cluster_size` fall
//! off as single rows, and of each branch those clusters are kept whose stability Σ (λ − λ of birth), λ = 1 / distance,
//! exceeds that of the clusters within (`condense`). As in scikit-learn, all rows together are no cluster.
//!
//! In many dimensions all rows are about equally far apart, so rows are first projected on their 15 principal components.
//! Time grows with the square of the rows, so that [`Hdbscan::MOST`] of them are the limit; memory stays in proportion.

mod condense;
mod tree;

use std::ops::ControlFlow;

use super::Pca;
use super::checks::check_squarable;
use crate::error::{Error, Result};
use crate::estimator::{Fit, Transform};
use crate::math::Matrix;

/// Clustering by density.
#[derive(Debug, Clone, PartialEq)]
pub struct Hdbscan {
    /// The fewest rows that are a cluster, from 2.
    pub min_cluster_size: usize,
    /// How many rows, itself counted, make a row's surroundings dense; otherwise as many as make a cluster.
    pub min_samples: Option<usize>,
    /// Principal components to project rows on, if they have more columns.
    pub dimensions: usize,
}

impl Default for Hdbscan {
    fn default() -> Self {
        Self { min_cluster_size: 10, min_samples: None, dimensions: 15 }
    }
}

/// Clusters, found by [`Hdbscan`].
#[derive(Debug, Clone, PartialEq)]
pub struct HdbscanModel {
    /// The cluster of each row, the largest being 0; none for noise.
    pub assignments: Vec<Option<u32>>,
    /// How many rows each cluster has.
    pub sizes: Vec<usize>,
}

impl HdbscanModel {
    /// How many rows belong to no cluster.
    pub fn noise(&self) -> usize {
        self.assignments.iter().filter(|cluster| cluster.is_none()).count()
    }
}

impl Hdbscan {
    /// The most rows that it takes: some minutes on one core.
    pub const MOST: usize = 200_000;

    /// Clusters rows; `observer` hears how many of how many steps are done, and may end it with [`Error::Interrupted`].
    pub fn fit_observed(
        &self,
        x: &Matrix,
        observer: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<HdbscanModel> {
        let rows = x.rows();
        if rows == 0 || x.cols() == 0 {
            return Err(Error::data(format!("clustering needs rows of numbers, found {rows} x {}", x.cols())));
        }
        if rows > Self::MOST {
            let reason = format!(
                "{rows} rows are more than hdbscan takes, {}: its time grows with their square; use kmeans, or a sample",
                Self::MOST
            );
            return Err(Error::data(reason));
        }
        if !(2..=rows).contains(&self.min_cluster_size) {
            let reason = format!("{} of {rows} rows: give 2 to {rows}", self.min_cluster_size);
            return Err(Error::config("--min-cluster-size", reason));
        }
        let min_samples = self.min_samples.unwrap_or(self.min_cluster_size);
        if !(1..=rows).contains(&min_samples) {
            return Err(Error::config("--min-samples", format!("{min_samples} of {rows} rows: give 1 to {rows}")));
        }
        if self.dimensions == 0 {
            return Err(Error::config("--dimensions", "0 leave nothing to tell rows apart by; give 1 or more"));
        }
        check_squarable(x)?;
        let projected = if x.cols() > self.dimensions {
            let pca = Pca { components: self.dimensions.min(rows) };
            &pca.fit(x)?.transform(x)?
        } else {
            x
        };
        let edges = tree::spanning(projected, min_samples, observer)?;
        Ok(condense::clusters(rows, edges, self.min_cluster_size))
    }
}

impl Fit<Matrix> for Hdbscan {
    type Model = HdbscanModel;

    fn fit(&self, x: &Matrix) -> Result<HdbscanModel> {
        self.fit_observed(x, &mut |_, _| ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    /// Three dense heaps of different size and width in a thin fog, and which row is of which.
    fn heaps(dim: usize) -> (Matrix, Vec<Option<usize>>) {
        let mut rng = Rng::stream(4, &[]);
        let (mut numbers, mut of) = (Vec::new(), Vec::new());
        for row in 0..700 {
            let heap = [Some(0), Some(0), Some(0), Some(1), Some(1), Some(2), None][row % 7];
            for column in 0..dim {
                let noise: f32 = (0..6).map(|_| rng.uniform() - 0.5).sum();
                numbers.push(match heap {
                    Some(heap) => (if column % 3 == heap { 20.0 } else { 0.0 }) + noise * (1.0 + heap as f32 / 2.0),
                    None => 60.0 * (rng.uniform() - 0.5),
                });
            }
            of.push(heap);
        }
        (Matrix::from_vec(700, dim, numbers).expect("whole rows"), of)
    }

    #[test]
    fn heaps_of_different_density_are_found_and_the_fog_is_noise() -> Result<()> {
        for dim in [3, 30] {
            let (points, of) = heaps(dim);
            let model = Hdbscan::default().fit(&points)?;
            assert_eq!(model.sizes.len(), 3, "{:?}", model.sizes);
            let right =
                model.assignments.iter().zip(&of).filter(|(cluster, heap)| cluster.map(|c| c as usize) == **heap);
            assert!(right.count() > 660, "{:?}, noise {}", model.sizes, model.noise());
            assert!(model.sizes.is_sorted_by(|a, b| a >= b) && model.noise() > 60);
        }
        Ok(())
    }

    #[test]
    fn results_do_not_depend_on_threads() -> Result<()> {
        let (points, _) = heaps(4);
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let one = pool(1).install(|| Hdbscan::default().fit(&points))?;
        assert_eq!(one, pool(3).install(|| Hdbscan::default().fit(&points))?);
        Ok(())
    }

    #[test]
    fn equal_rows_are_clusters_and_rows_without_a_cluster_are_noise() -> Result<()> {
        let doubles = Matrix::from_vec(90, 1, (0..90).map(|row| (row % 3) as f32).collect())?;
        assert_eq!(Hdbscan::default().fit(&doubles)?.sizes, [30, 30, 30]);
        let same = Hdbscan::default().fit(&Matrix::zeros(30, 2))?;
        assert_eq!((same.sizes.len(), same.noise()), (0, 30));
        let few = Hdbscan { min_cluster_size: 2, ..Hdbscan::default() };
        assert_eq!(few.fit(&Matrix::from_vec(2, 1, vec![0.0, 1.0])?)?.noise(), 2);
        Ok(())
    }

    #[test]
    fn what_cannot_be_clustered_is_refused_and_work_can_be_stopped() -> Result<()> {
        let fit = |hdbscan: &Hdbscan, rows, cols| hdbscan.fit(&Matrix::zeros(rows, cols)).map(|_| ());
        let default = Hdbscan::default();
        assert!(matches!(fit(&default, 0, 2), Err(Error::Data { .. })));
        assert!(matches!(fit(&default, 20, 0), Err(Error::Data { .. })));
        assert!(matches!(fit(&default, 9, 2), Err(Error::Config { .. })));
        assert!(matches!(fit(&Hdbscan { min_cluster_size: 1, ..default.clone() }, 9, 2), Err(Error::Config { .. })));
        assert!(matches!(fit(&Hdbscan { min_samples: Some(0), ..default.clone() }, 20, 2), Err(Error::Config { .. })));
        let message = fit(&default, Hdbscan::MOST + 1, 1).expect_err("too many").to_string();
        assert!(message.contains("200001 rows") && message.contains("kmeans"), "{message}");
        for number in [f32::NAN, 1e20] {
            let wrong = default.fit(&Matrix::from_vec(20, 1, [[0.0; 19].as_slice(), &[number]].concat())?);
            let message = wrong.expect_err("no number").to_string();
            assert!(message.contains("row 20"), "{message}");
        }
        let stopped = default.fit_observed(&heaps(3).0, &mut |_, _| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(Error::Interrupted)));
        Ok(())
    }
}
