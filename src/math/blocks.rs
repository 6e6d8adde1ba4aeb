//! Which rows step together: what hidden rows tell apart, and how long lists are cut into blocks for the kernel.

use super::RowId;
use super::kernel::BLOCK;

/// What hidden rows are to tell apart.
#[derive(Debug, Clone, Copy)]
pub enum Outputs<'a> {
    /// Some rows of the output table, of which the first `positives` are right and the others wrong, each for itself: the loss
    /// of a hidden row is `−Σ ln σ(±h·u)`.
    Each {
        /// Rows of the output table, the right ones first.
        rows: &'a [RowId],
        /// How many are right; at most all.
        positives: usize,
    },
    /// The target among all rows of the output table: the loss is `ln Σ exp(h·u) − h·u of the target`.
    All {
        /// The row that is right.
        target: RowId,
    },
}

impl<'a> Outputs<'a> {
    /// The first row is right, all others are wrong.
    pub fn target_first(rows: &'a [RowId]) -> Self {
        Self::Each { rows, positives: 1 }
    }
}

/// Cuts rows, in order, into blocks of at most six, as even as can be, each without a row twice; with the rows before
/// each.
#[inline(always)]
pub(super) fn distinct_blocks(rows: &[RowId]) -> impl Iterator<Item = (usize, &[RowId])> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let even = rest.len().div_ceil(rest.len().div_ceil(BLOCK));
        let len = if all_distinct(&rest[..even]) {
            even
        } else {
            (1..even).find(|&len| rest[..len].contains(&rest[len])).unwrap_or(even)
        };
        let before = rows.len() - rest.len();
        let (block, after) = rest.split_at(len);
        rest = after;
        Some((before, block))
    })
}

/// Do at most six rows differ from each other? All pairs at once, without a branch.
#[inline(always)]
fn all_distinct(rows: &[RowId]) -> bool {
    // Rows past the end get numbers that no table has and that differ.
    let row: [u64; BLOCK] = std::array::from_fn(|at| rows.get(at).map_or(at as u64 | 1 << 32, |row| row.0.into()));
    let mut equal = false;
    for a in 0..BLOCK {
        for b in a + 1..BLOCK {
            equal |= row[a] == row[b];
        }
    }
    !equal
}
