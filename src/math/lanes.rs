//! Vector registers: one trait, two widths, and the only instructions that touch a shared table.
//!
//! Threads train on the same tables without locks (Hogwild; Recht et al., 2011). Plain loads and stores would then be
//! a data race, which Rust does not define. [`Lanes::load`] and [`Lanes::store`] are therefore single instructions in
//! `asm!`: to the compiler each is opaque and stands for one relaxed atomic access per float, which is what the
//! hardware does for aligned floats. That is an argument, not a proof; the portable kernel in `scalar.rs` does the same
//! with real relaxed atomics. All other memory that a kernel touches belongs to one worker.
#![allow(unsafe_code)]

use std::arch::asm;
use std::arch::x86_64::*;

use super::kernel::{LOGIT_LIMIT, LogProduct};

/// One instruction set's registers of `N` floats.
///
/// # Safety
/// Every function may only run where the processor has the instruction set; pointers must be valid for `N` floats from
/// `base + at`.
pub(super) trait Lanes {
    /// A register.
    type V: Copy;
    /// Floats in a register.
    const N: usize;
    /// Sums kept in registers at a time when `hidden` rows are scored: the rest hold operands.
    fn outputs_at_once(hidden: usize) -> usize;

    /// Floats of a shared row: one instruction.
    unsafe fn load(base: *const f32, at: usize) -> Self::V;
    /// Floats to a shared row: one instruction.
    unsafe fn store(base: *mut f32, at: usize, value: Self::V);
    /// Floats of a buffer that belongs to this worker.
    unsafe fn read(base: *const f32, at: usize) -> Self::V;
    /// Floats to a buffer that belongs to this worker.
    unsafe fn write(base: *mut f32, at: usize, value: Self::V);
    /// The same float in every lane.
    unsafe fn splat(value: f32) -> Self::V;
    /// The sum, lane by lane.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// The product, lane by lane.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Lane `k` of the result is the sum of all lanes of register `k`, for `count` registers, 1 to `N`; the other lanes
    /// hold zeros or such sums.
    unsafe fn sum_each(registers: *const Self::V, count: usize) -> Self::V;
    /// `(σ(z), 1 − σ(z))` with `z = −x`, but `z = x` in the first `positives` lanes; `z` clamped to ±16, NaN kept.
    unsafe fn logistic(x: Self::V, positives: usize) -> (Self::V, Self::V);
    /// Changes the sign except in the first `positives` lanes.
    unsafe fn negate_but_first(x: Self::V, positives: usize) -> Self::V;
    /// The first `count` lanes, and ones.
    unsafe fn first_or_one(x: Self::V, count: usize) -> Self::V;
    /// Multiplies into the running product, lane by lane; a lane that is NaN stays so.
    unsafe fn gather_odds(product: Self::V, odds: &mut LogProduct);
}

/// `2^f` on [−½, ½]: the Taylor series of `exp(f ln 2)` to degree 5, off by less than 3e-6.
const EXP2: [f32; 6] = [1.0, std::f32::consts::LN_2, 0.240_226_5, 0.055_504_11, 0.009_618_129, 0.001_333_355_8];

/// Sixteen clear words, then sixteen sign bits: a mask that starts so many words before the middle keeps so many signs.
static SIGNS: [u32; 32] = {
    let mut signs = [0; 32];
    let mut at = 16;
    while at < 32 {
        signs[at] = 1 << 31;
        at += 1;
    }
    signs
};

/// 8 floats: AVX2 and FMA, x86-64-v3.
pub(super) struct Avx2;

impl Lanes for Avx2 {
    type V = __m256;
    const N: usize = 8;

    #[inline(always)]
    fn outputs_at_once(hidden: usize) -> usize {
        match hidden {
            1 | 2 => 6,
            3 | 4 => 3,
            _ => 2,
        }
    }

    #[target_feature(enable = "avx2,fma")]
    #[inline]
    unsafe fn load(base: *const f32, at: usize) -> __m256 {
        let value;
        // SAFETY: the caller vouches for the eight floats; the instruction only reads them.
        unsafe {
            asm!("vmovups {value}, [{base} + 4*{at}]", value = lateout(ymm_reg) value, base = in(reg) base, at = in(reg) at,
                options(pure, readonly, nostack, preserves_flags));
        }
        value
    }

    #[target_feature(enable = "avx2,fma")]
    #[inline]
    unsafe fn store(base: *mut f32, at: usize, value: __m256) {
        // SAFETY: the caller vouches for the eight floats; the instruction only writes them.
        unsafe {
            asm!("vmovups [{base} + 4*{at}], {value}", value = in(ymm_reg) value, base = in(reg) base, at = in(reg) at,
                options(nostack, preserves_flags));
        }
    }

    #[inline(always)]
    unsafe fn read(base: *const f32, at: usize) -> __m256 {
        // SAFETY: as the trait demands.
        unsafe { _mm256_loadu_ps(base.add(at)) }
    }

