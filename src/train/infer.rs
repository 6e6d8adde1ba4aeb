//! Vectors for documents that a run of paragraph vectors has not seen: all else stays as it was trained, and a new
//! document's row learns to predict its words (Le and Mikolov, 2014, section 2.3).
//!
//! The random choices are named by the document's words, so that the same text has the same vector every time, beside
//! whatever other texts and on any number of threads.

use std::path::Path;

use rayon::prelude::*;

use super::config::TrainConfig;
use super::layout::CONTEXT;
use super::streams;
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::format::{Format, native};
use crate::math::{AliasTable, Matrix, Rng, RowId, dot, vector};
use crate::pretext::{Examples, PretextTask};
use crate::tokenizer::Tokenizer;
use crate::vocabulary::{Subsampling, Vocabulary, WordId};

/// A trained model of paragraph vectors, for new documents.
#[derive(Debug)]
pub struct ParagraphVectors {
    config: TrainConfig,
    task: Box<dyn PretextTask>,
    words: Embeddings,
    /// The output table, if it is not the words' own.
    context: Option<Embeddings>,
    subsampling: Subsampling,
    noise: AliasTable,
}

/// A document as the words that a model knows, line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownWords {
    /// Known words, in order.
    pub words: Vec<WordId>,
    /// Where each line ends among them.
    pub line_ends: Vec<usize>,
    /// All tokens.
    pub tokens: u32,
}

impl ParagraphVectors {
    /// Opens a finished run of `pv-dbow` or `pv-dm`.
    ///
    /// # Errors
    /// If the folder is no such run.
    pub fn open(run: &Path) -> Result<Self> {
        let file = run.join(native::FILE);
        let words = native::Native.read(&file)?;
        let wrong = |reason: &str| Error::data(format!("{}: {reason}", file.display()));
        let config = words.metadata.get("firth.config").and_then(|text| serde_json::from_str::<TrainConfig>(text).ok());
        let config = config.filter(|config| config.task.has_documents());
        let config = config.ok_or_else(|| wrong("is no run of paragraph vectors (train pv-dbow or pv-dm)"))?;
        let config = config.resolved()?;
        let counts = words.counts().ok_or_else(|| wrong("does not tell how often its words occur; train anew"))?;
        let weights: Vec<f64> = counts.iter().map(|&count| (count as f64).powf(config.ns_exponent())).collect();
        let vocabulary = Vocabulary::new(words.keys().clone(), counts.to_vec());
        let subsampling = Subsampling::new(&vocabulary, config.sample());
        let context = if config.words_predict() { Some(native::Native.read(&run.join(CONTEXT))?) } else { None };
        if let Some(context) = &context
            && (context.len(), context.dim()) != (words.len(), words.dim())
        {
            let shape = |table: &Embeddings| format!("{} x {}", table.len(), table.dim());
            let what = format!("{}: vectors", run.join(CONTEXT).display());
            return Err(Error::mismatch(what, shape(&words), shape(context)));
        }
        let task = config.pretext();
        Ok(Self { config, task, words, context, subsampling, noise: AliasTable::new(&weights) })
    }

    /// The length of each vector.
    pub fn dim(&self) -> usize {
        self.words.dim()
    }

    /// The words that it knows.
    pub fn words(&self) -> &Embeddings {
        &self.words
    }

    /// Cuts a text into words.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn read(&self, text: &str, tokenizer: &Tokenizer) -> Result<KnownWords> {
        let mut read = KnownWords::default();
        for line in text.lines() {
            tokenizer.tokens(line, |token| {
                read.tokens += 1;
                read.words.extend(self.words.keys().find(token).map(|at| WordId(at as u32)));
            })?;
            read.line_ends.push(read.words.len());
        }
        Ok(read)
    }

    /// A vector for each document, on the current rayon pool: as many passes, at the same rates, as in training. Those
    /// without a known word have zeros.
    pub fn infer(&self, documents: &[KnownWords]) -> Matrix {
        let dim = self.dim();
        let mut vectors = Matrix::zeros(documents.len(), dim);
        let rows = vectors.as_mut_slice().par_chunks_mut(dim).zip(documents);
        rows.for_each_init(Buffers::default, |buffers, (row, document)| self.learn(document, row, buffers));
        vectors
    }

    fn learn(&self, document: &KnownWords, row: &mut [f32], buffers: &mut Buffers) {
        if document.words.is_empty() {
            return;
        }
        let Buffers { kept, examples, hidden, gradient } = buffers;
        // FNV's, on words for bytes.
        let name = document.words.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, word| {
            (hash ^ u64::from(word.0)).wrapping_mul(0x100_0000_01b3).rotate_left(23)
        });
        let stream = |epoch: usize| Rng::stream(self.config.seed, &[streams::INFERRED, name, epoch as u64]);
        let mut rng = stream(0);
        let dim = self.dim() as f32;
        row.iter_mut().for_each(|value| *value = (rng.uniform() - 0.5) / dim);
        let (epochs, rate) = (self.config.epochs, self.config.lr());
        let lowest = rate * self.config.min_lr;
        for epoch in 1..=epochs {
            let lr = (rate * (1.0 - (epoch - 1) as f64 / epochs as f64)).max(lowest) as f32;
            let (mut rng, mut start) = (stream(epoch), 0);
            for &end in &document.line_ends {
                self.subsampling.keep(&document.words[start..end], &mut rng, kept);
                start = end;
                examples.clear();
                self.task.examples(kept, DOCUMENT, &mut rng, examples);
                for example in examples.iter() {
                    self.step(example.rows, example.target, row, lr, &mut rng, (hidden, gradient));
                }
            }
        }
    }

    /// The document's row, with the words around the target where these are part of one mean, predicts the target.
    fn step(
        &self,
        rows: &[RowId],
        target: WordId,
        document: &mut [f32],
        lr: f32,
        rng: &mut Rng,
        (hidden, gradient): (&mut Vec<f32>, &mut Vec<f32>),
    ) {
        let is_mean = self.task.hidden() == crate::pretext::Hidden::Mean;
        hidden.clear();
        hidden.extend_from_slice(document);
        let mut share = 1.0;
        if is_mean {
            let words = rows.iter().filter(|&&row| row != DOCUMENT);
            words.for_each(|row| vector::add_scaled(hidden, 1.0, self.words.vectors().row(row.0 as usize)));
            vector::scale(hidden, 1.0 / rows.len() as f32);
            share = if self.config.divides_mean() { 1.0 / rows.len() as f32 } else { 1.0 };
        }
        gradient.clear();
        gradient.resize(document.len(), 0.0);
        let outputs = self.context.as_ref().unwrap_or(&self.words).vectors();
        for noise in 0..=self.config.negative {
            let (row, label) = if noise == 0 { (target.0, 1.0) } else { (self.noise.draw(rng), 0.0) };
            if noise > 0 && row == target.0 {
                continue;
            }
            let output = outputs.row(row as usize);
            let odds = 1.0 / (1.0 + (-dot(hidden, output)).exp());
            vector::add_scaled(gradient, lr * (label - odds), output);
        }
        vector::add_scaled(document, share, gradient);
    }
}

/// No word's row.
const DOCUMENT: RowId = RowId(u32::MAX);

/// What one thread needs: nothing is allocated per word.
#[derive(Default)]
struct Buffers {
    kept: Vec<WordId>,
    examples: Examples,
    hidden: Vec<f32>,
    gradient: Vec<f32>,
}
