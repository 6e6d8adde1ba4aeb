//! Tables of weights, a row for each column of the data, with an optimiser that costs only what a step touches.
//!
//! AdamW (Loshchilov and Hutter, 2019), made lazy: a row that steps did not touch gets, when next it is needed, the decay and
//! the moves that they would have made. With gradients of zero for `n` steps the first moment shrinks as β₁ⁿ and the root of
//! the second as β₂ⁿᐟ², so that the moves sum to
//!
//! ```text
//! m / √v · Σₖ rateₖ qᵏ keepₖ        q = β₁ / √β₂,   k = 1 … n
//! ```
//!
//! where `rateₖ` is the learning rate of the step, corrected for the moments' start, and `keepₖ` what decay has left of its
//! move since.
//!
//! Without this tail rare words learn ten times more slowly than common ones.

use rayon::prelude::*;

use crate::math::vector::{self, AdamStep};

/// How much of the first and of the second moment stays from step to step.
const BETAS: [f64; 2] = [0.9, 0.999];
/// After so many steps without a gradient a row does not move any more: a millionth is left of its momentum.
const FORGOTTEN: usize = 128;

/// Steps, and what belongs to each of them: learning rate, decay, corrections.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    lr: f64,
    min_lr: f64,
    steps: usize,
    /// The step at hand, from 1; steps before it are done.
    step: usize,
    /// The logarithm of what decay has left of a weight after each number of steps.
    log_keep: Vec<f64>,
    /// For each step, from 1: its corrected learning rate, and what its decay leaves of a weight.
    rates: Vec<[f64; 2]>,
    /// For each step, the tail of rows that were touched in it and then never again, after as many steps as it lasts.
    tails: Vec<[f64; 2]>,
    /// The tails of rows that were touched so many steps before those that are done now.
    recent: Vec<[f64; 2]>,
}

impl Clock {
    /// The steps of a run; `decay` is that of an epoch at the full learning rate.
    pub fn new(lr: f64, min_lr: f64, decay: f64, steps_per_epoch: usize, steps: usize) -> Self {
        let mut clock = Self {
            lr,
            min_lr,
            steps,
            step: 1,
            log_keep: vec![0.0],
            rates: vec![[0.0; 2]],
            tails: Vec::new(),
            recent: Vec::new(),
        };
        let mut log_keep = 0.0;
        for step in 1..=steps {
            log_keep -= decay * clock.lr_at(step) / (lr * steps_per_epoch as f64);
            clock.rates.push([clock.rate(step), (log_keep - clock.log_keep[step - 1]).exp()]);
            clock.log_keep.push(log_keep);
        }
        clock.tails = (FORGOTTEN..=steps).map(|end| clock.tail(end - FORGOTTEN, end)).collect();
        clock.go_to(1);
        clock
    }

    /// The step at hand, from 1.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Makes another step the one at hand.
    pub fn go_to(&mut self, step: usize) {
        self.step = step;
        let (done, ratio) = (step - 1, BETAS[0] / BETAS[1].sqrt());
        self.recent = vec![[0.0; 2]];
        // From one touched later to one touched a step before: one more move, the first, and the others weaker by one step.
        for idle in 1..=FORGOTTEN.min(done) {
            let [decaying, plain] = self.recent[idle - 1];
            let first = done + 1 - idle;
            let [rate, _] = self.rates[first];
            let keep = (self.log_keep[done] - self.log_keep[first]).exp();
            self.recent.push([ratio * (rate * keep + decaying), ratio * (rate + plain)]);
        }
    }

    fn lr_at(&self, step: usize) -> f64 {
        self.lr * (1.0 - (step - 1) as f64 / self.steps as f64).max(self.min_lr)
    }

    /// The learning rate of the step at hand.
    pub fn lr(&self) -> f64 {
        self.lr_at(self.step.min(self.steps))
    }

    /// The learning rate of a step, corrected for the moments' start at zero.
    fn rate(&self, step: usize) -> f64 {
        let [first, second] = BETAS.map(|beta| 1.0 - beta.powi(step.min(100_000) as i32));
        self.lr_at(step.min(self.steps)) * second.sqrt() / first
    }

