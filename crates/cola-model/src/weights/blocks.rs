//! Copies a tensor out of quantised blocks a few rows at a time, so that no more of it is in f32 at
//! once.

use anamnesis::{F32Out, GgufType, dequantize_gguf};
use tch::{Kind, Tensor};

use super::ModelError;

/// Most values that are dequantised at a time, unless a row is longer.
const PIECE: usize = 4 << 20;

/// Why a tensor could not be copied.
pub enum Failure {
    /// The bytes are not blocks of this type.
    Blocks(String),
    Other(ModelError),
}

impl Failure {
    /// The error; `name` makes it from the reason if the blocks are at fault.
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

/// Dequantises a tensor of shape `shape` in `bytes`, and passes it to `copy` piece by piece, with
/// the part of `target` that the piece fills. A piece is some indices of the first dimension of
/// `target`, each of which takes the same number of the tensor's rows. Returns whether `copy`
/// returned true for all pieces.
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use half::f16;
    use tch::Device;

    use super::*;

    /// Rows of Q8_0 blocks with different scales: block `b` holds
    /// `b % 2048 / 1024 * (0, 1, ... 31)`.
    fn rows(blocks: usize) -> Vec<u8> {
        let block = |b: usize| {
            let scale = f16::from_f32((b % 2048) as f32 / 1024.0);
            scale.to_le_bytes().into_iter().chain(0..32)
        };
        (0..blocks).flat_map(block).collect()
    }

    #[test]
    fn a_tensor_of_many_pieces_arrives_whole_in_the_units_of_its_place() {
        // 96 heads of four rows take a piece and a half.
        let (heads, each, width) = (96, 4, (PIECE / 64) as i64 / 4);
        let shape = [heads * each, width];
        let values = (heads * each * width) as usize;
        assert!(values > PIECE);
        let bytes = rows(values / 32);
        let whole = dequantize(&bytes, GgufType::Q8_0, values, &shape)
            .ok()
            .unwrap();
        let mut target = Tensor::zeros([heads, each, width], (Kind::Float, Device::Cpu));
        let pieces = RefCell::new(0);
        let copied = copy(
            &bytes,
            GgufType::Q8_0,
            &shape,
            &mut target,
            |place, source| {
                *pieces.borrow_mut() += 1;
                assert!(source.numel() <= PIECE);
                place.copy_(&source.view_as(place));
                Ok(true)
            },
        );
        assert!(copied.ok().unwrap());
        assert!(pieces.into_inner() > 1);
        assert!(target.view(shape).equal(&whole));
    }

    #[test]
    fn bytes_that_are_no_whole_blocks_are_refused() {
        let mut target = Tensor::zeros([1, 32], (Kind::Float, Device::Cpu));
        let copied = copy(&[0; 33], GgufType::Q8_0, &[1, 32], &mut target, |_, _| {
            Ok(true)
        });
        assert!(matches!(copied, Err(Failure::Blocks(_))));
    }
}
