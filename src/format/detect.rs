//! Which format is it? By content first; by the name's ending only when the content is too damaged to tell.

use std::path::{Path, PathBuf};

use super::{Care, FORMATS, Format, by_extension, checks, names};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::compression::{self, Compression, unpacked_name};
use crate::io::{AtomicFile, MappedFile};

/// A file or folder that some format may recognise. A compressed file is unpacked once, for recognition and reading.
pub struct Candidate {
    path: PathBuf,
    file: Option<MappedFile>,
    compression: Option<Compression>,
}

impl Candidate {
    /// Looks at a file or a folder.
    pub fn open(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|source| Error::io(path, source))?;
        // A pipe would block, and cannot be mapped.
        if !metadata.is_dir() && !metadata.is_file() {
            return Err(Error::io(path, std::io::Error::other("is neither a file nor a folder")));
        }
        if metadata.is_dir() {
            return Ok(Self { path: path.into(), file: None, compression: None });
        }
        let (file, compression) = compression::open(path)?;
        Ok(Self { path: path.into(), file: Some(file), compression })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's bytes, unpacked; `None` for a folder.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.file.as_ref().map(MappedFile::bytes)
    }

    /// How the file is compressed, if it is.
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// The file, unpacked, for a format that is no folder.
    pub(super) fn file(&self) -> Result<&MappedFile> {
        self.file.as_ref().ok_or_else(|| Error::io(&self.path, std::io::Error::other("is a folder, expected a file")))
    }

    /// Where it would lie unpacked, which tells its kind and what belongs to it.
    pub(super) fn unpacked_path(&self) -> PathBuf {
        unpacked_name(&self.path).unwrap_or_else(|| self.path.clone())
    }

    /// Reads it; the format is found by content.
    pub fn read(&self, care: Care) -> Result<Embeddings> {
        self.format()?.read_as(self, care)
    }

    /// The first format that recognises it.
    fn by_content(&self) -> Option<&'static dyn Format> {
        FORMATS.iter().copied().find(|format| format.recognizes(self))
    }

    /// The format of a vector file or a run folder.
    pub fn format(&self) -> Result<&'static dyn Format> {
        if let Some(format) = self.by_content() {
            return Ok(format);
        }
        let Some(file) = &self.file else {
            let path = &self.path;
            if path.join("checkpoints").is_dir() {
                let shown = path.display();
                let reason = format!("the run is unfinished; go on with firth resume {shown}");
                return Err(Error::data(format!("{shown}: {reason}")));
            }
            return Err(Error::data(format!(
                "{}: the folder holds no vectors; expected words.safetensors (a run), vectors.tsv (a projector), \
                 model.safetensors and tokenizer.json (a static embedding) or vocab/key2row (spaCy)",
                path.display()
            )));
        };
        let (path, bytes, named) = (file.path(), file.bytes(), by_extension(&self.unpacked_path()));
        if bytes.is_empty() {
            return Err(Error::byte(path, 0, "the file is empty, expected vectors"));
        }
        // A cut archive is no archive any more; what it was to be its name tells.
        if let Some(format) = named.filter(|format| format.name() == "npz" && bytes.starts_with(b"PK")) {
            return Ok(format);
        }
        if let Some(reason) = foreign(bytes) {
            return Err(Error::byte(path, 0, reason));
        }
        // Its reader will say what is wrong with it.
        named.ok_or_else(|| {
            let found = checks::excerpt(bytes);
            Error::byte(path, 0, format!("found {found}, which begins no vector file that firth reads ({})", names()))
        })
    }
}

/// Files of other kinds that are taken for vectors: how they begin, what they are, what to do.
const FOREIGN: &[(&[u8], &str, &str)] = &[
    (b"PK\x03\x04", "a zip or .npz archive", "unpack it first"),
    (b"\x80\x02", PICKLE, GENSIM),
    (b"\x80\x03", PICKLE, GENSIM),
    (b"\x80\x04", PICKLE, GENSIM),
    (b"\x80\x05", PICKLE, GENSIM),
];
const PICKLE: &str = "a Python pickle";
const GENSIM: &str = "save it in gensim with save_word2vec_format(NAME, binary=True)";

/// Refuses a file of text that begins with a key and would be taken for something else; `holds` names formats that do not.
pub(super) fn no_other(format: &dyn Format, file: &mut AtomicFile, first: &str, holds: &str) -> Result<()> {
    let written = file.written()?;
    let found = Candidate::open(written).map(|candidate| candidate.by_content().map(Format::name));
    let looks = match found {
        Ok(Some(name)) if name == format.name() => return Ok(()),
        Ok(Some(name)) => name,
        _ => "no file of text",
    };
    let why = format!("in the first row that makes the file look like {looks}");
    Err(checks::unsupported(format.name(), 0, first, &why, holds))
}

/// The format of a vector file, compressed or not, or of a run folder.
pub fn detect(path: &Path) -> Result<&'static dyn Format> {
    Candidate::open(path)?.format()
}

/// What a file of another kind is, and what to do.
pub(super) fn foreign(bytes: &[u8]) -> Option<String> {
    let (_, what, remedy) = FOREIGN.iter().find(|(magic, ..)| bytes.starts_with(magic))?;
    Some(format!("the file is {what}; {remedy}"))
}
