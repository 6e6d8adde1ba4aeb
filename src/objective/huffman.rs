//! A Huffman tree of the vocabulary: the shortest binary code in which no word's code begins another's (Huffman, 1952).
//!
//! The tree is that of word2vec.c: the two lightest nodes are joined until one is left, where weights are equal an inner
//! node before a word, and the rarer word before the more frequent one. So it depends on the counts and their order alone.

use crate::math::RowId;
use crate::vocabulary::WordId;

/// The way from the root to each word, over inner nodes, of which there is one fewer than words.
///
/// Nodes are numbered from the root, row 0, in the order of falling weight: rows that are used often lie together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HuffmanTree {
    /// Of each word, the inner nodes from which it lies to the lighter side, then the others; one word after another.
    nodes: Vec<RowId>,
    /// Where each word's nodes end.
    ends: Vec<usize>,
    /// How many of them come first.
    lighter: Vec<u8>,
}

impl HuffmanTree {
    /// The tree for words that occur so often, fewer than 2³² of them; a count of 0 is taken for 1.
    pub fn new(counts: &[u64]) -> Self {
        let words = counts.len();
        let mut order: Vec<u32> = (0..words as u32).collect();
        order.sort_by_key(|&word| std::cmp::Reverse(counts[word as usize]));
        let weight = |leaf: usize| u128::from(counts[order[leaf] as usize].max(1));
        // Leaves in rising order of weight, from the last one; inner nodes come about in that order, too.
        let (mut leaves, mut inner) = (words, 0);
        let mut weights: Vec<u128> = Vec::with_capacity(words.saturating_sub(1));
        // The parent of each leaf, then of each inner node, and whether it is the lighter of the two.
        let mut parents = vec![(0u32, false); 2 * words];
        for node in 0..words.saturating_sub(1) {
            let mut sum = 0;
            for is_lighter in [true, false] {
                let takes_leaf = leaves > 0 && (inner == node || weight(leaves - 1) < weights[inner]);
                let (child, of_child) = if takes_leaf {
                    leaves -= 1;
                    (leaves, weight(leaves))
                } else {
                    inner += 1;
                    (words + inner - 1, weights[inner - 1])
                };
                parents[child] = (node as u32, is_lighter);
                sum += of_child;
            }
            weights.push(sum);
        }
        Self::with_parents(&order, &parents)
    }

    /// The paths of words, `order` naming the word of each leaf.
    fn with_parents(order: &[u32], parents: &[(u32, bool)]) -> Self {
        let words = order.len();
        let root = words.saturating_sub(2);
        let mut leaves = vec![0; words];
        order.iter().enumerate().for_each(|(leaf, &word)| leaves[word as usize] = leaf);
        let mut tree = Self { nodes: Vec::new(), ends: Vec::with_capacity(words), lighter: Vec::with_capacity(words) };
        let mut heavier = Vec::new();
        for leaf in leaves {
            heavier.clear();
            let start = tree.nodes.len();
            let mut at = leaf;
            while words > 1 && at != words + root {
                let (parent, is_lighter) = parents[at];
                at = words + parent as usize;
                // The last node to come about is the root.
                let row = RowId((root - parent as usize) as u32);
                if is_lighter { &mut tree.nodes } else { &mut heavier }.push(row);
            }
            // A code of n bits takes Fibonacci's n-th number of tokens: that of 2⁹⁶ has fewer than 140.
            tree.lighter.push((tree.nodes.len() - start) as u8);
            tree.nodes.extend_from_slice(&heavier);
            tree.ends.push(tree.nodes.len());
        }
        tree
    }

    /// The inner nodes from the root to a word, those first from which it lies to the lighter side, and the number of these.
    ///
    /// # Panics
    /// If there is no such word.
    #[inline]
    pub fn path(&self, word: WordId) -> (&[RowId], usize) {
        let word = word.0 as usize;
        let start = if word == 0 { 0 } else { self.ends[word - 1] };
        (&self.nodes[start..self.ends[word]], usize::from(self.lighter[word]))
    }

    /// The number of words.
    pub fn words(&self) -> usize {
        self.ends.len()
    }

