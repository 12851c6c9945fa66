//! Ink on paper: lines, areas and texts at fixed places, in hundredths of a millimetre from the top left corner.
//!
//! Layout fills a [`Scene`]; [`super::svg`] writes it. What surprises people: a text stands on its baseline.

use super::palette::{Fill, Hatch, Ink, Marker, Shape};
use super::text;

/// Units in a millimetre.
pub(super) const MM: f64 = 100.0;
/// Units in a typographic point (1/72 inch).
pub(super) const PT: f64 = 25.4 / 72.0 * MM;
/// Size of ordinary text: 7 pt.
pub(super) const BODY: f64 = 7.0 * PT;
/// Size of axis titles and panel headings: 8 pt.
pub(super) const HEAD: f64 = 8.0 * PT;
/// Thin strokes: 0.5 pt, the least that journals accept.
pub(super) const THIN: f64 = 0.5 * PT;
/// Strokes of guide lines that carry meaning: 0.9 pt.
pub(super) const STRONG: f64 = 0.9 * PT;

pub(super) type Spot = (f64, f64);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Line { points: Vec<Spot>, ink: Ink, width: f64 },
    Area { points: Vec<Spot>, ink: Ink },
    Text { at: Spot, text: String, size: f64, anchor: Anchor, ink: Ink, upward: bool },
}

/// An upright rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Frame {
    pub fn new(left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self { left, top, right, bottom }
    }
    pub fn width(&self) -> f64 {
        self.right - self.left
    }
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }
    pub fn grown(&self, by: f64) -> Self {
        Self::new(self.left - by, self.top - by, self.right + by, self.bottom + by)
    }
    pub fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }
    pub fn contains(&self, other: &Self) -> bool {
        self.left <= other.left && other.right <= self.right && self.top <= other.top && other.bottom <= self.bottom
    }
    pub fn corners(&self) -> Vec<Spot> {
        vec![(self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)]
    }
    /// The part of a segment inside, by Liang and Barsky's parameters; `None` if it misses.
    pub fn clip(&self, from: Spot, to: Spot) -> Option<(Spot, Spot)> {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let (mut enter, mut leave) = (0f64, 1f64);
        for (p, q) in
            [(-dx, from.0 - self.left), (dx, self.right - from.0), (-dy, from.1 - self.top), (dy, self.bottom - from.1)]
        {
            if p == 0.0 {
                if q < 0.0 {
                    return None;
                }
            } else if p < 0.0 {
                enter = enter.max(q / p);
            } else {
                leave = leave.min(q / p);
            }
        }
        let at = |part: f64| (from.0 + part * dx, from.1 + part * dy);
        (enter < leave).then_some((at(enter), at(leave)))
    }
}

/// Everything on the page.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Scene {
    pub width: f64,
    pub height: f64,
    pub items: Vec<Item>,
}

impl Scene {
    pub fn line(&mut self, points: Vec<Spot>, ink: Ink, width: f64) {
        self.items.push(Item::Line { points, ink, width });
    }

    pub fn dashed(&mut self, from: Spot, to: Spot, ink: Ink, width: f64) {
        const ON: f64 = 1.4 * MM;
        const OFF: f64 = 0.9 * MM;
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |s: f64| (from.0 + (to.0 - from.0) * s / length, from.1 + (to.1 - from.1) * s / length);
        let mut start = 0.0;
        while start < length {
            self.line(vec![at(start), at((start + ON).min(length))], ink, width);
            start += ON + OFF;
        }
    }

    pub fn area(&mut self, points: Vec<Spot>, ink: Ink) {
        self.items.push(Item::Area { points, ink });
    }

    pub fn text(&mut self, at: Spot, text: &str, size: f64, anchor: Anchor, ink: Ink) {
        self.items.push(Item::Text { at, text: text.to_owned(), size, anchor, ink, upward: false });
    }

    /// Text that reads from bottom to top, centred on a spot.
    pub fn upward(&mut self, at: Spot, text: &str, size: f64, ink: Ink) {
        let anchor = Anchor::Middle;
        self.items.push(Item::Text { at, text: text.to_owned(), size, anchor, ink, upward: true });
    }

    /// Lines of text below each other, the first baseline at `at`; returns the last baseline.
    pub fn lines(&mut self, at: Spot, lines: &[String], size: f64, anchor: Anchor, ink: Ink) -> f64 {
        let mut y = at.1;
        for (index, line) in lines.iter().enumerate() {
            y = at.1 + index as f64 * size * text::LINE_HEIGHT;
            self.text((at.0, y), line, size, anchor, ink);
        }
        y
    }

