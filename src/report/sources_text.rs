//! Every power source side by side as text for a terminal: what each is, then what each read over every case, every metered
//! program and the whole run.
//!
//! What surprises people: there is no column of sums. Watts of different scopes hold one another and are never added.

use super::ceilings_text::Columns;
use super::number::{MISSING, percent, scaled, significant};
use super::sheet::ESTIMATED_MARK;
use super::table::{labelled, wrapped};
use crate::measure::result::{SideBySide, SourceRow, SpanEnergy, SpanLabel, side_by_side};
use crate::model::{Evidence, RunRecord};
use crate::units::Seconds;

/// Longest identifier that stands in its column; a longer one takes a line of its own.
const NAME: usize = 27;
/// Gaps of one source that are listed.
const GAPS: usize = 5;

/// All sources of a record, as wide as `width` columns.
pub fn sources_text(record: &RunRecord, width: usize) -> String {
    let all = side_by_side(record);
    let mut text = labelled("run", &format!("{}, preset {}", record.run_id, record.plan.preset), width);
    if record.simulated {
        text.push_str(&labelled("simulated", "times and power are scripted; no hardware was measured", width));
    }
    if all.sources.is_empty() {
        text.push_str("\nno power source was read; see `wattmark doctor`\n");
        return text;
    }
    text.push('\n');
    text.push_str(&identities(&all, width));
    for index in 0..all.spans.len() {
        text.push_str(&of_span(&all, index, width));
    }
    text.push('\n');
    text.push_str(&gaps(&all, width));
    for (number, row) in all.sources.iter().enumerate().filter(|(_, row)| !row.note.is_empty()) {
        text.push_str(&labelled(&format!("note {}", number + 1), &row.note, width));
    }
    text.push_str(&labelled(
        "columns",
        "read: part of the time that readings cover; c−i: energy counter over power integral, minus 1; by: which of the two \
         stands; (other): the sensor of a device that did not work then",
        width,
    ));
    text.push_str(&labelled(
        "scopes",
        "watts of different scopes hold one another: they stand side by side and are never added. A ratio is that of mean \
         watts; what is left of 1 is whatever else the wider scope feeds, and what either meter gets wrong",
        width,
    ));
    text
}

/// What every source is, with the number by which it goes below.
fn identities(all: &SideBySide, width: usize) -> String {
    let mut table = Columns { left: 5, lines: Vec::new() };
    let head = ["#", "source", "scope", "device", "evidence", "asked", "reached", "update", "error", "gaps"];
    table.cells(head.map(str::to_owned).to_vec());
    for (index, row) in all.sources.iter().enumerate() {
        let number = (index + 1).to_string();
        let long = row.source.chars().count() > NAME;
        if long {
            table.note(vec![number.clone()], row.source.clone());
        }
        let (number, name) = if long { (String::new(), String::new()) } else { (number, row.source.clone()) };
        let hertz = |hz: f64| format!("{} Hz", significant(hz));
        table.cells(vec![
            number,
            name,
            row.scope.to_string(),
            row.device.map_or("host".to_owned(), |device| device.to_string()),
            row.evidence.to_string(),
            hertz(row.requested_hz),
            row.reached_hz.map_or(MISSING.to_owned(), hertz),
            row.update_period_s.map_or(MISSING.to_owned(), duration),
            row.stated_error.map_or(MISSING.to_owned(), |error| format!("±{}", percent(error.get()))),
            row.gaps.len().to_string(),
        ]);
    }
    table.text(width)
}

fn duration(seconds: Seconds) -> String {
    scaled(seconds.get(), "s")
}

fn of_span(all: &SideBySide, index: usize, width: usize) -> String {
    let Some(span) = all.spans.get(index) else { return String::new() };
    let heading = wrapped(&title(span), width).join("\n");
    let mut table = Columns { left: 4, lines: Vec::new() };
    let head = ["#", "source", "scope", "device", "joules", "mean power", "read", "c−i", "by"];
    table.cells(head.map(str::to_owned).to_vec());
    for (number, row) in all.sources.iter().enumerate() {
        let Some(read) = row.spans.get(index) else { continue };
        let lead = vec![(number + 1).to_string(), name(row), row.scope.to_string(), device(row, span)];
        match figures(row, read) {
            Some(cells) => table.cells(lead.into_iter().chain(cells).collect()),
            None => table.note(lead, format!("nothing was read{}", why(row, span))),
        }
    }
    format!("\n{heading}\n{}{}", table.text(width), ratios(all, index, width))
}

