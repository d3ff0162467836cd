//! Fused kernels for the CPU in f32: the operations between the matrix products of a layer.
//!
//! Without them, a step of a small model or of a few decoded tokens is bound by passes over memory
//! and by the overhead of small operations. Each row is computed by itself and in one order, so its
//! result is the same in any batch, and that of a tree node is the same as that of the token
//! decoded alone.
//!
//! The kernels read tensors as slices. Tensors on another device, of another dtype or in another
//! layout go through libtorch's operations.

mod attention;
mod elementwise;
mod exp;
mod logits;

use tch::{Device, Kind, Tensor};

use super::ModelError;

pub use attention::{Heads, attend};
pub use elementwise::{rms_norm, rotate_and_part, silu_gated};
pub use logits::Summary;

/// Whether the kernels can read this tensor.
pub fn suit(tensor: &Tensor) -> bool {
    Rows::of(tensor).is_some()
}

/// Rows of a tensor `[N, ...]`. Each row is contiguous; there may be gaps between rows.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    data: &'a [f32],
    rows: usize,
    width: usize,
    stride: usize,
}

impl<'a> Rows<'a> {
    /// `None` for a tensor the kernels cannot read.
    pub fn of(tensor: &'a Tensor) -> Option<Self> {
        if tensor.device() != Device::Cpu || tensor.kind() != Kind::Float {
            return None;
        }
        let (shape, strides) = (tensor.size(), tensor.stride());
        let (&rows, inner) = shape.split_first()?;
        let mut width = 1;
        for (&size, &stride) in inner.iter().zip(&strides[1..]).rev() {
            if size != 1 && stride != width {
                return None;
            }
            width *= size;
        }
        let (rows, width) = (usize::try_from(rows).ok()?, usize::try_from(width).ok()?);
        let stride = if rows > 1 {
            usize::try_from(strides[0]).ok()?
        } else {
            width
        };
        let length = if rows == 0 {
            0
        } else {
            (rows - 1) * stride + width
        };
        if length == 0 {
            return Some(Self {
                data: &[],
                rows,
                width,
                stride,
            });
        }
        // SAFETY: a CPU tensor of these sizes and strides owns these elements, and nothing writes
        // to them while it is borrowed (see `Frozen`).
        let data = unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), length) };
        Some(Self {
            data,
            rows,
            width,
            stride,
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// One row.
    pub fn get(&self, row: usize) -> &'a [f32] {
        &self.data[row * self.stride..row * self.stride + self.width]
    }
}

/// A copy of rows `start..start + count` as a new tensor. `None` if the kernels cannot read the
/// tensor.
pub fn copied(tensor: &Tensor, start: i64, count: i64) -> Result<Option<Tensor>, ModelError> {
    let Some(rows) = Rows::of(tensor).filter(|rows| rows.stride == rows.width) else {
        return Ok(None);
    };
    let mut shape = tensor.size();
    shape[0] = count;
    let (start, count) = (start as usize * rows.width, count as usize * rows.width);
    made(&shape, |output| {
        output.copy_from_slice(&rows.data[start..start + count])
    })
    .map(Some)
}

/// A new tensor, filled by `fill`.
pub fn made(shape: &[i64], fill: impl FnOnce(&mut [f32])) -> Result<Tensor, ModelError> {
    let tensor = Tensor::f_empty(shape, (Kind::Float, Device::Cpu))?;
    if tensor.numel() > 0 {
        // SAFETY: the tensor was just made, contiguous, and nobody else has it. Its elements are
        // not initialised, but any bits are an f32, and all are written before one is read.
        let data =
            unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel()) };
        fill(data);
    }
    Ok(tensor)
}
