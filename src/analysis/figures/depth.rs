//! Depth of the best chains: C->C beside W->C.

use plotters::{element::DashedPathElement, prelude::*};

use super::{
    canvas::{BLUE, Drawing, INK, Key, ORANGE, Painted, draw as figure},
    rows::{RowChart, Rows, Scale, bar, dataset_names, whisker},
};
use crate::analysis::{RunRecords, depth::DepthUse, outcome::Group, statistics::Mean};

const ROW: i32 = 46;
const GROUPS: [(Group, RGBColor); 2] = [(Group::StayedRight, BLUE), (Group::TurnedRight, ORANGE)];

/// Two bars a dataset with their intervals, a dot at the number of different layers.
pub fn draw(run: &RunRecords) -> Drawing {
    let names = dataset_names(run);
    let depths: Vec<[DepthUse; 2]> = run
        .datasets()
        .map(|(_, records)| GROUPS.map(|(group, _)| DepthUse::of(records, group)))
        .collect();
    let means: Vec<Mean> = depths.iter().flatten().filter_map(|d| d.depth).collect();
    if means.is_empty() {
        return Ok(None);
    }
    let layers = run.layers() as f64;
    let widest = means.iter().map(|m| m.value).fold(layers, f64::max);
    let range = 0.0..1.08 * widest;
    let legend: [Key; 2] = [("C→C", BLUE), ("W→C", ORANGE)];
    let title = "Mean depth of the best chains";
    let svg = figure(title, &legend, Rows::height(names.len(), ROW), |area| {
        let mut chart = Rows {
            names: &names,
            scale: Scale::Number,
            range: range.clone(),
            label: "layer applications",
            names_shown: true,
        }
        .chart(area)?;
        for (row, groups) in depths.iter().enumerate() {
            for (slot, (depth, (_, colour))) in groups.iter().zip(GROUPS).enumerate() {
                let top = row as f64 + 0.14 + 0.36 * slot as f64;
                group_bar(&mut chart, depth, top, colour, &range)?;
            }
        }
        let model = vec![(layers, 0.0), (layers, names.len() as f64)];
        chart.draw_series([DashedPathElement::new(model, 5, 4, INK.stroke_width(1))])?;
        Ok(())
    })?;
    let caption = format!(
        "Mean length of the shortest confirmed right chains with 95 % t intervals; the dot is the \
         mean number of different layers in them, the dashed line the unmodified model ({} \
         layers).",
        run.layers()
    );
    Ok(Some((caption, svg)))
}

fn group_bar(
    chart: &mut RowChart,
    depth: &DepthUse,
    top: f64,
    colour: RGBColor,
    range: &std::ops::Range<f64>,
) -> Painted<()> {
    let middle = top + 0.17;
    if let Some(mean) = depth.depth {
        bar(chart, mean.value, top..top + 0.34, colour)?;
        if let Some(interval) = mean.interval {
            whisker(chart, interval, middle, range)?;
        }
    }
    if let Some(unique) = depth.unique_layers {
        chart.draw_series([Circle::new((unique.value, middle), 3, INK.filled())])?;
    }
    Ok(())
}
