//! Firth's own format: a safetensors file of kind `words`, mapped; 32-bit vectors are used where they lie.
//!
//! Tensors, in this order so that each is aligned: `key_ends` u64 \[n\], `counts`, `label_ends` and `text_ends` u64 \[n\]
//! if known, with subwords `ngram_buckets` u32 \[m\] and `ngram_vectors` f32 \[m, dim\], `vectors` f32 \[n, dim\] (or f16,
//! bf16, or i8 after `scales` f32 \[n\]), `keys` u8 (UTF-8, one key after another), and likewise `labels` and `texts`, the
//! classes and the first words of documents. Of words whose text was joined to phrases, these stand as in a vocabulary:
//! `phrase_ends`, `phrase_passes` and `phrase_pairs` behind the other ends, `phrase_text` behind the keys; last comes
//! `tokenizer`, the `tokenizer.json` that cut the text, if it was one. Key `i` ends before byte `key_ends[i]`. The
//! metadata are entries of the header, beside `firth.kind`, `firth.schema`, `firth.version` and `firth.fingerprint`, a
//! checksum of the vectors.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use safetensors::tensor::Dtype;

use super::care::Omitted;
use super::checks::{self, Place};
use super::{Candidate, Care, Dtype as Numbers, Format, care, numbers};
use crate::embeddings::{Embeddings, Ngrams};
use crate::error::{Error, Result};
use crate::io::{Container, ContainerWriter};
use crate::math::{Fingerprint, Matrix, Rows, fingerprint};
use crate::tokenizer::Tokenizer;
use crate::vocabulary::{Keys, Parts, Phrases, Segmenter, Subwords, phrases};

/// The kind in the header.
pub const KIND: &str = "words";
/// The name of this file in a run folder.
pub const FILE: &str = "words.safetensors";

/// The entry of the header with the vectors' fingerprint.
pub const FINGERPRINT: &str = "firth.fingerprint";

/// The entry of the header that says how words are cut into n-grams.
const SUBWORDS: &str = "firth.subwords";
/// The entry with the fingerprint of the n-grams' vectors.
const NGRAMS_FINGERPRINT: &str = "firth.ngrams.fingerprint";

/// The entry of the header that says how text is cut into words.
const TOKENIZER: &str = "firth.tokenizer";
/// The tensor with the `tokenizer.json` that does it.
const TOKENIZER_FILE: &str = "tokenizer";

/// The native format.
pub struct Native;

