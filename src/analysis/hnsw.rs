//! Approximate nearest neighbours by cosine: a navigable graph in layers, HNSW (Malkov and Yashunin, 2018).
//!
//! Each row is linked to some of its nearest; a query walks from link to link towards what is nearer. Every layer above
//! the ground holds a sixteenth of the rows of that below, so that the walk begins with long strides. Links are chosen
//! so that none is nearer to one chosen already than to the row itself (the paper's algorithm 4); what room is left goes
//! to the nearest that were passed over, so that rows that are equal by the hundred stay within reach.
//!
//! hnswlib and its kin insert rows side by side under locks, and their graphs depend on the race. Here rows come in
//! batches: each row of a batch looks for its links in the graph before the batch, then all links are written, as in
//! ParlayANN (Manohar et al., 2024). The graph is a function of vectors, settings and seed; threads do not matter.
//!
//! ```
//! # fn main() -> firth::Result<()> {
//! use firth::{analysis::Hnsw, embeddings::Embeddings, math::Matrix};
//!
//! let vectors = Matrix::from_vec(3, 2, vec![1.0, 0.0, 0.9, 0.1, 0.0, 1.0])?;
//! let words = Embeddings::new(["cat", "dog", "stone"].into_iter().collect(), vectors, None)?;
//! let index = Hnsw::default().build(&words, &|| false, &mut |_| ())?;
//! let query = Matrix::from_vec(1, 2, vec![1.0, 0.0])?;
//! assert_eq!(index.nearest(&query, 1, &[vec![0]])?[0][0].position, 1);
//! assert_eq!(index.recall(3, 2)?, 1.0);
//! # Ok(())
//! # }
//! ```

mod graph;

use rayon::prelude::*;

use super::checks::check_finite;
use super::{Neighbor, Neighbors};
use crate::embeddings::{Embeddings, cosine, inverse_norm};
use crate::error::{Error, Result};
use crate::math::{Matrix, Rng, dot};
use graph::{Graph, Scratch};

/// How the graph is made and asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hnsw {
    /// Links of a row in each layer, from 2 to 128; twice as many on the ground. The paper's M.
    pub links: usize,
    /// Rows kept in view while links are looked for, from 1. The paper's efConstruction.
    pub breadth: usize,
    /// Rows kept in view while a query is answered, at least as many as are wanted. The paper's ef.
    pub effort: usize,
    /// Where the choice of layers and the order of rows start from.
    pub seed: u64,
}

impl Default for Hnsw {
    fn default() -> Self {
        Self { links: 16, breadth: 100, effort: 160, seed: 1 }
    }
}

/// A graph over embeddings, made by [`Hnsw`].
#[derive(Debug)]
pub struct HnswIndex<'a> {
    embeddings: &'a Embeddings,
    rows: UnitRows<'a>,
    graph: Graph,
    effort: usize,
}

/// Rows seen as if of length one.
#[derive(Debug)]
struct UnitRows<'a> {
    vectors: &'a Matrix,
    inverse_norms: Vec<f32>,
}

impl UnitRows<'_> {
    /// Their number, which [`Hnsw::build`] has checked.
    fn len(&self) -> u32 {
        self.inverse_norms.len() as u32
    }

    /// The cosine of a row with a vector of length one; of any other vector, in proportion to it.
    fn to_vector(&self, vector: &[f32], row: u32) -> f32 {
        let row = row as usize;
        dot(vector, self.vectors.row(row)) * self.inverse_norms[row]
    }

    fn between(&self, a: u32, b: u32) -> f32 {
        self.to_vector(self.vectors.row(a as usize), b) * self.inverse_norms[a as usize]
    }
}

/// The first batches are of one row; later ones are this part of the rows that are in already, up to so many.
const PART: usize = 16;
const BATCH: usize = 20_000;
/// Queries that one task answers with one list of visited rows.
const TASK: usize = 16;
/// Scores that differ by less are equal.
const EQUAL: f32 = 1e-6;

