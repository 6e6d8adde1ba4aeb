//! The safetensors container: every file of firth's own is one, of a kind and a schema named in its header.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata};

use super::{AtomicFile, MappedFile, MappedSlice, Plain, as_bytes};
use crate::error::{Error, Result, WRITE_ANEW};

/// What firth writes into a container's header beside the caller's entries.
const VERSION_KEY: &str = "firth.version";
const KIND_KEY: &str = "firth.kind";
const SCHEMA_KEY: &str = "firth.schema";
/// The newest layout this version reads and the one it writes.
const SCHEMA: u32 = 1;

/// Writes a safetensors file, tensor after tensor, without ever holding it in memory.
///
/// Layout: `u64` header length, JSON header padded to 8 bytes, then the tensors' little-endian data one after another.
/// Tensors should be declared from the widest type to the narrowest, so that each is aligned.
pub struct ContainerWriter {
    file: AtomicFile,
    expected: u64,
    written: u64,
}

impl ContainerWriter {
    /// Declares all tensors (name, type, shape) in the order in which their data will follow.
    pub fn create(
        path: &Path,
        kind: &str,
        metadata: &BTreeMap<String, String>,
        tensors: &[(&str, Dtype, Vec<usize>)],
    ) -> Result<Self> {
        let (mut json, end) = header(kind, metadata, tensors);
        json.resize(json.len().next_multiple_of(8), b' ');
        let mut file = AtomicFile::create(path)?;
        file.write(&(json.len() as u64).to_le_bytes())?;
        file.write(&json)?;
        Ok(Self { file, expected: end, written: 0 })
    }

    /// Appends a part of the data, in the declared order.
    pub fn write<T: Plain>(&mut self, values: &[T]) -> Result<()> {
        self.written += size_of_val(values) as u64;
        self.file.write(as_bytes(values))
    }

    /// Makes the file durable under its name.
    ///
    /// # Panics
    /// If more or less was written than declared: a bug in the caller.
    pub fn commit(self) -> Result<()> {
        assert_eq!(self.written, self.expected, "{}: data as declared", self.file.path().display());
        self.file.commit()
    }
}

/// The header's JSON and the length of the data it declares.
fn header(kind: &str, metadata: &BTreeMap<String, String>, tensors: &[(&str, Dtype, Vec<usize>)]) -> (Vec<u8>, u64) {
    let mut header = serde_json::Map::new();
    let mut all = metadata.clone();
    all.insert(VERSION_KEY.into(), env!("CARGO_PKG_VERSION").into());
    all.insert(KIND_KEY.into(), kind.into());
    all.insert(SCHEMA_KEY.into(), SCHEMA.to_string());
    header.insert("__metadata__".into(), serde_json::json!(all));
    let mut end = 0u64;
    for (name, dtype, shape) in tensors {
        let start = end;
        let count: u64 = shape.iter().map(|&n| n as u64).product();
        end += count * dtype.bitsize() as u64 / 8;
        header
            .insert((*name).into(), serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]}));
    }
    (serde_json::to_vec(&header).expect("a header is plain JSON"), end)
}

/// A safetensors file whose data are written by several threads in any order, and whose shapes are known at the end.
///
/// Room for the header is kept at the front and padded with spaces, as the format allows.
pub struct OpenContainer {
    file: AtomicFile,
}

impl OpenContainer {
    /// Bytes before the data, a whole number of pages: the header's length and the header.
    const ROOM: usize = 1 << 16;

    /// Starts a file that will be named `path`.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self { file: AtomicFile::create(path)? })
    }

    /// Writes a part of the data, `offset` bytes after the data's start.
    pub fn write_at<T: Plain>(&self, values: &[T], offset: u64) -> Result<()> {
        self.file.write_at(as_bytes(values), Self::ROOM as u64 + offset)
    }

    /// Writes the header and gives the file its name, without waiting for the disk.
    pub fn commit(
        self,
        kind: &str,
        metadata: &BTreeMap<String, String>,
        tensors: &[(&str, Dtype, Vec<usize>)],
    ) -> Result<()> {
        let (mut json, _) = header(kind, metadata, tensors);
        if json.len() > Self::ROOM - 8 {
            return Err(Error::data(format!(
                "{}: a header of {} bytes is too long",
                self.file.path().display(),
                json.len()
            )));
        }
        json.resize(Self::ROOM - 8, b' ');
        self.file.write_at(&(json.len() as u64).to_le_bytes(), 0)?;
        self.file.write_at(&json, 8)?;
        self.file.commit_unsynced()
    }
}

/// A safetensors file, mapped.
#[derive(Debug, Clone)]
pub struct Container {
    file: MappedFile,
    metadata: Metadata,
    data: usize,
}

impl Container {
    /// Opens any safetensors file; all offsets are checked against its size.
    pub fn open(path: &Path) -> Result<Self> {
        Self::of(MappedFile::open(path)?)
    }

