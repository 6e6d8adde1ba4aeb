//! A dense array as a matrix: the first axis is the rows, all others are the columns.

use rayon::prelude::*;

use super::{MEND, checks, npy};
use crate::math::Matrix;

/// What is wrong, and at which byte of the array.
pub(super) struct Fault {
    pub at: usize,
    pub reason: String,
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self { at: 0, reason }
    }
}

/// Reads the array that these bytes are.
pub(super) fn read(bytes: &[u8]) -> Result<Matrix, Fault> {
    let header = npy::Header::read(bytes)?;
    let number = number(&header)?;
    let room = bytes.len() - header.start;
    let promised = size(&header, number)?;
    if promised != room as u64 {
        return Err(Fault { at: bytes.len(), reason: wrong_size(&header, promised, room as u64) });
    }
    let axes = header.shape.as_deref().unwrap_or_default();
    // Each axis is a memory size, since their product is the file's.
    let axes: Vec<usize> = axes.iter().map(|&axis| axis as usize).collect();
    let &[rows, _, ..] = axes.as_slice() else {
        let remedy = "save array.reshape(-1, 1) for one column, or array.reshape(1, -1) for one row";
        return Err(format!("an array of shape {}, expected rows and columns; {remedy}", header.shown).into());
    };
    let cols = axes[1..].iter().product();
    if rows == 0 || cols == 0 {
        let reason =
            format!("an array of shape {} has no numbers; expected one row and one column at least", header.shown);
        return Err(reason.into());
    }
    let bytes = &bytes[header.start..];
    let values = number.floats(bytes);
    // Where in the file a column of the first row lies, if columns lie one after another.
    let columns = header.fortran.then(|| columns(&axes));
    let values = match &columns {
        None => values,
        Some(columns) => by_rows(&values, columns, rows),
    };
    if let Some((row, column)) = checks::not_finite(&values, cols) {
        let at = columns.map_or(row * cols + column, |columns| columns[column] + row);
        let (value, row, column) = (number.shown(bytes, at), row + 1, column + 1);
        let reason = format!("row {row}, column {column} is {value}; {MEND}");
        return Err(Fault { at: header.start + at * number.bytes(), reason });
    }
    Ok(Matrix::from_vec(rows, cols, values).expect("rows x cols numbers, as the size was checked"))
}

/// The type of an array's numbers.
pub(in crate::format) fn number(header: &npy::Header) -> Result<npy::Number, String> {
    header.number.ok_or_else(|| {
        let found = checks::excerpt(header.kind.as_bytes());
        format!("numbers of type {found}, expected floats, integers or booleans; save array.astype('float32')")
    })
}

/// How many bytes the numbers of an array must take.
pub(in crate::format) fn size(header: &npy::Header, number: npy::Number) -> Result<u64, String> {
    if header.shape.is_none() {
        return Err(format!(
            "an array of shape {}, expected a tuple of numbers",
            checks::excerpt(header.shown.as_bytes())
        ));
    }
    let bytes = header.count().and_then(|count| count.checked_mul(number.bytes() as u64));
    bytes.filter(|&bytes| usize::try_from(bytes).is_ok()).ok_or_else(|| {
        format!("an array of shape {} is larger than any memory; its header is wrong, write it anew", header.shown)
    })
}

/// Why an array has not the size that its header promises.
pub(in crate::format) fn wrong_size(header: &npy::Header, promised: u64, found: u64) -> String {
    format!(
        "the numbers take {found} bytes, expected {promised} for the shape {}; \
         the file is truncated or its header wrong, write it anew",
        header.shown
    )
}

/// Where each column of the first row lies in an array whose first index runs fastest, the columns being counted with
/// the last index fastest.
fn columns(axes: &[usize]) -> Vec<usize> {
    let mut columns = vec![0];
    let mut stride = axes[0];
    for &axis in &axes[1..] {
        let outer = columns;
        columns = outer.iter().flat_map(|&at| (0..axis).map(move |index| at + index * stride)).collect();
        stride *= axis;
    }
    columns
}

