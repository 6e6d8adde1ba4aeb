//! Vectors for documents that a run of paragraph vectors has not seen: all else stays as it was trained, and a new
//! document's row learns to predict its words (Le and Mikolov, 2014, section 2.3).
//!
//! The random choices are named by the document's words, so that the same text has the same vector every time, beside
//! whatever other texts and on any number of threads.

use std::path::Path;

use rayon::prelude::*;

use super::common::{COMMON, Common};
use super::config::{KernelChoice, TrainConfig};
use super::layout::output_file;
use super::streams;
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::format::{Format, native};
use crate::math::{Kernel, Matrix, Outputs, Rng, RowId, SharedTable, Tables, Worker};
use crate::objective::{Noise, Objective};
use crate::pretext::{Example, Examples, Hidden, PretextTask, Rows};
use crate::vocabulary::{Segmenter, Segments, Subsampling, Vocabulary, WordId};

/// A trained model of paragraph vectors, for new documents.
#[derive(Debug)]
pub struct ParagraphVectors {
    config: TrainConfig,
    task: Box<dyn PretextTask>,
    kernel: Kernel,
    words: Embeddings,
    /// The output table, if it is not the words' own.
    context: Option<Embeddings>,
    subsampling: Subsampling,
    objective: Box<dyn Objective>,
    common: Common,
}

/// A document as the words that a model knows, line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownWords {
    /// Known words, in order.
    pub words: Vec<WordId>,
    /// Where each line ends among them.
    pub line_ends: Vec<usize>,
    /// All words, known or not; a phrase is one.
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
        let other = || wrong("is no run of paragraph vectors (train pv-dbow or pv-dm)");
        let config: TrainConfig = serde_json::from_str(words.metadata.get("firth.config").ok_or_else(other)?)
            .map_err(|error| wrong(&format!("its settings (firth.config) cannot be read ({error})")))?;
        if !config.task.has_documents() {
            return Err(other());
        }
        let output = run.join(output_file(config.loss));
        let context = if config.words_predict() { Some(native::Native.read(&output)?) } else { None };
        let rows = config.loss.output_rows(words.len());
        if let Some(context) = &context
            && (context.len(), context.dim()) != (rows, words.dim())
        {
            let shape = |rows, dim| format!("{rows} x {dim}");
            let what = format!("{}: vectors", output.display());
            return Err(Error::mismatch(what, shape(rows, words.dim()), shape(context.len(), context.dim())));
        }
        let common = Common::open(&run.join(COMMON), words.dim())?;
        Self::new(&config, words, context, common).map_err(|error| match error {
            Error::Data { reason } => wrong(&reason),
            error => error,
        })
    }

    fn new(config: &TrainConfig, words: Embeddings, context: Option<Embeddings>, common: Common) -> Result<Self> {
        // Whoever trained it may have had other instructions, and more cores.
        let config = TrainConfig { kernel: KernelChoice::Auto, threads: 1, ..config.clone() }.resolved()?;
        let missing = || Error::data("does not tell how often its words occur; train anew");
        let counts = words.counts().ok_or_else(missing)?;
        let vocabulary = Vocabulary::new(words.keys().clone(), counts.to_vec());
        let subsampling = Subsampling::new(&vocabulary, config.sample());
        let (task, kernel, objective) = (config.pretext(), config.kernel()?, config.objective(counts));
        Ok(Self { config, task, kernel, words, context, subsampling, objective, common })
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
    pub fn read(&self, text: &str, segmenter: &Segmenter) -> Result<KnownWords> {
        let (mut read, mut segments) = (KnownWords::default(), Segments::default());
        for line in text.lines() {
            let find = |word: &str| self.words.keys().find(word).map(|at| WordId(at as u32));
            segmenter.each_known(line, &mut segments, find, |_, word| {
                read.tokens += 1;
                read.words.extend(word);
            })?;
            read.line_ends.push(read.words.len());
        }
        Ok(read)
    }

    /// A vector for each document, on the current rayon pool: as many passes, at the same rates, as in training. Those
    /// without a known word have zeros.
    ///
    /// # Errors
    /// If there is no memory for a few rows.
    pub fn infer(&self, documents: &[KnownWords]) -> Result<Matrix> {
        let dim = self.dim();
        let mut vectors = Matrix::zeros(documents.len(), dim);
        let rows = vectors.as_mut_slice().par_chunks_mut(dim * DOCUMENTS).zip(documents.par_chunks(DOCUMENTS));
        rows.try_for_each(|(rows, documents)| {
            let mut copies = Copies::new(self)?;
            rows.chunks_mut(dim).zip(documents).for_each(|(row, document)| self.learn(document, row, &mut copies));
            Ok::<_, Error>(())
        })?;
        Ok(vectors)
    }

    fn learn(&self, document: &KnownWords, row: &mut [f32], copies: &mut Copies) {
        if document.words.is_empty() {
            return;
        }
        // FNV's hash, on words for bytes.
        let name = document.words.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, word| {
            (hash ^ u64::from(word.0)).wrapping_mul(0x100_0000_01b3).rotate_left(23)
        });
        let path = |part: u64| [streams::INFERRED, name, part];
        let (mut rng, dim) = (Rng::stream(self.config.seed, &path(0)), self.dim() as f32);
        row.iter_mut().for_each(|value| *value = (rng.uniform() - 0.5) / dim);
        copies.set(0, [&*row]);
        let mut noise = self.objective.noise(self.config.seed, &path(1));
        let (epochs, rate) = (self.config.epochs(), self.config.lr());
        let (mut kept, mut rows, mut examples, mut steps) = (Vec::new(), Vec::new(), Examples::default(), 0u64);
        for epoch in 0..epochs {
            let left = 1.0 - epoch as f64 / epochs as f64;
            let lr = (rate * left).max(rate * self.config.min_lr) as f32;
            let mut start = 0;
            for &end in &document.line_ends {
                self.subsampling.keep(&document.words[start..end], &mut rng, &mut kept);
                start = end;
                rows.clear();
                rows.extend(kept.iter().map(|word| RowId(word.0)));
                examples.clear();
                let sentence = Rows { words: &kept, rows: &rows, document: DOCUMENT };
                self.task.examples(&sentence, &mut rng, &mut examples);
                for example in examples.iter() {
                    self.step(example, &mut noise, lr, copies);
                    steps += 1;
                }
            }
        }
        if steps == 0 {
            // Its words are so common that sampling left none: nothing was learnt.
            return row.fill(0.0);
        }
        row.copy_from_slice(copies.document());
        self.common.take_off(row);
    }

    /// The document's row, with the words around the target where these are part of one mean, predicts the target. The
    /// kernel moves all rows; of the words' it moves copies, which are thrown away.
    fn step(&self, example: Example<'_>, noise: &mut Noise<'_>, lr: f32, copies: &mut Copies) {
        fn of(table: &Embeddings, row: RowId) -> &[f32] {
            table.vectors().row(row.0 as usize)
        }
        // A pool of noise, as in training, would be twice as fast and cost .01 of P@10: a document sees little of it.
        let outputs = self.objective.outputs(example.target, noise);
        let table = self.context.as_ref().unwrap_or(&self.words);
        match outputs {
            Outputs::Each { rows, .. } => copies.set(1, rows.iter().map(|&row| of(table, row))),
            Outputs::All { .. } => copies.set(1, table.vectors().iter_rows()),
        }
        let Copies { tables, worker, ids } = copies;
        let outputs = match outputs {
            Outputs::Each { rows, positives } => Outputs::Each { rows: &ids[..rows.len()], positives },
            Outputs::All { target } => Outputs::All { target },
        };
        match self.task.hidden() {
            // Of rows that predict apart, the document's is the only one to move.
            Hidden::Each => tables.step_rows(&ids[..1], outputs, lr, worker),
            Hidden::Mean => {
                let [input, _] = tables.parts_mut();
                input.set_rows(1, example.rows[1..].iter().map(|&row| of(&self.words, row)));
                let rows = &ids[..example.rows.len()];
                let share = if self.config.divides_mean() { 1.0 / rows.len() as f32 } else { 1.0 };
                tables.step_mean(rows, share, outputs, lr, worker);
            }
        }
    }
}

