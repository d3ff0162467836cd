//! `cola eval`: fixed chains on a task.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
    time::{Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    CliError, Ending,
    args::EvalArgs,
    generation::tell_unapplied,
    output, pairs,
    prompts::tell_warnings,
    setup::{self, Loaded},
    show_prompts, tasks,
};
use crate::{
    analysis::Mean,
    prepare::{Answer, PreparedSample, PromptLayout, SampleProblem},
    run::{Evaluated, Pair, PairLog, Progress, TaskManifest, degradation},
    session::{Interrupt, Session, dtype_name},
    terminal::note,
};
use cola_engine::Cost;
use cola_search::chain::Chain;
use lm_tasks::{
    Sample, TaskSpec,
    output::{Response, Row, SampleResult, Setting, metrics_of},
    standard_error_key,
};

/// What a chain answered, and what that cost.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    pub result: SampleResult,
    pub cost: Cost,
}

impl Answered {
    fn of(evaluated: Evaluated<'_, PreparedSample>) -> Result<Self, String> {
        let Evaluated {
            judge,
            rows,
            outcomes,
            verdict,
            prompt_loss,
            cost,
        } = evaluated;
        let response = |answer| match answer {
            Answer::Choice {
                log_probs, greedy, ..
            } => Response::Scores { log_probs, greedy },
            Answer::Text { text, .. } => Response::Text(text),
            Answer::NotFinite => Response::Nothing,
        };
        let answers = judge.answers(rows, &outcomes);
        let answers = answers.map_err(|error| error.to_string())?.into_iter();
        let mut responses = answers.map(response);
        let result = SampleResult {
            // A sample is asked in one order at least.
            response: responses.next().unwrap_or(Response::Nothing),
            rotated: responses.collect(),
            values: verdict.values,
            correct: verdict.correct,
            margin: verdict.margin,
            answer: verdict.answer,
            prompt_loss: prompt_loss.filter(|loss| loss.is_finite()),
            // Known once the unmodified model has run too.
            degradation: None,
        };
        Ok(Self { result, cost })
    }
}

/// Results in the order of the pairs; `None` was not run.
pub type Results = Vec<Option<Result<Answered, String>>>;

pub fn run(mut args: EvalArgs) -> Result<Ending, CliError> {
    if let Some(count) = args.show_prompts {
        return show_prompts::run(&args, count);
    }
    let loaded_tasks = tasks::load(&args.tasks)?;
    let model = args.model.locate()?;
    args.model.model.clone_from(&model.name);
    let spec = cola_model::Model::inspect(&model.path)?.spec;
    tasks::check_room(&loaded_tasks, spec.max_positions)?;
    let depth = spec.layers.len();
    let chain = match &args.chain {
        Some(text) => Chain::parse(text, depth)?,
        None => Chain::identity(depth),
    };
    let samples = &loaded_tasks.samples;
    let skipped = loaded_tasks.skipped_rows();
    let pairs = match &args.pairs {
        Some(file) => pairs::read(file, samples, depth)?,
        None => (0..samples.len())
            .map(|problem| Pair {
                problem,
                chain: chain.clone(),
            })
            .collect(),
    };
    if loaded_tasks.generate() {
        tell_unapplied("cola eval", &model.path)?;
    }
    let loaded = setup::load(&model, &args.model.compute)?;
    let layout = Arc::new(loaded.layout(&args.tasks.prompts, None)?);
    let interrupt = setup::interrupt_flag();
    let problems = loaded_tasks.problems(&layout);
    let mut progress = Progress::new("cola eval", args.progress.into());
    let (began, started) = (SystemTime::now(), Instant::now());
    let (all, wanted) = pairs::with_unmodified(&pairs, depth);
    let mut log = match &args.out {
        None => None,
        Some(out) => {
            // Before hours of work, not after.
            output::directory(out)?;
            Some(PairLog::open(out, &all, origin(&loaded, &problems))?)
        }
    };
    let watched = (&interrupt, &mut progress);
    let (mut results, interrupted) = evaluate(&loaded.session, &problems, &all, &mut log, watched)?;
    compare_losses(&all, depth, &mut results);
    let mut wanted = wanted.into_iter();
    results.retain(|_| wanted.next().unwrap_or(false));
    let seconds = started.elapsed().as_secs_f64();
    tell_warnings("cola eval", &layout);
    for (pair, result) in pairs.iter().zip(&results) {
        if let Some(Err(error)) = result {
            let sample = &samples[pair.problem];
            note(format_args!(
                "cola eval: {}, sample {}: {error}",
                sample.task.name, sample.id
            ));
        }
    }
    if args.pairs.is_some() {
        pairs::write(&args, samples, &pairs, &results, (skipped, seconds))?;
    } else {
        let setting = setting(&args, &loaded);
        let results = lm_tasks::output::Results {
            setting: &setting,
            chain: chain.to_string(),
            tasks: by_task(samples, &results),
            failed: results.iter().flatten().filter(|r| r.is_err()).count(),
            skipped_rows: skipped,
            started: began,
            seconds,
        };
        report(&args, &results, &layout)?;
    }
    match log {
        Some(_) if interrupted => note("cola eval: the same command continues"),
        // What it knows is in the files that were written.
        Some((log, _)) => log.remove()?,
        None => {}
    }
    Ok(match () {
        () if results.iter().any(Option::is_none) => Ending::Interrupted,
        () if results.iter().flatten().any(Result::is_err) => Ending::Failures,
        () => Ending::Done,
    })
}

