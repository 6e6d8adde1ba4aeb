//! Exact similarity: cosines with every row, the best of them, and the two analogy formulas.
//!
//! Nearest neighbours and analogy scores are both "cosines of a few vectors with all rows, keep the best". The rows pass
//! by in blocks that stay in the cache, a product at a time, so memory is bounded whatever the number of rows. Block
//! borders depend on the shapes only, and the best are chosen by score and position, so results do not depend on threads.

use std::cmp::Ordering;
use std::ops::Range;

use rayon::prelude::*;

use crate::math::{Matrix, dot, multiply_transposed};

/// A key's position and how near it is.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Neighbor {
    /// The position among the keys.
    pub position: usize,
    /// The score: a cosine, or that of the analogy method.
    pub score: f32,
}

impl Neighbor {
    /// The order of results: the higher score first, equal scores by position.
    pub fn order(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.position.cmp(&other.position))
    }
}

/// How `a is to b as c is to ?` is answered, from the cosines of a candidate with the three words.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Method {
    /// cos b − cos a + cos c (Mikolov et al., 2013).
    #[default]
    #[serde(rename = "3cosadd")]
    #[cfg_attr(feature = "cli", value(name = "3cosadd"))]
    Cos3Add,
    /// cos b · cos c / (cos a + 0.001), each cosine moved to 0..1 first (Levy and Goldberg, 2014).
    #[serde(rename = "3cosmul")]
    #[cfg_attr(feature = "cli", value(name = "3cosmul"))]
    Cos3Mul,
}

impl Method {
    /// Scores candidates from their cosines with `a`, `b` and `c`; all slices have one length.
    pub fn score(self, [a, b, c]: [&[f32]; 3], out: &mut [f32]) {
        let candidates = out.iter_mut().zip(a.iter().zip(b).zip(c));
        match self {
            Self::Cos3Add => candidates.for_each(|(out, ((a, b), c))| *out = b - a + c),
            Self::Cos3Mul => candidates.for_each(|(out, ((a, b), c))| {
                let positive = (b + 1.0) / 2.0 * ((c + 1.0) / 2.0);
                // The paper's constant; gensim's most_similar_cosmul adds 1e-6 instead.
                *out = positive / ((a + 1.0) / 2.0 + 1e-3);
            }),
        }
    }
}

/// The best few of many candidates, in bounded space: between `top` and twice as many are held.
#[derive(Debug, Clone)]
pub struct Best {
    top: usize,
    /// Nothing below can be among the best any more.
    limit: f32,
    found: Vec<Neighbor>,
}

impl Best {
    /// Keeps the best `top`.
    pub fn new(top: usize) -> Self {
        Self { top, limit: f32::NEG_INFINITY, found: Vec::new() }
    }

    /// Offers the scores of consecutive positions from `first` on; only those that `accept` allows count.
    ///
    /// Scores that are not numbers never count.
    pub fn offer(&mut self, first: usize, scores: &[f32], accept: impl Fn(usize) -> bool) {
        // Almost all candidates are below the limit: a few are compared at once, without a branch for each.
        for (chunk, start) in scores.chunks(32).zip((first..).step_by(32)) {
            if chunk.iter().fold(false, |any, &score| any | (score >= self.limit)) {
                for (position, &score) in (start..).zip(chunk) {
                    if score >= self.limit && accept(position) {
                        self.push(Neighbor { position, score });
                    }
                }
            }
        }
    }

    /// Adds what another list found.
    pub fn merge(&mut self, other: Self) {
        for neighbor in other.found {
            if neighbor.score >= self.limit {
                self.push(neighbor);
            }
        }
    }

    /// The best, best first.
    pub fn into_sorted(mut self) -> Vec<Neighbor> {
        self.found.sort_unstable_by(Neighbor::order);
        self.found.truncate(self.top);
        self.found
    }

