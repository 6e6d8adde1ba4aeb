//! How the nearest are found: exactly, or by an index that is made first.

use std::time::Instant;

use firth::analysis::{Hnsw, HnswIndex, Neighbor, Neighbors};
use firth::embeddings::Embeddings;
use firth::math::Matrix;

use crate::failure::Outcome;
use crate::globals::Globals;
use crate::progress::{Meter, clock, memory_now, note, short};
use crate::signals;

/// Rows of the model on which the index is measured, and neighbours of each.
const SAMPLE: usize = 500;
const NEAREST: usize = 10;

/// From so many rows on exact answers are slow enough to speak of an index.
const MANY: usize = 1_000_000;

/// What answers.
pub enum Search<'a> {
    Exact(Neighbors<'a>),
    Approximate(HnswIndex<'a>),
}

impl<'a> Search<'a> {
    /// Prepares for queries, perhaps many; tells how much an index finds of what is there.
    pub fn new(model: &'a Embeddings, approximate: bool, many_queries: bool, globals: &Globals) -> Outcome<Self> {
        if !approximate {
            // Measured: an index costs as much as some hundred thousand exact answers that are asked for together.
            if model.len() >= MANY && many_queries {
                note(globals, "if there are more than some hundred thousand queries, --approximate is quicker");
            }
            return Ok(Self::Exact(Neighbors::new(model)));
        }
        let (mut meter, started, rows) = (Meter::new(globals), Instant::now(), model.len());
        let settings = Hnsw { seed: globals.seed, ..Hnsw::default() };
        let index = settings.build(model, &signals::interrupted, &mut |done| {
            let seconds = started.elapsed().as_secs_f64().max(1e-9);
            let speed = done as f64 / seconds;
            let left = clock((rows - done) as f64 / speed);
            let (done, all) = (short(done as f64), short(rows as f64));
            meter.show(|| format!("index  {done} of {all} rows  {}/s  {left} left{}", short(speed), memory_now()));
        })?;
        meter.clear();
        let recall = index.recall(SAMPLE, NEAREST)?;
        let sample = SAMPLE.min(rows);
        note(
            globals,
            format_args!(
                "approximate: an index of {rows} rows, made in {:.1} s, finds {:.1} % of the {NEAREST} truly nearest \
                 (measured on {sample} rows)",
                started.elapsed().as_secs_f64(),
                100.0 * recall
            ),
        );
        Ok(Self::Approximate(index))
    }

    /// The nearest to each vector, without the positions listed for it.
    pub fn nearest(&self, vectors: &Matrix, top: usize, exclude: &[Vec<usize>]) -> Outcome<Vec<Vec<Neighbor>>> {
        Ok(match self {
            Self::Exact(neighbors) => neighbors.nearest(vectors, top, exclude)?,
            Self::Approximate(index) => index.nearest(vectors, top, exclude)?,
        })
    }
}
