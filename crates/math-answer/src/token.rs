//! The tokens of an answer: numbers, letters, words, LaTeX commands and signs.

use num_rational::BigRational;

use super::limits::{MAX_BYTES, Unsure};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Token {
    /// `whole`: written without a decimal point or exponent, so that the number may begin a mixed number.
    Number {
        value: BigRational,
        whole: bool,
    },
    Letter(char),
    /// Two letters or more, outside of a text command.
    Word(String),
    /// The words of a text command: `\text{red apples}`.
    Text(String),
    /// A LaTeX command without its backslash; `\{` is `{`.
    Command(String),
    /// Any other character.
    Sign(char),
}

impl Token {
    /// The token as text, for messages and names.
    pub(super) fn spelled(&self) -> String {
        match self {
            Token::Number { value, .. } => value.to_string(),
            Token::Letter(c) | Token::Sign(c) => c.to_string(),
            Token::Word(text) | Token::Text(text) => text.clone(),
            Token::Command(name) => format!("\\{name}"),
        }
    }
}

/// Commands whose argument is text.
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
/// Commands in which vectors and matrices are typeset.
const BOLD: [&str; 4] = ["vec", "bm", "boldsymbol", "mathbf"];
/// Text commands that also typeset variables: a single letter in one of them is not a unit.
const LETTERS: [&str; 7] = [
    "mathbf", "bf", "textbf", "mathit", "textit", "mathsf", "textsf",
];
/// Commands that only affect appearance. They are skipped.
const LOOKS: [&str; 30] = [
    "boxed",
    "fbox",
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
    "operatorname",
    "underline",
    "strut",
    "nolimits",
];

/// Splits a text into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Unsure> {
    if text.len() > MAX_BYTES {
        return Err(Unsure::TooLong);
    }
    let characters: Vec<char> = text.chars().collect();
    let mut reader = Reader {
        text: unwrapped(&characters),
        at: 0,
        brackets: 0,
        text_ends: 0,
        bold: Vec::new(),
        out: Vec::new(),
    };
    while reader.at < reader.text.len() {
        reader.next()?;
    }
    reader.without_products_of_vectors()?;
    let mut out = without_empty_groups(reader.out);
    if matches!(out.last(), Some(Token::Sign('.' | ',' | ';'))) {
        out.pop();
    }
    Ok(out)
}

/// The text without surrounding white space, math delimiters, Markdown marks and quotes, and without a full
/// stop at its end.
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
            && (last.is_whitespace() || (*last == '.' && !rest.ends_with(&['.'])))
        {
            text = rest;
        }
        text = match text {
            ['$', '$', inner @ .., '$', '$']
            | ['\\', '(', inner @ .., '\\', ')']
            | ['\\', '[', inner @ .., '\\', ']'] => inner,
            ['$', inner @ .., '$'] if inner.last() != Some(&'\\') => inner,
            // Markdown marks and quotes.
            ['*', '*', inner @ .., '*', '*']
            | ['*', inner @ .., '*']
            | ['`', inner @ .., '`']
            | ['"', inner @ .., '"']
            | ['“', inner @ .., '”'] => inner,
            _ => text,
        };
        if text.len() == before {
            return text;
        }
    }
}

pub(super) struct Reader<'t> {
    pub(super) text: &'t [char],
    pub(super) at: usize,
    /// Number of open brackets. Inside brackets a comma separates entries, not thousands.
    pub(super) brackets: usize,
    /// End of the text command that is being read: letters before it are text.
    text_ends: usize,
    /// Indices into `out` at which a vector or matrix, or a `\times` after one, may begin.
    bold: Vec<usize>,
    pub(super) out: Vec<Token>,
}

