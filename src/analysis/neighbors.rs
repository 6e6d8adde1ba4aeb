//! Exact nearest neighbours by cosine, analogies, and the odd one out.
//!
//! ```
//! # fn main() -> firth::Result<()> {
//! use firth::{analysis::Neighbors, embeddings::Embeddings, math::Matrix};
//!
//! let vectors = Matrix::from_vec(3, 2, vec![1.0, 0.0, 0.9, 0.1, 0.0, 1.0])?;
//! let words = Embeddings::new(["cat", "dog", "stone"].into_iter().collect(), vectors, None)?;
//! let nearest = Neighbors::new(&words).nearest_to("cat", 1)?;
//! assert_eq!(words.keys().get(nearest[0].position), "dog");
//! # Ok(())
//! # }
//! ```

use rayon::prelude::*;

use crate::embeddings::{BLOCK_ROWS, Best, Cosines, Embeddings, Method, Neighbor, cosine, inverse_norm};
use crate::error::{Error, Result};
use crate::math::Matrix;

/// Answers queries about embeddings exactly, by comparing with every key.
///
/// The norms are measured once; the vectors are not copied. Equal scores are ordered by position, and no result depends
/// on the number of threads or on what else is asked at the same time.
#[derive(Debug)]
pub struct Neighbors<'a> {
    embeddings: &'a Embeddings,
    cosines: Cosines<'a>,
}

/// Queries that are answered together, if few results are wanted.
const BATCH: usize = 256;
/// From how many results on fewer queries are taken together.
const FEW: usize = 1024;
/// Candidates beyond those wanted. Blocks are compared in f32; the best are then ordered by cosines in f64.
const SPARE: usize = 8;

impl<'a> Neighbors<'a> {
    /// Prepares for queries.
    pub fn new(embeddings: &'a Embeddings) -> Self {
        Self { embeddings, cosines: Cosines::new(embeddings.vectors(), embeddings.len()) }
    }

    /// The `top` keys nearest to each vector, nearest first, without the positions that `exclude` lists for it. A vector of
    /// zeros is near to nothing, and nothing is near to it.
    ///
    /// `exclude` has a list for each vector, or is empty. Vectors need not have length one.
    ///
    /// # Errors
    /// If the vectors have another dimension, or the lists another number.
    pub fn nearest(&self, vectors: &Matrix, top: usize, exclude: &[Vec<usize>]) -> Result<Vec<Vec<Neighbor>>> {
        let dim = self.embeddings.dim();
        if vectors.cols() != dim {
            return Err(Error::mismatch("dimension of the query", dim, vectors.cols()));
        }
        if !exclude.is_empty() && exclude.len() != vectors.rows() {
            return Err(Error::mismatch("lists of positions to exclude", vectors.rows(), exclude.len()));
        }
        let mut results = Vec::with_capacity(vectors.rows());
        let batch = batch_size(top.min(self.embeddings.len()));
        for start in (0..vectors.rows()).step_by(batch) {
            let rows: Vec<&[f32]> = (start..vectors.rows().min(start + batch)).map(|row| vectors.row(row)).collect();
            let excluded = |query: usize| exclude.get(start + query).map_or(&[][..], Vec::as_slice);
            results.extend(self.batch(&rows, top, excluded));
        }
        Ok(results)
    }

    /// The keys nearest to a key, without itself.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with near spellings.
    pub fn nearest_to(&self, key: &str, top: usize) -> Result<Vec<Neighbor>> {
        let (vector, itself) = (self.embeddings.require(key)?, self.embeddings.keys().find(key));
        let found = self.batch(&[&vector], top, |_| itself.as_slice());
        Ok(found.into_iter().flatten().collect())
    }