    /// What the step at hand does to a row.
    fn now(&self) -> AdamStep {
        let keep = (self.log_keep[self.step] - self.log_keep[self.step - 1]).exp();
        AdamStep { rate: self.rate(self.step) as f32, keep: keep as f32, betas: BETAS.map(|beta| beta as f32) }
    }

    /// The sums of the moves from one step to another, of numbers that decay and of those that do not.
    fn tail(&self, touched: usize, end: usize) -> [f64; 2] {
        let ratio = BETAS[0] / BETAS[1].sqrt();
        let (mut decaying, mut plain, mut power) = (0.0, 0.0, 1.0);
        for [rate, keep] in &self.rates[touched + 1..=end] {
            power *= ratio;
            decaying = decaying * keep + rate * power;
            plain += rate * power;
        }
        [decaying, plain]
    }

    /// What the steps after `touched` and before the one at hand have done to the weights of a row, and to its biases; `None`
    /// if there were none.
    fn since(&self, touched: usize) -> Option<[AdamStep; 2]> {
        let done = self.step - 1;
        if touched >= done {
            return None;
        }
        let (idle, moving) = (done - touched, done.min(touched + FORGOTTEN));
        let [decaying, plain] = if idle >= FORGOTTEN { self.tails[touched] } else { self.recent[idle] };
        let keep = |from: usize| (self.log_keep[done] - self.log_keep[from]).exp();
        let betas = BETAS.map(|beta| beta.powi(idle.min(100_000) as i32) as f32);
        let weights = AdamStep { rate: (decaying * keep(moving)) as f32, keep: keep(touched) as f32, betas };
        Some([weights, AdamStep { rate: plain as f32, keep: 1.0, betas }])
    }
}

/// A table of `rows x cols` weights with their moments.
#[derive(Debug, Clone)]
pub(super) struct Table {
    cols: usize,
    /// The last numbers of each row that are biases, which do not decay.
    biases: usize,
    pub weights: Vec<f32>,
    pub first: Vec<f32>,
    pub second: Vec<f32>,
    /// The step up to which each row is up to date.
    pub touched: Vec<u32>,
}

impl Table {
    pub fn new(cols: usize, biases: usize, weights: Vec<f32>) -> Self {
        let zeros = vec![0.0; weights.len()];
        Self {
            cols,
            biases,
            first: zeros.clone(),
            second: zeros,
            touched: vec![0; weights.len() / cols.max(1)],
            weights,
        }
    }

    pub fn rows(&self) -> usize {
        self.touched.len()
    }

    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Cuts a rising list of rows into pieces of `size`, each with the part of the table that holds its rows, so that threads
    /// can work on them side by side.
    pub fn parts<'t, 'r>(&'t mut self, rows: &'r [u32], size: usize) -> Vec<(&'r [u32], Part<'t>)> {
        let (cols, biases) = (self.cols, self.biases);
        let (mut weights, mut first, mut second) = (&mut self.weights[..], &mut self.first[..], &mut self.second[..]);
        let (mut touched, mut start) = (&mut self.touched[..], 0);
        let mut parts = Vec::with_capacity(rows.len().div_ceil(size.max(1)));
        for rows in rows.chunks(size.max(1)) {
            let end = rows.last().map_or(start, |&last| last as usize + 1);
            let numbers = (end - start) * cols;
            let part = Part {
                start,
                cols,
                biases,
                weights: weights.split_off_mut(..numbers).expect("rows of the table"),
                first: first.split_off_mut(..numbers).expect("rows of the table"),
                second: second.split_off_mut(..numbers).expect("rows of the table"),
                touched: touched.split_off_mut(..end - start).expect("rows of the table"),
            };
            parts.push((rows, part));
            start = end;
        }
        parts
    }

    /// Brings rows up to date with all steps before the one at hand.
    pub fn refresh(&mut self, rows: &[u32], clock: &Clock) {
        self.parts(rows, PIECE).into_par_iter().for_each(|(rows, mut part)| {
            rows.iter().for_each(|&row| part.refresh(row, clock));
        });
    }

