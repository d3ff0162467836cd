//! What became of the samples: counts, transitions, controls.

use std::io;

use csv::Writer;

use super::{PROPORTION, build, proportion_cells};
use crate::analysis::{
    ControlCounts, DatasetSummary, RunRecords, Summary, format::csv_number, outcome::Transition,
};

/// One count or mean a row, by the names of the JSON summary.
pub fn summary(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let mut rows = Writer::from_writer(Vec::new());
    rows.write_record(["model", "task", "measure", "value"])?;
    for summary in runs.iter().map(Summary::of) {
        for dataset in &summary.datasets {
            for (name, value) in measures(dataset) {
                rows.write_record([&summary.model, &dataset.task, name, &value])?;
            }
        }
    }
    rows.into_inner().map_err(|error| error.into_error())
}

fn measures(d: &DatasetSummary) -> [(&'static str, String); 11] {
    [
        ("samples", d.samples.to_string()),
        ("failed", d.failed.to_string()),
        ("baseline_correct", d.baseline_correct.to_string()),
        ("skip_only_correct", d.skip_only_correct.to_string()),
        ("repeat_only_correct", d.repeat_only_correct.to_string()),
        ("found_correct", d.found_correct.to_string()),
        ("correct_with_shorter", d.correct_with_shorter.to_string()),
        ("fixed", d.fixed.to_string()),
        ("unconfirmed_chains", d.unconfirmed_chains.to_string()),
        ("mean_depth_found", csv_number(d.mean_depth_found)),
        ("mean_simulations", csv_number(d.mean_simulations)),
    ]
}

/// The search beside its controls, on the samples the unmodified model gets wrong and right.
pub fn controls(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = [&["baseline", "control"][..], &PROPORTION].concat();
    build(runs, &header, |dataset, rows| {
        let counts = ControlCounts::of(dataset.records);
        for (baseline, control, proportion) in [
            ("wrong", "search", counts.search()),
            ("wrong", "random chains", counts.random()),
            ("wrong", "matched target", counts.matched.second()),
            (
                "wrong",
                "random chains, matched target",
                counts.random_matched.second(),
            ),
            ("wrong", "wrong target", counts.wrong_target()),
            ("right", "search", counts.search_shorter()),
            ("right", "random chains", counts.random_shorter()),
        ] {
            let names = vec![baseline.to_owned(), control.to_owned()];
            dataset.row(rows, &[names, proportion_cells(proportion)].concat())?;
        }
        Ok(())
    })
}

/// From the first answer to the best chain's; all samples in the denominator.
pub fn transitions(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = [&["transition"][..], &PROPORTION].concat();
    build(runs, &header, |dataset, rows| {
        for transition in Transition::ALL {
            let share = transition.share(dataset.records);
            let name = vec![transition.name().to_owned()];
            dataset.row(rows, &[name, proportion_cells(share)].concat())?;
        }
        Ok(())
    })
}
