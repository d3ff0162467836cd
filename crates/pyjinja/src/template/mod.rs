//! Renders Jinja2 templates over a row as lm-evaluation-harness does, or over a conversation as transformers does:
//! strings and lists have Python's methods, and lists and `None` are printed as in Python. The work, memory, output and
//! nesting of every template are bounded.

mod bounds;
mod concat;
mod filters;
mod format;
mod generation;
mod json;
mod kinds;
mod methods;
mod tokens;
mod values;
mod web;

use std::borrow::Cow;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, ValueKind};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, OutputSpanKind, UndefinedBehavior, Value,
};
use serde_json::Value as Json;

use crate::python;
use values::to_json;

/// The columns of one row of a dataset, in the order of the file.
pub type Columns = serde_json::Map<String, Json>;

/// A row whose columns are converted for templates once.
#[derive(Debug)]
pub struct Row<'c> {
    /// The columns before the conversion.
    pub columns: &'c Columns,
    context: Value,
}

impl<'c> Row<'c> {
    /// Converts the columns, for any number of templates.
    pub fn new(columns: &'c Columns) -> Self {
        Row {
            columns,
            context: values::mapping(columns),
        }
    }
}

/// What a template gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A text.
    Text(String),
    /// A list: the template prints one and nothing else, or writes its brackets itself.
    List(Vec<Json>),
}

/// A Jinja2 environment with Python's operators, methods and printing, set up as lm-evaluation-harness's
/// ([`new`](Templates::new)) or as transformers' ([`of_chats`](Templates::of_chats)).
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    /// Whether the templates are those of chats.
    chats: bool,
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

/// The last list that a rendering printed.
struct PrintedList(Value);

impl Templates {
    /// lm-evaluation-harness's environment: undefined variables are errors, a trailing newline is kept, and there is its
    /// filter `regex_replace`.
    pub fn new() -> Self {
        let mut syntax = SyntaxConfig::builder();
        syntax.keep_trailing_newline(true);
        Self::with_syntax(&mut syntax, UndefinedBehavior::Strict)
    }

    /// The environment that transformers renders chat templates in: blocks take their lines with them, what is undefined
    /// is empty, `tojson` escapes nothing, and `raise_exception` refuses a conversation.
    pub fn of_chats() -> Self {
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        let mut templates = Self::with_syntax(&mut syntax, UndefinedBehavior::Lenient);
        templates.chats = true;
        let environment = &mut templates.environment;
        environment.add_filter("tojson", json::transformers);
        environment.add_function("raise_exception", |message: &Value| -> Result<(), Error> {
            // A kind that is never taken for a missing column.
            Err(Error::new(ErrorKind::EvalBlock, values::to_str(message)?))
        });
        templates
    }

    fn with_syntax(
        syntax: &mut minijinja::syntax::SyntaxConfigBuilder,
        undefined: UndefinedBehavior,
    ) -> Self {
        let mut environment = Environment::new();
        // `build` fails only if delimiters clash, which the default ones do not.
        environment.set_syntax(syntax.build().unwrap_or_default());
        environment.set_undefined_behavior(undefined);
        environment.set_fuel(Some(bounds::FUEL));
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_formatter(|out, state, value| match value.kind() {
            ValueKind::Undefined | ValueKind::String | ValueKind::Invalid | ValueKind::Plain => {
                minijinja::escape_formatter(out, state, value)
            }
            kind => {
                if kind == ValueKind::Seq {
                    state.get_or_insert_extension(PrintedList(value.clone())).0 = value.clone();
                }
                out.write_str(&values::to_str(value)?).map_err(Error::from)
            }
        });
        environment.set_unknown_method_callback(methods::call);
        environment.add_function("range", values::Range::function);
        environment.add_function("joiner", minijinja_contrib::globals::joiner);
        environment.add_function("cycler", |items: Rest<Value>| {
            minijinja_contrib::globals::cycler(items.0)
        });
        filters::add_to(&mut environment);
        kinds::add_to(&mut environment);
        Templates {
            environment,
            chats: false,
        }
    }

    /// Adds a filter from text to text. The filter's error is a message.
    #[must_use]
    pub fn with_filter(
        mut self,
        name: &'static str,
        filter: impl Fn(&str) -> Result<String, String> + Send + Sync + 'static,
    ) -> Self {
        let filter = move |text: &str| filter(text).map_err(refused);
        self.environment.add_filter(name, filter);
        self
    }

