//! The gated feed-forward part of a block.

use tch::Tensor;

use super::{Activation, MlpSpec, ModelError, linear::Linear};

/// `down(activation(gate(x)) * up(x))`, gate and up in one product.
#[derive(Debug)]
pub struct Mlp {
    pub(super) gate_up: Linear,
    pub(super) down: Linear,
    pub(super) spec: MlpSpec,
}

impl Mlp {
    /// `[N, D] -> [N, D]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let inner = self.gate_up.forward(x)?;
        let width = self.spec.intermediate;
        let gate = inner.f_narrow(1, 0, width)?;
        let up = inner.f_narrow(1, width, width)?;
        let gated = match self.spec.activation {
            Activation::Silu => gate.f_silu()?,
            Activation::Gelu => gate.f_gelu("none")?,
            Activation::GeluTanh => gate.f_gelu("tanh")?,
            Activation::Relu => gate.f_relu()?,
        };
        self.down.forward(&gated.f_mul(&up)?)
    }
}
