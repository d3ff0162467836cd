//! The search graph: every chain met so far, once.

use std::collections::HashMap;

use petgraph::{
    Direction,
    graph::{DiGraph, NodeIndex},
    visit::EdgeRef,
};

use super::proposals::{Order, Walk};
use crate::chain::{Chain, Edit};

/// What is known of a chain's verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Never asked for.
    Unasked,
    /// Asked, not told.
    Pending,
    /// Told.
    Told {
        /// Whether the answer was right.
        correct: bool,
        /// Its reward.
        reward: f64,
    },
}

/// One chain.
#[derive(Debug)]
pub struct Node {
    /// What it runs.
    pub chain: Chain,
    /// Its verdict.
    pub verdict: Verdict,
    /// Simulations that passed through or ended here.
    pub visits: u32,
    /// Sum of their rewards.
    pub total: f64,
    /// Simulations passing through that are not told yet. They count as visits without reward
    /// (virtual loss), which sends the next simulation elsewhere.
    pub in_flight: u32,
    /// Edges between the root and the chain when it was first met.
    pub depth: u32,
    /// The chain it was first made from; `None` for the root.
    pub parent: Option<NodeIndex>,
    /// In what order edits are proposed, from the first proposal on.
    pub order: Option<Order>,
    /// Which edits were proposed already.
    pub walk: Walk,
    /// Nothing is left to find at or below this chain.
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

/// How one chain becomes another.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The edit; `None` for a jump of several at once.
    pub edit: Option<Edit>,
    /// Prior of the edit.
    pub prior: f64,
}

/// Chains and the edits between them.
#[derive(Debug, Default)]
pub struct SearchGraph {
    graph: DiGraph<Node, Step>,
    /// Where each chain is. Looked up, never iterated: its order is not repeatable.
    index: HashMap<Chain, NodeIndex>,
}

impl SearchGraph {
    /// The node of a chain, if it was met.
    pub fn find(&self, chain: &Chain) -> Option<NodeIndex> {
        self.index.get(chain).copied()
    }

    /// Adds a chain that was not met before, as a child of `parent` or as the root.
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

    /// Makes `child` reachable from `parent` too; false where it is already. Edges only lead to
    /// deeper nodes, so that walks end: a chain no deeper than `parent` is left to its first finder.
    pub fn link(&mut self, parent: NodeIndex, child: NodeIndex, step: Step) -> bool {
        let fresh = self.graph[child].depth > self.graph[parent].depth
            && self.graph.find_edge(parent, child).is_none();
        if fresh {
            self.graph.add_edge(parent, child, step);
        }
        fresh
    }

    /// The walk by which a chain was first found: root first, itself last.
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

    /// A node, to change.
    pub fn node_mut(&mut self, node: NodeIndex) -> &mut Node {
        &mut self.graph[node]
    }

    /// Children with the step to each, last added first: a fixed order.
    pub fn children(&self, node: NodeIndex) -> impl Iterator<Item = (NodeIndex, Step)> {
        self.graph
            .edges_directed(node, Direction::Outgoing)
            .map(|edge| (edge.target(), *edge.weight()))
    }

    /// All nodes, in the order they were met.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.graph.node_weights()
    }
}
