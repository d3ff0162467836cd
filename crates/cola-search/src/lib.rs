//! Chains of layers, and strategies that search for the shortest chain that answers a sample right.
//!
//! The crate holds no tensors, threads or clocks. A [`Strategy`] returns the chains to evaluate
//! ([`ask`](Strategy::ask)) and receives the verdicts on them ([`tell`](Strategy::tell)); its caller
//! decides who runs the chains, on what, and how many samples at a time. The same seed and the same
//! verdicts give the same sequence of chains. So a search can be tested, and a new strategy written,
//! without a model.
//!
//! # Words
//!
//! * **chain**: the layers to run, in order ([`chain::Chain`]); `0-7` is the identity of a model of eight
//!   layers.
//! * **right**: a chain is right if the sample's answer is right with it, and wrong otherwise: its
//!   *verdict*.
//! * **outstanding**: a chain that [`ask`](Strategy::ask) returned, and whose verdict is not known yet.
//! * **node**: one chain in the search graph, however many edits lead to it (`graph.rs`).
//! * **edge**: one legal [`Edit`](crate::chain::Edit) from a chain to another.
//! * **root**: the identity, always evaluated first; its verdict is the baseline.
//! * **simulation**: one iteration: walk from the root along edges (*selection*), add a chain
//!   (*expansion*), evaluate it, add its reward to every node of the walk (*back-propagation*).
//!   If the walk ends on a chain with a known verdict, that verdict is used again (*re-asked*), which
//!   costs no evaluation.
//! * **prior**: how promising an edit looks before any verdict on it is known (`proposals.rs`).
//! * **proven**: a right chain from which every single deletion is known to be wrong (`shrink.rs`).
//!
//! ```text
//!                         0-7                     the root: wrong
//!                       /  |  \
//!              skip 5  /   |   \  skip 3
//!                     /    |    \
//!             0-4,6-7   (0-7)x3   0-2,4-7         depth 1: wrong
//!              |     \            /     |
//!  repeat all  |      \  skip 3  /      |  repeat all
//!              |       \        /  skip 5
//!        (0-4,6-7)x3   0-2,4,6-7    (0-2,4-7)x3   depth 2; found twice, one node
//!              |           |
//!              |           |  repeat all
//!              |       (0-2,4,6-7)x3              depth 3: right. It contains the order that is
//!              :           |                      needed, and many layers that are not
//!                          |  shrink: delete halves, quarters, .. single layers
//!                          |
//!                         2,2,1                   proven: no single deletion is right
//! ```
//!
//! # Two kinds of simulation
//!
//! The preset `default` mixes *exploring* with *shrinking* (deletions from the shortest right chain). While no right chain is
//! known, all simulations explore: three in five by the tree policy (`select.rs`), one draws a fresh chain near the identity, and
//! one edits one of the nearest misses (`explore.rs`), so that no poor line takes the whole budget. Once a right chain is known,
//! all simulations shrink it until it is proven; after that, they delete several layers at once from right chains, those that a linear
//! model of the evaluations so far (`surrogate.rs`) expects to save most. With damping ([`SearchConfig::damping`]), every repeat is also
//! tried damped. The presets that reproduce published searches only explore; [`SearchParams::preset`] says
//! how they deviate from the publications.
//!
//! # Baselines
//!
//! A tree search is worth its cost if it beats simpler searches with the same budget: [`StrategyKind`] names them, and
//! `baselines/` holds those that are no exhaustive lists. All share one order of chains (`baselines/energy.rs`). A budget can be
//! a number of simulations or of layer steps ([`SearchConfig::budget_steps`]): short chains are cheap, and chains that share a
//! prefix with earlier ones too, so that strategies with equal simulations differ in cost.
//!
//! # Example
//!
//! A tree search on a model of eight layers that answers right if layer 5 is left out:
//!
//! ```
//! use cola_search::{Ask, Feedback, SearchConfig, chain::Chain};
//!
//! let searches = SearchConfig { simulations: Some(200), ..SearchConfig::default() }.resolve(8)?;
//! let mut search = searches.build(0);
//! let mut shortest: Option<Chain> = None;
//! while let Ask::Evaluate(chain) = search.ask() {
//!     let correct = !chain.layers().contains(&5);
//!     search.tell(&chain, Feedback::new(correct, None));
//!     if correct && shortest.as_ref().is_none_or(|best| chain.len() < best.len()) {
//!         shortest = Some(chain);
//!     }
//! }
//! assert_eq!(shortest.unwrap().len(), 1);
//! # Ok::<(), cola_search::SearchError>(())
//! ```

