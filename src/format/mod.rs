//! Vectors in and out: one file per format, one list of all of them.
//!
//! A format is recognised by its content, never by its name alone, so that every command takes any of them. 32-bit
//! numbers survive bit by bit, but for the last digits in finalfusion's files and in fastText's with n-grams; that and
//! what else a format drops is told by [`Format::losses`], and what it cannot hold at all is refused before a byte is
//! written. Readers take files from anywhere: sizes in a header are checked against the size of the file before memory
//! is asked for, and each fault names its line or byte. The bytes of each format stand in `docs/formats.md`.
//!
//! ```
//! use firth::embeddings::Embeddings;
//! use firth::format;
//! use firth::math::Matrix;
//!
//! # fn main() -> firth::Result<()> {
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! let vectors = Matrix::from_vec(2, 3, vec![0.1, 0.2, 0.3, -1.0, 0.0, 1e-9])?;
//! let words = Embeddings::new(["king", "queen"].into_iter().collect(), vectors, None)?;
//! let path = folder.path().join("words.txt");
//! format::for_path(&path, None)?.write(&words, &path)?;
//! assert_eq!(format::detect(&path)?.name(), "word2vec");
//! assert_eq!(format::read(&path)?.row("queen"), words.row("queen"));
//! # Ok(())
//! # }
//! ```

use std::path::{Path, PathBuf};

use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::compression::unpacked_name;
use crate::math::Matrix;
use crate::vocabulary::Keys;

mod archive;
mod buckets;
mod care;
mod checks;
pub mod csv;
mod cursor;
mod detect;
pub mod fasttext;
pub mod finalfusion;
mod folder;
pub mod glove;
pub mod jsonl;
pub mod matrix;
pub mod native;
mod npy;
pub mod npz;
mod numbers;
pub mod numpy;
pub mod parquet;
pub mod projector;
mod rows;
pub mod spacy;
pub mod static_embedding;
mod text;
pub mod word2vec;

pub use detect::{Candidate, detect};

/// The numbers of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Dtype {
    /// 32 bits, exact.
    #[default]
    F32,
    /// 16 bits, 11 of them significant; numbers beyond 65504 are refused.
    F16,
    /// 16 bits, 8 of them significant, with the range of 32 bits.
    Bf16,
    /// 8 bits, with a scale for each row.
    I8,
}

/// What a reader does with faults that leave the rest of a file usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Care {
    /// They are errors.
    #[default]
    Strict,
    /// Rows at fault are left out, and told in [`Embeddings::warnings`].
    Lenient,
}

/// A way to lay out keys and vectors in a file or a folder.
pub trait Format: Sync {
    /// Its name on the command line: `word2vec-bin`.
    fn name(&self) -> &'static str;

    /// Other names that are understood.
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// What it is and who reads it, in one line for `--help`.
    fn about(&self) -> &'static str;

    /// Is what it writes a folder of its own kind, and no file?
    fn is_folder(&self) -> bool {
        false
    }

    /// The endings of names that stand for it, without the dot; the first format with an ending owns it.
    fn extensions(&self) -> &'static [&'static str];

    /// What it cannot hold or drops, in words; empty if nothing.
    fn cannot_hold(&self) -> &'static str;

    /// What a write would drop of these embeddings, one phrase each, for a warning before it happens.
    fn losses(&self, embeddings: &Embeddings) -> Vec<String>;

    /// Writes all of it or, after an error, nothing; replaces what has that name.
    ///
    /// Fails with [`Error::Unsupported`] if a key does not fit the format, and with [`Error::Data`] if a key stands
    /// twice or a number is not finite.
    fn write_as(&self, embeddings: &Embeddings, path: &Path, numbers: Dtype) -> Result<()>;

    /// [`Format::write_as`] in 32-bit numbers.
    fn write(&self, embeddings: &Embeddings, path: &Path) -> Result<()> {
        self.write_as(embeddings, path, Dtype::F32)
    }

    /// Files that it writes beside the one of this name.
    fn companions(&self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Does it have a row for each bucket of n-grams, whether some word meets it or not?
    fn has_all_buckets(&self) -> bool {
        false
    }

    /// Does it hold [`Embeddings::contexts`]? All other formats have no use for them.
    fn keeps_contexts(&self) -> bool {
        false
    }

    /// The rows of a file for [`Embeddings::with_contexts`], in the order of its keys, which [`Format::read`] leaves alone;
    /// `None` if it has none, or they are not those of keys.
    fn read_contexts(&self, _: &Candidate) -> Result<Option<Matrix>> {
        Ok(None)
    }

    /// The kinds of numbers that it can hold.
    fn dtypes(&self) -> &'static [Dtype] {
        &[Dtype::F32]
    }

    /// Reads a file or folder that is taken to be in this format.
    ///
    /// A key that stands twice and a number that is not finite are errors. Bytes of a key that are not UTF-8 become
    /// `\xNN`; this and everything else that was guessed or changed is told in [`Embeddings::warnings`].
    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings>;

    /// [`Format::read_as`] of a path, strictly.
    fn read(&self, path: &Path) -> Result<Embeddings> {
        self.read_as(&Candidate::open(path)?, Care::Strict)
    }

    /// Is this file or folder in this format? Asked in the order of [`FORMATS`].
    fn recognizes(&self, candidate: &Candidate) -> bool;
}

