//! Heat map: rank, region, shaded cells with their numbers, ratio to the best; a colour bar below.
//!
//! What surprises people: few columns flow into blocks side by side, many into groups below each other; text never
//! shrinks. Rows beyond [`MOST`] a block are left out from the middle, and a note says how many.

use super::*;
use crate::figure::{HeatPanel, HeatRow, text::number};

const ROW: f64 = 3.7 * MM;
const GAP: f64 = 1.6 * MM;
const BETWEEN: f64 = 7.0 * MM;
/// Longest name.
const NAME: f64 = 40.0 * MM;
/// Width of a name that is still worth having.
const READABLE: f64 = 22.0 * MM;
/// Widest cell.
const CELL: f64 = 24.0 * MM;
/// The same where there are more than six columns.
const MANY: f64 = 12.0 * MM;
/// Width that cells grow to where the page has room.
const ROOMY: f64 = 16.0 * MM;
/// Longest upright name of a column.
const UPRIGHT: f64 = 30.0 * MM;
/// Rows of one block that a page has room for.
const MOST: usize = 60;
/// Rows from which a second block begins.
const FEW: usize = 16;

/// Widths of one block's columns.
struct Widths {
    rank: f64,
    code: f64,
    name: f64,
    cell: f64,
    ratio: f64,
}

impl Widths {
    fn of(panel: &HeatPanel) -> Self {
        let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(|t| text::room(t, BODY)).fold(0.0, f64::max);
        let cells = panel.rows.iter().flat_map(|row| &row.values).map(|value| text::room(&shown(panel, *value), BODY));
        let heads = panel.columns.iter().flat_map(|column| pieces(column)).map(|piece| text::room(piece.trim(), BODY));
        let least = cells.fold(8.0 * MM, f64::max);
        let cell = heads.fold(least, f64::max).min(if panel.columns.len() > 6 { MANY } else { CELL });
        let cell = cell.max(least);
        let name = widest(&mut panel.rows.iter().map(|row| row.name.as_str())).min(NAME);
        Self {
            rank: widest(&mut panel.rows.iter().map(|row| row.rank.as_str())) + GAP,
            code: widest(&mut panel.rows.iter().map(|row| row.code.as_str())).min(NAME) + GAP,
            name: if name > 0.0 { name + GAP } else { 0.0 },
            cell: cell + 1.2 * MM,
            ratio: widest(&mut panel.rows.iter().map(|row| row.ratio.as_str()).chain([RATIO])) + GAP,
        }
    }
    fn before(&self) -> f64 {
        self.rank + self.code + self.name
    }
}

/// Pieces of a column's name between which a line may end: behind spaces and hyphens.
fn pieces(name: &str) -> impl Iterator<Item = &str> {
    name.split_inclusive([' ', '-'])
}

/// A column's name in lines of at most `limit`, as far as its pieces allow.
fn broken(name: &str, limit: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces(name) {
        match lines.last_mut() {
            Some(line) if text::room(format!("{line}{piece}").trim(), BODY) <= limit => line.push_str(piece),
            _ => lines.push(piece.to_owned()),
        }
    }
    lines.into_iter().map(|line| line.trim().to_owned()).collect()
}

const RATIO: &str = "to best";

fn shown(panel: &HeatPanel, value: Option<f64>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| number(value / panel.axis.prefix.factor, 3))
}

/// A text cut to a width, with an ellipsis where something is missing.
fn cut(words: &str, limit: f64) -> String {
    if text::room(words, BODY) <= limit {
        return words.to_owned();
    }
    let mut short = words.to_owned();
    while !short.is_empty() && text::room(&format!("{short}…"), BODY) > limit {
        short.pop();
    }
    format!("{}…", short.trim_end())
}

/// The rows that find room, in order: all, or as many of the best as of the worst.
fn kept<'a>(rows: &'a [HeatRow], most: usize, below: &mut Below) -> Vec<&'a HeatRow> {
    if rows.len() <= most {
        return rows.iter().collect();
    }
    let (best, worst) = (most.div_ceil(2), most / 2);
    below.notes.push(format!(
        "The {best} best and the {worst} worst of {} rows are drawn; the table beside the figure holds all.",
        rows.len()
    ));
    rows[..best].iter().chain(&rows[rows.len() - worst..]).collect()
}

pub(super) fn draw(scene: &mut Scene, panel: &HeatPanel, place: Place, below: &mut Below) -> f64 {
    let mut widths = Widths::of(panel);
    // A narrow page shortens the names first, so that one cell always fits.
    let excess = widths.before() + widths.cell + widths.ratio - place.width;
    if excess > 0.0 && widths.name > 0.0 {
        widths.name = (widths.name - excess).max(8.0 * MM);
    }
    // So does one that all columns find room on, as long as the names stay readable.
    let all = panel.columns.len() as f64 * widths.cell + widths.before() + widths.ratio - place.width;
    if all > 0.0 && widths.name - all >= READABLE {
        widths.name -= all;
    }
    let free = place.width - widths.before() - widths.ratio;
    let at_once = ((free / widths.cell + 1e-6) as usize).clamp(1, panel.columns.len().max(1));
    let groups = panel.columns.len().div_ceil(at_once).max(1);
    let each = panel.columns.len().div_ceil(groups).max(1);
    let block = widths.before() + each as f64 * widths.cell + widths.ratio;
    let fitting = (((place.width + BETWEEN) / (block + BETWEEN)) as usize).clamp(1, 3);
    let wanted = if panel.rows.len() <= FEW { 1 } else { panel.rows.len().div_ceil(MOST).max(2) };
    let blocks = fitting.min(wanted);
    if blocks == 1 {
        widths.cell = (free / each as f64).min(ROOMY).max(widths.cell);
    }
    let rows = kept(&panel.rows, blocks * MOST, below);
    let per_block = rows.len().div_ceil(blocks).max(1);
    let mut y = place.top;
    for group in 0..groups {
        let columns = (group * each)..((group + 1) * each).min(panel.columns.len());
        let mut bottom = y;
        for (index, rows) in rows.chunks(per_block).enumerate() {
            let left = place.left + index as f64 * (block + BETWEEN);
            bottom = bottom.max(table(scene, panel, rows, columns.clone(), &widths, (left, y)));
        }
        y = bottom + 2.5 * MM;
    }
    colour_bar(scene, panel, place, y + 0.5 * MM)
}

