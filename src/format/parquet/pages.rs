//! What stands before each page of a column, read before the library asks for memory by it.
//!
//! A page begins with a structure in Thrift's compact protocol (`apache/parquet-format`, `PageHeader`): its kind, its size
//! unpacked and packed, and how many values it has. The library believes them, and no one survives a memory that there is
//! not; a few bytes may promise gigabytes. Taken is only what it reads in the same way: fields that rise, of the types that
//! the format gives them.

use parquet::basic::{Compression, Encoding, Type as Physical};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ColumnChunkMetaData;

/// What a value takes while it is read: a number and its levels.
const VALUE: u64 = 8;
/// What a value of a dictionary takes, and one that is a string of bytes, without its levels.
const ENTRY: u64 = 32;

/// The kinds of pages that hold values.
const DATA: u64 = 0;
const DICTIONARY: u64 = 2;
const DATA_V2: u64 = 3;

/// Fields of the header, and of the structures in it, by the number of theirs times 100.
const KIND: u32 = 1;
const UNPACKED: u32 = 2;
const PACKED: u32 = 3;
const VALUES: u32 = 501;
const ENTRIES: u32 = 701;
const VALUES_V2: u32 = 801;
const LEVELS: [u32; 2] = [805, 806];
const IS_PACKED: u32 = 807;

/// How many bytes the pages of a column become, together; or what is wrong with one.
pub(super) fn unpacked(mut pages: &[u8], compression: Compression, kind: Physical) -> Result<u64, String> {
    let is_bytes = matches!(kind, Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY);
    let value = VALUE + if is_bytes { ENTRY } else { 0 };
    let mut all = 0u64;
    let mut numbers = Vec::new();
    while !pages.is_empty() {
        numbers.clear();
        fields(&mut pages, 0, &mut numbers).ok_or("the header of a page is damaged")?;
        let found = |field: u32| numbers.iter().find(|number| number.0 == field).map(|number| number.1);
        let number = |field: u32| {
            let size = found(field).ok_or("the header of a page is not whole")?;
            u64::try_from(size).map_err(|_| format!("a page of the size {size}"))
        };
        let (kind, packed) = (number(KIND)?, number(PACKED)?);
        if packed > pages.len() as u64 {
            return Err(format!("a page of {packed} bytes, but {} are left in its column", pages.len()));
        }
        let (page, rest) = pages.split_at(packed as usize);
        pages = rest;
        let is_packed = compression != Compression::UNCOMPRESSED && found(IS_PACKED) != Some(0);
        let size = if is_packed { number(UNPACKED)? } else { packed };
        let levels = LEVELS.iter().filter_map(|&field| found(field)).sum::<i64>().max(0) as u64;
        let rest = page.get(levels as usize..).unwrap_or_default();
        // The library fills up with zeros what is shorter than it should be.
        if is_packed && compression == Compression::SNAPPY && matches!(kind, DATA | DICTIONARY | DATA_V2) {
            let (found, expected) = (varint(&mut &*rest).unwrap_or(0), size.saturating_sub(levels));
            if found != expected {
                return Err(format!("a page of {found} bytes, expected {expected}"));
            }
        }
        let values = match kind {
            DATA => value * number(VALUES)?,
            DATA_V2 => value * number(VALUES_V2)?,
            DICTIONARY if number(ENTRIES)? > size => {
                return Err(format!("a dictionary of {} values in {size} bytes", number(ENTRIES)?));
            }
            DICTIONARY => ENTRY * number(ENTRIES)?,
            _ => 0,
        };
        all = all.saturating_add(size + values);
    }
    Ok(all)
}

/// Pages whose text is checked once it is unpacked.
pub(super) struct Checked {
    pages: Box<dyn PageReader>,
    /// Do lengths of lists stand before the values, and whether each is there?
    has_levels: [bool; 2],
    /// May texts begin like the ones before?
    has_prefixes: bool,
}

impl Checked {
    /// The pages of a column.
    pub fn new(pages: Box<dyn PageReader>, column: &ColumnChunkMetaData) -> Self {
        let levels = column.column_descr();
        let has_levels = [levels.max_rep_level() > 0, levels.max_def_level() > 0];
        // Vectors are read many at once.
        let has_prefixes = column.column_type() == Physical::BYTE_ARRAY && has_prefixes(column);
        Self { pages, has_levels, has_prefixes }
    }

