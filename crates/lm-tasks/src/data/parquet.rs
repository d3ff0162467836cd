//! Parquet, the hub's format for datasets: structs become objects and lists become arrays, at any
//! depth.

use pyjinja::{Columns, python};
use std::path::Path;

use super::super::error::TaskError;
use super::{LocatedRow, Rows, cell, read_error, until_broken};
use cola_files::caught;
use num_bigint::BigInt;
use parquet::basic::{LogicalType, TimeUnit};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use serde_json::Value;

/// The rows of a file, a row group in memory at a time.
pub(super) fn rows(path: &Path) -> Result<Rows, TaskError> {
    let file = cola_files::open(path).map_err(|error| read_error(path, error))?;
    let reader = caught(|| SerializedFileReader::new(file)).unwrap_or_else(panicked);
    let reader = reader.map_err(|error| broken(path, error))?;
    let schema = reader
        .metadata()
        .file_metadata()
        .schema_descr()
        .root_schema_ptr();
    let path = path.to_owned();
    let rows = caught(|| RowIter::from_file_into(Box::new(reader)));
    let mut rows = rows.map_err(|_| broken(&path, damaged()))?;
    // After a panic no more rows are asked for.
    let rows = std::iter::from_fn(move || {
        caught(|| rows.next()).unwrap_or_else(|message| Some(panicked(message)))
    });
    Ok(until_broken(rows.enumerate().map(move |(at, row)| {
        let row = row.map_err(|error| broken(&path, error))?;
        Ok(LocatedRow {
            row: columns(row, &schema),
            number: at + 1,
            place: format!("{}: row {}", path.display(), at + 1),
        })
    })))
}

/// The library panics at some faults of a file.
fn panicked<T>(_: String) -> Result<T, ParquetError> {
    Err(damaged())
}

fn damaged() -> ParquetError {
    ParquetError::General("the file is damaged".to_owned())
}

fn broken(path: &Path, error: ParquetError) -> TaskError {
    let message = match error {
        ParquetError::General(message) | ParquetError::EOF(message) => message,
        other => other.to_string(),
    };
    TaskError::format(path, format!("cannot be read as Parquet: {message}"))
}

fn columns(row: Row, schema: &Type) -> Columns {
    let columns = row.into_columns().into_iter().enumerate();
    columns
        .map(|(at, (name, field))| {
            let kind = child(Some(schema), at, &name);
            (name, value(&field, kind))
        })
        .collect()
}

/// A value as Python's `datasets` gives it: dates, times and decimals as they are printed, bytes as
/// bytes. `kind` is its type in the file's schema; only this says whether a timestamp has a time
/// zone.
fn value(field: &Field, kind: Option<&Type>) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::from(*value),
        Field::Byte(value) => Value::from(*value),
        Field::Short(value) => Value::from(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => match logical(kind) {
            Some(LogicalType::Timestamp(of)) if of.unit == TimeUnit::NANOS => {
                cell::timestamp(value.div_euclid(1000), is_local(kind))
            }
            Some(LogicalType::Time(of)) if of.unit == TimeUnit::NANOS => {
                cell::time(value.div_euclid(1000))
            }
            _ => Value::from(*value),
        },
        Field::UByte(value) => Value::from(*value),
        Field::UShort(value) => Value::from(*value),
        Field::UInt(value) => Value::from(*value),
        Field::ULong(value) => Value::from(*value),
        Field::Float16(value) => python::float_value(value.to_f64()),
        Field::Float(value) => python::float_value(f64::from(*value)),
        Field::Double(value) => python::float_value(*value),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Bytes(bytes) => python::bytes_value(bytes.data()),
        Field::Group(group) => group
            .get_column_iter()
            .enumerate()
            .map(|(at, (name, field))| (name.clone(), value(field, child(kind, at, name))))
            .collect(),
        Field::ListInternal(list) => {
            let kind = element(kind);
            list.elements()
                .iter()
                .map(|item| value(item, kind))
                .collect()
        }
        Field::MapInternal(map) => {
            let kinds = only(kind).map(Type::get_fields).unwrap_or_default();
            let [key_kind, value_kind] = [0, 1].map(|at| kinds.get(at).map(AsRef::as_ref));
            let entries = map.entries().iter();
            entries
                .map(|(key, field)| {
                    (
                        python::to_str(&value(key, key_kind)),
                        value(field, value_kind),
                    )
                })
                .collect()
        }
        Field::TimestampMillis(millis) => {
            cell::timestamp(millis.saturating_mul(1000), is_local(kind))
        }
        Field::TimestampMicros(micros) => cell::timestamp(*micros, is_local(kind)),
        Field::TimeMillis(millis) => cell::time(i64::from(*millis) * 1000),
        Field::TimeMicros(micros) => cell::time(*micros),
        Field::Date(days) => cell::date(i64::from(*days)),
        Field::Decimal(number) => {
            let digits = BigInt::from_signed_bytes_be(number.data()).to_string();
            cell::decimal(&digits, i64::from(number.scale()))
        }
    }
}

