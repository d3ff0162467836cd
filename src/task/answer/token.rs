//! The tokens of an answer: numbers, letters, words, LaTeX commands and signs.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};

use super::limits::{MAX_BYTES, Unsure};

/// Digits a number may have; also bounds an exponent of ten.
const MAX_DIGITS: usize = 300;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Token {
    /// `whole`: written without a point or exponent, so that it may begin a mixed number.
    Number {
        value: BigRational,
        whole: bool,
    },
    Letter(char),
    /// Two letters or more, outside of a text command.
    Word(String),
    /// What a text command holds, where that is words.
    Text(String),
    /// Without its backslash; `\{` is `{`.
    Command(String),
    /// Anything else, one character.
    Sign(char),
}

impl Token {
    /// For messages.
    pub(super) fn spelled(&self) -> String {
        match self {
            Token::Number { value, .. } => value.to_string(),
            Token::Letter(c) | Token::Sign(c) => c.to_string(),
            Token::Word(text) | Token::Text(text) => text.clone(),
            Token::Command(name) => format!("\\{name}"),
        }
    }
}

/// Commands that hold text.
const TEXT: [&str; 15] = [
    "text",
    "textbf",
    "textit",
    "textrm",
    "textsf",
    "texttt",
    "textnormal",
    "mbox",
    "hbox",
    "mathrm",
    "mathbf",
    "mathit",
    "mathsf",
    "rm",
    "bf",
];
/// Commands that say how something looks.
const LOOKS: [&str; 29] = [
    "left",
    "right",
    "middle",
    "big",
    "Big",
    "bigg",
    "Bigg",
    "bigl",
    "bigr",
    "Bigl",
    "Bigr",
    "biggl",
    "biggr",
    "displaystyle",
    "textstyle",
    "limits",
    "quad",
    "qquad",
    "thinspace",
    "medspace",
    "boldsymbol",
    "bm",
    "vec",
    "mathcal",
    "hat",
    "operatorname",
    "underline",
    "strut",
    "nolimits",
];

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Unsure> {
    if text.len() > MAX_BYTES {
        return Err(Unsure::TooLong);
    }
    let characters: Vec<char> = text.chars().collect();
    let mut reader = Reader {
        text: unwrapped(&characters),
        at: 0,
        brackets: 0,
        out: Vec::new(),
    };
    while reader.at < reader.text.len() {
        reader.next()?;
    }
    let mut out = reader.out;
    while matches!(out.last(), Some(Token::Sign('.' | ',' | ';'))) {
        out.pop();
    }
    Ok(out)
}

/// Without white space, math delimiters and full stops around it.
fn unwrapped(text: &[char]) -> &[char] {
    let mut text = text;
    loop {
        let before = text.len();
        while let [first, rest @ ..] = text
            && first.is_whitespace()
        {
            text = rest;
        }
        while let [rest @ .., last] = text
            && (last.is_whitespace() || *last == '.')
        {
            text = rest;
        }
        text = match text {
            ['$', '$', inner @ .., '$', '$']
            | ['\\', '(', inner @ .., '\\', ')']
            | ['\\', '[', inner @ .., '\\', ']'] => inner,
            ['$', inner @ .., '$'] if inner.last() != Some(&'\\') => inner,
            _ => text,
        };
        if text.len() == before {
            return text;
        }
    }
}

