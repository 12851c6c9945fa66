//! Horizontal bars: names on the left, bars and whiskers in the frame, values in a column on the right.

use super::*;
use crate::figure::{BarPanel, BarRow, RowEntry, text::number};

/// Thickness of a bar.
const BAR: f64 = 2.3 * MM;
/// Air between rows.
const AIR: f64 = 1.5 * MM;
/// Part of the panel's width that names may take.
const NAMES: f64 = 0.46;

struct RowText {
    label: Vec<String>,
    detail: Vec<String>,
}

impl RowText {
    fn height(&self) -> f64 {
        let lines = self.label.len() + self.detail.len();
        (lines as f64 * BODY * LINE_HEIGHT).max(BAR)
    }
    fn width(&self) -> f64 {
        self.label.iter().chain(&self.detail).map(|line| text::room(line, BODY)).fold(0.0, f64::max)
    }
}

fn row_texts(panel: &BarPanel, width: f64) -> Vec<RowText> {
    let limit = width * NAMES;
    let wrap = |words: &str| text::wrap(words, BODY, limit);
    panel.rows.iter().map(|row| RowText { label: wrap(&row.label), detail: wrap(&row.detail) }).collect()
}

/// Room for the names on the left and the values on the right.
pub(super) fn margins(panel: &BarPanel, width: f64) -> Margins {
    let names = row_texts(panel, width).iter().map(RowText::width).fold(0.0, f64::max);
    let values = panel.rows.iter().map(|row| text::room(&value_text(panel, row), BODY)).fold(0.0, f64::max);
    Margins { left: names + 1.5 * MM, top: 0.0, right: values + 1.2 * MM }
}

pub(super) fn draw(scene: &mut Scene, panel: &BarPanel, place: Place) -> f64 {
    let top = heading(scene, &panel.heading, place);
    let texts = row_texts(panel, place.width);
    let height: f64 = texts.iter().map(|row| row.height() + AIR).sum();
    let left = place.left + place.margins.left;
    let frame = Frame::new(left, top, place.right() - place.margins.right, top + height);
    let most = most_numbers(&panel.axis, frame.width()).min(6);
    for tick in panel.axis.ticks(most) {
        let x = frame.left + panel.axis.position(tick.value) * frame.width();
        if x > frame.left + 1.0 {
            scene.line(vec![(x, frame.top), (x, frame.bottom)], Ink::Grid, THIN);
        }
    }
    let mut y = top;
    for (row, words) in panel.rows.iter().zip(&texts) {
        let band = Frame::new(frame.left, y, frame.right, y + words.height() + AIR);
        draw_row(scene, panel, row, words, &band);
        let at = (place.right(), (band.top + band.bottom) / 2.0 + BODY * CAP_HEIGHT / 2.0);
        scene.text(at, &value_text(panel, row), BODY, Anchor::End, Ink::Text);
        y = band.bottom;
    }
    let corner = vec![(frame.left, frame.top), (frame.left, frame.bottom), (frame.right, frame.bottom)];
    scene.line(corner, Ink::Axis, THIN);
    horizontal_axis(scene, &panel.axis, &frame, place, most)
}

fn value_text(panel: &BarPanel, row: &BarRow) -> String {
    match &row.entry {
        RowEntry::Bar { value, remark, .. } => {
            let value = number(value / panel.axis.prefix.factor, 3);
            if remark.is_empty() { value } else { format!("{value} {remark}") }
        }
        RowEntry::Words(_) => String::new(),
    }
}

fn draw_row(scene: &mut Scene, panel: &BarPanel, row: &BarRow, words: &RowText, band: &Frame) {
    let middle = (band.top + band.bottom) / 2.0;
    let lines = words.label.len() + words.detail.len();
    // Cap of the first line to baseline of the last, centred on the row.
    let span = (lines as f64 - 1.0) * BODY * LINE_HEIGHT + BODY * CAP_HEIGHT;
    let first = middle - span / 2.0 + BODY * CAP_HEIGHT;
    let x = band.left - 1.5 * MM;
    let last = scene.lines((x, first), &words.label, BODY, Anchor::End, Ink::Text);
    scene.lines((x, last + BODY * LINE_HEIGHT), &words.detail, BODY, Anchor::End, Ink::Quiet);
    match &row.entry {
        RowEntry::Bar { value, interval, fill, .. } => {
            let at = |value: f64| band.left + panel.axis.position(value).clamp(0.0, 1.0) * band.width();
            let bar = Frame::new(band.left, middle - BAR / 2.0, at(*value), middle + BAR / 2.0);
            scene.bar(&bar, *fill);
            if let Some((low, high)) = interval {
                whisker(
                    scene,
                    Whisker { from: (at(*low), middle), to: (at(*high), middle), open: *low < panel.axis.low },
                );
            }
        }
        RowEntry::Words(reason) => {
            let lines = text::wrap(reason, BODY, band.width() - 1.0 * MM);
            let span = (lines.len() as f64 - 1.0) * BODY * LINE_HEIGHT - BODY * CAP_HEIGHT;
            let at = (band.left + 1.0 * MM, middle - span / 2.0);
            // No grid lines where there is nothing to read off them.
            scene.area(Frame::new(band.left + THIN, band.top, band.right + THIN, band.bottom).corners(), Ink::Paper);
            scene.lines(at, &lines, BODY, Anchor::Start, Ink::Quiet);
        }
    }
}

/// The ends of an interval on the page, level or upright.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whisker {
    /// Lower end: on the left, or at the bottom.
    pub from: (f64, f64),
    /// Upper end.
    pub to: (f64, f64),
    /// True if the interval goes on below the axis: an arrow instead of a cap.
    pub open: bool,
}

/// A line with caps across its ends.
pub(super) fn whisker(scene: &mut Scene, ends: Whisker) {
    const CAP: f64 = 0.6 * MM;
    const ARROW: f64 = 0.9 * MM;
    let Whisker { from, to, open } = ends;
    let level = from.1 == to.1;
    let across = |end: (f64, f64), back: f64| {
        if level {
            [(end.0 + back, end.1 - CAP), (end.0 + back, end.1 + CAP)]
        } else {
            [(end.0 - CAP, end.1 - back), (end.0 + CAP, end.1 - back)]
        }
    };
    scene.line(vec![from, to], Ink::Text, THIN);
    scene.line(across(to, 0.0).to_vec(), Ink::Text, THIN);
    if open {
        let [one, other] = across(from, ARROW);
        scene.line(vec![one, from, other], Ink::Text, THIN);
    } else {
        scene.line(across(from, 0.0).to_vec(), Ink::Text, THIN);
    }
}
