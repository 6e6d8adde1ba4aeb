//! What rows must be before anything is made of them: finite, and where squared distances are summed in f32, not so large
//! that these overflow.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::math::Matrix;

/// The largest number allowed, so that squared lengths stay finite in f32.
const LARGEST: f32 = 1e15;
/// The fewest rows that are mapped: one has three neighbours then, a perplexity of one.
const FEWEST_TO_MAP: usize = 5;
/// The most rows that are mapped: their neighbours take some minutes on one core.
pub(super) const MOST_TO_MAP: usize = 200_000;

/// Refuses numbers that are none, with their place.
pub(super) fn check_finite(rows: &Matrix) -> Result<()> {
    check(rows, f32::MAX)
}

/// Refuses numbers that are none or whose squares may overflow, with their place.
pub(super) fn check_squarable(rows: &Matrix) -> Result<()> {
    check(rows, LARGEST)
}

/// Refuses rows that `method` makes no map of: too few, too many, or such as [`check_squarable`] refuses.
pub(super) fn check_mappable(rows: &Matrix, method: &str) -> Result<()> {
    let (n, dim) = (rows.rows(), rows.cols());
    if n < FEWEST_TO_MAP || dim == 0 {
        let reason = format!("{method} needs {FEWEST_TO_MAP} rows or more, found {n} of {dim} numbers; use pca");
        return Err(Error::data(reason));
    }
    if n > MOST_TO_MAP {
        let reason = format!(
            "{n} rows are more than {method} takes, {MOST_TO_MAP}: the time to find neighbours grows with their square; \
             draw fewer with --top, or use --method pca"
        );
        return Err(Error::data(reason));
    }
    check_squarable(rows)
}

fn check(rows: &Matrix, largest: f32) -> Result<()> {
    let is_bad = |number: &f32| number.abs() > largest || number.is_nan();
    let Some(place) = rows.as_slice().par_iter().position_first(is_bad) else {
        return Ok(());
    };
    let (row, column, number) = (place / rows.cols() + 1, place % rows.cols() + 1, rows.as_slice()[place]);
    Err(Error::data(if number.is_finite() {
        format!("row {row}, column {column} holds {number:e}, more than {largest:e}; scale the rows down")
    } else {
        format!("row {row}, column {column} holds {number}, no number")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_bad_numbers_are_told_and_large_ones_are_bad_only_if_squared() -> Result<()> {
        let with = |number: f32| Matrix::from_vec(2, 2, vec![0.0, 1.0, number, f32::NAN]);
        for (number, part) in [(f32::NAN, "NaN, no number"), (-f32::INFINITY, "-inf"), (-1e20, "more than 1e15; scale")]
        {
            let message = check_squarable(&with(number)?).expect_err("no number").to_string();
            assert!(message.contains("row 2, column 1 holds") && message.contains(part), "{message}");
        }
        let message = check_finite(&with(1e20)?).expect_err("no number").to_string();
        assert!(message.contains("row 2, column 2"), "{message}");
        check_squarable(&Matrix::from_vec(1, 2, vec![1e15, -1e15])?)
    }

    #[test]
    fn too_many_rows_to_map_are_told_what_to_do() {
        let message = check_mappable(&Matrix::zeros(MOST_TO_MAP + 1, 1), "UMAP").expect_err("too many").to_string();
        assert!(message.contains("200001 rows are more than UMAP takes, 200000"), "{message}");
        assert!(message.contains("--top") && message.contains("--method pca"), "{message}");
    }
}
