//! Exact values of functions: trigonometric functions of multiples of pi/12 and their inverses, logarithms
//! of products, absolute values, factorials and binomials.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::algebra::{Algebra, Atom, Value};
use super::limits::Unsure;
use super::poly::{Exponent, Monomial, Poly};
use super::syntax::Function;

/// Factorials and binomials of larger numbers are not computed.
const MAX_FACTORIAL: i64 = 200;

impl Algebra {
    pub(super) fn sine_or_cosine(
        &mut self,
        function: Function,
        angle: &Value,
    ) -> Result<Value, Unsure> {
        if let Some(twelfths) = self.twelfths_of_pi(angle)? {
            let shift = if function == Function::Cos { 6 } else { 0 };
            return self.sine_of_twelfths(twelfths + shift);
        }
        // sin(-x) = -sin x and cos(-x) = cos x: only one of x and -x becomes an atom.
        if angle.above.leads_negative() {
            let value = self.opaque(function, &angle.negated())?;
            return Ok(if function == Function::Sin {
                value.negated()
            } else {
                value
            });
        }
        self.opaque(function, angle)
    }

    /// The angle in units of pi/12, reduced to 0..24; `None` if the angle is not a multiple of pi/12.
    pub(super) fn twelfths_of_pi(&mut self, angle: &Value) -> Result<Option<i64>, Unsure> {
        let pi = self.variable(Atom::Pi)?;
        let turns = self.divide(angle, &pi)?;
        let turns = self.multiply(&turns, &Value::integer(12))?;
        let whole = turns.as_integer();
        Ok(whole.and_then(|whole| whole.mod_floor(&BigInt::from(24)).to_i64()))
    }

    pub(super) fn sine_of_twelfths(&mut self, twelfths: i64) -> Result<Value, Unsure> {
        let twelfths = twelfths.rem_euclid(24);
        if twelfths >= 12 {
            return Ok(self.sine_of_twelfths(twelfths - 12)?.negated());
        }
        // Each sine is (a sqrt(p) + b sqrt(q)) / 4; for pi/12 that is (sqrt 6 - sqrt 2) / 4.
        let [(a, p), (b, q)] = match twelfths.min(12 - twelfths) {
            0 => [(0, 1), (0, 1)],
            1 => [(1, 6), (-1, 2)],
            2 => [(2, 1), (0, 1)],
            3 => [(2, 2), (0, 1)],
            4 => [(2, 3), (0, 1)],
            5 => [(1, 6), (1, 2)],
            _ => [(4, 1), (0, 1)],
        };
        let mut sum = Value::integer(0);
        for (factor, radicand) in [(a, p), (b, q)] {
            let root = self.root(&Value::integer(radicand), Exponent::new(1, 2))?;
            let term = self.multiply(&root, &Value::fraction(factor, 4))?;
            sum = self.add(&sum, &term)?;
        }
        Ok(sum)
    }

    /// Arc sine, arc cosine or arc tangent: looks the argument up among the values at multiples of pi/12.
    /// Any other argument gives an atom.
    pub(super) fn arc(&mut self, function: Function, argument: &Value) -> Result<Value, Unsure> {
        if argument
            .above
            .0
            .keys()
            .all(|monomial| monomial.0.len() <= 2)
        {
            let range = match function {
                Function::ArcCos => 0..=12,
                Function::ArcSin => -6..=6,
                _ => -5..=5,
            };
            for twelfths in range {
                let sine = self.sine_of_twelfths(twelfths)?;
                let cosine = self.sine_of_twelfths(twelfths + 6)?;
                let value = match function {
                    Function::ArcCos => cosine,
                    Function::ArcSin => sine,
                    _ => self.divide(&sine, &cosine)?,
                };
                if self.subtract(&value, argument)?.is_zero() {
                    let pi = self.variable(Atom::Pi)?;
                    return self.multiply(&pi, &Value::fraction(twelfths, 12));
                }
            }
        }
        self.opaque(function, argument)
    }

    /// Hyperbolic functions as quotients of powers of e.
    pub(super) fn hyperbolic(
        &mut self,
        function: Function,
        argument: &Value,
    ) -> Result<Value, Unsure> {
        let e = self.variable(Atom::E)?;
        let up = self.power(&e, argument)?;
        let down = self.power(&e, &argument.negated())?;
        let (difference, sum) = (self.subtract(&up, &down)?, self.add(&up, &down)?);
        match function {
            Function::Sinh => self.multiply(&difference, &Value::fraction(1, 2)),
            Function::Cosh => self.multiply(&sum, &Value::fraction(1, 2)),
            _ => self.divide(&difference, &sum),
        }
    }

