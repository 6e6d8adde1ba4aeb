//! What the last layer begins with: the best guess of one who knows nothing of a row.

use super::batch::Data;
use super::config::{Corruption, Loss, Predict};

/// The last layer's biases at which, without any code, the loss is least, of the targets' means; and that loss, of a row.
pub(super) fn start_bias(loss: Loss, data: &Data<'_>, rows: &[u32]) -> (Vec<f32>, f64) {
    let (mut sums, mut squares) = (vec![0f64; data.target.cols()], 0f64);
    // Weighted as in training, and whole, whatever part of it will be asked for.
    let whole = Data {
        prepare_input: data.prepare_input.clone(),
        prepare_target: data.prepare_target.clone(),
        noise: Corruption::None,
        predict: Predict::All,
        ..*data
    };
    for rows in rows.chunks(1024) {
        let target = whole.batch(rows, None).target;
        squares += target.values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
        if target.is_dense() {
            for row in target.values.chunks_exact(target.cols) {
                sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
            }
        } else {
            target
                .columns
                .iter()
                .zip(&target.values)
                .for_each(|(&column, &value)| sums[column as usize] += f64::from(value));
        }
    }
    let all: f64 = sums.iter().sum();
    let least = sums.iter().copied().filter(|&sum| sum > 0.0).fold(f64::INFINITY, f64::min);
    let bias = |sum: &f64| match loss {
        Loss::Multinomial => ((sum + 0.5 * least.min(1.0)) / all.max(f64::MIN_POSITIVE)).ln().max(-30.0),
        Loss::Mse => sum / rows.len().max(1) as f64,
        Loss::Bce => {
            let share = (sum / rows.len().max(1) as f64).clamp(1e-4, 1.0 - 1e-4);
            (share / (1.0 - share)).ln()
        }
    };
    let (biases, count) = (sums.iter().map(bias).collect::<Vec<f64>>(), rows.len().max(1) as f64);
    let linear: f64 = sums.iter().zip(&biases).map(|(sum, bias)| sum * bias).sum();
    let total = match loss {
        Loss::Multinomial => all * biases.iter().map(|bias| bias.exp()).sum::<f64>().ln() - linear,
        Loss::Mse => squares - 2.0 * linear + count * biases.iter().map(|bias| bias * bias).sum::<f64>(),
        Loss::Bce => count * biases.iter().map(|bias| bias.exp().ln_1p()).sum::<f64>() - linear,
    };
    (biases.iter().map(|&bias| bias as f32).collect(), total / count)
}
