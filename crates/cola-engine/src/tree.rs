//! Token trees, and how they grow.

use std::collections::BTreeMap;

use cola_model::Ancestors;

/// Tokens in a tree, parents before children. Attention sees a node's ancestors and itself; a
/// node's position is its depth. A tree only grows at its end, so that results for the nodes of a
/// smaller tree hold for the larger one.
#[derive(Debug, Default)]
pub struct Tree {
    tokens: Vec<u32>,
    positions: Vec<i64>,
    ancestors: Ancestors,
    /// `(parent, token) -> node`, without the nodes of the prompt.
    children: BTreeMap<(Option<usize>, u32), usize>,
}

impl Tree {
    /// The tree of a prompt.
    pub fn new(prompt: &[u32]) -> Self {
        let nodes = prompt.len();
        Self {
            tokens: prompt.to_vec(),
            positions: (0..nodes as i64).collect(),
            ancestors: Ancestors::causal(nodes),
            children: BTreeMap::new(),
        }
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Token of each node.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Depth of each node.
    pub fn positions(&self) -> &[i64] {
        &self.positions
    }

    /// What each node attends to.
    pub fn ancestors(&self) -> &Ancestors {
        &self.ancestors
    }

    /// The node of `token` below `parent` (`None`: a root), if there is one outside the prompt.
    pub fn child(&self, parent: Option<usize>, token: u32) -> Option<usize> {
        self.children.get(&(parent, token)).copied()
    }

    /// This tree with new nodes appended, each given as `(parent, token)`. A parent may be one of
    /// the new nodes.
    pub fn grown(&self, nodes: &[(Option<usize>, u32)]) -> Self {
        let mut tree = Self {
            tokens: self.tokens.clone(),
            positions: self.positions.clone(),
            ancestors: self.ancestors.clone(),
            children: self.children.clone(),
        };
        for (node, &(parent, token)) in (self.len()..).zip(nodes) {
            tree.tokens.push(token);
            tree.children.insert((parent, token), node);
            tree.positions
                .push(parent.map_or(0, |parent| tree.positions[parent] + 1));
            tree.ancestors.push(parent);
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(tree: &Tree, node: usize) -> Vec<usize> {
        tree.ancestors().of(node).collect()
    }

    #[test]
    fn a_grown_tree_is_the_old_one_and_its_new_branches() {
        let tree = Tree::new(&[7, 8]).grown(&[(Some(1), 5), (Some(2), 6)]);
        let grown = tree.grown(&[(Some(1), 9), (Some(4), 5), (None, 3)]);
        assert_eq!(grown.tokens(), [7, 8, 5, 6, 9, 5, 3]);
        assert_eq!(grown.positions(), [0, 1, 2, 3, 2, 3, 0]);
        for node in 0..4 {
            assert_eq!(seen(&grown, node), seen(&tree, node));
        }
        assert_eq!(seen(&grown, 3), [0, 1, 2, 3]);
        assert_eq!(seen(&grown, 5), [0, 1, 4, 5]);
        assert_eq!(seen(&grown, 6), [6]);
        assert_eq!(grown.child(Some(1), 9), Some(4));
        assert_eq!(grown.child(Some(4), 5), Some(5));
        assert_eq!(grown.child(Some(0), 8), None, "a node of the prompt");
    }
}
