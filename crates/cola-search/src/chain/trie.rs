//! The trie of prefixes of a set of chains: what a perfect cache would compute.

use std::collections::BTreeMap;

use super::{Chain, Step};

/// Prefixes of all chains inserted so far. Its size is the least number of layer steps that
/// evaluates those chains on one row.
#[derive(Debug, Default)]
pub struct PrefixTrie {
    /// `(node, step) -> child`; node 0 is the empty prefix.
    children: BTreeMap<(usize, Step), usize>,
}

impl PrefixTrie {
    /// Adds a chain; returns how many of its prefixes were new.
    pub fn insert(&mut self, chain: &Chain) -> usize {
        let before = self.steps();
        let mut node = 0;
        for step in chain.steps() {
            let fresh = self.children.len() + 1;
            node = *self.children.entry((node, step)).or_insert(fresh);
        }
        self.steps() - before
    }

    /// Number of distinct non-empty prefixes.
    pub fn steps(&self) -> usize {
        self.children.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::chain::program;

    proptest! {
        #[test]
        fn steps_equal_the_number_of_distinct_prefixes(
            chains in prop::collection::vec(program::tests::steps(4, 0..8), 0..12)
        ) {
            let mut trie = PrefixTrie::default();
            let mut prefixes = BTreeSet::new();
            for steps in &chains {
                trie.insert(&Chain::from_steps(steps.clone()));
                prefixes.extend((1..=steps.len()).map(|p| steps[..p].to_vec()));
            }
            prop_assert_eq!(trie.steps(), prefixes.len());
        }
    }
}
