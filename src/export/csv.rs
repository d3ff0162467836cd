//! Comma-separated values with a header; what a sample does not have is an empty cell.

use std::io::{self, Write};

use serde_json::Value;

use super::{COLUMNS, Exporter, Row};

/// The `csv` format.
pub struct Csv;

impl Exporter for Csv {
    fn write(&self, rows: &mut dyn Iterator<Item = Row>, out: &mut dyn Write) -> io::Result<()> {
        let mut writer = ::csv::Writer::from_writer(out);
        writer.write_record(COLUMNS)?;
        for row in rows {
            // By way of JSON, so that both formats have the same columns in the same order.
            let Value::Object(fields) = serde_json::to_value(&row)? else {
                unreachable!("a row is a struct");
            };
            writer.write_record(fields.values().map(cell))?;
        }
        writer.flush()
    }
}

/// A value as a cell: texts bare, lists separated by spaces.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
