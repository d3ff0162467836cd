//! Baselines: simple searches that a tree search must beat with the same budget.
//!
//! A [`Proposer`] proposes chains, and [`Baseline`] makes a [`Strategy`] of it: the identity first, alone,
//! then what the proposer proposes, until the budget is used. Chains are compared by their
//! [`Energy`](energy::Energy).
//!
//! | file | strategies |
//! | --- | --- |
//! | `greedy.rs` | `greedy`: hill climbing with restarts |
//! | `beam.rs` | `beam`: beam search |
//! | `best_first.rs` | `best-first`: a priority queue of chains |
//! | `anneal.rs` | `anneal`: simulated annealing |
//! | `edits.rs` | `random`, `single-edits`, `double-edits`: chains of few edits, whatever the verdicts are |
//! | `fixed.rs` | `rys`, `early-exit`, `last-n`, `shortgpt`: lists of chains known from the literature |

mod anneal;
mod beam;
mod best_first;
mod edits;
mod energy;
mod fixed;
mod greedy;
mod ledger;

#[cfg(test)]
mod tests;

use ledger::{Draft, Id, Ledger};

use super::{Ask, Feedback, Health, SearchParams, Strategy, StrategyKind};
use crate::chain::Chain;

/// What a proposer does next.
enum Next {
    /// Asks for a chain that was not asked for before.
    Chain(Draft),
    /// Waits for the verdict on an outstanding chain.
    Wait,
    /// Has no further chain, whatever the verdicts on outstanding chains are.
    Exhausted,
}

impl From<Option<Draft>> for Next {
    fn from(draft: Option<Draft>) -> Self {
        draft.map_or(Next::Exhausted, Next::Chain)
    }
}

/// The rule by which a baseline chooses chains.
trait Proposer: Send {
    /// The next chain. First called when the identity's verdict is known.
    fn next(&mut self, ledger: &mut Ledger) -> Next;

    /// Called after each verdict, the identity's first.
    fn learn(&mut self, _ledger: &mut Ledger, _id: Id) {}

    /// See [`Strategy::learn_influence`].
    fn learn_influence(&mut self, _influence: &[f64]) {}
}

/// A strategy that asks for the identity, then for what a proposer proposes.
struct Baseline<P> {
    ledger: Ledger,
    proposer: P,
    exhausted: bool,
}

impl<P: Proposer> Strategy for Baseline<P> {
    fn learn_influence(&mut self, influence: &[f64]) {
        self.proposer.learn_influence(influence);
    }

    fn ask(&mut self) -> Ask {
        let ledger = &mut self.ledger;
        let next = if ledger.len() == 0 {
            let chain = Chain::identity(ledger.params.layers);
            Next::Chain(Draft { chain, edits: 0 })
        } else if ledger.energy(0).is_none() {
            Next::Wait
        } else if self.exhausted || ledger.len() >= ledger.params.simulations {
            Next::Exhausted
        } else {
            let next = self.proposer.next(ledger);
            self.exhausted = matches!(next, Next::Exhausted);
            next
        };
        match next {
            Next::Chain(draft) => {
                let chain = draft.chain.clone();
                debug_assert!(!ledger.knows(&chain), "{chain} comes twice");
                ledger.ask(draft);
                Ask::Evaluate(chain)
            }
            Next::Wait | Next::Exhausted if ledger.outstanding() > 0 => Ask::Wait,
            Next::Wait | Next::Exhausted => Ask::Done,
        }
    }

    fn tell(&mut self, chain: &Chain, feedback: Feedback) {
        if let Some(id) = self.ledger.tell(chain, feedback) {
            self.proposer.learn(&mut self.ledger, id);
        }
    }

    fn health(&self) -> Health {
        self.ledger.health(self.exhausted)
    }
}

/// Builds a baseline; `None` for a kind that is none.
pub(super) fn build(
    kind: StrategyKind,
    params: SearchParams,
    seed: u64,
) -> Option<Box<dyn Strategy>> {
    fn boxed<P: Proposer + 'static>(ledger: Ledger, proposer: P) -> Option<Box<dyn Strategy>> {
        Some(Box::new(Baseline {
            ledger,
            proposer,
            exhausted: false,
        }))
    }
    let mut ledger = Ledger::new(params, seed);
    match kind {
        StrategyKind::Mcts | StrategyKind::Exhaustive => None,
        StrategyKind::Random => boxed(ledger, edits::Random),
        StrategyKind::Greedy => boxed(ledger, greedy::Greedy::default()),
        StrategyKind::Beam => boxed(ledger, beam::Beam::default()),
        StrategyKind::BestFirst => boxed(ledger, best_first::BestFirst::default()),
        StrategyKind::Anneal => boxed(ledger, anneal::Anneal::default()),
        StrategyKind::SingleEdits => {
            let singles = edits::Singles::new(&mut ledger, false);
            boxed(ledger, singles)
        }
        StrategyKind::DoubleEdits => {
            let singles = edits::Singles::new(&mut ledger, true);
            boxed(ledger, edits::Doubles(singles))
        }
        StrategyKind::Rys => {
            let fixed = fixed::rys(&mut ledger);
            boxed(ledger, fixed)
        }
        StrategyKind::EarlyExit => {
            let fixed = fixed::early_exit(ledger.params.layers);
            boxed(ledger, fixed)
        }
        StrategyKind::LastN => {
            let fixed = fixed::last_n(ledger.params.layers);
            boxed(ledger, fixed)
        }
        StrategyKind::ShortGpt => {
            let fixed = fixed::ShortGpt::new(ledger.params.layers);
            boxed(ledger, fixed)
        }
    }
}
