//! The report as one static page: no scripts, nothing loaded from elsewhere.

use minijinja::{AutoEscape, Environment, Value, context};

use super::{
    AnalysisError, RunRecords,
    depth::{DEPTH_PERCENTILES, DepthUse, best_chains},
    figures::{DARK_MODE_STYLE, Figure},
    format::mean_interval,
    layers::StackUse,
    outcome::Group,
    summary::Summary,
    tables::{Table, tables},
    terminal::{cost, headline, luck, notes},
};

/// The page as a template: minijinja escapes what it is given.
const PAGE: &str = include_str!("report.html");

/// The page: one section a run.
///
/// # Errors
/// The template does not fit what it is given.
pub fn page(runs: &[(&RunRecords, Vec<Figure>)]) -> Result<String, AnalysisError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let sections: Vec<Value> = runs
        .iter()
        .map(|(run, figures)| section(run, figures))
        .collect();
    let context =
        context! { style => Value::from_safe_string(DARK_MODE_STYLE.to_owned()), sections };
    Ok(environment.render_str(PAGE, context)?)
}

fn section(run: &RunRecords, figures: &[Figure]) -> Value {
    let summary = Summary::of(run);
    let figure = |figure: &Figure| {
        let svg = Value::from_safe_string(figure.svg.trim_end().to_owned());
        context! { svg, caption => &figure.caption }
    };
    context! {
        title => headline(&summary).trim(),
        notes => [vec![luck(&summary.total)], notes(&summary)].concat(),
        tables => tables(&summary).iter().map(table_value).collect::<Vec<_>>(),
        cost => cost(&summary).trim(),
        depth => table_value(&depth_table(run)),
        figures => figures.iter().map(figure).collect::<Vec<_>>(),
    }
}

fn table_value(table: &Table) -> Value {
    context! { title => &table.title, header => &table.header, rows => &table.rows }
}

/// Depth, unique layers, percentiles and entropy, by dataset and group.
fn depth_table(run: &RunRecords) -> Table {
    let mut rows = Vec::new();
    for (task, records) in run.datasets() {
        for group in [Group::StayedRight, Group::TurnedRight] {
            let depth = DepthUse::of(records, group);
            let stack = StackUse::of(best_chains(records, group), run.layers());
            let entropy = stack.as_ref().and_then(|stack| stack.entropy_bits);
            let number = |n: Option<f64>, decimals: usize| {
                n.map_or_else(|| "-".to_owned(), |n| format!("{n:.decimals$}"))
            };
            let chains = stack.map_or(0, |stack| stack.chains).to_string();
            let mut row = vec![
                format!("{task}, {}", group.label()),
                chains,
                mean_interval(depth.depth),
                mean_interval(depth.unique_layers),
                number(entropy, 2),
            ];
            row.extend(depth.right_percentiles.map(|p| number(p, 1)));
            rows.push(row);
        }
    }
    let mut header = vec![
        "dataset, group",
        "found",
        "mean depth",
        "unique layers",
        "entropy, bits",
    ];
    header.extend(PERCENTILE_NAMES);
    let title =
        "Depth of the best chains, and of all right chains at their percentiles (p)".to_owned();
    Table {
        title,
        header,
        rows,
    }
}

const PERCENTILE_NAMES: [&str; DEPTH_PERCENTILES.len()] = ["p5", "p10", "p20", "p50", "p100"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{figures::draw_all, fixtures::synthetic_run};

    #[test]
    fn the_page_loads_nothing_and_runs_nothing() {
        let run = synthetic_run(&["a"], 6, 20);
        let page = page(&[(&run, draw_all(&run).unwrap())]).unwrap();
        for forbidden in ["<script", "href=", "src=", "url(", "@import", "NaN", ">inf"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        // the one address is the SVG namespace, which nothing fetches
        let addresses = page.matches("http").count();
        assert_eq!(
            addresses,
            page.matches("http://www.w3.org/2000/svg").count()
        );
    }

    #[test]
    fn user_text_is_escaped() {
        let run = synthetic_run(&["<script>alert(1)</script>"], 6, 5);
        let page = page(&[(&run, draw_all(&run).unwrap())]).unwrap();
        assert!(!page.contains("<script"));
        assert!(page.contains("&lt;script&gt;alert(1)"));
    }
}
