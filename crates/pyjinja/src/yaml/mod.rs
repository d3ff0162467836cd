//! YAML as PyYAML reads it: version 1.1, whose plain scalars are more than strings (`yes`, `010`, `12:30`), and in which
//! the last of two equal keys counts.

mod scalar;

use std::collections::HashMap;

use libyaml_safer::{Event, EventData, Parser};
use serde_json::Value as Json;
use serde_yaml_ng::value::{Tag, TaggedValue};
use serde_yaml_ng::{Mapping, Value};

use crate::python;

/// Levels that lists and mappings may be nested.
const DEEPEST: usize = 100;

/// Values that a text may stand for: an alias repeats all those of its anchor.
const MOST: usize = 1_000_000;

/// Prefix of the tags that YAML itself has (`!!str`).
const CORE: &str = "tag:yaml.org,2002:";

/// Reads the one document of a text. Merge keys (`<<`) are left in place, and so are tags that are not YAML's own.
///
/// # Errors
/// A message that says what is wrong, and in which line.
pub fn load(text: &str) -> Result<Value, String> {
    let mut bytes = text.as_bytes();
    let mut events = Parser::new();
    events.set_input_string(&mut bytes);
    let mut loader = Loader {
        events,
        anchors: HashMap::new(),
        count: 0,
    };
    let mut document = None;
    loop {
        let event = loader.next()?;
        match event.data {
            EventData::StreamEnd => return Ok(document.unwrap_or(Value::Null)),
            EventData::DocumentStart { .. } if document.is_some() => {
                return Err(at("more than one document", &event));
            }
            EventData::StreamStart { .. }
            | EventData::DocumentStart { .. }
            | EventData::DocumentEnd { .. } => {}
            _ => document = Some(loader.value(event, 0)?),
        }
    }
}

/// The text of a scalar, as Python's `str` prints it; `None` for lists, mappings and null.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Sequence(_) | Value::Tagged(_) => None,
        Value::Mapping(entries) if entries.len() != 1 => None,
        value => match to_json(value) {
            Some(Json::Object(special)) if python::Special::of(&special).is_none() => None,
            value => value.map(|value| python::to_str(&value)),
        },
    }
}

/// A value as a row has it; `None` if it has a tag. A key is the text of its scalar.
pub fn to_json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::String(text) => Json::String(text.clone()),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Json::from(value),
            (_, Some(value)) => Json::from(value),
            _ => python::float_value(number.as_f64()?),
        },
        Value::Sequence(items) => items.iter().map(to_json).collect::<Option<_>>()?,
        Value::Mapping(entries) => {
            let entry = |(key, value): (&Value, &Value)| {
                let key = match key {
                    Value::Null => "None".to_owned(),
                    key => scalar_text(key)?,
                };
                Some((key, to_json(value)?))
            };
            Json::Object(entries.iter().map(entry).collect::<Option<_>>()?)
        }
        Value::Tagged(_) => return None,
    })
}

struct Loader<'t> {
    events: Parser<&'t mut &'t [u8]>,
    /// The values of anchors, and how many values each stands for.
    anchors: HashMap<String, (Value, usize)>,
    /// Values so far.
    count: usize,
}

impl Loader<'_> {
    fn next(&mut self) -> Result<Event, String> {
        self.events.parse().map_err(|error| {
            let mark = error.problem_mark();
            let place = mark.map(|mark| format!(" at {mark}")).unwrap_or_default();
            match error.context().filter(|context| !context.is_empty()) {
                Some(context) => format!("{}{place}, {context}", error.problem()),
                None => format!("{}{place}", error.problem()),
            }
        })
    }

    /// The value that begins with an event.
    fn value(&mut self, event: Event, depth: usize) -> Result<Value, String> {
        if depth > DEEPEST {
            let message = format!("lists and mappings nested more than {DEEPEST} levels deep");
            return Err(at(&message, &event));
        }
        let before = self.count;
        self.take(1)?;
        let place = at("", &event);
        let (anchor, value) = match event.data {
            EventData::Alias { anchor } => {
                let Some((value, count)) = self.anchors.get(&anchor) else {
                    return Err(format!("unknown alias *{anchor}{place}"));
                };
                let (value, count) = (value.clone(), *count);
                self.take(count)?;
                return Ok(value);
            }
            EventData::Scalar {
                anchor,
                tag,
                value,
                plain_implicit,
                ..
            } => {
                let value = match tag {
                    None if plain_implicit => scalar::resolved(&value),
                    None => Value::String(value),
                    Some(tag) => {
                        tagged_scalar(&tag, value).map_err(|message| format!("{message}{place}"))?
                    }
                };
                (anchor, value)
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                let mut items = Vec::new();
                loop {
                    let event = self.next()?;
                    match event.data {
                        EventData::SequenceEnd => break,
                        _ => items.push(self.value(event, depth + 1)?),
                    }
                }
                (anchor, tagged(tag, Value::Sequence(items)))
            }
            EventData::MappingStart { anchor, tag, .. } => {
                let mut entries = Mapping::new();
                loop {
                    let event = self.next()?;
                    if event.data == EventData::MappingEnd {
                        break;
                    }
                    let key = self.value(event, depth + 1)?;
                    let event = self.next()?;
                    let value = self.value(event, depth + 1)?;
                    entries.insert(key, value);
                }
                (anchor, tagged(tag, Value::Mapping(entries)))
            }
            _ => return Err(format!("a value is missing{place}")),
        };
        if let Some(anchor) = anchor {
            let count = self.count - before;
            self.anchors.insert(anchor, (value.clone(), count));
        }
        Ok(value)
    }

    fn take(&mut self, count: usize) -> Result<(), String> {
        self.count = self.count.saturating_add(count);
        match self.count > MOST {
            true => Err(format!("more than {MOST} values, aliases included")),
            false => Ok(()),
        }
    }
}

