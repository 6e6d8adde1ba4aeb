//! Sparse matrices as SciPy keeps them: CSR, and CSC, whose columns become rows.
//!
//! Line i (a row of CSR, a column of CSC) has the entries `indptr[i]..indptr[i + 1]` of `indices` and `data`, in any
//! order and perhaps several at one place, which are summed. Entries behind the last of `indptr` do not count.

use super::MEND;
use super::archive::Archive;
use crate::error::{Error, Result};
use crate::math::SparseMatrix;

/// The rows that CSC may have beyond its number of entries. It says nothing of empty rows, so that a few bytes could
/// ask for any number of them.
const EMPTY_ROWS: usize = 1 << 24;

/// Reads the sparse matrix of an archive.
pub(super) fn read(archive: &mut Archive) -> Result<SparseMatrix> {
    let format = archive.member("format")?;
    let is_csr = match format.text().as_str() {
        "csr" => true,
        "csc" => false,
        other => {
            let reason = format!("a sparse matrix in the format {other:?}, expected csr or csc; save matrix.tocsr()");
            return Err(format.fault(reason));
        }
    };
    let (rows, cols) = shape(archive)?;
    let lines = Compressed::read(archive, rows, cols, is_csr)?;
    if is_csr { lines.rows(archive) } else { lines.transposed().rows(archive) }
}

/// The numbers of rows and columns.
fn shape(archive: &mut Archive) -> Result<(usize, usize)> {
    let member = archive.member("shape")?;
    let axes: Vec<i128> = member.integers()?.collect();
    let size = |axis: i128| u32::try_from(axis).ok().filter(|&axis| axis > 0).map(|axis| axis as usize);
    match axes[..] {
        [rows, cols] => size(rows).zip(size(cols)).ok_or_else(|| {
            let expected = "expected 1 to 4294967295 of each";
            member.fault(format!("a matrix of {rows} rows and {cols} columns, {expected}"))
        }),
        _ => Err(member.fault(format!("{} axes, expected rows and columns; save matrix.reshape(1, -1)", axes.len()))),
    }
}

/// Lines of entries.
struct Compressed {
    /// How many places a line has.
    places: usize,
    /// Where each line ends.
    ends: Vec<usize>,
    /// The entries' places in their lines.
    indices: Vec<u32>,
    values: Vec<f32>,
}

impl Compressed {
    fn read(archive: &mut Archive, rows: usize, cols: usize, is_csr: bool) -> Result<Self> {
        let (lines, places) = if is_csr { (rows, cols) } else { (cols, rows) };
        let (line_name, place_name) = if is_csr { ("row", "column") } else { ("column", "row") };
        let indices = archive.member("indices")?;
        let entries = indices.len()?;
        let member = archive.member("indptr")?;
        let mut ends = member.integers()?;
        if ends.len() != lines + 1 {
            let found = ends.len();
            let reason = format!("found {found} numbers, expected one more than the {lines} {line_name}s of the shape");
            return Err(member.fault(format!("{reason}; write it anew")));
        }
        let first = ends.next().unwrap_or(0);
        if first != 0 {
            return Err(member.fault(format!("the first number is {first}, expected 0; write it anew")));
        }
        let mut before = 0;
        let ends: Vec<usize> = ends
            .enumerate()
            .map(|(line, end)| {
                let end =
                    usize::try_from(end).ok().filter(|&end| before <= end && end <= entries).ok_or_else(|| {
                        let expected = format!("expected {before} to the {entries} entries of indices.npy");
                        member.fault(format!("{line_name} {} ends at {end}, {expected}; write it anew", line + 1))
                    })?;
                before = end;
                Ok(end)
            })
            .collect::<Result<_>>()?;
        let count = before;
        let line_of = |entry: usize| ends.partition_point(|&end| end <= entry) + 1;

        let indices: Vec<u32> = indices
            .integers()?
            .take(count)
            .enumerate()
            .map(|(entry, place)| {
                u32::try_from(place).ok().filter(|&place| (place as usize) < places).ok_or_else(|| {
                    let line = line_of(entry);
                    let expected = format!("expected a {place_name} from 0 to {}", places - 1);
                    indices.fault(format!("{line_name} {line} has an entry at {place}, {expected}; write it anew"))
                })
            })
            .collect::<Result<_>>()?;

        let member = archive.member("data")?;
        let found = member.len()?;
        if found != entries {
            return Err(member.fault(format!("found {found} numbers, expected {entries} as in indices.npy")));
        }
        let values = member.floats(count)?.map_err(|(entry, value)| {
            let (line, place) = (line_of(entry), indices[entry] + 1);
            let (row, column) = if is_csr { (line, place as usize) } else { (place as usize, line) };
            member.fault(format!("row {row}, column {column} is {value}; {MEND}"))
        })?;
        if !is_csr && rows > count.saturating_add(EMPTY_ROWS) {
            let reason = format!("{rows} rows for {count} entries are hardly meant; save matrix.tocsr() if they are");
            return Err(archive.fault(reason));
        }
        Ok(Self { places, ends, indices, values })
    }

