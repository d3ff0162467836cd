//! Parquet, as the hub keeps datasets: structs become objects, lists arrays, whatever the nesting.

use std::fs::File;
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use serde_json::Value;

use super::super::error::TaskError;
use super::super::template::Columns;
use super::{LocatedRow, Rows, read_error, until_broken};

/// The rows of a file, a row group in memory at a time.
pub(super) fn rows(path: &Path) -> Result<Rows, TaskError> {
    let file = File::open(path).map_err(|error| read_error(path, error))?;
    let reader = SerializedFileReader::new(file).map_err(|error| broken(path, error))?;
    let path = path.to_owned();
    let rows = RowIter::from_file_into(Box::new(reader)).enumerate();
    Ok(until_broken(rows.map(move |(at, row)| {
        let row = row.map_err(|error| broken(&path, error))?;
        Ok(LocatedRow {
            row: columns(row),
            number: at + 1,
            place: format!("{}: row {}", path.display(), at + 1),
        })
    })))
}

fn broken(path: &Path, error: ParquetError) -> TaskError {
    let message = match error {
        ParquetError::General(message) | ParquetError::EOF(message) => message,
        other => other.to_string(),
    };
    TaskError::format(path, format!("not Parquet that can be read: {message}"))
}

fn columns(row: Row) -> Columns {
    let columns = row.into_columns().into_iter();
    columns.map(|(name, field)| (name, value(&field))).collect()
}

/// A value as JSON has it: dates and decimals as text, what is not a number as null, bytes as text
/// where they are UTF-8, else as numbers.
fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::from(*value),
        Field::Byte(value) => Value::from(*value),
        Field::Short(value) => Value::from(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => Value::from(*value),
        Field::UByte(value) => Value::from(*value),
        Field::UShort(value) => Value::from(*value),
        Field::UInt(value) => Value::from(*value),
        Field::ULong(value) => Value::from(*value),
        Field::Float16(value) => Value::from(value.to_f32()),
        Field::Float(value) => Value::from(*value),
        Field::Double(value) => Value::from(*value),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Value::from(text),
            Err(_) => Value::from(bytes.data()),
        },
        Field::Group(group) => group
            .get_column_iter()
            .map(|(name, field)| (name.clone(), value(field)))
            .collect(),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::MapInternal(map) => map
            .entries()
            .iter()
            .map(|(key, field)| (name(key), value(field)))
            .collect(),
        Field::Decimal(_)
        | Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_) => Value::from(field.to_string()),
    }
}

/// The key of a map.
fn name(key: &Field) -> String {
    match value(key) {
        Value::String(name) => name,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::data_type::{
        BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type,
    };
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use serde_json::json;

    use super::*;

    const SCHEMA: &str = "message rows {
        required int64 id; optional double score; required boolean flag; required int32 day (DATE);
        optional int32 price (DECIMAL(5, 2)); required binary raw;
        required group about (MAP) { repeated group key_value {
            required binary key (STRING); optional int32 value; } }
        optional group steps (LIST) { repeated group list { required group element {
            required binary name (STRING); } } }
    }";

    #[test]
    fn every_kind_of_value_becomes_the_json_that_says_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.parquet");
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let file = File::create(&path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let text = |text: &str| ByteArray::from(text);
        macro_rules! column {
            ($kind:ty, $values:expr, $defined:expr, $repeated:expr) => {
                let mut column = group.next_column().unwrap().unwrap();
                let typed = column.typed::<$kind>();
                typed.write_batch($values, $defined, $repeated).unwrap();
                column.close().unwrap();
            };
        }
        column!(Int64Type, &[1 << 40, 2], None, None);
        column!(DoubleType, &[0.5], Some(&[1, 0]), None);
        column!(BoolType, &[true, false], None, None);
        column!(Int32Type, &[0, 19_000], None, None);
        column!(Int32Type, &[1250], Some(&[1, 0]), None);
        column!(
            ByteArrayType,
            &[text("plain"), ByteArray::from(vec![0xff, 1])],
            None,
            None
        );
        column!(
            ByteArrayType,
            &[text("a"), text("b")],
            Some(&[1, 1, 0]),
            Some(&[0, 1, 0])
        );
        column!(Int32Type, &[7], Some(&[2, 1, 0]), Some(&[0, 1, 0]));
        column!(
            ByteArrayType,
            &[text("x"), text("y")],
            Some(&[2, 2, 0]),
            Some(&[0, 1, 0])
        );
        group.close().unwrap();
        writer.close().unwrap();

        let rows: Vec<LocatedRow> = rows(&path).unwrap().map(Result::unwrap).collect();
        let found: Vec<Value> = rows.iter().map(|row| json!(row.row)).collect();
        assert_eq!(
            found,
            [
                json!({
                    "id": 1_u64 << 40, "score": 0.5, "flag": true, "day": "1970-01-01", "price": "12.50",
                    "raw": "plain", "about": {"a": 7, "b": null}, "steps": [{"name": "x"}, {"name": "y"}],
                }),
                json!({
                    "id": 2, "score": null, "flag": false, "day": "2022-01-08", "price": null,
                    "raw": [255, 1], "about": {}, "steps": null,
                }),
            ]
        );
        assert!(rows[1].place.ends_with("rows.parquet: row 2") && rows[1].number == 2);
    }
}
