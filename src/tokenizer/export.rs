//! A built-in tokenizer as a `tokenizer.json` that other programs load.
//!
//! Words are found by a regular expression after the rules of UAX #29, whose classes of characters other programs' engines
//! do not know by name. Between and beside letters and digits, all letters and digits up to Unicode 16 but U+19DA are
//! taken as here; not the same are signs alone, which are no words here and unknown ones there, and vowel signs without a
//! letter. Σ at the end of a word becomes ς, if at most one mark stands between it and the letter before; then all letters
//! become lower case.

use super::{Kind, Tokenizer};
use crate::error::{Error, Result};

/// What continues a character: marks, joiners, invisible formats.
const EXTEND: &str = r"[\p{M}\p{Cf}\x{FF9E}\x{FF9F}&&[^\x{200B}]]";
/// Letters that are written one after another in words, and signs that stand among them.
const LETTER: &str = concat!(
    r"[[\p{Alphabetic}&&[^\p{M}\p{Ideographic}\p{Hiragana}\p{Katakana}\x{3031}-\x{3035}\x{309B}\x{309C}\x{30A0}\x{30FC}",
    r"\x{FF70}\x{FF9E}\x{FF9F}\p{Thai}\p{Lao}\p{Myanmar}\p{Khmer}\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}",
    r"\p{Ahom}]]\x{B8}\x{2C2}-\x{2C5}\x{2D2}-\x{2D7}\x{2DE}\x{2DF}\x{2E5}-\x{2EB}\x{2ED}\x{2EF}-\x{2FF}\x{55A}-\x{55C}",
    r"\x{55E}\x{58A}\x{5F3}\x{A708}-\x{A716}\x{A720}\x{A721}\x{A789}\x{A78A}\x{AB5B}]"
);
/// Letters between which a double quotation mark joins; a single one at the end of their word belongs to it.
const HEBREW: &str = r"[\p{Hebrew}&&\p{L}]";
const DIGIT: &str = r"[\p{Nd}\x{66B}]";
const KATAKANA: &str = r"[\p{Katakana}\x{3031}-\x{3035}\x{309B}\x{309C}\x{30A0}\x{30FC}\x{FF70}]";
/// Joins all three: the low line and its like.
const JOINER: &str = r"[\p{Pc}\x{202F}]";
/// Joins two letters.
const MID_LETTER: &str =
    r"[:\x{B7}\x{387}\x{55F}\x{5F4}\x{2027}\x{FE13}\x{FE55}\x{FF1A}.\x{2018}\x{2019}\x{2024}\x{FE52}\x{FF07}\x{FF0E}']";
/// Joins two digits.
const MID_DIGIT: &str = concat!(
    r"[,;\x{37E}\x{589}\x{60C}\x{60D}\x{66C}\x{7F8}\x{2044}\x{FE50}\x{FE54}\x{FF0C}\x{FF1B}",
    r".\x{2018}\x{2019}\x{2024}\x{FE52}\x{FF07}\x{FF0E}']"
);
/// A letter Σ that ends its word: a letter with two cases stands before it and none behind, whatever has no case between.
const FINAL_SIGMA: &str = concat!(
    r"(?:(?<=\p{Cased})|(?<=\p{Cased}[\p{M}\p{Cf}'.:\x{B7}\x{2018}\x{2019}\x{2024}]))Σ",
    r"(?![\p{M}\p{Cf}]*['.:\x{B7}\x{2018}\x{2019}\x{2024}]?[\p{M}\p{Cf}]*\p{Cased})"
);
/// White space and control characters.
const BLANKS: &str = r"[\s\x{0}-\x{20}]+";

impl Tokenizer {
    /// A Hugging Face `tokenizer.json` that cuts text as this tokenizer does and numbers the pieces in the order of
    /// `keys`; all other pieces become `unknown`, which should stand among them.
    ///
    /// # Errors
    /// If the tokenizer was itself read from such a file: its pieces have numbers already.
    pub fn export<'a>(&self, keys: impl Iterator<Item = &'a str>, unknown: &str) -> Result<String> {
        let (pattern, invert) = match self.kind {
            Kind::Words => (words(), true),
            Kind::Whitespace => (BLANKS.to_owned(), false),
            Kind::File { .. } => return Err(Error::config("--tokenizer", "has pieces of its own; copy that file")),
        };
        let regex = |pattern: &str| serde_json::json!({"Regex": pattern});
        let lower = serde_json::json!([
            {"type": "Replace", "pattern": regex(FINAL_SIGMA), "content": "ς"},
            {"type": "Lowercase"},
        ]);
        let normalizer = self.lowercase.then(|| serde_json::json!({"type": "Sequence", "normalizers": lower}));
        let split = serde_json::json!(
            {"type": "Split", "pattern": regex(&pattern), "behavior": "Removed", "invert": invert});
        let text = |text: &str| serde_json::Value::from(text);
        // Millions of keys: written as they come, not gathered in a tree.
        let mut json = format!(
            "{{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[],\"normalizer\":{},\
             \"pre_tokenizer\":{split},\"post_processor\":null,\"decoder\":null,\
             \"model\":{{\"type\":\"WordLevel\",\"unk_token\":{},\"vocab\":{{",
            normalizer.unwrap_or_default(),
            text(unknown)
        );
        for (id, key) in keys.enumerate() {
            let comma = if id == 0 { "" } else { "," };
            json += &format!("{comma}\n{}:{id}", text(key));
        }
        Ok(json + "\n}}}\n")
    }
}

