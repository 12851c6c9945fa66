//! Steps over time: stacked areas, lines, gaps and lanes over an axis of hours, days or months.
//!
//! What surprises people: stripes of neighbouring steps are joined, so that an area of 700 steps has as few strokes as
//! one of three.

use super::*;
use crate::figure::scene::Spot;
use crate::figure::{ClockPanel, Stroke, Texture, Weave, layout::calendar};

/// Height of a lane, and the part of it that is filled.
const LANE: f64 = 3.9 * MM;
const FILLED: f64 = 2.3 * MM;

/// Room for the vertical axis and the names of the lanes.
pub(super) fn margins(panel: &ClockPanel) -> Margins {
    let axis = left_room(&panel.y, most_numbers_upright(panel.height_mm * MM));
    let lanes = panel.lanes.iter().map(|lane| text::room(&lane.name, BODY) + 1.5 * MM).fold(0.0, f64::max);
    Margins { left: axis.max(lanes), top: 0.0, right: 5.0 * MM }
}

pub(super) fn draw(scene: &mut Scene, panel: &ClockPanel, place: Place) -> f64 {
    let (left, right) = (place.left + place.margins.left, place.right() - place.margins.right);
    let top = place.top + BODY * CAP_HEIGHT / 2.0;
    let frame = Frame::new(left, top, right, top + panel.height_mm * MM);
    let most = most_numbers_upright(frame.height());
    let x = |seconds: f64| frame.left + (seconds / panel.until_s).clamp(0.0, 1.0) * frame.width();
    for tick in panel.y.ticks(most) {
        let y = frame.bottom - panel.y.position(tick.value) * frame.height();
        if y < frame.bottom - 1.0 {
            scene.line(vec![(frame.left, y), (frame.right, y)], Ink::Grid, THIN);
        }
    }
    let texture = Texture { ink: Ink::Grid, weave: Weave::Rising };
    for (from, until) in &panel.gaps {
        textured(scene, &[Frame::new(x(*from), frame.top, x(*until), frame.bottom)], texture);
    }
    layers(scene, panel, &frame, &x);
    lines(scene, panel, &frame, &x);
    scene.outline(&frame, Ink::Axis, THIN);
    vertical_axis(scene, &panel.y, &frame, left - left_room(&panel.y, most), most);
    let bottom = lanes(scene, panel, &frame, &x);
    time_axis(scene, panel, &Frame { bottom, ..frame }, place)
}

fn layers(scene: &mut Scene, panel: &ClockPanel, frame: &Frame, x: &impl Fn(f64) -> f64) {
    let y = |value: f64| frame.bottom - panel.y.position(value).clamp(0.0, 1.0) * frame.height();
    let mut floor: Vec<f64> = Vec::new();
    for layer in &panel.layers {
        floor.resize(layer.values.len().max(floor.len()), 0.0);
        let mut boxes: Vec<Frame> = Vec::new();
        for (index, value) in layer.values.iter().enumerate() {
            let value = if value.is_finite() { value.max(0.0) } else { 0.0 };
            let (from, until) = (x(index as f64 * panel.step_s), x((index as f64 + 1.0) * panel.step_s));
            let (low, high) = (y(floor[index]), y(floor[index] + value));
            floor[index] += value;
            if low - high > 1e-9 && until > from {
                match boxes.last_mut() {
                    Some(last) if (last.top, last.bottom, last.right) == (high, low, from) => last.right = until,
                    _ => boxes.push(Frame::new(from, high, until, low)),
                }
            }
        }
        textured(scene, &boxes, layer.texture);
    }
}

