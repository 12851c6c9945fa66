//! What is not a figure: the banner of differences above the table, cases without a partner, and the full list below.
//!
//! What surprises people: the banner says what differs in a line for each topic; the list below it says every field. Both
//! count cases with one and the same difference instead of repeating them.

use crate::cli::text;
use crate::compare::{Comparison, Difference, Place, Side, Topic};
use crate::report::{compact_case, named_case};

/// Differences that a topic names in the banner; the list below has the rest.
const NAMED: usize = 3;
/// Cases that are named for one reason.
const CASES: usize = 4;
/// Longest value in the list.
const LONGEST: usize = 48;
/// Longest value in the banner.
const SHORT: usize = 40;

/// A difference with the places that have it.
struct Shared<'a> {
    difference: &'a Difference,
    places: Vec<&'a Place>,
}

/// Differences with the same field and values put together, in order of appearance.
fn shared(comparison: &Comparison) -> Vec<Shared<'_>> {
    let mut found: Vec<Shared<'_>> = Vec::new();
    for difference in &comparison.differences {
        let key = |one: &Difference| (one.what.clone(), one.a.clone(), one.b.clone());
        match found.iter_mut().find(|known| key(known.difference) == key(difference)) {
            Some(known) => known.places.push(&difference.place),
            None => found.push(Shared { difference, places: vec![&difference.place] }),
        }
    }
    found
}

/// A line for each topic in which the runs differ, before any figure.
pub fn banner(comparison: &Comparison) -> String {
    if comparison.same_record {
        let told = "A and B are one and the same record, so every ratio is 1: a comparison that tells nothing";
        return format!("\n{}", text::entry("Mind", told));
    }
    let all = shared(comparison);
    let mut topics: Vec<Topic> = all.iter().map(|one| one.difference.topic).collect();
    topics.sort_unstable();
    topics.dedup();
    let mut out = String::new();
    for topic in topics {
        let own: Vec<&Shared<'_>> = all.iter().filter(|one| one.difference.topic == topic).collect();
        let (mut said, mut own) = lone_sources(own);
        own.sort_by_key(|one| one.difference.what != "name");
        said.extend(own.iter().take(NAMED).map(|one| one.short(comparison)));
        if own.len() > NAMED {
            said.push(format!("and {} more below", own.len() - NAMED));
        }
        let label = if out.is_empty() { "Mind" } else { "" };
        out.push_str(&text::entry(label, &format!("{topic} differs: {}", said.join("; "))));
    }
    if out.is_empty() { out } else { format!("\n{out}") }
}

/// Power sources that one side alone has, each said once with its scope and evidence; and all other differences.
fn lone_sources<'a>(all: Vec<&'a Shared<'a>>) -> (Vec<String>, Vec<&'a Shared<'a>>) {
    let kind = |one: &Shared<'_>| {
        let rest = one.difference.what.strip_prefix("power source ")?;
        rest.split('.').next().map(str::to_owned)
    };
    let lone = |one: &Shared<'_>| one.difference.a.is_none() || one.difference.b.is_none();
    // Evidence is recorded of every source, so a side that lacks it lacks the source.
    let mut missing: Vec<(String, Side)> = all
        .iter()
        .filter(|one| lone(one) && one.difference.what.ends_with(".evidence"))
        .filter_map(|one| Some((kind(one)?, if one.difference.a.is_some() { Side::A } else { Side::B })))
        .collect();
    missing.sort_by_key(|(_, side)| *side == Side::B);
    let of = |name: &str, ending: &str| {
        let mut values: Vec<&str> = all
            .iter()
            .filter(|one| kind(one).as_deref() == Some(name) && one.difference.what.ends_with(ending))
            .filter_map(|one| one.difference.a.as_deref().or(one.difference.b.as_deref()))
            .collect();
        values.dedup();
        values.join(", ")
    };
    let told = missing
        .iter()
        .map(|(name, side)| format!("{name} ({}, {}) in {side} alone", of(name, ".evidence"), of(name, ".scope")))
        .collect();
    let said = |one: &Shared<'_>| kind(one).is_some_and(|name| missing.iter().any(|(known, _)| *known == name));
    let rest = all.iter().copied().filter(|one| !said(one)).collect();
    (told, rest)
}

