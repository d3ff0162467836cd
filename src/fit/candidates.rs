//! The chains that are tried at a depth.

use std::collections::{BTreeMap, BTreeSet};

use rand::{SeedableRng, seq::index};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::moves::{Moved, Way, chain_of, exchanged, extended, moved_of};
use cola_search::chain::{Alpha, Chain, Step};

/// Where a chain comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A block of the unmodified model is skipped or run twice, as RYS does.
    Block,
    /// One of the best chains of the depth before, with further layers skipped or doubled.
    Grown,
    /// One of the best chains of this depth, with one layer exchanged.
    Exchanged,
    /// One of the best chains of this depth, with its repeats damped.
    Damped,
    /// Baseline: the layers of least influence are skipped (ShortGPT, arXiv 2403.03853).
    Influence,
    /// Baseline: the last layers are skipped.
    Last,
    /// Baseline: a block in the middle is run twice.
    Middle,
    /// Baseline: layers at even distances are skipped or doubled.
    Even,
    /// Baseline: layers drawn at random are skipped or doubled.
    Random,
}

impl Origin {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Grown => "grown",
            Self::Exchanged => "exchanged",
            Self::Damped => "damped",
            Self::Influence => "influence",
            Self::Last => "last",
            Self::Middle => "middle",
            Self::Even => "even",
            Self::Random => "random",
        }
    }
}

/// Most chains that are grown from those of the depth before, and as many that exchange a layer.
const GROWN: usize = 24;

/// Chains of a model of `layers` layers, of one depth that is not the model's own.
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a> {
    pub layers: usize,
    pub depth: usize,
    /// Influence of each layer in the unmodified model.
    pub influence: &'a [f64],
    /// The alpha of damped repeats; `None` to try none.
    pub damping: Option<Alpha>,
    pub seed: u64,
}

impl Candidates<'_> {
    /// Whether layers are skipped or doubled at this depth.
    pub fn way(&self) -> Way {
        match self.depth < self.layers {
            true => Way::Skip,
            false => Way::Double,
        }
    }

    /// How many of them are.
    fn count(&self) -> usize {
        self.depth.abs_diff(self.layers)
    }

    /// Every block that can be skipped or run twice, with its first layer.
    pub fn blocks(&self) -> Vec<(usize, Chain)> {
        let size = self.count();
        (0..=self.layers.saturating_sub(size))
            .map(|first| (first, self.block(first)))
            .collect()
    }

    fn block(&self, first: usize) -> Chain {
        let end = first + self.count();
        let layers = match self.way() {
            Way::Skip => (0..first).chain(end..self.layers).collect(),
            Way::Double => (0..end).chain(first..self.layers).collect::<Vec<_>>(),
        };
        let layers: Vec<u16> = layers.into_iter().map(|layer| layer as u16).collect();
        Chain::new(layers)
    }

    /// What people use without a search.
    pub fn baselines(&self) -> Vec<(Origin, Chain)> {
        let (layers, count) = (self.layers, self.count());
        let moved = |moved: Moved| chain_of(layers, self.way(), &moved);
        let even = (0..count).map(|k| (2 * k + 1) * layers / (2 * count));
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ self.depth as u64);
        let mut drawn = index::sample(&mut random, layers, count.min(layers)).into_vec();
        drawn.sort_unstable();
        let mut baselines = vec![
            (Origin::Even, moved(even.collect())),
            (Origin::Random, moved(drawn)),
        ];
        match self.way() {
            Way::Skip => {
                let mut by_influence: Vec<usize> = (0..self.influence.len()).collect();
                by_influence.sort_by(|&a, &b| self.influence[a].total_cmp(&self.influence[b]));
                by_influence.truncate(count);
                if by_influence.len() == count {
                    baselines.insert(0, (Origin::Influence, moved(by_influence)));
                }
                let last = (layers - count..layers).collect();
                baselines.push((Origin::Last, moved(last)));
            }
            Way::Double => baselines.push((Origin::Middle, self.block((layers - count) / 2))),
        }
        baselines
    }

    /// All of the first round, each once, with where it comes from. `parents`: the best chains of the depth before, which is nearer to
    /// the model's own. `worth`: by how much each layer, skipped or doubled alone, is better than none.
    pub fn first(
        &self,
        parents: &[Chain],
        worth: &BTreeMap<usize, f64>,
    ) -> BTreeMap<Chain, Origin> {
        let mut all = BTreeMap::new();
        for (origin, chain) in self.baselines() {
            all.entry(chain).or_insert(origin);
        }
        for (_, chain) in self.blocks() {
            all.entry(chain).or_insert(Origin::Block);
        }
        let grown = parents.iter().flat_map(|parent| {
            let moved = moved_of(self.layers, self.way(), parent);
            let more = parent.len().abs_diff(self.depth);
            moved.into_iter().flat_map(move |moved| {
                extended(self.layers, self.way(), &moved, more, worth, GROWN)
            })
        });
        let grown: BTreeSet<Moved> = grown.collect();
        for moved in grown.iter().take(2 * GROWN) {
            let chain = chain_of(self.layers, self.way(), moved);
            all.entry(chain).or_insert(Origin::Grown);
        }
        all
    }

    /// The finalists of the first round, the same damped, and chains that exchange a layer of them.
    pub fn second(&self, finalists: &[Chain], worth: &BTreeMap<usize, f64>) -> Vec<Chain> {
        let mut all: BTreeSet<Chain> = BTreeSet::new();
        for chain in finalists {
            let Some(moved) = moved_of(self.layers, self.way(), chain) else {
                continue;
            };
            let others = exchanged(self.layers, self.way(), &moved, worth, GROWN);
            all.extend(
                others
                    .iter()
                    .map(|moved| chain_of(self.layers, self.way(), moved)),
            );
        }
        let mut chains = finalists.to_vec();
        if let Some(alpha) = self.damping.filter(|_| self.way() == Way::Double) {
            chains.extend(finalists.iter().map(|chain| damped(chain, alpha)));
        }
        chains.extend(
            all.into_iter()
                .filter(|chain| !finalists.contains(chain))
                .take(2 * GROWN),
        );
        chains
    }
}

