//! Tests of whole tasks: from a YAML text and rows to samples and verdicts.

mod complete;
mod endless;
mod grading;
mod loading;
mod prompts;
mod refusals;
mod shipped;

use std::fs;
use std::sync::Arc;

use super::*;

/// A task file and a data file in a directory of their own.
struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Bench {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// Writes a file and returns its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn task(&self, yaml: &str) -> Result<TaskSpec, TaskError> {
        resolve(&self.file("task.yaml", yaml))
    }

    fn samples(&self, task: TaskSpec, file: &str, rows: &str) -> Result<Vec<Sample>, TaskError> {
        let options = LoadOptions {
            data: vec![self.file(file, rows).into()],
            ..LoadOptions::default()
        };
        load_samples(&Arc::new(task), &options).map(|loaded| loaded.samples)
    }
}

/// The samples of a built-in task over these JSONL rows.
fn built_in_samples(task: &str, rows: &str) -> Vec<Sample> {
    Bench::new()
        .samples(resolve(task).unwrap(), "rows.jsonl", rows)
        .unwrap()
}

/// The one sample of a task file's text and one row.
fn sample(yaml: &str, row: &str) -> Result<Sample, TaskError> {
    let bench = Bench::new();
    let mut samples = bench.samples(bench.task(yaml)?, "rows.jsonl", row)?;
    Ok(samples.remove(0))
}

const CHOICE: &str = "task: t\noutput_type: multiple_choice\ndoc_to_text: q\ndoc_to_target: gold\ndoc_to_choice: options\n";
const GENERATE: &str = "task: t\ndoc_to_text: q\ndoc_to_target: gold\n";
