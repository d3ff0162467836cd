//! Norm, rotary positions and gating: one pass over memory each.

use pulp::{Arch, Simd, WithSimd};
use tch::Tensor;

use super::{Rows, exp::exp, made};
use crate::ModelError;

/// RMSNorm (arXiv 1910.07467): `x / sqrt(mean(x^2) + epsilon) * weight`. Each row of `x` `[N, ...]`
/// is normed in parts as long as the last dimension of `weight`, which repeats along the row.
/// `None` if the kernel cannot read the tensors.
pub fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Option<Tensor>, ModelError> {
    let width = weight.size().last().map_or(0, |&width| width as usize);
    let weight = weight.f_view([1, -1])?;
    let (Some(rows), Some(weight)) = (Rows::of(x), Rows::of(&weight)) else {
        return Ok(None);
    };
    let weight = weight.get(0);
    if width == 0 || weight.is_empty() || rows.width % weight.len() != 0 {
        return Ok(None);
    }
    made(&x.size(), |output| {
        Arch::new().dispatch(RmsNorm {
            rows,
            weight,
            width,
            epsilon: epsilon as f32,
            output,
        });
    })
    .map(Some)
}

struct RmsNorm<'a> {
    rows: Rows<'a>,
    weight: &'a [f32],
    width: usize,
    epsilon: f32,
    output: &'a mut [f32],
}

impl WithSimd for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            rows,
            weight,
            width,
            epsilon,
            output,
        } = self;
        for (row, output) in output.chunks_exact_mut(rows.width).enumerate() {
            let weights = weight.chunks_exact(width).cycle();
            let parts = rows
                .get(row)
                .chunks_exact(width)
                .zip(output.chunks_exact_mut(width));
            for ((x, y), weight) in parts.zip(weights) {
                let scale = 1.0 / (squares(simd, x) / width as f32 + epsilon).sqrt();
                scaled(simd, (x, weight), scale, y);
            }
        }
    }
}

#[inline(always)]
fn squares<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (vectors, rest) = S::as_simd_f32s(x);
    let mut sums = [simd.splat_f32s(0.0); 4];
    let (fours, few) = vectors.as_chunks::<4>();
    for four in fours {
        for (sum, &vector) in sums.iter_mut().zip(four) {
            *sum = simd.mul_add_e_f32s(vector, vector, *sum);
        }
    }
    for (sum, &vector) in sums.iter_mut().zip(few) {
        *sum = simd.mul_add_e_f32s(vector, vector, *sum);
    }
    let rest = simd.partial_load_f32s(rest);
    sums[3] = simd.mul_add_e_f32s(rest, rest, sums[3]);
    let [a, b, c, d] = sums;
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
}

#[inline(always)]
fn scaled<S: Simd>(simd: S, (x, weight): (&[f32], &[f32]), scale: f32, y: &mut [f32]) {
    let factor = simd.splat_f32s(scale);
    let ((x, x_rest), (weight, weight_rest)) = (S::as_simd_f32s(x), S::as_simd_f32s(weight));
    let (y, y_rest) = S::as_mut_simd_f32s(y);
    for ((y, &x), &weight) in y.iter_mut().zip(x).zip(weight) {
        *y = simd.mul_f32s(simd.mul_f32s(x, factor), weight);
    }
    let rest = simd.mul_f32s(simd.partial_load_f32s(x_rest), factor);
    let rest = simd.mul_f32s(rest, simd.partial_load_f32s(weight_rest));
    simd.partial_store_f32s(y_rest, rest);
}

/// `silu(gate) * up` of `[N, 2 I]`, the gate first: `[N, I]` (SwiGLU, arXiv 2002.05202). `None` if
/// the kernel cannot read the tensor.
pub fn silu_gated(inner: &Tensor) -> Result<Option<Tensor>, ModelError> {
    let Some(rows) = Rows::of(inner) else {
        return Ok(None);
    };
    let width = rows.width / 2;
    made(&[rows.len() as i64, width as i64], |output| {
        Arch::new().dispatch(SiluGated {
            rows,
            width,
            output,
        });
    })
    .map(Some)
}

struct SiluGated<'a> {
    rows: Rows<'a>,
    width: usize,
    output: &'a mut [f32],
}

impl WithSimd for SiluGated<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (row, output) in self.output.chunks_exact_mut(self.width).enumerate() {
            let (gate, up) = self.rows.get(row).split_at(self.width);
            let ((gate, gate_rest), (up, up_rest)) = (S::as_simd_f32s(gate), S::as_simd_f32s(up));
            let (y, y_rest) = S::as_mut_simd_f32s(output);
            for ((y, &gate), &up) in y.iter_mut().zip(gate).zip(up) {
                *y = simd.mul_f32s(silu(simd, gate), up);
            }
            let rest = silu(simd, simd.partial_load_f32s(gate_rest));
            let rest = simd.mul_f32s(rest, simd.partial_load_f32s(up_rest));
            simd.partial_store_f32s(y_rest, rest);
        }
    }
}

/// `x / (1 + e^-x)`.
#[inline(always)]
fn silu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let power = exp(simd, simd.neg_f32s(x));
    simd.div_f32s(x, simd.add_f32s(simd.splat_f32s(1.0), power))
}

