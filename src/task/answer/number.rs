//! Numbers as answers spell them, compared exactly: a value is a fraction of two 128-bit integers.

/// Longer texts are no number: nothing an answer needs, and the work stays bounded.
const MAX_LENGTH: usize = 64;

/// An exact rational in lowest terms, with the unit "percent" kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    numerator: i128,
    /// Positive.
    denominator: i128,
    /// Written with a percent sign; the value is then that of the digits before it (`50%` is 50).
    pub percent: bool,
}

impl Number {
    fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let sign = denominator.signum();
        let (numerator, denominator) =
            (numerator.checked_mul(sign)?, denominator.checked_mul(sign)?);
        let divisor = greatest_common_divisor(numerator.unsigned_abs(), denominator.unsigned_abs());
        let divisor = i128::try_from(divisor).ok()?;
        Some(Number {
            numerator: numerator / divisor,
            denominator: denominator / divisor,
            percent: false,
        })
    }

    /// Equal in value, whatever the unit.
    pub fn same_value(&self, other: &Number) -> bool {
        (self.numerator, self.denominator) == (other.numerator, other.denominator)
    }

    fn divided_by(self, other: Number) -> Option<Number> {
        Number::new(
            self.numerator.checked_mul(other.denominator)?,
            self.denominator.checked_mul(other.numerator)?,
        )
    }

    fn negated(self) -> Option<Number> {
        Some(Number {
            numerator: self.numerator.checked_neg()?,
            ..self
        })
    }
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// Reads an integer, a decimal, a number with thousands separators, `a/b`, `\frac{a}{b}` (also `\dfrac`, `\tfrac`,
/// `\frac12`), each with an optional sign, surrounding `$`, a money sign before it, a percent sign or a full stop after it.
///
/// Anything else is None: no units, powers, mixed numbers or scientific notation are guessed at.
pub fn parse_number(text: &str) -> Option<Number> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let plain = text
        .replace('\u{2212}', "-")
        .replace("{,}", ",")
        .replace("\\!", "");
    let mut text = plain.trim();
    text = text.strip_suffix('.').unwrap_or(text).trim_end();
    text = unwrap_dollars(text);
    text = text.strip_suffix('.').unwrap_or(text).trim_end();

    let mut percent = false;
    for sign in ["\\%", "%"] {
        if let Some(before) = text.strip_suffix(sign) {
            (text, percent) = (before.trim_end(), true);
            break;
        }
    }
    let number = signed(text)?;
    Some(Number { percent, ..number })
}

/// `$5$` -> `5`. A lone `$` in front is money and is read with the sign.
fn unwrap_dollars(text: &str) -> &str {
    let inner = text.strip_prefix('$').and_then(|t| t.strip_suffix('$'));
    inner.unwrap_or(text).trim()
}

/// An optional sign, on either side of an optional money sign, and what it applies to.
fn signed(text: &str) -> Option<Number> {
    let money = |text: &'_ str| -> Option<usize> {
        ["\\$", "$"]
            .iter()
            .find(|sign| text.starts_with(**sign))
            .map(|sign| sign.len())
    };
    let skip_money = |text: &str| money(text).unwrap_or(0);
    let text = text[skip_money(text)..].trim_start();
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, text[1..].trim_start()),
        b'+' => (false, text[1..].trim_start()),
        _ => (false, text),
    };
    let text = text[skip_money(text)..].trim_start();
    let number = fraction(text)?;
    if negative {
        number.negated()
    } else {
        Some(number)
    }
}

fn fraction(text: &str) -> Option<Number> {
    for command in ["\\frac", "\\dfrac", "\\tfrac"] {
        if let Some(rest) = text.strip_prefix(command) {
            let (above, rest) = argument(rest)?;
            let (below, rest) = argument(rest)?;
            return rest
                .trim()
                .is_empty()
                .then(|| signed_decimal(above)?.divided_by(signed_decimal(below)?))?;
        }
    }
    match text.split_once('/') {
        Some((above, below)) => decimal(above.trim())?.divided_by(signed_decimal(below)?),
        None => decimal(text),
    }
}

