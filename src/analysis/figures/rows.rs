//! A chart with one row a dataset and a number along the bottom.

use std::ops::Range;

use plotters::{coord::types::RangedCoordf64, prelude::*, style::text_anchor::HPos};

use super::{
    axis::Slots,
    canvas::{
        Area, GRID, INK, LABEL, LONGEST_NAME, Painted, WIDTH, axis_text, shorten, text, text_width,
    },
};
use crate::analysis::statistics::Interval;

/// The chart: x a number, y in slots.
pub type RowChart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, Slots>>;

const AXIS: u32 = 44;
const MARGIN: u32 = 16;

/// How the bottom axis counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Shares, labelled in per cent.
    Percent,
    /// Plain numbers.
    Number,
}

/// Axes with one row a name. `names_shown` is off for panels that stand beside another.
pub struct Rows<'n> {
    /// Names of the rows.
    pub names: &'n [String],
    /// What the bottom axis counts.
    pub scale: Scale,
    /// Range of the bottom axis.
    pub range: Range<f64>,
    /// What stands below it.
    pub label: &'n str,
    /// Whether the rows' names are written.
    pub names_shown: bool,
}

impl Rows<'_> {
    /// Pixels that `count` rows of a height need, axis included.
    pub fn height(count: usize, row: i32) -> i32 {
        count as i32 * row + (AXIS + 2 * MARGIN) as i32
    }

    /// Pixels the names take on the left.
    pub fn name_width(names: &[String]) -> i32 {
        let widest = names
            .iter()
            .map(|name| text_width(&shorten(name, LONGEST_NAME)));
        (widest.max().unwrap_or(0) + 14).clamp(50, WIDTH as i32 / 3)
    }

    /// Draws the axes on an area and hands back the chart.
    pub fn chart<'a, 'b>(self, area: &'a Area<'b>) -> Painted<RowChart<'a, 'b>> {
        let names = self
            .names
            .iter()
            .map(|name| shorten(name, LONGEST_NAME))
            .collect();
        let left = if self.names_shown {
            Self::name_width(self.names)
        } else {
            0
        };
        let mut chart = ChartBuilder::on(area)
            .margin(MARGIN)
            .set_label_area_size(LabelAreaPosition::Left, left)
            .set_label_area_size(LabelAreaPosition::Bottom, AXIS)
            .build_cartesian_2d(self.range, Slots::down(names))?;
        let scale = self.scale;
        let percent = move |value: &f64| match scale {
            Scale::Percent => format!("{:.0}", 100.0 * value),
            Scale::Number => format!("{}", (value * 100.0).round() / 100.0),
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .x_labels(6)
            .x_label_formatter(&percent)
            .x_desc(self.label)
            .axis_desc_style(text(LABEL, INK, HPos::Center))
            .label_style(axis_text())
            .draw()?;
        Ok(chart)
    }
}

/// A horizontal line from `low` to `high` at `y`: the interval of a bar.
pub fn whisker(
    chart: &mut RowChart,
    interval: Interval,
    y: f64,
    range: &Range<f64>,
) -> Painted<()> {
    let clamp = |x: f64| x.clamp(range.start, range.end);
    let ends = vec![(clamp(interval.low), y), (clamp(interval.high), y)];
    chart.draw_series([PathElement::new(ends, INK.stroke_width(1))])?;
    Ok(())
}

/// A horizontal bar from 0.
pub fn bar(chart: &mut RowChart, value: f64, y: Range<f64>, colour: RGBColor) -> Painted<()> {
    let corners = [(0.0, y.start), (value, y.end)];
    chart.draw_series([Rectangle::new(corners, colour.filled())])?;
    Ok(())
}

/// Row names of a run's datasets.
pub fn dataset_names(run: &crate::analysis::RunRecords) -> Vec<String> {
    run.datasets().map(|(task, _)| task.to_owned()).collect()
}
