//! Tests of what a value is, as Jinja2 makes them: `x is iterable`.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};

pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment.add_test("iterable", iterable);
    environment.add_test("sequence", sequence);
}

/// Whether Python's `iter` takes the value. `None` and numbers are not iterable.
fn iterable(state: &mut State<'_, '_>, value: &Value) -> Result<bool, Error> {
    match (value.kind(), state.undefined_behavior()) {
        (ValueKind::Undefined, UndefinedBehavior::Strict) => {
            Err(Error::from(ErrorKind::UndefinedError))
        }
        (ValueKind::Undefined, _) => Ok(true),
        (kind, _) => Ok(has_items(kind) || kind == ValueKind::Iterable),
    }
}

/// Whether the value has a length and items: to Jinja2 texts and mappings are sequences too.
fn sequence(state: &mut State<'_, '_>, value: &Value) -> bool {
    match (value.kind(), state.undefined_behavior()) {
        (ValueKind::Undefined, behavior) => behavior != UndefinedBehavior::Strict,
        (ValueKind::Iterable, _) => value.len().is_some(),
        (kind, _) => has_items(kind),
    }
}

fn has_items(kind: ValueKind) -> bool {
    matches!(
        kind,
        ValueKind::String | ValueKind::Bytes | ValueKind::Seq | ValueKind::Map
    )
}
