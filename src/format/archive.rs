//! NumPy's archives: a zip file of arrays, stored or deflated.
//!
//! No size is believed: of a member is read what the header of its array promises, memory grows with what is really
//! there, and all that is unpacked together has a bound in the size of the file, in which members may share their bytes.
//! The numbers of a stored member stay where they lie. [`super::npz`] makes word vectors of them, [`super::matrix`]
//! plain matrices; both ask for arrays by name.

use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use super::matrix::array;
use super::{checks, npy, text};
use crate::error::{Error, Result};
use crate::io::compression;

/// The longest header of an array that is read; NumPy writes some hundred bytes.
const MAX_HEADER: usize = 1 << 16;

/// Is it a zip file? An empty one begins otherwise.
pub(super) fn recognizes(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// A zip file of arrays.
pub(super) struct Archive<'a> {
    path: &'a Path,
    file: &'a [u8],
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// The members' names, in order.
    pub names: Vec<String>,
    /// How many bytes may still be unpacked.
    room: u64,
}

/// An array of an archive, whole.
pub(super) struct Member<'a> {
    path: &'a Path,
    name: String,
    /// The byte of the archive at which it begins.
    pub at: u64,
    pub header: npy::Header,
    pub bytes: Cow<'a, [u8]>,
}

impl<'a> Archive<'a> {
    pub fn open(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
            let reason = format!("the file is no whole .npz archive ({error}); it is truncated, write it anew");
            Error::byte(path, 0, reason)
        })?;
        let names = zip.file_names_raw().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        Ok(Self { path, file: bytes, zip, names, room: compression::unpacked_room(bytes.len() as u64) })
    }

    /// An error of the archive as such.
    pub fn fault(&self, reason: impl Into<String>) -> Error {
        Error::byte(self.path, 0, reason)
    }

    /// Is there an array of that name?
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|found| found.strip_suffix(".npy") == Some(name))
    }

    /// Reads an array.
    pub fn member(&mut self, name: &str) -> Result<Member<'a>> {
        let path = self.path;
        let index = self.names.iter().position(|found| found.strip_suffix(".npy") == Some(name));
        let index = index.ok_or_else(|| self.fault(format!("the archive holds no {name}.npy; write it anew")))?;
        let mut entry = self.zip.by_index(index).map_err(|error| {
            Error::byte(path, 0, format!("{name}.npy cannot be unpacked ({error}); save it anew with numpy.savez"))
        })?;
        let at = entry.header_start();
        let fault = |reason: String| Error::byte(path, at, format!("{name}.npy: {reason}"));
        let mut bytes = Vec::new();
        take(&mut entry, npy::PRELUDE, &mut bytes).map_err(fault)?;
        let start = npy::dictionary(&bytes).map_err(fault)?.end;
        if start > MAX_HEADER {
            return Err(fault(format!("a header of {start} bytes, expected {MAX_HEADER} at most; write it anew")));
        }
        let missing = start.saturating_sub(bytes.len());
        take(&mut entry, missing, &mut bytes).map_err(fault)?;
        let header = npy::Header::read(&bytes).map_err(fault)?;
        let promised = size(&header).map_err(fault)?;
        // What the archive says of its size may be wrong as well, but it is cheap to ask.
        let declared = entry.size().saturating_sub(start as u64);
        if declared != promised {
            return Err(fault(array::wrong_size(&header, promised, declared)));
        }
        if entry.compression() == CompressionMethod::Stored
            && let Some(bytes) = stored(self.file, entry.data_start(), declared + start as u64)
        {
            let mut sum = flate2::Crc::new();
            sum.update(bytes);
            if sum.sum() != entry.crc32() {
                return Err(fault("the checksum is wrong, so that the file is damaged; write it anew".into()));
            }
            return Ok(Member { path, name: name.into(), at, header, bytes: Cow::Borrowed(bytes) });
        }
        let size = self.file.len() as u64;
        let left = self.room.checked_sub(promised.saturating_add(start as u64));
        self.room = left.ok_or_else(|| {
            fault(format!("{}; write it anew without packing (numpy.savez)", compression::packed_too_well(size)))
        })?;
        // One byte more than there should be: whoever reads to the end learns whether the checksum is right.
        let missing = (promised as usize).saturating_add(start + 1).saturating_sub(bytes.len());
        take(&mut entry, missing, &mut bytes).map_err(fault)?;
        let found = (bytes.len() - start) as u64;
        if found != promised {
            return Err(fault(array::wrong_size(&header, promised, found)));
        }
        Ok(Member { path, name: name.into(), at, header, bytes: Cow::Owned(bytes) })
    }
}

/// The bytes of a member that is not packed.
fn stored(file: &[u8], start: Option<u64>, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(start?).ok()?;
    file.get(start..start.checked_add(usize::try_from(length).ok()?)?)
}

/// Appends so many bytes, or as many as there are.
fn take(entry: &mut impl Read, count: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
    entry.take(count as u64).read_to_end(bytes).map(|_| ()).map_err(|error| format!("{error}; write the file anew"))
}

/// How many bytes a member's array must take: numbers, or text.
fn size(header: &npy::Header) -> Result<u64, String> {
    match (header.number, Letters::of(header)) {
        (None, Some(letters)) => {
            let bytes = header.count().and_then(|count| count.checked_mul(letters.bytes() as u64));
            bytes
                .filter(|&bytes| usize::try_from(bytes).is_ok())
                .ok_or_else(|| format!("an array of shape {} is larger than any memory; write it anew", header.shown))
        }
        _ => array::size(header, array::number(header)?),
    }
}

