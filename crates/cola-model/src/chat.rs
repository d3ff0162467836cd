//! Chat templates: Jinja2 texts that lay out a conversation as the model was trained to see it.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use chrono::{DateTime, Local};
use fancy_regex::{Captures, Regex};
use minijinja::{Environment, Error, ErrorKind, Value as Jinja, context, syntax::SyntaxConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Config, ModelError};

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Text of the message.
    pub content: String,
}

/// The template of a model directory.
#[derive(Debug)]
pub struct ChatTemplate {
    path: PathBuf,
    /// Name of the template in errors.
    title: &'static str,
    source: String,
    environment: Environment<'static>,
    special: Vec<(String, String)>,
}

const NAME: &str = "chat";
const TITLE: &str = "chat template";
const ASSISTANT: &str = "assistant";
const MARK: &str = "THE-ANSWER-GOES-ON-HERE";

impl ChatTemplate {
    /// Reads `chat_template.jinja`, else `chat_template` of `tokenizer_config.json`.
    pub(super) fn load(
        directory: &Path,
        config: Option<&Config>,
        special: &[(String, String)],
    ) -> Result<Option<Self>, ModelError> {
        let path = directory.join("chat_template.jinja");
        if path.exists() {
            let source = cola_files::read_text(&path, cola_files::WRITTEN).map_err(|source| {
                ModelError::Io {
                    path: path.clone(),
                    source,
                }
            })?;
            return Self::compile(path, TITLE, source, special).map(Some);
        }
        let Some(source) = config.and_then(|config| source_in(config.get("chat_template")?)) else {
            return Ok(None);
        };
        let path = directory.join("tokenizer_config.json");
        Self::compile(path, TITLE, source, special).map(Some)
    }

    /// The template that a key of a GGUF file holds.
    pub(super) fn of_gguf(
        path: &Path,
        key: &'static str,
        source: String,
        special: &[(String, String)],
    ) -> Result<Self, ModelError> {
        Self::compile(path.to_owned(), key, source, special)
    }

    /// Source text of the template.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn compile(
        path: PathBuf,
        title: &'static str,
        source: String,
        special: &[(String, String)],
    ) -> Result<Self, ModelError> {
        let mut environment = Environment::new();
        // The settings of transformers' own environment.
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        environment.set_syntax(syntax.build().map_err(|error| ModelError::Malformed {
            path: path.clone(),
            reason: error.to_string(),
        })?);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function(
            "raise_exception",
            |message: String| -> Result<String, Error> {
                Err(Error::new(ErrorKind::InvalidOperation, message))
            },
        );
        environment.add_function("strftime_now", strftime_now);
        environment
            .add_template_owned(NAME, without_generation(&source))
            .map_err(|error| ModelError::Malformed {
                path: path.clone(),
                reason: format!("{title}: {error}"),
            })?;
        Ok(Self {
            path,
            title,
            source,
            environment,
            special: special.to_vec(),
        })
    }

    /// The prompt for a conversation, up to the beginning of the assistant's next message. If the
    /// last message is the assistant's, the prompt ends with that message, for the model to
    /// continue (transformers' `continue_final_message`).
    pub fn render(&self, messages: &[Message]) -> Result<String, ModelError> {
        let Some((last, before)) = messages.split_last().filter(|(m, _)| m.role == ASSISTANT)
        else {
            return self.render_with(messages, true);
        };
        // A mark shows where the message ends in the rendered text.
        let mut messages = before.to_vec();
        messages.push(Message {
            role: last.role.clone(),
            content: format!("{}{MARK} ", last.content),
        });
        let rendered = self.render_with(&messages, false)?;
        let Some(end) = rendered.rfind(MARK) else {
            return Err(self.error("it leaves out the beginning of the answer"));
        };
        // If the template has trimmed the space after the mark, it would have trimmed the message
        // too.
        let (text, after) = (&rendered[..end], &rendered[end + MARK.len()..]);
        Ok(match after.starts_with(' ') {
            true => text.to_owned(),
            false => text.trim_end().to_owned(),
        })
    }

    fn render_with(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, ModelError> {
        let messages: Vec<Jinja> = messages
            .iter()
            .map(|m| Jinja::from_pairs([("role", &m.role), ("content", &m.content)]))
            .collect();
        let special = self.special.iter();
        let special = Jinja::from_pairs(special.map(|(name, text)| (name.as_str(), text.as_str())));
        self.environment
            .get_template(NAME)
            .and_then(|template| {
                // transformers defines these two even if they are not given.
                let (tools, documents) = ((), ());
                template.render(context! {
                    messages, tools, documents, add_generation_prompt, ..special
                })
            })
            .map_err(|error| self.error(error))
    }

    fn error(&self, reason: impl std::fmt::Display) -> ModelError {
        ModelError::Malformed {
            path: self.path.clone(),
            reason: format!("{}: {reason}", self.title),
        }
    }
}

/// Replaces `{% generation %}` blocks, which mark an assistant's text for training, by blocks that
/// only render their contents.
fn without_generation(source: &str) -> String {
    static TAG: LazyLock<Regex> = LazyLock::new(|| {
        let tag = r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}";
        Regex::new(tag).expect("the pattern is a constant")
    });
    let tag = |found: &Captures<'_, str>| {
        let word = if found.get(2).is_some() {
            "endif"
        } else {
            "if true"
        };
        format!("{{%{} {word} {}%}}", &found[1], &found[3])
    };
    TAG.replace_all(source, tag).into_owned()
}

/// The current local date in this format, as in transformers. If `SOURCE_DATE_EPOCH` is set, the
/// date of that time in UTC.
fn strftime_now(format: &str) -> Result<String, Error> {
    let fixed = std::env::var("SOURCE_DATE_EPOCH").ok();
    let fixed = fixed.and_then(|seconds| DateTime::from_timestamp(seconds.parse().ok()?, 0));
    let mut text = String::new();
    let written = match fixed {
        Some(time) => write!(text, "{}", time.format(format)),
        None => write!(text, "{}", Local::now().format(format)),
    };
    let refuse = |_| {
        Error::new(
            ErrorKind::InvalidOperation,
            format!("strftime_now: `{format}` is not a valid format"),
        )
    };
    written.map(|()| text).map_err(refuse)
}

/// The template in a field: a string, or the entry named `default` in a list of named templates.
fn source_in(value: &Value) -> Option<String> {
    match value {
        Value::String(source) => Some(source.clone()),
        Value::Array(named) => named
            .iter()
            .find(|entry| entry.get("name").and_then(Value::as_str) == Some("default"))
            .and_then(|entry| entry.get("template")?.as_str())
            .map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str) -> Result<String, ModelError> {
        let template = ChatTemplate::compile(PathBuf::from("t"), TITLE, source.to_owned(), &[])?;
        template.render(&[Message {
            role: "user".to_owned(),
            content: "hi".to_owned(),
        }])
    }

    #[test]
    fn what_is_marked_for_training_is_rendered_as_it_is() {
        let source = "{% for m in messages %}\n  {%- generation -%}\n {{ m.content }} {% endgeneration %}!{% endfor %}";
        assert_eq!(rendered(source).unwrap(), "hi !");
    }

    #[test]
    fn a_template_may_ask_for_the_day() {
        let year = rendered("{{ strftime_now('%Y') }}").unwrap();
        // The year depends on the clock, or on SOURCE_DATE_EPOCH.
        assert!(year.len() == 4 && year.parse::<u32>().is_ok(), "{year}");
        let error = rendered("{{ strftime_now('%!') }}")
            .unwrap_err()
            .to_string();
        assert!(error.contains("strftime_now"), "{error}");
    }
}
