//! The folder that model2vec and sentence-transformers load as a static embedding: a text's vector is the mean of those
//! of its tokens (`MinishLab/model2vec`, `model2vec/persistence`; `StaticEmbedding` of sentence-transformers).
//!
//! `model.safetensors`: tensor `embeddings`, a row for each token; `counts` beside it is firth's own. `tokenizer.json`: a
//! Hugging Face tokenizer whose numbers are the rows. `config.json` tells model2vec not to scale and not to cut texts,
//! `modules.json` tells sentence-transformers what the folder is. A model that scales texts' vectors to length one goes on to.
//!
//! What is written cuts text into the words of [`Tokenizer`], and knows the keys. A last row of zeros is the token for
//! all other words: model2vec leaves it out of the mean; sentence-transformers counts it, so that vectors of texts with
//! unknown words are shorter there, but point the same way. Text is cut into words or, if most keys are no words,
//! at white space, and lower-cased unless keys have capital letters.
//!
//! Read are folders with any tokenizer, also with rows nested in `0_StaticEmbedding`, with weights (which are multiplied
//! in) and with several tokens to a row.

use std::path::{Path, PathBuf};

use safetensors::tensor::Dtype as Kind;

use super::care::Omitted;
use super::checks::{self, Keeps, Place};
use super::folder::Folder;
use super::npy::{self, Number};
use super::{Candidate, Care, Dtype, Format, care, numbers};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::{Container, ContainerWriter};
use crate::math::Matrix;
use crate::tokenizer::Tokenizer;
use crate::vocabulary::Keys;

/// The kind in the header of the rows.
const KIND: &str = "static-embedding";
const ROWS: &str = "model.safetensors";
const TOKENIZER: &str = "tokenizer.json";
const CONFIG: &str = "config.json";
const MODULES: &str = "modules.json";
/// The entry of the metadata that says, where it is `true`, that vectors of texts are scaled to length one.
const NORMALIZE: &str = "static-embedding.normalize";
/// What does so in sentence-transformers.
const NORMALIZER: &str = "sentence_transformers.models.Normalize";
/// Where sentence-transformers puts both.
const NESTED: &str = "0_StaticEmbedding";
/// The token for unknown words, unless a key is called so.
const UNKNOWN: &str = "[UNK]";

/// model2vec's and sentence-transformers' static embedding.
pub struct StaticEmbedding;

