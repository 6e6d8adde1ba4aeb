//! The bytes of a NumPy array: what stands before the numbers, and the numbers (`numpy/lib/format.py`, NEP 1).
//!
//! `\x93NUMPY`, a version, the length of a header that is a Python dictionary (`u16`, from version 2 on `u32`), the
//! header, the numbers. [`super::numpy`] makes word vectors of them, [`super::matrix`] plain matrices.

use std::io::Write;
use std::ops::Range;

use rayon::prelude::*;

use super::{Dtype, checks, numbers};
use crate::error::Result;
use crate::io::as_bytes;
use crate::math::Matrix;

/// How every array begins.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// The most bytes that the beginning of an array takes, up to and with the length of its header.
pub(super) const PRELUDE: usize = 12;

/// What stands before the numbers.
pub(super) struct Header {
    /// The type of the numbers, if it is one of a processor's.
    pub number: Option<Number>,
    /// That type as the header spells it.
    pub kind: String,
    /// Does the first index run fastest (columns one after another)?
    pub fortran: bool,
    /// The axes' lengths, if the header tells them.
    pub shape: Option<Vec<u64>>,
    /// The shape as the header spells it.
    pub shown: String,
    /// Where the numbers begin.
    pub start: usize,
}

impl Header {
    /// Reads the header of the array that begins these bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let dictionary = dictionary(bytes)?;
        let start = dictionary.end;
        let header = String::from_utf8_lossy(bytes.get(dictionary).ok_or(SHORT)?);
        let entry = |name| {
            entry(&header, name).ok_or_else(|| {
                format!("found the header {}, expected an entry {name:?}", checks::excerpt(header.as_bytes()))
            })
        };
        let kind = entry("descr")?;
        let shape = entry("shape")?;
        Ok(Self {
            number: quoted(kind).and_then(Number::named),
            kind: kind.split(", '").next().unwrap_or(kind).into(),
            fortran: !entry("fortran_order")?.starts_with("False"),
            shape: tuple(shape),
            shown: shape.split_inclusive(')').next().unwrap_or(shape).into(),
            start,
        })
    }

    /// Of an array of vectors, in `room` bytes: the numbers' type, how many rows there are, and how many numbers in each.
    pub fn vectors(&self, room: u64) -> Result<(Number, usize, usize), String> {
        let is_vector = |number: &Number| matches!(number.kind, Kind::F16 | Kind::F32 | Kind::F64 | Kind::I8);
        let found = self.number.filter(is_vector).zip(self.shape.as_deref());
        let Some((number, &[rows, dim])) = found else {
            let [kind, shape] = [&self.kind, &self.shown].map(|text| checks::excerpt(text.as_bytes()));
            let reason = format!("numbers of type {kind} and shape {shape}, expected floats (keys, dimension)");
            return Err(format!("{reason}; save array.astype('<f4')"));
        };
        if self.fortran {
            let reason = "the array is stored column by column (fortran_order), expected row by row";
            return Err(format!("{reason}; save numpy.ascontiguousarray(array)"));
        }
        let (rows, dim) = checks::shape(rows, dim, dim.saturating_mul(number.bytes() as u64), room)?;
        Ok((number, rows, dim))
    }

    /// Believes in no more rows of vectors than lie whole in `room` bytes.
    pub fn cut(&mut self, room: u64) {
        if let (Some(number), Some([rows, dim])) = (self.number, self.shape.as_deref_mut()) {
            *rows = (*rows).min(room / dim.saturating_mul(number.bytes() as u64).max(1));
        }
    }

    /// How many numbers the shape promises; `None` if there is no shape or memory has no such number.
    pub fn count(&self) -> Option<u64> {
        self.shape.as_ref()?.iter().try_fold(1u64, |count, &axis| count.checked_mul(axis))
    }
}

const SHORT: &str = "the file ends in its header, expected a NumPy array; write it anew";

/// Where the dictionary of an array lies; its first [`PRELUDE`] bytes are enough to tell. The numbers begin at its end.
pub(super) fn dictionary(bytes: &[u8]) -> Result<Range<usize>, String> {
    if !bytes.starts_with(MAGIC) {
        return Err(format!("found {}, expected a NumPy array", checks::excerpt(bytes)));
    }
    let (before, length) = match bytes.get(6).ok_or(SHORT)? {
        1 => (10, bytes.get(8..10).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])))),
        2 | 3 => (12, bytes.get(8..12).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)),
        version => return Err(format!("version {version} of .npy, expected 1 to 3")),
    };
    Ok(before..length.ok_or(SHORT)?.saturating_add(before))
}

/// Writes a matrix as a whole array, row after row, of `f32` or `f16` or, each row by its scale, `i8`.
pub(super) fn write(file: &mut impl Write, matrix: &Matrix, dtype: Dtype) -> std::io::Result<()> {
    let kind = match dtype {
        Dtype::F16 => "<f2",
        Dtype::I8 => "|i1",
        _ => "<f4",
    };
    file.write_all(&header(kind, &format!("({}, {})", matrix.rows(), matrix.cols())))?;
    if kind == "<f4" {
        return file.write_all(as_bytes(matrix.as_slice()));
    }
    let mut bytes = Vec::new();
    matrix.iter_rows().try_for_each(|row| {
        bytes.clear();
        numbers::encode(row, dtype, numbers::scale(row), &mut bytes);
        file.write_all(&bytes)
    })
}