    /// One step on all rows, which are up to date.
    pub fn update_all(&mut self, gradient: &[f32], clock: &Clock) {
        let rows: Vec<u32> = (0..self.rows() as u32).collect();
        let cols = self.cols;
        self.parts(&rows, PIECE).into_par_iter().for_each(|(rows, mut part)| {
            rows.iter().for_each(|&row| part.update(row, &gradient[row as usize * cols..][..cols], clock));
        });
    }

    /// The weights after all steps before the one at hand.
    pub fn settled(&self, clock: &Clock) -> Vec<f32> {
        let cols = self.cols.max(1);
        let mut weights = self.weights.clone();
        weights.par_chunks_mut(PIECE * cols).enumerate().for_each(|(piece, weights)| {
            let from = piece * PIECE;
            let range = from * cols..from * cols + weights.len();
            let (mut first, mut second) = (self.first[range.clone()].to_vec(), self.second[range].to_vec());
            let mut touched = self.touched[from..from + weights.len() / cols].to_vec();
            let rows = from as u32..(from + touched.len()) as u32;
            let (first, second, touched) = (&mut first[..], &mut second[..], &mut touched[..]);
            let mut part = Part { start: from, cols: self.cols, biases: self.biases, weights, first, second, touched };
            rows.for_each(|row| part.refresh(row, clock));
        });
        weights
    }

    pub fn is_finite(&self) -> bool {
        self.weights.iter().all(|weight| weight.is_finite())
    }
}

/// Rows that one task works on; many enough to be worth it.
pub(super) const PIECE: usize = 256;

/// Consecutive rows of a table.
pub(super) struct Part<'t> {
    start: usize,
    cols: usize,
    biases: usize,
    weights: &'t mut [f32],
    first: &'t mut [f32],
    second: &'t mut [f32],
    touched: &'t mut [u32],
}

