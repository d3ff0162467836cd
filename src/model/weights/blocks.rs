//! Copying a tensor out of quantised blocks a few rows at a time, so that no more than those are ever in f32.

use anamnesis::{F32Out, GgufType, dequantize_gguf};
use tch::{Kind, Tensor};

use super::ModelError;

/// Values dequantised at a time, if rows are no longer than that.
const PIECE: usize = 4 << 20;

/// Why a tensor could not be copied.
pub enum Failure {
    /// The bytes are no such blocks.
    Blocks(String),
    Other(ModelError),
}

impl Failure {
    /// The error, with the tensor that the blocks are of.
    pub fn named(self, name: impl FnOnce(String) -> ModelError) -> ModelError {
        match self {
            Self::Blocks(reason) => name(reason),
            Self::Other(error) => error,
        }
    }
}

impl From<tch::TchError> for Failure {
    fn from(error: tch::TchError) -> Self {
        Self::Other(error.into())
    }
}

/// Dequantises a tensor `shape` in `bytes` and hands it piece by piece to `copy`, with the part of `target` that it is
/// for: pieces are whole indices of the first dimension of `target`, each of as many rows of the tensor. Whether
/// `copy` says so of all pieces.
pub fn copy(
    bytes: &[u8],
    kind: GgufType,
    shape: &[i64],
    target: &mut Tensor,
    copy: impl Fn(&mut Tensor, &Tensor) -> Result<bool, ModelError>,
) -> Result<bool, Failure> {
    let values = shape.iter().product::<i64>() as usize;
    let copy = |target: &mut Tensor, source: &Tensor| copy(target, source).map_err(Failure::Other);
    let units = target.size().first().copied().unwrap_or(1);
    let (&[rows, width], true) = (shape, values > PIECE) else {
        return copy(target, &dequantize(bytes, kind, values, shape)?);
    };
    if units == 0 || rows % units != 0 {
        return copy(target, &dequantize(bytes, kind, values, shape)?);
    }
    let (rows_each, row_bytes) = (rows / units, bytes.len() / rows as usize);
    let many = (PIECE as i64 / (rows_each * width)).max(1);
    for start in (0..units).step_by(many as usize) {
        let count = many.min(units - start);
        let rows = count * rows_each;
        let from = (start * rows_each) as usize * row_bytes;
        let piece = &bytes[from..from + rows as usize * row_bytes];
        let source = dequantize(piece, kind, (rows * width) as usize, &[rows, width])?;
        if !copy(&mut target.f_narrow(0, start, count)?, &source)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The values as an f32 tensor of this shape.
fn dequantize(
    bytes: &[u8],
    kind: GgufType,
    values: usize,
    shape: &[i64],
) -> Result<Tensor, Failure> {
    let floats = dequantize_gguf::<F32Out>(bytes, kind, values)
        .map_err(|error| Failure::Blocks(error.to_string()))?;
    Ok(Tensor::f_from_data_size(&floats, shape, Kind::Float)?)
}
