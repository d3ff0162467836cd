//! What became of the samples: stacked bars.

use plotters::{prelude::*, style::text_anchor::HPos};

use super::{
    canvas::{
        BLUE, Drawing, GREY, Key, ON_COLOUR, ORANGE, Painted, RED, SMALL, blend, draw as figure,
        text,
    },
    rows::{RowChart, Rows, Scale, dataset_names},
};
use crate::analysis::{RunRecords, outcome::Transition};

const ROW: i32 = 34;

/// One bar a dataset, all samples in it.
pub fn draw(run: &RunRecords) -> Drawing {
    let names = dataset_names(run);
    let shown: Vec<Transition> = Transition::ALL
        .into_iter()
        .filter(|t| t.share(run.records()).hits > 0)
        .collect();
    let legend: Vec<Key> = shown.iter().map(|&t| (t.label(), colour(t))).collect();
    let title = "What became of the samples";
    let svg = figure(title, &legend, Rows::height(names.len(), ROW), |area| {
        let mut chart = Rows {
            names: &names,
            scale: Scale::Percent,
            range: 0.0..1.0,
            label: "% of samples",
            names_shown: true,
        }
        .chart(area)?;
        for (row, (_, records)) in run.datasets().enumerate() {
            let shares = shown
                .iter()
                .map(|&t| (t, t.share(records).rate().unwrap_or(0.0)));
            stack(&mut chart, row as f64, shares)?;
        }
        Ok(())
    })?;
    let caption = "From the unmodified model's answer (C correct, W wrong) to that of the shortest \
        confirmed right chain, by that chain's length against the model's. All samples are in the \
        bar. Oracle: the search saw the gold answers.";
    Ok(Some((caption.to_owned(), svg)))
}

fn stack(
    chart: &mut RowChart,
    row: f64,
    shares: impl Iterator<Item = (Transition, f64)>,
) -> Painted<()> {
    let mut start = 0.0;
    for (transition, share) in shares {
        let corners = [(start, row + 0.14), (start + share, row + 0.86)];
        chart.draw_series([Rectangle::new(corners, colour(transition).filled())])?;
        if share >= 0.045 {
            let label = format!("{:.0}", 100.0 * share);
            let middle = (start + share / 2.0, row + 0.5);
            chart.draw_series([Text::new(
                label,
                middle,
                text(SMALL, ON_COLOUR, HPos::Center),
            )])?;
        }
        start += share;
    }
    Ok(())
}

fn colour(transition: Transition) -> RGBColor {
    match transition {
        Transition::RightShorter => BLUE,
        Transition::RightSame => blend(BLUE, WHITE, 0.4),
        Transition::RightLonger => blend(BLUE, WHITE, 0.7),
        Transition::Lost => blend(BLUE, GREY, 0.7),
        Transition::FixedShorter => ORANGE,
        Transition::FixedSame => blend(ORANGE, WHITE, 0.4),
        Transition::FixedLonger => blend(ORANGE, WHITE, 0.7),
        Transition::StillWrong => GREY,
        Transition::Failed => RED,
    }
}