    #[inline(always)]
    unsafe fn write(base: *mut f32, at: usize, value: __m256) {
        // SAFETY: as the trait demands.
        unsafe { _mm256_storeu_ps(base.add(at), value) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m256 {
        // SAFETY: as the trait demands.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: as the trait demands.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        // SAFETY: as the trait demands.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: as the trait demands.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn sum_each(registers: *const __m256, count: usize) -> __m256 {
        // SAFETY: as the trait demands.
        unsafe {
            let r = |k: usize| if k < count { *registers.add(k) } else { *registers };
            let low = quad(r(0), r(1), r(2), r(3));
            let high = if count > 4 { quad(r(4), r(5), r(6), r(7)) } else { low };
            _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
        }
    }

    #[inline(always)]
    unsafe fn logistic(x: __m256, positives: usize) -> (__m256, __m256) {
        // SAFETY: as the trait demands.
        unsafe {
            let z = Self::negate_but_first(x, positives);
            // The second operand is returned if one is NaN: a NaN logit stays visible.
            let limit = _mm256_set1_ps(LOGIT_LIMIT);
            let z = _mm256_max_ps(_mm256_set1_ps(-LOGIT_LIMIT), _mm256_min_ps(limit, z));
            // e = exp(−z) = 2^(whole + part)
            let y = _mm256_mul_ps(z, _mm256_set1_ps(-std::f32::consts::LOG2_E));
            let whole = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(y);
            let part = _mm256_sub_ps(y, whole);
            let mut e = _mm256_set1_ps(EXP2[5]);
            for power in (0..5).rev() {
                e = _mm256_fmadd_ps(e, part, _mm256_set1_ps(EXP2[power]));
            }
            let exponent = _mm256_slli_epi32::<23>(_mm256_cvtps_epi32(whole));
            let e = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(e), exponent));
            let one = _mm256_set1_ps(1.0);
            let s = _mm256_div_ps(one, _mm256_add_ps(one, e));
            (s, _mm256_mul_ps(e, s))
        }
    }

    #[inline(always)]
    unsafe fn negate_but_first(x: __m256, positives: usize) -> __m256 {
        // SAFETY: as the trait demands; positives is at most 8, and the mask lies within the table.
        unsafe { _mm256_xor_ps(x, _mm256_loadu_ps(SIGNS.as_ptr().add(16 - positives).cast())) }
    }

    #[inline(always)]
    unsafe fn first_or_one(x: __m256, count: usize) -> __m256 {
        // SAFETY: as the trait demands; count is at most 8, and the mask lies within the table.
        unsafe {
            let beyond = _mm256_loadu_ps(SIGNS.as_ptr().add(16 - count).cast());
            _mm256_blendv_ps(x, _mm256_set1_ps(1.0), beyond)
        }
    }

    #[inline(always)]
    unsafe fn gather_odds(product: __m256, odds: &mut LogProduct) {
        // SAFETY: as the trait demands; both arrays hold at least eight lanes.
        unsafe {
            let (mantissas, exponents) = (odds.mantissas.as_mut_ptr(), odds.exponents.as_mut_ptr().cast::<__m256i>());
            let product = _mm256_mul_ps(_mm256_loadu_ps(mantissas), product);
            let bits = _mm256_castps_si256(product);
            let exponent = _mm256_sub_epi32(_mm256_srli_epi32::<23>(bits), _mm256_set1_epi32(127));
            _mm256_storeu_si256(exponents, _mm256_add_epi32(_mm256_loadu_si256(exponents), exponent));
            let mantissa = _mm256_and_si256(bits, _mm256_set1_epi32((1 << 23) - 1));
            let mantissa = _mm256_castsi256_ps(_mm256_or_si256(mantissa, _mm256_set1_epi32(127 << 23)));
            // All bits set is NaN.
            let lost = _mm256_cmp_ps::<_CMP_UNORD_Q>(product, product);
            _mm256_storeu_ps(mantissas, _mm256_or_ps(mantissa, lost));
        }
    }
}

/// Sums within each half of four registers: `[a, b, c, d]` of the low halves, then of the high ones.
#[inline(always)]
unsafe fn quad(a: __m256, b: __m256, c: __m256, d: __m256) -> __m256 {
    // SAFETY: called from `Avx2` only.
    unsafe {
        let ab = _mm256_castps_pd(_mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)));
        let cd = _mm256_castps_pd(_mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d)));
        let low = _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd));
        let high = _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd));
        _mm256_add_ps(low, high)
    }
}

/// 16 floats: AVX-512 F, x86-64-v4.
pub(super) struct Avx512;

impl Lanes for Avx512 {
    type V = __m512;
    const N: usize = 16;

