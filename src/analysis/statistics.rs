//! The few statistics the tables and figures need. Nothing here returns NaN: a statistic of
//! nothing is `None`.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, StudentsT};

/// 97.5 % quantile of the standard normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

/// A two-sided 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// `hits` of `of` samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proportion {
    /// Samples for which it holds.
    pub hits: usize,
    /// Samples it was asked of.
    pub of: usize,
}

impl Proportion {
    /// `hits` of `of`.
    pub fn new(hits: usize, of: usize) -> Self {
        Self { hits, of }
    }

    /// The share, in `0..=1`; `None` of no samples.
    pub fn rate(self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }

    /// Wilson's score interval at 95 % (Wilson 1927; Brown, Cai and DasGupta 2001): stays within
    /// `0..=1` and is honest for few samples and for rates at 0 and 1. `None` of no samples.
    pub fn wilson(self) -> Option<Interval> {
        Some(wilson(self.rate()?, self.of as f64))
    }
}

fn wilson(p: f64, n: f64) -> Interval {
    let z2 = Z_95 * Z_95;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    Interval {
        low: (centre - half).max(0.0),
        high: (centre + half).min(1.0),
    }
}

/// What two searches reached on the same samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    /// Samples.
    pub of: usize,
    /// Those in which both reached what they looked for.
    pub both: usize,
    /// Those in which the first did and the second did not.
    pub first_only: usize,
    /// Those in which the second did and the first did not.
    pub second_only: usize,
}

/// By how much the first of two searches reaches more, as a share of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Excess {
    /// The first's share less the second's.
    pub value: f64,
    /// 95 %: Wald's interval for paired shares after half a sample was added to each of the four outcomes (Bonett and Price
    /// 2012). Unlike a bootstrap it does not shrink to a point where no two outcomes differ.
    pub interval: Interval,
    /// McNemar's exact test, two-sided: how likely so uneven a split of the samples that differ is by chance alone.
    pub p_value: f64,
}

impl Paired {
    /// Adds a sample.
    pub fn add(&mut self, first: bool, second: bool) {
        self.of += 1;
        self.both += usize::from(first && second);
        self.first_only += usize::from(first && !second);
        self.second_only += usize::from(!first && second);
    }

    /// What the first reached.
    pub fn first(self) -> Proportion {
        Proportion::new(self.both + self.first_only, self.of)
    }

    /// What the second reached.
    pub fn second(self) -> Proportion {
        Proportion::new(self.both + self.second_only, self.of)
    }

    /// By how much the first reached more; `None` of no samples.
    pub fn excess(self) -> Option<Excess> {
        if self.of == 0 {
            return None;
        }
        let (n, b, c) = (
            self.of as f64,
            self.first_only as f64,
            self.second_only as f64,
        );
        let (p, q) = ((b + 1.0) / (n + 2.0), (c + 1.0) / (n + 2.0));
        let half = Z_95 * ((p + q - (p - q).powi(2)) / (n + 2.0)).sqrt();
        Some(Excess {
            value: (b - c) / n,
            interval: Interval {
                low: (p - q - half).max(-1.0),
                high: (p - q + half).min(1.0),
            },
            p_value: mcnemar(self.first_only as u64, self.second_only as u64),
        })
    }
}

/// Twice the chance that the rarer of two equally likely outcomes comes up at most this often (McNemar 1947, exact).
fn mcnemar(b: u64, c: u64) -> f64 {
    let tail = Binomial::new(0.5, b + c).map_or(1.0, |fair| fair.cdf(b.min(c)));
    (2.0 * tail).min(1.0)
}

/// A mean with its interval at 95 %: Student's t, unless it is of shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// Number of values.
    pub n: usize,
    /// Their mean.
    pub value: f64,
    /// Of other means than those of shares `value -+ t(0.975, n - 1) * s / sqrt(n)`, and `None` of one value.
    pub interval: Option<Interval>,
}

impl Mean {
    /// The mean of `values`; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let value = values.iter().sum::<f64>() / n as f64;
        Some(Self {
            n,
            value,
            interval: t_half_width(values, value).map(|half| Interval {
                low: value - half,
                high: value + half,
            }),
        })
    }
}

impl Mean {
    /// The mean of values in `0..=1`, with Wilson's interval. That is wider than need be where values are neither 0 nor 1.
    pub fn of_shares(values: &[f64]) -> Option<Self> {
        let mean = Self::of(values)?;
        Some(Self {
            interval: Some(wilson(mean.value, mean.n as f64)),
            ..mean
        })
    }