impl Hnsw {
    /// Makes the graph; `progress` is told how many rows are in, and `stop` is asked between batches.
    ///
    /// # Errors
    /// If a setting is out of range, a number is not finite, or `stop` says so ([`Error::Interrupted`]).
    pub fn build<'a>(
        &self,
        embeddings: &'a Embeddings,
        stop: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(usize),
    ) -> Result<HnswIndex<'a>> {
        if !(2..=128).contains(&self.links) || self.breadth == 0 || self.effort == 0 {
            let found = format!("links {}, breadth {}, effort {}", self.links, self.breadth, self.effort);
            return Err(Error::data(format!(
                "{found}: an index needs 2 to 128 links, and a breadth and effort from 1"
            )));
        }
        let vectors = embeddings.vectors();
        check_finite(vectors)?;
        u32::try_from(vectors.rows())
            .map_err(|_| Error::data(format!("{} rows are too many for an index", vectors.rows())))?;
        let inverse_norms = (0..vectors.rows()).into_par_iter().map(|row| inverse_norm(vectors.row(row))).collect();
        let rows = UnitRows { vectors, inverse_norms };
        let mut graph = Graph::new(self.links, &self.levels(&rows));
        let order = self.order(&rows, graph.entry());
        let mut done = order.len().min(1);
        while done < order.len() {
            if stop() {
                return Err(Error::Interrupted);
            }
            let end = order.len().min(done + (done / PART).clamp(1, BATCH));
            self.insert(&mut graph, &rows, &order[done..end]);
            done = end;
            progress(done);
        }
        Ok(HnswIndex { embeddings, rows, graph, effort: self.effort })
    }

    /// The highest layer of each row: geometric, so that each layer has one row of `links` of that below. Rows of zeros, which
    /// are near to nothing, stay on the ground, where nothing leads to them.
    fn levels(&self, rows: &UnitRows<'_>) -> Vec<u8> {
        let scale = 1.0 / (self.links as f64).ln();
        let level = |row| {
            let uniform = 1.0 - f64::from(Rng::stream(self.seed, &[u64::from(row), 0]).uniform());
            (-uniform.ln() * scale) as u8
        };
        let is_zero = |row: u32| rows.inverse_norms[row as usize] == 0.0;
        (0..rows.len()).map(|row| if is_zero(row) { 0 } else { level(row) }).collect()
    }

    /// Rows that are not zeros in an order by chance, since neighbours in a file are often alike; the entry comes first.
    fn order(&self, rows: &UnitRows<'_>, entry: Option<u32>) -> Vec<u32> {
        let is_in = |&row: &u32| rows.inverse_norms[row as usize] > 0.0 || Some(row) == entry;
        let key = |row| (Some(row) != entry, Rng::stream(self.seed, &[u64::from(row), 1]).next(), row);
        let mut order: Vec<(bool, u64, u32)> = (0..rows.len()).filter(is_in).map(key).collect();
        order.par_sort_unstable();
        order.into_iter().map(|(_, _, row)| row).collect()
    }

    /// Links a batch of rows into the graph.
    fn insert(&self, graph: &mut Graph, rows: &UnitRows<'_>, batch: &[u32]) {
        let before = &*graph;
        let look = |scratch: &mut Scratch, &row: &u32| {
            let vector = rows.vectors.row(row as usize);
            let near = |other| rows.to_vector(vector, other) * rows.inverse_norms[row as usize];
            let found = before.search(before.level(row), self.breadth, &near, scratch);
            let choose = |(layer, found): (usize, Vec<Neighbor>)| (layer, self.choose(rows, &found, self.links));
            found.into_iter().map(choose).collect::<Vec<_>>()
        };
        let chosen: Vec<Vec<(usize, Vec<u32>)>> =
            batch.par_iter().with_min_len(TASK).map_init(|| Scratch::new(rows.vectors.rows()), look).collect();
        let mut back: Vec<(usize, u32, u32)> = Vec::new();
        for (&row, layers) in batch.iter().zip(&chosen) {
            for (layer, links) in layers {
                graph.set(*layer, row, links);
                back.extend(links.iter().map(|&link| (*layer, link, row)));
            }
        }
        // Who is linked to links back, and lets go of the worst if that makes too many.
        back.par_sort_unstable();
        let before = &*graph;
        let join = |group: &[(usize, u32, u32)]| {
            let (layer, row, _) = group[0];
            let mut links = before.links(layer, row).to_vec();
            links.extend(group.iter().map(|&(_, _, from)| from));
            let width = before.width(layer);
            if links.len() > width {
                let scored = |&link: &u32| Neighbor { position: link as usize, score: rows.between(row, link) };
                let mut found: Vec<Neighbor> = links.iter().map(scored).collect();
                found.sort_unstable_by(Neighbor::order);
                links = self.choose(rows, &found, width);
            }
            (layer, row, links)
        };
        let joined: Vec<(usize, u32, Vec<u32>)> =
            back.par_chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).map(join).collect();
        for (layer, row, links) in joined {
            graph.set(layer, row, &links);
        }
    }

    /// At most so many of the candidates, which come nearest first: those nearer to the row than to any chosen before,
    /// then the nearest of the others.
    fn choose(&self, rows: &UnitRows<'_>, found: &[Neighbor], count: usize) -> Vec<u32> {
        let mut chosen: Vec<u32> = Vec::with_capacity(count);
        let mut passed = Vec::new();
        for candidate in found {
            if chosen.len() == count {
                return chosen;
            }
            let position = candidate.position as u32;
            if chosen.iter().all(|&other| rows.between(position, other) < candidate.score) {
                chosen.push(position);
            } else {
                passed.push(position);
            }
        }
        passed.truncate(count - chosen.len());
        chosen.extend(passed);
        chosen
    }
}

