//! Jinja2 over a row, as lm-evaluation-harness renders it: strict about what is undefined, Python's methods on strings
//! and lists, Python's spelling of lists and of None.

mod filters;
mod format;
mod methods;
mod program;
mod values;

use std::sync::LazyLock;

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde_json::Value as Json;

use program::Program;
use values::to_json;

/// The columns of one row of a dataset, in the order of the file.
pub type Columns = serde_json::Map<String, Json>;

/// A row made ready for templates.
#[derive(Debug)]
pub(super) struct Row<'c> {
    pub columns: &'c Columns,
    context: Value,
}

impl<'c> Row<'c> {
    pub fn new(columns: &'c Columns) -> Self {
        Row {
            columns,
            context: values::mapping(columns),
        }
    }
}

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Undefined | ValueKind::String | ValueKind::Invalid | ValueKind::Plain => {
            minijinja::escape_formatter(out, state, value)
        }
        _ => out.write_str(&values::to_str(value)?).map_err(Error::from),
    });
    environment.set_unknown_method_callback(methods::call);
    environment.add_function("range", values::Range::function);
    filters::add_to(&mut environment);
    program::add_to(&mut environment);
    environment
});

fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// Whether `source` is a template; the error is the reason in words.
pub(super) fn check(source: &str) -> Result<(), String> {
    Program::template(source)
        .map(|_| ())
        .map_err(|error| reason(&error))
}

/// The text of `source` over `row`.
pub(super) fn render(source: &str, row: &Row<'_>) -> Result<String, String> {
    let render = || Program::template(source)?.run(&ENVIRONMENT, row.context.clone());
    match render() {
        Ok((text, _)) => Ok(text),
        Err(error) => Err(explain(source, row, &error)),
    }
}

/// The value of `source` over `row`, where it is a lone `{{ expression }}`; None of any other template.
fn lone_value(source: &str, row: &Row<'_>) -> Option<Result<Json, String>> {
    let expression = lone_expression(source).and_then(|inner| Program::expression(inner).ok())?;
    let evaluated = expression.run(&ENVIRONMENT, row.context.clone());
    Some(
        match evaluated.map(|(_, value)| value.unwrap_or_default()) {
            Ok(value) if value.is_undefined() || holds_undefined(&value) => {
                Err(missing_columns(source, row)
                    .unwrap_or_else(|| format!("`{source}` is undefined in this row")))
            }
            Ok(value) => to_json(&value).map_err(|error| reason(&error)),
            Err(error) => Err(explain(source, row, &error)),
        },
    )
}

/// Whether a list has an undefined item, which would pass for None.
fn holds_undefined(value: &Value) -> bool {
    value.kind() == ValueKind::Seq
        && value
            .try_iter()
            .is_ok_and(|mut items| items.any(|item| item.is_undefined()))
}

/// The value of `source` over `row`: of a lone `{{ expression }}` that of the expression, of any other template what
/// its text means as a literal (`['a', 'b']`).
pub(super) fn evaluate(source: &str, row: &Row<'_>) -> Result<Json, String> {
    if let Some(value) = lone_value(source, row) {
        return value;
    }
    let text = render(source, row)?;
    literal(&text).ok_or_else(|| format!("`{source}` gives `{text}`, which is no list"))
}

/// What `text`, which `source` gave, means as a literal, where it means anything.
pub(super) fn literal_of(source: &str, text: &str, row: &Row<'_>) -> Option<Json> {
    match lone_value(source, row) {
        // Not by way of its text, whose escapes are Python's.
        Some(Ok(value @ Json::Array(_))) => Some(value),
        _ => literal(text),
    }
}

/// Jinja's literals are Python's, so its own parser reads them.
fn literal(text: &str) -> Option<Json> {
    let (_, value) = Program::expression(text.trim())
        .ok()?
        .run(&ENVIRONMENT, Value::from(()))
        .ok()?;
    to_json(&value.unwrap_or_default()).ok()
}

/// The inside of `{{ ... }}`, where that is the whole template.
fn lone_expression(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    Some(inner.strip_suffix('-').unwrap_or(inner))
}

/// Columns a template asks for and the row lacks are what is nearly always wrong: name them.
fn explain(source: &str, row: &Row<'_>, error: &Error) -> String {
    let missing = match error.kind() {
        // What is undefined is found out by what is done with it.
        ErrorKind::UndefinedError | ErrorKind::InvalidOperation | ErrorKind::UnknownMethod => {
            missing_columns(source, row)
        }
        _ => None,
    };
    missing.unwrap_or_else(|| reason(error))
}

fn missing_columns(source: &str, row: &Row<'_>) -> Option<String> {
    let template = ENVIRONMENT.template_from_str(source).ok()?;
    let mut missing: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    missing.retain(|name| {
        !row.columns.contains_key(name) && ENVIRONMENT.globals().all(|(global, _)| global != name)
    });
    missing.sort();
    (!missing.is_empty()).then(|| no_column(&missing.join("`, `"), row))
}

/// The message for a column a row lacks.
pub(super) fn no_column(name: &str, row: &Row<'_>) -> String {
    let have: Vec<&str> = row.columns.keys().map(String::as_str).collect();
    format!("no column `{name}` (the row has {})", have.join(", "))
}

fn reason(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests;
