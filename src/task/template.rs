//! Jinja2 over a row, as lm-evaluation-harness renders it: strict about what is undefined, Python's methods on strings
//! and lists, Python's spelling of lists and of None.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, Serde, ValueKind, from_args};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use serde_json::Value as Json;

use super::python;
use super::regex::PythonRegex;

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
            context: Value::from(Serde(columns)),
        }
    }
}

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the default delimiters are valid"));
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Bool | ValueKind::None | ValueKind::Seq | ValueKind::Map => {
            let printed = python::to_str(&to_json(value)?);
            out.write_str(&printed).map_err(Error::from)
        }
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment.set_unknown_method_callback(python_method);
    environment.add_filter("regex_replace", regex_replace);
    environment.add_filter("last_boxed", last_boxed);
    environment
});

/// Ours: the content of the last complete `\boxed{}` of a worked solution.
fn last_boxed(text: &str) -> Result<String, Error> {
    let content = super::answer::last_boxed(text).map(|content| content.trim().to_owned());
    content.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidOperation,
            "last_boxed: no complete \\boxed{} in it",
        )
    })
}

/// Python's methods: those of minijinja's own compatibility layer, and `index`.
fn python_method(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if method != "index" {
        return minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args);
    }
    let missing = |what: &dyn std::fmt::Display| {
        Error::new(
            ErrorKind::InvalidOperation,
            format!("`{what}` is not in {value}"),
        )
    };
    if let Some(text) = value.as_str() {
        let (part,): (&str,) = from_args(args)?;
        let at = text.find(part).ok_or_else(|| missing(&part))?;
        return Ok(Value::from(text[..at].chars().count()));
    }
    let (item,): (Value,) = from_args(args)?;
    for (at, candidate) in value.try_iter()?.enumerate() {
        if candidate == item {
            return Ok(Value::from(at));
        }
    }
    Err(missing(&item))
}

/// lm-evaluation-harness's own filter: Python's `re.sub`.
fn regex_replace(
    text: &str,
    pattern: &str,
    replacement: &str,
    count: Rest<usize>,
) -> Result<String, Error> {
    let regex = PythonRegex::new(pattern)
        .map_err(|reason| Error::new(ErrorKind::InvalidOperation, reason))?;
    Ok(regex.replace(text, replacement, count.first().copied().unwrap_or(0)))
}

fn to_json(value: &Value) -> Result<Json, Error> {
    serde_json::to_value(value).map_err(|error| {
        Error::new(ErrorKind::BadSerialization, "cannot print this value").with_source(error)
    })
}

/// Whether `source` is a template; the error is the reason in words.
pub(super) fn check(source: &str) -> Result<(), String> {
    let parsed = ENVIRONMENT.template_from_str(source);
    parsed.map(|_| ()).map_err(|error| reason(&error))
}

/// The text of `source` over `row`.
pub(super) fn render(source: &str, row: &Row<'_>) -> Result<String, String> {
    let render = || {
        ENVIRONMENT
            .template_from_str(source)?
            .render(row.context.clone())
    };
    render().map_err(|error| explain(source, row, &error))
}

/// The value of `source` over `row`, where it is a lone `{{ expression }}`; None of any other template.
pub(super) fn lone_value(source: &str, row: &Row<'_>) -> Option<Result<Json, String>> {
    let expression =
        lone_expression(source).and_then(|inner| ENVIRONMENT.compile_expression(inner).ok())?;
    Some(match expression.eval(row.context.clone()) {
        Ok(value) if value.is_undefined() || holds_undefined(&value) => {
            Err(missing_columns(source, row)
                .unwrap_or_else(|| format!("`{source}` is undefined in this row")))
        }
        Ok(value) => to_json(&value).map_err(|error| reason(&error)),
        Err(error) => Err(explain(source, row, &error)),
    })
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
    // Jinja's literals are Python's, so its own parser reads them.
    let literal = || to_json(&ENVIRONMENT.compile_expression(text.trim())?.eval(())?);
    literal().map_err(|_| format!("`{source}` gives `{text}`, which is no list"))
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
        ErrorKind::UndefinedError => missing_columns(source, row),
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
mod tests {
    use super::*;
    use serde_json::json;

    fn columns(value: Json) -> Columns {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn pythons_methods_work_in_templates() {
        let columns = columns(json!({
            "choices": {"text": ["red", "blue"], "label": ["A", "B"]},
            "answerKey": " B",
            "answer": "steps\n#### 1,234",
            "label": 3,
        }));
        let row = Row::new(&columns);
        let text = |source: &str| render(source, &row).unwrap();
        assert_eq!(text("{{choices.label.index(answerKey.lstrip())}}"), "1");
        assert_eq!(
            text("{{ answer.split('####')[-1].strip() | replace(',', '') }}"),
            "1234"
        );
        assert_eq!(
            text("{{choices['text'][0]}}, {{choices.text | join('/')}}"),
            "red, red/blue"
        );
        assert_eq!(text("{{ 'ABCD'[label] }}{{ 'ABCD'.index('C') }}"), "D2");
        assert_eq!(
            text("{{ 'ABCD'[answerKey|int - 1] if answerKey|string in '1234' else answerKey }}"),
            " B"
        );
        assert_eq!(
            text(r"{{ answer | regex_replace('[a-z]+', 'x') }}"),
            "x\n#### 1,234"
        );
        assert_eq!(
            text("{% for c in choices.text %}{{ loop.index }}.{{ c.title() }} {% endfor %}"),
            "1.Red 2.Blue "
        );
        assert_eq!(text("{{ answer[6:] }}{{ label|string }}"), "#### 1,2343");
    }

    #[test]
    fn values_print_as_python_prints_them() {
        let columns = columns(json!({"a": ["x", "y's"], "n": null, "t": true, "f": 51.0}));
        let row = Row::new(&columns);
        assert_eq!(
            render("{{a}} {{n}} {{t}} {{f}}\n", &row).unwrap(),
            "['x', \"y's\"] None True 51.0\n"
        );
    }

    #[test]
    fn a_lone_expression_keeps_its_type() {
        let columns = columns(json!({"sol1": "a", "sol2": "it's", "label": 1, "gold": ["x"]}));
        let row = Row::new(&columns);
        assert_eq!(
            evaluate("{{[sol1, sol2]}}", &row).unwrap(),
            json!(["a", "it's"])
        );
        assert_eq!(evaluate("{{ label }}", &row).unwrap(), json!(1));
        assert_eq!(evaluate("{{gold}}", &row).unwrap(), json!(["x"]));
        assert_eq!(
            evaluate("['{{sol1}}', \"{{sol2}}\"]", &row).unwrap(),
            json!(["a", "it's"])
        );
        assert_eq!(
            evaluate("{% if label %}{{[sol2]}}{% endif %}", &row).unwrap(),
            json!(["it's"])
        );
    }

    #[test]
    fn a_missing_column_is_named() {
        let columns = columns(json!({"question": "q", "choices": {}}));
        let row = Row::new(&columns);
        for result in [
            render("{{question}} {{answer}}", &row).map(|_| ()),
            evaluate("{{answer}}", &row).map(|_| ()),
            evaluate("{{[answer, question]}}", &row).map(|_| ()),
        ] {
            assert_eq!(
                result.unwrap_err(),
                "no column `answer` (the row has question, choices)"
            );
        }
        assert!(
            render("{{choices.text[0]}}", &row)
                .unwrap_err()
                .contains("undefined")
        );
        assert!(
            evaluate("{{choices.text}}", &row)
                .unwrap_err()
                .contains("undefined")
        );
        assert!(check("{{ question").is_err());
    }
}
