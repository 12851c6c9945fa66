//! Horizontal bars made of parts: names on the left, the total after each bar.
//!
//! What surprises people: parts below zero grow leftward from the line at 0, the others rightward.

use super::*;
use crate::figure::{StackBar, StackPanel, text::number};

/// Thickness of a bar.
const BAR: f64 = 3.0 * MM;
/// Air between rows.
const AIR: f64 = 1.5 * MM;
/// Part of the panel's width that names may take.
const NAMES: f64 = 0.4;
/// Air between a bar and its total.
const GAP: f64 = 0.8 * MM;

fn name(bar: &StackBar, width: f64) -> Vec<String> {
    text::wrap(&bar.name, BODY, width * NAMES)
}

fn total(panel: &StackPanel, bar: &StackBar) -> String {
    number(bar.amounts.iter().sum::<f64>() / panel.axis.prefix.factor, 3)
}

/// Room for the names on the left and a total right of the longest bar.
pub(super) fn margins(panel: &StackPanel, width: f64) -> Margins {
    let names = panel.bars.iter().flat_map(|bar| name(bar, width)).map(|line| text::room(&line, BODY));
    let totals = panel.bars.iter().map(|bar| text::room(&total(panel, bar), BODY)).fold(0.0, f64::max);
    Margins { left: names.fold(0.0, f64::max) + 1.5 * MM, top: 0.0, right: totals + GAP }
}

pub(super) fn draw(scene: &mut Scene, panel: &StackPanel, place: Place) -> f64 {
    let names: Vec<Vec<String>> = panel.bars.iter().map(|bar| name(bar, place.width)).collect();
    let heights: Vec<f64> =
        names.iter().map(|lines| (lines.len() as f64 * BODY * LINE_HEIGHT).max(BAR) + AIR).collect();
    let (left, right) = (place.left + place.margins.left, place.right() - place.margins.right);
    let frame = Frame::new(left, place.top, right, place.top + heights.iter().sum::<f64>());
    let at = |value: f64| frame.left + panel.axis.position(value).clamp(0.0, 1.0) * frame.width();
    let most = most_numbers(&panel.axis, frame.width()).min(6);
    for tick in panel.axis.ticks(most) {
        let x = at(tick.value);
        scene.line(vec![(x, frame.top), (x, frame.bottom)], Ink::Grid, THIN);
    }
    let mut y = frame.top;
    for ((bar, lines), height) in panel.bars.iter().zip(&names).zip(&heights) {
        let middle = y + height / 2.0;
        let span = (lines.len() as f64 - 1.0) * BODY * LINE_HEIGHT - BODY * CAP_HEIGHT;
        scene.lines((frame.left - 1.5 * MM, middle - span / 2.0), lines, BODY, Anchor::End, Ink::Text);
        let end = parts(scene, panel, bar, middle, &at);
        let words = total(panel, bar);
        let baseline = middle + BODY * CAP_HEIGHT / 2.0;
        let room = text::room(&words, BODY);
        // No grid line through the number.
        let paper = Frame::new(end + GAP, middle - BODY / 2.0, end + GAP + room, middle + BODY / 2.0);
        scene.area(paper.corners(), Ink::Paper);
        scene.text((end + GAP, baseline), &words, BODY, Anchor::Start, Ink::Text);
        y += height;
    }
    let zero = at(0.0);
    scene.line(vec![(zero, frame.top), (zero, frame.bottom)], Ink::Axis, THIN);
    scene.line(vec![(frame.left, frame.bottom), (frame.right, frame.bottom)], Ink::Axis, THIN);
    horizontal_axis(scene, &panel.axis, &frame, place, most)
}

/// Draws the parts of one bar; returns its right end.
fn parts(scene: &mut Scene, panel: &StackPanel, bar: &StackBar, middle: f64, at: &impl Fn(f64) -> f64) -> f64 {
    let (mut below, mut above) = (0.0, 0.0);
    for (amount, fill) in bar.amounts.iter().zip(&panel.fills) {
        let reached = if *amount < 0.0 { &mut below } else { &mut above };
        let from = *reached;
        *reached += amount;
        let (left, right) = (at(from.min(*reached)), at(from.max(*reached)));
        if *amount != 0.0 {
            scene.bar(&Frame::new(left, middle - BAR / 2.0, right, middle + BAR / 2.0), *fill);
        }
    }
    at(above)
}