/// Boxes that stand side by side, filled and striped as one area.
pub(super) fn textured(scene: &mut Scene, boxes: &[Frame], texture: Texture) {
    for run in boxes.chunk_by(|a, b| a.right == b.left) {
        let mut outline: Vec<Spot> = Vec::new();
        outline.extend(run.iter().flat_map(|b| [(b.left, b.top), (b.right, b.top)]));
        outline.extend(run.iter().rev().flat_map(|b| [(b.right, b.bottom), (b.left, b.bottom)]));
        scene.area(outline, texture.ink);
        let slopes: &[(f64, f64)] = match texture.weave {
            Weave::Plain => &[],
            Weave::Rising => &[(1.0, -1.0)],
            Weave::Falling => &[(1.0, 1.0)],
            Weave::Crossed => &[(1.0, -1.0), (1.0, 1.0)],
            Weave::Level => &[(1.0, 0.0)],
            Weave::Upright => &[(0.0, 1.0)],
        };
        slopes.iter().for_each(|slope| stripes(scene, run, *slope));
    }
}

/// White stripes through boxes side by side, along a slope and at one pitch across the page.
fn stripes(scene: &mut Scene, boxes: &[Frame], (dx, dy): (f64, f64)) {
    const PITCH: f64 = 1.5 * MM;
    let around = boxes.iter().skip(1).fold(boxes[0], |all, b| {
        Frame::new(all.left.min(b.left), all.top.min(b.top), all.right.max(b.right), all.bottom.max(b.bottom))
    });
    // A stripe is where `dy * x - dx * y` has one value.
    let across = |spot: &Spot| dy * spot.0 - dx * spot.1;
    let corners: Vec<f64> = around.corners().iter().map(across).collect();
    let (low, high) = corners.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), c| (l.min(*c), h.max(*c)));
    let pitch = PITCH * dx.hypot(dy);
    for index in (low / pitch).ceil() as i64..=(high / pitch).floor() as i64 {
        let value = index as f64 * pitch;
        let at = |spot: f64| if dx == 0.0 { (value / dy, spot) } else { (spot, (dy * spot - value) / dx) };
        let mut open: Option<(Spot, Spot)> = None;
        for b in boxes {
            let piece = if dx == 0.0 { b.clip(at(b.top), at(b.bottom)) } else { b.clip(at(b.left), at(b.right)) };
            let Some((from, to)) = piece else { continue };
            open = match open {
                Some((start, end)) if (end.0 - from.0).abs() < 0.01 && (end.1 - from.1).abs() < 0.01 => {
                    Some((start, to))
                }
                Some((start, end)) => {
                    scene.line(vec![start, end], Ink::Paper, THIN);
                    Some((from, to))
                }
                None => Some((from, to)),
            };
        }
        if let Some((start, end)) = open {
            scene.line(vec![start, end], Ink::Paper, THIN);
        }
    }
}

fn lines(scene: &mut Scene, panel: &ClockPanel, frame: &Frame, x: &impl Fn(f64) -> f64) {
    let y = |value: f64| frame.bottom - panel.y.position(value).clamp(0.0, 1.0) * frame.height();
    for line in &panel.lines {
        let steps: Vec<(usize, Option<f64>)> = line.values.iter().copied().enumerate().collect();
        for run in steps.chunk_by(|a, b| a.1.is_some() == b.1.is_some()) {
            let mut points: Vec<Spot> = Vec::new();
            for (index, value) in run {
                let Some(value) = value else { break };
                let (from, until) = (x(*index as f64 * panel.step_s), x((*index as f64 + 1.0) * panel.step_s));
                if points.last().is_some_and(|last| last.1 == y(*value)) {
                    points.pop();
                } else {
                    points.push((from, y(*value)));
                }
                points.push((until, y(*value)));
            }
            if points.len() > 1 {
                stroked(scene, &points, line.stroke);
            }
        }
    }
}

/// A line through corners.
pub(super) fn stroked(scene: &mut Scene, points: &[Spot], stroke: Stroke) {
    match stroke {
        Stroke::Strong => scene.line(points.to_vec(), Ink::Text, STRONG),
        Stroke::Series => scene.line(points.to_vec(), Ink::Series(0), STRONG),
        Stroke::Dashed => dashes(scene, points),
    }
}

