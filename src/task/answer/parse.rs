//! Tokens to a tree: lists, relations, sets, sums. [`parse_factor`](super::parse_factor) has what is inside a term.

use super::limits::{MAX_DEPTH, Unsure};
use super::syntax::{Function, Node, Relation, SetOperation, Sign};
use super::token::Token;

/// Words that separate the entries of a list.
const JOINING: [&str; 2] = ["or", "and"];

/// The tree of an answer.
pub(super) fn parse(tokens: &[Token]) -> Result<Node, Unsure> {
    if tokens.is_empty() {
        return Err(Unsure::Empty);
    }
    if let Some(text) = words(tokens) {
        return Ok(Node::Text(text));
    }
    if let [Token::Letter(letter), Token::Sign(')')] = tokens {
        return Ok(Node::Symbol(letter.to_string()));
    }
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

/// The text of tokens that are words and nothing else, lower case: an answer like `yes`, `no solution` or `Evelyn`.
fn words(tokens: &[Token]) -> Option<String> {
    let mut text = Vec::new();
    let mut real = false;
    for token in tokens {
        match token {
            Token::Word(word)
                if Function::named(word).is_some() || matches!(word.as_str(), "pi" | "infty") =>
            {
                return None;
            }
            Token::Word(word) if JOINING.contains(&word.as_str()) => text.push(word.clone()),
            Token::Text(word) if JOINING.contains(&word.as_str()) => text.push(word.clone()),
            Token::Word(word) | Token::Text(word) => {
                real |= word.chars().count() > 1;
                text.push(word.clone());
            }
            Token::Letter(letter) => text.push(letter.to_string()),
            Token::Sign('{' | '}') => {}
            _ => return None,
        }
    }
    real.then(|| text.join(" ").to_lowercase())
}

pub(super) struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    pub(super) depth: usize,
    /// Open `|`.
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

    /// Runs a reader one level deeper.
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

    /// One entry, or several without brackets.
    pub(super) fn list(&mut self) -> Result<Node, Unsure> {
        let mut items = self.items()?;
        if items.len() > 1 {
            return Ok(Node::Unordered(items));
        }
        items.pop().ok_or(Unsure::Empty)
    }

    /// Entries between `,`, `;`, `or` and `and`.
    pub(super) fn items(&mut self) -> Result<Vec<Node>, Unsure> {
        let mut items = Vec::new();
        loop {
            items.push(self.deeper(Self::relation)?);
            let mut separated = self.take_sign(',') || self.take_sign(';');
            while self.joins() {
                self.at += 1;
                separated = true;
            }
            if !separated {
                return Ok(items);
            }
        }
    }

    fn joins(&self) -> bool {
        match self.peek() {
            Some(Token::Word(word) | Token::Text(word)) => JOINING.contains(&word.as_str()),
            _ => false,
        }
    }

    fn relation(&mut self) -> Result<Node, Unsure> {
        let first = self.sets()?;
        let mut sides = vec![first];
        let mut relations = Vec::new();
        while let Some(relation) = self.relation_sign() {
            relations.push(relation);
            sides.push(self.sets()?);
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
        // `<=` and `>=`, as typed.
        Some(match relation {
            Relation::Less if self.take_sign('=') => Relation::LessOrEqual,
            Relation::Greater if self.take_sign('=') => Relation::GreaterOrEqual,
            other => other,
        })
    }

    /// Sets with `\cup`, `\cap` or `\setminus` between them, all the same: a mixture has no one reading.
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

    /// The sign before a term; of the first one it may be absent, and several multiply.
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
                // `--` twice over and `-\pm` are no one's spelling.
                _ => return None,
            });
            self.at += 1;
        }
        sign.or((first && self.peek().is_some()).then_some(Sign::Plus))
    }
}

/// The sign goes to the number: `-10 mph` is a measure.
fn signed(sign: Sign, term: Node) -> Node {
    match term {
        term if sign == Sign::Plus => term,
        Node::Measured(number, unit) => Node::Measured(Box::new(signed(sign, *number)), unit),
        Node::Percent(number) => Node::Percent(Box::new(signed(sign, *number))),
        term => Node::Sum(vec![(sign, term)]),
    }
}
