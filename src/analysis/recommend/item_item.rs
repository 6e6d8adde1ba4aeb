//! Recommendation by weights between items: a history's score for an item is the sum of its items' weights for it.
//!
//! G = XᵀX counts, for two items, the users who had both (X is users x items).
//!
//! - [`Ease`] (Steck, 2019): P = (G + λI)⁻¹, B = I − P diag(1 / diag P), the ridge regression of each item on all others in
//!   closed form.
//! - [`ItemKnn`]: the cosine G_ab / (√(G_aa G_bb) + shrinkage); the shrinkage keeps chance meetings of rare items small.
//! - [`Confidence`]: G_ab / G_aa, the confidence of the rule a => b.

use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, MatMut, MatRef, Par, dyn_stack};
use rayon::prelude::*;

use super::{Recommend, best, check, check_items};
use crate::embeddings::Neighbor;
use crate::error::{Error, Result, check_positive};
use crate::estimator::Fit;
use crate::math::{Matrix, SparseMatrix};

/// The most items that weights between all pairs are kept for: 2.5 GB, and 10 GB while [`Ease`] inverts.
pub const MOST_ITEMS: usize = 25_000;

/// EASE, the embarrassingly shallow autoencoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Ease {
    /// The ridge λ, above 0: the more, the more the common items count.
    pub lambda: f64,
}

impl Default for Ease {
    /// 400: the best of 200, 400 and 800 on MovieLens.
    fn default() -> Self {
        Self { lambda: 400.0 }
    }
}

/// Neighbouring items by cosine, shrunk.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemKnn {
    /// What is added to the denominator, from 0.
    pub shrinkage: f64,
}

impl Default for ItemKnn {
    fn default() -> Self {
        Self { shrinkage: 10.0 }
    }
}

/// Rules of two items: their confidences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confidence;

/// Weights between all items: row `a` says what having `a` adds to the score of each.
#[derive(Debug, Clone)]
pub struct ItemItem {
    weights: Matrix,
}

impl ItemItem {
    /// The weights, `items x items`, with zeros on the diagonal.
    pub fn weights(&self) -> &Matrix {
        &self.weights
    }

    /// The `top` items with the largest weights for one, without itself.
    pub fn similar(&self, item: usize, top: usize) -> Vec<Neighbor> {
        best(self.weights.row(item), &[item as u32], top)
    }
}

impl Recommend for ItemItem {
    fn items(&self) -> usize {
        self.weights.rows()
    }

    fn scores(&self, histories: &SparseMatrix) -> Result<Matrix> {
        check_items(self.items(), histories)?;
        let mut scores = Matrix::zeros(histories.rows(), self.items());
        scores.as_mut_slice().par_chunks_mut(self.items().max(1)).enumerate().for_each(|(user, scores)| {
            for (item, amount) in histories.row(user).iter() {
                scores.iter_mut().zip(self.weights.row(item)).for_each(|(score, weight)| *score += amount * weight);
            }
        });
        Ok(scores)
    }
}

impl Fit<SparseMatrix> for Ease {
    type Model = ItemItem;

    fn fit(&self, users: &SparseMatrix) -> Result<ItemItem> {
        check_positive("--lambda", self.lambda)?;
        let mut gram = gram(users)?;
        let items = users.cols();
        (0..items).for_each(|item| gram[item * items + item] += self.lambda);
        let inverse = invert(gram, items)?;
        // Only the part on and below the diagonal is there; P is symmetric.
        let entry = |a: usize, b: usize| inverse[a.min(b) * items + a.max(b)];
        weights(items, |a, b| -entry(a, b) / entry(b, b))
    }
}

impl Fit<SparseMatrix> for ItemKnn {
    type Model = ItemItem;

