//! The first words of a text, for people who look at vectors of documents.

/// Letters that are kept of a text: two or three lines on a terminal.
const LETTERS: usize = 200;

/// The first words of a text, at most 200 letters, apart by single spaces, without control characters; "…" stands for
/// the rest.
///
/// ```
/// assert_eq!(firth::embeddings::beginning("  one\ttwo\nthree "), "one two three");
/// ```
pub fn beginning(text: &str) -> String {
    let (mut kept, mut letters) = (String::new(), 0);
    for word in text.split_whitespace() {
        let length = word.chars().count();
        let room = LETTERS.saturating_sub(letters + usize::from(letters > 0));
        if letters > 0 && length > room {
            return kept + "…";
        }
        if letters > 0 {
            kept.push(' ');
        }
        // Text without spaces is one word, however long.
        kept.extend(word.chars().filter(|letter| !letter.is_control()).take(room));
        if length > room {
            return kept + "…";
        }
        letters += usize::from(letters > 0) + length;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_end_at_a_word_and_endless_words_at_a_letter() {
        let long = "word ".repeat(100);
        assert_eq!(beginning(&long), "word ".repeat(40).trim_end().to_owned() + "…");
        let endless = "é".repeat(1000);
        assert_eq!(beginning(&endless), "é".repeat(LETTERS) + "…");
        assert_eq!(beginning("a\u{1b}[31mred \0"), "a[31mred ".to_owned());
        assert_eq!(beginning(" \n"), "");
    }
}
