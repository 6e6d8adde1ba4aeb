//! Compressed files, recognised by their first bytes, never by their names.
//!
//! A [`Decoder`] reads one from front to back and keeps nothing. What must be mapped or held whole is unpacked by
//! [`open`] and [`super::read_text`]; since a small file may unpack without end, these stop at a bound in its size.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use super::MappedFile;
use super::spool::{self, PIECE};
use crate::error::{Error, Result};

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `.gz`, with any number of members.
    Gzip,
    /// `.zst`, with any number of frames and windows up to 128 MiB.
    Zstandard,
    /// `.bz2`, with any number of streams.
    Bzip,
    /// `.xz`, with any number of streams.
    Xz,
}

/// Bytes that a byte of a packed file may become; nothing that is worth learning from gets that small.
const PACKING: u64 = 1024;

/// How many bytes those of a packed file may become, all together.
pub fn unpacked_room(size: u64) -> u64 {
    size.saturating_mul(PACKING)
}

/// Why a file that would take more than [`unpacked_room`] is refused.
pub fn packed_too_well(size: u64) -> String {
    format!("its {size} bytes become more than {PACKING} times as many")
}

/// The name of a compressed file without the ending that says so, `words.vec` for `words.vec.gz`; `None` for others.
pub fn unpacked_name(path: &Path) -> Option<PathBuf> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    ["gz", "zst", "bz2", "xz"].contains(&ending.as_str()).then(|| path.with_extension(""))
}

/// Maps a file, or what it unpacks to: that is kept in a file without a name, which errors call `FILE (unpacked)`.
pub fn open(path: &Path) -> Result<(MappedFile, Option<Compression>)> {
    let packed = MappedFile::open(path)?;
    let Some(compression) = Compression::detect(packed.bytes()) else { return Ok((packed, None)) };
    packed.advise_sequential();
    let mut decoder = Decoder::new(packed.clone(), path, compression)?;
    let mut name = path.as_os_str().to_owned();
    name.push(" (unpacked)");
    let size = packed.bytes().len() as u64;
    let file = spool::keep(Path::new(&name), |piece| decoder.read_bounded(size, piece))?;
    Ok((file, Some(compression)))
}

/// Looks at the first bytes of a file, those of what it unpacks to if it is compressed; at all if there are no more.
pub fn beginning<T>(path: &Path, length: usize, look: impl FnOnce(&[u8]) -> T) -> Result<T> {
    let file = MappedFile::open(path)?;
    let Some(compression) = Compression::detect(file.bytes()) else {
        return Ok(look(&file.bytes()[..length.min(file.bytes().len())]));
    };
    let mut bytes = Vec::new();
    Decoder::new(file, path, compression)?.read(length, &mut bytes)?;
    Ok(look(&bytes))
}

/// The largest Zstandard window that is accepted, as a power of two: what `zstd --long=27` makes.
const ZSTANDARD_WINDOW: u32 = 27;

impl Compression {
    /// Tells from a file's first bytes.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstandard),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Some(Self::Bzip),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Some(Self::Bzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstandard => "zstd",
            Self::Bzip => "bzip2",
            Self::Xz => "xz",
        }
    }

    /// The program that unpacks it.
    fn program(self) -> &'static str {
        match self {
            Self::Gzip => "gunzip",
            Self::Zstandard => "unzstd",
            Self::Bzip => "bunzip2",
            Self::Xz => "unxz",
        }
    }
}

/// A compressed file being read from front to back.
pub struct Decoder {
    reader: Box<dyn Read + Send>,
    compression: Compression,
    path: PathBuf,
    /// Bytes given out so far.
    given: u64,
}

