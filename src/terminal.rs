//! Text for a terminal. Much of it comes from files of unknown authors (a template's message, a row's id, a model's words),
//! and a terminal obeys control characters: they are printed as escapes, and messages are cut.

use std::fmt::Display;
use std::io::Write;

/// Characters of the longest message.
const LONGEST: usize = 1_500;

/// Says something on standard error, in one line. That nobody reads it any more is no reason to stop working.
pub fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", one_line(&line.to_string()));
}

/// A message in one line that a terminal prints as it is; of a very long one the beginning.
pub fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut out = String::new();
    let mut left = LONGEST;
    for (at, line) in lines.enumerate() {
        let separator = if at > 0 { " " } else { "" };
        for char in separator.chars().chain(line.chars()) {
            if left == 0 {
                return format!("{out}... (cut; {} bytes in all)", text.len());
            }
            left -= 1;
            match char {
                '\t' => out.push(' '),
                char if is_control(char) => out.extend(char.escape_unicode()),
                char => out.push(char),
            }
        }
    }
    out
}

/// A text in which control characters, except line breaks and tabs, are escapes. So are the ones that change the direction
/// of writing, with which a text can look like another.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\t' => out.push(char),
            _ if is_control(char) => out.extend(char.escape_unicode()),
            _ => out.push(char),
        }
    }
    out
}

/// JSON with the control characters escaped that JSON itself leaves as they are. It is the same value.
pub fn printable_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '\n' | '\t' => out.push(char),
            // None of them is beyond 16 bits.
            _ if is_control(char) => out += &format!("\\u{:04x}", char as u32),
            _ => out.push(char),
        }
    }
    out
}

fn is_control(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_as_an_escape() {
        assert_eq!(
            printable("a\u{1b}[31mb\r\u{9b}2J\u{7}\u{202e}\u{7f}\n\té\u{1f469}\u{200d}\u{1f680}"),
            "a\\u{1b}[31mb\\u{d}\\u{9b}2J\\u{7}\\u{202e}\\u{7f}\n\té\u{1f469}\u{200d}\u{1f680}"
        );
        let value = serde_json::json!({"a": "\u{1b}\u{9b}\u{7f}\u{202e}é"});
        let written = printable_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(
            !written.chars().any(|char| is_control(char) && char != '\n'),
            "{written}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&written).unwrap(),
            value
        );
    }

    #[test]
    fn a_message_is_one_line_and_not_endless() {
        assert_eq!(
            one_line("\n a:\r\n   b\u{1b}[2J \n\n c\td\n"),
            "a: b\\u{1b}[2J c d"
        );
        for text in [
            "x".repeat(1 << 20),
            "x\n".repeat(1 << 20),
            "é".repeat(2_000),
        ] {
            let line = one_line(&text);
            assert!(
                line.ends_with(&format!("... (cut; {} bytes in all)", text.len())),
                "{line}"
            );
            assert!(line.chars().count() < LONGEST + 40 && !line.contains('\n'));
        }
        let long = "word ".repeat(200);
        assert_eq!(one_line(&long), long.trim());
    }
}
