//! Compressed files, recognised by their first bytes, never by their names.

use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use crate::io::MappedFile;

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
}

/// A compressed file being read from front to back.
pub struct Decoder {
    reader: Box<dyn Read + Send>,
    compression: Compression,
    path: std::path::PathBuf,
    /// Bytes given out so far.
    given: u64,
}

/// A mapped file with a cursor.
struct Bytes {
    file: MappedFile,
    at: usize,
}

impl Read for Bytes {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.file.bytes()[self.at..];
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

impl Decoder {
    /// Starts at the front of a file.
    pub fn new(file: &MappedFile, compression: Compression) -> Result<Self> {
        let path = file.path();
        let bytes = std::io::BufReader::with_capacity(1 << 17, Bytes { file: file.clone(), at: 0 });
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

    fn explain(&self, error: &std::io::Error) -> Error {
        let name = self.compression.name();
        let truncated = error.kind() == std::io::ErrorKind::UnexpectedEof || error.to_string().contains("incomplete");
        let reason = if truncated {
            format!("the {name} data end too early, the file is truncated; copy or compress it anew")
        } else {
            format!("not valid {name} data ({error}); copy or compress the file anew")
        };
        let Self { path, given, .. } = self;
        Error::byte(path as &Path, *given, format!("after unpacking so far: {reason}"))
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
        let compression = Compression::detect(bytes).expect("a known kind");
        let mut decoder = Decoder::new(&MappedFile::open(file.path())?, compression)?;
        let mut text = Vec::new();
        while decoder.read(1000, &mut text)? == 1000 {}
        Ok(text)
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
}