/// Rows at hand: the document's first among the input rows, then those of the words around a target; and the output rows.
struct Copies {
    tables: Tables,
    worker: Worker,
    ids: Vec<RowId>,
}

impl Copies {
    fn new(model: &ParagraphVectors) -> Result<Self> {
        let (dim, config) = (model.dim(), &model.config);
        let rows = [1 + 2 * config.window(), model.objective.most_outputs()];
        let [input, output] = rows.map(|rows| SharedTable::zeros(rows, dim));
        let tables = Tables::new(input?, output?, model.kernel)?;
        let worker = tables.worker()?;
        let most = rows.into_iter().max().unwrap_or(1);
        Ok(Self { tables, worker, ids: (0..most as u32).map(RowId).collect() })
    }

    /// Copies rows into a table: 0 the input rows, 1 the output rows.
    fn set<'a>(&mut self, table: usize, rows: impl IntoIterator<Item = &'a [f32]>) {
        self.tables.parts_mut()[table].set_rows(0, rows);
    }

    fn document(&mut self) -> &[f32] {
        let [input, _] = self.tables.parts_mut();
        input.as_rows().iter().next().expect("the document's row")
    }
}

/// Documents that share copies.
const DOCUMENTS: usize = 32;

/// No word's row.
const DOCUMENT: RowId = RowId(u32::MAX);
