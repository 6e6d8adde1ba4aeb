//! What the programs on images share: digits, references to compare with, pictures.
#![allow(dead_code)] // Each program uses its part.

pub mod digits;
pub mod reference;
pub mod sheet;

use std::path::PathBuf;

use firth::autoencoder::{Autoencoder, AutoencoderConfig, Trainer};
use firth::math::{Matrix, Rng, Samples};
use firth::train::Silent;

/// What went wrong is printed and ends the program.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What a program found out.
pub struct Report {
    /// Methods and their scores, the autoencoder's last.
    pub scores: Vec<(String, f64)>,
    /// What trained, and how long.
    pub training: Training,
    /// Rows of the picture: a caption and images of the test part.
    pub rows: Vec<(&'static str, Matrix)>,
}

impl Report {
    /// The score of the method whose name starts so.
    pub fn score(&self, name: &str) -> f64 {
        let found = self.scores.iter().find(|(method, _)| method.starts_with(name));
        found.expect("a method of this report").1
    }

    /// Prints every score on a line.
    pub fn print(&self, unit: &str) {
        for (method, score) in &self.scores {
            println!("{method:<36}{score:>7.2} {unit}");
        }
        println!("{:<36}{:>7.1} s on {} threads", "training", self.training.seconds, self.training.threads);
    }
}

/// How long training took.
pub struct Training {
    pub seconds: f64,
    pub threads: usize,
}

/// The recipe for small images: 256-64-256 units, relu, a linear output, squared error, Adam at 2e-3 that falls to 2 %.
/// What is not set here follows from the data being dense.
pub fn recipe(seed: u64, epochs: usize) -> AutoencoderConfig {
    let (hidden, code) = (vec![256], Some(64));
    AutoencoderConfig { hidden, code, min_lr: 0.02, epochs: Some(epochs), seed, ..AutoencoderConfig::default() }
}

/// Trains on rows that are to become the target's, or themselves.
pub fn train(config: &AutoencoderConfig, input: &Matrix, target: Option<&Matrix>) -> Result<(Autoencoder, Training)> {
    let input = Samples::Dense(input.clone());
    let target = target.map(|target| Samples::Dense(target.clone()));
    let mut trainer = Trainer::new(config, &input, target.as_ref(), None)?;
    let summary = trainer.run(&mut Silent)?;
    Ok((trainer.finish(), Training { seconds: summary.train_seconds, threads: summary.threads }))
}

/// What a model makes of rows.
pub fn outputs(model: &Autoencoder, rows: &Matrix) -> Result<Matrix> {
    Ok(model.reconstruct(&Samples::Dense(rows.clone()))?)
}

/// A copy whose rows went through a function.
pub fn map_rows(rows: &Matrix, cols: usize, mut each: impl FnMut(usize, &[f32]) -> Vec<f32>) -> Result<Matrix> {
    let numbers: Vec<f32> = rows.iter_rows().enumerate().flat_map(|(at, row)| each(at, row)).collect();
    Ok(Matrix::from_vec(rows.rows(), cols, numbers)?)
}

/// A draw from the standard normal distribution (Box and Muller, 1958).
pub fn normal(rng: &mut Rng) -> f32 {
    let (radius, angle) = (1.0 - rng.uniform(), rng.uniform());
    (-2.0 * radius.ln()).sqrt() * (std::f32::consts::TAU * angle).cos()
}

/// Where the picture goes: the first argument, or `target/NAME.png`.
pub fn picture(name: &str) -> PathBuf {
    std::env::args_os().nth(1).map_or_else(|| PathBuf::from(format!("target/{name}.png")), PathBuf::from)
}
