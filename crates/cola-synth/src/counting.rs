//! `counting`: how often does a word occur in a list, or a letter in a string?
//!
//! `Words: fig pear fig. How many times does fig occur?` has the answer `2`. A list or a string has 8
//! entries per level and 4 more. The answers cycle through the digits, so neither length nor form of a
//! question tells its answer.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::split::Split;
use super::{Item, Kind, Solution};

/// Entries of an item beyond those of its level.
const FEWEST: usize = 4;
/// Entries that each level adds.
const A_LEVEL: usize = 8;
/// One item in this many is a test item.
const TEST_SHARE: u64 = 8;

/// Words in lists.
const WORDS: [&str; 16] = [
    "apple", "bread", "chair", "cloud", "fig", "horse", "lamp", "moon", "nail", "pear", "river",
    "rope", "sand", "stone", "tree", "wheel",
];
/// Letters in strings.
const LETTERS: [&str; 12] = ["a", "b", "c", "d", "e", "g", "k", "m", "n", "r", "s", "t"];

/// A form of question: the text before the entries, between them and before the counted thing, and the
/// things that may be entries.
struct Form {
    begins: &'static str,
    between: &'static str,
    asks: &'static str,
    things: &'static [&'static str],
}

const FORMS: [Form; 2] = [
    Form {
        begins: "Words: ",
        between: " ",
        asks: ". How many times does ",
        things: &WORDS,
    },
    Form {
        begins: "Letters: ",
        between: "",
        asks: ". How many times does ",
        things: &LETTERS,
    },
];

fn places(level: u32) -> usize {
    FEWEST + A_LEVEL * level as usize
}

/// Draws one item of `level` whose answer is the last digit of `turn`.
pub(super) fn draw(level: u32, turn: usize, random: &mut impl Rng) -> Item {
    let form = &FORMS[random.random_range(0..FORMS.len())];
    let answer = turn % 10;
    let (asked, others) = {
        let mut things = form.things.to_vec();
        things.shuffle(random);
        (things[0], things.split_off(1))
    };
    let mut list = vec![asked; answer];
    // There are few other things, so that each occurs about as often as the counted one.
    let kinds = random.random_range(2..=5);
    while list.len() < places(level) {
        list.push(others[random.random_range(0..kinds)]);
    }
    list.shuffle(random);
    let (begins, asks) = (form.begins, form.asks);
    let list = list.join(form.between);
    let question = format!("{begins}{list}{asks}{asked} occur?");
    let answer = answer.to_string();
    Item::new(Kind::Counting, level, question, Solution::Text { answer })
}

/// The split of an item, from its list alone, whatever is counted.
pub(super) fn split(item: &Item) -> Split {
    let list = item.question.split(". ").next();
    Split::of(list.unwrap_or_default(), TEST_SHARE)
}

/// Sorts the entries and measures the run of the counted thing. The error says what is wrong.
pub(super) fn check(level: u32, question: &str, answer: &str) -> Result<(), String> {
    let read = |form: &'static Form| {
        let (list, asked) = question.strip_prefix(form.begins)?.split_once(form.asks)?;
        Some((form, list, asked.strip_suffix(" occur?")?))
    };
    let (form, list, asked) = FORMS
        .iter()
        .find_map(read)
        .ok_or("the question does not have a known form")?;
    let mut things: Vec<&str> = match form.between {
        "" => list.split("").filter(|letter| !letter.is_empty()).collect(),
        between => list.split(between).collect(),
    };
    if things.len() != places(level) {
        let (wanted, found) = (places(level), things.len());
        return Err(format!("level {level} needs {wanted} places, not {found}"));
    }
    if let Some(other) = things
        .iter()
        .chain([&asked])
        .find(|t| !form.things.contains(t))
    {
        return Err(format!("{other:?} is not counted here"));
    }
    things.sort_unstable();
    let run = things.partition_point(|thing| *thing <= asked)
        - things.partition_point(|thing| *thing < asked);
    if run > 9 {
        return Err(format!("{run} is no digit"));
    }
    match answer == run.to_string() {
        true => Ok(()),
        false => Err(format!("the answer is {run}, not {answer}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str =
        "Words: fig pear fig nail fig fig moon sand fig lamp lamp pear. How many times does ";
    const LETTERS: &str = "Letters: abacadabaacg. How many times does ";

    #[test]
    fn the_solver_agrees_with_cases_worked_by_hand() {
        for (text, asked, answer) in [
            (WORDS, "fig occur?", "5"),
            (WORDS, "moon occur?", "1"),
            (WORDS, "rope occur?", "0"),
            (LETTERS, "a occur?", "6"),
            (LETTERS, "c occur?", "2"),
        ] {
            assert_eq!(
                check(1, &format!("{text}{asked}"), answer),
                Ok(()),
                "{asked}"
            );
        }
    }

    #[test]
    fn the_solver_refuses_what_is_not_an_item_of_its_level() {
        for (level, text, asked, answer) in [
            (1, WORDS, "fig occur?", "4"),
            (1, WORDS, "fig occur?", "05"),
            (2, WORDS, "fig occur?", "5"),
            (1, WORDS, "griffin occur?", "0"),
            (1, LETTERS, "fig occur?", "0"),
            (1, LETTERS, "a", "6"),
            (
                1,
                "Letters: aaaaaaaaaaab. How many times does ",
                "a occur?",
                "11",
            ),
            (
                1,
                "Letters: abacadabaacz. How many times does ",
                "a occur?",
                "6",
            ),
            (1, "Numbers: 1 2. How many times does ", "1 occur?", "1"),
        ] {
            let question = format!("{text}{asked}");
            assert!(check(level, &question, answer).is_err(), "{question}");
        }
    }
}
