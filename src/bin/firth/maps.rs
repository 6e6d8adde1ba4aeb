//! Fewer numbers for each row: what `reduce` and `plot` share.

use std::time::Instant;

use clap::ValueEnum;
use firth::analysis::{MapStep, Pca, Tsne, Umap};
use firth::autoencoder::{AutoencoderConfig, Trainer};
use firth::estimator::{Fit, Transform};
use firth::math::{Matrix, Samples};
use firth::train::Every;

use crate::failure::{Failure, Outcome};
use crate::globals::{Globals, Typed};
use crate::progress::{Log, Meter, clock, memory_now};
use crate::signals;
use crate::training::{self, Work};

/// How rows are made shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Principal components: the directions along which rows differ most; quick, and distances keep their meaning
    Pca,
    /// A map on which near rows stay near, in 2 or 3 numbers; slower, and what is far apart means little
    Tsne,
    /// A map on which near rows stay near and groups lie apart, in any number of numbers
    Umap,
    /// A small autoencoder that learns to give each row back from so few numbers
    Autoencoder,
}

/// How distances are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// Directions alone: rows are scaled to length one, as in all queries
    Cosine,
    /// Rows as they are
    Euclidean,
}

/// Settings of the methods.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Method")]
pub struct MapFlags {
    /// How near is measured
    #[arg(long, value_name = "NAME", value_enum, default_value = "cosine")]
    metric: Metric,
    /// How many neighbours a point attends to, with tsne, from 1 to a third of the rows [default: 30, fewer if there are
    /// few rows]
    #[arg(long, value_name = "X")]
    perplexity: Option<f32>,
    /// Neighbours that a point is tied to, with umap, from 2: few show detail, many the whole [default: 15]
    #[arg(long, value_name = "K")]
    neighbors: Option<usize>,
    /// Steps of tsne and passes of umap, from 10 to 100000; epochs of the autoencoder, from 1 [default: tsne 750; umap 500,
    /// or 200 from 10000 rows on; autoencoder 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    iterations: Option<u32>,
}

/// Epochs of the autoencoder, and its hidden layer.
const EPOCHS: usize = 100;
const HIDDEN: usize = 128;

impl MapFlags {
    /// Refuses flags that the method does not look at.
    pub fn check(&self, method: Method, typed: &Typed) -> Outcome {
        if method != Method::Tsne {
            typed.refuse("perplexity", "it is a setting of --method tsne")?;
        }
        if method != Method::Umap {
            typed.refuse("neighbors", "it is a setting of --method umap")?;
        }
        if method == Method::Pca {
            typed.refuse("iterations", "--method pca has none")?;
        }
        Ok(())
    }

    /// The rows as distances are meant to see them.
    pub fn seen(&self, rows: &Matrix) -> Matrix {
        match self.metric {
            Metric::Cosine => rows.normalized(),
            Metric::Euclidean => rows.clone(),
        }
    }

    /// Makes rows of `to` numbers from rows that were [`MapFlags::seen`].
    pub fn map(&self, rows: &Matrix, method: Method, to: usize, globals: &Globals) -> Outcome<Matrix> {
        match method {
            Method::Pca => Ok(Pca { components: to }.fit(rows)?.transform(rows)?),
            Method::Tsne => self.tsne(rows, to, globals),
            Method::Umap => self.umap(rows, to, globals),
            Method::Autoencoder => self.autoencoder(rows, to, globals),
        }
    }

    fn tsne(&self, rows: &Matrix, to: usize, globals: &Globals) -> Outcome<Matrix> {
        let defaults = Tsne::default();
        let iterations = self.iterations.map_or(defaults.iterations, |count| count as usize);
        let settings = Tsne { dimensions: to, perplexity: self.perplexity, iterations, seed: globals.seed };
        let mut steps = Steps::new("t-SNE", rows, Some(iterations), globals);
        Ok(settings.map(rows, &signals::interrupted, |step| steps.show(step))?)
    }

    fn umap(&self, rows: &Matrix, to: usize, globals: &Globals) -> Outcome<Matrix> {
        let iterations = self.iterations.map(|count| count as usize);
        let settings = Umap { dimensions: to, neighbors: self.neighbors, iterations, seed: globals.seed };
        let mut steps = Steps::new("UMAP", rows, iterations, globals);
        Ok(settings.map(rows, &signals::interrupted, |step| steps.show(step))?)
    }

    fn autoencoder(&self, rows: &Matrix, to: usize, globals: &Globals) -> Outcome<Matrix> {
        if to > rows.cols() {
            return Err(Failure::usage(format!("--to {to}: the rows have {} numbers; give fewer", rows.cols())));
        }
        let config = AutoencoderConfig {
            code: Some(to),
            hidden: vec![HIDDEN],
            epochs: Some(self.iterations.map_or(EPOCHS, |count| count as usize)),
            checkpoint_every: Every::Never,
            threads: globals.threads(),
            seed: globals.seed,
            ..AutoencoderConfig::default()
        };
        let input = Samples::from(rows.clone());
        let mut trainer = Trainer::new(&config, &input, None, None)?;
        let mut log = Log::create(None, globals.log_json.as_deref())?;
        let work = Work { unit: "rows", threads: config.threads };
        training::learn(|observer| trainer.run(observer), work, None, globals, &mut log)?;
        Ok(trainer.finish().encode(&input)?)
    }
}

/// The line of progress of a method that looks for neighbours, then goes step by step.
struct Steps {
    name: &'static str,
    rows: usize,
    /// How many steps there will be, if that is known.
    all: Option<usize>,
    meter: Meter,
    /// When the first step was done. What came before, the search for neighbours, tells nothing of the others' time.
    started: Option<Instant>,
}

impl Steps {
    fn new(name: &'static str, rows: &Matrix, all: Option<usize>, globals: &Globals) -> Self {
        Self { name, rows: rows.rows(), all, meter: Meter::new(globals), started: None }
    }

    fn show(&mut self, step: MapStep) {
        let Self { name, rows, all, .. } = *self;
        let step = match step {
            MapStep::Neighbors(done) => {
                return self.meter.show(|| format!("{name}  neighbours of {done} of {rows} rows{}", memory_now()));
            }
            MapStep::Moves(step) => step,
        };
        let seconds = self.started.get_or_insert_with(Instant::now).elapsed().as_secs_f64();
        self.meter.show(|| match all {
            Some(all) => {
                let left = seconds / step.saturating_sub(1) as f64 * all.saturating_sub(step) as f64;
                format!("{name}  step {step} of {all}  {} left", clock(left))
            }
            None => format!("{name}  step {step}"),
        });
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.meter.clear();
    }
}
