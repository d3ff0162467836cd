//! `cola fit`: one chain for a whole task.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap, HashSet},
    fmt::Write,
    path::Path,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    CliError, Ending,
    args::{FitArgs, TaskArgs},
    generation::tell_unapplied,
    output,
    prompts::tell_warnings,
    setup::{self, Loaded},
    tasks,
};
use crate::{
    analysis::{Interval, Mean},
    fit::{
        Evaluate, Fit, FitFiles, FitPlan, Fitted, Fitter, Point, Scores, Split, by_turns, split,
    },
    prepare::SampleProblem,
    problem::Problem,
    run::{LogFile, LogOrigin, Pair, Progress, RunError, TaskManifest, mean_influence},
    session::{Interrupt, Session, dtype_name},
    terminal::note,
};
use cola_search::{chain::Chain, seed_for};
use lm_tasks::Sample;

/// Name of the log in the directory of a fit: a fit that goes on, with other depths or a larger budget, runs nothing again.
const LOG: &str = "fit.log";

pub fn run(args: FitArgs) -> Result<Ending, CliError> {
    let mut samples = tasks::load(&args.tasks)?;
    tasks::check_verdicts(&samples)?;
    let training_only = samples.samples.len();
    if !args.test_data.is_empty() {
        let (files, wanted) = (args.test_data.len(), args.tasks.task.len());
        if files != wanted {
            return Err(CliError::Usage(format!(
                "--test-data: {} for {}; give one file for each task, in the same order",
                tasks::counted(files, "file"),
                tasks::counted(wanted, "task")
            )));
        }
        let others = TaskArgs {
            data: args.test_data.clone(),
            dataset: None,
            ..args.tasks.clone()
        };
        let others = tasks::load(&others)?;
        check_held_out(&samples.samples, &others.samples)?;
        samples.samples.extend(others.samples);
    }
    let model = args.model.locate()?;
    let spec = cola_model::Model::inspect(&model.path)?.spec;
    tasks::check_room(&samples, spec.max_positions)?;
    let layers = spec.layers.len();
    let depths = depths(&args.depths, layers)?;
    // By what is asked: a question that stands twice in the data is on one side.
    let asked: Vec<(String, String)> = samples
        .samples
        .iter()
        .map(|sample| (sample.task.name.clone(), sample.fingerprint()))
        .collect();
    let names = asked.iter();
    let names = names.map(|(task, asked)| (task.as_str(), asked.as_str()));
    let split = match args.test_data.is_empty() {
        true => split(names, args.holdout, args.seed),
        false => {
            let training = names.take(training_only).enumerate();
            let training =
                training.map(|(at, (task, asked))| (task, seed_for(args.seed, task, asked), at));
            Split {
                training: by_turns(training.collect()),
                held_out: (training_only..samples.samples.len()).collect(),
            }
        }
    };
    check_split(&split)?;
    output::directory(&args.out)?;
    if samples.generate() {
        tell_unapplied("cola fit", &model.path)?;
    }
    let loaded = setup::load(&model, &args.model.compute)?;
    let layout = Arc::new(loaded.layout(&args.tasks.prompts, None)?);
    let problems = samples.problems(&layout);
    let interrupt = setup::interrupt_flag();
    let plan = FitPlan {
        layers,
        depths,
        split,
        objective: args.objective.into(),
        max_drop: args.max_drop,
        budget_steps: args.budget_steps,
        damping: args.damping,
        seed: args.seed,
    };
    let mut progress = Progress::new("cola fit", args.progress.into()).counting("depths");
    progress.start(plan.depths.len(), 0);
    let shown = RefCell::new(Shown {
        progress,
        left: 0.0,
    });
    let mut evaluator = Evaluator::open(&loaded, &problems, &args.out, (&interrupt, &shown))?;
    let fitted = Fitter::new(&plan, &mut evaluator, |left, depth_done| {
        let mut shown = shown.borrow_mut();
        shown.left = left;
        if depth_done {
            shown.progress.recorded(false);
        }
    })
    .run();
    let failed = evaluator.close()?;
    let fitted = fitted?;
    shown.into_inner().progress.finish(fitted.is_none());
    tell_warnings("cola fit", &layout);
    for (id, error) in failed.iter().take(5) {
        note(format_args!("cola fit: sample {id}: {error}"));
    }
    let Some(fit) = fitted else {
        note("cola fit: the same command continues");
        return Ok(Ending::Interrupted);
    };
    let mut files = FitFiles::of(&fit)?.0;
    files.push(("split.csv", split_csv(&samples.samples, &plan.split)?));
    for (name, text) in &files {
        output::file(&args.out.join(name), text)?;
    }
    match args.json {
        true => output::json(&fit)?,
        false => output::print(&table(&fit, &args.out))?,
    }
    Ok(match failed.is_empty() {
        true => Ending::Done,
        false => Ending::Failures,
    })
}

