//! Numbers as people read them. A number that does not exist is a dash, never "NaN".

use super::{
    headline::SelectivityCounts,
    statistics::{Excess, Mean, Proportion},
};

/// What stands for a rate or mean of nothing.
pub const NOTHING: &str = "-";

/// `45.6`: a share in per cent.
pub fn percent(proportion: Proportion) -> String {
    proportion
        .rate()
        .map_or_else(|| NOTHING.to_owned(), |rate| format!("{:.1}", 100.0 * rate))
}

/// `45.6 (41-50)`: a share in per cent with its interval.
pub fn percent_interval(proportion: Proportion) -> String {
    match proportion.wilson() {
        None => NOTHING.to_owned(),
        Some(i) => format!(
            "{} ({:.0}-{:.0})",
            percent(proportion),
            100.0 * i.low,
            100.0 * i.high
        ),
    }
}

/// `+12 (3 to 22)`: a difference of shares in per cent with its interval.
pub fn excess_interval(excess: Option<Excess>) -> String {
    match excess {
        None => NOTHING.to_owned(),
        Some(Excess {
            value, interval, ..
        }) => format!(
            "{:+.0} ({:.0} to {:.0})",
            100.0 * value,
            100.0 * interval.low,
            100.0 * interval.high
        ),
    }
}

/// `45.6 (41-50)`: a mean of shares in per cent with its interval.
pub fn mean_percent(mean: Mean) -> String {
    let value = format!("{:.1}", 100.0 * mean.value);
    match mean.interval {
        None => value,
        Some(i) => format!(
            "{value} ({:.0}-{:.0})",
            100.0 * i.low.max(0.0),
            100.0 * i.high.min(1.0)
        ),
    }
}

/// `+2.6 (0.4 to 4.9)`: a mean difference of shares in per cent with its interval.
pub fn points_interval(mean: Mean) -> String {
    // Less than half of the last digit is 0, not -0.
    let points = |share: f64| (1000.0 * share).round() / 10.0 + 0.0;
    let value = format!("{:+.1}", points(mean.value));
    match mean.interval {
        None => value,
        Some(i) => format!("{value} ({:.1} to {:.1})", points(i.low), points(i.high)),
    }
}

/// `+12 (3 to 22)`: the same in whole points.
pub fn whole_points(mean: Mean) -> String {
    excess_interval(mean.interval.map(|interval| Excess {
        value: mean.value,
        interval,
        p_value: 1.0,
    }))
}

/// `2.4 (1.3-4.1)`: odds with their interval; nothing where so few samples say something that there is none.
pub fn odds_interval(selectivity: SelectivityCounts) -> String {
    selectivity.with_interval().map_or_else(
        || NOTHING.to_owned(),
        |(odds, i)| format!("{odds:.1} ({:.1}-{:.1})", i.low, i.high),
    )
}

/// `9.4 ±0.3`: a mean with half its interval, or alone where one value has none.
pub fn mean_interval(mean: Option<Mean>) -> String {
    match mean {
        None => NOTHING.to_owned(),
        Some(Mean {
            value,
            interval: None,
            ..
        }) => format!("{value:.1}"),
        Some(Mean {
            value,
            interval: Some(i),
            ..
        }) => format!("{value:.1} ±{:.1}", i.high - value),
    }
}

/// `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Up to six decimals for a file: the same on every machine; empty where there is no number.
pub fn csv_number(number: impl Into<Option<f64>>) -> String {
    number
        .into()
        .map_or_else(String::new, |n| format!("{n:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(percent_interval(Proportion::new(15, 50)), "30.0 (19-44)");
        assert_eq!(mean_interval(Mean::of(&[2.0, 4.0, 6.0])), "4.0 ±5.0");
        assert_eq!(mean_interval(Mean::of(&[2.0])), "2.0");
        let difference = Mean::of_differences(&[0.0, 1.0, 0.0, 1.0]).unwrap();
        assert_eq!(points_interval(difference), "+50.0 (-26.3 to 93.0)");
        let (value, interval) = (-0.0004, None);
        let least = Mean {
            value,
            interval,
            ..difference
        };
        assert_eq!(points_interval(least), "+0.0");
    }

    #[test]
    fn nothing_is_a_dash_or_an_empty_cell() {
        assert_eq!(percent(Proportion::new(0, 0)), "-");
        assert_eq!(percent_interval(Proportion::new(0, 0)), "-");
        assert_eq!(mean_interval(None), "-");
        assert_eq!(csv_number(None), "");
    }
}