    /// Expands the logarithm of a product of positive factors into a sum. Any other argument gives an atom.
    pub(super) fn logarithm(
        &mut self,
        function: Function,
        argument: &Value,
    ) -> Result<Value, Unsure> {
        if argument.is_zero() {
            return Err(Unsure::NoValue);
        }
        let Some((monomial, coefficient)) = argument.as_poly().and_then(Poly::single) else {
            return self.opaque(function, argument);
        };
        let (monomial, coefficient) = (monomial.clone(), coefficient.clone());
        if !coefficient.is_positive() || !monomial.0.iter().all(|(id, _)| self.is_positive(*id)) {
            return self.opaque(function, argument);
        }
        let mut sum = Poly::default();
        let mut powers = monomial.0;
        for (number, sign) in [
            (coefficient.numer().clone(), 1),
            (coefficient.denom().clone(), -1),
        ] {
            for (prime, power) in self.factors(&number)? {
                powers.push((
                    self.place(Atom::Integer(prime))?,
                    Exponent::from_integer(sign * power),
                ));
            }
        }
        let mut total = Value::integer(0);
        for (id, power) in powers {
            let factor = BigRational::new((*power.numer()).into(), (*power.denom()).into());
            match self.atom(id).clone() {
                Atom::E if function == Function::Ln => sum.add_term(Monomial::one(), factor),
                // log b^m = m log b.
                Atom::Power(base, exponent) => {
                    let base =
                        Poly::term(Monomial::power(base, Exponent::one()), BigRational::one());
                    let base = self.multiply_polys(&base, &Poly::one())?;
                    let inner = self.logarithm(function, &Value::from(base))?;
                    let by = Value::from(Poly::term(exponent, factor));
                    let term = self.multiply(&inner, &by)?;
                    total = self.add(&total, &term)?;
                }
                _ => {
                    let inside =
                        Poly::term(Monomial::power(id, Exponent::one()), BigRational::one());
                    let inside = self.multiply_polys(&inside, &Poly::one())?;
                    let atom = self.place(Atom::Call(function, vec![Value::from(inside)]))?;
                    sum.add_term(Monomial::power(atom, Exponent::one()), factor);
                }
            }
        }
        self.add(&total, &Value::from(sum))
    }

    pub(super) fn absolute(&mut self, argument: &Value) -> Result<Value, Unsure> {
        if let Some(value) = argument.as_rational() {
            return Ok(Value::rational(value.abs()));
        }
        if let Some(sign) = self.sign_of_constant(argument) {
            return Ok(if sign < 0.0 {
                argument.negated()
            } else {
                argument.clone()
            });
        }
        if let Some((real, imaginary)) = self.parts(argument)? {
            let (real, imaginary) = (
                self.multiply(&real, &real)?,
                self.multiply(&imaginary, &imaginary)?,
            );
            let square = self.add(&real, &imaginary)?;
            return self.root(&square, Exponent::new(1, 2));
        }
        match argument.above.leads_negative() {
            true => self.opaque(Function::Absolute, &argument.negated()),
            false => self.opaque(Function::Absolute, argument),
        }
    }

    /// Real and imaginary part of a complex number without variables; `None` for any other value.
    fn parts(&mut self, value: &Value) -> Result<Option<(Value, Value)>, Unsure> {
        let i = self.place(Atom::I)?;
        let Some(poly) = value.as_poly() else {
            return Ok(None);
        };
        let constant = poly.atoms().all(|id| id == i || self.is_positive(id));
        if !constant || !poly.atoms().any(|id| id == i) {
            return Ok(None);
        }
        let (mut real, mut imaginary) = (Poly::default(), Poly::default());
        for (monomial, coefficient) in &poly.0 {
            let mut rest = monomial.clone();
            rest.0.retain(|(id, _)| *id != i);
            let part = match rest == *monomial {
                true => &mut real,
                false => &mut imaginary,
            };
            part.add_term(rest, coefficient.clone());
        }
        Ok(Some((Value::from(real), Value::from(imaginary))))
    }

    pub(super) fn factorial(&mut self, argument: &Value) -> Result<Value, Unsure> {
        let Some(number) = argument.as_integer() else {
            return self.opaque(Function::Factorial, argument);
        };
        let number = number.to_i64().ok_or(Unsure::TooLarge)?;
        match number {
            ..0 => Err(Unsure::NoValue),
            0..=MAX_FACTORIAL => {
                self.budget.spend(number as usize)?;
                let product = (2..=number).fold(BigInt::one(), |product, factor| product * factor);
                Ok(Value::rational(BigRational::from_integer(product)))
            }
            _ => Err(Unsure::TooLarge),
        }
    }

    pub(super) fn binomial(&mut self, above: &Value, below: &Value) -> Result<Value, Unsure> {
        let (Some(n), Some(k)) = (above.as_integer(), below.as_integer()) else {
            return self.variable(Atom::Call(
                Function::Binomial,
                vec![above.clone(), below.clone()],
            ));
        };
        let (n, k) = (
            n.to_i64().ok_or(Unsure::TooLarge)?,
            k.to_i64().ok_or(Unsure::TooLarge)?,
        );
        if !(0..=MAX_FACTORIAL).contains(&n) || k < 0 {
            return Err(Unsure::TooLarge);
        }
        self.budget.spend(MAX_FACTORIAL as usize)?;
        let mut value = BigInt::one();
        for step in 0..k.min(n) {
            value = value * (n - step) / (step + 1);
        }
        if k > n {
            value = BigInt::zero();
        }
        Ok(Value::rational(BigRational::from_integer(value)))
    }
}
