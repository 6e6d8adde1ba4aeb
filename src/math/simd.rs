//! The kernel in vector registers, written once for every width.
//!
//! Rows stay where they lie. Scores are summed in as many registers as the processor has; then each register's worth
//! of every row is read once, moved, and written once. With `I` hidden and `O` output rows that is `3 I O` multiply-adds
//! for `2 (I + O)` loads, which is what makes blocks so much faster than pairs.
#![allow(unsafe_code)]
// Indices name rows and registers, as in the formulas; iterators over arrays of registers would hide that.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
use std::mem::MaybeUninit;

use super::kernel::{BLOCK, Block, Carry, FETCH, FetchQueue, Grads, PrivateRow};
use super::lanes::{Avx2, Avx512, Lanes};

/// Sums of a block, rounded up to whole registers of the widest kind.
const SUMS: usize = (BLOCK * BLOCK).next_multiple_of(16);

/// Floats in a cache line.
const LINE: usize = 16;

/// Runs a body for each register's worth of a row, a cache line at a time: each line of `fetch` is asked for once, and
/// without a branch. It is asked for to be written: with two threads that saves a second journey of the line (1 to 4 %).
macro_rules! for_each_register {
    ($lanes:ident, $steps:expr, $fetch:expr, $at:ident, $body:block) => {
        let in_line = LINE / $lanes::N;
        let lines = $steps / in_line;
        for line in 0..lines {
            for row in 0..fetch_width(PRIVATE) {
                _mm_prefetch::<_MM_HINT_ET0>($fetch[row].wrapping_add(line * LINE).cast());
            }
            for register in 0..in_line {
                let $at = line * LINE + register * $lanes::N;
                $body
            }
        }
        if lines * in_line < $steps {
            for row in 0..fetch_width(PRIVATE) {
                _mm_prefetch::<_MM_HINT_ET0>($fetch[row].wrapping_add(lines * LINE).cast());
            }
            let $at = lines * LINE;
            $body
        }
    };
}

/// Rows fetched during one pass over a block: a mean's blocks are small and need as many rows as large ones.
const fn fetch_width(private: bool) -> usize {
    if private { FETCH } else { 1 }
}

#[inline(always)]
unsafe fn read_hidden<L: Lanes, const PRIVATE: bool>(row: *const f32, at: usize) -> L::V {
    // SAFETY: the caller's promise.
    unsafe { if PRIVATE { L::read(row, at) } else { L::load(row, at) } }
}

/// Scores `I` hidden rows on `J` output rows; sum `j * I + i` is that of hidden row `i` and output row `j`.
#[inline(always)]
unsafe fn score<L: Lanes, const PRIVATE: bool, const I: usize, const J: usize>(
    hidden: &[*mut f32; BLOCK],
    outputs: &[*mut f32],
    steps: usize,
    fetch: &mut FetchQueue,
    sums: *mut L::V,
) {
    let fetch = fetch.pop(fetch_width(PRIVATE), outputs[0]);
    // SAFETY: the rows are valid for `steps` registers, `sums` for `I * J`; prefetching may name any address.
    unsafe {
        let mut totals = [[L::splat(0.0); I]; J];
        for_each_register!(L, steps, fetch, at, {
            // The shorter side stays in registers, the longer one streams past it.
            if I <= J {
                let mut h = [L::splat(0.0); I];
                for i in 0..I {
                    h[i] = read_hidden::<L, PRIVATE>(hidden[i], at);
                }
                for j in 0..J {
                    let u = L::load(outputs[j], at);
                    for i in 0..I {
                        totals[j][i] = L::fma(h[i], u, totals[j][i]);
                    }
                }
            } else {
                let mut u = [L::splat(0.0); J];
                for j in 0..J {
                    u[j] = L::load(outputs[j], at);
                }
                for i in 0..I {
                    let h = read_hidden::<L, PRIVATE>(hidden[i], at);
                    for j in 0..J {
                        totals[j][i] = L::fma(h, u[j], totals[j][i]);
                    }
                }
            }
        });
        for j in 0..J {
            for i in 0..I {
                sums.add(j * I + i).write(totals[j][i]);
            }
        }
    }
}

