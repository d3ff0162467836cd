//! Root-mean-square norm.

use tch::{Kind, Tensor};

use super::{Frozen, ModelError, NormSpec};

/// `w * x / sqrt(mean(x^2) + epsilon)`, the mean in f32 whatever the compute dtype.
#[derive(Debug)]
pub struct Norm {
    weight: Frozen,
    epsilon: f64,
}

impl Norm {
    /// A norm with weights `[D]`.
    pub fn new(weight: Tensor, spec: NormSpec) -> Self {
        Self {
            weight: Frozen::new(weight),
            epsilon: spec.epsilon,
        }
    }

    /// `[N, D] -> [N, D]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let width = x.size()[1];
        let wide = x.f_to_kind(Kind::Float)?;
        let scaled = wide.f_rms_norm([width], None::<&Tensor>, self.epsilon)?;
        Ok(scaled.f_to_kind(x.kind())?.f_mul(&self.weight)?)
    }
}
