//! Rows that fastText has quantised: each is cut into parts, and of a part only the nearest of 256 is kept (Joulin et
//! al., 2016, "FastText.zip"; Jégou et al., 2011).
//!
//! `u8` norms apart?, `i64` rows, `i64` dimension, `i32` number of codes, the codes, a quantiser; with norms apart a
//! code for each row and another quantiser, of single numbers. A quantiser: `i32` dimension, parts, numbers of a part,
//! numbers of the last part, then `f32` 256 centroids for each part.

use super::super::checks;
use super::super::cursor::{Cursor, floats};
use crate::error::Result;

/// Centroids of a part: as many as a byte can tell apart.
const CENTROIDS: usize = 256;

/// Quantised rows.
pub(super) struct Quantized<'a> {
    pub rows: u64,
    pub dim: u64,
    codes: &'a [u8],
    quantizer: Quantizer,
    norms: Option<(&'a [u8], Quantizer)>,
}

struct Quantizer {
    dim: usize,
    /// Numbers of each part but the last.
    part: usize,
    parts: usize,
    centroids: Vec<f32>,
}

impl<'a> Quantized<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self> {
        let has_norms = cursor.number::<1>("the kind of quantiser")?[0] != 0;
        let rows = cursor.u64("the number of rows")?;
        let dim = cursor.u64("the dimension")?;
        let start = cursor.clone();
        let count = cursor.u32("the number of codes")?;
        let codes = cursor.take(count.into(), "the codes")?;
        let quantizer = Quantizer::read(cursor)?;
        if quantizer.dim as u64 != dim || u128::from(rows) * quantizer.parts as u128 != u128::from(count) {
            return Err(start.fault(format!(
                "{count} codes for {rows} rows of {dim} numbers, but the quantiser makes {} codes of {} numbers; \
                 the file is damaged",
                quantizer.parts, quantizer.dim
            )));
        }
        let size = cursor.at() as u64 + cursor.left();
        checks::growth(rows, dim, size)
            .map_err(|reason| start.fault(format!("{reason}; quantise with smaller -dsub")))?;
        let mut norms = None;
        if has_norms {
            let codes = cursor.take(rows, "the norms")?;
            let start = cursor.clone();
            let quantizer = Quantizer::read(cursor)?;
            if (quantizer.dim, quantizer.parts) != (1, 1) {
                return Err(start.fault(format!("norms of {} numbers each, expected one", quantizer.dim)));
            }
            norms = Some((codes, quantizer));
        }
        Ok(Self { rows, dim, codes, quantizer, norms })
    }

    /// Gives each number of a row.
    pub(super) fn each(&self, row: usize, mut each: impl FnMut(usize, f32)) {
        let Quantizer { dim, part, parts, centroids } = &self.quantizer;
        let norm = self.norms.as_ref().map_or(1.0, |(codes, norms)| norms.centroids[codes[row] as usize]);
        for (at, &code) in self.codes[row * parts..(row + 1) * parts].iter().enumerate() {
            let first = at * part;
            let length = (*part).min(dim - first);
            // The centroids of the last part are as short as itself.
            let start = first * CENTROIDS + code as usize * length;
            for (column, value) in centroids[start..start + length].iter().enumerate() {
                each(first + column, norm * value);
            }
        }
    }
}

impl Quantizer {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let start = cursor.clone();
        let mut size = |what| cursor.u32(what);
        let (dim, parts) = (size("the quantiser's dimension")?, size("the quantiser's parts")?);
        let (part, last) = (size("the numbers of a part")?, size("the numbers of the last part")?);
        let fits = u64::from(parts.saturating_sub(1)) * u64::from(part) + u64::from(last) == u64::from(dim);
        if !fits || last == 0 || last > part {
            return Err(start.fault(format!(
                "a quantiser of {dim} numbers in {parts} parts of {part}, the last of {last}, which does not add up"
            )));
        }
        let centroids = floats(cursor.take(u64::from(dim) * 4 * CENTROIDS as u64, "the centroids")?);
        Ok(Self { dim: dim as usize, part: part as usize, parts: parts as usize, centroids })
    }
}
