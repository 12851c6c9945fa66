//! Finds room for names beside points: greedily, nearest free spot first, with a leader line where it is far.
//!
//! What surprises people: the order of the points decides; the same points always give the same places.

use super::*;
use crate::figure::scene::Spot;

/// Directions tried, as parts of a full turn clockwise from the right, most natural to read first.
const TURNS: [f64; 16] =
    [0.0, 0.5, 0.75, 0.25, 0.875, 0.125, 0.625, 0.375, 0.9375, 0.0625, 0.5625, 0.4375, 0.8125, 0.6875, 0.1875, 0.3125];
/// Distances from the marker's edge that are tried.
const DISTANCES: [f64; 13] = [0.5, 1.6, 2.8, 4.0, 5.5, 7.0, 9.0, 11.0, 14.0, 17.0, 21.0, 26.0, 32.0];
/// Longest part of a leader that may run over its own point's marker or whisker; a marker's corner is 0.45 mm deep.
const LONGEST_HIDDEN: f64 = 0.8 * MM;
/// Distance beyond which a leader line joins name and point.
const NEAR: f64 = 1.0 * MM;

/// What is on the page already, and where names may go.
pub(super) struct Placer {
    /// Names stay inside.
    pub area: Frame,
    /// Never covered by a name: markers, whiskers, names of guide lines.
    pub taken: Vec<Frame>,
    /// Names placed so far: covered by nothing, not even by a leader line.
    pub names: Vec<Frame>,
    /// Centres of all markers: a name must not seem to belong to another one.
    pub markers: Vec<Spot>,
    /// Hardly ever covered: measured ceilings, which a name would cut through.
    pub ceilings: Vec<(Spot, Spot)>,
    /// Better not covered: guide lines.
    pub guides: Vec<(Spot, Spot)>,
    /// Leader lines drawn so far.
    pub leaders: Vec<(Spot, Spot)>,
}

/// Where a name goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spotted {
    /// Box of the name.
    pub frame: Frame,
    /// Line from the point's marker to the name, where it is far.
    pub leader: Option<(Spot, Spot)>,
}

impl Placer {
    /// Finds and takes a place for a name of a size beside a point; `None` if none costs less than `limit`.
    pub fn place(&mut self, at: Spot, size: (f64, f64), limit: f64) -> Option<Spotted> {
        let mut best: Option<(f64, Spotted)> = None;
        for (order, turn) in TURNS.iter().enumerate() {
            for distance in DISTANCES {
                let candidate = candidate(at, size, *turn, distance * MM);
                let Some(cost) = self.cost(at, &candidate) else { continue };
                let cost = cost + distance + order as f64 * 0.05;
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    best = Some((cost, candidate));
                }
            }
        }
        let (_, spotted) = best.filter(|(cost, _)| *cost < limit)?;
        self.names.push(spotted.frame);
        self.leaders.extend(spotted.leader);
        Some(spotted)
    }

    /// What a candidate would cover; `None` if it covers what it must not.
    fn cost(&self, at: Spot, candidate: &Spotted) -> Option<f64> {
        let frame = candidate.frame.grown(0.25 * MM);
        let blocked = !self.area.contains(&frame)
            || self.taken.iter().chain(&self.names).any(|taken| taken.overlaps(&frame))
            || candidate.leader.is_some_and(|(a, b)| self.names.iter().any(|name| name.clip(a, b).is_some()))
            || self.leaders.iter().any(|(a, b)| frame.clip(*a, *b).is_some());
        if blocked {
            return None;
        }
        let own = gap(&candidate.frame, at);
        let nearer =
            self.markers.iter().filter(|other| **other != at && gap(&candidate.frame, **other) < own + 0.5 * MM);
        let mistaken = nearer.count() as f64 * if candidate.leader.is_some() { 1.0 } else { 6.0 };
        let mut cost = mistaken + 0.7 * self.guides.iter().filter(|(a, b)| frame.clip(*a, *b).is_some()).count() as f64;
        cost += 8.0 * self.ceilings.iter().filter(|(a, b)| frame.clip(*a, *b).is_some()).count() as f64;
        if let Some((from, to)) = candidate.leader {
            let own =
                |taken: &Frame| taken.left < at.0 && at.0 < taken.right && taken.top < at.1 && at.1 < taken.bottom;
            let crossed = self.taken.iter().filter(|taken| !own(taken) && taken.clip(from, to).is_some()).count();
            let tangled = self.leaders.iter().filter(|other| cross(**other, (from, to))).count();
            // A leader along the point's own whisker cannot be told from it.
            let hidden = self.taken.iter().filter(|taken| own(taken)).filter_map(|taken| taken.clip(from, to));
            let hidden = hidden.filter(|(a, b)| (a.0 - b.0).hypot(a.1 - b.1) > LONGEST_HIDDEN).count();
            cost += 1.0 + 12.0 * (crossed + tangled + hidden) as f64;
        }
        Some(cost)
    }
}

fn candidate(at: Spot, size: (f64, f64), turn: f64, distance: f64) -> Spotted {
    let (sin, cos) = (turn * std::f64::consts::TAU).sin_cos();
    let reach = RADIUS * 1.3 + distance;
    let tip = (at.0 + cos * reach, at.1 + sin * reach);
    // The name hangs from the tip by the side or corner that faces the point.
    let left = tip.0 - size.0 * (1.0 - snap(cos)) / 2.0;
    let top = tip.1 - size.1 * (1.0 - snap(sin)) / 2.0;
    let frame = Frame::new(left, top, left + size.0, top + size.1);
    let leader = (distance > NEAR).then(|| {
        let start = (at.0 + cos * RADIUS * 1.2, at.1 + sin * RADIUS * 1.2);
        (start, (tip.0 - cos * 0.3 * MM, tip.1 - sin * 0.3 * MM))
    });
    Spotted { frame, leader }
}

/// -1, 0 or 1: which side of the name faces the point.
fn snap(part: f64) -> f64 {
    if part > 0.3 {
        1.0
    } else if part < -0.3 {
        -1.0
    } else {
        0.0
    }
}

/// Distance from a box to a spot.
fn gap(frame: &Frame, spot: Spot) -> f64 {
    let dx = (frame.left - spot.0).max(spot.0 - frame.right).max(0.0);
    let dy = (frame.top - spot.1).max(spot.1 - frame.bottom).max(0.0);
    dx.hypot(dy)
}

/// True if two segments cross.
fn cross(a: (Spot, Spot), b: (Spot, Spot)) -> bool {
    let side = |(p, q): (Spot, Spot), r: Spot| ((q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0)).signum();
    side(a, b.0) != side(a, b.1) && side(b, a.0) != side(b, a.1)
}
