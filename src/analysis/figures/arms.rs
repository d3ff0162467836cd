//! Arms: the share of right samples over the number of tries.

use plotters::{prelude::*, style::text_anchor::HPos};

use super::canvas::{
    Area, BLUE, Drawing, GREY, GRID, INK, Key, LABEL, LINES, ORANGE, Painted, axis_text,
    draw as figure, text,
};
use crate::analysis::{
    RunRecords,
    arms::{ArmCurve, ArmPoint, MENU, RANDOM, SEARCH, arms},
};

/// A line and a band an arm, over all samples of the run.
pub fn draw(run: &RunRecords) -> Drawing {
    let curves = arms(run.records());
    if curves.is_empty() {
        return Ok(None);
    }
    let colours: Vec<RGBColor> = (0..curves.len())
        .map(|at| colour(&curves[at].arm, at))
        .collect();
    let legend: Vec<Key> = curves
        .iter()
        .map(|c| c.arm.as_str())
        .zip(colours.iter().copied())
        .collect();
    let title = "Samples with a right answer within so many tries (oracle)";
    let svg = figure(title, &legend, 380, |area| {
        draw_lines(area, &curves, &colours)
    })?;
    let caption = "Share of all samples that any of the first tries answers right, with 95 % bands. A try is a chain within the \
        bound on degradation, or an answer drawn from the unmodified model. Which try is right only the gold answer says."
        .to_owned();
    Ok(Some((caption, svg)))
}

fn colour(arm: &str, at: usize) -> RGBColor {
    match arm {
        SEARCH => BLUE,
        RANDOM => ORANGE,
        MENU => GREY,
        _ => LINES[(at + 2) % LINES.len()],
    }
}

fn draw_lines(area: &Area, curves: &[ArmCurve], colours: &[RGBColor]) -> Painted<()> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let most = points().map(|point| point.tries).max().unwrap_or(1).max(2) as f64;
    let lowest = points().map(low).fold(1.0, f64::min);
    let highest = points().map(high).fold(0.0, f64::max);
    let y = (lowest - 0.03).max(0.0)..(highest + 0.03).min(1.0);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .set_label_area_size(LabelAreaPosition::Left, 64)
        .set_label_area_size(LabelAreaPosition::Bottom, 44)
        .build_cartesian_2d((1.0..most).log_scale(), y)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(8)
        .y_labels(6)
        .x_label_formatter(&|tries| format!("{tries:.0}"))
        .y_label_formatter(&|share| format!("{:.0}", 100.0 * share))
        .x_desc("tries a sample")
        .y_desc("right, %")
        .axis_desc_style(text(LABEL, INK, HPos::Center))
        .label_style(axis_text())
        .draw()?;
    for (curve, colour) in curves.iter().zip(colours) {
        let at = |of: &dyn Fn(&ArmPoint) -> f64| -> Vec<(f64, f64)> {
            let point = |point: &ArmPoint| (point.tries as f64, of(point));
            curve.points.iter().map(point).collect()
        };
        let band: Vec<(f64, f64)> = at(&low)
            .into_iter()
            .chain(at(&high).into_iter().rev())
            .collect();
        chart.draw_series([Polygon::new(band, colour.mix(0.12))])?;
        let line = at(&|point| point.right.value);
        chart.draw_series([PathElement::new(line.clone(), colour.stroke_width(2))])?;
        chart.draw_series(
            line.into_iter()
                .map(|at| Circle::new(at, 3, colour.filled())),
        )?;
    }
    Ok(())
}

fn low(point: &ArmPoint) -> f64 {
    point
        .right
        .interval
        .map_or(point.right.value, |i| i.low.max(0.0))
}

fn high(point: &ArmPoint) -> f64 {
    point
        .right
        .interval
        .map_or(point.right.value, |i| i.high.min(1.0))
}