    #[inline(always)]
    fn outputs_at_once(hidden: usize) -> usize {
        if hidden <= 4 { 6 } else { 3 }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn load(base: *const f32, at: usize) -> __m512 {
        let value;
        // SAFETY: the caller vouches for the sixteen floats; the instruction only reads them.
        unsafe {
            asm!("vmovups {value}, [{base} + 4*{at}]", value = lateout(zmm_reg) value, base = in(reg) base, at = in(reg) at,
                options(pure, readonly, nostack, preserves_flags));
        }
        value
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn store(base: *mut f32, at: usize, value: __m512) {
        // SAFETY: the caller vouches for the sixteen floats; the instruction only writes them.
        unsafe {
            asm!("vmovups [{base} + 4*{at}], {value}", value = in(zmm_reg) value, base = in(reg) base, at = in(reg) at,
                options(nostack, preserves_flags));
        }
    }

    #[inline(always)]
    unsafe fn read(base: *const f32, at: usize) -> __m512 {
        // SAFETY: as the trait demands.
        unsafe { _mm512_loadu_ps(base.add(at)) }
    }

    #[inline(always)]
    unsafe fn write(base: *mut f32, at: usize, value: __m512) {
        // SAFETY: as the trait demands.
        unsafe { _mm512_storeu_ps(base.add(at), value) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        // SAFETY: as the trait demands.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as the trait demands.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as the trait demands.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: as the trait demands.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn sum_each(registers: *const __m512, count: usize) -> __m512 {
        // SAFETY: as the trait demands.
        unsafe {
            let r = |k: usize| if k < count { *registers.add(k) } else { *registers };
            let first = quad512(r(0), r(1), r(2), r(3));
            let second = if count > 4 { quad512(r(4), r(5), r(6), r(7)) } else { first };
            let low = fold(first, second);
            let high = if count > 8 {
                let third = quad512(r(8), r(9), r(10), r(11));
                let fourth = if count > 12 { quad512(r(12), r(13), r(14), r(15)) } else { third };
                fold(third, fourth)
            } else {
                low
            };
            fold(low, high)
        }
    }

    #[inline(always)]
    unsafe fn logistic(x: __m512, positives: usize) -> (__m512, __m512) {
        // SAFETY: as the trait demands.
        unsafe {
            let z = Self::negate_but_first(x, positives);
            // The second operand is returned if one is NaN: a NaN logit stays visible.
            let limit = _mm512_set1_ps(LOGIT_LIMIT);
            let z = _mm512_max_ps(_mm512_set1_ps(-LOGIT_LIMIT), _mm512_min_ps(limit, z));
            let y = _mm512_mul_ps(z, _mm512_set1_ps(-std::f32::consts::LOG2_E));
            let whole = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(y);
            let part = _mm512_sub_ps(y, whole);
            let mut e = _mm512_set1_ps(EXP2[5]);
            for power in (0..5).rev() {
                e = _mm512_fmadd_ps(e, part, _mm512_set1_ps(EXP2[power]));
            }
            let e = _mm512_scalef_ps(e, whole);
            let one = _mm512_set1_ps(1.0);
            let s = _mm512_div_ps(one, _mm512_add_ps(one, e));
            (s, _mm512_mul_ps(e, s))
        }
    }

    #[inline(always)]
    unsafe fn negate_but_first(x: __m512, positives: usize) -> __m512 {
        // SAFETY: as the trait demands; positives is at most 16, and the mask lies within the table. Integer
        // instructions, since the float ones need AVX-512 DQ.
        unsafe {
            let signs = _mm512_loadu_si512(SIGNS.as_ptr().add(16 - positives).cast());
            _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(x), signs))
        }
    }

    #[inline(always)]
    unsafe fn first_or_one(x: __m512, count: usize) -> __m512 {
        // SAFETY: as the trait demands.
        unsafe { _mm512_mask_blend_ps(((1u32 << count) - 1) as u16, _mm512_set1_ps(1.0), x) }
    }

    #[inline(always)]
    unsafe fn gather_odds(product: __m512, odds: &mut LogProduct) {
        // SAFETY: as the trait demands; both arrays hold sixteen lanes.
        unsafe {
            let (mantissas, exponents) = (odds.mantissas.as_mut_ptr(), odds.exponents.as_mut_ptr());
            let product = _mm512_mul_ps(_mm512_loadu_ps(mantissas), product);
            let exponent = _mm512_cvtps_epi32(_mm512_getexp_ps(product));
            let sum = _mm512_add_epi32(_mm512_loadu_si512(exponents.cast()), exponent);
            _mm512_storeu_si512(exponents.cast(), sum);
            // NaN has a NaN for a mantissa.
            _mm512_storeu_ps(mantissas, _mm512_getmant_ps::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_SRC>(product));
        }
    }
}

/// Sums within each quarter of four registers: `[a, b, c, d]` four times over.
///
/// No closures here: one is compiled without the instructions of the function around it, and then every intrinsic in
/// it is a call.
#[inline(always)]
unsafe fn quad512(a: __m512, b: __m512, c: __m512, d: __m512) -> __m512 {
    // SAFETY: called from `Avx512` only.
    unsafe {
        let ab = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
        let cd = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
        let low = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
        let high = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
        _mm512_add_ps(low, high)
    }
}

/// Adds the even and the odd quarters of `a`, then of `b`.
#[inline(always)]
unsafe fn fold(a: __m512, b: __m512) -> __m512 {
    // SAFETY: called from `Avx512` only.
    unsafe { _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b)) }
}
