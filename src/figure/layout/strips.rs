//! Strips: names on the left, dots or bars along the axis, words on the right, limits as upright lines.
//!
//! What surprises people: names stand in steps, so that a leader line from a name down to its sign crosses no other name; the
//! name nearest to the edge stands highest.

use super::bars::{Whisker, whisker};
use super::*;
use crate::figure::{Bins, Fill, Hatch, Marker, Shape, StripLine, StripLineKind, StripPanel, StripRow, pack};

/// Radius of a dot.
pub(super) const DOT: f64 = 0.55 * MM;
/// Air between rows.
const AIR: f64 = 0.5 * MM;
/// Part of the panel's width that names may take.
const NAMES: f64 = 0.28;
/// Part of the frame's width that a name at a sign may take: names of the left half and of the right half never meet.
const LONGEST: f64 = 0.45;
/// Least height of a bar with anything in it.
const LEAST_BAR: f64 = 0.3 * MM;

pub(super) fn margins(panel: &StripPanel, width: f64) -> Margins {
    let names = panel.rows.iter().flat_map(|row| text::wrap(&row.label, BODY, width * NAMES));
    let names = names.map(|line| text::room(&line, BODY)).fold(0.0, f64::max);
    let values = panel.rows.iter().map(|row| text::room(&row.value, BODY)).fold(0.0, f64::max);
    let air = |room: f64| if room > 0.0 { room + 1.5 * MM } else { 2.0 * MM };
    Margins { left: air(names), top: 0.0, right: air(values) }
}

/// Where a name stands in its steps.
struct Step {
    level: usize,
    /// On the left half the name begins at its place, on the right half it ends there.
    begins: bool,
    text: String,
}

/// Steps for names at these places. Each name takes the lowest level above all names that it would cover.
fn steps(names: &[(f64, &str)], frame: &Frame) -> Vec<Step> {
    let middle = (frame.left + frame.right) / 2.0;
    let mut found: Vec<Step> = names
        .iter()
        .map(|(x, name)| Step { level: 0, begins: *x <= middle, text: shortened(name, frame.width() * LONGEST) })
        .collect();
    for begins in [true, false] {
        // From the middle outward.
        let mut order: Vec<usize> = (0..names.len()).filter(|index| found[*index].begins == begins).collect();
        order.sort_by(|a, b| names[*a].0.total_cmp(&names[*b].0));
        if begins {
            order.reverse();
        }
        let mut placed: Vec<(f64, usize)> = Vec::new();
        for index in order {
            let x = names[index].0;
            let reach = text::room(&found[index].text, BODY) + 1.5 * MM;
            let covered = placed.iter().filter(|(other, _)| (other - x).abs() < reach);
            found[index].level = covered.map(|(_, level)| level + 1).max().unwrap_or(0);
            placed.push((x, found[index].level));
        }
    }
    found
}

fn shortened(name: &str, limit: f64) -> String {
    let mut text = name.to_owned();
    while text::room(&text, BODY) > limit && text.pop().is_some() {
        let kept = text.trim_end_matches('…').to_owned();
        text = format!("{}…", kept.chars().take(kept.chars().count().saturating_sub(1)).collect::<String>());
    }
    text
}

fn levels(steps: &[Step]) -> f64 {
    steps.iter().map(|step| step.level + 1).max().unwrap_or(0) as f64
}

/// Draws names in their steps above `bottom`, with leader lines down to the given ends.
fn draw_steps(scene: &mut Scene, steps: &[Step], spots: &[(f64, f64)], bottom: f64, leader: bool) {
    for (step, (x, end)) in steps.iter().zip(spots) {
        let baseline = bottom - step.level as f64 * BODY * LINE_HEIGHT - BODY * DESCENT;
        let room = text::room(&step.text, BODY);
        let (edge, anchor) = if step.begins { (x + 0.5 * MM, Anchor::Start) } else { (x - 0.5 * MM, Anchor::End) };
        let left = if step.begins { edge } else { edge - room };
        if leader {
            scene.line(vec![(*x, baseline - BODY * CAP_HEIGHT), (*x, *end)], Ink::Axis, THIN);
        }
        let back = Frame::new(left, baseline - BODY * CAP_HEIGHT, left + room, baseline + BODY * DESCENT * 0.8);
        scene.area(back.corners(), Ink::Paper);
        scene.text((edge, baseline), &step.text, BODY, anchor, Ink::Text);
    }
}

