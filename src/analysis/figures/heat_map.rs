//! Uses of every layer on every dataset.

use plotters::{prelude::*, style::text_anchor::HPos};

use super::{
    axis::Slots,
    canvas::{
        BLUE, Drawing, GRID, INK, Key, LABEL, LONGEST_NAME, ON_COLOUR, ORANGE, SMALL, WIDTH,
        axis_text, blend, draw as figure, shorten, text,
    },
    rows::{Rows, dataset_names},
};
use crate::analysis::{RunRecords, depth::best_chains, layers::StackUse, outcome::Group};

const ROW: i32 = 30;
/// Colour of a layer used exactly as in the unmodified model.
const NEUTRAL: RGBColor = RGBColor(0xEA, 0xEA, 0xE6);

/// One row a dataset, one column a layer.
pub fn draw(run: &RunRecords) -> Drawing {
    let stacks: Vec<(usize, StackUse)> = run
        .datasets()
        .enumerate()
        .filter_map(|(row, (_, records))| {
            let chains = best_chains(records, Group::Found);
            Some((row, StackUse::of(chains, run.layers())?))
        })
        .collect();
    if stacks.is_empty() {
        return Ok(None);
    }
    let names = dataset_names(run);
    let left = Rows::name_width(&names);
    let width = WIDTH as i32 - left - 32;
    let numbered = width / run.layers() as i32 >= 34;
    let span = span(&stacks);
    let more = |uses| {
        if uses > 1.0 + 0.9 * span {
            " or more"
        } else {
            ""
        }
    };
    let names_of_uses = key_uses(span).map(|uses| format!("{uses}{} uses", more(uses)));
    let legend: Vec<Key> = names_of_uses
        .iter()
        .zip(key_uses(span))
        .map(|(name, uses)| (name.as_str(), colour(uses, span)))
        .collect();
    let title = "Mean uses of each layer, by dataset";
    let svg = figure(title, &legend, Rows::height(names.len(), ROW), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(16)
            .set_label_area_size(LabelAreaPosition::Left, left)
            .set_label_area_size(LabelAreaPosition::Bottom, 44)
            .build_cartesian_2d(
                Slots::layers(run.layers(), width),
                Slots::down(
                    names
                        .iter()
                        .map(|name| shorten(name, LONGEST_NAME))
                        .collect(),
                ),
            )?;
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(GRID)
            .x_desc("layer")
            .axis_desc_style(text(LABEL, INK, HPos::Center))
            .label_style(axis_text())
            .draw()?;
        for (row, stack) in &stacks {
            for (layer, layer_use) in stack.layers.iter().enumerate() {
                let (x, y) = (layer as f64, *row as f64);
                let cell = [(x, y + 0.03), (x + 1.0, y + 0.97)];
                let fill = colour(layer_use.mean_uses, span).filled();
                chart.draw_series([Rectangle::new(cell, fill)])?;
                if numbered {
                    let label = format!("{:.2}", layer_use.mean_uses);
                    let style = text(SMALL, ON_COLOUR, HPos::Center);
                    chart.draw_series([Text::new(label, (x + 0.5, y + 0.5), style)])?;
                }
            }
        }
        Ok(())
    })?;
    let caption = "Mean uses of a layer in the best chains: below 1 it is skipped more than \
        repeated, above 1 repeated more than skipped.";
    Ok(Some((caption.to_owned(), svg)))
}

/// How far from 1 the colours reach: the least of 1/4, 1/2 and 1 that holds all means, so that
/// a stack that is rarely touched does not look untouched.
fn span(stacks: &[(usize, StackUse)]) -> f64 {
    let uses = stacks.iter().flat_map(|(_, stack)| &stack.layers);
    let farthest = uses
        .map(|layer| (layer.mean_uses - 1.0).abs())
        .fold(0.0, f64::max);
    let spans = [0.25, 0.5, 1.0];
    spans
        .into_iter()
        .find(|&span| farthest <= span)
        .unwrap_or(1.0)
}

/// The uses the legend shows.
fn key_uses(span: f64) -> [f64; 5] {
    [-1.0, -0.5, 0.0, 0.5, 1.0].map(|share| 1.0 + share * span)
}

/// Blue for skipped, orange for repeated.
fn colour(mean_uses: f64, span: f64) -> RGBColor {
    let distance = ((mean_uses - 1.0) / span).clamp(-1.0, 1.0);
    let far = if distance < 0.0 { BLUE } else { ORANGE };
    blend(NEUTRAL, far, distance.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cola_search::chain::Chain;

    #[test]
    fn colours_reach_as_far_as_the_means() {
        let stack = |text: &str| {
            let chain: Chain = text.parse().unwrap();
            vec![(0, StackUse::of([&chain], 4).unwrap())]
        };
        assert_eq!(span(&stack("0-3")), 0.25);
        assert_eq!(span(&stack("0-2")), 1.0);
        assert_eq!(span(&stack("0-3,(3)x5")), 1.0);
        assert_eq!(colour(1.0, 0.5), NEUTRAL);
        assert_eq!((colour(0.5, 0.5), colour(7.0, 0.5)), (BLUE, ORANGE));
    }
}