    pub fn outline(&mut self, frame: &Frame, ink: Ink, width: f64) {
        let mut points = frame.corners();
        points.push(points[0]);
        self.line(points, ink, width);
    }

    pub fn bar(&mut self, frame: &Frame, fill: Fill) {
        if fill.hatch == Hatch::Solid {
            self.area(frame.corners(), fill.ink);
            return;
        }
        self.area(frame.corners(), Ink::Paper);
        if matches!(fill.hatch, Hatch::Rising | Hatch::Crossed) {
            self.stripes(frame, fill.ink, 1.0);
        }
        if matches!(fill.hatch, Hatch::Falling | Hatch::Crossed) {
            self.stripes(frame, fill.ink, -1.0);
        }
        if fill.hatch == Hatch::Level {
            for part in [1.0, 2.0, 3.0] {
                let y = frame.top + frame.height() * part / 4.0;
                self.line(vec![(frame.left, y), (frame.right, y)], fill.ink, THIN);
            }
        }
        self.outline(frame, fill.ink, THIN);
    }

    pub fn stripes(&mut self, frame: &Frame, ink: Ink, direction: f64) {
        const PITCH: f64 = 1.0 * MM;
        let height = frame.height();
        let mut x = frame.left - height + PITCH / 2.0;
        while x < frame.right {
            let (from, to) = if direction > 0.0 {
                ((x, frame.bottom), (x + height, frame.top))
            } else {
                ((x, frame.top), (x + height, frame.bottom))
            };
            if let Some((a, b)) = frame.clip(from, to) {
                self.line(vec![a, b], ink, THIN);
            }
            x += PITCH;
        }
    }

    pub fn marker(&mut self, at: Spot, marker: Marker, radius: f64) {
        let mut points: Vec<Spot> =
            outline_of(marker.shape).iter().map(|(x, y)| (at.0 + x * radius, at.1 + y * radius)).collect();
        self.area(points.clone(), if marker.filled { marker.ink } else { Ink::Paper });
        // Both ends run on past the start, so that the corner there is as round as the others.
        points.extend_from_within(..2);
        self.line(points, marker.ink, if marker.filled { THIN } else { 0.8 * PT });
    }
}

/// Corners of a marker of radius 1, y downward; all shapes cover about the same area.
fn outline_of(shape: Shape) -> Vec<Spot> {
    match shape {
        Shape::Circle => regular(24, 0.0, 0.95),
        Shape::Square => regular(4, 0.125, 1.2),
        Shape::Diamond => regular(4, 0.0, 1.25),
        Shape::Up => regular(3, 0.0, 1.3),
        Shape::Down => regular(3, 0.5, 1.3),
        Shape::Pentagon => regular(5, 0.0, 1.1),
        Shape::Hexagon => regular(6, 0.0, 1.05),
        Shape::Plus => cross(0.0),
        Shape::Cross => cross(0.125),
        Shape::Star => (0..10).map(|i| around(f64::from(i) / 10.0, if i % 2 == 0 { 1.4 } else { 0.6 })).collect(),
    }
}

/// A spot at a part of a full turn, clockwise from the top.
fn around(turn: f64, radius: f64) -> Spot {
    let (sin, cos) = (turn * std::f64::consts::TAU).sin_cos();
    (radius * sin, -radius * cos)
}

fn regular(corners: u32, turn: f64, radius: f64) -> Vec<Spot> {
    (0..corners).map(|i| around(turn + f64::from(i) / f64::from(corners), radius)).collect()
}

fn cross(turn: f64) -> Vec<Spot> {
    const ARM: f64 = 0.4;
    const REACH: f64 = 1.3;
    let quarter = [(-ARM, -REACH), (ARM, -REACH), (ARM, -ARM)];
    let (sin, cos) = (turn * std::f64::consts::TAU).sin_cos();
    (0..4)
        .flat_map(|i| {
            let (s, c) = (f64::from(i) * 0.25 * std::f64::consts::TAU).sin_cos();
            quarter.map(|(x, y)| (x * c - y * s, x * s + y * c))
        })
        .map(|(x, y)| (x * cos - y * sin, x * sin + y * cos))
        .collect()
}
