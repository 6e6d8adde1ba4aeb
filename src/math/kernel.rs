//! The hot kernel's contract: a block of hidden rows against a block of output rows.
//!
//! For hidden rows `hᵢ`, output rows `uⱼ`, labels `yⱼ` and learning rate `lr`, one step is
//!
//! ```text
//! gᵢⱼ = lr (yⱼ − σ(hᵢ·uⱼ))        all from the rows as they were
//! hᵢ += Σⱼ gᵢⱼ uⱼ                  uⱼ += Σᵢ gᵢⱼ hᵢ
//! ```
//!
//! and the loss is `−Σ ln σ(±hᵢ·uⱼ)`, plus for label 1 (Mikolov et al., 2013; blocks after Ji et al., 2016, HogBatch).
//! A loss that needs all scores before any `gᵢⱼ`, as softmax does, takes the two halves of a step apart: `scores`, `moves`.
//! Three implementations agree to rounding: `scalar` (the specification), `avx2` and `avx512`.

use super::scalar;
#[cfg(all(target_arch = "x86_64", not(miri)))]
use super::simd;

/// Rows in a block, on either side.
pub(super) const BLOCK: usize = 6;

/// The logits' bound: σ(−16) ≈ 1.1e-7, so that a product of five cannot underflow and the loss stays finite.
pub(super) const LOGIT_LIMIT: f32 = 16.0;

/// One step's operands. All rows are different from each other and have `dim` floats and zeros up to 16 floats.
pub(super) struct Block {
    pub hidden: [*mut f32; BLOCK],
    pub hidden_len: usize,
    pub outputs: [*mut f32; BLOCK],
    pub outputs_len: usize,
    /// So many outputs, the first ones, have label 1, all others 0.
    pub positives: usize,
    pub lr: f32,
    pub dim: usize,
}

/// What a worker carries from block to block.
#[derive(Debug, Default)]
pub(super) struct Carry {
    /// The odds of the right answers so far.
    pub odds: LogProduct,
    /// Loss that is not among the odds, in nats.
    pub nats: f64,
    /// Rows that later blocks need.
    pub fetch: FetchQueue,
    /// The portable kernel's copies of hidden rows and their gradients, and of output rows.
    pub scratch: Vec<f32>,
    pub outputs: Vec<f32>,
}

/// The logarithm of a product of many odds, taken once at its end: `mantissa * 2^exponent` in each of sixteen lanes.
#[repr(align(64))]
#[derive(Debug, Clone)]
pub(super) struct LogProduct {
    /// From 1 to below 2; NaN for good once a factor was.
    pub mantissas: [f32; LANES],
    pub exponents: [i32; LANES],
}

/// Lanes of the widest register.
pub(super) const LANES: usize = 16;

impl Default for LogProduct {
    fn default() -> Self {
        Self { mantissas: [1.0; LANES], exponents: [0; LANES] }
    }
}

impl LogProduct {
    /// Multiplies by a normal number above 0; anything else makes the result NaN.
    #[inline(always)]
    pub fn multiply(&mut self, factor: f32) {
        const MANTISSA: u32 = (1 << 23) - 1;
        const BIAS: u32 = 127;
        let product = self.mantissas[0] * factor;
        if !product.is_normal() || product < 0.0 {
            self.mantissas[0] = f32::NAN;
            return;
        }
        let bits = product.to_bits();
        self.exponents[0] += (bits >> 23) as i32 - BIAS as i32;
        self.mantissas[0] = f32::from_bits((bits & MANTISSA) | (BIAS << 23));
    }

    /// The natural logarithm of the product.
    pub fn ln(&self) -> f64 {
        let mantissas: f64 = self.mantissas.iter().map(|&mantissa| f64::from(mantissa).ln()).sum();
        let exponents: i64 = self.exponents.iter().map(|&exponent| i64::from(exponent)).sum();
        mantissas + exponents as f64 * std::f64::consts::LN_2
    }
}

/// Rows to bring into the cache while a block is computed, a few at a time: memory works while registers do.
#[derive(Debug)]
pub(super) struct FetchQueue {
    rows: [*const f32; 16],
    len: usize,
}

