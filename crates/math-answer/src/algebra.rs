//! Exact arithmetic on quotients of sums of products of atoms with rational exponents.
//!
//! An atom is a part of an expression without a simpler exact form: a prime under a root, pi, e, i, a
//! variable, a sum under a root, a call of a function. Powers of primes keep exponents in (0, 1), so a sum
//! of roots of integers has one form only, and the difference of two equal sums is zero. For the other
//! atoms only identities that always hold are used: a zero difference always proves equality, but equal
//! values may have a nonzero difference.

use std::collections::HashMap;

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use super::limits::{Budget, MAX_BITS, Unsure};
use super::poly::{AtomId, Exponent, Monomial, Poly};
use super::syntax::Function;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Atom {
    /// A whole number above one that is not factored further. Its exponents are in (0, 1).
    Integer(BigInt),
    Pi,
    E,
    I,
    Symbol(String),
    /// A sum, or product of variables, under a root. Its exponents are in (0, 1).
    Sum(Poly),
    /// `base^exponent` of an atom and a monomial, such as `2^x`.
    Power(AtomId, Monomial),
    /// `base^exponent` of any two values, for which no rule of [`Algebra::power`] applies.
    OpaquePower(Box<Value>, Box<Value>),
    Call(Function, Vec<Value>),
}

impl Atom {
    fn size(&self) -> usize {
        let of = |value: &Value| value.above.terms() + value.below.terms();
        4 + match self {
            Atom::Sum(poly) => poly.terms(),
            Atom::OpaquePower(base, exponent) => of(base) + of(exponent),
            Atom::Call(_, arguments) => arguments.iter().map(of).sum(),
            _ => 0,
        }
    }

    /// The atoms inside this one. They come before it in the algebra's table.
    pub(super) fn inner(&self) -> Vec<AtomId> {
        match self {
            Atom::Sum(poly) => poly.atoms().collect(),
            Atom::Power(base, exponent) => exponent
                .0
                .iter()
                .map(|(id, _)| *id)
                .chain([*base])
                .collect(),
            Atom::OpaquePower(base, exponent) => base.atoms().chain(exponent.atoms()).collect(),
            Atom::Call(_, arguments) => arguments.iter().flat_map(Value::atoms).collect(),
            _ => Vec::new(),
        }
    }
}

/// A quotient of two polynomials; the denominator (`below`) is never zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Value {
    pub(super) above: Poly,
    pub(super) below: Poly,
}

impl Value {
    pub(super) fn rational(value: BigRational) -> Value {
        Value::from(Poly::constant(value))
    }

    pub(super) fn integer(value: i64) -> Value {
        Value::rational(BigRational::from_integer(value.into()))
    }

    pub(super) fn fraction(above: i64, below: i64) -> Value {
        Value::rational(BigRational::new(above.into(), below.into()))
    }

    pub(super) fn as_rational(&self) -> Option<BigRational> {
        Some(self.above.as_rational()? / self.below.as_rational()?)
    }

    pub(super) fn as_integer(&self) -> Option<BigInt> {
        self.as_rational()
            .filter(BigRational::is_integer)
            .map(|value| value.to_integer())
    }

    pub(super) fn is_zero(&self) -> bool {
        self.above.is_zero()
    }

    pub(super) fn atoms(&self) -> impl Iterator<Item = AtomId> + '_ {
        self.above.atoms().chain(self.below.atoms())
    }

    /// The numerator, if the denominator is one.
    pub(super) fn as_poly(&self) -> Option<&Poly> {
        (self.below == Poly::one()).then_some(&self.above)
    }

    pub(super) fn negated(&self) -> Value {
        Value {
            above: self.above.scaled(&-BigRational::one()),
            below: self.below.clone(),
        }
    }
}

impl From<Poly> for Value {
    fn from(above: Poly) -> Self {
        Value {
            above,
            below: Poly::one(),
        }
    }
}

/// Table of all atoms in one pair of answers, and the work budget for the pair.
#[derive(Debug)]
pub(super) struct Algebra {
    atoms: Vec<Atom>,
    places: HashMap<Atom, AtomId>,
    /// Sum of the sizes of all atoms.
    size: usize,
    pub(super) budget: Budget,
}

impl Algebra {
    pub(super) fn new() -> Self {
        Algebra {
            atoms: Vec::new(),
            places: HashMap::new(),
            size: 0,
            budget: Budget::new(),
        }
    }

