//! Points in two dimensions with guide lines, whiskers and names beside the points.

use super::bars::{Whisker, whisker};
use super::place::{Placer, Spotted};
use super::*;
use crate::figure::scene::Spot;
use crate::figure::{Guide, GuideKind, PointPanel};

/// Height of the frame over its width, and the most it may be.
const ASPECT: f64 = 0.92;
const TALLEST: f64 = 80.0 * MM;

/// Cost from which a short letter in the key is clearer than a name far from its point (see [`Placer::place`]).
const DEAREST_NAME: f64 = 12.0;

pub(super) fn draw(scene: &mut Scene, panel: &PointPanel, place: Place, below: &mut Below) -> f64 {
    let frame = frame(scene, panel, place);
    let at = |(x, y): (f64, f64)| -> Spot {
        (frame.left + panel.x.position(x) * frame.width(), frame.bottom - panel.y.position(y) * frame.height())
    };
    let mut placer = Placer {
        area: frame.grown(-0.5 * MM),
        taken: Vec::new(),
        names: Vec::new(),
        markers: Vec::new(),
        ceilings: Vec::new(),
        guides: Vec::new(),
        leaders: Vec::new(),
    };
    for guide in &panel.guides {
        let ends = (at(guide.from), at(guide.to));
        match guide.kind {
            GuideKind::Equal | GuideKind::Join => placer.guides.push(ends),
            GuideKind::Ceiling | GuideKind::CeilingOther => placer.ceilings.push(ends),
        }
    }
    let whiskers = whiskers(panel, &at);
    for point in &panel.points {
        let (x, y) = at(point.at);
        placer.taken.push(Frame::new(x, y, x, y).grown(RADIUS * 1.2));
        placer.markers.push((x, y));
    }
    placer.taken.extend(whiskers.iter().map(|whisker| {
        let (a, b) = (whisker.from, whisker.to);
        Frame::new(a.0.min(b.0), a.1.min(b.1), a.0.max(b.0), a.1.max(b.1)).grown(0.4 * MM)
    }));
    for guide in &panel.guides {
        let (from, to) = (at(guide.from), at(guide.to));
        draw_guide(scene, guide, from, to, &frame, &mut placer);
    }
    scene.outline(&frame, Ink::Axis, THIN);
    let nameless = names(scene, panel, &at, &mut placer, below);
    whiskers.iter().for_each(|ends| whisker(scene, *ends));
    for point in &panel.points {
        scene.marker(at(point.at), point.marker, RADIUS);
    }
    if nameless > 0 {
        let heading = if panel.heading.is_empty() { String::new() } else { format!("{}: ", panel.heading) };
        below.notes.push(format!("{heading}points without room for a name here: {nameless}; the CSV names them all."));
    }
    vertical_axis(scene, &panel.y, &frame, place.left, most_numbers_upright(frame.height()));
    horizontal_axis(scene, &panel.x, &frame, place, most_numbers(&panel.x, frame.width()))
}

/// Room for numbers on the left and for names of guide lines on the right and above.
pub(super) fn margins(panel: &PointPanel) -> Margins {
    let equal = || panel.guides.iter().filter(|guide| guide.kind == GuideKind::Equal);
    let right = equal().filter(|guide| leaves_right(panel, guide)).map(|guide| text::room(&guide.label, BODY));
    let right = right.fold(0.0, f64::max);
    Margins {
        left: left_room(&panel.y, most_numbers_upright(TALLEST * 0.8)),
        top: if equal().any(|guide| !leaves_right(panel, guide)) { BODY * LINE_HEIGHT } else { 0.0 },
        right: if right > 0.0 { right + 0.8 * MM } else { 1.0 * MM },
    }
}

fn frame(scene: &mut Scene, panel: &PointPanel, place: Place) -> Frame {
    let top = heading(scene, &panel.heading, place) + place.margins.top;
    let (left, right) = (place.left + place.margins.left, place.right() - place.margins.right);
    let height = ((right - left) * ASPECT).min(TALLEST);
    Frame::new(left, top, right, top + height)
}

fn leaves_right(panel: &PointPanel, guide: &Guide) -> bool {
    panel.x.position(guide.to.0) > 1.0 - 1e-6
}

fn draw_guide(scene: &mut Scene, guide: &Guide, from: Spot, to: Spot, frame: &Frame, placer: &mut Placer) {
    let room = text::room(&guide.label, BODY);
    match guide.kind {
        GuideKind::Join => scene.line(vec![from, to], Ink::Axis, THIN),
        GuideKind::Equal => {
            scene.line(vec![from, to], Ink::Grid, THIN);
            let right = to.0 > frame.right - 1.0;
            let (at, anchor) = if right {
                ((frame.right + 0.8 * MM, to.1 + BODY * CAP_HEIGHT / 2.0), Anchor::Start)
            } else {
                ((to.0, frame.top - 0.7 * MM), Anchor::Middle)
            };
            let left = if right { at.0 } else { at.0 - room / 2.0 };
            let label = Frame::new(left, at.1 - BODY * CAP_HEIGHT, left + room, at.1 + BODY * DESCENT);
            // Names of guide lines stand outside the frame, where only other such names can be.
            let free = !placer.taken.iter().any(|taken| taken.overlaps(&label.grown(0.4 * MM)));
            let on_page = left >= MARGIN && left + room <= scene.width;
            if free && on_page && label.bottom <= frame.bottom {
                scene.text(at, &guide.label, BODY, anchor, Ink::Quiet);
                placer.taken.push(label);
            }
        }
        GuideKind::Ceiling | GuideKind::CeilingOther => {
            if guide.kind == GuideKind::Ceiling {
                scene.line(vec![from, to], Ink::Text, STRONG);
            } else {
                scene.dashed(from, to, Ink::Text, STRONG);
            }
            if guide.label.is_empty() {
                return;
            }
            let boxed = |at: Spot| Frame::new(at.0, at.1 - BODY * CAP_HEIGHT, at.0 + room, at.1 + BODY * DESCENT);
            let choices = ceiling_labels(from, to, room, frame);
            let free = |at: &&Spot| {
                let label = boxed(**at).grown(0.3 * MM);
                let crossed = placer.ceilings.iter().any(|(a, b)| label.clip(*a, *b).is_some());
                !crossed && !placer.taken.iter().any(|taken| taken.overlaps(&label))
            };
            let at = choices.iter().find(free).copied().unwrap_or(choices[0]);
            let label = boxed(at);
            // A name at a level line ends at the frame, whichever font is used.
            let level = (from.1 - to.1).abs() < 1.0;
            let (x, anchor) = if level { (at.0 + room, Anchor::End) } else { (at.0, Anchor::Start) };
            scene.text((x, at.1), &guide.label, BODY, anchor, Ink::Text);
            placer.taken.push(label);
        }
    }
}

