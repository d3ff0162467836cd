//! Numerical comparison at random points, for values whose exact forms differ but which may still be equal.
//!
//! Used only if a difference would show at a random point: for constants, and for functions without corners
//! or steps. Every term has to be large enough that double precision shows a difference in it; otherwise
//! the point does not count.

use num_complex::Complex64;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};

use super::algebra::{Algebra, Atom, Value};
use super::limits::Unsure;
use super::poly::{AtomId, Exponent, Poly};
use super::syntax::Function;

/// Usable points at which two values with variables have to agree.
const POINTS: usize = 10;
/// Points tried to find [`POINTS`] usable ones.
const ATTEMPTS: usize = 30;
/// Largest relative difference between values that count as equal.
const TOLERANCE: f64 = 1e-11;
/// Most bits in the denominator of a coefficient (about one million). A larger one suggests a rounded
/// decimal.
const FINEST: u64 = 20;
/// Smallest size of a term, relative to the largest. A difference in a smaller term could go unnoticed.
const SMALLEST_TERM: f64 = 1e-6;
/// Largest coefficient or value that is used; its reciprocal is the smallest.
const LARGEST: f64 = 1e6;

/// Kinds of atoms in a value, including atoms inside functions.
#[derive(Default)]
struct Kinds {
    variables: bool,
    /// Functions that are not algebraic.
    transcendental: bool,
    /// Roots, absolute values or steps of expressions with variables: values may differ only in a region
    /// that random points miss.
    corners: bool,
    /// Roots of sums, functions: equal values with such atoms can have different exact forms.
    opaque: bool,
}

impl Algebra {
    /// Whether two values with different exact forms are equal. An error if that cannot be decided.
    pub(super) fn agree(&mut self, left: &Value, right: &Value) -> Result<bool, Unsure> {
        let mut kinds = Kinds::default();
        for value in [left, right] {
            self.kinds(value, &mut kinds);
        }
        if !kinds.opaque {
            return Ok(false);
        }
        if kinds.corners {
            return Err(Unsure::NotUnderstood(
                "a root or step of a variable".to_owned(),
            ));
        }
        // A coefficient with that many digits is likely the rounding of an irrational value.
        if [left, right].into_iter().any(is_fine) {
            return Err(Unsure::Ambiguous("a rounded value".to_owned()));
        }
        let points = if kinds.variables { POINTS } else { 1 };
        let mut agreeing = 0;
        for attempt in 0..ATTEMPTS {
            let size =
                left.above.terms() + left.below.terms() + right.above.terms() + right.below.terms();
            self.budget.spend(10 + size + self.size())?;
            let mut point = Point::new(self, attempt);
            let (Some(a), Some(b)) = (point.value(left), point.value(right)) else {
                continue;
            };
            let scale = a.norm().max(b.norm());
            if (a - b).norm() > TOLERANCE * scale {
                return Ok(false);
            }
            agreeing += 1;
            if agreeing == points {
                // A rational number this close to a transcendental constant may be a rounding of it.
                let rounded = !kinds.variables
                    && kinds.transcendental
                    && (left.as_rational().is_some() || right.as_rational().is_some());
                return match rounded {
                    true => Err(Unsure::Ambiguous("a rounded value".to_owned())),
                    false => Ok(true),
                };
            }
        }
        Err(Unsure::TooLarge)
    }

    /// The sign of a real constant; `None` for other values, and for constants close to zero.
    pub(super) fn sign_of_constant(&mut self, value: &Value) -> Option<f64> {
        let mut kinds = Kinds::default();
        self.kinds(value, &mut kinds);
        if kinds.variables || kinds.corners {
            return None;
        }
        let value = Point::new(self, 0).value(value)?;
        (value.im.abs() < 1e-12 * value.re.abs() && value.re.abs() > 1e-6)
            .then(|| value.re.signum())
    }

    fn kinds(&self, value: &Value, kinds: &mut Kinds) {
        let variables = self.with_variables();
        let varies =
            |mut ids: Box<dyn Iterator<Item = AtomId> + '_>| ids.any(|id| variables[id as usize]);
        let mut seen = vec![false; self.atoms().len()];
        let mut ahead: Vec<AtomId> = value.atoms().collect();
        while let Some(id) = ahead.pop() {
            if std::mem::replace(&mut seen[id as usize], true) {
                continue;
            }
            let atom = self.atom(id);
            ahead.extend(atom.inner());
            match atom {
                Atom::Integer(_) | Atom::I => {}
                Atom::Pi | Atom::E => kinds.transcendental = true,
                Atom::Symbol(_) => kinds.variables = true,
                Atom::Sum(poly) => {
                    kinds.opaque = true;
                    kinds.corners |= varies(Box::new(poly.atoms()));
                }
                Atom::Power(..) => (kinds.opaque, kinds.transcendental) = (true, true),
                Atom::OpaquePower(base, _) => {
                    (kinds.opaque, kinds.transcendental) = (true, true);
                    kinds.corners |= varies(Box::new(base.atoms()));
                }
                Atom::Call(function, _) => {
                    (kinds.opaque, kinds.transcendental) = (true, true);
                    kinds.corners |= matches!(
                        function,
                        Function::Absolute
                            | Function::Floor
                            | Function::Ceiling
                            | Function::Factorial
                            | Function::Binomial
                    );
                }
            }
        }
    }

