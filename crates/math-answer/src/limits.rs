//! What bounds the work on one pair of answers, and the reasons for giving up.
//!
//! Work is counted, not timed: the same pair has the same verdict on every machine.

use num_rational::BigRational;
use thiserror::Error;

/// Longer answers are compared as text alone.
pub(super) const MAX_BYTES: usize = 2_000;
/// Brackets, powers and arguments inside each other.
pub(super) const MAX_DEPTH: usize = 40;
/// Size of a number's numerator or denominator.
pub(super) const MAX_BITS: u64 = 4_096;
/// Units of work for a pair; a product of two small terms is one.
const MAX_WORK: usize = 8_000;

/// Why two answers could not be compared. They then count as not equal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unsure {
    /// There is nothing to compare.
    #[error("an answer is empty")]
    Empty,
    /// More text than an answer has.
    #[error("an answer is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// More nesting than an answer has.
    #[error("an answer is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// A number or an exponent past what is computed.
    #[error("a number is too large to compute")]
    TooLarge,
    /// The comparison would take too long.
    #[error("comparing the answers would take too long")]
    TooMuchWork,
    /// A word, command or character that is not understood where it stands.
    #[error("`{0}` is not understood")]
    NotUnderstood(String),
    /// The text ends in the middle of an expression.
    #[error("an answer ends too early")]
    EndsEarly,
    /// A spelling that two readers would read differently.
    #[error("`{0}` can be read in two ways")]
    Ambiguous(String),
    /// A division by zero, or the like.
    #[error("an expression has no value")]
    NoValue,
    /// A set, a text or a unit inside an expression.
    #[error("an expression holds something that is no number")]
    NotArithmetic,
}

/// The work that is left.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Budget { left: MAX_WORK }
    }

    pub(super) fn spend(&mut self, units: usize) -> Result<(), Unsure> {
        match self.left.checked_sub(units) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Unsure::TooMuchWork)
            }
        }
    }

    /// Pays for a number; one past the limit is refused.
    pub(super) fn admit(&mut self, number: &BigRational) -> Result<(), Unsure> {
        let bits = number.numer().bits().max(number.denom().bits());
        if bits > MAX_BITS {
            return Err(Unsure::TooLarge);
        }
        // Greatest common divisors are quadratic: a small number is one unit, one of 4,096 bits is a thousand.
        self.spend(1 + (bits * bits / 16_384) as usize)
    }
}
