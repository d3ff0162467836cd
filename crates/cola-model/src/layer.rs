//! One decoder block, as a pure function of its input.

use tch::Tensor;

use super::{
    Frozen, KeyValue, ModelError, attention::Attention, batch::Batch, kernels, mlp::Mlp, norm::Norm,
};

/// A decoder block of the frozen model, which keeps no state between calls. The order of its parts
/// is at [`LayerSpec`](super::LayerSpec).
#[derive(Debug)]
pub struct Layer {
    pub(super) parallel: bool,
    pub(super) attention_norm: Option<Norm>,
    pub(super) attention: Attention,
    pub(super) attention_output_norm: Option<Norm>,
    pub(super) mlp_norm: Option<Norm>,
    pub(super) mlp: Mlp,
    pub(super) mlp_output_norm: Option<Norm>,
}

/// Options for one segment of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepOptions {
    /// Results to keep.
    pub keep: Keep,
    /// Damping: the residual becomes `x + alpha (F(x) - x)`. At 1, exactly `F(x)`.
    pub alpha: f64,
}

/// Results of a segment to keep. A view keeps the whole batch's storage alive, so results that are
/// cached must be copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// A copy of the residual stream.
    Residual,
    /// Copies of the residual stream and of the keys and values.
    Everything,
    /// Views of both, for results that the next step consumes.
    Views,
}

/// Results of one layer for one segment.
pub struct Applied {
    /// Residual stream after the layer, `[n, D]`.
    pub residual: Frozen,
    /// Keys and values of this application; `None` where they were not kept.
    pub key_value: Option<KeyValue>,
}

impl Layer {
    /// Number of positions that a node attends to, itself included; `None` for all.
    pub fn window(&self) -> Option<i64> {
        self.attention.spec.window
    }

    /// Runs only the matrix products of this layer, on `rows` rows of zeros; each expert of a
    /// mixture gets the mean number of rows. This takes the least time that the layer can take, for
    /// benchmarks.
    pub fn multiply_only(&self, rows: i64) -> Result<(), ModelError> {
        self.attention.multiply_only(rows)?;
        self.mlp.multiply_only(rows)
    }

    /// Applies the layer to every segment of a packed batch, with one [`StepOptions`] for each
    /// segment.
    pub fn forward(
        &self,
        batch: &Batch<'_>,
        options: &[StepOptions],
    ) -> Result<Vec<Applied>, ModelError> {
        let (residual, key_values) = self.forward_packed(batch)?;
        let mut start = 0;
        let mut applied = Vec::with_capacity(options.len());
        for (&nodes, options) in batch.lengths().iter().zip(options) {
            let part = |packed: &Tensor, copy: bool| match copy {
                true => copied(packed, start, nodes),
                false => Ok(Frozen::new(packed.f_narrow(0, start, nodes)?)),
            };
            let copy = options.keep != Keep::Views;
            let damped = options.alpha != 1.0;
            let mut own = part(&residual, copy && !damped)?;
            if damped {
                let x = batch.residual.f_narrow(0, start, nodes)?;
                let change = own.f_sub(&x)?.f_mul_scalar(options.alpha)?;
                own = Frozen::new(x.f_add(&change)?);
            }
            applied.push(Applied {
                residual: own,
                key_value: match options.keep {
                    Keep::Residual => None,
                    Keep::Everything | Keep::Views => Some(part(&key_values, copy)?),
                },
            });
            start += nodes;
        }
        Ok(applied)
    }

    /// Residuals `[N, D]` and keys and values `[N, 2, KV heads, head_dim]` of the whole batch.
    fn forward_packed(&self, batch: &Batch<'_>) -> Result<(Tensor, Tensor), ModelError> {
        let x = &batch.residual;
        let (attended, key_values) = self
            .attention
            .forward(&through(&self.attention_norm, x)?, batch)?;
        let attended = through(&self.attention_output_norm, &attended)?;
        if self.parallel {
            let update = self.mlp.forward(&through(&self.mlp_norm, x)?)?;
            return Ok((update.f_add(&attended)?.f_add(x)?, key_values));
        }
        let x = x.f_add(&attended)?;
        let update = self.mlp.forward(&through(&self.mlp_norm, &x)?)?;
        let update = through(&self.mlp_output_norm, &update)?;
        Ok((x.f_add(&update)?, key_values))
    }
}

fn copied(packed: &Tensor, start: i64, nodes: i64) -> Result<Frozen, ModelError> {
    let copy = match kernels::copied(packed, start, nodes)? {
        Some(copy) => copy,
        None => packed.f_narrow_copy(0, start, nodes)?,
    };
    Ok(Frozen::new(copy))
}

fn through(norm: &Option<Norm>, x: &Tensor) -> Result<Tensor, ModelError> {
    match norm {
        Some(norm) => norm.forward(x),
        None => Ok(x.shallow_clone()),
    }
}
