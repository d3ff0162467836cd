//! Accuracy of all evaluated chains against their depth.

use std::collections::BTreeMap;

use plotters::{element::DashedPathElement, prelude::*, style::text_anchor::HPos};

use super::canvas::{
    Area, Drawing, GREY, GRID, INK, Key, LABEL, LINES, LONGEST_NAME, Painted, axis_text,
    draw as figure, shorten, text,
};
use crate::analysis::{RunRecords, depth::accuracy_by_depth, statistics::Proportion};

/// Fewest evaluations of a length that make a point.
const FEWEST: usize = 30;

type ByDepth = BTreeMap<usize, Proportion>;

/// A line a dataset, and below it how many chains of each length there were.
pub fn draw(run: &RunRecords) -> Drawing {
    let all = accuracy_by_depth(run.records());
    let (Some((&least, _)), Some((&most, _))) = (all.first_key_value(), all.last_key_value())
    else {
        return Ok(None);
    };
    let x = least as f64 - 0.6..most as f64 + 0.6;
    let datasets: Vec<(&str, ByDepth)> = run
        .datasets()
        .map(|(task, records)| (task, accuracy_by_depth(records)))
        .collect();
    let colours = || LINES.iter().copied().cycle();
    let names: Vec<String> = datasets
        .iter()
        .map(|d| shorten(d.0, LONGEST_NAME))
        .collect();
    let legend: Vec<Key> = names.iter().map(String::as_str).zip(colours()).collect();
    let title = "Accuracy against depth, over all evaluated chains";
    let svg = figure(title, &legend, 420, |area| {
        let (above, below) = area.split_vertically(270);
        let lines = datasets.iter().map(|d| &d.1).zip(colours());
        draw_lines(&above, x.clone(), run.layers(), lines)?;
        draw_counts(&below, x, &all)
    })?;
    let caption = format!(
        "Share of right answers among the evaluated chains of a length; lengths with fewer than \
         {FEWEST} evaluations are left out, the dashed line is the unmodified model's. The search \
         chose these chains: they are not a random sample of their length."
    );
    Ok(Some((caption, svg)))
}

fn draw_lines<'l>(
    area: &Area,
    x: std::ops::Range<f64>,
    layers: usize,
    lines: impl Iterator<Item = (&'l ByDepth, RGBColor)>,
) -> Painted<()> {
    let lines: Vec<(Vec<(f64, f64)>, RGBColor)> = lines
        .map(|(by_depth, colour)| (points(by_depth), colour))
        .collect();
    let highest = lines.iter().flat_map(|line| &line.0).map(|point| point.1);
    let top = (1.1 * highest.fold(0.05, f64::max)).min(1.0);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .set_label_area_size(LabelAreaPosition::Left, 64)
        .set_label_area_size(LabelAreaPosition::Bottom, 22)
        .build_cartesian_2d(x, 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(12)
        .y_labels(6)
        .x_label_formatter(&|depth| format!("{depth:.0}"))
        .y_label_formatter(&|rate| format!("{:.0}", 100.0 * rate))
        .y_desc("right, %")
        .axis_desc_style(text(LABEL, INK, HPos::Center))
        .label_style(axis_text())
        .draw()?;
    let model = vec![(layers as f64, 0.0), (layers as f64, top)];
    chart.draw_series([DashedPathElement::new(model, 5, 4, INK.stroke_width(1))])?;
    for (line, colour) in lines {
        chart.draw_series([PathElement::new(line.clone(), colour.stroke_width(2))])?;
        chart.draw_series(
            line.into_iter()
                .map(|at| Circle::new(at, 3, colour.filled())),
        )?;
    }
    Ok(())
}

/// (depth, rate) of the lengths with enough evaluations.
fn points(by_depth: &ByDepth) -> Vec<(f64, f64)> {
    let enough = by_depth
        .iter()
        .filter(|(_, proportion)| proportion.of >= FEWEST);
    enough
        .filter_map(|(&depth, proportion)| Some((depth as f64, proportion.rate()?)))
        .collect()
}

fn draw_counts(area: &Area, x: std::ops::Range<f64>, all: &ByDepth) -> Painted<()> {
    let most = all
        .values()
        .map(|proportion| proportion.of)
        .max()
        .unwrap_or(1);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .set_label_area_size(LabelAreaPosition::Left, 64)
        .set_label_area_size(LabelAreaPosition::Bottom, 40)
        .build_cartesian_2d(x, 0.0..1.1 * most as f64)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(12)
        .y_labels(3)
        .x_label_formatter(&|depth| format!("{depth:.0}"))
        .y_label_formatter(&|count| format!("{count:.0}"))
        .x_desc("layer applications")
        .y_desc("chains")
        .axis_desc_style(text(LABEL, INK, HPos::Center))
        .label_style(axis_text())
        .draw()?;
    chart.draw_series(all.iter().map(|(&depth, proportion)| {
        let corners = [
            (depth as f64 - 0.4, 0.0),
            (depth as f64 + 0.4, proportion.of as f64),
        ];
        Rectangle::new(corners, GREY.filled())
    }))?;
    Ok(())
}