    fn push(&mut self, neighbor: Neighbor) {
        if self.top == 0 {
            return;
        }
        self.found.push(neighbor);
        if self.found.len() >= self.top.saturating_mul(2) {
            let (_, last, _) = self.found.select_nth_unstable_by(self.top - 1, Neighbor::order);
            self.limit = last.score;
            self.found.truncate(self.top);
        }
    }
}

/// What a row is multiplied with to have length one: zero for a row of zeros.
pub fn inverse_norm(row: &[f32]) -> f32 {
    let inverse = squared(row).sqrt().recip() as f32;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// The cosine of two vectors, in f64; zero if one of them is all zeros.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let product: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    let norms = (squared(a) * squared(b)).sqrt();
    if norms > 0.0 { product / norms } else { 0.0 }
}

fn squared(row: &[f32]) -> f64 {
    row.iter().map(|&x| f64::from(x) * f64::from(x)).sum()
}

/// Rows to compare with, and the norm of each.
#[derive(Debug)]
pub struct Cosines<'a> {
    vectors: &'a Matrix,
    inverse_norms: Vec<f32>,
}

/// The number of cosines of one block: half a megabyte, which a core's own cache holds.
const BLOCK_SCORES: usize = 1 << 17;
/// The most rows of a block.
pub(crate) const BLOCK_ROWS: usize = 1024;

impl<'a> Cosines<'a> {
    /// Measures the first `rows` rows, once for all queries.
    pub fn new(vectors: &'a Matrix, rows: usize) -> Self {
        let rows = rows.min(vectors.rows());
        let inverse_norms = (0..rows).into_par_iter().with_min_len(BLOCK_ROWS);
        Self { vectors, inverse_norms: inverse_norms.map(|row| inverse_norm(vectors.row(row))).collect() }
    }

