//! `tojson`: Jinja2's own, and the one that transformers gives chat templates.

use minijinja::value::{Kwargs, Rest, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, Value};

use super::refused;
use super::values::to_json;
use crate::python::{self, Style};

/// Spaces of the widest indentation.
const WIDEST: usize = 100;

/// JSON with sorted keys, in which the characters special to HTML are escaped.
pub(super) fn jinja(value: &Value, indent: Option<usize>, named: Kwargs) -> Result<Value, Error> {
    let style = Style {
        indent: checked(indent.or(named.get("indent")?))?,
        ascii: true,
        sorted: true,
        ..Style::default()
    };
    named.assert_all_used()?;
    let mut text = dumped(value, style)?;
    for (char, escaped) in [
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("'", "\\u0027"),
    ] {
        text = text.replace(char, escaped);
    }
    Ok(Value::from_safe_string(text))
}

/// `json.dumps(value, ensure_ascii=False)`: keys in their order, every character as it is.
pub(super) fn transformers(value: &Value, args: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let args = args.into_values();
    type Args = (
        Option<bool>,
        Option<usize>,
        Option<Vec<String>>,
        Option<bool>,
        Kwargs,
    );
    let (ascii, indent, separators, sorted, named): Args = from_args(&args)?;
    let separators = separators.or(named.get("separators")?);
    let style = Style {
        ascii: ascii.or(named.get("ensure_ascii")?).unwrap_or(false),
        indent: checked(indent.or(named.get("indent")?))?,
        sorted: sorted.or(named.get("sort_keys")?).unwrap_or(false),
        compact: false,
        separators: match separators.as_deref() {
            None => None,
            Some([between, after]) => Some([between, after]),
            Some(_) => {
                let needs = "tojson: separators are a text between items and one after keys";
                return Err(refused(needs));
            }
        },
    };
    named.assert_all_used()?;
    dumped(value, style)
}

fn checked(indent: Option<usize>) -> Result<Option<usize>, Error> {
    match indent {
        Some(width) if width > WIDEST => Err(refused(format!("tojson: {width} is too wide"))),
        indent => Ok(indent),
    }
}

fn dumped(value: &Value, style: Style<'_>) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    Ok(python::dumps(&to_json(value)?, style))
}
