//! Fills holes in images, and compares with the mean image, principal components and the best linear map.
//!
//!     cargo run --release --example inpainting -- picture.png

pub mod shared;

use firth::autoencoder::{AutoencoderConfig, Corruption};
use firth::math::{Matrix, Rng};

use shared::digits::{Digits, SIDE};
use shared::reference::{Ridge, best, components, mean_image, projected, psnr_where};
use shared::{Report, Result, map_rows, outputs, picture, recipe, sheet, train};

/// Rows and columns of a hole.
const HOLE: usize = 4;

fn main() -> Result<()> {
    let digits = Digits::find()?;
    println!("{}: {} images to train on, {} to measure on", digits.source, digits.train.rows(), digits.test.rows());
    let report = fill_holes(&digits, 1, 200)?;
    report.print("dB in the hole");
    let path = picture("inpainting");
    sheet::images(&path, "Inpainting", &report.rows)?;
    println!("{}", path.display());
    Ok(())
}

/// Trains for so many epochs, and scores everything within the holes of the test part.
pub fn fill_holes(digits: &Digits, seed: u64, epochs: usize) -> Result<Report> {
    // # The images to complete
    // Of each a block of 4 x 4 pixels is black. The mask is 1 there, and only there is measured: the rest is known.
    let truth = &digits.test;
    let mask = masks(truth, 7)?;
    let blank = with_holes(truth, &mask)?;
    let score = |found: &Matrix| psnr_where(found, truth, |at| mask.as_slice()[at] == 1.0);

    // # Without learning, almost
    let mean = mean_image(&digits.train, truth.rows())?;

    // # Linear
    // Principal components complete an image step by step: project it, take what that gives in the hole, project again.
    // Ridge regression gets the mask beside the image, which helps it.
    let (kept, plane) = best(&[5, 8, 12, 16, 20], |kept| {
        let model = components(&digits.train, kept)?;
        let mut filled = pasted(&blank, &mean, &mask)?;
        for _ in 0..50 {
            filled = pasted(&blank, &projected(&model, &filled)?, &mask)?;
        }
        Ok(score(&filled))
    })?;
    let known = masks(&digits.train, 8)?;
    let ridge = Ridge::fit(&beside(&with_holes(&digits.train, &known)?, &known)?, &digits.train)?;
    let ridge = ridge.apply(&beside(&blank, &mask)?)?;

    // # The autoencoder
    // In every epoch each image has its hole elsewhere. It is not told where: black paper beside strokes that end nowhere
    // gives the hole away.
    let noise = Some(Corruption::Block { size: [HOLE; 2], image: [SIDE; 2] });
    let (model, training) = train(&AutoencoderConfig { noise, ..recipe(seed, epochs) }, &digits.train, None)?;
    let filled = outputs(&model, &blank)?;

    let scores = vec![
        ("black, as it is".into(), score(&blank)),
        ("mean image".into(), score(&mean)),
        (format!("PCA, {kept} components, repeated"), plane),
        ("ridge regression with the mask".into(), score(&ridge)),
        ("autoencoder, fresh holes".into(), score(&filled)),
    ];
    let rows = vec![
        ("with a hole", blank.clone()),
        ("ridge", pasted(&blank, &ridge, &mask)?),
        ("autoencoder", pasted(&blank, &filled, &mask)?),
        ("truth", truth.clone()),
    ];
    Ok(Report { scores, training, rows })
}

/// For each image a hole at a random place.
fn masks(images: &Matrix, seed: u64) -> Result<Matrix> {
    map_rows(images, images.cols(), |at, row| {
        let mut rng = Rng::stream(seed, &[at as u64]);
        let [top, left] = [0, 1].map(|_| rng.below((SIDE - HOLE + 1) as u32) as usize);
        let is_hole =
            |at: usize| (top..top + HOLE).contains(&(at / SIDE)) && (left..left + HOLE).contains(&(at % SIDE));
        (0..row.len()).map(|at| if is_hole(at) { 1.0 } else { 0.0 }).collect()
    })
}

fn with_holes(images: &Matrix, mask: &Matrix) -> Result<Matrix> {
    map_rows(images, images.cols(), |at, row| {
        row.iter().zip(mask.row(at)).map(|(value, hole)| value * (1.0 - hole)).collect()
    })
}

/// Images whose holes are filled from others.
fn pasted(images: &Matrix, fillings: &Matrix, mask: &Matrix) -> Result<Matrix> {
    map_rows(images, images.cols(), |at, row| {
        let pixels = row.iter().zip(fillings.row(at)).zip(mask.row(at));
        pixels.map(|((&known, &filling), &hole)| if hole == 1.0 { filling } else { known }).collect()
    })
}

/// Rows of one matrix, each followed by that of another.
fn beside(left: &Matrix, right: &Matrix) -> Result<Matrix> {
    map_rows(left, left.cols() + right.cols(), |at, row| [row, right.row(at)].concat())
}