    fn fit(&self, users: &SparseMatrix) -> Result<ItemItem> {
        if !(self.shrinkage.is_finite() && self.shrinkage >= 0.0) {
            let reason = format!("{} is out of range, expected a number from 0", self.shrinkage);
            return Err(Error::config("--shrinkage", reason));
        }
        let (gram, items) = (gram(users)?, users.cols());
        let norm: Vec<f64> = (0..items).map(|item| gram[item * items + item].sqrt()).collect();
        weights(items, |a, b| ratio(gram[a.min(b) * items + a.max(b)], norm[a] * norm[b] + self.shrinkage))
    }
}

impl Fit<SparseMatrix> for Confidence {
    type Model = ItemItem;

    fn fit(&self, users: &SparseMatrix) -> Result<ItemItem> {
        let (gram, items) = (gram(users)?, users.cols());
        weights(items, |a, b| ratio(gram[a.min(b) * items + a.max(b)], gram[a * items + a]))
    }
}

fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator > 0.0 { numerator / denominator } else { 0.0 }
}

/// Fills in the weight of each pair of items, row after row.
fn weights(items: usize, weight: impl Fn(usize, usize) -> f64 + Sync) -> Result<ItemItem> {
    let mut weights = Matrix::zeros(items, items);
    weights.as_mut_slice().par_chunks_mut(items).enumerate().for_each(|(a, row)| {
        row.iter_mut().enumerate().filter(|(b, _)| *b != a).for_each(|(b, out)| *out = weight(a, b) as f32);
    });
    Ok(ItemItem { weights })
}

/// G, column after column; only the part on and below the diagonal is complete.
fn gram(users: &SparseMatrix) -> Result<Vec<f64>> {
    check(users)?;
    let items = users.cols();
    if items > MOST_ITEMS {
        let reason = format!(
            "{items} items are more than the {MOST_ITEMS} that weights between all pairs are kept for; leave out rare \
             items (with users: --min-users)"
        );
        return Err(Error::data(reason));
    }
    // The users of each item, so that each column has one writer.
    let mut column_users: Vec<Vec<(u32, f32)>> = vec![Vec::new(); items];
    for (user, row) in users.iter_rows().enumerate() {
        row.iter().for_each(|(item, amount)| column_users[item].push((user as u32, amount)));
    }
    let mut gram = vec![0f64; items * items];
    gram.par_chunks_mut(items).enumerate().for_each(|(first, column)| {
        for &(user, amount) in &column_users[first] {
            let row = users.row(user as usize);
            let from = row.indices.partition_point(|&item| (item as usize) < first);
            for (&second, &other) in row.indices[from..].iter().zip(&row.values[from..]) {
                column[second as usize] += f64::from(amount) * f64::from(other);
            }
        }
    });
    Ok(gram)
}

