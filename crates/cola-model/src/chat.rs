//! Chat templates: Jinja2 texts that lay out a conversation as the model was trained to see it.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Local};
use pyjinja::{Columns, Row, Templates};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
    templates: Templates,
    special: Vec<(String, String)>,
}

/// Special tokens that chat templates may read beside those that the tokenizer needs.
const MORE_SPECIAL: [&str; 3] = ["sep_token", "cls_token", "mask_token"];

/// Keys of `tokenizer_config.json` that name special tokens of a model's own.
const OWN_SPECIAL: [&str; 2] = ["extra_special_tokens", "model_specific_special_tokens"];

const CONFIG: &str = "tokenizer_config.json";
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
            let special = with_more(special, directory, config)?;
            return Self::compile(path, TITLE, source, &special).map(Some);
        }
        let value = config.and_then(|config| Some((config, config.get("chat_template")?)));
        let Some((config, value)) = value else {
            return Ok(None);
        };
        let source = source_in(value).map_err(|reason| config.refuse("chat_template", reason))?;
        let special = with_more(special, directory, Some(config))?;
        Self::compile(directory.join(CONFIG), TITLE, source, &special).map(Some)
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
        let templates = Templates::of_chats().with_function("strftime_now", strftime_now);
        templates
            .check(&source)
            .map_err(|reason| ModelError::Malformed {
                path: path.clone(),
                reason: format!("{title}: {reason}"),
            })?;
        Ok(Self {
            path,
            title,
            source,
            templates,
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
        let special = self.special.iter();
        let mut columns: Columns = special
            .map(|(name, text)| (name.clone(), Value::from(text.as_str())))
            .collect();
        let messages: Vec<Value> = messages
            .iter()
            .map(|m| json!({ "role": m.role, "content": m.content }))
            .collect();
        columns.insert("messages".to_owned(), Value::from(messages));
        // transformers defines these two even if they are not given.
        columns.insert("tools".to_owned(), Value::Null);
        columns.insert("documents".to_owned(), Value::Null);
        let generates = Value::from(add_generation_prompt);
        columns.insert("add_generation_prompt".to_owned(), generates);
        self.templates
            .render(&self.source, &Row::new(&columns))
            .map_err(|reason| self.error(reason))
    }

    fn error(&self, reason: impl std::fmt::Display) -> ModelError {
        ModelError::Malformed {
            path: self.path.clone(),
            reason: format!("{}: {reason}", self.title),
        }
    }
}

/// The special tokens with those that only chat templates read, also where they are empty.
fn with_more(
    special: &[(String, String)],
    directory: &Path,
    config: Option<&Config>,
) -> Result<Vec<(String, String)>, ModelError> {
    let map = Config::read_optional(directory, "special_tokens_map.json")?;
    let mut all = special.to_vec();
    let mut add = |name: &str, token: &Value| {
        let text = token.as_str().or_else(|| token.get("content")?.as_str());
        if let Some(text) = text.filter(|_| all.iter().all(|(known, _)| known != name)) {
            all.push((name.to_owned(), text.to_owned()));
        }
    };
    for source in [config, map.as_ref()].into_iter().flatten() {
        for name in MORE_SPECIAL {
            source
                .get(name)
                .into_iter()
                .for_each(|token| add(name, token));
        }
        for key in OWN_SPECIAL {
            let own = source.get(key).and_then(Value::as_object);
            own.into_iter()
                .flatten()
                .for_each(|(name, token)| add(name, token));
        }
    }
    Ok(all)
}

/// The current local date in this format, as in transformers. If `SOURCE_DATE_EPOCH` is set, the
/// date of that time in UTC.
fn strftime_now(format: &str) -> Result<String, String> {
    let fixed = std::env::var("SOURCE_DATE_EPOCH").ok();
    let fixed = fixed.and_then(|seconds| DateTime::from_timestamp(seconds.parse().ok()?, 0));
    let mut text = String::new();
    let written = match fixed {
        Some(time) => write!(text, "{}", time.format(format)),
        None => write!(text, "{}", Local::now().format(format)),
    };
    let refuse = |_| format!("strftime_now: `{format}` is not a valid format");
    written.map(|()| text).map_err(refuse)
}

