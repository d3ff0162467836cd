//! `countdown`: which of four expressions over the given numbers reaches the target?
//!
//! Every option uses each number once, and all its intermediate values are positive integers, as the game
//! demands. All options are drawn in the same way; the wrong ones are those with the values nearest to the
//! target, out of a dozen. The level is the number of operations minus one.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::fraction::{self, Evaluated};
use super::split::Split;
use super::{Choices, Item, Kind, choice};

/// Numbers of a question beyond its level.
const NUMBERS: usize = 2;
/// The largest number.
const LARGEST: i64 = 25;
/// The largest target, and the largest intermediate value of an expression.
const LARGEST_TARGET: i64 = 999;
/// Number of expressions drawn, from which the options are chosen.
const DRAWN: usize = 12;
/// One question in this many is a test question, whatever its options.
const TEST_SHARE: u64 = 8;

/// An expression and its value.
#[derive(Clone)]
struct Expression {
    text: String,
    value: i64,
}

/// Draws one item of `level`, with the right option at index `gold`.
pub(super) fn draw(level: u32, gold: usize, random: &mut impl Rng) -> Item {
    loop {
        let mut numbers: Vec<i64> = (1..=LARGEST).collect();
        let (numbers, _) = numbers.partial_shuffle(random, level as usize + NUMBERS);
        numbers.sort_unstable();
        if let Some((target, options)) = options(numbers, gold, random) {
            let listed: Vec<String> = numbers.iter().map(i64::to_string).collect();
            let question = format!("Reach {target} with {}.", listed.join(", "));
            let solution = choice::solution(options, gold);
            return Item::new(Kind::Countdown, level, question, solution);
        }
    }
}

/// A target and four expressions, of which the one at index `gold` reaches the target. `None` if too few
/// expressions with different values were drawn.
fn options(numbers: &[i64], gold: usize, random: &mut impl Rng) -> Option<(i64, Vec<String>)> {
    let mut drawn: Vec<Expression> = Vec::new();
    for _ in 0..DRAWN {
        if let Some(expression) = expression(numbers, random)
            && drawn.iter().all(|known| known.value != expression.value)
        {
            drawn.push(expression);
        }
    }
    if drawn.len() < choice::OPTIONS {
        return None;
    }
    let right = drawn.swap_remove(random.random_range(0..drawn.len()));
    drawn.sort_by_key(|wrong| (wrong.value.abs_diff(right.value), wrong.value));
    drawn.truncate(choice::OPTIONS - 1);
    drawn.shuffle(random);
    let mut texts: Vec<String> = drawn.into_iter().map(|wrong| wrong.text).collect();
    texts.insert(gold, right.text);
    Some((right.value, texts))
}

/// Draws an expression over all the numbers, by joining two random terms until one term is left. `None` if
/// no operation is allowed for two terms.
fn expression(numbers: &[i64], random: &mut impl Rng) -> Option<Expression> {
    let mut terms: Vec<Expression> = numbers
        .iter()
        .map(|&value| Expression {
            text: value.to_string(),
            value,
        })
        .collect();
    while terms.len() > 1 {
        let a = terms.swap_remove(random.random_range(0..terms.len()));
        let b = terms.swap_remove(random.random_range(0..terms.len()));
        let last = terms.is_empty();
        let mut operations = ['+', '-', '*', '/'];
        operations.shuffle(random);
        let joined = operations
            .into_iter()
            .find_map(|operation| Some((operation, apply(operation, a.value, b.value)?)));
        let (operation, value) = joined?;
        let text = format!("{} {operation} {}", a.text, b.text);
        let text = if last { text } else { format!("({text})") };
        terms.push(Expression { text, value });
    }
    terms.pop()
}

/// The value of an operation, if it is an integer from 1 to [`LARGEST_TARGET`].
fn apply(operation: char, a: i64, b: i64) -> Option<i64> {
    let value = match operation {
        '+' => a + b,
        '-' => a - b,
        '*' => a * b,
        _ if a % b == 0 => a / b,
        _ => return None,
    };
    (1..=LARGEST_TARGET).contains(&value).then_some(value)
}

