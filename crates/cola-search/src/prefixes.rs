//! The layer steps that a set of chains takes when every shared prefix runs once.

use crate::chain::{Chain, Step};

/// A trie of chain prefixes, by [`Step`]: damped and plain steps of one layer differ.
///
/// ```
/// use cola_search::Prefixes;
///
/// let mut prefixes = Prefixes::default();
/// assert_eq!(prefixes.insert(&"0-7".parse()?), 8);
/// assert_eq!(prefixes.insert(&"0-4,6-7".parse()?), 2, "0-4 has run already");
/// assert_eq!(prefixes.new_steps(&"0-4".parse()?), 0);
/// # Ok::<(), cola_search::chain::ChainError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Prefixes {
    /// The first step of some prefix.
    first: Option<usize>,
    nodes: Vec<Node>,
}

/// The last step of a prefix. A prefix is followed by few different steps, so they are a list.
#[derive(Debug, Clone, Copy)]
struct Node {
    step: Step,
    /// A step after it.
    first: Option<usize>,
    /// Another step after the same prefix.
    next: Option<usize>,
}

impl Prefixes {
    /// Number of the chain's layer steps that no inserted chain has as a shared prefix: its length minus
    /// that of the longest prefix it shares with an inserted chain.
    pub fn new_steps(&self, chain: &Chain) -> usize {
        chain.len() - self.shared(chain).0
    }

    /// Inserts a chain, and returns its number of [new steps](Self::new_steps) before that.
    pub fn insert(&mut self, chain: &Chain) -> usize {
        let (shared, mut node) = self.shared(chain);
        for step in chain.steps().skip(shared) {
            let new = self.nodes.len();
            let first = match node {
                Some(node) => &mut self.nodes[node].first,
                None => &mut self.first,
            };
            let next = first.replace(new);
            let first = None;
            self.nodes.push(Node { step, first, next });
            node = Some(new);
        }
        chain.len() - shared
    }

    /// Number of different prefixes of at least one layer: the sum of what [`insert`](Self::insert)
    /// returned, in whatever order the chains were inserted.
    pub fn steps(&self) -> usize {
        self.nodes.len()
    }

    /// Length and node of the longest known prefix; no node of the empty one.
    fn shared(&self, chain: &Chain) -> (usize, Option<usize>) {
        let (mut shared, mut node, mut after) = (0, None, self.first);
        for step in chain.steps() {
            while let Some(at) = after.filter(|&at| self.nodes[at].step != step) {
                after = self.nodes[at].next;
            }
            let Some(at) = after else {
                break;
            };
            (node, after) = (Some(at), self.nodes[at].first);
            shared += 1;
        }
        (shared, node)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::chain::Alpha;

    fn chains() -> impl Strategy<Value = Vec<Chain>> {
        let step = (0..3_u16, prop::bool::weighted(0.2)).prop_map(|(layer, damped)| Step {
            layer,
            alpha: match damped {
                true => Alpha::from_thousandths(500).unwrap(),
                false => Alpha::PLAIN,
            },
        });
        let chain = prop::collection::vec(step, 0..7).prop_map(Chain::from_steps);
        prop::collection::vec(chain, 0..40)
    }

    proptest! {
        #[test]
        fn steps_are_those_of_a_set_of_prefixes(chains in chains()) {
            let mut naive: BTreeSet<Vec<Step>> = BTreeSet::new();
            let mut prefixes = Prefixes::default();
            for chain in &chains {
                let steps: Vec<Step> = chain.steps().collect();
                let all = (1..=steps.len()).map(|len| steps[..len].to_vec());
                let new = all.clone().filter(|prefix| !naive.contains(prefix)).count();
                prop_assert_eq!(prefixes.new_steps(chain), new);
                prop_assert_eq!(prefixes.insert(chain), new);
                prop_assert_eq!(prefixes.new_steps(chain), 0);
                naive.extend(all);
                prop_assert_eq!(prefixes.steps(), naive.len());
            }
        }
    }
}