/// The texts of an array: `|S3`, or `<U3` with four bytes a character; zeros pad each.
#[derive(Clone, Copy)]
struct Letters {
    /// Characters of a text.
    count: usize,
    /// Bytes of a character: 1 or 4.
    width: usize,
    big_endian: bool,
}

impl Letters {
    fn of(header: &npy::Header) -> Option<Self> {
        let kind = header.kind.trim_matches(['\'', '"']);
        let (order, kind) = (kind.as_bytes().first()?, kind.trim_start_matches(['|', '<', '>']));
        let (width, count) = kind.strip_prefix('S').map(|n| (1, n)).or_else(|| Some((4, kind.strip_prefix('U')?)))?;
        let count = usize::from(count.parse::<u16>().ok().filter(|&count| count > 0)?);
        Some(Self { count, width, big_endian: *order == b'>' })
    }

    fn bytes(self) -> usize {
        self.count * self.width
    }

    /// Appends one text, without its padding.
    fn push(self, bytes: &[u8], list: &mut text::KeyList) {
        let end = bytes.chunks_exact(self.width).rposition(|letter| letter.iter().any(|&byte| byte != 0));
        let bytes = &bytes[..end.map_or(0, |end| end + 1) * self.width];
        if self.width == 1 {
            return list.push(bytes);
        }
        let code = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        list.push_codes(bytes.as_chunks::<4>().0.iter().map(|&four| code(four)));
    }
}

impl Member<'_> {
    /// An error in this array.
    pub fn fault(&self, reason: impl Into<String>) -> Error {
        Error::byte(self.path, self.at, format!("{}.npy: {}", self.name, reason.into()))
    }

    pub fn data(&self) -> &[u8] {
        &self.bytes[self.header.start..]
    }

    /// A text of ASCII letters; zeros pad it, in either width of characters.
    pub fn text(&self) -> String {
        let bytes: Vec<u8> = self.data().iter().copied().filter(|&byte| byte != 0).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The texts of a list.
    pub fn strings(&self) -> Result<text::KeyList> {
        let found = Letters::of(&self.header).zip(self.header.shape.as_deref().filter(|shape| shape.len() == 1));
        let Some((letters, shape)) = found else {
            let kind = checks::excerpt(self.header.kind.as_bytes());
            let reason = format!("an array of type {kind} and shape {}, expected a list of texts", self.header.shown);
            return Err(self.fault(format!("{reason}; save numpy.array(words, dtype=str)")));
        };
        let mut list = text::KeyList::with_capacity(shape[0] as usize);
        self.data().chunks_exact(letters.bytes()).for_each(|bytes| letters.push(bytes, &mut list));
        Ok(list)
    }

    /// The numbers' type and how many there are, in a list.
    pub fn list(&self) -> Result<(npy::Number, usize)> {
        let number = array::number(&self.header).map_err(|reason| self.fault(reason))?;
        match self.header.shape.as_deref() {
            Some([_]) => Ok((number, self.data().len() / number.bytes())),
            _ => Err(self.fault(format!("an array of shape {}, expected a list of numbers", self.header.shown))),
        }
    }

    /// How many numbers the list has.
    pub fn len(&self) -> Result<usize> {
        Ok(self.list()?.1)
    }

    /// A list of whole numbers.
    pub fn integers(&self) -> Result<impl ExactSizeIterator<Item = i128>> {
        let (number, _) = self.list()?;
        number.integers(self.data()).ok_or_else(|| {
            let found = checks::excerpt(self.header.kind.as_bytes());
            self.fault(format!("numbers of type {found}, expected integers; write it anew"))
        })
    }

    /// The first `count` numbers of a list; the first that is not finite in 32 bits gives its place and what it is.
    pub fn floats(&self, count: usize) -> Result<Result<Vec<f32>, (usize, String)>> {
        let (number, _) = self.list()?;
        let bytes = &self.data()[..count * number.bytes()];
        let values = number.floats(bytes);
        Ok(match checks::not_finite(&values, 1) {
            Some((at, _)) => Err((at, number.shown(bytes, at))),
            None => Ok(values),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::matrix::npz_archive;
    use crate::format::npy::tests::array;

    #[test]
    fn all_that_is_unpacked_has_a_bound() -> Result<()> {
        let zeros = array("<f4", false, "(512, 512)", &[0; 1 << 20]);
        for (method, is_packed) in [(CompressionMethod::Deflated, true), (CompressionMethod::Stored, false)] {
            let bytes = npz_archive(&[("x.npy", zeros.clone())], method);
            let mut archive = Archive::open(Path::new("a.npz"), &bytes)?;
            // Members may share their bytes: what is unpacked again counts again.
            assert_eq!(archive.member("x")?.data().len(), 1 << 20);
            let again = archive.member("x").err().map(|error| error.to_string());
            assert_eq!(again.is_some(), is_packed);
            if let Some(error) = again {
                let told = format!("x.npy: its {} bytes become more than 1024 times as many", bytes.len());
                assert!(error.contains(&told), "{error}");
            }
        }
        Ok(())
    }
}
