//! A binary file from front to back: whatever is taken is checked against the bytes that are left.

use std::path::Path;

use super::npy::{Kind, Number};
use crate::error::{Error, Result};

/// A place in a file's bytes.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The beginning of a file.
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        Self { path, bytes, at: 0 }
    }

    /// The file.
    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    /// The bytes before it.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The bytes after it.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> u64 {
        self.rest().len() as u64
    }

    /// An error at this place.
    pub(super) fn fault(&self, reason: impl Into<String>) -> Error {
        Error::byte(self.path, self.at as u64, reason)
    }

    /// The next bytes; `what` is what they should be.
    pub(super) fn take(&mut self, count: u64, what: &str) -> Result<&'a [u8]> {
        if count > self.left() {
            let reason = format!(
                "{what} of {count} bytes, but {} are left; the file is truncated or its header wrong",
                self.left()
            );
            return Err(self.fault(reason));
        }
        let taken = &self.rest()[..count as usize];
        self.at += taken.len();
        Ok(taken)
    }

    /// The next few bytes, to be read as a number.
    pub(super) fn number<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        Ok(self.take(N as u64, what)?.try_into().expect("as many bytes"))
    }

    /// A whole number of 32 bits.
    pub(super) fn u32(&mut self, what: &str) -> Result<u32> {
        self.number(what).map(u32::from_le_bytes)
    }

    /// A whole number of 32 bits with a sign.
    pub(super) fn i32(&mut self, what: &str) -> Result<i32> {
        self.number(what).map(i32::from_le_bytes)
    }

    /// A whole number of 64 bits.
    pub(super) fn u64(&mut self, what: &str) -> Result<u64> {
        self.number(what).map(u64::from_le_bytes)
    }

    /// A whole number of 64 bits with a sign.
    pub(super) fn i64(&mut self, what: &str) -> Result<i64> {
        self.number(what).map(i64::from_le_bytes)
    }

    /// The next bytes up to one that is zero, which is taken too.
    pub(super) fn until_zero(&mut self, what: &str) -> Result<&'a [u8]> {
        let Some(length) = memchr::memchr(0, self.rest()) else {
            return Err(self.fault(format!("{what} that no zero byte ends; the file is truncated or its header wrong")));
        };
        let found = &self.rest()[..length];
        self.at += length + 1;
        Ok(found)
    }

    /// Refuses bytes after the end.
    pub(super) fn finish(self) -> Result<()> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.fault(format!("{left} bytes follow what the header tells; it is wrong"))),
        }
    }
}

/// Little-endian `f32` at any address, copied on all threads.
pub(super) fn floats(bytes: &[u8]) -> Vec<f32> {
    Number { kind: Kind::F32, big_endian: false }.floats(bytes)
}
