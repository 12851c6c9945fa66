//! Bars from a base value to both ends: names on the left, the input's values at the ends, the base as an upright line.
//!
//! What surprises people: the axis does not fill its panel, because the values at the ends of the widest bar need room
//! beside it.

use super::*;
use crate::figure::{TornadoPanel, TornadoRow, text::number};

/// Thickness of a bar.
const BAR: f64 = 2.6 * MM;
/// Air between rows.
const AIR: f64 = 1.5 * MM;
/// Part of the panel's width that names may take.
const NAMES: f64 = 0.3;
/// Part of the panel's width that the values at either end may take.
const ENDS: f64 = 0.16;
/// Air between a bar and the value at its end.
const GAP: f64 = 0.8 * MM;

struct RowText {
    name: Vec<String>,
    left: Vec<String>,
    right: Vec<String>,
}

impl RowText {
    fn of(row: &TornadoRow, base: f64, width: f64) -> Self {
        let (low, high) = (row.low.as_str(), row.high.as_str());
        let wrap = |words: &str| text::wrap(words, BODY, width * ENDS);
        let joined = || wrap(&format!("{low} and {high}"));
        let (left, right) = match same_side(row, base) {
            Some(Side::Left) => (joined(), Vec::new()),
            Some(Side::Right) => (Vec::new(), joined()),
            None if row.at_low <= row.at_high => (wrap(low), wrap(high)),
            None => (wrap(high), wrap(low)),
        };
        Self { name: text::wrap(&row.name, BODY, width * NAMES), left, right }
    }
    fn height(&self) -> f64 {
        let lines = self.name.len().max(self.left.len()).max(self.right.len());
        (lines as f64 * BODY * LINE_HEIGHT).max(BAR)
    }
}

enum Side {
    Left,
    Right,
}

/// The side on which both ends lie, if they do: then one bar would hide the other.
fn same_side(row: &TornadoRow, base: f64) -> Option<Side> {
    if row.at_low < base && row.at_high < base {
        Some(Side::Left)
    } else if row.at_low > base && row.at_high > base {
        Some(Side::Right)
    } else {
        None
    }
}

fn widest(lines: &[String]) -> f64 {
    lines.iter().map(|line| text::room(line, BODY)).fold(0.0, f64::max)
}

/// Room for the names on the left.
pub(super) fn margins(panel: &TornadoPanel, width: f64) -> Margins {
    let names = panel.rows.iter().map(|row| widest(&text::wrap(&row.name, BODY, width * NAMES))).fold(0.0, f64::max);
    Margins { left: names + 1.5 * MM, top: 0.0, right: 0.0 }
}

pub(super) fn draw(scene: &mut Scene, panel: &TornadoPanel, place: Place) -> f64 {
    let texts: Vec<RowText> = panel.rows.iter().map(|row| RowText::of(row, panel.base, place.width)).collect();
    let height: f64 = texts.iter().map(|row| row.height() + AIR).sum();
    let room = |side: fn(&RowText) -> &[String]| texts.iter().map(|row| widest(side(row))).fold(0.0, f64::max);
    let left = place.left + place.margins.left + room(|row| &row.left) + GAP;
    let right = place.right() - room(|row| &row.right) - GAP;
    let top = place.top + BODY * (CAP_HEIGHT + DESCENT) + 0.8 * MM;
    let frame = Frame::new(left, top, right, top + height);
    let most = most_numbers(&panel.axis, frame.width()).min(5);
    for tick in panel.axis.ticks(most) {
        let x = frame.left + panel.axis.position(tick.value) * frame.width();
        scene.line(vec![(x, frame.top), (x, frame.bottom)], Ink::Grid, THIN);
    }
    let at = |value: f64| frame.left + panel.axis.position(value).clamp(0.0, 1.0) * frame.width();
    let mut y = top;
    for (row, words) in panel.rows.iter().zip(&texts) {
        let band = Frame::new(place.left + place.margins.left, y, place.right(), y + words.height() + AIR);
        draw_row(scene, panel, row, words, &band, &at);
        y = band.bottom;
    }
    let base = at(panel.base);
    scene.line(vec![(base, frame.top - 0.5 * MM), (base, frame.bottom)], Ink::Text, STRONG);
    base_value(scene, panel, base, place);
    scene.line(vec![(frame.left, frame.bottom), (frame.right, frame.bottom)], Ink::Axis, THIN);
    if panel.axis.low > 0.0 {
        broken(scene, (frame.left - 0.95 * MM, frame.bottom));
    } else if panel.axis.high < 0.0 {
        broken(scene, (frame.right + 0.95 * MM, frame.bottom));
    }
    horizontal_axis(scene, &panel.axis, &frame, place, most)
}

