//! Whether two trees say the same.

use num_traits::Signed;

use super::algebra::{Algebra, Value};
use super::limits::Unsure;
use super::poly::Poly;
use super::relation;
use super::syntax::{Node, Relation, SetOperation, Sign};
use super::units::Unit;

/// Most entries of a set or list: they are compared pair by pair.
const MAX_ENTRIES: usize = 30;

impl Algebra {
    /// Not symmetric: see [`math_equal`](super::math_equal) for what an answer may leave out.
    pub(super) fn same(&mut self, answer: &Node, gold: &Node) -> Result<bool, Unsure> {
        self.budget.spend(1)?;
        if answer == gold {
            return Ok(true);
        }
        let (answer_sides, gold_sides) = (is_relation(answer), is_relation(gold));
        match (answer, gold) {
            _ if answer_sides && gold_sides => self.same_relation(answer, gold),
            _ if answer_sides => match relation::named_value(self, answer)? {
                Some(value) => self.same(&value, gold),
                None => Ok(false),
            },
            _ if gold_sides => match relation::named_value(self, gold)? {
                Some(value) => self.same(answer, &value),
                None => Ok(false),
            },
            (Node::Text(a), Node::Text(g)) => Ok(plain(a) == plain(g)),
            (Node::Text(_), _) | (_, Node::Text(_)) => Ok(false),
            (
                Node::Ordered { open, items, close },
                Node::Ordered {
                    open: gold_open,
                    items: gold_items,
                    close: gold_close,
                },
            ) => Ok((open, close) == (gold_open, gold_close)
                && self.same_in_order(items, gold_items)?),
            (Node::Matrix(a), Node::Matrix(g)) => {
                if a.len() != g.len() {
                    return Ok(false);
                }
                for (row, gold) in a.iter().zip(g) {
                    if !self.same_in_order(row, gold)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Node::Sets(operation, a), Node::Sets(gold_operation, g))
                if operation == gold_operation =>
            {
                match operation {
                    SetOperation::Difference => self.same_in_order(a, g),
                    _ => self.same_entries(a, g),
                }
            }
            (Node::Ordered { .. } | Node::Matrix(_) | Node::Sets(..), _)
            | (_, Node::Ordered { .. } | Node::Matrix(_) | Node::Sets(..)) => Ok(false),
            (Node::Unordered(_), _) | (_, Node::Unordered(_)) => {
                let (a, g) = (entries(answer), entries(gold));
                self.same_entries(&a, &g)
            }
            _ if has_choice(answer) || has_choice(gold) => {
                let (a, g) = (entries(answer), entries(gold));
                self.same_entries(&a, &g)
            }
            _ => self.same_quantity(answer, gold),
        }
    }

    fn same_in_order(&mut self, answer: &[Node], gold: &[Node]) -> Result<bool, Unsure> {
        if answer.len() != gold.len() {
            return Ok(false);
        }
        for (answer, gold) in answer.iter().zip(gold) {
            if !self.same(answer, gold)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Every entry of one is in the other, whatever the order.
    fn same_entries(&mut self, answer: &[Node], gold: &[Node]) -> Result<bool, Unsure> {
        if answer.len().max(gold.len()) > MAX_ENTRIES {
            return Err(Unsure::TooMuchWork);
        }
        let mut met = vec![false; gold.len()];
        for entry in answer {
            let mut found = false;
            for (place, gold) in gold.iter().enumerate() {
                if self.same(entry, gold)? {
                    (met[place], found) = (true, true);
                }
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(met.iter().all(|met| *met))
    }

    /// Numbers and expressions, with percent and units.
    fn same_quantity(&mut self, answer: &Node, gold: &Node) -> Result<bool, Unsure> {
        let (a, g) = (Quantity::of(answer), Quantity::of(gold));
        match (a.unit, g.unit) {
            (Some(unit), Some(gold)) if unit != gold => return Ok(false),
            _ => {}
        }
        let (number, gold_number) = (self.value(a.number, true)?, self.value(g.number, true)?);
        if a.percent == g.percent {
            let same = self.same_value(&number, &gold_number)?;
            let degrees = |unit: Option<&Unit>| unit.is_some_and(|unit| unit.is("degree"));
            if same || degrees(a.unit) == degrees(g.unit) {
                return Ok(same);
            }
            // Degrees on one side: the other may be in radians.
            let (radians, gold_radians) = (self.value(answer, true)?, self.value(gold, true)?);
            return self.same_value(&radians, &gold_radians);
        }
        // Where the gold answer is in percent, a bare number may be too.
        if g.percent && self.same_value(&number, &gold_number)? {
            return Ok(true);
        }
        let (share, gold_share) = (self.value(answer, true)?, self.value(gold, true)?);
        self.same_value(&share, &gold_share)
    }

    pub(super) fn same_value(&mut self, answer: &Value, gold: &Value) -> Result<bool, Unsure> {
        if self.subtract(answer, gold)?.is_zero() {
            return Ok(true);
        }
        self.agree(answer, gold)
    }

    /// Both are relations: the same one, with sides moved, swapped or multiplied.
    fn same_relation(&mut self, answer: &Node, gold: &Node) -> Result<bool, Unsure> {
        let (
            Node::Relation { sides, relations },
            Node::Relation {
                sides: gold_sides,
                relations: gold_relations,
            },
        ) = (answer, gold)
        else {
            return Ok(false);
        };
        let (relations, sides) = relation::ascending(relations, sides);
        let (gold_relations, gold_sides) = relation::ascending(gold_relations, gold_sides);
        if relations != gold_relations {
            return Ok(false);
        }
        let mut all = true;
        for (side, gold) in sides.iter().zip(&gold_sides) {
            all = all && matches!(self.same(side, gold), Ok(true));
        }
        if all {
            return Ok(true);
        }
        let ([relation], [low, high], [gold_low, gold_high]) = (
            relations.as_slice(),
            sides.as_slice(),
            gold_sides.as_slice(),
        ) else {
            return Ok(false);
        };
        if *relation == Relation::In {
            return Ok(false);
        }
        let mut difference = |low: &Node, high: &Node| {
            let (low, high) = (self.value(low, true)?, self.value(high, true)?);
            self.subtract(&high, &low)
        };
        let (a, g) = (difference(low, high)?, difference(gold_low, gold_high)?);
        let ordered = !matches!(relation, Relation::Equal | Relation::NotEqual);
        Ok(proportional(&a, &g, ordered))
    }
}

/// Whether one is the other times a rational number, which is positive for the sides of an inequality.
fn proportional(left: &Value, right: &Value, positive: bool) -> bool {
    let (Some(left), Some(right)) = (left.as_poly(), right.as_poly()) else {
        return false;
    };
    let first = |poly: &Poly| poly.0.first_key_value().map(|(_, value)| value.clone());
    let (Some(a), Some(b)) = (first(left), first(right)) else {
        return false;
    };
    let factor = a / b;
    // Zero on both sides is no equation at all.
    let constant = left.as_rational().is_some();
    let turned = positive && factor.is_negative();
    !(constant || turned) && *left == right.scaled(&factor)
}

/// A number, with its unit and percent sign taken off.
struct Quantity<'n> {
    number: &'n Node,
    percent: bool,
    unit: Option<&'n Unit>,
}

impl<'n> Quantity<'n> {
    fn of(node: &'n Node) -> Self {
        let (mut number, mut percent, mut unit) = (node, false, None);
        match node {
            Node::Percent(inside) => (number, percent) = (inside, true),
            Node::Measured(inside, of) => (number, unit) = (inside, Some(of)),
            _ => {}
        }
        Quantity {
            number,
            percent,
            unit,
        }
    }
}

fn is_relation(node: &Node) -> bool {
    matches!(node, Node::Relation { .. })
}

/// What a list says: its entries, each choice of sign an entry of its own.
fn entries(node: &Node) -> Vec<Node> {
    let nodes = match node {
        Node::Unordered(nodes) => nodes.as_slice(),
        node => std::slice::from_ref(node),
    };
    let both = |node: &Node| match has_choice(node) {
        true => vec![chosen(node, true), chosen(node, false)],
        false => vec![node.clone()],
    };
    nodes.iter().flat_map(both).collect()
}

/// Whether a `\pm` is inside.
fn has_choice(node: &Node) -> bool {
    match node {
        Node::Sum(terms) => terms.iter().any(|(sign, term)| {
            matches!(sign, Sign::PlusMinus | Sign::MinusPlus) || has_choice(term)
        }),
        Node::Product(nodes) | Node::Call(_, nodes) => nodes.iter().any(has_choice),
        Node::Quotient(a, b) | Node::Power(a, b) => has_choice(a) || has_choice(b),
        Node::Root(_, inside) | Node::Percent(inside) | Node::Measured(inside, _) => {
            has_choice(inside)
        }
        Node::Relation { sides, .. } => sides.iter().any(has_choice),
        _ => false,
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

/// Text without the article before it, hyphens and apostrophes.
fn plain(text: &str) -> String {
    let text = text.replace(['-', '\''], " ");
    let text = ["the ", "a ", "an "]
        .iter()
        .find_map(|article| text.strip_prefix(article))
        .unwrap_or(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
