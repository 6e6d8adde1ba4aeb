//! Text to the positions of the words that a model knows.

use crate::embeddings::Embeddings;
use crate::error::Result;
use crate::vocabulary::{Keys, Segmenter, Segments};

/// Finds the words of texts among a model's keys: as they are written and, if the model tells upper from lower case,
/// lower-cased where that spelling is unknown.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    keys: &'a Keys,
    segmenter: &'a Segmenter,
    is_cased: bool,
}

impl<'a> Known<'a> {
    /// Among the keys of these vectors, of text that is cut so; [`has_capitals`] says if they are cased.
    pub fn new(words: &'a Embeddings, segmenter: &'a Segmenter, is_cased: bool) -> Self {
        Self { keys: words.keys(), segmenter, is_cased }
    }

    /// The positions of a text's known words in order, and the number of its other words.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn find(&self, text: &str, segments: &mut Segments) -> Result<(Vec<u32>, u64)> {
        let (mut known, mut unknown) = (Vec::new(), 0);
        for line in text.lines() {
            let find = |word: &str| {
                let lowered = || self.is_cased.then(|| self.keys.find(&word.to_lowercase())).flatten();
                self.keys.find(word).or_else(lowered)
            };
            self.segmenter.each_known(line, segments, find, |_, position| match position {
                Some(position) => known.push(position as u32),
                None => unknown += 1,
            })?;
        }
        Ok((known, unknown))
    }
}

/// Does a model tell upper from lower case? One in a thousand keys with a capital is enough, fewer are taken for chance.
pub fn has_capitals(keys: &Keys) -> bool {
    let capitals = keys.iter().filter(|key| key.chars().any(char::is_uppercase)).count();
    capitals * 1000 > keys.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Matrix;
    use crate::tokenizer::Tokenizer;
    use crate::vocabulary::Phrases;

    fn find(keys: &[&str], lowercase: bool, text: &str) -> Result<(Vec<u32>, u64)> {
        let words = Embeddings::new(keys.iter().collect(), Matrix::zeros(keys.len(), 1), None)?;
        let segmenter = Segmenter::new(Tokenizer::new("words", Some(lowercase))?, Phrases::default());
        Known::new(&words, &segmenter, has_capitals(words.keys())).find(text, &mut Segments::default())
    }

    #[test]
    fn words_are_found_as_written_then_lower_cased() -> Result<()> {
        assert_eq!(find(&["us", "US", "go"], false, "US us Go\nGO stay")?, (vec![1, 0, 2, 2], 1));
        assert_eq!(find(&["us", "go"], true, "US us Go")?, (vec![0, 0, 1], 0));
        // A file without capitals has no second spelling to look for.
        assert_eq!(find(&["us", "go"], false, "US us")?, (vec![0], 1));
        assert_eq!(find(&["us"], true, "")?, (vec![], 0));
        Ok(())
    }
}
