//! The settings of an autoencoder: variants are values here, and combine freely.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_positive, check_range};
use crate::math::Samples;
use crate::train::Every;

/// What squashes the units of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Activation {
    /// The hyperbolic tangent, from -1 to 1.
    Tanh,
    /// The logistic function, from 0 to 1.
    Sigmoid,
    /// The positive part.
    Relu,
    /// Nothing: a linear layer.
    Linear,
}

/// What the numbers of a sparse row become before they are learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Weighting {
    /// They stay as they are.
    Counts,
    /// One, if not zero.
    Binary,
    /// ln(1 + count).
    Log,
    /// (1 + ln count) ln((1 + documents) / (1 + documents with the word)) + 1, each row scaled to one length.
    Tfidf,
}

/// What the output is compared by with the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Loss {
    /// Cross-entropy of a softmax over all columns: for counts, bags of words, baskets.
    Multinomial,
    /// The squared error: for measurements and images.
    Mse,
    /// Binary cross-entropy of each column: for targets from 0 to 1.
    Bce,
}

/// Which part of the target is to be predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Predict {
    /// All of it.
    #[default]
    All,
    /// What --noise mask:P hid, and nothing else.
    Hidden,
}

/// How the input is spoilt, afresh in every epoch; the target stays clean (Vincent et al., 2010).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Corruption {
    /// It is not.
    None,
    /// Each number is set to zero with this probability; of sparse rows, the others are scaled up to make good for it.
    Mask(f64),
    /// Gaussian noise of this standard deviation is added to every number of a dense row.
    Gauss(f64),
    /// Each number becomes 0 or 1, by the toss of a coin, with this probability.
    Salt(f64),
    /// A rectangle of an image is set to zero.
    Block {
        /// The rectangle's rows and columns.
        size: [usize; 2],
        /// The image's rows and columns; a row of the data holds it row after row.
        image: [usize; 2],
    },
}

/// What keeps most units of the code silent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Sparsity {
    /// Nothing does.
    None,
    /// The weight of the sum of absolute values.
    L1(f64),
    /// The weight `beta` of the divergence of each unit's mean activation from `rho` (Ng, 2011); needs a sigmoid code.
    Kl {
        /// The activation aimed at.
        rho: f64,
        /// The weight.
        beta: f64,
    },
    /// Only so many units, those with the largest absolute values, are kept (Makhzani and Frey, 2014).
    TopK(usize),
}

