//! Equations and inequalities: `x = 5` is 5, `5 > x` is `x < 5`, `1 < x <= 2` is `(1, 2]`.

use super::algebra::Algebra;
use super::limits::Unsure;
use super::syntax::{Node, Relation};

/// Most points in the name of a line, a triangle or a quadrilateral.
const MAX_POINTS: usize = 4;

/// The value of a relation, for comparison with an answer that is not a relation: `x = 5` has the value 5,
/// `x \in S` has S, `1 < x` has an interval. `None` if one value cannot express the relation.
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
        // `x = 6/4 = 3/2`, or `2 + 3 = 5`: all sides after the name have to be equal.
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
            items: vec![Node::infinity().negated(), to.clone()],
            close: bracket(high, false)?,
        }),
        ([low], [from, name]) if is_variable(name) && !is_variable(from) => Some(Node::Ordered {
            open: bracket(low, true)?,
            items: vec![from.clone(), Node::infinity()],
            close: ')',
        }),
        _ => None,
    }
}

pub(super) fn is_variable(node: &Node) -> bool {
    matches!(node, Node::Symbol(name) if !matches!(name.as_str(), "infty" | "pi" | "e" | "ℝ"))
}

/// Whether a left side of an equation only names the value: `x`, `f(x)`, `P(3)`, `AB`, `(x, y)`, `Area`.
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

/// The left side of an equation, if it is a [name](is_name).
pub(super) fn name(node: &Node) -> Option<&Node> {
    let Node::Relation { sides, relations } = node else {
        return None;
    };
    let equations = relations
        .iter()
        .all(|relation| *relation == Relation::Equal);
    sides.first().filter(|name| equations && is_name(name))
}

/// The coordinates of a point that is given as `x = 1, y = 2`, in the usual order of their names. `None` if
/// a name occurs twice or is not that of a coordinate.
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

/// Rank of a coordinate in the usual order: letters by the alphabet, then rho, theta, phi. `None` for other
/// names.
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

/// Whether coordinates are named in their usual order, so that `(x, y) = (1, 2)` is the point `(1, 2)`.
fn in_usual_order(items: &[Node]) -> bool {
    let places = items.iter().map(|item| match item {
        Node::Symbol(name) => place(name),
        _ => None,
    });
    let places: Vec<Option<usize>> = places.collect();
    places.iter().all(Option::is_some) && places.is_sorted()
}

/// Reverses a chain of `>` and `>=` to one of `<` and `<=`. Any other chain is returned unchanged.
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