/// The first half of a step: scores `I` hidden rows on `O` output rows.
#[inline(always)]
unsafe fn score_all<L: Lanes, const PRIVATE: bool, const I: usize, const O: usize>(
    block: &Block,
    fetch: &mut FetchQueue,
    sums: *mut L::V,
) {
    // SAFETY: the caller's promise: `dim` floats and zeros up to a whole register in every row.
    unsafe {
        let steps = block.dim.div_ceil(L::N);
        let (hidden, outputs) = (&block.hidden, &block.outputs);
        let mut from = 0;
        while from < O {
            let part = L::outputs_at_once(I).min(O - from);
            let (outputs, sums) = (&outputs[from..], sums.add(from * I));
            match part {
                1 => score::<L, PRIVATE, I, 1>(hidden, outputs, steps, fetch, sums),
                2 => score::<L, PRIVATE, I, 2>(hidden, outputs, steps, fetch, sums),
                3 => score::<L, PRIVATE, I, 3>(hidden, outputs, steps, fetch, sums),
                4 => score::<L, PRIVATE, I, 4>(hidden, outputs, steps, fetch, sums),
                5 => score::<L, PRIVATE, I, 5>(hidden, outputs, steps, fetch, sums),
                _ => score::<L, PRIVATE, I, 6>(hidden, outputs, steps, fetch, sums),
            }
            from += part;
        }
    }
}

/// One step of `I` hidden rows against `O` output rows. Shared hidden rows move in place; for private ones, `grads` gather
/// the gradients.
#[inline(always)]
unsafe fn step<L: Lanes, const PRIVATE: bool, const I: usize, const O: usize>(
    block: &Block,
    grads: &Grads,
    carry: &mut Carry,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [const { MaybeUninit::<L::V>::uninit() }; SUMS];
        let sums = sums.as_mut_ptr().cast::<L::V>();
        score_all::<L, PRIVATE, I, O>(block, &mut carry.fetch, sums);

        // gᵢⱼ = ±lr (1 − p), p being the odds of the right answer. Lanes beyond the pairs count as certain.
        let mut g = [const { MaybeUninit::<f32>::uninit() }; SUMS];
        let g = g.as_mut_ptr().cast::<f32>();
        let mut product = L::splat(1.0);
        let lr = L::splat(block.lr);
        let mut done = 0;
        while done < I * O {
            let count = (I * O - done).min(L::N);
            let positives = (I * block.positives).saturating_sub(done).min(L::N);
            let logits = L::sum_each(sums.add(done), count);
            let (right, wrong) = L::logistic(logits, positives);
            product = L::mul(product, L::first_or_one(right, count));
            L::write(g, done, L::negate_but_first(L::mul(lr, wrong), positives));
            done += L::N;
        }
        L::gather_odds(product, &mut carry.odds);
        move_all::<L, PRIVATE, I, O>(block, grads, g, &mut carry.fetch);
    }
}

/// The second half of a step: moves the rows by `g`, that of hidden row `i` and output row `j` at `j * I + i`.
#[inline(always)]
unsafe fn move_all<L: Lanes, const PRIVATE: bool, const I: usize, const O: usize>(
    block: &Block,
    grads: &Grads,
    g: *const f32,
    fetch: &mut FetchQueue,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let steps = block.dim.div_ceil(L::N);
        let (hidden, outputs) = (&block.hidden, &block.outputs);
        let fetch = fetch.pop(fetch_width(PRIVATE), outputs[0]);
        for_each_register!(L, steps, fetch, at, {
            let mut h = [L::splat(0.0); I];
            let mut moved = [L::splat(0.0); I];
            for i in 0..I {
                h[i] = read_hidden::<L, PRIVATE>(hidden[i], at);
                moved[i] = if PRIVATE { L::read(grads[i], at) } else { h[i] };
            }
            for j in 0..O {
                let u = L::load(outputs[j], at);
                let mut output = u;
                for i in 0..I {
                    let g = L::splat(*g.add(j * I + i));
                    moved[i] = L::fma(g, u, moved[i]);
                    output = L::fma(g, h[i], output);
                }
                L::store(outputs[j], at, output);
            }
            for i in 0..I {
                if PRIVATE {
                    L::write(grads[i], at, moved[i]);
                } else {
                    L::store(hidden[i], at, moved[i]);
                }
            }
        });
    }
}

