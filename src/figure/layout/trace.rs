//! Lines over time, with shaded stretches behind them and case numbers along the top.

use super::*;
use crate::figure::scene::Spot;
use crate::figure::{Band, TracePanel};

/// Height of the frame with one panel, and with several.
const TALL: f64 = 52.0 * MM;
const SHORT: f64 = 34.0 * MM;
/// Width of a power line: 0.6 pt.
const LINE: f64 = THIN * 1.2;
/// Height of the strip that marks throttling.
const STRIP: f64 = 1.2 * MM;
/// Markers along one line.
const MARKERS: usize = 8;

/// Room for the vertical axis.
pub(super) fn margins(panel: &TracePanel, panels: usize) -> Margins {
    let height = if panels > 1 { SHORT } else { TALL };
    Margins { left: left_room(&panel.y, most_numbers_upright(height)), top: 0.0, right: 1.5 * MM }
}

pub(super) fn draw(scene: &mut Scene, panel: &TracePanel, place: Place, panels: usize) -> f64 {
    let below = heading(scene, &panel.heading, place);
    let height = if panels > 1 { SHORT } else { TALL };
    let numbers = most_numbers_upright(height);
    let (left, right) = (place.left + place.margins.left, place.right() - place.margins.right);
    let rows = number_rows(panel, right - left);
    let top = below + rows as f64 * BODY * LINE_HEIGHT + if rows > 0 { 1.2 * MM } else { 0.0 };
    let frame = Frame::new(left, top, right, top + height);
    let x = |seconds: f64| frame.left + panel.x.position(seconds).clamp(0.0, 1.0) * frame.width();
    let is_strip = |band: &&Band| band.tone == Tone::Throttled;
    for band in panel.bands.iter().filter(|band| !is_strip(band)) {
        let area = Frame::new(x(band.from_s), frame.top, x(band.until_s), frame.bottom);
        tone_area(scene, &area, band.tone);
        // Windows that follow each other without a pause would merge into one.
        scene.line(vec![(area.left, area.top), (area.left, area.bottom)], Ink::Paper, THIN);
    }
    for tick in panel.y.ticks(numbers) {
        let y = frame.bottom - panel.y.position(tick.value) * frame.height();
        if y < frame.bottom - 1.0 {
            scene.line(vec![(frame.left, y), (frame.right, y)], Ink::Grid, THIN);
        }
    }
    // No power is drawn so near to zero but idle power.
    for band in panel.bands.iter().filter(is_strip) {
        let area = Frame::new(x(band.from_s), frame.bottom - STRIP, x(band.until_s), frame.bottom);
        tone_area(scene, &area, band.tone);
    }
    span_numbers(scene, panel, &frame, &x);
    lines(scene, panel, &frame, &x);
    scene.outline(&frame, Ink::Axis, THIN);
    vertical_axis(scene, &panel.y, &frame, place.left, numbers);
    horizontal_axis(scene, &panel.x, &frame, place, most_numbers(&panel.x, frame.width()))
}

/// Rows for the case numbers: 0 without spans, else as few as hold all of them, three at most.
fn number_rows(panel: &TracePanel, width: f64) -> usize {
    let most = if panel.spans.is_empty() { 0 } else { 3 };
    (0..most).find(|rows| number_places(panel, width, *rows).iter().all(Option::is_some)).unwrap_or(most)
}

/// Middle (from the frame's left edge) and row of each span's number; `None` where no row has room for it.
fn number_places(panel: &TracePanel, width: f64, rows: usize) -> Vec<Option<(f64, usize)>> {
    let mut reached = vec![f64::NEG_INFINITY; rows];
    let mut places = Vec::new();
    for span in &panel.spans {
        let middle = (panel.x.position(span.from_s) + panel.x.position(span.until_s)) / 2.0 * width;
        let half = text::room(&span.short, BODY) / 2.0;
        let row = reached.iter().position(|reached| reached + 0.5 * MM <= middle - half);
        if let Some(row) = row {
            reached[row] = middle + half;
        }
        places.push(row.map(|row| (middle, row)));
    }
    places
}

/// Brackets over the spans and their numbers; a number that fits in no row is left out.
fn span_numbers(scene: &mut Scene, panel: &TracePanel, frame: &Frame, x: &impl Fn(f64) -> f64) {
    let rows = number_rows(panel, frame.width());
    let y = frame.top - 0.6 * MM;
    for (span, place) in panel.spans.iter().zip(number_places(panel, frame.width(), rows)) {
        let (from, until) = (x(span.from_s), x(span.until_s));
        let inset = (0.25 * MM).min((until - from) * 0.1);
        scene.line(vec![(from + inset, y), (until - inset, y)], Ink::Axis, THIN);
        if let Some((middle, row)) = place {
            let baseline = y - 0.6 * MM - row as f64 * BODY * LINE_HEIGHT;
            scene.text((frame.left + middle, baseline), &span.short, BODY, Anchor::Middle, Ink::Text);
        }
    }
}

fn lines(scene: &mut Scene, panel: &TracePanel, frame: &Frame, x: &impl Fn(f64) -> f64) {
    let y = |watts: f64| frame.bottom - panel.y.position(watts).clamp(0.0, 1.0) * frame.height();
    let mut markers: Vec<(Spot, super::super::Marker)> = Vec::new();
    for (index, line) in panel.lines.iter().enumerate() {
        for segment in &line.segments {
            let points: Vec<Spot> = segment.iter().map(|(at, watts)| (x(*at), y(*watts))).collect();
            match points[..] {
                [only] => {
                    scene.line(vec![(only.0 - 0.15 * MM, only.1), (only.0 + 0.15 * MM, only.1)], line.marker.ink, LINE)
                }
                _ => scene.line(points, line.marker.ink, LINE),
            }
        }
        // With a single line nothing needs telling apart.
        if panel.lines.len() > 1 {
            let offset = (index as f64 + 0.5) / panel.lines.len() as f64;
            let wanted = (0..MARKERS).map(|k| frame.left + (k as f64 + offset) / MARKERS as f64 * frame.width());
            markers.extend(wanted.filter_map(|at| {
                let nearest = line
                    .segments
                    .iter()
                    .flatten()
                    .min_by(|a, b| (x(a.0) - at).abs().total_cmp(&(x(b.0) - at).abs()))?;
                let spot = (x(nearest.0), y(nearest.1));
                ((spot.0 - at).abs() < 2.0 * MM).then_some((spot, line.marker))
            }));
        }
    }
    markers.into_iter().for_each(|(at, marker)| scene.marker(at, marker, RADIUS * 0.8));
}
