//! HellaSwag's rows: a beginning and four endings, some of them from WikiHow and with its markup.

use std::sync::LazyLock;

use serde_json::Value;

use pyjinja::{Columns, PythonRegex, python};

/// WikiHow's marks, `[header]` and the like.
static MARK: LazyLock<PythonRegex> =
    LazyLock::new(|| PythonRegex::new(r"\[.*?\]").expect("the pattern is a constant"));

/// Adds `query`, `choices` and `gold`.
pub(super) fn process(row: &mut Columns) -> Result<(), String> {
    let beginning = format!(
        "{}: {} {}",
        super::text(row, "activity_label")?,
        super::text(row, "ctx_a")?,
        capitalized(super::text(row, "ctx_b")?)
    );
    let endings = match row.get("endings") {
        Some(Value::Array(endings)) => endings.iter().map(|ending| match ending {
            Value::String(text) => Ok(Value::from(clean(text))),
            _ => Err("column `endings` is not a list of texts".to_owned()),
        }),
        _ => return Err("no column `endings` with a list".to_owned()),
    };
    let choices: Vec<Value> = endings.collect::<Result<_, _>>()?;
    let label = row.get("label").map(python::to_str).unwrap_or_default();
    let gold: i64 = python::strip(&label).parse().map_err(|_| {
        format!("the label `{label}` is not a number (the rows of the test split have no label)")
    })?;
    row.insert("query".to_owned(), clean(&beginning).into());
    row.insert("choices".to_owned(), choices.into());
    row.insert("gold".to_owned(), gold.into());
    Ok(())
}

/// Removes WikiHow's marks and double spaces, exactly as lm-evaluation-harness does.
fn clean(text: &str) -> String {
    let text = python::strip(text).replace(" [title]", ". ");
    MARK.replace(&text, "", 0).replace("  ", " ")
}

/// Python's `capitalize`: the first letter in upper case, all others in lower case.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first
            .to_uppercase()
            .chain(letters.as_str().to_lowercase().chars())
            .collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_go_and_the_second_half_begins_large_and_goes_on_small() {
        let mut row: Columns = serde_json::from_value(json!({
            "activity_label": "Personal Care", "ctx_a": "[header] How to dye [title] Buy dye. ",
            "ctx_b": "the Dye [substeps] IS", "endings": [" cold  [step] water", "[x] hot [title] y"],
            "label": "1",
        }))
        .unwrap();
        process(&mut row).unwrap();
        assert_eq!(
            row["query"],
            "Personal Care: How to dye. Buy dye. The dye is"
        );
        assert_eq!(row["choices"], json!(["cold  water", " hot. y"]));
        assert_eq!(row["gold"], 1);
        row.insert("label".to_owned(), "".into());
        assert!(process(&mut row).unwrap_err().contains("label"));
    }
}