impl Shared<'_> {
    fn short(&self, comparison: &Comparison) -> String {
        let Difference { what, .. } = self.difference;
        let (a, b) = values(self.difference);
        let place = match self.places[..] {
            [Place::Run] => String::new(),
            [Place::Device(..)] if one_device(comparison) => String::new(),
            _ => format!(" ({})", self.place()),
        };
        format!("{what} {} | {}{place}", value(&a, SHORT), value(&b, SHORT))
    }

    fn place(&self) -> String {
        match &self.places[..] {
            [one] => one.to_string(),
            all if all.iter().all(|place| matches!(place, Place::Case(_))) => format!("{} cases", all.len()),
            all => format!("{} devices", all.len()),
        }
    }
}

fn one_device(comparison: &Comparison) -> bool {
    let mut devices = comparison.differences.iter().filter_map(|one| match one.place {
        Place::Device(a, b) => Some((a, b)),
        _ => None,
    });
    let first = devices.next();
    devices.all(|other| Some(other) == first)
}

/// Both values; of command lines only the words that the other does not have.
fn values(difference: &Difference) -> (Option<String>, Option<String>) {
    let Difference { what, a, b, .. } = difference;
    let (Some(x), Some(y), true) = (a, b, what == "command line") else { return (a.clone(), b.clone()) };
    let only = |own: &str, other: &str| {
        let other: Vec<&str> = other.split_whitespace().collect();
        let words: Vec<&str> = own.split_whitespace().filter(|word| !other.contains(word)).collect();
        if words.is_empty() { "the same words".to_owned() } else { format!("… {}", words.join(" ")) }
    };
    (Some(only(x, y)), Some(only(y, x)))
}

fn value(value: &Option<String>, most: usize) -> String {
    match value {
        None => "not recorded".to_owned(),
        Some(text) if text.is_empty() => "none".to_owned(),
        Some(text) => text::cut(text, most),
    }
}

/// Every field that differs.
pub fn table(comparison: &Comparison) -> String {
    if comparison.differences.is_empty() {
        return "\nBesides their figures and times, the two runs do not differ.\n".to_owned();
    }
    let mut table = text::table(&["differs", "in", "A", "B"], &[]);
    for one in shared(comparison) {
        let Difference { what, .. } = one.difference;
        let (a, b) = values(one.difference);
        table.add_row(vec![what.clone(), one.place(), value(&a, LONGEST), value(&b, LONGEST)]);
    }
    format!("\n{}", text::lines(&table))
}

/// Cases without a partner: those with one reason together, and what both sides skipped said once.
pub fn unpaired(comparison: &Comparison) -> String {
    let mut groups: Vec<(String, u32, String, Vec<String>)> = Vec::new();
    let both = |left: &crate::compare::Unpaired| {
        comparison.unpaired.iter().any(|other| {
            other.side != left.side
                && (&other.case.variant, other.case.device) == (&left.case.variant, left.case.device)
                && other.case.shape == left.case.shape
                && other.reason == left.reason
        })
    };
    for left in &comparison.unpaired {
        let twice = both(left);
        if twice && left.side == Side::B {
            continue;
        }
        let side = if twice { "A and B".to_owned() } else { left.side.to_string() };
        let name = named_case(&left.case);
        let reason = bare(&left.reason, &left.case);
        match groups.iter_mut().find(|known| (&known.0, known.1, &known.2) == (&side, left.case.device, &reason)) {
            Some((.., cases)) => cases.push(name),
            None => groups.push((side, left.case.device, reason, vec![name])),
        }
    }
    let mut out = if groups.is_empty() { String::new() } else { "\nWithout a partner:\n".to_owned() };
    for (side, device, reason, cases) in groups {
        let more = match cases.len() {
            n if n > CASES => format!(" and {} more", n - CASES),
            _ => String::new(),
        };
        let named = cases.iter().take(CASES).cloned().collect::<Vec<_>>().join(", ");
        out.push_str(&text::wrapped("  ", &format!("{side} device {device} {named}{more}: {reason}")));
    }
    out
}

/// A reason without the name of the case that it is about.
fn bare(reason: &str, case: &crate::model::Case) -> String {
    let mut bare = reason.to_owned();
    for name in
        [case.label(), format!("{} {}", case.variant, case.shape), format!("{} {}", case.variant, compact_case(case))]
    {
        bare = bare.replace(&format!("{name} "), "");
    }
    bare
}
