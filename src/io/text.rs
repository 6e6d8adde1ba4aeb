//! Files of text that are read whole.

use std::fs::File;
use std::io::{Read, StdinLock};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::compression::{Compression, Decoder};
use super::spool::PIECE;
use crate::error::{Error, Result};

/// What messages call standard input.
const STDIN: &str = "stdin";

/// Standard input, which can be read to its end but once.
///
/// # Errors
/// If it was asked for before.
pub fn stdin() -> Result<StdinLock<'static>> {
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    if IS_TAKEN.swap(true, Ordering::Relaxed) {
        return Err(Error::config("-", "standard input is named twice and can be read but once; name a file"));
    }
    Ok(std::io::stdin().lock())
}

/// Reads a file of text whole; `-` is standard input. What is compressed is unpacked; a byte order mark is no part of
/// the text.
///
/// # Errors
/// If it cannot be read or unpacked, or is not UTF-8, with the line.
pub fn read_text(path: &Path) -> Result<String> {
    let is_stdin = path.as_os_str() == "-";
    let (name, mut bytes) = (if is_stdin { Path::new(STDIN) } else { path }, Vec::new());
    let read = if is_stdin {
        stdin()?.read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|source| Error::io(name, source))?;
    if let Some(compression) = Compression::detect(&bytes) {
        let size = bytes.len() as u64;
        let mut decoder = Decoder::new(std::mem::take(&mut bytes), name, compression)?;
        while decoder.read_bounded(size, &mut bytes)? == PIECE {}
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let (bytes, at) = (error.as_bytes(), error.utf8_error().valid_up_to());
        let line = 1 + memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64;
        let reason = format!("the byte {:02x} is not UTF-8", bytes[at]);
        Error::line(name, line, format!("{reason}; convert the text to UTF-8 (from Latin-1: iconv -f latin1 -t utf8)"))
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_unpacked_without_its_mark_and_must_be_utf8() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let read = |bytes: &[u8]| {
            std::fs::write(file.path(), bytes).expect("written");
            read_text(file.path()).map_err(|error| error.to_string())
        };
        let text: String = (0..150_000).map(|number| format!("caf\u{e9} {number}\n")).collect();
        let packed = zstd::encode_all(format!("\u{feff}{text}").as_bytes(), 1).expect("memory");
        assert!(text.len() > PIECE && read(&packed) == Ok(text));
        let error = read(b"a\nb\ncaf\xe9 1\n").expect_err("Latin-1");
        assert!(error.contains(", line 3: the byte e9 is not UTF-8; convert"), "{error}");
        let error = read(&packed[..packed.len() / 2]).expect_err("truncated");
        assert!(error.contains("the file is truncated"), "{error}");
        assert!(read_text(&std::env::temp_dir()).is_err(), "a folder");
    }
}
