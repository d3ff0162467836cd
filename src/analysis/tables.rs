//! The summary's tables as texts, for the terminal and the report alike.

use super::{
    controls::ControlCounts,
    format::{mean_interval, percent_interval, thousands},
    statistics::Proportion,
    summary::{DatasetSummary, Summary},
};

/// One named table of texts, for the terminal and the report alike.
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Column names.
    pub header: Vec<&'static str>,
    /// One row a dataset, and `all` where there are several.
    pub rows: Vec<Vec<String>>,
}

/// Accuracy, what changed, and controls.
pub fn tables(summary: &Summary) -> Vec<Table> {
    let mut rows: Vec<&DatasetSummary> = summary.datasets.iter().collect();
    if rows.len() > 1 {
        rows.push(&summary.total);
    }
    let with = |cells: &dyn Fn(&DatasetSummary) -> Vec<String>| {
        let row = |d: &&DatasetSummary| [vec![d.task.clone()], cells(d)].concat();
        rows.iter().map(row).collect()
    };
    let mut tables = vec![
        Table {
            title: "Accuracy, % of all samples (95 % interval)".to_owned(),
            header: vec![
                "dataset",
                "samples",
                "baseline",
                "skip-only",
                "repeat-only",
                "full search (oracle)",
            ],
            rows: with(&accuracy),
        },
        Table {
            title: format!(
                "What the search changed: C→C of the right, W→C of the wrong answers; depth of {} layers",
                summary.layers
            ),
            header: vec![
                "dataset",
                "C→C shorter %",
                "W→C %",
                "mean depth found",
                "simulations",
            ],
            rows: with(&changes),
        },
    ];
    let controls = summary.total.controls;
    if controls.control_samples + controls.right_control_samples > 0 {
        tables.push(Table {
            title: "Controls, % of the same samples at the same budget".to_owned(),
            header: vec![
                "dataset",
                "wrong",
                "search fixed",
                "random chains",
                "wrong target",
                "right",
                "search shorter",
                "random shorter",
            ],
            rows: with(&|d| control_cells(d.controls)),
        });
    }
    tables
}

fn accuracy(d: &DatasetSummary) -> Vec<String> {
    let of_all = |hits| percent_interval(Proportion::new(hits, d.samples));
    vec![
        thousands(d.samples as u64),
        of_all(d.baseline_correct),
        of_all(d.skip_only_correct),
        of_all(d.repeat_only_correct),
        of_all(d.found_correct),
    ]
}

fn changes(d: &DatasetSummary) -> Vec<String> {
    let simulations = d
        .mean_simulations
        .map_or_else(|| "-".to_owned(), |n| format!("{n:.1}"));
    let wrong = d.samples - d.baseline_correct;
    vec![
        percent_interval(Proportion::new(d.correct_with_shorter, d.baseline_correct)),
        percent_interval(Proportion::new(d.fixed, wrong)),
        mean_interval(d.depth_found),
        simulations,
    ]
}

fn control_cells(c: ControlCounts) -> Vec<String> {
    vec![
        thousands(c.control_samples as u64),
        percent_interval(c.search()),
        percent_interval(c.random()),
        percent_interval(c.wrong_target()),
        thousands(c.right_control_samples as u64),
        percent_interval(c.search_shorter()),
        percent_interval(c.random_shorter()),
    ]
}
