//! Parser for letters, runs of letters, constants, and `f(x)`.

use super::limits::Unsure;
use super::parse::Parser;
use super::syntax::{Function, Node};
use super::token::Token;
use super::words::MAX_RUN;

/// Letters that are functions if a bracket follows.
pub(super) const FUNCTIONS: [char; 5] = ['f', 'g', 'h', 'F', 'G'];

impl Parser<'_> {
    /// Parses what follows a letter for a function. If a bracket follows, the whole of `f(x+1)` is one
    /// symbol.
    pub(super) fn function(&mut self, letter: char) -> Result<Node, Unsure> {
        let Node::Symbol(mut name) = self.symbol(letter.to_string())? else {
            return self.unexpected();
        };
        if self.is_sign('(') {
            let mut open = 0;
            loop {
                let token = self.take()?;
                // A space, so that `f(1 2)` is not `f(12)`.
                name.push_str(&format!(" {}", token.spelled()));
                open += match token {
                    Token::Sign('(') => 1,
                    Token::Sign(')') => -1,
                    _ => 0,
                };
                if open == 0 {
                    break;
                }
            }
        }
        Ok(Node::Symbol(name))
    }

    /// Parses the index and primes after a letter or constant.
    pub(super) fn symbol(&mut self, name: String) -> Result<Node, Unsure> {
        let mut name = name;
        if self.take_sign('_') {
            let index = match self.take_sign('{') {
                true => {
                    let mut index = String::new();
                    while !self.take_sign('}') {
                        index.push_str(&self.take()?.spelled());
                    }
                    index
                }
                false => self.take()?.spelled(),
            };
            let index = base(&index);
            name = format!("{name}_{index}");
        }
        while self.take_sign('\'') {
            name.push('\'');
        }
        Ok(Node::Symbol(name))
    }

    pub(super) fn word(&mut self, word: &str) -> Result<Node, Unsure> {
        if let Some(function) = Function::named(word) {
            return self.call(function);
        }
        match word {
            "pi" => return self.symbol("pi".to_owned()),
            "inf" | "infinity" | "oo" => return Ok(Node::Symbol("infty".to_owned())),
            "sqrt" => return Ok(Node::Root(2, Box::new(self.deeper(Self::atom)?))),
            _ => {}
        }
        let mut letters: Vec<char> = word.chars().collect();
        if letters.len() > MAX_RUN {
            return Err(Unsure::NotUnderstood(word.to_owned()));
        }
        // An index or exponent belongs to the last letter alone.
        let last = letters.pop().ok_or(Unsure::EndsEarly)?;
        let mut factors: Vec<Node> = letters
            .iter()
            .map(|letter| Node::Symbol(letter.to_string()))
            .collect();
        let last = self.symbol(last.to_string())?;
        let last = match self.is_sign('^') && !self.degrees() {
            true => Node::Power(Box::new(last), Box::new(self.exponent()?)),
            false => last,
        };
        factors.push(last);
        Ok(Node::Product(factors))
    }
}

/// An index in digits, if it is a base: `two` and `(2)` are `2`.
fn base(index: &str) -> &str {
    match index.trim_matches(['(', ')']) {
        "two" => "2",
        "three" => "3",
        "four" => "4",
        "five" => "5",
        "six" => "6",
        "seven" => "7",
        "eight" => "8",
        "nine" => "9",
        "ten" => "10",
        "twelve" => "12",
        "sixteen" => "16",
        index => index,
    }
}
