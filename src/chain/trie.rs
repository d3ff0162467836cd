//! The trie of prefixes of a set of chains: what a perfect cache would compute.

use std::collections::BTreeMap;

use super::{Chain, Layer};

/// Prefixes of all chains inserted so far. Its size is the least number of layer steps that
/// evaluates those chains on one row.
#[derive(Debug, Default)]
pub struct PrefixTrie {
    /// `(node, layer) -> child`; node 0 is the empty prefix.
    children: BTreeMap<(usize, Layer), usize>,
}

impl PrefixTrie {
    /// Adds a chain; returns how many of its prefixes were new.
    pub fn insert(&mut self, chain: &Chain) -> usize {
        let before = self.steps();
        let mut node = 0;
        for &layer in chain.layers() {
            let fresh = self.children.len() + 1;
            node = *self.children.entry((node, layer)).or_insert(fresh);
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

    proptest! {
        #[test]
        fn steps_equal_the_number_of_distinct_prefixes(
            chains in prop::collection::vec(prop::collection::vec(0u16..4, 0..8), 0..12)
        ) {
            let mut trie = PrefixTrie::default();
            let mut prefixes = BTreeSet::new();
            for layers in &chains {
                trie.insert(&Chain::new(layers.clone()));
                prefixes.extend((1..=layers.len()).map(|p| layers[..p].to_vec()));
            }
            prop_assert_eq!(trie.steps(), prefixes.len());
        }
    }
}
