//! Every evaluation of a run as a Parquet file: for pandas, polars, DuckDB.

use std::{io::Write, sync::Arc};

use parquet::{
    basic::{Compression, ZstdLevel},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};

use super::{ExportError, Output};
use crate::run::{Evaluation, RunError, SampleRecord};

/// The columns, in their order. `layers` is the chain as a list; a margin or degradation that is not known is null.
const SCHEMA: &str = "message evaluations {
    required binary task (STRING);
    required binary id (STRING);
    required int64 index;
    required binary arm (STRING);
    required int32 number;
    required binary chain (STRING);
    required group layers (LIST) { repeated group list { required int32 element; } }
    required int32 length;
    required boolean correct;
    optional double margin;
    optional double degradation;
    required binary answer (STRING);
    required boolean unmodified;
    required boolean best;
}";

/// Rows of a row group, which is in memory while it is made.
const GROUP: usize = 200_000;

/// Columns under construction, of the rows of a group.
#[derive(Default)]
struct Group {
    rows: usize,
    texts: [Vec<ByteArray>; 5],
    index: Vec<i64>,
    numbers: [Vec<i32>; 3],
    /// Definition and repetition levels of the layers.
    layer_levels: [Vec<i16>; 2],
    correct: [Vec<bool>; 3],
    doubles: [Vec<f64>; 2],
    double_levels: [Vec<i16>; 2],
}

impl Group {
    fn add(&mut self, record: &SampleRecord, arm: &str, number: usize, evaluation: &Evaluation) {
        self.rows += 1;
        let chain = &evaluation.chain;
        let text = chain.to_string();
        let values = [&record.task, &record.id, arm, &text, &evaluation.answer];
        for (column, value) in self.texts.iter_mut().zip(values) {
            column.push(ByteArray::from(value.as_bytes().to_vec()));
        }
        self.index.push(record.index as i64);
        self.numbers[0].push(number as i32);
        for (at, &layer) in chain.layers().iter().enumerate() {
            self.numbers[1].push(i32::from(layer));
            self.layer_levels[0].push(1);
            self.layer_levels[1].push(i16::from(at > 0));
        }
        if chain.is_empty() {
            self.layer_levels
                .iter_mut()
                .for_each(|levels| levels.push(0));
        }
        self.numbers[2].push(chain.len() as i32);
        let best = record
            .best
            .as_ref()
            .is_some_and(|best| best.chain == *chain);
        let flags = [
            evaluation.correct,
            chain.is_identity(record.layers),
            best && record.error.is_none(),
        ];
        for (column, flag) in self.correct.iter_mut().zip(flags) {
            column.push(flag);
        }
        let doubles = [evaluation.margin, evaluation.degradation];
        for (at, value) in doubles.into_iter().enumerate() {
            self.doubles[at].extend(value);
            self.double_levels[at].push(i16::from(value.is_some()));
        }
    }

    fn write(
        &self,
        mut group: SerializedRowGroupWriter<'_, impl Write + Send>,
    ) -> Result<(), ParquetError> {
        let [task, id, arm, chain, answer] = &self.texts;
        let [number, layers, length] = &self.numbers;
        let [defined, repeated] = &self.layer_levels;
        let [correct, unmodified, best] = &self.correct;
        let columns = [
            Column::Text(task),
            Column::Text(id),
            Column::Index(&self.index),
            Column::Text(arm),
            Column::Number(number),
            Column::Text(chain),
            Column::Layers(layers, defined, repeated),
            Column::Number(length),
            Column::Flag(correct),
            Column::Double(&self.doubles[0], &self.double_levels[0]),
            Column::Double(&self.doubles[1], &self.double_levels[1]),
            Column::Text(answer),
            Column::Flag(unmodified),
            Column::Flag(best),
        ];
        for column in columns {
            let Some(mut writer) = group.next_column()? else {
                break;
            };
            match (writer.untyped(), column) {
                (ColumnWriter::ByteArrayColumnWriter(writer), Column::Text(values)) => {
                    writer.write_batch(values, None, None)?
                }
                (ColumnWriter::Int64ColumnWriter(writer), Column::Index(values)) => {
                    writer.write_batch(values, None, None)?
                }
                (ColumnWriter::Int32ColumnWriter(writer), Column::Number(values)) => {
                    writer.write_batch(values, None, None)?
                }
                (
                    ColumnWriter::Int32ColumnWriter(writer),
                    Column::Layers(values, defined, repeated),
                ) => writer.write_batch(values, Some(defined), Some(repeated))?,
                (ColumnWriter::BoolColumnWriter(writer), Column::Flag(values)) => {
                    writer.write_batch(values, None, None)?
                }
                (ColumnWriter::DoubleColumnWriter(writer), Column::Double(values, defined)) => {
                    writer.write_batch(values, Some(defined), None)?
                }
                _ => {
                    return Err(ParquetError::General(
                        "a column is not what the schema says".into(),
                    ));
                }
            };
            writer.close()?;
        }
        group.close().map(drop)
    }
}

