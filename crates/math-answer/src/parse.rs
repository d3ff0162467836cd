//! Parser for lists, relations, sets and sums. [`parse_factor`](super::parse_factor) parses the terms of a
//! sum.

use super::limits::{MAX_DEPTH, Unsure};
use super::syntax::{Joined, Node, Relation, SetOperation, Sign};
use super::token::Token;
use super::words::{joins, words};

/// Most sides in a chain of relations.
const MAX_SIDES: usize = 12;

/// Parses the tokens of an answer.
pub(super) fn parse(tokens: &[Token]) -> Result<Node, Unsure> {
    if tokens.is_empty() {
        return Err(Unsure::Empty);
    }
    if let Some(letter) = option(tokens) {
        return Ok(Node::Symbol(letter.to_string()));
    }
    // An equation without its left side: `= 5`.
    let tokens = match tokens {
        [Token::Sign('='), rest @ ..] if !rest.is_empty() => rest,
        tokens => tokens,
    };
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
        bars: 0,
    };
    let node = parser.list()?;
    match parser.peek() {
        None => Ok(node),
        Some(token) => Err(Unsure::NotUnderstood(token.spelled())),
    }
}

/// The letter of a multiple-choice option: `B)`, `Option B`.
fn option(tokens: &[Token]) -> Option<char> {
    let (word, rest) = match tokens {
        [Token::Word(word), rest @ ..] => (Some(word.to_lowercase()), rest),
        tokens => (None, tokens),
    };
    let named = word.map(|word| matches!(word.as_str(), "option" | "choice" | "answer"));
    match (named, rest) {
        (None | Some(true), [Token::Letter(letter), Token::Sign(')')]) => Some(*letter),
        (Some(true), [Token::Letter(letter)])
        | (Some(true), [Token::Sign('('), Token::Letter(letter), Token::Sign(')')]) => {
            Some(*letter)
        }
        _ => None,
    }
}

pub(super) struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    pub(super) depth: usize,
    /// Number of open `|`.
    pub(super) bars: usize,
}

