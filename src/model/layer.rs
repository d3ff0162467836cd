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

/// What one layer made of one segment.
pub struct Applied {
    /// Residual stream after the layer, `[n, D]`.
    pub residual: Frozen,
    /// Keys and values of this application; `None` where they were not asked for.
    pub key_value: Option<KeyValue>,
}

impl Layer {
    /// Applies the layer to every segment of a packed batch. `keep[i]`: are segment `i`'s keys and
    /// values wanted?
    pub fn forward(&self, batch: &Batch, keep: &[bool]) -> Result<Vec<Applied>, ModelError> {
        let (residual, key_values) = self.forward_packed(batch)?;
        let mut start = 0;
        let mut applied = Vec::with_capacity(keep.len());
        for (&nodes, &keep) in batch.lengths().iter().zip(keep) {
            applied.push(Applied {
                residual: take_nodes(&residual, start, nodes)?,
                key_value: match keep {
                    true => Some(take_nodes(&key_values, start, nodes)?),
                    false => None,
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

/// Copies nodes `start..start + nodes` of a packed tensor: a narrow view would keep the whole
/// batch's storage alive.
fn take_nodes(packed: &Tensor, start: i64, nodes: i64) -> Result<Frozen, ModelError> {
    Ok(Frozen::new(packed.f_narrow_copy(0, start, nodes)?))
}
