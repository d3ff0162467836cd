//! `list-ops`: nested lists of digits, each list under an operation.
//!
//! `[MAX 4 [SM 9 3] 1]` is 4: `SM` is the last digit of the sum. `MED` is the median, always of an odd
//! number of values. The level is the depth of nesting. The answers cycle through the digits.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::split::Split;
use super::{Item, Kind, Solution};

/// One item in this many is a test item.
const TEST_SHARE: u64 = 8;

#[derive(Clone, Copy)]
enum Operation {
    Max,
    Min,
    Med,
    Sm,
}

const OPERATIONS: [Operation; 4] = [
    Operation::Max,
    Operation::Min,
    Operation::Med,
    Operation::Sm,
];

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Max => "MAX",
            Operation::Min => "MIN",
            Operation::Med => "MED",
            Operation::Sm => "SM",
        }
    }

    fn of(self, mut values: Vec<u32>) -> u32 {
        values.sort_unstable();
        match self {
            Operation::Max => values[values.len() - 1],
            Operation::Min => values[0],
            Operation::Med => values[values.len() / 2],
            Operation::Sm => values.iter().sum::<u32>() % 10,
        }
    }
}

/// Draws one item of `level` whose answer is the last digit of `turn`.
pub(super) fn draw(level: u32, turn: usize, random: &mut impl Rng) -> Item {
    // `SM` and `MED` lead to every digit with similar frequency, so this ends soon.
    let (question, answer) = loop {
        let (text, value) = list(level, random);
        if value as usize == turn % 10 {
            break (text, value.to_string());
        }
    };
    Item::new(Kind::ListOps, level, question, Solution::Text { answer })
}

/// A list of this depth, and its value.
fn list(depth: u32, random: &mut impl Rng) -> (String, u32) {
    let operation = OPERATIONS[random.random_range(0..OPERATIONS.len())];
    let count = match operation {
        Operation::Med => *[3, 5].choose(random).unwrap_or(&3),
        _ => random.random_range(2..=5),
    };
    let deepest = random.random_range(0..count);
    let mut text = format!("[{}", operation.name());
    let mut values = Vec::new();
    for place in 0..count {
        // One entry has the remaining depth; now and then another entry is a list of digits.
        let (inner, value) = if depth > 1 && place == deepest {
            list(depth - 1, random)
        } else if depth > 1 && random.random_ratio(1, 8) {
            list(1, random)
        } else {
            let digit = random.random_range(0..10);
            (digit.to_string(), digit)
        };
        text.push(' ');
        text.push_str(&inner);
        values.push(value);
    }
    text.push(']');
    (text, operation.of(values))
}

/// The split of an item, from its question.
pub(super) fn split(item: &Item) -> Split {
    Split::of(&item.question, TEST_SHARE)
}

/// Replaces innermost lists by their values until one digit is left, and compares. The error says
/// what is wrong.
pub(super) fn check(level: u32, question: &str, answer: &str) -> Result<(), String> {
    let mut open = 0;
    let mut deepest = 0;
    for byte in question.bytes() {
        match byte {
            b'[' => open += 1,
            b']' => open -= 1,
            _ => {}
        }
        deepest = deepest.max(open);
    }
    if deepest != i64::from(level) {
        return Err(format!("it is {deepest} lists deep, not {level}"));
    }
    let mut text = question.to_owned();
    // The list that opens last contains no other list.
    while let Some(start) = text.rfind('[') {
        let length = text[start..].find(']').ok_or("a list does not end")?;
        let value = value(&text[start + 1..start + length])?;
        text.replace_range(start..=start + length, &value.to_string());
    }
    match text == answer {
        true => Ok(()),
        false => Err(format!("the answer is {text}, not {answer}")),
    }
}

/// The value of a list of digits, computed from the number of times each digit occurs.
fn value(list: &str) -> Result<usize, String> {
    let mut words = list.split(' ');
    let operation = words.next().unwrap_or_default();
    let mut counts = [0_usize; 10];
    for word in words {
        let digit = match word.as_bytes() {
            [byte @ b'0'..=b'9'] => byte - b'0',
            _ => return Err(format!("{word:?} is no digit")),
        };
        counts[usize::from(digit)] += 1;
    }
    let count: usize = counts.iter().sum();
    if count < 2 {
        return Err(format!("[{list}] has fewer than two values"));
    }
    let found = match operation {
        "MAX" => counts.iter().rposition(|&n| n > 0),
        "MIN" => counts.iter().position(|&n| n > 0),
        "MED" if count.is_multiple_of(2) => {
            return Err(format!("[{list}] has no middle value"));
        }
        "MED" => (0..10).find(|&digit| 2 * counts[..=digit].iter().sum::<usize>() > count),
        "SM" => Some((0..10).map(|digit| digit * counts[digit]).sum::<usize>() % 10),
        _ => None,
    };
    found.ok_or_else(|| format!("{operation:?} is no operation"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solver_agrees_with_cases_worked_by_hand() {
        for (level, question, answer) in [
            (1, "[MAX 4 2 9]", "9"),
            (1, "[MED 7 0 7 1 9]", "7"),
            (2, "[MAX 4 [SM 9 3] 1]", "4"),
            (2, "[SM [MIN 6 8] 9 [MED 1 5 2]]", "7"),
            (3, "[MIN 5 [MAX 3 [SM 5 5]]]", "3"),
        ] {
            assert_eq!(check(level, question, answer), Ok(()), "{question}");
        }
    }

    #[test]
    fn the_solver_refuses_what_is_not_an_item_of_its_level() {
        for (level, question, answer) in [
            (1, "[MAX 4 2 9]", "4"),
            (1, "[MAX 4 2 9]", "09"),
            (2, "[MAX 4 2 9]", "9"),
            (1, "[MED 4 2]", "4"),
            (1, "[MAX 4]", "4"),
            (1, "[MAX 4 12]", "12"),
            (1, "[AVG 4 4]", "4"),
            (1, "[MAX 4 2", "4"),
            (1, "MAX 4 2]", "4"),
            (1, "[MAX 4 2]]", "4"),
        ] {
            assert!(check(level, question, answer).is_err(), "{question}");
        }
    }
}
