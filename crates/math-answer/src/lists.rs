//! Whether lists and sets say the same: their entries, whatever their order.

use super::algebra::Algebra;
use super::compare::is_relation;
use super::limits::Unsure;
use super::relation;
use super::signs::{entries, one_choice};
use super::syntax::{Joined, Node};

/// Most entries of a set or list: they are compared pair by pair.
const MAX_ENTRIES: usize = 30;

impl Algebra {
    /// At least one is a list or a set: the same entries, whatever their order.
    pub(super) fn same_list(&mut self, answer: &Node, gold: &Node) -> Result<bool, Unsure> {
        if let (Node::List(a, entries), Node::List(g, _)) = (answer, gold) {
            // "a and b" differs from "a or b", except in a list of values.
            let joined = [a, g];
            let opposed = joined.contains(&&Joined::And) && joined.contains(&&Joined::Or);
            if opposed && !(one_name(entries) && are_solutions(entries)) {
                return Ok(false);
            }
        }
        let set = [answer, gold]
            .iter()
            .any(|node| matches!(node, Node::Set(_)));
        for node in [answer, gold] {
            if let Node::List(_, entries) = node
                && !one_name(entries)
            {
                one_choice(entries)?;
            }
        }
        let (a, g) = (entries(answer)?, entries(gold)?);
        // The values of several names are no list of values.
        let named = |entries: &[Node]| entries.iter().any(|entry| relation::name(entry).is_some());
        if named(&a) != named(&g) && !(one_name(&a) && one_name(&g)) {
            return Ok(false);
        }
        self.same_entries(&a, &g, set)
    }

    /// Every entry of one is in the other, whatever the order; outside of sets as often.
    pub(super) fn same_entries(
        &mut self,
        answer: &[Node],
        gold: &[Node],
        set: bool,
    ) -> Result<bool, Unsure> {
        if !set && answer.len() != gold.len() {
            return Ok(false);
        }
        if answer.len().max(gold.len()) > MAX_ENTRIES {
            return Err(Unsure::TooMuchWork);
        }
        let mut met = vec![false; gold.len()];
        for entry in answer {
            let mut found = false;
            for (place, gold) in gold.iter().enumerate() {
                let free = set || !(found || met[place]);
                // A set is no member of a set because its only member is.
                let alike = matches!(entry, Node::Set(_)) == matches!(gold, Node::Set(_));
                if free && alike && self.same(entry, gold)? {
                    (met[place], found) = (true, true);
                }
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(met.iter().all(|met| *met))
    }
}

/// Whether entries are numbers, or equations: what "and" and "or" say of them is that all are solutions.
fn are_solutions(entries: &[Node]) -> bool {
    let name = |node: &Node| {
        matches!(node, Node::Text(_))
            || matches!(node, Node::Symbol(name) if name != "pi" && name != "e" && name != "i")
            || matches!(node, Node::Product(factors) if factors.iter().all(|f| matches!(f, Node::Symbol(_))))
    };
    !entries.iter().any(name)
}

/// Whether the entries are values of at most one thing.
fn one_name(entries: &[Node]) -> bool {
    let mut names = entries.iter().filter_map(relation::name);
    let equations = entries
        .iter()
        .all(|entry| !is_relation(entry) || relation::name(entry).is_some());
    match names.next() {
        Some(first) => equations && names.all(|name| name == first),
        None => equations,
    }
}
