//! Tokens to a tree: brackets, commands with arguments, matrices.

use super::limits::Unsure;
use super::parse::Parser;
use super::parse_factor::is_symbol;
use super::syntax::{Function, Node};
use super::token::Token;

impl Parser<'_> {
    /// `(` or `[` is read. One entry in brackets of a kind is a group; several are a pair, a vector or an interval.
    pub(super) fn bracketed(&mut self, open: char) -> Result<Node, Unsure> {
        let bars = std::mem::take(&mut self.bars);
        let mut items = self.deeper(Self::items)?;
        self.bars = bars;
        let close = match self.take()? {
            Token::Sign(close @ (')' | ']')) => *close,
            other => return Err(Unsure::NotUnderstood(other.spelled())),
        };
        match items.len() {
            1 if (open, close) == ('(', ')') || (open, close) == ('[', ']') => {
                items.pop().ok_or(Unsure::Empty)
            }
            1 => Err(Unsure::NotUnderstood(close.to_string())),
            _ => Ok(Node::Ordered { open, items, close }),
        }
    }

    /// `{` is read: a group of LaTeX, or a set typed without backslashes.
    pub(super) fn braced(&mut self) -> Result<Node, Unsure> {
        let bars = std::mem::take(&mut self.bars);
        let node = self.deeper(Self::list)?;
        self.bars = bars;
        match self.take_sign('}') {
            true => Ok(node),
            false => self.unexpected(),
        }
    }

    /// The opening bar is read.
    pub(super) fn absolute(
        &mut self,
        closes: impl FnOnce(&mut Self) -> bool,
    ) -> Result<Node, Unsure> {
        self.bars += 1;
        let inside = self.deeper(Self::sum)?;
        self.bars -= 1;
        match closes(self) {
            true => Ok(Node::Call(Function::Absolute, vec![inside])),
            false => self.unexpected(),
        }
    }

    /// A command of a name that is read.
    pub(super) fn command(&mut self, name: &str) -> Result<Node, Unsure> {
        if let Some(function) = Function::named(name) {
            return self.call(function);
        }
        match name {
            "frac" => self.fraction(),
            "sqrt" => self.root(),
            "binom" => {
                let (above, below) = (self.argument()?, self.argument()?);
                Ok(Node::Call(Function::Binomial, vec![above, below]))
            }
            "|" => self.absolute(|parser| parser.take_command("|")),
            "lfloor" => self.closed_by("rfloor", Function::Floor),
            "lceil" => self.closed_by("rceil", Function::Ceiling),
            "{" => {
                if self.take_command("}") {
                    return Ok(Node::Unordered(Vec::new()));
                }
                let items = self.deeper(Self::items)?;
                match self.take_command("}") {
                    true => Ok(Node::Unordered(items)),
                    false => self.unexpected(),
                }
            }
            "langle" => {
                let items = self.deeper(Self::items)?;
                match self.take_command("rangle") {
                    true => Ok(Node::Ordered {
                        open: '(',
                        items,
                        close: ')',
                    }),
                    false => self.unexpected(),
                }
            }
            "begin" => self.matrix(),
            "emptyset" => Ok(Node::Unordered(Vec::new())),
            name if is_symbol(name) => self.symbol(name.to_owned()),
            name => Err(Unsure::NotUnderstood(format!("\\{name}"))),
        }
    }

    fn closed_by(&mut self, close: &str, function: Function) -> Result<Node, Unsure> {
        let inside = self.deeper(Self::sum)?;
        match self.take_command(close) {
            true => Ok(Node::Call(function, vec![inside])),
            false => self.unexpected(),
        }
    }

    /// `\sqrt{x}` and `\sqrt[3]{x}`.
    fn root(&mut self) -> Result<Node, Unsure> {
        let degree = match self.take_sign('[') {
            true => match (self.take()?, self.take_sign(']')) {
                (Token::Number { value, whole: true }, true) => {
                    let degree: u32 = value.to_string().parse().map_err(|_| Unsure::TooLarge)?;
                    if !(2..=100).contains(&degree) {
                        return Err(Unsure::TooLarge);
                    }
                    degree
                }
                (other, _) => return Err(Unsure::NotUnderstood(other.spelled())),
            },
            false => 2,
        };
        Ok(Node::Root(degree, Box::new(self.argument()?)))
    }

    /// `\begin{pmatrix} a & b \\ c & d \end{pmatrix}`, of any kind of matrix but determinants.
    fn matrix(&mut self) -> Result<Node, Unsure> {
        let kind = self.environment()?;
        match kind.as_str() {
            "pmatrix" | "bmatrix" | "matrix" | "Bmatrix" | "smallmatrix" => {}
            "array" => self.columns()?,
            _ => return Err(Unsure::NotUnderstood(kind)),
        }
        let mut rows = vec![vec![self.deeper(Self::sum)?]];
        loop {
            let entries = rows.last_mut().ok_or(Unsure::Empty)?;
            if self.take_sign('&') {
                let entry = self.deeper(Self::sum)?;
                entries.push(entry);
            } else if self.take_command("\\") {
                if !self.is_command("end") {
                    let entry = self.deeper(Self::sum)?;
                    rows.push(vec![entry]);
                }
            } else if self.take_command("end") {
                let ended = self.environment()?;
                let even = rows.iter().all(|row| row.len() == rows[0].len());
                return match ended == kind && even {
                    true => Ok(Node::Matrix(rows)),
                    false => Err(Unsure::NotUnderstood(ended)),
                };
            } else {
                return self.unexpected();
            }
        }
    }

    fn environment(&mut self) -> Result<String, Unsure> {
        if !self.take_sign('{') {
            return self.unexpected();
        }
        match (self.take()?, self.take_sign('}')) {
            (Token::Word(name), true) => Ok(name.clone()),
            (other, _) => Err(Unsure::NotUnderstood(other.spelled())),
        }
    }

    /// `{cc}` of an array.
    fn columns(&mut self) -> Result<(), Unsure> {
        if !self.take_sign('{') {
            return self.unexpected();
        }
        while !self.take_sign('}') {
            self.take()?;
        }
        Ok(())
    }
}
