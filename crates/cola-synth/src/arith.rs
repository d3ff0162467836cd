//! `arith`: a dial of one hundred marks, 0 to 99, is turned up and down `level` times. Where does
//! it stand?
//!
//! `Dial 47 up 12 down 5.` has the answer `54`. Every start is equally likely, so every answer is,
//! and a guess is right one time in a hundred.

use rand::{Rng, RngExt};

use super::split::Split;
use super::{Item, Kind, Solution};

/// Marks on the dial: all arithmetic is modulo this.
const MARKS: i64 = 100;
/// The largest turn.
const LARGEST: i64 = 20;
/// One item in this many is a test item.
const TEST_SHARE: u64 = 8;

/// Draws one item with `level` turns.
pub(super) fn draw(level: u32, random: &mut impl Rng) -> Item {
    let start = random.random_range(0..MARKS);
    let mut question = format!("Dial {start}");
    let mut position = start;
    for _ in 0..level {
        let turn = random.random_range(1..=LARGEST);
        if random.random() {
            question.push_str(&format!(" up {turn}"));
            position += turn;
        } else {
            question.push_str(&format!(" down {turn}"));
            position -= turn;
        }
    }
    question.push('.');
    let answer = position.rem_euclid(MARKS).to_string();
    Item::new(Kind::Arith, level, question, Solution::Text { answer })
}

/// The split of an item, from its question.
pub(super) fn split(item: &Item) -> Split {
    Split::of(&item.question, TEST_SHARE)
}

/// Solves the question without the arithmetic of [`draw`], by rotating an array of marks, and compares the
/// answer. The error says what is wrong.
pub(super) fn check(level: u32, question: &str, answer: &str) -> Result<(), String> {
    let words: Vec<&str> = question
        .strip_suffix('.')
        .ok_or("no full stop at the end")?
        .split(' ')
        .collect();
    let Some((["Dial", start], turns)) = words.split_first_chunk() else {
        return Err("does not begin with \"Dial\" and a number".to_owned());
    };
    let mut dial: Vec<i64> = (0..MARKS).collect();
    dial.rotate_left(number(start, 0..=MARKS - 1)? as usize);
    let (turns, rest) = turns.as_chunks::<2>();
    if !rest.is_empty() || turns.len() != level as usize {
        return Err(format!("level {level} needs {level} turns"));
    }
    for [direction, turn] in turns {
        let turn = number(turn, 1..=LARGEST)? as usize;
        match *direction {
            "up" => dial.rotate_left(turn),
            "down" => dial.rotate_right(turn),
            other => return Err(format!("{other:?} is no direction")),
        }
    }
    if answer == dial[0].to_string() {
        Ok(())
    } else {
        Err(format!("the answer is {}, not {answer}", dial[0]))
    }
}

/// A number in canonical decimal within `range`.
fn number(word: &str, range: std::ops::RangeInclusive<i64>) -> Result<i64, String> {
    match word.parse() {
        Ok(value) if range.contains(&value) && word == value.to_string() => Ok(value),
        _ => Err(format!(
            "{word:?} is not a number in {}..={}",
            range.start(),
            range.end()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solver_agrees_with_cases_worked_by_hand() {
        for (level, question, answer) in [
            (1, "Dial 47 up 12.", "59"),
            (2, "Dial 47 up 12 down 5.", "54"),
            (1, "Dial 99 up 1.", "0"),
            (1, "Dial 0 down 20.", "80"),
            (3, "Dial 5 down 9 down 1 up 20.", "15"),
        ] {
            assert_eq!(check(level, question, answer), Ok(()), "{question}");
        }
    }

    #[test]
    fn the_solver_refuses_what_is_not_an_item_of_its_level() {
        for (level, question, answer) in [
            (1, "Dial 47 up 12.", "60"),
            (1, "Dial 47 up 12.", "059"),
            (2, "Dial 47 up 12.", "59"),
            (1, "Dial 147 up 12.", "59"),
            (1, "Dial 47 up 21.", "68"),
            (1, "Dial 47 up 0.", "47"),
            (1, "Dial 47 left 12.", "59"),
            (1, "Dial 47 up.", "47"),
            (1, "Turn 47 up 12.", "59"),
            (1, "Dial 47 up 12", "59"),
        ] {
            assert!(
                check(level, question, answer).is_err(),
                "{question} {answer}"
            );
        }
    }
}
