//! Word vectors pooled into vectors of documents: the flags, the two passes that fit, and what is kept of it in a run.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use firth::Error;
use firth::corpus::Corpus;
use firth::embeddings::pooling::{self, Known, Survey, has_capitals};
use firth::embeddings::{Embeddings, Frequencies, Pool, Pooling, PoolingModel};
use firth::math::Matrix;
use firth::tokenizer::{Scratch, Tokenizer};
use rayon::prelude::*;

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::progress::{Meter, memory_now, note, short, thousands, warn};
use crate::text::TokenFlags;
use crate::{model, run_folder, signals};

/// How words make documents.
#[derive(Debug, clap::Args)]
pub struct PoolFlags {
    /// Make vectors of documents from those of their words so [default: the run's own way, else sif]
    #[arg(long, value_name = "METHOD", value_enum, help_heading = "Pooling")]
    pool: Option<Pool>,
    /// With sif: how common a word is that weighs half, as a share of all words [above 0; default: 0.001]
    #[arg(long, value_name = "X", help_heading = "Pooling")]
    a: Option<f64>,
    /// With sif and usif: directions common to all documents that are taken off, from 0 [default: 1 and 5]
    #[arg(long, value_name = "N", help_heading = "Pooling")]
    components: Option<usize>,
    /// With sif and usif: where the frequencies of words are taken from [default: the model if it has counts, else rank]
    #[arg(long, value_name = "FROM", value_enum, help_heading = "Pooling")]
    frequencies: Option<Frequencies>,
    #[command(flatten)]
    tokens: TokenFlags,
}

/// The flags above, by name, without those that say how text is cut.
const NAMES: [&str; 4] = ["pool", "a", "components", "frequencies"];

impl PoolFlags {
    /// Refuses all of them, and says why they change nothing.
    pub fn refuse(typed: &Typed, why: &str) -> Outcome {
        NAMES.iter().chain(&TokenFlags::NAMES).try_for_each(|name| typed.refuse(name, why))
    }

    /// Was a method asked for, or a setting of one?
    pub fn is_given(&self) -> bool {
        self.pool.is_some() || self.a.is_some() || self.components.is_some() || self.frequencies.is_some()
    }

    /// The method and its settings; a flag without effect on it is refused.
    fn pooling(&self, typed: &Typed) -> Outcome<Pooling> {
        let usual = Pooling::default();
        let pool = self.pool.unwrap_or(usual.pool);
        if pool != Pool::Sif {
            typed.refuse("a", "only sif has it; usif finds its own")?;
        }
        if !matches!(pool, Pool::Sif | Pool::Usif) {
            for name in ["components", "frequencies"] {
                typed.refuse(name, "only sif and usif take directions off and weigh by frequency")?;
            }
        }
        Ok(Pooling {
            pool,
            a: self.a.unwrap_or(usual.a),
            components: self.components,
            frequencies: self.frequencies,
        })
    }
}

/// Word vectors, and how they are pooled.
pub struct Pooled {
    pub words: Embeddings,
    pub tokenizer: Tokenizer,
    pub model: PoolingModel,
}

/// Texts that are taken together.
const BLOCK: usize = 1024;
/// The text of a block holds no more bytes than this and one document.
const BLOCK_BYTES: usize = 1 << 24;

impl Pooled {
    /// Does a run's folder hold a pooling of its own?
    pub fn is_stored(run: &Path) -> bool {
        run.join(pooling::FILE).is_file()
    }

    /// The pooling that a run's folder holds.
    pub fn open(run: &Path) -> Outcome<Self> {
        let words = model::read(run)?;
        let (model, entries) = PoolingModel::open(run).reading()?;
        let tokenizer = Tokenizer::from_settings(&entries, run).reading()?;
        let shape = [model.weights().len(), model.dim()];
        if shape != [words.len(), words.dim()] {
            let what = format!("{}: words and numbers that its pooling was fitted on", run.display());
            let found = format!("{} words of {}", words.len(), words.dim());
            return Err(Failure::Input(Error::mismatch(what, format!("{} words of {}", shape[0], shape[1]), found)));
        }
        Ok(Self { words, tokenizer, model })
    }

    /// Pools the word vectors of a run or of a vector file as the flags say, fitted on documents; `each_text` gives them, as
    /// often as asked.
    pub fn fit(
        path: &Path,
        flags: &PoolFlags,
        typed: &Typed,
        globals: &Globals,
        mut each_text: impl FnMut(&mut dyn FnMut(&str) -> firth::Result<()>) -> firth::Result<()>,
    ) -> Outcome<Self> {
        let pooling = flags.pooling(typed)?;
        let words = model::read(path)?;
        let tokenizer = tokenizer(path, &words, &flags.tokens, typed)?;
        let mut survey = Survey::new(words.len());
        if pooling.needs_survey() {
            let mut pass = Pass::new("counting words", globals);
            pass.run(&words, &tokenizer, &mut each_text, |block| survey.add(block))?;
        }
        // Wrong settings are told before a pass is made in vain.
        let mut fitting = pooling.weigh(&words, &survey)?;
        if pooling.needs_directions() {
            let mut pass = Pass::new("finding what all documents share", globals);
            pass.run(&words, &tokenizer, &mut each_text, |block| fitting.add(block))?;
        }
        let model = fitting.done()?;
        let method = format!("{:?}", pooling.pool).to_lowercase();
        if pooling.needs_directions() && model.documents() < PoolingModel::ENOUGH {
            warn(format_args!(
                "{method}: {} with known words are too few to tell what all documents share; nothing is taken off",
                crate::progress::counted(model.documents(), "document", "documents")
            ));
        } else if pooling.needs_directions() {
            note(globals, format_args!("{method} fitted on {} documents", thousands(model.documents())));
        }
        Ok(Self { words, tokenizer, model })
    }

