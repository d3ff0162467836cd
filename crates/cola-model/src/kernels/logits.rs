//! Summary of a node's logits, in two passes over them.

use pulp::{Arch, Simd, WithSimd};

use super::exp::exp;

/// The two largest logits of a node, and the normalizer of its probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Top {
    /// Index of the largest logit; of several equal ones the first.
    pub argmax: usize,
    /// The largest logit, and the next largest.
    pub largest: [f32; 2],
    /// `ln(sum(e^logit))`; not finite where a logit is not.
    pub log_total: f64,
}

/// Summary of one node's logits `[V]`; `logits` must not be empty.
pub fn top(logits: &[f32]) -> Top {
    Arch::new().dispatch(Read(logits))
}

struct Read<'a>(&'a [f32]);

impl WithSimd for Read<'_> {
    type Output = Top;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Top {
        let (vectors, rest) = S::as_simd_f32s(self.0);
        let none = simd.splat_f32s(f32::NEG_INFINITY);
        let (mut first, mut second) = (none, none);
        for &x in vectors {
            second = simd.max_f32s(second, simd.min_f32s(first, x));
            first = simd.max_f32s(first, x);
        }
        let mut largest = [f32::NEG_INFINITY; 2];
        // Room for the lanes of any processor.
        let mut lanes = [f32::NEG_INFINITY; 128];
        let (firsts, seconds) = lanes.split_at_mut(64);
        simd.partial_store_f32s(&mut firsts[..S::F32_LANES], first);
        simd.partial_store_f32s(&mut seconds[..S::F32_LANES], second);
        for &x in lanes.iter().chain(rest) {
            if x > largest[0] {
                largest = [x, largest[0]];
            } else if x > largest[1] {
                largest[1] = x;
            }
        }
        let most = simd.splat_f32s(largest[0]);
        let mut sums = [simd.splat_f32s(0.0); 4];
        let (fours, few) = vectors.as_chunks::<4>();
        for four in fours {
            for (sum, &x) in sums.iter_mut().zip(four) {
                *sum = simd.add_f32s(*sum, exp(simd, simd.sub_f32s(x, most)));
            }
        }
        for (sum, &x) in sums.iter_mut().zip(few) {
            *sum = simd.add_f32s(*sum, exp(simd, simd.sub_f32s(x, most)));
        }
        let mut total = 0.0;
        for sum in sums {
            total += f64::from(simd.reduce_sum_f32s(sum));
        }
        let rest = rest.iter().map(|&x| f64::from(x - largest[0]).exp());
        let total = total + rest.sum::<f64>();
        Top {
            argmax: self.0.iter().position(|&x| x == largest[0]).unwrap_or(0),
            largest,
            log_total: f64::from(largest[0]) + total.ln(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_definition_says() {
        for length in [2, 3, 17, 64, 1000] {
            let logits: Vec<f32> = (0..length)
                .map(|at| ((at * 7919) % 997) as f32 / 50.0)
                .collect();
            let mut sorted = logits.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let total: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
            let ours = top(&logits);
            assert_eq!(ours.largest[..], sorted[..2]);
            assert_eq!(logits[ours.argmax], sorted[0]);
            assert!((ours.log_total - total.ln()).abs() < 1e-6, "{length}");
        }
    }

    #[test]
    fn of_equal_ones_the_first_counts_and_the_lead_is_nothing() {
        let mut logits = vec![0.0; 100];
        logits[90] = 3.0;
        logits[33] = 3.0;
        let ours = top(&logits);
        assert_eq!((ours.argmax, ours.largest), (33, [3.0, 3.0]));
        assert_eq!(top(&[5.0]).largest, [5.0, f32::NEG_INFINITY]);
    }

    #[test]
    fn what_is_no_number_is_not_hidden() {
        for at in [0, 40, 99] {
            for bad in [f32::NAN, f32::INFINITY] {
                let mut logits = vec![1.0; 100];
                logits[at] = bad;
                assert!(!top(&logits).log_total.is_finite(), "{bad} at {at}");
            }
        }
    }
}
