//! How the values of flags are read.

use cola_search::{MaxDegradation, chain::Alpha};

pub fn parse_bytes(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.trim().trim_end_matches(['B', 'b']) {
        t if t.ends_with(['k', 'K']) => (&t[..t.len() - 1], 10),
        t if t.ends_with(['m', 'M']) => (&t[..t.len() - 1], 20),
        t if t.ends_with(['g', 'G']) => (&t[..t.len() - 1], 30),
        t => (t, 0),
    };
    let number: usize = digits
        .trim()
        .parse()
        .map_err(|_| "expected a number of bytes, like 1000000, 512M or 4G".to_owned())?;
    number
        .checked_mul(1 << unit)
        .ok_or_else(|| "a number of bytes that is too large".to_owned())
}

pub fn max_degradation(text: &str) -> Result<MaxDegradation, String> {
    match (text, nats(text)) {
        ("none", _) => Ok(MaxDegradation::Unbounded),
        (_, Ok(nats)) => Ok(MaxDegradation::Nats(nats)),
        (_, Err(reason)) => Err(format!("{reason}, or none")),
    }
}

pub fn nats(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(nats) if f64::is_finite(nats) && nats >= 0.0 => Ok(nats),
        _ => Err("expected a number of nats per token, 0 or more".to_owned()),
    }
}

pub fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

pub fn temperature(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(t) if t >= 0.0 && f64::is_finite(t) => Ok(t),
        _ => Err("expected a number, 0 or more".to_owned()),
    }
}

pub fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(p) if p > 0.0 && p <= 1.0 => Ok(p),
        _ => Err("expected a number above 0, at most 1".to_owned()),
    }
}

/// An alpha that damps: [`Alpha`] itself may be 1, which [`SearchConfig`](cola_search::SearchConfig) refuses with the reason.
pub fn damping(text: &str) -> Result<Alpha, String> {
    let wrong = |error: <Alpha as std::str::FromStr>::Err| error.to_string();
    let alpha = text.parse::<Alpha>().map_err(wrong);
    alpha.map_err(|error| error.replace("and at most 1", "and below 1"))
}

pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n >= 1 => Ok(n),
        _ => Err("expected a whole number, 1 or more".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_binary_units() {
        assert_eq!(parse_bytes("0"), Ok(0));
        assert_eq!(parse_bytes("512M"), Ok(512 << 20));
        assert_eq!(parse_bytes("4GB"), Ok(4 << 30));
        assert!(parse_bytes("much").is_err());
        assert!(parse_bytes("99999999999999G").is_err());
    }
}
