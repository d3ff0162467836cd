//! Options labelled with letters, and the check that exactly one of them is right.

use super::{Choices, Solution};

/// Number of options of a question.
pub(super) const OPTIONS: usize = 4;

/// Labels options with the letters from A.
pub(super) fn lettered(text: Vec<String>) -> Choices {
    let label = (0..text.len()).map(letter).collect();
    Choices { text, label }
}

/// A solution whose right option is at index `gold`.
pub(super) fn solution(text: Vec<String>, gold: usize) -> Solution {
    Solution::Choice {
        choices: lettered(text),
        answer_key: letter(gold),
    }
}

/// The letter of the option at index `place`.
pub(super) fn letter(place: usize) -> String {
    char::from(b'A' + place as u8).to_string()
}

/// Index of the option with the letter `key`. Fails unless there are [`OPTIONS`] options with the letters
/// from A.
pub(super) fn place(choices: &Choices, key: &str) -> Result<usize, String> {
    let letters: Vec<String> = (0..OPTIONS).map(letter).collect();
    if choices.text.len() != OPTIONS || choices.label != letters {
        return Err(format!("it needs {OPTIONS} options labelled A to D"));
    }
    letters
        .iter()
        .position(|letter| letter == key)
        .ok_or_else(|| format!("there is no option {key}"))
}

/// Checks that exactly one option is right, and that it is the key.
pub(super) fn only(right: &[bool], key: usize) -> Result<(), String> {
    let places: Vec<usize> = (0..right.len()).filter(|place| right[*place]).collect();
    match places[..] {
        [place] if place == key => Ok(()),
        [place] => Err(format!(
            "option {} is right, not {}",
            letter(place),
            letter(key)
        )),
        _ => Err(format!("{} options are right", places.len())),
    }
}
