//! Recommendation by an autoencoder: Mult-DAE (Liang et al., 2018), with a multinomial loss on half-masked histories.
//!
//! Histories are scaled to one length before they are learnt, so that long ones do not saturate the code. A score is the
//! logarithm of what the decoder gives an item, which is its activation up to a constant for each user.

use super::{Recommend, check, check_items};
use crate::autoencoder::{Activation, Autoencoder, AutoencoderConfig, Corruption, Loss, Predict, Trainer, Weighting};
use crate::error::Result;
use crate::estimator::Fit;
use crate::math::{Matrix, Samples, SparseMatrix};
use crate::train::{Observer, Silent};

/// The autoencoder's settings that differ between users and baskets.
#[derive(Debug, Clone, PartialEq)]
pub struct MultDae {
    /// Units of the code.
    pub code: usize,
    /// Passes over the users.
    pub epochs: usize,
    /// Users in a step.
    pub batch: usize,
    /// The length that histories are scaled to.
    pub length: f64,
    /// Which items are to be predicted: all, or those that were masked.
    pub predict: Predict,
    /// Workers.
    pub threads: usize,
    /// Names all random numbers.
    pub seed: u64,
}

impl Default for MultDae {
    /// The best measured for users on MovieLens.
    fn default() -> Self {
        Self {
            code: 200,
            epochs: 30,
            batch: 100,
            length: 20f64.sqrt(),
            predict: Predict::All,
            threads: crate::train::available_threads(),
            seed: 1,
        }
    }
}

/// An autoencoder of users.
#[derive(Debug, Clone)]
pub struct MultDaeModel {
    model: Autoencoder,
    length: f64,
}

impl MultDae {
    /// The best measured for so many baskets of goods, whose hidden items are to be told from the others.
    pub fn baskets(baskets: usize) -> Self {
        /// Baskets, over all epochs, after which nothing is gained any more: 40 epochs of ten thousand.
        const ENOUGH: usize = 400_000;
        let epochs = (ENOUGH / baskets.max(1)).clamp(4, 40);
        Self { code: 100, epochs, batch: 128, length: 2.0, predict: Predict::Hidden, ..Self::default() }
    }

    /// Learns from users, and lets `observer` follow.
    pub fn fit_observed(&self, users: &SparseMatrix, observer: &mut dyn Observer) -> Result<MultDaeModel> {
        check(users)?;
        let input = Samples::from(scaled(users, self.length));
        let target = Samples::from(users.clone());
        let mut trainer = Trainer::new(&self.config(), &input, Some(&target), None)?;
        trainer.run(observer)?;
        Ok(MultDaeModel { model: trainer.finish(), length: self.length })
    }

    fn config(&self) -> AutoencoderConfig {
        AutoencoderConfig {
            code: Some(self.code),
            activation: Some(Activation::Tanh),
            input: Some(Weighting::Counts),
            target_input: Some(Weighting::Counts),
            sif: Some(0.0),
            loss: Some(Loss::Multinomial),
            noise: Some(Corruption::Mask(0.5)),
            predict: self.predict,
            lr: Some(5e-3),
            decay: Some(0.2),
            batch: Some(self.batch),
            epochs: Some(self.epochs),
            threads: self.threads,
            seed: self.seed,
            ..AutoencoderConfig::default()
        }
    }
}

impl Fit<SparseMatrix> for MultDae {
    type Model = MultDaeModel;

    fn fit(&self, users: &SparseMatrix) -> Result<MultDaeModel> {
        self.fit_observed(users, &mut Silent)
    }
}

impl MultDaeModel {
    /// The autoencoder.
    pub fn autoencoder(&self) -> &Autoencoder {
        &self.model
    }

    /// What the decoder gives each item, `histories x items`: each row sums to one.
    pub fn shares(&self, histories: &SparseMatrix) -> Result<Matrix> {
        check_items(self.items(), histories)?;
        self.model.reconstruct(&Samples::from(scaled(histories, self.length)))
    }
}

impl Recommend for MultDaeModel {
    fn items(&self) -> usize {
        self.model.outputs()
    }

    fn scores(&self, histories: &SparseMatrix) -> Result<Matrix> {
        let mut scores = self.shares(histories)?;
        scores.as_mut_slice().iter_mut().for_each(|share| *share = share.max(f32::MIN_POSITIVE).ln());
        Ok(scores)
    }
}

/// The rows, each scaled to one length; empty ones stay empty.
fn scaled(rows: &SparseMatrix, length: f64) -> SparseMatrix {
    let mut out = SparseMatrix::empty(rows.cols());
    for row in rows.iter_rows() {
        let norm = row.values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        let scale = if norm > 0.0 { length / norm } else { 0.0 };
        out.push(row.indices.iter().zip(row.values).map(|(&item, &value)| (item, (f64::from(value) * scale) as f32)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::rows;
    use super::*;

    #[test]
    fn rows_are_scaled_to_one_length() {
        let scaled = scaled(&rows(5, &[&[0, 1, 3, 4], &[], &[2]]), 2.0);
        assert_eq!(scaled.row(0).values, [1.0; 4]);
        assert_eq!((scaled.row(1).values.len(), scaled.row(2).values), (0, &[2.0][..]));
    }

    #[test]
    fn settings_are_in_range() -> Result<()> {
        for settings in [MultDae::default(), MultDae::baskets(100), MultDae::baskets(10_000_000)] {
            settings.config().resolved(true)?;
        }
        Ok(())
    }

    #[test]
    fn what_was_taken_together_is_given_back_together() -> Result<()> {
        // Two kinds of users, who never take each other's items.
        let kinds: [&[u32]; 4] = [&[0, 1, 2], &[0, 1, 3], &[4, 5, 6], &[4, 5, 7]];
        let users: Vec<&[u32]> = kinds.iter().copied().cycle().take(400).collect();
        let model = MultDae { epochs: 20, threads: 1, ..MultDae::default() }.fit(&rows(8, &users))?;
        let scores = model.scores(&rows(8, &[&[0], &[4]]))?;
        let (first, second) = (scores.row(0), scores.row(1));
        assert!((1..4).all(|own| (4..8).all(|other| first[own] > first[other])), "{first:?}");
        assert!((5..8).all(|own| (0..4).all(|other| second[own] > second[other])), "{second:?}");
        let shares = model.shares(&rows(8, &[&[0, 1]]))?;
        assert!((shares.row(0).iter().sum::<f32>() - 1.0).abs() < 1e-3);
        Ok(())
    }
}
