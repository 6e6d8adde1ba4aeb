//! Clusters against labels: how much do two groupings of the same rows agree?
//!
//! With n(c, l) rows in cluster c and of label l, entropies H and mutual information I in nats:
//! homogeneity = I / H(labels), completeness = I / H(clusters), V-measure their harmonic mean (Rosenberg and Hirschberg,
//! 2007), which equals the mutual information normalised by the arithmetic mean of the entropies; the adjusted Rand index
//! compares pairs of rows, corrected for chance (Hubert and Arabie, 1985); purity = Σ over c of max over l of n(c, l), divided
//! by n. Groupings of one group each, or of no rows, agree entirely. All as in scikit-learn, which has no purity.

use serde::Serialize;

use crate::error::{Error, Result};

/// How much clusters agree with labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// Mutual information by the arithmetic mean of both entropies, from 0 to 1.
    pub nmi: f64,
    /// The adjusted Rand index: 1 for the same groups, 0 on average for random ones.
    pub ari: f64,
    /// The harmonic mean of homogeneity and completeness, from 0 to 1.
    pub v_measure: f64,
    /// Does each cluster hold one label only? From 0 to 1.
    pub homogeneity: f64,
    /// Is each label in one cluster only? From 0 to 1.
    pub completeness: f64,
    /// The share of rows whose label is the commonest of their cluster.
    pub purity: f64,
}

impl Agreement {
    /// Compares clusters with labels, row by row; only which rows are together matters, not the numbers.
    ///
    /// # Errors
    /// If they are of different lengths.
    pub fn between(clusters: &[u32], labels: &[u32]) -> Result<Self> {
        if clusters.len() != labels.len() {
            return Err(Error::mismatch("labels", format!("one for each of {} rows", clusters.len()), labels.len()));
        }
        let (of_clusters, of_labels) = (counts(clusters.iter().copied()), counts(labels.iter().copied()));
        let cells = counts(clusters.iter().copied().zip(labels.iter().copied()));
        let n = clusters.len() as f64;
        if clusters.is_empty() {
            return Ok(Self { nmi: 1.0, ari: 1.0, v_measure: 1.0, homogeneity: 1.0, completeness: 1.0, purity: 1.0 });
        }
        let sizes = |counts: &[(u32, u64)]| counts.iter().map(|&(_, count)| count).collect::<Vec<_>>();
        let (h_clusters, h_labels) = (entropy(&sizes(&of_clusters)), entropy(&sizes(&of_labels)));
        let size = |of: &[(u32, u64)], key: u32| of[of.binary_search_by_key(&key, |&(key, _)| key).expect("counted")].1;
        let term = |&((cluster, label), count): &((u32, u32), u64)| {
            let count = count as f64;
            let expected = size(&of_clusters, cluster) as f64 * (size(&of_labels, label) as f64 / n);
            count / n * (count / expected).ln()
        };
        let mutual = cells.iter().map(term).sum::<f64>().max(0.0);
        let share = |entropy: f64| if entropy > 0.0 { (mutual / entropy).min(1.0) } else { 1.0 };
        let (homogeneity, completeness) = (share(h_labels), share(h_clusters));
        let sum = homogeneity + completeness;
        let v_measure = if sum > 0.0 { 2.0 * homogeneity * completeness / sum } else { 0.0 };
        let nmi = if h_clusters + h_labels == 0.0 {
            1.0
        } else if mutual <= f64::EPSILON {
            0.0
        } else {
            (2.0 * mutual / (h_clusters + h_labels)).min(1.0)
        };
        let commonest = cells.chunk_by(|a, b| a.0.0 == b.0.0).map(|cells| cells.iter().map(|cell| cell.1).max());
        let pure: u64 = commonest.flatten().sum();
        let ari = adjusted_rand(&cells, &sizes(&of_clusters), &sizes(&of_labels), clusters.len() as u64);
        Ok(Self { nmi, ari, v_measure, homogeneity, completeness, purity: pure as f64 / n })
    }
}

