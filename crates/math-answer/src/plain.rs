//! Digits and signs that are written in other forms: full-width, as Chinese and Japanese texts have them, and the digits of
//! other scripts.

use std::borrow::Cow;

/// The zeros of scripts whose ten digits follow one another: Arabic, Persian, Devanagari, Bengali, Gurmukhi, Gujarati, Tamil,
/// Telugu, Kannada, Thai, and full-width.
const ZEROS: [u32; 11] = [
    0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xbe6, 0xc66, 0xce6, 0xe50, 0xff10,
];

/// Full-width forms of ASCII, from `!` to `~`, and how far they are from it.
const FULL_WIDTH: std::ops::RangeInclusive<char> = '\u{ff01}'..='\u{ff5e}';
const FAR: u32 = 0xfee0;

/// The text with digits and full-width forms as ASCII.
pub fn plain(text: &str) -> Cow<'_, str> {
    match text.is_ascii() || text.chars().all(|c| ascii(c) == c) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.chars().map(ascii).collect()),
    }
}

/// The character in ASCII, if it is another form of one.
pub fn ascii(c: char) -> char {
    let code = u32::from(c);
    let digit = |zero: &u32| code.checked_sub(*zero).filter(|digit| *digit < 10);
    let digit = ZEROS.iter().find_map(digit);
    let other = match digit {
        Some(digit) => char::from_digit(digit, 10),
        None if FULL_WIDTH.contains(&c) => char::from_u32(code - FAR),
        None if c == '\u{3000}' => Some(' '),
        None => None,
    };
    other.unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::super::{extract_answer, last_number, math_equal, parse_number};
    use super::*;

    #[test]
    fn other_forms_of_digits_and_signs_are_ascii() {
        assert_eq!(plain("１２．５％＋ｘ\u{3000}３"), "12.5%+x 3");
        assert_eq!(plain("٤٢ ۴۲ ४২ ๔๒"), "42 42 42 42");
        assert!(matches!(plain("π ≤ é"), Cow::Borrowed("π ≤ é")));
    }

    #[test]
    fn full_width_numbers_equal_plain_ones() {
        for (one, other) in [
            ("４２", "42"),
            ("－１，２３４．５", "-1234.5"),
            ("３／４", "0.75"),
            ("（１，２）", "(1, 2)"),
            ("５０％", "50%"),
            ("ｘ＝５", "5"),
            ("٤٢", "42"),
        ] {
            assert!(math_equal(one, other) && math_equal(other, one), "{one}");
        }
        assert!(!math_equal("４３", "42"));
        let number = |text| parse_number(text).unwrap();
        assert!(number("４２").same_value(&number("42")));
    }

    #[test]
    fn the_last_number_may_be_full_width() {
        for (text, number) in [
            ("答えは４２です。", "４２"),
            ("３ から －１２．５ まで", "－１２．５"),
            ("７－３", "３"),
            ("約５０％", "５０％"),
            ("9 と ８", "８"),
            ("８ と 9", "9"),
        ] {
            assert_eq!(last_number(text), Some(number), "{text}");
        }
        assert_eq!(extract_answer(r"\boxed{４２}"), Some("４２"));
    }
}
