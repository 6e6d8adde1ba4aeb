//! PV-DBOW, the distributed bag of words of paragraph vectors: a document predicts each of its words (Le and Mikolov, 2014).
//!
//! With `words`, the words around a target predict it, too, as in skip-gram: the document is one more row of each window
//! (gensim's `dbow_words`), so that documents and words lie in one space.

use super::window::windows;
use super::{Examples, Hidden, PretextTask, Rows};
use crate::math::Rng;

/// The examples of PV-DBOW: one for each word, predicted by its document.
#[derive(Debug)]
pub struct PvDbow {
    /// The farthest context word that predicts a target, too, in words; `None`: documents alone predict.
    pub words: Option<usize>,
}

impl PretextTask for PvDbow {
    fn name(&self) -> &'static str {
        "pv-dbow"
    }

    fn hidden(&self) -> Hidden {
        Hidden::Each
    }

    fn examples(&self, sentence: &Rows<'_>, rng: &mut Rng, out: &mut Examples) {
        let document = Some(sentence.document);
        match self.words {
            None => {
                let positions = 0..sentence.words.len();
                positions.for_each(|position| out.push(sentence, document, [0..0, 0..0], position));
            }
            Some(window) => {
                for (center, left, right) in windows(sentence.words.len(), window, rng) {
                    out.push(sentence, document, [left, right], center);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretext::tests::{DOCUMENT, listed};

    #[test]
    fn the_document_predicts_each_of_its_words_and_with_it_their_neighbours() {
        let examples = |task: PvDbow, words: &[u32]| listed(&task, words, &mut Rng::stream(1, &[]));
        assert_eq!(examples(PvDbow { words: None }, &[7, 8]), [(vec![DOCUMENT], 7), (vec![DOCUMENT], 8)]);
        let both = [(vec![DOCUMENT, 8], 7), (vec![DOCUMENT, 7, 9], 8), (vec![DOCUMENT, 8], 9)];
        assert_eq!(examples(PvDbow { words: Some(1) }, &[7, 8, 9]), both);
        assert_eq!(examples(PvDbow { words: Some(1) }, &[7]), [(vec![DOCUMENT], 7)], "a word alone, too");
        assert!(examples(PvDbow { words: None }, &[]).is_empty());
    }
}