    fn check(&self, page: &Page) -> Result<(), &'static str> {
        if page.encoding() == Encoding::DELTA_BYTE_ARRAY && !self.has_prefixes {
            return Err("values begin like the ones before, in a column that is not said to hold such texts");
        }
        if !has_as_many_lengths(page, self.has_levels) {
            return Err("the lengths of a page's texts are damaged");
        }
        Ok(())
    }
}

/// Is a column said to hold texts of which only that is kept in which they differ from the ones before? A few bytes of
/// such may be texts of any length, all of them.
pub(super) fn has_prefixes(column: &ColumnChunkMetaData) -> bool {
    column.encodings().any(|encoding| encoding == Encoding::DELTA_BYTE_ARRAY)
}

impl Iterator for Checked {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        let page = self.pages.get_next_page()?;
        let checked = page.as_ref().map_or(Ok(()), |page| self.check(page));
        checked.map_err(|reason| ParquetError::General(reason.into()))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        self.pages.skip_next_page()
    }
}

/// Where lengths are kept as differences, another number tells how many there are, and the library makes room for so many.
/// Is it that of the page's values?
fn has_as_many_lengths(page: &Page, has_levels: [bool; 2]) -> bool {
    let lists = match page.encoding() {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        // How much each text begins like the one before, and then the lengths of the rest.
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return true,
    };
    let mut bytes = &page.buffer()[..];
    let start = match page {
        Page::DataPageV2 { rep_levels_byte_len, def_levels_byte_len, .. } => {
            take(&mut bytes, u64::from(rep_levels_byte_len + def_levels_byte_len))
        }
        _ => has_levels.iter().filter(|&&has| has).try_fold(&[][..], |_, _| {
            let length = take(&mut bytes, 4)?.try_into().map(u32::from_le_bytes).ok()?;
            take(&mut bytes, length.into())
        }),
    };
    start.is_some()
        && (0..lists).all(|_| differences(&mut bytes).is_some_and(|count| count <= page.num_values().into()))
}

/// Passes over numbers that are kept as differences, in blocks of small blocks, and gives how many there are.
fn differences(bytes: &mut &[u8]) -> Option<u64> {
    let [block, parts, count, _] = [varint(bytes)?, varint(bytes)?, varint(bytes)?, varint(bytes)?];
    let part = block.checked_div(parts).filter(|&part| part > 0)?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        varint(bytes)?;
        let mut packed = 0u64;
        for &width in take(bytes, parts)? {
            // Those behind the last number take no room, whatever they say.
            packed = packed.saturating_add(if left > 0 { part.saturating_mul(width.into()) / 8 } else { 0 });
            left = left.saturating_sub(part);
        }
        take(bytes, packed)?;
    }
    Some(count)
}

/// Reads a structure, and of its fields those that are whole numbers of 32 bits or truth values. `None` if it ends early, or
/// is not as the library takes it to be.
fn fields(bytes: &mut &[u8], within: u32, numbers: &mut Vec<(u32, i64)>) -> Option<()> {
    let mut last = 0;
    loop {
        let head = take(bytes, 1)?[0];
        let (step, kind) = (head >> 4, head & 15);
        if kind == STOP {
            return Some(());
        }
        let id = if step == 0 { u32::try_from(signed(bytes)?).ok()? } else { last + u32::from(step) };
        let field = 100 * within + id;
        if id <= last || id > 99 || !is_expected(field, kind) {
            return None;
        }
        last = id;
        match kind {
            TRUE | FALSE => numbers.push((field, (kind == TRUE).into())),
            BYTE => drop(take(bytes, 1)?),
            INT32 => numbers.push((field, i32::try_from(signed(bytes)?).ok()?.into())),
            INT16 | INT64 => drop(varint(bytes)?),
            DOUBLE => drop(take(bytes, 8)?),
            BINARY => {
                let length = varint(bytes)?;
                take(bytes, length)?;
            }
            STRUCTURE if within < 100 => fields(bytes, field, numbers)?,
            _ => return None,
        }
    }
}

/// Types of fields.
const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const INT16: u8 = 4;
const INT32: u8 = 5;
const INT64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const STRUCTURE: u8 = 12;

/// Has a field that the library knows the type that it takes it to have? It skips others by their types.
fn is_expected(field: u32, kind: u8) -> bool {
    match field {
        1..=4 | 501..=504 | 701..=702 | 801..=806 => kind == INT32,
        5..=8 | 505 | 808 => kind == STRUCTURE,
        703 | 807 => matches!(kind, TRUE | FALSE),
        _ => true,
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(count).ok()?)?;
    *bytes = rest;
    Some(taken)
}