impl Part<'_> {
    /// Brings a row up to date with all steps before the one at hand.
    pub fn refresh(&mut self, row: u32, clock: &Clock) {
        let at = row as usize - self.start;
        if let Some(steps) = clock.since(self.touched[at] as usize) {
            let (start, middle, end) = (at * self.cols, (at + 1) * self.cols - self.biases, (at + 1) * self.cols);
            for (range, step) in [start..middle, middle..end].into_iter().zip(steps) {
                let [weights, first, second] =
                    [&mut *self.weights, self.first, self.second].map(|numbers| &mut numbers[range.clone()]);
                vector::adam_tail(weights, first, second, step);
            }
            self.touched[at] = clock.step as u32 - 1;
        }
    }

    /// A row's weights.
    pub fn row(&self, row: u32) -> &[f32] {
        &self.weights[(row as usize - self.start) * self.cols..][..self.cols]
    }

    /// The step at hand on a row that is up to date.
    pub fn update(&mut self, row: u32, gradient: &[f32], clock: &Clock) {
        let at = row as usize - self.start;
        let range = at * self.cols..(at + 1) * self.cols;
        let [weights, first, second] =
            [&mut *self.weights, self.first, self.second].map(|numbers| &mut numbers[range.clone()]);
        vector::adam(weights, first, second, gradient, self.biases, clock.now());
        self.touched[at] = clock.step as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    const ROWS: usize = 40;
    const COLS: usize = 4;
    const STEPS: usize = 200;
    /// Steps of an epoch.
    const EPOCH: usize = 50;
    const LR: f64 = 0.01;

    /// The rows of a step, about one in seven, and their gradients.
    fn gradients(step: usize) -> (Vec<u32>, Vec<f32>) {
        let mut rng = Rng::stream(1, &[step as u64]);
        let rows: Vec<u32> = (0..ROWS as u32).filter(|_| rng.below(7) == 0).collect();
        // Each row has a direction of its own, or all moves would cancel out.
        let gradient =
            |row: u32| (0..COLS).map(move |col| if (row as usize + col).is_multiple_of(2) { 1.0 } else { -0.5 });
        let noise = rows.iter().flat_map(|&row| gradient(row)).map(|mean| mean + 2.0 * rng.uniform() - 1.0);
        let noise = noise.collect();
        (rows, noise)
    }

    fn start() -> Vec<f32> {
        let mut rng = Rng::stream(2, &[]);
        (0..ROWS * COLS).map(|_| 2.0 * rng.uniform() - 1.0).collect()
    }

    /// AdamW as Loshchilov and Hutter write it, on every row in every step; the last number of a row is a bias.
    fn dense(decay: f64) -> Vec<f64> {
        let mut weights: Vec<f64> = start().into_iter().map(f64::from).collect();
        let (mut first, mut second) = (vec![0.0; weights.len()], vec![0.0; weights.len()]);
        for step in 1..=STEPS {
            let mut all = vec![0.0; weights.len()];
            let (rows, gradient) = gradients(step);
            for (row, gradient) in rows.iter().zip(gradient.chunks(COLS)) {
                all[*row as usize * COLS..][..COLS].copy_from_slice(gradient);
            }
            let lr = LR * (1.0 - (step - 1) as f64 / STEPS as f64).max(0.05);
            for (at, gradient) in all.into_iter().map(f64::from).enumerate() {
                first[at] = 0.9 * first[at] + 0.1 * gradient;
                second[at] = 0.999 * second[at] + 0.001 * gradient * gradient;
                if at % COLS != COLS - 1 {
                    weights[at] *= (-decay * lr / (LR * EPOCH as f64)).exp();
                }
                let corrected =
                    [first[at] / (1.0 - 0.9f64.powi(step as i32)), second[at] / (1.0 - 0.999f64.powi(step as i32))];
                weights[at] -= lr * corrected[0] / (corrected[1].sqrt() + 1e-12);
            }
        }
        weights
    }

    /// The same by touched rows alone, brought up to date before they are needed or not.
    fn lazy(decay: f64, refreshes: bool) -> Vec<f32> {
        let mut table = Table::new(COLS, 1, start());
        let mut clock = Clock::new(LR, 0.05, decay, EPOCH, STEPS);
        for step in 1..=STEPS {
            let (rows, gradient) = gradients(step);
            if refreshes {
                table.refresh(&rows, &clock);
            }
            for (rows, mut part) in table.parts(&rows, 3) {
                for &row in rows {
                    let at = gradients(step).0.iter().position(|&other| other == row).expect("a row of the step");
                    part.update(row, &gradient[at * COLS..][..COLS], &clock);
                }
            }
            clock.go_to(clock.step() + 1);
        }
        if refreshes { table.settled(&clock) } else { table.weights }
    }

    /// The distance of two tables, relative to the way that training went.
    fn distance(found: &[f32], expected: &[f64]) -> f64 {
        let norm = |pairs: Vec<(f64, f64)>| pairs.iter().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let way = norm(start().into_iter().map(f64::from).zip(expected.iter().copied()).collect());
        norm(found.iter().copied().map(f64::from).zip(expected.iter().copied()).collect()) / way
    }

    #[test]
    fn lazy_steps_come_to_where_dense_ones_come() {
        for decay in [0.0, 0.7] {
            let off = distance(&lazy(decay, true), &dense(decay));
            assert!(off < 1e-3, "decay {decay}: off by {off} of the way");
        }
    }

    #[test]
    fn without_the_tail_rows_stay_behind() {
        for decay in [0.0, 0.7] {
            let off = distance(&lazy(decay, false), &dense(decay));
            assert!(off > 0.3, "decay {decay}: off by {off} of the way");
        }
    }

    #[test]
    fn weights_decay_as_stated_per_epoch_and_biases_do_not() {
        let mut clock = Clock::new(LR, 1.0, 0.7, EPOCH, STEPS);
        clock.go_to(EPOCH + 1);
        let settled = Table::new(COLS, 1, vec![1.0; COLS]).settled(&clock);
        let expected = (-0.7f32).exp();
        assert!(settled[..COLS - 1].iter().all(|weight| (weight - expected).abs() < 1e-6), "{settled:?}");
        assert_eq!(settled[COLS - 1], 1.0);
    }
}