    /// What is to `c` as `b` is to `a`, best first; the three keys themselves are left out.
    ///
    /// Scores of [`Method::Cos3Add`] are cosines with the direction b − a + c, as gensim's `most_similar` gives them.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with near spellings.
    pub fn analogy(&self, a: &str, b: &str, c: &str, method: Method, top: usize) -> Result<Vec<Neighbor>> {
        let given: Vec<usize> = [a, b, c].into_iter().filter_map(|key| self.embeddings.keys().find(key)).collect();
        let mut unit = Vec::new();
        [a, b, c].into_iter().try_for_each(|key| self.push_unit(key, &mut unit))?;
        let dim = self.embeddings.dim();
        let [a, b, c] = [0, 1, 2].map(|i| &unit[i * dim..][..dim]);
        if method == Method::Cos3Add {
            let target: Vec<f32> = a.iter().zip(b).zip(c).map(|((a, b), c)| b - a + c).collect();
            return Ok(self.batch(&[&target], top, |_| &given).into_iter().flatten().collect());
        }
        let best = self.cosines.visit(
            &unit,
            || Best::new(top.saturating_add(SPARE)),
            |best, first, scores| {
                let width = scores.len() / 3;
                let mut out = [0.0; BLOCK_ROWS];
                method.score([0, 1, 2].map(|i| &scores[i * width..][..width]), &mut out[..width]);
                best.offer(first, &out[..width], |position| {
                    self.cosines.has_direction(position) && !given.contains(&position)
                });
            },
            merge,
        );
        let exact = |row: &[f32]| {
            let mut score = [0.0];
            let [a, b, c] = [a, b, c].map(|vector| cosine(vector, row) as f32);
            method.score([&[a], &[b], &[c]], &mut score);
            score[0]
        };
        Ok(self.refine(best, top, exact))
    }

    /// Ranks keys by how well they fit together, the odd one first: positions are those among the keys given.
    ///
    /// The score is the cosine with the mean of all their unit vectors, as in gensim's `doesnt_match`.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] with near spellings; [`Error::Data`] with fewer than three keys.
    pub fn odd<S: AsRef<str>>(&self, keys: &[S]) -> Result<Vec<Neighbor>> {
        if keys.len() < 3 {
            let found = keys.len();
            return Err(Error::data(format!("the odd one out needs at least three keys, found {found}")));
        }
        let (mut mean, mut unit) = (vec![0f64; self.embeddings.dim()], Vec::new());
        for key in keys {
            unit.clear();
            self.push_unit(key.as_ref(), &mut unit)?;
            mean.iter_mut().zip(&unit).for_each(|(mean, &x)| *mean += f64::from(x));
        }
        let mean: Vec<f32> = mean.into_iter().map(|x| (x / keys.len() as f64) as f32).collect();
        let score = |key: &S| Ok(cosine(&self.embeddings.require(key.as_ref())?, &mean) as f32);
        let scores = keys.iter().map(score).collect::<Result<Vec<f32>>>()?;
        let mut ranked: Vec<Neighbor> =
            scores.into_iter().enumerate().map(|(position, score)| Neighbor { position, score }).collect();
        ranked.sort_by(|a, b| a.score.total_cmp(&b.score).then(a.position.cmp(&b.position)));
        Ok(ranked)
    }

    /// Appends a key's vector, scaled to length one.
    fn push_unit(&self, key: &str, into: &mut Vec<f32>) -> Result<()> {
        let vector = self.embeddings.require(key)?;
        let scale = inverse_norm(&vector);
        into.extend(vector.iter().map(|value| value * scale));
        Ok(())
    }

    fn batch<'e>(
        &self,
        vectors: &[&[f32]],
        top: usize,
        exclude: impl Fn(usize) -> &'e [usize] + Sync,
    ) -> Vec<Vec<Neighbor>> {
        let scales: Vec<f32> = vectors.iter().map(|vector| inverse_norm(vector)).collect();
        let unit: Vec<f32> =
            vectors.iter().zip(&scales).flat_map(|(vector, scale)| vector.iter().map(move |x| x * scale)).collect();
        let best = self.cosines.visit(
            &unit,
            || vec![Best::new(top.saturating_add(SPARE)); vectors.len()],
            |best, first, scores| {
                let width = scores.len() / vectors.len();
                for (query, (best, scores)) in best.iter_mut().zip(scores.chunks_exact(width)).enumerate() {
                    let exclude = exclude(query);
                    best.offer(first, scores, |position| {
                        scales[query] > 0.0 && self.cosines.has_direction(position) && !exclude.contains(&position)
                    });
                }
            },
            |a, b| a.into_iter().zip(b).map(|(a, b)| merge(a, b)).collect(),
        );
        let exact = |(best, vector): (Best, &&[f32])| self.refine(best, top, |row| cosine(vector, row) as f32);
        best.into_par_iter().zip(vectors).map(exact).collect()
    }

    /// Orders the candidates by exact scores.
    fn refine(&self, best: Best, top: usize, exact: impl Fn(&[f32]) -> f32) -> Vec<Neighbor> {
        let mut found = best.into_sorted();
        for neighbor in &mut found {
            neighbor.score = exact(self.embeddings.vectors().row(neighbor.position));
        }
        found.sort_by(Neighbor::order);
        found.truncate(top);
        found
    }
}