struct Reader<'t> {
    text: &'t [char],
    at: usize,
    /// Open brackets, in which a comma separates entries and no thousands.
    brackets: usize,
    out: Vec<Token>,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn digit(&self, ahead: usize) -> bool {
        self.peek(ahead).is_some_and(|c| c.is_ascii_digit())
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(ahead, c)| self.peek(ahead) == Some(c))
    }

    fn next(&mut self) -> Result<(), Unsure> {
        let Some(c) = self.peek(0) else {
            return Ok(());
        };
        if self.digit(0) || (c == '.' && self.digit(1)) {
            return self.number();
        }
        match c {
            '\\' => return self.command(),
            c if c.is_whitespace() => self.at += 1,
            '~' | '\u{200b}' => self.at += 1,
            c if c.is_alphabetic() => self.word(),
            c => {
                match c {
                    '(' | '[' => self.brackets += 1,
                    ')' | ']' => self.brackets = self.brackets.saturating_sub(1),
                    _ => {}
                }
                self.out.push(plain(c));
                self.at += 1;
            }
        }
        Ok(())
    }

    /// Letters of ASCII; any other letter is one by itself.
    fn word(&mut self) {
        let start = self.at;
        while self.peek(0).is_some_and(|c| c.is_ascii_alphabetic()) {
            self.at += 1;
        }
        let letters = &self.text[start..self.at];
        match letters {
            [] => {
                self.out.push(plain(self.text[start]));
                self.at += 1;
            }
            [letter] => self.out.push(Token::Letter(*letter)),
            letters => self.out.push(Token::Word(letters.iter().collect())),
        }
    }

    fn command(&mut self) -> Result<(), Unsure> {
        self.at += 1;
        let start = self.at;
        while self.peek(0).is_some_and(|c| c.is_ascii_alphabetic()) {
            self.at += 1;
        }
        let name: String = self.text[start..self.at].iter().collect();
        if name.is_empty() {
            let c = self.peek(0).ok_or(Unsure::EndsEarly)?;
            self.at += 1;
            match c {
                '!' | ',' | ';' | ':' | ' ' | '\n' | '(' | ')' => {}
                '%' | '&' => self.out.push(Token::Sign(c)),
                '{' | '}' | '|' | '$' | '\\' => {
                    match c {
                        '{' => self.brackets += 1,
                        '}' => self.brackets = self.brackets.saturating_sub(1),
                        _ => {}
                    }
                    self.out.push(Token::Command(c.to_string()));
                }
                _ => return Err(Unsure::NotUnderstood(format!("\\{c}"))),
            }
        } else if TEXT.contains(&name.as_str()) {
            self.text_command();
        } else if name == "mathbb"
            && ["{R}", "R", " R", " {R}"]
                .iter()
                .any(|reals| self.starts_with(reals))
        {
            self.at += self.text[self.at..]
                .iter()
                .position(|c| *c == 'R')
                .unwrap_or(0)
                + 1;
            self.at += usize::from(self.peek(0) == Some('}'));
            self.out.push(Token::Letter('ℝ'));
        } else if !LOOKS.contains(&name.as_str()) {
            self.out.push(match name.as_str() {
                "lbrack" => Token::Sign('['),
                "rbrack" => Token::Sign(']'),
                "colon" => Token::Sign(':'),
                "lt" => Token::Sign('<'),
                "gt" => Token::Sign('>'),
                "div" => Token::Sign('/'),
                name => Token::Command(short(name).to_owned()),
            });
        } else if self.peek(0) == Some('.') && (name == "left" || name == "right") {
            self.at += 1;
        }
        Ok(())
    }

    /// `\text{words}`; where it holds anything else, that is read as if it stood there without the command.
    fn text_command(&mut self) {
        while self.peek(0).is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        if self.peek(0) != Some('{') {
            return;
        }
        let inside = &self.text[self.at + 1..];
        let Some(end) = inside.iter().position(|c| *c == '}') else {
            return;
        };
        let inside = &inside[..end];
        let wordy = |c: &char| {
            c.is_alphabetic() || c.is_whitespace() || matches!(c, '.' | '-' | '\'' | ',')
        };
        if inside.iter().all(wordy) && inside.iter().any(|c| c.is_alphabetic()) {
            let words: String = inside.iter().collect();
            let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
            let words = words.trim_matches([',', '.', ' ']);
            self.out.push(Token::Text(words.to_owned()));
            self.at += end + 2;
        }
    }

    /// Digits, thousands, a point, repeating digits, an exponent of ten.
    fn number(&mut self) -> Result<(), Unsure> {
        let mut digits = self.digits();
        if !digits.is_empty() && digits.len() <= 3 && !digits.starts_with('0') {
            while let Some(skip) = self.thousands() {
                self.at += skip;
                digits.push_str(&self.digits());
            }
        }
        let mut places = 0;
        let mut whole = true;
        let mut value = BigRational::zero();
        if self.peek(0) == Some('.')
            && (self.digit(1) || self.starts_with(".\\overline{") || self.starts_with(".\\bar{"))
        {
            self.at += 1;
            let after = self.digits();
            places = after.len();
            digits.push_str(&after);
            whole = false;
            if let Some(repeating) = self.repeating() {
                // 0.1(6): 6 / (9 * 10^1).
                let nines = ten_to(repeating.len())? - 1;
                value = BigRational::new(parsed(&repeating)?, nines * ten_to(places)?);
            }
        }
        value += BigRational::new(parsed(&digits)?, ten_to(places)?);
        if let Some(exponent) = self.scientific(whole)? {
            let power = BigRational::from(ten_to(exponent.unsigned_abs() as usize)?);
            value = if exponent < 0 {
                value / power
            } else {
                value * power
            };
            whole = false;
        }
        if self.peek(0) == Some('.') && self.digit(1) {
            return Err(Unsure::NotUnderstood("a number with two points".to_owned()));
        }
        self.out.push(Token::Number { value, whole });
        Ok(())
    }

    fn digits(&mut self) -> String {
        let start = self.at;
        while self.digit(0) {
            self.at += 1;
        }
        self.text[start..self.at].iter().collect()
    }

    /// How long the separator is that three digits, and no fourth, follow.
    fn thousands(&self) -> Option<usize> {
        let separators = ["{,}", ",\\!", "\\,", ","];
        let found = separators
            .into_iter()
            .find(|separator| self.starts_with(separator))?;
        let bare = found == "," || found == ",\\!";
        let length = found.chars().count();
        let group = (length..length + 3).all(|ahead| self.digit(ahead)) && !self.digit(length + 3);
        (group && !(bare && self.brackets > 0)).then_some(length)
    }

    fn repeating(&mut self) -> Option<String> {
        let command = ["\\overline{", "\\bar{"]
            .into_iter()
            .find(|c| self.starts_with(c))?;
        let start = self.at + command.chars().count();
        let length = self.text[start..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count();
        if length == 0 || self.text.get(start + length) != Some(&'}') {
            return None;
        }
        self.at = start + length + 1;
        Some(self.text[start..start + length].iter().collect())
    }

    /// The exponent of `1.5e-3`. `2e-3` after a whole number other than 1 may be a difference.
    fn scientific(&mut self, whole: bool) -> Result<Option<i64>, Unsure> {
        let sign = usize::from(matches!(self.peek(1), Some('+' | '-')));
        let is_exponent = matches!(self.peek(0), Some('e' | 'E')) && self.digit(1 + sign);
        if !is_exponent {
            return Ok(None);
        }
        let one = matches!(self.text[..self.at], [.., '1']);
        if whole && sign == 1 && self.peek(0) == Some('e') && !one {
            return Err(Unsure::Ambiguous("e".to_owned()));
        }
        let negative = self.peek(1) == Some('-');
        self.at += 1 + sign;
        let digits = self.digits();
        let exponent: i64 = digits.parse().map_err(|_| Unsure::TooLarge)?;
        Ok(Some(if negative { -exponent } else { exponent }))
    }
}

