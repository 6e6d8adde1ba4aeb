//! CBOW: the mean of the words around the centre predicts it (Mikolov et al., 2013).

use super::window::around;
use super::{Examples, Hidden, PretextTask, Rows};
use crate::math::Rng;

/// The examples of the continuous bag of words: one for each centre, its context words as one hidden row.
#[derive(Debug)]
pub struct Cbow {
    /// The farthest context word, in words.
    pub window: usize,
}

impl PretextTask for Cbow {
    fn name(&self) -> &'static str {
        "cbow"
    }

    fn hidden(&self) -> Hidden {
        Hidden::Mean
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
    fn a_centre_has_one_example_of_all_its_context() {
        let expected = [(vec![5], 4), (vec![4, 4], 5), (vec![5], 4)];
        assert_eq!(listed(&Cbow { window: 1 }, &[4, 5, 4], &mut Rng::stream(1, &[])), expected);
    }
}
