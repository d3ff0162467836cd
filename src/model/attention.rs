//! Grouped-query self-attention over a packed batch.

use tch::Tensor;

use super::{
    AttentionSpec, ModelError,
    batch::{Batch, Bucket},
    linear::Linear,
    rope::{Rope, rotate},
};

/// Query, key and value in one product, rotary positions, attention, output projection.
#[derive(Debug)]
pub struct Attention {
    pub(super) input: Linear,
    pub(super) output: Linear,
    pub(super) rope: std::sync::Arc<Rope>,
    pub(super) spec: AttentionSpec,
}

impl Attention {
    /// `x` is the normed residual `[N, D]` of `batch`. Returns the update `[N, D]` and the keys and
    /// values of this application, `[N, 2, KV heads, head_dim]`.
    pub fn forward(&self, x: &Tensor, batch: &Batch) -> Result<(Tensor, Tensor), ModelError> {
        let AttentionSpec {
            heads,
            key_value_heads,
            head_dim,
            ..
        } = self.spec;
        let nodes = x.size()[0];
        let projected =
            self.input
                .forward(x)?
                .f_view([nodes, heads + 2 * key_value_heads, head_dim])?;
        let (cos, sin) = self.rope.at(&batch.positions, batch.last_position)?;
        let rotated = rotate(
            &projected.f_narrow(1, 0, heads + key_value_heads)?,
            &cos,
            &sin,
        )?;
        let queries = rotated.f_narrow(1, 0, heads)?;
        let keys = rotated.f_narrow(1, heads, key_value_heads)?;
        let values = projected.f_narrow(1, heads + key_value_heads, key_value_heads)?;
        let key_values = Tensor::f_stack(&[keys, values], 1)?;

        let all = match batch.context.as_slice() {
            [] => key_values.shallow_clone(),
            context => {
                let own_first: Vec<&Tensor> = std::iter::once(&key_values).chain(context).collect();
                Tensor::f_cat(&own_first, 0)?
            }
        };
        let attended = batch
            .buckets
            .iter()
            .map(|bucket| self.attend(&queries, &all, bucket))
            .collect::<Result<Vec<_>, _>>()?;
        let attended = match attended.as_slice() {
            [single] => single.shallow_clone(),
            several => Tensor::f_cat(several, 0)?,
        };
        let mixed = attended.f_index_select(0, &batch.restore)?;
        Ok((self.output.forward(&mixed)?, key_values))
    }

    /// One bucket: `[rows * queries, heads * head_dim]`.
    fn attend(
        &self,
        queries: &Tensor,
        key_values: &Tensor,
        bucket: &Bucket,
    ) -> Result<Tensor, ModelError> {
        let AttentionSpec {
            heads,
            key_value_heads,
            head_dim,
            scale,
            ..
        } = self.spec;
        let (rows, nq, nk) = (bucket.rows, bucket.queries, bucket.keys);
        let q = queries
            .f_index_select(0, &bucket.query_index)?
            .f_view([rows, nq, heads, head_dim])?
            .f_transpose(1, 2)?;
        let kv = key_values
            .f_index_select(0, &bucket.key_index)?
            .f_view([rows, nk, 2, key_value_heads, head_dim])?
            .f_permute([2, 0, 3, 1, 4])?;
        let (k, v) = (kv.f_select(0, 0)?, kv.f_select(0, 1)?);
        let grouped = heads != key_value_heads;
        let mixed = Tensor::f_scaled_dot_product_attention(
            &q,
            &k,
            &v,
            Some(&bucket.mask),
            0.0,
            false,
            scale,
            grouped,
        )?;
        Ok(mixed
            .f_transpose(1, 2)?
            .f_reshape([rows * nq, heads * head_dim])?)
    }
}
