//! `boolean`: is a nested formula of `and`, `or` and `not` true or false?
//!
//! `not (True and False) or False` is `True`. Level n has n + 2 binary operators. The answers alternate
//! between true and false.

use rand::{Rng, RngExt};

use super::split::Split;
use super::{Item, Kind, Solution};

/// Binary operators in a formula beyond its level.
const OPERATORS: u32 = 2;
/// One item in this many is a test item.
const TEST_SHARE: u64 = 8;

/// Draws one formula of `level` that is true on every second `turn`.
pub(super) fn draw(level: u32, turn: usize, random: &mut impl Rng) -> Item {
    let value = turn.is_multiple_of(2);
    let question = binary(level + OPERATORS, value, random);
    let answer = word(value).to_owned();
    Item::new(Kind::Boolean, level, question, Solution::Text { answer })
}

fn word(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// A formula with this many binary operators and this value, without parentheses around it.
fn binary(operators: u32, value: bool, random: &mut impl Rng) -> String {
    let left = random.random_range(0..operators);
    let and = random.random();
    // A true `and` needs two true sides and a false `or` two false ones; otherwise one side decides.
    let (a, b) = if value == and {
        (value, value)
    } else {
        [(value, value), (value, !value), (!value, value)][random.random_range(0..3)]
    };
    let a = operand(left, a, random);
    let b = operand(operators - 1 - left, b, random);
    format!("{a} {} {b}", if and { "and" } else { "or" })
}

/// A formula as one side of an operator: negated half of the time.
fn operand(operators: u32, value: bool, random: &mut impl Rng) -> String {
    let negated = random.random();
    let value = value != negated;
    let inner = match operators {
        0 => word(value).to_owned(),
        _ => format!("({})", binary(operators, value, random)),
    };
    if negated {
        format!("not {inner}")
    } else {
        inner
    }
}

/// The split of an item, from its formula.
pub(super) fn split(item: &Item) -> Split {
    Split::of(&item.question, TEST_SHARE)
}

/// Every formula of constants with one operator, and its value. Replacing these until one word is left
/// solves any formula without recursion.
const REWRITES: [(&str, &str); 12] = [
    ("(True)", "True"),
    ("(False)", "False"),
    ("not True", "False"),
    ("not False", "True"),
    ("(True and True)", "True"),
    ("(True and False)", "False"),
    ("(False and True)", "False"),
    ("(False and False)", "False"),
    ("(True or True)", "True"),
    ("(True or False)", "True"),
    ("(False or True)", "True"),
    ("(False or False)", "False"),
];

/// Rewrites the formula until it is one word, and compares this with the answer. The error says what is
/// wrong.
pub(super) fn check(level: u32, question: &str, answer: &str) -> Result<(), String> {
    let words = question.split([' ', '(', ')']);
    let operators = words.filter(|word| matches!(*word, "and" | "or")).count();
    if operators != (level + OPERATORS) as usize {
        let wanted = level + OPERATORS;
        return Err(format!(
            "level {level} needs {wanted} operators, not {operators}"
        ));
    }
    let mut text = format!("({question})");
    loop {
        let rewritten = REWRITES
            .iter()
            .fold(text.clone(), |text, (from, to)| text.replace(from, to));
        if rewritten == text {
            break;
        }
        text = rewritten;
    }
    match text.as_str() {
        "True" | "False" if text == answer => Ok(()),
        "True" | "False" => Err(format!("the answer is {text}, not {answer}")),
        _ => Err(format!("it is not a formula: {text:?} is left over")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solver_agrees_with_cases_worked_by_hand() {
        for (question, answer) in [
            ("(True and False) or (True and True)", "True"),
            ("not (True and (False or True)) or False", "False"),
            ("not False and (not (True or False) or not False)", "True"),
            ("not (not (not True or True) or False) and True", "True"),
        ] {
            assert_eq!(check(1, question, answer), Ok(()), "{question}");
        }
    }

    #[test]
    fn the_solver_refuses_what_is_not_an_item_of_its_level() {
        for (level, question, answer) in [
            (1, "(True and False) or (True and True)", "False"),
            (1, "(True and False) or (True and True)", "true"),
            (2, "(True and False) or (True and True)", "True"),
            (1, "True and False or True and True", "True"),
            (1, "(True and False) or (True and True", "True"),
            (1, "(True and False) or (True and maybe)", "True"),
            (1, "not not (True and False) or (True xor True)", "True"),
        ] {
            assert!(check(level, question, answer).is_err(), "{question}");
        }
    }
}
