//! What numbers spaCy gives to strings: MurmurHash64A (Appleby, 2008) with seed 1, but small ones to the names of its own
//! symbols, some of which are words: `mark`, `neg`, `root` (`explosion/spaCy`, `spacy/strings.pyx` and `symbols.pyx`).

/// The numbers of symbols end before it.
const SYMBOLS: u64 = 457;
/// Symbols 1 to 18.
const FLAGS: &str = "IS_ALPHA IS_ASCII IS_DIGIT IS_LOWER IS_PUNCT IS_SPACE IS_TITLE IS_UPPER LIKE_URL LIKE_NUM LIKE_EMAIL \
    IS_STOP IS_OOV_DEPRECATED IS_BRACKET IS_QUOTE IS_LEFT_PUNCT IS_RIGHT_PUNCT IS_CURRENCY";
/// Symbols 64 to 103; before stand `FLAG19` and so on.
const ATTRIBUTES: &str = "ID ORTH LOWER NORM SHAPE PREFIX SUFFIX LENGTH CLUSTER LEMMA POS TAG DEP ENT_IOB ENT_TYPE HEAD \
    SENT_START SPACY PROB LANG ADJ ADP ADV AUX CONJ CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X EOL SPACE";
/// Symbols 380 to 456; before stand `DEPRECATED001` and so on.
const ENTITIES_AND_RELATIONS: &str = "PERSON NORP FACILITY ORG GPE LOC PRODUCT EVENT WORK_OF_ART LANGUAGE LAW DATE TIME \
    PERCENT MONEY QUANTITY ORDINAL CARDINAL acomp advcl advmod agent amod appos attr aux auxpass cc ccomp complm conj cop \
    csubj csubjpass dep det dobj expl hmod hyph infmod intj iobj mark meta neg nmod nn npadvmod nsubj nsubjpass num number \
    oprd obj obl parataxis partmod pcomp pobj poss possessive preconj prep prt punct quantmod relcl rcmod root xcomp acl \
    ENT_KB_ID MORPH ENT_ID IDX _";

/// The numbers of strings.
pub(super) struct Strings {
    /// All symbols, in order.
    symbols: Vec<String>,
}

impl Strings {
    pub(super) fn new() -> Self {
        let names = |names: &'static str| names.split_ascii_whitespace().map(str::to_owned);
        let mut symbols = vec![String::new()];
        symbols.extend(names(FLAGS));
        symbols.extend((19..64).map(|number| format!("FLAG{number}")));
        symbols.extend(names(ATTRIBUTES));
        symbols.extend((1..277).map(|number| format!("DEPRECATED{number:03}")));
        symbols.extend(names(ENTITIES_AND_RELATIONS));
        Self { symbols }
    }

    /// The names of all symbols, by their numbers; that of 0 is empty.
    pub(super) fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// Each string's number, in order; those of a few symbols are looked for in a sorted list.
    pub(super) fn numbers<'a>(&self, strings: impl Iterator<Item = &'a str>) -> Vec<u64> {
        let mut sorted: Vec<(&str, u64)> = self.symbols.iter().map(String::as_str).zip(0..SYMBOLS).collect();
        sorted.sort_unstable();
        let symbol = |string: &str| sorted.binary_search_by_key(&string, |pair| pair.0).ok().map(|at| sorted[at].1);
        strings.map(|string| symbol(string).unwrap_or_else(|| hash(string.as_bytes()))).collect()
    }
}

/// MurmurHash64A with seed 1.
fn hash(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0xc6a4_a793_5bd1_e995;
    const SHIFT: u32 = 47;
    let mut hash = 1 ^ (bytes.len() as u64).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<8>();
    for &word in words {
        let mut word = u64::from_le_bytes(word).wrapping_mul(FACTOR);
        word = (word ^ word >> SHIFT).wrapping_mul(FACTOR);
        hash = (hash ^ word).wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(FACTOR);
    }
    hash = (hash ^ hash >> SHIFT).wrapping_mul(FACTOR);
    hash ^ hash >> SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_have_spacys_numbers() {
        let strings = Strings::new();
        assert_eq!(strings.symbols().len() as u64, SYMBOLS);
        // `spacy.strings.get_string_id` of spaCy 3.8.18.
        let expected =
            [("", 0), ("king", 7464393751932445219), ("case", 8110129090154140942), ("mark", 423), ("X", 101)];
        let numbers = strings.numbers(expected.iter().map(|pair| pair.0));
        assert_eq!(numbers, expected.map(|pair| pair.1));
        for (name, number) in [("FLAG63", 63), ("ID", 64), ("DEPRECATED276", 379), ("PERSON", 380), ("_", 456)] {
            assert_eq!(strings.symbols()[number], name);
        }
    }
}
