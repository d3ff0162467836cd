//! Whether two math answers are the same: the verdict.

use std::fmt;

use super::algebra::Algebra;
use super::clock;
use super::limits::{MAX_BYTES, Unsure};
use super::parse::parse;
use super::token::{Token, tokens};
use super::words::{same_words, words};

/// What comparing two answers found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MathVerdict {
    /// They are the same.
    Equal,
    /// Both are understood, and they are not known to be the same.
    Different,
    /// Not compared to the end, and counted as not equal.
    Unsure(Unsure),
}

impl MathVerdict {
    /// Whether an answer with this verdict is right.
    pub fn is_equal(&self) -> bool {
        *self == MathVerdict::Equal
    }
}

impl fmt::Display for MathVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MathVerdict::Equal => f.write_str("equal"),
            MathVerdict::Different => f.write_str("different"),
            MathVerdict::Unsure(why) => write!(f, "unsure: {why}"),
        }
    }
}

/// Whether an answer says the same as the gold answer; see [`math_verdict`].
pub fn math_equal(answer: &str, gold: &str) -> bool {
    math_verdict(answer, gold).is_equal()
}

/// Compares an answer with the gold answer, exactly: as numbers, expressions, sets, intervals, vectors, matrices, relations
/// or words.
///
/// What one side leaves out is understood where it can only be one thing: `x = 5` is 5, and a number with a unit is that
/// number where the other has none, as is one with what it counts (`18 red apples`). Percent: `50%` is `0.5`; a gold answer of
/// `50%` also takes `50`, since the question then asked for percent. An answer in percent where the gold answer has none is a
/// hundredth. Decimals are exact: 0.33 is not a third.
///
/// The verdict is a function of the two texts alone. Its work is bounded, whatever they are.
pub fn math_verdict(answer: &str, gold: &str) -> MathVerdict {
    match compared(answer, gold) {
        Ok(true) => MathVerdict::Equal,
        Ok(false) => MathVerdict::Different,
        Err(why) => MathVerdict::Unsure(why),
    }
}

fn compared(answer: &str, gold: &str) -> Result<bool, Unsure> {
    if answer.trim().is_empty() || gold.trim().is_empty() {
        return Err(Unsure::Empty);
    }
    if answer.trim() == gold.trim() {
        return Ok(true);
    }
    if answer.len().max(gold.len()) > MAX_BYTES {
        return Err(Unsure::TooLong);
    }
    if let Some(known) = clock::time(gold).filter(|time| !time.may_be_ratio()) {
        let time = clock::time(answer);
        if time.is_some() || known.is_certain() || !answer.contains(':') {
            return Ok(time.is_some_and(|time| time.is(known)));
        }
    }
    let (answer, gold) = (tokens(answer)?, tokens(gold)?);
    // An answer that cannot be parsed, or has no value, still equals the same text.
    if !answer.is_empty() && folded(&answer) == folded(&gold) {
        return Ok(true);
    }
    if let (Some(answer), Some(gold)) = (words(&answer), words(&gold))
        && (answer.sure || gold.sure)
        && same_words(&answer.text, &gold.text)
    {
        return Ok(true);
    }
    let (answer, gold) = (parse(&answer)?, parse(&gold)?);
    Algebra::new().same(&answer, &gold)
}

/// Without the difference of a word in a text command and outside.
fn folded(tokens: &[Token]) -> Vec<Token> {
    let fold = |token: &Token| match token {
        Token::Word(word) => Token::Text(word.clone()),
        Token::Letter(letter) => Token::Text(letter.to_string()),
        token => token.clone(),
    };
    tokens.iter().map(fold).collect()
}