/// What a row needs.
struct Laid {
    label: Vec<String>,
    levels: Vec<usize>,
    steps: Vec<Step>,
    body: f64,
    height: f64,
}

fn lay(row: &StripRow, frame: &Frame, at: &impl Fn(f64) -> f64, width: f64) -> Laid {
    let label = text::wrap(&row.label, BODY, width * NAMES);
    let places: Vec<f64> = match row.bins {
        Some(_) => row.marks.iter().map(|mark| at(mark.at)).collect(),
        None => row.dots.iter().copied().chain(row.marks.iter().map(|mark| mark.at)).map(at).collect(),
    };
    let levels = pack(&places, 2.0 * DOT);
    let tall = levels.iter().max().map_or(0.0, |level| (level + 1) as f64) * 2.0 * DOT;
    // Signs stand on the bars: room for them above the highest.
    let body = row.bins.as_ref().map_or(tall, |bins| bins.height_mm * MM + tall);
    let names: Vec<(f64, &str)> =
        row.marks.iter().filter(|mark| !mark.name.is_empty()).map(|mark| (at(mark.at), mark.name.as_str())).collect();
    let steps = steps(&names, frame);
    let least = label.len().max(1) as f64 * BODY * LINE_HEIGHT;
    let above = self::levels(&steps) * BODY * LINE_HEIGHT + if steps.is_empty() { 0.0 } else { 0.8 * MM };
    let height = (body.max(least) + above) + 2.0 * AIR;
    Laid { label, levels, steps, body, height }
}

pub(super) fn draw(scene: &mut Scene, panel: &StripPanel, place: Place) -> f64 {
    let top = heading(scene, &panel.heading, place);
    let (left, right) = (place.left + place.margins.left, place.right() - place.margins.right);
    let across = Frame::new(left, top, right, top);
    let at = |value: f64| left + panel.axis.position(value).clamp(0.0, 1.0) * (right - left);
    let named: Vec<(f64, &str)> = panel.lines.iter().map(|line| (at(line.value), line.text.as_str())).collect();
    let names = steps(&named, &across);
    let top = top + levels(&names) * BODY * LINE_HEIGHT + 0.6 * MM;
    let laid: Vec<Laid> = panel.rows.iter().map(|row| lay(row, &across, &at, place.width)).collect();
    let frame = Frame::new(left, top, right, top + laid.iter().map(|row| row.height).sum::<f64>() + AIR);
    let most = most_numbers(&panel.axis, frame.width()).min(7);
    for tick in panel.axis.ticks(most) {
        let x = at(tick.value);
        scene.line(vec![(x, frame.top), (x, frame.bottom)], Ink::Grid, THIN);
    }
    for (line, step) in panel.lines.iter().zip(&names) {
        let up = frame.top - 0.6 * MM - step.level as f64 * BODY * LINE_HEIGHT;
        upright(scene, line, at(line.value), up - BODY * CAP_HEIGHT, frame.bottom);
    }
    let ends: Vec<(f64, f64)> = named.iter().map(|(x, _)| (*x, frame.top)).collect();
    draw_steps(scene, &names, &ends, frame.top - 0.6 * MM, false);
    let mut y = frame.top;
    for (index, (row, laid)) in panel.rows.iter().zip(&laid).enumerate() {
        if index > 0 && laid.height > 2.0 * BODY * LINE_HEIGHT {
            scene.line(vec![(frame.left, y), (frame.right, y)], Ink::Grid, THIN);
        }
        draw_row(scene, row, laid, &Frame::new(frame.left, y, frame.right, y + laid.height), &at, place);
        y += laid.height;
    }
    let corner = vec![(frame.left, frame.top), (frame.left, frame.bottom), (frame.right, frame.bottom)];
    scene.line(corner, Ink::Axis, THIN);
    horizontal_axis(scene, &panel.axis, &frame, place, most)
}

