//! Summary of a node's logits, in two passes over each block of them.

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

/// A [`Top`] in the making: of the blocks of one node's logits that were [added](Self::add), first
/// to last. The blocks are summed one by one, so that where they begin and end is part of the result.
#[derive(Debug, Clone)]
pub struct Summary {
    argmax: usize,
    largest: [f32; 2],
    seen: usize,
    /// Of each block the largest logit, and the sum of `e^(logit - largest)`.
    sums: Vec<(f32, f64)>,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            argmax: 0,
            largest: [f32::NEG_INFINITY; 2],
            seen: 0,
            sums: Vec::new(),
        }
    }
}

impl Summary {
    /// Takes in the next logits of the node.
    pub fn add(&mut self, logits: &[f32]) {
        let block = Arch::new().dispatch(Read(logits));
        if block.largest[0] > self.largest[0] {
            let place = logits.iter().position(|&x| x == block.largest[0]);
            self.argmax = self.seen + place.unwrap_or(0);
            self.largest = [block.largest[0], self.largest[0].max(block.largest[1])];
        } else {
            self.largest[1] = self.largest[1].max(block.largest[0]);
        }
        self.seen += logits.len();
        self.sums.push((block.largest[0], block.total));
    }

    /// The summary of all blocks.
    pub fn finish(&self) -> Top {
        let blocks = self.sums.iter();
        let most = blocks.clone().fold(f32::NEG_INFINITY, |m, b| m.max(b.0));
        let powers = blocks.map(|&(largest, total)| total * f64::from(largest - most).exp());
        Top {
            argmax: self.argmax,
            largest: self.largest,
            log_total: f64::from(most) + powers.sum::<f64>().ln(),
        }
    }
}

/// Summary of one block.
struct Block {
    largest: [f32; 2],
    /// Sum of `e^(logit - largest)`.
    total: f64,
}

struct Read<'a>(&'a [f32]);

impl WithSimd for Read<'_> {
    type Output = Block;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Block {
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
        Block {
            largest,
            total: total + rest.sum::<f64>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The summary of logits that come in blocks of `width`.
    fn in_blocks(logits: &[f32], width: usize) -> Top {
        let mut summary = Summary::default();
        logits.chunks(width).for_each(|block| summary.add(block));
        summary.finish()
    }

    fn top(logits: &[f32]) -> Top {
        in_blocks(logits, logits.len())
    }

    #[test]
    fn it_is_what_the_definition_says() {
        for length in [2, 3, 17, 64, 1000] {
            let logits: Vec<f32> = (0..length)
                .map(|at| ((at * 7919) % 997) as f32 / 50.0)
                .collect();
            let mut sorted = logits.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let total: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
            for width in [1, 7, 16, 64, 333, 1000] {
                let ours = in_blocks(&logits, width);
                assert_eq!(ours.largest[..], sorted[..2], "{length} by {width}");
                assert_eq!(ours.argmax, top(&logits).argmax);
                assert_eq!(logits[ours.argmax], sorted[0]);
                assert!((ours.log_total - total.ln()).abs() < 1e-6, "{length}");
            }
        }
    }

    #[test]
    fn of_equal_ones_the_first_counts_and_the_lead_is_nothing() {
        let mut logits = vec![0.0; 100];
        logits[90] = 3.0;
        logits[33] = 3.0;
        for width in [1, 30, 64, 100] {
            let ours = in_blocks(&logits, width);
            assert_eq!((ours.argmax, ours.largest), (33, [3.0, 3.0]), "{width}");
        }
        assert_eq!(top(&[5.0]).largest, [5.0, f32::NEG_INFINITY]);
    }

    #[test]
    fn what_is_no_number_is_not_hidden() {
        for at in [0, 40, 99] {
            for bad in [f32::NAN, f32::INFINITY] {
                let mut logits = vec![1.0; 100];
                logits[at] = bad;
                for width in [1, 8, 30, 100] {
                    let total = in_blocks(&logits, width).log_total;
                    assert!(!total.is_finite(), "{bad} at {at} by {width}");
                }
            }
        }
    }
}