/// The depths that were asked for, like `24,26-29`; by default from two thirds of the model's to half as many layers more.
fn depths(text: &Option<String>, layers: usize) -> Result<Vec<usize>, CliError> {
    let wrong = |reason: String| CliError::Usage(format!("--depths: {reason}"));
    let Some(text) = text else {
        let shorter = (2 * layers).div_ceil(3)..layers;
        let longer = (1..=4)
            .chain((6..).step_by(2))
            .take_while(|more| *more <= layers / 2);
        return Ok(shorter.chain(longer.map(|more| layers + more)).collect());
    };
    let mut depths = BTreeSet::new();
    for part in text.split(',') {
        let number = |text: &str| {
            let number = text.trim().parse::<usize>();
            number.map_err(|_| wrong(format!("expected depths like 24,26-29, found {part:?}")))
        };
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        let most = layers + layers / 2;
        if first == 0 || last > most || first > last {
            return Err(wrong(format!(
                "{part:?}: the model has {layers} layers; a chain may have 1 to {most}"
            )));
        }
        depths.extend(first..=last);
    }
    depths.remove(&layers);
    match depths.is_empty() {
        true => Err(wrong(format!(
            "{text:?}: the model itself has {layers} layers; there is nothing to choose"
        ))),
        false => Ok(depths.into_iter().collect()),
    }
}

/// Refuses to report on samples that chose.
fn check_held_out(training: &[Arc<Sample>], others: &[Arc<Sample>]) -> Result<(), CliError> {
    let known: HashSet<String> = training.iter().map(|sample| sample.fingerprint()).collect();
    let chose = others
        .iter()
        .filter(|sample| known.contains(&sample.fingerprint()));
    match chose.count() {
        0 => Ok(()),
        count => Err(CliError::Usage(format!(
            "--test-data: {count} of its {} samples are in --data too, so that they would choose what they are to report on",
            others.len()
        ))),
    }
}

fn check_split(split: &Split) -> Result<(), CliError> {
    let (training, held_out) = (split.training.len(), split.held_out.len());
    if training >= 2 && held_out >= 2 {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "there are {training} samples to choose on and {held_out} to report on, and both take 2 at least: give more samples, \
         another --holdout, or --test-data"
    )))
}

/// On which side each sample is.
fn split_csv(samples: &[Arc<Sample>], split: &Split) -> Result<String, CliError> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let wrong = |error: csv::Error| CliError::Output(std::io::Error::other(error));
    csv.write_record(["task", "id", "side"]).map_err(wrong)?;
    let sides = [("training", &split.training), ("held-out", &split.held_out)];
    for (side, numbers) in sides {
        let mut numbers = numbers.clone();
        numbers.sort_unstable();
        for at in numbers {
            let sample = &samples[at];
            csv.write_record([&sample.task.name, &sample.id, side])
                .map_err(wrong)?;
        }
    }
    let bytes = csv
        .into_inner()
        .map_err(|error| wrong(error.into_error().into()))?;
    String::from_utf8(bytes).map_err(|error| CliError::Output(std::io::Error::other(error)))
}

/// A line of the log.
#[derive(Serialize, Deserialize)]
struct Line {
    sample: usize,
    chain: Chain,
    #[serde(flatten)]
    point: Point,
}