/// All formats. The order matters to detection only: what has a magic number comes first.
pub const FORMATS: &[&dyn Format] = &[
    &native::Native,
    &numpy::Numpy,
    &npz::Npz,
    &parquet::Parquet,
    &fasttext::FastText,
    &finalfusion::FinalFusion,
    &static_embedding::StaticEmbedding,
    &spacy::Spacy,
    &projector::Projector,
    &word2vec::Text,
    &word2vec::Binary,
    &jsonl::Jsonl,
    &glove::Glove,
    &csv::Csv,
];

/// Reads any vector file, compressed or not, or the word vectors of a run folder; the format is found by content.
pub fn read(path: &Path) -> Result<Embeddings> {
    read_as(path, Care::Strict)
}

/// [`read`], with more or less care.
pub fn read_as(path: &Path, care: Care) -> Result<Embeddings> {
    Candidate::open(path)?.read(care)
}

/// The format of that name.
pub fn by_name(name: &str) -> Result<&'static dyn Format> {
    let known = |format: &&dyn Format| format.name() == name || format.aliases().contains(&name);
    let ends = |format: &&dyn Format| format.extensions().contains(&name);
    FORMATS.iter().copied().find(known).or_else(|| FORMATS.iter().copied().find(ends)).ok_or_else(|| {
        let all: Keys = FORMATS.iter().flat_map(|format| [&[format.name()], format.aliases()].concat()).collect();
        let guess = all.nearest(name, 1).pop().map_or(String::new(), |near| format!("; did you mean {near:?}?"));
        Error::config("--to", format!("no format is called {name:?}{guess} (there are {})", names()))
    })
}

/// Refuses the name of a compressed file, which nothing writes.
pub fn refuse_compressed(path: &Path) -> Result<()> {
    let Some(plain) = unpacked_name(path) else { return Ok(()) };
    let reason = format!("no compressed file is written; write {} and compress that", plain.display());
    Err(Error::config(path.display().to_string(), reason))
}

/// The format to write `path` in: the named one, else the one its ending stands for. Names of compressed files are
/// refused, since none is written.
pub fn for_path(path: &Path, name: Option<&str>) -> Result<&'static dyn Format> {
    refuse_compressed(path)?;
    if let Some(name) = name {
        return by_name(name);
    }
    by_extension(path).ok_or_else(|| {
        Error::config(
            "--to",
            format!(
                "the name {:?} does not tell a format; give one of {}, or end the name in one of {}",
                path.display().to_string(),
                names(),
                endings()
            ),
        )
    })
}

/// The endings of names that tell a format, for messages.
pub fn endings() -> String {
    let endings = FORMATS.iter().flat_map(|format| format.extensions());
    endings.map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(" ")
}

/// The format that owns the ending of a name.
fn by_extension(path: &Path) -> Option<&'static dyn Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    FORMATS.iter().copied().find(|format| format.extensions().contains(&extension.as_str()))
}

fn names() -> String {
    FORMATS.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_endings_are_each_owned_by_one_format() {
        let mut names: Vec<_> =
            FORMATS.iter().flat_map(|format| [&[format.name()], format.aliases()].concat()).collect();
        let mut endings: Vec<_> = FORMATS.iter().flat_map(|format| format.extensions()).copied().collect();
        for list in [&mut names, &mut endings] {
            let count = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), count, "{list:?}");
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_and_all() {
        let error = by_name("glov").err().expect("no such format").to_string();
        assert!(error.contains("\"glov\"; did you mean \"glove\"?") && error.contains("word2vec-bin"), "{error}");
        assert_eq!(by_name("native").map(Format::name).expect("an alias"), "safetensors");
    }

    #[test]
    fn a_path_stands_for_a_format_unless_one_is_named() -> Result<()> {
        assert_eq!(for_path(Path::new("a/b.TXT"), None)?.name(), "word2vec");
        assert_eq!(for_path(Path::new("a/b.txt"), Some("glove"))?.name(), "glove");
        assert_eq!(for_path(Path::new("a.vec"), None)?.name(), "word2vec");
        let error = for_path(Path::new("a.xyz"), None).err().expect("no such ending").to_string();
        assert!(error.contains("a.xyz") && error.contains(".npy") && error.contains("projector"), "{error}");
        for name in [None, Some("glove")] {
            let error = for_path(Path::new("a/b.txt.GZ"), name).err().expect("compressed").to_string();
            assert_eq!(error, "a/b.txt.GZ: no compressed file is written; write a/b.txt and compress that");
        }
        Ok(())
    }
}
