//! Parses the keys of a task file into a [`TaskSpec`]. Anything that is not understood is refused,
//! never ignored.

use crate::TEMPLATES;
use std::path::PathBuf;

use pyjinja::{Columns, yaml};
use serde_json::Value as Json;
use serde_yaml_ng::Value;

use super::data::Condition;
use super::error::TaskError;
use super::filter::Pipeline;
use super::parse_scoring::{filters, metrics};
use super::process::{Comparison, RowProcess};
use super::spec::{DataSource, ExampleFields, Field, Output, TaskSpec};
use super::yaml::{Entry, Keys, scalar};

/// Keys that change neither prompt nor score.
const IGNORED: [&str; 7] = [
    "metadata",
    "tag",
    "group",
    "task_alias",
    "group_alias",
    "should_decontaminate",
    "doc_to_decontamination_query",
];

/// Names of the option for the most tokens to generate. If several are given, the first in this
/// list counts.
const MAX_TOKENS: [&str; 4] = [
    "max_gen_toks",
    "max_new_tokens",
    "max_tokens",
    "max_completion_tokens",
];

/// lm-evaluation-harness's limit of generated tokens for a task that gives none.
pub const DEFAULT_MAX_TOKENS: usize = 256;

/// Builds the task; `directory` is where its relative paths start.
pub(super) fn task(mut keys: Keys, directory: Option<PathBuf>) -> Result<TaskSpec, TaskError> {
    let config = keys.config();
    for key in IGNORED {
        keys.take(key);
    }
    let name = match keys.take("task") {
        Some(entry) if entry.value.is_sequence() => {
            return Err(entry.error("this is a group of tasks; name one task"));
        }
        Some(entry) => entry.text()?,
        None => return Err(keys.missing("task", "missing: the name of the task")),
    };
    let fewshot_delimiter = text_or(&mut keys, "fewshot_delimiter", "\n\n")?;
    let output = output(&mut keys, &fewshot_delimiter)?;
    let multiple_choice = output == Output::MultipleChoice;
    let comparison = named(
        &mut keys,
        "process_results",
        Comparison::NAMES,
        Comparison::named,
    )?;
    let spec = TaskSpec {
        name,
        file: keys.file.clone(),
        source: data_source(&mut keys, directory)?,
        description: description(&mut keys)?,
        target_delimiter: text_or(&mut keys, "target_delimiter", " ")?,
        fewshot_delimiter,
        num_fewshot: keys
            .take("num_fewshot")
            .map_or(Ok(0), |entry| entry.count())?,
        first_examples: false,
        same_column: None,
        examples: None,
        example_fields: ExampleFields::default(),
        process: named(
            &mut keys,
            "process_docs",
            RowProcess::NAMES,
            RowProcess::named,
        )?,
        config,
        metrics: metrics(&mut keys, &output, comparison)?,
        filters: match keys.take("filter_list") {
            Some(entry) => filters(&entry, &output)?,
            None => vec![Pipeline::unnamed()],
        },
        prompt: match output {
            // A rolling text has no prompt.
            Output::Rolling => {
                keys.take("doc_to_text");
                Field::Text(String::new())
            }
            _ => required(&mut keys, "doc_to_text")?,
        },
        target: required(&mut keys, "doc_to_target")?,
        choices: choices(&mut keys, multiple_choice)?,
        letters: false,
        answer_prefix: keys
            .take("gen_prefix")
            .map(|entry| field(&entry))
            .transpose()?,
        output,
    };
    if let Some(entry) = keys.take("repeats")
        && entry.count()? != 1
    {
        return Err(entry
            .error("only 1 is supported: decoding is greedy, so every repeat would be the same"));
    }
    let spec = fewshot(&mut keys, spec)?;
    keys.finish()?;
    Ok(spec)
}

