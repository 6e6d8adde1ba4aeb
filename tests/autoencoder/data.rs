//! Data that the tests generate: digits drawn by hand, so to speak, and bags of words.

use firth::Result;
use firth::math::{Matrix, Rng, Samples, SparseMatrix};

/// Rows and columns of an image.
pub const SIDE: usize = 8;
pub const PIXELS: usize = SIDE * SIDE;

/// Images with the digits that they show.
pub struct Images {
    pub images: Samples,
    pub digits: Vec<usize>,
}

/// Strokes of the ten digits in a unit square, x from the left and y from above.
const STROKES: [&[[f32; 2]]; 10] = [
    &[[0.5, 0.1], [0.8, 0.3], [0.8, 0.7], [0.5, 0.9], [0.2, 0.7], [0.2, 0.3], [0.5, 0.1]],
    &[[0.35, 0.25], [0.55, 0.1], [0.5, 0.9]],
    &[[0.2, 0.3], [0.5, 0.1], [0.8, 0.3], [0.2, 0.9], [0.8, 0.9]],
    &[[0.2, 0.1], [0.75, 0.15], [0.45, 0.45], [0.8, 0.7], [0.5, 0.9], [0.2, 0.8]],
    &[[0.65, 0.9], [0.65, 0.1], [0.2, 0.6], [0.85, 0.6]],
    &[[0.8, 0.1], [0.3, 0.1], [0.25, 0.45], [0.7, 0.5], [0.75, 0.75], [0.45, 0.9], [0.2, 0.8]],
    &[[0.7, 0.1], [0.3, 0.45], [0.25, 0.75], [0.5, 0.9], [0.75, 0.7], [0.5, 0.5], [0.3, 0.65]],
    &[[0.2, 0.1], [0.8, 0.1], [0.4, 0.9]],
    &[[0.5, 0.5], [0.25, 0.3], [0.5, 0.1], [0.75, 0.3], [0.25, 0.7], [0.5, 0.9], [0.75, 0.7], [0.5, 0.5]],
    &[[0.7, 0.4], [0.5, 0.5], [0.25, 0.3], [0.5, 0.1], [0.75, 0.25], [0.65, 0.9]],
];

/// A number from the standard normal distribution, nearly.
fn normal(rng: &mut Rng) -> f32 {
    (0..12).map(|_| rng.uniform()).sum::<f32>() - 6.0
}

fn distance(point: [f32; 2], a: [f32; 2], b: [f32; 2]) -> f32 {
    let (way, to) = ([b[0] - a[0], b[1] - a[1]], [point[0] - a[0], point[1] - a[1]]);
    let along = ((way[0] * to[0] + way[1] * to[1]) / (way[0] * way[0] + way[1] * way[1]).max(1e-9)).clamp(0.0, 1.0);
    (to[0] - along * way[0]).hypot(to[1] - along * way[1])
}

/// Draws a digit: every point of its strokes a little off, the whole shifted, slanted, thick or thin.
fn draw(digit: usize, rng: &mut Rng) -> Vec<f32> {
    let (shift, slant) = ([0.05 * normal(rng), 0.05 * normal(rng)], 0.15 * normal(rng));
    let thickness = 0.03 + 0.06 * rng.uniform();
    let mut bend = |[x, y]: [f32; 2]| {
        let (x, y) = (x + 0.035 * normal(rng), y + 0.035 * normal(rng));
        [x + shift[0] + slant * (0.5 - y), y + shift[1]]
    };
    let strokes: Vec<[f32; 2]> = STROKES[digit].iter().map(|&point| bend(point)).collect();
    let ink = |at: usize| {
        let point = [at % SIDE, at / SIDE].map(|side| (side as f32 + 0.5) / SIDE as f32);
        let near = strokes.windows(2).map(|ends| distance(point, ends[0], ends[1])).fold(f32::MAX, f32::min);
        (1.0 - (near - thickness) / 0.1).clamp(0.0, 1.0)
    };
    (0..PIXELS).map(ink).collect()
}

/// So many images, the digits in turn.
pub fn images(count: usize, stream: u64) -> Result<Images> {
    let mut rng = Rng::stream(20, &[stream]);
    let digits: Vec<usize> = (0..count).map(|at| at % 10).collect();
    let pixels: Vec<f32> = digits.iter().flat_map(|&digit| draw(digit, &mut rng)).collect();
    let pixels = pixels.into_iter().map(|ink| (ink + 0.02 * normal(&mut rng)).clamp(0.0, 1.0)).collect();
    Ok(Images { images: Matrix::from_vec(count, PIXELS, pixels)?.into(), digits })
}

/// The numbers of dense rows.
pub fn dense(samples: &Samples) -> &Matrix {
    match samples {
        Samples::Dense(matrix) => matrix,
        Samples::Sparse(_) => panic!("sparse rows"),
    }
}

/// A copy, each row changed.
pub fn changed(samples: &Samples, mut change: impl FnMut(&mut [f32], &mut Rng)) -> Samples {
    let mut copy = dense(samples).clone();
    let (cols, mut rng) = (copy.cols(), Rng::stream(21, &[]));
    copy.as_mut_slice().chunks_mut(cols).for_each(|row| change(row, &mut rng));
    copy.into()
}

/// Adds noise of a standard deviation.
pub fn noisy(samples: &Samples, deviation: f32) -> Samples {
    changed(samples, |row, rng| row.iter_mut().for_each(|pixel| *pixel += deviation * normal(rng)))
}

/// Bags of words on one of twenty topics, each with its own words; most words are rare.
pub fn bags(rows: usize, columns: usize, words: usize, seed: u64) -> Samples {
    let mut matrix = SparseMatrix::empty(columns);
    for row in 0..rows {
        let mut rng = Rng::stream(seed, &[row as u64]);
        let topic = rng.below(20) as usize;
        let mut bag: Vec<u32> = (0..words)
            .map(|_| {
                let rank = (columns as f32 / 20.0).powf(rng.uniform()) as usize;
                let own = if rng.below(4) == 0 { rng.below(20) as usize } else { topic };
                (rank * 20 + own).min(columns - 1) as u32
            })
            .collect();
        bag.sort_unstable();
        matrix.push(bag.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f32)));
    }
    matrix.into()
}
