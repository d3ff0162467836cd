//! Draft trees: continuations other chains produced, run together with the prompt.
//!
//! ```text
//!                      ┌ 4 ─ 2 ─ .        a chain's pass over prompt and drafts gives the most
//! prompt ─ = ─ SPACE ──┤                  likely token after every node: walking them from the end
//!                      └ 1 ─ 7 ─ 5 ─ .    of the prompt is greedy decoding, token for token, for
//!                                         as long as it stays in the tree
//! ```
//!
//! Where the walk leaves the tree, decoding goes on token by token, and the continuation may join
//! the tree as a draft for later chains. The drafts decide which tokens are run in advance, never
//! which tokens are produced (speculative decoding with a tree, as in SpecInfer, arXiv 2305.09781,
//! the drafts being outputs of other chains).

use std::collections::{BTreeMap, VecDeque};

use super::tree::Tree;

/// Most nodes that drafts add to a row.
const MOST_NODES: usize = 128;
/// A token joins the draft tree when at least one in `ONE_IN` chains has generated it after the
/// same tokens. A draft node is run by every chain, except where chains share a prefix. A token
/// that is not drafted is run only by the chain that decodes it, but at several times the cost of a
/// draft node: it takes a pass of its own, through small matrix products.
const ONE_IN: u32 = 4;

/// The continuations that chains generated after the prompt of one row, as a trie that counts the
/// chains at each node.
#[derive(Debug, Default)]
pub struct Written {
    nodes: Vec<Node>,
    drafted: usize,
    continuations: u32,
}

/// A generated token, at the end of the tokens on the path from the trie's root.
#[derive(Debug, Default)]
struct Node {
    children: BTreeMap<u32, usize>,
    chains: u32,
}

impl Written {
    /// Counts a continuation. Returns the tree grown by the nodes that [`ONE_IN`] now admits, or
    /// `None` if there are none. `end` is the prompt's last node. Nodes at depth `limit` or deeper
    /// are not added.
    ///
    /// A tree grows at the second, fourth, eighth, ... continuation only. Each cached state of the
    /// smaller tree must be extended by the new nodes when a chain next uses it, and such small
    /// steps should be rare.
    pub fn add(
        &mut self,
        continuation: &[u32],
        tree: &Tree,
        end: usize,
        limit: i64,
    ) -> Option<Tree> {
        self.count(continuation);
        if self.continuations < 2 || !self.continuations.is_power_of_two() {
            return None;
        }
        let mut new: Vec<(Option<usize>, u32)> = Vec::new();
        // Trie node, its node in the tree, and the depth of its children; shallow nodes first.
        let mut ready = VecDeque::from([(0, end, tree.positions()[end] + 1)]);
        while let Some((written, place, depth)) = ready.pop_front() {
            for (&token, &child) in &self.nodes[written].children {
                if self.nodes[child].chains * ONE_IN < self.continuations || depth >= limit {
                    continue;
                }
                let known = tree.child(Some(place), token);
                if known.is_none() && self.drafted == MOST_NODES {
                    continue;
                }
                let place = known.unwrap_or_else(|| {
                    self.drafted += 1;
                    new.push((Some(place), token));
                    tree.len() + new.len() - 1
                });
                ready.push_back((child, place, depth + 1));
            }
        }
        (!new.is_empty()).then(|| tree.grown(&new))
    }

    fn count(&mut self, continuation: &[u32]) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        self.continuations += 1;
        let mut at = 0;
        for &token in continuation {
            let fresh = self.nodes.len();
            let next = *self.nodes[at].children.entry(token).or_insert(fresh);
            if next == fresh {
                self.nodes.push(Node::default());
            }
            self.nodes[next].chains += 1;
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: i64 = i64::MAX;

    #[test]
    fn what_a_quarter_of_the_chains_wrote_joins_at_every_doubling() {
        let (mut written, tree) = (Written::default(), Tree::new(&[1, 2]));
        let mut add = |continuation: &[u32], tree: &Tree| written.add(continuation, tree, 1, LIMIT);
        assert!(add(&[5, 6], &tree).is_none(), "one alone says nothing");
        let tree = add(&[5, 7], &tree).unwrap();
        assert_eq!(tree.tokens(), [1, 2, 5, 6, 7]);
        assert_eq!(tree.positions(), [0, 1, 2, 3, 3]);
        assert!(add(&[8], &tree).is_none());
        let tree = add(&[8, 9], &tree).unwrap();
        assert_eq!(tree.tokens(), [1, 2, 5, 6, 7, 8, 9]);
        for _ in 4..7 {
            assert!(add(&[3], &tree).is_none());
        }
        // After eight continuations a token needs two: 3 was written four times, the 4 after it
        // once.
        let tree = add(&[3, 4], &tree).unwrap();
        assert_eq!(tree.tokens()[7..], [3]);
    }

    #[test]
    fn branches_the_row_has_already_are_not_drafted_again() {
        let tree = Tree::new(&[1]).grown(&[(Some(0), 5)]);
        let mut written = Written::default();
        written.add(&[5, 6], &tree, 0, LIMIT);
        let grown = written.add(&[5, 6], &tree, 0, LIMIT).unwrap();
        assert_eq!(grown.tokens(), [1, 5, 6]);
    }

    #[test]
    fn no_tree_grows_past_its_bound_or_deeper_than_its_limit() {
        let long: Vec<u32> = (0..500).collect();
        let tree = Tree::new(&[1]);
        let twice = |limit| {
            let mut written = Written::default();
            written.add(&long, &tree, 0, limit);
            written.add(&long, &tree, 0, limit).unwrap()
        };
        assert_eq!(twice(LIMIT).len(), 1 + MOST_NODES);
        assert_eq!(twice(4).positions(), [0, 1, 2, 3]);
    }
}