/// Rotates heads `x` `[N, H, head_dim]` by cosines and sines `[N, 1, rotary_dim]` as
/// [`Rope`](super::super::rope::Rope) does, and splits them: the first `heads` into queries
/// `[N, heads, head_dim]`, the others, with `values`, into `[N, 2, KV heads, head_dim]`. `None` if
/// the kernel cannot read the tensors.
pub fn rotate_and_part(
    x: &Tensor,
    values: &Tensor,
    turns: Option<(&Tensor, &Tensor)>,
    heads: i64,
) -> Result<Option<(Tensor, Tensor)>, ModelError> {
    let [nodes, all, head_dim] = x.size()[..] else {
        return Ok(None);
    };
    let turns = turns.map(|(cos, sin)| Rows::of(cos).zip(Rows::of(sin)));
    let (Some(rows), Some(values), None | Some(Some(_))) = (Rows::of(x), Rows::of(values), turns)
    else {
        return Ok(None);
    };
    let job = |from: usize| Rotate {
        rows,
        turns: turns.flatten(),
        from,
        head_dim: head_dim as usize,
    };
    let width = (heads * head_dim) as usize;
    let queries = made(&[nodes, heads, head_dim], |output| {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (row, output) in output.chunks_exact_mut(width).enumerate() {
                    job(0).turn(row, output);
                }
            },
        );
    })?;
    let width_kv = values.width;
    let key_values = made(&[nodes, 2, all - heads, head_dim], |output| {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (row, output) in output.chunks_exact_mut(2 * width_kv).enumerate() {
                    let (keys, own) = output.split_at_mut(width_kv);
                    job(width).turn(row, keys);
                    own.copy_from_slice(values.get(row));
                }
            },
        );
    })?;
    Ok(Some((queries, key_values)))
}

struct Rotate<'a> {
    rows: Rows<'a>,
    turns: Option<(Rows<'a>, Rows<'a>)>,
    /// First element of a row to take.
    from: usize,
    head_dim: usize,
}

impl Rotate<'_> {
    /// Rotates some heads of a row into `output`. The compiler vectorizes the short loops over
    /// halves of a head.
    #[inline(always)]
    fn turn(&self, row: usize, output: &mut [f32]) {
        let x = &self.rows.get(row)[self.from..self.from + output.len()];
        let Some((cos, sin)) = self.turns.map(|(cos, sin)| (cos.get(row), sin.get(row))) else {
            output.copy_from_slice(x);
            return;
        };
        let half = cos.len() / 2;
        let heads = x
            .chunks_exact(self.head_dim)
            .zip(output.chunks_exact_mut(self.head_dim));
        for (x, y) in heads {
            let (first, second) = (&x[..half], &x[half..2 * half]);
            for i in 0..half {
                y[i] = first[i] * cos[i] + second[i] * sin[i];
            }
            for i in 0..half {
                y[half + i] = second[i] * cos[half + i] + first[i] * sin[half + i];
            }
            y[2 * half..].copy_from_slice(&x[2 * half..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::test_numbers::random;

    fn close(ours: &Tensor, expected: &Tensor) {
        assert_eq!(ours.size(), expected.size());
        assert!(ours.allclose(expected, 1e-5, 1e-6, false));
    }

    #[test]
    fn norms_are_those_of_libtorch() {
        for width in [3, 16, 70, 512] {
            let (x, weight) = (random(&[7, width]) * 3.0, random(&[width]));
            let ours = rms_norm(&x, &weight, 1e-5).unwrap().unwrap();
            close(&ours, &x.rms_norm([width], Some(&weight), 1e-5));
            // Heads of a strided part, each with weights of its own.
            let (x, weight) = (random(&[5, 6, width]), random(&[4, width]));
            let part = x.narrow(1, 1, 4);
            let ours = rms_norm(&part, &weight, 1e-5).unwrap().unwrap();
            close(
                &ours,
                &(part.rms_norm([width], None::<&Tensor>, 1e-5) * weight),
            );
        }
    }

    #[test]
    fn gating_is_that_of_libtorch() {
        for width in [1, 16, 37, 200] {
            let inner = random(&[5, 2 * width]) * 20.0;
            let ours = silu_gated(&inner).unwrap().unwrap();
            close(
                &ours,
                &(inner.narrow(1, 0, width).silu() * inner.narrow(1, width, width)),
            );
        }
    }

    #[test]
    fn rotation_parts_queries_from_keys_and_values() {
        for rotary in [4, 16, 24] {
            let projected = random(&[5, 7, 24]);
            let (x, values) = (projected.narrow(1, 0, 5), projected.narrow(1, 5, 2));
            let (cos, sin) = (random(&[5, 1, rotary]), random(&[5, 1, rotary]));
            let (queries, key_values) = rotate_and_part(&x, &values, Some((&cos, &sin)), 3)
                .unwrap()
                .unwrap();
            let turned = crate::rope::rotate(&x, &cos, &sin).unwrap();
            close(&queries, &turned.narrow(1, 0, 3));
            close(&key_values.select(1, 0), &turned.narrow(1, 3, 2));
            close(&key_values.select(1, 1), &values);
            let (plain, _) = rotate_and_part(&x, &values, None, 3).unwrap().unwrap();
            close(&plain, &x.narrow(1, 0, 3));
        }
    }

    #[test]
    fn what_is_not_f32_rows_is_left_to_libtorch() {
        let x = random(&[4, 6]);
        assert!(silu_gated(&x.to_kind(Kind::Half)).unwrap().is_none());
        assert!(silu_gated(&x.tr()).unwrap().is_none());
        let other_width = random(&[5]);
        assert!(rms_norm(&x, &other_width, 1e-5).unwrap().is_none());
    }
}