/// Sets every degradation: the loss on the prompt less the unmodified model's.
fn compare_losses(pairs: &[Pair], depth: usize, results: &mut Results) {
    let loss = |result: &Option<Result<Answered, String>>| {
        let done = result.as_ref()?.as_ref().ok()?;
        done.result.prompt_loss
    };
    let all = pairs.iter().zip(results.iter());
    let unmodified = all.filter(|(pair, _)| pair.chain.is_identity(depth));
    let unmodified: BTreeMap<usize, Option<f64>> = unmodified
        .map(|(pair, result)| (pair.problem, loss(result)))
        .collect();
    for (pair, result) in pairs.iter().zip(results) {
        if let Some(Ok(done)) = result {
            let unmodified = unmodified.get(&pair.problem).copied().flatten();
            done.result.degradation = degradation(done.result.prompt_loss, unmodified);
        }
    }
}

/// Evaluates the pairs that the log does not know. Returns all results, and whether some are missing.
fn evaluate(
    session: &Session,
    problems: &[SampleProblem],
    pairs: &[Pair],
    log: &mut Option<(PairLog<Answered>, BTreeMap<usize, Answered>)>,
    (interrupt, progress): (&Interrupt, &mut Progress),
) -> Result<(Results, bool), CliError> {
    let mut results: Results = (0..pairs.len()).map(|_| None).collect();
    let known = log.iter_mut().flat_map(|(_, known)| std::mem::take(known));
    for (at, answered) in known {
        results[at] = Some(Ok(answered));
    }
    let left = (0..pairs.len()).filter(|&at| results[at].is_none());
    let left: Vec<usize> = left.collect();
    progress.kept(pairs.len() - left.len());
    let to_run: Vec<Pair> = left.iter().map(|&at| pairs[at].clone()).collect();
    let keep = |at: usize, evaluated: Result<Evaluated<'_, PreparedSample>, String>| {
        let answered = evaluated.and_then(Answered::of);
        if let (Some((log, _)), Ok(answered)) = (log.as_mut(), &answered) {
            log.append(left[at], answered)?;
        }
        results[left[at]] = Some(answered);
        Ok(())
    };
    let interrupted = session.evaluate(problems, &to_run, interrupt, progress, keep)?;
    if let Some((log, _)) = log {
        log.sync()?;
    }
    Ok((results, interrupted))
}

