//! Use of the early, middle and late layers: box plots.

use std::ops::Range;

use plotters::prelude::*;

use super::{
    canvas::{BLUE, Drawing, INK, Painted, draw as figure},
    rows::{RowChart, Rows, Scale, dataset_names},
};
use crate::analysis::{
    RunRecords,
    depth::{Spread, THIRDS, third_use, thirds},
    outcome::Group,
};

const ROW: i32 = 32;

/// Three panels, one box a dataset in each.
pub fn draw(run: &RunRecords) -> Drawing {
    let names = dataset_names(run);
    let panels = thirds(run.layers()).map(|third| panel_boxes(run, &third));
    let spreads = || panels.iter().flatten().flatten();
    if spreads().count() == 0 {
        return Ok(None);
    }
    let widest = spreads().map(|s| s.quartiles[4]).fold(1.5, f64::max);
    let title = "Uses of the early, middle and late layers";
    let svg = figure(title, &[], Rows::height(names.len(), ROW), |area| {
        let left = Rows::name_width(&names);
        let (width, _) = area.dim_in_pixel();
        let panel = (width as i32 - left) / 3;
        let edges = [left + panel, left + 2 * panel];
        let areas = area.split_by_breakpoints(edges, [0; 0]);
        for (at, (area, boxes)) in areas.iter().zip(&panels).enumerate() {
            let mut chart = Rows {
                names: &names,
                scale: Scale::Number,
                range: 0.0..1.05 * widest,
                label: &panel_label(at, &thirds(run.layers())[at]),
                names_shown: at == 0,
            }
            .chart(area)?;
            for (row, spread) in boxes.iter().enumerate() {
                if let Some(spread) = spread {
                    box_plot(&mut chart, spread, row as f64)?;
                }
            }
        }
        Ok(())
    })?;
    let caption = "Uses of each third of the stack in the best chains, a layer of it (1 = as in the \
        unmodified model): quartiles and extremes over samples; the dot is the mean.";
    Ok(Some((caption.to_owned(), svg)))
}

fn panel_boxes(run: &RunRecords, third: &Range<usize>) -> Vec<Option<Spread>> {
    let of = |(_, records)| third_use(records, Group::Found, third);
    run.datasets().map(of).collect()
}

fn panel_label(at: usize, third: &Range<usize>) -> String {
    match third.len() {
        0 => format!("{}: no layers", THIRDS[at]),
        _ => format!("{}: layers {}-{}", THIRDS[at], third.start, third.end - 1),
    }
}

fn box_plot(chart: &mut RowChart, spread: &Spread, row: f64) -> Painted<()> {
    let [least, lower, median, upper, most] = spread.quartiles;
    let (top, middle, bottom) = (row + 0.22, row + 0.5, row + 0.78);
    let line = |ends: [(f64, f64); 2], width| PathElement::new(ends, INK.stroke_width(width));
    chart.draw_series([line([(least, middle), (most, middle)], 1)])?;
    chart.draw_series([Rectangle::new(
        [(lower, top), (upper, bottom)],
        BLUE.filled(),
    )])?;
    chart.draw_series([line([(median, top), (median, bottom)], 2)])?;
    chart.draw_series([Circle::new((spread.mean, middle), 3, INK.filled())])?;
    Ok(())
}
