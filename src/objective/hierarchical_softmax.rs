//! Hierarchical softmax: find the target by turning left or right at each node of a tree (Morin and Bengio, 2005; with a
//! Huffman tree Mikolov et al., 2013, section 2.1).
//!
//! loss = −Σ ln σ(±u·h) over the inner nodes from the root to the target, plus where the target lies to the lighter side.
//! That is −ln of a probability: over all words they sum to 1. There is one inner node fewer than words, and no vector of
//! a word among them.

use super::{HuffmanTree, Manner, Noise, Objective, fetch_input};
use crate::math::{Outputs, Tables, Worker};
use crate::pretext::{Example, Hidden};
use crate::vocabulary::WordId;

/// Rows nearest to the root, which every few targets use: they are in the cache.
const HOT: u32 = 256;

/// Hierarchical softmax's tree.
#[derive(Debug)]
pub struct HierarchicalSoftmax {
    tree: HuffmanTree,
    longest: usize,
    manner: Manner,
}

impl HierarchicalSoftmax {
    /// Over words that occur so often.
    pub fn new(counts: &[u64], manner: Manner) -> Self {
        let tree = HuffmanTree::new(counts);
        Self { longest: tree.longest(), tree, manner }
    }
}

impl Objective for HierarchicalSoftmax {
    /// ln 2 for each node on the longest way, since a text may have the rarest words side by side.
    fn chance(&self) -> f64 {
        self.longest as f64 * std::f64::consts::LN_2
    }

    fn most_outputs(&self) -> usize {
        self.longest
    }

    #[inline]
    fn outputs<'n>(&'n self, target: WordId, _: &'n mut Noise<'_>) -> Outputs<'n> {
        let (rows, positives) = self.tree.path(target);
        Outputs::Each { rows, positives }
    }

    #[inline]
    fn step(
        &self,
        example: Example<'_>,
        hidden: Hidden,
        tables: &Tables,
        lr: f32,
        noise: &mut Noise<'_>,
        worker: &mut Worker,
    ) {
        for &row in example.later.target.map_or(&[][..], |word| self.tree.path(word).0) {
            if row.0 >= HOT {
                tables.fetch_output(row, worker);
            }
        }
        fetch_input(example.later, tables, worker);
        self.manner.step(example.rows, hidden, self.outputs(example.target, noise), tables, lr, worker);
    }
}
