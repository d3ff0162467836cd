//! Parquet files as the hub keeps them, written by the test.

use std::sync::Arc;

use parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use serde_json::Value;

/// Rows of texts: one optional column a name.
pub fn texts(names: &[&str], rows: &[Value], compression: Compression) -> Vec<u8> {
    let columns: String = names
        .iter()
        .map(|name| format!("optional binary {name} (STRING);"))
        .collect();
    let paths: Vec<Vec<&str>> = names.iter().map(|name| vec![*name]).collect();
    write(&columns, &paths, rows, compression)
}

/// Rows of ARC: `choices` is a struct of two lists.
pub fn arc(rows: &[Value], compression: Compression) -> Vec<u8> {
    let list = |name: &str| {
        format!(
            "optional group {name} (LIST) {{ repeated group list {{ optional binary element (STRING); }} }}"
        )
    };
    let columns = format!(
        "optional binary id (STRING); optional binary question (STRING); \
         optional group choices {{ {} {} }} optional binary answerKey (STRING);",
        list("text"),
        list("label")
    );
    let paths = [
        vec!["id"],
        vec!["question"],
        vec!["choices", "text"],
        vec!["choices", "label"],
        vec!["answerKey"],
    ];
    write(&columns, &paths, rows, compression)
}

/// Writes texts, and lists of texts that are never null nor empty, in two row groups.
fn write(columns: &str, paths: &[Vec<&str>], rows: &[Value], compression: Compression) -> Vec<u8> {
    let schema = parse_message_type(&format!("message rows {{ {columns} }}")).unwrap();
    let properties = WriterProperties::builder().set_compression(compression);
    let properties = Arc::new(properties.build());
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).unwrap();
    for rows in rows.chunks(rows.len().div_ceil(2)) {
        let mut group = writer.next_row_group().unwrap();
        for path in paths {
            let (mut values, mut defined, mut repeated) = (vec![], vec![], vec![]);
            for row in rows {
                match path.iter().fold(row, |value, key| &value[*key]) {
                    Value::Null => {
                        defined.push(0);
                        repeated.push(0);
                    }
                    Value::Array(items) => {
                        for (at, item) in items.iter().enumerate() {
                            values.push(ByteArray::from(item.as_str().unwrap()));
                            // Group, list, place in it, and the value itself are there.
                            defined.push(4);
                            repeated.push(i16::from(at > 0));
                        }
                    }
                    value => {
                        values.push(ByteArray::from(value.as_str().unwrap()));
                        defined.push(1);
                        repeated.push(0);
                    }
                }
            }
            let mut column = group.next_column().unwrap().unwrap();
            let typed = column.typed::<ByteArrayType>();
            let repeated = (path.len() > 1).then_some(repeated.as_slice());
            typed
                .write_batch(&values, Some(&defined), repeated)
                .unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}
