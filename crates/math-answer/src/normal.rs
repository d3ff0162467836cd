//! Exact values of syntax trees.

use super::algebra::{Algebra, Atom, Value};
use super::limits::Unsure;
use super::poly::Exponent;
use super::syntax::{Function, Node, Sign};

impl Algebra {
    /// The exact value of an expression. Sets, texts and units other than degrees have none.
    ///
    /// `upper`: whether the upper signs of `\pm` and `\mp` are used.
    pub(super) fn value(&mut self, node: &Node, upper: bool) -> Result<Value, Unsure> {
        self.budget.spend(1)?;
        if computes_with_infinity(node) {
            return Err(Unsure::NoValue);
        }
        match node {
            Node::Number(value) => {
                self.budget.admit(value)?;
                Ok(Value::rational(value.clone()))
            }
            Node::Symbol(name) => self.symbol(name),
            Node::Sum(terms) => {
                let mut sum = Value::integer(0);
                for (sign, term) in terms {
                    let term = self.value(term, upper)?;
                    let minus = match sign {
                        Sign::Plus => false,
                        Sign::Minus => true,
                        Sign::PlusMinus => !upper,
                        Sign::MinusPlus => upper,
                    };
                    let term = if minus { term.negated() } else { term };
                    sum = self.add_to(sum, &term)?;
                }
                Ok(sum)
            }
            Node::Product(factors) => {
                let mut product = Value::integer(1);
                for factor in factors {
                    let factor = self.value(factor, upper)?;
                    product = self.multiply(&product, &factor)?;
                }
                Ok(product)
            }
            Node::Quotient(above, below) => {
                let (above, below) = (self.value(above, upper)?, self.value(below, upper)?);
                self.divide(&above, &below)
            }
            Node::Power(base, exponent) => {
                let (base, exponent) = (self.value(base, upper)?, self.value(exponent, upper)?);
                self.power(&base, &exponent)
            }
            Node::Root(degree, inside) => {
                let inside = self.value(inside, upper)?;
                self.root(&inside, Exponent::new(1, i64::from(*degree)))
            }
            Node::Percent(inside) => {
                let inside = self.value(inside, upper)?;
                self.multiply(&inside, &Value::fraction(1, 100))
            }
            Node::Measured(inside, unit) if unit.is("degree") => {
                let inside = self.value(inside, upper)?;
                let pi = self.variable(Atom::Pi)?;
                let radians = self.multiply(&pi, &Value::fraction(1, 180))?;
                self.multiply(&inside, &radians)
            }
            Node::Call(function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.value(argument, upper)?);
                }
                self.call(*function, values)
            }
            Node::Text(_)
            | Node::Measured(..)
            | Node::Ordered { .. }
            | Node::Set(_)
            | Node::List(..)
            | Node::Ratio(_)
            | Node::Matrix(_)
            | Node::Relation { .. }
            | Node::Sets(..) => Err(Unsure::NotArithmetic),
        }
    }

    fn symbol(&mut self, name: &str) -> Result<Value, Unsure> {
        self.variable(match name {
            "pi" => Atom::Pi,
            "e" => Atom::E,
            "i" => Atom::I,
            name => Atom::Symbol(name.to_owned()),
        })
    }

    fn call(&mut self, function: Function, arguments: Vec<Value>) -> Result<Value, Unsure> {
        match (function, arguments.as_slice()) {
            (Function::LogBase, [base, argument]) => {
                let (argument, base) = (
                    self.logarithm(Function::Ln, argument)?,
                    self.logarithm(Function::Ln, base)?,
                );
                self.divide(&argument, &base)
            }
            (Function::Binomial, [above, below]) => self.binomial(above, below),
            (function, [argument]) => self.call_one(function, argument),
            _ => Err(Unsure::NotArithmetic),
        }
    }

    fn call_one(&mut self, function: Function, argument: &Value) -> Result<Value, Unsure> {
        match function {
            Function::Sin | Function::Cos => self.sine_or_cosine(function, argument),
            Function::Tan => self.ratio_of(Function::Sin, Function::Cos, argument),
            Function::Cot => self.ratio_of(Function::Cos, Function::Sin, argument),
            Function::Sec | Function::Csc => {
                let base = if function == Function::Sec {
                    Function::Cos
                } else {
                    Function::Sin
                };
                let below = self.sine_or_cosine(base, argument)?;
                self.inverse(&below)
            }
            Function::ArcSin | Function::ArcCos | Function::ArcTan => self.arc(function, argument),
            Function::Sinh | Function::Cosh | Function::Tanh => self.hyperbolic(function, argument),
            Function::Exp => {
                let e = self.variable(Atom::E)?;
                self.power(&e, argument)
            }
            Function::Ln | Function::Log => self.logarithm(function, argument),
            Function::Absolute => self.absolute(argument),
            Function::Floor | Function::Ceiling => match argument.as_rational() {
                Some(value) if function == Function::Floor => Ok(Value::rational(value.floor())),
                Some(value) => Ok(Value::rational(value.ceil())),
                None => self.opaque(function, argument),
            },
            Function::Factorial => self.factorial(argument),
            Function::LogBase | Function::Binomial => Err(Unsure::NotArithmetic),
        }
    }

    /// A function call as an atom.
    pub(super) fn opaque(&mut self, function: Function, argument: &Value) -> Result<Value, Unsure> {
        self.variable(Atom::Call(function, vec![argument.clone()]))
    }

    fn ratio_of(
        &mut self,
        above: Function,
        below: Function,
        argument: &Value,
    ) -> Result<Value, Unsure> {
        let (above, below) = (
            self.sine_or_cosine(above, argument)?,
            self.sine_or_cosine(below, argument)?,
        );
        self.divide(&above, &below)
    }
}

/// Whether an expression computes with infinity: `\infty - \infty` has no value. A bare `-\infty` is
/// allowed, as a symbol.
fn computes_with_infinity(node: &Node) -> bool {
    match node {
        Node::Sum(terms) if terms.len() == 1 => false,
        Node::Sum(terms) => terms.iter().any(|(_, term)| is_infinity(term)),
        Node::Product(parts) | Node::Call(_, parts) => parts.iter().any(is_infinity),
        Node::Quotient(a, b) | Node::Power(a, b) => is_infinity(a) || is_infinity(b),
        Node::Root(_, inside) | Node::Percent(inside) => is_infinity(inside),
        _ => false,
    }
}

fn is_infinity(node: &Node) -> bool {
    match node {
        Node::Symbol(name) => name == "infty",
        Node::Sum(terms) => matches!(terms.as_slice(), [(_, term)] if is_infinity(term)),
        _ => false,
    }
}
