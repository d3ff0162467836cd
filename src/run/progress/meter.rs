//! How fast work goes: overall, and over the last minute.

use std::{collections::VecDeque, time::Duration};

/// What counts as lately.
const WINDOW: Duration = Duration::from_secs(60);

/// Marks closer together than this are one.
const RESOLUTION: Duration = Duration::from_secs(1);

/// Counts work over time. Times are since the work began.
#[derive(Debug, Default)]
pub struct Meter {
    done: u64,
    /// How much was done at some times of the last minute, and at one before it.
    marks: VecDeque<(Duration, u64)>,
}

impl Meter {
    /// One piece of work more.
    pub fn count(&mut self, at: Duration) {
        self.mark(at);
        self.done += 1;
    }

    /// How much is done.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Work a second since the beginning.
    pub fn overall(&self, at: Duration) -> f64 {
        rate(self.done, at)
    }

    /// Work a second over the last minute, or since the beginning if that is later.
    pub fn lately(&self, at: Duration) -> f64 {
        let mut latest = self.marks.iter().rev();
        let before = latest.find(|(then, _)| *then + WINDOW <= at);
        match before.or(self.marks.front()) {
            Some(&(then, done)) if then < at => rate(self.done - done, at - then),
            _ => self.overall(at),
        }
    }

    fn mark(&mut self, at: Duration) {
        let due = match self.marks.back() {
            None => true,
            Some(&(last, _)) => at >= last + RESOLUTION,
        };
        if due {
            self.marks.push_back((at, self.done));
        }
        while self
            .marks
            .get(1)
            .is_some_and(|&(then, _)| then + WINDOW <= at)
        {
            self.marks.pop_front();
        }
    }
}

fn rate(work: u64, time: Duration) -> f64 {
    work as f64 / time.as_secs_f64().max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn the_last_minute_forgets_what_was_before() {
        let mut meter = Meter::default();
        assert_eq!(meter.lately(seconds(0.0)), 0.0);
        // 10 a second for 100 seconds, then 2 a second for 80.
        for n in 0..1000 {
            meter.count(seconds(f64::from(n) / 10.0));
        }
        assert!((meter.lately(seconds(100.0)) - 10.0).abs() < 0.3);
        for n in 0..160 {
            meter.count(seconds(100.0 + f64::from(n) / 2.0));
        }
        let now = seconds(180.0);
        assert_eq!(meter.done(), 1160);
        assert!((meter.overall(now) - 1160.0 / 180.0).abs() < 1e-9);
        assert!((meter.lately(now) - 2.0).abs() < 0.1);
        // Nothing happens any more.
        assert!(meter.lately(seconds(300.0)) < 0.1);
    }

    #[test]
    fn before_a_minute_both_rates_are_one() {
        let mut meter = Meter::default();
        for n in 0..50 {
            meter.count(seconds(f64::from(n) / 10.0));
        }
        assert!((meter.lately(seconds(5.0)) - 10.0).abs() < 1e-9);
        assert!((meter.overall(seconds(5.0)) - 10.0).abs() < 1e-9);
    }
}
