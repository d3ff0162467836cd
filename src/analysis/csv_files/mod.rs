//! The statistics as CSV files: one observation a row, a header, the same order every time. A
//! number that does not exist is an empty cell.

mod certificates;
mod depth;
mod layers;
mod luck;
mod outcomes;

use std::io;

use csv::Writer;

use super::{RunRecords, digest::Digest, format::csv_number, statistics::Proportion};

/// A file's name and how its rows are made.
pub type CsvFile = (&'static str, fn(&[RunRecords]) -> io::Result<Vec<u8>>);

/// Every CSV file of a report.
pub const CSV_FILES: [CsvFile; 13] = [
    ("summary.csv", outcomes::summary),
    ("controls.csv", outcomes::controls),
    ("excess.csv", luck::excess),
    ("selectivity.csv", luck::selectivity),
    ("depth_by_bound.csv", luck::depth_by_bound),
    ("arms.csv", luck::arms),
    ("certificates.csv", certificates::certificates),
    ("transitions.csv", outcomes::transitions),
    ("depth.csv", depth::depth),
    ("thirds.csv", depth::by_third),
    ("layers.csv", layers::layers),
    ("layer_transitions.csv", layers::layer_transitions),
    ("accuracy_by_depth.csv", depth::accuracy),
];

/// Rows under construction.
type Rows = Writer<Vec<u8>>;

/// One dataset of one run.
struct Dataset<'a> {
    model: &'a str,
    task: &'a str,
    layers: usize,
    records: &'a [Digest],
}

/// Writes a header, then the rows of every dataset of every run.
fn build(
    runs: &[RunRecords],
    header: &[&str],
    rows_of: impl Fn(&Dataset, &mut Rows) -> csv::Result<()>,
) -> io::Result<Vec<u8>> {
    let mut rows = Writer::from_writer(Vec::new());
    rows.write_record([&["model", "task"], header].concat())?;
    for run in runs {
        for (task, records) in run.datasets() {
            let (model, layers) = (run.model(), run.layers());
            rows_of(
                &Dataset {
                    model,
                    task,
                    layers,
                    records,
                },
                &mut rows,
            )?;
        }
    }
    rows.into_inner().map_err(|error| error.into_error())
}

impl Dataset<'_> {
    fn row(&self, rows: &mut Rows, cells: &[String]) -> csv::Result<()> {
        let first = [self.model.to_owned(), self.task.to_owned()];
        rows.write_record(first.iter().chain(cells))
    }
}

/// Columns of a share.
const PROPORTION: [&str; 5] = ["hits", "of", "rate", "low_95", "high_95"];

/// A share's cells.
fn proportion_cells(proportion: Proportion) -> Vec<String> {
    let interval = proportion.wilson();
    vec![
        proportion.hits.to_string(),
        proportion.of.to_string(),
        csv_number(proportion.rate()),
        csv_number(interval.map(|i| i.low)),
        csv_number(interval.map(|i| i.high)),
    ]
}
