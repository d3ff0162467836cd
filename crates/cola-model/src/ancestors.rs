//! Which nodes of a token tree each node sees: its ancestors and itself.

/// The ancestors of every node, parents before children. A prompt takes a few bytes a node, and a branch as many words as it has
/// nodes for each of them: no `[T, T]` mask is made, whose size would be the square of a prompt's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ancestors {
    /// Of each node: it sees the first so many of all nodes,
    first: Vec<u32>,
    /// and of `others` those up to this index from that of the node before.
    ends: Vec<u32>,
    /// Further nodes seen, ascending for each node, itself the last.
    others: Vec<u32>,
}

impl Ancestors {
    /// A sequence of so many nodes: each sees those before it.
    pub fn causal(nodes: usize) -> Self {
        Self {
            first: (1..=nodes as u32).collect(),
            ends: vec![0; nodes],
            others: Vec::new(),
        }
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.first.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Appends a node below `parent`; `None`: a root.
    ///
    /// # Panics
    /// There is no such parent.
    pub fn push(&mut self, parent: Option<usize>) {
        let node = self.len() as u32;
        let (first, others) = match parent {
            Some(parent) => (self.first[parent], self.others_of(parent).to_vec()),
            None => (0, Vec::new()),
        };
        if first == node {
            self.first.push(node + 1);
        } else {
            self.first.push(first);
            self.others.extend(others);
            self.others.push(node);
        }
        self.ends.push(self.others.len() as u32);
    }

    fn others_of(&self, node: usize) -> &[u32] {
        let start = match node.checked_sub(1) {
            Some(before) => self.ends[before],
            None => 0,
        };
        &self.others[start as usize..self.ends[node] as usize]
    }

    /// The nodes that a node sees, ascending.
    ///
    /// # Panics
    /// There is no such node.
    pub fn of(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let others = self.others_of(node).iter().map(|&other| other as usize);
        (0..self.first[node] as usize).chain(others)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sequence_sees_what_is_before_it_and_branches_see_their_own() {
        let mut tree = Ancestors::causal(2);
        for parent in [Some(1), Some(1), Some(3), None, Some(2)] {
            tree.push(parent);
        }
        let seen = |node| tree.of(node).collect::<Vec<_>>();
        assert_eq!(seen(1), [0, 1]);
        assert_eq!(seen(2), [0, 1, 2]);
        assert_eq!(seen(3), [0, 1, 3]);
        assert_eq!(seen(4), [0, 1, 3, 4]);
        assert_eq!(seen(5), [5]);
        assert_eq!(seen(6), [0, 1, 2, 6]);
        assert_eq!((tree.len(), tree.is_empty()), (7, false));
    }

    proptest! {
        #[test]
        fn every_node_sees_its_chain_of_parents(
            trunk in 0usize..6,
            parents in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let mut tree = Ancestors::causal(trunk);
            let mut parent_of: Vec<Option<usize>> = (0..trunk).map(|n: usize| n.checked_sub(1)).collect();
            for index in parents {
                // One in so many is a root.
                let parent = index.index(parent_of.len() + 1).checked_sub(1);
                tree.push(parent);
                parent_of.push(parent);
            }
            for node in 0..parent_of.len() {
                let mut expected = vec![node];
                while let Some(parent) = parent_of[*expected.last().unwrap()] {
                    expected.push(parent);
                }
                expected.reverse();
                prop_assert_eq!(tree.of(node).collect::<Vec<_>>(), expected);
            }
        }
    }
}
