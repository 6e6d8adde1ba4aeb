//! Between the two passes: which words are phrases, and which words there are once these are joined.
//!
//! The numbers of the first pass are read again, twice for each pass of joining: once for pairs, once for words. Text is
//! read once. Pairs are counted of words only that occur often enough, and not too often, to be part of a phrase.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::encode::Provisional;
use super::report::{BuildProgress, Pass};
use super::scan::{Piece, SENTENCE_END};
use crate::error::{Error, Result};
use crate::io::MappedSlice;
use crate::vocabulary::count::DROPPED;
use crate::vocabulary::{Collocation, HASHES, PairTable, Phrases};

/// Distinct pairs in memory, over all workers: some 500 MB at most. More are counted in further sweeps.
const PAIRS_IN_MEMORY: usize = 1 << 23;

/// But a worker that may hold less than this would do little else than forget.
const PAIRS_OF_WORKER: usize = 1 << 18;

/// Words and phrases, counted.
pub(super) struct Counts {
    /// For each of the phrases' keys, how often it occurs.
    pub of_each: Vec<u64>,
    /// Words and phrases in all, those without a number among them.
    pub total: u64,
}

/// What finds phrases among provisional numbers.
pub(super) struct Finder<'a, 'b> {
    pub from: &'a Provisional,
    pub pairs_in_memory: Option<usize>,
    /// Bytes of input, by which progress is told.
    pub total: u64,
    pub progress: &'a mut dyn FnMut(BuildProgress<'_>),
    pub phrases: &'b mut Phrases,
}

impl Finder<'_, '_> {
    /// Adds the phrases of so many passes to words with these counts; gives the counts with the phrases joined.
    pub fn learn(&mut self, passes: u8, collocation: &Collocation, mut counts: Counts) -> Result<Counts> {
        for pass in 0..usize::from(passes) {
            let pairs = self.pairs(pass, collocation, &counts)?;
            self.phrases.add_pass(pairs);
            counts = self.count()?;
        }
        Ok(counts)
    }

    /// Counts words and phrases.
    pub fn count(&mut self) -> Result<Counts> {
        let mut workers: Vec<(Vec<u64>, u64)> =
            (0..rayon::current_num_threads()).map(|_| (vec![0; self.phrases.keys().len()], 0)).collect();
        self.sweep(
            &mut workers,
            |(counts, total), line| {
                for &word in line {
                    if let Some(count) = counts.get_mut(word as usize) {
                        *count += 1;
                    }
                }
                *total += line.len() as u64;
            },
            |_| {},
        )?;
        let mut workers = workers.into_iter();
        let (mut of_each, mut total) = workers.next().expect("at least one thread");
        for (counts, words) in workers {
            of_each.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
            total += words;
        }
        Ok(Counts { of_each, total })
    }

    /// The pairs of a pass, commonest first.
    fn pairs(&mut self, pass: usize, collocation: &Collocation, counts: &Counts) -> Result<Vec<[u32; 2]>> {
        let Counts { of_each, total } = counts;
        let joins: Vec<bool> = of_each.iter().map(|&count| collocation.may_join(pass, count, *total)).collect();
        let threads = rayon::current_num_threads();
        let most = self.pairs_in_memory.unwrap_or((PAIRS_IN_MEMORY / threads).max(PAIRS_OF_WORKER));
        let (mut found, mut from) = (Vec::new(), HASHES.start);
        while from < HASHES.end {
            let limit = AtomicU64::new(HASHES.end);
            let mut tables: Vec<_> = (0..threads).map(|_| PairTable::new(from..HASHES.end)).collect();
            self.sweep(
                &mut tables,
                |table, line| {
                    let mut left = DROPPED;
                    for &word in line {
                        let right = if joins.get(word as usize) == Some(&true) { word } else { DROPPED };
                        if left != DROPPED && right != DROPPED {
                            table.count(left, right);
                        }
                        left = right;
                    }
                },
                |table| {
                    let known = limit.load(Ordering::Relaxed);
                    table.narrow(known);
                    limit.fetch_min(table.limit(most), Ordering::Relaxed);
                },
            )?;
            let limit = limit.into_inner();
            tables.par_iter_mut().for_each(|table| table.narrow(limit));
            let all = tables.into_par_iter().reduce(
                || PairTable::new(from..limit),
                |one, other| {
                    let (mut more, fewer) = if one.len() < other.len() { (other, one) } else { (one, other) };
                    more.absorb(&fewer);
                    more
                },
            );
            all.each(|pair, count| {
                let [left, right] = pair.map(|part| of_each[part as usize]);
                if collocation.is_phrase(pass, count, left, right, *total) {
                    found.push((count, pair));
                }
            });
            from = limit;
        }
        found.par_sort_unstable_by(|(a, pair), (b, other)| b.cmp(a).then_with(|| pair.cmp(other)));
        Ok(found.into_iter().map(|(_, pair)| pair).collect())
    }

    /// Gives every line, joined, to some worker on the current threads of rayon; and every worker after each piece.
    fn sweep<W: Send>(
        &mut self,
        workers: &mut [W],
        each: impl Fn(&mut W, &[u32]) + Sync,
        after: impl Fn(&mut W) + Sync,
    ) -> Result<()> {
        let (from, phrases, total) = (self.from, &*self.phrases, self.total);
        let (next, stop, words) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicU64::new(0));
        let work = |worker: &mut W, tell: &mut dyn FnMut()| {
            let mut line = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let Some(piece) = from.pieces.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                let numbers = from.numbers(piece);
                for part in numbers.split(|&number| number >= SENTENCE_END) {
                    each(worker, from.joined(piece, part, phrases, &mut line));
                }
                after(worker);
                words.fetch_add(numbers.len() as u64, Ordering::Relaxed);
                tell();
            }
        };
        let (first, rest) = workers.split_first_mut().expect("at least one thread");
        rayon::in_place_scope(|scope| {
            for worker in rest {
                scope.spawn(|_| work(worker, &mut || {}));
            }
            work(first, &mut || {
                let (done, pieces) = (next.load(Ordering::Relaxed), from.pieces.len().max(1));
                (self.progress)(BuildProgress {
                    pass: Pass::Join,
                    done: (total as f64 * done.min(pieces) as f64 / pieces as f64) as u64,
                    total,
                    tokens: words.load(Ordering::Relaxed),
                    stop: &stop,
                });
            });
        });
        if stop.into_inner() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

impl Provisional {
    /// A piece's numbers as the first pass wrote them.
    pub fn numbers(&self, piece: &Piece) -> MappedSlice<u32> {
        self.spools[piece.worker].numbers(piece.numbers.clone()).expect("as the first pass wrote it")
    }

    /// A line of a piece in the vocabulary's numbers, with phrases joined.
    pub fn joined<'a>(&self, piece: &Piece, line: &[u32], phrases: &Phrases, into: &'a mut Vec<u32>) -> &'a [u32] {
        let map = self.maps[piece.worker][piece.table].as_slice();
        into.clear();
        into.extend(line.iter().map(|&number| map[number as usize]));
        let len = phrases.join(into);
        &into[..len]
    }
}
