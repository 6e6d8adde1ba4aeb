//! Word vectors pooled into vectors of documents: the flags, the two passes that fit, and what is kept of it in a run.

use std::path::Path;

use firth::Error;
use firth::corpus::Corpus;
use firth::embeddings::pooling::{self, Found, Known, Survey, has_capitals};
use firth::embeddings::{Embeddings, Frequencies, Pool, Pooling, PoolingModel};
use firth::format::{Format, native};
use firth::math::Matrix;
use firth::vocabulary::{Phrases, Segmenter, Segments, Vocabulary};
use rayon::prelude::*;

use crate::blocks::Waiting;
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::progress::{counted, note, thousands, warn};
use crate::text::TokenFlags;
use crate::{blocks, encoder, model, run_folder};

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

    /// Was a method asked for?
    pub fn has_method(&self) -> bool {
        self.pool.is_some()
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
        Ok(Pooling { pool, a: self.a.unwrap_or(usual.a), components: self.components, frequencies: self.frequencies })
    }
}

/// The name of the task in a run's settings.
pub const TASK: &str = "pooling";

/// Word vectors, and how they are pooled.
pub struct Pooled {
    pub words: Embeddings,
    pub segmenter: Segmenter,
    pub model: PoolingModel,
    /// Does the model tell upper from lower case?
    is_cased: bool,
}

impl Pooled {
    /// Does a run's folder hold a pooling of its own?
    pub fn is_stored(run: &Path) -> bool {
        run.join(pooling::FILE).is_file()
    }

    /// The pooling that a run's folder holds.
    pub fn open(run: &Path) -> Outcome<Self> {
        let words = model::read(run)?;
        let (model, _) = PoolingModel::open(run).reading()?;
        let segmenter = words.segmenter().cloned().map_or_else(|| encoder::segmenter(run), Ok)?;
        let shape = [model.weights().len(), model.dim()];
        if shape != [words.len(), words.dim()] {
            let what = format!("{}: words and numbers that its pooling was fitted on", run.display());
            let found = format!("{} words of {}", words.len(), words.dim());
            return Err(Failure::Input(Error::mismatch(what, format!("{} words of {}", shape[0], shape[1]), found)));
        }
        let is_cased = has_capitals(words.keys());
        Ok(Self { words, segmenter, model, is_cased })
    }

    /// Pools the word vectors of a run or of a vector file as the flags say, fitted on documents.
    pub fn fit(
        path: &Path,
        flags: &PoolFlags,
        documents: Texts<'_>,
        typed: &Typed,
        globals: &Globals,
    ) -> Outcome<Self> {
        let pooling = flags.pooling(typed)?;
        let shown = path.display();
        if run_folder::has_rows_alone(path) {
            let message = format!("{shown}: has learnt from a matrix and knows no words; documents need a run on text");
            return Err(Failure::usage(message));
        }
        let words = model::read(path)?;
        let is_cased = has_capitals(words.keys());
        let segmenter = segmenter(path, &words, &flags.tokens, typed)?;
        // A run without a vocabulary has no other place for phrases than the file of its words.
        let words = words.with_segmenter(Some(segmenter.clone()));
        let mut survey = Survey::new(words.len());
        let find = |texts: &[&str]| -> Outcome<Vec<Vec<u32>>> {
            Ok(positions(Known::new(&words, &segmenter, is_cased), texts)?
                .into_iter()
                .map(|found| found.known)
                .collect())
        };
        if pooling.needs_survey() {
            documents.blocks("counting words", globals, |texts| {
                survey.add(&find(texts)?);
                Ok(())
            })?;
        }
        // Wrong settings are told before a pass is made in vain.
        let mut fitting = pooling.weigh(&words, &survey)?;
        if pooling.needs_directions() {
            documents.blocks("finding what all documents share", globals, |texts| {
                fitting.add(&find(texts)?);
                Ok(())
            })?;
        }
        let model = fitting.done()?;
        let method = Pooling::name(pooling.pool);
        if pooling.needs_directions() && model.documents() < PoolingModel::ENOUGH {
            warn(format_args!(
                "{method}: {} with known words are too few to tell what all documents share; nothing is taken off",
                counted(model.documents(), "document", "documents")
            ));
        } else if pooling.needs_directions() {
            note(globals, format_args!("{method} fitted on {} documents", thousands(model.documents())));
        }
        Ok(Self { words, segmenter, model, is_cased })
    }

