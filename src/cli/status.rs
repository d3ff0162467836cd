//! `cola status`.

use std::time::Duration;

use indicatif::{HumanCount, HumanDuration};

use super::{CliError, Ending, args::StatusArgs, output};
use crate::run::RunStatus;

pub fn run(args: &StatusArgs) -> Result<Ending, CliError> {
    let status = RunStatus::read(&args.run)?;
    match args.json {
        true => output::json(&status)?,
        false => output::print(&text(&status))?,
    }
    Ok(Ending::Done)
}

fn text(status: &RunStatus) -> String {
    let (samples, done) = status.samples();
    let state = match (done == samples, status.running) {
        (_, true) => "running",
        (true, false) => "finished",
        (false, false) => "stopped; the same command continues it",
    };
    let mut text = format!("{}: {state}\n", status.model);
    for task in &status.tasks {
        text += &format!(
            "{:<28} {} of {} samples\n",
            task.task, task.done, task.samples
        );
    }
    if status.failed > 0 {
        text += &format!("failed: {}\n", status.failed);
    }
    text += &format!(
        "{} chains of finished samples",
        HumanCount(status.evaluations)
    );
    if status.unfinished > 0 {
        text += &format!(
            ", {} of {} samples that are begun",
            HumanCount(status.unfinished_evaluations),
            status.unfinished
        );
    }
    let duration = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    text += &format!("\n{} worked", HumanDuration(duration(status.seconds)));
    if let Some(left) = status.seconds_left.filter(|left| *left > 0.0) {
        text += &format!(", about {} left", HumanDuration(duration(left)));
    }
    text + "\n"
}
