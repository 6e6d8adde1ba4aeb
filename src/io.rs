//! Files: map one, unpack one, write one whole or not at all, and the safetensors container.
//!
//! The only home of `memmap2`; everyone else sees slices. A mapped file must not be changed by another process
//! while firth reads it: firth itself only ever replaces files by renaming, which leaves an open map as it was.
#![allow(unsafe_code)]

use std::fs::{File, Metadata};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::{Mmap, MmapMut};
use safetensors::tensor::Dtype;

use crate::error::{Error, Result};

pub mod checksum;
pub mod compression;
mod container;
pub mod quotes;
mod spool;
mod text;

pub use container::{Container, ContainerWriter, OpenContainer};
pub use spool::spool;
pub use text::{read_text, stdin};

/// A file's bytes, mapped read-only; cheap to clone and to share between threads.
#[derive(Debug, Clone)]
pub struct MappedFile {
    path: Arc<Path>,
    map: Option<Arc<Mmap>>,
    /// The open file and how it was when it was mapped.
    opened: Arc<(File, Metadata)>,
}

impl MappedFile {
    /// Maps a regular file. An empty file gives an empty slice.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::io(path, source))?;
        Self::of(&file, path)
    }

    /// Maps a file that is open already, for instance one without a name; `path` is what errors call it.
    pub fn of(file: &File, path: &Path) -> Result<Self> {
        let metadata = file.metadata().map_err(|source| Error::io(path, source))?;
        if metadata.is_dir() {
            return Err(Error::io(path, std::io::Error::other("is a folder, expected a file")));
        }
        let map = if metadata.len() == 0 {
            None
        } else {
            // SAFETY: the map is read-only and private to this process. Another process that truncates the file
            // under us could still raise SIGBUS; firth's own writers only rename, so its files never shrink.
            let map = unsafe { Mmap::map(file) }.map_err(|source| Error::io(path, source))?;
            Some(Arc::new(map))
        };
        let file = file.try_clone().map_err(|source| Error::io(path, source))?;
        Ok(Self { path: path.into(), map, opened: Arc::new((file, metadata)) })
    }

    /// Fails if another process has changed, cut or removed the file since it was mapped. (What it held when it was
    /// removed can still be read.)
    pub fn unchanged(&self) -> Result<()> {
        let (file, before) = &*self.opened;
        let now = file.metadata().map_err(|source| Error::io(&*self.path, source))?;
        let what = if is_removed(&now) {
            "was removed while it was read; put it back"
        } else if now.len() != before.len() || now.modified().ok() != before.modified().ok() {
            "was changed while it was read; make it anew"
        } else {
            return Ok(());
        };
        Err(Error::data(format!("{}: {what}", self.path.display())))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.map.as_ref().map_or(&[], |map| map)
    }

    /// A part of it as numbers; `None` if the range, its alignment or its length does not fit the type.
    pub fn numbers<T: Plain>(&self, range: Range<usize>) -> Option<MappedSlice<T>> {
        from_bytes::<T>(self.bytes().get(range.clone())?)?;
        Some(MappedSlice { file: self.clone(), range, kind: std::marker::PhantomData })
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

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

#[cfg(unix)]
fn is_removed(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) == 0
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn is_removed(_: &Metadata) -> bool {
    false
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

impl<T> MappedSlice<T> {
    /// The file that it lies in.
    pub fn file(&self) -> &MappedFile {
        &self.file
    }
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
            Some(map) => from_bytes(&map[..self.len * 4]).expect("pages are aligned"),
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
    /// The name until then; removes the file when dropped.
    temporary: tempfile::TempPath,
    writer: BufWriter<File>,
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
        // Parts, since a named temporary file puts its hidden name into every error.
        let file = builder.tempfile_in(folder).map_err(|source| Error::io(path, source.kind().into()))?;
        let (file, temporary) = file.into_parts();
        Ok(Self { path: path.into(), temporary, writer: BufWriter::with_capacity(1 << 20, file) })
    }

    /// The name it will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(|source| Error::io(&self.path, source))
    }

    /// Writes bytes at an offset; several threads may do so at once. Not to be mixed with [`AtomicFile::write`].
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        write_at(self.writer.get_ref(), bytes, offset).map_err(|source| Error::io(&self.path, source))
    }

    /// Where it lies until then, with all bytes that were written: to look at before [`AtomicFile::commit`].
    pub fn written(&mut self) -> Result<&Path> {
        self.writer.flush().map_err(|source| Error::io(&self.path, source))?;
        Ok(&self.temporary)
    }

    /// Makes it durable and gives it its name, replacing what had that name.
    pub fn commit(self) -> Result<()> {
        self.persist(true)
    }

    /// Gives it its name without waiting for the disk: for what can be made anew if the power fails meanwhile.
    pub fn commit_unsynced(self) -> Result<()> {
        self.persist(false)
    }

    fn persist(self, durable: bool) -> Result<()> {
        let Self { path, temporary, writer } = self;
        let file = writer.into_inner().map_err(|error| Error::io(&path, error.into_error()))?;
        if durable {
            file.sync_all().map_err(|source| Error::io(&path, source))?;
        }
        drop(file);
        temporary.persist(&path).map_err(|error| Error::io(&path, error.error))
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

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.writer.seek(to)
    }
}

/// Writes all bytes at an offset, without moving a cursor that threads would have to share.
#[cfg(unix)]
pub fn write_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Writes all bytes at an offset, without relying on a cursor that threads would have to share.
#[cfg(windows)]
pub fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
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

    #[cfg(target_os = "linux")]
    #[test]
    fn errors_name_the_file_asked_for() {
        let path = Path::new("/proc/self/a.bin");
        let message = AtomicFile::create(path).err().expect("no files can be made there").to_string();
        assert!(message.starts_with("/proc/self/a.bin: ") && !message.contains(".firth-"), "{message}");
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