impl Format for StaticEmbedding {
    fn name(&self) -> &'static str {
        "static-embedding"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["model2vec", "sentence-transformers"]
    }

    fn about(&self) -> &'static str {
        "a folder that model2vec and sentence-transformers load: vectors of texts as means of those of words"
    }

    fn is_folder(&self) -> bool {
        true
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["static"]
    }

    fn cannot_hold(&self) -> &'static str {
        "n-grams"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        let keeps = Keeps { counts: true, metadata: true, ..Keeps::default() };
        let mut losses = checks::dropped(embeddings, keeps);
        let tokenizer = tokenizer(embeddings.keys());
        let mut lost = embeddings.keys().iter().filter(|key| !is_token(&tokenizer, key));
        if let Some(first) = lost.next() {
            losses.push(format!(
                "from texts {} keys that are no words of theirs (the first is {first:?})",
                1 + lost.count()
            ));
        }
        losses
    }

    fn dtypes(&self) -> &'static [Dtype] {
        // NumPy has no bf16, and neither program multiplies i8 with a scale of its row.
        &[Dtype::F32, Dtype::F16]
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        let keys = embeddings.keys();
        let mut unknown = UNKNOWN.to_owned();
        while keys.find(&unknown).is_some() {
            unknown.push('_');
        }
        let mut folder = Folder::create(path);
        let json = tokenizer(keys).export(keys.iter().chain([unknown.as_str()]), &unknown)?;
        folder.file(TOKENIZER)?.write(json.as_bytes())?;
        let is_normalized = embeddings.metadata.get(NORMALIZE).is_some_and(|value| value == "true");
        let config = serde_json::json!({
            "model_type": "model2vec",
            "architectures": ["StaticModel"],
            "hidden_dim": embeddings.dim(),
            "normalize": is_normalized,
            "max_length": null,
            "embedding_dtype": if dtype == Dtype::F16 { "float16" } else { "float32" },
        });
        folder.file(CONFIG)?.write(format!("{config:#}\n").as_bytes())?;
        let module = |at: usize, path: &str, kind: &str| serde_json::json!({"idx": at, "name": at.to_string(), "path": path, "type": kind});
        let mut modules = vec![module(0, ".", "sentence_transformers.models.StaticEmbedding")];
        modules.extend(is_normalized.then(|| module(1, "1_Normalize", NORMALIZER)));
        folder.file(MODULES)?.write(format!("{:#}\n", serde_json::Value::from(modules)).as_bytes())?;

        let rows = keys.len() + 1;
        let kind = if dtype == Dtype::F16 { Kind::F16 } else { Kind::F32 };
        let mut tensors = vec![("embeddings", kind, vec![rows, embeddings.dim()])];
        if embeddings.counts().is_some() {
            tensors.insert(0, ("counts", Kind::U64, vec![rows]));
        }
        let mut file = ContainerWriter::create(&path.join(ROWS), KIND, &embeddings.metadata, &tensors)?;
        if let Some(counts) = embeddings.counts() {
            file.write(counts)?;
            file.write(&[0u64])?;
        }
        let (zeros, mut bytes) = (vec![0f32; embeddings.dim()], Vec::new());
        for row in embeddings.vectors().iter_rows().chain([&zeros[..]]) {
            bytes.clear();
            numbers::encode(row, dtype, 1.0, &mut bytes);
            file.write(&bytes)?;
        }
        // All are whole by now; the rows are what makes the folder a model.
        folder.commit()?;
        file.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let (rows, tokens) = files(candidate.path());
        let container = Container::open(&rows)?;
        let tokenizer = Tokenizer::open(&tokens)?;
        let names = container.names();
        let has = |tensor: &str| names.iter().any(|name| name == tensor);
        // As both programs do it: the one's name, else the other's.
        let name = if has("embedding.weight") { "embedding.weight" } else { "embeddings" };
        let table = Table::read(&container, name)?;
        let mapping = has("mapping").then(|| integers(&container, "mapping")).transpose()?;
        let weights = has("weights").then(|| floats(&container, "weights")).transpose()?;
        let counts = (container.kind() == Some(KIND) && has("counts")).then(|| integers(&container, "counts"));
        let counts = counts.transpose()?;

        let mut pieces = tokenizer.pieces();
        let row_of = |id: u32| match &mapping {
            None => Some(id as usize).filter(|&row| row < table.rows),
            Some(mapping) => usize::try_from(*mapping.get(id as usize)?).ok().filter(|&row| row < table.rows),
        };
        if let Some((id, piece)) = pieces.iter().find(|(id, _)| row_of(*id).is_none()) {
            let rows = table.rows;
            let reason =
                format!("the token {piece:?} has number {id}, but {} has {rows} rows", container.path().display());
            return Err(Error::byte(&tokens, 0, reason));
        }
        let row = |id: u32| row_of(id).map(|row| table.row(row)).expect("checked above");
        if let Some(at) = pieces.iter().position(|(_, piece)| Some(*piece) == tokenizer.unknown())
            && row(pieces[at].0).iter().all(|&value| value == 0.0)
        {
            pieces.remove(at);
        }
        let size = (4 * table.numbers.len() + tokenizer.file().map_or(0, |(_, bytes)| bytes.len())) as u64;
        checks::growth(pieces.len() as u64, table.dim as u64, size)
            .map_err(|reason| Error::byte(&tokens, 0, reason))?;
        let mut vectors = Matrix::zeros(pieces.len(), table.dim);
        for ((id, piece), into) in pieces.iter().zip(vectors.as_mut_slice().chunks_exact_mut(table.dim)) {
            into.copy_from_slice(row(*id));
            if let Some(weights) = &weights {
                let weight = weights.get(*id as usize).ok_or_else(|| {
                    Error::byte(container.path(), 0, format!("no weight for the token {piece:?}, number {id}"))
                })?;
                into.iter_mut().for_each(|value| *value *= weight);
            }
        }
        let counts = counts.map(|counts| {
            let of = |(id, _): &(u32, &str)| counts.get(*id as usize).copied().ok_or(*id);
            let found: Result<Vec<u64>, u32> = pieces.iter().map(of).collect();
            found.map_err(|id| Error::byte(container.path(), 0, format!("no count for the token of number {id}")))
        });
        let counts = counts.transpose()?;
        let place = |piece: usize| table.place(row_of(pieces[piece].0).expect("checked above"));
        let keys: Keys = pieces.iter().map(|(_, piece)| piece).collect();
        let unnamed = if mapping.is_none() { table.rows.saturating_sub(tokenizer.pieces().len()) } else { 0 };
        let mut embeddings = Embeddings::new(keys, vectors, counts)?;
        embeddings.numbers = table.kind;
        if unnamed > 0 {
            embeddings.warnings.push(format!("{unnamed} rows that belong to no token were left out"));
        }
        if container.kind() == Some(KIND) {
            embeddings.metadata = container.entries();
        }
        embeddings.metadata.remove(NORMALIZE);
        if is_normalized(candidate.path()) {
            embeddings.metadata.insert(NORMALIZE.into(), "true".into());
        }
        care::sound(container.path(), embeddings, Omitted::new(care), place)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        let (rows, tokens) = files(candidate.path());
        candidate.bytes().is_none() && rows.is_file() && tokens.is_file()
    }
}

