//! Sentences that are never trained on, to measure on after each epoch what was learned.

use rayon::prelude::*;

use super::progress::Tally;
use super::step::{Scratch, Step};
use super::streams;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::math::{Rng, Tables};

/// Sentences that one job measures, on noise of its own.
const SENTENCES: usize = 64;

/// Is a sentence held out? A pure function of seed and position, so that every epoch and every resumed run agrees.
pub(super) fn is_held_out(share: f64, seed: u64, sentence: u64) -> bool {
    share > 0.0 && f64::from(Rng::stream(seed, &[streams::HELD_OUT, sentence]).uniform()) < share
}

/// The positions of the sentences that are held out; some, but not all.
pub(super) fn held_out(share: f64, seed: u64, dataset: &Dataset) -> Result<Vec<u64>> {
    let all = dataset.sentences_len();
    let found: Vec<u64> = (0..all).filter(|&sentence| is_held_out(share, seed, sentence)).collect();
    if share > 0.0 && (found.is_empty() || found.len() as u64 == all) {
        let reason =
            format!("{share} of {all} sentences are {}; hold out another share or put less on a line", found.len());
        return Err(Error::config("--heldout", reason));
    }
    Ok(found)
}

/// The mean loss on held-out sentences, in nats per prediction, on the current rayon pool.
///
/// Windows and noise are the same each time, so that two measurements differ by what was learned between them alone.
pub(super) fn loss(step: &Step, tables: &Tables, dataset: &Dataset, sentences: &[u64]) -> Result<f64> {
    let parts: Vec<(usize, &[u64])> = sentences.chunks(SENTENCES).enumerate().collect();
    let measure = |scratch: &mut Scratch, (part, sentences): (usize, &[u64])| {
        let mut noise = step.objective.noise(step.seed, &[streams::HELD_OUT_NOISE, part as u64]);
        for sentence in sentences.iter().flat_map(|&at| dataset.sentences(at..at + 1)) {
            // A step at rate zero changes nothing and gives the loss.
            step.sentence(&sentence, [streams::HELD_OUT_WORDS, 0], tables, 0.0, &mut noise, scratch);
        }
        scratch.flush()
    };
    let shares = parts.par_chunks(parts.len().div_ceil(rayon::current_num_threads()).max(1)).map(|parts| {
        let mut scratch = Scratch::new(step, tables)?;
        Ok(parts.iter().map(|&part| measure(&mut scratch, part)).collect::<Vec<_>>())
    });
    // Summed in order, whoever computed what.
    let mut all = Tally::default();
    shares.collect::<Result<Vec<_>>>()?.into_iter().flatten().for_each(|part| all.add(part));
    if all.predictions == 0 {
        let reason = format!("no word has a neighbour in the {} sentences held out; hold out more", sentences.len());
        return Err(Error::config("--heldout", reason));
    }
    Ok(all.mean())
}
