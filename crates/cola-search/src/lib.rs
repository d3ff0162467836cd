//! Chains of layers, and the strategies that search for the shortest one that answers a sample right.
//!
//! The crate holds no tensors, threads or clocks. A [`Strategy`] *asks* for chains and is *told* verdicts; who runs the
//! chains, on what, and how many samples at a time is not its business. The same seed and the same verdicts give the same
//! questions. So a search can be tested, and a strategy of one's own written, without a model.
//!
//! # Words
//!
//! * **chain**: the layers to run, in order ([`chain::Chain`]); `0-7` is the identity of a model of eight layers.
//! * **node**: one chain. However many edits lead to it, it is one node (`graph.rs`).
//! * **edge**: one legal [`Edit`](crate::chain::Edit) from a chain to another.
//! * **root**: the identity, always evaluated first; its verdict is the baseline.
//! * **simulation**: one iteration: walk from the root along edges (*selection*), add a chain
//!   (*expansion*), evaluate it, add its reward to every node of the walk (*back-propagation*).
//!   A walk that ends on a chain with a known verdict is *re-asked*: it costs no evaluation.
//! * **prior**: how promising an edit looks before anything is known (`proposals.rs`).
//! * **proven**: a right chain of which every single deletion is known to be wrong (`shrink.rs`).
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
//!              |       (0-2,4,6-7)x3              depth 3: right. It holds the order that was
//!              :           |                      needed, among much else
//!                          |  shrink: leave out halves, quarters, .. single layers
//!                          |
//!                         2,2,1                   proven: no single deletion is right
//! ```
//!
//! # Two kinds of simulation
//!
//! `default` mixes *exploring* (the tree policy, `select.rs`) with *shrinking* (deletions around
//! the shortest right chain). Nothing right is known: all simulations explore. A right chain is
//! known: seven of eight shrink it until it is proven, then every other one looks for a shorter
//! chain among near relatives of the best. With damping ([`SearchConfig::damping`]) it tries every
//! repeat damped too. The presets that reproduce published rules only explore;
//! what each of them does, and where it had to deviate from what was published, is written at
//! [`SearchParams::preset`].
//!
//! # Example
//!
//! A model of eight layers that answers right when layer 5 is left out, searched by the tree:
//!
//! ```
//! use cola_search::{Ask, Feedback, SearchConfig, chain::Chain};
//!
//! let searches = SearchConfig { simulations: Some(200), ..SearchConfig::default() }.resolve(8)?;
//! let mut search = searches.build(0);
//! let mut shortest: Option<Chain> = None;
//! while let Ask::Evaluate(chain) = search.ask() {
//!     let correct = !chain.layers().contains(&5);
//!     search.tell(&chain, Feedback { correct, margin: None });
//!     if correct && shortest.as_ref().is_none_or(|best| chain.len() < best.len()) {
//!         shortest = Some(chain);
//!     }
//! }
//! assert_eq!(shortest.unwrap().len(), 1);
//! # Ok::<(), cola_search::SearchError>(())
//! ```

pub mod chain;
mod config;
mod exhaustive;
mod graph;
mod health;
mod mcts;
mod params;
mod proposals;
mod random;
mod reward;
mod score;
mod seed;
mod select;
mod shrink;

#[cfg(test)]
mod planted;
#[cfg(test)]
mod tests;

pub use config::{ResolvedSearch, Score, SearchConfig, SearchError, StrategyKind};
pub use health::Health;
pub use params::{Growth, Preset, SearchParams, VisitTotal};
pub use seed::seed_for;

use crate::chain::Chain;

/// What a strategy wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Run this chain, then [`tell`](Strategy::tell).
    Evaluate(Chain),
    /// Nothing can be asked before an outstanding chain is told.
    Wait,
    /// The search is over; nothing is outstanding.
    Done,
}

/// The verdict on one chain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feedback {
    /// Whether the answer was right.
    pub correct: bool,
    /// Log-probability (nats) of the right answer minus that of the best other one. `None` or not
    /// finite where there is none: the search then goes by the verdict alone.
    pub margin: Option<f64>,
}

/// A search over chains for one sample.
///
/// Several chains may be outstanding: ask again before telling. With one outstanding chain at a
/// time the sequence of questions is a function of the seed and the verdicts.
pub trait Strategy: Send {
    /// The next chain to run. Never one that was asked before.
    fn ask(&mut self) -> Ask;

    /// The verdict on an outstanding chain. A chain that is not outstanding is ignored.
    fn tell(&mut self, chain: &Chain, feedback: Feedback);

    /// How the search is going.
    fn health(&self) -> Health;
}

/// Makes the search of every sample: what a run is given, so that anybody's strategy can be run.
pub trait StrategyFactory: Send + Sync {
    /// The search of one sample. `seed` comes from [`seed_for`]: the same seed must give the same search.
    fn build(&self, seed: u64) -> Box<dyn Strategy>;

    /// Everything that decides which chains are asked for, but the seed. A run that is continued must find the same.
    fn describe(&self) -> serde_json::Value;
}
