//! The names of the strategies.

use serde::Serialize;

/// How chains are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// Monte Carlo graph search.
    Mcts,
    /// Random chains.
    Random,
    /// Every chain of a small space.
    Exhaustive,
    /// Hill climbing from the identity: the first edit that is better, with restarts from random chains.
    Greedy,
    /// Beam search: random edits of the best four chains, level by level.
    Beam,
    /// Random edits of the best chain of a priority queue.
    BestFirst,
    /// Simulated annealing over random edits.
    Anneal,
    /// Every chain of one edit.
    SingleEdits,
    /// Every chain of one edit, then random chains of two.
    DoubleEdits,
    /// Every block of layers a second time ("repeat yourself").
    Rys,
    /// The first layers only.
    EarlyExit,
    /// Without the layers before the last (Gromov et al., arXiv 2403.17887).
    LastN,
    /// Without the layers of least influence (ShortGPT, arXiv 2403.03853).
    #[serde(rename = "shortgpt")]
    ShortGpt,
}

impl StrategyKind {
    /// Every strategy, with its name on the command line.
    pub const ALL: [(&'static str, StrategyKind); 13] = [
        ("mcts", StrategyKind::Mcts),
        ("random", StrategyKind::Random),
        ("exhaustive", StrategyKind::Exhaustive),
        ("greedy", StrategyKind::Greedy),
        ("beam", StrategyKind::Beam),
        ("best-first", StrategyKind::BestFirst),
        ("anneal", StrategyKind::Anneal),
        ("single-edits", StrategyKind::SingleEdits),
        ("double-edits", StrategyKind::DoubleEdits),
        ("rys", StrategyKind::Rys),
        ("early-exit", StrategyKind::EarlyExit),
        ("last-n", StrategyKind::LastN),
        ("shortgpt", StrategyKind::ShortGpt),
    ];
}
