//! Doubles the resolution of images, and compares with interpolation, nearest neighbours and the best linear map.
//!
//!     cargo run --release --example super_resolution -- picture.png

pub mod shared;

use firth::autoencoder::{AutoencoderConfig, Corruption};
use firth::math::Matrix;

use shared::digits::{Digits, PIXELS, SIDE};
use shared::reference::{Ridge, best, nearest_mean, psnr};
use shared::{Report, Result, map_rows, outputs, picture, recipe, sheet, train};

/// Rows and columns of a small image.
const SMALL: usize = SIDE / 2;

fn main() -> Result<()> {
    let digits = Digits::find()?;
    println!("{}: {} images to train on, {} to measure on", digits.source, digits.train.rows(), digits.test.rows());
    let report = enlarge(&digits, 1, 200)?;
    report.print("dB");
    let path = picture("super_resolution");
    sheet::images(&path, "Super-resolution, 4 x 4 to 8 x 8", &report.rows)?;
    println!("{}", path.display());
    Ok(())
}

/// Trains for so many epochs, and scores everything on the test part.
pub fn enlarge(digits: &Digits, seed: u64, epochs: usize) -> Result<Report> {
    // # The images to enlarge
    // Each pixel of a small image is the mean of four.
    let truth = &digits.test;
    let (small_train, small) = (shrunk(&digits.train)?, shrunk(truth)?);

    // # Without learning
    // Interpolation knows that images are smooth, and nothing of what they show.
    let repeated = map_rows(&small, PIXELS, |_, row| enlarged(row, |distance| f32::from(distance.abs() < 0.5)))?;
    let cubic = map_rows(&small, PIXELS, |_, row| enlarged(row, cubic))?;

    // # With examples
    let (near, neighbors) =
        best(&[3, 5, 8, 12], |k| Ok(psnr(&nearest_mean(&small_train, &digits.train, &small, k)?, truth)))?;
    let ridge = Ridge::fit(&small_train, &digits.train)?.apply(&small)?;

    // # The autoencoder
    // Input and target are different matrices: small images in, large ones out. A little noise, fresh in every epoch, keeps
    // it from learning 1,297 pairs by heart.
    let config = AutoencoderConfig { noise: Some(Corruption::Gauss(0.03)), ..recipe(seed, epochs) };
    let (model, training) = train(&config, &small_train, Some(&digits.train))?;
    let sharp = outputs(&model, &small)?;

    let scores = vec![
        ("nearest pixel".into(), psnr(&repeated, truth)),
        ("bicubic".into(), psnr(&cubic, truth)),
        (format!("mean of {near} nearest images"), neighbors),
        ("ridge regression".into(), psnr(&ridge, truth)),
        ("autoencoder".into(), psnr(&sharp, truth)),
    ];
    let rows = vec![
        ("small", repeated),
        ("bicubic", cubic),
        ("ridge", ridge),
        ("autoencoder", sharp),
        ("truth", truth.clone()),
    ];
    Ok(Report { scores, training, rows })
}

/// Images of half the width and height.
fn shrunk(images: &Matrix) -> Result<Matrix> {
    map_rows(images, SMALL * SMALL, |_, row| {
        let corner = |at: usize| 2 * (at / SMALL) * SIDE + 2 * (at % SMALL);
        let mean = |at: usize| [0, 1, SIDE, SIDE + 1].iter().map(|offset| row[corner(at) + offset]).sum::<f32>() / 4.0;
        (0..SMALL * SMALL).map(mean).collect()
    })
}

/// An image of twice the width and height: each pixel is a mean of those around its place, weighted by distance along both
/// axes; outside of the image lies its border.
fn enlarged(image: &[f32], weight: impl Fn(f32) -> f32) -> Vec<f32> {
    let along = |at: usize| {
        let place = (at as f32 + 0.5) / 2.0 - 0.5;
        let weight = &weight;
        (-2..SMALL as i32 + 2).map(move |from| (from.clamp(0, SMALL as i32 - 1) as usize, weight(place - from as f32)))
    };
    let pixel = |at: usize| {
        let rows = along(at / SIDE).map(|(row, down)| {
            down * along(at % SIDE).map(|(column, across)| across * image[row * SMALL + column]).sum::<f32>()
        });
        rows.sum()
    };
    (0..PIXELS).map(pixel).collect()
}

/// The weights of cubic interpolation (Keys, 1981).
fn cubic(distance: f32) -> f32 {
    let x = distance.abs();
    match x {
        0.0..1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        1.0..2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}
