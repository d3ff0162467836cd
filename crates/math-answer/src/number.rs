//! Answers that are numbers.

use num_rational::BigRational;

use super::algebra::Algebra;
use super::parse::parse;
use super::plain::plain;
use super::syntax::Node;
use super::token::tokens;

/// An exact rational number, with the unit "percent" kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    value: BigRational,
    /// Whether the number has a percent sign. The value is then the number before the sign: 50 for `50%`.
    pub percent: bool,
}

impl Number {
    /// Whether the values are equal; percent signs are ignored.
    pub fn same_value(&self, other: &Number) -> bool {
        self.value == other.value
    }
}

/// Parses an answer with a rational value, in any notation that [`math_equal`](super::math_equal)
/// understands, with or without a unit of measure. Returns `None` for any other answer.
pub fn parse_number(text: &str) -> Option<Number> {
    let tree = parse(&tokens(&plain(text)).ok()?).ok()?;
    let (tree, percent) = match &tree {
        Node::Percent(inside) => (inside.as_ref(), true),
        Node::Measured(inside, _) => (inside.as_ref(), false),
        tree => (tree, false),
    };
    let value = Algebra::new().value(tree, true).ok()?.as_rational()?;
    Some(Number { value, percent })
}