/// The value of a key that names a built-in function.
fn named<T>(
    keys: &mut Keys,
    key: &str,
    known: &str,
    find: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, TaskError> {
    let Some(entry) = keys.take(key) else {
        return Ok(None);
    };
    let name = entry.text()?;
    match find(&name) {
        Some(found) => Ok(Some(found)),
        None => Err(entry.error(format!("`{name}` is unknown; known: {known}"))),
    }
}

fn text_or(keys: &mut Keys, key: &str, default: &str) -> Result<String, TaskError> {
    keys.take(key)
        .map_or_else(|| Ok(default.to_owned()), |entry| entry.text())
}

fn description(keys: &mut Keys) -> Result<String, TaskError> {
    let Some(entry) = keys.take("description") else {
        return Ok(String::new());
    };
    let text = entry.text()?;
    TEMPLATES
        .check(&text)
        .map_err(|reason| entry.error(reason))?;
    Ok(text)
}

/// `output_type` and `generation_kwargs`.
fn output(keys: &mut Keys, fewshot_delimiter: &str) -> Result<Output, TaskError> {
    let kind = keys.take("output_type");
    let generation = keys.take("generation_kwargs");
    match kind.as_ref().map(Entry::text).transpose()?.as_deref() {
        // Like lm-evaluation-harness, this ignores the generation options of a task that generates
        // nothing.
        Some("multiple_choice") => Ok(Output::MultipleChoice),
        Some("loglikelihood") => Ok(Output::LogLikelihood),
        Some("loglikelihood_rolling") => Ok(Output::Rolling),
        Some("generate_until") | None => generate(generation.as_ref(), fewshot_delimiter),
        Some(other) => {
            let message = format!(
                "`{other}` is not supported: only multiple_choice, loglikelihood, loglikelihood_rolling and generate_until"
            );
            Err(kind.map_or_else(
                || keys.missing("output_type", &message),
                |entry| entry.error(&message),
            ))
        }
    }
}

fn generate(entry: Option<&Entry>, fewshot_delimiter: &str) -> Result<Output, TaskError> {
    let mut until = vec![fewshot_delimiter.to_owned()];
    let mut max_tokens = DEFAULT_MAX_TOKENS;
    let Some(entry) = entry else {
        return Ok(Output::Generate { until, max_tokens });
    };
    let Value::Mapping(options) = &entry.value else {
        return Err(entry.error("expected `key: value` lines"));
    };
    // Like lm-evaluation-harness: a task samples if do_sample is true, or if do_sample is absent
    // and the temperature is above 0.
    let (mut do_sample, mut temperature) = (None, 0.0);
    let mut rank = MAX_TOKENS.len();
    for (key, value) in options.iter().filter(|(_, value)| !value.is_null()) {
        let inside = entry.inside(&scalar(key).unwrap_or_default(), value);
        let is = |text: &str| scalar(value).is_some_and(|value| value == text);
        match scalar(key).unwrap_or_default().as_str() {
            "until" => until = inside.texts()?,
            name if let Some(own) = MAX_TOKENS.iter().position(|known| *known == name) => {
                let count = inside.count().ok().filter(|&count| count > 0);
                let count = count.ok_or_else(|| inside.error("expected a whole number from 1"))?;
                if own < rank {
                    (rank, max_tokens) = (own, count);
                }
            }
            "do_sample" => {
                let flag = value.as_bool();
                do_sample = Some(flag.ok_or_else(|| inside.error("expected true or false"))?);
            }
            "temperature" => {
                let number = value.as_f64();
                temperature = number.ok_or_else(|| inside.error("expected a number"))?;
            }
            "num_beams" if is("1") => {}
            "num_beams" => return Err(inside.error("only 1 is supported: decoding is greedy")),
            // These options affect only sampling.
            "top_p" | "top_k" | "min_p" => {}
            _ => {
                return Err(inside
                    .error("unknown option; known: until, max_gen_toks, do_sample, temperature"));
            }
        }
    }
    if do_sample.unwrap_or(temperature > 0.0) {
        let (key, only) = match do_sample {
            Some(_) => (".do_sample", "false"),
            None => (".temperature", "0"),
        };
        return Err(entry.error_at(key, format!("only {only} is supported: decoding is greedy")));
    }
    until.retain(|stop| !stop.is_empty());
    Ok(Output::Generate { until, max_tokens })
}

/// `dataset_*` and the split keys.
fn data_source(keys: &mut Keys, directory: Option<PathBuf>) -> Result<DataSource, TaskError> {
    let mut text = |key: &str| keys.take(key).map(|entry| entry.text()).transpose();
    let mut source = DataSource {
        path: text("dataset_path")?,
        name: text("dataset_name")?,
        training: text("training_split")?,
        validation: text("validation_split")?,
        test: text("test_split")?,
        fewshot: text("fewshot_split")?,
        unique_by: text("unique_by")?,
        row: text("row")?,
        directory,
        data_dir: None,
        files: Vec::new(),
        conditions: Vec::new(),
    };
    if let Some(entry) = keys.take("where") {
        source.conditions = conditions(&entry)?;
    }
    let Some(entry) = keys.take("dataset_kwargs") else {
        return Ok(source);
    };
    let Value::Mapping(options) = &entry.value else {
        return Err(entry.error("expected `key: value` lines"));
    };
    for (key, value) in options {
        match scalar(key).unwrap_or_default().as_str() {
            "data_files" => source.files = data_files(&entry, value)?,
            "data_dir" => source.data_dir = Some(entry.inside("data_dir", value).text()?),
            // This option allows a dataset's script to run; here no scripts are run.
            "trust_remote_code" => {}
            other => {
                return Err(entry.error_at(
                    &format!(".{other}"),
                    "unknown option; known: data_files, data_dir",
                ));
            }
        }
    }
    Ok(source)
}

/// `where`: columns, or paths into nested objects, and the values they must have.
fn conditions(entry: &Entry) -> Result<Vec<Condition>, TaskError> {
    let Value::Mapping(columns) = &entry.value else {
        return Err(entry.error("expected `column: value` lines"));
    };
    let condition = |(column, value)| Some(Condition::new(scalar(column)?, scalar(value)?));
    let conditions = columns.iter().map(condition).collect::<Option<_>>();
    conditions
        .ok_or_else(|| entry.error("expected a text, a number or a truth value for each column"))
}

/// Files by split. Files without a split are the split `train`, as in the datasets library.
fn data_files(entry: &Entry, value: &Value) -> Result<Vec<(String, Vec<String>)>, TaskError> {
    let Value::Mapping(splits) = value else {
        return Ok(vec![(
            "train".to_owned(),
            entry.texts_in(".data_files", value)?,
        )]);
    };
    let mut files = Vec::new();
    for (split, value) in splits {
        let split = scalar(split).unwrap_or_default();
        let names = entry.texts_in(&format!(".data_files.{split}"), value)?;
        files.push((split, names));
    }
    Ok(files)
}

/// Applies `fewshot_config` to the spec.
fn fewshot(keys: &mut Keys, mut spec: TaskSpec) -> Result<TaskSpec, TaskError> {
    let Some(entry) = keys.take("fewshot_config") else {
        return Ok(spec);
    };
    let Value::Mapping(options) = &entry.value else {
        return Err(entry.error("expected `key: value` lines"));
    };
    for (key, value) in options {
        let key = scalar(key).unwrap_or_default();
        let inside = entry.inside(&key, value);
        let fields = &mut spec.example_fields;
        match key.as_str() {
            // A null is a value of these two keys: examples do not use the task's own.
            "gen_prefix" if value.is_null() => fields.prefix = Some(None),
            "split" if value.is_null() => spec.source.fewshot = None,
            _ if value.is_null() => {}
            "sampler" => match inside.text()?.as_str() {
                "default" => {}
                "first_n" => spec.first_examples = true,
                _ => return Err(inside.error("only default and first_n are supported")),
            },
            "samples" => {
                let rows = rows(value).ok_or_else(|| inside.error("expected a list of rows"))?;
                spec.examples = Some(rows);
            }
            "split" => spec.source.fewshot = Some(inside.text()?),
            "same_column" => spec.same_column = Some(inside.text()?),
            "doc_to_text" => fields.prompt = Some(field(&inside)?),
            "doc_to_target" => fields.target = Some(field(&inside)?),
            "doc_to_choice" => fields.choices = Some(field(&inside)?),
            "gen_prefix" => fields.prefix = Some(Some(field(&inside)?)),
            "target_delimiter" => fields.target_delimiter = Some(inside.text()?),
            "fewshot_delimiter" => fields.fewshot_delimiter = Some(inside.text()?),
            "fewshot_indices" => {
                return Err(inside.error(
                    "lm-evaluation-harness reads this and still draws from all rows; leave it out",
                ));
            }
            _ => {
                return Err(inside.error(
                    "unknown option; known: sampler, samples, split, same_column, doc_to_text, doc_to_target, \
                     doc_to_choice, gen_prefix, target_delimiter, fewshot_delimiter",
                ));
            }
        }
    }
    Ok(spec)
}

/// Rows that are written in a task file, with the values that PyYAML reads.
fn rows(value: &Value) -> Option<Vec<Columns>> {
    let rows = value.as_sequence()?.iter();
    rows.map(|row| match yaml::to_json(row)? {
        Json::Object(row) => Some(row),
        _ => None,
    })
    .collect()
}

fn required(keys: &mut Keys, key: &str) -> Result<Field, TaskError> {
    match keys.take(key) {
        Some(entry) => field(&entry),
        None => Err(keys.missing(key, "missing: a Jinja2 template or the name of a column")),
    }
}

fn choices(keys: &mut Keys, multiple_choice: bool) -> Result<Option<Field>, TaskError> {
    match keys.take("doc_to_choice") {
        Some(entry) => match field(&entry)? {
            Field::Index(_) => {
                Err(entry.error("expected a template, the name of a column, or a list"))
            }
            field => Ok(Some(field)),
        },
        None if multiple_choice => Err(keys.missing(
            "doc_to_choice",
            "missing: a multiple_choice task must list its options",
        )),
        None => Ok(None),
    }
}

fn field(entry: &Entry) -> Result<Field, TaskError> {
    match &entry.value {
        Value::Sequence(_) => Ok(Field::List(entry.texts()?)),
        // The values of a mapping are the options.
        Value::Mapping(options) => {
            let values = options.values().map(scalar).collect::<Option<Vec<_>>>();
            values
                .map(Field::List)
                .ok_or_else(|| entry.error("expected texts"))
        }
        Value::Number(_) => entry.count().map(Field::Index),
        // To Python, a truth value is a number.
        Value::Bool(index) => Ok(Field::Index(usize::from(*index))),
        _ => {
            let text = entry.text()?;
            TEMPLATES
                .check(&text)
                .map_err(|reason| entry.error(reason))?;
            Ok(Field::Text(text))
        }
    }
}
