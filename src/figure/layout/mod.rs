//! Puts a figure on the page: legend, panels, key, notes, from the top down; the height follows from the content.
//!
//! Pure geometry: no drawing library here. What surprises people: room for text is measured for the widest font that may
//! stand in for Helvetica ([`text::room`]), so in Helvetica itself the page has a little more air.

mod bars;
mod calendar;
mod clock;
mod heat;
mod place;
mod points;
mod stack_bars;
mod strips;
mod tornado;
mod trace;

use super::palette::{Ink, Tone};
use super::scene::{Anchor, BODY, Frame, HEAD, MM, STRONG, Scene, THIN};
use super::text::{self, CAP_HEIGHT, DESCENT, LINE_HEIGHT};
use super::ticks::Axis;
use super::{Figure, FigureError, GREATEST_WIDTH_MM, KeyEntry, LEAST_WIDTH_MM, LegendEntry, Panel, Sign};

/// Empty border of the page.
const MARGIN: f64 = 1.5 * MM;
/// Width of a legend's sign.
const SIGN: f64 = 4.5 * MM;
/// Height of a legend's swatch.
const SWATCH: f64 = 2.2 * MM;
/// Radius of markers.
const RADIUS: f64 = 0.85 * MM;
/// Length of ticks.
const TICK: f64 = 0.9 * MM;
/// Width from which panels stand in two columns.
const TWO_COLUMNS: f64 = 150.0 * MM;

/// The figure as ink on a page.
pub(super) fn lay_out(figure: &Figure) -> Result<Scene, FigureError> {
    if !(LEAST_WIDTH_MM..=GREATEST_WIDTH_MM).contains(&figure.width_mm) {
        return Err(FigureError::Width { figure: figure.id.clone(), width_mm: figure.width_mm });
    }
    let mut scene = Scene { width: figure.width_mm * MM, ..Scene::default() };
    let (left, width) = (MARGIN, scene.width - 2.0 * MARGIN);
    let mut y = MARGIN;
    if !figure.legend.is_empty() {
        y = legend(&mut scene, &figure.legend, left, y, width) + 2.4 * MM;
    }
    let mut below = Below { key: figure.key.clone(), notes: figure.notes.clone() };
    y = panels(&mut scene, &figure.panels, (left, y), width, &mut below);
    if !below.key.is_empty() {
        y = key(&mut scene, &below.key, left, y + 1.5 * MM, width);
    }
    for note in &below.notes {
        let lines = text::wrap(note, BODY, width);
        let baseline = y + 1.2 * MM + BODY * CAP_HEIGHT;
        y = scene.lines((left, baseline), &lines, BODY, Anchor::Start, Ink::Quiet) + BODY * DESCENT;
    }
    scene.height = y + MARGIN;
    Ok(scene)
}

/// What stands below the panels; panels add what finds no room in them.
struct Below {
    key: Vec<KeyEntry>,
    notes: Vec<String>,
}

