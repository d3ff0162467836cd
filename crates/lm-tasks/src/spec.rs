//! The spec of a task: prompts, targets and scoring, resolved from a task file.

use pyjinja::Columns;
use std::path::PathBuf;

use serde_json::json;

use super::data::Condition;
use super::error::TaskError;
use super::filter::Pipeline;
use super::metric::Metric;
use super::process::RowProcess;

/// A task: how a row of a dataset becomes a prompt and how an answer to it is scored.
#[derive(Debug, Clone)]
pub struct TaskSpec {
    /// The name in results.
    pub name: String,
    /// The task file, for messages and manifests.
    pub file: String,
    /// The source of the rows.
    pub source: DataSource,
    /// The kind of its questions.
    pub output: Output,
    /// Template of the text before everything else. It is rendered for each row, and no delimiter
    /// follows it.
    pub description: String,
    /// Text between the prompt and an answer.
    pub target_delimiter: String,
    /// Text after every example of a few-shot prompt.
    pub fewshot_delimiter: String,
    /// Number of solved examples before the question.
    pub num_fewshot: usize,
    /// Whether the examples are the first of their split, rather than drawn.
    pub first_examples: bool,
    /// Only rows with the same value in this column as the question may be its examples.
    pub same_column: Option<String>,
    /// Solved examples written in the task file, instead of a split.
    pub(super) examples: Option<Vec<Columns>>,
    pub(super) example_fields: ExampleFields,
    /// Function that adds columns to a row before any template reads it.
    pub(super) process: Option<RowProcess>,
    /// The metrics, the deciding one first.
    pub metrics: Vec<Metric>,
    /// The filters before the metrics, the deciding one first; never empty.
    pub filters: Vec<Pipeline>,
    pub(super) prompt: Field,
    pub(super) target: Field,
    pub(super) choices: Option<Field>,
    /// Whether the prompt lists the options by letter and the letter is generated; see
    /// [`TaskSpec::by_letters`].
    pub(super) letters: bool,
    /// Text after the prompt that begins the answer (`gen_prefix`).
    pub(super) answer_prefix: Option<Field>,
    /// The keys as they are written, `include`s merged.
    pub config: serde_json::Map<String, serde_json::Value>,
}

/// `fewshot_config`: the keys whose values for examples differ from those for questions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ExampleFields {
    pub prompt: Option<Field>,
    pub target: Option<Field>,
    pub choices: Option<Field>,
    /// `Some(None)` for `gen_prefix: null`: examples have no prefix.
    pub prefix: Option<Option<Field>>,
    pub target_delimiter: Option<String>,
    pub fewshot_delimiter: Option<String>,
}

impl TaskSpec {
    /// The keys of the values in a verdict, in their order, as in lm-evaluation-harness's results:
    /// `acc,none`, `exact_match,strict-match`. The first decides whether an answer is right.
    pub fn metric_keys(&self) -> Vec<String> {
        let keys = self.filters.iter().flat_map(|filter| {
            self.metrics
                .iter()
                .map(move |metric| format!("{},{}", metric.name(), filter.name))
        });
        keys.collect()
    }

    /// The task's spec with the values for examples.
    pub(super) fn of_examples(&self) -> TaskSpec {
        let mut spec = self.clone();
        let fields = std::mem::take(&mut spec.example_fields);
        spec.prompt = fields.prompt.unwrap_or(spec.prompt);
        spec.target = fields.target.unwrap_or(spec.target);
        spec.choices = fields.choices.or(spec.choices);
        spec.answer_prefix = fields.prefix.unwrap_or(spec.answer_prefix);
        spec.target_delimiter = fields.target_delimiter.unwrap_or(spec.target_delimiter);
        spec.fewshot_delimiter = fields.fewshot_delimiter.unwrap_or(spec.fewshot_delimiter);
        spec
    }

    /// The text before an answer in a chat. It is empty, because an answer begins the assistant's
    /// message; but after a `gen_prefix` that does not end in white space it is the target
    /// delimiter.
    pub fn chat_delimiter(&self) -> &str {
        match &self.answer_prefix {
            Some(Field::Text(prefix))
                if !prefix.is_empty() && !prefix.ends_with(char::is_whitespace) =>
            {
                &self.target_delimiter
            }
            _ => "",
        }
    }

    /// The task with at most `most` generated tokens.
    ///
    /// # Errors
    /// Returns an error if the task generates nothing.
    pub fn generating(mut self, most: usize) -> Result<Self, TaskError> {
        let Output::Generate { max_tokens, .. } = &mut self.output else {
            return Err(TaskError::Option {
                task: self.name,
                option: "max_gen_toks",
                message: "the task scores given answers and generates no text".to_owned(),
            });
        };
        *max_tokens = most;
        let options = self
            .config
            .entry("generation_kwargs")
            .or_insert_with(|| json!({}));
        options["max_gen_toks"] = json!(most);
        Ok(self)
    }

