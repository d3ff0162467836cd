//! Draft trees: continuations other chains produced, run together with the prompt.
//!
//! ```text
//!                      ┌ 4 ─ 2 ─ .        a chain's pass over prompt and drafts gives the most
//! prompt ─ = ─ SPACE ──┤                  likely token after every node: walking them from the end
//!                      └ 1 ─ 7 ─ 5 ─ .    of the prompt is greedy decoding, token for token, for
//!                                         as long as it stays in the tree
//! ```
//!
//! Where the walk leaves the tree, decoding goes on token by token, and what it writes may join the
//! tree for the chains to come. The drafts decide what is run in advance, never what comes out
//! (speculative decoding with a tree, as in SpecInfer, arXiv 2305.09781, the drafts being outputs of
//! other chains).

use std::collections::BTreeMap;

use super::tree::Tree;

/// Most nodes that drafts add to a row.
const MOST_NODES: usize = 64;
/// A token joins when so many chains have written it after the same beginning: what only one chain
/// ever writes would cost every later pass and save nothing. The first continuation joins at once.
const USEFUL: u32 = 2;

/// What chains wrote after the prompt of one row, and how often.
#[derive(Debug, Default)]
pub struct Written {
    nodes: Vec<Node>,
    drafted: usize,
    continuations: u32,
}

/// A token some chain wrote, after the tokens on the way to it.
#[derive(Debug, Default)]
struct Node {
    children: BTreeMap<u32, usize>,
    chains: u32,
}

impl Written {
    /// Counts a continuation, and returns the tree with what became useful by it: `None` where
    /// nothing did. `end` is the prompt's last node. Nodes at `limit` or deeper stay out.
    pub fn add(
        &mut self,
        continuation: &[u32],
        tree: &Tree,
        end: usize,
        limit: i64,
    ) -> Option<Tree> {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        self.continuations += 1;
        let needed = if self.continuations == 1 { 1 } else { USEFUL };
        let mut new: Vec<(Option<usize>, u32)> = Vec::new();
        let (mut written, mut place) = (0, Some(end));
        for (depth, &token) in (tree.positions()[end] + 1..).zip(continuation) {
            let fresh = self.nodes.len();
            let next = *self.nodes[written].children.entry(token).or_insert(fresh);
            if next == fresh {
                self.nodes.push(Node::default());
            }
            written = next;
            self.nodes[written].chains += 1;
            place = place.and_then(|parent| {
                if let Some(known) = tree.child(Some(parent), token) {
                    return Some(known);
                }
                let useful = self.nodes[written].chains >= needed && depth < limit;
                if !useful || self.drafted >= MOST_NODES {
                    return None;
                }
                self.drafted += 1;
                new.push((Some(parent), token));
                Some(tree.len() + new.len() - 1)
            });
        }
        (!new.is_empty()).then(|| tree.grown(&new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: i64 = i64::MAX;

    #[test]
    fn the_first_continuation_joins_and_later_ones_when_written_twice() {
        let (mut written, tree) = (Written::default(), Tree::new(&[1, 2]));
        let tree = written.add(&[5, 6], &tree, 1, LIMIT).unwrap();
        assert_eq!(tree.tokens(), [1, 2, 5, 6]);
        assert!(written.add(&[5, 7, 8], &tree, 1, LIMIT).is_none());
        let tree = written.add(&[5, 7, 9], &tree, 1, LIMIT).unwrap();
        assert_eq!(tree.tokens(), [1, 2, 5, 6, 7]);
        let tree = written.add(&[5, 7, 9], &tree, 1, LIMIT).unwrap();
        assert_eq!(tree.tokens(), [1, 2, 5, 6, 7, 9]);
        assert_eq!(tree.positions(), [0, 1, 2, 3, 3, 4]);
    }

    #[test]
    fn branches_the_row_has_already_are_not_drafted_again() {
        let tree = Tree::new(&[1]).grown(&[(Some(0), 5)]);
        let grown = Written::default().add(&[5, 6], &tree, 0, LIMIT).unwrap();
        assert_eq!(grown.tokens(), [1, 5, 6]);
    }

    #[test]
    fn no_tree_grows_past_its_bound_or_deeper_than_its_limit() {
        let long: Vec<u32> = (0..500).collect();
        let tree = Tree::new(&[1]);
        let grown = Written::default().add(&long, &tree, 0, LIMIT).unwrap();
        assert_eq!(grown.len(), 1 + MOST_NODES);
        let shallow = Written::default().add(&long, &tree, 0, 4).unwrap();
        assert_eq!(shallow.positions(), [0, 1, 2, 3]);
    }
}
