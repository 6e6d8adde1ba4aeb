//! What clusters of documents are about: their most telling words and their most central documents.
//!
//! Class-based tf-idf (Grootendorst, 2022, equation 2): all documents of a cluster are one long document, and a word's score
//! is tf · ln(1 + A / f), with tf the word's share in the cluster, f its frequency in all clusters, and A the mean number
//! of words of a cluster. So the commonest words lead every list, whatever the cluster. BERTopic takes the root of tf if asked
//! (`reduce_frequent_words`); we take, unless told otherwise, the root of what tf exceeds the word's share in all clusters by.

use crate::error::{Error, Result};
use crate::math::{Matrix, SparseMatrix};

/// How clusters are described.
#[derive(Debug, Clone, PartialEq)]
pub struct Describe {
    /// Telling words of each cluster.
    pub words: usize,
    /// Central documents of each cluster.
    pub documents: usize,
    /// Takes tf as it is, as in the paper, not the root of its excess.
    pub plain: bool,
}

impl Default for Describe {
    fn default() -> Self {
        Self { words: 10, documents: 3, plain: false }
    }
}

impl Describe {
    /// The most telling columns of each cluster with their scores, the highest first; a row of counts for each document, and
    /// its cluster, or none.
    ///
    /// # Errors
    /// If documents and clusters do not fit.
    pub fn telling_words(
        &self,
        counts: &SparseMatrix,
        assignments: &[Option<u32>],
        clusters: usize,
    ) -> Result<Vec<Vec<(u32, f64)>>> {
        check(counts.rows(), assignments, clusters)?;
        let mut everywhere = vec![0f64; counts.cols()];
        let mut words = 0.0;
        let of = members(assignments, clusters);
        for &row in of.iter().flatten() {
            for (column, count) in counts.row(row).iter() {
                everywhere[column] += f64::from(count);
                words += f64::from(count);
            }
        }
        let average = words / of.iter().filter(|rows| !rows.is_empty()).count().max(1) as f64;
        let mut within = vec![0f64; counts.cols()];
        let mut told = Vec::with_capacity(clusters);
        for rows in of {
            let mut columns = Vec::new();
            for (column, count) in rows.iter().flat_map(|&row| counts.row(row).iter().collect::<Vec<_>>()) {
                if within[column] == 0.0 && count > 0.0 {
                    columns.push(column as u32);
                }
                within[column] += f64::from(count);
            }
            let total: f64 = columns.iter().map(|&column| within[column as usize]).sum();
            let score = |&column: &u32| {
                let share = within[column as usize] / total;
                let overall = everywhere[column as usize] / words;
                let tf = if self.plain { share } else { (share - overall).max(0.0).sqrt() };
                (column, tf * (1.0 + average / everywhere[column as usize]).ln())
            };
            let mut scored: Vec<(u32, f64)> = columns.iter().map(score).filter(|&(_, score)| score > 0.0).collect();
            scored.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            scored.truncate(self.words);
            told.push(scored);
            columns.iter().for_each(|&column| within[column as usize] = 0.0);
        }
        Ok(told)
    }

    /// The rows of each cluster that are nearest to the mean of its rows, the nearest first.
    ///
    /// # Errors
    /// If rows and clusters do not fit.
    pub fn central_rows(
        &self,
        vectors: &Matrix,
        assignments: &[Option<u32>],
        clusters: usize,
    ) -> Result<Vec<Vec<usize>>> {
        check(vectors.rows(), assignments, clusters)?;
        let central = |rows: Vec<usize>| {
            let mut mean = vec![0f64; vectors.cols()];
            for &row in &rows {
                let share = |&x: &f32| f64::from(x) / rows.len() as f64;
                mean.iter_mut().zip(vectors.row(row)).for_each(|(mean, x)| *mean += share(x));
            }
            let distance = |row: usize| -> f64 {
                vectors.row(row).iter().zip(&mean).map(|(&x, mean)| (f64::from(x) - mean).powi(2)).sum()
            };
            let mut near: Vec<(f64, usize)> = rows.iter().map(|&row| (distance(row), row)).collect();
            near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            near.into_iter().take(self.documents).map(|(_, row)| row).collect()
        };
        Ok(members(assignments, clusters).into_iter().map(central).collect())
    }
}

/// The rows of each cluster, ascending.
fn members(assignments: &[Option<u32>], clusters: usize) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); clusters];
    for (row, cluster) in assignments.iter().enumerate() {
        if let Some(cluster) = cluster {
            members[*cluster as usize].push(row);
        }
    }
    members
}

fn check(rows: usize, assignments: &[Option<u32>], clusters: usize) -> Result<()> {
    if rows != assignments.len() {
        return Err(Error::mismatch("clusters", format!("one for each of {rows} rows"), assignments.len()));
    }
    match assignments.iter().flatten().find(|&&cluster| cluster as usize >= clusters) {
        Some(cluster) => Err(Error::mismatch("clusters", format!("numbers below {clusters}"), cluster)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns: the, cat, dog, boat.
    fn counts() -> SparseMatrix {
        let mut counts = SparseMatrix::empty(4);
        counts.push([(0, 9.0), (1, 3.0)]);
        counts.push([(0, 9.0), (2, 2.0)]);
        counts.push([(0, 8.0), (3, 4.0)]);
        counts.push([(1, 50.0)]);
        counts
    }

    #[test]
    fn words_are_scored_by_their_share_and_their_rarity() -> Result<()> {
        let assignments = [Some(0), Some(0), Some(1), None];
        let describe = Describe { words: 2, plain: true, ..Describe::default() };
        let told = describe.telling_words(&counts(), &assignments, 3)?;
        // 35 words in two clusters that are not empty; "the" 26 times.
        let expected = 18.0 / 23.0 * (1.0 + 17.5 / 26.0f64).ln();
        assert!(told[0][0].0 == 0 && (told[0][0].1 - expected).abs() < 1e-12, "{told:?}");
        let found = Describe { words: 9, ..Describe::default() }.telling_words(&counts(), &assignments, 3)?;
        let columns = |told: &[(u32, f64)]| told.iter().map(|word| word.0).collect::<Vec<_>>();
        assert_eq!([columns(&found[0]), columns(&found[1]), columns(&found[2])], [vec![1, 2, 0], vec![3], vec![]]);
        Ok(())
    }

    #[test]
    fn central_rows_are_those_nearest_to_the_mean() -> Result<()> {
        let vectors = Matrix::from_vec(5, 1, vec![0.0, 5.0, 4.0, 100.0, 12.0])?;
        let assignments = [Some(1), Some(1), Some(1), None, Some(1)];
        let describe = Describe { documents: 2, ..Describe::default() };
        assert_eq!(describe.central_rows(&vectors, &assignments, 2)?, [vec![], vec![1, 2]]);
        assert!(describe.central_rows(&vectors, &assignments, 1).is_err());
        assert!(describe.central_rows(&vectors, &assignments[1..], 2).is_err());
        Ok(())
    }
}