/// The template in a field: a text, or the one named `default` of several, which are a mapping by name or a list of
/// entries with name and template.
fn source_in(value: &Value) -> Result<String, String> {
    let unknown = "expected a text, a mapping of texts by name, or a list of `name` and `template`";
    let named: Vec<(&str, &str)> = match value {
        Value::String(source) => return Ok(source.clone()),
        Value::Object(named) => named
            .iter()
            .map(|(name, template)| Some((name.as_str(), template.as_str()?)))
            .collect::<Option<_>>()
            .ok_or(unknown)?,
        Value::Array(named) => named
            .iter()
            .map(|entry| {
                Some((
                    entry.get("name")?.as_str()?,
                    entry.get("template")?.as_str()?,
                ))
            })
            .collect::<Option<_>>()
            .ok_or(unknown)?,
        _ => return Err(unknown.to_owned()),
    };
    // Of two with one name, the last counts, as in Python.
    let default = named.iter().rev().find(|(name, _)| *name == "default");
    match default {
        Some((_, source)) => Ok((*source).to_owned()),
        None => {
            let names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
            Err(format!(
                "none of its templates is named `default` (there are {}); write the one to use into chat_template.jinja",
                names.join(", ")
            ))
        }
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

    /// What a directory's chat template gives for one message.
    fn of_directory(config: &Value, file: Option<&str>) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(CONFIG), config.to_string()).unwrap();
        if let Some(source) = file {
            std::fs::write(directory.path().join("chat_template.jinja"), source).unwrap();
        }
        let config = Config::read(directory.path(), CONFIG).unwrap();
        let special = [("bos_token".to_owned(), "<s>".to_owned())];
        let template = ChatTemplate::load(directory.path(), Some(&config), &special);
        let message = Message {
            role: "user".to_owned(),
            content: "hi".to_owned(),
        };
        let template = template.map_err(|error| error.to_string())?.ok_or("none")?;
        template
            .render(&[message])
            .map_err(|error| error.to_string())
    }

    #[test]
    fn of_several_templates_the_default_is_used_in_either_form() {
        let texts = json!({"tool_use": "t", "default": "d {{ messages[0].content }}"});
        let listed = json!([{"name": "default", "template": "d {{ messages[0].content }}"},
                            {"name": "tool_use", "template": "t"}]);
        for templates in [texts, listed] {
            let config = json!({"chat_template": templates});
            assert_eq!(of_directory(&config, None).unwrap(), "d hi");
            assert_eq!(of_directory(&config, Some("file")).unwrap(), "file");
        }
        for (templates, expected) in [
            (
                json!({"rag": "r", "tool_use": "t"}),
                "named `default` (there are rag, tool_use)",
            ),
            (
                json!([{"name": "rag", "template": "r"}]),
                "named `default` (there are rag)",
            ),
            (json!([{"name": "default"}]), "expected a text"),
            (json!(["d"]), "expected a text"),
            (json!(1), "expected a text"),
        ] {
            let error = of_directory(&json!({"chat_template": templates}), None).unwrap_err();
            assert!(
                error.contains("chat_template") && error.contains(expected),
                "{error}"
            );
        }
        assert_eq!(
            of_directory(&json!({"chat_template": null}), None).unwrap_err(),
            "none"
        );
    }

    #[test]
    fn special_tokens_are_defined_as_in_transformers() {
        let source = "{% for t in [bos_token, sep_token, cls_token, mask_token, image_token, eos_token] %}{{ t }}:{{ t is defined }} {% endfor %}";
        let config = json!({"chat_template": source, "sep_token": "", "cls_token": {"content": "[C]"}, "mask_token": null,
                            "extra_special_tokens": {"image_token": "<i>"}});
        let rendered = of_directory(&config, None).unwrap();
        assert_eq!(rendered, "<s>:True :True [C]:True :False <i>:True :False ");
    }

    #[test]
    fn a_tool_template_renders_without_tools() {
        // As Qwen3-Coder's official template begins.
        let source = "{%- if not tools is defined %}{%- set tools = [] %}{%- endif %}\r\n{%- if tools is iterable and tools | length > 0 %}{{- tools | tojson }}{%- endif %}{{ messages | tojson }}";
        assert_eq!(
            rendered(source).unwrap(),
            r#"[{"role": "user", "content": "hi"}]"#
        );
    }

    #[test]
    fn an_error_of_a_template_names_its_file() {
        let error = rendered("{{ raise_exception('no\n\nsystem') }}")
            .unwrap_err()
            .to_string();
        assert_eq!(error, "t: chat template: invalid operation: no system");
        let error = rendered("{{ 'x' * 10 ** 12 }}").unwrap_err().to_string();
        assert!(
            error.starts_with("t: chat template: the template takes"),
            "{error}"
        );
        let deep = format!("{{{{ {} 1 }}}}", "not ".repeat(100_000));
        let error = rendered(&deep).unwrap_err().to_string();
        assert!(error.ends_with("256 levels deep"), "{error}");
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
