//! NumPy's archives: a zip file of arrays, stored or deflated; one dense array, or a sparse matrix of SciPy.
//!
//! `scipy.sparse.save_npz` writes `format` (`csr`, `csc`, ...), `shape`, `data`, `indices` and `indptr`; other formats
//! hold other arrays and are refused. No size is believed: of a member is read what the header of its array promises,
//! and memory grows with what is really there.

use std::io::{Cursor, Read};
use std::path::Path;

use zip::ZipArchive;

use super::{array, checks, npy, sparse};
use crate::error::{Error, Result};
use crate::math::Samples;

/// The longest header of an array that is read; NumPy writes some hundred bytes.
const MAX_HEADER: usize = 1 << 16;
/// Names of members in a message.
const SHOWN: usize = 8;

/// Is it a zip file? An empty one begins otherwise.
pub(super) fn recognizes(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Reads the dense or sparse matrix of an archive.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Samples> {
    let mut archive = Archive::open(path, bytes)?;
    if archive.has("format") && archive.has("shape") {
        return sparse::read(&mut archive).map(Samples::Sparse);
    }
    let arrays: Vec<&str> = archive.names.iter().filter_map(|name| name.strip_suffix(".npy")).collect();
    let listed = |names: &[&str]| {
        let more = if names.len() > SHOWN { ", ..." } else { "" };
        names[..names.len().min(SHOWN)].join(", ") + more
    };
    match arrays.as_slice() {
        &[name] => {
            let name = name.to_string();
            let member = archive.member(&name)?;
            array::read(&member.bytes).map(Samples::Dense).map_err(|fault| member.fault(fault.reason))
        }
        [] => {
            let names: Vec<&str> = archive.names.iter().map(String::as_str).collect();
            let found = if names.is_empty() { "nothing".into() } else { listed(&names) };
            Err(archive.fault(format!("the archive holds no arrays but {found}; expected one, as of numpy.savez")))
        }
        several => {
            let (count, names) = (several.len(), listed(several));
            let reason = format!("the archive holds {count} arrays ({names}), expected one; save one of them alone");
            Err(archive.fault(reason))
        }
    }
}

/// A zip file of arrays.
pub(super) struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// The members' names, in order.
    names: Vec<String>,
}

/// An array of an archive, whole.
pub(super) struct Member<'a> {
    path: &'a Path,
    name: String,
    /// The byte of the archive at which it begins.
    at: u64,
    pub header: npy::Header,
    bytes: Vec<u8>,
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
            let reason = format!("the file is no whole .npz archive ({error}); it is truncated, write it anew");
            Error::byte(path, 0, reason)
        })?;
        let names = zip.file_names_raw().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        Ok(Self { path, zip, names })
    }

    /// An error of the archive as such.
    pub fn fault(&self, reason: impl Into<String>) -> Error {
        Error::byte(self.path, 0, reason)
    }

    /// Is there an array of that name?
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|found| found.strip_suffix(".npy") == Some(name))
    }

    /// Reads an array.
    pub fn member(&mut self, name: &str) -> Result<Member<'a>> {
        let path = self.path;
        let index = self.names.iter().position(|found| found.strip_suffix(".npy") == Some(name));
        let index = index.ok_or_else(|| {
            self.fault(format!("the archive holds no {name}.npy; write it anew with scipy.sparse.save_npz"))
        })?;
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
        // One byte more than there should be: whoever reads to the end learns whether the checksum is right.
        let missing = (promised as usize).saturating_add(start + 1).saturating_sub(bytes.len());
        take(&mut entry, missing, &mut bytes).map_err(fault)?;
        let found = (bytes.len() - start) as u64;
        if found != promised {
            return Err(fault(array::wrong_size(&header, promised, found)));
        }
        Ok(Member { path, name: name.into(), at, header, bytes })
    }
}

/// Appends so many bytes, or as many as there are.
fn take(entry: &mut impl Read, count: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
    entry.take(count as u64).read_to_end(bytes).map(|_| ()).map_err(|error| format!("{error}; write the file anew"))
}

/// How many bytes a member's array must take: numbers, or text as in `format`.
fn size(header: &npy::Header) -> Result<u64, String> {
    match (header.number, text_bytes(header)) {
        (None, Some(bytes)) if header.shape.as_ref().is_some_and(Vec::is_empty) => Ok(bytes),
        _ => array::size(header, array::number(header)?),
    }
}

/// How many bytes one text takes: `|S3`, or `<U3` with four bytes a character.
fn text_bytes(header: &npy::Header) -> Option<u64> {
    let kind = header.kind.trim_matches(['\'', '"', '|', '<', '>']);
    let (width, length) = kind.strip_prefix('S').map(|n| (1, n)).or_else(|| Some((4, kind.strip_prefix('U')?)))?;
    length.parse::<u16>().ok().map(|length| u64::from(length) * width)
}

