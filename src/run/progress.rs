//! Progress of long work: a bar on a terminal, plain lines otherwise. On standard error.

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// Says something on standard error. That nobody reads it any more is no reason to stop working.
pub fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// How often a plain line is printed.
const INTERVAL: Duration = Duration::from_secs(10);

/// Shows how far a run is.
#[derive(Debug)]
pub struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    quiet: bool,
    started: Instant,
    last_line: Instant,
    total: usize,
    before: usize,
    recorded: usize,
    failed: usize,
    evaluations: u64,
}

impl Progress {
    /// Progress of `what` ("cola search"). `quiet` shows nothing.
    pub fn new(what: &str, quiet: bool) -> Self {
        Self {
            what: what.to_owned(),
            bar: None,
            quiet,
            started: Instant::now(),
            last_line: Instant::now(),
            total: 0,
            before: 0,
            recorded: 0,
            failed: 0,
            evaluations: 0,
        }
    }

    /// Progress that nobody is shown.
    pub fn quiet() -> Self {
        Self::new("", true)
    }

    /// Progress of a part of the work, shown like this.
    pub fn part(&self, name: &str) -> Self {
        Self::new(&format!("{}, {name}", self.what), self.quiet)
    }

    /// Says something about the work.
    pub fn say(&self, line: impl Display) {
        if !self.quiet {
            note(format_args!("{}: {line}", self.what));
        }
    }

    /// Begins, with `before` of `total` samples already done.
    pub fn start(&mut self, total: usize, before: usize) {
        (self.total, self.before) = (total, before);
        (self.started, self.last_line) = (Instant::now(), Instant::now());
        if before > 0 && !self.quiet {
            let what = &self.what;
            note(match total - before {
                0 => format!("{what}: all {total} samples are done already"),
                _ => format!("{what}: continuing, {before} of {total} samples are done"),
            });
        }
        if self.quiet || !std::io::stderr().is_terminal() {
            return;
        }
        let style = ProgressStyle::with_template(
            "{prefix} {wide_bar} {pos}/{len} samples  {msg}  {eta} left",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(total as u64).with_style(style);
        bar.set_prefix(self.what.clone());
        bar.set_position(before as u64);
        bar.reset_eta();
        self.bar = Some(bar);
    }

    /// So many evaluations of unfinished samples are known from before.
    pub fn kept(&mut self, evaluations: usize) {
        if evaluations > 0 {
            self.say(format_args!(
                "{evaluations} evaluations are known from before"
            ));
        }
    }

    /// One evaluation more.
    pub fn evaluated(&mut self) {
        self.evaluations += 1;
        self.tick();
    }

    /// One sample more.
    pub fn recorded(&mut self, failed: bool) {
        self.recorded += 1;
        self.failed += usize::from(failed);
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Refreshes what is shown.
    pub fn tick(&mut self) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.rate());
        } else if !self.quiet && self.last_line.elapsed() >= INTERVAL {
            self.last_line = Instant::now();
            note(format_args!(
                "{}: {}{}",
                self.what,
                self.position(),
                self.time_left()
            ));
        }
    }

    /// Ends.
    pub fn finish(&mut self, interrupted: bool) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if !self.quiet {
            let ended = if interrupted { "interrupted" } else { "done" };
            let took = HumanDuration(self.started.elapsed());
            note(format_args!(
                "{}: {ended}, {}, {took}",
                self.what,
                self.position()
            ));
        }
    }

    fn position(&self) -> String {
        let failed = match self.failed {
            0 => String::new(),
            n => format!(", {n} failed"),
        };
        let done = self.before + self.recorded;
        format!("{done}/{} samples{failed}, {}", self.total, self.rate())
    }

    fn rate(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-3);
        format!("{:.0} chains/s", self.evaluations as f64 / seconds)
    }

    fn time_left(&self) -> String {
        if self.recorded == 0 {
            return String::new();
        }
        let each = self.started.elapsed().as_secs_f64() / self.recorded as f64;
        let left = self.total.saturating_sub(self.before + self.recorded);
        let left = Duration::from_secs_f64(each * left as f64);
        format!(", about {} left", HumanDuration(left))
    }
}