/// One argument of a LaTeX command: `{...}` without inner braces, or a single digit.
fn argument(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    match text.strip_prefix('{') {
        Some(rest) => rest.split_once('}'),
        None if text.as_bytes().first()?.is_ascii_digit() => Some(text.split_at(1)),
        None => None,
    }
}

fn signed_decimal(text: &str) -> Option<Number> {
    let text = text.trim();
    match text.strip_prefix('-') {
        Some(rest) => decimal(rest.trim_start())?.negated(),
        None => decimal(text),
    }
}

/// Digits with at most one point; commas only where thousands are separated.
fn decimal(text: &str) -> Option<Number> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let whole = without_separators(whole)?;
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let mut numerator: i128 = 0;
    let mut denominator: i128 = 1;
    for (digits, scale) in [(whole.as_str(), 1), (part, 10)] {
        for byte in digits.bytes() {
            if !byte.is_ascii_digit() {
                return None;
            }
            numerator = numerator
                .checked_mul(10)?
                .checked_add(i128::from(byte - b'0'))?;
            denominator = denominator.checked_mul(scale)?;
        }
    }
    Number::new(numerator, denominator)
}

/// `1,234,567` -> `1234567`; None where the commas do not group thousands.
fn without_separators(text: &str) -> Option<String> {
    if !text.contains(',') {
        return Some(text.to_owned());
    }
    let groups: Vec<&str> = text.split(',').collect();
    let first = (1..=3).contains(&groups[0].len());
    let rest = groups[1..].iter().all(|group| group.len() == 3);
    (first && rest).then(|| groups.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same(a: &str, b: &str) -> bool {
        let read = |text| parse_number(text).unwrap_or_else(|| panic!("{text} is a number"));
        read(a).same_value(&read(b))
    }

    #[test]
    fn one_value_has_many_spellings() {
        for (a, b) in [
            ("42", "42.0"),
            ("42", "$42$"),
            ("42.", "42"),
            ("$42.$", "42"),
            ("-3", "\u{2212}3"),
            ("1,234,567", "1234567"),
            ("1{,}234", "1234"),
            (".5", "0.50"),
            ("1/2", "0.5"),
            (r"\frac{1}{2}", "2/4"),
            (r"-\frac{1}{2}", r"\frac{-1}{2}"),
            (r"\dfrac 1 2", "0.5"),
            (r"\frac12", "1/2"),
            ("1/-2", "-0.5"),
            (r"\$1,000", "1000"),
            ("-$5", "$-5"),
            ("+7", "7"),
            ("-0", "0"),
        ] {
            assert!(same(a, b), "{a} = {b}");
        }
        assert!(!same("1/3", "0.333333"));
        assert!(parse_number("50\\%").unwrap().percent);
        assert!(same("50%", "50"));
    }

    #[test]
    fn what_is_not_plainly_a_number_is_none() {
        for text in [
            "",
            ".",
            "-",
            "$",
            "%",
            "1 2",
            "1,23",
            "12,34,567",
            ",123",
            "1.2.3",
            "1/0",
            "1/2/3",
            "x",
            "3 cm",
            "1e5",
            r"1\frac{1}{2}",
            r"\frac{1}",
            r"\frac{1}{0}",
            r"\frac{1}{2}x",
            "--1",
            "9^{9^{9^9}}",
            "1e999999",
            "(1)",
            "١٢",
        ] {
            assert_eq!(parse_number(text), None, "{text}");
        }
        assert_eq!(parse_number(&"9".repeat(60)), None);
        assert_eq!(parse_number(&"0".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in any::<String>(), near in r"[-+$%0-9.,/{} \\fracd!é]{0,40}") {
            let _ = parse_number(&text);
            let _ = parse_number(&near);
        }

        #[test]
        fn integers_and_their_fractions_agree(value in any::<i64>(), by in 1i64..1000) {
            let (numerator, whole) = (i128::from(value) * i128::from(by), value.to_string());
            let text = format!("{numerator}/{by}");
            prop_assert!(same(&text, &whole));
        }
    }
}
