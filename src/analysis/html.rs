//! The report as one static page: no scripts, nothing loaded from elsewhere.

use super::{
    RunRecords,
    depth::{DEPTH_PERCENTILES, DepthUse, best_chains},
    figures::{DARK_MODE_STYLE, Figure},
    format::mean_interval,
    layers::StackUse,
    outcome::Group,
    summary::Summary,
    tables::{Table, tables},
    terminal::{cost, headline, notes},
};

const STYLE: &str = "\
:root { color-scheme: light dark; --line: #d8dee4; --soft: #f6f8fa }\n\
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #151b23 } \
body { background: #0d1117; color: #e6edf3 } }\n\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 960px; margin: 2em auto; padding: 0 1em }\n\
h1 { font-size: 1.6em } h2 { font-size: 1.25em; margin-top: 2.2em } h3 { font-size: 1em; margin-bottom: .3em }\n\
.wide { overflow-x: auto }\n\
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92em }\n\
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }\n\
th:first-child, td:first-child { text-align: left }\n\
.notes { background: var(--soft); border-left: 4px solid var(--line); padding: .6em 1em }\n\
figure { margin: 1.6em 0 } figure svg { max-width: 100%; height: auto }\n\
figcaption { font-size: .9em; opacity: .85 }\n";

/// The page: one section a run.
pub fn page(runs: &[(&RunRecords, Vec<Figure>)]) -> String {
    let mut body = String::from("<h1>How the model uses its depth</h1>\n");
    for (run, figures) in runs {
        push_run(&mut body, run, figures);
    }
    body.push_str(&definitions());
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>cola report</title>\n\
         <style>\n{STYLE}{DARK_MODE_STYLE}\n</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

fn push_run(body: &mut String, run: &RunRecords, figures: &[Figure]) {
    let summary = Summary::of(run);
    body.push_str(&format!("<h2>{}</h2>\n", escape(headline(&summary).trim())));
    let notes: Vec<String> = notes(&summary)
        .iter()
        .map(|note| format!("<p>{}</p>\n", escape(note)))
        .collect();
    body.push_str(&format!(
        "<div class=\"notes\">\n{}</div>\n",
        notes.concat()
    ));
    for table in tables(&summary) {
        body.push_str(&table_element(&table));
    }
    body.push_str(&format!("<p>{}</p>\n", escape(cost(&summary).trim())));
    body.push_str(&table_element(&depth_table(run)));
    for figure in figures {
        body.push_str(&format!(
            "<figure>\n{}\n<figcaption>{}</figcaption>\n</figure>\n",
            figure.svg.trim_end(),
            escape(&figure.caption)
        ));
    }
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

fn table_element(table: &Table) -> String {
    let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
        let cells: String = cells
            .map(|cell| format!("<{tag}>{}</{tag}>", escape(cell)))
            .collect();
        format!("<tr>{cells}</tr>\n")
    };
    let head = cells("th", &mut table.header.iter().copied());
    let rows: String = table
        .rows
        .iter()
        .map(|row| cells("td", &mut row.iter().map(String::as_str)))
        .collect();
    format!(
        "<h3>{}</h3>\n<div class=\"wide\"><table>\n<thead>{head}</thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n",
        escape(&table.title)
    )
}

/// What the words mean.
fn definitions() -> String {
    let terms = [
        (
            "chain",
            "the list of layers that run, in order; its depth is its length",
        ),
        (
            "C→C, W→C",
            "samples the unmodified model answers right (C) or wrong (W) for which a right chain was found and confirmed by running it again alone",
        ),
        ("baseline", "the unmodified model"),
        (
            "skip-only, repeat-only",
            "right by the unmodified model or by a chain that only leaves layers out, or only repeats them",
        ),
        (
            "random chains",
            "the same budget spent on random chains of the same edit space",
        ),
        (
            "wrong target",
            "the same search, looking for a random wrong answer: how often luck would do",
        ),
        (
            "intervals",
            "95 %: Wilson's score interval for shares, Student's t for means; percentiles interpolate linearly between ranks",
        ),
    ];
    let items: String = terms
        .iter()
        .map(|(term, meaning)| format!("<dt>{term}</dt><dd>{meaning}</dd>\n"))
        .collect();
    format!("<h2>Words</h2>\n<dl>\n{items}</dl>\n")
}

/// Text as HTML shows it.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{figures::draw_all, fixtures::synthetic_run};

    #[test]
    fn the_page_loads_nothing_and_runs_nothing() {
        let run = synthetic_run(&["a"], 6, 20);
        let page = page(&[(&run, draw_all(&run).unwrap())]);
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
        assert_eq!(
            escape("<a b='c'>&\"</a>"),
            "&lt;a b=&#39;c&#39;&gt;&amp;&quot;&lt;/a&gt;"
        );
        let run = synthetic_run(&["<script>alert(1)</script>"], 6, 5);
        let page = page(&[(&run, draw_all(&run).unwrap())]);
        assert!(!page.contains("<script"));
    }
}