/// A whole number, seven bits a byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = take(bytes, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// A whole number whose lowest bit is its sign.
fn signed(bytes: &mut &[u8]) -> Option<i64> {
    varint(bytes).map(|number| (number >> 1) as i64 ^ -((number & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page whose header tells how many values it has in the structure of field `about`.
    fn page(kind: i64, unpacked: i64, about: u8, values: i64, data: &[u8]) -> Vec<u8> {
        let field = |head: u8, number: i64| {
            let (mut bytes, mut rest) = (vec![head], (number << 1 ^ number >> 63) as u64);
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            [bytes, vec![rest as u8]].concat()
        };
        let sizes = [field(0x15, kind), field(0x15, unpacked), field(0x15, data.len() as i64)].concat();
        [&sizes[..], &[(about - 3) << 4 | STRUCTURE], &field(0x15, values), &[STOP, STOP], data].concat()
    }

    #[test]
    fn pages_cost_their_bytes_and_their_values() {
        // Five bytes of a number's length, as Snappy begins, and one byte more.
        let packed = [0xe4, 0xff, 0x0f, 0];
        let pages = [page(2, 262_116, 7, 9, &packed), page(0, 262_116, 5, 1 << 20, &packed)].concat();
        assert_eq!(unpacked(&pages, Compression::SNAPPY, Physical::FLOAT), Ok(2 * 262_116 + 9 * ENTRY + (VALUE << 20)));
        let plain = page(0, 1 << 30, 5, 2, &packed);
        for (kind, value) in [(Physical::FLOAT, 8), (Physical::BYTE_ARRAY, 40), (Physical::FIXED_LEN_BYTE_ARRAY, 40)] {
            assert_eq!(unpacked(&plain, Compression::UNCOMPRESSED, kind), Ok(4 + 2 * value), "{kind}");
        }
        assert_eq!(unpacked(&[], Compression::SNAPPY, Physical::FLOAT), Ok(0));
    }

    #[test]
    fn texts_have_as_many_lengths_as_values() {
        let page = |encoding, buf: &[u8], num_values| Page::DataPage {
            buf: buf.to_vec().into(),
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        // Blocks of 128 in 4 parts; 3 numbers from 5 on, which grow by 0; then the same of 2^63 numbers.
        let three = [0x80, 1, 4, 3, 10, 0, 0, 0, 0, 0];
        let most = [&[0x80, 1, 4][..], &[0xff; 8], &[0x7f, 10]].concat();
        let (length, delta) = (Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY);
        for (page, has_levels, is_sound) in [
            (page(length, &[&three[..], b"abcde"].concat(), 3), false, true),
            (page(length, &three, 2), false, false),
            (page(length, &most, 3), false, false),
            (page(length, &[&[2, 0, 0, 0, 6, 1], &three[..]].concat(), 3), true, true),
            (page(length, &[&[2, 0, 0, 0, 6, 1], &most[..]].concat(), 3), true, false),
            (page(delta, &[three, three].concat(), 3), false, true),
            (page(delta, &[&three, &most[..]].concat(), 3), false, false),
            (page(Encoding::PLAIN, &most, 3), false, true),
        ] {
            assert_eq!(has_as_many_lengths(&page, [false, has_levels]), is_sound, "{page:?}");
        }
    }

    #[test]
    fn what_the_library_would_believe_is_refused() {
        let most = i64::from(i32::MAX);
        let snappy = [0x05, 0x10, 1, 2, 3, 4, 5];
        let mut other_type = page(0, 5, 5, 1, &snappy);
        other_type[2] = 0x16;
        for (page, reason) in [
            (page(2, 5, 7, most, &snappy), "a dictionary of 2147483647 values in 5 bytes"),
            (page(2, most, 7, 1, &snappy), "a page of 5 bytes, expected 2147483647"),
            (page(0, most, 5, 1, &snappy), "a page of 5 bytes, expected 2147483647"),
            (page(0, 5, 5, -1, &snappy), "a page of the size -1"),
            (page(0, 5, 5, most + 1, &snappy), "the header of a page is damaged"),
            (page(0, 5, 7, 1, &snappy), "the header of a page is not whole"),
            (page(0, 5, 5, 1, &snappy)[..12].to_vec(), "a page of 7 bytes, but 1 are left"),
            (other_type, "the header of a page is damaged"),
        ] {
            let found = unpacked(&page, Compression::SNAPPY, Physical::FLOAT).expect_err(reason);
            assert!(found.contains(reason), "{found} holds {reason}");
        }
    }
}
