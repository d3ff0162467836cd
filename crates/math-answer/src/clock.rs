//! Times of day: `3:30`, `3:30 p.m.`. A gold answer of this form is compared as a time, unless it may also
//! be a ratio in lowest terms, such as `4:13`.

use num_integer::gcd;

/// Hours and minutes as written, in minutes, and whether it is `pm` (`None` if the text does not say).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    minutes: u32,
    afternoon: Option<bool>,
}

/// Parses a text that is a time and nothing else.
pub(super) fn time(text: &str) -> Option<Time> {
    const COMMANDS: [&str; 4] = ["\\text", "\\mathrm", "\\textrm", "\\mbox"];
    let mut bare = text.to_lowercase();
    for command in COMMANDS {
        bare = bare.replace(command, "");
    }
    bare.retain(|c| !c.is_whitespace() && !matches!(c, '{' | '}' | '\\' | '~' | '$'));
    let bare = bare.replace("a.m", "am").replace("p.m", "pm");
    let bare = bare.trim_end_matches('.');
    let (bare, afternoon) = match (bare.strip_suffix("am"), bare.strip_suffix("pm")) {
        (Some(rest), _) => (rest, Some(false)),
        (_, Some(rest)) => (rest, Some(true)),
        _ => (bare, None),
    };
    let (hours, minutes) = bare.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !(digits(hours) && digits(minutes) && (1..=2).contains(&hours.len()) && minutes.len() == 2) {
        return None;
    }
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 24 && minutes < 60).then_some(Time {
        minutes: 60 * hours + minutes,
        afternoon,
    })
}

impl Time {
    /// Whether the text may also be a ratio in lowest terms: `4:13`, unlike `3:30`, `4:05` and `4:13 p.m.`
    pub(super) fn may_be_ratio(self) -> bool {
        !self.is_certain() && gcd(self.minutes / 60, self.minutes % 60) == 1
    }

    /// Whether the text cannot be a ratio: `4:05`, `3:30 p.m.`
    pub(super) fn is_certain(self) -> bool {
        self.afternoon.is_some() || self.minutes % 60 < 10
    }

    /// Whether two times are equal. The half of the day is compared only if both name it.
    pub(super) fn is(self, other: Time) -> bool {
        let half = self.afternoon.is_none() || other.afternoon.is_none();
        self.minutes == other.minutes && (half || self.afternoon == other.afternoon)
    }
}