    /// Whether solved examples are drawn from a split.
    pub fn draws_examples(&self) -> bool {
        self.num_fewshot > 0 && self.examples().is_none()
    }

    /// The solved examples in the task file; `None` if the file names a split of examples, which
    /// counts instead.
    pub(super) fn examples(&self) -> Option<&Vec<Columns>> {
        let named = self.source.fewshot.is_some();
        self.examples.as_ref().filter(|_| !named)
    }

    /// Whether there are options to choose from, scored or listed by letter.
    pub fn has_options(&self) -> bool {
        self.is_multiple_choice() || self.letters
    }

    /// Whether options are scored against each other.
    pub fn is_multiple_choice(&self) -> bool {
        self.output == Output::MultipleChoice
    }

    /// Whether one text is scored. It is right if greedy decoding would produce it.
    pub fn is_log_likelihood(&self) -> bool {
        self.output == Output::LogLikelihood
    }

    /// Whether whole texts are scored, which are neither right nor wrong.
    pub fn is_rolling(&self) -> bool {
        self.output == Output::Rolling
    }

    /// Whether texts are scored, rather than generated.
    pub fn is_scored(&self) -> bool {
        !matches!(self.output, Output::Generate { .. })
    }
}

/// `output_type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Computes the log-probability of every option.
    MultipleChoice,
    /// Computes the log-probability of the target, and whether greedy decoding would produce it.
    LogLikelihood,
    /// Computes the log-probability of the target by itself, which may be longer than the model's
    /// context.
    Rolling,
    /// Generates text greedily.
    Generate {
        /// Texts that end an answer and are not part of it.
        until: Vec<String>,
        /// The most tokens to generate.
        max_tokens: usize,
    },
}

/// The source of a task's rows, and the rows that are taken. Nothing is fetched unless `--dataset`
/// is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSource {
    /// `dataset_path`: the hub's name of the dataset.
    pub path: Option<String>,
    /// `dataset_name`: its subset.
    pub name: Option<String>,
    /// `dataset_kwargs.data_files`: files by split.
    pub files: Vec<(String, Vec<String>)>,
    /// `dataset_kwargs.data_dir`: a directory with one file for each split.
    pub data_dir: Option<String>,
    /// The directory of the task file; `None` for a built-in one.
    pub directory: Option<PathBuf>,
    /// `training_split`.
    pub training: Option<String>,
    /// `validation_split`.
    pub validation: Option<String>,
    /// `test_split`.
    pub test: Option<String>,
    /// `fewshot_split`.
    pub fewshot: Option<String>,
    /// `row`: the column that holds the row itself.
    pub row: Option<String>,
    /// `where`: only rows that meet these conditions.
    pub conditions: Vec<Condition>,
    /// `unique_by`: of rows with the same value in this column, only the first.
    pub unique_by: Option<String>,
}

impl DataSource {
    /// The split that is evaluated: test, else validation.
    pub fn evaluated(&self) -> Option<&str> {
        self.test.as_deref().or(self.validation.as_deref())
    }

    /// The split that examples come from.
    pub fn examples(&self) -> Option<&str> {
        let splits = [&self.fewshot, &self.training, &self.validation, &self.test];
        splits.into_iter().flatten().next().map(String::as_str)
    }

    /// The directory that holds the rows, if the task file names one: `data_dir`, or `dataset_path`
    /// itself.
    pub(super) fn own_directory(&self) -> Option<&str> {
        self.data_dir.as_deref().or_else(|| self.dataset())
    }

    /// The name of the dataset; `None` if `dataset_path` is a format of files such as `json`.
    fn dataset(&self) -> Option<&str> {
        const KINDS: [&str; 5] = ["json", "csv", "parquet", "arrow", "text"];
        let path = self.path.as_deref()?;
        (!KINDS.contains(&path)).then_some(path)
    }

    /// The options that fetch the rows, if they are on the hub.
    pub(super) fn fetch_options(&self) -> Option<String> {
        let path = self.dataset().filter(|_| self.files.is_empty())?;
        let subset = self
            .name
            .as_ref()
            .map(|name| format!(" option `subset` {name}"));
        Some(format!(
            "option `dataset` {path}{}",
            subset.unwrap_or_default()
        ))
    }

    /// The files of a split, as the task file names them.
    pub(super) fn files_of(&self, split: &str) -> Option<&[String]> {
        let entry = self.files.iter().find(|(name, _)| name == split)?;
        Some(&entry.1)
    }
}

/// The value of a `doc_to_*` key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    /// A Jinja2 template, or the name of a column.
    Text(String),
    /// A fixed index.
    Index(usize),
    /// Fixed options.
    List(Vec<String>),
}
