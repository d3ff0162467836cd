//! Fused kernels for the CPU in f32: what lies between the matrix products of a layer.
//!
//! A step of a small model, or of a few decoded tokens, is otherwise bound by passes over memory
//! and by the overhead of small operations. Each row is computed by itself, in one order: the same
//! in any batch, and a node of a tree as the token decoded alone.
//!
//! The kernels read tensors as slices; whatever is on another device, of another dtype or laid out
//! otherwise goes through libtorch's operations.

mod attention;
mod elementwise;
mod exp;
mod logits;

use tch::{Device, Kind, Tensor};

use super::ModelError;

pub use attention::{Heads, attend};
pub use elementwise::{rms_norm, rotate_and_part, silu_gated};
pub use logits::top;

/// Whether the kernels read tensors like this one.
pub fn suit(tensor: &Tensor) -> bool {
    Rows::of(tensor).is_some()
}

/// Rows of a tensor `[N, ...]` whose rows are contiguous, but may lie apart.
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

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// One of them.
    pub fn get(&self, row: usize) -> &'a [f32] {
        &self.data[row * self.stride..row * self.stride + self.width]
    }
}

/// Rows `start..start + count` in a tensor of their own. `None` where the kernels cannot read them.
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
fn made(shape: &[i64], fill: impl FnOnce(&mut [f32])) -> Result<Tensor, ModelError> {
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
