//! The two built-in tokenizers, eight bytes at a time where the text allows.

use unicode_segmentation::UnicodeSegmentation;

/// The high bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The high bit of each byte that is at most a space: white space or a control character. Exact in every byte, since
/// no sum carries into the next: 0x7f + 0x5f < 0x100.
#[inline]
fn blanks(word: u64) -> u64 {
    !(((word & !HIGH) + 0x5f5f_5f5f_5f5f_5f5f) | word) & HIGH
}

#[inline]
fn load(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..at + 8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
}

/// The runs of bytes above a space, and whether each is ASCII.
#[inline]
fn runs(text: &[u8], mut each: impl FnMut(usize, usize, bool)) {
    let mut at = 0;
    loop {
        while text.get(at).is_some_and(|&byte| byte <= b' ') {
            at += 1;
        }
        let start = at;
        let mut high = 0;
        let end = loop {
            let Some(word) = load(text, at) else {
                let rest = &text[at..];
                let length = rest.iter().position(|&byte| byte <= b' ').unwrap_or(rest.len());
                high |= rest[..length].iter().fold(0, |high, &byte| high | u64::from(byte) << 56) & HIGH;
                break at + length;
            };
            let found = blanks(word);
            if found != 0 {
                let bits = found.trailing_zeros() - 7;
                // Only the bytes before the blank belong to the run.
                high |= word & HIGH & !(u64::MAX << bits);
                break at + bits as usize / 8;
            }
            high |= word & HIGH;
            at += 8;
        };
        if end == start {
            return;
        }
        each(start, end, high == 0);
        at = end;
    }
}

/// What stands between white space; control characters count as such. `text` is `line`, its ASCII perhaps lower-cased.
#[inline]
pub fn whitespace(
    line: &str,
    text: &[u8],
    lowercase: bool,
    word: &mut String,
    each: &mut impl FnMut(&[u8], usize, usize),
) {
    runs(text, |start, end, ascii| {
        if ascii {
            each(text, start, end);
            return;
        }
        let run = &line[start..end];
        // The first bytes of all white space beyond ASCII; a word without them need not be decoded.
        let suspect = run.bytes().any(|byte| matches!(byte, 0xc2 | 0xe1 | 0xe2 | 0xe3));
        if !suspect && !lowercase {
            each(text, start, end);
            return;
        }
        for part in run.split(char::is_whitespace).filter(|part| !part.is_empty()) {
            if lowercase {
                lower(part, word);
                each(word.as_bytes(), 0, word.len());
            } else {
                let from = start + (part.as_ptr() as usize - run.as_ptr() as usize);
                each(text, from, from + part.len());
            }
        }
    });
}

/// Unicode words (UAX #29, those with a letter or digit). White space always parts words, so each run between white
/// space is looked at alone, and one that is ASCII by the short rules that remain for ASCII.
#[inline]
pub fn words(line: &str, text: &[u8], lowercase: bool, word: &mut String, each: &mut impl FnMut(&[u8], usize, usize)) {
    runs(text, |start, end, ascii| {
        if ascii {
            ascii_words(text, start, end, each);
            return;
        }
        for part in line[start..end].unicode_words() {
            if lowercase {
                lower(part, word);
                each(word.as_bytes(), 0, word.len());
            } else {
                each(part.as_bytes(), 0, part.len());
            }
        }
    });
}

fn lower(part: &str, word: &mut String) {
    word.clear();
    if part.chars().any(|letter| letter == 'Σ') {
        // The one letter whose lower case depends on its neighbours.
        word.push_str(&part.to_lowercase());
    } else {
        word.extend(part.chars().flat_map(char::to_lowercase));
    }
}

const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const JOINER: u8 = 4;
/// Joins letters: MidLetter and MidNumLet.
const MID_LETTER: u8 = 8;
/// Joins digits: MidNum and MidNumLet.
const MID_DIGIT: u8 = 16;

const CLASS: [u8; 128] = {
    let mut class = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        class[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'0'..=b'9' => DIGIT,
            b'_' => JOINER,
            b':' => MID_LETTER,
            b'.' | b'\'' => MID_LETTER | MID_DIGIT,
            b',' | b';' => MID_DIGIT,
            _ => 0,
        };
        byte += 1;
    }
    class
};

#[inline]
fn class(text: &[u8], at: usize, end: usize) -> u8 {
    if at < end { CLASS.get(text[at] as usize).copied().unwrap_or(0) } else { 0 }
}

#[inline]
fn ascii_words(text: &[u8], start: usize, end: usize, each: &mut impl FnMut(&[u8], usize, usize)) {
    let mut at = start;
    while at < end {
        let mut kinds = 0;
        let from = at;
        loop {
            let here = class(text, at, end);
            if here & (LETTER | DIGIT | JOINER) != 0 {
                kinds |= here;
                at += 1;
                continue;
            }
            // A mark joins only between two letters or between two digits.
            let before = if at > from { class(text, at - 1, end) } else { 0 };
            let after = class(text, at + 1, end);
            let joins = here & MID_LETTER != 0 && before & after & LETTER != 0
                || here & MID_DIGIT != 0 && before & after & DIGIT != 0;
            if !joins {
                break;
            }
            at += 1;
        }
        if kinds & (LETTER | DIGIT) != 0 {
            each(text, from, at);
        }
        at = at.max(from + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collect(run: impl FnOnce(&mut dyn FnMut(&[u8], usize, usize))) -> Vec<String> {
        let mut all = Vec::new();
        run(&mut |text, start, end| all.push(String::from_utf8(text[start..end].to_vec()).expect("UTF-8")));
        all
    }

    proptest! {
        #[test]
        fn words_equal_those_of_the_standard(line in "[a-c0-2_:.,;'\"\\- éß漢字\u{301}\u{200d}\u{a0}\t]{0,40}") {
            let expected: Vec<&str> = line.unicode_words().collect();
            let found = collect(|mut each| words(&line, line.as_bytes(), false, &mut String::new(), &mut each));
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn whitespace_equals_the_plain_split(line in "[a-cé漢\u{a0}\u{2003}\u{3000}\u{85}\u{205f} \n\t]{0,60}") {
            let expected: Vec<&str> = line.split_whitespace().collect();
            let found = collect(|mut each| whitespace(&line, line.as_bytes(), false, &mut String::new(), &mut each));
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn blanks_are_exact_in_every_byte() {
        for byte in 0..=255u8 {
            for place in 0..8 {
                let mut bytes = [0xff; 8];
                bytes[place] = byte;
                let expected = if byte <= b' ' { 0x80 << (8 * place) } else { 0 };
                assert_eq!(blanks(u64::from_le_bytes(bytes)), expected);
            }
        }
    }
}
