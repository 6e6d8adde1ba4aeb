//! How much attention rows pay to one another: the P of t-SNE, as a sparse symmetric matrix.

use rayon::prelude::*;

use crate::embeddings::Neighbor;

/// Compressed rows of what each point attends to; all values sum to one.
pub(super) struct Attention {
    ends: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

/// How often the width of a Gaussian is halved or doubled.
const ROUNDS: usize = 64;
/// How exactly the logarithm of the perplexity is met.
const TOLERANCE: f64 = 1e-5;

impl Attention {
    /// p(i, j) = (p(j | i) + p(i | j)) / 2n, with p(j | i) a Gaussian whose width gives it the perplexity.
    pub(super) fn new(neighbors: &[Vec<Neighbor>], perplexity: f64) -> Self {
        let n = neighbors.len();
        let shares: Vec<Vec<f64>> = neighbors.par_iter().map(|near| shares(near, perplexity.ln())).collect();
        let mut sizes: Vec<usize> = neighbors.iter().map(Vec::len).collect();
        neighbors.iter().flatten().for_each(|neighbor| sizes[neighbor.position] += 1);
        let mut rows: Vec<Vec<(u32, f64)>> = sizes.into_iter().map(Vec::with_capacity).collect();
        for (at, (near, shares)) in neighbors.iter().zip(shares).enumerate() {
            for (neighbor, share) in near.iter().zip(shares) {
                let half = share / (2 * n) as f64;
                rows[at].push((neighbor.position as u32, half));
                rows[neighbor.position].push((at as u32, half));
            }
        }
        rows.par_iter_mut().for_each(|row| row.sort_unstable_by_key(|entry| entry.0));
        let mut attention = Self { ends: Vec::with_capacity(n), columns: Vec::new(), values: Vec::new() };
        for row in rows {
            // A neighbour stands here twice if each is among the nearest of the other.
            for pair in row.chunk_by(|a, b| a.0 == b.0) {
                attention.columns.push(pair[0].0);
                attention.values.push(pair.iter().map(|entry| entry.1).sum::<f64>() as f32);
            }
            attention.ends.push(attention.columns.len());
        }
        attention
    }

    /// Those to whom a row attends, and how much.
    pub(super) fn of(&self, row: usize) -> impl Iterator<Item = (usize, f32)> {
        let range = row.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[row];
        self.columns[range.clone()].iter().zip(&self.values[range]).map(|(&column, &value)| (column as usize, value))
    }
}

/// The share of attention for each neighbour, of the entropy asked for: exp(−β (d² − d₀²)), with β found by bisection.
fn shares(near: &[Neighbor], entropy: f64) -> Vec<f64> {
    let squares: Vec<f64> = near.iter().map(|neighbor| f64::from(neighbor.score).powi(2)).collect();
    let least = squares.iter().copied().fold(f64::INFINITY, f64::min);
    let excess: Vec<f64> = squares.iter().map(|square| square - least).collect();
    let mean = excess.iter().sum::<f64>() / excess.len() as f64;
    // Equal distances get equal shares, whatever the width.
    let mut beta = if mean > 0.0 { 1.0 / mean } else { 1.0 };
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut shares = vec![0.0; excess.len()];
    for _ in 0..ROUNDS {
        shares.iter_mut().zip(&excess).for_each(|(share, excess)| *share = (-beta * excess).exp());
        let sum: f64 = shares.iter().sum();
        let weighted: f64 = shares.iter().zip(&excess).map(|(share, excess)| share * excess).sum();
        let found = sum.ln() + beta * weighted / sum;
        shares.iter_mut().for_each(|share| *share /= sum);
        if (found - entropy).abs() < TOLERANCE {
            break;
        }
        // The narrower the Gaussian, the less entropy.
        (low, high) = if found > entropy { (beta, high) } else { (low, beta) };
        beta = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * beta };
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(distances: &[f32]) -> Vec<Neighbor> {
        distances.iter().enumerate().map(|(position, &score)| Neighbor { position, score }).collect()
    }

    #[test]
    fn shares_have_the_perplexity_asked_for() {
        let near = near(&[0.1, 0.5, 0.6, 1.0, 1.3, 2.0, 4.0, 9.0, 9.5]);
        for perplexity in [1.5f64, 3.0, 6.0] {
            let entropy: f64 =
                shares(&near, perplexity.ln()).iter().map(|p| if *p > 0.0 { -p * p.ln() } else { 0.0 }).sum();
            assert!((entropy.exp() - perplexity).abs() < 1e-3, "{}", entropy.exp());
        }
        assert_eq!(shares(&near[..1], 0.0), [1.0]);
        assert_eq!(shares(&super::tests::near(&[0.0; 4]), 0.0), [0.25; 4]);
    }

    #[test]
    fn attention_is_mutual_and_sums_to_one() {
        let neighbor = |position| Neighbor { position, score: 1.0 };
        let attention = Attention::new(&[vec![neighbor(1)], vec![neighbor(0)], vec![neighbor(0)]], 1.0);
        let rows: Vec<Vec<(usize, f32)>> = (0..3).map(|row| attention.of(row).collect()).collect();
        let (third, sixth) = (2.0f32 / 6.0, 1.0f32 / 6.0);
        assert_eq!(rows, [vec![(1, third), (2, sixth)], vec![(0, third)], vec![(0, sixth)]]);
    }
}
