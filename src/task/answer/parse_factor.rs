//! Tokens to a tree: what is inside a term of a sum.

use num_rational::BigRational;
use num_traits::{One, ToPrimitive};

use super::limits::Unsure;
use super::parse::Parser;
use super::syntax::{Function, Node};
use super::token::Token;
use super::units::{self, Unit};

/// Commands that are letters or constants.
const SYMBOLS: [&str; 38] = [
    "pi",
    "infty",
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "varepsilon",
    "zeta",
    "eta",
    "theta",
    "vartheta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "varphi",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Phi",
    "Psi",
    "Omega",
    "emptyset",
];
/// Letters of a run that may be a product; longer runs are words.
const MAX_RUN: usize = 3;

impl Parser<'_> {
    /// Factors, side by side or with signs, and a unit after them.
    pub(super) fn product(&mut self) -> Result<Node, Unsure> {
        let money = self.money();
        // A sign may stand between money and number.
        let negative = money.is_some() && self.take_sign('-');
        let mut product = match self.mixed_number() {
            Some(number) => number,
            None => self.deeper(Self::power)?,
        };
        let mut slashed = false;
        loop {
            if self.take_command("cdot") {
                let factor = self.signed_power()?;
                product = times(product, factor);
            } else if self.take_sign('/') || self.take_sign(':') {
                let divisor = self.signed_power()?;
                product = Node::Quotient(Box::new(product), Box::new(divisor));
                slashed = true;
            } else if let Some((length, unit)) = self.unit() {
                self.advance(length);
                product = match unit.is("percent") {
                    true => Node::Percent(Box::new(product)),
                    false => Node::Measured(Box::new(product), unit),
                };
                break;
            } else if let Some(factor) = self.multiplier() {
                product = times(product, Node::integer(factor));
            } else if self.starts_factor() {
                // `1/2x` is a half of x to some and one over 2x to others.
                if slashed {
                    return Err(Unsure::Ambiguous("/".to_owned()));
                }
                let factor = self.deeper(Self::power)?;
                product = times(product, factor);
            } else {
                break;
            }
        }
        if negative {
            product = product.negated();
        }
        Ok(match (money, product) {
            (None, product) => product,
            (Some(_), product @ Node::Measured(..)) => product,
            (Some(unit), product) => Node::Measured(Box::new(product), unit),
        })
    }

    fn money(&mut self) -> Option<Unit> {
        let unit = match self.peek()? {
            Token::Command(sign) => match sign.as_str() {
                "$" => Unit::of("dollar"),
                "€" => Unit::of("euro"),
                "£" => Unit::of("pound"),
                "¥" => Unit::of("yen"),
                _ => return None,
            },
            _ => return None,
        };
        self.advance(1);
        Some(unit)
    }

    /// `3\frac{1}{2}` and `3 1/2`: a whole number with a proper fraction after it.
    fn mixed_number(&mut self) -> Option<Node> {
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

    fn unit(&self) -> Option<(usize, Unit)> {
        if matches!(self.peek(), Some(Token::Word(_) | Token::Text(_))) {
            return units::read(self.rest());
        }
        match self.peek()? {
            Token::Sign('¢') => Some((1, Unit::of("cent"))),
            Token::Command(sign) if sign == "$" && self.peek_at(1).is_none() => {
                Some((1, Unit::of("dollar")))
            }
            Token::Command(sign) if sign == "€" && self.peek_at(1).is_none() => {
                Some((1, Unit::of("euro")))
            }
            _ => None,
        }
    }

    fn multiplier(&mut self) -> Option<i64> {
        let (Token::Word(word) | Token::Text(word)) = self.peek()? else {
            return None;
        };
        let factor = units::multiplier(word)?;
        self.advance(1);
        Some(factor)
    }

    /// Whether a factor may begin here without a sign before it. A number may not: `x 2` and `1 2` are no products.
    pub(super) fn starts_factor(&self) -> bool {
        match self.peek() {
            Some(Token::Letter(_) | Token::Word(_) | Token::Text(_)) => !matches!(
                self.peek(),
                Some(Token::Word(word) | Token::Text(word)) if matches!(word.as_str(), "or" | "and")
            ),
            Some(Token::Sign('(' | '[' | '{')) => true,
            Some(Token::Sign('|')) => self.bars == 0,
            Some(Token::Command(name)) => {
                matches!(
                    name.as_str(),
                    "frac" | "sqrt" | "lfloor" | "lceil" | "binom" | "|" | "{"
                ) || Function::named(name).is_some()
                    || SYMBOLS.contains(&name.as_str())
            }
            _ => false,
        }
    }

    /// After `\cdot` and `/` a sign may stand.
    fn signed_power(&mut self) -> Result<Node, Unsure> {
        if self.take_sign('-') {
            return Ok(self.deeper(Self::power)?.negated());
        }
        self.take_sign('+');
        self.deeper(Self::power)
    }

    /// An atom with what follows it: `^`, `!`, `%`, degrees.
    pub(super) fn power(&mut self) -> Result<Node, Unsure> {
        let mut node = self.atom()?;
        loop {
            if self.is_sign('^') || self.is_command("squared") || self.is_command("cubed") {
                if self.degrees() {
                    node = Node::Measured(Box::new(node), Unit::of("degree"));
                    continue;
                }
                if matches!(node, Node::Call(..)) {
                    // `\sin(x)^2` may square the sine or the x.
                    return Err(Unsure::Ambiguous("^".to_owned()));
                }
                let exponent = self.exponent()?;
                node = Node::Power(Box::new(node), Box::new(exponent));
            } else if self.take_command("circ") {
                node = Node::Measured(Box::new(node), Unit::of("degree"));
            } else if self.take_sign('!') {
                node = Node::Call(Function::Factorial, vec![node]);
            } else if self.take_sign('%') {
                node = Node::Percent(Box::new(node));
            } else {
                return Ok(node);
            }
        }
    }

    /// `^\circ` and `^{\circ}`.
    fn degrees(&mut self) -> bool {
        let circle = |ahead: usize| matches!(self.peek_at(ahead), Some(Token::Command(name)) if name == "circ");
        let braced = self.peek_at(1) == Some(&Token::Sign('{'))
            && circle(2)
            && self.peek_at(3) == Some(&Token::Sign('}'));
        let length = match braced {
            true => 4,
            false if circle(1) => 2,
            false => return false,
        };
        self.advance(length);
        true
    }

    /// What is raised, right to left: `2^{3^2}` and `2^3^2` are the same.
    pub(super) fn exponent(&mut self) -> Result<Node, Unsure> {
        if self.take_command("squared") {
            return Ok(Node::integer(2));
        }
        if self.take_command("cubed") {
            return Ok(Node::integer(3));
        }
        if !self.take_sign('^') {
            return self.unexpected();
        }
        let negative = self.take_sign('-');
        let base = self.deeper(Self::atom)?;
        let exponent = match self.is_sign('^') {
            true => {
                let above = self.deeper(Self::exponent)?;
                Node::Power(Box::new(base), Box::new(above))
            }
            false => base,
        };
        Ok(if negative {
            exponent.negated()
        } else {
            exponent
        })
    }

    pub(super) fn atom(&mut self) -> Result<Node, Unsure> {
        let token = self.take()?;
        match token {
            Token::Number { value, .. } => self.number(value),
            Token::Letter(letter) => self.symbol(letter.to_string()),
            Token::Word(word) => self.word(word),
            Token::Text(text) if text.chars().count() == 1 => self.symbol(text.clone()),
            Token::Text(text) => Err(Unsure::NotUnderstood(text.clone())),
            Token::Sign('(') => self.bracketed('('),
            Token::Sign('[') => self.bracketed('['),
            Token::Sign('{') => self.braced(),
            Token::Sign('|') => self.absolute(|parser| parser.take_sign('|')),
            Token::Command(name) => self.command(name),
            other => Err(Unsure::NotUnderstood(other.spelled())),
        }
    }

    fn number(&mut self, value: &BigRational) -> Result<Node, Unsure> {
        // A number in another base, or a component: never mixed up with the number.
        if self.is_sign('_') {
            return self.symbol(value.to_string());
        }
        Ok(Node::Number(value.clone()))
    }

    /// A letter or constant with its index and primes.
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
            name = format!("{name}_{index}");
        }
        while self.take_sign('\'') {
            name.push('\'');
        }
        Ok(Node::Symbol(name))
    }

    fn word(&mut self, word: &str) -> Result<Node, Unsure> {
        if let Some(function) = Function::named(word) {
            return self.call(function);
        }
        match word {
            "pi" => return self.symbol("pi".to_owned()),
            "inf" | "infinity" | "oo" => return Ok(Node::Symbol("infty".to_owned())),
            "sqrt" if self.is_sign('(') => return Ok(Node::Root(2, Box::new(self.atom()?))),
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

    /// A command's argument: a group, or one token; of a number its first digit would be meant, so it has one alone.
    pub(super) fn argument(&mut self) -> Result<Node, Unsure> {
        if let Some(Token::Number { value, .. }) = self.peek()
            && *value > BigRational::from_integer(9.into())
        {
            return Err(Unsure::Ambiguous(value.to_string()));
        }
        self.deeper(Self::atom)
    }

    pub(super) fn fraction(&mut self) -> Result<Node, Unsure> {
        if let Some(Token::Number { value, whole: true }) = self.peek()
            && let Some((above, below)) = two_digits(value)
        {
            self.advance(1);
            return Ok(Node::Quotient(
                Box::new(Node::Number(above)),
                Box::new(Node::Number(below)),
            ));
        }
        let above = self.argument()?;
        let below = self.argument()?;
        Ok(Node::Quotient(Box::new(above), Box::new(below)))
    }
}

/// Whether a command stands for itself.
pub(super) fn is_symbol(name: &str) -> bool {
    SYMBOLS.contains(&name)
}

fn times(left: Node, right: Node) -> Node {
    match left {
        Node::Product(mut factors) => {
            factors.push(right);
            Node::Product(factors)
        }
        left => Node::Product(vec![left, right]),
    }
}

/// `\frac12`: 12 is two arguments.
fn two_digits(value: &BigRational) -> Option<(BigRational, BigRational)> {
    let number = value
        .denom()
        .is_one()
        .then(|| value.numer().to_i64())?
        .filter(|n| (10..100).contains(n))?;
    let digit = |digit: i64| BigRational::from_integer(digit.into());
    Some((digit(number / 10), digit(number % 10)))
}
