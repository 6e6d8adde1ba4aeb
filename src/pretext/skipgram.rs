//! Skip-gram: each word around the centre predicts it, a hidden row apiece (Mikolov et al., 2013; word2vec.c's order).

use super::window::around;
use super::{Examples, Hidden, PretextTask, Rows};
use crate::math::Rng;

/// Skip-gram's examples: one for each centre, its context words as separate hidden rows.
#[derive(Debug)]
pub struct SkipGram {
    /// The farthest context word, in words.
    pub window: usize,
}

impl PretextTask for SkipGram {
    fn name(&self) -> &'static str {
        "skipgram"
    }

    fn hidden(&self) -> Hidden {
        Hidden::Each
    }

    fn examples(&self, sentence: &Rows<'_>, rng: &mut Rng, out: &mut Examples) {
        around(sentence, self.window, rng, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretext::tests::listed;

    #[test]
    fn context_words_predict_the_centre_and_never_themselves() {
        let task = SkipGram { window: 1 };
        let expected = [(vec![8], 7), (vec![7, 9], 8), (vec![8], 9)];
        assert_eq!(listed(&task, &[7, 8, 9], &mut Rng::stream(1, &[])), expected);
        assert!(listed(&task, &[7], &mut Rng::stream(1, &[])).is_empty());
        assert!(listed(&task, &[], &mut Rng::stream(1, &[])).is_empty());
    }
}
