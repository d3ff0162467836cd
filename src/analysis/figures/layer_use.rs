//! Per layer: how often it is skipped, and how often repeated.

use plotters::{prelude::*, style::text_anchor::HPos};

use super::{
    axis::Slots,
    canvas::{
        Area, BLUE, Drawing, GRID, INK, Key, LABEL, ORANGE, Painted, WIDTH, axis_text,
        draw as figure, text,
    },
};
use crate::analysis::{
    RunRecords,
    depth::best_chains,
    layers::{LayerUse, StackUse},
    outcome::Group,
};

const PANEL: i32 = 210;
const LEFT: u32 = 64;
const GROUPS: [(Group, RGBColor); 2] = [(Group::StayedRight, BLUE), (Group::TurnedRight, ORANGE)];

/// A panel of one number a layer.
struct Panel {
    label: &'static str,
    value: fn(&LayerUse) -> f64,
    least_top: f64,
    layer_axis: bool,
}

const PANELS: [Panel; 2] = [
    Panel {
        label: "skipped, % of chains",
        value: |layer| 100.0 * layer.skip_rate,
        least_top: 5.0,
        layer_axis: false,
    },
    Panel {
        label: "extra uses a chain",
        value: |layer| layer.mean_repeats,
        least_top: 0.1,
        layer_axis: true,
    },
];

/// Skip rate above, repeats below; all datasets together.
pub fn draw(run: &RunRecords) -> Drawing {
    let stacks =
        GROUPS.map(|(group, _)| StackUse::of(best_chains(run.records(), group), run.layers()));
    if stacks.iter().all(Option::is_none) {
        return Ok(None);
    }
    let legend: [Key; 2] = [("C→C", BLUE), ("W→C", ORANGE)];
    let title = "Layers skipped and repeated";
    let svg = figure(title, &legend, 2 * PANEL + 30, |area| {
        let (above, below) = area.split_vertically(PANEL);
        draw_panel(&above, &PANELS[0], &stacks, run.layers())?;
        draw_panel(&below, &PANELS[1], &stacks, run.layers())
    })?;
    let chains = |at: usize| stacks[at].as_ref().map_or(0, |stack| stack.chains);
    let caption = format!(
        "Best chains of all datasets: {} C→C and {} W→C. Above, the share of chains that never run \
         the layer; below, its mean uses beyond the first.",
        chains(0),
        chains(1)
    );
    Ok(Some((caption, svg)))
}

fn draw_panel(
    area: &Area,
    panel: &Panel,
    stacks: &[Option<StackUse>; 2],
    layers: usize,
) -> Painted<()> {
    let values = stacks
        .iter()
        .flatten()
        .flat_map(|stack| stack.layers.iter().map(panel.value));
    let top = 1.05 * values.fold(panel.least_top, f64::max);
    let axis = Slots::layers(layers, (WIDTH - LEFT) as i32 - 32);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .set_label_area_size(LabelAreaPosition::Left, LEFT)
        .set_label_area_size(
            LabelAreaPosition::Bottom,
            if panel.layer_axis { 40 } else { 20 },
        )
        .build_cartesian_2d(axis, 0.0..top)?;
    let mut mesh = chart.configure_mesh();
    if panel.layer_axis {
        mesh.x_desc("layer");
    }
    mesh.disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .y_labels(5)
        .y_label_formatter(&|value| format!("{}", (value * 100.0).round() / 100.0))
        .y_desc(panel.label)
        .axis_desc_style(text(LABEL, INK, HPos::Center))
        .label_style(axis_text())
        .draw()?;
    for (slot, (stack, (_, colour))) in stacks.iter().zip(GROUPS).enumerate() {
        let layers = stack
            .iter()
            .flat_map(|stack| stack.layers.iter().enumerate());
        chart.draw_series(layers.map(|(layer, layer_use)| {
            let left = layer as f64 + 0.1 + 0.4 * slot as f64;
            let corners = [(left, 0.0), (left + 0.4, (panel.value)(layer_use))];
            Rectangle::new(corners, colour.filled())
        }))?;
    }
    Ok(())
}
