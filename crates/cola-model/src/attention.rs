//! Grouped-query self-attention over a packed batch.

use std::sync::Arc;

use tch::{Kind, Tensor};

use super::{
    AttentionSpec, ModelError,
    batch::Batch,
    buckets::{Bucket, Buckets},
    kernels::{self, Heads},
    linear::Linear,
    norm::Norm,
    rope::{Rope, rotate},
};

/// Query, key and value in one product, their norms, rotary positions, attention, output
/// projection.
#[derive(Debug)]
pub struct Attention {
    pub(super) input: Linear,
    pub(super) norm: Option<HeadNorm>,
    pub(super) rope: Option<Arc<Rope>>,
    pub(super) output: Linear,
    pub(super) spec: AttentionSpec,
}

/// Norm of queries and keys.
#[derive(Debug)]
pub enum HeadNorm {
    /// Each head by itself; weights `[heads + KV heads, head_dim]`.
    PerHead(Norm),
    /// All query heads together, all key heads together.
    AllHeads { query: Norm, key: Norm },
}

impl Attention {
    /// `x` is the normed residual `[N, D]` of `batch`. Returns the update `[N, D]` and the keys and
    /// values of this application, `[N, 2, KV heads, head_dim]`.
    pub fn forward(&self, x: &Tensor, batch: &Batch<'_>) -> Result<(Tensor, Tensor), ModelError> {
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
        let mixed_heads = projected.f_narrow(1, 0, heads + key_value_heads)?;
        let mut query_key = match &self.norm {
            None => mixed_heads,
            Some(norm) => self.normed(norm, &mixed_heads)?,
        };
        let mut values = projected.f_narrow(1, heads + key_value_heads, key_value_heads)?;
        if let Some(clip) = self.spec.clip {
            query_key = query_key.f_clamp(-clip, clip)?;
            values = values.f_clamp(-clip, clip)?;
        }
        let turns = match &self.rope {
            Some(rope) => Some(rope.turns(batch)?),
            None => None,
        };
        let turned = turns.as_ref().map(|(cos, sin)| (cos, sin));
        let parts = kernels::rotate_and_part(&query_key, &values, turned, heads)?;
        let (queries, key_values) = match parts {
            Some(parts) => parts,
            None => {
                if let Some((cos, sin)) = turned {
                    query_key = rotate(&query_key, cos, sin)?;
                }
                let queries = query_key.f_narrow(1, 0, heads)?;
                let keys = query_key.f_narrow(1, heads, key_value_heads)?;
                (queries, Tensor::f_stack(&[keys, values], 1)?)
            }
        };
        let mixed = match &batch.buckets {
            Some(buckets) => self.attend_buckets(&queries, &key_values, buckets)?,
            None => {
                let attended = kernels::attend(
                    &queries,
                    &key_values,
                    batch.segments,
                    batch.window,
                    self.heads(),
                )?;
                // Batches without buckets are packed only where the kernel applies.
                attended.ok_or_else(|| tch::TchError::Torch("no attention kernel".into()))?
            }
        };
        Ok((self.output.forward(&mixed)?, key_values))
    }

    /// See [`Layer::multiply_only`](super::Layer::multiply_only).
    pub fn multiply_only(&self, rows: i64) -> Result<(), ModelError> {
        self.input.multiply_only(rows)?;
        self.output.multiply_only(rows)
    }

    fn heads(&self) -> Heads {
        Heads {
            heads: self.spec.heads as usize,
            key_value_heads: self.spec.key_value_heads as usize,
            head_dim: self.spec.head_dim as usize,
            scale: self.spec.scale as f32,
            softcap: self.spec.softcap.map(|cap| cap as f32),
        }
    }

