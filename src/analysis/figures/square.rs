//! A square of blocks of layers: one number for each, by where the block begins and ends.

use plotters::{prelude::*, style::text_anchor::HPos};

use super::{
    axis::Slots,
    canvas::{
        Area, BLUE, GRID, INK, Key, LABEL, ORANGE, WIDTH, axis_text, blend, draw as figure, text,
    },
};
use crate::analysis::AnalysisError;

/// Height of the square in pixels.
const HEIGHT: i32 = 700;
/// Colour of a block that changes nothing.
const NEUTRAL: RGBColor = RGBColor(0xEA, 0xEA, 0xE6);

/// A cell of the square.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Column and row, from 0.
    pub at: (usize, usize),
    /// Its number.
    pub value: f64,
}

/// Draws `side` x `side` cells, those that are there: orange above 0, blue below. `axes`: what is counted across, and down.
///
/// # Errors
/// Drawing fails.
pub fn draw_square(
    title: &str,
    axes: (&str, &str),
    side: usize,
    cells: &[Cell],
) -> Result<Option<String>, AnalysisError> {
    let span = span(cells);
    if cells.is_empty() || span <= 0.0 {
        return Ok(None);
    }
    let names = [-1.0, -0.5, 0.0, 0.5, 1.0].map(|share| format!("{:+.2}", share * span));
    let shares = [-1.0, -0.5, 0.0, 0.5, 1.0];
    let legend: Vec<Key> = (names.iter().zip(shares))
        .map(|(name, share)| (name.as_str(), colour(share * span, span)))
        .collect();
    let numbers = (0..side).map(|layer| layer.to_string()).collect();
    let drawn = figure(title, &legend, HEIGHT, |area: &Area| {
        let mut chart = ChartBuilder::on(area)
            .margin(16)
            .set_label_area_size(LabelAreaPosition::Left, 60)
            .set_label_area_size(LabelAreaPosition::Bottom, 44)
            .build_cartesian_2d(Slots::layers(side, WIDTH as i32 - 92), Slots::down(numbers))?;
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(GRID)
            .x_desc(axes.0)
            .y_desc(axes.1)
            .axis_desc_style(text(LABEL, INK, HPos::Center))
            .label_style(axis_text())
            .draw()?;
        for cell in cells {
            let (x, y) = (cell.at.0 as f64, cell.at.1 as f64);
            let square = [(x + 0.02, y + 0.02), (x + 0.98, y + 0.98)];
            let fill = colour(cell.value, span).filled();
            chart.draw_series([Rectangle::new(square, fill)])?;
        }
        Ok(())
    });
    drawn.map(Some).map_err(|error| AnalysisError::Figure {
        name: title.to_owned(),
        reason: error.to_string(),
    })
}

/// How far from 0 the colours reach: the ninth tenth of the sizes, so that a few blocks that ruin the model do not hide the others.
fn span(cells: &[Cell]) -> f64 {
    let mut sizes: Vec<f64> = cells.iter().map(|cell| cell.value.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.get(sizes.len() * 9 / 10).copied().unwrap_or(0.0)
}

fn colour(value: f64, span: f64) -> RGBColor {
    let far = if value < 0.0 { BLUE } else { ORANGE };
    blend(NEUTRAL, far, (value / span).abs().min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_drawn_where_they_are_and_nothing_is_not() {
        let cells: Vec<Cell> = (0..20)
            .map(|n| Cell {
                at: (n % 5, n / 5),
                value: n as f64 - 9.5,
            })
            .collect();
        let svg = draw_square("gain", ("end", "begin"), 6, &cells)
            .unwrap()
            .unwrap();
        assert!(svg.matches("<rect").count() >= 20);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert_eq!(draw_square("gain", ("end", "begin"), 6, &[]).unwrap(), None);
    }
}
