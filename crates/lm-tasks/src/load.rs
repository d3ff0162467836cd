//! Loads the rows of a task and renders them into samples.

use pyjinja::{Columns, Row, python};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::ask::{PromptOptions, ask};
use super::data::{
    Condition, InnerRows, LocatedRow, Rows, Selection, locate, locate_files, open_rows,
};
use super::error::TaskError;
use super::fewshot::Examples;
use super::sample::Sample;
use super::spec::{DataSource, TaskSpec};
use cola_hub::dataset_files;

/// Columns that hold a row's id in common datasets; the first one that a row has is used.
const ID_COLUMNS: [&str; 9] = [
    "id",
    "ID",
    "query_id",
    "question_id",
    "sample_id",
    "qid",
    "uid",
    "unique_id",
    "idx",
];

/// Options for loading a task's samples.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Rows from these files, one after the other, instead of those the task names.
    pub data: Vec<PathBuf>,
    /// Few-shot examples from these files, instead of those the task names.
    pub fewshot_data: Vec<PathBuf>,
    /// Most samples to load, from the first on.
    pub limit: Option<usize>,
    /// Only rows that meet these conditions, and the task's own, are loaded.
    pub conditions: Vec<Condition>,
    /// Number of bad rows that may be skipped.
    pub skip_bad_rows: usize,
    /// Options of the prompts.
    pub manner: PromptOptions,
}

/// A task's samples.
#[derive(Debug)]
pub struct LoadedTask {
    /// The samples, in the order of the data.
    pub samples: Vec<Sample>,
    /// The bad rows that were skipped: place and reason.
    pub skipped: Vec<String>,
}

/// Loads the samples of a task, in the order of its data.
///
/// Ids are the rows' own, else their line numbers. An id that appears again gets `#2`, `#3`, ... in
/// the order of the data, so that ids are unique and do not depend on `limit`.
///
/// # Errors
/// Returns an error, which names file and line, if there is no data, if a file cannot be read or is
/// empty, and if more than `skip_bad_rows` rows are malformed, lack a column, or have a gold label
/// that is not among their options. Also if rotations are requested for prompts without options.
pub fn load_samples(task: &Arc<TaskSpec>, options: &LoadOptions) -> Result<LoadedTask, TaskError> {
    if options.manner.rotations && !task.has_options() {
        return Err(TaskError::Option {
            task: task.name.clone(),
            option: "rotations",
            message: "its answers are generated text, so there are no options to rotate".to_owned(),
        });
    }
    let files = match options.data.as_slice() {
        [] => {
            let split = task.source.evaluated();
            let missing = || no_data(task, "the task names no test or validation split");
            files_of_split(task, split.ok_or_else(missing)?)?
        }
        files => files.to_vec(),
    };
    let mut tolerance = Tolerance {
        left: options.skip_bad_rows,
        skipped: Vec::new(),
    };
    let mut examples = examples(task, options, &mut tolerance)?;
    let conditions = [&task.source.conditions[..], &options.conditions].concat();
    let mut selection = Selection::new(conditions, task.source.unique_by.clone());
    let limit = options.limit.unwrap_or(usize::MAX);
    let mut used = HashMap::new();
    let mut samples = Vec::new();
    let mut rows = Reading::new(&files, &task.source);
    while samples.len() < limit
        && let Some(located) = rows.next(&mut tolerance)?
    {
        let (id, place) = (row_id(&located), located.place);
        let sample = selection.takes(&located.row).and_then(|taken| match taken {
            true => {
                let doc = processed(task, located.row)?;
                let questions = ask(task, &Row::new(&doc), examples.as_mut(), options.manner)?;
                Ok(Some((doc, questions)))
            }
            false => Ok(None),
        });
        match sample {
            Ok(None) => {}
            Ok(Some((doc, questions))) => {
                let id = unique(&mut used, id);
                let index = rows.count - 1;
                samples.push(Sample::of(task, &id, index, Arc::new(doc), questions));
            }
            Err(message) => tolerance.forgive(TaskError::row(
                place,
                format!("task {}: {message}", task.name),
            ))?,
        }
    }
    if samples.is_empty() && limit > 0 {
        return Err(rows.nothing(&files, &selection));
    }
    Ok(LoadedTask {
        samples,
        skipped: tolerance.skipped,
    })
}

/// The bad rows that were skipped, and the number that may still be.
struct Tolerance {
    left: usize,
    skipped: Vec<String>,
}

impl Tolerance {
    /// Skips a bad row if that is allowed, and returns any other error.
    fn forgive(&mut self, error: TaskError) -> Result<(), TaskError> {
        match error {
            TaskError::Row { place, message } if self.left > 0 => {
                self.left -= 1;
                self.skipped.push(format!("{place}: {message}"));
                Ok(())
            }
            TaskError::Row { place, message } if !self.skipped.is_empty() => {
                Err(TaskError::TooManyBadRows {
                    place,
                    message,
                    skipped: self.skipped.len(),
                })
            }
            error => Err(error),
        }
    }
}

/// The rows of files one after the other.
struct Reading<'a> {
    files: std::slice::Iter<'a, PathBuf>,
    rows: Option<(&'a PathBuf, Rows)>,
    /// Set if the rows are inside a column of other rows.
    inner: Option<InnerRows>,
    /// Number of rows so far, including skipped ones.
    count: usize,
    /// Whether the current file has had no row yet.
    empty: bool,
}

