//! An axis of named slots: datasets down the side, layers along the bottom.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Slot `i` spans `i..i + 1` and its name stands at the middle, so that bars can be placed within
/// a slot by fractions. (Plotters' own segmented axis places whole slots only.)
#[derive(Debug, Clone)]
pub struct Slots {
    names: Vec<String>,
    /// Every how many slots a name is written.
    stride: usize,
    /// Whether slot 0 is at the far end: the top of a vertical axis.
    reversed: bool,
}

impl Slots {
    /// Slots from the top down.
    pub fn down(names: Vec<String>) -> Self {
        Self {
            names,
            stride: 1,
            reversed: true,
        }
    }

    /// Layers `0..layers` from left to right on `width` pixels, as many named as fit.
    pub fn layers(layers: usize, width: i32) -> Self {
        let narrowest = 24.0; // pixels between two-digit numbers
        let slot = f64::from(width) / layers as f64;
        Self {
            names: (0..layers).map(|layer| layer.to_string()).collect(),
            stride: ((narrowest / slot).ceil() as usize).max(1),
            reversed: false,
        }
    }
}

impl Ranged for Slots {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = value / self.names.len() as f64;
        let share = if self.reversed { 1.0 - share } else { share };
        limit.0 + (f64::from(limit.1 - limit.0) * share).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _: H) -> Vec<f64> {
        let named = (0..self.names.len()).step_by(self.stride);
        named.map(|slot| slot as f64 + 0.5).collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..self.names.len() as f64
    }
}

impl ValueFormatter<f64> for Slots {
    fn format_ext(&self, value: &f64) -> String {
        let slot = value.floor() as usize;
        self.names.get(slot).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_is_at_the_top() {
        let slots = Slots::down(vec!["a".to_owned(), "b".to_owned()]);
        let (bottom, top) = (200, 100);
        assert_eq!(slots.map(&0.0, (bottom, top)), top);
        assert_eq!(slots.map(&1.5, (bottom, top)), 175);
        assert_eq!(slots.format_ext(&1.5), "b");
    }

    #[test]
    fn layers_are_named_as_far_as_they_fit() {
        assert_eq!(Slots::layers(12, 800).key_points(99).len(), 12);
        assert_eq!(
            Slots::layers(48, 800).key_points(99),
            (0..24)
                .map(|i| 2.0 * f64::from(i) + 0.5)
                .collect::<Vec<_>>()
        );
    }
}