/// Settings of an autoencoder. What is `None` follows the kind of data ([`AutoencoderConfig::resolved`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct AutoencoderConfig {
    /// Units of the code: numbers in a document's vector [1 to 65536] [default: text 100, matrices 64]
    #[cfg_attr(feature = "cli", arg(long, value_name = "UNITS", alias = "dim"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<usize>,
    /// Units of the layers between input and code, mirrored behind the code, as 512,128 [default: none]
    #[cfg_attr(feature = "cli", arg(long, value_name = "UNITS,...", value_delimiter = ','))]
    pub hidden: Vec<usize>,
    /// What squashes the units [default: text tanh, matrices relu]
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// What squashes the units of the code [default: as --activation]
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_activation: Option<Activation>,
    /// One table for the first and the last layer, and so for all layers between: half the weights
    #[cfg_attr(feature = "cli", arg(long))]
    pub tied: bool,
    /// What the input's numbers become first [default: text tfidf, matrices counts: as they are]
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Weighting>,
    /// What the target's numbers become first [default: text log, matrices counts: as they are]
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_input: Option<Weighting>,
    /// Weigh a target's column of frequency p by A / (A + p) (Arora et al., 2017); 0 does not [0 to 1] [default: text 1e-3, matrices and other losses 0]
    #[cfg_attr(feature = "cli", arg(long, value_name = "A"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sif: Option<f64>,
    /// What the output is compared by with the target [default: text multinomial, matrices mse]
    #[cfg_attr(feature = "cli", arg(long, value_enum))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// Spoil the input, afresh every epoch: mask:P, gauss:SD, salt:P, block:4x4:28x28 (a block of an image of that size) or none
    /// [default: text mask:0.5, matrices none]
    #[cfg_attr(feature = "cli", arg(long, value_name = "KIND"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<Corruption>,
    /// Which part of the target is to be predicted
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t))]
    pub predict: Predict,
    /// Take the mean code of training off every code, so that cosines tell documents apart [default: text true unless --sparse,
    /// matrices false]
    #[cfg_attr(feature = "cli", arg(long, value_name = "BOOL"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub center: Option<bool>,
    /// Keep most units of the code silent: l1:WEIGHT, kl:RHO:WEIGHT (sigmoid codes), topk:UNITS or none
    #[cfg_attr(feature = "cli", arg(long, value_name = "KIND", default_value_t = Sparsity::None))]
    pub sparse: Sparsity,
    /// Weight of the squared norm of the code's Jacobian (Rifai et al., 2011) [from 0]
    #[cfg_attr(feature = "cli", arg(long, value_name = "WEIGHT", default_value_t = 0.0))]
    pub contractive: f64,
    /// Softmax over the batch's own columns and so many others, chosen at random; 0: over all, always. Up to 10,000 columns it is
    /// over all in any case [0 to 1000000]
    #[cfg_attr(feature = "cli", arg(long, value_name = "COLUMNS", default_value_t = 500))]
    pub samples: usize,
    /// Learning rate of AdamW at the start; falls in a line [above 0] [default: text 0.01, matrices 0.002]
    #[cfg_attr(feature = "cli", arg(long, value_name = "RATE"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// The learning rate falls no lower than this fraction of --lr [0 to 1]
    #[cfg_attr(feature = "cli", arg(long, value_name = "FRACTION", default_value_t = 0.05))]
    pub min_lr: f64,
    /// Decoupled weight decay of an epoch: at the full learning rate, weights shrink by exp(-DECAY) [0 to 100] [default: text 1.4, matrices 0]
    #[cfg_attr(feature = "cli", arg(long, value_name = "DECAY"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay: Option<f64>,
    /// Rows in a step [1 to 65536] [default: text 128, matrices 64]
    #[cfg_attr(feature = "cli", arg(long, value_name = "ROWS"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Passes over the rows [1 to 100000] [default: text 8, or up to 100 until there are 100 steps; matrices 100, or up to 1000
    /// until there are 4000 steps]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Train so many times from different starts and keep the one with the lowest loss [1 to 1000]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = 1))]
    pub restarts: usize,
    /// Share of the rows, chosen at random, to measure on instead of training; the best epoch is kept [0 to 0.5, or 1%]
    #[cfg_attr(feature = "cli", arg(long, value_name = "SHARE", default_value = "0", value_parser = crate::train::share))]
    pub heldout: f64,
    /// With --heldout, stop after so many epochs without a better one; 0 never does [0 to 10000]
    #[cfg_attr(feature = "cli", arg(long, value_name = "EPOCHS", default_value_t = 0))]
    pub patience: usize,
    /// How often a checkpoint is written: epoch, 3 (epochs), 90s, 10m, 2h or never
    #[cfg_attr(feature = "cli", arg(long, value_name = "INTERVAL", default_value_t = CHECKPOINT_EVERY))]
    pub checkpoint_every: Every,
    /// Checkpoints that stay, the newest ones [1 to 1000]
    #[cfg_attr(feature = "cli", arg(long, value_name = "N", default_value_t = 1))]
    pub keep: usize,
    /// Workers.
    #[cfg_attr(feature = "cli", arg(skip = crate::train::available_threads()))]
    #[serde(skip, default = "crate::train::available_threads")]
    pub threads: usize,
    /// Names all random numbers of the run.
    #[cfg_attr(feature = "cli", arg(skip = 1u64))]
    pub seed: u64,
}

/// Seldom enough to cost nothing, and often enough that a crash does not cost an afternoon.
const CHECKPOINT_EVERY: Every = Every::Time(Duration::from_secs(600));

impl Default for AutoencoderConfig {
    fn default() -> Self {
        Self {
            code: None,
            hidden: Vec::new(),
            activation: None,
            code_activation: None,
            tied: false,
            input: None,
            target_input: None,
            sif: None,
            loss: None,
            noise: None,
            predict: Predict::All,
            center: None,
            sparse: Sparsity::None,
            contractive: 0.0,
            samples: 500,
            lr: None,
            min_lr: 0.05,
            decay: None,
            batch: None,
            epochs: None,
            restarts: 1,
            heldout: 0.0,
            patience: 0,
            checkpoint_every: CHECKPOINT_EVERY,
            keep: 1,
            threads: crate::train::available_threads(),
            seed: 1,
        }
    }
}

/// The settings in force: every choice is made, every range checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub code: usize,
    pub activation: Activation,
    pub code_activation: Activation,
    pub input: Weighting,
    pub target: Weighting,
    pub sif: f64,
    pub loss: Loss,
    pub noise: Corruption,
    pub center: bool,
    pub lr: f64,
    pub decay: f64,
    pub batch: usize,
    pub epochs: usize,
}

