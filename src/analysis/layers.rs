//! How often chains use each layer, and in which order.

use std::collections::BTreeMap;

use super::statistics::entropy_bits;
use cola_search::chain::{Chain, Layer};

/// How a set of chains uses one layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerUse {
    /// Share of the chains that never run the layer.
    pub skip_rate: f64,
    /// Mean uses a chain.
    pub mean_uses: f64,
    /// Mean uses beyond the first a chain.
    pub mean_repeats: f64,
    /// Share of all layer applications of all chains.
    pub share: f64,
}

/// How a set of chains uses the layers of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct StackUse {
    /// Number of chains; at least one.
    pub chains: usize,
    /// One entry a layer.
    pub layers: Vec<LayerUse>,
    /// Entropy in bits of the distribution of layer applications over layers: `log2(L)` when all
    /// are used alike. `None` where no layer runs at all.
    pub entropy_bits: Option<f64>,
}

impl StackUse {
    /// Counts the uses of a model's `layers` layers; `None` of no chains.
    pub fn of<'a>(chains: impl IntoIterator<Item = &'a Chain>, layers: usize) -> Option<Self> {
        let (mut count, mut skips) = (0_usize, vec![0_u64; layers]);
        let (mut uses, mut repeats) = (vec![0_u64; layers], vec![0_u64; layers]);
        for chain in chains {
            count += 1;
            for (layer, times) in chain.uses(layers).into_iter().enumerate() {
                skips[layer] += u64::from(times == 0);
                uses[layer] += u64::from(times);
                repeats[layer] += u64::from(times.saturating_sub(1));
            }
        }
        if count == 0 {
            return None;
        }
        // A set of empty chains uses nothing: shares are 0 of 1, not 0 of 0.
        let all = uses.iter().sum::<u64>().max(1) as f64;
        let chains = count as f64;
        let layer_use = |layer: usize| LayerUse {
            skip_rate: skips[layer] as f64 / chains,
            mean_uses: uses[layer] as f64 / chains,
            mean_repeats: repeats[layer] as f64 / chains,
            share: uses[layer] as f64 / all,
        };
        Some(Self {
            chains: count,
            layers: (0..layers).map(layer_use).collect(),
            entropy_bits: entropy_bits(&uses),
        })
    }
}

/// How often layer `b` runs right after layer `a`, by `(a, b)`.
pub fn follow_counts<'a>(
    chains: impl IntoIterator<Item = &'a Chain>,
) -> BTreeMap<(Layer, Layer), usize> {
    let mut counts = BTreeMap::new();
    for chain in chains {
        for pair in chain.layers().windows(2) {
            *counts.entry((pair[0], pair[1])).or_insert(0) += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chains(texts: &[&str]) -> Vec<Chain> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn uses_equal_those_counted_by_hand() {
        // layer 0: used 1 and 1; layer 1: 0 and 3; layer 2: 1 and 0
        let stack = StackUse::of(&chains(&["0,2", "0,(1)x3"]), 3).unwrap();
        assert_eq!(stack.chains, 2);
        let of = |skip_rate, mean_uses, mean_repeats, share| LayerUse {
            skip_rate,
            mean_uses,
            mean_repeats,
            share,
        };
        let by_hand = [
            of(0.0, 1.0, 0.0, 2.0 / 6.0),
            of(0.5, 1.5, 1.0, 3.0 / 6.0),
            of(0.5, 0.5, 0.0, 1.0 / 6.0),
        ];
        assert_eq!(stack.layers, by_hand);
    }

    #[test]
    fn the_unmodified_model_has_the_highest_entropy() {
        let stack = StackUse::of(&chains(&["0-7"]), 8).unwrap();
        assert_eq!(stack.entropy_bits, Some(3.0));
    }

    #[test]
    fn no_chains_and_empty_chains_divide_by_nothing() {
        assert_eq!(StackUse::of(&[], 3), None);
        let stack = StackUse::of(&chains(&["empty"]), 1).unwrap();
        assert_eq!(stack.layers[0].share, 0.0);
        assert_eq!(stack.entropy_bits, None);
    }

    #[test]
    fn followers_are_counted_in_order() {
        let counts = follow_counts(&chains(&["0-2", "0,1,1", "3"]));
        let by_hand = [((0, 1), 2), ((1, 1), 1), ((1, 2), 1)];
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), by_hand);
    }
}