/// How often each key occurs, by ascending keys.
fn counts<K: Ord + Copy>(keys: impl Iterator<Item = K>) -> Vec<(K, u64)> {
    let mut keys: Vec<K> = keys.collect();
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect()
}

fn entropy(sizes: &[u64]) -> f64 {
    let n = sizes.iter().sum::<u64>() as f64;
    // A single group has exactly none.
    if sizes.len() < 2 { 0.0 } else { -sizes.iter().map(|&size| size as f64 / n * (size as f64 / n).ln()).sum::<f64>() }
}

/// From ordered pairs of rows: together in both groupings, in one only, in none.
fn adjusted_rand(cells: &[((u32, u32), u64)], clusters: &[u64], labels: &[u64], n: u64) -> f64 {
    let squares = |sizes: &mut dyn Iterator<Item = u64>| sizes.map(|size| i128::from(size).pow(2)).sum::<i128>();
    let both = squares(&mut cells.iter().map(|cell| cell.1));
    let (by_cluster, by_label) = (squares(&mut clusters.iter().copied()), squares(&mut labels.iter().copied()));
    let n = i128::from(n);
    let (together, only_cluster, only_label) = (both - n, by_cluster - both, by_label - both);
    let apart = n * n - by_cluster - by_label + both;
    if only_cluster == 0 && only_label == 0 {
        return 1.0;
    }
    let product = |a: i128, b: i128| a as f64 * b as f64;
    2.0 * (product(together, apart) - product(only_cluster, only_label))
        / (product(together + only_label, only_label + apart) + product(together + only_cluster, only_cluster + apart))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, expected {expected}");
    }

    #[test]
    fn scores_are_those_of_scikit_learn() -> Result<()> {
        // from sklearn.metrics import *; c = [0,0,1,1,2,2,2,1]; l = [0,0,0,1,1,1,2,2]
        let found = Agreement::between(&[0, 0, 1, 1, 2, 2, 2, 1], &[0, 0, 0, 1, 1, 1, 2, 2])?;
        close(found.homogeneity, 0.398_747_820_241_147_1);
        close(found.completeness, 0.398_747_820_241_147_1);
        close(found.ari, 0.047_619_047_619_047_616);
        close(found.purity, 0.625);
        assert_eq!(found.nmi.to_bits(), found.v_measure.to_bits());
        Ok(())
    }

    #[test]
    fn names_of_clusters_do_not_matter_and_equal_groups_agree_entirely() -> Result<()> {
        let found = Agreement::between(&[7, 7, 3, 3, 9], &[0, 0, 1, 1, 2])?;
        for score in [found.nmi, found.ari, found.v_measure, found.homogeneity, found.completeness, found.purity] {
            close(score, 1.0);
        }
        Ok(())
    }

    #[test]
    fn one_cluster_is_complete_and_tells_nothing() -> Result<()> {
        let found = Agreement::between(&[0; 6], &[0, 0, 0, 1, 1, 2])?;
        let expected =
            Agreement { nmi: 0.0, ari: 0.0, v_measure: 0.0, homogeneity: 0.0, completeness: 1.0, purity: 0.5 };
        assert_eq!(found, expected);
        let alone = Agreement::between(&[0, 1, 2, 3, 4, 5], &[0, 0, 0, 1, 1, 2])?;
        close(alone.homogeneity, 1.0);
        close(alone.ari, 0.0);
        Ok(())
    }

    #[test]
    fn nothing_and_one_group_agree_and_lengths_must_fit() -> Result<()> {
        assert_eq!(Agreement::between(&[], &[])?.ari, 1.0);
        let one = Agreement::between(&[4, 4], &[1, 1])?;
        assert_eq!((one.nmi, one.ari, one.v_measure, one.purity), (1.0, 1.0, 1.0, 1.0));
        assert!(Agreement::between(&[1], &[]).is_err());
        Ok(())
    }
}
