//! Ranks, and how well a ranking tells two kinds apart.

/// What ranks from this many values on mean something; fewer say little more than which is the largest.
pub const ENOUGH: usize = 20;

/// The rank of each value among all, as a share above 0 and up to 1; equal values share the mean of their ranks.
///
/// Values that are no number rank lowest.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let key = |at: usize| if values[at].is_nan() { f64::NEG_INFINITY } else { values[at] };
    order.sort_by(|&a, &b| key(a).total_cmp(&key(b)).then(a.cmp(&b)));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for equal in order.chunk_by(|&a, &b| key(a) == key(b)) {
        // Ranks from 1: start + 1 to start + equal.len().
        let rank = start as f64 + (equal.len() + 1) as f64 / 2.0;
        equal.iter().for_each(|&at| ranks[at] = rank / values.len() as f64);
        start += equal.len();
    }
    ranks
}

/// The weighted mean of the ranks that each row has in several lists of values, from 0 to 1.
pub fn rank_average(lists: &[(f64, &[f64])]) -> Vec<f64> {
    let total: f64 = lists.iter().map(|(weight, _)| weight).sum();
    let mut average = vec![0.0; lists.first().map_or(0, |(_, values)| values.len())];
    for (weight, values) in lists {
        average.iter_mut().zip(ranks(values)).for_each(|(mean, rank)| *mean += weight / total * rank);
    }
    average
}

/// The probability that a positive scores above a negative, equal scores counting half (the area under the ROC curve);
/// `None` unless there are both.
pub fn auc(scores: &[f64], is_positive: &[bool]) -> Option<f64> {
    let all = scores.len() as f64;
    let positives = is_positive.iter().filter(|&&positive| positive).count() as f64;
    let negatives = all - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let ranks = ranks(scores);
    let sum: f64 = ranks.iter().zip(is_positive).filter(|(_, positive)| **positive).map(|(rank, _)| rank * all).sum();
    Some((sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// The mean over the positives of the precision at their score, everything of that score included, as scikit-learn's
/// `average_precision_score`; `None` without positives.
pub fn average_precision(scores: &[f64], is_positive: &[bool]) -> Option<f64> {
    let positives = is_positive.iter().filter(|&&positive| positive).count();
    if positives == 0 {
        return None;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut seen, mut found, mut sum) = (0usize, 0usize, 0.0);
    for equal in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let new = equal.iter().filter(|&&at| is_positive[at]).count();
        seen += equal.len();
        found += new;
        sum += new as f64 * found as f64 / seen as f64;
    }
    Some(sum / positives as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [0.875, 0.25, 0.875, 0.5]);
        assert_eq!(ranks(&[f64::NAN, -1.0]), [0.5, 1.0]);
        assert!(ranks(&[]).is_empty());
    }

    #[test]
    fn averages_of_ranks_follow_their_weights() {
        let average = rank_average(&[(1.0, &[1.0, 2.0]), (3.0, &[5.0, 4.0])]);
        assert_eq!(average, [0.25 * 0.5 + 0.75, 0.25 + 0.75 * 0.5]);
        assert!(rank_average(&[]).is_empty());
    }

    #[test]
    fn auc_counts_pairs_and_half_of_ties() {
        let labels = [true, false, true, false];
        assert_eq!(auc(&[4.0, 3.0, 2.0, 1.0], &labels), Some(0.75));
        assert_eq!(auc(&[1.0; 4], &labels), Some(0.5));
        assert_eq!(auc(&[2.0, 1.0, 1.0, 0.0], &labels), Some(3.5 / 4.0));
        assert_eq!(auc(&[1.0, 2.0], &[true, true]), None);
    }

    #[test]
    fn average_precision_takes_equal_scores_together() {
        // Precision 1 at the first, 2/3 at the third.
        let labels = [true, false, true, false];
        assert_eq!(average_precision(&[4.0, 3.0, 2.0, 1.0], &labels), Some((1.0 + 2.0 / 3.0) / 2.0));
        // All equal: the share of positives, in whatever order they stand.
        assert_eq!(average_precision(&[1.0; 4], &[true, false, false, false]), Some(0.25));
        assert_eq!(average_precision(&[1.0; 4], &[false, false, false, true]), Some(0.25));
        assert_eq!(average_precision(&[1.0], &[false]), None);
    }
}