fn upright(scene: &mut Scene, line: &StripLine, x: f64, top: f64, bottom: f64) {
    match line.kind {
        StripLineKind::Median => scene.line(vec![(x, top), (x, bottom)], Ink::Text, THIN),
        StripLineKind::Limit => scene.dashed((x, top), (x, bottom), Ink::Series(1), STRONG),
        StripLineKind::Lesser => scene.dashed((x, top), (x, bottom), Ink::Quiet, THIN),
    }
}

fn draw_row(scene: &mut Scene, row: &StripRow, laid: &Laid, band: &Frame, at: &impl Fn(f64) -> f64, place: Place) {
    let ground = band.bottom - AIR;
    let body = laid.body.max(BODY * LINE_HEIGHT);
    let middle = ground - body / 2.0;
    let span = (laid.label.len() as f64 - 1.0) * BODY * LINE_HEIGHT - BODY * CAP_HEIGHT;
    scene.lines((band.left - 1.5 * MM, middle - span / 2.0), &laid.label, BODY, Anchor::End, Ink::Text);
    if !row.value.is_empty() {
        let spot = (place.right(), middle + BODY * CAP_HEIGHT / 2.0);
        scene.text(spot, &row.value, BODY, Anchor::End, Ink::Text);
    }
    if let Some(bins) = &row.bins {
        histogram(scene, bins, ground, at);
    }
    if let Some((low, high)) = row.span {
        let bar = Frame::new(at(low), middle - DOT, at(high).max(at(low) + DOT), middle + DOT);
        scene.bar(&bar, Fill { ink: Ink::Quiet, hatch: Hatch::Solid });
    }
    // A single line of signs stands in the middle of its row, beside its name.
    let single = row.bins.is_none() && laid.levels.iter().all(|level| *level == 0);
    let lift = |value: f64| row.bins.as_ref().map_or(0.0, |bins| bar_height(bins, bins.holding(value)));
    let height = |value: f64, level: usize| match single {
        true => middle,
        false => ground - lift(value) - (2 * level + 1) as f64 * DOT,
    };
    let dots = if row.bins.is_some() { 0 } else { row.dots.len() };
    for (value, level) in row.dots.iter().take(dots).zip(&laid.levels) {
        let marker = Marker { shape: Shape::Circle, ink: Ink::Series(0), filled: true };
        scene.marker((at(*value), height(*value, *level)), marker, DOT * 0.8);
    }
    if let Some(median) = row.median {
        let x = at(median);
        scene.line(vec![(x, ground - body), (x, ground)], Ink::Text, STRONG);
    }
    let spots: Vec<(f64, f64)> = row
        .marks
        .iter()
        .zip(laid.levels.iter().skip(dots))
        .map(|(mark, level)| (at(mark.at), height(mark.at, *level)))
        .collect();
    let named = row.marks.iter().zip(&spots).filter(|(mark, _)| !mark.name.is_empty());
    let ends: Vec<(f64, f64)> = named.map(|(_, (x, y))| (*x, y - DOT)).collect();
    draw_steps(scene, &laid.steps, &ends, ground - body - 0.8 * MM, true);
    for (mark, spot) in row.marks.iter().zip(&spots) {
        if let Some((low, high)) = mark.interval {
            whisker(scene, Whisker { from: (at(low), spot.1), to: (at(high), spot.1), open: false });
        }
        scene.marker(*spot, mark.marker, DOT * 1.1);
    }
}

fn bar_height(bins: &Bins, bin: usize) -> f64 {
    match bins.counts.get(bin).copied().unwrap_or(0) {
        0 => 0.0,
        count => (count as f64 / bins.tallest.max(1) as f64 * bins.height_mm * MM).max(LEAST_BAR),
    }
}

fn histogram(scene: &mut Scene, bins: &Bins, ground: f64, at: &impl Fn(f64) -> f64) {
    let fill = Fill { ink: Ink::Series(0), hatch: Hatch::Solid };
    for bin in (0..bins.counts.len()).filter(|bin| bins.counts[*bin] > 0) {
        let from = bins.start + bin as f64 * bins.width;
        let frame = Frame::new(at(from), ground - bar_height(bins, bin), at(from + bins.width) - 0.1 * MM, ground);
        scene.bar(&frame, fill);
    }
}