/// Panels in one column, or in two on a wide page; returns the bottom of the last.
fn panels(scene: &mut Scene, panels: &[Panel], at: (f64, f64), width: f64, below: &mut Below) -> f64 {
    const GUTTER: f64 = 4.0 * MM;
    let (left, mut y) = at;
    let wide = panels.iter().any(|panel| matches!(panel, Panel::Trace(_) | Panel::Clock(_) | Panel::Strips(_)));
    let columns = if panels.len() > 1 && !wide && scene.width >= TWO_COLUMNS { 2 } else { 1 };
    let cell = (width - GUTTER * (columns - 1) as f64) / columns as f64;
    // Panels of one kind share their margins, so that their frames stand in line.
    let margins = panels.iter().fold(Margins::default(), |margins, panel| match panel {
        Panel::Bars(panel) => margins.widest(&bars::margins(panel, cell)),
        Panel::Points(panel) => margins.widest(&points::margins(panel)),
        Panel::Trace(panel) => margins.widest(&trace::margins(panel, panels.len())),
        Panel::Tornado(panel) => margins.widest(&tornado::margins(panel, cell)),
        Panel::Stacks(panel) => margins.widest(&stack_bars::margins(panel, cell)),
        Panel::Clock(panel) => margins.widest(&clock::margins(panel)),
        Panel::Strips(panel) => margins.widest(&strips::margins(panel, cell)),
        Panel::Heat(_) => margins,
        Panel::Words { .. } => margins,
    });
    for (row, group) in panels.chunks(columns).enumerate() {
        if row > 0 {
            y += 3.5 * MM;
        }
        let bottoms: Vec<f64> = group
            .iter()
            .enumerate()
            .map(|(column, panel)| {
                let place = Place { left: left + column as f64 * (cell + GUTTER), top: y, width: cell, margins };
                match panel {
                    Panel::Bars(bars) => bars::draw(scene, bars, place),
                    Panel::Points(points) => points::draw(scene, points, place, below),
                    Panel::Trace(trace) => trace::draw(scene, trace, place, panels.len()),
                    Panel::Tornado(tornado) => tornado::draw(scene, tornado, place),
                    Panel::Stacks(stacks) => stack_bars::draw(scene, stacks, place),
                    Panel::Strips(strips) => strips::draw(scene, strips, place),
                    Panel::Heat(heat) => heat::draw(scene, heat, place, below),
                    Panel::Clock(clock) => clock::draw(scene, clock, place),
                    Panel::Words { heading, reason } => words(scene, heading, reason, place),
                }
            })
            .collect();
        y = bottoms.into_iter().fold(y, f64::max);
    }
    y
}

/// Where a panel may draw; its height follows.
#[derive(Debug, Clone, Copy)]
struct Place {
    left: f64,
    top: f64,
    width: f64,
    margins: Margins,
}

/// Room around the frames of panels of one kind.
#[derive(Debug, Clone, Copy, Default)]
struct Margins {
    left: f64,
    top: f64,
    right: f64,
}

impl Margins {
    fn widest(&self, other: &Self) -> Self {
        Self { left: self.left.max(other.left), top: self.top.max(other.top), right: self.right.max(other.right) }
    }
}

impl Place {
    fn right(&self) -> f64 {
        self.left + self.width
    }
}

/// Heading of a panel; returns the y below it.
fn heading(scene: &mut Scene, heading: &str, place: Place) -> f64 {
    if heading.is_empty() {
        return place.top;
    }
    let lines = text::wrap(heading, HEAD, place.width);
    let baseline = place.top + HEAD * CAP_HEIGHT;
    scene.lines((place.left, baseline), &lines, HEAD, Anchor::Start, Ink::Text) + HEAD * DESCENT + 1.0 * MM
}

/// A panel without data: its heading, and in a frame the reason.
fn words(scene: &mut Scene, title: &str, reason: &str, place: Place) -> f64 {
    const PAD: f64 = 3.0 * MM;
    let top = heading(scene, title, place);
    let lines = text::wrap(reason, BODY, place.width - 2.0 * PAD);
    let baseline = top + PAD + BODY * CAP_HEIGHT;
    let last = scene.lines((place.left + PAD, baseline), &lines, BODY, Anchor::Start, Ink::Quiet);
    let frame = Frame::new(place.left, top, place.right(), last + PAD);
    scene.outline(&frame, Ink::Grid, THIN);
    frame.bottom
}

