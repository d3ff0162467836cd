//! How deep the chains are that answer right.

use std::{collections::BTreeMap, ops::Range};

use super::{
    digest::Digest,
    outcome::{Group, found},
    statistics::{Mean, Proportion, percentile, percentile_of_counts},
};
use cola_search::chain::Chain;

/// The percentiles of depth that the paper reports, and the median.
pub const DEPTH_PERCENTILES: [u32; 5] = [5, 10, 20, 50, 100];

/// Names of the thirds of a stack.
pub const THIRDS: [&str; 3] = ["early", "middle", "late"];

/// Best chains of the samples of one group.
pub fn best_chains(records: &[Digest], group: Group) -> impl Iterator<Item = &Chain> {
    let members = records.iter().filter(move |record| group.holds(record));
    members.filter_map(|record| Some(&found(record)?.chain))
}

/// Depth of the best chains of one group, and of all right chains of its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthUse {
    /// Mean length of the best chains.
    pub depth: Option<Mean>,
    /// Mean number of different layers in the best chains.
    pub unique_layers: Option<Mean>,
    /// Lengths of *all* evaluated right chains of the group's samples, pooled, at
    /// [`DEPTH_PERCENTILES`]; chains the re-check refuted are left out.
    pub right_percentiles: [Option<f64>; DEPTH_PERCENTILES.len()],
    /// Right chains behind the percentiles.
    pub right_chains: usize,
}

impl DepthUse {
    /// Depths of one group of samples.
    pub fn of(records: &[Digest], group: Group) -> Self {
        let mean = |size: fn(&Chain) -> usize| {
            let sizes: Vec<f64> = best_chains(records, group)
                .map(|c| size(c) as f64)
                .collect();
            Mean::of(&sizes)
        };
        let members = records.iter().filter(|record| group.holds(record));
        let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
        for count in members.flat_map(|record| &record.facts.lengths) {
            *lengths.entry(count.length).or_default() += count.right;
        }
        let lengths: Vec<(f64, usize)> = lengths
            .into_iter()
            .map(|(length, chains)| (length as f64, chains))
            .collect();
        Self {
            depth: mean(Chain::len),
            unique_layers: mean(Chain::unique_layers),
            right_percentiles: DEPTH_PERCENTILES
                .map(|p| percentile_of_counts(&lengths, f64::from(p))),
            right_chains: lengths.iter().map(|(_, chains)| chains).sum(),
        }
    }
}

/// Evaluations and right ones, by chain length, over all evaluated chains. What a search chooses
/// to evaluate is not a random sample of the chains of that length.
pub fn accuracy_by_depth(records: &[Digest]) -> BTreeMap<usize, Proportion> {
    let mut by_depth: BTreeMap<usize, Proportion> = BTreeMap::new();
    for count in records.iter().flat_map(|record| &record.facts.lengths) {
        let entry = by_depth.entry(count.length).or_default();
        entry.of += count.evaluated;
        entry.hits += count.correct;
    }
    by_depth
}

/// The layers of the early, middle and late third; the middle takes what does not divide.
pub fn thirds(layers: usize) -> [Range<usize>; 3] {
    let side = layers / 3;
    [0..side, side..layers - side, layers - side..layers]
}

/// Five-number summary and mean, as a box plot draws it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Minimum, lower quartile, median, upper quartile, maximum.
    pub quartiles: [f64; 5],
    /// Mean.
    pub mean: f64,
}

/// Uses of a third's layers in each best chain of a group, a layer (1.0 = as in the unmodified
/// model): how that spreads over samples. `None` of no samples or a third without layers.
pub fn third_use(records: &[Digest], group: Group, third: &Range<usize>) -> Option<Spread> {
    let width = (!third.is_empty()).then_some(third.len())? as f64;
    let uses = |chain: &Chain| {
        let inside = chain
            .layers()
            .iter()
            .filter(|&&l| third.contains(&usize::from(l)));
        inside.count() as f64 / width
    };
    let mut values: Vec<f64> = best_chains(records, group).map(uses).collect();
    values.sort_by(f64::total_cmp);
    let mean = Mean::of(&values)?.value;
    let at = |percent| percentile(&values, percent);
    Some(Spread {
        quartiles: [at(0.0)?, at(25.0)?, at(50.0)?, at(75.0)?, at(100.0)?],
        mean,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{sample, small_run};

    #[test]
    fn depths_equal_those_counted_by_hand() {
        let run = small_run();
        let arith = run.datasets().next().unwrap().1;
        let all = DepthUse::of(arith, Group::Found);
        assert_eq!(all.depth.unwrap().value, 11.0 / 3.0); // 2, 4, 5
        assert_eq!(all.unique_layers.unwrap().value, 10.0 / 3.0); // 2, 4, 4
        // right: sample 0 identity 4, 3, 2; sample 1 identity 4; sample 2 (one refuted) 5
        assert_eq!(all.right_chains, 5);
        assert_eq!(all.right_percentiles[3..], [Some(4.0), Some(5.0)]);
        let right = DepthUse::of(arith, Group::StayedRight);
        assert_eq!(right.depth.unwrap().value, 3.0);
        let fixed = DepthUse::of(arith, Group::TurnedRight);
        assert_eq!((fixed.depth.unwrap().value, fixed.right_chains), (5.0, 1));
    }

    #[test]
    fn a_group_without_samples_has_no_depth() {
        let none = DepthUse::of(&[sample("t", 0).build().into()], Group::Found);
        assert_eq!((none.depth, none.right_percentiles), (None, [None; 5]));
    }

    #[test]
    fn accuracy_counts_every_evaluation_of_a_length_once() {
        let records = [
            sample("t", 0)
                .tried("0-2", true)
                .tried("1-3", false)
                .build(),
            sample("t", 1).baseline(true).failed("broken").build(),
        ];
        let by_depth: Vec<_> = accuracy_by_depth(&records.map(Digest::from))
            .into_iter()
            .collect();
        assert_eq!(
            by_depth,
            [(3, Proportion::new(1, 2)), (4, Proportion::new(0, 1))]
        );
    }

    #[test]
    fn thirds_cover_every_layer_once() {
        assert_eq!(thirds(12), [0..4, 4..8, 8..12]);
        assert_eq!(thirds(28), [0..9, 9..19, 19..28]);
        assert_eq!(thirds(2), [0..0, 0..2, 2..2]);
    }

    #[test]
    fn use_of_a_third_is_a_layer_of_it() {
        let layers =
            |text: &str, index| sample("t", index).layers(6, true).best(text).build().into();
        let records = [layers("0-5", 0), layers("0,(1)x4,4-5", 1), layers("4-5", 2)];
        let early = third_use(&records, Group::Found, &thirds(6)[0]).unwrap();
        assert_eq!(early.quartiles, [0.0, 0.5, 1.0, 1.75, 2.5]);
        assert_eq!(third_use(&records, Group::Found, &(0..0)), None);
    }
}