/// The inverse of a symmetric positive definite matrix, of which both here and there only the part on and below the
/// diagonal counts: G = LLᵀ, G⁻¹ = L⁻ᵀL⁻¹. On one thread, so that the last bits do not depend on their number.
fn invert(mut matrix: Vec<f64>, size: usize) -> Result<Vec<f64>> {
    let mut memory = dyn_stack::MemBuffer::new(cholesky_in_place_scratch::<f64>(size, Par::Seq, Default::default()));
    let lower = MatMut::from_column_major_slice_mut(&mut matrix, size, size);
    let stack = dyn_stack::MemStack::new(&mut memory);
    cholesky_in_place(lower, Default::default(), Par::Seq, stack, Default::default())
        .map_err(|error| Error::Backend { source: format!("the Cholesky factor of the items: {error:?}").into() })?;
    let mut inverse = vec![0f64; size * size];
    let lower = MatRef::from_column_major_slice(&matrix, size, size);
    invert_lower_triangular(MatMut::from_column_major_slice_mut(&mut inverse, size, size), lower, Par::Seq);
    let inverse = MatRef::from_column_major_slice(&inverse, size, size);
    triangular::matmul(
        MatMut::from_column_major_slice_mut(&mut matrix, size, size),
        BlockStructure::TriangularLower,
        Accum::Replace,
        inverse.transpose(),
        BlockStructure::TriangularUpper,
        inverse,
        BlockStructure::TriangularLower,
        1.0,
        Par::Seq,
    );
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use super::super::tests::rows;
    use super::*;
    use crate::math::Rng;

    #[test]
    fn ease_equals_an_inverse_made_by_hand() -> Result<()> {
        // G = [[2, 1], [1, 3]], λ = 1: G + λI = [[3, 1], [1, 4]], its inverse [[4, -1], [-1, 3]] / 11.
        let users = rows(2, &[&[0], &[0, 1], &[1], &[1]]);
        let model = Ease { lambda: 1.0 }.fit(&users)?;
        let close = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        let weights = model.weights();
        close(weights.row(0)[1], 1.0 / 3.0);
        close(weights.row(1)[0], 1.0 / 4.0);
        assert_eq!((weights.row(0)[0], weights.row(1)[1]), (0.0, 0.0));
        let scores = model.scores(&rows(2, &[&[0], &[0, 1], &[]]))?;
        close(scores.row(0)[1], 1.0 / 3.0);
        close(scores.row(1)[0], 1.0 / 4.0);
        assert_eq!(scores.row(2), [0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn ease_solves_each_items_ridge_regression() -> Result<()> {
        // The gradient of the squared error and ridge is zero off the diagonal: G(B − I) + λB = diagonal.
        let (users, items, lambda) = (200, 90, 3.0);
        let mut rng = Rng::stream(4, &[]);
        let mut matrix = SparseMatrix::empty(items);
        for _ in 0..users {
            matrix.push((0..items as u32).filter(|_| rng.below(5) == 0).map(|item| (item, 1.0)).collect::<Vec<_>>());
        }
        let model = Ease { lambda }.fit(&matrix)?;
        let lower = gram(&matrix)?;
        let gram = |a: usize, b: usize| lower[a.min(b) * items + a.max(b)];
        for (a, b) in (0..items).flat_map(|a| (0..items).map(move |b| (a, b))).filter(|(a, b)| a != b) {
            let weight = |c: usize| f64::from(model.weights().row(c)[b]);
            let sum: f64 = (0..items).map(|c| gram(a, c) * weight(c)).sum();
            let gradient = sum - gram(a, b) + lambda * weight(a);
            assert!(gradient.abs() < 1e-3, "{a}, {b}: {gradient}");
        }
        Ok(())
    }

    #[test]
    fn cosines_are_shrunk_and_confidences_have_a_direction() -> Result<()> {
        let users = rows(3, &[&[0, 1], &[0, 1], &[1], &[1, 2]]);
        let model = ItemKnn { shrinkage: 1.0 }.fit(&users)?;
        assert!((model.weights().row(0)[1] - 2.0 / (8f32.sqrt() + 1.0)).abs() < 1e-6);
        assert_eq!(model.weights().row(0)[1], model.weights().row(1)[0]);
        assert_eq!(model.similar(1, 9).iter().map(|found| found.position).collect::<Vec<_>>(), [0, 2]);
        let rules = Confidence.fit(&users)?;
        assert_eq!((rules.weights().row(0)[1], rules.weights().row(1)[0]), (1.0, 0.5));
        Ok(())
    }

    #[test]
    fn parameters_and_sizes_out_of_range_are_refused() {
        let users = rows(2, &[&[0, 1]]);
        assert!(matches!(Ease { lambda: 0.0 }.fit(&users), Err(Error::Config { .. })));
        assert!(matches!(ItemKnn { shrinkage: -1.0 }.fit(&users), Err(Error::Config { .. })));
        let wide = rows(MOST_ITEMS + 1, &[&[0, 1]]);
        let message = Ease::default().fit(&wide).expect_err("too wide").to_string();
        assert!(message.contains("--min-users"), "{message}");
    }
}
