//! Equations and inequalities: `x = 5` is 5, `5 > x` is `x < 5`, `1 < x <= 2` is `(1, 2]`.

use super::algebra::Algebra;
use super::limits::Unsure;
use super::real_set::infinity;
use super::syntax::{Node, Relation};

/// Points that a line, a triangle or a quadrilateral is named by.
const MAX_POINTS: usize = 4;

/// What a relation gives for the one thing it is about, where the other answer is no relation: `x = 5` gives 5,
/// `x \in S` gives S, `1 < x` gives an interval. None where it says more than that.
pub(super) fn named_value(algebra: &mut Algebra, node: &Node) -> Result<Option<Node>, Unsure> {
    let Node::Relation { sides, relations } = node else {
        return Ok(None);
    };
    let ([first, rest @ ..], Some(last)) = (sides.as_slice(), sides.last()) else {
        return Ok(None);
    };
    if relations.as_slice() == [Relation::In] && is_name(first) {
        return Ok(Some(last.clone()));
    }
    if relations
        .iter()
        .all(|relation| *relation == Relation::Equal)
    {
        // `5 = x`.
        if sides.len() == 2 && is_name(last) && !is_name(first) {
            return Ok(Some(first.clone()));
        }
        // `x = 6/4 = 3/2`, or `2 + 3 = 5`: all that follows the name is one value.
        let values = if is_name(first) { rest } else { sides };
        for value in values {
            if !algebra.same(value, last)? {
                return Ok(None);
            }
        }
        return Ok(Some(last.clone()));
    }
    let (relations, sides) = ascending(relations, sides);
    Ok(interval(&relations, &sides))
}

/// `a < x < b` as an interval.
pub(super) fn interval(relations: &[Relation], sides: &[Node]) -> Option<Node> {
    let bracket = |relation: &Relation, open: bool| match relation {
        Relation::Less => Some(if open { '(' } else { ')' }),
        Relation::LessOrEqual => Some(if open { '[' } else { ']' }),
        _ => None,
    };
    match (relations, sides) {
        ([low, high], [from, name, to]) if is_variable(name) => Some(Node::Ordered {
            open: bracket(low, true)?,
            items: vec![from.clone(), to.clone()],
            close: bracket(high, false)?,
        }),
        ([high], [name, to]) if is_variable(name) && !is_variable(to) => Some(Node::Ordered {
            open: '(',
            items: vec![infinity().negated(), to.clone()],
            close: bracket(high, false)?,
        }),
        ([low], [from, name]) if is_variable(name) && !is_variable(from) => Some(Node::Ordered {
            open: bracket(low, true)?,
            items: vec![from.clone(), infinity()],
            close: ')',
        }),
        _ => None,
    }
}

pub(super) fn is_variable(node: &Node) -> bool {
    matches!(node, Node::Symbol(name) if !matches!(name.as_str(), "infty" | "pi" | "e" | "ℝ"))
}

/// Whether an equation that begins with this only says what is computed: `x`, `f(x)`, `P(3)`, `AB`, `(x, y)`, `Area`.
pub(super) fn is_name(node: &Node) -> bool {
    match node {
        Node::Symbol(name) => !matches!(name.as_str(), "pi" | "e" | "i" | "infty" | "ℝ"),
        Node::Text(_) => true,
        Node::Ordered { items, .. } => items.iter().all(is_variable) && in_usual_order(items),
        Node::Product(factors) => {
            let point =
                |node: &Node| matches!(node, Node::Symbol(c) if c.chars().all(char::is_uppercase));
            match factors.as_slice() {
                [Node::Symbol(name), Node::Symbol(_) | Node::Number(_)]
                    if ["P", "Q", "H", "p", "q", "T", "S"].contains(&name.as_str()) =>
                {
                    true
                }
                factors => factors.len() <= MAX_POINTS && factors.iter().all(point),
            }
        }
        _ => false,
    }
}

/// The name that an equation begins with.
pub(super) fn name(node: &Node) -> Option<&Node> {
    let Node::Relation { sides, relations } = node else {
        return None;
    };
    let equations = relations
        .iter()
        .all(|relation| *relation == Relation::Equal);
    sides.first().filter(|name| equations && is_name(name))
}

/// What `x = 1, y = 2` says of a point: the values by the names of their variables. None where a name comes twice or is no
/// variable.
pub(super) fn point(algebra: &mut Algebra, entries: &[Node]) -> Result<Option<Vec<Node>>, Unsure> {
    let mut values = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(Node::Symbol(name)) = name(entry) else {
            return Ok(None);
        };
        match named_value(algebra, entry)? {
            Some(value) => values.push((name, value)),
            None => return Ok(None),
        }
    }
    values.sort_by_key(|(name, _)| place(name));
    let known = values.iter().all(|(name, _)| place(name).is_some());
    let distinct = values.windows(2).all(|pair| pair[0].0 != pair[1].0);
    Ok((known && distinct).then(|| values.into_iter().map(|(_, value)| value).collect()))
}

/// Where a coordinate stands: letters by the alphabet, before polar and spherical ones in their order. None of others.
fn place(name: &str) -> Option<usize> {
    let greek = ["rho", "theta", "phi"];
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) if letter.is_ascii_alphabetic() => Some(letter as usize),
        _ => greek
            .iter()
            .position(|known| *known == name)
            .map(|at| 0x80 + at),
    }
}

/// Whether a point names its coordinates in the order that is meant without names.
fn in_usual_order(items: &[Node]) -> bool {
    let places = items.iter().map(|item| match item {
        Node::Symbol(name) => place(name),
        _ => None,
    });
    let places: Vec<Option<usize>> = places.collect();
    places.iter().all(Option::is_some) && places.is_sorted()
}

/// With `<` and `<=` only, where the relations all point the same way; an equation has its sides in any order.
pub(super) fn ascending(relations: &[Relation], sides: &[Node]) -> (Vec<Relation>, Vec<Node>) {
    let flipped = |relation: &Relation| match relation {
        Relation::Greater => Some(Relation::Less),
        Relation::GreaterOrEqual => Some(Relation::LessOrEqual),
        _ => None,
    };
    let turned: Option<Vec<Relation>> = relations.iter().rev().map(flipped).collect();
    match turned {
        Some(turned) => (turned, sides.iter().rev().cloned().collect()),
        None => (relations.to_vec(), sides.to_vec()),
    }
}
