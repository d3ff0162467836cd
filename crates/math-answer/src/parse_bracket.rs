//! Parser for brackets, commands with arguments, and matrices.

use super::limits::Unsure;
use super::parse::Parser;
use super::syntax::{Function, Node, is_symbol};
use super::token::Token;

impl Parser<'_> {
    /// Parses a bracket after its `(` or `[`. One entry in matching brackets is a group; several are a
    /// pair, a vector or an interval.
    pub(super) fn bracketed(&mut self, open: char) -> Result<Node, Unsure> {
        let bars = std::mem::take(&mut self.bars);
        let (_, mut items) = self.deeper(Self::items)?;
        self.bars = bars;
        let close = match self.take()? {
            Token::Sign(close @ (')' | ']')) => *close,
            other => return Err(Unsure::NotUnderstood(other.spelled())),
        };
        if let [Node::Number(value)] = items.as_slice()
            && self.is_sign('_')
        {
            return self.symbol(value.to_string());
        }
        match items.len() {
            1 if (open, close) == ('(', ')') || (open, close) == ('[', ']') => {
                items.pop().ok_or(Unsure::Empty)
            }
            1 => Err(Unsure::NotUnderstood(close.to_string())),
            _ => Ok(Node::Ordered { open, items, close }),
        }
    }

    /// Parses a group after its `{`. A set typed without backslashes is read as a list.
    pub(super) fn braced(&mut self) -> Result<Node, Unsure> {
        let bars = std::mem::take(&mut self.bars);
        let mut node = self.deeper(Self::list)?;
        if self.take_command("over") {
            let below = self.deeper(Self::list)?;
            node = Node::Quotient(Box::new(node), Box::new(below));
        } else if self.take_command("choose") {
            let below = self.deeper(Self::list)?;
            node = Node::Call(Function::Binomial, vec![node, below]);
        }
        self.bars = bars;
        match self.take_sign('}') {
            true => Ok(node),
            false => self.unexpected(),
        }
    }

    /// Parses an absolute value after its opening bar. `closes` consumes the closing bar.
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

    /// Parses a LaTeX command whose name was just read.
    pub(super) fn command(&mut self, name: &str) -> Result<Node, Unsure> {
        if let Some(function) = Function::named(name) {
            return self.call(function);
        }
        match name {
            "frac" => self.fraction(),
            "sqrt" => self.root(),
            "binom" => {
                let (above, below) = self.two_arguments()?;
                Ok(Node::Call(Function::Binomial, vec![above, below]))
            }
            "|" => self.absolute(|parser| parser.take_command("|")),
            "lfloor" => self.closed_by("rfloor", Function::Floor),
            "lceil" => self.closed_by("rceil", Function::Ceiling),
            "{" => {
                if self.take_command("}") {
                    return Ok(Node::Set(Vec::new()));
                }
                // `\{x \mid x < 2\}` is read as its condition alone.
                let builds = self.builds_set();
                let (joined, mut items) = self.deeper(Self::items)?;
                if !self.take_command("}") {
                    return self.unexpected();
                }
                Ok(match (builds, items.len()) {
                    (false, _) => Node::Set(items),
                    (true, 1) => items.pop().ok_or(Unsure::Empty)?,
                    (true, _) => Node::List(joined, items),
                })
            }
            "langle" => {
                let (_, items) = self.deeper(Self::items)?;
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
            "emptyset" => Ok(Node::Set(Vec::new())),
            "textcolor" | "color" => {
                self.argument_text()?;
                self.deeper(Self::atom)
            }
            "angle" | "triangle" => match self.take()? {
                Token::Letter(letter) => self.symbol(format!("{name} {letter}")),
                Token::Word(word) | Token::Text(word) => self.symbol(format!("{name} {word}")),
                other => Err(Unsure::NotUnderstood(other.spelled())),
            },
            name if is_symbol(name) => self.symbol(name.to_owned()),
            name => Err(Unsure::NotUnderstood(format!("\\{name}"))),
        }
    }

    /// Consumes the `x \mid` or `x \in \mathbb{R} \mid` at the start of a set. Returns whether it was
    /// there.
    fn builds_set(&mut self) -> bool {
        let such_that = |token: Option<&Token>| match token {
            Some(Token::Command(name)) => name == "mid",
            Some(Token::Sign(sign)) => matches!(sign, '|' | ':'),
            _ => false,
        };
        let builds = matches!(self.peek(), Some(Token::Letter(_))) && such_that(self.peek_at(1));
        let real = matches!(self.peek_at(1), Some(Token::Command(name)) if name == "in")
            && self.peek_at(2) == Some(&Token::Letter('ℝ'))
            && such_that(self.peek_at(3));
        self.advance(match (builds, real) {
            (true, _) => 2,
            (false, true) => 4,
            (false, false) => 0,
        });
        builds || real
    }

    /// Skips an argument `{...}` that is not part of the expression.
    fn argument_text(&mut self) -> Result<(), Unsure> {
        if !self.take_sign('{') {
            return self.unexpected();
        }
        while !self.take_sign('}') {
            self.take()?;
        }
        Ok(())
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

    /// Parses `\begin{pmatrix} a & b \\ c & d \end{pmatrix}` and other kinds of matrices, but no
    /// determinants.
    fn matrix(&mut self) -> Result<Node, Unsure> {
        let kind = self.environment()?;
        match kind.as_str() {
            "pmatrix" | "bmatrix" | "matrix" | "Bmatrix" | "smallmatrix" => {}
            "array" => self.argument_text()?,
            _ => return Err(Unsure::NotUnderstood(kind)),
        }
        let mut rows = vec![vec![self.deeper(Self::sum)?]];
        loop {
            let entries = rows.last_mut().ok_or(Unsure::Empty)?;
            if self.take_sign('&') {
                let entry = self.deeper(Self::sum)?;
                entries.push(entry);
            } else if self.take_command("\\") {
                // `\\[4pt]` only adds space.
                if self.is_sign('[') {
                    while !self.take_sign(']') {
                        self.take()?;
                    }
                }
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
}
