//! Monte Carlo graph search over chains: one implementation for all presets.
//!
//! One simulation:
//! 1. *Shrink*, if a local simulation is due: delete layers from a short right chain ([`super::shrink`]).
//! 2. Otherwise *walk* from the root to a chain ([`super::select`]).
//! 3. *Ask* for the chain's verdict, unless it is known.
//! 4. *Back-propagate* its reward to every node of the walk.

use std::{collections::HashMap, sync::Arc};

use petgraph::graph::NodeIndex;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{
    Ask, Feedback, Health, SearchParams, Strategy,
    graph::{SearchGraph, Step, Verdict},
    health::root_coverage,
    proposals::{Order, Proposals},
    reward,
    select::Leaf,
    shrink::{Known, Shrinker},
    surrogate::{Surrogate, slack},
};
use crate::chain::Chain;

/// Number of walks that end on outstanding chains before `ask` returns [`Ask::Wait`].
const TRIES: usize = 16;

/// The search of one sample.
pub(super) struct Mcts {
    pub(super) params: SearchParams,
    pub(super) graph: SearchGraph,
    pub(super) root: NodeIndex,
    pub(super) rng: ChaCha8Rng,
    /// Edits that fit a chain, by its length, whether it is the root, and the order of the edits.
    pub(super) proposals: HashMap<(usize, bool, Order), Arc<Proposals>>,
    /// Number of selections by score, and at random.
    pub(super) policy_choices: u64,
    pub(super) random_choices: u64,
    /// Walks whose last chain is outstanding.
    pending: Vec<Vec<NodeIndex>>,
    /// Right chains, in the order of their verdicts.
    pub(super) right: Vec<NodeIndex>,
    shrinker: Option<Shrinker>,
    /// Predicts which chains are right.
    pub(super) surrogate: Surrogate,
    /// Each step adds the share of local simulations; when the sum reaches 1, a local simulation is due.
    local_credit: f64,
    /// Number of simulations begun, and of those that ended on a chain with a known verdict.
    begun: usize,
    re_asked: usize,
    stopped: bool,
}

impl Mcts {
    pub(super) fn new(params: SearchParams, seed: u64) -> Self {
        let mut graph = SearchGraph::default();
        let root = graph.add(Chain::identity(params.layers), None);
        let surrogate = Surrogate::new(params.layers);
        Self {
            surrogate,
            params,
            graph,
            root,
            rng: ChaCha8Rng::seed_from_u64(seed),
            proposals: HashMap::new(),
            policy_choices: 0,
            random_choices: 0,
            pending: Vec::new(),
            right: Vec::new(),
            shrinker: None,
            local_credit: 0.0,
            begun: 0,
            re_asked: 0,
            stopped: false,
        }
    }

    fn over(&self) -> bool {
        self.stopped || self.begun >= self.params.simulations || self.graph.node(self.root).closed
    }

    /// Begins a simulation whose walk is `path`: its last chain is to be evaluated.
    fn evaluate(&mut self, path: Vec<NodeIndex>) -> Ask {
        self.begun += 1;
        for &node in &path {
            self.graph.node_mut(node).in_flight += 1;
        }
        let leaf = path[path.len() - 1]; // a walk holds at least the root
        self.graph.node_mut(leaf).verdict = Verdict::Pending;
        self.pending.push(path);
        Ask::Evaluate(self.graph.node(leaf).chain.clone())
    }

    fn back_propagate(&mut self, path: &[NodeIndex], reward: f64) {
        for &node in path {
            let node = self.graph.node_mut(node);
            node.visits += 1;
            node.total += reward;
        }
    }

    /// The walk of a local simulation, which starts from a short right chain, if one is due.
    fn local(&mut self) -> Option<Vec<NodeIndex>> {
        let proven = self.shrinker.as_ref()?.proven();
        self.local_credit += match proven {
            true => self.params.nearby_share,
            false => self.params.shrink_share,
        };
        if self.local_credit < 1.0 {
            return None;
        }
        self.local_credit -= 1.0;
        let best = self.shrinker.as_ref()?.target().len();
        self.shrink().or_else(|| self.nearby(best))
    }

    /// The walk to the next deletion from the shortest right chain.
    fn shrink(&mut self) -> Option<Vec<NodeIndex>> {
        let graph = &self.graph;
        let deletion = self.shrinker.as_mut()?.next(|chain| {
            match graph.find(chain).map(|node| graph.node(node).verdict) {
                None | Some(Verdict::Unasked) => Known::Unasked,
                Some(Verdict::Pending) => Known::Pending,
                Some(Verdict::Told { correct: true, .. }) => Known::Right,
                Some(Verdict::Told { .. }) => Known::Wrong,
            }
        })?;
        let from = self.graph.find(&deletion.from)?;
        let step = Step {
            edit: Some(deletion.edit),
            prior: 0.0,
        };
        Some(self.jump(from, deletion.chain, step))
    }

