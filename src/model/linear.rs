//! A linear map `y = x W^T + b`.

use tch::Tensor;

use super::{Frozen, ModelError};

/// Weights `[out, in]` and an optional bias `[out]`. Several projections of the same input are one
/// `Linear`, their outputs side by side.
#[derive(Debug)]
pub struct Linear {
    pub(super) weight: Frozen,
    pub(super) bias: Option<Frozen>,
}

impl Linear {
    /// `[N, in] -> [N, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(x.f_linear(&self.weight, self.bias.as_deref())?)
    }
}