/// What stands before the numbers of an array, with the type and the shape as NumPy spells them.
pub(super) fn header(kind: &str, shape: &str) -> Vec<u8> {
    let mut dictionary = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    // Ten bytes stand before it and a newline behind, together a multiple of 64.
    let length = (10 + dictionary.len() + 1).next_multiple_of(64) - 10;
    dictionary.push_str(&" ".repeat(length - 1 - dictionary.len()));
    dictionary.push('\n');
    [MAGIC, &[1, 0], &(length as u16).to_le_bytes(), dictionary.as_bytes()].concat()
}

/// A type of numbers and the order of their bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number {
    pub kind: Kind,
    pub big_endian: bool,
}

/// A type of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
}

impl Kind {
    /// How people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::Bool => "bool",
        }
    }
}

impl Number {
    /// The type that NumPy calls so: `<f4`.
    fn named(name: &str) -> Option<Self> {
        let (order, kind) = name.split_at_checked(1)?;
        let kind = match kind {
            "f2" => Kind::F16,
            "f4" => Kind::F32,
            "f8" => Kind::F64,
            "i1" => Kind::I8,
            "i2" => Kind::I16,
            "i4" => Kind::I32,
            "i8" => Kind::I64,
            "u1" => Kind::U8,
            "u2" => Kind::U16,
            "u4" => Kind::U32,
            "u8" => Kind::U64,
            "b1" => Kind::Bool,
            _ => return None,
        };
        let number = Self { kind, big_endian: order == ">" };
        (matches!(order, "<" | ">") || order == "|" && number.bytes() == 1).then_some(number)
    }

    /// How many bytes one takes.
    pub fn bytes(self) -> usize {
        match self.kind {
            Kind::I8 | Kind::U8 | Kind::Bool => 1,
            Kind::F16 | Kind::I16 | Kind::U16 => 2,
            Kind::F32 | Kind::I32 | Kind::U32 => 4,
            Kind::F64 | Kind::I64 | Kind::U64 => 8,
        }
    }

    /// Copies numbers, rounded to 32 bits; a copy, since NumPy writes over files in place while a map of them is open.
    pub fn floats(self, bytes: &[u8]) -> Vec<f32> {
        let mut values = vec![0.0; bytes.len() / self.bytes()];
        const PART: usize = 1 << 16;
        let parts = values.par_chunks_mut(PART).zip(bytes.par_chunks(PART * self.bytes()));
        parts.for_each(|(values, bytes)| {
            let into = Copied { values, bytes, big_endian: self.big_endian };
            match self.kind {
                Kind::F16 => into.fill(|two| half::f16::from_le_bytes(two).to_f32()),
                Kind::F32 => into.fill(f32::from_le_bytes),
                Kind::F64 => into.fill(|eight| f64::from_le_bytes(eight) as f32),
                Kind::I8 => into.fill(|one| f32::from(i8::from_le_bytes(one))),
                Kind::I16 => into.fill(|two| f32::from(i16::from_le_bytes(two))),
                Kind::I32 => into.fill(|four| i32::from_le_bytes(four) as f32),
                Kind::I64 => into.fill(|eight| i64::from_le_bytes(eight) as f32),
                Kind::U8 => into.fill(|one| f32::from(u8::from_le_bytes(one))),
                Kind::U16 => into.fill(|two| f32::from(u16::from_le_bytes(two))),
                Kind::U32 => into.fill(|four| u32::from_le_bytes(four) as f32),
                Kind::U64 => into.fill(|eight| u64::from_le_bytes(eight) as f32),
                Kind::Bool => into.fill(|[one]| f32::from(u8::from(one != 0))),
            }
        });
        values
    }

    /// Whole numbers, exactly; `None` for another type.
    pub fn integers(self, bytes: &[u8]) -> Option<impl ExactSizeIterator<Item = i128>> {
        let signed = match self.kind {
            Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 => true,
            Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => false,
            _ => return None,
        };
        let (width, big_endian) = (self.bytes(), self.big_endian);
        Some(bytes.chunks_exact(width).map(move |number| {
            let mut wide = [0u8; 8];
            wide[..width].copy_from_slice(number);
            if big_endian {
                wide[..width].reverse();
            }
            let above = 64 - 8 * width as u32;
            let wide = u64::from_le_bytes(wide) << above;
            if signed { i128::from(wide as i64 >> above) } else { i128::from(wide >> above) }
        }))
    }

