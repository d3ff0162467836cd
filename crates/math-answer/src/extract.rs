//! Finds the answer in a text that marks it in one of the usual ways.

use std::borrow::Cow;
use std::ops::Range;

use super::first_boxed;
use super::plain::{ascii, plain};

/// The answer in a text: the first complete `\boxed{}`, else the line after the first `####`, else the text
/// after the first "answer is", else the last number. `None` if the text has none of these.
///
/// The first mark counts, since models often continue after their answer with an invented question.
pub fn extract_answer(text: &str) -> Option<&str> {
    first_boxed(text)
        .map(str::trim)
        .filter(|answer| !answer.is_empty())
        .or_else(|| after_hashes(text))
        .or_else(|| after_answer_is(text))
        .or_else(|| last_number(text))
}

/// The rest of the line after the first `####`.
pub fn after_hashes(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("####")?;
    let line = after.trim_start_matches([' ', '#']).lines().next()?.trim();
    (!line.is_empty()).then_some(line)
}

/// The text after the first "answer is", up to the end of the sentence or to a reason (` because `,
/// ` since `, `, not `). After a colon the answer may be on the next line.
pub fn after_answer_is(text: &str) -> Option<&str> {
    const MARK: &[u8] = b"answer is";
    const REASONS: [&str; 4] = [" because ", " since ", ", not ", ", because "];
    let word = |at: usize| {
        text.as_bytes()
            .get(at)
            .is_some_and(|b| b.is_ascii_alphanumeric())
    };
    let place = text
        .as_bytes()
        .windows(MARK.len())
        .enumerate()
        .position(|(at, window)| window.eq_ignore_ascii_case(MARK) && !word(at + MARK.len()))?;
    let after = text.get(place + MARK.len()..)?;
    let after = after.trim_start_matches([' ', '*']);
    let after = match after.strip_prefix(':') {
        Some(after) => {
            after.trim_start_matches(|c: char| c == ':' || c == '*' || c.is_whitespace())
        }
        None => after,
    };
    let after = after.strip_prefix("therefore ").unwrap_or(after);
    let line = after.lines().next()?;
    let sentence = line.match_indices(['.', '!', '?']).find(|(at, _)| {
        let rest = &line[at + 1..];
        rest.is_empty() || rest.starts_with([' ', '*'])
    });
    let end = sentence.map_or(line.len(), |(at, _)| at);
    let reason = REASONS
        .iter()
        .filter_map(|reason| line[..end].find(reason))
        .min();
    let end = reason.unwrap_or(end);
    let answer = line[..end].trim().trim_end_matches('*').trim();
    answer.contains(char::is_alphanumeric).then_some(answer)
}

/// The last number in a text: digits with their sign, dollar sign, thousands separators, decimal point,
/// `/`, exponent and percent sign. Digits and signs may be full-width.
pub fn last_number(text: &str) -> Option<&str> {
    let plain = plain(text);
    let found = last_plain_number(&plain)?;
    let (start, end) = (found.start, found.end);
    if let Cow::Borrowed(_) = plain {
        return text.get(start..end);
    }
    // Places in the text by places in the plain one.
    let mut at = 0;
    let places = text.char_indices().map(|(place, c)| {
        let here = at;
        at += ascii(c).len_utf8();
        (here, place)
    });
    let places: Vec<(usize, usize)> = places.collect();
    let place = |at: usize| {
        let found = places.iter().find(|(here, _)| *here == at);
        found.map_or(text.len(), |(_, place)| *place)
    };
    text.get(place(start)..place(end))
}

fn last_plain_number(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let last = (0..bytes.len()).rev().find(|at| digit(*at))?;
    let inside = |at: usize| {
        let joins = matches!(bytes[at], b',' | b'.' | b'/' | b'e' | b'E');
        digit(at) || (joins && digit(at + 1) && (at > 0 && digit(at - 1) || bytes[at] == b'.'))
    };
    let mut start = last;
    while start > 0 && inside(start - 1) {
        start -= 1;
    }
    for _ in 0..2 {
        let before = &text[..start];
        let unsigned = before
            .strip_suffix('-')
            .or_else(|| before.strip_suffix('\u{2212}'));
        // In `7-3` the minus sign is a subtraction.
        let signed = unsigned.filter(|rest| !rest.ends_with(|c: char| c.is_ascii_alphanumeric()));
        if let Some(rest) = before.strip_suffix('$').or(signed) {
            start = rest.len();
        }
    }
    let end = last + 1 + usize::from(bytes.get(last + 1) == Some(&b'%'));
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_strongest_mark_gives_the_answer() {
        for (text, answer) in [
            (r"The answer is 4. #### 5 \boxed{6}", "6"),
            ("The answer is 4.\n#### 5\nQ: 7\n#### 8", "5"),
            ("So the Answer is: **1.5**. Next, the answer is 7.", "1.5"),
            ("the answer is Paris! 9", "Paris"),
            ("The answer is $3.50. Done", "$3.50"),
            ("first 3, then -$1,234.5.", "-$1,234.5"),
            ("7-3", "3"),
            ("about 50%.", "50%"),
            ("it is 3/4", "3/4"),
            ("x = -2, I think", "-2"),
            ("at .5", ".5"),
            ("é7é", "7"),
            (r"\boxed{} 12", "12"),
            ("it is \u{2212}7", "\u{2212}7"),
            ("total 1.5e3", "1.5e3"),
            ("the answer isn't 3; the answer is 5", "5"),
            ("The answer is:\n5\nQ: 8", "5"),
            ("The answer is 5 because 2+3=5.", "5"),
            ("The answer is 18, not 20.", "18"),
            ("The answer is therefore 5.", "5"),
        ] {
            assert_eq!(extract_answer(text), Some(answer), "{text}");
        }
        for text in ["", "no idea", "####", "the answer is", "answer is ..."] {
            assert_eq!(extract_answer(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in any::<String>(), near in r"(answer is|####|[-$0-9.,/%é* \n]){0,20}") {
            let _ = extract_answer(&text);
            let _ = extract_answer(&near);
        }

        #[test]
        fn what_follows_a_complete_box_changes_nothing(before in "[a-z0-9 ]{0,9}", after in any::<String>()) {
            let text = format!(r"{before}\boxed{{5}}{after}");
            prop_assert_eq!(extract_answer(&text), Some("5"));
        }
    }
}
