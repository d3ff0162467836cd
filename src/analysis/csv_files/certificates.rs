//! What certificates leave of the labels.

use std::io;

use super::{PROPORTION, build, proportion_cells};
use crate::analysis::{
    CertificateCounts, Proportion, RunRecords,
    certificates::{Threshold, mean_depth},
    format::csv_number,
};

/// Of every threshold, how many labels hold it, and their mean length beside that of all that are asked. Without certificates
/// there are no labels to ask.
pub fn certificates(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = [
        &["threshold"][..],
        &PROPORTION,
        &["mean_depth", "mean_depth_of_all"],
    ]
    .concat();
    build(runs, &header, |dataset, rows| {
        let records = match CertificateCounts::of(dataset.records) {
            Some(_) => dataset.records,
            None => &[],
        };
        for threshold in Threshold::ALL {
            let (asked, holding) = threshold.split(records);
            let share = Proportion::new(holding.len(), asked.len());
            let depths = [&holding, &asked].map(|of| csv_number(mean_depth(of).map(|m| m.value)));
            let name = vec![threshold.name().to_owned()];
            let cells = [name, proportion_cells(share), depths.to_vec()].concat();
            dataset.row(rows, &cells)?;
        }
        Ok(())
    })
}
