//! Equations and inequalities: `x = 5` is 5, `5 > x` is `x < 5`, `1 < x <= 2` is `(1, 2]`.

use super::algebra::Algebra;
use super::limits::Unsure;
use super::syntax::{Node, Relation, SetOperation};

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
fn interval(relations: &[Relation], sides: &[Node]) -> Option<Node> {
    let infinity = || Node::Symbol("infty".to_owned());
    let bracket = |relation: &Relation, open: bool| match relation {
        Relation::Less => Some(if open { '(' } else { ')' }),
        Relation::LessOrEqual => Some(if open { '[' } else { ']' }),
        _ => None,
    };
    let variable = |node: &Node| matches!(node, Node::Symbol(name) if name != "infty" && name != "pi" && name != "e");
    match (relations, sides) {
        ([Relation::NotEqual], [name, value]) if variable(name) && !variable(value) => {
            Some(Node::Sets(
                SetOperation::Difference,
                vec![
                    Node::Symbol("ℝ".to_owned()),
                    Node::Unordered(vec![value.clone()]),
                ],
            ))
        }
        ([low, high], [from, name, to]) if variable(name) => Some(Node::Ordered {
            open: bracket(low, true)?,
            items: vec![from.clone(), to.clone()],
            close: bracket(high, false)?,
        }),
        ([high], [name, to]) if variable(name) && !variable(to) => Some(Node::Ordered {
            open: '(',
            items: vec![infinity().negated(), to.clone()],
            close: bracket(high, false)?,
        }),
        ([low], [from, name]) if variable(name) && !variable(from) => Some(Node::Ordered {
            open: bracket(low, true)?,
            items: vec![from.clone(), infinity()],
            close: ')',
        }),
        _ => None,
    }
}

/// Whether an equation that begins with this only says what is computed: `x`, `f(x)`, `AB`.
fn is_name(node: &Node) -> bool {
    match node {
        Node::Symbol(name) => name != "pi" && name != "e" && name != "i" && name != "infty",
        Node::Text(_) => true,
        Node::Product(factors) => {
            match factors.as_slice() {
                [Node::Symbol(name), Node::Symbol(_)] => {
                    let function = ["f", "g", "h", "F", "G", "H", "P", "Q", "p", "q", "T", "S"]
                        .contains(&name.as_str());
                    let line = factors.iter().all(|factor| matches!(factor, Node::Symbol(c) if c.chars().all(char::is_uppercase)));
                    function || line
                }
                _ => false,
            }
        }
        _ => false,
    }
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
