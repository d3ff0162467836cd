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
/// A token joins the draft tree when at least one in `ONE_IN` chains, and at least [`LEAST`], have
/// generated it after the same tokens. A draft node is run by every chain, except where chains share
/// a prefix. A token that is not drafted is run only by the chain that decodes it, but at several
/// times the cost of a draft node where batches are small: it takes a pass of its own.
const ONE_IN: u32 = 4;
/// Fewest chains that wrote a draft. Chains of a real LLM mostly write texts of their own: drafts of
/// what one chain wrote were accepted once in 23 (SmolLM2 on SVAMP), of what two wrote once in 3.
const LEAST: u32 = 2;
/// Draft nodes after which what is accepted of them is believed.
const TRIAL: u64 = 256;

/// How many draft nodes chains were offered, and how many of them they wrote, over all rows. It goes
/// on counting while drafts are not run, so that they may come back.
#[derive(Debug, Default)]
pub struct Acceptance {
    offered: u64,
    accepted: u64,
}

impl Acceptance {
    /// Whether enough is accepted to run drafts: one node in [`ONE_IN`].
    fn pays(&self) -> bool {
        self.offered < TRIAL || self.accepted * u64::from(ONE_IN) >= self.offered
    }
}

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
    /// Whether it is a draft for later chains.
    drafted: bool,
}

impl Written {
    /// Counts a continuation. Returns the tree with all drafts, or `None` if it has them already, or
    /// if drafts do not [pay](Acceptance::pays). `end` is the prompt's last node. Nodes at depth
    /// `limit` or deeper are not added.
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
        acceptance: &mut Acceptance,
    ) -> Option<Tree> {
        acceptance.offered += self.drafted as u64;
        acceptance.accepted += self.accepted(continuation);
        self.count(continuation);
        if self.continuations < 2 || !self.continuations.is_power_of_two() {
            return None;
        }
        let mut new: Vec<(Option<usize>, u32)> = Vec::new();
        // Trie node, its node in the tree, and the depth of its children; shallow nodes first.
        let mut ready = VecDeque::from([(0, end, tree.positions()[end] + 1)]);
        while let Some((written, place, depth)) = ready.pop_front() {
            let children: Vec<(u32, usize)> = (self.nodes[written].children.iter())
                .map(|(&token, &child)| (token, child))
                .collect();
            for (token, child) in children {
                if !self.drafts(child) || depth >= limit {
                    continue;
                }
                let known = tree.child(Some(place), token);
                let place = known.unwrap_or_else(|| {
                    new.push((Some(place), token));
                    tree.len() + new.len() - 1
                });
                ready.push_back((child, place, depth + 1));
            }
        }
        (acceptance.pays() && !new.is_empty()).then(|| tree.grown(&new))
    }

    /// Whether a node is a draft, which it becomes when enough chains wrote it.
    fn drafts(&mut self, node: usize) -> bool {
        let enough = self.nodes[node].chains >= LEAST
            && self.nodes[node].chains * ONE_IN >= self.continuations;
        let node = &mut self.nodes[node];
        if !node.drafted && enough && self.drafted < MOST_NODES {
            node.drafted = true;
            self.drafted += 1;
        }
        node.drafted
    }

    /// How many tokens of a continuation, first to last, are drafts.
    fn accepted(&self, continuation: &[u32]) -> u64 {
        let (mut at, mut accepted) = (0, 0);
        for token in continuation {
            let next = self.nodes.get(at).and_then(|node| node.children.get(token));
            match next {
                Some(&next) if self.nodes[next].drafted => at = next,
                _ => break,
            }
            accepted += 1;
        }
        accepted
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

    /// Adds a continuation after node `end`, whatever is accepted.
    fn add(written: &mut Written, continuation: &[u32], tree: &Tree, end: usize) -> Option<Tree> {
        written.add(continuation, tree, end, LIMIT, &mut Acceptance::default())
    }

    #[test]
    fn what_two_chains_and_a_quarter_of_all_wrote_joins_at_every_doubling() {
        let (mut written, tree) = (Written::default(), Tree::new(&[1, 2]));
        let mut add = |continuation: &[u32], tree: &Tree| add(&mut written, continuation, tree, 1);
        assert!(add(&[5, 6], &tree).is_none(), "one alone says nothing");
        let tree = add(&[5, 7], &tree).unwrap();
        assert_eq!(tree.tokens(), [1, 2, 5]);
        assert_eq!(tree.positions(), [0, 1, 2]);
        assert!(add(&[5, 7], &tree).is_none());
        let tree = add(&[8, 9], &tree).unwrap();
        assert_eq!(tree.tokens(), [1, 2, 5, 7]);
        for _ in 4..7 {
            assert!(add(&[3], &tree).is_none());
        }
        // After eight continuations 3 was written four times, the 4 after it once.
        let tree = add(&[3, 4], &tree).unwrap();
        assert_eq!(tree.tokens()[4..], [3]);
    }

    #[test]
    fn branches_the_row_has_already_are_not_drafted_again() {
        let tree = Tree::new(&[1]).grown(&[(Some(0), 5)]);
        let mut written = Written::default();
        add(&mut written, &[5, 6], &tree, 0);
        let grown = add(&mut written, &[5, 6], &tree, 0).unwrap();
        assert_eq!(grown.tokens(), [1, 5, 6]);
    }

    #[test]
    fn no_tree_grows_past_its_bound_or_deeper_than_its_limit() {
        let long: Vec<u32> = (0..500).collect();
        let tree = Tree::new(&[1]);
        let twice = |limit| {
            let (mut written, mut acceptance) = (Written::default(), Acceptance::default());
            written.add(&long, &tree, 0, limit, &mut acceptance);
            written
                .add(&long, &tree, 0, limit, &mut acceptance)
                .unwrap()
        };
        assert_eq!(twice(LIMIT).len(), 1 + MOST_NODES);
        assert_eq!(twice(4).positions(), [0, 1, 2, 3]);
    }

    #[test]
    fn drafts_that_nobody_accepts_are_given_up_and_come_back_when_they_are() {
        let tree = Tree::new(&[1]);
        let mut acceptance = Acceptance::default();
        // Of rows whose first two chains agree on 40 tokens, and the later ones on none.
        let mut row = |later: &dyn Fn(u32) -> Vec<u32>| {
            let mut written = Written::default();
            let first: Vec<u32> = (0..40).collect();
            let mut grown = None;
            for chain in 0..8 {
                let continuation = match chain {
                    0 | 1 => first.clone(),
                    _ => later(chain),
                };
                let tree = written.add(&continuation, &tree, 0, LIMIT, &mut acceptance);
                grown = grown.or(tree);
            }
            grown.is_some()
        };
        let other = |chain: u32| vec![100 + chain];
        assert!(row(&other), "nothing is known yet");
        assert!(row(&other), "240 nodes are not enough to know");
        assert!(!row(&other), "480 nodes, of which none was written");
        assert!(!row(&other));
        let same = |_| (0..40).collect::<Vec<u32>>();
        let came_back = (0..10).position(|_| row(&same));
        assert_eq!(came_back, Some(1));
        assert!(row(&same));
    }
}
