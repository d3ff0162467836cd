//! A unit of measure: names with their powers.

use std::borrow::Cow;

/// A name of a unit, and its power.
pub(super) type Power = (Cow<'static, str>, i32);

/// Names with their powers, sorted: `m/s` is m^1 s^-1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit(Vec<Power>);

impl Unit {
    /// The unit with this name to the power of one.
    pub(super) fn of(name: &'static str) -> Unit {
        Unit(vec![(name.into(), 1)])
    }

    /// The product of names with their powers.
    pub(super) fn product(mut powers: Vec<Power>) -> Unit {
        powers.sort_unstable();
        Unit(powers)
    }

    /// The names with their powers.
    pub(super) fn powers(&self) -> &[Power] {
        &self.0
    }

    /// Whether the unit is `name` to the power of one.
    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self.0.as_slice(), [(known, 1)] if known == name)
    }
}