fn parsed(digits: &str) -> Result<BigInt, Unsure> {
    match digits {
        "" => Ok(BigInt::zero()),
        _ if digits.len() > MAX_DIGITS => Err(Unsure::TooLarge),
        _ => digits
            .parse()
            .map_err(|_| Unsure::NotUnderstood(digits.to_owned())),
    }
}

fn ten_to(exponent: usize) -> Result<BigInt, Unsure> {
    if exponent > MAX_DIGITS {
        return Err(Unsure::TooLarge);
    }
    let exponent = u32::try_from(exponent).map_err(|_| Unsure::TooLarge)?;
    Ok(match exponent {
        0 => BigInt::one(),
        _ => BigInt::from(10).pow(exponent),
    })
}

/// One spelling for commands that mean the same.
fn short(name: &str) -> &str {
    match name {
        "dfrac" | "tfrac" | "cfrac" => "frac",
        "leq" | "leqslant" => "le",
        "geq" | "geqslant" => "ge",
        "neq" => "ne",
        "ast" | "times" => "cdot",
        "lbrace" => "{",
        "rbrace" => "}",
        "lvert" | "rvert" | "vert" => "|",
        "degree" | "degrees" => "circ",
        "varnothing" => "emptyset",
        "dbinom" | "tbinom" => "binom",
        "land" => "wedge",
        "lor" => "vee",
        other => other,
    }
}

/// Characters beyond ASCII that LaTeX has commands for.
fn plain(c: char) -> Token {
    let command = match c {
        '\u{2212}' | '\u{2013}' => return Token::Sign('-'),
        '²' => "squared",
        '³' => "cubed",
        '×' | '·' | '⋅' | '*' | '∗' => "cdot",
        '÷' => return Token::Sign('/'),
        '°' => "circ",
        'π' => "pi",
        'θ' => "theta",
        '√' => "sqrt",
        '∞' => "infty",
        '≤' => "le",
        '≥' => "ge",
        '≠' => "ne",
        '±' => "pm",
        '∓' => "mp",
        '∪' => "cup",
        '∩' => "cap",
        '∈' => "in",
        '∅' => "emptyset",
        'ℝ' => return Token::Letter('ℝ'),
        '’' => return Token::Sign('\''),
        '£' | '€' | '¥' | '$' => return Token::Command(c.to_string()),
        c if c.is_alphabetic() => return Token::Letter(c),
        c => return Token::Sign(c),
    };
    Token::Command(command.to_owned())
}
