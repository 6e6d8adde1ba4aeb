//! Firth's own format: a safetensors file of kind `words`, mapped and never copied.
//!
//! Tensors, in this order so that each is aligned: `key_ends` u64 \[n\], `counts`, `label_ends` and `text_ends` u64 \[n\]
//! if known, `vectors` f32 \[n, dim\], `keys` u8 (UTF-8, one key after another), and likewise `labels` and `texts`, the
//! classes and the first words of documents; with subwords, `ngram_buckets` u32 \[m\] and `ngram_vectors` f32 \[m, dim\],
//! and how words are cut in the header. Key `i` ends before byte `key_ends[i]`. The metadata are entries of the
//! header, beside `firth.kind`, `firth.schema`, `firth.version` and `firth.fingerprint`, a checksum of the vectors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::Dtype;

use super::checks::{self, Place};
use super::{Candidate, Care, Format};
use crate::embeddings::{Embeddings, Ngrams};
use crate::error::{Error, Result};
use crate::io::{Container, ContainerWriter};
use crate::math::{Matrix, Rows, fingerprint};
use crate::vocabulary::{Keys, Subwords};

/// The kind in the header.
pub const KIND: &str = "words";
/// The name of this file in a run folder.
pub const FILE: &str = "words.safetensors";

/// The entry of the header with the vectors' fingerprint.
pub const FINGERPRINT: &str = "firth.fingerprint";

/// The entry of the header that says how words are cut into n-grams.
const SUBWORDS: &str = "firth.subwords";

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

    fn write_as(&self, embeddings: &Embeddings, path: &Path, _: super::Dtype) -> Result<()> {
        checks::writable(embeddings)?;
        let words = Words {
            keys: embeddings.keys(),
            counts: embeddings.counts(),
            labels: embeddings.labels(),
            texts: embeddings.texts(),
            ngrams: embeddings.ngrams().map(|n| (n.subwords(), n.buckets(), Rows::of(n.vectors()))),
            dim: embeddings.dim(),
        };
        write_rows(path, words, &embeddings.metadata, || embeddings.vectors().iter_rows())
    }

    fn read_as(&self, path: &Path, _: Care) -> Result<Embeddings> {
        let container = Container::open_kind(&file(path), KIND)?;
        let path = container.path();
        let fault = |reason: String| Error::byte(path, 0, format!("{reason}; the file is corrupt, write it anew"));

        let (_, shape) = container.shape("vectors")?;
        let &[rows, dim] = shape.as_slice() else {
            return Err(fault(format!("vectors of shape {shape:?}, expected [keys, dimension]")));
        };
        let numbers = container.slice::<f32>("vectors")?;
        // The container has checked that the numbers are in the file; this refuses odd shapes of no numbers.
        let row_bytes = (dim as u64).saturating_mul(4);
        checks::shape(rows as u64, dim as u64, row_bytes, 4 * numbers.len() as u64).map_err(&fault)?;
        let vectors = Matrix::from_mapped(rows, dim, numbers)?;

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
        // Rows have no bytes of their own to point at: the offset is that within the file's numbers.
        checks::distinct(path, &keys, |row| Place::Byte((row * dim * 4) as u64, row))?;
        checks::finite(path, &keys, &vectors, |row| Place::Byte((row * dim * 4) as u64, row))?;
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
            subwords.validate()?;
            let buckets = container.slice::<u32>("ngram_buckets")?;
            let numbers = container.slice::<f32>("ngram_vectors")?;
            if let Some((row, column)) = checks::not_finite(&numbers, dim) {
                return Err(fault(format!("number {} of the vector of n-gram {} is not finite", column + 1, row + 1)));
            }
            let vectors = Matrix::from_mapped(buckets.len(), dim, numbers)?;
            embeddings = embeddings.with_ngrams(Some(Ngrams::new(subwords, buckets.to_vec(), vectors)?))?;
        }
        embeddings.metadata = container.entries();
        for own in ["firth.version", "firth.kind", "firth.schema", FINGERPRINT, SUBWORDS] {
            embeddings.metadata.remove(own);
        }
        Ok(embeddings)
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
    pub dim: usize,
}

impl<'a> Words<'a> {
    /// Keys alone.
    pub fn new(keys: &'a Keys, dim: usize) -> Self {
        Self { keys, counts: None, labels: None, texts: None, ngrams: None, dim }
    }
}

/// Writes vectors that may lie anywhere, without a copy of them; `rows` gives them, one for each key, whenever asked.
pub(crate) fn write_rows<'a, I: Iterator<Item = &'a [f32]>>(
    path: &Path,
    words: Words<'_>,
    metadata: &BTreeMap<String, String>,
    rows: impl Fn() -> I,
) -> Result<()> {
    let Words { keys, counts, labels, texts, ngrams, dim } = words;
    let ends = [("counts", counts.is_some()), ("label_ends", labels.is_some()), ("text_ends", texts.is_some())];
    let mut tensors = vec![("key_ends", Dtype::U64, vec![keys.len()])];
    tensors.extend(ends.iter().filter(|end| end.1).map(|end| (end.0, Dtype::U64, vec![keys.len()])));
    tensors.push(("vectors", Dtype::F32, vec![keys.len(), dim]));
    let mut metadata = metadata.clone();
    if let Some((subwords, buckets, _)) = &ngrams {
        tensors.push(("ngram_buckets", Dtype::U32, vec![buckets.len()]));
        tensors.push(("ngram_vectors", Dtype::F32, vec![buckets.len(), dim]));
        let subwords = serde_json::to_string(subwords).map_err(|source| Error::Backend { source: source.into() })?;
        metadata.insert(SUBWORDS.into(), subwords);
    }
    tensors.push(("keys", Dtype::U8, vec![keys.text().len()]));
    for (name, strings) in [("labels", labels), ("texts", texts)] {
        tensors.extend(strings.map(|strings| (name, Dtype::U8, vec![strings.text().len()])));
    }
    metadata.insert(FINGERPRINT.into(), format!("{:016x}", fingerprint(rows())));
    let mut writer = ContainerWriter::create(path, KIND, &metadata, &tensors)?;
    writer.write(keys.ends())?;
    writer.write(counts.unwrap_or(&[]))?;
    labels.iter().chain(&texts).try_for_each(|strings| writer.write(strings.ends()))?;
    rows().try_for_each(|row| writer.write(row))?;
    if let Some((_, buckets, rows)) = ngrams {
        writer.write(buckets)?;
        rows.iter().try_for_each(|row| writer.write(row))?;
    }
    writer.write(keys.text().as_bytes())?;
    labels.iter().chain(&texts).try_for_each(|strings| writer.write(strings.text().as_bytes()))?;
    writer.commit()
}

/// Compares the vectors of a file with the fingerprint in its header, which was taken when they were written; a file
/// without one, of an older version, passes.
pub fn verify(path: &Path, vectors: &Matrix) -> Result<Option<String>> {
    let path = file(path);
    let container = Container::open_kind(&path, KIND)?;
    let Some(expected) = container.entry(FINGERPRINT) else { return Ok(None) };
    let found = format!("{:016x}", fingerprint(vectors.iter_rows()));
    if found == expected {
        return Ok(Some(found));
    }
    let what = format!("{}: fingerprint of the vectors (the file is damaged)", path.display());
    Err(Error::mismatch(what, expected, found))
}

/// The file itself, or that of a run folder.
fn file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(FILE) } else { path.into() }
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
