//! Text to words: what a tokenizer finds, with phrases joined. All text that is put to a model goes through here.

use super::Phrases;
use crate::error::Result;
use crate::tokenizer::{Scratch, Tokenizer};

/// Cuts text into a model's words.
#[derive(Debug, Clone)]
pub struct Segmenter {
    tokenizer: Tokenizer,
    phrases: Phrases,
}

/// Buffers that [`Segmenter::each_known`] reuses from call to call.
#[derive(Debug, Default)]
pub struct Segments {
    scratch: Scratch,
    line: Vec<u32>,
    /// Tokens that are part of no phrase, one after another, and their ends.
    others: String,
    ends: Vec<usize>,
}

impl Segmenter {
    /// The tokens of a tokenizer, joined to phrases.
    pub fn new(tokenizer: Tokenizer, phrases: Phrases) -> Self {
        Self { tokenizer, phrases: phrases.alone() }
    }

    /// What finds the tokens.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What joins them.
    pub fn phrases(&self) -> &Phrases {
        &self.phrases
    }

    /// Gives the words of a line in order, each with what `find` finds for it. A phrase for which it finds nothing is taken
    /// apart again.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn each_known<T>(
        &self,
        line: &str,
        segments: &mut Segments,
        mut find: impl FnMut(&str) -> Option<T>,
        mut each: impl FnMut(&str, Option<T>),
    ) -> Result<()> {
        let Segments { scratch, line: numbers, others, ends } = segments;
        let keys = self.phrases.keys();
        numbers.clear();
        others.clear();
        ends.clear();
        self.tokenizer.spans(line, scratch, |text, start, end| {
            let token = std::str::from_utf8(&text[start..end]).expect("tokens of UTF-8 are cut between characters");
            if self.phrases.is_empty() {
                return each(token, find(token));
            }
            numbers.push(keys.find(token).map_or_else(
                || {
                    others.push_str(token);
                    ends.push(others.len());
                    (keys.len() + ends.len() - 1) as u32
                },
                |number| number as u32,
            ));
        })?;
        let len = self.phrases.join(numbers);
        for &number in &numbers[..len] {
            match (number as usize).checked_sub(keys.len()) {
                Some(other) => {
                    let token = &others[if other == 0 { 0 } else { ends[other - 1] }..ends[other]];
                    each(token, find(token));
                }
                None => {
                    let word = |number: u32| keys.get(number as usize);
                    self.phrases
                        .apart(number, &mut |part| find(word(part)), &mut |part, found| each(word(part), found));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Keys;

    fn segmented(text: &str, known: &[&str]) -> Result<String> {
        let mut phrases = Phrases::of(["new", "york", "times", "square"].into_iter().collect());
        phrases.add_pass(vec![[0, 1], [2, 3]]);
        phrases.add_pass(vec![[4, 2]]);
        let segmenter = Segmenter::new(Tokenizer::new("words", None)?, phrases);
        let (mut segments, mut words) = (Segments::default(), Vec::new());
        for line in text.lines() {
            let find = |word: &str| known.iter().position(|known| *known == word);
            segmenter.each_known(line, &mut segments, find, |word, found| {
                words.push(format!("{word}{}", found.map(|at| format!("={at}")).unwrap_or_default()));
            })?;
        }
        Ok(words.join(" "))
    }

    #[test]
    fn tokens_are_joined_within_lines_and_unknown_phrases_taken_apart() -> Result<()> {
        let text = "In New York: times, new\nYork Times Square.";
        assert_eq!(
            segmented(text, &["new_york_times", "york", "in"])?,
            "in=2 new_york_times=0 new york=1 times square"
        );
        assert_eq!(segmented("new york times", &["new_york", "times"])?, "new_york=0 times=1");
        assert_eq!(segmented("new york times", &["york"])?, "new york=0 times");
        Ok(())
    }

    #[test]
    fn without_phrases_words_are_the_tokenizers() -> Result<()> {
        let segmenter = Segmenter::new(Tokenizer::new("words", None)?, Phrases::of(Keys::new()));
        let mut words = Vec::new();
        segmenter.each_known(
            "New York",
            &mut Segments::default(),
            |word| word.strip_prefix('n').map(str::len),
            |word, found| {
                words.push((word.to_owned(), found));
            },
        )?;
        assert_eq!(words, [("new".to_owned(), Some(2)), ("york".to_owned(), None)]);
        Ok(())
    }
}