    /// Attention by libtorch's operations, bucket by bucket: `[N, heads * head_dim]`.
    fn attend_buckets(
        &self,
        queries: &Tensor,
        key_values: &Tensor,
        buckets: &Buckets,
    ) -> Result<Tensor, ModelError> {
        let all = match buckets.context.as_slice() {
            [] => key_values.shallow_clone(),
            context => {
                let own_first: Vec<&Tensor> = std::iter::once(key_values).chain(context).collect();
                Tensor::f_cat(&own_first, 0)?
            }
        };
        let attended = buckets
            .each
            .iter()
            .map(|bucket| self.attend(queries, &all, bucket))
            .collect::<Result<Vec<_>, _>>()?;
        let attended = match attended.as_slice() {
            [single] => single.shallow_clone(),
            several => Tensor::f_cat(several, 0)?,
        };
        Ok(attended.f_index_select(0, &buckets.restore)?)
    }

    /// Applies the norm to queries and keys `[N, heads + KV heads, head_dim]`.
    fn normed(&self, norm: &HeadNorm, query_key: &Tensor) -> Result<Tensor, ModelError> {
        let (query, key) = match norm {
            HeadNorm::PerHead(norm) => return norm.forward(query_key),
            HeadNorm::AllHeads { query, key } => (query, key),
        };
        let heads = self.spec.heads;
        let apart = |norm: &Norm, first: i64, heads: i64| -> Result<Tensor, ModelError> {
            let part = query_key.f_narrow(1, first, heads)?;
            Ok(norm.forward(&part.f_flatten(1, 2)?)?.f_view_as(&part)?)
        };
        let parts = [
            apart(query, 0, heads)?,
            apart(key, heads, self.spec.key_value_heads)?,
        ];
        Ok(Tensor::f_cat(&parts, 1)?)
    }

    /// Attention in one bucket: `[rows * queries, heads * head_dim]`.
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
        let groups = heads / key_value_heads;
        // The query heads that share a key head become queries of that head: libtorch's
        // memory-efficient kernel has no grouped heads, and other kernels would write every score
        // to memory.
        let q = queries
            .f_index_select(0, &bucket.query_index)?
            .f_view([rows, nq, key_value_heads, groups, head_dim])?
            .f_permute([0, 2, 3, 1, 4])?
            .f_reshape([rows, key_value_heads, groups * nq, head_dim])?;
        let kv = key_values
            .f_index_select(0, &bucket.key_index)?
            .f_view([rows, nk, 2, key_value_heads, head_dim])?
            .f_permute([2, 0, 3, 1, 4])?;
        let (k, v) = (kv.f_select(0, 0)?, kv.f_select(0, 1)?);
        let mask = match (groups, nq) {
            (1, _) => bucket.mask.shallow_clone(),
            (_, 1) => bucket.mask.f_expand([rows, 1, groups, nk], false)?,
            _ => bucket.mask.f_repeat([1, 1, groups, 1])?,
        };
        let mixed = match self.spec.softcap {
            Some(cap) => self.attend_capped(&q, &k, &v, &mask, cap)?,
            None => Tensor::f_scaled_dot_product_attention(
                &q,
                &k,
                &v,
                Some(&mask),
                0.0,
                false,
                scale,
                false,
            )?,
        };
        Ok(mixed
            .f_reshape([rows, key_value_heads, groups, nq, head_dim])?
            .f_permute([0, 3, 1, 2, 4])?
            .f_reshape([rows * nq, heads * head_dim])?)
    }

    /// Attention with capped scores, which no fused kernel supports:
    /// `[rows, KV heads, queries, head_dim]`.
    fn attend_capped(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        mask: &Tensor,
        cap: f64,
    ) -> Result<Tensor, ModelError> {
        let scores = q
            .f_matmul(&k.f_transpose(2, 3)?)?
            .f_mul_scalar(self.spec.scale)?
            .f_div_scalar(cap)?
            .f_tanh()?
            .f_mul_scalar(cap)?
            .f_add(mask)?;
        let weights = scores.f_softmax(-1, Kind::Float)?.f_to_kind(q.kind())?;
        Ok(weights.f_matmul(v)?)
    }
}