fn title(span: &SpanLabel) -> String {
    let device = span.device.map(|device| format!(", device {device}")).unwrap_or_default();
    format!("{}{device}, {:.1} s", span.what, span.duration_s.get())
}

/// The source's name where it is short.
fn name(row: &SourceRow) -> String {
    if row.source.chars().count() > NAME { String::new() } else { row.source.clone() }
}

/// Whose sensor it is, and whether that is another device than the one that worked.
fn device(row: &SourceRow, span: &SpanLabel) -> String {
    match (row.device, span.device) {
        (None, _) => "host".to_owned(),
        (Some(own), Some(worked)) if own != worked => format!("{own} (other)"),
        (Some(own), _) => own.to_string(),
    }
}

fn figures(row: &SourceRow, read: &SpanEnergy) -> Option<Vec<String>> {
    let mark = if row.evidence == Evidence::Measured { "" } else { ESTIMATED_MARK };
    let (energy, power) = (read.energy_j?, read.mean_power_w?);
    Some(vec![
        format!("{mark}{}", scaled(energy.get(), "J")),
        format!("{mark}{}", super::conditions_text::watts(power.get())),
        percent(read.coverage.get()),
        read.counter_over_integral_minus_1.map_or(MISSING.to_owned(), |ratio| signed(ratio.get())),
        read.method.unwrap_or(MISSING).to_owned(),
    ])
}

/// A ratio in percent with its sign, where it is not too small to have one.
fn signed(ratio: f64) -> String {
    let text = percent(ratio);
    if ratio > 0.0 && !text.starts_with('<') { format!("+{text}") } else { text }
}

/// The reason of a gap that lies over a span without readings.
fn why(row: &SourceRow, span: &SpanLabel) -> String {
    let (Some((from, _)), Some((_, until))) = (span.windows.first(), span.windows.last()) else { return String::new() };
    let (from, until) = (Seconds::from_nanoseconds(from.0), Seconds::from_nanoseconds(until.0));
    let over = row.gaps.iter().find(|gap| gap.from_s < until && gap.until_s.is_none_or(|end| end > from));
    over.map(|gap| format!(": {}", gap.reason)).unwrap_or_default()
}

fn ratios(all: &SideBySide, index: usize, width: usize) -> String {
    let number = |source: &str, scope| {
        let found = all.sources.iter().position(|row| row.source == source && row.scope == scope);
        found.map_or(MISSING.to_owned(), |index| (index + 1).to_string())
    };
    let words = all.ratios.iter().filter(|ratio| ratio.span == index).map(|ratio| {
        format!(
            "{}/{} {} over {} {:.3}",
            number(&ratio.inner, ratio.inner_scope),
            number(&ratio.outer, ratio.outer_scope),
            ratio.inner_scope,
            ratio.outer_scope,
            ratio.ratio.get()
        )
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { String::new() } else { labelled("ratios", &words.join("; "), width) }
}

fn gaps(all: &SideBySide, width: usize) -> String {
    let mut text = String::new();
    for (index, row) in all.sources.iter().enumerate() {
        for gap in row.gaps.iter().take(GAPS) {
            let until = gap.until_s.map_or("the end".to_owned(), |until| format!("{:.1} s", until.get()));
            let channel = gap.channel.as_ref().map(|channel| format!(" ({channel})")).unwrap_or_default();
            let words = format!("{:.1} s to {until}{channel}: {}", gap.from_s.get(), gap.reason);
            text.push_str(&labelled(&format!("gap {}", index + 1), &words, width));
        }
        if row.gaps.len() > GAPS {
            let more = format!("and {} more: `wattmark export --format json`", row.gaps.len() - GAPS);
            text.push_str(&labelled("", &more, width));
        }
    }
    text
}
