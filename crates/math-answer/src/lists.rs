//! Equality of lists and sets: the same entries, in any order.

use super::algebra::Algebra;
use super::compare::is_relation;
use super::limits::Unsure;
use super::relation;
use super::signs::{entries, one_choice};
use super::syntax::{Joined, Node};

/// Most entries of a set or list that is compared; comparing in any order takes quadratic time.
const MAX_ENTRIES: usize = 30;

impl Algebra {
    /// Compares two nodes by their entries, in any order. At least one of them is a list or a set; any
    /// other node counts as a list of one entry.
    pub(super) fn same_list(&mut self, answer: &Node, gold: &Node) -> Result<bool, Unsure> {
        if let (Node::List(a, entries), Node::List(g, _)) = (answer, gold) {
            // `a and b` differs from `a or b`, unless the entries are the solutions for one name.
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
        // `x = 1, y = 2` differs from `1, 2`: names may be left out only if there is one name.
        let named = |entries: &[Node]| entries.iter().any(|entry| relation::name(entry).is_some());
        if named(&a) != named(&g) && !(one_name(&a) && one_name(&g)) {
            return Ok(false);
        }
        self.same_entries(&a, &g, set)
    }

    /// Compares entries in any order. In a list every entry is matched once, so repeated entries count; in
    /// a set they do not.
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
                // Without this check `{{1}}` would equal `{1}`, because a set of one entry equals the bare
                // entry.
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

/// Whether no entry is a name. Between numbers and equations, `and` and `or` mean the same: all of them are
/// solutions.
fn are_solutions(entries: &[Node]) -> bool {
    let name = |node: &Node| {
        matches!(node, Node::Text(_))
            || matches!(node, Node::Symbol(name) if name != "pi" && name != "e" && name != "i")
            || matches!(node, Node::Product(factors) if factors.iter().all(|f| matches!(f, Node::Symbol(_))))
    };
    !entries.iter().any(name)
}

/// Whether all equations among the entries have the same name on the left (`x = 1 or x = 2`), and no entry
/// is any other relation.
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
