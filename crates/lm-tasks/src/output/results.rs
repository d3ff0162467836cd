//! `results_TIME.json` as lm-evaluation-harness 0.4 writes it, with some keys of our own beside its
//! keys.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    Row, SampleResult, Setting,
    samples::{sample_lines, sha256},
};
use crate::{Metric, Sample, TaskError, TaskSpec, standard_error_key};

/// A finished evaluation of one chain.
pub struct Results<'a> {
    /// The settings of the evaluation.
    pub setting: &'a Setting,
    /// The chain.
    pub chain: String,
    /// Every task with its samples.
    pub tasks: Vec<(&'a TaskSpec, Vec<Row<'a>>)>,
    /// Number of samples that failed.
    pub failed: usize,
    /// Number of bad rows that were skipped.
    pub skipped_rows: usize,
    /// Start of the evaluation.
    pub started: SystemTime,
    /// Duration of the evaluation, in seconds.
    pub seconds: f64,
}

impl Results<'_> {
    /// The object that `--json` prints. It has no times, so that equal results print the same.
    pub fn summary(&self) -> Map<String, Value> {
        let object = json!({
            "model": self.setting.model,
            "chain": self.chain,
            "results": self.by_task(|task, rows| {
                let mut metrics = Map::new();
                metrics.insert("name".to_owned(), json!(task.name));
                metrics.insert("alias".to_owned(), json!(alias(task)));
                metrics.insert("sample_len".to_owned(), json!(rows.len()));
                metrics.extend(metrics_of(task, rows));
                Value::Object(metrics)
            }),
            "n-samples": self.by_task(|_, rows| {
                // The number of all rows is not known: those after the limit were not read, and
                // those that a condition leaves out were not counted.
                let all = self.setting.limit.is_none_or(|limit| rows.len() < limit)
                    && self.setting.conditions.is_empty();
                json!({ "original": all.then_some(rows.len()), "effective": rows.len() })
            }),
            "prompt_loss": self.by_task(|_, rows| mean_of(rows, |done| done.prompt_loss)),
            "degradation": self.by_task(|_, rows| mean_of(rows, |done| done.degradation)),
            "failed": self.failed,
            "skipped_rows": self.skipped_rows,
            "asked": self.asked(),
        });
        match object {
            Value::Object(object) => object,
            _ => Map::new(),
        }
    }

    /// The flags that determine the prompts and the rows that are used. lm-evaluation-harness does
    /// not have this key.
    fn asked(&self) -> Value {
        let setting = self.setting;
        json!({
            "chat": setting.chat,
            "letters": setting.letters,
            "rotations": setting.rotations,
            "no_bos": setting.no_bos,
            "where": setting.conditions,
        })
    }

    /// The files of the evaluation, as names and texts: the results, and the samples of each task.
    /// `prompts` gives the prompts of a sample as the model reads them: one, or one for each option
    /// if the options are prompts.
    ///
    /// # Errors
    /// Returns the errors of `prompts`.
    pub fn files(
        &self,
        prompts: &dyn Fn(&Sample) -> Result<Vec<String>, TaskError>,
    ) -> Result<Vec<(String, String)>, TaskError> {
        let time = date_id(self.started + Duration::from_secs_f64(self.seconds));
        let (mut files, mut hashes) = (Vec::new(), Map::new());
        for (task, rows) in &self.tasks {
            let lines = sample_lines(task, &self.chain, rows, prompts)?;
            // The name of a task may look like a path.
            let name = task.name.replace(['/', '\\'], "_");
            files.push((format!("samples_{name}_{time}.jsonl"), lines.text));
            hashes.insert(task.name.clone(), json!(lines.hash));
        }
        let mut results = self.summary();
        results.extend(self.tables());
        results.insert("config".to_owned(), self.config());
        results.extend(self.circumstances());
        results.insert("task_hashes".to_owned(), Value::Object(hashes));
        // Texts, numbers and lists can always be serialised.
        let text = serde_json::to_string_pretty(&results).unwrap_or_default();
        files.push((format!("results_{time}.json"), text + "\n"));
        Ok(files)
    }

    fn by_task(&self, of: impl Fn(&TaskSpec, &[Row<'_>]) -> Value) -> Map<String, Value> {
        let tasks = self.tasks.iter();
        tasks
            .map(|(task, rows)| (task.name.clone(), of(task, rows)))
            .collect()
    }

    /// The tables that have an entry for every task.
    fn tables(&self) -> Map<String, Value> {
        let tables = [
            ("group_subtasks", Map::new()),
            ("configs", self.by_task(|task, _| json!(config_of(task)))),
            ("versions", self.by_task(|task, _| version(task))),
            ("n-shot", self.by_task(|task, _| json!(task.num_fewshot))),
            (
                "higher_is_better",
                self.by_task(|task, _| {
                    let told = |metric: &Metric| {
                        let better = said_better(task, metric.name());
                        let better = better.unwrap_or_else(|| json!(metric.higher_is_better()));
                        (metric.name().to_owned(), better)
                    };
                    Value::Object(task.metrics.iter().map(told).collect())
                }),
            ),
        ];
        let tables = tables.into_iter();
        tables
            .map(|(name, table)| (name.to_owned(), Value::Object(table)))
            .collect()
    }

    fn config(&self) -> Value {
        let setting = self.setting;
        json!({
            "model": "cola",
            "model_args": format!(
                "pretrained={},dtype={},chain={}{}",
                setting.model,
                setting.dtype,
                self.chain,
                if setting.no_bos { ",add_bos_token=False" } else { "" },
            ),
            "model_num_parameters": setting.parameters,
            "model_dtype": setting.torch_dtype(),
            "model_revision": null,
            "model_sha": setting.model_hash,
            "batch_size": null,
            "batch_sizes": [],
            "device": setting.device,
            "use_cache": null,
            "limit": self.setting.limit,
            "bootstrap_iters": 0,
            "gen_kwargs": null,
            "random_seed": null,
            "numpy_seed": null,
            "torch_seed": null,
            "fewshot_seed": 1234,
        })
    }

    /// Program, tokenizer and times.
    fn circumstances(&self) -> Map<String, Value> {
        let setting = self.setting;
        let token = |token: &Option<(String, Option<u32>)>| match token {
            Some((text, id)) => json!([text, id.map_or("None".to_owned(), |id| id.to_string())]),
            None => json!([null, "None"]),
        };
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH);
        let started = started.unwrap_or_default().as_secs_f64();
        let (name, system) = (&setting.model, &setting.system);
        let template = setting.chat_template.as_deref();
        let object = json!({
            "git_hash": null,
            "date": started,
            "pretty_env_info": null,
            "transformers_version": null,
            "lm_eval_version": null,
            "cola_version": setting.version,
            "upper_git_hash": null,
            "tokenizer_pad_token": token(&setting.pad_token),
            "tokenizer_eos_token": token(&setting.eos_token),
            "tokenizer_bos_token": token(&setting.bos_token),
            "eot_token_id": setting.eos_token.as_ref().and_then(|(_, id)| *id),
            "max_length": setting.max_length,
            "model_source": "cola",
            "model_name": name,
            "model_name_sanitized": sanitized(name),
            "system_instruction": system,
            "system_instruction_sha": system.as_deref().map(sha256),
            "fewshot_as_multiturn": setting.fewshot_as_multiturn,
            "chat_template": template,
            "chat_template_sha": template.map(sha256),
            "start_time": started,
            "end_time": started + self.seconds,
            "total_evaluation_time_seconds": self.seconds.to_string(),
        });
        match object {
            Value::Object(object) => object,
            _ => Map::new(),
        }
    }
}

