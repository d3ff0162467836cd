//! The search beside its controls, on the same samples.

use plotters::style::RGBColor;

use super::{
    canvas::{BLUE, Drawing, Key, ORANGE, RED, draw as figure},
    rows::{Rows, Scale, bar, dataset_names, whisker},
};
use crate::analysis::{ControlCounts, RunRecords, statistics::Proportion};

const ROW: i32 = 60;

/// Three bars a dataset: fixed by the search, fixed by random chains, wrong target reached.
pub fn draw(run: &RunRecords) -> Drawing {
    if ControlCounts::of(run.records()).control_samples == 0 {
        return Ok(None);
    }
    let names = dataset_names(run);
    let legend: [Key; 3] = [
        ("search fixed", BLUE),
        ("random chains fixed", ORANGE),
        ("wrong target reached", RED),
    ];
    let title = "How much luck finds: wrongly answered control samples";
    let svg = figure(title, &legend, Rows::height(names.len(), ROW), |area| {
        let mut chart = Rows {
            names: &names,
            scale: Scale::Percent,
            range: 0.0..1.0,
            label: "% of the control samples",
            names_shown: true,
        }
        .chart(area)?;
        for (row, (_, records)) in run.datasets().enumerate() {
            for (slot, (proportion, colour)) in bars(ControlCounts::of(records)).iter().enumerate()
            {
                let top = row as f64 + 0.12 + 0.26 * slot as f64;
                bar(
                    &mut chart,
                    proportion.rate().unwrap_or(0.0),
                    top..top + 0.24,
                    *colour,
                )?;
                if let Some(interval) = proportion.wilson() {
                    whisker(&mut chart, interval, top + 0.12, &(0.0..1.0))?;
                }
            }
        }
        Ok(())
    })?;
    let caption = "The same samples at the same budget, with 95 % Wilson intervals. A random wrong \
        answer reached about as often as the right one means that the gain can be luck; random \
        chains that fix as many mean that the tree adds nothing.";
    Ok(Some((caption.to_owned(), svg)))
}

fn bars(counts: ControlCounts) -> [(Proportion, RGBColor); 3] {
    [
        (counts.search(), BLUE),
        (counts.random(), ORANGE),
        (counts.wrong_target(), RED),
    ]
}