/// Progress, and the evaluations that are still to come.
struct Shown {
    progress: Progress,
    left: f64,
}

impl Shown {
    /// One evaluation more.
    fn evaluated(&mut self) {
        self.left = (self.left - 1.0).max(0.0);
        self.progress.expect(self.left);
        self.progress.evaluated();
    }
}

/// Runs pairs on a session, and keeps what comes of them.
struct Evaluator<'a> {
    session: &'a Session,
    problems: &'a [SampleProblem],
    log: LogFile,
    known: HashMap<(usize, Chain), Point>,
    failed: Vec<(String, String)>,
    interrupt: &'a Interrupt,
    shown: &'a RefCell<Shown>,
}

impl<'a> Evaluator<'a> {
    fn open(
        loaded: &'a Loaded,
        problems: &'a [SampleProblem],
        directory: &Path,
        (interrupt, shown): (&'a Interrupt, &'a RefCell<Shown>),
    ) -> Result<Self, CliError> {
        let session = &loaded.session;
        let model = session.model();
        let tasks = TaskManifest::of(problems);
        let samples: Vec<&str> = tasks
            .iter()
            .map(|task| task.samples_hash.as_str())
            .collect();
        let origin = LogOrigin::new([
            ("model", model.hash().to_owned()),
            ("tokenizer", loaded.tokenizer.hash().to_owned()),
            ("dtype", dtype_name(model.compute().kind).to_owned()),
            ("repeat", format!("{:?}", session.engine().repeat())),
            ("samples", samples.join(",")),
        ]);
        let mut known = HashMap::new();
        let log = LogFile::open(directory, LOG, &origin, |json, _| {
            let Line {
                sample,
                chain,
                point,
            } = serde_json::from_slice(json).map_err(|error| error.to_string())?;
            known.insert((sample, chain), point);
            Ok(())
        })?;
        shown.borrow_mut().progress.kept(known.len());
        Ok(Self {
            session,
            problems,
            log,
            known,
            failed: Vec::new(),
            interrupt,
            shown,
        })
    }

    /// The samples that failed, with the reasons.
    fn close(mut self) -> Result<Vec<(String, String)>, RunError> {
        self.log.sync()?;
        self.failed.sort();
        self.failed.dedup();
        Ok(self.failed)
    }
}

impl Evaluate for Evaluator<'_> {
    fn evaluate(
        &mut self,
        pairs: &[Pair],
        done: &mut dyn FnMut(usize, Point),
    ) -> Result<bool, RunError> {
        let mut left = Vec::new();
        for (at, pair) in pairs.iter().enumerate() {
            match self.known.get(&(pair.problem, pair.chain.clone())) {
                Some(point) => done(at, point.clone()),
                None => left.push(at),
            }
        }
        let to_run: Vec<Pair> = left.iter().map(|&at| pairs[at].clone()).collect();
        if to_run.is_empty() {
            return Ok(false);
        }
        let (log, known, failed) = (&mut self.log, &mut self.known, &mut self.failed);
        let (problems, shown) = (self.problems, self.shown);
        let depth = self.session.model().depth();
        let mut unseen = Progress::quiet();
        let interrupted = self.session.evaluate(
            problems,
            &to_run,
            self.interrupt,
            &mut unseen,
            |at, evaluated| {
                let Pair { problem, chain } = to_run[at].clone();
                let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
                let point = match evaluated {
                    Ok(evaluated) => Point {
                        correct: evaluated.verdict.correct,
                        margin: finite(evaluated.verdict.margin),
                        loss: finite(evaluated.prompt_loss),
                        influence: (chain.is_identity(depth))
                            .then(|| mean_influence(&evaluated.outcomes))
                            .flatten(),
                        error: None,
                    },
                    Err(error) => {
                        failed.push((problems[problem].id().to_owned(), error.clone()));
                        Point {
                            error: Some(error),
                            ..Point::default()
                        }
                    }
                };
                if point.error.is_none() {
                    log.append(&Line {
                        sample: problem,
                        chain: chain.clone(),
                        point: point.clone(),
                    })?;
                    if log.is_sync_due() {
                        log.sync()?;
                    }
                }
                known.insert((problem, chain), point.clone());
                done(left[at], point);
                shown.borrow_mut().evaluated();
                Ok(())
            },
        )?;
        Ok(interrupted)
    }
}

