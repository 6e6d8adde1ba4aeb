//! PV-DM, the distributed memory of paragraph vectors: the mean of a document and of the words around a centre predicts it
//! (Le and Mikolov, 2014).

use super::window::windows;
use super::{Examples, Hidden, PretextTask, Rows};
use crate::math::Rng;

/// The examples of PV-DM: one for each centre, its document and its context words as one hidden row.
#[derive(Debug)]
pub struct PvDm {
    /// The farthest context word, in words.
    pub window: usize,
}

impl PretextTask for PvDm {
    fn name(&self) -> &'static str {
        "pv-dm"
    }

    fn hidden(&self) -> Hidden {
        Hidden::Mean
    }

    fn examples(&self, sentence: &Rows<'_>, rng: &mut Rng, out: &mut Examples) {
        for (center, left, right) in windows(sentence.words.len(), self.window, rng) {
            out.push(sentence, Some(sentence.document), [left, right], center);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretext::tests::{DOCUMENT, listed};

    #[test]
    fn the_document_stands_among_the_context_of_each_centre() {
        let expected = [(vec![DOCUMENT, 5], 4), (vec![DOCUMENT, 4], 5)];
        assert_eq!(listed(&PvDm { window: 1 }, &[4, 5], &mut Rng::stream(1, &[])), expected);
        assert_eq!(listed(&PvDm { window: 1 }, &[4], &mut Rng::stream(1, &[])), [(vec![DOCUMENT], 4)]);
    }
}
