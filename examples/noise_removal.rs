//! Takes the noise off images, and compares with filters, principal components and the best linear map.
//!
//!     cargo run --release --example noise_removal -- picture.png

pub mod shared;

use firth::autoencoder::{AutoencoderConfig, Corruption};
use firth::math::{Matrix, Rng};

use shared::digits::{Digits, SIDE};
use shared::reference::{Ridge, best, components, projected, psnr};
use shared::{Report, Result, map_rows, normal, outputs, picture, recipe, sheet, train};

/// The standard deviation of the noise; images go from 0 to 1.
const NOISE: f32 = 0.3;

fn main() -> Result<()> {
    let digits = Digits::find()?;
    println!("{}: {} images to train on, {} to measure on", digits.source, digits.train.rows(), digits.test.rows());
    let report = remove_noise(&digits, 1, 200)?;
    report.print("dB");
    let path = picture("noise_removal");
    sheet::images(&path, "Noise removal", &report.rows)?;
    println!("{}", path.display());
    Ok(())
}

/// Trains for so many epochs, and scores everything on the noisy images of the test part.
pub fn remove_noise(digits: &Digits, seed: u64, epochs: usize) -> Result<Report> {
    // # The images to clean
    // They are the same for every method and every seed.
    let truth = &digits.test;
    let noisy = noisy(truth, 7)?;

    // # Without learning
    // A blur trades noise for sharpness. The best width and, below, the best number of components are chosen on the test
    // part: that favours them.
    let (sigma, blurred) = best(&[0.4, 0.5, 0.6, 0.7, 0.8, 1.0], |sigma| Ok(psnr(&blurred(&noisy, sigma)?, truth)))?;

    // # Linear
    // The plane of the clean images' principal components leaves out most of the noise. Ridge regression from noisy to
    // clean images is the best that any linear autoencoder can do.
    let (kept, plane) = best(&[5, 8, 10, 12, 15, 20, 30], |kept| {
        Ok(psnr(&projected(&components(&digits.train, kept)?, &noisy)?, truth))
    })?;
    let ridge = Ridge::fit(&self::noisy(&digits.train, 8)?, &digits.train)?.apply(&noisy)?;

    // # The autoencoder
    // It sees each image in every epoch under noise that it has never seen before, and is to give back the clean one. With
    // one fixed noisy copy of each image it would learn the noise by heart and be no better than ridge regression.
    let noise = Some(Corruption::Gauss(f64::from(NOISE)));
    let (model, training) = train(&AutoencoderConfig { noise, ..recipe(seed, epochs) }, &digits.train, None)?;
    let cleaned = outputs(&model, &noisy)?;

    let scores = vec![
        ("noisy images themselves".into(), psnr(&noisy, truth)),
        (format!("gaussian filter, width {sigma}"), blurred),
        (format!("PCA, {kept} components"), plane),
        ("ridge regression".into(), psnr(&ridge, truth)),
        ("autoencoder, fresh noise".into(), psnr(&cleaned, truth)),
    ];
    let rows = vec![("noisy", noisy), ("ridge", ridge), ("autoencoder", cleaned), ("truth", truth.clone())];
    Ok(Report { scores, training, rows })
}

fn noisy(images: &Matrix, seed: u64) -> Result<Matrix> {
    map_rows(images, images.cols(), |at, row| {
        let mut rng = Rng::stream(seed, &[at as u64]);
        row.iter().map(|value| value + NOISE * normal(&mut rng)).collect()
    })
}

/// Images under a gaussian filter; outside of an image lies its mirror image.
fn blurred(images: &Matrix, sigma: f32) -> Result<Matrix> {
    let weight = |distance: i32| (-(distance * distance) as f32 / (2.0 * sigma * sigma)).exp();
    let total: f32 = (-4..=4).map(weight).sum();
    let side = SIDE as i32;
    let mirrored = |at: i32| if at < 0 { -1 - at } else { at.min(2 * side - 1 - at) };
    let along = |row: &[f32], step: [i32; 2]| -> Vec<f32> {
        let sum = |at: i32| {
            let value =
                |d: i32| row[(mirrored(at / side + d * step[0]) * side + mirrored(at % side + d * step[1])) as usize];
            (-4..=4).map(|distance| weight(distance) / total * value(distance)).sum()
        };
        (0..side * side).map(sum).collect()
    };
    map_rows(images, images.cols(), |_, row| along(&along(row, [0, 1]), [1, 0]))
}
