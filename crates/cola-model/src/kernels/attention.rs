//! Attention of the nodes of many rows, each over its own keys, without padding.

use pulp::{Arch, Simd, WithSimd};
use tch::Tensor;

use super::{Rows, exp::exp, made};
use crate::{ModelError, Segment};

/// Sizes of the heads, and the scaling of their scores.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    pub heads: usize,
    pub key_value_heads: usize,
    pub head_dim: usize,
    /// Factor on the scores.
    pub scale: f32,
    /// Scores then become `cap * tanh(score / cap)`.
    pub softcap: Option<f32>,
}

/// Attention over `segments`, whose queries `[N, heads, head_dim]` and keys and values
/// `[N, 2, KV heads, head_dim]` are packed one after the other. Returns `[N, heads * head_dim]`,
/// with zeros after the last segment. A node's keys are taken in the order of its ancestors, so
/// that nodes it does not see do not change its result. `None` if the kernel cannot read one of the
/// tensors.
pub fn attend(
    queries: &Tensor,
    key_values: &Tensor,
    segments: &[Segment<'_>],
    window: Option<i64>,
    heads: Heads,
) -> Result<Option<Tensor>, ModelError> {
    let (Some(queries), Some(own)) = (Rows::of(queries), Rows::of(key_values)) else {
        return Ok(None);
    };
    let mut contexts = Vec::with_capacity(segments.len());
    for segment in segments {
        let parts = segment.context.iter();
        let parts = parts.map(|&(context, used)| Some((Rows::of(context)?, used as usize)));
        let Some(context) = parts.collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        contexts.push(context);
    }
    let width = heads.heads * heads.head_dim;
    let shape = [queries.len() as i64, width as i64];
    made(&shape, |output| {
        let mut start = 0;
        let mut scratch = Scratch::default();
        for (segment, context) in segments.iter().zip(&contexts) {
            let nodes = segment.positions.len();
            scratch.keys.clear();
            for (rows, used) in context {
                scratch.keys.extend((0..*used).map(|node| rows.get(node)));
            }
            let before = scratch.keys.len();
            scratch
                .keys
                .extend((start..start + nodes).map(|node| own.get(node)));
            for node in 0..nodes {
                scratch.visible.clear();
                let seen = segment.seen_by(node, before, window);
                scratch.visible.extend(seen.map(|key| scratch.keys[key]));
                let row = start + node;
                Arch::new().dispatch(Attend {
                    query: queries.get(row),
                    keys: &scratch.visible,
                    scores: &mut scratch.scores,
                    heads,
                    output: &mut output[row * width..(row + 1) * width],
                });
            }
            start += nodes;
        }
        output[start * width..].fill(0.0);
    })
    .map(Some)
}

/// Buffers that are reused for all nodes.
#[derive(Default)]
struct Scratch<'a> {
    /// Keys and values of the segment's context and nodes.
    keys: Vec<&'a [f32]>,
    /// Keys and values that the current node sees.
    visible: Vec<&'a [f32]>,
    scores: Vec<f32>,
}

/// Attention of one node over the keys and values it sees.
struct Attend<'a> {
    query: &'a [f32],
    keys: &'a [&'a [f32]],
    scores: &'a mut Vec<f32>,
    heads: Heads,
    output: &'a mut [f32],
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            query,
            keys,
            scores,
            heads,
            output,
        } = self;
        let width = heads.head_dim;
        let group = heads.heads / heads.key_value_heads;
        scores.resize(keys.len(), 0.0);
        let parts = query
            .chunks_exact(width)
            .zip(output.chunks_exact_mut(width));
        for (head, (query, output)) in parts.enumerate() {
            let key = head / group * width;
            let value = (heads.key_value_heads + head / group) * width;
            score(simd, query, keys, key, heads.scale, scores);
            if let Some(cap) = heads.softcap {
                each(
                    simd,
                    scores,
                    #[inline(always)]
                    |x| capped(simd, x, cap),
                );
            }
            let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let most = simd.splat_f32s(most);
            each(
                simd,
                scores,
                #[inline(always)]
                |x| exp(simd, simd.sub_f32s(x, most)),
            );
            mix(simd, scores, keys, value, output);
        }
    }
}

/// Applies `f` to all numbers.
#[inline(always)]
fn each<S: Simd>(simd: S, numbers: &mut [f32], f: impl Fn(S::f32s) -> S::f32s) {
    let (vectors, rest) = S::as_mut_simd_f32s(numbers);
    for vector in vectors {
        *vector = f(*vector);
    }
    let last = f(simd.partial_load_f32s(rest));
    simd.partial_store_f32s(rest, last);
}

