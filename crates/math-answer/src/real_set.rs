//! Sets of real numbers in any notation: `x < 1 or x > 2`, `(-\infty, 1) \cup (2, \infty)`, `x \ne 3`.

use super::relation::{ascending, interval, is_variable};
use super::syntax::{Function, Joined, Node, Relation, SetOperation};

/// A set of real numbers as a union of intervals, with its variable if the notation names one.
#[derive(Debug, Clone)]
pub(super) struct RealSet {
    pub(super) variable: Option<String>,
    /// Each is a [`Node::Ordered`] of two ends.
    pub(super) intervals: Vec<Node>,
    /// Whether the set was written as intervals or a union of intervals, not as relations, `\mathbb{R}` or
    /// a complement.
    pub(super) plain: bool,
}

/// Reads a node as a union of intervals. `None` if the node is not a set of real numbers, or if its ends
/// can only be found by solving an equation.
pub(super) fn real_set(node: &Node) -> Option<RealSet> {
    match node {
        Node::Ordered { items, .. } if items.len() == 2 => Some(RealSet {
            variable: None,
            intervals: vec![node.clone()],
            plain: true,
        }),
        Node::Symbol(name) if name == "ℝ" => Some(RealSet {
            variable: None,
            intervals: vec![between(
                '(',
                Node::infinity().negated(),
                Node::infinity(),
                ')',
            )],
            plain: false,
        }),
        Node::Sets(SetOperation::Union, parts) => union(parts),
        Node::Sets(SetOperation::Difference, parts) => match parts.as_slice() {
            [Node::Symbol(name), Node::Set(points)] if name == "ℝ" => match points.as_slice() {
                [point] => Some(RealSet {
                    variable: None,
                    intervals: all_but(point),
                    plain: false,
                }),
                _ => None,
            },
            _ => None,
        },
        Node::List(Joined::Or, parts) if parts.iter().all(is_relation) => union(parts),
        Node::List(Joined::And, parts) if parts.iter().all(is_relation) => both(parts),
        Node::Relation { sides, relations } => of_relation(sides, relations),
        _ => None,
    }
}

fn of_relation(sides: &[Node], relations: &[Relation]) -> Option<RealSet> {
    if let ([Relation::In], [Node::Symbol(name), set]) = (relations, sides) {
        let set = real_set(set)?;
        let free = set.variable.is_none() || set.variable.as_ref() == Some(name);
        return free.then(|| RealSet {
            variable: Some(name.clone()),
            plain: false,
            ..set
        });
    }
    let (relations, sides) = ascending(relations, sides);
    let about = |name: &Node, intervals: Vec<Node>| match name {
        Node::Symbol(name) => Some(RealSet {
            variable: Some(name.clone()),
            intervals,
            plain: false,
        }),
        _ => None,
    };
    match (relations.as_slice(), sides.as_slice()) {
        ([Relation::NotEqual], [name, value]) if is_variable(name) && !is_variable(value) => {
            about(name, all_but(value))
        }
        // |x| < a and a < |x|.
        (
            [Relation::Less | Relation::LessOrEqual],
            [Node::Call(Function::Absolute, inside), end],
        ) if inside.iter().all(is_variable) && matches!(end, Node::Number(_)) => {
            let (open, close) = brackets(relations[0]);
            let inner = between(open, end.clone().negated(), end.clone(), close);
            about(inside.first()?, vec![inner])
        }
        (
            [Relation::Less | Relation::LessOrEqual],
            [end, Node::Call(Function::Absolute, inside)],
        ) if inside.iter().all(is_variable) && matches!(end, Node::Number(_)) => {
            let (open, close) = brackets(relations[0]);
            let low = between(
                '(',
                Node::infinity().negated(),
                end.clone().negated(),
                close,
            );
            let high = between(open, end.clone(), Node::infinity(), ')');
            about(inside.first()?, vec![low, high])
        }
        _ => {
            let name = sides.iter().find(|side| is_variable(side))?;
            about(name, vec![interval(&relations, &sides)?])
        }
    }
}

fn union(parts: &[Node]) -> Option<RealSet> {
    let mut all = RealSet {
        variable: None,
        intervals: Vec::new(),
        plain: true,
    };
    for part in parts {
        let part = real_set(part)?;
        if all.intervals.is_empty() {
            all.variable = part.variable;
        } else if all.variable != part.variable {
            return None;
        }
        all.plain &= part.plain;
        all.intervals.extend(part.intervals);
    }
    Some(all)
}

/// Intersection of two half-lines that overlap in an interval: `x > 1 and x < 2`.
fn both(parts: &[Node]) -> Option<RealSet> {
    let [first, second] = parts else {
        return None;
    };
    let (first, second) = (real_set(first)?, real_set(second)?);
    if first.variable != second.variable {
        return None;
    }
    let ([a], [b]) = (first.intervals.as_slice(), second.intervals.as_slice()) else {
        return None;
    };
    let (low, high) = match (half(a)?, half(b)?) {
        (Half::Above(open, low), Half::Below(high, close))
        | (Half::Below(high, close), Half::Above(open, low)) => ((open, low), (high, close)),
        _ => return None,
    };
    Some(RealSet {
        variable: first.variable,
        intervals: vec![between(low.0, low.1.clone(), high.0.clone(), high.1)],
        plain: false,
    })
}

enum Half<'n> {
    Above(char, &'n Node),
    Below(&'n Node, char),
}

fn half(interval: &Node) -> Option<Half<'_>> {
    let Node::Ordered { open, items, close } = interval else {
        return None;
    };
    match items.as_slice() {
        [low, high] if *high == Node::infinity() => Some(Half::Above(*open, low)),
        [low, high] if *low == Node::infinity().negated() => Some(Half::Below(high, *close)),
        _ => None,
    }
}

fn all_but(point: &Node) -> Vec<Node> {
    vec![
        between('(', Node::infinity().negated(), point.clone(), ')'),
        between('(', point.clone(), Node::infinity(), ')'),
    ]
}

fn brackets(relation: Relation) -> (char, char) {
    match relation {
        Relation::LessOrEqual => ('[', ']'),
        _ => ('(', ')'),
    }
}

fn between(open: char, low: Node, high: Node, close: char) -> Node {
    Node::Ordered {
        open,
        items: vec![low, high],
        close,
    }
}

fn is_relation(node: &Node) -> bool {
    matches!(node, Node::Relation { .. })
}
