//! Which devices no other beats in both speed and work per joule.
//!
//! What surprises people: only devices of one scope and one evidence are held against each other, and a device that is
//! beaten on paper stays "not settled" while an interval of either figure still reaches the other's.

use serde::Serialize;

use super::Row;
use crate::model::Estimate;
use crate::units::Ratio;

/// Place of a device among those of its scope and evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Standing {
    /// No other is better in one of rate and efficiency without being worse in the other.
    OnFront,
    /// Others are better in both, and the intervals of both lie apart.
    Beaten {
        /// Who.
        by: Vec<String>,
    },
    /// Others are better or equal in both, but intervals overlap or there are none.
    NotSettled {
        /// Who.
        by: Vec<String>,
    },
    /// No other has energy of its scope and evidence.
    Alone,
    /// It has no rate or no energy.
    NotRanked,
}

impl Standing {
    /// True if a front goes through it.
    pub fn on_front(&self) -> bool {
        matches!(self, Self::OnFront)
    }
    /// In a word or two, for a table.
    pub fn word(&self) -> &'static str {
        match self {
            Self::OnFront => "front",
            Self::Beaten { .. } => "beaten",
            Self::NotSettled { .. } => "unclear",
            Self::Alone => "alone",
            Self::NotRanked => "—",
        }
    }
}

/// Gives every row its standing.
pub(super) fn place(rows: &mut [Row]) {
    let figures: Vec<Option<(Estimate<Ratio>, Estimate<Ratio>)>> =
        rows.iter().map(|row| row.rate_per_s.zip(row.work_per_j)).collect();
    let kinds: Vec<Option<String>> = rows.iter().map(Row::scope_words).collect();
    let names: Vec<String> = rows.iter().map(Row::name).collect();
    for index in 0..rows.len() {
        let Some(own) = figures[index] else { continue };
        let peers = || (0..figures.len()).filter(|other| *other != index && kinds[*other] == kinds[index]);
        let peers = || peers().filter_map(|other| Some((other, figures[other]?)));
        if peers().next().is_none() {
            rows[index].standing = Standing::Alone;
            continue;
        }
        let better: Vec<(usize, bool)> = peers()
            .filter(|(_, other)| dominates(other, &own))
            .map(|(other, theirs)| (other, above(&theirs.0, &own.0) && above(&theirs.1, &own.1)))
            .collect();
        let of = |settled: bool| {
            better.iter().filter(move |(_, own)| *own == settled).map(|(other, _)| names[*other].clone())
        };
        rows[index].standing = if better.is_empty() {
            Standing::OnFront
        } else if better.iter().any(|(_, settled)| *settled) {
            Standing::Beaten { by: of(true).collect() }
        } else {
            Standing::NotSettled { by: of(false).collect() }
        };
    }
}

type Figures = (Estimate<Ratio>, Estimate<Ratio>);

/// At least as good in both, better in one, by the points.
fn dominates(a: &Figures, b: &Figures) -> bool {
    let (a, b) = ((a.0.point.get(), a.1.point.get()), (b.0.point.get(), b.1.point.get()));
    a.0 >= b.0 && a.1 >= b.1 && (a.0 > b.0 || a.1 > b.1)
}

/// True if the whole interval of `a` lies above that of `b`; false where one has none.
fn above(a: &Estimate<Ratio>, b: &Estimate<Ratio>) -> bool {
    a.interval.zip(b.interval).is_some_and(|(a, b)| a.low.get() > b.high.get())
}