    /// Adds a function from text to text. The function's error is a message.
    #[must_use]
    pub fn with_function(
        mut self,
        name: &'static str,
        function: impl Fn(&str) -> Result<String, String> + Send + Sync + 'static,
    ) -> Self {
        let function = move |text: &str| function(text).map_err(refused);
        self.environment.add_function(name, function);
        self
    }

    /// Checks that `source` is a valid template.
    ///
    /// # Errors
    /// A message that says why the template is invalid.
    pub fn check(&self, source: &str) -> Result<(), String> {
        let source = self.prepared(source)?;
        let template = self.environment.template_from_str(&source);
        template.map(|_| ()).map_err(|error| reason(&error))
    }

    /// Renders `source` over `row`.
    ///
    /// # Errors
    /// A message that names the columns that the row lacks, or says what else went wrong.
    pub fn render(&self, source: &str, row: &Row<'_>) -> Result<String, String> {
        self.rendered(&self.objected(source, row)?, row)
            .map(|(text, _)| text)
    }

    /// What `source` gives over `row`. Whether this is a text or a list is said by the template, not by the look of a
    /// column: the text `[1, 2]` of a column is a text.
    ///
    /// # Errors
    /// The errors of [`render`](Self::render).
    pub fn give(&self, source: &str, row: &Row<'_>) -> Result<Given, String> {
        let source = self.objected(source, row)?;
        let (text, list) = self.rendered(&source, row)?;
        if !(text.starts_with('[') && text.ends_with(']')) {
            return Ok(Given::Text(text));
        }
        // A list whose text is all that was printed. It is taken as it is: in the text, strings are escaped.
        if let Some(list) = list
            && values::to_str(&list).is_ok_and(|printed| printed == text)
            && let Ok(Json::Array(items)) = to_json(&list)
        {
            return Ok(Given::List(items));
        }
        let list = match self.writes_brackets(&source, row) {
            true => self.literal(&text),
            false => None,
        };
        Ok(match list {
            Some(Json::Array(items)) => Given::List(items),
            _ => Given::Text(text),
        })
    }

    /// The value of `source` over `row`. If `source` is a single `{{ expression }}`, this is the value of
    /// the expression; otherwise the rendered text is parsed as a literal, such as `['a', 'b']`. So is a text that is
    /// the value of the expression.
    ///
    /// # Errors
    /// The errors of [`render`](Self::render), and an error if the text is not a literal.
    pub fn evaluate(&self, source: &str, row: &Row<'_>) -> Result<Json, String> {
        let source = self.objected(source, row)?;
        let text = match self.lone_value(&source, row) {
            Some(Ok(Json::String(text))) => text,
            Some(value) => return value,
            None => self.rendered(&source, row)?.0,
        };
        self.literal(&text)
            .ok_or_else(|| format!("`{source}` gives `{text}`, which is not a list"))
    }

