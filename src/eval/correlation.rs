//! Correlation of two lists: Pearson's, and Spearman's for ranks; and what it says of cosines beside people's scores.

/// How well the cosines of pairs follow the scores that people gave them.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Correlation {
    /// Correlation of ranks, from −1 to 1; none if fewer than two pairs are covered, or all are alike.
    pub spearman: Option<f64>,
    /// Correlation of values, likewise.
    pub pearson: Option<f64>,
    /// Pairs of which the model knows both sides.
    pub covered: u64,
    /// Pairs in the file.
    pub total: u64,
    /// `covered / total`, from 0 to 1.
    pub coverage: f64,
    /// The 95 % interval of Spearman's correlation (Bonett and Wright, 2000), with four pairs or more.
    pub interval: Option<[f64; 2]>,
}

impl Correlation {
    /// Compares the covered of so many pairs: each one's score and cosine.
    pub(super) fn of(covered: &[(f64, f64)], total: usize) -> Self {
        let human: Vec<f64> = covered.iter().map(|(score, _)| *score).collect();
        // Rounded to f32, so that cosines that are equal but for the last bits share a rank.
        let ours: Vec<f64> = covered.iter().map(|(_, cosine)| f64::from(*cosine as f32)).collect();
        let spearman = spearman(&human, &ours);
        Self {
            spearman,
            pearson: pearson(&human, &ours),
            covered: human.len() as u64,
            total: total as u64,
            coverage: human.len() as f64 / total.max(1) as f64,
            interval: spearman.and_then(|rho| interval(rho, human.len())),
        }
    }
}

/// tanh(artanh ρ ± z √((1 + ρ²/2) / (n − 3))).
fn interval(rho: f64, n: usize) -> Option<[f64; 2]> {
    let half = 1.96 * ((1.0 + rho * rho / 2.0) / n.checked_sub(3).filter(|&rest| rest > 0)? as f64).sqrt();
    Some([rho.atanh() - half, rho.atanh() + half].map(f64::tanh))
}

/// Pearson's correlation, summed in f64; none with fewer than two pairs, or if a list is constant.
///
/// # Panics
/// If the lists differ in length.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "lists of pairs");
    // Not left to the sums: a mean that was rounded makes a constant list look as if it varied.
    let is_constant = |values: &[f64]| values.iter().all(|value| *value == values[0]);
    if is_constant(a) || is_constant(b) {
        return None;
    }
    let n = a.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    let r = ab / (aa * bb).sqrt();
    r.is_finite().then(|| r.clamp(-1.0, 1.0))
}

/// Spearman's correlation: Pearson's of the ranks; equal values share the mean of their ranks.
///
/// # Panics
/// If the lists differ in length.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&ranks(a), &ranks(b))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equal in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let shared = before as f64 + (equal.len() + 1) as f64 / 2.0;
        equal.iter().for_each(|&i| ranks[i] = shared);
        before += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_the_mean_of_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 0.0, -0.0, 3.0]), [5.0, 3.0, 5.0, 1.5, 1.5, 5.0]);
    }

    #[test]
    fn correlations_equal_those_worked_by_hand() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 5.0]);
        // Sums of squares 5 and 8.75, of products 5.5.
        assert!((pearson(&a, &b).expect("defined") - 5.5 / 43.75f64.sqrt()).abs() < 1e-12);
        assert!((spearman(&a, &b).expect("defined") - 0.8).abs() < 1e-12);
        // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: products 4.5, squares 4.5 and 5.
        let tied = spearman(&a, &[0.0, 7.0, 7.0, 9.0]).expect("defined");
        assert!((tied - 4.5 / 22.5f64.sqrt()).abs() < 1e-12);
        assert_eq!(spearman(&a, &[4.0, 3.0, 1.0, 0.0]), Some(-1.0));
    }

    #[test]
    fn a_constant_or_a_single_pair_has_no_correlation() {
        assert_eq!(pearson(&[1.0, 2.0], &[3.0, 3.0]), None);
        // The mean of three times 0.1 is not 0.1.
        assert_eq!(pearson(&[1.0, 2.0, 4.0], &[0.1; 3]), None);
        assert_eq!(pearson(&[0.1; 10], &[0.7; 10]), None);
        assert_eq!(spearman(&[1.0], &[3.0]), None);
        assert_eq!(pearson(&[], &[]), None);
    }

    #[test]
    fn intervals_hold_the_correlation_and_stay_within_one() {
        let [low, high] = interval(0.7, 353).expect("enough pairs");
        assert!(low < 0.7 && 0.7 < high && high - low < 0.12);
        assert_eq!(interval(1.0, 10), Some([1.0, 1.0]));
        assert_eq!(interval(0.5, 3), None);
    }
}