    /// The length of the vectors.
    pub fn dim(&self) -> usize {
        self.model.dim()
    }

    /// The vectors of texts, and the numbers of known and of other words of each.
    pub fn embed(&self, texts: &[&str]) -> Outcome<(Matrix, Vec<[u64; 2]>)> {
        let found = positions(&self.words, &self.tokenizer, texts)?;
        let counts = found.iter().map(|(known, unknown)| [known.len() as u64, *unknown]).collect();
        let documents: Vec<Vec<u32>> = found.into_iter().map(|(known, _)| known).collect();
        Ok((self.model.pool(&self.words, &documents)?, counts))
    }

    /// Writes it into a run's folder: how words are pooled and how text is cut.
    pub fn save(&self, folder: &Path) -> Outcome {
        let settings: BTreeMap<String, String> = self.tokenizer.settings();
        if let Some((name, json)) = self.tokenizer.file() {
            let path = folder.join(name);
            std::fs::write(&path, json).map_err(|source| Error::io(&path, source))?;
        }
        Ok(self.model.save(&folder.join(pooling::FILE), &settings)?)
    }
}

/// What cuts text into words: what cut the text of a run, else what the flags say.
fn tokenizer(path: &Path, words: &Embeddings, flags: &TokenFlags, typed: &Typed) -> Outcome<Tokenizer> {
    if path.is_dir()
        && let Some(own) = run_folder::tokenizer(path)?
    {
        let why = format!("{} has a tokenizer of its own", path.display());
        TokenFlags::NAMES.iter().try_for_each(|name| typed.refuse(name, &why))?;
        return Ok(own);
    }
    // Words are looked up as they are written first where the model tells upper from lower case.
    let usual = has_capitals(words.keys()).then_some(false);
    flags.tokenizer(usual)
}

/// The positions of the known words of texts, and the numbers of the others, on the current rayon pool.
fn positions(words: &Embeddings, tokenizer: &Tokenizer, texts: &[&str]) -> Outcome<Vec<(Vec<u32>, u64)>> {
    let known = Known::new(words, tokenizer);
    let found = texts.par_iter().map_init(Scratch::default, |scratch, text| known.find(text, scratch));
    Ok(found.collect::<Result<_, _>>()?)
}

/// One pass over documents.
struct Pass {
    doing: &'static str,
    meter: Meter,
    started: Instant,
    documents: u64,
    words: u64,
}

impl Pass {
    fn new(doing: &'static str, globals: &Globals) -> Self {
        Self { doing, meter: Meter::new(globals), started: Instant::now(), documents: 0, words: 0 }
    }

    fn run(
        &mut self,
        words: &Embeddings,
        tokenizer: &Tokenizer,
        each_text: &mut impl FnMut(&mut dyn FnMut(&str) -> firth::Result<()>) -> firth::Result<()>,
        mut take: impl FnMut(&[Vec<u32>]),
    ) -> Outcome {
        let (mut block, mut bytes): (Vec<String>, usize) = (Vec::new(), 0);
        let (mut failure, this) = (None, &mut *self);
        let mut flush = |block: &mut Vec<String>| -> Outcome {
            let texts: Vec<&str> = block.iter().map(String::as_str).collect();
            let found = positions(words, tokenizer, &texts)?;
            this.documents += found.len() as u64;
            this.words += found.iter().map(|(known, unknown)| known.len() as u64 + unknown).sum::<u64>();
            take(&found.into_iter().map(|(known, _)| known).collect::<Vec<_>>());
            block.clear();
            let speed = this.words as f64 / this.started.elapsed().as_secs_f64().max(1e-9);
            let (doing, documents) = (this.doing, short(this.documents as f64));
            this.meter.show(|| format!("{doing}  {documents} documents  {} words/s{}", short(speed), memory_now()));
            if signals::interrupted() { Err(Error::Interrupted.into()) } else { Ok(()) }
        };
        let read = each_text(&mut |text| {
            bytes += text.len();
            block.push(text.to_owned());
            if block.len() < BLOCK && bytes < BLOCK_BYTES {
                return Ok(());
            }
            bytes = 0;
            flush(&mut block).map_err(|found| {
                failure = Some(found);
                Error::Interrupted
            })
        });
        let rest = if read.is_ok() { flush(&mut block) } else { Ok(()) };
        self.meter.clear();
        match failure {
            Some(failure) => Err(failure),
            None => read.reading().and(rest),
        }
    }
}

/// Gives the texts of a corpus as often as asked.
pub fn texts_of(corpus: &Corpus) -> impl FnMut(&mut dyn FnMut(&str) -> firth::Result<()>) -> firth::Result<()> + '_ {
    |each| corpus.documents(|document| each(document.text))
}