impl Default for FetchQueue {
    fn default() -> Self {
        Self { rows: [std::ptr::null(); 16], len: 0 }
    }
}

impl FetchQueue {
    /// Asks for a row; forgotten if too many wait.
    #[inline(always)]
    pub fn push(&mut self, row: *const f32) {
        if let Some(slot) = self.rows.get_mut(self.len) {
            *slot = row;
            self.len += 1;
        }
    }

    /// The next rows to fetch; `otherwise` for those that are not asked for: a row at hand, since fetching from no valid
    /// address costs a look through the page tables each time.
    #[inline(always)]
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // The portable kernel fetches nothing ahead.
    pub fn pop(&mut self, count: usize, otherwise: *const f32) -> [*const f32; FETCH] {
        let mut next = [otherwise; FETCH];
        for row in &mut next[..count] {
            if self.len > 0 {
                self.len -= 1;
                *row = self.rows[self.len];
            }
        }
        next
    }
}

/// The most rows fetched at a time.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // As above.
pub(super) const FETCH: usize = 4;

/// Where the gradients of a block's private hidden rows gather.
pub(super) type Grads = [*mut f32; BLOCK];

/// One hidden row that belongs to the worker: its value and the gradient that gathers beside it.
pub(super) struct PrivateRow {
    pub value: *mut f32,
    pub grad: *mut f32,
}

/// An implementation, chosen once, at run time.
#[derive(Clone, Copy)]
pub struct Kernel {
    name: &'static str,
    /// Hidden rows are shared rows, changed in place.
    pub(super) in_place: unsafe fn(&Block, &mut Carry),
    /// One hidden row, private and listed as such: its gradient is added to `grad`, its value stays.
    pub(super) private: unsafe fn(&Block, &PrivateRow, &mut Carry),
    /// The scores of private hidden rows: that of hidden row `i` and output row `j` goes to place `j * hidden_len + i`. Up to
    /// [`LANES`] floats behind the last are written, too. The block has one output row or [`BLOCK`].
    pub(super) scores: unsafe fn(&Block, *mut f32, &mut Carry),
    /// Moves the output rows, and adds to the gradients of private hidden rows, by gᵢⱼ in the same places.
    pub(super) moves: unsafe fn(&Block, &Grads, *const f32, &mut Carry),
    /// value = scale * sum of rows; grad = 0.
    pub(super) gather: unsafe fn(&[*mut f32], f32, &PrivateRow, usize),
    /// Each row += scale * grad.
    pub(super) scatter: unsafe fn(&[*mut f32], f32, &PrivateRow, usize),
}

impl Kernel {
    /// The implementations that this processor can run, fastest first; the last one is `scalar`, which all can.
    pub fn available() -> Vec<Self> {
        let mut kernels = Vec::new();
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            if is_x86_feature_detected!("avx512f") {
                kernels.push(Self {
                    name: "avx512",
                    in_place: simd::in_place_avx512,
                    private: simd::private_avx512,
                    scores: simd::scores_avx512,
                    moves: simd::moves_avx512,
                    gather: simd::gather_avx512,
                    scatter: simd::scatter_avx512,
                });
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                kernels.push(Self {
                    name: "avx2",
                    in_place: simd::in_place_avx2,
                    private: simd::private_avx2,
                    scores: simd::scores_avx2,
                    moves: simd::moves_avx2,
                    gather: simd::gather_avx2,
                    scatter: simd::scatter_avx2,
                });
            }
        }
        kernels.push(Self {
            name: "scalar",
            in_place: scalar::in_place,
            private: scalar::private,
            scores: scalar::scores,
            moves: scalar::moves,
            gather: scalar::gather,
            scatter: scalar::scatter,
        });
        kernels
    }

    /// The fastest implementation here, or the one of that name; `None` if this processor cannot run it.
    pub fn choose(name: Option<&str>) -> Option<Self> {
        Self::available().into_iter().find(|kernel| name.is_none_or(|name| name == kernel.name))
    }

    /// `scalar`, `avx2` or `avx512`.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernel({})", self.name)
    }
}
