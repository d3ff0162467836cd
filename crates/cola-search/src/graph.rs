//! The search graph, in which every chain found so far is one node.

use std::collections::HashMap;

use petgraph::{
    Direction,
    graph::{DiGraph, NodeIndex},
    visit::EdgeRef,
};

use super::proposals::{Order, Walk};
use crate::chain::{Chain, Edit};

/// State of a chain's evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Not evaluated yet.
    Unasked,
    /// Outstanding: being evaluated.
    Pending,
    /// The verdict is known.
    Told {
        /// Whether the answer was right.
        correct: bool,
        /// The reward of the chain.
        reward: f64,
    },
}

/// A chain of the search graph, with its statistics.
#[derive(Debug)]
pub struct Node {
    /// The chain.
    pub chain: Chain,
    /// State of the chain's evaluation.
    pub verdict: Verdict,
    /// Simulations that passed through or ended here.
    pub visits: u32,
    /// Sum of the rewards of these simulations.
    pub total: f64,
    /// Simulations that pass through and whose verdict is outstanding. They count as visits without reward
    /// (virtual loss), which diverts the next simulation to other nodes.
    pub in_flight: u32,
    /// Number of edges from the root to the chain when it was first found.
    pub depth: u32,
    /// The node from which the chain was first made; `None` for the root.
    pub parent: Option<NodeIndex>,
    /// Order in which edits are proposed; `None` before the first proposal.
    pub order: Option<Order>,
    /// Position in the proposals: the edits before it were proposed already.
    pub walk: Walk,
    /// Whether nothing is left to find at or below this chain.
    pub closed: bool,
}

impl Node {
    /// Visits, those in flight included.
    pub fn all_visits(&self) -> f64 {
        f64::from(self.visits + self.in_flight)
    }

    /// Mean reward, 0 without visits.
    pub fn mean(&self) -> f64 {
        match self.visits + self.in_flight {
            0 => 0.0,
            visits => self.total / f64::from(visits),
        }
    }

    /// Whether the verdict is known.
    pub fn told(&self) -> bool {
        matches!(self.verdict, Verdict::Told { .. })
    }

    /// Whether the answer is known to be right.
    pub fn right(&self) -> bool {
        matches!(self.verdict, Verdict::Told { correct: true, .. })
    }
}

/// The edge from a chain to a chain made from it.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The edit; `None` if several layers were deleted at once.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests inspect the edges"))]
    pub edit: Option<Edit>,
    /// Prior of the edit.
    pub prior: f64,
}

/// Chains and the edits between them.
#[derive(Debug, Default)]
pub struct SearchGraph {
    graph: DiGraph<Node, Step>,
    /// Node of each chain. Used for look-ups only, since the order of a hash map differs between runs.
    index: HashMap<Chain, NodeIndex>,
}

impl SearchGraph {
    /// The node of a chain, if the chain was found before.
    pub fn find(&self, chain: &Chain) -> Option<NodeIndex> {
        self.index.get(chain).copied()
    }

    /// Adds a new chain: as a child of the node in `from`, or as the root.
    pub fn add(&mut self, chain: Chain, from: Option<(NodeIndex, Step)>) -> NodeIndex {
        let node = self.graph.add_node(Node {
            chain: chain.clone(),
            verdict: Verdict::Unasked,
            visits: 0,
            total: 0.0,
            in_flight: 0,
            depth: from.map_or(0, |(parent, _)| self.graph[parent].depth + 1),
            parent: from.map(|(parent, _)| parent),
            order: None,
            walk: Walk::default(),
            closed: false,
        });
        self.index.insert(chain, node);
        if let Some((parent, step)) = from {
            self.graph.add_edge(parent, node, step);
        }
        node
    }

    /// Adds an edge from `parent` to a known `child`; false if no edge was added. Edges only lead to deeper
    /// nodes, so that walks end: a `child` no deeper than `parent` gets none.
    pub fn link(&mut self, parent: NodeIndex, child: NodeIndex, step: Step) -> bool {
        let fresh = self.graph[child].depth > self.graph[parent].depth
            && self.graph.find_edge(parent, child).is_none();
        if fresh {
            self.graph.add_edge(parent, child, step);
        }
        fresh
    }

    /// The walk by which a chain was first found, from the root to its node.
    pub fn lineage(&self, node: NodeIndex) -> Vec<NodeIndex> {
        let parents = std::iter::successors(Some(node), |&at| self.graph[at].parent);
        let mut path: Vec<NodeIndex> = parents.collect();
        path.reverse();
        path
    }

    /// A node.
    pub fn node(&self, node: NodeIndex) -> &Node {
        &self.graph[node]
    }

    /// A node, mutable.
    pub fn node_mut(&mut self, node: NodeIndex) -> &mut Node {
        &mut self.graph[node]
    }

    /// Children with the step to each, in a fixed order: last added first.
    pub fn children(&self, node: NodeIndex) -> impl Iterator<Item = (NodeIndex, Step)> {
        self.graph
            .edges_directed(node, Direction::Outgoing)
            .map(|edge| (edge.target(), *edge.weight()))
    }

    /// The index of every node, in the order they were added.
    pub fn indices(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        self.graph.node_indices()
    }

    /// All nodes, in the order they were added.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.graph.node_weights()
    }
}
