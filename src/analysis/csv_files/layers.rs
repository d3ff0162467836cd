//! Use of every layer, and which layer follows which.

use std::io;

use super::build;
use crate::analysis::{
    RunRecords,
    depth::best_chains,
    format::csv_number,
    layers::{StackUse, follow_counts},
    outcome::Group,
};

/// Skips, uses and repeats of every layer in the best chains, by group.
pub fn layers(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = [
        "group",
        "layer",
        "chains",
        "skip_rate",
        "mean_uses",
        "mean_repeats",
        "share",
    ];
    build(runs, &header, |dataset, rows| {
        for group in Group::ALL {
            let chains = best_chains(dataset.records, group);
            let Some(stack) = StackUse::of(chains, dataset.layers) else {
                continue;
            };
            for (layer, layer_use) in stack.layers.iter().enumerate() {
                let cells = [
                    group.name().to_owned(),
                    layer.to_string(),
                    stack.chains.to_string(),
                    csv_number(layer_use.skip_rate),
                    csv_number(layer_use.mean_uses),
                    csv_number(layer_use.mean_repeats),
                    csv_number(layer_use.share),
                ];
                dataset.row(rows, &cells)?;
            }
        }
        Ok(())
    })
}

/// How often one layer runs right after another in the best chains, by group.
pub fn layer_transitions(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = ["group", "layer", "next_layer", "count", "share_of_next"];
    build(runs, &header, |dataset, rows| {
        for group in Group::ALL {
            let counts = follow_counts(best_chains(dataset.records, group));
            for (&(layer, next), &count) in &counts {
                let leaving: usize = counts
                    .range((layer, 0)..=(layer, u16::MAX))
                    .map(|e| e.1)
                    .sum();
                let cells = [
                    group.name().to_owned(),
                    layer.to_string(),
                    next.to_string(),
                    count.to_string(),
                    csv_number(count as f64 / leaving as f64),
                ];
                dataset.row(rows, &cells)?;
            }
        }
        Ok(())
    })
}
