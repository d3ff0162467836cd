//! Arrow streams and files of texts, written by the test.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_ipc::{
    CompressionType,
    writer::{FileWriter, IpcWriteOptions, StreamWriter},
};
use serde_json::Value;

/// The rows in two batches: one column a name.
fn batches(names: &[&str], rows: &[Value]) -> Vec<RecordBatch> {
    let batch = |rows: &[Value]| {
        let columns = names.iter().map(|&name| {
            let cells = rows.iter().map(|row| row[name].as_str());
            let column: ArrayRef = Arc::new(cells.collect::<StringArray>());
            (name, column, true)
        });
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    };
    rows.chunks(rows.len().div_ceil(2)).map(batch).collect()
}

/// As `datasets` writes them.
pub fn stream(names: &[&str], rows: &[Value]) -> Vec<u8> {
    let batches = batches(names, rows);
    let mut writer = StreamWriter::try_new(Vec::new(), batches[0].schema_ref()).unwrap();
    for batch in &batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}

/// With a footer.
pub fn file(names: &[&str], rows: &[Value], packed: Option<CompressionType>) -> Vec<u8> {
    let batches = batches(names, rows);
    let options = IpcWriteOptions::default()
        .try_with_compression(packed)
        .unwrap();
    let schema = batches[0].schema_ref();
    let mut writer = FileWriter::try_new_with_options(Vec::new(), schema, options).unwrap();
    for batch in &batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}