    /// The source as it is compiled.
    fn prepared<'s>(&self, source: &'s str) -> Result<Cow<'s, str>, String> {
        let source = bounds::check(source)?;
        Ok(match self.chats {
            true => Cow::Owned(generation::transparent(&source)),
            false => source,
        })
    }

    /// The source as it is rendered over `row`, if it is.
    fn objected<'s>(&self, source: &'s str, row: &Row<'_>) -> Result<Cow<'s, str>, String> {
        let source = self.prepared(source)?;
        let template = self.environment.template_from_str(&source);
        let template = template.map_err(|error| reason(&error))?;
        if !self.chats {
            let names = template.undeclared_variables(false);
            if let Some(objection) = concat::objection(&source, &names, row.columns) {
                return Err(objection);
            }
        }
        Ok(source)
    }

    /// The text of a checked source, and the last list that was printed in it.
    fn rendered(&self, source: &str, row: &Row<'_>) -> Result<(String, Option<Value>), String> {
        let mut text = bounds::Limited::default();
        let list = bounds::on_large_stack(source, || {
            let template = self.environment.template_from_str(source)?;
            let captured = template.render_captured_to(row.context.clone(), &mut text)?;
            let list = captured.state().get_extension::<PrintedList>();
            Ok(list.map(|list| list.0.clone()))
        });
        match list {
            Ok(list) => Ok((text.finish(), list)),
            Err(error) => Err(self.explain(source, row, &error)),
        }
    }

    /// Whether the first and the last thing that is printed are the template's own text.
    fn writes_brackets(&self, source: &str, row: &Row<'_>) -> bool {
        let spans = bounds::on_large_stack(source, || {
            let template = self.environment.template_from_str(source)?;
            let (_, spans) = template.render_with_spans(row.context.clone())?;
            Ok(spans)
        });
        spans.is_ok_and(|spans| {
            let ends = [spans.first(), spans.last()];
            ends.iter()
                .all(|span| span.is_some_and(|span| span.kind() == OutputSpanKind::Raw))
        })
    }

    /// The value of `source` over `row`, if `source` is a single `{{ expression }}`; `None` for any other
    /// template.
    fn lone_value(&self, source: &str, row: &Row<'_>) -> Option<Result<Json, String>> {
        let expression = lone_expression(source)?;
        let expression = self.environment.compile_expression(expression).ok()?;
        Some(match expression.eval(row.context.clone()) {
            Ok(value) if value.is_undefined() || holds_undefined(&value) => Err(self
                .missing_columns(source, row)
                .unwrap_or_else(|| format!("`{source}` is undefined in this row"))),
            Ok(value) => to_json(&value).map_err(|error| reason(&error)),
            Err(error) => Err(self.explain(source, row, &error)),
        })
    }

    /// Parses a Python literal. Jinja2 has the same literals, so its parser is used.
    fn literal(&self, text: &str) -> Option<Json> {
        let text = text.trim();
        if !bounds::is_literal(text) {
            return None;
        }
        let expression = self.environment.compile_expression(text).ok()?;
        to_json(&expression.eval(Value::from(())).ok()?).ok()
    }

    /// The message for an error: names the columns that the row lacks, or else describes the error.
    fn explain(&self, source: &str, row: &Row<'_>, error: &Error) -> String {
        let missing = match error.kind() {
            // minijinja reports an undefined variable as any of these, depending on the operation that
            // touched it.
            ErrorKind::UndefinedError | ErrorKind::InvalidOperation | ErrorKind::UnknownMethod => {
                self.missing_columns(source, row)
            }
            _ => None,
        };
        missing.unwrap_or_else(|| reason(error))
    }

    fn missing_columns(&self, source: &str, row: &Row<'_>) -> Option<String> {
        let template = self.environment.template_from_str(source).ok()?;
        let mut missing: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        let is_global = |name: &str| self.environment.globals().any(|(global, _)| global == name);
        missing.retain(|name| !row.columns.contains_key(name) && !is_global(name));
        missing.sort();
        (!missing.is_empty()).then(|| no_column(&missing.join("`, `"), row))
    }
}

fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// Whether a list has an undefined item, which [`to_json`] would turn into null.
fn holds_undefined(value: &Value) -> bool {
    value.kind() == ValueKind::Seq
        && value
            .try_iter()
            .is_ok_and(|mut items| items.any(|item| item.is_undefined()))
}

/// The expression of a template that is a single `{{ ... }}`.
fn lone_expression(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    Some(inner.strip_suffix('-').unwrap_or(inner))
}

/// The error message for a column that the row lacks.
pub fn no_column(name: &str, row: &Row<'_>) -> String {
    let have: Vec<&str> = row.columns.keys().map(String::as_str).collect();
    format!("no column `{name}` (the row has {})", have.join(", "))
}

fn reason(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => bounds::OUT_OF_FUEL.to_owned(),
        (ErrorKind::WriteFailure, _) => bounds::too_much_text(),
        // What `raise_exception` says.
        (ErrorKind::EvalBlock, Some(detail)) => {
            format!("{}: {}", ErrorKind::InvalidOperation, in_one_line(detail))
        }
        (kind, Some(detail)) => format!("{kind}: {}", in_one_line(detail)),
        (kind, None) => kind.to_string(),
    }
}

/// What a template says, which may be of any length and hold anything.
fn in_one_line(detail: &str) -> String {
    const LONGEST: usize = 500;
    let mut out = String::new();
    let mut spaced = false;
    for (at, char) in detail.trim().chars().enumerate() {
        if at >= LONGEST {
            return out + "...";
        }
        match char.is_whitespace() {
            true => spaced = true,
            false => {
                out += if std::mem::take(&mut spaced) { " " } else { "" };
                match python::is_unprintable(char) {
                    true => python::escape(char, &mut out),
                    false => out.push(char),
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
