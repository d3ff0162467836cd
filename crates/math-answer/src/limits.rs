//! Limits on the work for one pair of answers, and the reasons for giving up.
//!
//! Work is counted, not timed: the same pair has the same verdict on every machine.

use num_rational::BigRational;
use thiserror::Error;

/// Longest answer that is parsed. Longer answers are equal only if their texts are the same.
pub(super) const MAX_BYTES: usize = 2_000;
/// Deepest nesting of brackets, powers and arguments.
pub(super) const MAX_DEPTH: usize = 40;
/// Most bits in the numerator or denominator of a number.
pub(super) const MAX_BITS: u64 = 4_096;
/// Units of work for a pair; multiplying two small terms takes a few.
const MAX_WORK: usize = 8_000;

/// Why two answers could not be compared. They then count as not equal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unsure {
    /// An answer is empty.
    #[error("an answer is empty")]
    Empty,
    /// An answer has more bytes than are compared.
    #[error("an answer is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// An answer is nested deeper than the parser goes.
    #[error("an answer is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// A number or an exponent is too large to compute.
    #[error("a number is too large to compute")]
    TooLarge,
    /// The comparison would take too long.
    #[error("comparing the answers would take too long")]
    TooMuchWork,
    /// A word, command or character that the parser does not understand at its place.
    #[error("`{0}` is not understood")]
    NotUnderstood(String),
    /// The text ends in the middle of an expression.
    #[error("an answer ends too early")]
    EndsEarly,
    /// A notation with two possible readings.
    #[error("`{0}` can be read in two ways")]
    Ambiguous(String),
    /// A division by zero or a similar undefined operation.
    #[error("an expression has no value")]
    NoValue,
    /// A set, a text or a unit inside an expression.
    #[error("an expression holds something that is not a number")]
    NotArithmetic,
}

/// The work left for a pair of answers.
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

    /// Spends the work units of a number; refuses a number of more than [`MAX_BITS`] bits.
    pub(super) fn admit(&mut self, number: &BigRational) -> Result<(), Unsure> {
        let bits = number.numer().bits().max(number.denom().bits());
        if bits > MAX_BITS {
            return Err(Unsure::TooLarge);
        }
        // Greatest common divisors take quadratic time: a small number costs one unit, one of 4,096 bits
        // about a thousand.
        self.spend(1 + (bits * bits / 16_384) as usize)
    }
}
