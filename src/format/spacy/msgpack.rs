//! A map of whole numbers in MessagePack, which is all that spaCy's `key2row` is.

use super::super::cursor::Cursor;
use crate::error::Result;
use crate::io::AtomicFile;

/// Writes a map from numbers to their positions.
pub(super) fn write(file: &mut AtomicFile, keys: &[u64]) -> Result<()> {
    let count = u32::try_from(keys.len()).expect("fewer than 2^32 keys");
    file.write(&[0xdf])?;
    file.write(&count.to_be_bytes())?;
    for (position, key) in (0..count).zip(keys) {
        file.write(&[0xcf])?;
        file.write(&key.to_be_bytes())?;
        file.write(&[0xce])?;
        file.write(&position.to_be_bytes())?;
    }
    Ok(())
}

/// Reads the pairs of a map of numbers.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Vec<(u64, u64)>> {
    let start = cursor.clone();
    let count = match cursor.number::<1>("a map")?[0] {
        short @ 0x80..=0x8f => u64::from(short & 0xf),
        0xde => u16::from_be_bytes(cursor.number("the size of a map")?).into(),
        0xdf => u32::from_be_bytes(cursor.number("the size of a map")?).into(),
        other => return Err(start.fault(format!("found the byte {other:#04x}, expected a map of numbers"))),
    };
    if count > cursor.left() / 2 {
        let reason = format!("a map of {count} pairs, but {} bytes are left; the file is truncated", cursor.left());
        return Err(start.fault(reason));
    }
    (0..count).map(|_| Ok((read_number(cursor)?, read_number(cursor)?))).collect()
}

fn read_number(cursor: &mut Cursor<'_>) -> Result<u64> {
    let start = cursor.clone();
    const WHAT: &str = "a number";
    // Signed kinds hold numbers from 0 as well; below 0 there is neither a key nor a row.
    let signed = match cursor.number::<1>(WHAT)?[0] {
        small @ 0..=0x7f => small.into(),
        0xcc => cursor.number::<1>(WHAT)?[0].into(),
        0xcd => u16::from_be_bytes(cursor.number(WHAT)?).into(),
        0xce => u32::from_be_bytes(cursor.number(WHAT)?).into(),
        0xcf => return cursor.number(WHAT).map(u64::from_be_bytes),
        0xd0 => i8::from_be_bytes(cursor.number(WHAT)?).into(),
        0xd1 => i16::from_be_bytes(cursor.number(WHAT)?).into(),
        0xd2 => i32::from_be_bytes(cursor.number(WHAT)?).into(),
        0xd3 => i64::from_be_bytes(cursor.number(WHAT)?),
        other => return Err(start.fault(format!("found the byte {other:#04x}, expected a whole number"))),
    };
    u64::try_from(signed).map_err(|_| start.fault(format!("found {signed}, expected a number from 0")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn numbers_of_all_widths_are_read() -> Result<()> {
        let bytes = [
            &[0x83, 5, 0xcc, 200][..],
            &[0xcd, 1, 0, 0xce, 0, 1, 0, 0],
            &[0xcf, 255, 0, 0, 0, 0, 0, 0, 1, 0xd2, 0, 0, 0, 7],
        ];
        let bytes = bytes.concat();
        let mut cursor = Cursor::new(Path::new("a"), &bytes);
        assert_eq!(read(&mut cursor)?, [(5, 200), (256, 65536), ((255 << 56) + 1, 7)]);
        for (bytes, message) in [
            (&[0x90][..], "byte 0: found the byte 0x90, expected a map"),
            (&[0x81, 1, 0xff], "byte 2: found the byte 0xff"),
            (&[0x81, 1, 0xd0, 0xff], "byte 2: found -1"),
            (&[0xdf, 255, 255, 255, 255, 0, 0], "4294967295 pairs, but 2 bytes are left"),
            (&[0x81, 1, 0xcd, 1], "byte 3: a number of 2 bytes, but 1 are left"),
        ] {
            let error = read(&mut Cursor::new(Path::new("a"), bytes)).expect_err(message).to_string();
            assert!(error.contains(message), "{error} holds {message}");
        }
        Ok(())
    }
}
