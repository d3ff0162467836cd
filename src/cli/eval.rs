//! `cola eval`: fixed chains on a task.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    io::BufReader,
    path::Path,
    sync::Arc,
    time::{Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    CliError, Ending,
    args::EvalArgs,
    output,
    prompts::tell_warnings,
    setup::{self, Loaded},
    show_prompts, tasks,
};
use crate::{
    analysis::Mean,
    prepare::{Answer, PreparedSample, PromptLayout},
    run::{Evaluated, Pair, Progress, degradation, note},
    session::dtype_name,
};
use cola_engine::Cost;
use cola_files::LinesOf;
use cola_search::chain::Chain;
use lm_tasks::{
    Sample, TaskSpec,
    output::{Response, Row, SampleResult, Setting, metrics_of},
    standard_error_key,
};

/// What a chain answered, and what that cost.
#[derive(Debug)]
struct Answered {
    result: SampleResult,
    cost: Cost,
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
type Results = Vec<Option<Result<Answered, String>>>;

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
        Some(file) => read_pairs(file, samples, depth)?,
        None => (0..samples.len())
            .map(|problem| Pair {
                problem,
                chain: chain.clone(),
            })
            .collect(),
    };
    let loaded = setup::load(&model, &args.model.compute)?;
    let layout = Arc::new(loaded.layout(&args.tasks.prompts, None)?);
    let interrupt = setup::interrupt_flag();
    if let Some(out) = &args.out {
        // Before hours of work, not after.
        output::directory(out)?;
    }
    let problems = loaded_tasks.problems(&layout);
    let mut progress = Progress::new("cola eval", false);
    let (began, started) = (SystemTime::now(), Instant::now());
    let (all, wanted) = with_unmodified(&pairs, depth);
    let mut results: Results = (0..all.len()).map(|_| None).collect();
    let keep = |at: usize, evaluated: Result<Evaluated<'_, PreparedSample>, String>| {
        results[at] = Some(evaluated.and_then(Answered::of));
    };
    let session = &loaded.session;
    session.evaluate(&problems, &all, &interrupt, &mut progress, keep)?;
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
        write_pairs(&args, samples, &pairs, &results, (skipped, seconds))?;
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
    Ok(match () {
        () if results.iter().any(Option::is_none) => Ending::Interrupted,
        () if results.iter().flatten().any(Result::is_err) => Ending::Failures,
        () => Ending::Done,
    })
}

