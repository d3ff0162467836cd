//! Answers that are numbers.

use num_rational::BigRational;

use super::algebra::Algebra;
use super::parse::parse;
use super::syntax::Node;
use super::token::tokens;

/// An exact rational number, with the unit "percent" kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    value: BigRational,
    /// Written with a percent sign; the value is then that of the digits before it (`50%` is 50).
    pub percent: bool,
}

impl Number {
    /// Equal in value, whatever the unit.
    pub fn same_value(&self, other: &Number) -> bool {
        self.value == other.value
    }
}

/// Reads an answer that has a rational value in any spelling that [`math_equal`](super::math_equal) knows, a unit of
/// measure after it included. None of anything else.
pub fn parse_number(text: &str) -> Option<Number> {
    let tree = parse(&tokens(text).ok()?).ok()?;
    let (tree, percent) = match &tree {
        Node::Percent(inside) => (inside.as_ref(), true),
        Node::Measured(inside, _) => (inside.as_ref(), false),
        tree => (tree, false),
    };
    let value = Algebra::new().value(tree, true).ok()?.as_rational()?;
    Some(Number { value, percent })
}