    /// The mean of paired differences in `-1..=1`. The interval is Wald's after one sample of each extreme was added: where all
    /// differences are -1, 0 or 1, it is that of an [`Excess`].
    pub fn of_differences(values: &[f64]) -> Option<Self> {
        let mean = Self::of(values)?;
        let n = mean.n as f64 + 2.0;
        let centre = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|value| value * value).sum::<f64>() + 2.0;
        let half = Z_95 * ((squares / n - centre * centre) / n).sqrt();
        Some(Self {
            interval: Some(Interval {
                low: (centre - half).max(-1.0),
                high: (centre + half).min(1.0),
            }),
            ..mean
        })
    }
}

fn t_half_width(values: &[f64], mean: f64) -> Option<f64> {
    let freedom = values.len().checked_sub(1).filter(|&f| f > 0)? as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / freedom;
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.975);
    Some(t * (variance / values.len() as f64).sqrt())
}

/// The `percent`-th percentile (0..=100) of ascending values, interpolated linearly between the
/// closest ranks: position `percent / 100 * (n - 1)` (numpy's default; Hyndman and Fan's type 7).
pub fn percentile(ascending: &[f64], percent: f64) -> Option<f64> {
    interpolated(ascending.len(), percent, |rank| Some(ascending[rank]))
}

/// The [`percentile`] of ascending values that are there so many times.
pub fn percentile_of_counts(ascending: &[(f64, usize)], percent: f64) -> Option<f64> {
    let all = ascending.iter().map(|(_, count)| count).sum();
    interpolated(all, percent, |rank| {
        let mut up_to = 0;
        let mut values = ascending.iter();
        values.find_map(|&(value, count)| {
            up_to += count;
            (rank < up_to).then_some(value)
        })
    })
}

/// The percentile of values of which `at` knows the one of each rank, from 0.
fn interpolated(count: usize, percent: f64, at: impl Fn(usize) -> Option<f64>) -> Option<f64> {
    let last = count.checked_sub(1)?;
    let position = (percent / 100.0).clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let weight = position - below as f64;
    let (low, high) = (at(below)?, at(position.ceil() as usize)?);
    Some(low + weight * (high - low))
}