    /// The walk to a chain that was made from the chain of node `from`.
    pub(super) fn jump(&mut self, from: NodeIndex, chain: Chain, step: Step) -> Vec<NodeIndex> {
        let child = match self.graph.find(&chain) {
            Some(child) => child,
            None => self.graph.add(chain, Some((from, step))),
        };
        self.graph.lineage(child)
    }

    /// Records a right chain: may stop the search, and passes the chain to the shrinker.
    fn learn_right(&mut self, leaf: NodeIndex) {
        self.right.push(leaf);
        let chain = self.graph.node(leaf).chain.clone();
        if self.params.stop_early {
            let baseline_right = self.graph.node(self.root).right();
            self.stopped |= !baseline_right || chain.len() < self.params.layers;
        }
        if self.params.shrink_share > 0.0 {
            let edits = self.params.deep_edits;
            match &mut self.shrinker {
                Some(shrinker) => shrinker.right(&chain),
                none => *none = Some(Shrinker::new(chain, edits.skip_block, edits.lengths.min)),
            }
        }
    }
}

impl Strategy for Mcts {
    fn ask(&mut self) -> Ask {
        let mut tries = 0;
        while !self.over() {
            if self.begun == 0 {
                return self.evaluate(vec![self.root]);
            }
            if self.graph.node(self.root).verdict == Verdict::Pending {
                return Ask::Wait;
            }
            if let Some(path) = self.local() {
                return self.evaluate(path);
            }
            if let Some(path) = self.explore() {
                return self.evaluate(path);
            }
            let (path, leaf) = self.walk();
            match (leaf, self.graph.node(path[path.len() - 1]).verdict) {
                (Leaf::Known, Verdict::Told { reward, .. }) => {
                    self.begun += 1;
                    self.re_asked += 1;
                    self.back_propagate(&path, reward);
                }
                (Leaf::Fresh, _) => return self.evaluate(path),
                _ => {
                    tries += 1;
                    if tries >= TRIES {
                        return Ask::Wait;
                    }
                }
            }
        }
        match self.pending.is_empty() {
            true => Ask::Done,
            false => Ask::Wait,
        }
    }

    fn tell(&mut self, chain: &Chain, feedback: Feedback) {
        let outstanding = self.graph.find(chain).and_then(|leaf| {
            self.pending
                .iter()
                .position(|path| path.last() == Some(&leaf))
        });
        let Some(at) = outstanding else {
            return;
        };
        let path = self.pending.remove(at);
        let leaf = path[path.len() - 1]; // a walk holds at least the root
        let margin = feedback.margin.filter(|_| !self.params.verdict_only);
        let feedback = Feedback { margin, ..feedback };
        let near = slack(feedback, self.params.max_degradation);
        self.surrogate.learn(chain, near);
        let reward = match self.params.shaped_reward {
            true => reward::shaped(feedback, chain.len(), self.params.deep_edits.lengths.max),
            false => reward::bare(feedback),
        };
        self.graph.node_mut(leaf).verdict = Verdict::Told {
            correct: feedback.correct,
            reward,
        };
        for &node in &path {
            self.graph.node_mut(node).in_flight -= 1;
        }
        self.back_propagate(&path, reward);
        if feedback.correct {
            self.learn_right(leaf);
        }
    }

    fn health(&self) -> Health {
        let told: Vec<_> = self.graph.nodes().filter(|node| node.told()).collect();
        let depths = || told.iter().map(|node| node.depth as usize);
        let evaluated = |chain: &Chain| {
            let node = self.graph.find(chain);
            node.is_some_and(|node| self.graph.node(node).told())
        };
        let choices = self.policy_choices + self.random_choices;
        let health = Health {
            simulations: self.begun - self.pending.len(),
            distinct_chains: told.len(),
            re_asked: self.re_asked,
            max_depth: depths().max().unwrap_or(0),
            mean_depth: depths().sum::<usize>() as f64 / told.len().max(1) as f64,
            root_coverage: root_coverage(&self.params, evaluated),
            tree_policy_share: self.policy_choices as f64 / choices.max(1) as f64,
            exhausted: self.graph.node(self.root).closed,
            degenerate: None,
        };
        match self.shrinker {
            // Deletions from a right chain are not a tree, and meant to go deep.
            Some(_) => health,
            None => health.diagnose(),
        }
    }
}
