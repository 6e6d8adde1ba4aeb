//! What can be read only once, or must be unpacked first, is kept in a file without a name.
//!
//! It lies in the system's folder for temporary files (`TMPDIR`) and goes with its last map, or with the process.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use super::MappedFile;
use crate::error::{Error, Result};

/// Bytes that are held at once.
pub(super) const PIECE: usize = 1 << 20;

/// Keeps all that a pipe gives, and maps it; `name` is what errors call it.
pub fn spool(mut from: impl Read, name: &Path) -> Result<MappedFile> {
    keep(name, |piece| (&mut from).take(PIECE as u64).read_to_end(piece).map_err(|source| Error::io(name, source)))
}

/// Keeps pieces until one is empty, and maps them. `next` appends a piece and says how long it is.
pub(super) fn keep(name: &Path, next: impl FnMut(&mut Vec<u8>) -> Result<usize>) -> Result<MappedFile> {
    let file = tempfile::tempfile().map_err(|source| refused(name, &source))?;
    keep_in(file, name, next)
}

fn keep_in(mut file: File, name: &Path, mut next: impl FnMut(&mut Vec<u8>) -> Result<usize>) -> Result<MappedFile> {
    let mut piece = Vec::with_capacity(PIECE);
    while next(&mut piece)? > 0 {
        file.write_all(&piece).map_err(|source| refused(name, &source))?;
        piece.clear();
    }
    MappedFile::of(&file, name)
}

/// The disk has no room, or there is no such folder.
fn refused(name: &Path, source: &std::io::Error) -> Error {
    let folder = tempfile::env::temp_dir();
    // A command may have chosen another folder, beside its output.
    let remedy = if folder == std::env::temp_dir() { " or set TMPDIR to another folder" } else { "" };
    let reason = format!("cannot hold a copy of {} ({source}); make room there{remedy}", name.display());
    Error::io(folder, std::io::Error::new(source.kind(), reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_no_name() -> Result<()> {
        let bytes = vec![7; PIECE + 1];
        let file = spool(&bytes[..], Path::new("stdin"))?;
        assert!(file.bytes() == bytes && file.path() == Path::new("stdin"));
        #[cfg(target_os = "linux")]
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&file.opened.1), 0);
        Ok(())
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_with_the_remedy() {
        let full = File::options().write(true).open("/dev/full").expect("a device that is always full");
        let error = keep_in(full, Path::new("a.gz"), |piece| {
            piece.push(1);
            Ok(1)
        });
        let error = error.expect_err("no room").to_string();
        let folder = std::env::temp_dir().display().to_string();
        assert!(error.starts_with(&folder) && error.contains("a copy of a.gz (No space left"), "{error}");
        assert!(error.ends_with("make room there or set TMPDIR to another folder"), "{error}");
    }
}