    /// [`Container::open`], of a file that is mapped already.
    pub fn of(file: MappedFile) -> Result<Self> {
        let (header, metadata) = safetensors::SafeTensors::read_metadata(file.bytes()).map_err(|error| {
            Error::byte(file.path(), 0, format!("not a whole safetensors file ({error}); {WRITE_ANEW}"))
        })?;
        let container = Self { data: header + 8, file, metadata };
        if let Some(schema) = container.entry(SCHEMA_KEY)
            && schema.parse::<u32>().map_or(true, |schema| schema > SCHEMA)
        {
            let (path, version) = (container.path().display(), container.entry(VERSION_KEY).unwrap_or("?"));
            let reason = format!("a file of layout {schema}, where this version of firth has {SCHEMA} at most");
            return Err(Error::data(format!("{path}: {reason}; read it with the version that wrote it, {version}")));
        }
        Ok(container)
    }

    /// Opens a file that must be of one of firth's kinds.
    pub fn open_kind(path: &Path, kind: &str) -> Result<Self> {
        Self::open(path)?.of_kind(kind)
    }

    /// The same, which must be of one of firth's kinds.
    pub fn of_kind(self, kind: &str) -> Result<Self> {
        match self.kind() {
            Some(found) if found == kind => Ok(self),
            found => {
                let found = found.unwrap_or("a safetensors file of another program").to_owned();
                Err(Error::mismatch(format!("{}: kind of file", self.path().display()), kind, found))
            }
        }
    }

    /// Which of firth's kinds it is; `None` for other programs' files.
    pub fn kind(&self) -> Option<&str> {
        self.entry(KIND_KEY)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// A text entry of the header.
    pub fn entry(&self, key: &str) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// The text entries of the header that not every file of firth's has, sorted by name.
    pub fn entries(&self) -> BTreeMap<String, String> {
        let own = |key: &str| [VERSION_KEY, KIND_KEY, SCHEMA_KEY].contains(&key);
        let entries = self.metadata.metadata().iter().flatten().filter(|(key, _)| !own(key));
        entries.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The tensors' names, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.metadata.tensors().into_keys().collect();
        names.sort();
        names
    }

    /// A tensor's type and shape.
    pub fn shape(&self, name: &str) -> Result<(Dtype, Vec<usize>)> {
        let info = self.info(name)?;
        Ok((info.dtype, info.shape.clone()))
    }

    /// A tensor's data, still in the map. The caller checks the shape.
    pub fn slice<T: Plain>(&self, name: &str) -> Result<MappedSlice<T>> {
        let info = self.info(name)?;
        let at = (self.data + info.data_offsets.0) as u64;
        if info.dtype != T::DTYPE {
            return Err(Error::byte(
                self.path(),
                at,
                format!("tensor {name:?} has type {:?}, expected {:?}", info.dtype, T::DTYPE),
            ));
        }
        let range = self.data + info.data_offsets.0..self.data + info.data_offsets.1;
        self.file
            .numbers(range)
            .ok_or_else(|| Error::byte(self.path(), at, format!("tensor {name:?} is not aligned to its type")))
    }

    /// Where a tensor begins in the file.
    pub fn start(&self, name: &str) -> Result<usize> {
        Ok(self.data + self.info(name)?.data_offsets.0)
    }

    /// A tensor's bytes, whatever its type and wherever they begin.
    pub fn bytes(&self, name: &str) -> Result<&[u8]> {
        let (start, end) = self.info(name)?.data_offsets;
        Ok(&self.file.bytes()[self.data + start..self.data + end])
    }

    fn info(&self, name: &str) -> Result<&safetensors::tensor::TensorInfo> {
        self.metadata.info(name).ok_or_else(|| {
            Error::byte(self.path(), 0, format!("no tensor {name:?}; found {}", self.names().join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_gives_back_what_was_written() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.safetensors");
        let metadata = BTreeMap::from([("who".to_owned(), "Firth".to_owned())]);
        let tensors = [("wide", Dtype::U64, vec![2]), ("rows", Dtype::F32, vec![2, 3])];
        let mut writer = ContainerWriter::create(&path, "test", &metadata, &tensors)?;
        writer.write(&[7u64, 8])?;
        writer.write(&[1f32, 2.0, 3.0])?;
        writer.write(&[4f32, 5.0, 6.0])?;
        writer.commit()?;
        let container = Container::open_kind(&path, "test")?;
        assert_eq!((container.entry("who"), container.kind()), (Some("Firth"), Some("test")));
        assert_eq!(container.entries(), metadata);
        assert_eq!(container.shape("rows")?, (Dtype::F32, vec![2, 3]));
        assert_eq!(&*container.slice::<u64>("wide")?, &[7, 8]);
        let file = std::fs::read(&path).expect("the file");
        assert_eq!(file[container.start("rows")?..][..4], 1f32.to_le_bytes());
        assert_eq!(container.slice::<f32>("rows")?.iter().sum::<f32>(), 21.0);
        assert!(container.slice::<f32>("wide").is_err());
        assert!(Container::open_kind(&path, "vocabulary").is_err());
        Ok(())
    }

    #[test]
    fn a_truncated_container_is_refused() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.safetensors");
        let mut writer = ContainerWriter::create(&path, "test", &BTreeMap::new(), &[("a", Dtype::F32, vec![100])])?;
        writer.write(&[1f32; 100])?;
        writer.commit()?;
        let bytes = std::fs::read(&path).expect("the file");
        for length in [0, 4, 8, 20, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).expect("a shorter file");
            assert!(matches!(Container::open(&path), Err(Error::Parse { .. })), "{length} bytes");
        }
        Ok(())
    }
}