/// Legend entries side by side, in as many lines as they need; returns the bottom.
fn legend(scene: &mut Scene, entries: &[LegendEntry], left: f64, top: f64, width: f64) -> f64 {
    const GAP: f64 = 4.0 * MM;
    let (mut x, mut y) = (left, top + BODY * CAP_HEIGHT);
    let length = |entry: &LegendEntry| sign_width(entry.sign) + 1.0 * MM + text::room(&entry.text, BODY) + GAP;
    let one_line = entries.iter().map(length).sum::<f64>() - GAP <= width;
    let is_tone = |entry: &LegendEntry| matches!(entry.sign, Sign::Tone(_));
    let mut tones = false;
    for entry in entries {
        let sign = sign_width(entry.sign);
        let sign = if sign > 0.0 { sign + 1.0 * MM } else { 0.0 };
        let lines = text::wrap(&entry.text, BODY, width - sign);
        let needed = sign + lines.iter().map(|line| text::room(line, BODY)).fold(0.0, f64::max);
        // Where one line is not enough, backgrounds get a line of their own.
        let new_kind = !one_line && is_tone(entry) && !std::mem::replace(&mut tones, true);
        if x > left && (new_kind || x + needed > left + width) {
            (x, y) = (left, y + BODY * LINE_HEIGHT * 1.1);
        }
        draw_sign(scene, entry.sign, x, y - BODY * CAP_HEIGHT / 2.0);
        y = scene.lines((x + sign, y), &lines, BODY, Anchor::Start, Ink::Text);
        x += needed + GAP;
    }
    y + BODY * DESCENT
}

fn sign_width(sign: Sign) -> f64 {
    match sign {
        Sign::None => 0.0,
        Sign::Marker(_) => 2.0 * RADIUS,
        Sign::Fill(_) | Sign::Line(_) | Sign::Tone(_) | Sign::Texture(_) | Sign::Stroke(_) => SIGN,
    }
}

fn draw_sign(scene: &mut Scene, sign: Sign, x: f64, middle: f64) {
    let swatch = Frame::new(x, middle - SWATCH / 2.0, x + SIGN, middle + SWATCH / 2.0);
    let centre = (x + SIGN / 2.0, middle);
    match sign {
        Sign::None => {}
        Sign::Fill(fill) => scene.bar(&swatch, fill),
        Sign::Marker(marker) => scene.marker((x + RADIUS, middle), marker, RADIUS),
        Sign::Line(marker) => {
            scene.line(vec![(x, middle), (x + SIGN, middle)], marker.ink, STRONG);
            scene.marker(centre, marker, RADIUS * 0.9);
        }
        Sign::Texture(texture) => clock::textured(scene, &[swatch], texture),
        Sign::Stroke(stroke) => clock::stroked(scene, &[(x, middle), (x + SIGN, middle)], stroke),
        Sign::Tone(tone) => {
            tone_area(scene, &swatch, tone);
            scene.outline(&swatch, Ink::Axis, THIN);
        }
    }
}

/// Background of a stretch of time; preheat is striped, so that it differs without colour too.
fn tone_area(scene: &mut Scene, frame: &Frame, tone: Tone) {
    scene.area(frame.corners(), Ink::Tone(tone));
    if tone == Tone::Preheat {
        scene.stripes(frame, Ink::Stripe, 1.0);
    }
}

/// Short names and what they stand for, in columns; returns the bottom.
fn key(scene: &mut Scene, entries: &[KeyEntry], left: f64, top: f64, width: f64) -> f64 {
    const GAP: f64 = 4.0 * MM;
    let short = entries.iter().map(|entry| text::room(&entry.short, BODY)).fold(0.0, f64::max) + 1.2 * MM;
    let long = entries.iter().map(|entry| text::room(&entry.long, BODY)).fold(0.0, f64::max);
    let columns = (((width + GAP) / (short + long + GAP)).floor() as usize).clamp(1, entries.len().max(1));
    let rows = entries.len().div_ceil(columns);
    let pitch = (width + GAP) / columns as f64;
    let limit = pitch - GAP - short;
    let mut bottom = top;
    for column in 0..columns {
        let mut y = top + BODY * CAP_HEIGHT;
        for entry in entries.iter().skip(column * rows).take(rows) {
            let x = left + column as f64 * pitch;
            let lines = text::wrap(&entry.long, BODY, limit);
            scene.text((x + short - 1.2 * MM, y), &entry.short, BODY, Anchor::End, Ink::Text);
            y = scene.lines((x + short, y), &lines, BODY, Anchor::Start, Ink::Quiet);
            bottom = bottom.max(y + BODY * DESCENT);
            y += BODY * LINE_HEIGHT;
        }
    }
    bottom
}