impl<'a> Reading<'a> {
    fn new(files: &'a [PathBuf], source: &DataSource) -> Self {
        Self {
            files: files.iter(),
            rows: None,
            inner: source.row.as_deref().map(InnerRows::new),
            count: 0,
            empty: true,
        }
    }

    /// The next row that is not malformed.
    fn next(&mut self, tolerance: &mut Tolerance) -> Result<Option<LocatedRow>, TaskError> {
        loop {
            let Some((path, rows)) = &mut self.rows else {
                let Some(path) = self.files.next() else {
                    return Ok(None);
                };
                self.empty = true;
                self.rows = Some((path, open_rows(path)?));
                continue;
            };
            match rows.next() {
                None if self.empty => {
                    let path = path.clone();
                    return Err(TaskError::Empty { path });
                }
                None => self.rows = None,
                Some(row) => {
                    self.empty = false;
                    let row = match &mut self.inner {
                        Some(inner) => row.and_then(|row| inner.take(row)),
                        None => row.map(Some),
                    };
                    // A row that was seen before does not count.
                    self.count += usize::from(!matches!(row, Ok(None)));
                    match row {
                        Ok(None) => {}
                        Ok(row) => return Ok(row),
                        Err(error) => tolerance.forgive(error)?,
                    }
                }
            }
        }
    }

    /// The error if no row became a sample.
    fn nothing(&self, files: &[PathBuf], selection: &Selection) -> TaskError {
        let path = files.first().cloned().unwrap_or_default();
        let message = match selection.conditions().as_str() {
            "" => format!("none of its {} rows can be used", self.count),
            conditions => format!("none of its {} rows has {conditions}", self.count),
        };
        TaskError::format(&path, message)
    }
}

/// A row as templates read it, after `process_docs`.
fn processed(task: &TaskSpec, row: Columns) -> Result<Columns, String> {
    match task.process {
        Some(process) => process.apply(row),
        None => Ok(row),
    }
}

fn examples(
    task: &TaskSpec,
    options: &LoadOptions,
    tolerance: &mut Tolerance,
) -> Result<Option<Examples>, TaskError> {
    if task.num_fewshot == 0 {
        // They are not read, but a name that is wrong is told.
        for file in &options.fewshot_data {
            cola_files::open(file).map_err(|source| TaskError::Read {
                path: file.clone(),
                source,
            })?;
        }
        return Ok(None);
    }
    let exclude_self = options.manner.exclude_self;
    let files = match (options.fewshot_data.as_slice(), task.examples()) {
        ([], Some(rows)) => return Examples::new(task, rows.clone(), exclude_self).map(Some),
        ([], None) => {
            let split = task
                .source
                .examples()
                .ok_or_else(|| no_data(task, "no split to draw examples from"));
            let files = split.and_then(|split| files_of_split(task, split));
            files.map_err(|error| match error {
                TaskError::NoData { task, message, .. } => TaskError::NoExamples { task, message },
                other => other,
            })?
        }
        (files, _) => files.to_vec(),
    };
    let mut rows = Vec::new();
    let mut reading = Reading::new(&files, &task.source);
    while let Some(located) = reading.next(tolerance)? {
        match processed(task, located.row) {
            Ok(row) => rows.push(row),
            Err(message) => {
                let message = format!("task {}: {message}", task.name);
                tolerance.forgive(TaskError::row(located.place, message))?;
            }
        }
    }
    Examples::new(task, rows, exclude_self).map(Some)
}

fn files_of_split(task: &TaskSpec, split: &str) -> Result<Vec<PathBuf>, TaskError> {
    let source = &task.source;
    if let Some(files) = source.files_of(split) {
        let located = files.iter().map(|name| {
            let found = locate_files(source.directory.as_deref(), name);
            match found.is_empty() {
                true => Err(no_data(
                    task,
                    &format!("its data file {name} does not exist"),
                )),
                false => Ok(found),
            }
        });
        return Ok(located.collect::<Result<Vec<_>, _>>()?.concat());
    }
    let directory = source.own_directory().filter(|_| source.files.is_empty());
    let directory =
        directory.and_then(|name| locate(source.directory.as_deref(), name, Path::is_dir));
    if let Some(directory) = directory {
        let files = dataset_files(&directory, source.name.as_deref(), split);
        return files.map_err(|failure| TaskError::NoData {
            task: task.name.clone(),
            message: format!("in {}: {failure}", directory.display()),
            other: None,
        });
    }
    let place = match source.fetch_options() {
        None => String::new(),
        Some(_) => {
            let hub = [&source.path, &source.name];
            let hub: Vec<&str> = hub.into_iter().flatten().map(String::as_str).collect();
            format!(" (on the hub: {})", hub.join("/"))
        }
    };
    let message = format!("its split `{split}` is not on this machine{place}");
    Err(no_data(task, &message))
}

fn no_data(task: &TaskSpec, message: &str) -> TaskError {
    let fetch = task.source.fetch_options();
    let other = fetch.map(|flags| format!("fetch them with {flags}"));
    TaskError::NoData {
        task: task.name.clone(),
        message: message.to_owned(),
        other,
    }
}

fn row_id(located: &LocatedRow) -> String {
    let mut ids = ID_COLUMNS
        .iter()
        .filter_map(|column| match located.row.get(*column)? {
            Value::String(id) if !id.is_empty() => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            other => python::big_integer(other).map(str::to_owned),
        });
    ids.next().unwrap_or_else(|| located.number.to_string())
}

/// Appends the next free `#2`, `#3`, ... to an id that was used before. `used` has for every id the
/// next number to try.
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
