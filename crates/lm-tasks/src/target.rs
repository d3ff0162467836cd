//! Resolves a row's `doc_to_*` keys, as lm-evaluation-harness does: the prompt, the options and the
//! right one.
//!
//! Errors are plain reasons; the caller adds the row's place.

use super::spec::{Field, TaskSpec};
use crate::TEMPLATES;
use pyjinja::{Given, Row, no_column, python};
use serde_json::Value;

/// `doc_to_target` of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The right answers, at least one. The first is used if only one is shown.
    right: Vec<Right>,
    /// The target as Python prints it.
    pub printed: String,
}

/// A right answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Right {
    /// An index into the options.
    Index(usize),
    /// An answer, or the text of an option.
    Text(String),
}

impl Target {
    fn one(right: Right, printed: String) -> Self {
        Target {
            right: vec![right],
            printed,
        }
    }

    fn text(text: String) -> Self {
        Self::one(Right::Text(text.clone()), text)
    }

    fn index(index: usize) -> Self {
        Self::one(Right::Index(index), index.to_string())
    }

    /// All right answers.
    pub fn each(&self) -> &[Right] {
        &self.right
    }

    /// The only right answer.
    ///
    /// # Errors
    /// Returns an error if there are several.
    pub fn only(&self) -> Result<&Right, String> {
        match self.right.as_slice() {
            [one] => Ok(one),
            several => Err(format!(
                "doc_to_target gives {} right answers, but only one is supported here",
                several.len()
            )),
        }
    }

    /// The text of every right answer. If there are options, the text of an index is that of its
    /// option.
    pub fn texts(&self, options: Option<&[String]>) -> Result<Vec<String>, String> {
        let text = |right: &Right| match (right, options) {
            (Right::Text(text), _) => Ok(text.clone()),
            (index, Some(options)) => Ok(options[gold_index(index, options)?].clone()),
            (Right::Index(index), None) => Ok(index.to_string()),
        };
        self.right.iter().map(text).collect()
    }
}

/// `doc_to_text` of one row, without description and examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Prompt {
    /// The text that the model reads.
    Text(String),
    /// The index of the right option: the options are the prompts, and the text after them is
    /// scored (winogrande's partial scoring).
    Option(usize),
}

/// The prompt of a row. If there are options, a number is the index of one, and so is a template's
/// result of only digits.
pub(super) fn prompt(spec: &TaskSpec, row: &Row<'_>) -> Result<Prompt, String> {
    let has_options = spec.choices.is_some();
    let text = match &spec.prompt {
        Field::Index(index) if has_options => return Ok(Prompt::Option(*index)),
        Field::Index(index) => index.to_string(),
        Field::List(_) => {
            return Err("doc_to_text is a list: one prompt a row is supported".to_owned());
        }
        Field::Text(source) => match column(source, row)? {
            Some(Value::Number(number)) if has_options => {
                let index = number.as_u64().and_then(|n| usize::try_from(n).ok());
                return index.map(Prompt::Option).ok_or_else(|| {
                    format!("doc_to_text gives {number}, which is not the index of an option")
                });
            }
            Some(value) => python::to_str(value),
            None => {
                let text = TEMPLATES.render(source, row)?;
                match text.parse() {
                    Ok(index) if has_options && is_digits(&text) => {
                        return Ok(Prompt::Option(index));
                    }
                    _ => text,
                }
            }
        },
    };
    Ok(Prompt::Text(text))
}

/// The option with this index.
pub(super) fn option(options: &[String], index: usize) -> Result<&String, String> {
    options.get(index).ok_or_else(|| {
        format!(
            "doc_to_text gives option {index} (counted from 0), but there are only {} options",
            options.len()
        )
    })
}

/// `gen_prefix`, which may be a constant that looks like a column's name; `None` if it is empty.
pub(super) fn answer_prefix(spec: &TaskSpec, row: &Row<'_>) -> Result<Option<String>, String> {
    let prefix = match &spec.answer_prefix {
        Some(Field::Text(source)) => match row.columns.get(source) {
            Some(value) => python::to_str(value),
            None => TEMPLATES.render(source, row)?,
        },
        Some(_) => return Err("gen_prefix is not a text".to_owned()),
        None => return Ok(None),
    };
    Ok(Some(prefix).filter(|prefix| !prefix.is_empty()))
}

/// The text between a question and `gen_prefix`: the target delimiter, unless one of them has white
/// space there.
pub(super) fn before_prefix<'s>(spec: &'s TaskSpec, question: &str, prefix: &str) -> &'s str {
    match question.is_empty() || meets_space(question, prefix) {
        true => "",
        false => &spec.target_delimiter,
    }
}

/// Two texts, with a delimiter between them if neither is empty and neither has white space where
/// they meet.
pub fn joined(first: &str, second: &str, delimiter: &str) -> String {
    match first.is_empty() || second.is_empty() || meets_space(first, second) {
        true => format!("{first}{second}"),
        false => format!("{first}{delimiter}{second}"),
    }
}

