//! Parser for function calls with their bases, powers and arguments.

use super::limits::Unsure;
use super::parse::Parser;
use super::syntax::{Function, Node};
use super::token::Token;

impl Parser<'_> {
    /// Parses the base, power and argument of a function whose name was just read.
    pub(super) fn call(&mut self, function: Function) -> Result<Node, Unsure> {
        let base = match self.take_sign('_') {
            true if function == Function::Log => Some(self.deeper(Self::atom)?),
            true => return self.unexpected(),
            false => None,
        };
        let power = match self.is_sign('^') {
            true => Some(self.exponent()?),
            false => None,
        };
        let bracketed = self.is_sign('(') || self.is_sign('{');
        let argument = self.deeper(Self::function_argument)?;
        // `\cos 2\pi/3` can be read as cos(2 pi / 3) and as cos(2 pi) / 3.
        if self.is_sign('/') && !bracketed && !self.function_at(1) {
            return Err(Unsure::Ambiguous("/".to_owned()));
        }
        let minus_one = power
            .as_ref()
            .is_some_and(|power| *power == Node::integer(1).negated());
        let call = |function| match base {
            Some(base) => Node::Call(Function::LogBase, vec![base, argument]),
            None => Node::Call(function, vec![argument]),
        };
        match power {
            None => Ok(call(function)),
            Some(_) if minus_one => match function.inverse() {
                Some(inverse) => Ok(call(inverse)),
                None => Err(Unsure::Ambiguous("-1".to_owned())),
            },
            Some(power) => Ok(Node::Power(Box::new(call(function)), Box::new(power))),
        }
    }

    /// Parses an argument: in brackets, or else the factors up to the next function or sign.
    /// `\sin 2x \cos x` is a product of two calls.
    fn function_argument(&mut self) -> Result<Node, Unsure> {
        if self.is_sign('(') {
            return self.atom();
        }
        let mut factors = vec![self.power()?];
        while self.starts_factor() && !self.is_sign('(') && !self.starts_function() {
            factors.push(self.power()?);
        }
        Ok(match factors.len() {
            1 => factors.remove(0),
            _ => Node::Product(factors),
        })
    }

    fn starts_function(&self) -> bool {
        self.function_at(0)
    }

    fn function_at(&self, ahead: usize) -> bool {
        matches!(self.peek_at(ahead), Some(Token::Command(name) | Token::Word(name)) if Function::named(name).is_some())
    }
}
