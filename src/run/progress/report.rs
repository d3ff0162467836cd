//! What progress says at one moment.

use std::time::Duration;

use indicatif::{HumanCount, HumanDuration};
use serde::Serialize;

/// How many samples of a task are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskCount {
    /// Name of the task; empty where there is only one.
    pub task: String,
    /// Samples it has.
    pub samples: usize,
    /// Samples that are done.
    pub done: usize,
}

/// What was found so far on samples that the unmodified model gets wrong, and that searches for a matched wrong answer ran on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Luck {
    /// Samples.
    pub wrong_samples: usize,
    /// Samples on which the search found the right answer.
    pub fixed: usize,
    /// Samples on which it found the wrong one.
    pub wrong_target_hit: usize,
}

impl Luck {
    /// Takes in a sample.
    pub fn add(&mut self, fixed: bool, wrong_target_hit: bool) {
        self.wrong_samples += 1;
        self.fixed += usize::from(fixed);
        self.wrong_target_hit += usize::from(wrong_target_hit);
    }

    /// Share fixed minus share of wrong answers reached, in points; `None` before the first sample.
    fn excess(self) -> Option<f64> {
        let difference = self.fixed as f64 - self.wrong_target_hit as f64;
        (self.wrong_samples > 0).then(|| 100.0 * difference / self.wrong_samples as f64)
    }
}

/// Where the work is.
pub struct Report<'a> {
    pub what: &'a str,
    /// What is counted beside evaluations: samples.
    pub unit: &'a str,
    pub seconds: f64,
    pub tasks: &'a [TaskCount],
    /// Samples that were done when the work began.
    pub before: usize,
    pub failed: usize,
    /// Evaluations since the work began.
    pub evaluations: u64,
    /// Evaluations to come, as far as is known.
    pub left: Option<f64>,
    /// Evaluations a second over the last minute.
    pub lately: f64,
    /// Evaluations a second since the beginning.
    pub overall: f64,
    pub luck: Luck,
}

impl Report<'_> {
    fn samples(&self) -> (usize, usize) {
        let done = self.tasks.iter().map(|task| task.done).sum();
        (done, self.tasks.iter().map(|task| task.samples).sum())
    }

    /// Seconds left; `None` while nothing is known of the pace.
    fn seconds_left(&self) -> Option<f64> {
        let (done, samples) = self.samples();
        match self.left {
            Some(left) if self.lately > 0.0 => Some(left / self.lately),
            Some(_) => None,
            None => {
                let new = done.saturating_sub(self.before);
                (new > 0).then(|| self.seconds / new as f64 * (samples - done) as f64)
            }
        }
    }

    /// How much is done, and how fast that was.
    pub fn position(&self) -> String {
        let (done, samples) = self.samples();
        let failed = match self.failed {
            0 => String::new(),
            n => format!(", {n} failed"),
        };
        let chains = HumanCount(self.evaluations);
        format!(
            "{done}/{samples} {}{failed}, {chains} chains, {} chains/s",
            self.unit,
            pace(self.overall)
        )
    }

    /// A line for people.
    pub fn line(&self) -> String {
        let (done, samples) = self.samples();
        let mut line = format!("{done}/{samples} {}", self.unit);
        if self.failed > 0 {
            line += &format!(", {} failed", self.failed);
        }
        line += &format!(", {}", HumanCount(self.evaluations));
        if let Some(left) = self.left {
            let total = self.evaluations + left.max(0.0).round() as u64;
            line += &format!(" of about {}", HumanCount(total));
        }
        line += &format!(" chains, {} chains/s", pace(self.lately));
        if (self.lately - self.overall).abs() > 0.1 * self.overall {
            line += &format!(" ({} overall)", pace(self.overall));
        }
        if let Some(left) = self.seconds_left() {
            let left = Duration::try_from_secs_f64(left.max(0.0)).unwrap_or(Duration::MAX);
            line += &format!(", about {} left", HumanDuration(left));
        }
        if let Some(excess) = self.luck.excess() {
            line += &format!(
                ", excess {excess:+.0} points on {} wrong answers",
                self.luck.wrong_samples
            );
        }
        line
    }

    /// A line for programs.
    pub fn json(&self, event: &str) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            event: &'a str,
            what: &'a str,
            seconds: f64,
            samples: usize,
            samples_done: usize,
            failed: usize,
            evaluations_done: u64,
            evaluations_left: Option<f64>,
            per_second_last_minute: f64,
            per_second: f64,
            seconds_left: Option<f64>,
            excess: Luck,
            tasks: &'a [TaskCount],
        }
        let (samples_done, samples) = self.samples();
        let line = Line {
            event,
            what: self.what,
            seconds: self.seconds,
            samples,
            samples_done,
            failed: self.failed,
            evaluations_done: self.evaluations,
            evaluations_left: self.left.map(f64::round),
            per_second_last_minute: self.lately,
            per_second: self.overall,
            seconds_left: self.seconds_left(),
            excess: self.luck,
            tasks: self.tasks,
        };
        // Numbers and texts: nothing that JSON does not take.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// Work a second: whole numbers where they say enough.
fn pace(rate: f64) -> String {
    match rate {
        rate if rate < 10.0 => format!("{rate:.1}"),
        rate => format!("{rate:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> Vec<TaskCount> {
        let task = |task: &str, samples, done| TaskCount {
            task: task.to_owned(),
            samples,
            done,
        };
        vec![task("a", 40, 10), task("b", 20, 2)]
    }

    fn report(tasks: &[TaskCount]) -> Report<'_> {
        Report {
            what: "cola search",
            unit: "samples",
            seconds: 60.0,
            tasks,
            before: 6,
            failed: 0,
            evaluations: 1200,
            left: Some(4800.0),
            lately: 16.0,
            overall: 20.0,
            luck: Luck {
                wrong_samples: 8,
                fixed: 3,
                wrong_target_hit: 1,
            },
        }
    }

    #[test]
    fn a_line_says_what_is_done_what_is_left_and_what_was_found() {
        let tasks = tasks();
        assert_eq!(
            report(&tasks).line(),
            "12/60 samples, 1,200 of about 6,000 chains, 16 chains/s (20 overall), about 5 minutes left, \
             excess +25 points on 8 wrong answers"
        );
    }

    #[test]
    fn without_a_plan_the_time_left_goes_by_the_samples() {
        let tasks = tasks();
        let report = Report {
            left: None,
            luck: Luck::default(),
            overall: 16.0,
            ..report(&tasks)
        };
        // Six samples in a minute, 48 to come.
        assert_eq!(
            report.line(),
            "12/60 samples, 1,200 chains, 16 chains/s, about 8 minutes left"
        );
        let nothing = Report {
            before: 12,
            ..report
        };
        assert_eq!(nothing.seconds_left(), None);
    }

    #[test]
    fn a_line_of_json_has_the_same_numbers() {
        let tasks = tasks();
        let line: serde_json::Value =
            serde_json::from_str(&report(&tasks).json("progress")).unwrap();
        assert_eq!(line["samples_done"], 12);
        assert_eq!(line["evaluations_left"], 4800.0);
        assert_eq!(line["seconds_left"], 300.0);
        assert_eq!(line["excess"]["fixed"], 3);
        assert_eq!(line["tasks"][1]["task"], "b");
    }
}