fn meets_space(first: &str, second: &str) -> bool {
    first.ends_with(char::is_whitespace) || second.starts_with(char::is_whitespace)
}

/// The options of a row; `None` if the task has none.
pub(super) fn options(spec: &TaskSpec, row: &Row<'_>) -> Result<Option<Vec<String>>, String> {
    let value = match &spec.choices {
        None => return Ok(None),
        Some(Field::List(options)) => return Ok(Some(options.clone())),
        Some(Field::Index(_)) => return Err("doc_to_choice is a number".to_owned()),
        Some(Field::Text(source)) => match column(source, row)? {
            Some(value) => value.clone(),
            None => TEMPLATES.evaluate(source, row)?,
        },
    };
    match value {
        Value::Array(items) if items.is_empty() => Err("doc_to_choice gives no options".to_owned()),
        Value::Array(items) => Ok(Some(items.iter().map(python::to_str).collect())),
        other => Err(format!(
            "doc_to_choice gives {}, which is not a list",
            python::repr(&other)
        )),
    }
}

/// The target of a row. A template's result of only digits is an index if there are options; a list is several right
/// answers. A text is one answer, whether it looks like a list or not: the gold answer of a MATH problem may be the
/// interval `[-10, 4]`.
pub(super) fn target(spec: &TaskSpec, row: &Row<'_>) -> Result<Target, String> {
    let has_options = spec.choices.is_some();
    let source = match &spec.target {
        Field::Index(index) if has_options => return Ok(Target::index(*index)),
        Field::Index(index) => return Ok(Target::text(index.to_string())),
        Field::List(texts) => {
            let value = |text: &String| match text.parse::<u64>() {
                Ok(index) if has_options && is_digits(text) => Value::from(index),
                _ => Value::from(text.as_str()),
            };
            let texts = texts.iter().map(value);
            return from_value(&texts.collect(), has_options);
        }
        Field::Text(source) => source,
    };
    match column(source, row) {
        Ok(Some(value)) => return from_value(value, has_options),
        Ok(None) => {}
        // A constant, if it is one of the options; a misspelt column is none.
        Err(error) => match options(spec, row)? {
            Some(options) if options.contains(source) => return Ok(Target::text(source.clone())),
            _ => return Err(error),
        },
    }
    match TEMPLATES.give(source, row)? {
        Given::List(items) => from_value(&Value::Array(items), has_options),
        Given::Text(text) => match text.parse() {
            Ok(index) if has_options && is_digits(&text) => Ok(Target::index(index)),
            _ => Ok(Target::text(text)),
        },
    }
}

/// The target of a typed value. Only numbers (and truth values, which are numbers in Python) can be
/// indices.
fn from_value(value: &Value, has_options: bool) -> Result<Target, String> {
    let right = match value {
        Value::Array(items) if items.is_empty() => {
            return Err("doc_to_target gives an empty list".to_owned());
        }
        Value::Array(items) => items
            .iter()
            .map(|item| right(item, has_options))
            .collect::<Result<_, _>>()?,
        one => vec![right(one, has_options)?],
    };
    let printed = python::to_str(value);
    Ok(Target { right, printed })
}

fn right(value: &Value, has_options: bool) -> Result<Right, String> {
    match value {
        Value::Bool(bool) if has_options => Ok(Right::Index(usize::from(*bool))),
        Value::Number(number) if has_options => {
            match number.as_u64().and_then(|n| usize::try_from(n).ok()) {
                Some(index) => Ok(Right::Index(index)),
                None => Err(format!(
                    "the gold label {number} is not the index of an option (hidden labels are often -1)"
                )),
            }
        }
        other => Ok(Right::Text(python::to_str(other))),
    }
}

/// The index of a right option.
pub(super) fn gold_index(right: &Right, options: &[String]) -> Result<usize, String> {
    let listed = || {
        options
            .iter()
            .map(|option| format!("`{option}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match right {
        Right::Index(index) if *index < options.len() => Ok(*index),
        Right::Index(index) => Err(format!(
            "the gold label is option {index} (counted from 0), but there are only {} options",
            options.len()
        )),
        Right::Text(text) => options
            .iter()
            .position(|option| option == text)
            .ok_or_else(|| {
                let hint = if is_digits(text) {
                    "; if it is an index, write it as a template: \"{{column}}\""
                } else {
                    ""
                };
                format!(
                    "the gold label `{text}` is not among the choices {}{hint}",
                    listed()
                )
            }),
    }
}

/// The column that a key names, if it names one. An identifier that is not a column is an error,
/// not a prompt.
fn column<'r>(source: &str, row: &Row<'r>) -> Result<Option<&'r Value>, String> {
    let identifier = source
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match row.columns.get(source) {
        Some(value) => Ok(Some(value)),
        None if identifier && !source.is_empty() && !is_digits(source) => {
            Err(no_column(source, row))
        }
        None => Ok(None),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
