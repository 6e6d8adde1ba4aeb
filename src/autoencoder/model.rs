//! A trained autoencoder, and its file.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::config::AutoencoderConfig;
use super::network::{Network, Shape, Spec, finish};
use super::prepare::Preparation;
use super::{Rare, Words};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::{Container, ContainerWriter};
use crate::math::{Matrix, Samples, fingerprint};
use crate::vocabulary::Keys;

/// The file of a model in a run's folder.
pub const FILE: &str = "autoencoder.safetensors";
/// The kind in its header.
const KIND: &str = "autoencoder";
/// The header's entry with all that is not a table.
const ABOUT: &str = "about";
/// The header's entry with the checksum of the tables.
const FINGERPRINT: &str = "firth.fingerprint";

/// A trained autoencoder: maps rows to codes, and codes to rows.
#[derive(Debug, Clone)]
pub struct Autoencoder {
    pub(super) config: AutoencoderConfig,
    pub(super) words: Option<Words>,
    pub(super) counts: Vec<u64>,
    pub(super) unigram: Vec<f32>,
    pub(super) target: Preparation,
    pub(super) network: Network,
}

/// What the header says beside the tables.
#[derive(Serialize, Deserialize)]
struct About {
    config: AutoencoderConfig,
    shape: Shape,
    input: Preparation,
    target: Preparation,
    center: Vec<f32>,
    /// What is known of words that are no columns.
    #[serde(default)]
    common: Vec<String>,
    #[serde(default)]
    rare: Rare,
}

impl Autoencoder {
    /// Reads a model's file, or that of a run's folder.
    ///
    /// # Errors
    /// If it is no model, damaged, or of a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        let path = if path.is_dir() { &path.join(FILE) } else { path };
        let container = Container::open_kind(path, KIND)?;
        let damaged = |what: String| Error::damaged(path, what);
        let about =
            container.entry(ABOUT).ok_or_else(|| damaged("the header lacks the network's description".into()))?;
        let About { config, shape, input, target, center, common, rare } = serde_json::from_str(about)
            .map_err(|error| damaged(format!("its description cannot be read ({error})")))?;
        // Whatever the data were, a network of dense rows may have all these settings.
        let config: AutoencoderConfig =
            config.resolved(false).map_err(|error| damaged(format!("its settings cannot be ({error})")))?;
        let is_mirror = !shape.tied || shape.inputs == shape.outputs;
        if shape != Shape::new(&config, shape.inputs, shape.outputs) || !is_mirror {
            return Err(damaged("its layers are not those of its settings".into()));
        }
        let table = |spec: &Spec| {
            let (_, found) = container.shape(&spec.name)?;
            if found != [spec.rows, spec.cols] {
                return Err(damaged(format!("{} is {found:?}, expected {:?}", spec.name, [spec.rows, spec.cols])));
            }
            Ok(container.slice::<f32>(&spec.name)?.to_vec())
        };
        let tables: Vec<Vec<f32>> = shape.layout().iter().map(table).collect::<Result<_>>()?;
        let has = |name: &str| container.names().iter().any(|found| found == name);
        let words = if has("words") {
            let text = String::from_utf8(container.slice::<u8>("words")?.to_vec());
            let keys =
                text.ok().and_then(|text| Keys::from_parts(text, container.slice::<u64>("word_ends").ok()?.to_vec()));
            let keys = keys.filter(|keys| keys.len() == shape.inputs);
            let keys = keys.ok_or_else(|| damaged("the words do not fit the columns".into()))?;
            Some(Words::with_others(keys, common.iter().map(String::as_str).collect(), rare))
        } else {
            None
        };
        let (counts, unigram) =
            (container.slice::<u64>("counts")?.to_vec(), container.slice::<f32>("unigram")?.to_vec());
        let is_centered = center.is_empty() || center.len() == shape.code;
        if counts.len() != shape.inputs || unigram.len() != shape.outputs || !is_centered {
            return Err(damaged("counts do not fit the columns".into()));
        }
        let model = Self { config, words, counts, unigram, target, network: Network { shape, input, center, tables } };
        let expected = container.entry(FINGERPRINT).unwrap_or_default();
        let found = model.fingerprint();
        if found != expected {
            let what = format!("{}: fingerprint of the weights (the file is damaged)", path.display());
            return Err(Error::mismatch(what, expected, found));
        }
        Ok(model)
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn save(&self, path: &Path) -> Result<()> {
        let Network { shape, input, center, tables } = &self.network;
        let about = About {
            config: self.config.clone(),
            shape: shape.clone(),
            input: input.clone(),
            target: self.target.clone(),
            center: center.clone(),
            common: self.words.iter().flat_map(|words| words.common().iter()).map(str::to_owned).collect(),
            rare: self.words.as_ref().map(Words::rare).unwrap_or_default(),
        };
        let about = serde_json::to_string(&about).map_err(|source| Error::Backend { source: source.into() })?;
        let metadata = BTreeMap::from([(ABOUT.to_owned(), about), (FINGERPRINT.to_owned(), self.fingerprint())]);
        let layout = shape.layout();
        let mut tensors = vec![("counts", Dtype::U64, vec![self.counts.len()])];
        if let Some(words) = &self.words {
            tensors.push(("word_ends", Dtype::U64, vec![words.keys().len()]));
        }
        tensors.extend(layout.iter().map(|spec| (spec.name.as_str(), Dtype::F32, vec![spec.rows, spec.cols])));
        tensors.push(("unigram", Dtype::F32, vec![self.unigram.len()]));
        if let Some(words) = &self.words {
            tensors.push(("words", Dtype::U8, vec![words.keys().text().len()]));
        }
        let mut writer = ContainerWriter::create(path, KIND, &metadata, &tensors)?;
        writer.write(&self.counts)?;
        if let Some(words) = &self.words {
            writer.write(words.keys().ends())?;
        }
        tables.iter().try_for_each(|table| writer.write(table))?;
        writer.write(&self.unigram)?;
        if let Some(words) = &self.words {
            writer.write(words.keys().text().as_bytes())?;
        }
        writer.commit()
    }