/// The rows and the tokenizer of a folder.
fn files(path: &Path) -> (PathBuf, PathBuf) {
    let nested = path.join(NESTED);
    let folder = if nested.join(ROWS).is_file() { nested } else { path.into() };
    (folder.join(ROWS), folder.join(TOKENIZER))
}

/// Does a folder say, to either program, that vectors of texts are scaled to length one?
fn is_normalized(path: &Path) -> bool {
    let json = |name: &str| -> serde_json::Value {
        let bytes = std::fs::read(path.join(name)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    };
    let modules = json(MODULES);
    let mut kinds = modules.as_array().into_iter().flatten().filter_map(|module| module["type"].as_str());
    json(CONFIG)["normalize"] == true || kinds.any(|kind| kind.ends_with(".Normalize"))
}

/// The built-in tokenizer that most keys are tokens of: words or, if fewer than half are words, what stands between white
/// space; lower-cased unless a key that is a token has a capital letter.
fn tokenizer(keys: &Keys) -> Tokenizer {
    let built_in = |spec: &str, lowercase: bool| Tokenizer::new(spec, Some(lowercase)).expect("a built-in tokenizer");
    let words = built_in("words", false);
    let are_words = keys.iter().filter(|key| is_token(&words, key)).count();
    let (spec, as_they_are) =
        if 2 * are_words >= keys.len() { ("words", words) } else { ("whitespace", built_in("whitespace", false)) };
    let has_capital = |key: &str| key.chars().any(char::is_uppercase);
    if keys.iter().any(|key| has_capital(key) && is_token(&as_they_are, key)) {
        as_they_are
    } else {
        built_in(spec, true)
    }
}

/// Is a key what a text that is the key is cut into?
fn is_token(tokenizer: &Tokenizer, key: &str) -> bool {
    let (mut same, mut count) = (false, 0);
    let cut = tokenizer.tokens(key, |token| {
        same = token == key;
        count += 1;
    });
    cut.is_ok() && same && count == 1
}

/// The rows.
struct Table {
    rows: usize,
    dim: usize,
    numbers: Vec<f32>,
    /// How the file keeps them.
    kind: &'static str,
    /// Where the first row begins, and the bytes of each.
    bytes: (usize, usize),
}

impl Table {
    fn read(container: &Container, name: &str) -> Result<Self> {
        let fault = |reason: String| Error::byte(container.path(), 0, reason);
        let (kind, shape) = container.shape(name).map_err(|_| {
            let found = container.names().join(", ");
            let found: String = found.chars().take(200).collect();
            fault(format!("no tensor \"embeddings\" (found {found}); only static embeddings have vectors of words"))
        })?;
        let &[rows, dim] = shape.as_slice() else {
            return Err(fault(format!("{name} of shape {shape:?}, expected [tokens, dimension]")));
        };
        let width = (kind.bitsize() / 8) as u64;
        let room = container.bytes(name)?.len() as u64;
        let (rows, dim) =
            checks::shape(rows as u64, dim as u64, (dim as u64).saturating_mul(width), room).map_err(fault)?;
        let bytes = (container.start(name)?, dim * width as usize);
        let kind = if kind == Kind::BF16 { Dtype::Bf16.name() } else { number(container, name)?.kind.name() };
        Ok(Self { rows, dim, numbers: floats(container, name)?, kind, bytes })
    }

    fn place(&self, row: usize) -> Place {
        Place::Byte((self.bytes.0 + row * self.bytes.1) as u64, row)
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.numbers[row * self.dim..(row + 1) * self.dim]
    }
}

/// A tensor's numbers as NumPy would call them.
fn number(container: &Container, name: &str) -> Result<Number> {
    let kind = match container.shape(name)?.0 {
        Kind::F16 => npy::Kind::F16,
        Kind::F32 => npy::Kind::F32,
        Kind::F64 => npy::Kind::F64,
        Kind::I8 => npy::Kind::I8,
        Kind::I16 => npy::Kind::I16,
        Kind::I32 => npy::Kind::I32,
        Kind::I64 => npy::Kind::I64,
        Kind::U8 => npy::Kind::U8,
        Kind::U16 => npy::Kind::U16,
        Kind::U32 => npy::Kind::U32,
        Kind::U64 => npy::Kind::U64,
        other => {
            let reason = format!("tensor {name:?} has type {other:?}, expected F32, F16, BF16, F64 or whole numbers");
            return Err(Error::byte(container.path(), 0, reason));
        }
    };
    Ok(Number { kind, big_endian: false })
}

fn floats(container: &Container, name: &str) -> Result<Vec<f32>> {
    if container.shape(name)?.0 == Kind::BF16 {
        let bytes = container.bytes(name)?;
        let mut values = vec![0.0; bytes.len() / Dtype::Bf16.bytes()];
        numbers::decode(bytes, Dtype::Bf16, 1.0, &mut values);
        return Ok(values);
    }
    Ok(number(container, name)?.floats(container.bytes(name)?))
}

fn integers(container: &Container, name: &str) -> Result<Vec<u64>> {
    let fault = || Error::byte(container.path(), 0, format!("tensor {name:?} should hold whole numbers from 0"));
    let values = number(container, name)?.integers(container.bytes(name)?).ok_or_else(fault)?;
    values.map(|value| u64::try_from(value).map_err(|_| fault())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, same, scratch};

    #[test]
    fn keys_come_back_with_counts_and_without_the_token_for_others() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        let mut words = embeddings(&["the", "[UNK]", "New York", ""], 3);
        words.metadata.insert("task".into(), "skipgram".into());
        StaticEmbedding.write(&words, &path)?;
        let read = crate::format::read(&path)?;
        same(&words, &read, true);
        assert_eq!(&read.metadata, &words.metadata);
        assert!(matches!(&read.warnings[..], [only] if only.starts_with("1 keys are blank")), "{:?}", read.warnings);
        assert!(std::fs::read_to_string(path.join(TOKENIZER)).expect("JSON").contains("\"unk_token\":\"[UNK]_\""));
        let losses = StaticEmbedding.losses(&words).join(" ");
        assert!(losses.contains("2 keys that are no words of theirs (the first is \"New York\")"), "{losses}");
        Ok(())
    }

    #[test]
    fn what_scales_the_vectors_of_texts_goes_on_to() -> Result<()> {
        let folder = scratch();
        let [first, again] = ["a", "b"].map(|name| folder.path().join(name));
        let text = |path: &Path, name: &str| std::fs::read_to_string(path.join(name)).expect("JSON");
        StaticEmbedding.write(&embeddings(&["the", "a"], 2), &first)?;
        assert!(text(&first, CONFIG).contains("\"normalize\": false") && !text(&first, MODULES).contains("Normalize"));
        std::fs::write(first.join(CONFIG), r#"{"normalize": true}"#).expect("written");
        StaticEmbedding.write(&StaticEmbedding.read(&first)?, &again)?;
        assert!(text(&again, CONFIG).contains("\"normalize\": true") && text(&again, MODULES).contains(NORMALIZER));
        std::fs::write(again.join(CONFIG), "no JSON").expect("written");
        assert_eq!(StaticEmbedding.read(&again)?.metadata[NORMALIZE], "true");
        std::fs::write(again.join(MODULES), "[]").expect("written");
        assert!(StaticEmbedding.read(&again)?.metadata.is_empty());
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn folders_have_names_of_any_bytes() -> Result<()> {
        use std::os::unix::ffi::OsStrExt;
        let folder = scratch();
        let path = folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.static"));
        let words = embeddings(&["the", "a"], 2);
        StaticEmbedding.write(&words, &path)?;
        same(&words, &crate::format::read(&path)?, true);
        Ok(())
    }

    #[test]
    fn the_keys_tell_how_text_is_cut() {
        let settings = |keys: &[&str]| {
            let settings = tokenizer(&keys.iter().collect()).settings();
            (settings["tokenizer"].clone(), settings["lowercase"] == "true")
        };
        assert_eq!(settings(&["the", "don't", "<UNK>"]), ("words".into(), true));
        assert_eq!(settings(&["the", "King"]), ("words".into(), false));
        assert_eq!(settings(&["cat,", "\"mat\".", "the", "(a)"]), ("whitespace".into(), true));
        assert_eq!(settings(&["cat,", "\"Mat\".", "(a)"]), ("whitespace".into(), false));
    }

    #[test]
    fn other_kinds_of_numbers_are_read() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        let words = embeddings(&["the", "a"], 1);
        StaticEmbedding.write_as(&words, &path, Dtype::F16)?;
        assert!(std::fs::read_to_string(path.join(CONFIG)).expect("JSON").contains("float16"));
        let write = |kind, bytes: &[u8]| -> Result<Vec<f32>> {
            let tensors = [("embedding.weight", kind, vec![3, 1])];
            let mut file = ContainerWriter::create(&path.join(ROWS), "x", &Default::default(), &tensors)?;
            file.write(bytes)?;
            file.commit()?;
            Ok(StaticEmbedding.read(&path)?.vectors().as_slice().to_vec())
        };
        assert_eq!(write(Kind::BF16, &[0xc0, 0x3f, 0, 0xc0, 0, 0])?, [1.5, -2.0]);
        assert_eq!(write(Kind::I8, &[3, 0xfe, 0])?, [3.0, -2.0]);
        assert_eq!(write(Kind::F16, &[0, 0x3e, 0, 0xc0, 0, 0])?, [1.5, -2.0]);
        let error = write(Kind::BOOL, &[1, 0, 0]).expect_err("no numbers").to_string();
        assert!(error.contains("has type BOOL, expected F32, F16, BF16"), "{error}");
        Ok(())
    }

    #[test]
    fn faults_name_the_file() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        StaticEmbedding.write(&embeddings(&["the", "a"], 2), &path)?;
        let fault = || StaticEmbedding.read(&path).expect_err("a fault").to_string();
        let json = std::fs::read_to_string(path.join(TOKENIZER)).expect("JSON");
        std::fs::write(path.join(TOKENIZER), json.replace("\"a\":1", "\"a\":7")).expect("written");
        let found = fault();
        assert!(found.contains("tokenizer.json, byte 0: the token \"a\" has number 7, but"), "{found}");
        std::fs::write(path.join(TOKENIZER), json.replace("\"a\":1", "\"a\":1}")).expect("written");
        assert!(fault().contains("tokenizer.json, byte 0: not a Hugging Face tokenizer"), "{}", fault());
        std::fs::write(path.join(TOKENIZER), &json).expect("written");
        let tensors = [("weight", Kind::F32, vec![3, 2])];
        let mut file = ContainerWriter::create(&path.join(ROWS), "x", &Default::default(), &tensors)?;
        file.write(&[0f32; 6])?;
        file.commit()?;
        assert!(fault().contains("no tensor \"embeddings\" (found weight)"), "{}", fault());
        Ok(())
    }
}
