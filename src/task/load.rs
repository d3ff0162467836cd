//! From a task and its data to samples.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::data::{LocatedRow, locate, read_rows};
use super::error::TaskError;
use super::fewshot::Examples;
use super::sample::{Question, Sample};
use super::spec::{Output, TaskSpec};
use super::target;
use super::template::{self, Row};

/// Columns that hold a row's id in datasets people use, the most telling first.
const ID_COLUMNS: [&str; 8] = [
    "id",
    "ID",
    "query_id",
    "question_id",
    "sample_id",
    "qid",
    "uid",
    "idx",
];

/// What to load of a task.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Rows from this file, instead of those the task names.
    pub data: Option<PathBuf>,
    /// Few-shot examples from this file, instead of those the task names.
    pub fewshot_data: Option<PathBuf>,
    /// At most this many samples, the first.
    pub limit: Option<usize>,
}

/// Loads the samples of a task, in the order of its data.
///
/// Ids are the rows' own, else their line numbers. An id that appears again gets `#2`, `#3`, ... in the order of the data,
/// so that ids are unique and do not depend on `limit`.
///
/// # Errors
/// No data, an unreadable or empty file, and any row that is malformed, lacks a column, or whose gold label is not among
/// its options; named by file and line.
pub fn load_samples(task: &Arc<TaskSpec>, options: &LoadOptions) -> Result<Vec<Sample>, TaskError> {
    let rows = match &options.data {
        Some(path) => read_rows(path, options.limit)?,
        None => {
            let split = task
                .source
                .evaluated()
                .ok_or_else(|| no_data(task, "it names no test or validation split"))?;
            rows_of_split(task, split, options.limit)?
        }
    };
    let mut examples = examples(task, options)?;
    let mut used = HashMap::new();
    let mut samples = Vec::with_capacity(rows.len());
    for (index, located) in rows.iter().enumerate() {
        let (context, question) =
            ask(task, &Row::new(&located.row), examples.as_mut()).map_err(|message| {
                TaskError::row(&located.place, format!("task {}: {message}", task.name))
            })?;
        let id = unique(&mut used, row_id(located));
        samples.push(Sample {
            task: Arc::clone(task),
            id,
            index,
            context,
            question,
        });
    }
    Ok(samples)
}

/// The context and the question of one row.
fn ask(
    task: &TaskSpec,
    row: &Row<'_>,
    examples: Option<&mut Examples>,
) -> Result<(String, Question), String> {
    let mut context = template::render(&task.description, row)?;
    if let Some(examples) = examples {
        context.push_str(&examples.text(task, row.columns)?);
    }
    context.push_str(&target::prompt(task, row)?);
    if let Some(prefix) = target::answer_prefix(task, row)? {
        context.push_str(&task.target_delimiter);
        context.push_str(&prefix);
    }
    let target = target::target(task, row)?;
    let options = target::options(task, row)?;
    let question = match (&task.output, options) {
        (Output::MultipleChoice, options) => {
            let options = options.unwrap_or_default();
            let continuations = options
                .iter()
                .map(|option| format!("{}{option}", task.target_delimiter))
                .collect();
            let gold = target::gold_index(&target, &options)?;
            Question::MultipleChoice {
                options,
                continuations,
                gold,
            }
        }
        (Output::Generate { until, max_tokens }, options) => {
            let gold = match (target, options) {
                (target, Some(options)) => options[target::gold_index(&target, &options)?].clone(),
                (target::Target::Text(text), None) => text,
                (target::Target::Index(index), None) => index.to_string(),
            };
            Question::Generate {
                until: until.clone(),
                max_tokens: *max_tokens,
                gold,
            }
        }
    };
    Ok((context, question))
}

fn examples(task: &TaskSpec, options: &LoadOptions) -> Result<Option<Examples>, TaskError> {
    if task.num_fewshot == 0 {
        return Ok(None);
    }
    let rows = match (&options.fewshot_data, &task.examples) {
        (Some(path), _) => Examples::rows_of(read_rows(path, None)?),
        (None, Some(rows)) => rows.clone(),
        (None, None) => {
            let split = task
                .source
                .examples()
                .ok_or_else(|| no_data(task, "no split to draw examples from"));
            let rows = split.and_then(|split| rows_of_split(task, split, None));
            Examples::rows_of(rows.map_err(|error| match error {
                TaskError::NoData { task, message } => TaskError::NoExamples { task, message },
                other => other,
            })?)
        }
    };
    Examples::new(task, rows).map(Some)
}

fn rows_of_split(
    task: &TaskSpec,
    split: &str,
    limit: Option<usize>,
) -> Result<Vec<LocatedRow>, TaskError> {
    let Some(files) = task.source.files_of(split) else {
        let hub = [&task.source.path, &task.source.name]
            .into_iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join("/");
        let message = format!("its split `{split}` is not on this machine (on the hub: {hub})");
        return Err(no_data(task, &message));
    };
    let mut rows: Vec<LocatedRow> = Vec::new();
    for name in files {
        let path = locate(task.source.directory.as_deref(), name)
            .ok_or_else(|| no_data(task, &format!("its data file {name} is not there")))?;
        let left = limit.map(|limit| limit.saturating_sub(rows.len()));
        rows.extend(read_rows(&path, left)?);
    }
    Ok(rows)
}

fn no_data(task: &TaskSpec, message: &str) -> TaskError {
    TaskError::NoData {
        task: task.name.clone(),
        message: message.to_owned(),
    }
}

fn row_id(located: &LocatedRow) -> String {
    let mut ids = ID_COLUMNS
        .iter()
        .filter_map(|column| match located.row.get(*column)? {
            Value::String(id) if !id.is_empty() => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        });
    ids.next().unwrap_or_else(|| located.number.to_string())
}

/// Gives an id that was used before the next free `#2`, `#3`, ...; `used` knows for every id which to try next.
fn unique(used: &mut HashMap<String, usize>, id: String) -> String {
    let Some(mut nth) = used.get(&id).copied() else {
        used.insert(id.clone(), 2);
        return id;
    };
    loop {
        let candidate = format!("{id}#{nth}");
        nth += 1;
        if !used.contains_key(&candidate) {
            used.insert(candidate.clone(), 2);
            used.insert(id, nth);
            return candidate;
        }
    }
}
