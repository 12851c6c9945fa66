//! Strips: rows of devices along one axis of values, as single dots or as bars of a histogram.
//!
//! What surprises people: the height of a dot means nothing; dots that would hide each other stand above each other.

use serde::Serialize;

use super::{Axis, Marker};

/// Rows along a common axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StripPanel {
    /// Heading; empty for none.
    pub heading: String,
    /// Axis of the values.
    pub axis: Axis,
    /// Upright lines through all rows.
    pub lines: Vec<StripLine>,
    /// Rows from the top.
    pub rows: Vec<StripRow>,
}

/// An upright line with words above the panel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StripLine {
    /// Value in the axis's base unit.
    pub value: f64,
    /// Words.
    pub text: String,
    /// How it is drawn.
    pub kind: StripLineKind,
}

/// Kinds of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StripLineKind {
    /// Solid.
    Median,
    /// Strong and dashed: the limit that decides.
    Limit,
    /// Thin and dashed: a limit that does not decide.
    Lesser,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct StripRow {
    /// Name on the left.
    pub label: String,
    /// Words on the right; empty for none.
    pub value: String,
    /// Values drawn as dots.
    pub dots: Vec<f64>,
    /// Values drawn as a histogram.
    pub bins: Option<Bins>,
    /// Values with a sign, and perhaps a name, of their own.
    pub marks: Vec<StripMark>,
    /// Median of the row.
    pub median: Option<f64>,
    /// Values from one to another, drawn as a bar between both.
    pub span: Option<(f64, f64)>,
}

/// Bars of a histogram, of equal width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bins {
    /// Start of the first bin, in the axis's base unit.
    pub start: f64,
    /// Width of a bin.
    pub width: f64,
    /// Values in each bin; the upper edge belongs to the next bin.
    pub counts: Vec<u64>,
    /// Count that is drawn at full height, the same for all rows.
    pub tallest: u64,
    /// Full height in millimetres.
    pub height_mm: f64,
}

/// One value with a sign of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StripMark {
    /// Value in the axis's base unit.
    pub at: f64,
    /// Bounds of its interval.
    pub interval: Option<(f64, f64)>,
    /// Name above it; empty for none.
    pub name: String,
    /// Sign.
    pub marker: Marker,
}

impl Bins {
    /// `values` in `count` bins from `start` to `end`; the last bin holds `end` too.
    pub fn of(values: impl Iterator<Item = f64>, start: f64, end: f64, count: usize) -> Self {
        let width = (end - start) / count as f64;
        let mut counts = vec![0; count];
        for value in values {
            let bin = ((value - start) / width).floor().clamp(0.0, (count - 1) as f64);
            counts[bin as usize] += 1;
        }
        Self { start, width, counts, tallest: 0, height_mm: 0.0 }
    }
    /// The bin that holds a value.
    pub fn holding(&self, value: f64) -> usize {
        ((value - self.start) / self.width).floor().clamp(0.0, self.counts.len().saturating_sub(1) as f64) as usize
    }
}

/// Levels for signs at these places so that none hides another: each takes the lowest level on which the one before it is at
/// least `apart` away. The result is in the order of the places given.
pub fn pack(places: &[f64], apart: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
    let mut last: Vec<f64> = Vec::new();
    let mut levels = vec![0; places.len()];
    for index in order {
        let place = places[index];
        let free = last.iter().position(|before| place - before >= apart);
        let level = free.unwrap_or(last.len());
        if level == last.len() {
            last.push(place);
        } else {
            last[level] = place;
        }
        levels[index] = level;
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_that_are_near_stand_above_each_other_and_far_ones_on_the_ground() {
        // Apart by 1: 0 and 0.5 collide; 1.0 is free of 0; 0.9 collides with both lower ones.
        assert_eq!(pack(&[0.0, 0.5, 1.0, 5.0], 1.0), [0, 1, 0, 0]);
        assert_eq!(pack(&[1.0, 0.9, 0.5, 0.0], 1.0), [0, 2, 1, 0]);
        assert_eq!(pack(&[3.0; 4], 1.0), [0, 1, 2, 3]);
        assert_eq!(pack(&[], 1.0), [0; 0]);
    }

    #[test]
    fn every_value_is_in_one_bin_and_the_end_is_in_the_last() {
        let bins = Bins::of([0.0, 0.9, 1.0, 3.99, 4.0].into_iter(), 0.0, 4.0, 4);
        assert_eq!((bins.counts.clone(), bins.width), (vec![2, 1, 0, 2], 1.0));
        assert_eq!((bins.holding(4.0), bins.holding(1.0)), (3, 1));
    }
}
