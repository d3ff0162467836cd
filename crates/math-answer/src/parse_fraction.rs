//! Parser for fractions, mixed numbers, and the arguments of commands.

use num_rational::BigRational;
use num_traits::{One, ToPrimitive};

use super::limits::Unsure;
use super::parse::Parser;
use super::syntax::Node;
use super::token::Token;

impl Parser<'_> {
    /// `3\frac{1}{2}` and `3 1/2`: a whole number with a proper fraction after it.
    pub(super) fn mixed_number(&mut self) -> Option<Node> {
        let Token::Number {
            value: whole,
            whole: true,
        } = self.peek()?
        else {
            return None;
        };
        let digits = |ahead: usize| match self.peek_at(ahead) {
            Some(Token::Number { value, whole: true }) => Some(value.clone()),
            _ => None,
        };
        let sign = |ahead: usize, sign: char| self.peek_at(ahead) == Some(&Token::Sign(sign));
        let (above, below, length) = if matches!(self.peek_at(1), Some(Token::Command(name)) if name == "frac")
        {
            if sign(2, '{') && sign(4, '}') && sign(5, '{') && sign(7, '}') {
                (digits(3)?, digits(6)?, 8)
            } else {
                let (above, below) = two_digits(&digits(2)?)?;
                (above, below, 3)
            }
        } else if sign(2, '/') {
            (digits(1)?, digits(3)?, 4)
        } else {
            return None;
        };
        if above >= below {
            return None;
        }
        let number = whole + above / below;
        self.advance(length);
        Some(Node::Number(number))
    }

    /// Parses the argument of a LaTeX command: `{...}` or one token. TeX would take only the first digit of
    /// an unbraced number, so a number above 9 is ambiguous and refused; `\frac12` is handled before, in
    /// `two_arguments`.
    pub(super) fn argument(&mut self) -> Result<Node, Unsure> {
        if let Some(Token::Number { value, .. }) = self.peek()
            && *value > BigRational::from_integer(9.into())
        {
            return Err(Unsure::Ambiguous(value.to_string()));
        }
        self.deeper(Self::atom)
    }

    pub(super) fn fraction(&mut self) -> Result<Node, Unsure> {
        let (above, below) = self.two_arguments()?;
        if derives(&above) && derives(&below) {
            return Err(Unsure::NotUnderstood("a derivative".to_owned()));
        }
        Ok(Node::Quotient(Box::new(above), Box::new(below)))
    }

    /// Parses the two arguments of `\frac` or `\binom`. In `\frac12` each digit is an argument.
    pub(super) fn two_arguments(&mut self) -> Result<(Node, Node), Unsure> {
        if let Some(Token::Number { value, whole: true }) = self.peek()
            && let Some((above, below)) = two_digits(value)
        {
            self.advance(1);
            return Ok((Node::Number(above), Node::Number(below)));
        }
        Ok((self.argument()?, self.argument()?))
    }
}

/// Quotient of two nodes. `1/2%` is half of a percent.
pub(super) fn quotient(above: Node, below: Node) -> Result<Node, Unsure> {
    match (above, below) {
        (Node::Number(above), Node::Percent(below)) => match *below {
            Node::Number(below) if above < below => {
                Ok(Node::Percent(Box::new(Node::Number(above / below))))
            }
            _ => Err(Unsure::Ambiguous("%".to_owned())),
        },
        (above, below) => Ok(Node::Quotient(Box::new(above), Box::new(below))),
    }
}

/// Whether a node is a differential: `d`, `dy`.
fn derives(node: &Node) -> bool {
    let d = |node: &Node| matches!(node, Node::Symbol(name) if name == "d");
    match node {
        Node::Product(factors) => factors.first().is_some_and(d),
        node => d(node),
    }
}

/// Splits a number of two digits into two arguments: the 12 of `\frac12` is 1 and 2.
fn two_digits(value: &BigRational) -> Option<(BigRational, BigRational)> {
    let number = value
        .denom()
        .is_one()
        .then(|| value.numer().to_i64())?
        .filter(|n| (10..100).contains(n))?;
    let digit = |digit: i64| BigRational::from_integer(digit.into());
    Some((digit(number / 10), digit(number % 10)))
}
