//! Trustworthiness: are those that lie side by side on a map neighbours in truth? (Venna and Kaski, 2001)
//!
//! 1 − 2 / (n k (2n − 3k − 1)) Σᵢ Σⱼ max(0, r(i, j) − k), over the k neighbours j of i on the map, r(i, j) being the
//! rank of j among the neighbours of i in space. 1 is best; a map at random has about 0.5. scikit-learn's
//! `trustworthiness` is the same, over all rows; here a sample may stand for them, since ranks cost n products each.

use rayon::prelude::*;

use super::checks::check_finite;
use super::nearest_rows::distance;
use crate::error::{Error, Result};
use crate::math::Matrix;

/// How the trustworthiness of a map is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trustworthiness {
    /// How many neighbours on the map are looked at, below half of the rows.
    pub neighbors: usize,
    /// How many rows are looked at, evenly spaced; all, if there are not more.
    pub sample: usize,
}

impl Default for Trustworthiness {
    /// Ten neighbours of two thousand rows.
    fn default() -> Self {
        Self { neighbors: 10, sample: 2000 }
    }
}

impl Trustworthiness {
    /// The trustworthiness of `plane` as a map of `space`: a row each for the same things.
    ///
    /// # Errors
    /// If the rows differ in number, are not more than twice the neighbours, or hold what is no number.
    pub fn measure(&self, space: &Matrix, plane: &Matrix) -> Result<f64> {
        let (n, k) = (space.rows(), self.neighbors);
        if plane.rows() != n {
            return Err(Error::mismatch("rows of the map", n, plane.rows()));
        }
        if k == 0 || n <= 2 * k {
            return Err(Error::data(format!(
                "trustworthiness with {k} neighbours needs {} rows, found {n}",
                2 * k + 1
            )));
        }
        check_finite(space)?;
        check_finite(plane)?;
        let sample = self.sample.clamp(1, n);
        let penalty = |number: usize| {
            let at = (number as u128 * n as u128 / sample as u128) as usize;
            let near =
                |rows: &Matrix| -> Vec<f64> { rows.iter_rows().map(|row| distance(rows.row(at), row)).collect() };
            let (map, truth) = (near(plane), near(space));
            let order = |distances: &[f64], a: usize, b: usize| distances[a].total_cmp(&distances[b]).then(a.cmp(&b));
            let mut others: Vec<usize> = (0..n).filter(|&other| other != at).collect();
            others.select_nth_unstable_by(k - 1, |&a, &b| order(&map, a, b));
            let rank =
                |row: usize| 1 + (0..n).filter(|&other| other != at && order(&truth, other, row).is_lt()).count();
            others[..k].iter().map(|&row| rank(row).saturating_sub(k)).sum::<usize>()
        };
        let penalty: usize = (0..sample).into_par_iter().map(penalty).sum();
        Ok(1.0 - 2.0 * penalty as f64 / (sample as f64 * k as f64 * (2 * n - 3 * k - 1) as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    fn line(values: &[f32]) -> Result<Matrix> {
        Matrix::from_vec(values.len(), 1, values.to_vec())
    }

    #[test]
    fn a_true_map_has_one_and_a_random_one_a_half() -> Result<()> {
        let mut rng = Rng::stream(1, &[]);
        let space = Matrix::from_vec(600, 3, (0..1800).map(|_| rng.uniform()).collect())?;
        let random = Matrix::from_vec(600, 2, (0..1200).map(|_| rng.uniform()).collect())?;
        let measure = Trustworthiness::default();
        assert_eq!(measure.measure(&space, &space)?, 1.0);
        let by_chance = measure.measure(&space, &random)?;
        assert!((0.45..0.55).contains(&by_chance), "{by_chance}");
        let sampled = Trustworthiness { sample: 200, ..measure }.measure(&space, &random)?;
        assert!((sampled - by_chance).abs() < 0.05, "{sampled}");
        Ok(())
    }

    #[test]
    fn the_formula_is_that_of_the_paper() -> Result<()> {
        // On the map the nearest of A, B, C, D, E are C, D, A, B, C.
        let space = line(&[0.0, 1.0, 2.0, 4.0, 9.0])?;
        let map = line(&[0.0, 5.0, 1.0, 5.5, 2.5])?;
        // In space C is second of A; D third of B, after A and C; A second of C, as far as D, but before it; and so on.
        let ranks = [2.0, 3.0, 2.0, 2.0, 2.0];
        let penalty: f64 = ranks.iter().map(|rank| rank - 1.0).sum();
        let value = Trustworthiness { neighbors: 1, sample: 5 }.measure(&space, &map)?;
        assert!((value - (1.0 - 2.0 * penalty / (5.0 * 6.0))).abs() < 1e-12, "{value}");
        Ok(())
    }

    #[test]
    fn maps_of_other_things_and_too_few_rows_are_refused() -> Result<()> {
        let measure = Trustworthiness { neighbors: 2, sample: 9 };
        assert!(measure.measure(&line(&[0.0; 5])?, &line(&[0.0; 4])?).is_err());
        assert!(measure.measure(&line(&[0.0; 4])?, &line(&[0.0; 4])?).is_err());
        assert!(measure.measure(&line(&[0.0; 5])?, &line(&[f32::NAN, 0.0, 0.0, 0.0, 0.0])?).is_err());
        assert!(measure.measure(&line(&[0.0; 5])?, &line(&[0.0; 5])?).is_ok());
        Ok(())
    }
}
