//! How few pieces of text make a match.

use std::collections::{BTreeMap, BTreeSet};

use regex_automata::dfa::{Automaton, dense};
use regex_automata::{Input, util::primitives::StateID};

/// Most states of the automaton: each of them reads each piece.
const MOST_STATES: usize = 200;

/// The fewest of some pieces that must follow a text before it has a match of a pattern.
#[derive(Debug)]
pub struct Reach {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
    /// By state of the automaton after a text without a match. States from which no match is reached are left out.
    fewest: BTreeMap<StateID, usize>,
}

/// What comes of reading a text.
enum Read {
    Match,
    State(StateID),
}

impl Reach {
    /// `None` if the automaton has too many states.
    pub(super) fn new<'p>(
        dfa: dense::DFA<Vec<u32>>,
        pieces: impl Iterator<Item = &'p str>,
    ) -> Option<Self> {
        let start = dfa.start_state_forward(&Input::new("")).ok()?;
        let mut reach = Reach {
            dfa,
            start,
            fewest: BTreeMap::new(),
        };
        let states = reach.states()?;
        let pieces: BTreeSet<&str> = pieces.collect();
        let mut next: BTreeMap<StateID, BTreeSet<StateID>> = BTreeMap::new();
        for &state in &states {
            for piece in &pieces {
                match reach.read(state, piece) {
                    Read::Match => _ = reach.fewest.insert(state, 1),
                    Read::State(after) => _ = next.entry(state).or_default().insert(after),
                }
            }
        }
        for count in 1..=states.len() {
            let near = |state: &StateID| reach.fewest.get(state) == Some(&count);
            let leads = next.iter().filter(|(_, after)| after.iter().any(near));
            let leads: Vec<StateID> = leads.map(|(state, _)| *state).collect();
            for state in leads {
                reach.fewest.entry(state).or_insert(count + 1);
            }
        }
        Some(reach)
    }

    /// The number of pieces; 0 if `text` has a match, and `None` if no pieces make one.
    pub fn fewest(&self, text: &str) -> Option<usize> {
        match self.read(self.start, text) {
            Read::Match => Some(0),
            Read::State(state) => self.fewest.get(&state).copied(),
        }
    }

    fn read(&self, mut state: StateID, text: &str) -> Read {
        for byte in text.bytes() {
            state = self.dfa.next_state(state, byte);
            // A byte that the automaton cannot judge may be part of a match.
            if self.dfa.is_match_state(state) || self.dfa.is_quit_state(state) {
                return Read::Match;
            }
        }
        // A match is seen one byte later, or at the end.
        match self.dfa.is_match_state(self.dfa.next_eoi_state(state)) {
            true => Read::Match,
            false => Read::State(state),
        }
    }

    /// All states after texts without a match.
    fn states(&self) -> Option<BTreeSet<StateID>> {
        let mut states = BTreeSet::new();
        let mut left = vec![self.start];
        while let Some(state) = left.pop() {
            if !states.insert(state) {
                continue;
            }
            if states.len() > MOST_STATES {
                return None;
            }
            let bytes = self.dfa.byte_classes().representatives(0..=u8::MAX);
            let bytes = bytes.filter_map(|unit| unit.as_u8());
            let after = bytes.map(|byte| self.dfa.next_state(state, byte));
            left.extend(after.filter(|&state| !self.dfa.is_match_state(state)));
        }
        Some(states)
    }
}
