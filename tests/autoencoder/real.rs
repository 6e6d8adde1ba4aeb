//! Targets 12 to 14 of the study (`autoencoder.md`, section 11) on its digits.
//!
//! Opt-in, since it needs `images/digits.csv.xz` of the data folder (`FIRTH_DATA`, else `../shared/data`) and a minute:
//! `cargo test --release --test autoencoder real -- --ignored --nocapture`.

use std::io::Read;
use std::path::PathBuf;

use firth::Result;
use firth::autoencoder::{Activation, Autoencoder, AutoencoderConfig, Corruption, Loss, Sparsity};
use firth::math::{Matrix, Rng, Samples};

use crate::data::{Images, PIXELS, noisy};
use crate::measures::{active, fit_softmax, jacobian};
use crate::variants::train;

/// 1297 digits to train on and 500 others; `None` if they are not there.
fn digits() -> Option<(Images, Images)> {
    let data = std::env::var_os("FIRTH_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = data.join("images/digits.csv.xz");
    let Ok(file) = std::fs::File::open(&path) else {
        eprintln!("skipped: {} is missing; set FIRTH_DATA to the data folder", path.display());
        return None;
    };
    let mut text = String::new();
    liblzma::read::XzDecoder::new(file).read_to_string(&mut text).expect("compressed text");
    let mut rows: Vec<Vec<f32>> =
        text.lines().map(|line| line.split(',').map(|x| x.parse().expect("a number")).collect()).collect();
    let mut rng = Rng::stream(42, &[]);
    (1..rows.len()).rev().for_each(|at| rows.swap(at, rng.below(at as u32 + 1) as usize));
    let images = |rows: &[Vec<f32>]| Images {
        images: Matrix::from_vec(
            rows.len(),
            PIXELS,
            rows.iter().flat_map(|row| &row[..PIXELS]).map(|x| x / 16.0).collect(),
        )
        .expect("rows of one width")
        .into(),
        digits: rows.iter().map(|row| row[PIXELS] as usize).collect(),
    };
    Some((images(&rows[..1297]), images(&rows[1297..])))
}

#[test]
#[ignore = "needs the study's digits and a minute"]
fn the_studys_targets_for_digits_are_reached() -> Result<()> {
    let Some((learnt, others)) = digits() else { return Ok(()) };
    let overcomplete = AutoencoderConfig { code: Some(256), lr: Some(3e-3), ..Default::default() };
    let fit = |config: AutoencoderConfig| Ok::<_, firth::Error>(train(config, &learnt.images)?.0);
    let spoilt = noisy(&others.images, 0.3);
    let probe = |model: &Autoencoder, images: &Samples| {
        let probe = fit_softmax(&model.encode(&learnt.images)?, &learnt.digits);
        Ok::<_, firth::Error>(probe.accuracy(&model.encode(images)?, &others.digits))
    };

    let sparse = fit(AutoencoderConfig { sparse: Sparsity::TopK(16), ..overcomplete.clone() })?;
    let (share, found) = (active(&sparse.encode(&others.images)?), probe(&sparse, &others.images)?);
    println!("12. sparse code: {share:.3} active, probe {found:.3}");
    assert!(share <= 0.07 && found >= 0.965, "target 12: {share} active, probe {found}");

    let denoising = fit(AutoencoderConfig { noise: Some(Corruption::Gauss(0.3)), ..overcomplete.clone() })?;
    let (plain, found) = (probe(&fit(overcomplete.clone())?, &spoilt)?, probe(&denoising, &spoilt)?);
    println!("13. denoising code: probe on noisy images {found:.3}, without noise in training {plain:.3}");
    assert!(found >= 0.87, "target 13: {found}, without noise in training {plain}");

    let sigmoid = AutoencoderConfig {
        code: Some(64),
        activation: Some(Activation::Sigmoid),
        loss: Some(Loss::Bce),
        ..overcomplete
    };
    let free = fit(sigmoid.clone())?;
    let tight = fit(AutoencoderConfig { contractive: 0.1, ..sigmoid })?;
    let (before, after) = (jacobian(&free, &others.images, 200)?, jacobian(&tight, &others.images, 200)?);
    let (without, with) = (probe(&free, &others.images)?, probe(&tight, &others.images)?);
    println!("14. contractive: Jacobian {before:.2} to {after:.2}, probe {without:.3} to {with:.3}");
    assert!(before >= 5.0 * after && with >= without - 0.005, "target 14: {before}, {after}; {without}, {with}");
    Ok(())
}