    /// What a number that is not finite in 32 bits is in the file.
    pub fn shown(self, bytes: &[u8], at: usize) -> String {
        let (width, bytes) = (self.bytes(), &bytes[at * self.bytes()..]);
        let mut number = bytes[..width].to_vec();
        if self.big_endian {
            number.reverse();
        }
        match <[u8; 8]>::try_from(number.as_slice()).map(f64::from_le_bytes) {
            Ok(wide) if self.kind == Kind::F64 && wide.is_finite() => format!("{wide:e}, beyond the range of 32 bits"),
            _ => self.floats(&bytes[..width])[0].to_string(),
        }
    }
}

/// Numbers to be copied.
struct Copied<'a> {
    values: &'a mut [f32],
    bytes: &'a [u8],
    big_endian: bool,
}

impl Copied<'_> {
    /// Copies numbers of `N` bytes, of which `number` takes the lowest first.
    fn fill<const N: usize>(self, number: impl Fn([u8; N]) -> f32) {
        for (value, bytes) in self.values.iter_mut().zip(self.bytes.as_chunks::<N>().0) {
            let mut bytes = *bytes;
            if self.big_endian {
                bytes.reverse();
            }
            *value = number(bytes);
        }
    }
}

/// The text of a dictionary from an entry's value on.
fn entry<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let quoted = ['\'', '"'].map(|quote| format!("{quote}{name}{quote}"));
    let (at, length) = quoted.iter().find_map(|key| Some((header.find(key)?, key.len())))?;
    Some(header[at + length..].trim_start().strip_prefix(':')?.trim_start())
}

/// The string in quotes at the beginning.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    text[1..].split_once(quote).map(|(inside, _)| inside)
}

/// A tuple of numbers; one of one number has a comma behind it.
fn tuple(text: &str) -> Option<Vec<u64>> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let inside = inside.trim();
    let numbers = inside.strip_suffix(',').unwrap_or(inside);
    if numbers.is_empty() {
        return Some(Vec::new());
    }
    numbers.split(',').map(|number| number.trim().parse().ok()).collect()
}

#[cfg(test)]
pub(in crate::format) mod tests {
    use super::*;

    /// An array with this header's dictionary.
    pub fn array(kind: &str, fortran: bool, shape: &str, numbers: &[u8]) -> Vec<u8> {
        let fortran = if fortran { "True" } else { "False" };
        let header = format!("{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), numbers].concat()
    }

    #[test]
    fn every_type_is_read_in_both_orders() {
        let types: [(&str, Vec<u8>, f32); 12] = [
            ("f2", 0xc000u16.to_le_bytes().into(), -2.0),
            ("f4", (-0.1f32).to_le_bytes().into(), -0.1),
            ("f8", 0.1f64.to_le_bytes().into(), 0.1),
            ("i1", vec![0x80], -128.0),
            ("i2", (-300i16).to_le_bytes().into(), -300.0),
            ("i4", (-70_000i32).to_le_bytes().into(), -70_000.0),
            ("i8", (-1i64 << 40).to_le_bytes().into(), -1_099_511_627_776.0),
            ("u1", vec![0x80], 128.0),
            ("u2", 65_535u16.to_le_bytes().into(), 65_535.0),
            ("u4", (1u32 << 31).to_le_bytes().into(), 2_147_483_648.0),
            ("u8", (1u64 << 63).to_le_bytes().into(), 9_223_372_036_854_775_808.0),
            ("b1", vec![1], 1.0),
        ];
        for (kind, mut bytes, value) in types {
            for order in ["<", ">"] {
                let number = Number::named(&format!("{order}{kind}")).expect("a type");
                assert_eq!(number.floats(&bytes), [value], "{order}{kind}");
                let whole = number.integers(&bytes).map(|mut all| all.next().expect("a number") as f32);
                assert_eq!(whole, (!"fb".contains(&kind[..1])).then_some(value), "{order}{kind}");
                bytes.reverse();
            }
            assert_eq!(Number::named(&format!("|{kind}")).is_some(), bytes.len() == 1);
        }
        for name in ["", "<", "<c8", "|S3", "O", "<f16", "é4"] {
            assert_eq!(Number::named(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_not_finite_is_shown_as_it_is() {
        let wide = Number { kind: Kind::F64, big_endian: true };
        let bytes = [1e300f64, f64::NAN, f64::NEG_INFINITY].map(f64::to_be_bytes).concat();
        assert_eq!(
            [0, 1, 2].map(|at| wide.shown(&bytes, at)),
            ["1e300, beyond the range of 32 bits", "NaN", "-inf"].map(String::from)
        );
    }

    #[test]
    fn shapes_are_tuples() {
        assert_eq!(tuple("(3, 4), }"), Some(vec![3, 4]));
        assert_eq!(tuple("(3,)"), Some(vec![3]));
        assert_eq!(tuple("()"), Some(vec![]));
        for text in ["(3, x)", "(-1, 2)", "3, 4", "(3, 4", "(,)x", "(3,,)", "(99999999999999999999, 1)"] {
            assert!(tuple(text).is_none_or(|axes| axes.is_empty()), "{text}");
        }
        let header = Header::read(&array("<f4", true, "(4294967296, 4294967296)", &[])).expect("a header");
        assert!(header.fortran && header.count().is_none());
    }
}