    /// For each atom, whether a variable occurs anywhere inside.
    fn with_variables(&self) -> Vec<bool> {
        let mut varies: Vec<bool> = Vec::with_capacity(self.atoms().len());
        for atom in self.atoms() {
            let inner = atom.inner().into_iter().any(|id| varies[id as usize]);
            varies.push(inner || matches!(atom, Atom::Symbol(_)));
        }
        varies
    }
}

/// One random value for each variable, and the values of the atoms computed from them.
struct Point<'a> {
    algebra: &'a Algebra,
    attempt: usize,
    known: Vec<Option<Option<Complex64>>>,
}

impl<'a> Point<'a> {
    fn new(algebra: &'a Algebra, attempt: usize) -> Self {
        Point {
            algebra,
            attempt,
            known: vec![None; algebra.atoms().len()],
        }
    }

    /// The value at this point. `None` if it is undefined or too large, or has a term too small to compare.
    fn value(&mut self, value: &Value) -> Option<Complex64> {
        let above = self.poly(&value.above)?;
        let below = self.poly(&value.below)?;
        usable(above / below)
    }

    fn poly(&mut self, poly: &Poly) -> Option<Complex64> {
        let mut sum = Complex64::zero();
        let mut largest: f64 = 0.0;
        let mut smallest = f64::INFINITY;
        for (monomial, coefficient) in &poly.0 {
            let mut term = Complex64::from(number(coefficient)?);
            for (id, exponent) in &monomial.0 {
                term *= self.power(*id, *exponent)?;
            }
            let size = usable(term)?.norm();
            (largest, smallest) = (largest.max(size), smallest.min(size));
            sum += term;
        }
        if poly.terms() == 0 {
            return Some(sum);
        }
        // When terms nearly cancel, the digits left are rounding errors.
        let seen = smallest >= SMALLEST_TERM * largest && sum.norm() >= SMALLEST_TERM * largest;
        seen.then_some(sum)
    }

    fn power(&mut self, id: AtomId, exponent: Exponent) -> Option<Complex64> {
        let base = self.atom(id)?;
        if exponent.is_integer() {
            return usable(base.powi(i32::try_from(exponent.to_integer()).ok()?));
        }
        let power = exponent.to_f64()?;
        let odd = exponent.denom() % 2 == 1;
        if odd && base.im.abs() < 1e-12 * base.norm() && base.re < 0.0 {
            let sign = if exponent.numer() % 2 == 0 { 1.0 } else { -1.0 };
            return usable(Complex64::from(sign * (-base.re).powf(power)));
        }
        usable(base.powf(power))
    }

    fn atom(&mut self, id: AtomId) -> Option<Complex64> {
        let place = id as usize;
        if let Some(known) = self.known[place] {
            return known;
        }
        let value = self.computed(id);
        self.known[place] = Some(value);
        value
    }

    fn computed(&mut self, id: AtomId) -> Option<Complex64> {
        let algebra = self.algebra;
        let value = match algebra.atom(id) {
            Atom::Integer(value) => Complex64::from(value.to_f64()?),
            Atom::Pi => Complex64::from(std::f64::consts::PI),
            Atom::E => Complex64::from(std::f64::consts::E),
            Atom::I => Complex64::I,
            Atom::Symbol(name) if name == "infty" => return None,
            Atom::Symbol(_) => Complex64::from(coordinate(id, self.attempt)),
            Atom::Sum(poly) => self.poly(poly)?,
            Atom::Power(base, exponent) => {
                let base = self.atom(*base)?;
                let mut power = Complex64::from(1.0);
                for (id, exponent) in &exponent.0 {
                    power *= self.power(*id, *exponent)?;
                }
                base.powc(power)
            }
            Atom::OpaquePower(base, exponent) => self.value(base)?.powc(self.value(exponent)?),
            Atom::Call(function, arguments) => {
                let argument = self.value(arguments.first()?)?;
                match function {
                    Function::Sin => argument.sin(),
                    Function::Cos => argument.cos(),
                    Function::ArcSin => argument.asin(),
                    Function::ArcCos => argument.acos(),
                    Function::ArcTan => argument.atan(),
                    Function::Ln => argument.ln(),
                    // The base may be ten or e. The computation uses neither, so that an identity for only
                    // one of them does not pass.
                    Function::Log => argument.ln() / 1.618,
                    _ => return None,
                }
            }
        };
        usable(value)
    }
}

/// Whether a coefficient has a large denominator.
fn is_fine(value: &Value) -> bool {
    let mut coefficients = value.above.0.values().chain(value.below.0.values());
    coefficients.any(|coefficient| coefficient.denom().bits() > FINEST)
}

fn usable(value: Complex64) -> Option<Complex64> {
    (value.is_finite()
        && value.norm() <= LARGEST
        && (value.norm() >= 1.0 / LARGEST || value.is_zero()))
    .then_some(value)
}

fn number(value: &BigRational) -> Option<f64> {
    let number = value.to_f64()?;
    (number.abs() <= LARGEST && !value.is_zero() && value.abs().recip().to_f64()? <= LARGEST)
        .then_some(number)
}

/// Pseudo-random value of a variable, of either sign and of size 0.1 to 5. Depends only on the atom's id
/// and the attempt.
fn coordinate(id: AtomId, attempt: usize) -> f64 {
    let mut state = (u64::from(id) << 32 | attempt as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    // SplitMix64 (Steele, Lea and Flood, 2014).
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^= state >> 31;
    let unit = (state >> 11) as f64 / (1u64 << 53) as f64;
    let size = 0.1 * 50f64.powf(unit);
    if state & 1 == 0 { size } else { -size }
}