    pub(super) fn place(&mut self, atom: Atom) -> Result<AtomId, Unsure> {
        // The lookup hashes and compares the whole atom, so it costs the atom's size.
        let size = atom.size();
        self.budget.spend(size)?;
        if let Some(known) = self.places.get(&atom) {
            return Ok(*known);
        }
        let id = AtomId::try_from(self.atoms.len()).map_err(|_| Unsure::TooLarge)?;
        self.size += size;
        self.atoms.push(atom.clone());
        self.places.insert(atom, id);
        Ok(id)
    }

    pub(super) fn atom(&self, id: AtomId) -> &Atom {
        &self.atoms[id as usize]
    }

    pub(super) fn atoms(&self) -> &[Atom] {
        &self.atoms
    }

    /// Work units for visiting all atoms once.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn variable(&mut self, atom: Atom) -> Result<Value, Unsure> {
        let id = self.place(atom)?;
        Ok(Value::from(Poly::term(
            Monomial::power(id, Exponent::one()),
            BigRational::one(),
        )))
    }

    pub(super) fn add(&mut self, left: &Value, right: &Value) -> Result<Value, Unsure> {
        if left.below == right.below {
            let above = self.add_polys(&left.above, &right.above)?;
            return self.quotient(above, left.below.clone());
        }
        let a = self.multiply_polys(&left.above, &right.below)?;
        let b = self.multiply_polys(&right.above, &left.below)?;
        let above = self.add_polys(&a, &b)?;
        let below = self.multiply_polys(&left.below, &right.below)?;
        self.quotient(above, below)
    }

    /// Like [`add`](Self::add), but extends `sum` in place if both denominators are one.
    pub(super) fn add_to(&mut self, sum: Value, term: &Value) -> Result<Value, Unsure> {
        let one = Poly::one();
        if sum.below != one || term.below != one {
            return self.add(&sum, term);
        }
        let mut above = sum.above;
        for (monomial, coefficient) in &term.above.0 {
            self.budget.admit(coefficient)?;
            above.add_term(monomial.clone(), coefficient.clone());
        }
        Ok(Value::from(above))
    }

    pub(super) fn subtract(&mut self, left: &Value, right: &Value) -> Result<Value, Unsure> {
        self.add(left, &right.negated())
    }

    pub(super) fn multiply(&mut self, left: &Value, right: &Value) -> Result<Value, Unsure> {
        let above = self.multiply_polys(&left.above, &right.above)?;
        let below = self.multiply_polys(&left.below, &right.below)?;
        self.quotient(above, below)
    }

    pub(super) fn divide(&mut self, left: &Value, right: &Value) -> Result<Value, Unsure> {
        let inverse = self.inverse(right)?;
        self.multiply(left, &inverse)
    }

    pub(super) fn inverse(&mut self, value: &Value) -> Result<Value, Unsure> {
        self.quotient(value.below.clone(), value.above.clone())
    }

    /// Normal form of a quotient. A denominator of one term without roots of sums is multiplied into the
    /// numerator; any other denominator is scaled so that its first coefficient is one.
    pub(super) fn quotient(&mut self, above: Poly, below: Poly) -> Result<Value, Unsure> {
        if below.is_zero() {
            return Err(Unsure::NoValue);
        }
        if above.is_zero() {
            return Ok(Value::integer(0));
        }
        if below == Poly::one() {
            return Ok(Value::from(above));
        }
        if above == below {
            return Ok(Value::integer(1));
        }
        if let Some((monomial, coefficient)) = below.single()
            && !monomial
                .0
                .iter()
                .any(|(atom, _)| matches!(self.atom(*atom), Atom::Sum(_)))
        {
            let inverse = Poly::term(monomial.raised(-Exponent::one())?, coefficient.recip());
            let inverse = self.reduced(inverse)?;
            return Ok(Value::from(self.multiply_polys(&above, &inverse)?));
        }
        let first = below
            .0
            .first_key_value()
            .map_or_else(BigRational::one, |(_, value)| value.recip());
        self.budget.admit(&first)?;
        self.budget.spend(above.terms() + below.terms())?;
        Ok(Value {
            above: above.scaled(&first),
            below: below.scaled(&first),
        })
    }

    pub(super) fn add_polys(&mut self, left: &Poly, right: &Poly) -> Result<Poly, Unsure> {
        let mut sum = left.clone();
        self.budget.spend(left.terms())?;
        for (monomial, coefficient) in &right.0 {
            self.budget.admit(coefficient)?;
            sum.add_term(monomial.clone(), coefficient.clone());
        }
        Ok(sum)
    }

    pub(super) fn multiply_polys(&mut self, left: &Poly, right: &Poly) -> Result<Poly, Unsure> {
        let mut product = Poly::default();
        for (m, a) in &left.0 {
            for (n, b) in &right.0 {
                self.budget.spend(1 + m.0.len() + n.0.len())?;
                let coefficient = a * b;
                self.budget.admit(&coefficient)?;
                product.add_term(m.times(n)?, coefficient);
            }
        }
        self.reduced(product)
    }

    /// Normalizes the exponents in every term: whole powers of a prime move into the coefficient, i^2
    /// becomes -1, and whole powers of a sum are multiplied out.
    fn reduced(&mut self, poly: Poly) -> Result<Poly, Unsure> {
        if !poly.0.keys().any(|monomial| self.is_reducible(monomial)) {
            return Ok(poly);
        }
        let mut out = Poly::default();
        for (monomial, coefficient) in poly.0 {
            if !self.is_reducible(&monomial) {
                out.add_term(monomial, coefficient);
                continue;
            }
            let term = self.reduced_term(monomial, coefficient)?;
            out = self.add_polys(&out, &term)?;
        }
        Ok(out)
    }

    fn is_reducible(&self, monomial: &Monomial) -> bool {
        let one = Exponent::one();
        monomial
            .0
            .iter()
            .any(|(atom, exponent)| match self.atom(*atom) {
                Atom::Integer(_) => exponent.is_negative() || *exponent >= one,
                Atom::Sum(_) => *exponent >= one,
                Atom::I => *exponent != one,
                _ => false,
            })
    }

    fn reduced_term(
        &mut self,
        monomial: Monomial,
        coefficient: BigRational,
    ) -> Result<Poly, Unsure> {
        let mut coefficient = coefficient;
        let mut rest = Vec::new();
        let mut factors = Vec::new();
        for (id, exponent) in monomial.0 {
            let whole = exponent.floor().to_integer();
            let part = exponent - Exponent::from_integer(whole);
            match self.atom(id) {
                Atom::Integer(base) => {
                    let base = BigRational::from_integer(base.clone());
                    let factor = self.rational_power(&base, whole)?;
                    coefficient *= factor;
                    rest.push((id, part));
                }
                Atom::I => {
                    if !part.is_zero() {
                        return Err(Unsure::NoValue);
                    }
                    if whole.mod_floor(&4) >= 2 {
                        coefficient = -coefficient;
                    }
                    rest.push((id, Exponent::from_integer(whole.mod_floor(&2))));
                }
                Atom::Sum(base) if whole > 0 => {
                    factors.push((base.clone(), whole));
                    rest.push((id, part));
                }
                _ => rest.push((id, exponent)),
            }
            self.budget.admit(&coefficient)?;
        }
        rest.retain(|(_, exponent)| !exponent.is_zero());
        let mut poly = Poly::term(Monomial(rest), coefficient);
        for (base, power) in factors {
            for _ in 0..power {
                poly = self.multiply_polys(&poly, &base)?;
            }
        }
        Ok(poly)
    }

    /// A rational number to a whole power; refused if the result would have more than [`MAX_BITS`] bits.
    pub(super) fn rational_power(
        &mut self,
        base: &BigRational,
        power: i64,
    ) -> Result<BigRational, Unsure> {
        if base.is_zero() && power <= 0 {
            return Err(Unsure::NoValue);
        }
        if base.is_one() || base.is_zero() {
            return Ok(base.clone());
        }
        let bits = base.numer().bits().max(base.denom().bits());
        if bits.saturating_mul(power.unsigned_abs()) > MAX_BITS && !(-base).is_one() {
            return Err(Unsure::TooLarge);
        }
        let power = match (-base).is_one() {
            true => power.rem_euclid(2),
            false => power,
        };
        let power = i32::try_from(power).map_err(|_| Unsure::TooLarge)?;
        let value = base.pow(power);
        self.budget.admit(&value)?;
        Ok(value)
    }
}
