//! Loops over numbers that pay for wide registers: written once, compiled for each width, chosen at run time.
//!
//! No operation changes its order with the width, and none is fused, so the results are the same on every processor.

/// Compiles functions for AVX-512, for AVX2 and for any processor, and calls the widest that this one has.
macro_rules! widths {
    ($($(#[$meta:meta])* pub fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$meta])*
        pub fn $name($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn any($($arg: $type),*) $(-> $result)? $body
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($arg: $type),*) $(-> $result)? { any($($arg),*) }
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) $(-> $result)? { any($($arg),*) }
                let has_avx512 = is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl");
                #[allow(unsafe_code)]
                if has_avx512 {
                    // SAFETY: the processor has what the function was compiled for, as just asked.
                    return unsafe { avx512($($arg),*) };
                } else if is_x86_feature_detected!("avx2") {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            any($($arg),*)
        }
    )*};
}

/// Sums are kept in so many lanes, whatever the registers' width.
const LANES: usize = 16;

/// The most hidden rows whose scores lie side by side.
const MOST_HIDDEN: usize = 6;

/// e to the power of `x`, to 2 units in the last place, from -87 to 88; beyond, as at the bound.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // A number so large that adding it rounds to a whole one, whose bits end the sum's.
    const ROUND: f32 = 12_582_912.0;
    // The natural logarithm of 2 in two parts: multiples of the first are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let part = x - whole * LN_2[0] - whole * LN_2[1];
    let mut power = 1.0 / 5040.0;
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        power = power * part + factor;
    }
    f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// What one step of Adam needs beside a row and its gradient.
#[derive(Debug, Clone, Copy)]
pub struct AdamStep {
    /// The learning rate, corrected for the moments' start at zero.
    pub rate: f32,
    /// What remains of a weight after decay.
    pub keep: f32,
    /// How much of the first and of the second moment stays.
    pub betas: [f32; 2],
}

/// Keeps a quotient finite where nothing has moved yet.
const EPSILON: f32 = 1e-8;