/// Means and standard errors under lm-evaluation-harness's keys. A failed sample counts as wrong.
pub fn metrics_of(task: &TaskSpec, rows: &[Row<'_>]) -> Map<String, Value> {
    let mut metrics = Map::new();
    let of_filters = task.filters.iter().flat_map(|_| &task.metrics);
    for ((at, key), metric) in task.metric_keys().into_iter().enumerate().zip(of_filters) {
        let value = |(_, done): &Row<'_>| done.and_then(|d| d.values.get(at).copied());
        let values = rows.iter().map(|row| {
            let length = metric.length(row.0.gold_text());
            (value(row).unwrap_or(metric.of_nothing()), length)
        });
        let values: Vec<(f64, Option<usize>)> = values.collect();
        if let Some(mean) = metric.over_samples(&values) {
            let error = mean
                .standard_error
                .map_or(json!("N/A"), |error| json!(error));
            let error_key = standard_error_key(&key);
            metrics.insert(key, json!(mean.value));
            metrics.insert(error_key, error);
        }
    }
    metrics
}

/// Mean of a number that some samples have, nats a token, to three decimals: what follows changes with the batches that the
/// rows ran in. `null` where no sample has the number.
fn mean_of(rows: &[Row<'_>], number: impl Fn(&SampleResult) -> Option<f64>) -> Value {
    let numbers = rows.iter().filter_map(|(_, done)| number((*done)?));
    let numbers: Vec<f64> = numbers.collect();
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let rounded = (mean * 1000.0).round() / 1000.0;
    json!({ "mean": rounded.is_finite().then_some(rounded), "samples": numbers.len() })
}

/// `higher_is_better` as the task file gives it.
fn said_better(task: &TaskSpec, metric: &str) -> Option<Value> {
    let listed = task.config.get("metric_list")?.as_array()?;
    let own = listed.iter().find(|entry| entry["metric"] == metric)?;
    own.get("higher_is_better").cloned()
}

fn alias(task: &TaskSpec) -> &str {
    let alias = task.config.get("task_alias").and_then(Value::as_str);
    alias.unwrap_or(&task.name)
}

/// The task's keys, with the defaults of those it leaves out.
fn config_of(task: &TaskSpec) -> Map<String, Value> {
    let mut config = task.config.clone();
    for (key, value) in [
        ("unsafe_code", json!(false)),
        ("description", json!(task.description)),
        ("target_delimiter", json!(task.target_delimiter)),
        ("fewshot_delimiter", json!(task.fewshot_delimiter)),
        ("repeats", json!(1)),
        ("should_decontaminate", json!(false)),
        ("output_type", json!("generate_until")),
    ] {
        config.entry(key).or_insert(value);
    }
    config.insert("num_fewshot".to_owned(), json!(task.num_fewshot));
    config
}

/// `metadata.version`, or `Yaml` for a task without one, as in lm-evaluation-harness.
fn version(task: &TaskSpec) -> Value {
    let metadata = task.config.get("metadata");
    let version = metadata.and_then(|metadata| metadata.get("version"));
    version.cloned().unwrap_or_else(|| json!("Yaml"))
}

/// A model's name as lm-evaluation-harness puts it into paths.
fn sanitized(name: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for char in name.chars() {
        let odd = "\"<>:/|\\?*[]".contains(char);
        match odd {
            true if inside => {}
            true => out.push_str("__"),
            false => out.push(char),
        }
        inside = odd;
    }
    out
}

/// ISO 8601 with microseconds in UTC, its colons written as dashes: `2026-01-31T23-59-59.000001`.
fn date_id(time: SystemTime) -> String {
    DateTime::<Utc>::from(time)
        .format("%Y-%m-%dT%H-%M-%S%.6f")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_iso_dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00-00-00.000000"),
            (951_782_399, "2000-02-28T23-59-59.000000"),
            (951_782_400, "2000-02-29T00-00-00.000000"),
            (1_709_251_199, "2024-02-29T23-59-59.000000"),
            (4_107_542_399, "2100-02-28T23-59-59.000000"),
            (4_107_542_400, "2100-03-01T00-00-00.000000"),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(date_id(time), date);
        }
    }

    #[test]
    fn a_models_name_fits_into_a_path() {
        assert_eq!(sanitized("org/name@abc"), "org__name@abc");
        assert_eq!(sanitized("C:\\models\\x"), "C__models__x");
    }
}
