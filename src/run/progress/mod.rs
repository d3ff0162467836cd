//! Progress of long work, on standard error: a bar a task on a terminal, plain lines or lines of JSON otherwise.

mod meter;
mod report;

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};

use crate::terminal::{note, one_line, printable_json};
use meter::Meter;
use report::Report;
pub use report::{Luck, TaskCount};

/// When the first plain line is printed, and how often one is after that.
const FIRST: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_secs(10);

/// How often a line of JSON is printed.
const JSON_INTERVAL: Duration = Duration::from_secs(1);

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// Bars on a terminal, plain lines otherwise.
    #[default]
    Auto,
    /// A line of JSON every second.
    Json,
    /// Not at all.
    Quiet,
}

/// Shows how far a run is.
#[derive(Debug)]
pub struct Progress {
    what: String,
    /// What is counted beside evaluations.
    unit: &'static str,
    style: Style,
    bars: Option<Bars>,
    started: Instant,
    /// Time of the last line, and what it said.
    last: Option<(Instant, String)>,
    tasks: Vec<TaskCount>,
    /// Samples that were done before.
    before: usize,
    failed: usize,
    evaluations: Meter,
    /// Evaluations that are still to come, as far as is known.
    left: Option<f64>,
    luck: Luck,
}

/// What a terminal shows.
#[derive(Debug)]
struct Bars {
    /// A bar a task.
    tasks: Vec<ProgressBar>,
    /// A line over all.
    all: ProgressBar,
}

impl Progress {
    /// Progress of `what` ("cola search").
    pub fn new(what: &str, style: Style) -> Self {
        Self {
            what: what.to_owned(),
            unit: "samples",
            style,
            bars: None,
            started: Instant::now(),
            last: None,
            tasks: Vec::new(),
            before: 0,
            failed: 0,
            evaluations: Meter::default(),
            left: None,
            luck: Luck::default(),
        }
    }

    /// Progress that nobody is shown.
    pub fn quiet() -> Self {
        Self::new("", Style::Quiet)
    }

