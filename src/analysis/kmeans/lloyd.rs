//! Lloyd's iterations: each row to its nearest centre, each centre to the mean of its rows (Lloyd, 1982).

use super::points::{Centers, Means, Points};
use crate::error::{Error, Result};

/// Where iterations ended.
pub(super) struct Lloyd {
    pub centers: Centers,
    pub labels: Vec<u32>,
    pub inertia: f64,
    pub iterations: usize,
    pub has_converged: bool,
}

/// Iterates until no row changes its cluster or the centres move by less than `tolerance` times the variance.
///
/// `go_on` hears of each iteration and its sum of squared distances.
pub(super) fn run(
    points: &Points<'_>,
    mut centers: Centers,
    iterations: usize,
    tolerance: f64,
    go_on: &mut dyn FnMut(usize, f64) -> bool,
) -> Result<Lloyd> {
    let rows = points.len();
    let (mut labels, mut before) = (vec![0u32; rows], vec![0u32; rows]);
    let mut distances = vec![0f32; rows];
    let (least, mut done) = (tolerance * points.variance(), 0);
    points.assign(&centers, &mut labels, &mut distances);
    let mut has_converged = false;
    while !has_converged && done < iterations {
        if !go_on(done, distances.iter().map(|&x| f64::from(x)).sum()) {
            return Err(Error::Interrupted);
        }
        let means = filled(points, &mut labels, &centers);
        let next = moved(means, &centers, points.is_unit);
        let shift: f64 =
            centers.rows.iter().zip(&next.rows).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        centers = next;
        before.copy_from_slice(&labels);
        points.assign(&centers, &mut labels, &mut distances);
        done += 1;
        has_converged = labels == before || shift <= least;
    }
    let inertia = points.inertia(&labels, &centers);
    Ok(Lloyd { centers, labels, inertia, iterations: done, has_converged })
}

/// Means of the clusters, after each that is empty has got the row that is farthest from its centre.
fn filled(points: &Points<'_>, labels: &mut [u32], centers: &Centers) -> Means {
    let means = points.means(labels, centers.len());
    let empty: Vec<u32> = (0..centers.len() as u32).filter(|&at| means.sizes[at as usize] == 0).collect();
    if empty.is_empty() {
        return means;
    }
    let mut sizes = means.sizes;
    let distance = |row: usize| points.distance(row, centers.row(labels[row] as usize));
    let mut far: Vec<(f64, usize)> = (0..points.len()).map(|row| (distance(row), row)).collect();
    far.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut taken: Vec<f32> = Vec::new();
    let mut next = far.into_iter().take_while(|&(distance, _)| distance > 0.0);
    for cluster in empty {
        // A row's double would be no new cluster, and the last row of another must stay.
        let free = next.find(|&(_, row)| {
            let mut numbers = Vec::with_capacity(points.dim);
            points.append(row, &mut numbers);
            let is_new = sizes[labels[row] as usize] > 1
                && !taken.chunks_exact(points.dim).any(|other| other == numbers.as_slice());
            if is_new {
                taken.extend(numbers);
            }
            is_new
        });
        let Some((_, row)) = free else { break };
        sizes[labels[row] as usize] -= 1;
        sizes[cluster as usize] = 1;
        labels[row] = cluster;
    }
    points.means(labels, centers.len())
}

/// Sums to centres; a cluster without rows, or whose unit rows cancel out, keeps its old one.
pub(super) fn moved(means: Means, old: &Centers, unit: bool) -> Centers {
    let mut rows = old.rows.clone();
    let sums = means.sums.chunks_exact(old.dim).zip(&means.sizes);
    for (row, (sums, &size)) in rows.chunks_exact_mut(old.dim).zip(sums) {
        let length = sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
        let divisor = if unit { length } else { f64::from(size) };
        // Sums of unit rows that are nothing but rounding have no direction.
        if size > 0 && (!unit || length > 1e-6 * f64::from(size)) {
            row.iter_mut().zip(sums).for_each(|(x, sum)| *x = (sum / divisor) as f32);
        }
    }
    Centers::new(rows, old.dim)
}