/// Shared hidden rows move at once.
const NO_GRADS: Grads = [std::ptr::null_mut(); BLOCK];

/// Steps with the block's own sizes, each compiled apart.
macro_rules! by_size {
    ($lanes:ty, $block:expr, $carry:expr; $($i:literal)*) => {
        match ($block.hidden_len, $block.outputs_len) {
            $(
                ($i, 1) => step::<$lanes, false, $i, 1>($block, &NO_GRADS, $carry),
                ($i, 2) => step::<$lanes, false, $i, 2>($block, &NO_GRADS, $carry),
                ($i, 3) => step::<$lanes, false, $i, 3>($block, &NO_GRADS, $carry),
                ($i, 4) => step::<$lanes, false, $i, 4>($block, &NO_GRADS, $carry),
                ($i, 5) => step::<$lanes, false, $i, 5>($block, &NO_GRADS, $carry),
                ($i, 6) => step::<$lanes, false, $i, 6>($block, &NO_GRADS, $carry),
            )*
            _ => unreachable!("blocks have 1 to 6 rows on either side"),
        }
    };
}

/// The scores of private rows, or their moves, with the block's own sizes, each compiled apart.
macro_rules! halves_by_size {
    ($block:expr, $half:ident, $lanes:ty, $operands:tt; $($i:literal)*) => {
        match ($block.hidden_len, $block.outputs_len) {
            $(
                ($i, 1) => $half::<$lanes, $i, 1> $operands,
                ($i, BLOCK) => $half::<$lanes, $i, BLOCK> $operands,
            )*
            _ => unreachable!("halves have 1 to 6 hidden rows, and 1 or 6 outputs"),
        }
    };
}

#[inline(always)]
unsafe fn scores<L: Lanes, const I: usize, const O: usize>(block: &Block, into: *mut f32, carry: &mut Carry) {
    // SAFETY: the caller's promise: `into` has room for the scores and one register more.
    unsafe {
        let mut sums = [const { MaybeUninit::<L::V>::uninit() }; SUMS];
        let sums = sums.as_mut_ptr().cast::<L::V>();
        score_all::<L, true, I, O>(block, &mut carry.fetch, sums);
        let mut done = 0;
        while done < I * O {
            L::write(into, done, L::sum_each(sums.add(done), (I * O - done).min(L::N)));
            done += L::N;
        }
    }
}

#[inline(always)]
unsafe fn moves<L: Lanes, const I: usize, const O: usize>(
    block: &Block,
    grads: &Grads,
    g: *const f32,
    carry: &mut Carry,
) {
    // SAFETY: the caller's promise.
    unsafe { move_all::<L, true, I, O>(block, grads, g, &mut carry.fetch) }
}

#[inline(always)]
unsafe fn private<L: Lanes>(block: &Block, row: &PrivateRow, carry: &mut Carry) {
    let mut grads = NO_GRADS;
    grads[0] = row.grad;
    let grads = &grads;
    // SAFETY: the caller's promise.
    unsafe {
        match block.outputs_len {
            1 => step::<L, true, 1, 1>(block, grads, carry),
            2 => step::<L, true, 1, 2>(block, grads, carry),
            3 => step::<L, true, 1, 3>(block, grads, carry),
            4 => step::<L, true, 1, 4>(block, grads, carry),
            5 => step::<L, true, 1, 5>(block, grads, carry),
            6 => step::<L, true, 1, 6>(block, grads, carry),
            _ => unreachable!("blocks have 1 to 6 rows on either side"),
        }
    }
}

/// Registers that are gathered or scattered for one look at a row's address.
const STRIP: usize = 4;

#[inline(always)]
unsafe fn gather<L: Lanes>(rows: &[*mut f32], scale: f32, into: &PrivateRow, dim: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let end = dim.div_ceil(L::N) * L::N;
        let (scale, zero) = (L::splat(scale), L::splat(0.0));
        let mut at = 0;
        while at + STRIP * L::N <= end {
            let mut sums = [zero; STRIP];
            for &row in rows {
                for k in 0..STRIP {
                    sums[k] = L::add(sums[k], L::load(row, at + k * L::N));
                }
            }
            for k in 0..STRIP {
                L::write(into.value, at + k * L::N, L::mul(scale, sums[k]));
                L::write(into.grad, at + k * L::N, zero);
            }
            at += STRIP * L::N;
        }
        while at < end {
            let sum = rows.iter().fold(zero, |sum, &row| L::add(sum, L::load(row, at)));
            L::write(into.value, at, L::mul(scale, sum));
            L::write(into.grad, at, zero);
            at += L::N;
        }
    }
}