fn at(message: &str, event: &Event) -> String {
    format!("{message} at {}", event.start_mark)
}

/// A list or mapping with a tag.
fn tagged(tag: Option<String>, value: Value) -> Value {
    match tag {
        None => value,
        Some(tag)
            if tag == "!" || [CORE, "seq"].concat() == tag || [CORE, "map"].concat() == tag =>
        {
            value
        }
        Some(tag) => Value::Tagged(Box::new(TaggedValue {
            tag: Tag::new(tag.replace(CORE, "!!")),
            value,
        })),
    }
}

/// A scalar with a tag: of a type of YAML's own, or as it is.
fn tagged_scalar(tag: &str, text: String) -> Result<Value, String> {
    let Some(kind) = tag.strip_prefix(CORE) else {
        return Ok(match tag {
            "!" => scalar::resolved(&text),
            _ => tagged(Some(tag.to_owned()), Value::String(text)),
        });
    };
    let value = scalar::resolved(&text);
    let fits = match kind {
        "str" => return Ok(Value::String(text)),
        "null" => value.is_null(),
        "bool" => value.is_bool(),
        "int" => value.is_i64() || value.is_u64() || value.is_mapping(),
        "float" => match scalar::float_of(&text) {
            Some(number) => return Ok(Value::from(number)),
            None => false,
        },
        "timestamp" => scalar::is_timestamp(&text),
        _ => return Ok(tagged(Some(tag.to_owned()), Value::String(text))),
    };
    match fits {
        true => Ok(value),
        false => Err(format!("`{text}` is not a value of the tag !!{kind}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PyYAML's SafeLoader reads, as Python's `str`, recorded by `tests/make_yaml_cases.py`.
    const RECORDED: &str = include_str!("../../tests/yaml_cases.json");

    #[test]
    fn values_are_those_of_pyyaml() {
        let cases: Vec<(String, Option<String>)> = serde_json::from_str(RECORDED).unwrap();
        assert!(cases.len() > 100);
        let mut different = Vec::new();
        for (text, expected) in cases {
            let loaded = load(&text).ok().and_then(|value| to_json(&value));
            let found = loaded.map(|value| python::to_str(&value));
            if found != expected {
                different.push(format!("{text:?}: {found:?}, PyYAML {expected:?}"));
            }
        }
        assert!(different.is_empty(), "{}", different.join("\n"));
    }

    #[test]
    fn what_grows_or_nests_without_end_is_refused() {
        for (text, expected) in [
            ("[".repeat(100_000), "100 levels deep at line 1 column 102"),
            ("{a: ".repeat(100_000), "100 levels deep"),
            ("- ".repeat(100_000), "100 levels deep"),
            (
                format!(
                    "a0: &a0 [x]\n{}",
                    (0..40)
                        .map(|n| format!("a{}: &a{} [*a{n}, *a{n}]\n", n + 1, n + 1))
                        .collect::<String>()
                ),
                "more than 1000000 values",
            ),
            (
                "a: &a [*a]".to_owned(),
                "unknown alias *a at line 1 column 8",
            ),
            (
                "a: 1\n---\nb: 2\n".to_owned(),
                "more than one document at line 2",
            ),
            (
                "a: [".to_owned(),
                "did not find expected node content at line 2",
            ),
            (
                "a: !!int x".to_owned(),
                "`x` is not a value of the tag !!int at line 1",
            ),
        ] {
            let error = load(&text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn tags_that_are_not_yamls_own_stay() {
        let Value::Mapping(entries) = load("a: !function utils.f\nb: !!python/none x").unwrap()
        else {
            panic!("a mapping");
        };
        let tags: Vec<String> = entries
            .values()
            .map(|value| match value {
                Value::Tagged(tagged) => tagged.tag.to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(tags, ["!function", "!!python/none"]);
    }
}
