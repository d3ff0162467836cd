//! `cola eval --pairs`: reading the pairs, and writing what came of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::BufReader,
    path::Path,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{CliError, args::EvalArgs, eval::Results, output};
use crate::run::Pair;
use cola_engine::Cost;
use cola_files::LinesOf;
use cola_search::chain::Chain;
use lm_tasks::Sample;

/// The pairs, and before the first of a sample the unmodified model, where it runs another chain and no pair runs that: its loss
/// on the prompt is what degradations are measured from. With it, which of them were asked for.
pub fn with_unmodified(pairs: &[Pair], depth: usize) -> (Vec<Pair>, Vec<bool>) {
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

/// Reads the pairs of a file.
pub fn read(file: &Path, samples: &[Arc<Sample>], depth: usize) -> Result<Vec<Pair>, CliError> {
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
        let line: Value = serde_json::from_str(&line).map_err(|error| bad(error.to_string()))?;
        if !line.is_object() {
            return Err(bad("expected one JSON object on each line".to_owned()));
        }
        let line: PairLine =
            serde_json::from_value(line).map_err(|error| bad(error.to_string()))?;
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

/// Writes `pairs.jsonl`, and a summary to standard output.
pub fn write(
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