impl Format for Native {
    fn name(&self) -> &'static str {
        "safetensors"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["native"]
    }

    fn about(&self) -> &'static str {
        "firth's own: keys, vectors, counts and metadata in one mapped file"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["safetensors"]
    }

    fn cannot_hold(&self) -> &'static str {
        ""
    }

    fn losses(&self, _: &Embeddings) -> Vec<String> {
        Vec::new()
    }

    fn dtypes(&self) -> &'static [Numbers] {
        &Numbers::ALL
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Numbers) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        let words = Words {
            keys: embeddings.keys(),
            counts: embeddings.counts(),
            labels: embeddings.labels(),
            texts: embeddings.texts(),
            ngrams: embeddings.ngrams().map(|n| (n.subwords(), n.buckets(), Rows::of(n.vectors()))),
            segmenter: embeddings.segmenter(),
            dim: embeddings.dim(),
        };
        write_rows(path, words, &embeddings.metadata, dtype, || embeddings.vectors().iter_rows())
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let container = container(candidate)?;
        let path = container.path();
        let fault = |reason: String| Error::damaged(path, reason);

        let (kind, shape) = container.shape("vectors")?;
        let &[rows, dim] = shape.as_slice() else {
            return Err(fault(format!("vectors of shape {shape:?}, expected [keys, dimension]")));
        };
        let dtype = Numbers::ALL.into_iter().find(|&known| tensor_type(known) == kind);
        let dtype = dtype.ok_or_else(|| fault(format!("vectors of type {kind:?}, expected F32, F16, BF16 or I8")))?;
        let vectors = match dtype {
            Numbers::F32 => {
                let numbers = container.slice::<f32>("vectors")?;
                // The container has checked that the numbers are in the file; this refuses odd shapes of no numbers.
                let row_bytes = (dim as u64).saturating_mul(4);
                checks::shape(rows as u64, dim as u64, row_bytes, 4 * numbers.len() as u64).map_err(&fault)?;
                Matrix::from_mapped(rows, dim, numbers)?
            }
            narrow => narrow_vectors(&container, rows, dim, narrow)?,
        };

        let strings = |name: &str, ends: &str| -> Result<Keys> {
            let text = container.slice::<u8>(name)?;
            let text = simdutf8::compat::from_utf8(&text)
                .map_err(|error| fault(format!("the {name} are not UTF-8 from their byte {}", error.valid_up_to())))?;
            Keys::from_parts(text.to_owned(), container.slice::<u64>(ends)?.to_vec())
                .ok_or_else(|| fault(format!("the ends of the {name} do not fit their text")))
        };
        let has = |tensor: &str| container.names().iter().any(|name| name == tensor);
        let keys = strings("keys", "key_ends")?;
        let counts =
            has("counts").then(|| container.slice::<u64>("counts").map(|counts| counts.to_vec())).transpose()?;
        let mut embeddings = Embeddings::new(keys, vectors, counts)?;
        if has("labels") {
            embeddings = embeddings.with_labels(strings("labels", "label_ends")?)?;
        }
        if has("texts") {
            embeddings = embeddings.with_texts(strings("texts", "text_ends")?)?;
        }
        if let Some(subwords) = container.entry(SUBWORDS) {
            let subwords: Subwords = serde_json::from_str(subwords)
                .map_err(|error| fault(format!("{SUBWORDS} is {subwords:?} ({error})")))?;
            subwords.validate().map_err(|error| fault(error.to_string()))?;
            let buckets = container.slice::<u32>("ngram_buckets")?;
            let numbers = container.slice::<f32>("ngram_vectors")?;
            // As below.
            if container.entry(NGRAMS_FINGERPRINT).is_none()
                && let Some((row, column)) = checks::not_finite(&numbers, dim)
            {
                return Err(fault(format!("number {} of the vector of n-gram {} is not finite", column + 1, row + 1)));
            }
            let vectors = Matrix::from_mapped(buckets.len(), dim, numbers)?;
            embeddings = embeddings.with_ngrams(Some(Ngrams::new(subwords, buckets.to_vec(), vectors)?))?;
        }
        if let Some(settings) = container.entry(TOKENIZER) {
            let settings = serde_json::from_str(settings)
                .map_err(|error| fault(format!("{TOKENIZER} is {settings:?} ({error})")))?;
            let tokenizer = match has(TOKENIZER_FILE) {
                true => Tokenizer::from_json(path, container.bytes(TOKENIZER_FILE)?.to_vec())?,
                false => Tokenizer::from_settings(&settings, path)?,
            };
            embeddings = embeddings.with_segmenter(Some(Segmenter::new(tokenizer, phrases(path, &container)?)));
        }
        (embeddings.numbers, embeddings.metadata) = (dtype.name(), container.entries());
        for own in [FINGERPRINT, SUBWORDS, NGRAMS_FINGERPRINT, TOKENIZER] {
            embeddings.metadata.remove(own);
        }
        // What firth wrote was checked then, and [`verify`] finds what has changed since; to read all rows here would
        // take seconds of a large file, of which a query wants a few.
        if container.entry(FINGERPRINT).is_some() && care == Care::Strict {
            return Ok(embeddings);
        }
        let start = container.start("vectors")?;
        let place = |row: usize| Place::Byte((start + row * dim * dtype.bytes()) as u64, row);
        care::sound(path, embeddings, Omitted::new(care), place)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        let Some(bytes) = candidate.bytes() else { return candidate.path().join(FILE).is_file() };
        // The length of a JSON object, and the object.
        bytes.first_chunk::<8>().is_some_and(|length| {
            let length = u64::from_le_bytes(*length);
            length >= 2 && length < bytes.len() as u64 && bytes.get(8) == Some(&b'{')
        })
    }
}

/// What stands beside the vectors in a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    pub keys: &'a Keys,
    pub counts: Option<&'a [u64]>,
    pub labels: Option<&'a Keys>,
    pub texts: Option<&'a Keys>,
    /// How words are cut, the buckets that have a row, and these rows.
    pub ngrams: Option<(Subwords, &'a [u32], Rows<'a>)>,
    pub segmenter: Option<&'a Segmenter>,
    pub dim: usize,
}

