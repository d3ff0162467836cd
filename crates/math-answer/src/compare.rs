//! Comparison of two syntax trees.

use num_traits::Signed;

use super::algebra::{Algebra, Value};
use super::limits::Unsure;
use super::poly::Poly;
use super::real_set::real_set;
use super::relation;
use super::signs::{entries, has_choice, one_choice};
use super::syntax::{Node, Relation, SetOperation};
use super::words::same_words;

impl Algebra {
    /// Whether an answer is the same as the gold answer. Not symmetric:
    /// [`math_verdict`](super::math_verdict) says what an answer may leave out.
    pub(super) fn same(&mut self, answer: &Node, gold: &Node) -> Result<bool, Unsure> {
        self.budget.spend(1)?;
        if answer == gold {
            return Ok(true);
        }
        let (answer_sides, gold_sides) = (is_relation(answer), is_relation(gold));
        if let (Some(a), Some(g)) = (real_set(answer), real_set(gold))
            && !(a.plain && g.plain)
            && (a.variable == g.variable || a.variable.is_none() || g.variable.is_none())
            && self.same_entries(&a.intervals, &g.intervals, false)?
        {
            return Ok(true);
        }
        match (answer, gold) {
            (
                Node::List(_, entries),
                Node::Ordered {
                    open: '(',
                    items,
                    close: ')',
                },
            ) => match relation::point(self, entries)? {
                Some(point) => self.same_in_order(&point, items),
                None => Ok(false),
            },
            (
                Node::Ordered {
                    open: '(',
                    items,
                    close: ')',
                },
                Node::List(_, entries),
            ) => match relation::point(self, entries)? {
                Some(point) => self.same_in_order(items, &point),
                None => Ok(false),
            },
            _ if answer_sides && gold_sides && (has_choice(answer) || has_choice(gold)) => {
                let (a, g) = (entries(answer)?, entries(gold)?);
                self.same_entries(&a, &g, false)
            }
            _ if answer_sides && gold_sides => self.same_relation(answer, gold),
            _ if answer_sides => match relation::named_value(self, answer)? {
                Some(value) => self.same(&value, gold),
                None => Ok(false),
            },
            _ if gold_sides => match relation::named_value(self, gold)? {
                Some(value) => self.same(answer, &value),
                None => Ok(false),
            },
            (Node::List(..) | Node::Set(_), _) | (_, Node::List(..) | Node::Set(_)) => {
                self.same_list(answer, gold)
            }
            (Node::Text(a), Node::Text(g)) => Ok(same_words(a, g)),
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
                let widths = |rows: &[Vec<Node>]| rows.iter().map(Vec::len).collect::<Vec<_>>();
                Ok(widths(a) == widths(g) && self.same_in_order(&a.concat(), &g.concat())?)
            }
            (Node::Sets(operation, a), Node::Sets(gold_operation, g))
                if operation == gold_operation =>
            {
                match operation {
                    SetOperation::Difference => self.same_in_order(a, g),
                    _ => self.same_entries(a, g, true),
                }
            }
            (Node::Ordered { .. } | Node::Matrix(_) | Node::Sets(..), _)
            | (_, Node::Ordered { .. } | Node::Matrix(_) | Node::Sets(..)) => Ok(false),
            (Node::Ratio(a), Node::Ratio(g)) => self.same_ratio(a, g),
            (Node::Product(a), Node::Product(g)) if reordered_letters(a, g) => {
                Err(Unsure::Ambiguous("letters in another order".to_owned()))
            }
            _ if has_choice(answer) || has_choice(gold) => {
                let (a, g) = (entries(answer)?, entries(gold)?);
                self.same_entries(&a, &g, false)
            }
            _ => self.same_quantity(answer, gold),
        }
    }

    fn same_in_order(&mut self, answer: &[Node], gold: &[Node]) -> Result<bool, Unsure> {
        if answer.len() != gold.len() {
            return Ok(false);
        }
        one_choice(answer)?;
        one_choice(gold)?;
        for (answer, gold) in answer.iter().zip(gold) {
            if !self.same(answer, gold)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether two ratios of three or more terms are proportional.
    fn same_ratio(&mut self, answer: &[Node], gold: &[Node]) -> Result<bool, Unsure> {
        let ([first, rest @ ..], [gold_first, gold_rest @ ..]) = (answer, gold) else {
            return Ok(false);
        };
        if rest.len() != gold_rest.len() {
            return Ok(false);
        }
        let (first, gold_first) = (self.value(first, true)?, self.value(gold_first, true)?);
        if first.is_zero() || gold_first.is_zero() {
            return Err(Unsure::NoValue);
        }
        for (term, gold) in rest.iter().zip(gold_rest) {
            let (term, gold) = (self.value(term, true)?, self.value(gold, true)?);
            let across = self.multiply(&term, &gold_first)?;
            let gold_across = self.multiply(&gold, &first)?;
            if !self.same_value(&across, &gold_across)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn same_value(&mut self, answer: &Value, gold: &Value) -> Result<bool, Unsure> {
        if self.subtract(answer, gold)?.is_zero() {
            return Ok(true);
        }
        self.agree(answer, gold)
    }

    /// Compares two relations. They are the same even if terms were moved across, sides swapped, or both
    /// sides multiplied by a number.
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

/// Whether one value is the other times a rational number. `positive`: only a positive number counts, as in
/// an inequality, which a negative one would turn around.
fn proportional(left: &Value, right: &Value, positive: bool) -> bool {
    let (Some(left), Some(right)) = (left.as_poly(), right.as_poly()) else {
        return false;
    };
    let first = |poly: &Poly| poly.0.first_key_value().map(|(_, value)| value.clone());
    let (Some(a), Some(b)) = (first(left), first(right)) else {
        return false;
    };
    let factor = a / b;
    // Without variables, as in `1 = 2`, there is no equation to compare.
    let constant = left.as_rational().is_some();
    let turned = positive && factor.is_negative();
    !(constant || turned) && *left == right.scaled(&factor)
}

pub(super) fn is_relation(node: &Node) -> bool {
    matches!(node, Node::Relation { .. })
}

/// Whether two products have the same capital letters in another order. They are equal as products, but not
/// as rankings or as digits of another base.
fn reordered_letters(left: &[Node], right: &[Node]) -> bool {
    let letters = |nodes: &[Node]| -> Option<Vec<String>> {
        let letter = |node: &Node| match node {
            Node::Symbol(name) => {
                let mut characters = name.chars();
                let first = characters.next().filter(char::is_ascii_uppercase)?;
                let rest = characters.as_str();
                (rest.is_empty() || rest.starts_with('_')).then(|| first.to_string())
            }
            _ => None,
        };
        nodes.iter().map(letter).collect()
    };
    match (letters(left), letters(right)) {
        (Some(left), Some(right)) if left.len() > 2 => {
            let sorted = |letters: &[String]| {
                let mut letters = letters.to_vec();
                letters.sort_unstable();
                letters
            };
            left != right && sorted(&left) == sorted(&right)
        }
        _ => false,
    }
}