/// Copies numbers that lie column by column into rows.
fn by_rows(values: &[f32], columns: &[usize], rows: usize) -> Vec<f32> {
    let mut sorted = vec![0.0; values.len()];
    debug_assert_eq!(sorted.len(), rows * columns.len());
    sorted.par_chunks_mut(columns.len()).enumerate().for_each(|(row, sorted)| {
        sorted.iter_mut().zip(columns).for_each(|(value, &column)| *value = values[column + row]);
    });
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::npy::tests::array;

    fn message(bytes: &[u8]) -> String {
        read(bytes).map_or_else(|fault| format!("{}: {}", fault.at, fault.reason), |_| "read".into())
    }

    #[test]
    fn axes_after_the_first_are_columns_in_either_order() {
        // numpy.arange(24).reshape(2, 3, 4), C and Fortran order
        let rows: Vec<u8> = (0..24).collect();
        let columns = [0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23];
        for (fortran, bytes) in [(false, &rows[..]), (true, &columns)] {
            let matrix = read(&array("|u1", fortran, "(2, 3, 4)", bytes)).map_err(|fault| fault.reason).expect("read");
            assert_eq!((matrix.rows(), matrix.cols()), (2, 12));
            assert!(matrix.as_slice().iter().zip(0u8..).all(|(&value, i)| value == f32::from(i)), "{matrix:?}");
        }
        let matrix = read(&array(">i2", true, "(2, 3)", &[0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6])).map_err(|f| f.reason);
        assert_eq!(matrix.expect("read").as_slice(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn faults_are_told_precisely() {
        let wide = [1.0, f64::NAN, 1e300, 2.0].map(f64::to_le_bytes).concat();
        for (bytes, expected) in [
            (array("|u1", false, "(2, 2)", &[1; 4]), "read"),
            (array("|b1", false, "(4,)", &[1; 4]), "0: an array of shape (4,), expected rows and columns; save"),
            (array("|b1", false, "()", &[1]), "array.reshape(-1, 1)"),
            (array("|b1", false, "(0, 4)", &[]), "an array of shape (0, 4) has no numbers"),
            (array("|b1", false, "(4, 0)", &[]), "has no numbers"),
            (array("|b1", false, "None", &[]), "an array of shape \"None, }\\n\", expected a tuple"),
            (array("<f4", false, "(1, 2)", &[0; 7]), "the numbers take 7 bytes, expected 8 for the shape (1, 2)"),
            (array("<f4", false, "(1, 2)", &[0; 9]), "the numbers take 9 bytes, expected 8"),
            (array("<f4", false, "(4294967296, 4294967296)", &[]), "larger than any memory"),
            (array("<f4", false, "(99999999999, 99)", &[0; 8]), "expected 39599999999604 for"),
            (array("|O", false, "(1, 1)", &[0; 8]), "numbers of type \"'|O'\", expected floats, integers or booleans"),
            (array("<f8", false, "(2, 2)", &wide), "row 1, column 2 is NaN; replace it (numpy.nan_to_num)"),
            (array("<f8", true, "(2, 2)", &wide), "row 1, column 2 is 1e300, beyond the range of 32 bits"),
            (
                array("<f8", false, "(2, 2)", &[&wide[..8], &wide[16..], &wide[..8]].concat()),
                "is 1e300, beyond the range",
            ),
        ] {
            let found = message(&bytes);
            assert!(found.contains(expected), "{found} holds {expected}");
        }
        let start = array("<f8", false, "(2, 2)", &[]).len();
        assert!(message(&array("<f8", false, "(2, 2)", &wide)).starts_with(&format!("{}: ", start + 8)));
    }

    #[test]
    fn a_cut_array_is_an_error() {
        for (fortran, shape) in [(false, "(2, 3)"), (true, "(1, 2, 3)")] {
            let bytes = array("<f2", fortran, shape, &[0; 12]);
            for end in 0..bytes.len() {
                assert!(read(&bytes[..end]).is_err(), "{end}");
            }
        }
    }
}
