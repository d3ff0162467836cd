//! Per-sample chains for other tools: one file a format, one trait.
//!
//! A new format is a file with an [`Exporter`] and a name in [`Format`].

mod csv;
mod error;
mod jsonl;
mod notation;
mod output;
mod parquet;
mod row;

use std::{
    fmt,
    io::{self, Write},
    path::Path,
    str::FromStr,
};

pub use error::ExportError;
pub use notation::{mergekit, rys, slices};
pub use output::Output;
pub use parquet::{EvaluationsError, write_evaluations};
pub use row::{COLUMNS, Row};

use crate::run::{SampleRecord, Thresholds};

/// Writes rows in one format.
pub trait Exporter {
    /// Writes all rows, in their order.
    fn write(&self, rows: &mut dyn Iterator<Item = Row>, out: &mut dyn Write) -> io::Result<()>;
}

/// A format of `cola export`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Csv, Self::Jsonl];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    fn exporter(self) -> &'static dyn Exporter {
        match self {
            Self::Csv => &csv::Csv,
            Self::Jsonl => &jsonl::Jsonl,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = ExportError;

    fn from_str(name: &str) -> Result<Self, ExportError> {
        let known = Self::ALL.into_iter().find(|format| format.name() == name);
        known.ok_or_else(|| ExportError::UnknownFormat {
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).join(", ") + ", parquet",
        })
    }
}

/// Writes the best chain of every sample, by (task, index), to an output opened before, and
/// finishes it. With `certified`, only samples whose certificate holds these thresholds are written. Returns the number of
/// rows.
///
/// # Errors
/// No records, or a write that failed; the old file then stands.
pub fn export(
    records: &[SampleRecord],
    format: Format,
    certified: Option<Thresholds>,
    mut output: Output,
) -> Result<usize, ExportError> {
    if records.is_empty() {
        return Err(ExportError::NoRecords);
    }
    let mut sorted: Vec<&SampleRecord> = records.iter().collect();
    sorted.sort_by(|a, b| (&a.task, a.index, &a.id).cmp(&(&b.task, b.index, &b.id)));
    let thresholds = certified.unwrap_or_default();
    let rows = sorted.into_iter();
    let rows = rows.map(|record| Row::of(record, &thresholds));
    let mut count = 0;
    let mut rows = rows
        .filter(|row| certified.is_none() || row.certified == Some(true))
        .inspect(|_| count += 1);
    let written = format.exporter().write(&mut rows, &mut output);
    written.map_err(|source| output.error(source))?;
    output.finish()?;
    Ok(count)
}

