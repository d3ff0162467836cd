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
