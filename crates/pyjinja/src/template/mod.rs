//! Renders Jinja2 templates over a row as lm-evaluation-harness does: undefined variables are errors,
//! strings and lists have Python's methods, and lists and `None` are printed as in Python.

mod concat;
mod filters;
mod format;
mod methods;
mod values;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde_json::Value as Json;

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

/// A Jinja2 environment set up like lm-evaluation-harness's, with Python's operators, methods and printing.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

impl Templates {
    /// An environment with the filters of Jinja2 and with `regex_replace` of lm-evaluation-harness.
    pub fn new() -> Self {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
        // `build` fails only if delimiters clash, which the default ones do not.
        environment.set_syntax(syntax.unwrap_or_default());
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
        Templates { environment }
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

    /// Checks that `source` is a valid template.
    ///
    /// # Errors
    /// A message that says why the template is invalid.
    pub fn check(&self, source: &str) -> Result<(), String> {
        self.environment
            .template_from_str(source)
            .map(|_| ())
            .map_err(|error| reason(&error))
    }

    /// Renders `source` over `row`.
    ///
    /// # Errors
    /// A message that names the columns that the row lacks, or says what else went wrong.
    pub fn render(&self, source: &str, row: &Row<'_>) -> Result<String, String> {
        let template = self.environment.template_from_str(source);
        let template = template.map_err(|error| reason(&error))?;
        let names = template.undeclared_variables(false);
        if let Some(objection) = concat::objection(source, &names, row.columns) {
            return Err(objection);
        }
        let text = template.render(row.context.clone());
        text.map_err(|error| self.explain(source, row, &error))
    }

    /// The value of `source` over `row`. If `source` is a single `{{ expression }}`, this is the value of
    /// the expression; otherwise the rendered text is parsed as a literal, such as `['a', 'b']`.
    ///
    /// # Errors
    /// The errors of [`render`](Self::render), and an error if the text is not a literal.
    pub fn evaluate(&self, source: &str, row: &Row<'_>) -> Result<Json, String> {
        if let Some(value) = self.lone_value(source, row) {
            return value;
        }
        let text = self.render(source, row)?;
        self.literal(&text)
            .ok_or_else(|| format!("`{source}` gives `{text}`, which is not a list"))
    }

    /// Parses `text`, which `source` was rendered to, as a Python literal; `None` if it is not one. If
    /// `source` is a single expression with a list as its value, returns that list.
    pub fn literal_of(&self, source: &str, text: &str, row: &Row<'_>) -> Option<Json> {
        match self.lone_value(source, row) {
            // The value, not its text: in the text, strings are escaped as in Python.
            Some(Ok(value @ Json::Array(_))) => Some(value),
            _ => self.literal(text),
        }
    }

    /// The value of `source` over `row`, if `source` is a single `{{ expression }}`; `None` for any other
    /// template.
    fn lone_value(&self, source: &str, row: &Row<'_>) -> Option<Result<Json, String>> {
        let expression = lone_expression(source)?;
        let expression = self.environment.compile_expression(expression).ok()?;
        let names = expression.undeclared_variables(false);
        if let Some(objection) = concat::objection(source, &names, row.columns) {
            return Some(Err(objection));
        }
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
        let expression = self.environment.compile_expression(text.trim()).ok()?;
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
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests;