/// `cap * tanh(x / cap)`, tanh being `1 - 2 / (e^2x + 1)`.
#[inline(always)]
fn capped<S: Simd>(simd: S, x: S::f32s, cap: f32) -> S::f32s {
    let (one, two) = (simd.splat_f32s(1.0), simd.splat_f32s(2.0));
    let power = exp(simd, simd.mul_f32s(x, simd.splat_f32s(2.0 / cap)));
    let tanh = simd.sub_f32s(one, simd.div_f32s(two, simd.add_f32s(power, one)));
    simd.mul_f32s(tanh, simd.splat_f32s(cap))
}

/// Scaled products of the query with the keys. The head's part of a key begins at `at`.
#[inline(always)]
fn score<S: Simd>(
    simd: S,
    query: &[f32],
    keys: &[&[f32]],
    at: usize,
    scale: f32,
    scores: &mut [f32],
) {
    let (query, query_rest) = S::as_simd_f32s(query);
    let width = query.len() * S::F32_LANES + query_rest.len();
    let query_rest_vector = simd.partial_load_f32s(query_rest);
    for (score, key) in scores.iter_mut().zip(keys) {
        let (key, key_rest) = S::as_simd_f32s(&key[at..at + width]);
        let mut sum = simd.splat_f32s(0.0);
        for (&q, &k) in query.iter().zip(key) {
            sum = simd.mul_add_e_f32s(q, k, sum);
        }
        if !key_rest.is_empty() {
            sum = simd.mul_add_e_f32s(query_rest_vector, simd.partial_load_f32s(key_rest), sum);
        }
        *score = simd.reduce_sum_f32s(sum) * scale;
    }
}

/// The weighted mean of the values. The head's part of a value begins at `at`.
#[inline(always)]
fn mix<S: Simd>(simd: S, weights: &[f32], values: &[&[f32]], at: usize, output: &mut [f32]) {
    let lanes = S::F32_LANES;
    let total: f32 = weights.iter().sum();
    let factor = simd.splat_f32s(1.0 / total);
    let mut done = 0;
    while output.len() - done >= lanes {
        let vectors = (output.len() - done) / lanes;
        let part = |size: usize| done..done + size * lanes;
        match vectors {
            8.. => mix_part::<S, 8>(
                simd,
                weights,
                values,
                at + done,
                factor,
                &mut output[part(8)],
            ),
            4.. => mix_part::<S, 4>(
                simd,
                weights,
                values,
                at + done,
                factor,
                &mut output[part(4)],
            ),
            2.. => mix_part::<S, 2>(
                simd,
                weights,
                values,
                at + done,
                factor,
                &mut output[part(2)],
            ),
            _ => mix_part::<S, 1>(
                simd,
                weights,
                values,
                at + done,
                factor,
                &mut output[part(1)],
            ),
        }
        done += lanes
            * match vectors {
                8.. => 8,
                4.. => 4,
                2.. => 2,
                _ => 1,
            };
    }
    let rest = &mut output[done..];
    if !rest.is_empty() {
        let mut sum = simd.splat_f32s(0.0);
        for (&weight, value) in weights.iter().zip(values) {
            let value = simd.partial_load_f32s(&value[at + done..at + done + rest.len()]);
            sum = simd.mul_add_e_f32s(simd.splat_f32s(weight), value, sum);
        }
        simd.partial_store_f32s(rest, simd.mul_f32s(sum, factor));
    }
}

