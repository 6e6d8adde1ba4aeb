//! Mini-batches, for rows that are too many to be gone through again and again (Sculley, 2010).
//!
//! The start is found on a sample. Then a few thousand random rows at a time go to their nearest centres, and each centre
//! moves towards the mean of its rows by their share in all that it has had so far. When the mean squared distance no longer
//! falls, a few of Lloyd's iterations over all rows end it: they take out the noise of the last batches.

use super::lloyd::{self, Lloyd};
use super::points::{Centers, Means, Points};
use super::seeding::{self, uniform};
use super::{KMeans, Stage, Step};
use crate::error::{Error, Result};
use crate::math::{Matrix, Rng};

/// Rows of a sample, and how many for each cluster.
const SAMPLE: usize = 10_000;
const SAMPLE_FOR_EACH: usize = 30;
/// Iterations on a sample.
const SAMPLE_ITERATIONS: usize = 20;
/// So many batches in a row without a smaller mean distance end it, as in scikit-learn.
const PATIENCE: usize = 10;
/// Iterations over all rows at the end.
const LAST: usize = 3;

/// Names of random streams; those of the restarts are the numbers from zero.
const VALIDATION: u64 = u64::MAX;
const BATCHES: u64 = u64::MAX - 1;

/// Clusters many rows, `batch` at a time.
pub(super) fn run(
    settings: &KMeans,
    points: &Points<'_>,
    batch: usize,
    tell: &mut dyn FnMut(Step) -> bool,
) -> Result<Lloyd> {
    let (mut centers, mut counts) = start(settings, points, tell)?;
    let mut rng = Rng::stream(settings.seed, &[BATCHES]);
    let (mut labels, mut distances) = (vec![0u32; batch], vec![0f32; batch]);
    let pass = points.len().div_ceil(batch);
    let steps = settings.iterations.saturating_mul(pass);
    // A mean over the batches of about half an epoch.
    let weight = (2.0 * batch as f64 / (points.len() as f64 + 1.0)).min(1.0);
    let (mut smooth, mut least, mut since, mut taken) = (None, f64::INFINITY, 0, 0);
    let step = |stage, done, total, inertia| Step { stage, done, total, inertia, ..Step::of(settings) };
    for done in 1..=steps {
        let rows = draw(points, batch, &mut rng);
        let rows = Points::ready(&rows, points.is_unit);
        rows.assign(&centers, &mut labels, &mut distances);
        move_towards(&rows.means(&labels, centers.len()), &mut centers, &mut counts, points.is_unit);
        let mean = distances.iter().map(|&x| f64::from(x)).sum::<f64>() / batch as f64;
        let now = smooth.map_or(mean, |before: f64| before + weight * (mean - before));
        smooth = Some(now);
        if !tell(step(Stage::Batches, done, steps, Some(now * points.len() as f64))) {
            return Err(Error::Interrupted);
        }
        taken = done;
        since = if now < least { 0 } else { since + 1 };
        least = least.min(now);
        if since >= PATIENCE {
            break;
        }
    }
    let last = LAST.min(settings.iterations);
    let mut go_on = |done, inertia| tell(step(Stage::Iterations, done, last, Some(inertia)));
    let found = lloyd::run(points, centers, last, settings.tolerance, &mut go_on)?;
    // The last iterations are too few to converge; whether the batches did is what counts.
    let has_converged = found.has_converged || since >= PATIENCE;
    Ok(Lloyd { iterations: taken.div_ceil(pass) + found.iterations, has_converged, ..found })
}

/// The best of several starts, each k-means of a sample, and how many rows each centre has had.
fn start(settings: &KMeans, points: &Points<'_>, tell: &mut dyn FnMut(Step) -> bool) -> Result<(Centers, Vec<f64>)> {
    let size = SAMPLE.max(SAMPLE_FOR_EACH * settings.clusters).min(points.len());
    let validation = draw(points, size, &mut Rng::stream(settings.seed, &[VALIDATION]));
    let validation = Points::ready(&validation, points.is_unit);
    let (mut labels, mut distances) = (vec![0u32; size], vec![0f32; size]);
    let mut best: Option<(f64, Centers, Vec<f64>)> = None;
    for restart in 0..settings.restarts {
        let mut rng = Rng::stream(settings.seed, &[restart as u64]);
        let sample = draw(points, size, &mut rng);
        let sample = Points::ready(&sample, points.is_unit);
        let step = |stage, done, total| Step { restart: restart + 1, stage, done, total, ..Step::of(settings) };
        let mut go_on = |done| tell(step(Stage::Seeding, done, settings.clusters));
        let centers = seeding::choose(&sample, settings.clusters, &mut rng, &mut go_on)?;
        let mut go_on = |done, _| tell(step(Stage::Iterations, done, SAMPLE_ITERATIONS));
        let found = lloyd::run(&sample, centers, SAMPLE_ITERATIONS, settings.tolerance, &mut go_on)?;
        validation.assign(&found.centers, &mut labels, &mut distances);
        let inertia: f64 = distances.iter().map(|&x| f64::from(x)).sum();
        if best.as_ref().is_none_or(|(least, ..)| inertia < *least) {
            let sizes = sample.means(&found.labels, found.centers.len()).sizes;
            best = Some((inertia, found.centers, sizes.into_iter().map(f64::from).collect()));
        }
    }
    let (_, centers, counts) = best.expect("checked: one restart or more");
    Ok((centers, counts))
}

/// Random rows, some perhaps twice.
fn draw(points: &Points<'_>, count: usize, rng: &mut Rng) -> Matrix {
    let rows: Vec<u32> = (0..count).map(|_| (uniform(rng) * points.len() as f64) as u32).collect();
    points.chosen(&rows)
}

fn move_towards(batch: &Means, centers: &mut Centers, counts: &mut [f64], unit: bool) {
    let dim = centers.dim;
    let mut sums: Vec<f64> = centers.rows.iter().map(|&x| f64::from(x)).collect();
    for (at, (&size, count)) in batch.sizes.iter().zip(counts.iter_mut()).enumerate() {
        let added = batch.sums[at * dim..][..dim].iter();
        sums[at * dim..][..dim].iter_mut().zip(added).for_each(|(sum, x)| *sum = *sum * *count + x);
        *count += f64::from(size);
    }
    // As sums over all rows so far, of clusters whose sizes count in one respect only: is there a row?
    let means =
        Means { sums: means_of(&sums, counts, dim), sizes: counts.iter().map(|&count| (count > 0.0).into()).collect() };
    *centers = lloyd::moved(means, centers, unit);
}

fn means_of(sums: &[f64], counts: &[f64], dim: usize) -> Vec<f64> {
    sums.chunks_exact(dim)
        .zip(counts)
        .flat_map(|(sums, &count)| sums.iter().map(move |sum| sum / count.max(1.0)))
        .collect()
}