impl AutoencoderConfig {
    /// Checks every range and fills in what was left to the kind of data: sparse rows are taken for counts (text, users,
    /// baskets), dense ones for measurements (images).
    pub fn resolved(&self, is_sparse: bool) -> Result<Self> {
        let activation = self.activation.unwrap_or(if is_sparse { Activation::Tanh } else { Activation::Relu });
        let loss = self.loss.unwrap_or(if is_sparse { Loss::Multinomial } else { Loss::Mse });
        let weighting = |text| if is_sparse { text } else { Weighting::Counts };
        let resolved = Self {
            code: Some(self.code.unwrap_or(if is_sparse { 100 } else { 64 })),
            activation: Some(activation),
            code_activation: Some(self.code_activation.unwrap_or(activation)),
            input: Some(self.input.unwrap_or(weighting(Weighting::Tfidf))),
            target_input: Some(self.target_input.unwrap_or(weighting(Weighting::Log))),
            sif: Some(self.sif.unwrap_or(if loss == Loss::Multinomial && is_sparse { 1e-3 } else { 0.0 })),
            loss: Some(loss),
            noise: Some(self.noise.unwrap_or(if is_sparse { Corruption::Mask(0.5) } else { Corruption::None })),
            lr: Some(self.lr.unwrap_or(if is_sparse { 1e-2 } else { 2e-3 })),
            center: Some(self.center.unwrap_or(is_sparse && self.sparse == Sparsity::None)),
            decay: Some(self.decay.unwrap_or(if is_sparse { 1.4 } else { 0.0 })),
            batch: Some(self.batch.unwrap_or(if is_sparse { 128 } else { 64 })),
            epochs: Some(self.epochs.unwrap_or(if is_sparse { 8 } else { 100 })),
            ..self.clone()
        };
        resolved.check(is_sparse)?;
        Ok(resolved)
    }

    /// With as many epochs as these rows need, if that was left open: the usual, or more where there are so few rows that
    /// training would end before much is learnt.
    pub fn with_epochs_for(&self, rows: &Samples) -> Self {
        let is_sparse = matches!(rows, Samples::Sparse(_));
        let (steps, most) = if is_sparse { (100, 100) } else { (4000, 1000) };
        let Ok(usual) = self.resolved(is_sparse) else { return self.clone() };
        let Settings { batch, epochs, .. } = usual.settings();
        let enough = epochs.max((steps / rows.rows().div_ceil(batch).max(1)).min(most));
        Self { epochs: self.epochs.or(Some(enough)), ..self.clone() }
    }

    fn check(&self, is_sparse: bool) -> Result<()> {
        let weight = |option: &str, value: f64| {
            let expected = || Error::config(option, format!("{value} is out of range, expected 0 or more"));
            if value.is_finite() && value >= 0.0 { Ok(()) } else { Err(expected()) }
        };
        let settings = self.settings();
        check_range("--code", settings.code, 1..=MOST_UNITS)?;
        for &units in &self.hidden {
            check_range("--hidden", units, 1..=MOST_UNITS)?;
        }
        if self.hidden.len() > MOST_LAYERS {
            let reason = format!("{} layers are too many, expected at most {MOST_LAYERS}", self.hidden.len());
            return Err(Error::config("--hidden", reason));
        }
        check_range("--sif", settings.sif, 0.0..=1.0)?;
        weight("--contractive", self.contractive)?;
        check_range("--samples", self.samples, 0..=1_000_000)?;
        check_positive("--lr", settings.lr)?;
        check_range("--min-lr", self.min_lr, 0.0..=1.0)?;
        check_range("--decay", settings.decay, 0.0..=100.0)?;
        check_range("--batch", settings.batch, 1..=65_536)?;
        check_range("--epochs", settings.epochs, 1..=100_000)?;
        check_range("--restarts", self.restarts, 1..=1000)?;
        check_range("--heldout", self.heldout, 0.0..=0.5)?;
        check_range("--patience", self.patience, 0..=10_000)?;
        check_range("--keep", self.keep, 1..=1000)?;
        check_range("--threads", self.threads, 1..=1024)?;
        match settings.noise {
            Corruption::Mask(p) | Corruption::Salt(p) if !(0.0..1.0).contains(&p) => {
                return Err(Error::config(
                    "--noise",
                    format!("a probability of {p} is out of range, expected 0 to below 1"),
                ));
            }
            Corruption::Gauss(sd) if !(sd.is_finite() && sd >= 0.0) => {
                return Err(Error::config(
                    "--noise",
                    format!("a deviation of {sd} is out of range, expected 0 or more"),
                ));
            }
            Corruption::Gauss(_) | Corruption::Salt(_) | Corruption::Block { .. } if is_sparse => {
                let reason = format!("{} needs dense rows; sparse ones can be masked: mask:0.5", settings.noise);
                return Err(Error::config("--noise", reason));
            }
            Corruption::Block { size, image } if (0..2).any(|side| size[side] == 0 || size[side] > image[side]) => {
                return Err(Error::config("--noise", format!("{}: the block does not fit the image", settings.noise)));
            }
            _ => {}
        }
        match self.sparse {
            Sparsity::L1(of_sum) => weight("--sparse", of_sum)?,
            Sparsity::Kl { rho, beta } => {
                if !(rho > 0.0 && rho < 1.0) {
                    return Err(Error::config(
                        "--sparse",
                        format!("an activation of {rho} is out of range, expected above 0 to below 1"),
                    ));
                }
                weight("--sparse", beta)?;
                if settings.code_activation != Activation::Sigmoid {
                    let reason = "kl compares activations with a probability; add --code-activation sigmoid";
                    return Err(Error::config("--sparse", reason));
                }
            }
            Sparsity::TopK(units) => check_range("--sparse", units, 1..=settings.code)?,
            Sparsity::None => {}
        }
        if self.predict == Predict::Hidden && !matches!(settings.noise, Corruption::Mask(p) if p > 0.0) {
            return Err(Error::config("--predict", "hidden needs something hidden: --noise mask:0.5"));
        }
        if self.predict == Predict::Hidden && self.heldout > 0.0 {
            let reason = "with --predict hidden there is no fixed question to measure; drop one of them";
            return Err(Error::config("--heldout", reason));
        }
        Ok(())
    }