    /// The same, where not samples but other things are counted.
    #[must_use]
    pub fn counting(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// Progress of a part of the work, shown like this.
    pub fn part(&self, name: &str) -> Self {
        Self::new(&format!("{}, {name}", self.what), self.style)
    }

    /// Says something about the work.
    pub fn say(&self, line: impl Display) {
        match self.style {
            Style::Quiet => {}
            Style::Auto => note(format_args!("{}: {line}", self.what)),
            Style::Json => {
                let said = serde_json::json!({
                    "event": "note", "what": self.what, "text": line.to_string()
                });
                emit(&said.to_string());
            }
        }
    }

    /// Begins, with `before` of `total` samples already done.
    pub fn start(&mut self, total: usize, before: usize) {
        self.start_tasks(vec![TaskCount {
            task: String::new(),
            samples: total,
            done: before,
        }]);
    }

    /// Begins.
    pub fn start_tasks(&mut self, tasks: Vec<TaskCount>) {
        let total: usize = tasks.iter().map(|task| task.samples).sum();
        self.before = tasks.iter().map(|task| task.done).sum();
        self.started = Instant::now();
        self.tasks = tasks;
        if self.before > 0 {
            self.say(match total - self.before {
                0 => format!("all {total} samples are done already"),
                _ => format!("continuing, {} of {total} samples are done", self.before),
            });
        }
        if self.style == Style::Auto && std::io::stderr().is_terminal() {
            self.bars = Some(Bars::new(&self.what, &self.tasks));
        }
    }

    /// So many evaluations of unfinished samples are known from before.
    pub fn kept(&mut self, evaluations: usize) {
        if evaluations > 0 {
            self.say(format_args!(
                "{evaluations} evaluations are known from before"
            ));
        }
    }

    /// So many evaluations are still to come, as far as is known.
    pub fn expect(&mut self, evaluations: f64) {
        self.left = Some(evaluations);
    }

    /// What was found so far beyond luck.
    pub fn found(&mut self, luck: Luck) {
        self.luck = luck;
    }

    /// One evaluation more.
    pub fn evaluated(&mut self) {
        self.evaluations.count(self.started.elapsed());
        self.tick();
    }

    /// One sample more of the only task.
    pub fn recorded(&mut self, failed: bool) {
        self.count(0, failed);
    }

    /// One sample more of a task.
    pub fn recorded_in(&mut self, task: &str, failed: bool) {
        let place = self.tasks.iter().position(|known| known.task == task);
        self.count(place.unwrap_or(0), failed);
    }

    fn count(&mut self, task: usize, failed: bool) {
        self.failed += usize::from(failed);
        if let Some(known) = self.tasks.get_mut(task) {
            known.done += 1;
        }
        if let Some(bars) = &self.bars
            && let Some(bar) = bars.tasks.get(task)
        {
            bar.inc(1);
        }
    }

    /// Refreshes what is shown.
    pub fn tick(&mut self) {
        let since = match &self.last {
            None => self.started.elapsed(),
            Some((last, _)) => last.elapsed(),
        };
        let interval = match (&self.bars, self.style, &self.last) {
            (_, Style::Quiet, _) => return,
            (Some(_), _, _) => Duration::from_millis(200),
            (None, Style::Json, _) => JSON_INTERVAL,
            (None, Style::Auto, None) => FIRST,
            (None, Style::Auto, Some(_)) => INTERVAL,
        };
        if since >= interval {
            self.show();
        }
    }

    /// Shows where the work is; a line that says what the last one said is left out.
    fn show(&mut self) {
        let report = self.report();
        let text = match self.style {
            Style::Json => report.json("progress"),
            _ => report.line(),
        };
        let known = self.last.as_ref().is_some_and(|(_, last)| *last == text);
        match &self.bars {
            Some(bars) => bars.all.set_message(text.clone()),
            None if known => {}
            None if self.style == Style::Json => emit(&text),
            None => note(format_args!("{}: {text}", self.what)),
        }
        self.last = Some((Instant::now(), text));
    }

    fn report(&self) -> Report<'_> {
        let at = self.started.elapsed();
        let lately = self.evaluations.lately(at);
        Report {
            what: &self.what,
            unit: self.unit,
            seconds: at.as_secs_f64(),
            tasks: &self.tasks,
            before: self.before,
            failed: self.failed,
            evaluations: self.evaluations.done(),
            left: self.left,
            lately,
            overall: self.evaluations.overall(at),
            luck: self.luck,
        }
    }

    /// Ends.
    pub fn finish(&mut self, interrupted: bool) {
        if let Some(bars) = self.bars.take() {
            bars.clear();
        }
        let ended = if interrupted { "interrupted" } else { "done" };
        let what = self.what.clone();
        let took = HumanDuration(self.started.elapsed());
        let style = self.style;
        let report = self.report();
        match style {
            Style::Quiet => {}
            Style::Json => emit(&report.json(ended)),
            Style::Auto => note(format_args!(
                "{what}: {ended}, {}, {took}",
                report.position()
            )),
        }
    }
}

/// Prints a line of JSON on standard error.
fn emit(json: &str) {
    // That nobody reads it any more is no reason to stop working.
    let _ = writeln!(std::io::stderr(), "{}", printable_json(json));
}

impl Bars {
    fn new(what: &str, tasks: &[TaskCount]) -> Self {
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let all = MultiProgress::new();
        let bar = |task: &TaskCount| {
            let bar = all.add(ProgressBar::new(task.samples as u64));
            bar.set_style(style("{prefix:>24.24} {wide_bar} {pos}/{len} samples"));
            bar.set_prefix(match task.task.as_str() {
                "" => one_line(what),
                task => one_line(task),
            });
            bar.set_position(task.done as u64);
            bar
        };
        let tasks = tasks.iter().map(bar).collect();
        let line = all.add(ProgressBar::no_length());
        line.set_style(style("{msg}"));
        Self { tasks, all: line }
    }

    fn clear(&self) {
        for bar in self.tasks.iter().chain([&self.all]) {
            bar.finish_and_clear();
        }
    }
}
