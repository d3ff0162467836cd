//! What a task is: prompts, targets and scoring, resolved from a task file.

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
    /// Where the rows are.
    pub source: DataSource,
    /// What is asked of the model.
    pub output: Output,
    /// Rendered over the row and put before everything else, without a delimiter.
    pub description: String,
    /// Between the prompt and an answer.
    pub target_delimiter: String,
    /// After every example of a few-shot prompt.
    pub fewshot_delimiter: String,
    /// How many solved examples stand before the question.
    pub num_fewshot: usize,
    /// Whether the examples are the first of their split, rather than drawn.
    pub first_examples: bool,
    /// Only rows that say the same in this column as the question may be its examples.
    pub same_column: Option<String>,
    /// Solved examples written in the task file, instead of a split.
    pub(super) examples: Option<Vec<Columns>>,
    pub(super) example_fields: ExampleFields,
    /// Columns made of a row's own before anything reads it.
    pub(super) process: Option<RowProcess>,
    /// The metrics, the deciding one first.
    pub metrics: Vec<Metric>,
    /// The filters before the metrics, the deciding one first; never empty.
    pub filters: Vec<Pipeline>,
    pub(super) prompt: Field,
    pub(super) target: Field,
    pub(super) choices: Option<Field>,
    /// Whether the prompt lists the options by letter and the letter is generated; see [`TaskSpec::by_letters`].
    pub(super) letters: bool,
    /// Follows the prompt (`gen_prefix`).
    pub(super) answer_prefix: Option<Field>,
    /// The keys as they are written, `include`s merged.
    pub config: serde_json::Map<String, serde_json::Value>,
}

/// `fewshot_config`: what examples say otherwise than questions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ExampleFields {
    pub prompt: Option<Field>,
    pub target: Option<Field>,
    pub choices: Option<Field>,
    /// Of `gen_prefix: null` that there is none.
    pub prefix: Option<Option<Field>>,
    pub target_delimiter: Option<String>,
    pub fewshot_delimiter: Option<String>,
}

impl TaskSpec {
    /// The keys of the values in a verdict, in their order, as in lm-evaluation-harness's results: `acc,none`,
    /// `exact_match,strict-match`. The first decides whether an answer is right.
    pub fn metric_keys(&self) -> Vec<String> {
        let keys = self.filters.iter().flat_map(|filter| {
            self.metrics
                .iter()
                .map(move |metric| format!("{},{}", metric.name(), filter.name))
        });
        keys.collect()
    }

    /// The task as its examples are told.
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

    /// What stands before an answer in a chat: it begins a turn, unless `gen_prefix` did.
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

    /// The task with at most so many tokens generated.
    ///
    /// # Errors
    /// The task generates nothing.
    pub fn generating(mut self, most: usize) -> Result<Self, TaskError> {
        let Output::Generate { max_tokens, .. } = &mut self.output else {
            return Err(TaskError::Option {
                task: self.name,
                option: "max_gen_toks",
                message: "it scores given answers and generates none".to_owned(),
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

    /// The solved examples that are written in the task file: a split that it names goes before them.
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

    /// Whether one text is scored: right where greedy decoding would write it.
    pub fn is_log_likelihood(&self) -> bool {
        self.output == Output::LogLikelihood
    }

    /// Whether whole texts are scored, of which none is right or wrong.
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
    /// The log-probability of every option is asked.
    MultipleChoice,
    /// The log-probability of the target is asked, and whether greedy decoding would write it.
    LogLikelihood,
    /// The log-probability of the target is asked, by itself and however long it is.
    Rolling,
    /// Text is generated greedily.
    Generate {
        /// Texts that end an answer and are not part of it.
        until: Vec<String>,
        /// The most tokens to generate.
        max_tokens: usize,
    },
}

/// Where the rows of a task are, and which are taken. Nothing is fetched for it unless `--dataset` says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSource {
    /// `dataset_path`: the hub's name of the dataset.
    pub path: Option<String>,
    /// `dataset_name`: its subset.
    pub name: Option<String>,
    /// `dataset_kwargs.data_files`: split and files.
    pub files: Vec<(String, Vec<String>)>,
    /// `dataset_kwargs.data_dir`: a directory with a file a split.
    pub data_dir: Option<String>,
    /// The directory of the task file; None for a built-in one.
    pub directory: Option<PathBuf>,
    /// `training_split`.
    pub training: Option<String>,
    /// `validation_split`.
    pub validation: Option<String>,
    /// `test_split`.
    pub test: Option<String>,
    /// `fewshot_split`.
    pub fewshot: Option<String>,
    /// `row`: the column in which the row itself stands.
    pub row: Option<String>,
    /// `where`: only rows that say this.
    pub conditions: Vec<Condition>,
    /// `unique_by`: of rows that say the same in this column, only the first.
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

    /// The directory that holds the rows, where the task file means one: `data_dir`, or `dataset_path` itself.
    pub(super) fn own_directory(&self) -> Option<&str> {
        self.data_dir.as_deref().or_else(|| self.dataset())
    }

    /// The name of the dataset; None where `dataset_path` says what kind of files a user has.
    fn dataset(&self) -> Option<&str> {
        const KINDS: [&str; 5] = ["json", "csv", "parquet", "arrow", "text"];
        let path = self.path.as_deref()?;
        (!KINDS.contains(&path)).then_some(path)
    }

    /// What to type to have the rows fetched, where they are on the hub.
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

/// A `doc_to_*` key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    /// A Jinja2 template, or the name of a column.
    Text(String),
    /// A fixed index.
    Index(usize),
    /// Fixed options.
    List(Vec<String>),
}
