//! Sums of products of atoms with rational coefficients and exponents.

use std::collections::BTreeMap;

use num_rational::{BigRational, Ratio};
use num_traits::{One, Signed, Zero};

use super::limits::Unsure;

/// Index of an atom in the table of [`Algebra`](super::algebra::Algebra).
pub(super) type AtomId = u32;
/// An exponent. Its numerator and denominator are at most [`MAX_EXPONENT`], so sums and products of two do
/// not overflow.
pub(super) type Exponent = Ratio<i64>;

const MAX_EXPONENT: i64 = 100_000;

pub(super) fn checked(exponent: Exponent) -> Result<Exponent, Unsure> {
    let small = exponent.numer().abs() <= MAX_EXPONENT && *exponent.denom() <= MAX_EXPONENT;
    small.then_some(exponent).ok_or(Unsure::TooLarge)
}

/// A product of powers of atoms: sorted by atom, no exponent zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct Monomial(pub(super) Vec<(AtomId, Exponent)>);

impl Monomial {
    pub(super) fn one() -> Self {
        Monomial::default()
    }

    pub(super) fn power(atom: AtomId, exponent: Exponent) -> Self {
        if exponent.is_zero() {
            return Monomial::one();
        }
        Monomial(vec![(atom, exponent)])
    }

    pub(super) fn is_one(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn times(&self, other: &Monomial) -> Result<Monomial, Unsure> {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut out = Vec::with_capacity(self.0.len() + other.0.len());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some((a, _)), Some((b, _))) if a < b => left.next(),
                (Some((a, _)), Some((b, _))) if a > b => right.next(),
                (Some((a, e)), Some((_, f))) => {
                    let exponent = checked(e + f)?;
                    if !exponent.is_zero() {
                        out.push((*a, exponent));
                    }
                    left.next();
                    right.next();
                    continue;
                }
                (Some(_), None) => left.next(),
                (None, _) => right.next(),
            };
            match next {
                Some(power) => out.push(*power),
                None => return Ok(Monomial(out)),
            }
        }
    }

    /// The monomial to the power of `by`: multiplies every exponent.
    pub(super) fn raised(&self, by: Exponent) -> Result<Monomial, Unsure> {
        checked(by)?;
        let raise = |(atom, exponent): &(AtomId, Exponent)| Ok((*atom, checked(exponent * by)?));
        let powers: Result<Vec<_>, Unsure> = self.0.iter().map(raise).collect();
        let mut powers = powers?;
        powers.retain(|(_, exponent)| !exponent.is_zero());
        Ok(Monomial(powers))
    }
}

/// A sum of terms; no coefficient is zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Poly(pub(super) BTreeMap<Monomial, BigRational>);

impl Poly {
    pub(super) fn constant(value: BigRational) -> Poly {
        Poly::term(Monomial::one(), value)
    }

    pub(super) fn one() -> Poly {
        Poly::constant(BigRational::one())
    }

    pub(super) fn term(monomial: Monomial, coefficient: BigRational) -> Poly {
        let mut poly = Poly::default();
        poly.add_term(monomial, coefficient);
        poly
    }

    pub(super) fn add_term(&mut self, monomial: Monomial, coefficient: BigRational) {
        if coefficient.is_zero() {
            return;
        }
        match self.0.entry(monomial) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(coefficient);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                *place.get_mut() += coefficient;
                if place.get().is_zero() {
                    place.remove();
                }
            }
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn atoms(&self) -> impl Iterator<Item = AtomId> + '_ {
        self.0
            .keys()
            .flat_map(|monomial| monomial.0.iter().map(|(id, _)| *id))
    }

    pub(super) fn terms(&self) -> usize {
        self.0.len()
    }

    /// The value of a polynomial without atoms.
    pub(super) fn as_rational(&self) -> Option<BigRational> {
        match self.single() {
            Some((monomial, value)) => monomial.is_one().then(|| value.clone()),
            None => self.is_zero().then(BigRational::zero),
        }
    }

    /// The term of a polynomial with exactly one term.
    pub(super) fn single(&self) -> Option<(&Monomial, &BigRational)> {
        self.0.first_key_value().filter(|_| self.0.len() == 1)
    }

    pub(super) fn scaled(&self, by: &BigRational) -> Poly {
        if by.is_zero() {
            return Poly::default();
        }
        Poly(
            self.0
                .iter()
                .map(|(monomial, value)| (monomial.clone(), value * by))
                .collect(),
        )
    }

    /// The positive rational number that the coefficients have to be divided by to become integers without
    /// a common divisor.
    pub(super) fn content(&self) -> BigRational {
        use num_integer::Integer;
        let mut above = num_bigint::BigInt::zero();
        let mut below = num_bigint::BigInt::one();
        for value in self.0.values() {
            above = above.gcd(value.numer());
            below = below.lcm(value.denom());
        }
        match above.is_zero() {
            true => BigRational::one(),
            false => BigRational::new(above, below),
        }
    }

    /// Whether the last term, in the order of monomials, has a negative coefficient.
    pub(super) fn leads_negative(&self) -> bool {
        self.0
            .last_key_value()
            .is_some_and(|(_, value)| value.is_negative())
    }
}
