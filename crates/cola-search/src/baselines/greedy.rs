//! `greedy`: first-improvement hill climbing with random restarts.

use super::{Id, Ledger, Next, Proposer};

/// Climbs from the identity: asks for random new edits of the current chain, and moves to the first chain
/// that is better. If no edit of the current chain is left, or `1.5 L` edits in a row were not better, starts
/// again from a random chain, however good it is.
///
/// While verdicts are outstanding, further edits of the current chain are asked for. A verdict on an edit
/// of an earlier chain of the same climb still counts, if the edit is better than the current chain.
#[derive(Default)]
pub struct Greedy {
    /// `None` while the verdict on the first chain of a climb is outstanding.
    current: Option<Id>,
    /// Edits of the current chain asked for.
    tried: usize,
}

impl Proposer for Greedy {
    fn next(&mut self, ledger: &mut Ledger) -> Next {
        let Some(current) = self.current else {
            return Next::Wait;
        };
        if self.tried < (3 * ledger.params.layers).div_ceil(2) {
            self.tried += 1;
            if let Some(draft) = ledger.new_edit(current) {
                return Next::Chain(draft);
            }
        }
        if ledger.outstanding() > 0 {
            return Next::Wait;
        }
        self.current = None;
        self.tried = 0;
        ledger.new_chain().into()
    }

    fn learn(&mut self, ledger: &mut Ledger, id: Id) {
        let current = self.current.and_then(|current| ledger.energy(current));
        if current.is_none_or(|current| ledger.energy(id) < Some(current)) {
            self.current = Some(id);
            self.tried = 0;
        }
    }
}
