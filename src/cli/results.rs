//! The end of a search: its summary, on the terminal and in the run directory.

use std::path::Path;

use super::{CliError, output};
use crate::analysis::{AnalysisError, RunRecords, Summary, render};

/// Prints the summary of a run and writes `summary.json` and `summary.txt` beside the journal. `arms`: whether the search is
/// compared with random chains where there is nothing else to compare it with.
pub fn summarise(
    run: &RunRecords,
    skipped_rows: usize,
    arms: bool,
    out: &Path,
    json: bool,
) -> Result<(), CliError> {
    let mut summary = Summary::of(run);
    summary.skipped_rows = skipped_rows;
    summary.compares_arms = arms;
    let table = render(&summary);
    output::file(
        &out.join("summary.json"),
        &(output::to_json(&summary)? + "\n"),
    )?;
    output::file(&out.join("summary.txt"), &table)?;
    match json {
        true => output::json(&summary),
        false => output::print(&table),
    }
}

/// The records of a run that has at least one. `model` is the name to show.
pub fn finished(model: String, directory: &Path) -> Result<RunRecords, CliError> {
    RunRecords::read(model, directory).map_err(|error| match error {
        AnalysisError::NoRecords { .. } => none_finished(directory),
        error => error.into(),
    })
}

/// That a run has no records.
pub fn none_finished(directory: &Path) -> CliError {
    CliError::Usage(format!(
        "{}: no sample of this run is finished yet",
        directory.display()
    ))
}
