//! Colours grey images, and compares with one colour for all, nearest neighbours and the best linear map.
//!
//!     cargo run --release --example colorization -- picture.png
//!
//! Each digit has its own colour, so that whoever is to colour an image has to see what it shows.

pub mod shared;

use firth::autoencoder::{AutoencoderConfig, Corruption};
use firth::math::Matrix;

use shared::digits::{Digits, PIXELS};
use shared::reference::{Ridge, best, nearest_mean, psnr};
use shared::{Report, Result, map_rows, outputs, picture, recipe, sheet, train};

/// Red, green and blue.
const CHANNELS: usize = 3;
/// How bright each channel looks (ITU-R BT.601).
const BRIGHTNESS: [f32; CHANNELS] = [0.299, 0.587, 0.114];

fn main() -> Result<()> {
    let digits = Digits::find()?;
    println!("{}: {} images to train on, {} to measure on", digits.source, digits.train.rows(), digits.test.rows());
    let report = colorize(&digits, 1, 200)?;
    report.print("dB");
    let path = picture("colorization");
    sheet::images(&path, "Colorization", &report.rows)?;
    println!("{}", path.display());
    Ok(())
}

/// Trains for so many epochs, and scores everything on the test part.
pub fn colorize(digits: &Digits, seed: u64, epochs: usize) -> Result<Report> {
    // # The images to colour
    // Digit k is tinted with the k-th of ten hues. Its grey image is as bright at its brightest as any other, so that
    // brightness does not give the colour away.
    let (known, truth) = (tinted(&digits.train, &digits.train_labels)?, tinted(&digits.test, &digits.test_labels)?);
    let (grey_train, grey) = (greyed(&known)?, greyed(&truth)?);

    // # Without learning
    let white = in_color(&grey, [1.0; CHANNELS])?;
    let hues: Vec<[f32; CHANNELS]> = (0..10).map(hue).collect();
    let mean_hue = [0, 1, 2].map(|channel| hues.iter().map(|hue| hue[channel]).sum::<f32>() / 10.0);
    let tint = in_color(&grey, mean_hue)?;

    // # With examples
    let (near, neighbors) = best(&[1, 3, 5, 8], |k| Ok(psnr(&nearest_mean(&grey_train, &known, &grey, k)?, &truth)))?;
    let ridge = Ridge::fit(&grey_train, &known)?.apply(&grey)?;

    // # The autoencoder
    // 64 numbers in, 192 out. A little noise, fresh in every epoch, makes up for few images.
    let config = AutoencoderConfig { noise: Some(Corruption::Gauss(0.1)), ..recipe(seed, epochs) };
    let (model, training) = train(&config, &grey_train, Some(&known))?;
    let colored = outputs(&model, &grey)?;

    let scores = vec![
        ("grey as it is".into(), psnr(&white, &truth)),
        ("mean tint".into(), psnr(&tint, &truth)),
        (format!("mean of {near} nearest images"), neighbors),
        ("ridge regression".into(), psnr(&ridge, &truth)),
        ("autoencoder".into(), psnr(&colored, &truth)),
    ];
    let rows = vec![("grey", grey), ("ridge", ridge), ("autoencoder", colored), ("truth", truth)];
    Ok(Report { scores, training, rows })
}

/// The colour of a digit: equal steps around the wheel, saturation 0.9.
fn hue(digit: usize) -> [f32; CHANNELS] {
    let angle = digit as f32 * 0.6;
    // Red is at 0 and 6, green at 2, blue at 4; each reaches one step fully and fades over the next.
    [0.0, 2.0, 4.0].map(|center: f32| {
        let distance = (angle - center).abs();
        0.1 + 0.9 * (2.0 - distance.min(6.0 - distance)).clamp(0.0, 1.0)
    })
}

/// Grey images in one colour.
fn in_color(images: &Matrix, color: [f32; CHANNELS]) -> Result<Matrix> {
    map_rows(images, PIXELS * CHANNELS, |_, row| row.iter().flat_map(|&grey| color.map(|part| grey * part)).collect())
}

/// Grey images, each in the colour of its digit.
fn tinted(images: &Matrix, labels: &[usize]) -> Result<Matrix> {
    map_rows(images, PIXELS * CHANNELS, |at, row| {
        row.iter().flat_map(|&grey| hue(labels[at]).map(|part| grey * part)).collect()
    })
}

/// The brightness of coloured images, the brightest pixel of each at one.
fn greyed(images: &Matrix) -> Result<Matrix> {
    map_rows(images, PIXELS, |_, row| {
        let pixels = row.chunks_exact(CHANNELS);
        let grey: Vec<f32> =
            pixels.map(|pixel| pixel.iter().zip(BRIGHTNESS).map(|(part, weight)| part * weight).sum()).collect();
        let brightest = grey.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        grey.into_iter().map(|value| value / brightest).collect()
    })
}
