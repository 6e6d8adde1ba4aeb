//! Each variant of the family does what it is for, and fails here if its term is dropped.
//!
//! The study's table of digits (`autoencoder.md`, section 6), on digits drawn by the tests. Bounds stand well off what was
//! measured, which each test prints.

use std::sync::OnceLock;

use firth::Result;
use firth::analysis::Pca;
use firth::autoencoder::{
    Activation, Autoencoder, AutoencoderConfig, Corruption, Loss, Predict, Sparsity, Summary, Trainer, Weighting,
};
use firth::estimator::{Fit, Transform};
use firth::math::{Matrix, Samples, SparseMatrix};
use firth::train::Silent;

use crate::data::{Images, PIXELS, SIDE, changed, dense, images, noisy};
use crate::measures::{Probe, active, jacobian, psnr};

pub fn train(config: AutoencoderConfig, input: &Samples) -> Result<(Autoencoder, Summary)> {
    let mut trainer = Trainer::new(&config, input, None, None)?;
    let summary = trainer.run(&mut Silent)?;
    Ok((trainer.finish(), summary))
}

/// Images to train on, and others.
fn digits() -> &'static (Images, Images) {
    static DIGITS: OnceLock<(Images, Images)> = OnceLock::new();
    DIGITS.get_or_init(|| (images(1000, 1).expect("images"), images(400, 2).expect("images")))
}

fn overcomplete() -> AutoencoderConfig {
    AutoencoderConfig { code: Some(128), lr: Some(5e-3), epochs: Some(60), ..Default::default() }
}

/// An overcomplete autoencoder without any penalty.
fn plain() -> &'static Autoencoder {
    static PLAIN: OnceLock<Autoencoder> = OnceLock::new();
    PLAIN.get_or_init(|| train(overcomplete(), &digits().0.images).expect("it trains").0)
}

/// The probe's accuracy on images as they are, and on noisy ones.
fn probe(model: &Autoencoder) -> Result<[f64; 2]> {
    let (learnt, others) = digits();
    let probe = Probe::fit(&model.encode(&learnt.images)?, &learnt.digits);
    let accuracy = |images: &Samples| Ok::<_, firth::Error>(probe.accuracy(&model.encode(images)?, &others.digits));
    Ok([accuracy(&others.images)?, accuracy(&noisy(&others.images, 0.3))?])
}

fn quality(model: &Autoencoder) -> Result<f64> {
    let images = &digits().1.images;
    Ok(psnr(&model.reconstruct(images)?, images))
}

#[test]
fn an_overcomplete_one_without_penalty_copies_its_input() -> Result<()> {
    let found = quality(plain())?;
    println!(
        "{found:.2} dB, {:.2} active, probe {:.3?}",
        active(&plain().encode(&digits().1.images)?),
        probe(plain())?
    );
    assert!(found > 35.0, "{found} dB");
    Ok(())
}

#[test]
fn sparse_ones_keep_most_units_silent_and_do_not_copy() -> Result<()> {
    let images = &digits().1.images;
    let without = active(&plain().encode(images)?);
    assert!(without > 0.35, "{without} active without a penalty");
    for (sparse, most) in [(Sparsity::L1(0.1), 0.3), (Sparsity::TopK(8), 0.0626)] {
        let (model, _) = train(AutoencoderConfig { sparse, ..overcomplete() }, &digits().0.images)?;
        let (share, quality, probe) = (active(&model.encode(images)?), quality(&model)?, probe(&model)?);
        println!("{sparse}: {share:.3} active, without {without:.3}; {quality:.2} dB, probe {probe:.3?}");
        assert!(share < most, "{sparse}: {share} active");
        assert!(quality > 12.0 && quality < 30.0, "{sparse}: {quality} dB");
    }
    Ok(())
}

#[test]
fn divergence_from_a_rate_brings_the_mean_activation_down_to_it() -> Result<()> {
    let rho = 0.05;
    let config = AutoencoderConfig {
        code_activation: Some(Activation::Sigmoid),
        loss: Some(Loss::Bce),
        sparse: Sparsity::Kl { rho, beta: 1.0 },
        ..overcomplete()
    };
    let measure = |config| {
        let (model, _) = train(config, &digits().0.images)?;
        let codes = model.encode(&digits().1.images)?;
        let count = codes.as_slice().len() as f64;
        let mean = codes.as_slice().iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let loud = codes.as_slice().iter().filter(|&&x| x > 0.2).count() as f64 / count;
        println!("mean activation {mean:.3}, {loud:.3} above .2, probe {:.3?}", probe(&model)?);
        Ok::<_, firth::Error>((mean, loud))
    };
    let (with, without) = (measure(config.clone())?, measure(AutoencoderConfig { sparse: Sparsity::None, ..config })?);
    assert!((with.0 - rho).abs() < 0.04 && without.0 > 3.0 * with.0, "{with:?}, without the penalty {without:?}");
    assert!(with.1 < 0.2 && without.1 > 2.0 * with.1, "{with:?}, without the penalty {without:?}");
    Ok(())
}