widths! {
    /// `into += factor * row`.
    pub fn add_scaled(into: &mut [f32], factor: f32, row: &[f32]) {
        for (into, value) in into.iter_mut().zip(row) {
            *into += factor * value;
        }
    }

    /// Adds rows of a table, `into.len()` numbers each and `stride` apart, weighted: what an embedding bag is.
    pub fn add_rows(into: &mut [f32], table: &[f32], stride: usize, rows: &[u32], weights: &[f32]) {
        let width = into.len();
        for (&row, &weight) in rows.iter().zip(weights) {
            let row = &table[row as usize * stride..][..width];
            for (into, value) in into.iter_mut().zip(row) {
                *into += weight * value;
            }
        }
    }

    /// One step of Adam with decoupled weight decay (Loshchilov and Hutter, 2019) on a row; the last `undecayed` numbers are
    /// biases.
    pub fn adam(
        weights: &mut [f32],
        first: &mut [f32],
        second: &mut [f32],
        gradient: &[f32],
        undecayed: usize,
        step: AdamStep,
    ) {
        let AdamStep { rate, keep, betas: [beta1, beta2] } = step;
        let decayed = gradient.len() - undecayed;
        for weight in &mut weights[..decayed] {
            *weight *= keep;
        }
        let moments = first.iter_mut().zip(second);
        for ((weight, (first, second)), gradient) in weights.iter_mut().zip(moments).zip(gradient) {
            *first = beta1 * *first + (1.0 - beta1) * gradient;
            *second = beta2 * *second + (1.0 - beta2) * (gradient * gradient);
            *weight -= rate * *first / (second.sqrt() + EPSILON);
        }
    }

    /// The moves that Adam would have made on numbers in steps that did not touch them: `rate` is that of all moves together,
    /// and `betas` are what remains of the moments.
    pub fn adam_tail(weights: &mut [f32], first: &mut [f32], second: &mut [f32], step: AdamStep) {
        let AdamStep { rate, keep, betas: [beta1, beta2] } = step;
        for (weight, (first, second)) in weights.iter_mut().zip(first.iter_mut().zip(second)) {
            *weight = keep * *weight - rate * *first / (second.sqrt() + EPSILON);
            *first *= beta1;
            *second *= beta2;
        }
    }

    /// Replaces logits by `weights * e^(logit - greatest)`; returns the greatest and the sum.
    pub fn exponentials(logits: &mut [f32], weights: &[f32]) -> (f32, f32) {
        let mut lanes = [f32::NEG_INFINITY; LANES];
        let (chunks, rest) = logits.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                lanes[lane] = if chunk[lane] > lanes[lane] { chunk[lane] } else { lanes[lane] };
            }
        }
        let greatest = lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |most, &logit| if logit > most { logit } else { most });
        let mut sums = [0f32; LANES];
        let (chunks, rest) = logits.as_chunks_mut::<LANES>();
        let (weights, weights_rest) = weights.as_chunks::<LANES>();
        for (chunk, weights) in chunks.iter_mut().zip(weights) {
            for lane in 0..LANES {
                let power = exp(chunk[lane] - greatest) * weights[lane];
                chunk[lane] = power;
                sums[lane] += power;
            }
        }
        let mut sum = sums.iter().sum();
        for (logit, weight) in rest.iter_mut().zip(weights_rest) {
            *logit = exp(*logit - greatest) * weight;
            sum += *logit;
        }
        (greatest, sum)
    }

    /// Replaces the scores of `hidden` rows, 1 to 6, by what softmax moves them by: `rate * (yⱼ − exp(sⱼ) / Σ exp(s))`, y being 1
    /// for the target and 0 for all others. Score `j` of hidden row `i` is number `j * hidden + i`. Returns the loss,
    /// `ln Σ exp(s) − s of the target`, of all hidden rows together.
    pub fn softmax_steps(scores: &mut [f32], hidden: usize, target: usize, rate: f32) -> f64 {
        // Within so many numbers, whatever is kept for a hidden row stands at all of its places.
        let period = LANES * hidden;
        let mut greatest = [f32::NEG_INFINITY; LANES * MOST_HIDDEN];
        for chunk in scores.chunks(period) {
            for (greatest, &score) in greatest.iter_mut().zip(chunk) {
                *greatest = if score > *greatest { score } else { *greatest };
            }
        }
        let mut loss = 0.0;
        for row in 0..hidden {
            let mut most = f32::NEG_INFINITY;
            for &greatest in greatest[row..period].iter().step_by(hidden) {
                most = if greatest > most { greatest } else { most };
            }
            for greatest in greatest[row..period].iter_mut().step_by(hidden) {
                *greatest = most;
            }
            loss -= f64::from(scores[target * hidden + row]) - f64::from(most);
        }
        let mut sums = [0f32; LANES * MOST_HIDDEN];
        for chunk in scores.chunks_mut(period) {
            for ((score, greatest), sum) in chunk.iter_mut().zip(&greatest).zip(&mut sums) {
                *score = exp(*score - greatest);
                *sum += *score;
            }
        }
        for row in 0..hidden {
            let mut sum = 0.0;
            for &part in sums[row..period].iter().step_by(hidden) {
                sum += f64::from(part);
            }
            for part in sums[row..period].iter_mut().step_by(hidden) {
                *part = (-f64::from(rate) / sum) as f32;
            }
            loss += sum.ln();
        }
        for chunk in scores.chunks_mut(period) {
            for (score, scale) in chunk.iter_mut().zip(&sums) {
                *score *= scale;
            }
        }
        for score in &mut scores[target * hidden..(target + 1) * hidden] {
            *score += rate;
        }
        loss
    }

    /// Multiplies all numbers.
    pub fn scale(values: &mut [f32], factor: f32) {
        for value in values {
            *value *= factor;
        }
    }

    /// Where `norms[at] - 2 products[at]` is least, the first of equals, and that least: the nearest of several points, given
    /// their squared lengths and their products with another.
    pub fn nearest(products: &[f32], norms: &[f32]) -> (usize, f32) {
        let mut lanes = [f32::INFINITY; LANES];
        let (chunks, rest) = products.as_chunks::<LANES>();
        let (norm_chunks, norm_rest) = norms.as_chunks::<LANES>();
        for (products, norms) in chunks.iter().zip(norm_chunks) {
            for lane in 0..LANES {
                let value = norms[lane] - 2.0 * products[lane];
                lanes[lane] = if value < lanes[lane] { value } else { lanes[lane] };
            }
        }
        let tail = rest.iter().zip(norm_rest).map(|(product, norm)| norm - 2.0 * product);
        let least = lanes.into_iter().chain(tail).fold(f32::INFINITY, |least, x| if x < least { x } else { least });
        for (at, (products, norms)) in chunks.iter().zip(norm_chunks).enumerate() {
            let mut is_here = false;
            for lane in 0..LANES {
                is_here |= norms[lane] - 2.0 * products[lane] == least;
            }
            if is_here {
                let lane = (0..LANES).find(|&lane| norms[lane] - 2.0 * products[lane] == least);
                return (at * LANES + lane.unwrap_or(0), least);
            }
        }
        let start = chunks.len() * LANES;
        let lane = rest.iter().zip(norm_rest).position(|(product, norm)| norm - 2.0 * product == least);
        (start + lane.unwrap_or(0), least)
    }

    /// The squared distances of points to one: `columns` holds the first numbers of all points, `stride` apart from the second
    /// numbers, and so on; `out` has one number for each of the first points.
    pub fn squared_distances(columns: &[f32], stride: usize, point: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        for (column, x) in columns.chunks(stride).zip(point) {
            for (out, y) in out.iter_mut().zip(column) {
                *out += (y - x) * (y - x);
            }
        }
    }

    /// Replaces logits by the gradient of binary cross-entropy with dense targets, `σ(logit) - target`; returns the loss.
    pub fn binary_cross_entropy(logits: &mut [f32], targets: &[f32]) -> f64 {
        let mut loss = 0.0;
        for (logit, &target) in logits.iter_mut().zip(targets) {
            let small = exp(-logit.abs());
            loss += f64::from(logit.max(0.0) - target * *logit + small.ln_1p());
            let probability = if *logit >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
            *logit = probability - target;
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_the_standard_library() {
        for at in -8700..=8800 {
            let x = at as f32 / 100.0;
            let (ours, theirs) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / theirs - 1.0).abs() < 3e-7, "{x}: {ours} {theirs}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e9) > 0.0 && exp(1e9).is_finite());
    }

    #[test]
    fn softmax_parts_sum_to_the_normaliser() {
        for length in [1, 15, 16, 17, 100] {
            let logits: Vec<f32> = (0..length).map(|at| ((at * 37 % 23) as f32 - 11.0) * 0.7).collect();
            let weights: Vec<f32> = (0..length).map(|at| 1.0 + (at % 3) as f32).collect();
            let mut parts = logits.clone();
            let (greatest, sum) = exponentials(&mut parts, &weights);
            let expected: f64 = logits.iter().zip(&weights).map(|(&x, &w)| f64::from(w) * f64::from(x).exp()).sum();
            assert!((f64::from(greatest) + f64::from(sum).ln() - expected.ln()).abs() < 1e-5, "{length}");
            assert!((parts.iter().sum::<f32>() / sum - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn the_nearest_is_the_first_of_the_least() {
        for length in [1, 5, 16, 17, 40, 100] {
            let products: Vec<f32> = (0..length).map(|at| (at * 7 % 11) as f32).collect();
            let norms: Vec<f32> = (0..length).map(|at| (at * 5 % 13) as f32).collect();
            let value = |at: usize| norms[at] - 2.0 * products[at];
            let expected = (0..length).min_by(|&a, &b| value(a).total_cmp(&value(b))).expect("some");
            assert_eq!(nearest(&products, &norms), (expected, value(expected)), "{length}");
        }
    }

    #[test]
    fn adam_moves_against_the_gradient_and_spares_biases_the_decay() {
        let (mut weights, mut first, mut second) = ([1.0f32, 1.0, 1.0], [0.0; 3], [0.0; 3]);
        let step = AdamStep { rate: 0.1 * 0.001f32.sqrt() / 0.1, keep: 0.5, betas: [0.9, 0.999] };
        adam(&mut weights, &mut first, &mut second, &[2.0, 0.0, -3.0], 1, step);
        // A first step moves by the learning rate, whatever the gradient's size.
        assert!((weights[0] - 0.4).abs() < 1e-3 && weights[1] == 0.5 && (weights[2] - 1.1).abs() < 1e-3, "{weights:?}");
    }
}