/// `N` SIMD vectors of the weighted mean, kept in registers.
#[inline(always)]
fn mix_part<S: Simd, const N: usize>(
    simd: S,
    weights: &[f32],
    values: &[&[f32]],
    at: usize,
    factor: S::f32s,
    output: &mut [f32],
) {
    let mut sums = [simd.splat_f32s(0.0); N];
    for (&weight, value) in weights.iter().zip(values) {
        let weight = simd.splat_f32s(weight);
        let (value, _) = S::as_simd_f32s(&value[at..at + output.len()]);
        for (sum, &value) in sums.iter_mut().zip(value) {
            *sum = simd.mul_add_e_f32s(weight, value, *sum);
        }
    }
    let (output, _) = S::as_mut_simd_f32s(output);
    for (output, sum) in output.iter_mut().zip(sums) {
        *output = simd.mul_f32s(sum, factor);
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::test_numbers::random;
    use crate::{Ancestors, Frozen, Visibility};

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        Vec::try_from(tensor.to_kind(Kind::Double).flatten(0, -1)).unwrap()
    }

    /// Attention of one head of one node by its definition.
    fn naive(query: &[f64], keys: &[&[f64]], values: &[&[f64]], heads: Heads) -> Vec<f64> {
        let weights: Vec<f64> = keys
            .iter()
            .map(|key| {
                let product: f64 = query.iter().zip(*key).map(|(q, k)| q * k).sum();
                let score = product * f64::from(heads.scale);
                let cap = heads.softcap.map(f64::from);
                cap.map_or(score, |cap| cap * (score / cap).tanh()).exp()
            })
            .collect();
        let total: f64 = weights.iter().sum();
        (0..query.len())
            .map(|at| {
                let parts = weights.iter().zip(values).map(|(w, value)| w * value[at]);
                parts.sum::<f64>() / total
            })
            .collect()
    }

    #[test]
    fn every_node_attends_to_what_it_sees() {
        let _guard = tch::no_grad_guard();
        tch::manual_seed(3);
        for (heads, key_value_heads, head_dim, softcap) in [
            (4, 2, 64, None),
            (3, 3, 20, Some(2.0)),
            (8, 1, 144, None),
            (2, 1, 6, Some(30.0)),
        ] {
            let shape = Heads {
                heads,
                key_value_heads,
                head_dim,
                scale: 0.2,
                softcap,
            };
            let (h, kv, d) = (heads as i64, key_value_heads as i64, head_dim as i64);
            // A tree of five after four nodes of context, of which three are used; then one node
            // alone after two. The window of three hides some.
            let context = [4, 2].map(|n| Frozen::new(random(&[n, 2, kv, d])));
            let mut tree = Ancestors::causal(3);
            for parent in [2, 3, 3, 5, 2] {
                tree.push(Some(parent));
            }
            let residual = random(&[5, 4]);
            let segments = [
                Segment {
                    residual: &residual,
                    positions: &[3, 4, 4, 5, 3],
                    context: vec![(&context[0], 3)],
                    visible: Visibility::Tree {
                        context: &[0, 1, 2],
                        tree: &tree,
                    },
                },
                Segment {
                    residual: &residual,
                    positions: &[2],
                    context: vec![(&context[1], 2)],
                    visible: Visibility::All,
                },
            ];
            let (queries, own) = (random(&[8, h, d]), random(&[8, 2, kv, d]));
            let (q, all) = (numbers(&queries), {
                let mut all = numbers(&context[0])[..3 * 2 * key_value_heads * head_dim].to_vec();
                all.extend(numbers(&own.narrow(0, 0, 5)));
                all.extend(numbers(&context[1]));
                all.extend(numbers(&own.narrow(0, 5, 1)));
                all
            });
            let record = 2 * key_value_heads * head_dim;
            let part = |node: usize, at: usize| &all[node * record + at..][..head_dim];
            for window in [None, Some(3)] {
                let ours = attend(&queries, &own, &segments, window, shape)
                    .unwrap()
                    .unwrap();
                let ours = numbers(&ours);
                assert!(
                    ours[6 * heads * head_dim..].iter().all(|&x| x == 0.0),
                    "padding"
                );
                // The keys that each node sees, among 3 + 5 keys of the tree and 2 + 1 of the other
                // row.
                let sees: [&[usize]; 6] = match window {
                    None => [
                        &[0, 1, 2, 3],
                        &[0, 1, 2, 3, 4],
                        &[0, 1, 2, 3, 5],
                        &[0, 1, 2, 3, 5, 6],
                        &[0, 1, 2, 7],
                        &[8, 9, 10],
                    ],
                    Some(_) => [
                        &[1, 2, 3],
                        &[2, 3, 4],
                        &[2, 3, 5],
                        &[3, 5, 6],
                        &[1, 2, 7],
                        &[8, 9, 10],
                    ],
                };
                for (node, keys) in sees.iter().enumerate() {
                    for head in 0..heads {
                        let shared = head / (heads / key_value_heads) * head_dim;
                        let at = (node * heads + head) * head_dim;
                        let values = shared + key_value_heads * head_dim;
                        let keys_of = |at| keys.iter().map(move |&key| part(key, at));
                        let expected = naive(
                            &q[at..at + head_dim],
                            &keys_of(shared).collect::<Vec<_>>(),
                            &keys_of(values).collect::<Vec<_>>(),
                            shape,
                        );
                        for (ours, expected) in ours[at..].iter().zip(&expected) {
                            assert!((ours - expected).abs() < 1e-5, "{ours} {expected}");
                        }
                    }
                }
            }
        }
    }
}