impl Member<'_> {
    /// An error in this array.
    pub fn fault(&self, reason: impl Into<String>) -> Error {
        Error::byte(self.path, self.at, format!("{}.npy: {}", self.name, reason.into()))
    }

    fn data(&self) -> &[u8] {
        &self.bytes[self.header.start..]
    }

    /// A text of ASCII letters; zeros pad it, in either width of characters.
    pub fn text(&self) -> String {
        let bytes: Vec<u8> = self.data().iter().copied().filter(|&byte| byte != 0).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The numbers' type and how many there are, in a list.
    fn list(&self) -> Result<(npy::Number, usize)> {
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
pub(super) mod tests {
    use std::io::Write;

    use zip::write::{SimpleFileOptions, ZipWriter};
    use zip::{CompressionMethod, ZipArchive};

    use super::*;
    use crate::format::npy::tests::array;

    /// An archive of these members.
    pub fn archive(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        for (name, bytes) in members {
            zip.start_file(*name, options).expect("a member");
            zip.write_all(bytes).expect("memory");
        }
        zip.finish().expect("an archive").into_inner()
    }

    pub fn message(bytes: &[u8]) -> String {
        read(Path::new("a.npz"), bytes).map_or_else(|error| error.to_string(), |_| "read".into())
    }

    #[test]
    fn one_dense_array_is_read_stored_or_deflated() -> Result<()> {
        let image = array("|u1", false, "(2, 1, 2)", &[1, 2, 3, 4]);
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let read = read(Path::new("a.npz"), &archive(&[("arr_0.npy", image.clone())], method))?;
            assert_eq!((read.rows(), read.stored(0), read.stored(1)), (2, &[1.0, 2.0][..], &[3.0, 4.0][..]));
        }
        Ok(())
    }

    #[test]
    fn faults_are_told_precisely() {
        let one = |bytes: Vec<u8>| archive(&[("x.npy", bytes)], CompressionMethod::Deflated);
        let image = array("<f4", false, "(1, 1)", &[0; 4]);
        let long = [npy::MAGIC, &[2, 0, 255, 255, 255, 127], b"{}"].concat();
        for (bytes, expected) in [
            (archive(&[], CompressionMethod::Stored), "a.npz, byte 0: the archive holds no arrays but nothing"),
            (archive(&[("a.xml", vec![1])], CompressionMethod::Stored), "no arrays but a.xml; expected one"),
            (
                archive(&[("x.npy", image.clone()), ("y.npy", image.clone())], CompressionMethod::Stored),
                "the archive holds 2 arrays (x, y), expected one; save one of them alone",
            ),
            (one(b"text".to_vec()), "x.npy: found \"text\", expected a NumPy array"),
            (one(image[..20].to_vec()), "x.npy: the file ends in its header"),
            (one(long), "x.npy: a header of 2147483659 bytes, expected 65536 at most"),
            (
                one(image[..image.len() - 1].to_vec()),
                "x.npy: the numbers take 3 bytes, expected 4 for the shape (1, 1)",
            ),
            (one([&image[..], &[0]].concat()), "x.npy: the numbers take 5 bytes, expected 4"),
            (one(array("<f4", false, "(1000000, 1000000)", &[])), "take 0 bytes, expected 4000000000000"),
            (one(array("<f4", false, "(4294967296, 4294967296)", &[])), "larger than any memory"),
            (one(array("|S3", false, "()", b"abc")), "numbers of type \"'|S3'\""),
            (one(array("|O", false, "(1,)", b"abc")), "numbers of type \"'|O'\""),
            (one(array("<f4", false, "(1, 1)", &f32::NAN.to_le_bytes())), "x.npy: row 1, column 1 is NaN; replace it"),
        ] {
            let found = message(&bytes);
            assert!(found.contains(expected), "{found} holds {expected}");
        }
    }

    /// A member that unpacks to more than its archive and its header say is not unpacked beyond that.
    #[test]
    fn sizes_that_lie_are_found_out() {
        let zeros = array("<f4", false, "(1, 2)", &[0; 1 << 20]);
        let length = zeros.len() as u32;
        let mut bytes = archive(&[("x.npy", zeros.clone())], CompressionMethod::Deflated);
        let small = length - (1 << 20) + 8;
        let places: Vec<usize> =
            bytes.windows(4).enumerate().filter(|(_, w)| *w == length.to_le_bytes()).map(|w| w.0).collect();
        assert!(!places.is_empty());
        places.iter().for_each(|&at| bytes[at..at + 4].copy_from_slice(&small.to_le_bytes()));
        assert!(message(&bytes).contains("x.npy: "), "{}", message(&bytes));
        assert_ne!(message(&bytes), "read");
    }

    #[test]
    fn a_cut_or_changed_archive_is_an_error_and_no_panic() {
        let numbers: Vec<u8> = (0..40).collect();
        let whole = array("|u1", false, "(4, 10)", &numbers);
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let bytes = archive(&[("x.npy", whole.clone())], method);
            assert!(ZipArchive::new(Cursor::new(&bytes)).is_ok());
            for end in 0..bytes.len() {
                assert_ne!(message(&bytes[..end]), "read", "{end}");
            }
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 0x55;
                message(&changed);
            }
        }
    }
}