/// [`Output::create`] and [`export`] of all samples in one.
pub fn export_to(
    records: &[SampleRecord],
    format: Format,
    path: &Path,
) -> Result<usize, ExportError> {
    export(records, format, None, Output::create(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{sample, small_run};

    /// The records of the small run.
    fn recorded() -> Vec<SampleRecord> {
        let run = small_run();
        run.records()
            .iter()
            .map(|digest| (**digest).clone())
            .collect()
    }

    fn exported(records: &[SampleRecord], format: Format) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let rows = export_to(records, format, &path).unwrap();
        assert_eq!(rows, records.len());
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn csv_has_a_row_a_sample_in_order_found_or_not() {
        let mut records = recorded();
        records.reverse();
        insta::assert_snapshot!(exported(&records, Format::Csv), @r#"
        task,id,index,gold,baseline_correct,baseline_answer,found,chain,layers,alphas,length,unique_layers,margin,degradation,answer,random_found,random_chain,matched_target,matched_target_found,matched_target_chain,wrong_target,wrong_target_found,wrong_target_chain,rotations_right,rotations,edits,needed_edits,transfer_samples,transfer_right,transfer_unmodified_right,certified,error
        arith,0,0,42,true,42,true,"0,3",0 3,,2,2,1.5,0.0,42,,,,,,,,,,,,,,,,,
        arith,1,1,42,true,42,true,0-3,0 1 2 3,,4,4,1.5,0.0,42,true,0-2,13,false,,13,false,,,,,,,,,,
        arith,2,2,42,false,17,true,"0-2,(3)x2",0 1 2 3 3,,5,4,1.5,0.0,42,true,0-2,13,true,1-3,13,true,1-3,,,,,,,,,
        arith,3,3,42,false,17,false,,,,,,,,,false,,,,,,,,,,,,,,,,
        arith,4,4,42,true,42,false,,,,,,,,,,,,,,,,,,,,,,,,,out of memory
        facts,0,0,42,false,17,true,"0,2,1,3",0 2 1 3,,4,4,1.5,0.0,42,false,,13,false,,13,false,,,,,,,,,,
        "#);
    }

    proptest::proptest! {
        #[test]
        fn a_number_that_is_written_is_read_again_to_the_bit(
            margin in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO
        ) {
            let mut record = sample("t", 0).best("0-2").build();
            let best = record.best.as_mut().unwrap();
            best.margin = Some(margin);
            let same = |read: f64| assert_eq!(read.to_bits(), margin.to_bits(), "{read:?} {margin:?}");
            let line = serde_json::to_string(&record).unwrap();
            let journal: SampleRecord = serde_json::from_str(&line).unwrap();
            same(journal.best.as_ref().unwrap().margin.unwrap());
            let json: serde_json::Value =
                serde_json::from_str(&exported(std::slice::from_ref(&journal), Format::Jsonl)).unwrap();
            same(json["margin"].as_f64().unwrap());
            let text = exported(&[journal], Format::Csv);
            let mut rows = ::csv::Reader::from_reader(text.as_bytes());
            let row = rows.records().next().unwrap().unwrap();
            let column = COLUMNS.iter().position(|name| *name == "margin").unwrap();
            same(row[column].parse().unwrap());
        }
    }

    #[test]
    fn the_columns_have_their_names() {
        let text = exported(&recorded(), Format::Csv);
        assert_eq!(text.lines().next().unwrap(), COLUMNS.join(","));
    }

    #[test]
    fn jsonl_has_nulls_and_lists() {
        let text = exported(&recorded(), Format::Jsonl);
        let rows: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[0]["chain"], "0,3");
        assert_eq!(rows[0]["layers"], serde_json::json!([0, 3]));
        assert_eq!(
            (&rows[3]["found"], &rows[3]["chain"]),
            (&false.into(), &serde_json::Value::Null)
        );
        assert_eq!(rows[4]["error"], "out of memory");
    }

    #[test]
    fn only_certified_samples_are_written_if_they_are_asked_for() {
        let records = [
            sample("t", 0).best("0-2").certified((16, 9, 10)).build(),
            sample("t", 1).best("0-2").certified((16, 5, 10)).build(),
            sample("t", 2).best("0-2").build(),
            // The certificate of a sample that failed after all says nothing.
            sample("t", 3)
                .best("0-2")
                .certified((16, 9, 10))
                .failed("x")
                .build(),
            sample("t", 4).build(),
        ];
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let written = |certified, format| {
            let output = Output::create(&path).unwrap();
            let rows = export(&records, format, certified, output).unwrap();
            (rows, std::fs::read_to_string(&path).unwrap())
        };
        let (rows, text) = written(Some(Thresholds::default()), Format::Csv);
        assert_eq!((rows, text.lines().count()), (1, 2), "{text}");
        assert!(text.contains(",,0,0,16,9,10,true,\n"), "{text}");
        let strict = Thresholds {
            max_transfer_loss: 0,
            ..Thresholds::default()
        };
        let (rows, text) = written(Some(strict), Format::Csv);
        assert_eq!((rows, text.trim_end()), (0, COLUMNS.join(",").as_str()));
        let (rows, text) = written(None, Format::Jsonl);
        assert_eq!(rows, records.len());
        let certified: Vec<serde_json::Value> = text
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["certified"].clone()
            })
            .collect();
        let expected = serde_json::json!([true, false, null, null, null]);
        assert_eq!(serde_json::Value::from(certified), expected);
    }

    #[test]
    fn the_chain_without_layers_differs_from_no_chain() {
        let records = [sample("t", 0).best("empty").build(), sample("t", 1).build()];
        let text = exported(&records, Format::Csv);
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert!(rows[0].contains(",true,empty,,,0,0,"), "{text}");
        assert!(rows[1].contains(",false,,,,,,"), "{text}");
    }

    #[test]
    fn damped_chains_have_an_alpha_for_every_layer() {
        let records = [sample("t", 0).best("0,(1)x2@0.5").build()];
        let text = exported(&records, Format::Csv);
        assert!(
            text.contains(r#","0,(1)x2@0.5",0 1 1,1.0 1.0 0.5,3,2,"#),
            "{text}"
        );
        let row: serde_json::Value =
            serde_json::from_str(&exported(&records, Format::Jsonl)).unwrap();
        assert_eq!(row["alphas"], serde_json::json!([1.0, 1.0, 0.5]));
    }

    #[test]
    fn commas_quotes_and_line_ends_survive_csv() {
        let gold = "a, \"b\"\nc";
        let record = sample("t", 0)
            .with(|record| record.gold = gold.to_owned())
            .build();
        let text = exported(&[record], Format::Csv);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        assert_eq!(&reader.records().next().unwrap().unwrap()[3], gold);
    }

    #[test]
    fn formats_are_named_and_unknown_ones_refused_with_the_known() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
        let error = "orc".parse::<Format>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "option `format` \"orc\" is unknown; known: csv, jsonl, parquet"
        );
    }

    #[test]
    fn no_records_are_an_error_and_the_old_file_stands() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        std::fs::write(&path, "old").unwrap();
        let error = export_to(&[], Format::Csv, &path).unwrap_err();
        assert_eq!(error.to_string(), "no sample records to export");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    }
}