/// Dashes that run on around corners.
fn dashes(scene: &mut Scene, points: &[Spot]) {
    const ON: f64 = 1.2 * MM;
    const OFF: f64 = 0.7 * MM;
    let (mut left, mut drawing) = (ON, true);
    let mut dash: Vec<Spot> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length <= left {
                left -= length;
                if drawing {
                    dash.push(to);
                }
                break;
            }
            from = (from.0 + (to.0 - from.0) * left / length, from.1 + (to.1 - from.1) * left / length);
            if drawing {
                dash.push(from);
                scene.line(std::mem::take(&mut dash), Ink::Text, THIN * 1.3);
            } else {
                dash = vec![from];
            }
            drawing = !drawing;
            left = if drawing { ON } else { OFF };
        }
    }
    if drawing && dash.len() > 1 {
        scene.line(dash, Ink::Text, THIN * 1.3);
    }
}

/// Lanes below the frame; returns their bottom.
fn lanes(scene: &mut Scene, panel: &ClockPanel, frame: &Frame, x: &impl Fn(f64) -> f64) -> f64 {
    /// Least width of a stretch on paper.
    const LEAST: f64 = 0.5 * MM;
    // Air, so that the axis's zero and the first name stand apart.
    let top = frame.bottom + if panel.lanes.is_empty() { 0.0 } else { 1.5 * MM };
    let mut y = top;
    for lane in &panel.lanes {
        let middle = y + LANE / 2.0;
        let at = (frame.left - 1.5 * MM, middle + BODY * CAP_HEIGHT / 2.0);
        scene.text(at, &lane.name, BODY, Anchor::End, Ink::Text);
        for (from, until) in &lane.stretches_s {
            let left = x(*from).min(frame.right - LEAST);
            let right = x(*until).max(left + LEAST);
            let bar = Frame::new(left, middle - FILLED / 2.0, right, middle + FILLED / 2.0);
            textured(scene, &[bar], lane.texture);
            scene.outline(&bar, Ink::Axis, THIN);
        }
        y += LANE;
    }
    if !panel.lanes.is_empty() {
        scene.outline(&Frame::new(frame.left, top, frame.right, y), Ink::Axis, THIN);
    }
    y
}

/// Ticks below a frame, with hours or dates where the panel bears them; returns the bottom.
fn time_axis(scene: &mut Scene, panel: &ClockPanel, frame: &Frame, place: Place) -> f64 {
    let most = ((frame.width() / (11.0 * MM)) as usize).clamp(2, 14);
    let marks = calendar::marks(&panel.from, panel.until_s, most);
    let baseline = frame.bottom + TICK + 0.6 * MM + BODY * CAP_HEIGHT;
    let second = baseline + BODY * LINE_HEIGHT;
    let dated = marks.iter().any(|mark| mark.date.is_some());
    // Where the last text of each row ends.
    let mut ends = [place.left; 2];
    for mark in &marks {
        let at = frame.left + mark.at_s / panel.until_s * frame.width();
        scene.line(vec![(at, frame.bottom), (at, frame.bottom + TICK)], Ink::Axis, THIN);
        if !panel.timed {
            continue;
        }
        for (row, words) in [Some(&mark.label), mark.date.as_ref()].into_iter().enumerate() {
            let Some(words) = words else { continue };
            let half = text::room(words, BODY) / 2.0;
            if at - half >= ends[row] && at + half <= scene.width - 0.3 * MM {
                scene.text((at, if row == 0 { baseline } else { second }), words, BODY, Anchor::Middle, Ink::Text);
                ends[row] = at + half + 0.8 * MM;
            }
        }
    }
    if !panel.timed {
        return frame.bottom + TICK;
    }
    let last = if dated { second } else { baseline };
    let title = format!("Time, from {}", panel.from);
    let y = last + 0.9 * MM + HEAD * CAP_HEIGHT + BODY * DESCENT * 0.5;
    let lines = text::wrap(&title, HEAD, place.width);
    scene.lines(((place.left + place.right()) / 2.0, y), &lines, HEAD, Anchor::Middle, Ink::Text) + HEAD * DESCENT
}
