//! The summary's tables as texts, for the terminal and the report alike.

use super::{
    arms::{ArmCurve, ArmPoint, SEARCH},
    bounds::AtBound,
    certificates::CertificateCounts,
    format::{
        NOTHING, excess_interval, mean_interval, mean_percent, odds_interval, percent,
        percent_interval, points_interval, thousands, whole_points,
    },
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

/// What is beyond luck, accuracy, what changed, controls, depth against degradation, and certificates.
pub fn tables(summary: &Summary) -> Vec<Table> {
    let mut rows: Vec<&DatasetSummary> = summary.datasets.iter().collect();
    if rows.len() > 1 {
        rows.push(&summary.total);
    }
    let with = |cells: &dyn Fn(&DatasetSummary) -> Vec<String>| {
        let row = |d: &&DatasetSummary| [vec![d.task.clone()], cells(d)].concat();
        rows.iter().map(row).collect()
    };
    let controls = summary.total.controls;
    let mut tables = Vec::new();
    if controls.control_samples > 0 {
        tables.push(Table {
            title: format!(
                "Beyond luck, % of the wrongly answered samples, {}",
                within(summary.total.max_degradation)
            ),
            header: vec![
                "dataset",
                "wrong",
                "fixed",
                "matched",
                "excess",
                "at equal score",
                "random's excess",
                "selectivity",
            ],
            rows: with(&beyond_luck),
        });
    }
    tables.extend([
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
    ]);
    if controls.control_samples + controls.right_control_samples > 0 {
        tables.push(Table {
            title: "Controls, % of the same samples at the same budget".to_owned(),
            header: vec![
                "dataset",
                "wrong",
                "random fixes",
                "random wrong reached",
                "right",
                "search shorter",
                "random shorter",
                "layers beyond random",
            ],
            rows: with(&|d| control_cells(d)),
        });
    }
    tables.extend(arms_table(summary, &rows));
    tables.push(Table {
        title: format!(
            "Depth against degradation: mean shortest right chain of {} layers (% of samples with one)",
            summary.layers
        ),
        header: vec![
            "dataset",
            "up to 0.1",
            "up to 0.2",
            "up to 0.5",
            "up to 1",
            "no bound",
        ],
        rows: with(&|d| d.bounds.iter().map(at_bound).collect()),
    });
    if summary.total.certificates.is_some() {
        tables.push(Table {
            title: "Certificates, % of the best chains (labels)".to_owned(),
            header: vec![
                "dataset",
                "labels",
                "rotations",
                "transfer",
                "all edits needed",
                "certified",
                "mean depth",
                "if certified",
            ],
            rows: with(&|d| certificate_cells(d.certificates)),
        });
    }
    tables
}

/// The arms of each dataset, or of all samples where there are more than two.
fn arms_table(summary: &Summary, rows: &[&DatasetSummary]) -> Option<Table> {
    if summary.shown_arms().is_empty() {
        return None;
    }
    let several = rows.len() == 3;
    let shown = match several {
        true => rows,
        false => &rows[rows.len() - 1..],
    };
    let cells = |d: &&DatasetSummary| {
        let task = several.then(|| d.task.clone());
        let arm = |curve: &ArmCurve| task.iter().cloned().chain(arm_cells(curve)).collect();
        d.arms.iter().map(arm).collect::<Vec<_>>()
    };
    let header = [
        "arm",
        "1 try",
        "5",
        "20",
        "all",
        "tries",
        "steps",
        "search ahead",
    ];
    Some(Table {
        title: "Arms, % of all samples that are right within 1, 5, 20 and all tries (oracle)"
            .to_owned(),
        header: several
            .then_some("dataset")
            .into_iter()
            .chain(header)
            .collect(),
        rows: shown.iter().flat_map(cells).collect(),
    })
}

/// Which chains count.
fn within(bound: Option<f64>) -> String {
    match bound {
        None => "chains of any degradation".to_owned(),
        Some(nats) => format!("chains of degradation up to {nats} nats a token"),
    }
}

fn beyond_luck(d: &DatasetSummary) -> Vec<String> {
    let c = d.controls;
    vec![
        thousands(c.control_samples as u64),
        percent_interval(c.search()),
        percent_interval(c.matched.second()),
        excess_interval(d.excess.excess()),
        (d.excess.at_equal_score).map_or_else(|| NOTHING.to_owned(), whole_points),
        excess_interval(d.random_excess.excess()),
        odds_interval(d.selectivity),
    ]
}

/// The arm at 1, 5, 20 and all tries, how many that are, what they cost, and how far the search is ahead then.
fn arm_cells(curve: &ArmCurve) -> Vec<String> {
    let at = |tries| curve.points.iter().find(|point| point.tries == tries);
    let last = curve.points.last();
    let cell = |of: Option<String>| of.unwrap_or_else(|| NOTHING.to_owned());
    let share = |point: Option<&ArmPoint>| {
        cell(point.map(|point| format!("{:.1}", 100.0 * point.right.value)))
    };
    let ahead = last
        .and_then(|point| point.search_ahead)
        .filter(|_| curve.arm != SEARCH);
    let mut cells = vec![curve.arm.clone()];
    cells.extend([1, 5, 20].map(|tries| share(at(tries))));
    cells.extend([
        cell(last.map(|point| mean_percent(point.right))),
        cell(last.map(|point| thousands(point.tries as u64))),
        cell(last.map(|point| thousands(point.steps.round() as u64))),
        cell(ahead.map(points_interval)),
    ]);
    cells
}

fn certificate_cells(counts: Option<CertificateCounts>) -> Vec<String> {
    let Some(c) = counts else {
        return vec![NOTHING.to_owned(); 7];
    };
    let of = |hits, of| percent_interval(Proportion::new(hits, of));
    vec![
        thousands(c.labels as u64),
        of(c.rotations, c.rotated),
        of(c.transfer, c.labels),
        of(c.all_needed, c.edited),
        of(c.certified, c.labels),
        mean_interval(c.depth),
        mean_interval(c.depth_certified),
    ]
}

fn at_bound(at: &AtBound) -> String {
    let depth = at
        .depth
        .map_or_else(|| "-".to_owned(), |d| format!("{:.1}", d.value));
    format!(
        "{depth} ({})",
        percent(Proportion::new(at.right, at.samples))
    )
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

fn control_cells(d: &DatasetSummary) -> Vec<String> {
    let c = d.controls;
    vec![
        thousands(c.control_samples as u64),
        percent_interval(c.random()),
        percent_interval(c.wrong_target()),
        thousands(c.right_control_samples as u64),
        percent_interval(c.search_shorter()),
        percent_interval(c.random_shorter()),
        mean_interval(d.layers_saved_beyond_random),
    ]
}
