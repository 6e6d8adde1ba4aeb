//! Text to the positions of the words that a model knows.

use crate::embeddings::Embeddings;
use crate::error::Result;
use crate::vocabulary::{Keys, Segmenter, Segments};

/// Finds the words of texts among a model's keys: as they are written and, if the model tells upper from lower case,
/// lower-cased where that spelling is unknown. Of a model with subwords, unseen words are composed of their n-grams.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    words: &'a Embeddings,
    segmenter: &'a Segmenter,
    is_cased: bool,
}

/// What a model knows of a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// The positions of its known words, in order.
    pub known: Vec<u32>,
    /// The vectors of its unseen words, one after another.
    pub composed: Vec<f32>,
    /// Words that have no vector at all.
    pub unknown: u64,
}

impl<'a> Known<'a> {
    /// Among the keys of these vectors, of text that is cut so; [`has_capitals`] says if they are cased.
    pub fn new(words: &'a Embeddings, segmenter: &'a Segmenter, is_cased: bool) -> Self {
        Self { words, segmenter, is_cased }
    }

    /// Finds the words of a text.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn find(&self, text: &str, segments: &mut Segments) -> Result<Found> {
        let (mut found, keys) = (Found::default(), self.words.keys());
        for line in text.lines() {
            let find = |word: &str| {
                let lowered = || self.is_cased.then(|| keys.find(&word.to_lowercase())).flatten();
                keys.find(word).or_else(lowered)
            };
            self.segmenter.each_known(line, segments, find, |word, position| match position {
                Some(position) => found.known.push(position as u32),
                None => match self.words.ngrams().and_then(|ngrams| ngrams.compose(word)) {
                    Some(vector) => found.composed.extend(vector),
                    None => found.unknown += 1,
                },
            })?;
        }
        Ok(found)
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
        let found = Known::new(&words, &segmenter, has_capitals(words.keys())).find(text, &mut Segments::default())?;
        Ok((found.known, found.unknown))
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
