//! `hops`: follow `level` links through the facts that the question lists.
//!
//! `Ada calls Max. Max calls Eve. ... Start at Ada and follow 2 calls.` leads to Eve. The links form one
//! ring, so every name occurs twice in the facts and none stands out by its frequency.

use std::collections::HashMap;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::split::Split;
use super::{Choices, Item, Kind, choice};

/// Names on the ring beyond the level: enough for the start and the wrong options.
const BEYOND: usize = 5;
/// One question in this many is a test question, whatever its options.
const TEST_SHARE: u64 = 8;

const NAMES: [&str; 24] = [
    "Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ines", "Jack", "Kim", "Leo", "Max",
    "Nora", "Omar", "Pia", "Quinn", "Rose", "Sam", "Tess", "Uma", "Vera", "Will", "Zoe",
];

/// Draws one item of `level`, with the right option at index `gold`.
pub(super) fn draw(level: u32, gold: usize, random: &mut impl Rng) -> Item {
    let count = level as usize + BEYOND;
    let mut ring = NAMES.to_vec();
    ring.shuffle(random);
    ring.truncate(count);
    let mut facts: Vec<String> = (0..count)
        .map(|at| format!("{} calls {}.", ring[at], ring[(at + 1) % count]))
        .collect();
    facts.shuffle(random);
    let start = random.random_range(0..count);
    ring.rotate_left(start);
    let calls = if level == 1 { "call" } else { "calls" };
    let question = format!(
        "{} Start at {} and follow {level} {calls}.",
        facts.join(" "),
        ring[0]
    );
    // Wrong options are other names on the ring, except the start: names that are passed, and names further
    // on.
    let right = ring.remove(level as usize);
    let (wrong, _) = ring[1..].partial_shuffle(random, choice::OPTIONS - 1);
    let mut options: Vec<String> = wrong.iter().map(|name| (*name).to_owned()).collect();
    options.insert(gold, right.to_owned());
    Item::new(Kind::Hops, level, question, choice::solution(options, gold))
}

/// The split of an item, from its question.
pub(super) fn split(item: &Item) -> Split {
    Split::of(&item.question, TEST_SHARE)
}

/// Follows the links backwards from every option, and checks that the start is reached from the key and
/// from no other option. The error says what is wrong.
pub(super) fn check(
    level: u32,
    question: &str,
    choices: &Choices,
    key: &str,
) -> Result<(), String> {
    let key = choice::place(choices, key)?;
    let (facts, asked) = question
        .split_once(" Start at ")
        .ok_or("it asks for no start")?;
    let calls = if level == 1 { "call" } else { "calls" };
    let start = asked
        .strip_suffix(&format!(" and follow {level} {calls}."))
        .ok_or_else(|| format!("it does not ask to follow {level} {calls}"))?;
    let mut caller_of = HashMap::new();
    for fact in facts.split_terminator('.') {
        let (caller, called) = fact
            .trim_start()
            .split_once(" calls ")
            .ok_or_else(|| format!("{fact:?} is no fact"))?;
        if caller_of.insert(called, caller).is_some() {
            return Err(format!("two call {called}"));
        }
    }
    let back = |option: &str| {
        let mut at = caller_of.get_key_value(option)?.0;
        for _ in 0..level {
            at = caller_of.get(at)?;
        }
        Some(*at)
    };
    let ends: Vec<bool> = choices
        .text
        .iter()
        .map(|option| back(option) == Some(start))
        .collect();
    choice::only(&ends, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = "Eve calls Ada. Ada calls Max. Max calls Ben. Ben calls Eve.";

    fn verdict(level: u32, asked: &str, options: [&str; 4], key: &str) -> Result<(), String> {
        let choices = choice::lettered(options.map(str::to_owned).to_vec());
        check(level, &format!("{FACTS} {asked}"), &choices, key)
    }

    const NAMES: [&str; 4] = ["Ben", "Eve", "Max", "Ada"];

    #[test]
    fn the_solver_agrees_with_cases_worked_by_hand() {
        for (level, asked, key) in [
            (1, "Start at Ada and follow 1 call.", "C"),
            (2, "Start at Ada and follow 2 calls.", "A"),
            (3, "Start at Ada and follow 3 calls.", "B"),
        ] {
            assert_eq!(verdict(level, asked, NAMES, key), Ok(()), "{asked}");
        }
    }

    #[test]
    fn the_solver_refuses_what_is_not_an_item_of_its_level() {
        for (level, asked, options, key) in [
            (2, "Start at Ada and follow 2 calls.", NAMES, "B"),
            (2, "Start at Ada and follow 2 calls.", NAMES, "E"),
            (3, "Start at Ada and follow 2 calls.", NAMES, "A"),
            (2, "Start at Zoe and follow 2 calls.", NAMES, "A"),
            (
                2,
                "Ada calls Eve. Start at Ada and follow 2 calls.",
                NAMES,
                "A",
            ),
            (
                2,
                "Start at Ada and follow 2 calls.",
                ["Ben", "Ben", "Max", "Ada"],
                "A",
            ),
            (
                2,
                "Start at Ada and follow 2 calls.",
                ["Eve", "Zoe", "Max", "Ada"],
                "A",
            ),
            (2, "Follow 2 calls from Ada.", NAMES, "A"),
        ] {
            assert!(
                verdict(level, asked, options, key).is_err(),
                "{asked} {key}"
            );
        }
    }
}
