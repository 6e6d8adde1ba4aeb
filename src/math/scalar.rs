//! The portable kernel: the specification of the others, and the one for processors without their instructions.
//!
//! Shared rows are read and written float by float through relaxed atomics, so that nothing here is a data race; the
//! arithmetic runs on private copies, which compilers vectorise.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::dot;
use super::kernel::{BLOCK, Block, Carry, LOGIT_LIMIT, PrivateRow};

/// Steps on `hidden_len` shared rows.
///
/// # Safety
/// The rows in use are valid for `dim` floats, aligned to 4 bytes, and no `&f32` or `&mut f32` to them exists.
pub(super) unsafe fn in_place(block: &Block, carry: &mut Carry) {
    let hidden = &block.hidden[..block.hidden_len];
    // Kept from step to step: the loop allocates nothing.
    let mut scratch = std::mem::take(&mut carry.scratch);
    scratch.resize(2 * BLOCK * block.dim, 0.0);
    let (values, grads) = scratch.split_at_mut(BLOCK * block.dim);
    let (values, grads) = (&mut values[..hidden.len() * block.dim], &mut grads[..hidden.len() * block.dim]);
    for (&row, values) in hidden.iter().zip(values.chunks_mut(block.dim)) {
        // SAFETY: the caller's promise.
        unsafe { read_row(row, values) };
    }
    grads.fill(0.0);
    // SAFETY: the caller's promise.
    unsafe { step(block, values, grads, carry) };
    for ((&row, value), grad) in hidden.iter().zip(values.chunks(block.dim)).zip(grads.chunks(block.dim)) {
        for (at, (value, grad)) in value.iter().zip(grad).enumerate() {
            // SAFETY: the caller's promise.
            unsafe { write(row, at, value + grad) };
        }
    }
    carry.scratch = scratch;
}

/// Steps on one private row.
///
/// # Safety
/// As [`in_place`], and the private row's buffers are valid for `dim` floats and belong to the caller.
pub(super) unsafe fn private(block: &Block, row: &PrivateRow, carry: &mut Carry) {
    // SAFETY: the caller's promise.
    unsafe {
        let value = std::slice::from_raw_parts(row.value, block.dim);
        let grad = std::slice::from_raw_parts_mut(row.grad, block.dim);
        step(block, value, grad, carry);
    }
}

/// Scores the hidden values on every output row, moves the output rows and adds to the hidden gradients.
unsafe fn step(block: &Block, values: &[f32], grads: &mut [f32], carry: &mut Carry) {
    let mut scratch = std::mem::take(&mut carry.outputs);
    scratch.resize((BLOCK + 1) * block.dim, 0.0);
    let (outputs, moved) = scratch.split_at_mut(BLOCK * block.dim);
    for (&row, output) in block.outputs[..block.outputs_len].iter().zip(outputs.chunks_mut(block.dim)) {
        // SAFETY: the caller's promise.
        unsafe { read_row(row, output) };
    }
    for (j, (&row, output)) in block.outputs[..block.outputs_len].iter().zip(outputs.chunks(block.dim)).enumerate() {
        let label = j == 0 && block.target_first;
        moved.copy_from_slice(output);
        for (value, grad) in values.chunks(block.dim).zip(grads.chunks_mut(block.dim)) {
            let logit = dot(value, output);
            let z = if label { logit } else { -logit };
            // `clamp` keeps NaN.
            let e = (-z.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)).exp();
            let right = 1.0 / (1.0 + e);
            carry.odds.multiply(right);
            let g = if label { block.lr * e * right } else { -block.lr * e * right };
            for at in 0..block.dim {
                grad[at] += g * output[at];
                moved[at] += g * value[at];
            }
        }
        for (at, &moved) in moved.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { write(row, at, moved) };
        }
    }
    carry.outputs = scratch;
}

/// value = scale * sum of rows; grad = 0.
///
/// # Safety
/// As [`private`].
pub(super) unsafe fn gather(rows: &[*mut f32], scale: f32, into: &PrivateRow, dim: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let value = std::slice::from_raw_parts_mut(into.value, dim);
        for (at, value) in value.iter_mut().enumerate() {
            *value = scale * rows.iter().map(|&row| read(row, at)).sum::<f32>();
        }
        std::slice::from_raw_parts_mut(into.grad, dim).fill(0.0);
    }
}

/// Each row += scale * grad; a row that is listed twice moves twice.
///
/// # Safety
/// As [`private`].
pub(super) unsafe fn scatter(rows: &[*mut f32], scale: f32, from: &PrivateRow, dim: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let grad = std::slice::from_raw_parts(from.grad, dim);
        for &row in rows {
            for (at, grad) in grad.iter().enumerate() {
                write(row, at, read(row, at) + scale * grad);
            }
        }
    }
}

unsafe fn read_row(row: *const f32, into: &mut [f32]) {
    for (at, value) in into.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *value = unsafe { read(row, at) };
    }
}

unsafe fn read(row: *const f32, at: usize) -> f32 {
    // SAFETY: valid and aligned by the caller's promise; an AtomicU32 has a float's size and alignment.
    f32::from_bits(unsafe { (*row.add(at).cast::<AtomicU32>()).load(Relaxed) })
}

unsafe fn write(row: *mut f32, at: usize, value: f32) {
    // SAFETY: as `read`.
    unsafe { (*row.add(at).cast::<AtomicU32>()).store(value.to_bits(), Relaxed) }
}
