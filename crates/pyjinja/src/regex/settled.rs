//! Which matches no further text changes.
//!
//! A DFA reads the text so far, and never its end. A leftmost-first DFA is in its dead state as soon as the match that it has
//! seen is the match in every longer text, or as no longer text has a match. Before that, the match is still open.
//!
//! A DFA has no look-around and no back-references, so a match of a pattern with these stays open, with one exception: Python's
//! `$`, which [`translate`](super::translate::translate) writes as `(?=\n?\z)`. Here it is `\n?\z`, which reads the line break.
//! `\z` is never true while more text may come, so no match of the DFA goes through it, and threads that are behind it are alive
//! for as long as `$` can still be true: up to the first character that is not the last line break.

use std::iter::once;
use std::sync::LazyLock;

use fancy_regex::{Assertion, Expr};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::{look::Look, primitives::StateID};
use regex_automata::{Input, MatchError};

use super::translate::END;

/// Most bytes of a DFA, and most that it may take to build it; larger patterns have no DFA.
const MOST_BYTES: usize = 4 << 20;

/// Python's `$`: the look-ahead, and what it looks for.
static END_TREE: LazyLock<Option<Expr>> = LazyLock::new(|| parsed(END));

/// What is known of the next match from the text so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextMatch {
    /// In every longer text it ends at this offset, in bytes, and its groups are the same.
    EndsAt(usize),
    /// No longer text has another match.
    Never,
    /// It depends on what follows.
    Open,
}

/// The DFA of a pattern.
#[derive(Debug)]
pub(super) struct MatchDfa {
    dfa: dense::DFA<Vec<u32>>,
    /// Whether the pattern has an assertion about what follows a place, such as `\b`.
    looks_ahead: bool,
}

impl MatchDfa {
    /// The DFA of a pattern in the syntax of `fancy-regex`, or `None` if it cannot have one.
    pub fn new(pattern: &str) -> Option<Self> {
        let mut tree = parsed(pattern)?;
        let has_end = without_end(&mut tree);
        let can = |expr: &Expr| is_regular(expr) && !(has_end && repeats_nothing(expr));
        if tree.has_descendant_or_self(|expr| !can(expr)) {
            return None;
        }
        let mut pattern = String::new();
        tree.to_str(&mut pattern, 0);
        let config = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .unicode_word_boundary(true)
            .dfa_size_limit(Some(MOST_BYTES))
            .determinize_size_limit(Some(MOST_BYTES));
        let nfa = regex_automata::nfa::thompson::NFA::new(&pattern).ok()?;
        let mut looks = nfa.look_set_any().iter();
        let mut builder = dense::Builder::new();
        Some(MatchDfa {
            looks_ahead: looks.any(|look| !matches!(look, Look::Start | Look::StartLF)),
            dfa: builder.configure(config).build_from_nfa(&nfa).ok()?,
        })
    }

    /// The automaton itself, for matches anywhere in a text.
    pub fn into_inner(self) -> dense::DFA<Vec<u32>> {
        self.dfa
    }

    /// The first match of a text that begins with `text`, searched for from the offset `start` on.
    pub fn next(&self, text: &str, start: usize) -> NextMatch {
        // A byte that the DFA cannot judge: a non-ASCII one, if the pattern has `\b`.
        self.walk(text, start).unwrap_or(NextMatch::Open)
    }

    fn walk(&self, text: &str, start: usize) -> Result<NextMatch, MatchError> {
        let dfa = &self.dfa;
        let mut state = dfa.start_state_forward(&Input::new(text).range(start..))?;
        let mut last = NextMatch::Never;
        for (at, &byte) in text.as_bytes().iter().enumerate().skip(start) {
            if dfa.is_dead_state(state) {
                return Ok(last);
            }
            state = dfa.next_state(state, byte);
            if dfa.is_quit_state(state) {
                return Err(MatchError::quit(byte, at));
            }
            // Matches are reported one byte late.
            if dfa.is_match_state(state) {
                last = NextMatch::EndsAt(at);
            }
        }
        Ok(self.after_any(state, last, text.len()))
    }

    /// What the next match is if it is the same whatever follows.
    fn after_any(&self, state: StateID, last: NextMatch, end: usize) -> NextMatch {
        if self.is_over(state) {
            return last;
        }
        // With an assertion about what follows, matches that end at the same place may differ in their groups.
        if self.looks_ahead {
            return NextMatch::Open;
        }
        let mut after = self.successors(state).map(|next| match self.is_over(next) {
            true if self.dfa.is_match_state(next) => NextMatch::EndsAt(end),
            true => last,
            false => NextMatch::Open,
        });
        let first = after.next().unwrap_or(NextMatch::Open);
        match after.all(|other| other == first) {
            true => first,
            false => NextMatch::Open,
        }
    }

    /// Whether no byte leads to a match.
    fn is_over(&self, state: StateID) -> bool {
        let mut next = self.successors(state);
        next.all(|next| self.dfa.is_dead_state(next))
    }

    /// The states after any byte, and after the end of the text.
    fn successors(&self, state: StateID) -> impl Iterator<Item = StateID> {
        let bytes = self.dfa.byte_classes().representatives(0..=u8::MAX);
        let bytes = bytes.filter_map(|unit| unit.as_u8());
        let next = bytes.map(move |byte| self.dfa.next_state(state, byte));
        next.chain(once(self.dfa.next_eoi_state(state)))
    }
}

fn parsed(pattern: &str) -> Option<Expr> {
    Expr::parse_tree(pattern).ok().map(|tree| tree.expr)
}

/// Replaces each `$` by what it looks for. Returns whether there was one.
fn without_end(expr: &mut Expr) -> bool {
    if END_TREE.as_ref() == Some(expr)
        && let Expr::LookAround(inner, _) = expr
    {
        *expr = std::mem::replace(inner.as_mut(), Expr::Empty);
        return true;
    }
    let mut found = false;
    for child in expr.children_iter_mut() {
        found |= without_end(child);
    }
    found
}

/// Whether `regex-automata` reads the node as `fancy-regex` does.
fn is_regular(expr: &Expr) -> bool {
    match expr {
        Expr::Empty
        | Expr::Any { .. }
        | Expr::Literal { .. }
        | Expr::Concat(_)
        | Expr::Alt(_)
        | Expr::Group(_)
        | Expr::Repeat { .. }
        | Expr::Delegate { .. } => true,
        Expr::Assertion(assertion) => matches!(
            assertion,
            Assertion::StartText
                | Assertion::EndText
                | Assertion::StartLine { .. }
                | Assertion::EndLine { .. }
                | Assertion::WordBoundary
                | Assertion::NotWordBoundary
        ),
        _ => false,
    }
}

/// Whether the node repeats what can be empty: backtracking may then take the branches in another order than an automaton.
fn repeats_nothing(expr: &Expr) -> bool {
    matches!(expr, Expr::Repeat { child, hi, .. } if *hi > 1 && can_be_empty(child))
}

fn can_be_empty(expr: &Expr) -> bool {
    match expr {
        Expr::Any { .. } | Expr::Delegate { .. } => false,
        Expr::Literal { val, .. } => val.is_empty(),
        Expr::Concat(parts) => parts.iter().all(can_be_empty),
        Expr::Alt(branches) => branches.iter().any(can_be_empty),
        Expr::Group(inner) => can_be_empty(inner),
        Expr::Repeat { child, lo, .. } => *lo == 0 || can_be_empty(child),
        _ => true,
    }
}
