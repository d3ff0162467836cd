//! Powers and roots in [`Algebra`]: the exact value if a rule applies, else an atom.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::algebra::{Algebra, Atom, Value};
use super::limits::Unsure;
use super::poly::{AtomId, Exponent, Monomial, Poly, checked};
use super::syntax::Function;

/// Trial division stops at this divisor; a remaining factor below its square is prime.
const MAX_DIVISOR: u32 = 1_000;

impl Algebra {
    pub(super) fn power(&mut self, base: &Value, exponent: &Value) -> Result<Value, Unsure> {
        if let Some(exponent) = exponent.as_rational() {
            let part = |part: &BigInt| part.to_i64().ok_or(Unsure::TooLarge);
            let exponent = match (base.as_rational(), exponent.is_integer()) {
                // Not limited by `checked`: large powers of 1, 0 and -1 are small.
                (Some(base), true) if !exponent.is_zero() => {
                    let power = part(exponent.numer())?;
                    return Ok(Value::rational(self.rational_power(&base, power)?));
                }
                _ => checked(Exponent::new(
                    part(exponent.numer())?,
                    part(exponent.denom())?,
                ))?,
            };
            return match exponent.is_integer() {
                true => self.whole_power(base, exponent.to_integer()),
                false => self.root(base, exponent),
            };
        }
        if let Some(value) = self.on_the_unit_circle(base, exponent)? {
            return Ok(value);
        }
        match self.symbolic_power(base, exponent)? {
            Some(value) => Ok(value),
            None => self.variable(Atom::OpaquePower(
                Box::new(base.clone()),
                Box::new(exponent.clone()),
            )),
        }
    }

    /// `e^{i\theta} = \cos\theta + i\sin\theta`, if the angle is a multiple of pi/12.
    fn on_the_unit_circle(
        &mut self,
        base: &Value,
        exponent: &Value,
    ) -> Result<Option<Value>, Unsure> {
        if *base != self.variable(Atom::E)? {
            return Ok(None);
        }
        let i = self.variable(Atom::I)?;
        let angle = self.divide(exponent, &i)?;
        let Some(twelfths) = self.twelfths_of_pi(&angle)? else {
            return Ok(None);
        };
        let (cosine, sine) = (
            self.sine_of_twelfths(twelfths + 6)?,
            self.sine_of_twelfths(twelfths)?,
        );
        let sine = self.multiply(&i, &sine)?;
        Ok(Some(self.add(&cosine, &sine)?))
    }

    fn whole_power(&mut self, base: &Value, power: i64) -> Result<Value, Unsure> {
        if base.is_zero() && power <= 0 {
            return Err(Unsure::NoValue);
        }
        if power < 0 {
            let inverse = self.inverse(base)?;
            return self.whole_power(&inverse, -power);
        }
        if let Some((monomial, coefficient)) = base.as_poly().and_then(Poly::single) {
            let monomial = monomial.raised(Exponent::from_integer(power))?;
            let coefficient = self.rational_power(coefficient, power)?;
            let above = self.multiply_polys(&Poly::term(monomial, coefficient), &Poly::one())?;
            return Ok(Value::from(above));
        }
        let mut result = Value::integer(1);
        for _ in 0..power {
            self.budget.spend(1)?;
            result = self.multiply(&result, base)?;
        }
        Ok(result)
    }

    /// A power whose exponent is not an integer.
    pub(super) fn root(&mut self, base: &Value, exponent: Exponent) -> Result<Value, Unsure> {
        if base.is_zero() {
            return match exponent.is_positive() {
                true => Ok(Value::integer(0)),
                false => Err(Unsure::NoValue),
            };
        }
        let Some(poly) = base.as_poly() else {
            let exponent = Value::rational(BigRational::new(
                (*exponent.numer()).into(),
                (*exponent.denom()).into(),
            ));
            return self.variable(Atom::OpaquePower(
                Box::new(base.clone()),
                Box::new(exponent),
            ));
        };
        if exponent.is_negative() {
            let inverse = self.root(base, -exponent)?;
            return self.inverse(&inverse);
        }
        if let Some((monomial, coefficient)) = poly.single() {
            return self.root_of_term(&monomial.clone(), coefficient, exponent);
        }
        let content = poly.content();
        let inside = poly.scaled(&content.recip());
        self.budget.spend(poly.terms())?;
        let outside = self.root_of_rational(&content, exponent)?;
        let inside = self.place(Atom::Sum(inside))?;
        let inside = Poly::term(Monomial::power(inside, exponent), BigRational::one());
        let inside = self.multiply_polys(&inside, &Poly::one())?;
        self.multiply(&outside, &Value::from(inside))
    }