impl<'a> Words<'a> {
    /// Keys alone.
    pub fn new(keys: &'a Keys, dim: usize) -> Self {
        Self { keys, counts: None, labels: None, texts: None, ngrams: None, segmenter: None, dim }
    }
}

/// Writes vectors that may lie anywhere, without a copy of them; `rows` gives them, one for each key, whenever asked.
pub(crate) fn write_rows<'a, I: Iterator<Item = &'a [f32]>>(
    path: &Path,
    words: Words<'_>,
    metadata: &BTreeMap<String, String>,
    dtype: Numbers,
    rows: impl Fn() -> I,
) -> Result<()> {
    let Words { keys, counts, labels, texts, ngrams, segmenter, dim } = words;
    let json = |entry: serde_json::Result<String>| entry.map_err(|source| Error::Backend { source: source.into() });
    let ends = [("counts", counts.is_some()), ("label_ends", labels.is_some()), ("text_ends", texts.is_some())];
    let mut tensors = vec![("key_ends", Dtype::U64, vec![keys.len()])];
    tensors.extend(ends.iter().filter(|end| end.1).map(|end| (end.0, Dtype::U64, vec![keys.len()])));
    let mut metadata = metadata.clone();
    let (none, mut behind) = (Phrases::default(), Vec::new());
    let parts = Parts::of(segmenter.map_or(&none, Segmenter::phrases));
    if let Some(segmenter) = segmenter {
        metadata.insert(TOKENIZER.into(), json(serde_json::to_string(&segmenter.tokenizer().settings()))?);
        let [wide @ .., text] = parts.tensors();
        tensors.extend(wide);
        behind.push((text, parts.text));
        let file = segmenter.tokenizer().file();
        behind.extend(file.map(|(_, bytes)| ((TOKENIZER_FILE, Dtype::U8, vec![bytes.len()]), bytes)));
    }
    if let Some((subwords, buckets, rows)) = &ngrams {
        tensors.push(("ngram_buckets", Dtype::U32, vec![buckets.len()]));
        tensors.push(("ngram_vectors", Dtype::F32, vec![buckets.len(), dim]));
        metadata.insert(SUBWORDS.into(), json(serde_json::to_string(subwords))?);
        metadata.insert(NGRAMS_FINGERPRINT.into(), format!("{:016x}", fingerprint(rows.iter())));
    }
    if dtype == Numbers::I8 {
        tensors.push(("scales", Dtype::F32, vec![keys.len()]));
    }
    tensors.push(("vectors", tensor_type(dtype), vec![keys.len(), dim]));
    tensors.push(("keys", Dtype::U8, vec![keys.text().len()]));
    for (name, strings) in [("labels", labels), ("texts", texts)] {
        tensors.extend(strings.map(|strings| (name, Dtype::U8, vec![strings.text().len()])));
    }
    tensors.extend(behind.iter().map(|(tensor, _)| tensor.clone()));
    metadata.insert(FINGERPRINT.into(), format!("{:016x}", fingerprint_as(dtype, dim, &rows)));
    let mut writer = ContainerWriter::create(path, KIND, &metadata, &tensors)?;
    writer.write(keys.ends())?;
    writer.write(counts.unwrap_or(&[]))?;
    labels.iter().chain(&texts).try_for_each(|strings| writer.write(strings.ends()))?;
    if segmenter.is_some() {
        parts.write(&mut writer)?;
    }
    if let Some((_, buckets, rows)) = ngrams {
        writer.write(buckets)?;
        rows.iter().try_for_each(|row| writer.write(row))?;
    }
    if dtype == Numbers::I8 {
        rows().try_for_each(|row| writer.write(&[numbers::scale(row)]))?;
    }
    let mut bytes = Vec::new();
    rows().try_for_each(|row| {
        if dtype == Numbers::F32 {
            return writer.write(row);
        }
        bytes.clear();
        numbers::encode(row, dtype, numbers::scale(row), &mut bytes);
        writer.write(&bytes)
    })?;
    writer.write(keys.text().as_bytes())?;
    labels.iter().chain(&texts).try_for_each(|strings| writer.write(strings.text().as_bytes()))?;
    behind.iter().try_for_each(|(_, bytes)| writer.write(bytes))?;
    writer.commit()
}