    /// The choices of a resolved configuration.
    ///
    /// # Panics
    /// If it is not resolved.
    pub(super) fn settings(&self) -> Settings {
        const RESOLVED: &str = "a resolved configuration";
        Settings {
            code: self.code.expect(RESOLVED),
            activation: self.activation.expect(RESOLVED),
            code_activation: self.code_activation.expect(RESOLVED),
            input: self.input.expect(RESOLVED),
            target: self.target_input.expect(RESOLVED),
            sif: self.sif.expect(RESOLVED),
            loss: self.loss.expect(RESOLVED),
            noise: self.noise.expect(RESOLVED),
            center: self.center.expect(RESOLVED),
            lr: self.lr.expect(RESOLVED),
            decay: self.decay.expect(RESOLVED),
            batch: self.batch.expect(RESOLVED),
            epochs: self.epochs.expect(RESOLVED),
        }
    }
}

/// The widest layer.
const MOST_UNITS: usize = 65_536;
/// The most layers between input and code.
const MOST_LAYERS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut AutoencoderConfig), is_sparse: bool) -> String {
        let mut config = AutoencoderConfig::default();
        change(&mut config);
        config.resolved(is_sparse).expect_err("refused").to_string()
    }

    #[test]
    fn what_is_left_open_follows_the_kind_of_data() -> Result<()> {
        let text = AutoencoderConfig::default().resolved(true)?.settings();
        assert_eq!((text.code, text.batch, text.epochs), (100, 128, 8));
        assert_eq!((text.input, text.target, text.loss), (Weighting::Tfidf, Weighting::Log, Loss::Multinomial));
        assert_eq!((text.sif, text.lr, text.noise), (1e-3, 1e-2, Corruption::Mask(0.5)));
        assert_eq!(text.code_activation, Activation::Tanh);
        let images = AutoencoderConfig::default().resolved(false)?.settings();
        assert_eq!((images.code, images.loss, images.noise), (64, Loss::Mse, Corruption::None));
        let sigmoid = AutoencoderConfig { activation: Some(Activation::Sigmoid), ..Default::default() };
        assert_eq!(sigmoid.resolved(false)?.settings().code_activation, Activation::Sigmoid);
        Ok(())
    }

    #[test]
    fn numbers_out_of_range_are_refused_with_the_range() {
        type Change = fn(&mut AutoencoderConfig);
        let cases: &[(Change, &str)] = &[
            (|c| c.code = Some(65_537), "--code: 65537 is out of range, expected 1 to 65536"),
            (|c| c.hidden = vec![8; 17], "--hidden: 17 layers are too many, expected at most 16"),
            (|c| c.lr = Some(0.0), "--lr: 0 is out of range, expected a number above 0"),
            (|c| c.lr = Some(f64::NAN), "--lr: NaN is out of range, expected a number above 0"),
            (|c| c.epochs = Some(0), "--epochs: 0 is out of range, expected 1 to 100000"),
            (|c| c.heldout = f64::NAN, "--heldout: NaN is out of range, expected 0 to 0.5"),
            (
                |c| c.noise = Some(Corruption::Mask(1.0)),
                "--noise: a probability of 1 is out of range, expected 0 to below 1",
            ),
            (
                |c| c.noise = Some(Corruption::Salt(f64::NAN)),
                "--noise: a probability of NaN is out of range, expected 0 to below 1",
            ),
            (
                |c| c.noise = Some(Corruption::Gauss(-1.0)),
                "--noise: a deviation of -1 is out of range, expected 0 or more",
            ),
            (
                |c| c.noise = Some(Corruption::Block { size: [3, 1], image: [2, 2] }),
                "--noise: block:3x1:2x2: the block does not fit the image",
            ),
            (
                |c| c.sparse = Sparsity::Kl { rho: 0.1, beta: 1.0 },
                "--sparse: kl compares activations with a probability; add --code-activation sigmoid",
            ),
            (|c| (c.code, c.sparse) = (Some(8), Sparsity::TopK(9)), "--sparse: 9 is out of range, expected 1 to 8"),
            (|c| c.contractive = -1.0, "--contractive: -1 is out of range, expected 0 or more"),
            (|c| c.contractive = f64::NAN, "--contractive: NaN is out of range, expected 0 or more"),
            (|c| c.sparse = Sparsity::L1(f64::INFINITY), "--sparse: inf is out of range, expected 0 or more"),
            (|c| c.sparse = Sparsity::TopK(0), "--sparse: 0 is out of range, expected 1 to 64"),
            (|c| c.predict = Predict::Hidden, "--predict: hidden needs something hidden: --noise mask:0.5"),
        ];
        for (change, expected) in cases {
            assert_eq!(refusal(change, false), *expected);
        }
    }

    #[test]
    fn sparse_rows_can_be_masked_and_nothing_else() {
        for noise in ["gauss:0.3", "salt:0.1", "block:1x1:2x2"] {
            let message = refusal(|config| config.noise = Some(noise.parse().expect("a noise")), true);
            assert_eq!(message, format!("--noise: {noise} needs dense rows; sparse ones can be masked: mask:0.5"));
        }
    }

    #[test]
    fn noise_and_sparsity_are_read_as_they_are_written() {
        for text in ["none", "mask:0.5", "gauss:0.3", "salt:0.1", "block:4x5:28x29"] {
            assert_eq!(text.parse::<Corruption>().expect("a noise").to_string(), text);
        }
        for text in ["none", "l1:0.1", "kl:0.05:1", "topk:32"] {
            assert_eq!(text.parse::<Sparsity>().expect("a sparsity").to_string(), text);
        }
        for text in ["", "mask", "mask:x", "gauss:0.3:1", "block:4:28x28", "block:4x4", "block:-1x4:8x8", "blur:1"] {
            let message = text.parse::<Corruption>().expect_err("no noise");
            assert!(message.contains(&format!("{text:?}")) && message.contains("expected mask:0.5"), "{message}");
        }
        for text in ["", "l1", "kl:0.1", "topk:1.5", "topk:-1", "l2:1"] {
            let message = text.parse::<Sparsity>().expect_err("no sparsity");
            assert!(message.contains(&format!("{text:?}")) && message.contains("expected l1:0.1"), "{message}");
        }
    }

    #[test]
    fn settings_come_back_from_toml_as_they_were() -> Result<()> {
        let set = AutoencoderConfig {
            code: Some(12),
            hidden: vec![64, 32],
            activation: Some(Activation::Relu),
            code_activation: Some(Activation::Sigmoid),
            tied: true,
            noise: Some(Corruption::Block { size: [2, 3], image: [8, 9] }),
            sparse: Sparsity::Kl { rho: 0.05, beta: 0.1 },
            contractive: 0.3,
            heldout: 0.1,
            checkpoint_every: Every::Epochs(3),
            seed: 9,
            ..Default::default()
        };
        for config in [AutoencoderConfig::default(), set.clone(), set.resolved(false)?] {
            let text = toml::to_string(&config).expect("settings can be written");
            assert_eq!(toml::from_str::<AutoencoderConfig>(&text).expect("and read"), config, "{text}");
        }
        let message = toml::from_str::<AutoencoderConfig>("sparse = \"l3:1\"").expect_err("no sparsity").to_string();
        assert!(message.contains("expected l1:0.1"), "{message}");
        assert!(toml::from_str::<AutoencoderConfig>("codes = 3").is_err());
        Ok(())
    }
}