    /// The length of the vectors.
    pub fn dim(&self) -> usize {
        self.model.dim()
    }

    /// The vectors of texts, and how many of the words of each are known and how many are not.
    pub fn embed(&self, texts: &[&str]) -> Outcome<(Matrix, Vec<u32>, Vec<u32>)> {
        let found = positions(Known::new(&self.words, &self.segmenter, self.is_cased), texts)?;
        let unknown = found.iter().map(|found| found.unknown as u32).collect();
        let count = |found: &Found| (found.known.len() + found.composed.len() / self.dim().max(1)) as u32;
        let known = found.iter().map(count).collect();
        let (documents, composed): (Vec<_>, Vec<_>) =
            found.into_iter().map(|found| (found.known, found.composed)).unzip();
        Ok((self.model.pool_composed(&self.words, &documents, &composed)?, known, unknown))
    }

    /// Writes a run into a folder: how words are pooled and text is cut, the documents, and the words, whose file says that
    /// the run is finished.
    pub fn save(&self, documents: &Embeddings, folder: &Path) -> Outcome {
        let tokenizer = self.segmenter.tokenizer();
        let settings = tokenizer.settings();
        if let Some((name, json)) = tokenizer.file() {
            let path = folder.join(name);
            std::fs::write(&path, json).map_err(|source| Error::io(&path, source))?;
        }
        self.model.save(&folder.join(pooling::FILE), &settings)?;
        // A vocabulary has a count for each word, which not every file of vectors tells.
        if let Some(counts) = self.words.counts().filter(|counts| counts.iter().all(|&count| count > 0)) {
            let vocabulary = Vocabulary::new(self.words.keys().clone(), counts.to_vec());
            let vocabulary = vocabulary.with_phrases(self.segmenter.phrases());
            vocabulary.save(&folder.join(run_folder::VOCABULARY), &settings)?;
        }
        native::Native.write(documents, &folder.join(run_folder::DOCUMENTS))?;
        Ok(native::Native.write(&self.words, &folder.join(native::FILE))?)
    }
}

/// What cuts text into words: what cut the text of the model, else what the flags say.
fn segmenter(path: &Path, words: &Embeddings, flags: &TokenFlags, typed: &Typed) -> Outcome<Segmenter> {
    if let Some(own) = model::segmenter(path, words)? {
        let why = format!("{} has a tokenizer of its own", path.display());
        TokenFlags::NAMES.iter().try_for_each(|name| typed.refuse(name, &why))?;
        return Ok(own);
    }
    // Words are looked up as they are written first where the model tells upper from lower case.
    let is_cased = has_capitals(words.keys());
    Ok(Segmenter::new(flags.tokenizer(is_cased.then_some(false))?, Phrases::default()))
}

/// The positions of the known words of texts, and the numbers of the others, on the current rayon pool.
fn positions(known: Known<'_>, texts: &[&str]) -> Outcome<Vec<Found>> {
    let found = texts.par_iter().map_init(Segments::default, |segments, text| known.find(text, segments));
    Ok(found.collect::<Result<_, _>>()?)
}

/// Documents to fit on, which can be read as often as asked.
#[derive(Clone, Copy)]
pub enum Texts<'a> {
    /// Those of files.
    Corpus(&'a Corpus),
    /// Those in memory.
    Slice(&'a [&'a str]),
}

impl Texts<'_> {
    /// Gives all texts, block by block.
    fn blocks(self, doing: &str, globals: &Globals, mut each: impl FnMut(&[&str]) -> Outcome) -> Outcome {
        match self {
            Self::Corpus(corpus) => blocks::pass(corpus, doing, globals, |block| each(&texts_of(block))).map(drop),
            Self::Slice(texts) => texts.chunks(blocks::BLOCK).try_for_each(each),
        }
    }
}

/// The texts of a block.
pub fn texts_of(block: &[Waiting]) -> Vec<&str> {
    block.iter().map(|waiting| waiting.text.as_str()).collect()
}
