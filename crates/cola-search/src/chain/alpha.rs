//! The weight of one layer application.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The share of a layer's change that is kept: an application of the layer `F` with `alpha` turns the
/// residual `x` into `x + alpha (F(x) - x)`. Above 0 and at most 1, stored in thousandths, so that equal
/// texts are equal numbers with equal hashes.
///
/// With [`PLAIN`](Self::PLAIN), which is 1, the application is `F(x)` as the model defines it; with a
/// smaller alpha it is *damped*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "f64", try_from = "f64")]
pub struct Alpha(u16);

/// Why a text or number is not a valid alpha.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("alpha {text:?}: {reason}")]
pub struct AlphaError {
    /// The alpha as the user wrote it.
    text: String,
    reason: &'static str,
}

const NO_NUMBER: &str = "expected a decimal number, like 0.5";
const TOO_FINE: &str = "expected at most three decimals";
const OUT_OF_RANGE: &str = "expected a number above 0 and at most 1";

impl Alpha {
    /// Alpha 1: an application as the model defines it.
    pub const PLAIN: Self = Self(1000);

    /// The alpha of a number of thousandths, `1..=1000`; `None` for other numbers.
    pub fn from_thousandths(thousandths: u16) -> Option<Self> {
        (1..=Self::PLAIN.0)
            .contains(&thousandths)
            .then_some(Self(thousandths))
    }

    /// The alpha as a number.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// Whether the alpha is 1, so that nothing is damped.
    pub fn is_plain(self) -> bool {
        self == Self::PLAIN
    }
}

impl FromStr for Alpha {
    type Err = AlphaError;

    fn from_str(text: &str) -> Result<Self, AlphaError> {
        let wrong = |reason| AlphaError {
            text: text.to_owned(),
            reason,
        };
        let number = text.trim();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(decimals) {
            return Err(wrong(NO_NUMBER));
        }
        if decimals.len() > 3 {
            return Err(wrong(TOO_FINE));
        }
        // Parsing fails if there are too many digits for the type: the number is then too large.
        let thousandths = format!("{whole}{decimals:0<3}").parse().ok();
        thousandths
            .and_then(Self::from_thousandths)
            .ok_or_else(|| wrong(OUT_OF_RANGE))
    }
}

impl fmt::Display for Alpha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `f64` prints the shortest decimal that parses to the same number, without trailing zeros.
        write!(f, "{}", self.value())
    }
}

impl From<Alpha> for f64 {
    fn from(alpha: Alpha) -> f64 {
        alpha.value()
    }
}

impl TryFrom<f64> for Alpha {
    type Error = AlphaError;

    fn try_from(value: f64) -> Result<Self, AlphaError> {
        value.to_string().parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alpha_survives_text_and_json() {
        for thousandths in 1..=1000 {
            let alpha = Alpha::from_thousandths(thousandths).unwrap();
            assert_eq!(alpha.to_string().parse(), Ok(alpha));
            let json = serde_json::to_string(&alpha).unwrap();
            assert_eq!(serde_json::from_str::<Alpha>(&json).unwrap(), alpha);
            assert_eq!(alpha.value(), f64::from(thousandths) / 1000.0);
        }
        assert_eq!(Alpha::from_thousandths(0), None);
        assert_eq!(Alpha::from_thousandths(1001), None);
    }

    #[test]
    fn alphas_print_without_trailing_zeros() {
        for (read, printed) in [
            ("0.5", "0.5"),
            ("0.500", "0.5"),
            ("0.05", "0.05"),
            ("0.001", "0.001"),
            (" 0.125 ", "0.125"),
            ("00.7", "0.7"),
            ("1", "1"),
            ("1.000", "1"),
        ] {
            assert_eq!(read.parse::<Alpha>().unwrap().to_string(), printed);
        }
        assert!("1.0".parse::<Alpha>().unwrap().is_plain());
    }

    #[test]
    fn what_is_no_alpha_says_why() {
        for (text, reason) in [
            ("", NO_NUMBER),
            ("x", NO_NUMBER),
            ("-0.5", NO_NUMBER),
            ("5e-1", NO_NUMBER),
            ("0.", NO_NUMBER),
            ("NaN", NO_NUMBER),
            ("0.1234", TOO_FINE),
            ("0.5000", TOO_FINE),
            ("0", OUT_OF_RANGE),
            ("0.000", OUT_OF_RANGE),
            ("1.001", OUT_OF_RANGE),
            ("1.5", OUT_OF_RANGE),
            ("99999999999999999999", OUT_OF_RANGE),
        ] {
            let error = text.parse::<Alpha>().unwrap_err();
            assert_eq!(error.to_string(), format!("alpha {text:?}: {reason}"));
        }
    }
}