impl<'t> Parser<'t> {
    pub(super) fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<&'t Token> {
        self.tokens.get(self.at + ahead)
    }

    pub(super) fn rest(&self) -> &'t [Token] {
        &self.tokens[self.at..]
    }

    pub(super) fn advance(&mut self, by: usize) {
        self.at += by;
    }

    pub(super) fn take(&mut self) -> Result<&'t Token, Unsure> {
        let token = self.peek().ok_or(Unsure::EndsEarly)?;
        self.at += 1;
        Ok(token)
    }

    pub(super) fn is_sign(&self, sign: char) -> bool {
        self.peek() == Some(&Token::Sign(sign))
    }

    pub(super) fn is_command(&self, command: &str) -> bool {
        matches!(self.peek(), Some(Token::Command(name)) if name == command)
    }

    pub(super) fn take_sign(&mut self, sign: char) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_command(&mut self, command: &str) -> bool {
        let found = self.is_command(command);
        self.at += usize::from(found);
        found
    }

    pub(super) fn unexpected<T>(&self) -> Result<T, Unsure> {
        Err(self.peek().map_or(Unsure::EndsEarly, |token| {
            Unsure::NotUnderstood(token.spelled())
        }))
    }

    /// Runs a parsing function one nesting level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Unsure>,
    ) -> Result<T, Unsure> {
        if self.depth >= MAX_DEPTH {
            return Err(Unsure::TooDeep);
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// Parses one entry, or a list without brackets.
    pub(super) fn list(&mut self) -> Result<Node, Unsure> {
        let (joined, mut items) = self.items()?;
        if items.len() > 1 {
            return Ok(Node::List(joined, items));
        }
        items.pop().ok_or(Unsure::Empty)
    }

    /// Parses entries separated by `,`, `;`, `or` and `and`.
    pub(super) fn items(&mut self) -> Result<(Joined, Vec<Node>), Unsure> {
        let mut items = Vec::new();
        let mut joined = Joined::Comma;
        loop {
            items.push(self.deeper(Self::relation)?);
            let mut separated = self.take_sign(',') || self.take_sign(';');
            while let Some(joining) = self.peek().filter(|token| joins(token)) {
                let by = match joining.spelled().as_str() {
                    "and" => Joined::And,
                    _ => Joined::Or,
                };
                if joined != Joined::Comma && joined != by {
                    return Err(Unsure::Ambiguous(joining.spelled()));
                }
                joined = by;
                self.at += 1;
                separated = true;
            }
            if !separated {
                return Ok((joined, items));
            }
        }
    }

    /// Parses words up to a separator, a closing bracket, `=` or the end: an entry of words, or the left
    /// side of `Area = 20`.
    fn words(&mut self) -> Option<Node> {
        let wordy = |token: &Token| {
            matches!(token, Token::Word(_) | Token::Text(_) | Token::Letter(_)) && !joins(token)
        };
        let rest = self.rest();
        let length = rest
            .iter()
            .position(|token| !wordy(token))
            .unwrap_or(rest.len());
        let ends = match rest.get(length) {
            None => true,
            Some(Token::Sign(sign)) => matches!(sign, ',' | ';' | ')' | ']' | '}' | '='),
            Some(token) => joins(token),
        };
        let words = words(&rest[..length]).filter(|words| ends && words.sure)?;
        self.at += length;
        Some(match words.text.as_str() {
            "all real numbers" | "all reals" => Node::Symbol("ℝ".to_owned()),
            "empty set" | "the empty set" => Node::Set(Vec::new()),
            _ => Node::Text(words.text),
        })
    }

    fn relation(&mut self) -> Result<Node, Unsure> {
        let first = match self.words() {
            Some(words) => words,
            None => self.sets()?,
        };
        let mut sides = vec![first];
        let mut relations = Vec::new();
        while let Some(relation) = self.relation_sign() {
            relations.push(relation);
            if sides.len() == MAX_SIDES {
                return Err(Unsure::TooMuchWork);
            }
            sides.push(match self.words() {
                Some(words) => words,
                None => self.sets()?,
            });
        }
        if relations.is_empty() {
            return sides.pop().ok_or(Unsure::Empty);
        }
        Ok(Node::Relation { sides, relations })
    }

    fn relation_sign(&mut self) -> Option<Relation> {
        let relation = match self.peek()? {
            Token::Sign('=') => Relation::Equal,
            Token::Sign('<') => Relation::Less,
            Token::Sign('>') => Relation::Greater,
            Token::Command(name) => match name.as_str() {
                "ne" => Relation::NotEqual,
                "le" => Relation::LessOrEqual,
                "ge" => Relation::GreaterOrEqual,
                "in" => Relation::In,
                _ => return None,
            },
            _ => return None,
        };
        self.at += 1;
        // `<=` and `>=`, typed as two characters.
        Some(match relation {
            Relation::Less if self.take_sign('=') => Relation::LessOrEqual,
            Relation::Greater if self.take_sign('=') => Relation::GreaterOrEqual,
            other => other,
        })
    }

    /// Parses sets joined by `\cup`, `\cap` or `\setminus`. All operators have to be the same, since a
    /// mixture is ambiguous.
    fn sets(&mut self) -> Result<Node, Unsure> {
        let first = self.sum()?;
        let Some(operation) = self.set_operation() else {
            return Ok(first);
        };
        let mut sets = vec![first];
        while let Some(next) = self.set_operation() {
            if next != operation || (next == SetOperation::Difference && sets.len() > 1) {
                return self.unexpected();
            }
            self.at += 1;
            sets.push(self.sum()?);
        }
        Ok(Node::Sets(operation, sets))
    }

    fn set_operation(&self) -> Option<SetOperation> {
        match self.peek()? {
            Token::Command(name) => match name.as_str() {
                "cup" => Some(SetOperation::Union),
                "cap" => Some(SetOperation::Intersection),
                "setminus" | "backslash" => Some(SetOperation::Difference),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn sum(&mut self) -> Result<Node, Unsure> {
        let mut terms = Vec::new();
        while let Some(sign) = self.sign(terms.is_empty()) {
            terms.push((sign, self.product()?));
        }
        match terms.len() {
            0 => self.unexpected(),
            1 => {
                let (sign, term) = terms.remove(0);
                Ok(signed(sign, term))
            }
            _ => Ok(Node::Sum(terms)),
        }
    }

    /// Parses the sign before a term, which the first term may leave out. Consecutive signs are multiplied.
    fn sign(&mut self, first: bool) -> Option<Sign> {
        let mut sign = None;
        loop {
            let next = match self.peek() {
                Some(Token::Sign('+')) => Sign::Plus,
                Some(Token::Sign('-')) => Sign::Minus,
                Some(Token::Command(name)) if name == "pm" => Sign::PlusMinus,
                Some(Token::Command(name)) if name == "mp" => Sign::MinusPlus,
                _ => break,
            };
            sign = Some(match (sign, next) {
                (None, next) | (Some(Sign::Plus), next) => next,
                (Some(Sign::Minus), Sign::Minus) => Sign::Plus,
                (Some(known), Sign::Plus) => known,
                // No one writes the other combinations, such as `-\pm`.
                _ => return None,
            });
            self.at += 1;
        }
        sign.or((first && self.peek().is_some()).then_some(Sign::Plus))
    }
}

/// Applies a sign to the number inside a measured quantity or a percentage: `-10 mph` stays a measured
/// quantity.
fn signed(sign: Sign, term: Node) -> Node {
    match term {
        term if sign == Sign::Plus => term,
        Node::Measured(number, unit) => Node::Measured(Box::new(signed(sign, *number)), unit),
        Node::Percent(number) => Node::Percent(Box::new(signed(sign, *number))),
        term => Node::Sum(vec![(sign, term)]),
    }
}