mod baselines;
mod budget;
pub mod chain;
mod config;
mod exhaustive;
mod explore;
mod graph;
mod health;
mod kind;
mod mcts;
mod params;
mod prefixes;
mod proposals;
mod reward;
mod score;
mod seed;
mod select;
mod shrink;
mod surrogate;

#[cfg(test)]
mod planted;
#[cfg(test)]
mod tests;

pub use config::{
    MAX_DEGRADATION, MaxDegradation, ResolvedSearch, Score, SearchConfig, SearchError,
};
pub use health::Health;
pub use kind::StrategyKind;
pub use params::{Growth, Preset, SearchParams, VisitTotal};
pub use prefixes::Prefixes;
pub use seed::seed_for;

use crate::chain::Chain;

/// The next step of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Run this chain, then pass its verdict to [`tell`](Strategy::tell).
    Evaluate(Chain),
    /// There is no chain to run before the verdict on an outstanding chain is known.
    Wait,
    /// The search is over, and no chain is outstanding.
    Done,
}

/// The verdict on one chain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feedback {
    /// Whether the answer was right, and the chain's degradation within the bound of the run.
    pub correct: bool,
    /// Log-probability (nats) of the right answer minus that of the best wrong one. For a chain beyond the
    /// bound on degradation it is at most 0, reduced by the nats a token beyond the bound. If it is `None`
    /// or not finite, the search uses `correct` alone.
    pub margin: Option<f64>,
    /// How much worse than the unmodified model the chain predicts the prompt's tokens, in nats a token;
    /// `None` if it was not measured.
    pub degradation: Option<f64>,
}

impl Feedback {
    /// A verdict without a degradation.
    pub fn new(correct: bool, margin: Option<f64>) -> Self {
        Self {
            correct,
            margin,
            degradation: None,
        }
    }
}

/// A search over chains for one sample.
///
/// Several chains may be outstanding: `ask` may be called again before `tell`. With one outstanding chain
/// at a time, the sequence of chains is a function of the seed and the verdicts.
pub trait Strategy: Send {
    /// Receives the influence of each layer on this sample, in order of the layers: 1 minus the cosine
    /// similarity between the residual stream before and after the layer, mean over the prompt's tokens,
    /// in the unmodified model's own pass (*Block Influence*, ShortGPT, arXiv 2403.03853). Called at most
    /// once, before the first `ask`. Strategies that do not use it ignore it.
    fn learn_influence(&mut self, _influence: &[f64]) {}

    /// The next chain to run. No chain is returned twice.
    fn ask(&mut self) -> Ask;

    /// Receives the verdict on an outstanding chain; ignores any other chain.
    fn tell(&mut self, chain: &Chain, feedback: Feedback);

    /// Statistics of the search so far.
    fn health(&self) -> Health;
}

/// Builds the search of each sample. A run takes a factory, so that strategies from outside this crate can
/// be run too.
pub trait StrategyFactory: Send + Sync {
    /// Builds the search of one sample. `seed` comes from [`seed_for`]: the same seed must give the same
    /// search.
    fn build(&self, seed: u64) -> Box<dyn Strategy>;

    /// Everything, except the seed, that decides which chains are evaluated. A run can be continued only
    /// with the same value.
    fn describe(&self) -> serde_json::Value;
}