#[test]
fn an_undercomplete_code_can_be_sparse_too() -> Result<()> {
    let config = AutoencoderConfig { code: Some(32), ..overcomplete() };
    let images = &digits().1.images;
    let (free, _) = train(config.clone(), &digits().0.images)?;
    let (sparse, _) = train(AutoencoderConfig { sparse: Sparsity::L1(0.1), ..config }, &digits().0.images)?;
    let [free, sparse] = [active(&free.encode(images)?), active(&sparse.encode(images)?)];
    println!("{free:.2} active without a penalty, {sparse:.2} with");
    assert!(sparse < 0.75 * free, "{sparse} of {free}");
    Ok(())
}

#[test]
fn denoising_makes_a_code_that_stands_noise() -> Result<()> {
    let config = AutoencoderConfig { noise: Some(Corruption::Gauss(0.3)), ..overcomplete() };
    let (model, _) = train(config, &digits().0.images)?;
    let (without, with) = (probe(plain())?, probe(&model)?);
    println!("probe without noise in training {without:.3?}, with {with:.3?}");
    assert!(with[1] > without[1] + 0.03, "{with:?}, without noise in training {without:?}");
    Ok(())
}

#[test]
fn each_corruption_teaches_to_mend_it() -> Result<()> {
    let (learnt, others) = digits();
    let images = &others.images;
    let mask = changed(images, |row, rng| row.iter_mut().filter(|_| rng.below(10) < 3).for_each(|x| *x = 0.0));
    let salt = changed(images, |row, rng| {
        row.iter_mut().for_each(|x| *x = if rng.below(10) < 2 { rng.below(2) as f32 } else { *x });
    });
    let block = changed(images, |row, rng| {
        let [top, left] = [0; 2].map(|_: usize| rng.below(6) as usize);
        (top..top + 3).for_each(|line| row[line * SIDE + left..][..3].fill(0.0));
    });
    for (noise, spoilt) in [
        (Corruption::Gauss(0.3), noisy(images, 0.3)),
        (Corruption::Mask(0.3), mask),
        (Corruption::Salt(0.2), salt),
        (Corruption::Block { size: [3, 3], image: [SIDE, SIDE] }, block),
    ] {
        let config = AutoencoderConfig { noise: Some(noise), epochs: Some(40), ..overcomplete() };
        let (model, _) = train(config, &learnt.images)?;
        let quality = |model: &Autoencoder| Ok::<_, firth::Error>(psnr(&model.reconstruct(&spoilt)?, images));
        let (plain, mended) = (quality(plain())?, quality(&model)?);
        println!("{noise}: {plain:.2} dB without it in training, {mended:.2} with");
        assert!(mended > plain + 1.0, "{noise}: {mended} dB, without it in training {plain}");
    }
    Ok(())
}

#[test]
fn contraction_cuts_the_jacobian_and_keeps_what_tells_digits_apart() -> Result<()> {
    for hidden in [vec![], vec![48]] {
        let config = AutoencoderConfig {
            code: Some(64),
            hidden: hidden.clone(),
            activation: Some(Activation::Sigmoid),
            loss: Some(Loss::Bce),
            ..overcomplete()
        };
        let (free, _) = train(config.clone(), &digits().0.images)?;
        let (tight, _) = train(AutoencoderConfig { contractive: 0.5, ..config }, &digits().0.images)?;
        let images = &digits().1.images;
        let (before, after) = (jacobian(&free, images, 50)?, jacobian(&tight, images, 50)?);
        let (without, with) = (probe(&free)?, probe(&tight)?);
        println!("hidden {hidden:?}: Jacobian {before:.2} to {after:.2}, probe {without:.3?} to {with:.3?}");
        assert!(before > 5.0 * after, "hidden {hidden:?}: {before} fell to {after} only");
        assert!(with[0] > without[0] - 0.03, "hidden {hidden:?}: probe {with:?}, without {without:?}");
    }
    Ok(())
}

#[test]
fn a_deep_undercomplete_one_beats_principal_components() -> Result<()> {
    let (learnt, others) = digits();
    let components = 8;
    let pca = Pca { components }.fit(dense(&learnt.images))?;
    let codes = pca.transform(dense(&others.images))?;
    let mut rows = Vec::new();
    for code in codes.iter_rows() {
        let pixel = |at: usize| {
            let parts = code.iter().zip(pca.components().iter_rows()).map(|(c, row)| f64::from(c * row[at]));
            (pca.mean()[at] + parts.sum::<f64>()) as f32
        };
        rows.extend((0..PIXELS).map(pixel));
    }
    let linear = psnr(&Matrix::from_vec(codes.rows(), PIXELS, rows)?, &others.images);
    let config = AutoencoderConfig {
        code: Some(components),
        hidden: vec![128],
        code_activation: Some(Activation::Linear),
        epochs: Some(100),
        ..overcomplete()
    };
    let deep = quality(&train(config, &learnt.images)?.0)?;
    println!("principal components {linear:.2} dB, deep {deep:.2} dB");
    assert!(deep > linear + 0.5, "{deep} dB, principal components {linear} dB");
    Ok(())
}