/// Room left of a frame for the vertical axis: title, numbers, ticks.
fn left_room(axis: &Axis, most: usize) -> f64 {
    let numbers = axis.ticks(most).into_iter().filter_map(|tick| tick.label);
    let widest = numbers.map(|label| text::room(&label, BODY)).fold(0.0, f64::max);
    HEAD * LINE_HEIGHT + 0.6 * MM + widest + 0.8 * MM + TICK
}

/// Ticks, numbers and title left of a frame.
fn vertical_axis(scene: &mut Scene, axis: &Axis, frame: &Frame, left: f64, most: usize) {
    for tick in axis.ticks(most) {
        let y = frame.bottom - axis.position(tick.value) * frame.height();
        let length = if tick.label.is_some() { TICK } else { TICK * 0.55 };
        scene.line(vec![(frame.left - length, y), (frame.left, y)], Ink::Axis, THIN);
        if let Some(label) = tick.label {
            let at = (frame.left - TICK - 0.8 * MM, y + BODY * CAP_HEIGHT / 2.0);
            scene.text(at, &label, BODY, Anchor::End, Ink::Text);
        }
    }
    let middle = (frame.top + frame.bottom) / 2.0;
    scene.upward((left + HEAD * CAP_HEIGHT, middle), &axis.title(), HEAD, Ink::Text);
}

/// Ticks, numbers and title below a frame; returns the bottom. The title stays within the panel's place.
fn horizontal_axis(scene: &mut Scene, axis: &Axis, frame: &Frame, place: Place, most: usize) -> f64 {
    let baseline = frame.bottom + TICK + 0.6 * MM + BODY * CAP_HEIGHT;
    for tick in axis.ticks(most) {
        let x = frame.left + axis.position(tick.value) * frame.width();
        let length = if tick.label.is_some() { TICK } else { TICK * 0.55 };
        scene.line(vec![(x, frame.bottom), (x, frame.bottom + length)], Ink::Axis, THIN);
        // A number that would leave the page is left out; its tick stays.
        let fits = |label: &String| x + text::room(label, BODY) / 2.0 <= scene.width - 0.2 * MM;
        if let Some(label) = tick.label.filter(fits) {
            scene.text((x, baseline), &label, BODY, Anchor::Middle, Ink::Text);
        }
    }
    let title = axis.title();
    let half = text::room(&title, HEAD) / 2.0;
    let middle = (frame.left + frame.right) / 2.0;
    let x = middle.min(place.right() - half).max(place.left + half);
    let y = baseline + 0.9 * MM + HEAD * CAP_HEIGHT + BODY * DESCENT * 0.5;
    scene.text((x, y), &title, HEAD, Anchor::Middle, Ink::Text);
    y + HEAD * DESCENT
}

/// How many numbers fit along a horizontal axis of a width, each as wide as the widest and half as much air.
fn most_numbers(axis: &Axis, width: f64) -> usize {
    let fits = |most: usize| {
        let labels: Vec<(f64, f64)> = axis
            .ticks(most)
            .into_iter()
            .filter_map(|tick| Some((axis.position(tick.value) * width, text::room(&tick.label?, BODY) / 2.0)))
            .collect();
        labels.windows(2).all(|pair| pair[0].0 + pair[0].1 + 0.8 * MM <= pair[1].0 - pair[1].1)
    };
    (2..=9).rev().find(|most| fits(*most)).unwrap_or(2)
}

/// How many numbers suit a vertical axis of a height.
fn most_numbers_upright(height: f64) -> usize {
    ((height / (6.0 * MM)) as usize).clamp(2, 8)
}
