//! Images of 8 x 8 grey values from 0 to 1: handwritten digits if they are there, drawn ones if not.
//!
//! `digits.csv.xz` (Alpaydin and Kaynak, 1998; 1,797 digits, CC BY 4.0) is looked for in `$FIRTH_DATA/images` and
//! `../shared/data/images`. `FIRTH_DATA=none` asks for drawn digits.

use std::io::Read;
use std::path::{Path, PathBuf};

use firth::math::{Matrix, Rng};

use super::{Result, normal};

/// Rows and columns of an image.
pub const SIDE: usize = 8;
/// Numbers of an image.
pub const PIXELS: usize = SIDE * SIDE;
/// As many as the handwritten ones.
const IMAGES: usize = 1797;
/// Of these, so many are for training; 500 are left to measure on.
const TRAINING: usize = 1297;

/// Images, split at random into two parts.
pub struct Digits {
    /// Where they come from.
    pub source: String,
    /// Images to train on.
    pub train: Matrix,
    /// Images to measure on.
    pub test: Matrix,
    /// What digit each image shows.
    pub train_labels: Vec<usize>,
    pub test_labels: Vec<usize>,
}

impl Digits {
    /// Handwritten digits, or drawn ones if there are none.
    pub fn find() -> Result<Self> {
        let file = file();
        if file.exists() { Self::read(&file) } else { Self::draw() }
    }

    /// The handwritten digits: 64 numbers from 0 to 16 and a label on each line.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |error| format!("{}: {error}", path.display());
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        liblzma::read::XzDecoder::new(file).read_to_string(&mut text).map_err(failed)?;
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let mut numbers = line.split(',').map(str::parse::<f32>).collect::<std::result::Result<Vec<_>, _>>()?;
            labels.push(numbers.pop().unwrap_or_default() as usize);
            pixels.extend(numbers.into_iter().map(|grey| grey / 16.0));
        }
        Self::split(path.display().to_string(), &Matrix::from_vec(labels.len(), PIXELS, pixels)?, &labels)
    }

    /// Digits drawn with a pen: the same on every machine.
    pub fn draw() -> Result<Self> {
        let labels: Vec<usize> = (0..IMAGES).map(|at| at % GLYPHS.len()).collect();
        let pixels: Vec<f32> = labels
            .iter()
            .enumerate()
            .flat_map(|(at, &digit)| drawn(digit, &mut Rng::stream(1, &[at as u64])))
            .collect();
        Self::split("drawn digits".into(), &Matrix::from_vec(IMAGES, PIXELS, pixels)?, &labels)
    }

    fn split(source: String, images: &Matrix, labels: &[usize]) -> Result<Self> {
        let mut order: Vec<usize> = (0..images.rows()).collect();
        let mut rng = Rng::stream(42, &[]);
        for at in (1..order.len()).rev() {
            order.swap(at, rng.below(at as u32 + 1) as usize);
        }
        let part = |rows: &[usize]| -> Result<(Matrix, Vec<usize>)> {
            let pixels = rows.iter().flat_map(|&row| images.row(row)).copied().collect();
            Ok((Matrix::from_vec(rows.len(), PIXELS, pixels)?, rows.iter().map(|&row| labels[row]).collect()))
        };
        let (train, test) = order.split_at(TRAINING.min(images.rows()));
        let ((train, train_labels), (test, test_labels)) = (part(train)?, part(test)?);
        Ok(Self { source, train, test, train_labels, test_labels })
    }
}

/// Where the handwritten digits would be.
pub fn file() -> PathBuf {
    let data = std::env::var_os("FIRTH_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    data.join("images/digits.csv.xz")
}

/// The digits as strokes of a pen, in a unit square whose second axis points down.
const GLYPHS: [&[[f32; 2]]; 10] = [
    &[[0.5, 0.05], [0.8, 0.25], [0.8, 0.75], [0.5, 0.95], [0.2, 0.75], [0.2, 0.25], [0.5, 0.05]],
    &[[0.3, 0.25], [0.55, 0.05], [0.55, 0.95]],
    &[[0.2, 0.25], [0.5, 0.05], [0.8, 0.25], [0.75, 0.45], [0.2, 0.95], [0.85, 0.95]],
    &[[0.2, 0.1], [0.75, 0.15], [0.75, 0.35], [0.45, 0.48], [0.8, 0.65], [0.7, 0.9], [0.2, 0.92]],
    &[[0.6, 0.95], [0.6, 0.05], [0.15, 0.65], [0.85, 0.65]],
    &[[0.8, 0.05], [0.25, 0.05], [0.22, 0.45], [0.7, 0.45], [0.8, 0.7], [0.6, 0.95], [0.2, 0.9]],
    &[[0.7, 0.05], [0.3, 0.4], [0.2, 0.75], [0.5, 0.95], [0.8, 0.75], [0.6, 0.5], [0.25, 0.62]],
    &[[0.15, 0.07], [0.85, 0.07], [0.4, 0.95]],
    &[
        [0.5, 0.48],
        [0.2, 0.27],
        [0.5, 0.05],
        [0.8, 0.27],
        [0.5, 0.48],
        [0.2, 0.75],
        [0.5, 0.95],
        [0.8, 0.75],
        [0.5, 0.48],
    ],
    &[[0.75, 0.35], [0.5, 0.5], [0.25, 0.3], [0.5, 0.05], [0.78, 0.25], [0.72, 0.6], [0.55, 0.95]],
];

/// One image of a digit: its strokes shaken, slanted, stretched and moved, then inked.
fn drawn(digit: usize, rng: &mut Rng) -> Vec<f32> {
    let mut between = |low: f32, high: f32| low + (high - low) * rng.uniform();
    let (width, height, slant) = (between(4.0, 6.5), between(6.0, 7.2), between(-0.3, 0.3));
    let (right, down, pen) = (between(-0.5, 0.5), between(-0.3, 0.3), between(0.45, 0.8));
    let points: Vec<[f32; 2]> = GLYPHS[digit]
        .iter()
        .map(|&[x, y]| {
            let (x, y) = (x - 0.5 + 0.04 * normal(rng), y - 0.5 + 0.04 * normal(rng));
            [4.0 + right + width * (x - slant * y), 4.0 + down + height * y]
        })
        .collect();
    let ink = |at: usize| {
        let pixel = [(at % SIDE) as f32 + 0.5, (at / SIDE) as f32 + 0.5];
        let distance = points.windows(2).map(|stroke| distance(pixel, stroke)).fold(f32::INFINITY, f32::min);
        1.0 / (1.0 + (6.0 * (distance - pen)).exp())
    };
    (0..PIXELS).map(ink).collect()
}

/// The distance of a point from a stroke.
fn distance([x, y]: [f32; 2], stroke: &[[f32; 2]]) -> f32 {
    let ([ax, ay], [bx, by]) = (stroke[0], stroke[1]);
    let (dx, dy) = (bx - ax, by - ay);
    let along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
    let along = along.clamp(0.0, 1.0);
    (x - ax - along * dx).hypot(y - ay - along * dy)
}