/// The pairs, and before the first of a sample the unmodified model, where it runs another chain and no pair runs that: its loss
/// on the prompt is what degradations are measured from. With it, which of them were asked for.
fn with_unmodified(pairs: &[Pair], depth: usize) -> (Vec<Pair>, Vec<bool>) {
    let unmodified = |pair: &&Pair| pair.chain.is_identity(depth);
    let mut run: BTreeSet<usize> = pairs.iter().filter(unmodified).map(|p| p.problem).collect();
    let (mut all, mut wanted) = (Vec::with_capacity(pairs.len()), Vec::new());
    for pair in pairs {
        if run.insert(pair.problem) {
            let chain = Chain::identity(depth);
            let problem = pair.problem;
            all.push(Pair { problem, chain });
            wanted.push(false);
        }
        all.push(pair.clone());
        wanted.push(true);
    }
    (all, wanted)
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

/// A line of `--pairs`.
#[derive(Deserialize)]
struct PairLine {
    id: Value,
    /// Null in what `cola export` writes of a sample without a right chain.
    chain: Value,
    #[serde(default)]
    task: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl PairLine {
    /// A field that is neither a pair's nor what `cola export --format jsonl` writes beside it.
    fn unknown(&self) -> Option<&String> {
        let mut others = self.others.keys();
        others.find(|field| !crate::export::COLUMNS.contains(&field.as_str()))
    }
}

fn read_pairs(file: &Path, samples: &[Arc<Sample>], depth: usize) -> Result<Vec<Pair>, CliError> {
    let lines = cola_files::open(file).map_err(|source| CliError::Io {
        path: file.to_owned(),
        source,
    })?;
    let mut by_id: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, sample) in samples.iter().enumerate() {
        by_id.entry(&sample.id).or_default().push(at);
    }
    let mut pairs = Vec::new();
    for (number, line) in LinesOf::new(BufReader::new(lines)).enumerate() {
        let bad = |reason: String| {
            CliError::Usage(format!("{}:{}: {reason}", file.display(), number + 1))
        };
        let line = line.map_err(|error| bad(error.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let line: PairLine = serde_json::from_str(&line).map_err(|error| bad(error.to_string()))?;
        if let Some(field) = line.unknown() {
            return Err(bad(format!(
                "unknown field `{field}`; a pair has id, chain and task"
            )));
        }
        let chain = match &line.chain {
            Value::Null => continue,
            Value::String(chain) => chain,
            other => return Err(bad(format!("chain: expected a text, found {other}"))),
        };
        let id = match line.id {
            Value::String(id) => id,
            other => other.to_string(),
        };
        let named = by_id.get(id.as_str()).map_or(&[][..], Vec::as_slice);
        let in_task = |at: &&usize| {
            line.task
                .as_ref()
                .is_none_or(|task| samples[**at].task.name == *task)
        };
        let found: Vec<usize> = named.iter().filter(in_task).copied().collect();
        let sample = match found.as_slice() {
            [sample] => *sample,
            [] => return Err(bad(format!("no sample has the id {id:?}"))),
            _ => {
                return Err(bad(format!(
                    "several tasks have a sample {id:?}; name one with \"task\""
                )));
            }
        };
        let chain = Chain::parse(chain, depth).map_err(|error| bad(error.to_string()))?;
        pairs.push(Pair {
            problem: sample,
            chain,
        });
    }
    match pairs.is_empty() {
        true => Err(CliError::Usage(format!("{}: no pairs", file.display()))),
        false => Ok(pairs),
    }
}

fn write_pairs(
    args: &EvalArgs,
    samples: &[Arc<Sample>],
    pairs: &[Pair],
    results: &Results,
    (skipped, seconds): (usize, f64),
) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Line<'a> {
        id: &'a str,
        chain: &'a Chain,
        correct: bool,
        margin: Option<f64>,
        degradation: Option<f64>,
        answer: &'a str,
        steps: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    }
    let mut text = String::new();
    let mut correct = 0;
    let mut cost = Cost::default();
    for (pair, result) in pairs.iter().zip(results) {
        let (id, chain) = (&samples[pair.problem].id, &pair.chain);
        let line = match result {
            None => continue,
            Some(Ok(done)) => Line {
                id,
                chain,
                correct: done.result.correct,
                margin: done.result.margin,
                degradation: done.result.degradation,
                answer: &done.result.answer,
                steps: done.cost.steps_run + done.cost.steps_grown + done.cost.decode_steps,
                error: None,
            },
            Some(Err(error)) => Line {
                id,
                chain,
                correct: false,
                margin: None,
                degradation: None,
                answer: "",
                steps: 0,
                error: Some(error),
            },
        };
        correct += usize::from(line.correct);
        if let Some(Ok(done)) = result {
            cost += done.cost;
        }
        text += &to_line(&line)?;
    }
    // `--pairs` requires `--out`.
    let path = args.out.as_deref().unwrap_or(Path::new("."));
    let path = path.join("pairs.jsonl");
    output::file(&path, &text)?;
    if args.json {
        let run = results.iter().flatten().count();
        return output::json(&json!({
            "model": args.model.model,
            "pairs": run,
            "correct": correct,
            "failed": results.iter().flatten().filter(|r| r.is_err()).count(),
            "skipped_rows": skipped,
            "seconds": seconds,
            "chains_per_second": run as f64 / seconds,
            "steps_run": cost.steps_run,
            "steps_grown": cost.steps_grown,
            "steps_saved": cost.steps_saved,
            "tokens_decoded": cost.tokens_decoded,
            "tokens_drafted": cost.tokens_drafted,
            "decode_steps": cost.decode_steps,
            "passes": cost.passes,
            "file": path,
        }));
    }
    output::line(&format!(
        "{correct} of {} pairs correct; {}",
        results.iter().flatten().count(),
        path.display()
    ))
}

fn to_line(value: &impl Serialize) -> Result<String, CliError> {
    let line = serde_json::to_string(value).map_err(|error| CliError::Output(error.into()))?;
    Ok(line + "\n")
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