/// Values of a column of a group, with the levels that say which are there.
enum Column<'a> {
    Text(&'a [ByteArray]),
    Index(&'a [i64]),
    Number(&'a [i32]),
    Layers(&'a [i32], &'a [i16], &'a [i16]),
    Flag(&'a [bool]),
    Double(&'a [f64], &'a [i16]),
}

/// Writes every evaluation of the search and of its random control, in the order of the records. Returns how many there are.
///
/// # Errors
/// A record that cannot be read, or a write that failed; the old file then stands.
pub fn write_evaluations(
    records: impl Iterator<Item = Result<SampleRecord, RunError>>,
    mut output: Output,
) -> Result<usize, EvaluationsError> {
    let mut rows = 0;
    let written = write_groups(records, &mut output, &mut rows);
    match written {
        Ok(()) => {}
        Err(EvaluationsError::Parquet(error)) => {
            return Err(output.error(std::io::Error::other(error)).into());
        }
        Err(error) => return Err(error),
    }
    output.finish()?;
    Ok(rows)
}

/// Why evaluations were not written.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationsError {
    /// The journal cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The file cannot be written.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The file cannot be made.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

fn write_groups(
    records: impl Iterator<Item = Result<SampleRecord, RunError>>,
    output: &mut Output,
    rows: &mut usize,
) -> Result<(), EvaluationsError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let compression = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let mut writer = SerializedFileWriter::new(output, schema, Arc::new(properties))?;
    let mut group = Group::default();
    for record in records {
        let record = record?;
        let random = record.controls.as_ref();
        let random = random.map_or(&[][..], |controls| &controls.random.evaluations);
        for (arm, evaluations) in [
            ("search", record.evaluations.as_slice()),
            ("random", random),
        ] {
            for (number, evaluation) in evaluations.iter().enumerate() {
                group.add(&record, arm, number, evaluation);
                *rows += 1;
            }
        }
        if group.rows >= GROUP {
            group.write(writer.next_row_group()?)?;
            group = Group::default();
        }
    }
    if group.rows > 0 {
        group.write(writer.next_row_group()?)?;
    }
    writer.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::{Field, RowAccessor},
    };

    use super::*;
    use crate::analysis::fixtures::sample;

    #[test]
    fn every_evaluation_is_read_back() {
        let records = [
            sample("arith", 0)
                .baseline(true)
                .tried("0-2", true)
                .best("0,3")
                .build(),
            sample("arith", 1)
                .tried("empty", false)
                .tried("0-2,(3)x2", true)
                .with(|record| record.evaluations[0].margin = None)
                .build(),
            sample("facts", 0)
                .controls(Some("0-2"), None)
                .best("0-3")
                .build(),
            sample("facts", 1).failed("out of memory").build(),
        ];
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("evaluations.parquet");
        let all: usize = (records.iter())
            .map(|record| {
                let random = record.controls.as_ref();
                record.evaluations.len() + random.map_or(0, |c| c.random.evaluations.len())
            })
            .sum();
        let output = Output::create(&path).unwrap();
        let rows = write_evaluations(records.iter().cloned().map(Ok), output).unwrap();
        assert_eq!(rows, all);
        assert!(rows > 0);
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let mut expected = records.iter().flat_map(|record| {
            let random = record.controls.as_ref();
            let random = random.map_or(&[][..], |c| &c.random.evaluations);
            let all = record.evaluations.iter().chain(random);
            all.map(move |evaluation| (record, evaluation))
        });
        for row in reader.get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let (record, evaluation) = expected.next().unwrap();
            assert_eq!(row.get_string(0).unwrap(), &record.task);
            assert_eq!(row.get_string(1).unwrap(), &record.id);
            assert_eq!(row.get_string(5).unwrap(), &evaluation.chain.to_string());
            let layers = row.get_list(6).unwrap().elements();
            let layers: Vec<i32> = layers
                .iter()
                .map(|field| match field {
                    Field::Int(layer) => *layer,
                    other => panic!("{other:?}"),
                })
                .collect();
            let ours: Vec<i32> = evaluation
                .chain
                .layers()
                .iter()
                .map(|&l| l.into())
                .collect();
            assert_eq!(layers, ours);
            assert_eq!(row.get_bool(8).unwrap(), evaluation.correct);
            let double = |at: usize| row.get_double(at).ok();
            assert_eq!(
                (double(9), double(10)),
                (evaluation.margin, evaluation.degradation)
            );
            assert_eq!(row.get_string(11).unwrap(), &evaluation.answer);
        }
        assert!(expected.next().is_none());
    }
}
