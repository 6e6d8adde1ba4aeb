//! Plain matrices in and out: rows of numbers without keys, as autoencoders take and give them.
//!
//! A file is recognised by its content: a NumPy array (`.npy`), an archive of arrays (`.npz`) with one dense array or
//! a sparse matrix of SciPy, or text with numbers between commas, tabs or semicolons. All become rows of `f32`. NaN
//! and infinities are refused, since no loss is finite with them.
//!
//! ```
//! use firth::format::matrix;
//! use firth::math::Matrix;
//!
//! # fn main() -> firth::Result<()> {
//! # let folder = tempfile::tempdir().expect("a temporary folder");
//! let path = folder.path().join("codes.npy");
//! matrix::write(&Matrix::from_vec(2, 3, vec![0.1, 0.2, 0.3, -1.0, 0.0, 1e-9])?, &path)?;
//! let read = matrix::read(&path)?;
//! assert_eq!((read.rows(), read.cols()), (2, 3));
//! assert_eq!(read.stored(1), [-1.0, 0.0, 1e-9]);
//! # Ok(())
//! # }
//! ```

use std::path::Path;

use super::{Candidate, Dtype, archive, checks, detect, npy, text};
use crate::error::{Error, Result};
use crate::io::{AtomicFile, compression};
use crate::math::{Matrix, Samples};

pub(super) mod array;
mod npz;
mod sparse;
mod table;

#[cfg(test)]
pub(super) use npz::tests::archive as npz_archive;

/// Reads rows of numbers from a file, compressed or not; its kind is found by content.
///
/// - `.npy`: an array of two axes, rows x columns, or of more, which become rows x all the rest (images n x 28 x 28
///   become n x 784). Types `f2 f4 f8`, `i1` to `i8`, `u1` to `u8` and `b1`, in either order of bytes and of indices.
/// - `.npz`, stored or deflated: exactly one such array, or what `scipy.sparse.save_npz` writes of a matrix in CSR or
///   CSC, which stays sparse: repeated entries are summed, zeros dropped, columns sorted.
/// - Text: a row on each line, numbers between tabs, else semicolons, else commas (the first line decides). The first
///   line is a header if one of its fields is no number; that it is merely empty counts only in the first column.
///
/// Numbers of other types are rounded to the nearest `f32`.
///
/// # Errors
/// With file, place and remedy: if the file is empty, truncated or of another kind; without rows or columns;
/// if rows differ in length, or a number is none, NaN, infinite or beyond the range of 32 bits (row and column from 1).
pub fn read(path: &Path) -> Result<Samples> {
    let candidate = Candidate::open(path)?;
    let Ok(file) = candidate.file() else {
        let reason = "is a folder, expected a matrix (.npy, .npz, .csv or .tsv)";
        return Err(Error::io(path, std::io::Error::other(reason)));
    };
    let (path, bytes) = (file.path(), file.bytes());
    if bytes.starts_with(npy::MAGIC) {
        let matrix = array::read(bytes).map_err(|fault| Error::byte(path, fault.at as u64, fault.reason))?;
        return Ok(matrix.into());
    }
    if archive::recognizes(bytes) {
        return npz::read(path, bytes);
    }
    if let Some(reason) = detect::foreign(bytes) {
        return Err(Error::byte(path, 0, reason));
    }
    table::read(path, bytes).map(Samples::Dense)
}

/// Writes rows of numbers whole or not at all: `.npy` (32-bit floats, row after row) or `.csv` (commas, no header).
///
/// Text has the fewest digits that round back to the same 32 bits.
///
/// # Errors
/// If the name ends otherwise, the matrix has no numbers, one of them is NaN or infinite, or the disk refuses.
pub fn write(matrix: &Matrix, path: &Path) -> Result<()> {
    if matrix.rows() == 0 || matrix.cols() == 0 {
        let reason = format!("a matrix of {} x {} has no numbers; nothing is written", matrix.rows(), matrix.cols());
        return Err(Error::data(reason));
    }
    if let Some((row, column)) = checks::not_finite(matrix.as_slice(), matrix.cols()) {
        let (value, row, column) = (matrix.row(row)[column], row + 1, column + 1);
        return Err(Error::data(format!("row {row}, column {column} of the matrix is {value}; nothing is written")));
    }
    match ending(path).as_deref() {
        Some("npy") => {
            let mut file = AtomicFile::create(path)?;
            npy::write(&mut file, matrix, Dtype::F32).map_err(|source| Error::io(path, source))?;
            file.commit()
        }
        Some("csv") => {
            let mut file = AtomicFile::create(path)?;
            text::write(&mut file, None, matrix, b',')?;
            file.commit()
        }
        _ => {
            let reason = format!("{} is no name of a matrix; end it in .npy or .csv", path.display());
            Err(Error::config("--output", reason))
        }
    }
}

/// Is this file a matrix rather than text? So are NumPy's arrays and archives, and a file whose name ends in `.csv` and
/// whose second line (its first, if there is no other) holds numbers only.
///
/// A file that cannot be opened is none.
pub fn is_matrix(path: &Path) -> bool {
    let named = compression::unpacked_name(path);
    let may_be_table = ending(named.as_deref().unwrap_or(path)).as_deref() == Some("csv");
    let looked_at = if may_be_table { LINES } else { SIGNATURE };
    let is_matrix = |bytes: &[u8]| {
        bytes.starts_with(npy::MAGIC) || archive::recognizes(bytes) || may_be_table && table::recognizes(bytes)
    };
    // What can be read only once is text, and a text that is compressed may be long.
    path.is_file() && compression::beginning(path, looked_at, is_matrix).unwrap_or(false)
}