    fn root_of_term(
        &mut self,
        monomial: &Monomial,
        coefficient: &BigRational,
        exponent: Exponent,
    ) -> Result<Value, Unsure> {
        let mut outside = self.root_of_rational(coefficient, exponent)?;
        let mut inside = Vec::new();
        let odd = exponent.denom().is_odd();
        let negative = coefficient.is_negative();
        let variables = monomial
            .0
            .iter()
            .filter(|(id, _)| !self.is_positive(*id))
            .count();
        for (id, power) in &monomial.0 {
            // With one real variable x, sqrt(x) is x^(1/2), and odd roots of whole powers of x are exact;
            // sqrt(x^2) is not x.
            let simple = matches!(self.atom(*id), Atom::Symbol(_))
                && variables == 1
                && ((power.is_one() && !negative) || (odd && power.is_integer()));
            if simple || self.is_positive(*id) {
                let raised = Monomial::power(*id, *power).raised(exponent)?;
                let factor =
                    self.multiply_polys(&Poly::term(raised, BigRational::one()), &Poly::one())?;
                outside = self.multiply(&outside, &Value::from(factor))?;
            } else {
                inside.push((*id, *power));
            }
        }
        if inside.is_empty() {
            return Ok(outside);
        }
        if negative && !odd {
            // The sign stays under the root: sqrt(-xy) and i sqrt(xy) differ for some x and y.
            outside = self.root(&Value::rational(coefficient.abs()), exponent)?;
            if monomial.0.len() != inside.len() {
                return Err(Unsure::NoValue);
            }
        }
        let sign = if negative && !odd {
            -BigRational::one()
        } else {
            BigRational::one()
        };
        let inside = self.place(Atom::Sum(Poly::term(Monomial(inside), sign)))?;
        let inside = Poly::term(Monomial::power(inside, exponent), BigRational::one());
        let inside = self.multiply_polys(&inside, &Poly::one())?;
        self.multiply(&outside, &Value::from(inside))
    }

    /// Root of a rational number. Of a negative number, odd roots are real, square roots are multiples of
    /// i, and other even roots have no value.
    fn root_of_rational(
        &mut self,
        value: &BigRational,
        exponent: Exponent,
    ) -> Result<Value, Unsure> {
        let mut poly = Poly::one();
        if value.is_negative() {
            let numerator = *exponent.numer();
            poly = match *exponent.denom() {
                degree if degree.is_odd() => {
                    Poly::constant(BigRational::from_integer(match numerator.is_odd() {
                        true => (-1).into(),
                        false => 1.into(),
                    }))
                }
                2 => {
                    let i = self.place(Atom::I)?;
                    Poly::term(
                        Monomial::power(i, Exponent::from_integer(numerator)),
                        BigRational::one(),
                    )
                }
                _ => return Err(Unsure::NoValue),
            };
        }
        for (number, sign) in [(value.numer().abs(), 1), (value.denom().clone(), -1)] {
            for (base, power) in self.factors(&number)? {
                let base = self.place(Atom::Integer(base))?;
                let power = checked(exponent * Exponent::from_integer(sign * power))?;
                let factor = Poly::term(Monomial::power(base, power), BigRational::one());
                poly = self.multiply_polys(&poly, &factor)?;
            }
        }
        Ok(Value::from(self.multiply_polys(&poly, &Poly::one())?))
    }

