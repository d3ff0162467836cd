//! Equality of quantities: numbers and expressions, with a percent sign or a unit.

use super::algebra::Algebra;
use super::limits::Unsure;
use super::syntax::Node;
use super::unit::Unit;

impl Algebra {
    /// Compares two quantities. A unit on one side only is ignored, and an angle in degrees also equals the
    /// bare number of radians. A percentage is a hundredth of its number, but a gold answer of `50%` also
    /// equals a bare `50`.
    pub(super) fn same_quantity(&mut self, answer: &Node, gold: &Node) -> Result<bool, Unsure> {
        let (a, g) = (Quantity::of(answer), Quantity::of(gold));
        match (a.unit, g.unit) {
            (Some(unit), Some(gold))
                if unit != gold && !both_degrees(unit, gold) && !both_pounds(unit, gold) =>
            {
                return Ok(false);
            }
            // A percentage never equals a measured quantity.
            (Some(_), _) | (_, Some(_)) if a.percent != g.percent => return Ok(false),
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
        // A gold answer in percent: a bare number may be meant in percent as well.
        if g.percent && self.same_value(&number, &gold_number)? {
            return Ok(true);
        }
        let (share, gold_share) = (self.value(answer, true)?, self.value(gold, true)?);
        self.same_value(&share, &gold_share)
    }
}

/// A node split into its number and its percent sign or unit.
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

/// Whether one unit is a bare degree sign and the other is Celsius or Fahrenheit: `20^\circ` equals
/// `20^\circ C`.
fn both_degrees(left: &Unit, right: &Unit) -> bool {
    let scale = |unit: &Unit| unit.is("celsius") || unit.is("fahrenheit");
    (left.is("degree") && scale(right)) || (scale(left) && right.is("degree"))
}

/// Whether one unit is the word "pound" and the other is sterling or the unit of weight. `5 pounds` may be
/// either, but `£5` differs from `5 lbs`.
fn both_pounds(left: &Unit, right: &Unit) -> bool {
    let kind = |unit: &Unit| unit.is("pound-sterling") || unit.is("pound-weight");
    (left.is("pound") && kind(right)) || (kind(left) && right.is("pound"))
}