/// Shannon entropy in bits of the distribution proportional to `counts`; `None` where all are 0.
pub fn entropy_bits(counts: &[u64]) -> Option<f64> {
    let total = counts.iter().sum::<u64>() as f64;
    if total == 0.0 {
        return None;
    }
    let bits: f64 = counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| count as f64 / total)
        .map(|p| p * (1.0 / p).log2())
        .sum();
    Some(bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-4
    }

    #[test]
    fn wilson_equals_hand_computed_intervals() {
        // Roots of (x/n - p)^2 = z^2 p (1 - p) / n, solved apart from this code.
        for (hits, of, low, high) in [
            (0, 10, 0.0, 0.277_54),
            (10, 10, 0.722_46, 1.0),
            (5, 10, 0.236_59, 0.763_41),
            (15, 50, 0.191_03, 0.437_51),
            (1, 1, 0.206_54, 1.0),
        ] {
            let interval = Proportion::new(hits, of).wilson().unwrap();
            assert!(
                close(interval.low, low) && close(interval.high, high),
                "{hits}/{of}: {interval:?}"
            );
        }
    }

    #[test]
    fn mean_has_the_t_interval() {
        // 2, 4, 6: mean 4, s = 2, t(0.975, 2) = 4.302653, half width 4.302653 * 2 / sqrt 3
        let mean = Mean::of(&[2.0, 4.0, 6.0]).unwrap();
        let interval = mean.interval.unwrap();
        assert!(close(mean.value, 4.0) && close(interval.low, 4.0 - 4.968_28));
        assert!(close(interval.high, 4.0 + 4.968_28));
        // 0, 1: half width t(0.975, 1) * s / sqrt 2 = 12.706205 * 0.5
        let interval = Mean::of(&[0.0, 1.0]).unwrap().interval.unwrap();
        assert!(close(interval.high, 0.5 + 6.353_10));
    }

    #[test]
    fn statistics_of_nothing_are_none_and_of_one_value_have_no_interval() {
        assert_eq!(Mean::of(&[]), None);
        assert_eq!(Mean::of(&[3.0]).unwrap().interval, None);
        assert_eq!(Proportion::new(0, 0).rate(), None);
        assert_eq!(Proportion::new(0, 0).wilson(), None);
        assert_eq!(percentile(&[], 50.0), None);
        assert_eq!(entropy_bits(&[0, 0]), None);
        assert_eq!(entropy_bits(&[]), None);
    }

    #[test]
    fn paired_shares_have_the_published_interval_and_exact_test() {
        // Bonett and Price by hand: n = 50, b = 12, c = 4: p = 13/52, q = 5/52, d = 0.153846,
        // se = sqrt((0.346154 - 0.023669) / 52) = 0.078750
        let paired = Paired {
            of: 50,
            both: 20,
            first_only: 12,
            second_only: 4,
        };
        let excess = paired.excess().unwrap();
        assert_eq!(excess.value, 0.16);
        assert!(close(
            excess.interval.low,
            0.153_846 - 1.959_964 * 0.078_750
        ));
        assert!(close(
            excess.interval.high,
            0.153_846 + 1.959_964 * 0.078_750
        ));
        // 2 * sum of C(16, 0..=4) / 2^16 = 2 * 2517 / 65536
        assert!(close(excess.p_value, 2.0 * 2517.0 / 65_536.0));
        assert_eq!(paired.first(), Proportion::new(32, 50));
        assert_eq!(paired.second(), Proportion::new(24, 50));
    }

    #[test]
    fn without_a_difference_the_interval_still_has_width() {
        let same = Paired {
            of: 20,
            both: 5,
            ..Paired::default()
        };
        let excess = same.excess().unwrap();
        assert_eq!((excess.value, excess.p_value), (0.0, 1.0));
        assert!(excess.interval.low < -0.05 && excess.interval.high > 0.05);
        assert_eq!(Paired::default().excess(), None);
    }

    #[test]
    fn means_of_shares_and_differences_have_the_intervals_of_counts() {
        let shares = Mean::of_shares(&[1.0, 1.0, 0.0, 1.0]).unwrap();
        assert_eq!(shares.interval, Proportion::new(3, 4).wilson());
        let mut paired = Paired::default();
        let mut differences = Vec::new();
        for (first, second, times) in [(true, false, 12), (false, true, 4), (true, true, 34)] {
            for _ in 0..times {
                paired.add(first, second);
                differences.push(f64::from(u8::from(first)) - f64::from(u8::from(second)));
            }
        }
        let (mean, excess) = (
            Mean::of_differences(&differences).unwrap(),
            paired.excess().unwrap(),
        );
        let interval = mean.interval.unwrap();
        assert!(close(mean.value, excess.value));
        assert!(close(interval.low, excess.interval.low));
        assert!(close(interval.high, excess.interval.high));
        let same = Mean::of_differences(&[0.0; 20]).unwrap().interval.unwrap();
        assert!(same.low < -0.05 && same.high > 0.05);
        assert_eq!(Mean::of_differences(&[]), None);
        assert_eq!(Mean::of_shares(&[]), None);
    }

    #[test]
    fn percentiles_interpolate_between_ranks() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(percentile(&values, 0.0), Some(1.0));
        assert_eq!(percentile(&values, 50.0), Some(2.5));
        assert_eq!(percentile(&values, 100.0), Some(4.0));
        assert!(close(percentile(&values, 5.0).unwrap(), 1.15));
        assert_eq!(percentile(&[7.0], 20.0), Some(7.0));
    }

    #[test]
    fn entropy_is_in_bits() {
        assert_eq!(entropy_bits(&[1, 1, 1, 1]), Some(2.0));
        assert_eq!(entropy_bits(&[5, 0]), Some(0.0));
        // 3/4 log2(4/3) + 1/4 log2(4)
        assert!(close(entropy_bits(&[3, 1]).unwrap(), 0.811_28));
    }

    proptest! {
        #[test]
        fn counts_have_the_percentiles_of_the_values_they_count(
            counts in proptest::collection::vec(0usize..5, 0..8), percent in 0.0f64..=100.0
        ) {
            let counts: Vec<(f64, usize)> = (2..).map(f64::from).zip(counts).collect();
            let values = counts.iter().flat_map(|&(value, count)| std::iter::repeat_n(value, count));
            let values: Vec<f64> = values.collect();
            prop_assert_eq!(percentile_of_counts(&counts, percent), percentile(&values, percent));
        }

        #[test]
        fn wilson_holds_the_rate_and_stays_within_0_and_1(of in 1usize..400, share in 0.0f64..=1.0) {
            let proportion = Proportion::new((of as f64 * share) as usize, of);
            let (rate, interval) = (proportion.rate().unwrap(), proportion.wilson().unwrap());
            prop_assert!(0.0 <= interval.low && interval.low <= rate + 1e-12);
            prop_assert!(rate <= interval.high + 1e-12 && interval.high <= 1.0);
        }
    }
}
