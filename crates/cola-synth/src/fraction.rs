//! Exact value of an arithmetic expression in usual notation: `*` and `/` before `+` and `-`, parentheses,
//! integers.

use std::iter::Peekable;
use std::str::Chars;

/// Numerator and denominator in lowest terms; the denominator is above zero.
pub(super) type Fraction = (i64, i64);

/// Value of an expression, and its numbers from left to right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Evaluated {
    pub value: Fraction,
    pub used: Vec<i64>,
}

/// Operators that have not been applied yet, and their operands.
#[derive(Default)]
struct Stacks {
    values: Vec<Fraction>,
    operators: Vec<char>,
}

/// Evaluates an expression with a stack of values and one of operators. The error says what is wrong.
pub(super) fn evaluate(text: &str) -> Result<Evaluated, String> {
    let mut stacks = Stacks::default();
    let mut used = Vec::new();
    let mut characters = text.chars().peekable();
    // Whether the next token has to begin a value, or else continue after one.
    let mut wants_value = true;
    while let Some(&next) = characters.peek() {
        match next {
            ' ' => {}
            '0'..='9' if wants_value => {
                let number = number(&mut characters)?;
                used.push(number);
                stacks.values.push((number, 1));
                wants_value = false;
                continue;
            }
            '(' if wants_value => stacks.operators.push('('),
            ')' if !wants_value => {
                stacks.apply_while(|waiting| waiting != '(')?;
                stacks
                    .operators
                    .pop()
                    .ok_or("there is one parenthesis too many")?;
            }
            '+' | '-' | '*' | '/' if !wants_value => {
                stacks.apply_while(|waiting| rank(waiting) >= rank(next))?;
                stacks.operators.push(next);
                wants_value = true;
            }
            other => return Err(format!("{other:?} is out of place")),
        }
        characters.next();
    }
    stacks.apply_while(|_| true)?;
    match stacks.values[..] {
        [value] if !wants_value => Ok(Evaluated { value, used }),
        _ => Err("it ends too early".to_owned()),
    }
}

/// Precedence of an operator. An open parenthesis has the lowest, so that the operators before it wait.
fn rank(operator: char) -> u8 {
    match operator {
        '*' | '/' => 2,
        '+' | '-' => 1,
        _ => 0,
    }
}

fn number(characters: &mut Peekable<Chars<'_>>) -> Result<i64, String> {
    let mut number = 0_i64;
    while let Some(digit) = characters.peek().and_then(|next| next.to_digit(10)) {
        number = number
            .checked_mul(10)
            .and_then(|tens| tens.checked_add(i64::from(digit)))
            .ok_or("a number is too large")?;
        characters.next();
    }
    Ok(number)
}

impl Stacks {
    /// Applies operators from the top of the stack, as long as `wanted` returns true for them.
    fn apply_while(&mut self, wanted: impl Fn(char) -> bool) -> Result<(), String> {
        while let Some(operator) = self.operators.pop_if(|top| wanted(*top)) {
            let (Some(b), Some(a)) = (self.values.pop(), self.values.pop()) else {
                return Err("a value is missing".to_owned());
            };
            self.values.push(apply(operator, a, b)?);
        }
        Ok(())
    }
}

fn apply(operator: char, a: Fraction, b: Fraction) -> Result<Fraction, String> {
    let too_large = || "a value is too large".to_owned();
    let times = |x: i64, y: i64| x.checked_mul(y).ok_or_else(too_large);
    let (above, below) = match operator {
        '+' => {
            let sum = times(a.0, b.1)?.checked_add(times(b.0, a.1)?);
            (sum.ok_or_else(too_large)?, times(a.1, b.1)?)
        }
        '-' => {
            let difference = times(a.0, b.1)?.checked_sub(times(b.0, a.1)?);
            (difference.ok_or_else(too_large)?, times(a.1, b.1)?)
        }
        '*' => (times(a.0, b.0)?, times(a.1, b.1)?),
        '/' if b.0 == 0 => return Err("it divides by zero".to_owned()),
        '/' => (times(a.0, b.1)?, times(a.1, b.0)?),
        _ => return Err("a parenthesis is not closed".to_owned()),
    };
    // `i64::MIN` is the one number without a positive counterpart.
    if above == i64::MIN || below == i64::MIN {
        return Err(too_large());
    }
    let divisor = common_divisor(above, below) * below.signum();
    Ok((above / divisor, below / divisor))
}

fn common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_bind_as_in_arithmetic() {
        for (text, value) in [
            ("7", (7, 1)),
            ("1 + 2 * 3", (7, 1)),
            ("(1 + 2) * 3", (9, 1)),
            ("8 - 3 - 2", (3, 1)),
            ("8 / 4 / 2", (1, 1)),
            ("1 / 3 + 1 / 6", (1, 2)),
            ("2 / (3 - 5)", (-1, 1)),
            ("((2))*(3+1)", (8, 1)),
        ] {
            assert_eq!(evaluate(text).map(|done| done.value), Ok(value), "{text}");
        }
        assert_eq!(evaluate("12 - 3 * 4").unwrap().used, [12, 3, 4]);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in [
            "",
            "1 +",
            "+ 1",
            "1 2",
            "(1",
            "1)",
            "()",
            "1 / 0",
            "1 / (2 - 2)",
            "2 ^ 3",
            "1 + x",
            "1.5",
            "99999999999999999999",
            "9223372036854775807 * 2",
            "9223372036854775807 + 1",
        ] {
            assert!(evaluate(text).is_err(), "{text}");
        }
    }
}