impl Reader<'_> {
    pub(super) fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    pub(super) fn digit(&self, ahead: usize) -> bool {
        self.peek(ahead).is_some_and(|c| c.is_ascii_digit())
    }

    pub(super) fn starts_with(&self, text: &str) -> bool {
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
        if self.starts_with("**") {
            self.at += 2;
            self.out.push(Token::Sign('^'));
            return Ok(());
        }
        if self.starts_with("...") {
            self.at += 3;
            self.out.push(Token::Command("ldots".to_owned()));
            return Ok(());
        }
        match c {
            '\\' => return self.command(),
            '}' if self.at + 1 == self.text_ends => self.at += 1,
            '½' => self.vulgar(1, 2),
            '¼' => self.vulgar(1, 4),
            '¾' => self.vulgar(3, 4),
            '⅓' => self.vulgar(1, 3),
            '⅔' => self.vulgar(2, 3),
            '⅛' => self.vulgar(1, 8),
            c if c.is_whitespace() => self.at += 1,
            // `~` is a space, but at the start of an answer it means "about".
            '~' if !self.out.is_empty() => self.at += 1,
            '\u{200b}' => self.at += 1,
            // `3–5` with an en dash is likely the range from 3 to 5.
            '\u{2013}'
                if matches!(self.out.last(), Some(Token::Number { .. })) && self.digit(1) =>
            {
                return Err(Unsure::Ambiguous("\u{2013}".to_owned()));
            }
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

    /// Refuses `\vec a \times \vec b` and `\mathbf{A}\mathbf{B}`: in these products the order of the
    /// factors counts.
    fn without_products_of_vectors(&self) -> Result<(), Unsure> {
        let bare = |token: &Token| !matches!(token, Token::Sign('{' | '}'));
        let side_by_side = self.bold.windows(2).any(|pair| {
            let between = self.out[pair[0]..pair[1]].iter();
            between.filter(|token| bare(token)).count() == 1
        });
        match side_by_side {
            true => Err(Unsure::Ambiguous("a product of vectors".to_owned())),
            false => Ok(()),
        }
    }

    /// Reads a fraction character: `½` becomes `\frac{1}{2}`.
    fn vulgar(&mut self, above: i64, below: i64) {
        let digit = |digit: i64| Token::Number {
            value: BigRational::from_integer(digit.into()),
            whole: true,
        };
        let group = |digit: Token| [Token::Sign('{'), digit, Token::Sign('}')];
        self.out.push(Token::Command("frac".to_owned()));
        self.out.extend(group(digit(above)));
        self.out.extend(group(digit(below)));
        self.at += 1;
    }

    /// Reads a run of ASCII letters as one token; any other letter is a token of its own.
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
            letters if self.at <= self.text_ends => {
                self.out.push(Token::Text(letters.iter().collect()));
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
        if BOLD.contains(&name.as_str()) || (name == "times" && !self.bold.is_empty()) {
            self.bold.push(self.out.len());
        }
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
            self.text_command(LETTERS.contains(&name.as_str()));
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
                "lvert" | "rvert" | "vert" => Token::Sign('|'),
                name => Token::Command(short(name).to_owned()),
            });
        } else if self.peek(0) == Some('.') && (name == "left" || name == "right") {
            self.at += 1;
        }
        Ok(())
    }

    /// Reads the argument of a text command. Words become text tokens, separated at commas. Any other
    /// argument is read as if the command were absent, except that its letters become text tokens.
    fn text_command(&mut self, letters: bool) {
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
        if !inside.iter().all(wordy) {
            // The brace that was found may belong to a command inside the argument.
            if !inside.contains(&'{') {
                self.text_ends = self.at + end + 2;
                self.at += 1;
            }
            return;
        }
        let words: String = inside.iter().collect();
        for (place, entry) in words.split(',').enumerate() {
            if place > 0 {
                self.out.push(Token::Sign(','));
            }
            let entry = entry.split_whitespace().collect::<Vec<_>>().join(" ");
            let entry = entry.trim_matches(['.', ' ']);
            let mut characters = entry.chars();
            match (characters.next(), characters.next()) {
                (None, _) => {}
                (Some(letter), None) if letters => self.out.push(Token::Letter(letter)),
                _ => self.out.push(Token::Text(entry.to_owned())),
            }
        }
        self.at += end + 2;
    }
}

/// Removes empty groups: `20{}^\circ` is `20^\circ`.
fn without_empty_groups(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        if token == Token::Sign('}') && out.last() == Some(&Token::Sign('{')) {
            out.pop();
        } else {
            out.push(token);
        }
    }
    out
}

/// The name that represents all commands with the same meaning.
fn short(name: &str) -> &str {
    match name {
        "dfrac" | "tfrac" | "cfrac" => "frac",
        "leq" | "leqslant" => "le",
        "geq" | "geqslant" => "ge",
        "neq" => "ne",
        "ast" | "times" => "cdot",
        "lbrace" => "{",
        "rbrace" => "}",
        "dots" | "cdots" => "ldots",
        "degree" | "degrees" => "circ",
        "varnothing" => "emptyset",
        "dbinom" | "tbinom" => "binom",
        "land" => "wedge",
        "lor" => "vee",
        other => other,
    }
}

/// Token of a single character. Characters beyond ASCII become the LaTeX command with their meaning, if
/// there is one.
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
        '£' | '€' | '¥' | '₹' | '$' => return Token::Command(c.to_string()),
        c if c.is_alphabetic() => return Token::Letter(c),
        c => return Token::Sign(c),
    };
    Token::Command(command.to_owned())
}