#[test]
fn one_table_serves_both_ends_at_half_the_size() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sizes = Vec::new();
    for tied in [false, true] {
        let config = AutoencoderConfig { tied, hidden: vec![40], code: Some(16), ..overcomplete() };
        let (model, _) = train(config, &digits().0.images)?;
        let path = folder.path().join(format!("{tied}.safetensors"));
        model.save(&path)?;
        let read = Autoencoder::open(&path)?;
        assert_eq!(read.fingerprint(), model.fingerprint());
        let found = quality(&read)?;
        println!("tied {tied}: {found:.2} dB");
        assert!(found > 14.0, "tied {tied}: {found} dB");
        let file = safetensors_numbers(&path);
        sizes.push(file);
    }
    let ratio = sizes[1] as f64 / sizes[0] as f64;
    assert!(ratio < 0.56, "{sizes:?} bytes, tied to untied {ratio}");
    Ok(())
}

/// Bytes of a file's tables, without its header.
fn safetensors_numbers(path: &std::path::Path) -> usize {
    let bytes = std::fs::read(path).expect("the file");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    bytes.len() - 8 - header as usize
}

#[test]
fn the_start_with_the_lowest_loss_is_kept() -> Result<()> {
    let few = images(100, 3)?;
    let mut kept = Vec::new();
    for seed in 1..=4 {
        let mut losses = Vec::new();
        for restarts in 1..=3 {
            let config = AutoencoderConfig {
                code: Some(2),
                hidden: vec![8],
                epochs: Some(10),
                restarts,
                seed,
                ..Default::default()
            };
            let (model, summary) = train(config, &few.images)?;
            assert_eq!(model.fingerprint(), summary.fingerprint);
            losses.push(summary.loss);
            if restarts == 3 {
                kept.push(summary.restart);
            }
        }
        assert!(losses.is_sorted_by(|before, after| after <= before), "seed {seed}: {losses:?}");
    }
    println!("kept: {kept:?}");
    assert!(kept.iter().any(|&start| start < 3) && kept.iter().any(|&start| start > 1), "{kept:?}");
    Ok(())
}

/// Rows of pairs of columns that always come together.
fn pairs() -> Samples {
    let mut matrix = SparseMatrix::empty(60);
    for row in 0..600u32 {
        let mut firsts: Vec<u32> = (0..3).map(|at| (row * 7 + at * (11 + row / 60)) % 30 * 2).collect();
        firsts.sort_unstable();
        firsts.dedup();
        matrix.push(firsts.iter().flat_map(|&first| [(first, 1.0), (first + 1, 1.0)]));
    }
    matrix.into()
}

#[test]
fn what_was_hidden_is_predicted_rather_than_what_was_seen() -> Result<()> {
    let mut lone = SparseMatrix::empty(60);
    (0..30).for_each(|pair| lone.push([(2 * pair, 1.0)]));
    let lone: Samples = lone.into();
    let mut ratios = Vec::new();
    for predict in [Predict::All, Predict::Hidden] {
        let config = AutoencoderConfig {
            code: Some(40),
            predict,
            input: Some(Weighting::Counts),
            sif: Some(0.0),
            decay: Some(0.0),
            batch: Some(32),
            epochs: Some(60),
            ..Default::default()
        };
        let (model, _) = train(config, &pairs())?;
        let guesses = model.reconstruct(&lone)?;
        let ratio =
            guesses.iter_rows().enumerate().map(|(pair, row)| f64::from(row[2 * pair + 1] / row[2 * pair]).ln());
        ratios.push((ratio.sum::<f64>() / 30.0).exp());
    }
    println!("the unseen partner is so many times as likely as the word itself: {ratios:?}");
    assert!(ratios[0] < 2.0 && ratios[1] > 4.0 * ratios[0], "all, hidden: {ratios:?}");
    Ok(())
}

#[test]
fn the_best_epoch_on_held_out_rows_is_kept_and_patience_stops() -> Result<()> {
    let few = images(60, 4)?;
    let config = AutoencoderConfig {
        code: Some(256),
        lr: Some(2e-2),
        epochs: Some(150),
        heldout: 0.4,
        batch: Some(16),
        ..Default::default()
    };
    let noisy = noisy(&few.images, 0.3);
    let (long, whole) = train(config.clone(), &noisy)?;
    let best = (0..150).min_by(|&a, &b| whole.heldout_losses[a].total_cmp(&whole.heldout_losses[b]));
    println!("best epoch {}, losses {:.2?}", whole.epoch, whole.heldout_losses);
    assert_eq!((Some(whole.epoch - 1), whole.heldout_losses.len()), (best, 150));
    assert!(whole.epoch < 130, "it overfits; best epoch {}", whole.epoch);
    let (short, stopped) = train(AutoencoderConfig { patience: 3, ..config }, &noisy)?;
    assert_eq!(stopped.heldout_losses.len(), stopped.epoch + 3);
    assert_eq!(stopped.heldout_losses, whole.heldout_losses[..stopped.epoch + 3]);
    if stopped.epoch == whole.epoch {
        assert_eq!(short.fingerprint(), long.fingerprint());
    }
    Ok(())
}