/// What results depend on beside the pairs: names and values.
fn origin(loaded: &Loaded, problems: &[SampleProblem]) -> [(&'static str, String); 5] {
    let model = loaded.session.model();
    let tasks = TaskManifest::of(problems);
    let samples = tasks.iter().map(|task| task.samples_hash.as_str());
    let samples: Vec<&str> = samples.collect();
    [
        ("model", model.hash().to_owned()),
        ("tokenizer", loaded.tokenizer.hash().to_owned()),
        ("dtype", dtype_name(model.compute().kind).to_owned()),
        ("repeat", format!("{:?}", loaded.session.engine().repeat())),
        ("samples", samples.join(",")),
    ]
}

/// How the evaluation was run, for its files.
fn setting(args: &EvalArgs, loaded: &Loaded) -> Setting {
    let (model, tokenizer, prompts) = (
        loaded.session.model(),
        &loaded.tokenizer,
        &args.tasks.prompts,
    );
    let token = |name| {
        let (text, id) = tokenizer.special(name)?;
        Some((text.to_owned(), id))
    };
    let template = tokenizer.chat().ok().filter(|_| prompts.chat);
    Setting {
        model: args.model.model.clone(),
        model_hash: model.hash().to_owned(),
        parameters: model.spec().parameters(),
        max_length: model.spec().max_positions,
        dtype: dtype_name(model.compute().kind),
        device: args.model.compute.device.clone(),
        version: env!("CARGO_PKG_VERSION"),
        chat: prompts.chat,
        fewshot_as_multiturn: prompts.examples_as_turns(),
        system: prompts.system.clone(),
        chat_template: template.map(|template| template.source().to_owned()),
        letters: prompts.letters,
        rotations: prompts.rotations,
        no_bos: prompts.no_bos,
        limit: args.tasks.limit,
        conditions: args
            .tasks
            .conditions
            .iter()
            .map(ToString::to_string)
            .collect(),
        pad_token: token("pad_token"),
        eos_token: token("eos_token"),
        bos_token: token("bos_token"),
    }
}

/// Metrics by task, on the terminal and in `--out`.
fn report(
    args: &EvalArgs,
    results: &lm_tasks::output::Results<'_>,
    layout: &PromptLayout,
) -> Result<(), CliError> {
    if let Some(out) = &args.out {
        for (name, text) in results.files(&|sample| layout.texts(sample))? {
            output::file(&out.join(name), &text)?;
        }
    }
    if args.json {
        return output::json(&results.summary());
    }
    let mut table = String::new();
    for (task, rows) in &results.tasks {
        let metrics = metrics_of(task, rows);
        for key in task.metric_keys() {
            let number = |key: &str| metrics.get(key).and_then(Value::as_f64);
            let error = number(&standard_error_key(&key));
            let error = error.map_or_else(String::new, |e| format!(" ± {e:.4}"));
            let value = number(&key).unwrap_or(0.0);
            // Writing to a String cannot fail.
            let _ = writeln!(
                table,
                "{:<20} {key:<32} {value:.4}{error}   n = {}",
                task.name,
                rows.len()
            );
        }
    }
    for (task, rows) in &results.tasks {
        let lost = rows.iter().filter_map(|(_, done)| (*done)?.degradation);
        let lost: Vec<f64> = lost.collect();
        // The unmodified model loses nothing.
        if let Some(mean) = Mean::of(&lost).filter(|mean| mean.value != 0.0) {
            let _ = writeln!(
                table,
                "{:<20} {:<32} {:.4} nats a token   n = {}",
                task.name, "degradation", mean.value, mean.n
            );
        }
    }
    if results.skipped_rows > 0 {
        let _ = writeln!(table, "bad rows skipped: {}", results.skipped_rows);
    }
    output::print(&table)
}

/// The tasks with those of their samples that were run.
fn by_task<'a>(
    samples: &'a [Arc<Sample>],
    results: &'a Results,
) -> Vec<(&'a TaskSpec, Vec<Row<'a>>)> {
    let rows_of = |task: &'a TaskSpec| {
        let done = samples.iter().zip(results);
        let done = done.filter(|(sample, done)| sample.task.name == task.name && done.is_some());
        done.map(|(sample, done)| {
            let done = done.as_ref().and_then(|done| done.as_ref().ok());
            (&**sample, done.map(|done| &done.result))
        })
        .collect()
    };
    let tasks = tasks_of(samples).into_iter();
    tasks.map(|task| (task, rows_of(task))).collect()
}

fn tasks_of(samples: &[Arc<Sample>]) -> Vec<&TaskSpec> {
    let mut seen = BTreeSet::new();
    let first = samples
        .iter()
        .filter(|sample| seen.insert(&sample.task.name));
    first.map(|sample| &*sample.task).collect()
}
