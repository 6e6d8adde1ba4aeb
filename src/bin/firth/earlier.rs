//! `--from`: what an earlier run gives to a new one.

use std::path::{Path, PathBuf};

use firth::embeddings::Embeddings;
use firth::format::Care;
use firth::train::Trainer;
use firth::vocabulary::{Segmenter, Vocabulary};

use crate::failure::{Failure, Outcome};
use crate::progress::warn;
use crate::{model, run_folder};

/// An earlier run, or vectors.
pub struct Earlier {
    path: PathBuf,
    /// Its word vectors.
    pub words: Embeddings,
    /// Its output table, which a run and a fastText model keep.
    context: Option<Embeddings>,
    /// Its words and counts, and its phrases.
    pub vocabulary: Vocabulary,
    /// What cut its text into words, if it tells.
    pub segmenter: Option<Segmenter>,
}

impl Earlier {
    /// Reads it.
    pub fn read(path: &Path) -> Outcome<Self> {
        let candidate = model::open(path)?;
        let words = model::read_as(&candidate, Care::Strict)?;
        let of_words = |contexts| Embeddings::new(words.keys().clone(), contexts, None);
        let context = if path.is_dir() {
            run_folder::outputs(path, &words)?
        } else {
            model::contexts(&candidate, &words)?.map(of_words).transpose()?
        };
        let segmenter = model::segmenter(path, &words)?;
        let vocabulary = model::vocabulary(path, &words, segmenter.as_ref())?;
        Ok(Self { path: path.into(), words, context, vocabulary, segmenter })
    }

    /// A trainer takes over its rows; what cannot be taken over is told.
    pub fn give(&self, trainer: &mut Trainer<'_>) -> Outcome {
        if let Some(why) = trainer.start_from(&self.words, self.context.as_ref())? {
            let earlier = self.path.display();
            warn(format_args!("{earlier}: the output table is not taken over and starts from nothing: {why}"));
        }
        Ok(())
    }

    /// Refuses an encoded corpus that joins other phrases than the earlier run did, lacks words of it, or has others unless
    /// the vocabulary may grow.
    pub fn check(&self, corpus: &Path, vocabulary: &Vocabulary, grow: bool) -> Outcome {
        let (earlier, corpus) = (self.path.display(), corpus.display());
        if self.segmenter.is_some() && vocabulary.phrases() != self.vocabulary.phrases() {
            let reason = format!("joins other words to phrases than {earlier}");
            return Err(Failure::usage(format!("{corpus}: {reason}; encode its text with --vocabulary {earlier}")));
        }
        if let Some(word) = self.vocabulary.keys().iter().find(|word| vocabulary.id(word).is_none()) {
            let remedy = format!("give its text, or encode it with --vocabulary {earlier}");
            return Err(Failure::usage(format!("{corpus}: lacks {word:?}, a word of {earlier}; {remedy}")));
        }
        let mut new = vocabulary.keys().iter().filter(|word| self.vocabulary.id(word).is_none());
        match new.next() {
            Some(word) if !grow => Err(Failure::usage(format!(
                "{corpus}: has {word:?}, which {earlier} has not; add --grow-vocabulary, or encode it with --vocabulary {earlier}"
            ))),
            _ => Ok(()),
        }
    }
}
