//! Colours, text and legends: what all figures share.

use std::io;

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

/// What drawing may return; in memory it does not fail.
pub type Painted<T> = Result<T, DrawingAreaErrorKind<io::Error>>;

/// A caption and its SVG, where there is something to show.
pub type Drawing = Painted<Option<(String, String)>>;

/// A rectangle of the figure under construction, in pixels.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A legend's entry.
pub type Key<'a> = (&'a str, RGBColor);

/// Width of every figure in pixels.
pub const WIDTH: u32 = 900;

/// Text and axes.
pub const INK: RGBColor = RGBColor(0x24, 0x29, 0x2F);
/// Grid lines.
pub const GRID: RGBColor = RGBColor(0xD8, 0xDE, 0xE4);
/// Text on a coloured area: the same by day and night.
pub const ON_COLOUR: RGBColor = RGBColor(0x11, 0x11, 0x11);
/// C->C, and the search.
pub const BLUE: RGBColor = RGBColor(0x4C, 0x8B, 0xC9);
/// W->C, and random chains.
pub const ORANGE: RGBColor = RGBColor(0xF0, 0x8A, 0x24);
/// Wrong targets and failures.
pub const RED: RGBColor = RGBColor(0xD6, 0x4B, 0x4F);
/// Neither here nor there.
pub const GREY: RGBColor = RGBColor(0xA3, 0xAA, 0xB1);

/// Colours of lines, in their order; used again past the tenth.
pub const LINES: [RGBColor; 10] = [
    RGBColor(0x4C, 0x8B, 0xC9),
    RGBColor(0xF0, 0x8A, 0x24),
    RGBColor(0x4F, 0xA3, 0x5A),
    RGBColor(0xD6, 0x4B, 0x4F),
    RGBColor(0x9A, 0x6F, 0xC4),
    RGBColor(0xA8, 0x78, 0x5C),
    RGBColor(0xE0, 0x77, 0xB5),
    RGBColor(0x8C, 0x94, 0x9C),
    RGBColor(0xB5, 0xB0, 0x2B),
    RGBColor(0x2F, 0xB1, 0xBD),
];

/// Style rules that make a figure's text and axes legible on a dark background.
pub const DARK_MODE_STYLE: &str = "@media (prefers-color-scheme: dark) {\
    svg text[fill=\"#24292F\"] { fill: #E6EDF3 } \
    svg [stroke=\"#24292F\"] { stroke: #C9D1D9 } \
    svg circle[fill=\"#24292F\"] { fill: #C9D1D9 } \
    svg [stroke=\"#D8DEE4\"] { stroke: #3D444D } }";

// Font sizes as plotters counts them: 1.24 times the size it writes into the SVG.
const TITLE: u32 = 19;
/// Font size of axes and legends.
pub const LABEL: u32 = 15;
/// Font size of numbers on bars and cells.
pub const SMALL: u32 = 14;

/// Longest name of a dataset that is written out, in characters.
pub const LONGEST_NAME: usize = 34;

/// A character of a label is about this wide, in pixels.
const CHARACTER: f64 = 7.2;

const LEGEND_LINE: i32 = 22;
const SWATCH: i32 = 12;

/// An SVG of [`WIDTH`] x `height` pixels with a title and a legend; `paint` fills the rest.
pub fn draw(
    title: &str,
    legend: &[Key],
    body_height: i32,
    paint: impl FnOnce(&Area) -> Painted<()>,
) -> Painted<String> {
    let keys = place_keys(legend);
    let legend_height = keys.last().map_or(0, |&(_, y)| y + LEGEND_LINE + 4);
    let height = 30 + legend_height + body_height;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height as u32)).into_drawing_area();
        root.draw_text(title, &text(TITLE, INK, HPos::Left), (10, 16))?;
        let (_, below) = root.split_vertically(28);
        let (top, body) = below.split_vertically(legend_height);
        for ((name, colour), (x, y)) in legend.iter().zip(&keys) {
            let swatch = [(*x, y + 4), (x + SWATCH, y + 4 + SWATCH)];
            top.draw(&Rectangle::new(swatch, colour.filled()))?;
            let at = (x + SWATCH + 6, y + 4 + SWATCH / 2 + 1);
            top.draw_text(name, &text(LABEL, INK, HPos::Left), at)?;
        }
        paint(&body)?;
        root.present()?;
    }
    let label = format!("<svg role=\"img\" aria-label=\"{title}\" ");
    Ok(svg.replacen("<svg ", &label, 1))
}

/// Where the entries of a legend go: left to right, then down.
fn place_keys(legend: &[Key]) -> Vec<(i32, i32)> {
    let (mut x, mut y) = (10, 0);
    let mut places = Vec::new();
    for (name, _) in legend {
        let width = SWATCH + 6 + text_width(name) + 18;
        if x > 10 && x + width > WIDTH as i32 {
            (x, y) = (10, y + LEGEND_LINE);
        }
        places.push((x, y));
        x += width;
    }
    places
}

/// Text of a size in pixels, vertically centred on its point.
pub fn text(size: u32, colour: RGBColor, anchor: HPos) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_font()
        .color(&colour)
        .pos(Pos::new(anchor, VPos::Center))
}

/// Text of an axis' numbers and names; plotters anchors them itself.
pub fn axis_text() -> TextStyle<'static> {
    ("sans-serif", LABEL).into_font().color(&INK)
}

/// About how wide a label is, in pixels.
pub fn text_width(label: &str) -> i32 {
    (label.chars().count() as f64 * CHARACTER).ceil() as i32
}

/// At most `longest` characters, the last an ellipsis where some are left out.
pub fn shorten(name: &str, longest: usize) -> String {
    if name.chars().count() <= longest {
        return name.to_owned();
    }
    name.chars().take(longest - 1).chain(['…']).collect()
}

/// Colour `share` of the way from one to another.
pub fn blend(from: RGBColor, to: RGBColor, share: f64) -> RGBColor {
    let mix = |a: u8, b: u8| (f64::from(a) + share * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_shortened_and_short_ones_kept() {
        assert_eq!(shorten("arith", 5), "arith");
        assert_eq!(shorten("größer", 5), "größ…");
    }

    #[test]
    fn a_legend_wraps_at_the_figures_width() {
        let long = "x".repeat(50);
        let places = place_keys(&[(&long, INK), (&long, INK), (&long, INK)]);
        assert_eq!((places[0].1, places[1].1, places[2].1), (0, 0, LEGEND_LINE));
    }

    #[test]
    fn dark_mode_knows_the_colours_in_use() {
        for RGBColor(r, g, b) in [INK, GRID] {
            assert!(DARK_MODE_STYLE.contains(&format!("#{r:02X}{g:02X}{b:02X}")));
        }
    }
}
