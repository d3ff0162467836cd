//! Statistics that show whether a search explored a tree.

use serde::{Deserialize, Serialize};

/// Fewest evaluated chains for which the shape of the tree is diagnosed.
const ENOUGH_CHAINS: usize = 10;

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
    /// Share of the root's legal edits that were evaluated.
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

    /// Fills in [`degenerate`](Self::degenerate): a tree is degenerate if it has no chain below the root's
    /// children, or if it is almost a single line.
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
        } else {
            None
        };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(distinct_chains: usize, max_depth: usize) -> Option<String> {
        let health = Health {
            simulations: 200,
            distinct_chains,
            re_asked: 0,
            max_depth,
            mean_depth: 1.0,
            root_coverage: 0.5,
            tree_policy_share: 1.0,
            exhausted: false,
            degenerate: None,
        };
        health.diagnose().degenerate
    }

    #[test]
    fn the_two_published_failures_are_named() {
        assert_eq!(
            tree(200, 1).unwrap(),
            "depth 1 only: 200 chains, none edited twice"
        );
        assert_eq!(tree(45, 40).unwrap(), "a single line: 45 chains, 40 deep");
        assert_eq!(tree(180, 6), None);
        assert_eq!(tree(3, 1), None, "too early to say");
    }
}