/// The fingerprint of what a reader will find, once numbers are rounded to a kind.
fn fingerprint_as<'a, I: Iterator<Item = &'a [f32]>>(dtype: Numbers, dim: usize, rows: &impl Fn() -> I) -> u64 {
    if dtype == Numbers::F32 {
        return fingerprint(rows());
    }
    // Row by row: all of them in 32 bits may be more than there is memory for.
    let (mut bytes, mut rounded) = (Vec::new(), vec![0.0; dim]);
    let mut all = Fingerprint::default();
    for row in rows() {
        let scale = numbers::scale(row);
        bytes.clear();
        numbers::encode(row, dtype, scale, &mut bytes);
        numbers::decode(&bytes, dtype, scale, &mut rounded);
        all.add(&rounded);
    }
    all.finish()
}

/// A kind of numbers as safetensors calls it.
fn tensor_type(dtype: Numbers) -> Dtype {
    match dtype {
        Numbers::F32 => Dtype::F32,
        Numbers::F16 => Dtype::F16,
        Numbers::Bf16 => Dtype::BF16,
        Numbers::I8 => Dtype::I8,
    }
}

/// Copies vectors of fewer bits.
fn narrow_vectors(container: &Container, rows: usize, dim: usize, dtype: Numbers) -> Result<Matrix> {
    let fault = |reason: String| Error::damaged(container.path(), reason);
    let bytes = container.bytes("vectors")?;
    let row_bytes = dim.saturating_mul(dtype.bytes());
    checks::shape(rows as u64, dim as u64, row_bytes as u64, bytes.len() as u64).map_err(&fault)?;
    let scales = if dtype == Numbers::I8 { Some(container.slice::<f32>("scales")?) } else { None };
    if let Some(scales) = scales.as_ref().filter(|scales| scales.len() != rows) {
        return Err(fault(format!("{} scales, expected one for each of {rows} rows", scales.len())));
    }
    let mut vectors = Matrix::zeros(rows, dim);
    vectors.as_mut_slice().par_chunks_mut(dim).zip(bytes.par_chunks(row_bytes)).enumerate().for_each(
        |(at, (row, bytes))| numbers::decode(bytes, dtype, scales.as_ref().map_or(1.0, |scales| scales[at]), row),
    );
    Ok(vectors)
}

/// The container of a file, or of that in a run folder.
pub fn container(candidate: &Candidate) -> Result<Container> {
    let container = match candidate.bytes() {
        None => Container::open(&candidate.path().join(FILE))?,
        Some(_) => Container::of(candidate.file()?.clone())?,
    };
    container.of_kind(KIND)
}