/// A word: letters, digits and what joins them, or any other letter or digit alone.
fn words() -> String {
    let [letter, digit, katakana] = [LETTER, DIGIT, KATAKANA].map(|one| format!("{one}{EXTEND}*"));
    let joiner = format!("(?:{JOINER}{EXTEND}*)");
    let letters = format!("{letter}(?:{MID_LETTER}{EXTEND}*(?={LETTER})|(?<=\\p{{Hebrew}})\"{EXTEND}*(?={HEBREW}))?");
    let digits = format!("{digit}(?:{MID_DIGIT}{EXTEND}*(?={DIGIT}))?");
    let run = format!("(?:(?:{letters}|{digits})+|(?:{katakana})+)");
    let end = format!(r"(?:(?<=\p{{Hebrew}})'{EXTEND}*|{joiner}*)");
    format!(r"{joiner}*{run}(?:{joiner}+{run})*{end}|[\p{{Alphabetic}}\p{{N}}]{EXTEND}*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The pieces that the exported tokenizer gives, if it knows those of firth's; `?` for others.
    fn exported(tokenizer: &Tokenizer, text: &str) -> (Vec<String>, Vec<String>) {
        let mut words = Vec::new();
        tokenizer.tokens(text, |word| words.push(word.to_owned())).expect("tokens");
        let mut known = words.clone();
        known.sort_unstable();
        known.dedup();
        known.push("\0?".into());
        let json = tokenizer.export(known.iter().map(String::as_str), "\0?").expect("a built-in one");
        let loaded = tokenizers::Tokenizer::from_bytes(json.as_bytes()).expect("a tokenizer.json");
        let ids = loaded.encode_fast(text, false).expect("pieces").get_ids().to_vec();
        (words, ids.into_iter().map(|id| known[id as usize].clone()).collect())
    }

    proptest! {
        #[test]
        fn words_are_found_as_here(text in "[a-zA-Z0-2_:.,;'’\"\\- ßéÀσЖ漢字あアーภ\u{301}अ\u{660}\u{a0}\t]{0,40}",
                                   lowercase in any::<bool>()) {
            for spec in ["words", "whitespace"] {
                let (here, there) = exported(&Tokenizer::new(spec, Some(lowercase)).expect("built in"), &text);
                prop_assert_eq!(here, there, "{}", spec);
            }
        }
    }

    #[test]
    fn letters_and_digits_of_all_scripts_are_classed_as_here() {
        let tokenizer = Tokenizer::new("words", Some(false)).expect("built in");
        let mut other = Vec::new();
        let alphanumeric: Vec<char> = ('\u{20}'..'\u{3100}').filter(|c| c.is_alphanumeric()).collect();
        assert!(alphanumeric.len() > 7000);
        for characters in alphanumeric.chunks(4) {
            // Do they join letters or digits, part them, or stand alone?
            let text = |c: &char| format!("a{c}b 1{c}2 a{c} 1{c} ア{c}ア 字{c}字 _a{c}_ ");
            let (here, there) = exported(&tokenizer, &characters.iter().map(text).collect::<String>());
            if here != there {
                other.extend_from_slice(characters);
            }
        }
        // New ones in Unicode 17 and later, and their neighbours in a chunk.
        assert!(other.len() <= 40, "{other:x?}");
    }

    #[test]
    fn a_sigma_that_ends_a_word_is_lowered_as_here() {
        let tokenizer = Tokenizer::new("words", None).expect("built in");
        let (here, there) = exported(&tokenizer, "ΟΔΟΣ, ΟΔΟΣ'Α aΣअ ΣΑ Σ ΑΣ.Α ΑΣ..Α Α'Σ Σ\u{301}Α ΟΔΟΣ\u{301} Α^Σ");
        assert_eq!(here, there);
        assert!(here.contains(&"οδος".to_owned()) && here.contains(&"οδοσ'α".to_owned()), "{here:?}");
    }

    #[test]
    fn quotation_marks_belong_to_hebrew_words() {
        let tokenizer = Tokenizer::new("words", None).expect("built in");
        let (here, there) = exported(&tokenizer, "צה\"ל ג' ד'1 ב\u{5bc}' א'ב \"שלום\" a\"b a'");
        assert_eq!(here, there);
        assert!(here.contains(&"צה\"ל".to_owned()) && here.contains(&"ג'".to_owned()), "{here:?}");
    }

    #[test]
    fn what_has_pieces_of_its_own_is_not_exported() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.json");
        let json = Tokenizer::new("words", None).expect("built in").export(["a", "?"].into_iter(), "?").expect("JSON");
        std::fs::write(&path, json).expect("written");
        let read = Tokenizer::open(&path).expect("a tokenizer");
        assert_eq!(read.pieces(), [(0, "a"), (1, "?")]);
        assert_eq!(read.unknown(), Some("?"));
        assert!(read.export(["a"].into_iter(), "a").is_err());
    }
}
