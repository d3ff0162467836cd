//! Depth of the right chains, use of the thirds of the stack, accuracy by depth.

use std::io;

use super::{Dataset, PROPORTION, build, proportion_cells};
use crate::analysis::{
    RunRecords,
    depth::{
        DEPTH_PERCENTILES, DepthUse, THIRDS, accuracy_by_depth, best_chains, third_use, thirds,
    },
    format::csv_number,
    layers::StackUse,
    outcome::Group,
    statistics::{Interval, Mean},
};

/// Depth, different layers, entropy and percentiles, by group.
pub fn depth(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = ["group", "measure", "n", "value", "low_95", "high_95"];
    build(runs, &header, |dataset, rows| {
        for group in Group::ALL {
            for (measure, mean) in depth_measures(dataset, group) {
                let interval: Option<Interval> = mean.and_then(|m| m.interval);
                let cells = [
                    group.name().to_owned(),
                    measure,
                    mean.map_or(0, |m| m.n).to_string(),
                    csv_number(mean.map(|m| m.value)),
                    csv_number(interval.map(|i| i.low)),
                    csv_number(interval.map(|i| i.high)),
                ];
                dataset.row(rows, &cells)?;
            }
        }
        Ok(())
    })
}

/// (name, value and how many chains it is over).
fn depth_measures(dataset: &Dataset, group: Group) -> Vec<(String, Option<Mean>)> {
    let depth = DepthUse::of(dataset.records, group);
    let over = |n| {
        move |value| Mean {
            n,
            value,
            interval: None,
        }
    };
    let stack = StackUse::of(best_chains(dataset.records, group), dataset.layers);
    let entropy = stack.and_then(|s| s.entropy_bits.map(over(s.chains)));
    let mut measures = vec![
        ("depth".to_owned(), depth.depth),
        ("unique_layers".to_owned(), depth.unique_layers),
        ("layer_entropy_bits".to_owned(), entropy),
    ];
    for (percent, value) in DEPTH_PERCENTILES.iter().zip(depth.right_percentiles) {
        let name = format!("right_chain_depth_p{percent}");
        measures.push((name, value.map(over(depth.right_chains))));
    }
    measures
}

/// Uses a layer of the early, middle and late third: mean and five-number summary.
pub fn by_third(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = [
        "group",
        "third",
        "first_layer",
        "last_layer",
        "mean",
        "min",
        "q1",
        "median",
        "q3",
        "max",
    ];
    build(runs, &header, |dataset, rows| {
        for group in Group::ALL {
            for (name, third) in THIRDS.iter().zip(thirds(dataset.layers)) {
                let Some(spread) = third_use(dataset.records, group, &third) else {
                    continue;
                };
                let names = [group.name().to_owned(), (*name).to_owned()];
                let ends = [third.start.to_string(), (third.end - 1).to_string()];
                let mean = [csv_number(spread.mean)];
                let quartiles = spread.quartiles.map(csv_number);
                dataset.row(rows, &[&names[..], &ends, &mean, &quartiles].concat())?;
            }
        }
        Ok(())
    })
}

/// Right answers among the evaluated chains of each length.
pub fn accuracy(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = [&["depth"][..], &PROPORTION].concat();
    build(runs, &header, |dataset, rows| {
        for (depth, proportion) in accuracy_by_depth(dataset.records) {
            let depth = vec![depth.to_string()];
            dataset.row(rows, &[depth, proportion_cells(proportion)].concat())?;
        }
        Ok(())
    })
}
