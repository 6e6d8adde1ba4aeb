//! `firth train autoencoder`: codes for documents, or for the rows of a matrix.

use std::path::{Path, PathBuf};
use std::time::Instant;

use firth::autoencoder::{AutoencoderConfig, Loss, Trainer};
use firth::dataset::EncodedCorpus;
use firth::format::matrix;
use firth::math::Samples;
use firth::train::Every;

use crate::codes::{self, TASK};
use crate::failure::{Failure, Outcome};
use crate::globals::{Globals, Typed};
use crate::output::{self, Force};
use crate::plan::{Needed, Plan};
use crate::progress::{self, Log, counted};
use crate::rows::{Rows, SPREAD, Spread};
use crate::run_folder::{self, Elsewhere, LOG, Lock, Origin, RunFolder};
use crate::text::TextFlags;
use crate::training::{self, Work};
use crate::{model, place, signals};

/// Flags of the task.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// Text (files, folders, globs, - for standard input; .gz .zst .bz2 .xz too), one encoded corpus, or one matrix
    /// (.npy, .npz, .csv)
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "Training")]
    train: AutoencoderConfig,
    /// For a matrix: learn this one from it, row by row [default: the input itself]
    #[arg(long, value_name = "PATH", help_heading = "Training")]
    target: Option<PathBuf>,
    /// For text: the first layer starts from the word vectors of a run or of a vector file, which have as many numbers as it
    /// has units
    #[arg(long, value_name = "MODEL", help_heading = "Training on")]
    init_words: Option<PathBuf>,
    /// Tell what the run will need and write nothing, no log either
    #[arg(long, help_heading = "Output")]
    dry_run: bool,
    #[command(flatten)]
    text: TextFlags,
    #[command(flatten)]
    spread: Spread,
    /// Where the run goes: a folder; missing ones above it are made
    #[arg(short, long, value_name = "RUN", help_heading = "Output")]
    output: PathBuf,
    #[command(flatten)]
    force: Force,
}

/// What the inputs are.
#[derive(Clone, Copy)]
enum Input<'a> {
    Text,
    Encoded(&'a Path),
    Matrix(&'a Path),
}

/// Trains and writes the run.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    let started = Instant::now();
    let target = flags.output.as_path();
    let read: Vec<PathBuf> = flags.inputs.iter().chain(&flags.target).chain(&flags.init_words).cloned().collect();
    place::check(target, "a run", &read)?;
    place::check_log(globals.log_json.as_deref(), &read, target)?;
    if place::vectors_only(target, None)?.is_some() {
        let shown = target.display();
        let message =
            format!("{shown}: an autoencoder's run is a folder; name one, and then: firth embed RUN INPUT -o {shown}");
        return Err(Failure::usage(message));
    }
    let input = Input::of(&flags.inputs)?;
    input.refuse(typed)?;
    flags.text.check(typed)?;
    let mut config = flags.train.clone();
    config.threads = globals.threads();
    config.seed = globals.seed;
    if !matches!(input, Input::Matrix(_)) {
        // Of text the kind is known, and what does not fit it is told before hours of reading.
        resolved(&config, true, typed)?;
    }
    let init_words = flags.init_words.as_deref().map(model::read).transpose()?;
    if let (Some(words), Some(units)) = (&init_words, config.hidden.first().copied().or(config.resolved(true)?.code))
        && words.dim() != units
    {
        let flag = if config.hidden.is_empty() { "code" } else { "hidden" };
        let found = words.dim();
        let message = format!(
            "--init-words: its vectors have {found} numbers, the first layer {units} units; add --{flag} {found}"
        );
        return Err(Failure::usage(message));
    }

    let mut run = RunFolder::new(target, flags.force.force, config.checkpoint_every)?;
    let folder = run.path()?;
    let mut log = Log::create(Some(&folder.join(LOG)), globals.log_json.as_deref())?;
    let rows = match input {
        Input::Text => {
            let staged = run.staged().expect("a new run is hidden until its first checkpoint");
            let text = flags.text.open(&flags.inputs, staged, None)?;
            Rows::of_corpus(flags.text.encode(&text, None, &folder, globals, &mut log)?, flags.spread)?
        }
        Input::Encoded(path) => Rows::of_corpus(EncodedCorpus::open(path).map_err(Failure::Input)?, flags.spread)?,
        Input::Matrix(path) => Rows::of_matrix(path, flags.target.as_deref())?,
    };
    let config = resolved(&config.with_epochs_for(&rows.input), matches!(rows.input, Samples::Sparse(_)), typed)?;
    let plan = Plan::from_needs(needs(&config, &rows), target)?;
    if flags.dry_run {
        return plan.print(globals);
    }
    if let (Input::Encoded(_), Some(corpus)) = (input, &rows.corpus) {
        corpus.save_vocabulary(&folder)?;
    }
    let elsewhere = match input {
        Input::Text => Elsewhere::Nothing,
        Input::Encoded(path) => Elsewhere::Corpus(path),
        Input::Matrix(path) => Elsewhere::Matrix(path, flags.target.as_deref()),
    };
    let checksum = rows.corpus.as_ref().map(|corpus| corpus.report().checksum.as_str());
    let origin = Origin { task: TASK, inputs: &flags.inputs, elsewhere, checksum };
    run_folder::save_config(&folder, typed, &AutoencoderConfig { seed: 0, ..config.clone() }, &origin)?;
    if globals.verbose {
        let settings =
            serde_json::to_string(&config).map_err(|error| firth::Error::Backend { source: Box::new(error) })?;
        progress::note(globals, format_args!("{} columns, settings {settings}", rows.input.cols()));
    }
    let _lock = Lock::take(&folder)?;
    let mut trainer = Trainer::new(&config, &rows.input, rows.target.as_ref(), rows.words.clone())?;
    if let Some(words) = &init_words {
        let found = trainer.start_from(words)?;
        let given = rows.words.as_ref().map_or(0, |words| words.keys().len());
        let found = counted(found as u64, "word starts", "words start");
        progress::note(globals, format_args!("{found} from the vectors given, of {given}"));
    }
    drop(init_words);
    let work = Work { unit: codes::unit(&rows), threads: config.threads };
    let summary = training::learn(|observer| trainer.run(observer), work, Some(&mut run), globals, &mut log)?;
    if run.is_published() {
        // What is left to do is soon done, and can be done again by resuming.
        signals::disarm();
    }
    let empty = trainer.empty_rows().to_vec();
    let documents = codes::write(&trainer.finish(), &rows, &run.path()?)?;
    codes::warn_of_empty(&empty, &rows, &documents);
    let report = training::report(&summary, None, target, started)?;
    log.report("done", &report)?;
    drop(log);
    run.finish()?;
    if globals.json { output::json(&report) } else { codes::print(&summary, &rows, target, globals) }
}

