//! Files damaged by chance.

use firth::math::Rng;

/// Damages bytes in one way: a bit flipped, an end cut, a part doubled or moved, a number in text or in binary made huge.
pub fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    // The beginning and the end hold headers and directories, and are damaged more often.
    let length = bytes.len() as u32;
    let at = match rng.below(3) {
        0 => rng.below(length.clamp(1, 96)),
        1 => length.saturating_sub(1 + rng.below(length.clamp(1, 160))),
        _ => rng.below(length.max(1)),
    } as usize;
    let at = at.min(bytes.len());
    let end = (at + rng.below(40) as usize).min(bytes.len());
    match rng.below(8) {
        0 => bytes.truncate(at),
        1 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
        2 => bytes.insert(at, *b"0123456789 \n\t\r.-e{}[](),:'\"\0\xff".get(rng.below(30) as usize).unwrap_or(&b'9')),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let part = bytes[at..end].to_vec();
            let to = rng.below(bytes.len() as u32 + 1) as usize;
            bytes.splice(to..to, part);
        }
        // A number in text.
        5 => {
            let digit = (at..bytes.len()).find(|&at| bytes[at].is_ascii_digit()).unwrap_or(at);
            let huge = ["0", "-1", "1e999", "4294967297", "18446744073709551615", "nan", "99999999999999999999"];
            bytes.splice(digit..(digit + 1).min(bytes.len()), huge[rng.below(7) as usize].bytes());
        }
        // A number in binary, of one to eight bytes.
        6 => {
            let width = [1, 2, 4, 8][rng.below(4) as usize].min(bytes.len() - at);
            let value = [0, u64::MAX, u64::MAX >> 1, 1 << 31, (1 << 31) - 1, rng.next()][rng.below(6) as usize];
            bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        }
        _ => bytes.extend_from_within(at..end),
    }
}
