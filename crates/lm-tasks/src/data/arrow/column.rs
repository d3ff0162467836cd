//! Checks the types of columns, and converts their values to JSON.

use super::super::cell;
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_schema::{DataType, Fields, TimeUnit};
use pyjinja::python;
use serde_json::Value;

/// Refuses, by name, columns that a JSON row cannot hold. `above` is the path to them (`choices.`).
pub(super) fn check(fields: &Fields, above: &str) -> Result<(), String> {
    if fields.is_empty() && above.is_empty() {
        return Err("it has no columns".to_owned());
    }
    for (at, field) in fields.iter().enumerate() {
        let name = format!("{above}{}", field.name());
        if fields[..at]
            .iter()
            .any(|other| other.name() == field.name())
        {
            return Err(format!("two columns are named `{name}`"));
        }
        check_type(field.data_type(), &name)?;
    }
    Ok(())
}

fn check_type(kind: &DataType, name: &str) -> Result<(), String> {
    use DataType::*;
    match kind {
        Struct(fields) => check(fields, &format!("{name}.")),
        List(item) | LargeList(item) => check_type(item.data_type(), name),
        FixedSizeList(item, 0..) => check_type(item.data_type(), name),
        FixedSizeBinary(0..) => Ok(()),
        Map(entries, _) => match entries.data_type() {
            Struct(fields) if fields.len() == 2 => check(fields, &format!("{name}.")),
            _ => Err(format!("column `{name}` is a map without keys and values")),
        },
        Dictionary(keys, values) if keys.is_dictionary_key_type() => check_type(values, name),
        Union(..) | RunEndEncoded(..) | ListView(_) | LargeListView(_) | Interval(_)
        | FixedSizeList(..) | FixedSizeBinary(_) | Dictionary(..) => Err(format!(
            "column `{name}` has the type {kind}, which is not supported"
        )),
        Null | Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64
        | Float16 | Float32 | Float64 | Timestamp(..) | Date32 | Date64 | Time32(_) | Time64(_)
        | Duration(_) | Binary | LargeBinary | BinaryView | Utf8 | LargeUtf8 | Utf8View
        | Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => Ok(()),
    }
}

/// A value of a column of a checked type, equal to the one that [`parquet`](super::super::parquet)
/// gives.
pub(super) fn value(array: &dyn Array, at: usize) -> Value {
    use DataType::*;
    if array.is_null(at) {
        return Value::Null;
    }
    macro_rules! number {
        ($kind:ty) => {
            array.as_primitive::<$kind>().value(at)
        };
    }
    macro_rules! decimal {
        ($kind:ty, $scale:expr) => {
            cell::decimal(&number!($kind).to_string(), i64::from(*$scale))
        };
    }
    match array.data_type() {
        Null => Value::Null,
        Boolean => Value::from(array.as_boolean().value(at)),
        Int8 => Value::from(number!(Int8Type)),
        Int16 => Value::from(number!(Int16Type)),
        Int32 => Value::from(number!(Int32Type)),
        Int64 => Value::from(number!(Int64Type)),
        UInt8 => Value::from(number!(UInt8Type)),
        UInt16 => Value::from(number!(UInt16Type)),
        UInt32 => Value::from(number!(UInt32Type)),
        UInt64 => Value::from(number!(UInt64Type)),
        Float16 => python::float_value(number!(Float16Type).to_f64()),
        Float32 => python::float_value(f64::from(number!(Float32Type))),
        Float64 => python::float_value(number!(Float64Type)),
        Utf8 => Value::from(array.as_string::<i32>().value(at)),
        LargeUtf8 => Value::from(array.as_string::<i64>().value(at)),
        Utf8View => Value::from(array.as_string_view().value(at)),
        Binary => python::bytes_value(array.as_binary::<i32>().value(at)),
        LargeBinary => python::bytes_value(array.as_binary::<i64>().value(at)),
        BinaryView => python::bytes_value(array.as_binary_view().value(at)),
        FixedSizeBinary(_) => python::bytes_value(array.as_fixed_size_binary().value(at)),
        Date32 => cell::date(i64::from(number!(Date32Type))),
        Date64 => cell::date(number!(Date64Type).div_euclid(24 * 60 * 60 * 1000)),
        Time32(_) | Time64(_) | Timestamp(..) | Duration(_) => time(array, at),
        Decimal32(_, scale) => decimal!(Decimal32Type, scale),
        Decimal64(_, scale) => decimal!(Decimal64Type, scale),
        Decimal128(_, scale) => decimal!(Decimal128Type, scale),
        Decimal256(_, scale) => decimal!(Decimal256Type, scale),
        List(_) => list(&array.as_list::<i32>().value(at)),
        LargeList(_) => list(&array.as_list::<i64>().value(at)),
        FixedSizeList(..) => list(&array.as_fixed_size_list().value(at)),
        Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            columns
                .map(|(field, column)| (field.name().clone(), value(column, at)))
                .collect()
        }
        Map(..) => {
            let entries = array.as_map().value(at);
            let (keys, values) = (entries.column(0), entries.column(1));
            (0..entries.len())
                .map(|at| (python::to_str(&value(keys, at)), value(values, at)))
                .collect()
        }
        Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            // Keys are whole numbers from 0.
            let key = value(dictionary.keys(), at).as_u64();
            let key = key.and_then(|key| usize::try_from(key).ok());
            key.map_or(Value::Null, |key| value(dictionary.values(), key))
        }
        // Refused by `check`.
        Union(..) | RunEndEncoded(..) | ListView(_) | LargeListView(_) | Interval(_) => Value::Null,
    }
}

fn list(items: &dyn Array) -> Value {
    (0..items.len()).map(|at| value(items, at)).collect()
}

/// A time of day or a timestamp as text; a duration as the whole number that is stored.
fn time(array: &dyn Array, at: usize) -> Value {
    macro_rules! raw {
        ($kind:ty) => {
            array.as_primitive::<$kind>().value(at)
        };
    }
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    match array.data_type() {
        DataType::Time32(Second) => cell::time(i64::from(raw!(Time32SecondType)) * 1_000_000),
        DataType::Time32(_) => cell::time(i64::from(raw!(Time32MillisecondType)) * 1000),
        DataType::Time64(Microsecond) => cell::time(raw!(Time64MicrosecondType)),
        DataType::Time64(_) => cell::time(raw!(Time64NanosecondType).div_euclid(1000)),
        DataType::Timestamp(unit, zone) => {
            let micros = match unit {
                Second => raw!(TimestampSecondType).saturating_mul(1_000_000),
                Millisecond => raw!(TimestampMillisecondType).saturating_mul(1000),
                Microsecond => raw!(TimestampMicrosecondType),
                Nanosecond => raw!(TimestampNanosecondType).div_euclid(1000),
            };
            cell::timestamp(micros, zone.is_none())
        }
        DataType::Duration(unit) => Value::from(match unit {
            Second => raw!(DurationSecondType),
            Millisecond => raw!(DurationMillisecondType),
            Microsecond => raw!(DurationMicrosecondType),
            Nanosecond => raw!(DurationNanosecondType),
        }),
        _ => Value::Null,
    }
}
