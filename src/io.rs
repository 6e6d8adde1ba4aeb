//! Files: map one, write one whole or not at all, and the safetensors container.
//!
//! The only home of `memmap2`; everyone else sees slices. A mapped file must not be changed by another process
//! while firth reads it: firth itself only ever replaces files by renaming, which leaves an open map as it was.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};
use safetensors::tensor::{Dtype, Metadata};

use crate::error::{Error, Result};

/// A file's bytes, mapped read-only; cheap to clone and to share between threads.
#[derive(Debug, Clone)]
pub struct MappedFile {
    path: Arc<Path>,
    map: Option<Arc<Mmap>>,
}

impl MappedFile {
    /// Maps a regular file. An empty file gives an empty slice.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::io(path, source))?;
        let metadata = file.metadata().map_err(|source| Error::io(path, source))?;
        if metadata.is_dir() {
            return Err(Error::io(path, std::io::Error::other("is a folder, expected a file")));
        }
        let map = if metadata.len() == 0 {
            None
        } else {
            // SAFETY: the map is read-only and private to this process. Another process that truncates the file
            // under us could still raise SIGBUS; firth's own writers only rename, so its files never shrink.
            let map = unsafe { Mmap::map(&file) }.map_err(|source| Error::io(path, source))?;
            Some(Arc::new(map))
        };
        Ok(Self { path: path.into(), map })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.map.as_ref().map_or(&[], |map| map)
    }

    /// Tells the kernel that the file will be read from front to back, so that it reads ahead.
    pub fn advise_sequential(&self) {
        #[cfg(unix)]
        if let Some(map) = &self.map {
            // Advice only: a kernel that refuses it changes nothing but speed.
            let _ = map.advise(memmap2::Advice::Sequential);
        }
    }
}

/// Plain numbers that a byte slice can be read as, little-endian on every supported machine.
pub trait Plain: Copy + Send + Sync + 'static {
    /// The safetensors type.
    const DTYPE: Dtype;
}
impl Plain for u8 {
    const DTYPE: Dtype = Dtype::U8;
}
impl Plain for u32 {
    const DTYPE: Dtype = Dtype::U32;
}
impl Plain for u64 {
    const DTYPE: Dtype = Dtype::U64;
}
impl Plain for f32 {
    const DTYPE: Dtype = Dtype::F32;
}

const _: () = assert!(cfg!(target_endian = "little"), "firth's files are little-endian and mapped as they are");

/// A slice's bytes.
pub fn as_bytes<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: `Plain` types have no padding, every byte pattern is initialised, u8 has alignment 1.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// Bytes as numbers; `None` if the address or the length does not fit the type.
pub fn from_bytes<T: Plain>(bytes: &[u8]) -> Option<&[T]> {
    // SAFETY: every byte pattern is a valid `Plain` value.
    let (head, values, tail) = unsafe { bytes.align_to::<T>() };
    (head.is_empty() && tail.is_empty()).then_some(values)
}

/// A part of a mapped file read as numbers: what a reader returns instead of a copy.
#[derive(Debug, Clone)]
pub struct MappedSlice<T> {
    file: MappedFile,
    range: Range<usize>,
    kind: std::marker::PhantomData<T>,
}

impl<T: Plain> std::ops::Deref for MappedSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        from_bytes(&self.file.bytes()[self.range.clone()]).expect("alignment and length were checked on opening")
    }
}

/// Zeroed `f32` memory on its own pages, aligned to them and on huge pages where the system grants them.
///
/// Training tables are read at random rows, so that with 4 KiB pages most rows cost a TLB miss.
#[derive(Debug)]
pub struct PageBuffer {
    map: Option<MmapMut>,
    len: usize,
}

/// The size of a huge page on x86-64 and most aarch64 systems.
const HUGE_PAGE: usize = 2 << 20;

impl PageBuffer {
    /// `len` zeros; fails rather than aborts if the system has no such memory.
    pub fn zeroed(len: usize) -> Result<Self> {
        let bytes = len.checked_mul(4).ok_or_else(|| Error::data(format!("a table of {len} numbers is too large")))?;
        if bytes == 0 {
            return Ok(Self { map: None, len });
        }
        // Whole huge pages, so that a table's end can be one as well.
        let rounded = if bytes >= HUGE_PAGE { bytes.next_multiple_of(HUGE_PAGE) } else { bytes };
        let map = MmapMut::map_anon(rounded).map_err(|source| {
            Error::data(format!(
                "no memory for a table of {} MiB ({source}); lower --dim or raise --min-count",
                bytes >> 20
            ))
        })?;
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage); // Advice only, as above.
        Ok(Self { map: Some(map), len })
    }

    /// The first number; aligned to a page, valid for `len` numbers.
    pub fn as_mut_ptr(&mut self) -> *mut f32 {
        self.map.as_mut().map_or(std::ptr::NonNull::dangling().as_ptr(), |map| map.as_mut_ptr().cast())
    }

    /// The numbers.
    pub fn as_slice(&self) -> &[f32] {
        match &self.map {
            Some(map) => &from_bytes(&map[..self.len * 4]).expect("pages are aligned")[..],
            None => &[],
        }
    }

    /// The numbers, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        let len = self.len;
        // SAFETY: the pointer is valid and page-aligned for `len` numbers, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr(), len) }
    }
}

