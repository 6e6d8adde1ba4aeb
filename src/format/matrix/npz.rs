//! NumPy's archives: a zip file of arrays, stored or deflated; one dense array, or a sparse matrix of SciPy.
//!
//! `scipy.sparse.save_npz` writes `format` (`csr`, `csc`, ...), `shape`, `data`, `indices` and `indptr`; other formats
//! hold other arrays and are refused. [`super::archive`] says what is believed of its sizes.

use std::path::Path;

use super::archive::Archive;
use super::{array, sparse};
use crate::error::Result;
use crate::math::Samples;

/// Names of members in a message.
const SHOWN: usize = 8;

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

#[cfg(test)]
pub(in crate::format) mod tests {
    use std::io::{Cursor, Write};

    use zip::write::{SimpleFileOptions, ZipWriter};
    use zip::{CompressionMethod, ZipArchive};

    use super::*;
    use crate::format::npy;
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