/// Compares the vectors of a file with the fingerprint in its header, which was taken when they were written; a file
/// without one, of an older version, passes.
pub fn verify(container: &Container, vectors: &Matrix) -> Result<Option<String>> {
    let damaged = |of: &str, expected: &str, found: String| {
        Err(Error::damaged(container.path(), format!("{of} have fingerprint {found}, expected {expected}")))
    };
    if let Some(expected) = container.entry(NGRAMS_FINGERPRINT) {
        let numbers = container.slice::<f32>("ngram_vectors")?;
        let found = format!("{:016x}", fingerprint(numbers.chunks_exact(vectors.cols().max(1))));
        if found != expected {
            return damaged("the n-grams", expected, found);
        }
    }
    let Some(expected) = container.entry(FINGERPRINT) else { return Ok(None) };
    let found = format!("{:016x}", fingerprint(vectors.iter_rows()));
    if found == expected { Ok(Some(found)) } else { damaged("the vectors", expected, found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, scratch};

    #[test]
    fn everything_comes_back_and_the_vectors_stay_in_the_map() -> Result<()> {
        let folder = scratch();
        let mut words = embeddings(&["a b", "", "c\nd"], 3);
        words.metadata.insert("task".into(), "skipgram".into());
        Native.write(&words, &folder.path().join(FILE))?;
        let read = crate::format::read(folder.path())?;
        assert!(read.vectors().is_mapped());
        assert_eq!((read.keys(), read.counts()), (words.keys(), words.counts()));
        assert_eq!((read.vectors().as_slice(), &read.metadata), (words.vectors().as_slice(), &words.metadata));
        assert_eq!((read.labels(), read.texts()), (None, None));
        Ok(())
    }

    #[test]
    fn labels_and_texts_of_documents_come_back() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("documents.safetensors");
        let strings = |strings: [&str; 3]| strings.into_iter().collect::<Keys>();
        let documents = embeddings(&["1", "2", "3"], 3)
            .with_labels(strings(["sea", "", "sea"]))?
            .with_texts(strings(["A boat…", "", "é"]))?;
        Native.write(&documents, &path)?;
        let read = Native.read(&path)?;
        assert_eq!((read.labels(), read.texts()), (documents.labels(), documents.texts()));
        assert_eq!(read.select(&[2, 0])?.texts(), Some(&["é", "A boat…"].into_iter().collect()));
        assert!(read.with_labels(["too", "few"].into_iter().collect()).is_err());
        Ok(())
    }

    #[test]
    fn what_cuts_text_comes_back_with_its_phrases() -> Result<()> {
        let folder = scratch();
        let [path, json] = ["a.safetensors", "a.json"].map(|name| folder.path().join(name));
        let spelt = Tokenizer::new("words", None)?.export(["new", "york", "?"].into_iter(), "?")?;
        std::fs::write(&json, spelt).expect("written");
        let mut joined = Phrases::of(["new", "york"].into_iter().collect());
        joined.add_pass(vec![[0, 1]]);
        let words = embeddings(&["new_york", "a"], 3);
        for (tokenizer, phrases) in [
            (Tokenizer::new("words", Some(false))?, joined.clone()),
            (Tokenizer::new("whitespace", None)?, Phrases::default()),
            (Tokenizer::open(&json)?, joined),
        ] {
            let segmenter = Segmenter::new(tokenizer, phrases);
            let words = words.clone().with_segmenter(Some(segmenter.clone()));
            for dtype in Numbers::ALL {
                Native.write_as(&words, &path, dtype)?;
                let read = crate::format::read(&path)?;
                let found = read.segmenter().expect("what cuts text");
                assert_eq!(found.tokenizer().settings(), segmenter.tokenizer().settings());
                assert_eq!((found.phrases(), read.keys()), (segmenter.phrases(), words.keys()));
                assert_eq!((&read.metadata, read.vectors().is_mapped()), (&words.metadata, dtype == Numbers::F32));
            }
            for format in crate::format::FORMATS {
                let told = format.losses(&words).iter().any(|loss| loss.contains("joined to phrases"));
                assert_eq!(
                    told,
                    !segmenter.phrases().is_empty() && format.name() != Native.name(),
                    "{}",
                    format.name()
                );
            }
        }
        Ok(())
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a.safetensors");
        let write = |ends: &[u64], shape: Vec<usize>, numbers: &[f32], text: &[u8]| -> Result<String> {
            let tensors = [
                ("key_ends", Dtype::U64, vec![ends.len()]),
                ("vectors", Dtype::F32, shape),
                ("keys", Dtype::U8, vec![text.len()]),
            ];
            let mut writer = ContainerWriter::create(&path, KIND, &BTreeMap::new(), &tensors)?;
            writer.write(ends)?;
            writer.write(numbers)?;
            writer.write(text)?;
            writer.commit()?;
            Ok(Native.read(&path).err().map_or("read".into(), |error| error.to_string()))
        };
        assert_eq!(write(&[1, 2], vec![2, 1], &[0.0; 2], b"ab")?, "read");
        for (found, part) in [
            (write(&[1, 2], vec![2], &[0.0; 2], b"ab")?, "shape [2]"),
            (write(&[1, 2], vec![1, 2], &[0.0; 2], b"ab")?, "expected one for each of 2 keys"),
            (write(&[2, 1], vec![2, 1], &[0.0; 2], b"ab")?, "ends of the keys"),
            (write(&[1, 2], vec![2, 1], &[0.0; 2], b"a\xff")?, "not UTF-8 from their byte 1"),
            (write(&[1, 2], vec![2, 1], &[0.0; 2], b"aa")?, "row 2: \"aa\"[..1] stands"),
            (write(&[1, 2], vec![2, 1], &[0.0, f32::NAN], b"ab")?, "row 2: number 1 of the vector of \"b\" is NaN"),
            (write(&[], vec![0, 1 << 40], &[], b"")?, "vectors of 1099511627776 numbers"),
            (write(&[], vec![0, 1 << 63], &[], b"")?, "vectors of 9223372036854775808 numbers"),
        ] {
            let part = part.replace("\"aa\"[..1]", "\"a\"");
            assert!(found.contains(&part), "{found} holds {part}");
        }
        Ok(())
    }
}