impl<'a> Input<'a> {
    fn of(inputs: &'a [PathBuf]) -> Outcome<Self> {
        if let [only] = inputs
            && EncodedCorpus::is_encoded(only)
        {
            return Ok(Self::Encoded(only));
        }
        match inputs.iter().find(|path| matrix::is_matrix(path)) {
            Some(only) if inputs.len() == 1 => Ok(Self::Matrix(only)),
            Some(path) => Err(Failure::usage(format!("{}: a matrix is the only input; give one", path.display()))),
            None => Ok(Self::Text),
        }
    }

    /// Refuses flags that say nothing about such an input.
    fn refuse(self, typed: &Typed) -> Outcome {
        match self {
            Self::Text => typed.refuse("target", "text is its own target; give a matrix"),
            Self::Encoded(path) => {
                TextFlags::refuse(typed, &TextFlags::is_encoded(path))?;
                typed.refuse("target", "text is its own target; give a matrix")
            }
            Self::Matrix(path) => {
                let why = format!("{} is a matrix, whose columns have no words", path.display());
                TextFlags::refuse(typed, &why)?;
                SPREAD.iter().chain(&["init-words"]).try_for_each(|flag| typed.refuse(flag, &why))
            }
        }
    }
}

/// The settings in force; a flag without effect on them is refused.
fn resolved(config: &AutoencoderConfig, is_sparse: bool, typed: &Typed) -> Outcome<AutoencoderConfig> {
    let config = config.resolved(is_sparse)?;
    if config.loss != Some(Loss::Multinomial) {
        typed.refuse("samples", "only the multinomial loss is summed over a sample of the columns")?;
    }
    if config.checkpoint_every == Every::Never {
        typed.refuse("keep", "no checkpoint is written")?;
    }
    if config.heldout == 0.0 {
        typed.refuse("patience", "nothing is held out; add --heldout 1%")?;
    }
    Ok(config)
}

/// What a run takes beyond its data: weights, each with two moments of its gradient.
fn needs(config: &AutoencoderConfig, rows: &Rows) -> Needed {
    const TABLES: u64 = 3;
    let code = config.code.unwrap_or_default();
    let outputs = rows.target.as_ref().unwrap_or(&rows.input).cols();
    let inner = [config.hidden.as_slice(), &[code]].concat();
    let widths: Vec<u64> = [rows.input.cols()].iter().chain(&inner).map(|&units| units as u64).collect();
    let product = |from: u64, to: u64| from.saturating_mul(to);
    let up = widths.windows(2).fold(0u64, |sum, pair| sum.saturating_add(product(pair[0], pair[1])));
    let first = inner.first().map_or(0, |&units| units as u64);
    let down = if config.tied { 0 } else { up - product(widths[0], first) + product(outputs as u64, first) };
    let weights = up.saturating_add(down).saturating_mul(4);
    let codes = product(rows.input.rows() as u64, 4 * code as u64);
    let words = if rows.words.is_some() { product(widths[0], 4 * first) } else { 0 };
    let kept = if config.checkpoint_every == Every::Never { 0 } else { config.keep as u64 + 1 };
    Needed {
        memory: weights.saturating_mul(TABLES).saturating_add(codes),
        disk: weights
            .saturating_mul(1 + kept * TABLES + u64::from(config.heldout > 0.0))
            .saturating_add(codes.saturating_add(words)),
        remedy: "lower --code or --hidden, or keep fewer columns (--min-documents)",
    }
}