    /// Each line's entries: their range.
    fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| start..end)
    }

    /// The same entries with lines and places exchanged; those of a line keep their order.
    fn transposed(&self) -> Self {
        let mut ends = vec![0; self.places];
        self.indices.iter().for_each(|&place| ends[place as usize] += 1);
        // From counts to where each line begins; placing its entries moves that to where it ends.
        let mut start = 0;
        for end in &mut ends {
            (*end, start) = (start, start + *end);
        }
        let (mut indices, mut values) = (vec![0; self.indices.len()], vec![0.0; self.values.len()]);
        for (line, range) in self.ranges().enumerate() {
            for entry in range {
                let at = &mut ends[self.indices[entry] as usize];
                (indices[*at], values[*at]) = (line as u32, self.values[entry]);
                *at += 1;
            }
        }
        Self { places: self.ends.len(), ends, indices, values }
    }

    /// The lines as rows: sorted, each place once, without zeros.
    fn rows(&self, archive: &Archive) -> Result<SparseMatrix> {
        let mut matrix = SparseMatrix::empty(self.places);
        let mut row: Vec<(u32, f64)> = Vec::new();
        for (number, range) in self.ranges().enumerate() {
            row.clear();
            let values = self.values[range.clone()].iter().map(|&value| f64::from(value));
            row.extend(self.indices[range].iter().copied().zip(values));
            if !row.is_sorted_by_key(|&(place, _)| place) {
                row.sort_by_key(|&(place, _)| place);
            }
            row.dedup_by(|later, first| {
                let is_same = later.0 == first.0;
                first.1 += if is_same { later.1 } else { 0.0 };
                is_same
            });
            if let Some((place, sum)) = row.iter().find(|(_, value)| !(*value as f32).is_finite()) {
                let (row, column) = (number + 1, place + 1);
                let reason = format!("the entries at row {row}, column {column} sum to {sum:e}");
                return Err::<_, Error>(archive.fault(format!("{reason}, beyond the range of 32 bits; {MEND}")));
            }
            matrix.push(row.iter().map(|&(place, value)| (place, value as f32)).filter(|&(_, value)| value != 0.0));
        }
        Ok(matrix)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use zip::CompressionMethod::{Deflated, Stored};

    use super::super::npz::tests::{archive, message};
    use crate::format::npy::tests::array;
    use crate::math::Samples;

    fn list<const N: usize>(kind: &str, numbers: &[[u8; N]]) -> Vec<u8> {
        array(kind, false, &format!("({},)", numbers.len()), &numbers.concat())
    }

    type Member = (&'static str, Vec<u8>);

    /// What SciPy writes, in its order.
    fn members(format: &str, shape: [i64; 2], ends: &[i32], indices: &[i32], data: &[f64]) -> Vec<Member> {
        let of = |numbers: &[i32]| numbers.iter().map(|x| x.to_le_bytes()).collect::<Vec<_>>();
        vec![
            ("indices.npy", list("<i4", &of(indices))),
            ("indptr.npy", list("<i4", &of(ends))),
            ("format.npy", array(&format!("|S{}", format.len()), false, "()", format.as_bytes())),
            ("shape.npy", list("<i8", &shape.map(i64::to_le_bytes))),
            ("data.npy", list("<f8", &data.iter().map(|x| x.to_le_bytes()).collect::<Vec<_>>())),
        ]
    }

    fn rows(bytes: &[u8]) -> Vec<Vec<(usize, f32)>> {
        match super::super::npz::read(Path::new("a.npz"), bytes).expect("a matrix") {
            Samples::Sparse(matrix) => matrix.iter_rows().map(|row| row.iter().collect()).collect(),
            Samples::Dense(_) => panic!("it is sparse"),
        }
    }

    #[test]
    fn rows_are_sorted_summed_and_without_zeros() {
        // Row 1 is out of order with column 0 twice, row 2 empty, row 3 a zero and two that cancel; one entry is beyond.
        let (ends, indices) = ([0, 4, 4, 7], [3, 0, 1, 0, 2, 1, 2, 0]);
        let data = [1.0, 2.0, 3.0, 4.0, 5.0, 0.0, -5.0, 9.0];
        let expected = [vec![(0, 6.0), (1, 3.0), (3, 1.0)], vec![], vec![]];
        for method in [Stored, Deflated] {
            let bytes = archive(&members("csr", [3, 4], &ends, &indices, &data), method);
            assert_eq!(rows(&bytes), expected);
        }
        let bytes = archive(&members("csr", [1, 4_294_967_295], &[0, 1], &[i32::MAX], &[1.0]), Deflated);
        assert_eq!(rows(&bytes), [vec![(2_147_483_647, 1.0)]]);
        assert_eq!(rows(&archive(&members("csr", [1, 1], &[0, 0], &[], &[]), Stored)), [vec![]]);
    }

    #[test]
    fn columns_become_rows() {
        // [[1, 0, 4], [0, 0, 5], [0, 0, 0], [2, 3, 0]], the third column out of order and with a repeated entry
        let bytes =
            archive(&members("csc", [4, 3], &[0, 2, 3, 6], &[0, 3, 3, 1, 0, 1], &[1., 2., 3., 2., 4., 3.]), Deflated);
        assert_eq!(rows(&bytes), [vec![(0, 1.0), (2, 4.0)], vec![(2, 5.0)], vec![], vec![(0, 2.0), (1, 3.0)]]);
    }

    #[test]
    fn other_types_of_numbers_are_read() {
        let mut parts = members("csr", [1, 9], &[0, 2], &[0, 1], &[1.0, 2.0]);
        parts[0].1 = list(">i8", &[0i64, 8].map(i64::to_be_bytes));
        parts[1].1 = list("<u2", &[0u16, 2].map(u16::to_le_bytes));
        parts[2].1 = array("<U3", false, "()", &[b'c', 0, 0, 0, b's', 0, 0, 0, b'r', 0, 0, 0]);
        parts[4].1 = list("|b1", &[[1], [1]]);
        assert_eq!(rows(&archive(&parts, Stored)), [vec![(0, 1.0), (8, 1.0)]]);
    }

    #[test]
    fn faults_are_told_precisely() {
        let csr = |shape, ends: &[i32], indices: &[i32], data: &[f64]| {
            message(&archive(&members("csr", shape, ends, indices, data), Deflated))
        };
        let csc = |shape, ends: &[i32], indices: &[i32], data: &[f64]| {
            message(&archive(&members("csc", shape, ends, indices, data), Deflated))
        };
        let changed = |at: usize, member: Member| {
            let mut parts = members("csr", [1, 2], &[0, 1], &[1], &[1.0]);
            parts[at] = member;
            message(&archive(&parts, Stored))
        };
        let integers = list("<i4", &[[0; 4]]);
        for (found, expected) in [
            (csr([1, 2], &[0, 1], &[1], &[1.0]), "read"),
            (
                message(&archive(&members("coo", [1, 2], &[0], &[0], &[]), Stored)),
                "in the format \"coo\", expected csr or csc; save matrix.tocsr()",
            ),
            (csr([0, 2], &[0], &[], &[]), "shape.npy: a matrix of 0 rows and 2 columns, expected 1 to 4294967295"),
            (csr([1, 1 << 32], &[0, 0], &[], &[]), "a matrix of 1 rows and 4294967296 columns"),
            (csr([1, -1], &[0, 0], &[], &[]), "1 rows and -1 columns"),
            (csr([3, 2], &[0, 1], &[1], &[1.0]), "indptr.npy: found 2 numbers, expected one more than the 3 rows"),
            (csr([1, 2], &[1, 1], &[1], &[1.0]), "indptr.npy: the first number is 1, expected 0"),
            (csr([2, 2], &[0, 1, 0], &[1], &[1.0]), "indptr.npy: row 2 ends at 0, expected 1 to the 1 entries"),
            (csr([1, 2], &[0, 2], &[1], &[1.0]), "indptr.npy: row 1 ends at 2, expected 0 to the 1 entries"),
            (csr([1, 2], &[0, 1], &[2], &[1.0]), "indices.npy: row 1 has an entry at 2, expected a column from 0 to 1"),
            (
                csc([1, 2], &[0, 0, 1], &[-1], &[1.0]),
                "indices.npy: column 2 has an entry at -1, expected a row from 0 to 0",
            ),
            (csr([1, 2], &[0, 1], &[1], &[]), "data.npy: found 0 numbers, expected 1 as in indices.npy"),
            (csr([2, 2], &[0, 1, 2], &[1, 0], &[1.0, f64::NAN]), "data.npy: row 2, column 1 is NaN; replace it"),
            (
                csc([2, 2], &[0, 1, 2], &[1, 0], &[1.0, 1e39]),
                "data.npy: row 1, column 2 is 1e39, beyond the range of 32",
            ),
            (csr([1, 2], &[0, 2], &[1, 1], &[3e38, 3e38]), "row 1, column 2 sum to "),
            (csc([1 << 31, 1], &[0, 0], &[], &[]), "2147483648 rows for 0 entries are hardly meant"),
            (changed(0, ("x.npy", integers)), "the archive holds no indices.npy; write it anew"),
            (
                changed(0, ("indices.npy", list("<f4", &[[0; 4]]))),
                "indices.npy: numbers of type \"'<f4'\", expected integers",
            ),
            (changed(3, ("shape.npy", list("|u1", &[[3]]))), "shape.npy: 1 axes, expected rows and columns"),
            (
                changed(4, ("data.npy", array("|u1", false, "(1, 1)", &[1]))),
                "data.npy: an array of shape (1, 1), expected a list",
            ),
        ] {
            assert!(found.contains(expected), "{found} holds {expected}");
        }
    }

    #[test]
    fn a_cut_or_changed_archive_is_no_panic() {
        for (format, method) in [("csr", Stored), ("csc", Deflated)] {
            let bytes = archive(&members(format, [2, 2], &[0, 1, 2], &[1, 0], &[1.0, 2.0]), method);
            for end in 0..bytes.len() {
                assert_ne!(message(&bytes[..end]), "read", "{end}");
            }
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 0x15;
                message(&changed);
            }
        }
    }
}