#[inline(always)]
unsafe fn scatter<L: Lanes>(rows: &[*mut f32], scale: f32, from: &PrivateRow, dim: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let end = dim.div_ceil(L::N) * L::N;
        let scale = L::splat(scale);
        let mut at = 0;
        while at + STRIP * L::N <= end {
            let grads: [L::V; STRIP] = std::array::from_fn(|k| L::mul(scale, L::read(from.grad, at + k * L::N)));
            for &row in rows {
                for k in 0..STRIP {
                    L::store(row, at + k * L::N, L::add(L::load(row, at + k * L::N), grads[k]));
                }
            }
            at += STRIP * L::N;
        }
        while at < end {
            let grad = L::mul(scale, L::read(from.grad, at));
            for &row in rows {
                L::store(row, at, L::add(L::load(row, at), grad));
            }
            at += L::N;
        }
    }
}

/// The six functions of one instruction set: within them everything above is compiled for it.
macro_rules! entry_points {
    ($lanes:ty, $feature:literal: $in_place:ident $private:ident $scores:ident $moves:ident $gather:ident $scatter:ident) => {
        /// # Safety
        /// The processor has the instructions; all rows are valid for `dim` floats and zeros up to 16, no row is
        /// listed twice, and no reference to them exists.
        #[target_feature(enable = $feature)]
        pub(super) unsafe fn $in_place(block: &Block, carry: &mut Carry) {
            // SAFETY: the caller's promise.
            unsafe { by_size!($lanes, block, carry; 1 2 3 4 5 6) }
        }

        /// # Safety
        /// As the first; the private row's buffers belong to the caller.
        #[target_feature(enable = $feature)]
        pub(super) unsafe fn $private(block: &Block, row: &PrivateRow, carry: &mut Carry) {
            // SAFETY: the caller's promise.
            unsafe { private::<$lanes>(block, row, carry) }
        }

        /// # Safety
        /// As the first; `into` is valid for the scores and 16 floats more.
        #[target_feature(enable = $feature)]
        pub(super) unsafe fn $scores(block: &Block, into: *mut f32, carry: &mut Carry) {
            // SAFETY: the caller's promise.
            unsafe { halves_by_size!(block, scores, $lanes, (block, into, carry); 1 2 3 4 5 6) }
        }

        /// # Safety
        /// As the first; the hidden rows and their gradients belong to the caller, and `g` is valid for all pairs.
        #[target_feature(enable = $feature)]
        pub(super) unsafe fn $moves(block: &Block, grads: &Grads, g: *const f32, carry: &mut Carry) {
            // SAFETY: the caller's promise.
            unsafe { halves_by_size!(block, moves, $lanes, (block, grads, g, carry); 1 2 3 4 5 6) }
        }

        /// # Safety
        /// As the first; the private row's buffers belong to the caller.
        #[target_feature(enable = $feature)]
        pub(super) unsafe fn $gather(rows: &[*mut f32], scale: f32, into: &PrivateRow, dim: usize) {
            // SAFETY: the caller's promise.
            unsafe { gather::<$lanes>(rows, scale, into, dim) }
        }

        /// # Safety
        /// As the first, but a row may be listed twice.
        #[target_feature(enable = $feature)]
        pub(super) unsafe fn $scatter(rows: &[*mut f32], scale: f32, from: &PrivateRow, dim: usize) {
            // SAFETY: the caller's promise.
            unsafe { scatter::<$lanes>(rows, scale, from, dim) }
        }
    };
}

entry_points!(Avx2, "avx2,fma": in_place_avx2 private_avx2 scores_avx2 moves_avx2 gather_avx2 scatter_avx2);
entry_points!(Avx512, "avx512f": in_place_avx512 private_avx512 scores_avx512 moves_avx512 gather_avx512 scatter_avx512);
