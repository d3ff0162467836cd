//! `\pm` and `\mp`: the answers that an answer with a choice of sign stands for.

use super::limits::Unsure;
use super::syntax::{Node, Sign};

/// What a list says: its entries, each choice of sign an entry of its own.
pub(super) fn entries(node: &Node) -> Result<Vec<Node>, Unsure> {
    let nodes = match node {
        Node::Set(nodes) | Node::List(_, nodes) => nodes.as_slice(),
        node => std::slice::from_ref(node),
    };
    let mut entries = Vec::new();
    for node in nodes {
        match choices(node) {
            0 => entries.push(node.clone()),
            1 => entries.extend([chosen(node, true), chosen(node, false)]),
            // The text does not say whether two `\pm` take the same sign.
            _ => return Err(Unsure::Ambiguous("\\pm".to_owned())),
        }
    }
    Ok(entries)
}

/// Refuses several entries with a choice of sign each: whether their signs are chosen together is not said.
pub(super) fn one_choice(entries: &[Node]) -> Result<(), Unsure> {
    match entries.iter().filter(|entry| has_choice(entry)).count() {
        0 | 1 => Ok(()),
        _ => Err(Unsure::Ambiguous("\\pm".to_owned())),
    }
}

pub(super) fn has_choice(node: &Node) -> bool {
    choices(node) > 0
}

/// How many signs are chosen apart: `\mp` goes with a `\pm`, and two of either are two choices.
fn choices(node: &Node) -> usize {
    let mut signs = [0, 0];
    count_choices(node, &mut signs);
    signs[0].max(signs[1])
}

fn count_choices(node: &Node, signs: &mut [usize; 2]) {
    match node {
        Node::Sum(terms) => {
            for (sign, term) in terms {
                signs[0] += usize::from(*sign == Sign::PlusMinus);
                signs[1] += usize::from(*sign == Sign::MinusPlus);
                count_choices(term, signs);
            }
        }
        Node::Product(nodes) | Node::Call(_, nodes) | Node::Relation { sides: nodes, .. } => {
            nodes.iter().for_each(|node| count_choices(node, signs));
        }
        Node::Quotient(a, b) | Node::Power(a, b) => {
            count_choices(a, signs);
            count_choices(b, signs);
        }
        Node::Root(_, inside) | Node::Percent(inside) | Node::Measured(inside, _) => {
            count_choices(inside, signs);
        }
        _ => {}
    }
}

/// The upper or the lower signs of all `\pm` and `\mp` inside.
fn chosen(node: &Node, upper: bool) -> Node {
    let all = |nodes: &[Node]| nodes.iter().map(|node| chosen(node, upper)).collect();
    let one = |node: &Node| Box::new(chosen(node, upper));
    match node {
        Node::Sum(terms) => {
            let term = |(sign, term): &(Sign, Node)| {
                let sign = match (sign, upper) {
                    (Sign::PlusMinus, true) | (Sign::MinusPlus, false) => Sign::Plus,
                    (Sign::PlusMinus, false) | (Sign::MinusPlus, true) => Sign::Minus,
                    (sign, _) => *sign,
                };
                (sign, chosen(term, upper))
            };
            Node::Sum(terms.iter().map(term).collect())
        }
        Node::Product(nodes) => Node::Product(all(nodes)),
        Node::Call(function, nodes) => Node::Call(*function, all(nodes)),
        Node::Quotient(a, b) => Node::Quotient(one(a), one(b)),
        Node::Power(a, b) => Node::Power(one(a), one(b)),
        Node::Root(degree, inside) => Node::Root(*degree, one(inside)),
        Node::Percent(inside) => Node::Percent(one(inside)),
        Node::Measured(inside, unit) => Node::Measured(one(inside), unit.clone()),
        Node::Relation { sides, relations } => Node::Relation {
            sides: all(sides),
            relations: relations.clone(),
        },
        other => other.clone(),
    }
}
