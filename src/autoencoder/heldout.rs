//! The loss on rows that are not trained on.

use rayon::prelude::*;

use super::batch::Data;
use super::config::Loss;
use super::network::Network;
use crate::error::Result;
use crate::math::vector;

/// Rows that are scored at a time, against all columns.
const ROWS: usize = 64;

/// The mean loss of a row, nothing spoilt, over all columns.
pub(super) fn loss(network: &Network, data: &Data<'_>, rows: &[u32], loss: Loss) -> Result<f64> {
    let parts: Vec<f64> = rows
        .par_chunks(ROWS)
        .map(|rows| {
            let mut sums = network.decode(&network.encode(&data.input.chosen(rows))?)?;
            let target = data.batch(rows, None).target;
            let outputs = data.target.cols();
            let mut dense = vec![0.0; outputs];
            let mut total = 0.0;
            for (row, sums) in sums.as_mut_slice().chunks_exact_mut(outputs).enumerate() {
                if target.is_dense() {
                    dense.copy_from_slice(&target.values[row * outputs..(row + 1) * outputs]);
                } else {
                    dense.fill(0.0);
                    target.entries(row).for_each(|at| dense[target.columns[at] as usize] = target.values[at]);
                }
                total += row_loss(sums, &dense, loss);
            }
            Ok(total)
        })
        .collect::<Result<_>>()?;
    // Summed in order, whoever computed what.
    Ok(parts.iter().sum::<f64>() / rows.len().max(1) as f64)
}

fn row_loss(sums: &mut [f32], target: &[f32], loss: Loss) -> f64 {
    let pairs = sums.iter().zip(target).map(|(&sum, &target)| (f64::from(sum), f64::from(target)));
    match loss {
        Loss::Mse => pairs.map(|(sum, target)| (sum - target).powi(2)).sum(),
        Loss::Bce => vector::binary_cross_entropy(sums, target),
        Loss::Multinomial => {
            let (mass, linear) = pairs.fold((0.0, 0.0), |(mass, linear), (sum, t)| (mass + t, linear + t * sum));
            let (greatest, total) = vector::exponentials(sums, &vec![1.0; target.len()]);
            mass * (f64::from(total).ln() + f64::from(greatest)) - linear
        }
    }
}
