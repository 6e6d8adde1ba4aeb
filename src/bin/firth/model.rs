//! A model as commands take it: a run folder or a vector file.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::Path;

use firth::Error;
use firth::embeddings::Embeddings;
use firth::embeddings::pooling::has_capitals;
use firth::format::{self, Candidate, Care, Dtype};
use firth::math::Matrix;
use firth::vocabulary::{Segmenter, Segments, Subwords, Vocabulary};
use serde::Serialize;

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::Globals;
use crate::progress::{note, size, thousands, warn};
use crate::run_folder;
use crate::staged::Staged;

/// Finds the vectors of a model.
pub fn open(path: &Path) -> Outcome<Candidate> {
    run_folder::refuse_unfinished(path)?;
    Candidate::open(&run_folder::vectors(path)).reading()
}

/// Reads vectors, and tells what the reader had to change.
pub fn read(path: &Path) -> Outcome<Embeddings> {
    read_as(&open(path)?, Care::Strict)
}

/// [`read`] of what is open, with more or less care.
pub fn read_as(candidate: &Candidate, care: Care) -> Outcome<Embeddings> {
    let model = candidate.read(care).reading()?;
    for warning in &model.warnings {
        warn(format_args!("{}: {warning}", candidate.path().display()));
    }
    Ok(model)
}

/// Writes vectors in a format, after telling what that will drop.
pub fn write(
    embeddings: &Embeddings,
    format: &dyn format::Format,
    staged: &Staged,
    target: &Path,
    globals: &Globals,
) -> Outcome {
    write_as(embeddings, (format, Dtype::F32), staged, target, globals)
}

/// [`write`], with numbers of some kind.
pub fn write_as(
    embeddings: &Embeddings,
    (format, dtype): (&dyn format::Format, Dtype),
    staged: &Staged,
    target: &Path,
    globals: &Globals,
) -> Outcome {
    // What is refused drops nothing.
    if format.dtypes().contains(&dtype) {
        let losses = format.losses(embeddings);
        if !losses.is_empty() {
            warn(format_args!("{}: {} drops {}", target.display(), format.name(), losses.join(" and ")));
        }
        if let Some(ngrams) = embeddings.ngrams()
            && let Some(buckets) = Buckets::of(format, ngrams.subwords(), embeddings.dim())
        {
            let used = ngrams.buckets().len();
            note(globals, format_args!("{}: {buckets}; {used} of them are in use", target.display()));
        }
    }
    Ok(format.write_as(embeddings, &staged.path(), dtype)?)
}

/// The rows of n-grams in a file that has one for each bucket.
#[derive(Debug, Serialize)]
pub struct Buckets {
    format: &'static str,
    buckets: u32,
    /// Bytes of the file, and of memory where another program loads it.
    pub bytes: u64,
}

impl Buckets {
    /// Those of a format that has such rows.
    pub fn of(format: &dyn format::Format, subwords: Subwords, dim: usize) -> Option<Self> {
        let buckets = subwords.buckets;
        let bytes = u64::from(buckets) * 4 * dim as u64;
        format.has_all_buckets().then(|| Self { format: format.name(), buckets, bytes })
    }
}

impl std::fmt::Display for Buckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (all, bytes) = (thousands(self.buckets.into()), size(self.bytes));
        write!(f, "{} has a row for each of {all} buckets, {bytes} (train with fewer --buckets for less)", self.format)
    }
}

/// The vectors of words as what is predicted, which a run and a fastText model keep; where hierarchical softmax predicts the
/// nodes of a tree, there are none.
pub fn contexts(candidate: &Candidate, words: &Embeddings) -> Outcome<Option<Matrix>> {
    let Some(run) = run_folder::of(candidate.path()) else {
        let contexts = candidate.format().and_then(|format| format.read_contexts(candidate)).reading()?;
        return Ok(contexts.filter(|contexts| contexts.rows() == words.len()));
    };
    let outputs = run_folder::outputs(run, words)?;
    Ok(outputs.filter(|outputs| outputs.keys() == words.keys()).map(|outputs| outputs.vectors().clone()))
}

/// What cut the text of a model into words, if it tells: the vectors do for themselves, or else the run that they are of.
pub fn segmenter(path: &Path, words: &Embeddings) -> Outcome<Option<Segmenter>> {
    match (words.segmenter(), run_folder::of(path)) {
        (Some(own), _) => Ok(Some(own.clone())),
        (None, Some(run)) => run_folder::segmenter(run),
        (None, None) => Ok(None),
    }
}

/// The words of a model with their counts and the phrases among them, which not every file of vectors tells.
pub fn vocabulary(path: &Path, words: &Embeddings, segmenter: Option<&Segmenter>) -> Outcome<Vocabulary> {
    let (shown, keys) = (path.display(), words.keys());
    let refused = |reason: String| Err(Failure::Input(Error::data(format!("{shown}: {reason}"))));
    let Some(counts) = words.counts() else {
        return refused("the file does not tell how often its words occur, which is needed; give a run".into());
    };
    if let Some(at) = counts.iter().position(|&count| count == 0) {
        let remedy = "leave such words out (firth convert --keys), or give the run";
        return refused(format!("the word {:?} has count 0, as no word of a text has; {remedy}", keys.get(at)));
    }
    let vocabulary = Vocabulary::new(keys.clone(), counts.to_vec());
    Ok(match segmenter {
        Some(segmenter) => vocabulary.with_phrases(segmenter.phrases()),
        None => vocabulary,
    })
}

