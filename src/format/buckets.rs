//! Rows of all buckets that n-grams fall into, one after another: how fastText and finalfusion keep them.

use rayon::prelude::*;

use super::checks;
use crate::embeddings::Ngrams;
use crate::error::Result;
use crate::io::{AtomicFile, as_bytes};
use crate::math::Matrix;
use crate::vocabulary::Subwords;

/// Zeros that are written at once.
const PART: usize = 1 << 14;

/// Writes a row for every bucket: zeros for those that have none.
pub(super) fn write(file: &mut AtomicFile, ngrams: &Ngrams) -> Result<()> {
    let (buckets, dim) = (ngrams.subwords().buckets as usize, ngrams.vectors().cols());
    let mut next = 0;
    for (&bucket, row) in ngrams.buckets().iter().zip(ngrams.vectors().iter_rows()) {
        write_zeros(file, (bucket as usize - next) * dim)?;
        file.write(as_bytes(row))?;
        next = bucket as usize + 1;
    }
    write_zeros(file, (buckets - next) * dim)
}

/// Writes so many zeros.
pub(super) fn write_zeros(file: &mut AtomicFile, mut count: usize) -> Result<()> {
    let zeros = [0f32; PART];
    while count > 0 {
        let part = count.min(PART);
        file.write(as_bytes(&zeros[..part]))?;
        count -= part;
    }
    Ok(())
}

/// Keeps the rows of some buckets, which rise, that are not all zeros, which count as none; `fill` copies a bucket's row.
///
/// The error says which number is not finite.
pub(super) fn read(
    subwords: Subwords,
    dim: usize,
    candidates: impl IndexedParallelIterator<Item = u32>,
    fill: impl Fn(u32, &mut [f32]) + Sync,
) -> Result<Ngrams, String> {
    let is_kept = |row: &mut Vec<f32>, bucket| {
        fill(bucket, row);
        row.iter().any(|&value| value != 0.0)
    };
    let kept = candidates
        .with_min_len(1 << 10)
        .map_init(|| vec![0.0; dim], |row, bucket| is_kept(row, bucket).then_some(bucket));
    let buckets: Vec<u32> = kept.flatten_iter().collect();
    let mut vectors = Matrix::zeros(buckets.len(), dim);
    let rows = vectors.as_mut_slice().par_chunks_mut(dim).zip(&buckets).with_min_len(1 << 8);
    rows.for_each(|(row, &bucket)| fill(bucket, row));
    if let Some((row, column)) = checks::not_finite(vectors.as_slice(), dim) {
        let value = vectors.row(row)[column];
        return Err(format!("number {} of the vector of bucket {} is {value}", column + 1, buckets[row]));
    }
    Ok(Ngrams::new(subwords, buckets, vectors).expect("buckets rise, a row for each"))
}