/// What is shown at the end.
fn table(fit: &Fit, out: &Path) -> String {
    let mut text = String::new();
    let mut say = |line: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    };
    say(format!(
        "{} training samples chose among {} chains; the numbers are of {} held-out samples.",
        fit.training, fit.tried, fit.held_out
    ));
    if fit.budget_spent {
        say("The budget was spent before all races had ended.".to_owned());
    }
    say(String::new());
    say(format!(
        "{:>5}  {:<28}  {:>8}  {:<24}  {:>11}  {:<22}",
        "depth",
        "chain",
        "accuracy",
        "margin gain, nats",
        "degradation",
        "ahead of the best baseline"
    ));
    let row = |depth: usize, chain: &Chain, scores: &Scores, ahead: String| {
        format!(
            "{depth:>5}  {:<28}  {:>8}  {:<24}  {:>11}  {ahead}",
            chain.to_string(),
            scores
                .accuracy
                .map_or_else(dash, |m| format!("{:.1} %", 100.0 * m.value)),
            with_interval(scores.margin_gain),
            scores
                .degradation
                .map_or_else(dash, |m| format!("{:.3}", m.value)),
        )
    };
    let unmodified = Chain::identity(fit.layers);
    for fitted in fit.front.iter().filter(|fitted| fitted.depth < fit.layers) {
        say(row(
            fitted.depth,
            &fitted.chain,
            &fitted.held_out,
            ahead(fitted),
        ));
    }
    say(row(
        fit.layers,
        &unmodified,
        &fit.unmodified,
        "the unmodified model".to_owned(),
    ));
    for fitted in fit.front.iter().filter(|fitted| fitted.depth > fit.layers) {
        say(row(
            fitted.depth,
            &fitted.chain,
            &fitted.held_out,
            ahead(fitted),
        ));
    }
    say(String::new());
    say(format!("chosen on the training samples: {}", fit.chosen));
    say(format!("files: {}", out.display()));
    text
}

fn dash() -> String {
    "-".to_owned()
}

fn with_interval(mean: Option<Mean>) -> String {
    match mean {
        None => dash(),
        Some(Mean {
            value,
            interval: None,
            ..
        }) => format!("{value:+.3}"),
        Some(Mean {
            value,
            interval: Some(Interval { low, high }),
            ..
        }) => {
            format!("{value:+.3} [{low:+.3}, {high:+.3}]")
        }
    }
}

/// By how much the margin is larger than that of the baseline which is best on the held-out samples.
fn ahead(fitted: &Fitted) -> String {
    let margin = |mean: Option<Mean>| mean.map_or(f64::NEG_INFINITY, |mean| mean.value);
    let best = (fitted.baselines.iter())
        .max_by(|a, b| margin(a.held_out.margin).total_cmp(&margin(b.held_out.margin)));
    best.map_or_else(dash, |best| {
        format!(
            "{} ({})",
            with_interval(best.fitted_ahead),
            best.origin.name()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_are_lists_and_ranges_without_the_models_own() {
        let of = |text: &str| depths(&Some(text.to_owned()), 30);
        assert_eq!(of("24,28-31").unwrap(), [24, 28, 29, 31]);
        for (wrong, reason) in [
            ("30", "nothing to choose"),
            ("0", "1 to 45"),
            ("46", "1 to 45"),
            ("29-28", "1 to 45"),
            ("a", "like 24,26-29"),
            ("", "like 24,26-29"),
        ] {
            let error = of(wrong).unwrap_err().to_string();
            assert!(error.contains(reason), "{wrong}: {error}");
        }
        let usual = depths(&None, 30).unwrap();
        assert_eq!(usual[..2], [20, 21]);
        assert_eq!(usual[usual.len() - 2..], [42, 44]);
        assert!(!usual.contains(&30));
    }
}