/// How much of a file tells whether it is one of NumPy's.
const SIGNATURE: usize = 8;
/// How much of a file tells whether it is a table of numbers: its first lines, unless they are longer.
const LINES: usize = 1 << 24;

/// The ending of a name, in small letters.
fn ending(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

/// What to do about a number that is not finite.
const MEND: &str = "replace it (numpy.nan_to_num) or remove the row";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::scratch;

    #[test]
    fn what_is_written_is_read() -> Result<()> {
        let folder = scratch();
        let values = [1e-30, -0.0, f32::MAX, f32::MIN_POSITIVE / 2.0, 0.1, -7.0];
        let matrix = Matrix::from_vec(2, 3, values.into())?;
        for name in ["new/a.npy", "a.csv", "B.CSV"] {
            let path = folder.path().join(name);
            write(&matrix, &path)?;
            let Samples::Dense(read) = read(&path)? else { panic!("{name} is dense") };
            let bits = |of: &Matrix| of.as_slice().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!((read.rows(), read.cols(), bits(&read)), (2, 3, bits(&matrix)), "{name}");
            assert!(is_matrix(&path));
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("a.csv")).expect("text").lines().count(), 2);
        Ok(())
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() -> Result<()> {
        let folder = scratch();
        let one = Matrix::from_vec(1, 1, vec![1.0])?;
        for (matrix, name, message) in [
            (&one, "a.txt", "a.txt is no name of a matrix; end it in .npy or .csv"),
            (&one, "a", "end it in .npy or .csv"),
            (&Matrix::zeros(0, 3), "a.npy", "a matrix of 0 x 3 has no numbers"),
            (&Matrix::from_vec(2, 1, vec![1.0, f32::NAN])?, "a.csv", "row 2, column 1 of the matrix is NaN"),
        ] {
            let error = write(matrix, &folder.path().join(name)).expect_err(message).to_string();
            assert!(error.contains(message), "{error} holds {message}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
        Ok(())
    }

    #[test]
    fn matrices_are_told_from_text() {
        let folder = scratch();
        for (name, bytes, is) in [
            ("a.csv", "x,y\n1,2\n", true),
            ("a.csv", "1,2", true),
            ("a.csv", "1;2\r\n3;4\r\n", true),
            ("a.csv", "x,y", false),
            ("a.csv", "id,text\n1,two words\n", false),
            ("a.csv", "", false),
            ("a.txt", "1,2\n", false),
            ("a.txt", "\u{93}NUMPY", false),
            ("a.txt", "PK\u{3}\u{4}", true),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("a file");
            assert_eq!(is_matrix(&path), is, "{name} {bytes:?}");
        }
        // No more of a packed file is unpacked than tells: that it ends early is not met.
        let bytes: Vec<u8> =
            (0..1u32 << 20).map(|at| (at.wrapping_mul(at).wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
        let packed = zstd::encode_all(&npy::tests::array("|u1", false, "(1048576, 1)", &bytes)[..], 1).expect("memory");
        let path = folder.path().join("a.npy.zst");
        std::fs::write(&path, &packed[..packed.len() / 2]).expect("a file");
        assert!(is_matrix(&path));
        assert!(!is_matrix(folder.path()) && !is_matrix(&folder.path().join("none.npy")));
    }

    #[test]
    fn matrices_are_read_packed() -> Result<()> {
        let folder = scratch();
        let matrix = Matrix::from_vec(2, 2, vec![0.5, -1.0, 2.0, 3.0])?;
        for name in ["a.npy", "a.csv"] {
            let (path, packed) = (folder.path().join(name), folder.path().join(format!("{name}.zst")));
            write(&matrix, &path)?;
            let bytes = std::fs::read(&path).expect("the file");
            std::fs::write(&packed, zstd::encode_all(&bytes[..], 1).expect("memory")).expect("a file");
            assert!(is_matrix(&packed), "{name}");
            let read = read(&packed)?;
            assert_eq!(((0..2).map(|row| read.stored(row).to_vec())).collect::<Vec<_>>(), [[0.5, -1.0], [2.0, 3.0]]);
            assert!(write(&matrix, &packed).is_err(), "{name} is not written packed");
        }
        Ok(())
    }

    #[test]
    fn files_of_other_kinds_are_refused_with_the_remedy() {
        let folder = scratch();
        let path = folder.path().join("a.csv");
        for (bytes, message) in [
            (&b""[..], "a.csv, byte 0: the file is empty, expected a matrix"),
            (b"\x1f\x8b\x08", "the gzip data end too early, the file is truncated"),
            (b"\x80\x02\x63", "a Python pickle"),
            (b"\x93NUM", "and no line of numbers after it"),
            (b"1\x00,\x002\x00", "begins no matrix that firth reads (.npy, .npz, or numbers as text in UTF-8)"),
        ] {
            std::fs::write(&path, bytes).expect("a file");
            let error = read(&path).expect_err(message).to_string();
            assert!(error.contains(message), "{error} holds {message}");
        }
        let error = read(folder.path()).expect_err("a folder").to_string();
        assert!(error.contains("is a folder, expected a matrix"), "{error}");
    }
}
