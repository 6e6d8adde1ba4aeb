//! Numbers of fewer bits than 32, to files and back.
//!
//! `f16` and `bf16` are rounded to the nearest, ties to even. `i8` keeps 255 steps of a row's largest size: number i of a
//! row is `q[i] * scale` with whole `q[i]` from -127 to 127 and `scale` = largest size / 127, so that a number is off by at
//! most half a `scale`. (Scales by row, since vectors of rare and of frequent words differ in length several times over.)

use half::{bf16, f16};

use super::{Dtype, FORMATS, Format, checks};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};

/// What numbers are called that text spells out.
pub(super) const TEXT: &str = "text";
/// What numbers are called that codes stand for, several to a code.
pub(super) const CODES: &str = "codes";

impl Dtype {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Bf16, Self::I8];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I8 => "i8",
        }
    }

    /// How many bytes a number takes.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::I8 => 1,
        }
    }

    /// What this kind makes of a number, without a scale.
    fn rounded(self, value: f32) -> f32 {
        match self {
            Self::F16 => f16::from_f32(value).to_f32(),
            Self::Bf16 => bf16::from_f32(value).to_f32(),
            Self::F32 | Self::I8 => value,
        }
    }
}

/// [`checks::writable`], and refuses a kind of numbers that the format or the vectors do not allow.
pub(super) fn writable(format: &dyn Format, embeddings: &Embeddings, numbers: Dtype) -> Result<()> {
    checks::writable(embeddings)?;
    if !format.dtypes().contains(&numbers) {
        let names = |kinds: &[Dtype]| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
        let others: Vec<_> =
            FORMATS.iter().filter(|other| other.dtypes().contains(&numbers)).map(|other| other.name()).collect();
        let (name, wanted, holds) = (format.name(), numbers.name(), names(format.dtypes()));
        let reason = format!("{name} cannot hold {wanted}, only {holds}; {wanted} is held by {}", others.join(", "));
        return Err(Error::config("--dtype", reason));
    }
    if matches!(numbers, Dtype::F32 | Dtype::I8) {
        return Ok(());
    }
    let values = embeddings.vectors().as_slice();
    let Some(at) = values.iter().position(|&value| !numbers.rounded(value).is_finite()) else { return Ok(()) };
    let (row, column) = (at / embeddings.dim(), at % embeddings.dim());
    Err(Error::data(format!(
        "number {} of the vector of {:?} (row {}) is {:e}, beyond the range of {}; \
         nothing is written; take --dtype f32, or --normalize",
        column + 1,
        embeddings.keys().get(row),
        row + 1,
        values[at],
        numbers.name()
    )))
}

/// What a row's whole numbers are multiplied with; one for all rows of zeros.
pub(super) fn scale(row: &[f32]) -> f32 {
    let largest = row.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let scale = if largest == 0.0 { 1.0 } else { (largest / 127.0).max(f32::MIN_POSITIVE) };
    // Rounding may have made it too large for the largest of all numbers.
    if (127.0 * scale).is_finite() { scale } else { scale.next_down() }
}

/// Appends a row as little-endian bytes; `scale` is for `i8`.
pub(super) fn encode(row: &[f32], kind: Dtype, scale: f32, bytes: &mut Vec<u8>) {
    match kind {
        Dtype::F32 => bytes.extend(row.iter().flat_map(|value| value.to_le_bytes())),
        Dtype::F16 => bytes.extend(row.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes())),
        Dtype::Bf16 => bytes.extend(row.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes())),
        Dtype::I8 => bytes.extend(row.iter().map(|value| (value / scale).round().clamp(-127.0, 127.0) as i8 as u8)),
    }
}

/// Fills a row from its bytes, of which there must be enough.
pub(super) fn decode(bytes: &[u8], kind: Dtype, scale: f32, row: &mut [f32]) {
    match kind {
        Dtype::F32 => {
            row.iter_mut().zip(bytes.as_chunks().0).for_each(|(value, &four)| *value = f32::from_le_bytes(four));
        }
        Dtype::F16 => {
            row.iter_mut().zip(bytes.as_chunks().0).for_each(|(value, &two)| *value = f16::from_le_bytes(two).to_f32());
        }
        Dtype::Bf16 => {
            let pairs = row.iter_mut().zip(bytes.as_chunks().0);
            pairs.for_each(|(value, &two)| *value = bf16::from_le_bytes(two).to_f32());
        }
        Dtype::I8 => row.iter_mut().zip(bytes).for_each(|(value, &byte)| *value = f32::from(byte as i8) * scale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{Matrix, Rng};

    #[test]
    fn numbers_come_back_as_near_as_their_bits_allow() {
        let mut rng = Rng::stream(5, &[]);
        for _ in 0..200 {
            let row: Vec<f32> = (0..40).map(|_| (rng.uniform() - 0.5) * 10f32.powi(rng.below(9) as i32 - 4)).collect();
            let scale = scale(&row);
            for (kind, relative, absolute) in [
                (Dtype::F32, 0.0, 0.0),
                (Dtype::F16, 1.0 / 2048.0, 2f32.powi(-25)),
                (Dtype::Bf16, 1.0 / 256.0, 0.0),
                (Dtype::I8, 0.0, 0.5001 * scale),
            ] {
                let (mut bytes, mut back) = (Vec::new(), vec![0.0; row.len()]);
                encode(&row, kind, scale, &mut bytes);
                assert_eq!(bytes.len(), row.len() * kind.bytes());
                decode(&bytes, kind, scale, &mut back);
                for (a, b) in row.iter().zip(&back) {
                    assert!((a - b).abs() <= relative * a.abs() + absolute, "{} {a} {b}", kind.name());
                }
                // What has come back once comes back exactly.
                let (again, before) = (&mut Vec::new(), bytes);
                encode(&back, kind, scale, again);
                assert_eq!(*again, before);
            }
        }
    }

    #[test]
    fn scales_are_never_zero() {
        for row in [&[0.0, -0.0][..], &[1e-45], &[f32::MAX, -1.0]] {
            let (scale, mut bytes, mut back) = (scale(row), Vec::new(), vec![1.0; row.len()]);
            encode(row, Dtype::I8, scale, &mut bytes);
            decode(&bytes, Dtype::I8, scale, &mut back);
            assert!(scale > 0.0 && back.iter().all(|value| value.is_finite()), "{row:?}");
        }
    }

    #[test]
    fn a_kind_that_does_not_fit_is_refused_by_name() -> Result<()> {
        let words =
            Embeddings::new(["a", "b"].iter().collect(), Matrix::from_vec(2, 1, vec![65504.0, -65520.0])?, None)?;
        let native: &dyn Format = &crate::format::native::Native;
        let error = writable(native, &words, Dtype::F16).expect_err("too large").to_string();
        assert!(
            error.contains("number 1 of the vector of \"b\" (row 2) is -6.552e4, beyond the range of f16"),
            "{error}"
        );
        writable(native, &words, Dtype::Bf16)?;
        let error = writable(&crate::format::glove::Glove, &words, Dtype::F16).expect_err("text").to_string();
        assert!(error.contains("glove cannot hold f16, only f32; f16 is held by safetensors"), "{error}");
        Ok(())
    }
}
