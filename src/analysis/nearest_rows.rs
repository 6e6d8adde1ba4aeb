//! The nearest rows of every row, by distance: the graph that maps are made from.
//!
//! |a − b|² = |a|² + |b|² − 2 a·b, so that blocks of rows are compared by one product each. The candidates of that are
//! then ordered by distances summed in f64. All rows are compared with all: n² products, exact.

use rayon::prelude::*;

use super::checks::check_squarable;
use crate::embeddings::{Best, Neighbor};
use crate::error::{Error, Result};
use crate::math::{Matrix, dot, multiply_transposed};

/// Rows that ask together, and rows they are compared with at a time: their products stay in a core's cache.
const ASKING: usize = 64;
const BLOCK: usize = 1024;
/// Candidates beyond those wanted, since products are summed in f32.
const SPARE: usize = 8;

/// Blocks that each thread compares between two looks at the progress.
const TURNS: usize = 16;

/// How far the making of a map has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapStep {
    /// So many of the rows have found their neighbours.
    Neighbors(usize),
    /// So many steps have moved the map's points.
    Moves(usize),
}

/// For each row its `count` nearest others, nearest first, with their distances; equal ones by position.
///
/// A row that stands twice finds its double at distance zero. `stop` is asked now and then.
///
/// # Errors
/// If there are not more rows than wanted, a number is not finite or above 1e15, or `stop` says so
/// ([`Error::Interrupted`]).
pub fn nearest_rows(rows: &Matrix, count: usize, stop: &(dyn Fn() -> bool + Sync)) -> Result<Vec<Vec<Neighbor>>> {
    check_squarable(rows)?;
    nearest_of_checked(rows, count, stop, &mut |_| ())
}

/// The same, of rows that were checked, perhaps before they became components; `progress` is told how many rows are done.
pub(super) fn nearest_of_checked(
    rows: &Matrix,
    count: usize,
    stop: &(dyn Fn() -> bool + Sync),
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Vec<Neighbor>>> {
    let (n, dim) = (rows.rows(), rows.cols());
    if count >= n {
        return Err(Error::data(format!("{count} nearest of each row need more than {count} rows, found {n}")));
    }
    // What all rows share would only cost digits.
    let centered = rows.centered();
    let squares: Vec<f32> = (0..n).into_par_iter().map(|row| dot(centered.row(row), centered.row(row))).collect();
    let ask = |start: usize| -> Result<Vec<Vec<Neighbor>>> {
        if stop() {
            return Err(Error::Interrupted);
        }
        let end = n.min(start + ASKING);
        let asking = &centered.as_slice()[start * dim..end * dim];
        let mut best = vec![Best::new(count + SPARE); end - start];
        let mut scores = Vec::new();
        for first in (0..n).step_by(BLOCK) {
            let last = n.min(first + BLOCK);
            let width = last - first;
            scores.resize((end - start) * width, 0.0);
            multiply_transposed(asking, &centered.as_slice()[first * dim..last * dim], dim, &mut scores);
            for (at, (best, scores)) in best.iter_mut().zip(scores.chunks_exact_mut(width)).enumerate() {
                // The nearer, the higher; |a|² is the same for all.
                scores.iter_mut().zip(&squares[first..last]).for_each(|(score, square)| *score = 2.0 * *score - square);
                best.offer(first, scores, |position| position != start + at);
            }
        }
        let exact = |(at, best): (usize, Best)| {
            let mut found = best.into_sorted();
            for neighbor in &mut found {
                neighbor.score = distance(rows.row(start + at), rows.row(neighbor.position)) as f32;
            }
            found.sort_by(|a, b| a.score.total_cmp(&b.score).then(a.position.cmp(&b.position)));
            found.truncate(count);
            found
        };
        Ok(best.into_iter().enumerate().map(exact).collect())
    };
    let blocks: Vec<usize> = (0..n).step_by(ASKING).collect();
    let mut all = Vec::with_capacity(n);
    for blocks in blocks.chunks(TURNS * rayon::current_num_threads()) {
        let found: Vec<Vec<Vec<Neighbor>>> = blocks.par_iter().map(|&start| ask(start)).collect::<Result<_>>()?;
        all.extend(found.into_iter().flatten());
        progress(all.len());
    }
    Ok(all)
}

/// The distance of two vectors, in f64.
pub(super) fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::math::Rng;

    /// Three groups of rows of ten numbers, one after another, which maps must keep together.
    pub fn groups(each: usize) -> Result<Matrix> {
        let mut rng = Rng::stream(1, &[]);
        let mut row = |group: usize| -> Vec<f32> {
            (0..10).map(|column| rng.uniform() + if column % 3 == group { 2.0 } else { 0.0 }).collect()
        };
        Matrix::from_vec(3 * each, 10, (0..3 * each).flat_map(|at| row(at / each)).collect())
    }

    pub fn never() -> bool {
        false
    }

    #[test]
    fn the_nearest_rows_are_those_of_the_naive_way_on_any_number_of_threads() -> Result<()> {
        let (n, dim) = (1500, 7);
        let mut rng = Rng::stream(5, &[]);
        // Far from zero, where products alone would lose the digits.
        let rows = Matrix::from_vec(n, dim, (0..n * dim).map(|_| 100.0 + rng.uniform()).collect())?;
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let found = pool(1).install(|| nearest_rows(&rows, 9, &never))?;
        assert_eq!(pool(3).install(|| nearest_rows(&rows, 9, &never))?, found);
        let mut told = Vec::new();
        pool(1).install(|| nearest_of_checked(&rows, 9, &never, &mut |done| told.push(done)))?;
        assert_eq!(told, [TURNS * ASKING, n]);
        for at in [0, 63, 64, 1499] {
            let mut naive: Vec<(f64, usize)> = (0..n)
                .filter(|&other| other != at)
                .map(|other| (distance(rows.row(at), rows.row(other)), other))
                .collect();
            naive.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let positions: Vec<usize> = found[at].iter().map(|neighbor| neighbor.position).collect();
            assert_eq!(positions, naive[..9].iter().map(|pair| pair.1).collect::<Vec<_>>());
        }
        Ok(())
    }

    #[test]
    fn doubles_find_one_another_and_too_few_or_bad_rows_are_refused() -> Result<()> {
        let rows = Matrix::from_vec(3, 1, vec![4.0, 9.0, 4.0])?;
        assert_eq!(nearest_rows(&rows, 1, &never)?[0], [Neighbor { position: 2, score: 0.0 }]);
        assert!(nearest_rows(&rows, 3, &never).is_err());
        assert!(matches!(nearest_rows(&rows, 1, &|| true), Err(Error::Interrupted)));
        let bad = Matrix::from_vec(2, 2, vec![0.0, 1.0, f32::NAN, 0.0])?;
        let error = nearest_rows(&bad, 1, &never).expect_err("no number").to_string();
        assert!(error.contains("row 2, column 1"), "{error}");
        assert!(nearest_rows(&Matrix::from_vec(2, 1, vec![0.0, 1e20])?, 1, &never).is_err());
        Ok(())
    }
}
