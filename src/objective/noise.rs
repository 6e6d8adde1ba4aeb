//! Noise words: drawn in proportion to count^0.75, kept in a pool and used several times, far apart.
//!
//! Fetching a noise word's row from memory costs as much as computing with it. A pool of [`POOL`] rows stays in the
//! cache; each is used [`USES`] times before it is drawn anew, and comes back only after the whole pool has gone by, so
//! that an input word does not meet the same draw twice within its window. Ji et al. (2016) share noise within a window;
//! sharing it between neighbouring windows costs accuracy, using it again far away does not (`docs/benchmarks.md`).

use crate::math::{AliasTable, Rng, RowId};
use crate::vocabulary::WordId;

/// Noise rows of a worker, unless each target takes so many that they would come back at once.
const POOL: usize = 120;

/// Targets, at least, that a pool serves before it comes round.
const TARGETS: usize = 24;

/// Uses of a noise row before it is drawn anew.
const USES: usize = 8;

/// Words drawn at a time: the table is larger than the nearest cache, and draws that do not wait for each other wait
/// for memory together.
const BATCH: usize = 32;

/// A worker's source of noise words.
#[derive(Debug)]
pub struct Noise<'a> {
    table: &'a AliasTable,
    rng: Rng,
    /// Words drawn but not yet used.
    drawn: Vec<RowId>,
    pool: Vec<RowId>,
    next: usize,
    pass: usize,
    /// The rows of the example at hand: target first.
    rows: Vec<RowId>,
}

impl<'a> Noise<'a> {
    /// Words in the proportions of a table.
    pub fn new(table: &'a AliasTable, rng: Rng) -> Self {
        Self { table, rng, drawn: Vec::with_capacity(BATCH), pool: Vec::new(), next: 0, pass: 0, rows: Vec::new() }
    }

    /// No words at all, for those who draw none.
    pub fn none() -> Self {
        static NOTHING: AliasTable = AliasTable::nothing();
        Self::new(&NOTHING, Rng::stream(0, &[]))
    }

    /// Who draws afresh each time needs no pool.
    #[cold]
    fn fill(&mut self, negatives: usize) {
        let Self { table, rng, pool, .. } = self;
        pool.extend((0..POOL.max(TARGETS * negatives)).map(|_| RowId(table.draw(rng))));
    }

    /// A word drawn in proportion to the table's weights.
    #[inline]
    fn draw(&mut self) -> RowId {
        if self.drawn.is_empty() {
            let Self { table, rng, drawn, .. } = self;
            drawn.extend((0..BATCH).map(|_| RowId(table.draw(rng))));
        }
        self.drawn.pop().expect("just drawn")
    }

    /// The target and `count` words from the pool; `fetch` is told of words drawn anew on the way, which come later.
    ///
    /// A noise word that equals the target is passed over, as in fastText (word2vec.c then has one fewer); if the whole
    /// pool does, there are fewer. It is told of the next `ahead` rows of the pool, too: they are in some cache, but not in
    /// the nearest one, or another worker has written them since.
    #[inline]
    pub fn pooled(&mut self, target: WordId, count: usize, ahead: usize, mut fetch: impl FnMut(RowId)) -> &[RowId] {
        if self.pool.is_empty() {
            self.fill(count);
        }
        let target = RowId(target.0);
        self.rows.clear();
        self.rows.push(target);
        for _ in 0..self.pool.len() + count {
            if self.rows.len() > count {
                break;
            }
            let row = self.pool[self.next];
            if row != target {
                self.rows.push(row);
            }
            if (self.next + self.pass).is_multiple_of(USES) {
                let drawn = self.draw();
                self.pool[self.next] = drawn;
                fetch(drawn);
            }
            self.next += 1;
            if self.next == self.pool.len() {
                self.next = 0;
                self.pass += 1;
            }
        }
        for at in self.next..self.next + ahead {
            let at = if at >= self.pool.len() { at - self.pool.len() } else { at };
            fetch(self.pool[at]);
        }
        &self.rows
    }

    /// The target and `count` words drawn afresh; one that equals the target is drawn again, a hundred times at most.
    pub fn fresh(&mut self, target: WordId, count: usize) -> &[RowId] {
        let target = RowId(target.0);
        self.rows.clear();
        self.rows.push(target);
        for _ in 0..100 + count {
            if self.rows.len() > count {
                break;
            }
            let row = self.draw();
            if row != target {
                self.rows.push(row);
            }
        }
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_follows_the_distribution_and_never_gives_the_target() {
        let weights = [40.0, 30.0, 20.0, 10.0];
        let table = AliasTable::new(&weights);
        let mut noise = Noise::new(&table, Rng::stream(1, &[]));
        let mut seen = [0f64; 4];
        for _ in 0..60_000 {
            let rows = noise.pooled(WordId(3), 5, 5, |_| {});
            assert_eq!((rows.len(), rows[0]), (6, RowId(3)));
            for row in &rows[1..] {
                assert_ne!(*row, RowId(3));
                seen[row.0 as usize] += 1.0 / 300_000.0;
            }
        }
        for (seen, weight) in seen.iter().zip(&weights[..3]) {
            assert!((seen - weight / 90.0).abs() < 0.01, "{seen} for weight {weight}");
        }
    }

    #[test]
    fn a_vocabulary_of_one_word_has_no_noise_and_no_endless_search() {
        let table = AliasTable::new(&[1.0]);
        let mut noise = Noise::new(&table, Rng::stream(1, &[]));
        assert_eq!(noise.pooled(WordId(0), 5, 5, |_| {}), [RowId(0)]);
        assert_eq!(noise.fresh(WordId(0), 5), [RowId(0)]);
    }
}
