//! Dates, times and decimals, which Parquet and Arrow have and JSON lacks, as the text that Python
//! prints.

use std::ops::RangeInclusive;

use chrono::DateTime;
use serde_json::Value;

/// Microseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// The days of the years 1 to 9999, counted from 1970: Python has no others.
const DAYS: RangeInclusive<i64> = -719_162..=2_932_896;

/// `2020-01-02`. A day that Python has no date for stays a number.
pub(super) fn date(days: i64) -> Value {
    match moment(days.saturating_mul(DAY), "%Y-%m-%d") {
        Some(text) => Value::from(text),
        None => Value::from(days),
    }
}

/// `2020-01-02 03:04:05`, with six digits of a second if they are not 0. A timestamp in UTC ends in
/// `+00:00`; a `local` one, without a time zone, does not. A value for which Python has no date
/// stays a number.
pub(super) fn timestamp(micros: i64, local: bool) -> Value {
    let Some(text) = moment(micros, "%Y-%m-%d %H:%M:%S%.6f") else {
        return Value::from(micros);
    };
    let text = text.strip_suffix(".000000").unwrap_or(&text);
    Value::from(format!("{text}{}", if local { "" } else { "+00:00" }))
}

fn moment(micros: i64, format: &str) -> Option<String> {
    let moment = DateTime::from_timestamp_micros(micros)
        .filter(|_| DAYS.contains(&micros.div_euclid(DAY)))?;
    Some(moment.format(format).to_string())
}

/// `03:04:05`, with six digits of a second if they are not 0. A value that is not within a day
/// stays a number.
pub(super) fn time(micros: i64) -> Value {
    if !(0..DAY).contains(&micros) {
        return Value::from(micros);
    }
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let [hour, minute, second] = [seconds / 3600, seconds / 60 % 60, seconds % 60];
    let fraction = match micros {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    };
    Value::from(format!("{hour:02}:{minute:02}:{second:02}{fraction}"))
}

/// `str(Decimal)`: the whole number in `digits`, times ten to the power of `-scale`.
pub(super) fn decimal(digits: &str, scale: i64) -> Value {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    // Digits before the point; where negative, zeros between the point and the first digit.
    let point = length - scale;
    let place = usize::try_from(point).unwrap_or(0);
    let number = if scale < 0 || point <= -6 {
        let (first, rest) = digits.split_at(digits.len().min(1));
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{first}{dot}{rest}E{:+}", point - 1)
    } else if scale == 0 {
        digits.to_owned()
    } else if place > 0 {
        format!("{}.{}", &digits[..place], &digits[place..])
    } else {
        let zeros = "0".repeat(usize::try_from(-point).unwrap_or(0));
        format!("0.{zeros}{digits}")
    };
    Value::from(format!("{sign}{number}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Expected texts are those of `str(Decimal(digits).scaleb(-scale))`.
    #[test]
    fn decimals_are_printed_as_python_prints_them() {
        for (digits, scale, printed) in [
            ("1250", 2, "12.50"),
            ("-1250", 2, "-12.50"),
            ("5", 2, "0.05"),
            ("0", 2, "0.00"),
            ("-7", 0, "-7"),
            ("123", 3, "0.123"),
            ("1", 6, "0.000001"),
            ("1", 7, "1E-7"),
            ("12", 8, "1.2E-7"),
            ("0", 8, "0E-8"),
            ("5", -3, "5E+3"),
            ("-123", -2, "-1.23E+4"),
        ] {
            assert_eq!(decimal(digits, scale), json!(printed));
        }
    }

    #[test]
    fn what_python_has_no_date_or_time_for_stays_a_number() {
        assert_eq!(date(-719_162), json!("0001-01-01"));
        assert_eq!(date(2_932_896), json!("9999-12-31"));
        for days in [-719_163, 2_932_897, i64::MIN, i64::MAX] {
            assert_eq!(date(days), json!(days));
        }
        assert_eq!(time(DAY - 1), json!("23:59:59.999999"));
        for micros in [-1, DAY, i64::MAX] {
            assert_eq!(time(micros), json!(micros));
        }
        for micros in [i64::MIN, i64::MAX] {
            assert_eq!(timestamp(micros, true), json!(micros));
        }
        assert_eq!(
            timestamp(-1, false),
            json!("1969-12-31 23:59:59.999999+00:00")
        );
    }
}