/// The chain whose second and later visits of a layer are damped.
fn damped(chain: &Chain, alpha: Alpha) -> Chain {
    let mut seen = BTreeSet::new();
    Chain::from_steps(chain.steps().map(|step| match seen.insert(step.layer) {
        true => step,
        false => Step { alpha, ..step },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(depth: usize) -> Candidates<'static> {
        Candidates {
            layers: 6,
            depth,
            influence: &[0.9, 0.1, 0.3, 0.2, 0.4, 0.8],
            damping: None,
            seed: 1,
        }
    }

    fn texts(chains: impl IntoIterator<Item = Chain>) -> Vec<String> {
        chains.into_iter().map(|chain| chain.to_string()).collect()
    }

    #[test]
    fn baselines_are_what_their_names_say() {
        let of = |depth: usize| -> BTreeMap<Origin, String> {
            let baselines = candidates(depth).baselines().into_iter();
            baselines
                .map(|(origin, chain)| (origin, chain.to_string()))
                .collect()
        };
        let short = of(4);
        assert_eq!(short[&Origin::Influence], "0,2,4-5");
        assert_eq!(short[&Origin::Last], "0-3");
        assert_eq!(short[&Origin::Even], "0,2-3,5");
        let long = of(8);
        assert_eq!(long[&Origin::Middle], "0-1,(2-3)x2,4-5");
        assert_eq!(long[&Origin::Even], "0,(1)x2,2-3,(4)x2,5");
        for (depth, all) in [(4, short), (8, long)] {
            for chain in all.values() {
                assert_eq!(Chain::parse(chain, 6).unwrap().len(), depth);
            }
        }
    }

    #[test]
    fn all_candidates_have_the_depth_and_blocks_are_all_there() {
        let worth = BTreeMap::from([(1, 0.3), (4, -2.0)]);
        for (depth, parent) in [
            (5, "0-5"),
            (4, "0,2-5"),
            (3, "0,2-5"),
            (7, "0-5"),
            (9, "0,(1)x2,2-5"),
        ] {
            let parents = [parent.parse().unwrap()];
            let first = candidates(depth).first(&parents, &worth);
            assert!(first.keys().all(|chain| chain.len() == depth));
            let blocks = candidates(depth).blocks();
            assert_eq!(blocks.len(), 7 - depth.abs_diff(6));
            assert!(blocks.iter().all(|(_, chain)| first.contains_key(chain)));
            let moved = moved_of(6, candidates(depth).way(), &parents[0]).unwrap();
            let more = parents[0].len().abs_diff(depth);
            for moved in extended(6, candidates(depth).way(), &moved, more, &worth, GROWN) {
                let chain = chain_of(6, candidates(depth).way(), &moved);
                assert!(first.contains_key(&chain));
            }
            let finalists: Vec<Chain> = first.keys().take(3).cloned().collect();
            let second = candidates(depth).second(&finalists, &worth);
            assert_eq!(second[..3], finalists);
            assert!(second.iter().all(|chain| chain.len() == depth));
            let different: BTreeSet<&Chain> = second.iter().collect();
            assert_eq!(different.len(), second.len());
        }
        let finalists = [Chain::parse("0,(1)x2,2-5", 6).unwrap()];
        let with_damping = Candidates {
            damping: Some("0.5".parse().unwrap()),
            ..candidates(7)
        };
        let second = with_damping.second(&finalists, &worth);
        assert_eq!(second[1], Chain::parse("0,(1)x2@0.5,2-5", 6).unwrap());
        assert!(!candidates(7).second(&finalists, &worth)[1].is_damped());
        assert_eq!(
            texts(candidates(4).blocks().into_iter().map(|(_, c)| c))[1],
            "0,3-5"
        );
    }
}
