//! A real LLM on real questions, which `datasets/real.py` fetches: `cargo test --test real`, or `make test-real`, which fetches first.

#[path = "cli/support_cli.rs"]
mod support_cli;

use std::path::{Path, PathBuf};

use cola::{
    chain::Chain,
    model::{Compute, Model, Repeat, Tokenizer},
};
use serde_json::Value;
use support_cli::{Ended, cola, json_lines, list, number, repository};
use tempfile::TempDir;

/// Largest difference of a logit allowed in f32.
const TOLERANCE: f64 = 2e-4;
/// Largest difference of the sum of the log-probabilities of an option, nats.
const NATS: f64 = 1e-3;

fn fetched(file: &str) -> PathBuf {
    let path = repository().join(file);
    let shown = path.display();
    assert!(
        path.exists(),
        "{shown} is not there: run python3 datasets/real.py"
    );
    path
}

fn smollm2() -> PathBuf {
    fetched("models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
}

fn reference() -> Value {
    let text = std::fs::read_to_string(repository().join("tests/fixtures/smollm2.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    list(value)
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect()
}

#[test]
fn the_file_gives_the_tokens_logits_and_continuations_of_transformers() {
    let model = Model::load(&smollm2(), Compute::cpu()).unwrap();
    let tokenizer = Tokenizer::load(&smollm2()).unwrap();
    for case in list(&reference()["cases"]) {
        let prompt = tokenizer.encode(case["prompt"].as_str().unwrap()).unwrap();
        assert_eq!(prompt, ids(&case["ids"]), "{}", case["prompt"]);
        let chain = Chain::parse(case["chain"].as_str().unwrap(), model.depth()).unwrap();
        let after = |tokens: &[u32]| {
            let logits = model.logits(tokens, &chain, Repeat::Clean).unwrap();
            logits.get(-1)
        };
        let logits = after(&prompt);
        let expected = list(&case["logits"]);
        let every = logits.size()[0] / expected.len() as i64;
        for (at, expected) in expected.iter().enumerate() {
            let logit = logits.double_value(&[at as i64 * every]);
            let difference = (logit - number(expected)).abs();
            assert!(
                difference < TOLERANCE,
                "{chain} {}: {difference}",
                case["prompt"]
            );
        }
        let (mut tokens, mut greedy) = (prompt.clone(), Vec::new());
        for _ in list(&case["greedy"]) {
            greedy.push(after(&tokens).argmax(-1, false).int64_value(&[]) as u32);
            tokens.extend(greedy.last());
        }
        assert_eq!(greedy, ids(&case["greedy"]), "{chain} {}", case["prompt"]);
    }
}

/// The program on the fetched model and rows, in a directory.
fn run(directory: &Path, arguments: &[&str]) -> Ended {
    let mut command = cola(directory);
    command.args(arguments).arg("--model").arg(smollm2());
    command.args(["--task", "arc_easy", "sciq", "--limit", "8", "--data"]);
    command.arg(fetched("datasets/real/arc_easy.jsonl"));
    command.arg(fetched("datasets/real/sciq.arrow"));
    Ended::of(command.output().unwrap()).with_status(0)
}

/// The samples that `cola eval` wrote of a task, in order.
fn samples(out: &Path, task: &str) -> Vec<Value> {
    let begins = format!("samples_{task}_");
    let entries = std::fs::read_dir(out).unwrap().flatten();
    let mut files = entries.map(|entry| entry.path());
    let file = files.find(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(&begins)
    });
    json_lines(&std::fs::read_to_string(file.unwrap()).unwrap())
}

#[test]
fn eight_questions_of_two_tasks_get_the_log_likelihoods_of_transformers() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("out");
    run(directory.path(), &["eval", "--out", "out"]);
    for (task, expected) in reference()["tasks"].as_object().unwrap() {
        let found = samples(&out, task);
        assert_eq!(found.len(), list(expected).len());
        for (found, expected) in found.iter().zip(list(expected)) {
            let sums = list(&expected["log_likelihoods"]);
            let found = list(&found["filtered_resps"]);
            assert_eq!(found.len(), sums.len());
            for (found, sum) in found.iter().zip(sums) {
                let found: f64 = match &found[0] {
                    Value::String(text) => text.parse().unwrap(),
                    value => number(value),
                };
                let difference = (found - number(sum)).abs();
                assert!(difference < NATS, "{task}: {difference}");
            }
        }
    }
}

#[test]
fn a_search_of_eight_questions_of_two_tasks_finishes() {
    let directory = TempDir::new().unwrap();
    let search = ["search", "--simulations", "6", "--out", "run", "--json"];
    let summary = run(directory.path(), &search).json();
    let tasks = list(&summary["datasets"]);
    assert_eq!(tasks.len(), 2);
    for task in tasks {
        assert_eq!(task["samples"], 8);
        let (before, after) = (&task["baseline_correct"], &task["found_correct"]);
        assert!(before.as_u64() <= after.as_u64(), "{task}");
    }
    assert_eq!(summary["failed"], 0);
    let journal = std::fs::read_to_string(directory.path().join("run/samples.jsonl")).unwrap();
    assert_eq!(json_lines(&journal).len(), 16);
}
