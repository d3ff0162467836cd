//! One decoder block, as a pure function of its input.

use tch::Tensor;

use super::{
    Frozen, KeyValue, ModelError, attention::Attention, batch::Batch, mlp::Mlp, norm::Norm,
};

/// A block of the frozen model. `&self`, residual in, residual out: it remembers nothing.
#[derive(Debug)]
pub struct Layer {
    pub(super) attention_norm: Norm,
    pub(super) attention: Attention,
    pub(super) mlp_norm: Norm,
    pub(super) mlp: Mlp,
}

/// What to keep of a segment. A view keeps the whole batch's storage alive, so whatever is cached
/// is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// A copy of the residual stream.
    Residual,
    /// Copies of the residual stream and of the keys and values.
    Everything,
    /// Views of both, for what is used up by the next step.
    Views,
}

/// What one layer made of one segment.
pub struct Applied {
    /// Residual stream after the layer, `[n, D]`.
    pub residual: Frozen,
    /// Keys and values of this application; `None` where they were not kept.
    pub key_value: Option<KeyValue>,
}

impl Layer {
    /// Applies the layer to every segment of a packed batch, and keeps of each what `keep` says.
    pub fn forward(&self, batch: &Batch, keep: &[Keep]) -> Result<Vec<Applied>, ModelError> {
        let (residual, key_values) = self.forward_packed(batch)?;
        let mut start = 0;
        let mut applied = Vec::with_capacity(keep.len());
        for (&nodes, &keep) in batch.lengths().iter().zip(keep) {
            let copy = |packed: &Tensor| packed.f_narrow_copy(0, start, nodes).map(Frozen::new);
            let view = |packed: &Tensor| packed.f_narrow(0, start, nodes).map(Frozen::new);
            applied.push(match keep {
                Keep::Residual => Applied {
                    residual: copy(&residual)?,
                    key_value: None,
                },
                Keep::Everything => Applied {
                    residual: copy(&residual)?,
                    key_value: Some(copy(&key_values)?),
                },
                Keep::Views => Applied {
                    residual: view(&residual)?,
                    key_value: Some(view(&key_values)?),
                },
            });
            start += nodes;
        }
        Ok(applied)
    }

    /// Residuals `[N, D]` and keys and values `[N, 2, KV heads, head_dim]` of the whole batch.
    fn forward_packed(&self, batch: &Batch) -> Result<(Tensor, Tensor), ModelError> {
        let x = &batch.residual;
        let (update, key_values) = self
            .attention
            .forward(&self.attention_norm.forward(x)?, batch)?;
        let x = x.f_add(&update)?;
        let update = self.mlp.forward(&self.mlp_norm.forward(&x)?)?;
        Ok((x.f_add(&update)?, key_values))
    }
}
