//! Statistics that show whether a search explored a tree.

use serde::{Deserialize, Serialize};

use super::SearchParams;
use crate::chain::Chain;

/// Fewest evaluated chains for which the shape of the tree is diagnosed.
const ENOUGH_CHAINS: usize = 10;

/// A tree is deep and narrow if its mean depth is above this number of edits and it tried less than this
/// share of the root's edits.
const DEEP: f64 = 8.0;
const NARROW: f64 = 0.01;

/// Statistics of a search, stored with its sample. Two of the three public implementations degenerate
/// unnoticed; these numbers make it visible.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Simulations so far, including the one of the identity.
    pub simulations: usize,
    /// Different chains whose verdict is known.
    pub distinct_chains: usize,
    /// Simulations that ended on a known chain and cost nothing.
    pub re_asked: usize,
    /// Most edges between the root and an evaluated chain.
    pub max_depth: usize,
    /// Mean number of edges between the root and an evaluated chain.
    pub mean_depth: f64,
    /// Share of the root's legal edits whose chains were evaluated, by whatever path a search found them.
    pub root_coverage: f64,
    /// Share of selections made by the tree policy; the others were random.
    pub tree_policy_share: f64,
    /// Whether every chain in reach was evaluated before the budget was used.
    pub exhausted: bool,
    /// Why this was not a tree search, if it was not; shown prominently in summaries.
    pub degenerate: Option<String>,
}

impl Health {
    /// Statistics of a search without a tree, after verdicts on `chains` different chains.
    pub fn without_tree(chains: usize) -> Self {
        Self {
            simulations: chains,
            distinct_chains: chains,
            re_asked: 0,
            max_depth: 0,
            mean_depth: 0.0,
            root_coverage: 0.0,
            tree_policy_share: 0.0,
            exhausted: false,
            degenerate: None,
        }
    }

    /// The shape of the search in words: `mean depth 10.7, 0.04 % of the unmodified model's edits tried`.
    pub fn shape(&self) -> String {
        format!(
            "mean depth {:.1}, {:.2} % of the unmodified model's edits tried",
            self.mean_depth,
            100.0 * self.root_coverage
        )
    }

    /// Fills in [`degenerate`](Self::degenerate): a tree is degenerate if it has no chain below the root's
    /// children, if it is almost a single line, or if it is deep and narrow.
    pub(super) fn diagnose(mut self) -> Self {
        self.degenerate = if self.exhausted || self.distinct_chains < ENOUGH_CHAINS {
            None
        } else if self.max_depth <= 1 {
            Some(format!(
                "depth 1 only: {} chains, none edited twice",
                self.distinct_chains
            ))
        } else if self.max_depth * 10 >= self.distinct_chains * 7 {
            Some(format!(
                "a single line: {} chains, {} deep",
                self.distinct_chains, self.max_depth
            ))
        } else if self.mean_depth > DEEP && self.root_coverage < NARROW {
            Some(format!("deep and narrow: {}", self.shape()))
        } else {
            None
        };
        self
    }
}

/// Share of the root's legal edits that give an evaluated chain.
pub(super) fn root_coverage(params: &SearchParams, evaluated: impl Fn(&Chain) -> bool) -> f64 {
    let root = Chain::identity(params.layers);
    let edits = params.root_edits.edits(&root);
    let results = edits.iter().filter_map(|edit| edit.apply(&root));
    results.filter(evaluated).count() as f64 / edits.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(distinct_chains: usize, max_depth: usize) -> Health {
        Health {
            max_depth,
            mean_depth: 1.0,
            root_coverage: 0.5,
            tree_policy_share: 1.0,
            ..Health::without_tree(distinct_chains)
        }
    }

    fn diagnosis(health: Health) -> Option<String> {
        health.diagnose().degenerate
    }

    #[test]
    fn the_two_published_failures_are_named() {
        assert_eq!(
            diagnosis(tree(200, 1)).unwrap(),
            "depth 1 only: 200 chains, none edited twice"
        );
        assert_eq!(
            diagnosis(tree(45, 40)).unwrap(),
            "a single line: 45 chains, 40 deep"
        );
        assert_eq!(diagnosis(tree(180, 6)), None);
        assert_eq!(diagnosis(tree(3, 1)), None, "too early to say");
    }

    #[test]
    fn a_deep_and_narrow_tree_is_named() {
        let health = |mean_depth, root_coverage| Health {
            mean_depth,
            root_coverage,
            ..tree(200, 30)
        };
        assert_eq!(
            diagnosis(health(10.7, 0.0004)).unwrap(),
            "deep and narrow: mean depth 10.7, 0.04 % of the unmodified model's edits tried"
        );
        assert_eq!(diagnosis(health(10.7, 0.01)), None, "deep, but not narrow");
        assert_eq!(diagnosis(health(8.0, 0.0004)), None, "narrow, but not deep");
    }

    #[test]
    fn coverage_counts_the_edits_of_the_unmodified_model() {
        let params = SearchParams::preset(crate::Preset::PolarRelease, 28);
        assert_eq!(params.root_edits.count(&Chain::identity(28)), 212);
        let evaluated = [
            "0-27",
            "0-4,6-27",
            "0-4,5-6,5-27",
            "0-4,7-27",
            "0-4,6-12,14-27",
        ];
        let evaluated: Vec<Chain> = evaluated.map(|text| text.parse().unwrap()).into();
        let coverage = root_coverage(&params, |chain| evaluated.contains(chain));
        assert_eq!(coverage, 3.0 / 212.0, "not the identity, and not two edits");
    }
}
