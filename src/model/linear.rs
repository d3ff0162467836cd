//! A linear map `y = x W^T + b`, possibly several fused into one product.

use tch::{Device, Kind, Tensor};

use super::{Frozen, ModelError, weights::Weights};

/// Weights `[out, in]` and an optional bias `[out]`.
#[derive(Debug)]
pub struct Linear {
    weight: Frozen,
    bias: Option<Frozen>,
}

impl Linear {
    /// Reads `{name}.weight` (and `{name}.bias`) for each part and stacks their outputs.
    pub fn read(
        weights: &Weights,
        parts: &[(String, i64)],
        input: i64,
        bias: bool,
        kind: Kind,
        device: Device,
    ) -> Result<Self, ModelError> {
        let stack = |suffix: &str, shape: &dyn Fn(i64) -> Vec<i64>| -> Result<Frozen, ModelError> {
            let read = |(name, output): &(String, i64)| {
                weights.read(&format!("{name}.{suffix}"), &shape(*output), kind, device)
            };
            if let [part] = parts {
                return Ok(Frozen::new(read(part)?));
            }
            let tensors = parts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            Ok(Frozen::new(Tensor::f_cat(&tensors, 0)?))
        };
        Ok(Self {
            weight: stack("weight", &|output| vec![output, input])?,
            bias: match bias {
                true => Some(stack("bias", &|output| vec![output])?),
                false => None,
            },
        })
    }

    /// `[N, in] -> [N, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(x.f_linear(&self.weight, self.bias.as_deref())?)
    }
}
