//! Rows with their options in another order.

use pyjinja::{Columns, python};
use serde_json::Value;

use super::letters;

/// Names of lists that hold the options' labels, which are not rotated.
const LABELS: [&str; 2] = ["label", "labels"];

/// The row with its options moved up by `turn` places; those that pass the first place come last.
///
/// If the options are texts of the row, these are rotated: a list of exactly these texts, anywhere
/// in the row, or else columns that hold one of them each. If the options are letters, all other
/// lists of the same length are rotated, because they hold the options' texts. A row with neither
/// is left as it is.
pub(super) fn rotated(columns: &Columns, options: &[String], turn: usize) -> Columns {
    let mut columns = columns.clone();
    if letters::are_letters(options) {
        let other = |name: &str, list: &[Value]| {
            list.len() == options.len() && !says(list, options) && !LABELS.contains(&name)
        };
        turn_lists(&mut columns, turn, &other);
    } else if !turn_lists(&mut columns, turn, &|_, list| says(list, options)) {
        turn_columns(&mut columns, options, turn);
    }
    columns
}

fn says(list: &[Value], options: &[String]) -> bool {
    list.len() == options.len()
        && list
            .iter()
            .zip(options)
            .all(|(entry, option)| python::to_str(entry) == *option)
}

/// Rotates the lists, also those in objects, that `moves` selects by name and entries. Returns
/// whether there are any.
fn turn_lists(columns: &mut Columns, turn: usize, moves: &dyn Fn(&str, &[Value]) -> bool) -> bool {
    let mut moved = false;
    for (name, value) in columns.iter_mut() {
        match value {
            Value::Array(list) if moves(name, list) => {
                list.rotate_left(turn);
                moved = true;
            }
            Value::Object(inner) => moved |= turn_lists(inner, turn, moves),
            _ => {}
        }
    }
    moved
}

/// Rotates the values of columns that hold one option each.
fn turn_columns(columns: &mut Columns, options: &[String], turn: usize) {
    let mut names: Vec<String> = Vec::new();
    for option in options {
        let named = columns
            .iter()
            .find(|(name, value)| !names.contains(name) && value.as_str() == Some(option));
        match named {
            Some((name, _)) => names.push(name.clone()),
            None => return,
        }
    }
    for (at, name) in names.into_iter().enumerate() {
        let option = &options[(at + turn) % options.len()];
        columns.insert(name, Value::String(option.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(row: Value, options: &[&str], turn: usize) -> Value {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        match row {
            Value::Object(columns) => Value::Object(rotated(&columns, &options, turn)),
            other => other,
        }
    }

    #[test]
    fn the_list_of_the_options_moves_and_nothing_else() {
        let row = serde_json::json!({"q": "?", "choices": {"text": ["x", "y", "z"], "label": ["A", "B", "C"]}, "of": [1, 2, 3]});
        let mut expected = row.clone();
        expected["choices"]["text"] = serde_json::json!(["y", "z", "x"]);
        assert_eq!(turned(row, &["x", "y", "z"], 1), expected);
    }

    #[test]
    fn where_letters_are_scored_what_they_stand_for_moves() {
        let row = serde_json::json!({"choices": {"text": ["x", "y"], "label": ["A", "B"]}, "pair": [1, 2, 3]});
        let mut expected = row.clone();
        expected["choices"]["text"] = serde_json::json!(["y", "x"]);
        assert_eq!(turned(row, &["A", "B"], 1), expected);
    }

    #[test]
    fn options_in_columns_of_their_own_move_there() {
        let row = serde_json::json!({"sol1": "x", "sol2": "y", "note": "x", "label": 1});
        let mut expected = row.clone();
        expected["sol1"] = "y".into();
        expected["sol2"] = "x".into();
        assert_eq!(turned(row.clone(), &["x", "y"], 1), expected);
        assert_eq!(turned(row.clone(), &["x", "elsewhere"], 1), row);
    }
}
