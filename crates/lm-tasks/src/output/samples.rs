//! `samples_TASK_TIME.jsonl` as lm-evaluation-harness 0.4 writes it: one line for each sample and
//! filter, with every number of a response as text, and some keys of our own beside its keys.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Response, Row};
use crate::{DEFAULT_MAX_TOKENS, Output, Question, Sample, TaskError, TaskSpec, truncate_at_stop};
use pyjinja::python::float as python_float;
use pyjinja::python::{line_json, row_json};

/// The lines of a task, and the hash of the rows, prompts and targets in them.
pub(super) struct SampleLines {
    pub text: String,
    pub hash: String,
}

/// The lines of a task: all samples under its first filter, then under its second.
pub(super) fn sample_lines(
    task: &TaskSpec,
    chain: &str,
    rows: &[Row<'_>],
    prompts: &dyn Fn(&Sample) -> Result<Vec<String>, TaskError>,
) -> Result<SampleLines, TaskError> {
    let (mut text, mut hashes) = (String::new(), String::new());
    for filter in 0..task.filters.len() {
        for row in rows {
            let line = line(task, chain, filter, row, &prompts(row.0)?);
            for key in ["doc_hash", "prompt_hash", "target_hash"] {
                hashes += line[key].as_str().unwrap_or_default();
            }
            text += &line_json(&line);
            text.push('\n');
        }
    }
    Ok(SampleLines {
        text,
        hash: sha256(&hashes),
    })
}

fn line(
    task: &TaskSpec,
    chain: &str,
    filter: usize,
    (sample, done): &Row<'_>,
    prompts: &[String],
) -> Value {
    let arguments = arguments(task, sample, prompts);
    let (resps, filtered) = responses(task, filter, sample, done.map(|done| &done.response));
    let names: Vec<&str> = task.metrics.iter().map(|metric| metric.name()).collect();
    let mut line = json!({
        "doc_id": sample.index,
        "doc": &*sample.doc,
        "target": sample.own.target,
        "arguments": Map::from_iter(arguments.iter().enumerate().map(|(at, (context, other))| {
            let mut argument = json!({ "arg_0": context });
            if let Some(other) = other {
                argument["arg_1"] = other.clone();
            }
            (format!("gen_args_{at}"), argument)
        })),
        "resps": resps,
        "filtered_resps": filtered,
        "filter": task.filters[filter].name,
        "metrics": names,
        "doc_hash": sha256(&row_json(&sample.doc)),
        "prompt_hash": sha256(arguments.first().map_or("", |(context, _)| context)),
        "target_hash": sha256(&sample.own.target),
    });
    for (at, name) in names.iter().enumerate() {
        let value = done.and_then(|done| done.values.get(filter * names.len() + at));
        let metric = &task.metrics[at];
        let value = value.copied().unwrap_or(metric.of_nothing());
        line[name] = match metric.length(sample.gold_text()) {
            Some(length) => json!([value, length]),
            None => json!(value),
        };
    }
    if !sample.rotated.is_empty() {
        // The responses to the rotated orders, one after the other.
        let rotated = done.map_or(&[][..], |done| &done.rotated);
        let answers = rotated
            .iter()
            .map(|response| responses(task, filter, sample, Some(response)).0);
        line["rotated_resps"] = json!(answers.collect::<Vec<_>>());
    }
    line["id"] = json!(sample.id);
    line["chain"] = json!(chain);
    line["prompt"] = json!(sample.own.context);
    line["gold"] = json!(sample.gold_text());
    line["correct"] = json!(done.is_some_and(|done| done.correct));
    line["margin"] = json!(done.and_then(|done| done.margin));
    line["prompt_loss"] = json!(done.and_then(|done| done.prompt_loss));
    line["degradation"] = json!(done.and_then(|done| done.degradation));
    line["answer"] = json!(done.map(|done| &done.answer));
    line
}

/// The model's inputs: contexts, each with a continuation or generation options. A rolling text has
/// no context.
fn arguments<'s>(
    task: &TaskSpec,
    sample: &'s Sample,
    prompts: &'s [String],
) -> Vec<(&'s str, Option<Value>)> {
    let first = prompts.first().map_or("", String::as_str);
    match &sample.own.question {
        Question::Choice { continuations, .. } => continuations
            .iter()
            .map(|continuation| (first, Some(json!(continuation))))
            .collect(),
        Question::ChoiceOfPrompts { continuation, .. } => prompts
            .iter()
            .map(|prompt| (prompt.as_str(), Some(json!(continuation))))
            .collect(),
        Question::Text { text } => vec![(first, Some(json!(text)))],
        Question::Rolling { text } => vec![(text, None)],
        Question::Generate { .. } => vec![(first, Some(generation(task)))],
    }
}

/// The generation options of the task file. Stop texts and the token limit are those of the run, if
/// these differ.
fn generation(task: &TaskSpec) -> Value {
    let own = task.config.get("generation_kwargs").cloned();
    let mut options = own.unwrap_or_else(
        || json!({ "temperature": 0.0, "do_sample": false, "max_gen_toks": DEFAULT_MAX_TOKENS }),
    );
    if let Some(temperature) = options.get("temperature").and_then(Value::as_f64) {
        options["temperature"] = json!(temperature);
    }
    let Output::Generate { until, max_tokens } = &task.output else {
        return options;
    };
    let said = options.get("until").map(|said| match said {
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        one => Vec::from_iter(one.as_str()),
    });
    if said.is_none_or(|said| said.iter().filter(|stop| !stop.is_empty()).ne(until)) {
        options["until"] = json!(until);
    }
    let named = options.as_object().is_some_and(|options| {
        let mut names = options.keys();
        names.any(|name| name.starts_with("max_"))
    });
    if !named && *max_tokens != DEFAULT_MAX_TOKENS {
        options["max_gen_toks"] = json!(max_tokens);
    }
    options
}

/// `resps` and `filtered_resps`; both are empty for a sample that failed.
fn responses(
    task: &TaskSpec,
    filter: usize,
    sample: &Sample,
    response: Option<&Response>,
) -> (Value, Value) {
    match response {
        Some(Response::Scores { log_probs, .. })
            if matches!(sample.own.question, Question::Rolling { .. }) =>
        {
            let texts: Vec<String> = log_probs.iter().copied().map(python_float).collect();
            (json!([texts]), json!(texts))
        }
        Some(Response::Scores { log_probs, greedy }) => {
            let pairs = log_probs.iter().zip(greedy).map(|(log_prob, greedy)| {
                // Python's spelling of numbers and truth values.
                let greedy = if *greedy { "True" } else { "False" };
                json!([python_float(*log_prob), greedy])
            });
            let pairs: Vec<Value> = pairs.collect();
            let each: Vec<Value> = pairs.iter().map(|pair| json!([pair])).collect();
            (json!(each), json!(pairs))
        }
        Some(Response::Text(text)) => {
            let until = match &sample.own.question {
                Question::Generate { until, .. } => until.as_slice(),
                _ => &[],
            };
            let text = truncate_at_stop(text, until);
            (
                json!([[text]]),
                json!([task.filters[filter].apply(text, &sample.doc)]),
            )
        }
        Some(Response::Nothing) | None => (json!([]), json!([])),
    }
}

/// The SHA-256 of a text, 64 hex digits.
pub(super) fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
