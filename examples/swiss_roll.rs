//! Unrolls a sheet that is rolled up in space: three numbers become two, by principal components and by an autoencoder.
//!
//!     cargo run --release --example swiss_roll -- picture.png

pub mod shared;

use firth::analysis::Trustworthiness;
use firth::autoencoder::{Activation, AutoencoderConfig};
use firth::math::{Matrix, Rng, Samples};

use shared::reference::{components, nearest_mean, projected};
use shared::{Result, map_rows, outputs, picture, sheet, train};

/// Points on the roll.
const POINTS: usize = 2000;
/// Neighbours that make a neighbourhood.
const NEAR: usize = 12;

fn main() -> Result<()> {
    let report = unroll(1, 3, 500)?;
    for (method, scores) in [("PCA", &report.pca), ("autoencoder", &report.autoencoder)] {
        println!(
            "{method:<12} unexplained variance {:.4}, trustworthiness {:.3}, sheet R2 {:.3}",
            scores.unexplained, scores.trustworthiness, scores.sheet
        );
    }
    println!("{:<12} {:.1} s on {} threads", "training", report.training.seconds, report.training.threads);
    let path = picture("swiss_roll");
    sheet::clouds(&path, "Swiss roll: three dimensions to two", &report.clouds, &report.shades)?;
    println!("{}", path.display());
    Ok(())
}

/// How well two numbers stand for three.
pub struct Scores {
    /// The part of all variance that is lost on the way back, from 0.
    pub unexplained: f64,
    /// Whether neighbours in the plane are neighbours in space, up to 1 (Venna and Kaski, 2001).
    pub trustworthiness: f64,
    /// Whether the plane tells where on the sheet a point lies: R2 of its worse coordinate.
    pub sheet: f64,
}

/// What the program found out.
pub struct Report {
    pub pca: Scores,
    pub autoencoder: Scores,
    pub training: shared::Training,
    clouds: Vec<(&'static str, Matrix)>,
    shades: Vec<f32>,
}

/// Trains from so many starts for so many epochs, and scores both ways.
pub fn unroll(seed: u64, restarts: usize, epochs: usize) -> Result<Report> {
    // # The roll
    // A sheet's two coordinates are the length along the spiral and the height. All distances are divided by one number:
    // the roll keeps its shape.
    let (roll, sheet) = roll()?;

    // # Principal components
    // A plane cuts through the roll; points of different turns fall together.
    let model = components(&roll, 2)?;
    let plane = firth::estimator::Transform::transform(&model, &roll)?;
    let pca = scores(&roll, &sheet, &plane, &projected(&model, &roll)?)?;

    // # The autoencoder
    // Two hidden layers on either side can bend a plane into the roll. The code is linear: nothing bounds the plane.
    // Some starts end in more pieces than others; the one with the lowest loss is kept.
    let config = AutoencoderConfig {
        hidden: vec![128, 64],
        code: Some(2),
        code_activation: Some(Activation::Linear),
        min_lr: 0.02,
        epochs: Some(epochs),
        restarts,
        seed,
        ..AutoencoderConfig::default()
    };
    let (model, training) = train(&config, &roll, None)?;
    let codes = model.encode(&Samples::Dense(roll.clone()))?;
    let autoencoder = scores(&roll, &sheet, &codes, &outputs(&model, &roll)?)?;

    // # The picture
    // The roll seen from the end and a little from above, and both planes, coloured by the length along the spiral. The
    // autoencoder cuts the sheet into a few pieces and lays them out side by side: nothing asks it for one piece, but within
    // each neighbours stay neighbours.
    let view = map_rows(&roll, 2, |_, row| vec![row[0] + 0.3 * row[1], row[2] + 0.2 * row[1]])?;
    let longest = sheet.iter_rows().map(|row| row[0]).fold(0.0, f32::max);
    let shades = sheet.iter_rows().map(|row| row[0] / longest * 0.999).collect();
    let clouds = vec![("the roll", view), ("PCA", plane), ("autoencoder", codes)];
    Ok(Report { pca, autoencoder, training, clouds, shades })
}

/// Points of the roll in space (Marsland, 2009, as in scikit-learn), and on the sheet.
fn roll() -> Result<(Matrix, Matrix)> {
    let (mut points, mut sheet) = (Vec::new(), Vec::new());
    for point in 0..POINTS {
        let mut rng = Rng::stream(0, &[point as u64]);
        let (angle, height) = (1.5 * std::f32::consts::PI * (1.0 + 2.0 * rng.uniform()), 21.0 * rng.uniform());
        points.extend([angle * angle.cos(), height, angle * angle.sin()]);
        // The length of the spiral r = angle from its centre.
        sheet.extend([0.5 * (angle * angle.hypot(1.0) + angle.asinh()), height]);
    }
    let points = Matrix::from_vec(POINTS, 3, points)?.centered();
    let squares: f64 = points.as_slice().iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let size = (squares / (3 * POINTS) as f64).sqrt() as f32;
    let points = map_rows(&points, 3, |_, row| row.iter().map(|x| x / size).collect())?;
    Ok((points, Matrix::from_vec(POINTS, 2, sheet)?))
}

fn scores(roll: &Matrix, sheet: &Matrix, codes: &Matrix, back: &Matrix) -> Result<Scores> {
    let squares =
        |pairs: &mut dyn Iterator<Item = (&f32, f32)>| pairs.map(|(&a, b)| f64::from(a - b).powi(2)).sum::<f64>();
    let lost = squares(&mut back.as_slice().iter().zip(roll.as_slice().iter().copied()));
    // The roll is centred.
    let all = squares(&mut roll.as_slice().iter().zip(std::iter::repeat(0.0)));
    Ok(Scores {
        unexplained: lost / all,
        trustworthiness: Trustworthiness { neighbors: NEAR, sample: roll.rows() }.measure(roll, codes)?,
        sheet: sheet_r2(sheet, codes)?,
    })
}

/// Of half of the points both sheet coordinates are guessed, as the mean of those of the 8 points of the other half that are
/// nearest in the plane, whose axes have one scale: the R2 of the guess, for the worse coordinate.
fn sheet_r2(sheet: &Matrix, codes: &Matrix) -> Result<f64> {
    let scale = |axis: usize| {
        let squares: f64 = codes.centered().iter_rows().map(|row| f64::from(row[axis]).powi(2)).sum();
        (squares / codes.rows() as f64).sqrt().max(1e-9) as f32
    };
    let scales = [scale(0), scale(1)];
    let codes = map_rows(codes, 2, |_, row| vec![row[0] / scales[0], row[1] / scales[1]])?;
    let half = |rows: &Matrix, at: usize| -> Result<Matrix> {
        let half = rows.as_slice().len() / 2;
        Ok(Matrix::from_vec(rows.rows() / 2, 2, rows.as_slice()[at * half..][..half].to_vec())?)
    };
    let (known, known_sheet, asked, truth) = (half(&codes, 0)?, half(sheet, 0)?, half(&codes, 1)?, half(sheet, 1)?);
    let found = nearest_mean(&known, &known_sheet, &asked, 8)?;
    let centered = truth.centered();
    let r2 = |axis: usize| {
        let pairs = found.iter_rows().zip(truth.iter_rows());
        let lost: f64 = pairs.map(|(found, truth)| f64::from(found[axis] - truth[axis]).powi(2)).sum();
        1.0 - lost / centered.iter_rows().map(|row| f64::from(row[axis]).powi(2)).sum::<f64>()
    };
    Ok(r2(0).min(r2(1)))
}
