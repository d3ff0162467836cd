//! Selection and expansion: the walk of one simulation, from the root to a chain.

use std::sync::Arc;

use petgraph::graph::NodeIndex;
use rand::RngExt;

use super::{
    Growth, VisitTotal,
    graph::{Step, Verdict},
    mcts::Mcts,
    proposals::{Order, Proposals},
    score::{PathUcb, puct, widening_limit},
};

/// State of the chain that a walk ends on.
pub(super) enum Leaf {
    /// Not evaluated yet.
    Fresh,
    /// The verdict is known: the simulation costs no evaluation.
    Known,
    /// The evaluation is outstanding.
    Outstanding,
}

impl Mcts {
    /// Walks from the root to the chain of the next simulation.
    pub(super) fn walk(&mut self) -> (Vec<NodeIndex>, Leaf) {
        let mut path = vec![self.root];
        let mut at = self.root;
        loop {
            if self.wants_child(at)
                && let Some(child) = self.expand(at)
            {
                path.push(child);
                break;
            }
            let Some(child) = self.select(at) else {
                // No edit and no open child is left, so there is nothing to find below.
                self.close(at);
                break;
            };
            path.push(child);
            at = child;
            if self.graph.node(at).verdict == Verdict::Unasked {
                break;
            }
        }
        let leaf = match self.graph.node(path[path.len() - 1]).verdict {
            Verdict::Unasked => Leaf::Fresh,
            Verdict::Pending => Leaf::Outstanding,
            Verdict::Told { .. } => Leaf::Known,
        };
        (path, leaf)
    }

    /// Whether a node should get a new child, instead of passing the simulation on to a child it has.
    fn wants_child(&mut self, at: NodeIndex) -> bool {
        let proposals = self.proposals(at);
        let node = self.graph.node(at);
        let Some(prior) = node.walk.next_prior(&proposals) else {
            return false;
        };
        if self.params.growth == Growth::AllAtOnce {
            return true;
        }
        let (factor, exponent) = (self.params.widening_factor, self.params.widening_exponent);
        let limit = widening_limit(factor, exponent, node.all_visits());
        if self.graph.children(at).count() >= limit {
            return false;
        }
        if self.params.growth == Growth::Widening {
            return true;
        }
        // The expected reward of a new child is half of its parent's, since most edits break a chain.
        let hope = match node.verdict {
            Verdict::Told { reward, .. } => reward / 2.0,
            _ => 0.0,
        };
        let exploration = self.params.exploration;
        let urge = puct(hope, prior, exploration, node.all_visits(), 0.0);
        self.best_child(at).is_none_or(|(_, score)| urge >= score)
    }

    /// Adds a child, or all children with [`Growth::AllAtOnce`]. Returns the child that the simulation goes
    /// to; `None` if no edit gave a child.
    fn expand(&mut self, at: NodeIndex) -> Option<NodeIndex> {
        let proposals = self.proposals(at);
        let mut added = Vec::new();
        let mut walk = self.graph.node(at).walk;
        while let Some((edit, prior)) = walk.next(&proposals, &mut self.rng) {
            let node = self.graph.node(at);
            let space = self.params.edits_at(node.depth);
            let Some(chain) = space.apply(&node.chain, edit) else {
                continue;
            };
            let step = Step {
                edit: Some(edit),
                prior,
            };
            match self.graph.find(&chain) {
                None => added.push(self.graph.add(chain, Some((at, step)))),
                Some(known) if self.params.shared_nodes => {
                    self.graph.link(at, known, step);
                    // The published searches spend this simulation on the known chain; `default` takes the
                    // next edit.
                    if self.params.growth == Growth::Widening {
                        added.push(known);
                    }
                }
                Some(_) => {}
            }
            if self.params.growth != Growth::AllAtOnce && !added.is_empty() {
                break;
            }
        }
        self.graph.node_mut(at).walk = walk;
        match added.len() {
            0 => None,
            1 => Some(added[0]),
            several => Some(added[self.rng.random_range(0..several)]),
        }
    }

    /// The child that the simulation is passed on to; `None` if all children are closed.
    fn select(&mut self, at: NodeIndex) -> Option<NodeIndex> {
        let p = self.params.random_child;
        if p > 0.0 && self.rng.random_bool(p) {
            let open: Vec<NodeIndex> = self.open_children(at).map(|(child, _)| child).collect();
            self.random_choices += u64::from(!open.is_empty());
            return (!open.is_empty()).then(|| open[self.rng.random_range(0..open.len())]);
        }
        let best = self.best_child(at);
        self.policy_choices += u64::from(best.is_some());
        best.map(|(child, _)| child)
    }

    fn open_children(&self, at: NodeIndex) -> impl Iterator<Item = (NodeIndex, Step)> {
        self.graph
            .children(at)
            .filter(|&(child, _)| !self.graph.node(child).closed)
    }

    /// The open child with the best score; among equals the one that was added first.
    fn best_child(&self, at: NodeIndex) -> Option<(NodeIndex, f64)> {
        self.open_children(at)
            .map(|(child, step)| (child, self.score(at, child, step)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn score(&self, parent: NodeIndex, child: NodeIndex, step: Step) -> f64 {
        let (parent, node) = (self.graph.node(parent), self.graph.node(child));
        let params = &self.params;
        if params.growth == Growth::Prior {
            let visits = node.all_visits();
            let parent_visits = parent.all_visits();
            return puct(
                node.mean(),
                step.prior,
                params.exploration,
                parent_visits,
                visits,
            );
        }
        if node.all_visits() == 0.0 {
            return f64::NEG_INFINITY;
        }
        let total = match params.visit_total {
            VisitTotal::Root => self.graph.node(self.root).all_visits(),
            VisitTotal::Parent => parent.all_visits(),
        };
        let ucb = PathUcb {
            exploration: params.exploration,
            length_penalty: params.length_penalty,
            layers: params.layers,
        };
        let total = total + params.visit_offset;
        ucb.score(node.total, node.all_visits(), total, node.chain.len())
    }

    /// The edits that fit a node's chain. Their order is fixed at the node's first proposal.
    fn proposals(&mut self, at: NodeIndex) -> Arc<Proposals> {
        let node = self.graph.node(at);
        let order = node.order.unwrap_or(match self.params.growth {
            Growth::Prior if node.right() => Order::Shorten,
            Growth::Prior if self.params.covers_pairs() => Order::Cover,
            Growth::Prior => Order::Repair,
            Growth::Widening | Growth::AllAtOnce => Order::Even,
        });
        let (len, depth) = (node.chain.len(), node.depth);
        self.graph.node_mut(at).order = Some(order);
        let space = self.params.edits_at(depth);
        let listed = self.proposals.entry((len, depth == 0, order));
        listed
            .or_insert_with(|| Arc::new(Proposals::new(space, len, order)))
            .clone()
    }

    /// Marks a node with nothing left to find. Its parents notice at the next simulation that visits them.
    fn close(&mut self, at: NodeIndex) {
        self.graph.node_mut(at).closed = true;
    }
}
