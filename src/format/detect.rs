//! Which format is it? By content first; by the name's ending only when the content is too damaged to tell.

use std::path::{Path, PathBuf};

use super::{FORMATS, Format, by_extension, checks, names};
use crate::error::{Error, Result};
use crate::io::{AtomicFile, MappedFile};

/// A file or folder that some format may recognise.
pub struct Candidate {
    path: PathBuf,
    file: Option<MappedFile>,
}

impl Candidate {
    /// Looks at a file or a folder.
    pub fn open(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|source| Error::io(path, source))?;
        // A pipe would block, and cannot be mapped.
        if !metadata.is_dir() && !metadata.is_file() {
            return Err(Error::io(path, std::io::Error::other("is neither a file nor a folder")));
        }
        let file = if metadata.is_dir() { None } else { Some(MappedFile::open(path)?) };
        Ok(Self { path: path.into(), file })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's bytes; `None` for a folder.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.file.as_ref().map(MappedFile::bytes)
    }
}

/// Files of other kinds that are taken for vectors: how they begin, what they are, what to do.
const FOREIGN: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "compressed with gzip", "unpack it with gunzip first"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "unpack it with unzstd first"),
    (b"\xfd7zXZ\0", "compressed with xz", "unpack it with unxz first"),
    (b"BZh", "compressed with bzip2", "unpack it with bunzip2 first"),
    (b"PK\x03\x04", "a zip or .npz archive", "unpack it first"),
    (b"\x80\x02", PICKLE, GENSIM),
    (b"\x80\x03", PICKLE, GENSIM),
    (b"\x80\x04", PICKLE, GENSIM),
    (b"\x80\x05", PICKLE, GENSIM),
];
const PICKLE: &str = "a Python pickle";
const GENSIM: &str = "save it in gensim with save_word2vec_format(NAME, binary=True)";

/// The first format that recognises a file or folder.
fn by_content(candidate: &Candidate) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.recognizes(candidate))
}

/// Refuses a file of text that begins with a key and would be taken for something else; `holds` names formats that do not.
pub(super) fn no_other(format: &dyn Format, file: &mut AtomicFile, first: &str, holds: &str) -> Result<()> {
    let written = file.written()?;
    let found = Candidate::open(written).map(|candidate| by_content(&candidate).map(Format::name));
    let looks = match found {
        Ok(Some(name)) if name == format.name() => return Ok(()),
        Ok(Some(name)) => name,
        _ => "no file of text",
    };
    let why = format!("in the first row that makes the file look like {looks}");
    Err(checks::unsupported(format.name(), 0, first, &why, holds))
}

/// The format of a vector file or a run folder.
pub fn detect(path: &Path) -> Result<&'static dyn Format> {
    let candidate = Candidate::open(path)?;
    if let Some(format) = by_content(&candidate) {
        return Ok(format);
    }
    let Some(bytes) = candidate.bytes() else {
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
    if bytes.is_empty() {
        return Err(Error::byte(path, 0, "the file is empty, expected vectors"));
    }
    // A cut archive is no archive any more; what it was to be its name tells.
    if let Some(format) = by_extension(path).filter(|format| format.name() == "npz" && bytes.starts_with(b"PK")) {
        return Ok(format);
    }
    if let Some(reason) = foreign(bytes) {
        return Err(Error::byte(path, 0, reason));
    }
    // Its reader will say what is wrong with it.
    by_extension(path).ok_or_else(|| {
        let found = checks::excerpt(bytes);
        Error::byte(path, 0, format!("found {found}, which begins no vector file that firth reads ({})", names()))
    })
}

/// What a file of another kind is, and what to do.
pub(super) fn foreign(bytes: &[u8]) -> Option<String> {
    let (_, what, remedy) = FOREIGN.iter().find(|(magic, ..)| bytes.starts_with(magic))?;
    Some(format!("the file is {what}; {remedy}"))
}