/// Queries to answer together. Each keeps its candidates until all rows have passed by, so fewer as more are wanted.
fn batch_size(top: usize) -> usize {
    (BATCH * FEW / top.max(FEW)).max(1)
}

fn merge(mut a: Best, b: Best) -> Best {
    a.merge(b);
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    fn embeddings(words: &[&str], dim: usize, numbers: Vec<f32>) -> Result<Embeddings> {
        Embeddings::new(words.iter().collect(), Matrix::from_vec(words.len(), dim, numbers)?, None)
    }

    fn positions(found: &[Neighbor]) -> Vec<usize> {
        found.iter().map(|neighbor| neighbor.position).collect()
    }

    /// Two directions: royal, and man to woman; lengths differ, which cosines must not see.
    fn family() -> Result<Embeddings> {
        let words = ["man", "woman", "king", "queen", "stone"];
        embeddings(&words, 3, vec![1., 0., 0., 0., 2., 0., 3., 0., 3., 0., 1., 1., -1., -1., 0.])
    }

    #[test]
    fn neighbours_come_nearest_first_without_the_key_itself() -> Result<()> {
        let family = family()?;
        let found = Neighbors::new(&family).nearest_to("king", 3)?;
        assert_eq!(positions(&found), [0, 3, 1]);
        for (neighbor, cosine) in found.iter().zip([0.5f32.sqrt(), 0.5, 0.0]) {
            assert!((neighbor.score - cosine).abs() < 1e-6);
        }
        Ok(())
    }

    #[test]
    fn both_methods_solve_the_royal_analogy() -> Result<()> {
        let family = family()?;
        let neighbors = Neighbors::new(&family);
        let added = neighbors.analogy("man", "king", "woman", Method::Cos3Add, 2)?;
        assert_eq!(positions(&added), [3, 4]);
        // The direction is (√½ − 1, 1, √½), the answer (0, √½, √½).
        let half = 0.5f32.sqrt();
        let length = ((half - 1.0).powi(2) + 1.5).sqrt();
        assert!((added[0].score - (half + 0.5) / length).abs() < 1e-6);
        let multiplied = neighbors.analogy("man", "king", "woman", Method::Cos3Mul, 1)?;
        let expected = (0.5 + 1.0) / 2.0 * ((half + 1.0) / 2.0) / 0.501;
        assert_eq!(positions(&multiplied), [3]);
        assert!((multiplied[0].score - expected).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn the_odd_one_comes_first() -> Result<()> {
        let family = family()?;
        let neighbors = Neighbors::new(&family);
        assert_eq!(neighbors.odd(&["queen", "stone", "king", "woman"])?[0].position, 1);
        assert!(matches!(neighbors.odd(&["queen", "king"]), Err(Error::Data { .. })));
        Ok(())
    }

    #[test]
    fn unknown_keys_are_refused_with_near_spellings() -> Result<()> {
        let family = family()?;
        let neighbors = Neighbors::new(&family);
        let Err(Error::UnknownKey { nearest, .. }) = neighbors.nearest_to("quene", 1) else {
            return Err(Error::data("accepted"));
        };
        assert_eq!(nearest, ["queen"]);
        assert!(neighbors.analogy("man", "woman", "rock", Method::Cos3Mul, 1).is_err());
        assert!(neighbors.odd(&["man", "woman", "rock"]).is_err());
        Ok(())
    }

    #[test]
    fn equal_scores_are_ordered_by_position() -> Result<()> {
        let same = embeddings(&["a", "b", "c", "d"], 2, vec![1., 2., 2., 4., 1., 2., -1., 0.])?;
        assert_eq!(positions(&Neighbors::new(&same).nearest_to("b", 3)?), [0, 2, 3]);
        Ok(())
    }

    #[test]
    fn results_depend_neither_on_threads_nor_on_the_batch() -> Result<()> {
        let (rows, dim) = (5000, 20);
        let mut rng = Rng::stream(3, &[]);
        let numbers: Vec<f32> = (0..rows * dim).map(|_| rng.uniform() - 0.5).collect();
        let keys = (0..rows).map(|row| row.to_string()).collect();
        let all = Embeddings::new(keys, Matrix::from_vec(rows, dim, numbers.clone())?, None)?;
        let neighbors = Neighbors::new(&all);
        let queries = Matrix::from_vec(600, dim, numbers[..600 * dim].to_vec())?;
        let exclude: Vec<Vec<usize>> = (0..600).map(|row| vec![row]).collect();
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let one = pool(1).install(|| neighbors.nearest(&queries, 10, &exclude))?;
        assert_eq!(pool(3).install(|| neighbors.nearest(&queries, 10, &exclude))?, one);
        for row in [0, 17, 599] {
            assert_eq!(neighbors.nearest_to(&row.to_string(), 10)?, one[row]);
            let mut naive: Vec<Neighbor> = (0..rows)
                .filter(|&other| other != row)
                .map(|position| Neighbor {
                    position,
                    score: cosine(all.vectors().row(row), all.vectors().row(position)) as f32,
                })
                .collect();
            naive.sort_by(Neighbor::order);
            assert_eq!(one[row], naive[..10]);
        }
        Ok(())
    }

    #[test]
    fn candidates_that_are_held_at_once_do_not_grow_with_the_results() -> Result<()> {
        assert_eq!([0, 10, 1024, 4096, 1_000_000, usize::MAX].map(batch_size), [256, 256, 256, 64, 1, 1]);
        let (rows, dim) = (3000, 4);
        let mut rng = Rng::stream(4, &[]);
        let numbers: Vec<f32> = (0..rows * dim).map(|_| rng.uniform() - 0.5).collect();
        let keys = (0..rows).map(|row| row.to_string()).collect();
        let all = Embeddings::new(keys, Matrix::from_vec(rows, dim, numbers.clone())?, None)?;
        let neighbors = Neighbors::new(&all);
        // 3000 results leave 87 queries a batch: the second batch must see its own vectors and exclusions.
        let queries = Matrix::from_vec(100, dim, numbers[..100 * dim].to_vec())?;
        let exclude: Vec<Vec<usize>> = (0..100).map(|row| vec![row]).collect();
        let found = neighbors.nearest(&queries, usize::MAX, &exclude)?;
        for row in [0, 86, 87, 99] {
            assert_eq!(found[row], neighbors.nearest_to(&row.to_string(), usize::MAX)?);
            assert_eq!(found[row].len(), rows - 1);
        }
        Ok(())
    }

    #[test]
    fn queries_that_do_not_fit_are_refused_and_too_many_results_are_no_fault() -> Result<()> {
        let family = family()?;
        let neighbors = Neighbors::new(&family);
        assert!(neighbors.nearest(&Matrix::zeros(1, 2), 1, &[]).is_err());
        assert!(neighbors.nearest(&Matrix::zeros(2, 3), 1, &[vec![]]).is_err());
        assert_eq!(neighbors.nearest_to("man", usize::MAX)?.len(), 4);
        assert!(neighbors.nearest_to("man", 0)?.is_empty());
        Ok(())
    }

    #[test]
    fn zeros_are_near_to_nothing() -> Result<()> {
        let words = ["a", "zero", "b", "against", "c"];
        let all = embeddings(&words, 2, vec![1., 0., 0., 0., 1., 1., -1., -1., 0., 1.])?;
        let neighbors = Neighbors::new(&all);
        assert_eq!(positions(&neighbors.nearest_to("a", 9)?), [2, 4, 3]);
        assert!(neighbors.nearest_to("zero", 9)?.is_empty());
        assert!(neighbors.nearest(&Matrix::zeros(1, 2), 2, &[])?[0].is_empty());
        for method in [Method::Cos3Add, Method::Cos3Mul] {
            assert_eq!(positions(&neighbors.analogy("a", "b", "c", method, 9)?), [3], "{method:?}");
        }
        Ok(())
    }
}