/// Vectors that were found, in that order, with all that is known of their keys.
pub fn chosen(model: &Embeddings, found: &[Found<'_>]) -> Outcome<Embeddings> {
    let known: Vec<usize> = found.iter().filter_map(|found| found.position).collect();
    let unseen = found.iter().filter(|found| found.position.is_none());
    let (mut next_known, mut next_unseen) = (0..known.len(), known.len()..found.len());
    let all = model.select(&known)?.extended(unseen.map(|found| (found.key.as_str(), &*found.vector)))?;
    let order = found.iter().filter_map(|found| match found.position {
        Some(_) => next_known.next(),
        None => next_unseen.next(),
    });
    Ok(all.select(&order.collect::<Vec<_>>())?)
}

/// Finds the keys that queries are about.
pub struct Finder<'a> {
    model: &'a Embeddings,
    path: &'a Path,
    segmenter: OnceCell<Option<Segmenter>>,
}

impl<'a> Finder<'a> {
    /// In vectors that were read from a path.
    pub fn new(model: &'a Embeddings, path: &'a Path) -> Self {
        Self { model, path, segmenter: OnceCell::new() }
    }

    /// A key and its vector, or an error that suggests near spellings.
    pub fn find(&self, key: &str) -> Outcome<Found<'a>> {
        let unknown = || Error::UnknownKey { key: key.into(), nearest: self.model.keys().nearest(key, 3) };
        Ok(self.look(key)?.ok_or_else(unknown)?)
    }

    /// A key as it stands, and its vector.
    pub fn known(&self, key: &str) -> Option<Found<'a>> {
        self.model.keys().find(key).map(|at| self.at(at))
    }

    fn at(&self, at: usize) -> Found<'a> {
        let (keys, vectors) = (self.model.keys(), self.model.vectors());
        Found { key: keys.get(at).to_owned(), position: Some(at), vector: Cow::Borrowed(vectors.row(at)) }
    }

    /// A key and its vector: as it stands, or as the model's text was treated (`New York` finds `new_york` if the run joins
    /// phrases, or if a file of vectors has it so), or else composed of n-grams where the model has such.
    pub fn look(&self, key: &str) -> Outcome<Option<Found<'a>>> {
        if let Some(known) = self.known(key) {
            return Ok(Some(known));
        }
        let Some((spelling, position)) = self.treated(key)? else { return Ok(None) };
        if let Some(at) = position {
            return Ok(Some(self.at(at)));
        }
        let composed = self.model.ngrams().and_then(|ngrams| ngrams.compose(&spelling));
        Ok(composed.map(|vector| Found { key: spelling, position: None, vector: Cow::Owned(vector) }))
    }

    /// How the model would spell a key, and its position if it is one; `None` for several words that are no key together.
    fn treated(&self, key: &str) -> Outcome<Option<(String, Option<usize>)>> {
        let find = |word: &str| self.model.keys().find(word);
        let segmenter = match self.segmenter.get() {
            Some(segmenter) => segmenter,
            None => {
                let found = segmenter(self.path, self.model)?;
                self.segmenter.get_or_init(|| found)
            }
        };
        let Some(segmenter) = segmenter else {
            let is_one = key.split_whitespace().nth(1).is_none();
            let joined = key.split_whitespace().collect::<Vec<_>>().join("_");
            if let Some(at) = find(&joined) {
                return Ok(Some((joined, Some(at))));
            }
            let lower = joined.to_lowercase();
            let position = find(&lower);
            let is_lower = position.is_some() || !has_capitals(self.model.keys());
            let treated = (if is_lower { lower } else { joined }, position);
            return Ok(Some(treated).filter(|_| position.is_some() || is_one));
        };
        let mut words = Vec::new();
        segmenter
            .each_known(key, &mut Segments::default(), find, |word, found| words.push((word.to_owned(), found)))?;
        Ok(if words.len() == 1 { words.pop() } else { None })
    }
}

/// Refuses to look around a vector that has no direction.
pub fn refuse_zeros(key: &str, vector: &[f32]) -> Outcome {
    if vector.iter().any(|&number| number != 0.0) {
        return Ok(());
    }
    let message = format!(
        "{key:?} has a vector of zeros, as has what is without a word that the model knows; nothing is near to it"
    );
    Err(Failure::usage(message))
}

/// What a query is about.
pub struct Found<'a> {
    /// As the model spells it.
    pub key: String,
    /// Where it stands; nowhere if its vector was composed of n-grams.
    pub position: Option<usize>,
    pub vector: Cow<'a, [f32]>,
}

impl Found<'_> {
    /// Itself, if it has a direction, by which others can be compared with it.
    pub fn with_direction(self) -> Outcome<Self> {
        refuse_zeros(&self.key, &self.vector)?;
        Ok(self)
    }
}