/// Baselines for a ceiling's name, best first: above or below a level line at its right end, else further left; left of a rising line, high
/// in the frame or lower down.
fn ceiling_labels(from: Spot, to: Spot, room: f64, frame: &Frame) -> Vec<Spot> {
    if (from.1 - to.1).abs() < 1.0 {
        let right = (frame.right - 0.8 * MM - room).max(frame.left + 0.8 * MM);
        let left = (from.0 + 0.8 * MM).min(right);
        let sides = [from.1 - 1.1 * MM, from.1 + 1.0 * MM + BODY * CAP_HEIGHT];
        let along = (0..=8).map(|i| right + (left - right) * f64::from(i) / 8.0);
        return along.flat_map(|x| sides.map(|y| (x, y))).collect();
    }
    let slope = (to.1 - from.1) / (to.0 - from.0);
    let x = frame.left + 0.8 * MM;
    // The name must clear the line where its right end is, or where the line ends.
    let end = (x + room + 0.8 * MM).min(to.0);
    let y = from.1 + slope * (end - from.0) - 0.8 * MM - BODY * DESCENT;
    let step = BODY * LINE_HEIGHT;
    (0..4).map(|i| (x, (y - f64::from(i) * step).max(frame.top + 0.8 * MM + BODY * CAP_HEIGHT))).collect()
}

/// Ends of all whiskers. A bound below a logarithmic axis (it may be negative) ends in an arrow at the frame.
fn whiskers(panel: &PointPanel, at: &impl Fn((f64, f64)) -> Spot) -> Vec<Whisker> {
    let mut whiskers = Vec::new();
    for point in &panel.points {
        let (x, y) = point.at;
        whiskers.extend(point.x_interval.map(|(low, high)| Whisker {
            from: at((low.max(panel.x.low), y)),
            to: at((high, y)),
            open: low < panel.x.low,
        }));
        whiskers.extend(point.y_interval.map(|(low, high)| Whisker {
            from: at((x, low.max(panel.y.low))),
            to: at((x, high)),
            open: low < panel.y.low,
        }));
    }
    whiskers
}

/// Writes the names; one without good room becomes a letter with an entry in the key. Returns how many found no room.
fn names(
    scene: &mut Scene,
    panel: &PointPanel,
    at: &impl Fn((f64, f64)) -> Spot,
    placer: &mut Placer,
    below: &mut Below,
) -> usize {
    let height = BODY * (CAP_HEIGHT + DESCENT);
    let mut order: Vec<_> = panel.points.iter().filter(|point| !point.label.is_empty()).collect();
    order.sort_by(|a, b| b.at.1.total_cmp(&a.at.1).then(a.at.0.total_cmp(&b.at.0)));
    let mut crowded = Vec::new();
    for point in order {
        let size = (text::room(&point.label, BODY), height);
        match placer.place(at(point.at), size, DEAREST_NAME) {
            Some(spotted) => write_name(scene, &point.label, at(point.at), &spotted),
            None => crowded.push(point),
        }
    }
    let mut nameless = 0;
    for point in crowded {
        let short = letter(below.key.len());
        let size = (text::room(&short, BODY), height);
        match placer.place(at(point.at), size, f64::INFINITY) {
            Some(spotted) => {
                write_name(scene, &short, at(point.at), &spotted);
                below.key.push(KeyEntry { short, long: point.label.clone() });
            }
            None => nameless += 1,
        }
    }
    nameless
}

/// `a` to `z`, then `a2`, `b2` and so on.
fn letter(index: usize) -> String {
    let (round, index) = (index / 26, index % 26);
    let letter = char::from(b'a' + index as u8);
    if round == 0 { letter.to_string() } else { format!("{letter}{}", round + 1) }
}

fn write_name(scene: &mut Scene, name: &str, point: Spot, spotted: &Spotted) {
    if let Some((from, to)) = spotted.leader {
        scene.line(vec![from, to], Ink::Axis, THIN);
    }
    scene.area(spotted.frame.corners(), Ink::Paper);
    let baseline = spotted.frame.top + BODY * CAP_HEIGHT;
    // The box has room for a wider font; the name sits at the side that faces the point.
    let (x, anchor) = if spotted.frame.right < point.0 {
        (spotted.frame.right, Anchor::End)
    } else {
        (spotted.frame.left, Anchor::Start)
    };
    scene.text((x, baseline), name, BODY, anchor, Ink::Text);
}
