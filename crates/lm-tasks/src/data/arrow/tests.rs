//! Tests on files of pyarrow, whole and damaged, and on files with false claims.

use pyjinja::python;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{LocatedRow, open_rows};
use super::rows;
use arrow_array::{ArrayRef, Int32Array, NullArray, RecordBatch, StringArray};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field, IntervalUnit, Schema, UnionFields, UnionMode};
use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::Value;
use tempfile::TempDir;

const FILES: [&str; 3] = ["stream.arrow", "stream_zstd.arrow", "file_lz4.arrow"];

fn fixture(name: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/arrow");
    home.join(name)
}

/// The rows as Python prints them, or the error.
fn read(path: &Path) -> Result<Vec<String>, String> {
    let rows = open_rows(path).map_err(|error| error.to_string())?;
    rows.map(|row| match row {
        Ok(row) => Ok(python::to_str(&Value::Object(row.row))),
        Err(error) => Err(error.to_string()),
    })
    .collect()
}

/// Like `read`, for a file with these bytes. Asserts that reading is fast, and that an error is one
/// line that names the file.
fn read_bytes(directory: &TempDir, bytes: &[u8]) -> Result<Vec<String>, String> {
    let path = directory.path().join("rows.arrow");
    std::fs::write(&path, bytes).unwrap();
    let started = Instant::now();
    let rows = read(&path);
    assert!(started.elapsed() < Duration::from_secs(5));
    if let Err(error) = &rows {
        assert!(
            error.starts_with(&format!("{}: cannot be read as Arrow", path.display())),
            "{error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }
    rows
}

#[track_caller]
fn refused(bytes: &[u8], why: &str) {
    let directory = tempfile::tempdir().unwrap();
    let error = read_bytes(&directory, bytes).unwrap_err();
    assert!(error.contains(why), "{error}");
}

/// One batch of these columns, as a stream.
fn stream(columns: Vec<(&str, ArrayRef)>, packed: Option<CompressionType>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let options = IpcWriteOptions::default()
        .try_with_compression(packed)
        .unwrap();
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), batch.schema_ref(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn numbers(values: impl IntoIterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

/// Replaces a number wherever it occurs.
fn patched(mut bytes: Vec<u8>, old: i64, new: i64) -> Vec<u8> {
    let (old, new) = (old.to_le_bytes(), new.to_le_bytes());
    let places: Vec<usize> = (0..bytes.len() - 7)
        .filter(|&at| bytes[at..at + 8] == old)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + 8].copy_from_slice(&new);
    }
    bytes
}

#[test]
fn every_value_that_pyarrow_writes_is_read() {
    let expected = read(&fixture("rows.jsonl")).unwrap();
    assert_eq!(expected.len(), 5);
    for name in FILES {
        assert_eq!(read(&fixture(name)).unwrap(), expected, "{name}");
    }
}

#[test]
fn a_column_has_the_values_it_has_in_parquet() {
    let rows = |name| open_rows(&fixture(name)).unwrap().map(Result::unwrap);
    let mut compared = 0;
    for (arrow, parquet) in rows("stream.arrow").zip(rows("same.parquet")) {
        for (name, value) in &parquet.row {
            let (arrow, parquet) = (python::to_str(&arrow.row[name]), python::to_str(value));
            assert_eq!(arrow, parquet, "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared % 5, 0);
    assert!(compared > 5 * 50, "{compared}");
}

#[test]
fn rows_are_counted_across_batches() {
    let rows: Vec<LocatedRow> = rows(&fixture("file_lz4.arrow"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        rows.iter().map(|row| row.number).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    assert!(
        rows[4].place.ends_with("file_lz4.arrow: row 5"),
        "{}",
        rows[4].place
    );
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for name in FILES {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let ends = (0..bytes.len()).rev();
        for end in ends.clone().take(600).chain(ends.step_by(61)) {
            let cut = read_bytes(&directory, &bytes[..end]);
            assert!(cut.is_err(), "{name} cut to {end} bytes");
        }
    }
}

#[test]
fn what_is_not_arrow_is_said_to_be_none() {
    refused(b"", "it is empty");
    refused(
        b"{\"id\": 1, \"question\": \"x\"}\n",
        "it does not begin with a schema",
    );
    refused(b"ARR", "it does not begin with a schema");
    refused(&[0xff; 64], "it does not begin with a schema");
    refused(&[0; 64], "it does not begin with a schema");
    refused(b"ARROW1\0\0", "its end is missing");
    refused(
        b"ARROW1\0\0\xff\xff\xff\x7fARROW1",
        "its footer is longer than the file",
    );
    refused(b"ARROW1\0\0\0\0\0\0ARROW1", "its footer is damaged");
    refused(b"FEA1 and more", "Feather of the first version");
}

#[test]
fn a_stream_that_goes_on_after_its_end_is_refused() {
    let bytes = stream(vec![("a", numbers([1, 2]))], None);
    refused(
        &[bytes.as_slice(), &bytes].concat(),
        "follow the mark of its end",
    );
}

#[test]
fn a_footer_that_lists_other_batches_is_refused() {
    let batch = RecordBatch::try_from_iter([("a", numbers([1, 2]))]).unwrap();
    let mut writer = FileWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
    writer.write(&batch).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(read_bytes(&directory, &bytes).unwrap().len(), 4);
    // Offsets of the messages: the schema, two batches of one size, and the end mark.
    let marks: Vec<usize> = (8..bytes.len() - 4)
        .filter(|&at| bytes[at..at + 4] == [0xff; 4])
        .collect();
    let [_, first, second, end] = marks[..] else {
        panic!("{marks:?}");
    };
    let footer = patched(bytes[end..].to_vec(), second as i64, first as i64);
    let moved = [&bytes[..end], &footer].concat();
    refused(&moved, "its footer does not list the batch at byte");
    let mut without = bytes;
    without.drain(second..end);
    refused(&without, "are missing");
}

#[test]
fn lengths_beyond_the_file_take_no_memory() {
    let words: ArrayRef = Arc::new(StringArray::from_iter_values(vec!["abc"; 4321]));
    let plain = stream(vec![("a", words.clone())], None);
    refused(
        &patched(plain.clone(), 4321 * 3, 1 << 40),
        "lies outside its message",
    );
    refused(&patched(plain.clone(), 4321, 1 << 40), "values in");
    refused(&patched(plain.clone(), 4321, -1), "a length below 0");
    for packed in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let packed = stream(vec![("a", words.clone())], Some(packed));
        refused(
            &patched(packed.clone(), 4321 * 3, 1 << 40),
            "claim to unpack to",
        );
        refused(&patched(packed, 4321 * 3, 1 << 20), "as Arrow");
    }
    let nothing: ArrayRef = Arc::new(NullArray::new(4321));
    let nothing = stream(vec![("a", nothing)], None);
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(read_bytes(&directory, &nothing).unwrap().len(), 4321);
    refused(&patched(nothing, 4321, 1 << 40), "values in");
    let mut long = plain;
    long[4..8].copy_from_slice(&i32::MAX.to_le_bytes());
    refused(&long, "it does not begin with a schema");
}

#[test]
fn columns_that_a_row_cannot_hold_are_refused_by_name() {
    let item = |kind| Arc::new(Field::new("item", kind, true));
    let of = |kind| {
        vec![
            Field::new("id", DataType::Int32, true),
            Field::new("odd", kind, true),
        ]
    };
    let union = UnionFields::try_new([0], [Field::new("x", DataType::Int8, true)]).unwrap();
    let twice = vec![Field::new("x", DataType::Int8, true); 2];
    for (fields, why) in [
        (vec![], "it has no columns"),
        (twice.clone(), "two columns are named `x`"),
        (
            of(DataType::Struct(twice.into())),
            "two columns are named `odd.x`",
        ),
        (
            of(DataType::Union(union, UnionMode::Sparse)),
            "column `odd` has the type Union",
        ),
        (
            of(DataType::Interval(IntervalUnit::DayTime)),
            "column `odd` has the type Interval",
        ),
        (
            of(DataType::ListView(item(DataType::Int8))),
            "column `odd` has the type ListView",
        ),
        (
            of(DataType::List(item(DataType::Interval(
                IntervalUnit::YearMonth,
            )))),
            "column `odd` has the type Interval",
        ),
    ] {
        let mut writer = StreamWriter::try_new(Vec::new(), &Schema::new(fields)).unwrap();
        writer.finish().unwrap();
        refused(&writer.into_inner().unwrap(), why);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.arrow");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let error = read(&path).unwrap_err();
    assert!(
        error.ends_with("rows.arrow: this is a pipe, not a regular file"),
        "{error}"
    );
    let error = read(directory.path().join("none.arrow").as_path()).unwrap_err();
    assert!(error.starts_with("cannot read "), "{error}");
}

/// One way to damage a file.
#[derive(Debug, Clone)]
enum Damage {
    FlipBit(Index, u8),
    /// Another number in place of a length, an offset or a prefix, which are most of a header.
    Word(Index, i64),
    Repeat(Index, Index, u8),
    Remove(Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let words = prop_oneof![
        any::<i64>(),
        -9..9_i64,
        (0..63).prop_map(|bit| 1_i64 << bit)
    ];
    prop_oneof![
        4 => (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Damage::FlipBit(at, bit)),
        4 => (any::<Index>(), words).prop_map(|(at, word)| Damage::Word(at, word)),
        1 => (any::<Index>(), any::<Index>(), 1..64u8).prop_map(|(a, b, n)| Damage::Repeat(a, b, n)),
        1 => (any::<Index>(), 1..64u8).prop_map(|(at, n)| Damage::Remove(at, n)),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::FlipBit(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Self::Word(at, word) => {
                let at = at.index(bytes.len() / 8) * 8;
                bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
            }
            Self::Repeat(from, to, span) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let end = bytes.len().min(from + usize::from(*span));
                let copied = bytes[from..end].to_vec();
                bytes.splice(to..to, copied);
            }
            Self::Remove(at, span) => {
                let at = at.index(bytes.len());
                bytes.drain(at..bytes.len().min(at + usize::from(*span)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_file_is_read_or_refused_in_one_line(
        file in 0..FILES.len(),
        damages in vec(damage(), 1..4),
    ) {
        let mut bytes = std::fs::read(fixture(FILES[file])).unwrap();
        for damage in damages {
            damage.apply(&mut bytes);
        }
        let directory = tempfile::tempdir().unwrap();
        // `read_bytes` makes the assertions.
        let rows = read_bytes(&directory, &bytes);
        // No damage to five rows makes millions.
        prop_assert!(rows.is_err() || rows.unwrap().len() < 2_000_000);
    }

    #[test]
    fn any_bytes_are_refused(bytes in vec(any::<u8>(), 0..300), magic: bool) {
        let bytes = if magic { [b"ARROW1\0\0".to_vec(), bytes].concat() } else { bytes };
        let directory = tempfile::tempdir().unwrap();
        prop_assert!(read_bytes(&directory, &bytes).is_err());
    }
}
