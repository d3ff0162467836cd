//! The verdict on two math answers.

use std::fmt;

use super::algebra::Algebra;
use super::clock;
use super::limits::{MAX_BYTES, Unsure};
use super::parse::parse;
use super::plain::plain;
use super::token::{Token, tokens};
use super::words::{same_words, words};

/// Result of comparing two answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MathVerdict {
    /// The answers are the same.
    Equal,
    /// Both answers were understood, and were not found to be the same.
    Different,
    /// The comparison gave up. Counts as not equal.
    Unsure(Unsure),
}

impl MathVerdict {
    /// Whether the answer counts as correct: only if the verdict is [`Equal`](MathVerdict::Equal).
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

/// Whether an answer is the same as the gold answer; see [`math_verdict`].
pub fn math_equal(answer: &str, gold: &str) -> bool {
    math_verdict(answer, gold).is_equal()
}

/// Compares an answer with the gold answer, exactly: as numbers, expressions, sets, intervals, vectors,
/// matrices, relations or words.
///
/// A name or unit that only one side has is ignored if it leaves one reading: `x = 5` is 5, and
/// `18 red apples` is 18. `50%` is `0.5`; a gold answer of `50%` also accepts `50`, since the question then
/// asked for percent, but a gold answer of `50` does not accept `50%`. Decimals are exact: 0.33 is not a
/// third.
///
/// The verdict depends on the two texts alone. The work is bounded for any two texts.
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
    let (answer, gold) = (&*plain(answer), &*plain(gold));
    if let Some(known) = clock::time(gold).filter(|time| !time.may_be_ratio()) {
        let time = clock::time(answer);
        if time.is_some() || known.is_certain() || !answer.contains(':') {
            return Ok(time.is_some_and(|time| time.is(known)));
        }
    }
    let (answer, gold) = (tokens(answer)?, tokens(gold)?);
    // An answer that cannot be parsed or has no value still equals an answer with the same tokens.
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

/// The tokens with words and letters turned into text, so that `yes` and `\text{yes}` are equal.
fn folded(tokens: &[Token]) -> Vec<Token> {
    let fold = |token: &Token| match token {
        Token::Word(word) => Token::Text(word.clone()),
        Token::Letter(letter) => Token::Text(letter.to_string()),
        token => token.clone(),
    };
    tokens.iter().map(fold).collect()
}