    /// The most inner nodes on the way to a word.
    pub fn longest(&self) -> usize {
        (0..self.words()).map(|word| self.path(WordId(word as u32)).0.len()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    fn codes(tree: &HuffmanTree) -> Vec<usize> {
        (0..tree.words()).map(|word| tree.path(WordId(word as u32)).0.len()).collect()
    }

    /// The least possible sum of count x code length, by joining the two lightest of a plain list.
    fn least(counts: &[u64]) -> u64 {
        let (mut weights, mut sum) = (counts.to_vec(), 0);
        while weights.len() > 1 {
            weights.sort_unstable_by(|a, b| b.cmp(a));
            let joined = weights.pop().expect("two") + weights.pop().expect("two");
            sum += joined;
            weights.push(joined);
        }
        sum
    }

    #[test]
    fn codes_are_the_shortest_and_none_begins_another() {
        let mut rng = Rng::stream(7, &[]);
        for words in 1..60usize {
            for skew in [1, 3, 9] {
                let counts: Vec<u64> = (0..words).map(|_| 1 + u64::from(rng.below(100)).pow(skew) / 7).collect();
                let tree = HuffmanTree::new(&counts);
                let lengths = codes(&tree);
                let sum: u64 = counts.iter().zip(&lengths).map(|(count, &length)| count * length as u64).sum();
                assert_eq!(sum, least(&counts), "{counts:?}");
                // Kraft's sum is 1: the tree is whole.
                let kraft: f64 = lengths.iter().map(|&length| 0.5f64.powi(length as i32)).sum();
                assert_eq!(kraft, 1.0, "{counts:?}");
                // Two words part at a node that both pass, to different sides, and share all nodes before it and no others.
                let sides = |word: usize| {
                    let (nodes, lighter) = tree.path(WordId(word as u32));
                    let mut sides: Vec<(u32, bool)> =
                        nodes.iter().enumerate().map(|(at, node)| (node.0, at < lighter)).collect();
                    sides.sort_unstable();
                    assert!(sides.first().is_none_or(|&(root, _)| root == 0) && nodes.len() < words.max(2));
                    assert!(sides.windows(2).all(|pair| pair[0].0 < pair[1].0), "a node twice");
                    sides
                };
                for a in 0..words {
                    for b in 0..a {
                        let (a, b) = (sides(a), sides(b));
                        let parted = a.iter().filter(|(node, side)| b.contains(&(*node, !side))).count();
                        assert_eq!(parted, 1, "{counts:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn equal_counts_need_no_luck_and_extreme_ones_no_more_room() {
        assert_eq!(codes(&HuffmanTree::new(&[5; 64])), [6; 64]);
        assert_eq!(codes(&HuffmanTree::new(&[0; 64])), [6; 64]);
        assert_eq!(codes(&HuffmanTree::new(&[9, 1, 9, 1])), codes(&HuffmanTree::new(&[9, 1, 9, 1])));
        assert_eq!((codes(&HuffmanTree::new(&[])), codes(&HuffmanTree::new(&[3]))), (vec![], vec![0]));
        assert_eq!(codes(&HuffmanTree::new(&[u64::MAX; 4])), [2; 4]);
        let mut fibonacci = vec![1u64, 1];
        while let Some(next) = fibonacci[fibonacci.len() - 1].checked_add(fibonacci[fibonacci.len() - 2]) {
            fibonacci.push(next);
        }
        let tree = HuffmanTree::new(&fibonacci);
        assert_eq!(tree.longest(), fibonacci.len() - 1);
        // The rarest words lie deepest, and the order of the list does not matter.
        fibonacci.reverse();
        let mut lengths = codes(&HuffmanTree::new(&fibonacci));
        assert!(lengths.is_sorted());
        lengths.reverse();
        assert_eq!(lengths, codes(&tree));
    }

    #[test]
    fn frequent_words_have_their_nodes_near_the_root() {
        let tree = HuffmanTree::new(&[100, 50, 20, 10, 5]);
        assert_eq!(codes(&tree), [1, 2, 3, 4, 4]);
        // 85 against 100, 35 against 50, 15 against 20, 5 against 10.
        assert_eq!(tree.path(WordId(0)), ([RowId(0)].as_slice(), 0));
        assert_eq!(tree.path(WordId(1)), ([RowId(0), RowId(1)].as_slice(), 1));
        assert_eq!(tree.path(WordId(4)), ([RowId(3), RowId(2), RowId(1), RowId(0)].as_slice(), 4));
        assert_eq!(tree.path(WordId(3)), ([RowId(2), RowId(1), RowId(0), RowId(3)].as_slice(), 3));
    }
}