/// Whether a timestamp has no time zone.
fn is_local(kind: Option<&Type>) -> bool {
    matches!(
        logical(kind),
        Some(LogicalType::Timestamp(of)) if !of.is_adjusted_to_u_t_c
    )
}

fn logical(kind: Option<&Type>) -> Option<&LogicalType> {
    kind?.get_basic_info().logical_type_ref()
}

/// The field of this name of a struct, which is the one at this place in files of many columns too.
fn child<'t>(kind: Option<&'t Type>, at: usize, name: &str) -> Option<&'t Type> {
    let fields = kind.filter(|kind| kind.is_group())?.get_fields();
    let here = fields.get(at).filter(|field| field.name() == name);
    let field = here.or_else(|| fields.iter().find(|field| field.name() == name));
    field.map(AsRef::as_ref)
}

/// The only field of a group.
fn only(kind: Option<&Type>) -> Option<&Type> {
    match kind.filter(|kind| kind.is_group())?.get_fields() {
        [field] => Some(field),
        _ => None,
    }
}

/// The type of a list's elements: the only field of the repeated group, or else the repeated type
/// itself.
fn element(kind: Option<&Type>) -> Option<&Type> {
    let repeated = only(kind).or(kind);
    only(repeated).or(repeated)
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
        required int64 local (TIMESTAMP(MICROS, false)); required int64 moment (TIMESTAMP(MILLIS, true));
        required int64 fine (TIMESTAMP(NANOS, false)); required int64 clock (TIME(MICROS, true));
        required group about (MAP) { repeated group key_value {
            required binary key (STRING); optional int32 value; } }
        optional group steps (LIST) { repeated group list { required group element {
            required binary name (STRING); } } }
    }";

    #[test]
    fn every_kind_of_value_is_what_python_reads() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.parquet");
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let file = std::fs::File::create(&path).unwrap();
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
        column!(DoubleType, &[f64::NAN], Some(&[1, 0]), None);
        column!(BoolType, &[true, false], None, None);
        column!(Int32Type, &[0, 19_000], None, None);
        column!(Int32Type, &[1250], Some(&[1, 0]), None);
        column!(
            ByteArrayType,
            &[text("plain"), ByteArray::from(vec![0xff, 1])],
            None,
            None
        );
        column!(Int64Type, &[1_577_934_245_000_000, i64::MAX], None, None);
        column!(Int64Type, &[1_577_934_245_678, -1], None, None);
        column!(Int64Type, &[1_577_934_245_000_001_999, 0], None, None);
        column!(Int64Type, &[3_723_000_000, 3_723_000_004], None, None);
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
                    "id": 1_u64 << 40, "score": python::float_value(f64::NAN), "flag": true, "day": "1970-01-01", "price": "12.50",
                    "raw": python::bytes_value(b"plain"),
                    "local": "2020-01-02 03:04:05", "moment": "2020-01-02 03:04:05.678000+00:00",
                    "fine": "2020-01-02 03:04:05.000001", "clock": "01:02:03",
                    "about": {"a": 7, "b": null}, "steps": [{"name": "x"}, {"name": "y"}],
                }),
                json!({
                    "id": 2, "score": null, "flag": false, "day": "2022-01-08", "price": null,
                    "raw": python::bytes_value(&[255, 1]),
                    "local": i64::MAX, "moment": "1969-12-31 23:59:59.999000+00:00",
                    "fine": "1970-01-01 00:00:00", "clock": "01:02:03.000004",
                    "about": {}, "steps": null,
                }),
            ]
        );
        assert!(rows[1].place.ends_with("rows.parquet: row 2") && rows[1].number == 2);
    }
}
