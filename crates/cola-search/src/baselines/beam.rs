//! `beam`: beam search.

use super::{Id, Ledger, Next, Proposer};

/// Chains in the beam.
const WIDTH: usize = 4;

/// New edits of each member in a level.
const EDITS: usize = 8;

/// Evaluates levels of [`EDITS`] random new edits of each member of the beam, and keeps the best [`WIDTH`]
/// chains of old and new. If no new chain enters, half of the beam makes room for fresh random chains, which
/// are members of the next level however good they are.
///
/// A level ends when no chain is outstanding.
pub struct Beam {
    members: Vec<Id>,
    phase: Phase,
    /// First chain of the current phase.
    start: Id,
    /// Whether the last level had no chain to ask for.
    idle: bool,
}

enum Phase {
    /// Edits of the members; with each member the number still to ask for.
    Level(Vec<(Id, usize)>),
    /// Fresh random chains; the number still to ask for.
    Fresh(usize),
}

impl Default for Beam {
    /// The first level, whose member is the identity.
    fn default() -> Self {
        Self {
            members: vec![0],
            phase: level(&[0]),
            start: 1,
            idle: false,
        }
    }
}

/// A level, in which the best member comes first.
fn level(members: &[Id]) -> Phase {
    Phase::Level(members.iter().rev().map(|&id| (id, EDITS)).collect())
}

impl Beam {
    /// Ends a phase of which all verdicts are known; false if there is nothing left to ask for.
    fn advance(&mut self, ledger: &Ledger) -> bool {
        let born = self.start..ledger.len();
        let empty = born.is_empty();
        self.members.extend(born);
        self.members.sort_by_key(|&id| ledger.energy(id));
        match self.phase {
            Phase::Level(_) => {
                self.members.truncate(WIDTH);
                self.idle = empty;
                self.phase = match self.members.iter().any(|&id| id >= self.start) {
                    true => level(&self.members),
                    false => {
                        self.members.truncate(WIDTH / 2);
                        Phase::Fresh(WIDTH - self.members.len())
                    }
                };
            }
            Phase::Fresh(_) if empty && self.idle => return false,
            Phase::Fresh(_) => self.phase = level(&self.members),
        }
        self.start = ledger.len();
        true
    }
}

impl Proposer for Beam {
    fn next(&mut self, ledger: &mut Ledger) -> Next {
        loop {
            match &mut self.phase {
                Phase::Level(plan) => {
                    while let Some((member, left)) = plan.last_mut() {
                        let draft = match left.checked_sub(1) {
                            Some(less) => {
                                *left = less;
                                ledger.new_edit(*member)
                            }
                            None => None,
                        };
                        match draft {
                            Some(draft) => return Next::Chain(draft),
                            None => plan.pop(),
                        };
                    }
                }
                Phase::Fresh(left) if *left > 0 => {
                    let draft = ledger.new_chain();
                    *left = draft.as_ref().map_or(0, |_| *left - 1);
                    if let Some(draft) = draft {
                        return Next::Chain(draft);
                    }
                }
                Phase::Fresh(_) => {}
            }
            if ledger.outstanding() > 0 {
                return Next::Wait;
            }
            if !self.advance(ledger) {
                return Next::Exhausted;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Feedback, Preset, SearchParams, baselines::Draft, chain::Chain};

    /// Asks for `count` chains, each worse than the one before.
    fn worse(beam: &mut Beam, ledger: &mut Ledger, count: usize) {
        for _ in 0..count {
            let Next::Chain(draft) = beam.next(ledger) else {
                panic!("ended");
            };
            tell(ledger, draft);
        }
    }

    fn tell(ledger: &mut Ledger, draft: Draft) {
        let margin = -0.1 * ledger.len() as f64;
        let chain = draft.chain.clone();
        ledger.ask(draft);
        ledger.tell(&chain, Feedback::new(false, Some(margin)));
    }

    #[test]
    fn half_of_a_beam_without_a_new_member_makes_room_for_fresh_chains() {
        let mut beam = Beam::default();
        let mut ledger = Ledger::new(SearchParams::preset(Preset::Default, 12), 3);
        let chain = Chain::identity(12);
        tell(&mut ledger, Draft { chain, edits: 0 });
        worse(&mut beam, &mut ledger, EDITS);
        assert_eq!(beam.members, [0], "the first level is still open");
        worse(&mut beam, &mut ledger, 1);
        assert_eq!(beam.members, [0, 1, 2, 3]);
        worse(&mut beam, &mut ledger, WIDTH * EDITS - 1);
        worse(&mut beam, &mut ledger, 1);
        assert_eq!(beam.members, [0, 1]);
        assert!(
            matches!(beam.phase, Phase::Fresh(1)),
            "one fresh chain to ask for"
        );
        worse(&mut beam, &mut ledger, 2);
        let fresh = 1 + EDITS + WIDTH * EDITS;
        assert_eq!(beam.members, [0, 1, fresh, fresh + 1]);
    }
}
