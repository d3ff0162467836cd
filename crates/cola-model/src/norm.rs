//! Norms over the last dimension.

use tch::{Kind, Tensor};

use super::{Frozen, ModelError, NormKind, NormSpec, kernels};

/// A norm with its weights; [`NormKind`] has the formulas.
#[derive(Debug)]
pub struct Norm {
    weight: Frozen,
    bias: Option<Frozen>,
    spec: NormSpec,
}

impl Norm {
    /// A norm with weights `[..., D]` and, for a LayerNorm, a bias of the same shape. The leading
    /// dimensions of the weights, where there are any, are those of the input.
    pub fn new(weight: Frozen, bias: Option<Frozen>, spec: NormSpec) -> Result<Self, ModelError> {
        let weight = match spec.kind {
            NormKind::RmsPlusOne => Frozen::new(weight.f_to_kind(Kind::Float)?.f_add_scalar(1.0)?),
            _ => weight,
        };
        Ok(Self { weight, bias, spec })
    }

    /// `[..., D] -> [..., D]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let width = x.size()[x.dim() - 1];
        let NormSpec { kind, epsilon } = self.spec;
        if kind == NormKind::Layer {
            let bias = self.bias.as_deref();
            return Ok(x.f_layer_norm([width], Some(&*self.weight), bias, epsilon, false)?);
        }
        if let Some(scaled) = kernels::rms_norm(x, &self.weight, epsilon)? {
            return Ok(scaled);
        }
        let wide = x.f_to_kind(Kind::Float)?;
        let scaled = wide.f_rms_norm([width], None::<&Tensor>, epsilon)?;
        Ok(match kind {
            NormKind::Rms => scaled.f_to_kind(x.kind())?.f_mul(&self.weight)?,
            _ => scaled.f_mul(&self.weight)?.f_to_kind(x.kind())?,
        })
    }
}