    /// Prime factors with their exponents. A factor too large for trial division is returned without being
    /// split.
    pub(super) fn factors(&mut self, number: &BigInt) -> Result<Vec<(BigInt, i64)>, Unsure> {
        let mut rest = number.clone();
        let mut factors = Vec::new();
        let mut divisor: u32 = 2;
        self.budget.spend(20)?;
        while divisor < MAX_DIVISOR && BigInt::from(divisor) * divisor <= rest {
            let mut power = 0;
            while (&rest % divisor).is_zero() {
                rest /= divisor;
                power += 1;
                self.budget.spend(1 + (rest.bits() / 64) as usize)?;
            }
            if power > 0 {
                factors.push((BigInt::from(divisor), power));
            }
            divisor += 1;
        }
        if !rest.is_one() {
            // The remaining factor may be the square of a large prime, such as 10007^2.
            let root = rest.sqrt();
            match &root * &root == rest {
                true => factors.push((root, 2)),
                false => factors.push((rest, 1)),
            }
        }
        Ok(factors)
    }

    /// Expands a power whose exponent is a sum: `2^{x+1}` becomes 2 times `2^x`. `None` unless the base is
    /// a product of positive factors or a single atom.
    fn symbolic_power(&mut self, base: &Value, exponent: &Value) -> Result<Option<Value>, Unsure> {
        let (Some(base), Some(exponent)) = (base.as_poly(), exponent.as_poly()) else {
            return Ok(None);
        };
        let (exponent, base) = (exponent.clone(), base.clone());
        let Some((monomial, coefficient)) = base.single() else {
            return Ok(None);
        };
        let mut bases: Vec<(AtomId, Exponent)> = monomial.0.clone();
        let positive =
            coefficient.is_positive() && bases.iter().all(|(id, _)| self.is_positive(*id));
        let single =
            coefficient.is_one() && matches!(bases.as_slice(), [(_, power)] if power.is_one());
        if !positive && !single {
            return Ok(None);
        }
        for (number, sign) in [
            (coefficient.numer().clone(), 1),
            (coefficient.denom().clone(), -1),
        ] {
            for (prime, power) in self.factors(&number)? {
                bases.push((
                    self.place(Atom::Integer(prime))?,
                    Exponent::from_integer(sign * power),
                ));
            }
        }
        let mut product = Value::integer(1);
        for (id, power) in bases {
            for (monomial, coefficient) in &exponent.0 {
                let part = |part: &BigInt| part.to_i64().ok_or(Unsure::TooLarge);
                let coefficient = checked(Exponent::new(
                    part(coefficient.numer())?,
                    part(coefficient.denom())?,
                ))?;
                let raised = checked(power * coefficient)?;
                let factor = match self.undone_logarithm(id, monomial) {
                    Some(inside) => {
                        let raised =
                            BigRational::new((*raised.numer()).into(), (*raised.denom()).into());
                        self.power(&inside, &Value::rational(raised))?
                    }
                    None => {
                        let atom = match monomial.is_one() {
                            true => id,
                            false => self.place(Atom::Power(id, monomial.clone()))?,
                        };
                        let factor = Poly::term(Monomial::power(atom, raised), BigRational::one());
                        Value::from(self.multiply_polys(&factor, &Poly::one())?)
                    }
                };
                product = self.multiply(&product, &factor)?;
            }
        }
        Ok(Some(product))
    }

    /// The argument x of `e^{\ln x}`, which is the value of that power.
    fn undone_logarithm(&self, base: AtomId, exponent: &Monomial) -> Option<Value> {
        match (self.atom(base), exponent.0.as_slice()) {
            (Atom::E, [(call, power)]) if power.is_one() => match self.atom(*call) {
                Atom::Call(Function::Ln, arguments) => arguments.first().cloned(),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether an atom is a positive real number whatever the (real) variables are.
    pub(super) fn is_positive(&self, id: AtomId) -> bool {
        match self.atom(id) {
            Atom::Integer(_) | Atom::Pi | Atom::E => true,
            Atom::Power(base, exponent) => {
                let real = |(id, _): &(AtomId, Exponent)| {
                    self.is_positive(*id)
                        || matches!(self.atom(*id), Atom::Symbol(name) if name != "infty")
                };
                self.is_positive(*base) && exponent.0.iter().all(real)
            }
            _ => false,
        }
    }
}