impl HnswIndex<'_> {
    /// The `top` keys that the graph finds nearest to each vector, nearest first, without the positions that `exclude`
    /// lists for it; scores are exact cosines. There may be better ones: see [`HnswIndex::recall`]. A vector of zeros is near
    /// to nothing, and nothing is near to it.
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
        let answer = |scratch: &mut Scratch, query: usize| {
            let vector = vectors.row(query);
            if inverse_norm(vector) == 0.0 {
                return Vec::new();
            }
            let exclude = exclude.get(query).map_or(&[][..], Vec::as_slice);
            let breadth = self.effort.max(top.saturating_add(exclude.len())).min(self.embeddings.len());
            let near = |row| self.rows.to_vector(vector, row);
            let ground = self.graph.search(0, breadth, &near, scratch).into_iter().flat_map(|(_, found)| found);
            let mut found: Vec<Neighbor> = ground
                .filter(|&Neighbor { position, .. }| {
                    self.rows.inverse_norms[position] > 0.0 && !exclude.contains(&position)
                })
                .map(|Neighbor { position, .. }| Neighbor {
                    position,
                    score: cosine(vector, self.embeddings.vectors().row(position)) as f32,
                })
                .collect();
            found.sort_unstable_by(Neighbor::order);
            found.truncate(top);
            found
        };
        let queries = (0..vectors.rows()).into_par_iter().with_min_len(TASK);
        Ok(queries.map_init(|| Scratch::new(self.embeddings.len()), answer).collect())
    }

    /// The share of the truly nearest that the graph finds: of `top` others for each of `sample` rows, evenly spaced.
    ///
    /// What is as near as the last of the truly nearest counts as found. 1 if there is nothing to find.
    ///
    /// # Errors
    /// None that is expected: the rows are its own.
    pub fn recall(&self, sample: usize, top: usize) -> Result<f64> {
        let n = self.embeddings.len();
        let sample = sample.min(n);
        let asked: Vec<usize> = (0..sample).map(|at| (at as u128 * n as u128 / sample as u128) as usize).collect();
        let vectors = asked.iter().flat_map(|&row| self.embeddings.vectors().row(row)).copied().collect();
        let vectors = Matrix::from_vec(sample, self.embeddings.dim(), vectors)?;
        let exclude: Vec<Vec<usize>> = asked.into_iter().map(|row| vec![row]).collect();
        let truth = Neighbors::new(self.embeddings).nearest(&vectors, top, &exclude)?;
        let found = self.nearest(&vectors, top, &exclude)?;
        let (mut hits, mut all) = (0, 0);
        for (truth, found) in truth.iter().zip(&found) {
            let Some(last) = truth.last() else { continue };
            hits += found.iter().filter(|neighbor| neighbor.score >= last.score - EQUAL).count().min(truth.len());
            all += truth.len();
        }
        Ok(if all == 0 { 1.0 } else { f64::from(hits as u32) / f64::from(all as u32) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows around `groups` centres.
    fn mixture(rows: usize, dim: usize, groups: usize) -> Result<Embeddings> {
        let mut rng = Rng::stream(7, &[]);
        let centers: Vec<f32> = (0..groups * dim).map(|_| rng.uniform() - 0.5).collect();
        let number = |at: usize| centers[(at / dim % groups) * dim + at % dim] + 0.6 * (rng.uniform() - 0.5);
        let numbers = (0..rows * dim).map(number).collect();
        let keys = (0..rows).map(|row| row.to_string()).collect();
        Embeddings::new(keys, Matrix::from_vec(rows, dim, numbers)?, None)
    }

    fn built<'a>(settings: &Hnsw, embeddings: &'a Embeddings) -> Result<HnswIndex<'a>> {
        settings.build(embeddings, &|| false, &mut |_| ())
    }

    #[test]
    fn almost_all_true_neighbours_are_found() -> Result<()> {
        let all = mixture(6000, 24, 40)?;
        let recall = built(&Hnsw::default(), &all)?.recall(200, 10)?;
        assert!(recall > 0.98, "{recall}");
        let hasty = built(&Hnsw { effort: 1, breadth: 4, links: 2, ..Hnsw::default() }, &all)?.recall(200, 10)?;
        assert!(hasty < recall, "{hasty}");
        Ok(())
    }

    #[test]
    fn the_graph_depends_on_the_seed_but_not_on_threads() -> Result<()> {
        let all = mixture(3000, 8, 10)?;
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let of = |threads, seed| pool(threads).install(|| built(&Hnsw { seed, ..Hnsw::default() }, &all));
        let (one, three, other) = (of(1, 1)?, of(3, 1)?, of(1, 2)?);
        assert_eq!(one.graph, three.graph);
        assert_ne!(one.graph, other.graph);
        let query = Matrix::from_vec(50, 8, all.vectors().as_slice()[..400].to_vec())?;
        assert_eq!(one.nearest(&query, 5, &[])?, pool(3).install(|| three.nearest(&query, 5, &[]))?);
        Ok(())
    }

    #[test]
    fn scores_are_those_of_the_exact_way_and_excluded_rows_stay_out() -> Result<()> {
        let all = mixture(500, 6, 5)?;
        let index = built(&Hnsw::default(), &all)?;
        let query = Matrix::from_vec(1, 6, all.vectors().row(17).to_vec())?;
        let exact = Neighbors::new(&all).nearest(&query, 8, &[vec![17, 22]])?;
        assert_eq!(index.nearest(&query, 8, &[vec![17, 22]])?, exact);
        assert_eq!(index.nearest(&query, usize::MAX, &[vec![17]])?[0].len(), 499);
        assert!(index.nearest(&Matrix::zeros(1, 5), 1, &[]).is_err());
        assert!(index.nearest(&query, 1, &[vec![], vec![]]).is_err());
        Ok(())
    }

    #[test]
    fn rows_that_stand_a_thousand_times_stay_within_reach() -> Result<()> {
        let mut numbers = mixture(1000, 6, 5)?.vectors().as_slice().to_vec();
        numbers.extend(std::iter::repeat_n([1.0, 2.0, 3.0, -1.0, 0.5, 0.0], 1000).flatten());
        numbers.extend([0.0; 12]);
        let keys = (0..2002).map(|row| row.to_string()).collect();
        let all = Embeddings::new(keys, Matrix::from_vec(2002, 6, numbers)?, None)?;
        let index = built(&Hnsw::default(), &all)?;
        let recall = index.recall(2002, 10)?;
        assert!(recall > 0.99, "{recall}");
        // The last two are zeros, near to nothing.
        let query = Matrix::from_vec(2, 6, [all.vectors().row(0), &[0.0; 6]].concat())?;
        let found = index.nearest(&query, usize::MAX, &[])?;
        assert!(found[0].len() > 1000 && found[0].iter().all(|neighbor| neighbor.position < 2000));
        assert!(found[1].is_empty());
        Ok(())
    }

    #[test]
    fn rows_of_zeros_take_no_room_in_the_graph() -> Result<()> {
        let mut numbers = mixture(40, 6, 5)?.vectors().as_slice().to_vec();
        numbers.extend([0.0; 3000 * 6]);
        let keys = (0..3040).map(|row| row.to_string()).collect();
        let all = Embeddings::new(keys, Matrix::from_vec(3040, 6, numbers)?, None)?;
        let query = Matrix::from_vec(1, 6, all.vectors().row(7).to_vec())?;
        let found = built(&Hnsw::default(), &all)?.nearest(&query, 30, &[])?;
        assert_eq!(found, Neighbors::new(&all).nearest(&query, 30, &[])?);
        Ok(())
    }

    #[test]
    fn nothing_one_row_and_bad_settings_have_a_defined_outcome() -> Result<()> {
        for rows in [0, 1, 2] {
            let few = mixture(rows, 3, 1)?;
            let index = built(&Hnsw::default(), &few)?;
            assert_eq!(index.nearest(&Matrix::from_vec(1, 3, vec![1.0; 3])?, 5, &[])?[0].len(), rows);
            assert_eq!(index.recall(10, 3)?, 1.0);
        }
        let some = mixture(50, 3, 1)?;
        assert!(built(&Hnsw { links: 1, ..Hnsw::default() }, &some).is_err());
        assert!(built(&Hnsw { effort: 0, ..Hnsw::default() }, &some).is_err());
        assert!(matches!(Hnsw::default().build(&some, &|| true, &mut |_| ()), Err(Error::Interrupted)));
        let bad = Embeddings::new(["a"].into_iter().collect(), Matrix::from_vec(1, 1, vec![f32::NAN])?, None)?;
        assert!(built(&Hnsw::default(), &bad).is_err());
        Ok(())
    }
}