/// Writes a file that appears whole under its name or not at all.
///
/// It is written beside the target, flushed to the disk and renamed. Dropped before [`AtomicFile::commit`], it leaves
/// nothing behind.
pub struct AtomicFile {
    path: PathBuf,
    writer: BufWriter<tempfile::NamedTempFile>,
}

impl AtomicFile {
    /// Starts a file that will be named `path`; its folder is made if it is missing.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".firth-").suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // What `open` would give, less the umask; tempfile's own default hides results from everyone else.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder).map_err(|source| Error::io(folder, source))?;
        Ok(Self { path: path.into(), writer: BufWriter::with_capacity(1 << 20, file) })
    }

    /// The name it will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(|source| Error::io(&self.path, source))
    }

    /// Makes it durable and gives it its name, replacing what had that name.
    pub fn commit(self) -> Result<()> {
        let Self { path, writer } = self;
        let file = writer.into_inner().map_err(|error| Error::io(&path, error.into_error()))?;
        file.as_file().sync_all().map_err(|source| Error::io(&path, source))?;
        file.persist(&path).map_err(|error| Error::io(&path, error.error))?;
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

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
            header.insert(
                (*name).into(),
                serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]}),
            );
        }
        let mut json = serde_json::to_vec(&header).expect("a header is plain JSON");
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
        let file = MappedFile::open(path)?;
        let (header, metadata) = safetensors::SafeTensors::read_metadata(file.bytes())
            .map_err(|error| Error::byte(path, 0, format!("not a whole safetensors file ({error}); write it anew")))?;
        let container = Self { data: header + 8, file, metadata };
        if let Some(schema) = container.entry(SCHEMA_KEY) {
            if schema.parse::<u32>().map_or(true, |schema| schema > SCHEMA) {
                return Err(Error::mismatch(
                    format!("{}: layout (firth.schema)", path.display()),
                    format!("at most {SCHEMA}"),
                    format!("{schema}, written by firth {}", container.entry(VERSION_KEY).unwrap_or("?")),
                ));
            }
        }
        Ok(container)
    }

    /// Opens a file that must be of one of firth's kinds.
    pub fn open_kind(path: &Path, kind: &str) -> Result<Self> {
        let container = Self::open(path)?;
        match container.kind() {
            Some(found) if found == kind => Ok(container),
            found => {
                let found = found.unwrap_or("a safetensors file of another program").to_owned();
                Err(Error::mismatch(format!("{}: kind of file", path.display()), kind, found))
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

    /// All text entries of the header, sorted by name.
    pub fn entries(&self) -> BTreeMap<String, String> {
        self.metadata.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
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
        if from_bytes::<T>(&self.file.bytes()[range.clone()]).is_none() {
            return Err(Error::byte(self.path(), at, format!("tensor {name:?} is not aligned to its type")));
        }
        Ok(MappedSlice { file: self.file.clone(), range, kind: std::marker::PhantomData })
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
    fn a_dropped_file_leaves_nothing() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("new/a.bin");
        let mut file = AtomicFile::create(&path)?;
        file.write(b"half")?;
        drop(file);
        assert!(!path.exists());
        assert_eq!(std::fs::read_dir(folder.path().join("new")).expect("the folder").count(), 0);
        Ok(())
    }

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
        assert_eq!(container.entry("who"), Some("Firth"));
        assert_eq!(container.shape("rows")?, (Dtype::F32, vec![2, 3]));
        assert_eq!(&*container.slice::<u64>("wide")?, &[7, 8]);
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

    #[test]
    fn page_buffers_are_zero_and_aligned() -> Result<()> {
        let mut buffer = PageBuffer::zeroed(1_000_000)?;
        assert_eq!(buffer.as_mut_ptr() as usize % 4096, 0);
        assert!(buffer.as_slice().iter().all(|&x| x == 0.0));
        assert!(PageBuffer::zeroed(usize::MAX / 2).is_err());
        assert!(PageBuffer::zeroed(0)?.as_slice().is_empty());
        Ok(())
    }
}