    /// The rows to compare with.
    pub fn vectors(&self) -> &'a Matrix {
        self.vectors
    }

    /// Has a row a direction? One of zeros has none and is near to nothing.
    pub fn has_direction(&self, row: usize) -> bool {
        self.inverse_norms[row] > 0.0
    }

    /// Writes a row scaled to length one.
    pub fn unit_row(&self, row: usize, out: &mut Vec<f32>) {
        out.extend(self.vectors.row(row).iter().map(|x| x * self.inverse_norms[row]));
    }

    /// Visits the cosines of unit vectors with all rows, block by block, on all threads.
    ///
    /// `queries` holds vectors of length one, one after another. A visit gets the position of the block's first row and
    /// the cosines: for each query in turn, those of the block's rows, at most 1024.
    ///
    /// A state gathers what a run of neighbouring blocks gives. `start` makes one for each run, of which a thread may
    /// have several, and for nothing at all, so it must be neutral; `merge` joins two. How blocks are parted into runs
    /// differs from time to time: the result must not depend on it.
    pub fn visit<S: Send>(
        &self,
        queries: &[f32],
        start: impl Fn() -> S + Sync,
        visit: impl Fn(&mut S, usize, &[f32]) + Sync,
        merge: impl Fn(S, S) -> S + Sync,
    ) -> S {
        let (rows, dim) = (self.inverse_norms.len(), self.vectors.cols());
        let count = queries.len() / dim.max(1);
        if rows == 0 || count == 0 {
            return start();
        }
        let block = (BLOCK_SCORES / count).clamp(64, BLOCK_ROWS) / 16 * 16;
        (0..rows.div_ceil(block))
            .into_par_iter()
            .fold(
                || (start(), Vec::new(), Vec::new()),
                |(mut state, mut unit, mut scores), index| {
                    let range = index * block..rows.min((index + 1) * block);
                    self.cosines(queries, range.clone(), &mut unit, &mut scores);
                    visit(&mut state, range.start, &scores);
                    (state, unit, scores)
                },
            )
            .map(|(state, ..)| state)
            .reduce(&start, &merge)
    }

    fn cosines(&self, queries: &[f32], range: Range<usize>, unit: &mut Vec<f32>, scores: &mut Vec<f32>) {
        let (dim, width) = (self.vectors.cols(), range.len());
        scores.resize(queries.len() / dim * width, 0.0);
        // A product packs its rows first, which pays from a few queries on.
        if queries.len() < 8 * dim {
            for (column, row) in range.enumerate() {
                let (vector, scale) = (self.vectors.row(row), self.inverse_norms[row]);
                for (query, scores) in queries.chunks_exact(dim).zip(scores.chunks_exact_mut(width)) {
                    scores[column] = dot(query, vector) * scale;
                }
            }
        } else {
            unit.clear();
            range.for_each(|row| self.unit_row(row, unit));
            multiply_transposed(queries, unit, dim, scores);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    #[test]
    fn the_best_are_kept_in_order_with_ties_by_position() {
        let scores: Vec<f32> = (0..1000).map(|i| (i * 7919 % 101) as f32).collect();
        let mut all: Vec<Neighbor> =
            scores.iter().enumerate().map(|(position, &score)| Neighbor { position, score }).collect();
        all.sort_by(Neighbor::order);
        let (mut front, mut back) = (Best::new(13), Best::new(13));
        front.offer(0, &scores[..400], |_| true);
        back.offer(400, &scores[400..], |_| true);
        back.merge(front);
        assert_eq!(back.into_sorted(), all[..13]);
    }

    #[test]
    fn refused_positions_and_nan_are_never_among_the_best() {
        let mut best = Best::new(3);
        best.offer(10, &[1.0, f32::NAN, 3.0, 2.0], |position| position != 12);
        assert_eq!(best.into_sorted().iter().map(|found| found.position).collect::<Vec<_>>(), [13, 10]);
        let mut none = Best::new(0);
        none.offer(0, &[1.0], |_| true);
        assert!(none.into_sorted().is_empty());
    }

    #[test]
    fn analogy_methods_follow_their_formulas() {
        let mut out = [0.0];
        Method::Cos3Add.score([&[0.25], &[0.5], &[0.75]], &mut out);
        assert_eq!(out, [1.0]);
        Method::Cos3Mul.score([&[0.0], &[0.5], &[-0.5]], &mut out);
        assert!((out[0] - 0.75 * 0.25 / 0.501).abs() < 1e-6);
    }

    #[test]
    fn every_cosine_is_visited_once_by_few_and_by_many_queries() -> crate::Result<()> {
        let (rows, dim) = (3000, 7);
        let mut rng = Rng::stream(1, &[]);
        let data = (0..rows * dim).map(|_| rng.uniform() - 0.5).collect();
        let matrix = Matrix::from_vec(rows, dim, data)?;
        let cosines = Cosines::new(&matrix, rows - 5);
        for count in [1, 7, 8, 300] {
            let mut queries = Vec::new();
            (0..count).for_each(|row| cosines.unit_row(row, &mut queries));
            let seen = cosines.visit(
                &queries,
                Vec::new,
                |seen: &mut Vec<(usize, Vec<f32>)>, first, scores| seen.push((first, scores.to_vec())),
                |a, b| [a, b].concat(),
            );
            let mut visited = 0;
            for (first, scores) in seen {
                let width = scores.len() / count;
                visited += width;
                for (i, score) in scores.iter().enumerate() {
                    let exact = cosine(matrix.row(i / width), matrix.row(first + i % width));
                    assert!((f64::from(*score) - exact).abs() < 1e-6);
                }
            }
            assert_eq!(visited, rows - 5);
        }
        Ok(())
    }

    #[test]
    fn zeros_are_near_nothing() {
        assert_eq!((inverse_norm(&[0.0, 0.0]), cosine(&[0.0], &[1.0])), (0.0, 0.0));
        assert_eq!(inverse_norm(&[3.0, 4.0]), 0.2);
    }
}
