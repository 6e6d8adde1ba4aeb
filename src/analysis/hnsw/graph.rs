//! The graph itself: who is linked to whom in each layer, and the walk along the links.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::embeddings::Neighbor;

/// Links in layers; the ground, layer 0, holds all rows.
#[derive(Debug, PartialEq)]
pub(super) struct Graph {
    layers: Vec<Layer>,
    /// The highest layer of each row.
    levels: Vec<u8>,
    /// Where every walk begins: the first row of the highest layer.
    entry: Option<u32>,
}

/// The links of some rows, in slots of equal width.
#[derive(Debug, PartialEq)]
struct Layer {
    /// The rows that have a slot, rising; empty on the ground, where every row has that of its number.
    members: Vec<u32>,
    width: usize,
    links: Vec<u32>,
    counts: Vec<u8>,
}

impl Layer {
    fn slot(&self, row: u32) -> usize {
        if self.members.is_empty() {
            return row as usize;
        }
        self.members.binary_search(&row).expect("links lead to rows of the same layer")
    }
}

/// Which rows a walk has seen, for one walk after another.
pub(super) struct Scratch {
    seen: Vec<u32>,
    walk: u32,
}

impl Scratch {
    pub(super) fn new(rows: usize) -> Self {
        Self { seen: vec![0; rows], walk: 0 }
    }

    /// Forgets all.
    fn begin(&mut self) {
        self.walk = self.walk.checked_add(1).unwrap_or_else(|| {
            self.seen.fill(0);
            1
        });
    }

    /// Is it the first time?
    fn is_new(&mut self, row: u32) -> bool {
        std::mem::replace(&mut self.seen[row as usize], self.walk) != self.walk
    }
}

/// A row in a heap: the nearer, the greater; of equal ones the earlier.
#[derive(PartialEq)]
struct Near(Neighbor);

impl Eq for Near {}

impl Ord for Near {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.order(&self.0)
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Graph {
    /// No links yet; each row has its place in the layers up to its own.
    pub(super) fn new(links: usize, levels: &[u8]) -> Self {
        let highest = levels.iter().copied().max().unwrap_or(0);
        let layer = |level: u8| {
            let rows = (0u32..).zip(levels);
            let members: Vec<u32> = if level == 0 {
                Vec::new()
            } else {
                rows.filter(|&(_, &highest)| highest >= level).map(|(row, _)| row).collect()
            };
            let width = if level == 0 { 2 * links } else { links };
            let slots = if level == 0 { levels.len() } else { members.len() };
            Layer { members, width, links: vec![0; slots * width], counts: vec![0; slots] }
        };
        let entry = levels.iter().position(|&level| level == highest).map(|row| row as u32);
        Self { layers: (0..=highest).map(layer).collect(), levels: levels.to_vec(), entry }
    }

    pub(super) fn entry(&self) -> Option<u32> {
        self.entry
    }

    /// The highest layer of a row.
    pub(super) fn level(&self, row: u32) -> usize {
        usize::from(self.levels[row as usize])
    }

    /// The most links of a row in a layer: at most 256, of which at most 255 are ever used.
    pub(super) fn width(&self, layer: usize) -> usize {
        self.layers[layer].width.min(usize::from(u8::MAX))
    }

    pub(super) fn links(&self, layer: usize, row: u32) -> &[u32] {
        let layer = &self.layers[layer];
        let slot = layer.slot(row);
        &layer.links[slot * layer.width..][..usize::from(layer.counts[slot])]
    }

    pub(super) fn set(&mut self, layer: usize, row: u32, links: &[u32]) {
        let layer = &mut self.layers[layer];
        let slot = layer.slot(row);
        layer.links[slot * layer.width..][..links.len()].copy_from_slice(links);
        layer.counts[slot] = links.len() as u8;
    }

    /// The `breadth` nearest rows that a walk finds, nearest first, in the layers from `level` down to the ground; above
    /// `level` it only looks for the nearest. `near` tells how near a row is.
    pub(super) fn search(
        &self,
        level: usize,
        breadth: usize,
        near: &impl Fn(u32) -> f32,
        scratch: &mut Scratch,
    ) -> Vec<(usize, Vec<Neighbor>)> {
        let Some(entry) = self.entry else { return Vec::new() };
        let mut start = vec![Neighbor { position: entry as usize, score: near(entry) }];
        let mut found = Vec::with_capacity(level + 1);
        for layer in (0..self.layers.len()).rev() {
            let breadth = if layer > level { 1 } else { breadth };
            start = self.walk(layer, breadth, start, near, scratch);
            if layer <= level {
                found.push((layer, start.clone()));
            }
        }
        found
    }

    fn walk(
        &self,
        layer: usize,
        breadth: usize,
        start: Vec<Neighbor>,
        near: &impl Fn(u32) -> f32,
        scratch: &mut Scratch,
    ) -> Vec<Neighbor> {
        scratch.begin();
        let mut ahead = BinaryHeap::new();
        let mut found = BinaryHeap::with_capacity(breadth + 1);
        for neighbor in start {
            scratch.is_new(neighbor.position as u32);
            ahead.push(Near(neighbor));
            found.push(Reverse(Near(neighbor)));
        }
        while let Some(Near(next)) = ahead.pop() {
            let is_full = found.len() >= breadth;
            if is_full && found.peek().is_some_and(|Reverse(Near(worst))| worst.score > next.score) {
                break;
            }
            for &link in self.links(layer, next.position as u32) {
                if !scratch.is_new(link) {
                    continue;
                }
                let neighbor = Neighbor { position: link as usize, score: near(link) };
                if found.len() < breadth {
                    found.push(Reverse(Near(neighbor)));
                } else if let Some(mut worst) = found.peek_mut()
                    && worst.0.0.score < neighbor.score
                {
                    *worst = Reverse(Near(neighbor));
                } else {
                    continue;
                }
                ahead.push(Near(neighbor));
            }
        }
        let mut found: Vec<Neighbor> = found.into_iter().map(|Reverse(Near(neighbor))| neighbor).collect();
        found.sort_unstable_by(Neighbor::order);
        found.truncate(breadth);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_follows_links_to_the_nearest() {
        // A chain on the ground, 0 - 1 - 2 - 3 - 4, and a stride from 0 to 3 above it.
        let mut graph = Graph::new(2, &[1, 0, 0, 1, 0]);
        for (row, links) in [(0, &[1][..]), (1, &[0, 2]), (2, &[1, 3]), (3, &[2, 4]), (4, &[3])] {
            graph.set(0, row, links);
        }
        graph.set(1, 0, &[3]);
        graph.set(1, 3, &[0]);
        let mut asked = std::cell::RefCell::new(Vec::new());
        let near = |row: u32| {
            asked.borrow_mut().push(row);
            -(f32::from(row as u8) - 4.0).abs()
        };
        let found = graph.search(0, 2, &near, &mut Scratch::new(5));
        let positions: Vec<usize> = found[0].1.iter().map(|neighbor| neighbor.position).collect();
        assert_eq!(positions, [4, 3]);
        assert!(!asked.get_mut().contains(&1), "the stride leaves out what lies between");
        assert_eq!((graph.entry(), graph.level(3), graph.links(0, 2)), (Some(0), 1, &[1, 3][..]));
    }

    #[test]
    fn a_list_of_what_was_seen_serves_many_walks() {
        let mut scratch = Scratch::new(2);
        scratch.begin();
        assert!(scratch.is_new(1) && !scratch.is_new(1) && scratch.is_new(0));
        scratch.walk = u32::MAX;
        scratch.begin();
        assert!(scratch.is_new(1) && scratch.walk == 1);
    }
}
