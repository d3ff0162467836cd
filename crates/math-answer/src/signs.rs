//! `\pm` and `\mp`: replaces an answer with a choice of sign by the two answers with each sign.

use super::limits::Unsure;
use super::syntax::{Node, Sign};

/// Entries of a list or set; any other node is its own single entry. An entry with a `\pm` becomes two
/// entries.
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

/// Refuses a list in which more than one entry has a `\pm`: the text does not say whether their signs
/// agree.
pub(super) fn one_choice(entries: &[Node]) -> Result<(), Unsure> {
    match entries.iter().filter(|entry| has_choice(entry)).count() {
        0 | 1 => Ok(()),
        _ => Err(Unsure::Ambiguous("\\pm".to_owned())),
    }
}

pub(super) fn has_choice(node: &Node) -> bool {
    choices(node) > 0
}

/// Number of independent choices of sign in a node. A `\pm` and a `\mp` are one choice; two `\pm` or two
/// `\mp` are two.
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

/// Copy of a node in which every `\pm` and `\mp` is replaced by its upper or its lower sign.
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
