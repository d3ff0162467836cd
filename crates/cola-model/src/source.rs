//! Where a model's tensors come from: copied out of the files, or checked against their headers.

use std::{
    sync::{Mutex, PoisonError},
    thread,
};

use tch::{Device, Kind, Tensor};

use super::{Compute, Frozen, ModelError, ModelSpec, arrange::Arrange, weights::Weights};

/// Bytes that layers may take beside the weights while they are made, whatever the model.
const SPARE: usize = 64 << 20;
/// The part of a large model's weights that they may take.
const SPARE_SHARE: usize = 16;

/// A tensor in memory, and the tensors of the files from which it is put together.
pub struct Wanted {
    /// Its shape. The pieces fill rows of the tensor, viewed as `[R, last dimension]`, or as `[R]`
    /// if it has one dimension.
    pub shape: Vec<i64>,
    pub pieces: Vec<Piece>,
}

/// A tensor in the files, and the rows that it fills.
pub struct Piece {
    pub name: String,
    /// Its shape in the file.
    pub shape: Vec<i64>,
    /// Index in its first dimension, if the tensor in the file holds all experts.
    pub slice: Option<i64>,
    /// First row it fills.
    pub start: i64,
    /// Rows it fills.
    pub rows: i64,
    pub arrange: Arrange,
}

/// Provides the tensors that a loader needs.
pub trait Source: Sync {
    fn tensor(&self, wanted: &Wanted) -> Result<Frozen, ModelError>;

    /// The number of layers that threads may make at the same time.
    fn layers_at_once(&self, spec: &ModelSpec) -> usize;
}

/// Copies values from the files.
pub struct Copying<'a> {
    pub weights: &'a Weights,
    pub compute: Compute,
}

impl Source for Copying<'_> {
    fn tensor(&self, wanted: &Wanted) -> Result<Frozen, ModelError> {
        let Compute { kind, device } = self.compute;
        let tensor = Tensor::f_empty(&wanted.shape, (kind, device))?;
        let rows = match wanted.shape.as_slice() {
            [_] => tensor.shallow_clone(),
            [.., width] => tensor.f_view([-1, *width])?,
            [] => tensor.f_view([1])?,
        };
        for piece in &wanted.pieces {
            let part = rows.f_narrow(0, piece.start, piece.rows)?;
            let mut part = piece.arrange.place(part)?;
            let arrange = |source: &Tensor, place: &[i64]| piece.arrange.apply(source, place);
            let (name, shape) = (&piece.name, &piece.shape);
            self.weights
                .copy_into(name, shape, piece.slice, &mut part, arrange)?;
        }
        Ok(Frozen::new(tensor))
    }

    /// On the CPU as many as there are cores, if [`SPARE`] bytes or one part in [`SPARE_SHARE`] of
    /// the weights are enough for so many of the largest layer: a tensor is in memory a second time
    /// while it is packed. Another device takes one transfer at a time.
    fn layers_at_once(&self, spec: &ModelSpec) -> usize {
        let Compute { kind, device } = self.compute;
        if device != Device::Cpu {
            return 1;
        }
        let bytes =
            |parameters: i64| (parameters as usize).saturating_mul(kind.elt_size_in_bytes());
        let layers = spec.layers.iter();
        let largest = layers.map(|layer| layer.parameters(spec.hidden)).max();
        let spare = SPARE.max(bytes(spec.parameters()) / SPARE_SHARE);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (spare / bytes(largest.unwrap_or(1)).max(1)).clamp(1, cores)
    }
}

/// Reads headers only, and collects problems. The modules built from it have empty weights.
pub struct Checking<'a> {
    pub weights: &'a Weights,
    pub problems: Mutex<Vec<ModelError>>,
}

impl Source for Checking<'_> {
    fn tensor(&self, wanted: &Wanted) -> Result<Frozen, ModelError> {
        for piece in &wanted.pieces {
            if let Err(problem) = self.weights.check(&piece.name, &piece.shape) {
                self.problems
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(problem);
            }
        }
        let hollow = Tensor::f_empty([0], (Kind::Float, Device::Cpu))?;
        Ok(Frozen::new(hollow))
    }

    /// One, so that problems are in the order of the layers.
    fn layers_at_once(&self, _: &ModelSpec) -> usize {
        1
    }
}