impl Decoder {
    /// Starts at the front of a file's bytes; `path` is what errors call it.
    pub fn new(bytes: impl AsRef<[u8]> + Send + 'static, path: &Path, compression: Compression) -> Result<Self> {
        let bytes = Cursor::new(bytes);
        let reader: Box<dyn Read + Send> = match compression {
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
            Compression::Bzip => Box::new(bzip2::bufread::MultiBzDecoder::new(bytes)),
            Compression::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(bytes)),
            Compression::Zstandard => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(bytes).map_err(|source| Error::io(path, source))?;
                decoder.window_log_max(ZSTANDARD_WINDOW).map_err(|source| Error::io(path, source))?;
                Box::new(decoder)
            }
        };
        Ok(Self { reader, compression, path: path.into(), given: 0 })
    }

    /// Appends up to `length` bytes; fewer only at the end.
    pub fn read(&mut self, length: usize, into: &mut Vec<u8>) -> Result<usize> {
        let before = into.len();
        let read = (&mut self.reader).take(length as u64).read_to_end(into);
        let count = into.len() - before;
        self.given += count as u64;
        read.map_err(|error| self.explain(&error))
    }

    /// Appends a piece, shorter only at the end. Fails if more was given out than a file of `size` bytes may become.
    pub(super) fn read_bounded(&mut self, size: u64, into: &mut Vec<u8>) -> Result<usize> {
        let count = self.read(PIECE, into)?;
        if self.given <= unpacked_room(size) {
            return Ok(count);
        }
        let (reason, program) = (packed_too_well(size), self.compression.program());
        let reason = format!("after unpacking so far: {reason}; if that is no mistake, unpack it with {program} first");
        Err(Error::byte(&self.path, self.given, reason))
    }

    fn explain(&self, error: &std::io::Error) -> Error {
        let name = self.compression.name();
        let truncated = error.kind() == std::io::ErrorKind::UnexpectedEof || error.to_string().contains("incomplete");
        let reason = if truncated {
            format!("the {name} data end too early, the file is truncated; copy or compress it anew")
        } else {
            format!("not valid {name} data ({error}); copy or compress the file anew")
        };
        Error::byte(&self.path, self.given, format!("after unpacking so far: {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Two members each, as `cat a.gz b.gz` makes them.
    fn packed(compression: Compression, text: &[u8]) -> Vec<u8> {
        let (a, b) = text.split_at(text.len() / 3);
        let one = |part: &[u8]| -> Vec<u8> {
            match compression {
                Compression::Gzip => {
                    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    writer.write_all(part).expect("memory");
                    writer.finish().expect("memory")
                }
                Compression::Zstandard => {
                    let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
                    writer.long_distance_matching(true).expect("long matches");
                    writer.window_log(26).expect("a window of 64 MiB");
                    writer.write_all(part).expect("memory");
                    writer.finish().expect("memory")
                }
                Compression::Bzip => {
                    let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                    writer.write_all(part).expect("memory");
                    writer.finish().expect("memory")
                }
                Compression::Xz => {
                    let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 1);
                    writer.write_all(part).expect("memory");
                    writer.finish().expect("memory")
                }
            }
        };
        [one(a), one(b)].concat()
    }

    const ALL: [Compression; 4] = [Compression::Gzip, Compression::Zstandard, Compression::Bzip, Compression::Xz];

    fn unpack(bytes: &[u8]) -> Result<Vec<u8>> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), bytes).expect("written");
        Ok(open(file.path())?.0.bytes().to_vec())
    }

    #[test]
    fn every_kind_is_recognised_and_read_past_its_first_member() -> Result<()> {
        let text: Vec<u8> = (0..100_000u32).flat_map(|i| format!("{} ", i * i % 977).into_bytes()).collect();
        for compression in ALL {
            let bytes = packed(compression, &text);
            assert_eq!(Compression::detect(&bytes), Some(compression));
            assert!(unpack(&bytes)? == text, "{}", compression.name());
        }
        assert_eq!(Compression::detect(b"BZh is how this line starts"), None);
        Ok(())
    }

    #[test]
    fn truncated_files_are_refused() {
        let text: Vec<u8> = (0..30_000u32).flat_map(|i| format!("{} ", i * i % 977).into_bytes()).collect();
        for compression in ALL {
            let bytes = packed(compression, &text);
            for length in [bytes.len() - 1, bytes.len() / 2, 20] {
                let error = unpack(&bytes[..length]).expect_err("truncated").to_string();
                assert!(error.contains("truncated"), "{} at {length}: {error}", compression.name());
            }
        }
    }

    #[test]
    fn what_unpacks_without_end_is_refused() {
        let bytes = zstd::encode_all(&vec![0; 4 << 20][..], 1).expect("memory");
        let error = unpack(&bytes).expect_err("4 MiB").to_string();
        let told = format!("its {} bytes become more than 1024 times as many", bytes.len());
        assert!(bytes.len() < 1024 && error.contains(&told) && error.contains("unpack it with unzstd"), "{error}");
    }

    #[test]
    fn names_lose_the_ending_of_the_compression() {
        let name = |name: &str| unpacked_name(Path::new(name));
        assert_eq!(name("a/b.vec.gz"), Some("a/b.vec".into()));
        assert_eq!((name("b.CSV.ZST"), name("b.bz2"), name("b.vec")), (Some("b.CSV".into()), Some("b".into()), None));
    }
}
