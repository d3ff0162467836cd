//! Tokens that are numbers: `1,234`, `.5`, `0.1\overline{6}`, `1.5e-3`.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};

use super::limits::Unsure;
use super::token::{Reader, Token};

/// Most digits in a number; also the largest exponent of ten.
const MAX_DIGITS: usize = 300;

impl Reader<'_> {
    /// Reads a number: digits, thousands separators, a decimal point, repeating digits, an exponent of ten.
    pub(super) fn number(&mut self) -> Result<(), Unsure> {
        let mut digits = self.digits();
        if !digits.is_empty() && digits.len() <= 3 && !digits.starts_with('0') {
            while let Some(skip) = self.thousands() {
                self.at += skip;
                digits.push_str(&self.digits());
            }
        }
        let mut places = 0;
        let mut whole = true;
        let mut value = BigRational::zero();
        if self.peek(0) == Some('.')
            && (self.digit(1) || self.starts_with(".\\overline") || self.starts_with(".\\bar"))
        {
            self.at += 1;
            let after = self.digits();
            places = after.len();
            digits.push_str(&after);
            whole = false;
            if let Some(repeating) = self.repeating() {
                // The repeating part of 0.1(6) is 6 / (9 * 10^1).
                let nines = ten_to(repeating.len())? - 1;
                value = BigRational::new(parsed(&repeating)?, nines * ten_to(places)?);
            }
        }
        value += BigRational::new(parsed(&digits)?, ten_to(places)?);
        if let Some(exponent) = self.scientific(whole && digits != "1")? {
            let power = BigRational::from(ten_to(exponent.unsigned_abs() as usize)?);
            value = if exponent < 0 {
                value / power
            } else {
                value * power
            };
            whole = false;
        }
        if self.peek(0) == Some('.') && self.digit(1) {
            return Err(Unsure::NotUnderstood("a number with two points".to_owned()));
        }
        self.out.push(Token::Number { value, whole });
        Ok(())
    }

    fn digits(&mut self) -> String {
        let start = self.at;
        while self.digit(0) {
            self.at += 1;
        }
        self.text[start..self.at].iter().collect()
    }

    /// Length of the thousands separator that comes next. Exactly three digits have to follow it.
    fn thousands(&self) -> Option<usize> {
        let separators = ["{,}", ",\\!", "\\,", "\\;", "\\ ", "~", " ", ","];
        let found = separators
            .into_iter()
            .find(|separator| self.starts_with(separator))?;
        let bare = found == "," || found == ",\\!";
        let length = found.chars().count();
        let group = (length..length + 3).all(|ahead| self.digit(ahead)) && !self.digit(length + 3);
        // `3 125/1000` is a mixed number.
        let group = group && self.peek(length + 3) != Some('/');
        (group && !(bare && self.brackets > 0)).then_some(length)
    }

    fn repeating(&mut self) -> Option<String> {
        // One digit needs no braces.
        for command in ["\\overline", "\\bar"] {
            let length = command.chars().count();
            let spaces = usize::from(self.peek(length) == Some(' '));
            if self.starts_with(command) && self.digit(length + spaces) {
                let digit = self.peek(length + spaces)?;
                self.at += length + spaces + 1;
                return Some(digit.to_string());
            }
        }
        let command = ["\\overline{", "\\bar{"]
            .into_iter()
            .find(|c| self.starts_with(c))?;
        let start = self.at + command.chars().count();
        let length = self.text[start..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count();
        if length == 0 || self.text.get(start + length) != Some(&'}') {
            return None;
        }
        self.at = start + length + 1;
        Some(self.text[start..start + length].iter().collect())
    }

    /// Reads the exponent of `1.5e-3`. After an integer other than 1 it is refused: `2e-3` may mean 2e
    /// minus 3.
    fn scientific(&mut self, may_be_product: bool) -> Result<Option<i64>, Unsure> {
        let sign = usize::from(matches!(self.peek(1), Some('+' | '-')));
        let is_exponent = matches!(self.peek(0), Some('e' | 'E')) && self.digit(1 + sign);
        if !is_exponent {
            return Ok(None);
        }
        if may_be_product && sign == 1 && self.peek(0) == Some('e') {
            return Err(Unsure::Ambiguous("e".to_owned()));
        }
        let negative = self.peek(1) == Some('-');
        self.at += 1 + sign;
        let digits = self.digits();
        let exponent: i64 = digits.parse().map_err(|_| Unsure::TooLarge)?;
        Ok(Some(if negative { -exponent } else { exponent }))
    }
}

fn parsed(digits: &str) -> Result<BigInt, Unsure> {
    match digits {
        "" => Ok(BigInt::zero()),
        _ if digits.len() > MAX_DIGITS => Err(Unsure::TooLarge),
        _ => digits
            .parse()
            .map_err(|_| Unsure::NotUnderstood(digits.to_owned())),
    }
}

fn ten_to(exponent: usize) -> Result<BigInt, Unsure> {
    if exponent > MAX_DIGITS {
        return Err(Unsure::TooLarge);
    }
    let exponent = u32::try_from(exponent).map_err(|_| Unsure::TooLarge)?;
    Ok(match exponent {
        0 => BigInt::one(),
        _ => BigInt::from(10).pow(exponent),
    })
}