    /// The settings that made it.
    pub fn config(&self) -> &AutoencoderConfig {
        &self.config
    }

    /// The words of its columns, if it has learnt from text.
    pub fn words(&self) -> Option<&Words> {
        self.words.as_ref()
    }

    /// The number of columns of its input.
    pub fn columns(&self) -> usize {
        self.network.shape.inputs
    }

    /// The number of columns of its output.
    pub fn outputs(&self) -> usize {
        self.network.shape.outputs
    }

    /// The numbers of a code.
    pub fn code(&self) -> usize {
        self.network.shape.code
    }

    /// A checksum of the weights, bit by bit, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        format!("{:016x}", fingerprint(self.network.tables.iter().map(Vec::as_slice)))
    }

    /// The codes of rows (counts, or numbers as in training), `rows x code`, on the current rayon pool. A row that is empty or
    /// all zero has the code of nothing. With `--center` the mean code of training is taken off.
    ///
    /// # Errors
    /// If the rows have another number of columns than [`Autoencoder::columns`].
    pub fn encode(&self, rows: &Samples) -> Result<Matrix> {
        self.network.encode(rows)
    }

    /// What it gives back for rows, `rows x outputs`: probabilities that sum to one (multinomial), values (squared error) or
    /// probabilities of each column (binary cross-entropy), on the current rayon pool. For wide outputs, give few rows at a time.
    ///
    /// # Errors
    /// As [`Autoencoder::encode`].
    pub fn reconstruct(&self, rows: &Samples) -> Result<Matrix> {
        self.decode(&self.encode(rows)?)
    }

    /// What it gives back for codes, as [`Autoencoder::reconstruct`].
    ///
    /// # Errors
    /// If the codes have another length than [`Autoencoder::code`].
    pub fn decode(&self, codes: &Matrix) -> Result<Matrix> {
        let mut out = self.network.decode(codes)?;
        finish(out.as_mut_slice(), self.outputs(), self.config.settings().loss);
        Ok(out)
    }

    /// How often each output occurred in training's target, as a share: the guess of one who knows nothing of a row.
    pub fn unigram(&self) -> &[f32] {
        &self.unigram
    }

    /// What the target's number of a column weighs, in training (SIF); empty if all weigh one.
    pub fn target_weights(&self) -> &[f32] {
        self.target.factors()
    }

    /// A row's numbers as the loss compares them: weighted as in training. Sparse rows give those of their entries.
    pub fn target_values(&self, rows: &Samples, row: usize) -> Vec<f32> {
        let mut values = Vec::new();
        match rows {
            Samples::Sparse(matrix) => self.target.sparse(matrix.row(row), &mut values),
            Samples::Dense(matrix) => self.target.dense(matrix.row(row), &mut values),
        }
        values
    }

    /// The same for a word that is no column, so often in a document: rare words weigh one.
    pub fn unseen_value(&self, count: f32) -> f32 {
        self.target.unseen(count)
    }

    /// How often each column of the input occurred in training: the sum of its numbers.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The words' vectors: their rows of the first layer, with the words' counts in training; `None` without words.
    pub fn word_vectors(&self) -> Option<Result<Embeddings>> {
        let words = self.words.as_ref()?;
        let shape = &self.network.shape;
        let units = shape.first_units();
        let rows = self.network.tables[0].chunks_exact(units + usize::from(shape.tied));
        let numbers = rows.flat_map(|row| &row[..units]).copied().collect();
        let vectors = Matrix::from_vec(shape.inputs, units, numbers);
        Some(vectors.and_then(|vectors| Embeddings::new(words.keys().clone(), vectors, Some(self.counts.clone()))))
    }
}
