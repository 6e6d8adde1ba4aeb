//! The portable kernel: the specification of the others, and the one for processors without their instructions.
//!
//! Shared rows are read and written float by float through relaxed atomics, so that nothing here is a data race; the
//! arithmetic runs on private copies, which compilers vectorise.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::dot;
use super::kernel::{BLOCK, Block, Carry, Grads, LOGIT_LIMIT, PrivateRow};

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

/// The scores of private rows.
///
/// # Safety
/// As [`private`], and `into` is valid for the scores.
pub(super) unsafe fn scores(block: &Block, into: *mut f32, carry: &mut Carry) {
    // SAFETY: the caller's promise.
    let outputs = unsafe { read_outputs(block, carry) };
    for (j, output) in outputs.chunks(block.dim).take(block.outputs_len).enumerate() {
        for (i, &value) in block.hidden[..block.hidden_len].iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { *into.add(j * block.hidden_len + i) = dot(std::slice::from_raw_parts(value, block.dim), output) };
        }
    }
    carry.outputs = outputs;
}

/// Moves the output rows, and the gradients of private rows, by `g`.
///
/// # Safety
/// As [`private`], and `g` is valid for all pairs.
pub(super) unsafe fn moves(block: &Block, grads: &Grads, g: *const f32, carry: &mut Carry) {
    // SAFETY: the caller's promise.
    let mut outputs = unsafe { read_outputs(block, carry) };
    let (before, moved) = outputs.split_at_mut(BLOCK * block.dim);
    for (j, (&row, output)) in block.outputs[..block.outputs_len].iter().zip(before.chunks(block.dim)).enumerate() {
        moved.copy_from_slice(output);
        for (i, (&value, &grad)) in block.hidden[..block.hidden_len].iter().zip(grads).enumerate() {
            // SAFETY: the caller's promise.
            let (value, grad, g) = unsafe {
                let grad = std::slice::from_raw_parts_mut(grad, block.dim);
                (std::slice::from_raw_parts(value, block.dim), grad, *g.add(j * block.hidden_len + i))
            };
            move_pair(g, value, output, grad, moved);
        }
        // SAFETY: the caller's promise.
        unsafe { write_row(row, moved) };
    }
    carry.outputs = outputs;
}

/// Scores the hidden values on every output row, moves the output rows and adds to the hidden gradients.
unsafe fn step(block: &Block, values: &[f32], grads: &mut [f32], carry: &mut Carry) {
    // SAFETY: the caller's promise.
    let mut outputs = unsafe { read_outputs(block, carry) };
    let (before, moved) = outputs.split_at_mut(BLOCK * block.dim);
    for (j, (&row, output)) in block.outputs[..block.outputs_len].iter().zip(before.chunks(block.dim)).enumerate() {
        let label = j < block.positives;
        moved.copy_from_slice(output);
        for (value, grad) in values.chunks(block.dim).zip(grads.chunks_mut(block.dim)) {
            let logit = dot(value, output);
            let z = if label { logit } else { -logit };
            // `clamp` keeps NaN.
            let e = (-z.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)).exp();
            let right = 1.0 / (1.0 + e);
            carry.odds.multiply(right);
            let g = if label { block.lr * e * right } else { -block.lr * e * right };
            move_pair(g, value, output, grad, moved);
        }
        // SAFETY: the caller's promise.
        unsafe { write_row(row, moved) };
    }
    carry.outputs = outputs;
}

/// What a pair of rows adds to the hidden row's gradient and to the output row.
fn move_pair(g: f32, value: &[f32], output: &[f32], grad: &mut [f32], moved: &mut [f32]) {
    for at in 0..value.len() {
        grad[at] += g * output[at];
        moved[at] += g * value[at];
    }
}

/// The output rows as they are, and room for one more. The buffer is the worker's: the loop allocates nothing.
unsafe fn read_outputs(block: &Block, carry: &mut Carry) -> Vec<f32> {
    let mut outputs = std::mem::take(&mut carry.outputs);
    outputs.resize((BLOCK + 1) * block.dim, 0.0);
    for (&row, output) in block.outputs[..block.outputs_len].iter().zip(outputs.chunks_mut(block.dim)) {
        // SAFETY: the caller's promise.
        unsafe { read_row(row, output) };
    }
    outputs
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

unsafe fn write_row(row: *mut f32, from: &[f32]) {
    for (at, &value) in from.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { write(row, at, value) };
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