/// The split of an item, from its target and numbers.
pub(super) fn split(item: &Item) -> Split {
    Split::of(&item.question, TEST_SHARE)
}

/// Evaluates every option in exact fractions. Checks that every option uses each number once, and that the
/// key, and no other option, reaches the target. The error says what is wrong.
pub(super) fn check(
    level: u32,
    question: &str,
    choices: &Choices,
    key: &str,
) -> Result<(), String> {
    let key = choice::place(choices, key)?;
    let (target, numbers) = question
        .strip_prefix("Reach ")
        .and_then(|rest| rest.strip_suffix('.')?.split_once(" with "))
        .ok_or("the question does not have a known form")?;
    let whole = |text: &str| {
        text.parse::<i64>()
            .map_err(|_| format!("{text:?} is not a number"))
    };
    let target = whole(target)?;
    let mut numbers = numbers
        .split(", ")
        .map(whole)
        .collect::<Result<Vec<_>, _>>()?;
    numbers.sort_unstable();
    if numbers.len() != level as usize + NUMBERS {
        let wanted = level as usize + NUMBERS;
        return Err(format!(
            "level {level} needs {wanted} numbers, not {}",
            numbers.len()
        ));
    }
    let mut reaches = Vec::new();
    for option in &choices.text {
        let Evaluated { value, mut used } =
            fraction::evaluate(option).map_err(|reason| format!("{option:?}: {reason}"))?;
        used.sort_unstable();
        if used != numbers {
            return Err(format!("{option:?} does not use each number once"));
        }
        reaches.push(value == (target, 1));
    }
    choice::only(&reaches, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(level: u32, question: &str, options: [&str; 4], key: &str) -> Result<(), String> {
        let choices = choice::lettered(options.map(str::to_owned).to_vec());
        check(level, question, &choices, key)
    }

    const QUESTION: &str = "Reach 24 with 2, 3, 9.";
    const OPTIONS: [&str; 4] = ["(9 * 2) + 3", "3 * (9 - 2)", "(9 + 3) * 2", "9 / 3 + 2"];

    #[test]
    fn any_correct_expression_is_right_however_it_is_written() {
        assert_eq!(verdict(1, QUESTION, OPTIONS, "C"), Ok(()));
        for right in ["2 * (3 + 9)", "2*3 + 9*2 - 0", "((9+3))*2", "9/(1/2) + 2*3"] {
            let Ok(evaluated) = fraction::evaluate(right) else {
                panic!("{right}")
            };
            assert_eq!(evaluated.value, (24, 1), "{right}");
        }
    }

    #[test]
    fn the_solver_refuses_what_is_not_an_item_of_its_level() {
        let with = |place: usize, text: &'static str| {
            let mut options = OPTIONS;
            options[place] = text;
            options
        };
        for (level, question, options, key) in [
            (1, QUESTION, OPTIONS, "A"),
            (1, QUESTION, OPTIONS, "E"),
            (2, QUESTION, OPTIONS, "C"),
            (1, "Reach 25 with 2, 3, 9.", OPTIONS, "C"),
            (1, "Reach 24 with 2, 3, 8.", OPTIONS, "C"),
            (1, QUESTION, with(0, "2 * (3 + 9)"), "C"),
            (1, QUESTION, with(0, "2 * (3 + 3)"), "C"),
            (1, QUESTION, with(0, "2 + 3"), "C"),
            (1, QUESTION, with(0, "9 / (3 - 2 - 1)"), "C"),
            (1, QUESTION, with(0, "(9 * 2 + 3"), "C"),
            (1, "Make 24 of 2, 3, 9.", OPTIONS, "C"),
        ] {
            assert!(
                verdict(level, question, options, key).is_err(),
                "{question} {options:?}"
            );
        }
    }
}