/// One block of rows under its head; returns the bottom.
fn table(
    scene: &mut Scene,
    panel: &HeatPanel,
    rows: &[&HeatRow],
    columns: std::ops::Range<usize>,
    widths: &Widths,
    at: (f64, f64),
) -> f64 {
    let cells = at.0 + widths.before();
    let after = cells + columns.len() as f64 * widths.cell;
    let mut y = head(scene, panel, columns.clone(), widths, (cells, at.1));
    scene.text((after + widths.ratio, y - 1.2 * MM), RATIO, BODY, Anchor::End, Ink::Quiet);
    for row in rows {
        let baseline = y + ROW / 2.0 + BODY * CAP_HEIGHT / 2.0;
        scene.text((at.0 + widths.rank - GAP, baseline), &row.rank, BODY, Anchor::End, Ink::Quiet);
        let code = cut(&row.code, widths.code - GAP);
        scene.text((at.0 + widths.rank, baseline), &code, BODY, Anchor::Start, Ink::Text);
        if !row.name.is_empty() {
            let name = cut(&row.name, widths.name - GAP);
            scene.text((at.0 + widths.rank + widths.code, baseline), &name, BODY, Anchor::Start, Ink::Text);
        }
        for (place, column) in columns.clone().enumerate() {
            let left = cells + place as f64 * widths.cell;
            let frame = Frame::new(left, y, left + widths.cell, y + ROW);
            cell(scene, panel, row.values.get(column).copied().flatten(), &frame);
        }
        scene.text((after + widths.ratio, baseline), &row.ratio, BODY, Anchor::End, Ink::Text);
        y += ROW;
    }
    y
}

fn cell(scene: &mut Scene, panel: &HeatPanel, value: Option<f64>, frame: &Frame) {
    let ink = match value.map(|value| Ink::heat(panel.axis.position(value))) {
        Some(shade @ Ink::Heat(level)) => {
            scene.area(frame.corners(), shade);
            Ink::upon(level)
        }
        _ => Ink::Quiet,
    };
    // White joints keep equal cells apart.
    scene.outline(frame, Ink::Paper, THIN);
    let at = ((frame.left + frame.right) / 2.0, (frame.top + frame.bottom) / 2.0 + BODY * CAP_HEIGHT / 2.0);
    scene.text(at, &shown(panel, value), BODY, Anchor::Middle, ink);
}

/// Names of columns, level where each word fits its cell, else upright; returns the top of the rows.
fn head(scene: &mut Scene, panel: &HeatPanel, columns: std::ops::Range<usize>, widths: &Widths, at: (f64, f64)) -> f64 {
    let names = &panel.columns[columns];
    let limit = widths.cell - 0.8 * MM;
    let fits = |name: &String| pieces(name).all(|piece| text::room(piece.trim(), BODY) <= limit);
    let level = names.iter().all(fits);
    let lines: Vec<Vec<String>> = names.iter().map(|name| broken(name, limit)).collect();
    let upright: Vec<String> = names.iter().map(|name| cut(name, UPRIGHT)).collect();
    let height = if level || names.len() == 1 {
        lines.iter().map(Vec::len).max().unwrap_or(1) as f64 * BODY * LINE_HEIGHT
    } else {
        upright.iter().map(|name| text::room(name, BODY)).fold(0.0, f64::max)
    };
    let bottom = at.1 + height.max(BODY) + 1.2 * MM;
    for (index, (lines, upright)) in lines.iter().zip(&upright).enumerate() {
        let middle = at.0 + (index as f64 + 0.5) * widths.cell;
        if level || names.len() == 1 {
            let first = bottom - 1.2 * MM - (lines.len().saturating_sub(1)) as f64 * BODY * LINE_HEIGHT;
            scene.lines((middle, first), lines, BODY, Anchor::Middle, Ink::Text);
        } else {
            let half = text::room(upright, BODY) / 2.0;
            scene.upward((middle + BODY * CAP_HEIGHT / 2.0, bottom - 1.0 * MM - half), upright, BODY, Ink::Text);
        }
    }
    bottom
}

fn colour_bar(scene: &mut Scene, panel: &HeatPanel, place: Place, top: f64) -> f64 {
    let width = (70.0 * MM).min(place.width - 10.0 * MM);
    let left = place.left + 4.0 * MM;
    let frame = Frame::new(left, top, left + width, top + 2.6 * MM);
    let shades = crate::figure::HEAT.len();
    for shade in 0..shades {
        let at = |index: usize| frame.left + index as f64 / shades as f64 * frame.width();
        scene.area(Frame::new(at(shade), frame.top, at(shade + 1), frame.bottom).corners(), Ink::Heat(shade));
    }
    scene.outline(&frame, Ink::Axis, THIN);
    let most = most_numbers(&panel.axis, frame.width()).min(6);
    horizontal_axis(scene, &panel.axis, &frame, place, most)
}
