//! Parser for the factors of a term, with their signs, exponents and units. Names are parsed in
//! [`parse_symbol`](super::parse_symbol), fractions in [`parse_fraction`](super::parse_fraction).

use num_rational::BigRational;
use num_traits::One;

use super::limits::Unsure;
use super::parse::Parser;
use super::parse_fraction::quotient;
use super::parse_symbol::FUNCTIONS;
use super::syntax::{Function, Node, is_symbol};
use super::token::Token;
use super::unit::Unit;
use super::units::{self, Count};
use super::words::joins;

impl Parser<'_> {
    /// Parses a term: factors side by side or joined by `\cdot`, `/` or `:`, with an optional unit.
    pub(super) fn product(&mut self) -> Result<Node, Unsure> {
        let money = self.money();
        // The minus sign may follow the currency: `$-5`.
        let negative = money.is_some() && self.take_sign('-');
        let mut product = match self.mixed_number() {
            Some(number) => self.postfixed(number)?,
            None => self.deeper(Self::power)?,
        };
        let mut slashed = false;
        loop {
            if self.take_command("cdot") {
                let factor = self.signed_power()?;
                product = times(product, factor);
            } else if self.take_sign('/') {
                product = quotient(product, self.signed_power()?)?;
                slashed = true;
            } else if self.take_sign(':') {
                let mut terms = vec![product, self.signed_power()?];
                while self.take_sign(':') {
                    terms.push(self.signed_power()?);
                }
                product = match <[Node; 2]>::try_from(terms) {
                    Ok([first, second]) => Node::Quotient(Box::new(first), Box::new(second)),
                    Err(terms) => Node::Ratio(terms),
                };
                slashed = true;
            } else if let Some((length, unit)) = self.unit(&product, money.as_ref()) {
                self.advance(length);
                product = match unit.is("percent") {
                    true => Node::Percent(Box::new(product)),
                    false => Node::Measured(Box::new(product), unit),
                };
                break;
            } else if let Some(factor) = self.multiplier() {
                product = times(product, Node::integer(factor));
            } else if self.starts_factor() {
                // `1/2x` can be read as (1/2)x and as 1/(2x).
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
                "£" => Unit::of("pound-sterling"),
                "¥" => Unit::of("yen"),
                "₹" => Unit::of("rupee"),
                _ => return None,
            },
            Token::Word(word) | Token::Text(word) => match word.as_str() {
                "USD" => Unit::of("dollar"),
                "EUR" => Unit::of("euro"),
                "GBP" => Unit::of("pound"),
                _ => return None,
            },
            _ => return None,
        };
        self.advance(1);
        Some(unit)
    }

    /// The unit after a product, or the noun that the product counts, with its number of tokens.
    fn unit(&self, product: &Node, money: Option<&Unit>) -> Option<(usize, Unit)> {
        if matches!(self.peek(), Some(Token::Word(_) | Token::Text(_))) {
            if let Some(per) = money.and_then(|money| units::read_after(money, self.rest())) {
                return Some(per);
            }
            let count = match product {
                Node::Number(value) if value.is_one() => Count::One,
                Node::Number(_) => Count::Many,
                _ => Count::None,
            };
            return units::read(self.rest(), count);
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

    /// Whether the next token can begin a factor without a multiplication sign. A number cannot: `x 2` and
    /// `1 2` are not products.
    pub(super) fn starts_factor(&self) -> bool {
        match self.peek() {
            Some(token @ (Token::Letter(_) | Token::Word(_) | Token::Text(_))) => !joins(token),
            Some(Token::Sign('(' | '[' | '{')) => true,
            Some(Token::Sign('|')) => self.bars == 0,
            Some(Token::Command(name)) => {
                matches!(
                    name.as_str(),
                    "frac" | "sqrt" | "lfloor" | "lceil" | "binom" | "|" | "{"
                ) || Function::named(name).is_some()
                    || is_symbol(name)
            }
            _ => false,
        }
    }

    /// Parses a factor after `\cdot`, `/` or `:`, where a sign is allowed.
    fn signed_power(&mut self) -> Result<Node, Unsure> {
        if self.take_sign('-') {
            return Ok(self.deeper(Self::power)?.negated());
        }
        self.take_sign('+');
        self.deeper(Self::power)
    }

    /// Parses an atom with its postfix operators: `^`, `!`, `%`, degrees.
    pub(super) fn power(&mut self) -> Result<Node, Unsure> {
        let node = self.atom()?;
        self.postfixed(node)
    }

    fn postfixed(&mut self, node: Node) -> Result<Node, Unsure> {
        let mut node = node;
        loop {
            if self.is_sign('^') || self.is_command("squared") || self.is_command("cubed") {
                if self.degrees() {
                    node = Node::Measured(Box::new(node), self.scale());
                    continue;
                }
                if matches!(node, Node::Call(..)) {
                    // `\sin(x)^2` may square the sine or the x.
                    return Err(Unsure::Ambiguous("^".to_owned()));
                }
                let exponent = self.exponent()?;
                node = Node::Power(Box::new(node), Box::new(exponent));
            } else if self.take_command("circ") {
                // `f \circ g` is a composition of functions, not an angle.
                if self.starts_factor() && self.scale_name().is_none() {
                    return Err(Unsure::NotUnderstood("\\circ".to_owned()));
                }
                node = Node::Measured(Box::new(node), self.scale());
            } else if self.take_sign('!') {
                if self.is_sign('!') {
                    return self.unexpected();
                }
                node = Node::Call(Function::Factorial, vec![node]);
            } else if self.take_sign('%') {
                node = Node::Percent(Box::new(node));
            } else {
                return Ok(node);
            }
        }
    }

    /// Unit of a degree sign that was just read: Celsius or Fahrenheit if `C` or `F` follows, else an
    /// angle.
    fn scale(&mut self) -> Unit {
        match self.scale_name() {
            Some(name) => {
                self.advance(1);
                Unit::of(name)
            }
            None => Unit::of("degree"),
        }
    }

    fn scale_name(&self) -> Option<&'static str> {
        match self.peek()? {
            Token::Letter('C') => Some("celsius"),
            Token::Letter('F') => Some("fahrenheit"),
            Token::Text(text) => match text.to_lowercase().as_str() {
                "c" | "celsius" => Some("celsius"),
                "f" | "fahrenheit" => Some("fahrenheit"),
                _ => None,
            },
            _ => None,
        }
    }

    /// Consumes `^\circ` or `^{\circ}`, where the circle may also be the letter `o`. Returns whether it was
    /// there.
    pub(super) fn degrees(&mut self) -> bool {
        let circle = |ahead: usize| match self.peek_at(ahead) {
            Some(Token::Command(name) | Token::Text(name)) => name == "circ" || name == "o",
            Some(Token::Letter(letter)) => *letter == 'o',
            _ => false,
        };
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

    /// Parses an exponent. It associates to the right: `2^3^2` is `2^{3^2}`.
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
            Token::Letter(letter) if FUNCTIONS.contains(letter) => self.function(*letter),
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
        // `12_5` is a number in another base or a component. As a symbol it never equals the number 12.
        if self.is_sign('_') {
            return self.symbol(value.to_string());
        }
        Ok(Node::Number(value.clone()))
    }
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