/// The base's value above its line, kept within the panel.
fn base_value(scene: &mut Scene, panel: &TornadoPanel, x: f64, place: Place) {
    let words = format!("base {}", number(panel.base / panel.axis.prefix.factor, 4));
    let half = text::room(&words, BODY) / 2.0;
    let x = x.min(place.right() - half).max(place.left + half);
    scene.text((x, place.top + BODY * CAP_HEIGHT), &words, BODY, Anchor::Middle, Ink::Text);
}

/// Two short strokes across an axis that does not reach 0, on the side where 0 would be.
fn broken(scene: &mut Scene, at: (f64, f64)) {
    const SLANT: f64 = 0.45 * MM;
    const HIGH: f64 = 0.9 * MM;
    for shift in [-0.35 * MM, 0.35 * MM] {
        let x = at.0 + shift;
        scene.line(vec![(x - SLANT, at.1 + HIGH), (x + SLANT, at.1 - HIGH)], Ink::Axis, THIN);
    }
}

fn draw_row(
    scene: &mut Scene,
    panel: &TornadoPanel,
    row: &TornadoRow,
    words: &RowText,
    band: &Frame,
    at: &impl Fn(f64) -> f64,
) {
    let middle = (band.top + band.bottom) / 2.0;
    let first = |lines: &[String]| {
        let span = (lines.len() as f64 - 1.0) * BODY * LINE_HEIGHT - BODY * CAP_HEIGHT;
        middle - span / 2.0
    };
    scene.lines((band.left - 1.5 * MM, first(&words.name)), &words.name, BODY, Anchor::End, Ink::Text);
    let base = at(panel.base);
    let (low, high) = (at(row.at_low), at(row.at_high));
    // Ends on one side share the row: the low value above, the high value below.
    let (upper, lower) =
        if same_side(row, panel.base).is_some() { (middle, middle) } else { (middle + BAR / 2.0, middle - BAR / 2.0) };
    let bars = [(low, middle - BAR / 2.0, upper, panel.fills.0), (high, lower, middle + BAR / 2.0, panel.fills.1)];
    for (end, top, bottom, fill) in bars {
        if (end - base).abs() > 1.0 {
            scene.bar(&Frame::new(base.min(end), top, base.max(end), bottom), fill);
        }
    }
    let (left, right) = (low.min(high).min(base) - GAP, low.max(high).max(base) + GAP);
    for (x, lines, anchor) in [(left, &words.left, Anchor::End), (right, &words.right, Anchor::Start)] {
        if !lines.is_empty() {
            // No grid line through the words.
            let room = widest(lines);
            let edge = if anchor == Anchor::End { x - room } else { x };
            let top = first(lines) - BODY * CAP_HEIGHT;
            let bottom = first(lines) + (lines.len() as f64 - 1.0) * BODY * LINE_HEIGHT + BODY * DESCENT;
            scene.area(Frame::new(edge, top, edge + room, bottom).corners(), Ink::Paper);
            scene.lines((x, first(lines)), lines, BODY, anchor, Ink::Quiet);
        }
    }
}
