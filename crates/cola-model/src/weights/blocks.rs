//! Copies a tensor out of quantised blocks a few rows at a time: on the CPU by all threads, each of
//! which keeps its rows in its cache, so that no more of the tensor is in f32 at once.

use anamnesis::{AnamnesisError, F32Out, GgufType, dequantize_gguf_blocks};
use pulp::bytemuck;
use rayon::prelude::*;
use tch::{Device, Tensor};

use super::{
    super::{kernels::made, threads::keeping_number},
    ModelError,
};

/// Values that one thread dequantises at a time (256 KiB in f32): whole blocks of every type.
const CHUNK: usize = 1 << 16;

/// Most values of a piece for another device, unless a row is longer: each costs a transfer.
const PIECE_CUDA: usize = 4 << 20;

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

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::Other(error)
    }
}

/// Some rows of a tensor, and the part of its place that they fill.
struct Piece<'a> {
    bytes: &'a [u8],
    shape: Vec<i64>,
    target: Tensor,
}

/// Dequantises a tensor of shape `shape` in `bytes`, and passes it to `copy` piece by piece, with
/// the part of `target` that the piece fills. A piece is some indices of the first dimension of
/// `target`, each of which takes the same number of the tensor's rows. Returns whether `copy`
/// returned true for all pieces. On the CPU several threads call it, and libtorch uses one thread
/// in each.
pub fn copy(
    bytes: &[u8],
    kind: GgufType,
    shape: &[i64],
    target: &mut Tensor,
    copy: impl Fn(&mut Tensor, &Tensor) -> Result<bool, ModelError> + Sync,
) -> Result<bool, Failure> {
    let run = |mut piece: Piece<'_>| {
        let source = dequantize(piece.bytes, kind, &piece.shape)?;
        Ok(copy(&mut piece.target, &source)?)
    };
    let is_over = |copied: &Result<bool, Failure>| !matches!(copied, Ok(true));
    let stopped = if target.device() == Device::Cpu {
        let pieces = pieces(bytes, shape, target, CHUNK)?.into_par_iter();
        let alone = |piece| {
            tch::set_num_threads(1);
            run(piece)
        };
        keeping_number(|| pieces.map(alone).find_first(is_over))
    } else {
        let pieces = pieces(bytes, shape, target, PIECE_CUDA)?.into_iter();
        pieces.map(run).find(is_over)
    };
    stopped.unwrap_or(Ok(true))
}

/// Cuts a tensor into pieces of at most `most` values, or of one index of the first dimension of
/// its place.
fn pieces<'a>(
    bytes: &'a [u8],
    shape: &[i64],
    target: &Tensor,
    most: usize,
) -> Result<Vec<Piece<'a>>, ModelError> {
    let units = target.size().first().copied().unwrap_or(1);
    let (rows, width) = match *shape {
        [rows, width] if units > 0 && rows % units == 0 => (rows, width),
        _ => {
            return Ok(vec![Piece {
                bytes,
                shape: shape.to_vec(),
                target: target.shallow_clone(),
            }]);
        }
    };
    let rows_each = rows / units;
    let row_bytes = bytes.len() / rows.max(1) as usize;
    let many = (most as i64 / (rows_each * width).max(1)).max(1);
    (0..units)
        .step_by(many as usize)
        .map(|start| {
            let count = many.min(units - start);
            let first = (start * rows_each) as usize * row_bytes;
            let rows = count * rows_each;
            Ok(Piece {
                bytes: &bytes[first..first + rows as usize * row_bytes],
                shape: vec![rows, width],
                target: target.f_narrow(0, start, count)?,
            })
        })
        .collect()
}

/// The values as an f32 tensor of this shape.
fn dequantize(bytes: &[u8], kind: GgufType, shape: &[i64]) -> Result<Tensor, Failure> {
    let mut done = Ok(());
    let tensor = made(shape, |values| done = dequantize_into(bytes, kind, values))?;
    done.map_err(|error| Failure::Blocks(error.to_string()))?;
    Ok(tensor)
}

/// Fills `values`; several threads share more than a [`CHUNK`] of them.
fn dequantize_into(bytes: &[u8], kind: GgufType, values: &mut [f32]) -> Result<(), AnamnesisError> {
    let decode = |(values, bytes): (&mut [f32], &[u8])| {
        let count = values.len();
        let mut rest: &mut [u8] = bytemuck::cast_slice_mut(values);
        dequantize_gguf_blocks::<F32Out, _>(bytes, kind, count, |block| {
            let (place, after) = std::mem::take(&mut rest).split_at_mut(block.len());
            place.copy_from_slice(block);
            rest = after;
            Ok(())
        })
    };
    let block_bytes = kind.type_size().unwrap_or(1);
    let whole = values.len() / kind.block_size() * block_bytes;
    if values.len() <= CHUNK || bytes.len() != whole {
        return decode((values, bytes));
    }
    let chunk_bytes = CHUNK / kind.block_size() * block_bytes;
    let chunks = values.par_chunks_mut(CHUNK);
    chunks
        .zip(bytes.par_chunks(chunk_bytes))
        .try_for_each(decode)
}
#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use half::f16;
    use tch::Kind;

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
        // 96 heads of four rows take twelve pieces: a head is an eighth of one.
        let (heads, each, width) = (96, 4, (CHUNK / 32) as i64);
        let shape = [heads * each, width];
        let values = (heads * each * width) as usize;
        let bytes = rows(values / 32);
        // By the definition of the blocks, 32 values after the other.
        let blocks = bytes.chunks(34);
        let whole: Vec<f32> = blocks
            .flat_map(|block| {
                let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
                block[2..]
                    .iter()
                    .map(move |&value| scale * f32::from(value))
            })
            .collect();
        let whole = Tensor::from_slice(&whole).view(shape);
        let mut target = Tensor::zeros([heads, each, width], (Kind::Float, Device::Cpu));
        let pieces = AtomicUsize::new(0);
        let copied = copy(
            &bytes,
            GgufType::Q8_0,
            &shape,
            &mut target,
            |place, source| {
                pieces.fetch_add(1, Ordering::Relaxed);
                assert!(source.numel() <= CHUNK);
                place.copy_(&source.view_as(place));
                Ok(true)
            },
        );
        assert!(copied.ok().unwrap());
        assert_eq!(pieces.into_inner(), 12);
        assert!(target.view(shape).equal(&whole));
        // What goes to another device is dequantised in larger pieces.
        let long = dequantize(&bytes, GgufType::Q8_0, &shape).ok().unwrap();
        assert!(long.equal(&whole));
    }

    #[test]
    fn of_several_refused_pieces_the_first_counts() {
        let (height, width) = (64, (CHUNK / 4) as i64);
        let bytes = rows((height * width) as usize / 32);
        let outcome = |refused: usize, failing: usize| {
            let mut target = Tensor::zeros([height, width], (Kind::Float, Device::Cpu));
            let start = target.data_ptr().addr();
            let copied = copy(
                &bytes,
                GgufType::Q8_0,
                &[height, width],
                &mut target,
                |place, _| match (place.data_ptr().addr() - start) / (4 * CHUNK) {
                    piece if piece == refused => Ok(false),
                    piece if piece == failing => Err(tch::TchError::Torch("no room".into()).into()),
                    _ => Ok(true),
                },
            );
            copied.map_err(|_| ())
        };
        assert_eq!(outcome(5, 9), Ok(false));
        assert_eq!(outcome(9, 5), Err(()));
        assert_eq!(outcome(99, 99), Ok(true));
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
