//! `best-first`: a priority queue of chains.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Id, Ledger, Next, Proposer, energy::Energy};

/// Edits of one expansion.
const EDITS: usize = 4;

/// Units of priority in an energy of 1. Integers, since floats have no total order.
const UNIT: f64 = 65_536.0;

/// What an expansion adds to the priority: an energy of 1/64, which is the smallest difference between the
/// rewards of two wrong chains.
const PENALTY: u64 = 1024;

/// A chain of the queue; the lowest is expanded first.
type Queued = (u64, Energy, Id);

/// Expands the best chain by [`EDITS`] random new edits at a time.
///
/// The priority of a chain is its scaled energy plus 1/64 for each time it was expanded; equal priorities
/// are ordered by energy. After `k` expansions a chain is level with chains that are `k/64` of reward behind
/// it; the nearest wrong chains pass a right one after 36 at most. Chains of equal energy, as all wrong ones
/// without margins are but for their length, are expanded in turn.
#[derive(Default)]
pub struct BestFirst {
    queue: BinaryHeap<Reverse<Queued>>,
    /// The chain being expanded, and the number of edits still to ask for.
    expanded: Option<(Queued, usize)>,
}

impl Proposer for BestFirst {
    fn next(&mut self, ledger: &mut Ledger) -> Next {
        loop {
            let expanded = self.expanded.take();
            let next = expanded.or_else(|| self.queue.pop().map(|Reverse(best)| (best, EDITS)));
            let Some((best, left)) = next else {
                return match ledger.outstanding() {
                    0 => Next::Exhausted,
                    _ => Next::Wait,
                };
            };
            // A chain without new edits leaves the queue.
            if let Some(draft) = ledger.new_edit(best.2) {
                match left - 1 {
                    0 => self.queue.push(Reverse((best.0 + PENALTY, best.1, best.2))),
                    left => self.expanded = Some((best, left)),
                }
                return Next::Chain(draft);
            }
        }
    }

    fn learn(&mut self, ledger: &mut Ledger, id: Id) {
        if let Some(energy) = ledger.energy(id) {
            let priority = (energy.scaled(&ledger.params) * UNIT).round() as u64;
            self.queue.push(Reverse((priority, energy, id)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Feedback, Preset, SearchParams, baselines::Draft, chain::Chain};

    #[test]
    fn no_chain_holds_the_search_for_ever() {
        let mut search = BestFirst::default();
        let mut ledger = Ledger::new(SearchParams::preset(Preset::Default, 12), 3);
        let mut next = Some(Draft {
            chain: Chain::identity(12),
            edits: 0,
        });
        let mut expanded = Vec::new();
        while let Some(draft) = next.filter(|_| ledger.len() < 400) {
            // The third chain is better than all others, which are alike.
            let margin = (ledger.len() == 2).then_some(0.0);
            let chain = draft.chain.clone();
            ledger.ask(draft);
            let id = ledger.tell(&chain, Feedback::new(false, margin));
            search.learn(&mut ledger, id.unwrap());
            next = match search.next(&mut ledger) {
                Next::Chain(draft) => Some(draft),
                Next::Wait | Next::Exhausted => None,
            };
            expanded.extend(search.expanded.map(|((_, _, id), _)| id));
        }
        let first = expanded.iter().position(|&id| id == 2).unwrap();
        let held = expanded[first..].iter().take_while(|&&id| id == 2).count();
        // A margin of 0 is worth 28/64, and at equal priority the better chain comes first. Three of four edits
        // leave an expansion open.
        assert_eq!(held, 3 * 29);
        let mut others = expanded[first + held..].to_vec();
        others.dedup();
        let distinct = others
            .iter()
            .collect::<std::collections::HashSet<_>>()
            .len();
        assert!(
            distinct > 30,
            "{distinct} other chains are expanded in turn"
        );
    }
}
