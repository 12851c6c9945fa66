//! `power-trace`: power over the whole run from every source, with idle, preheat and measured windows behind it.
//!
//! What surprises people: a line is thinned to a few thousand vertices by keeping the smallest and the largest reading of
//! each short stretch, so that no spike is lost; and it breaks where there is no reading.

use super::*;
use crate::clock::Nanoseconds;
use crate::figure::{Band, Cell, DOUBLE_COLUMN_MM, KeyEntry, Prefix, Scale, Span, Tone, TraceLine, TracePanel};
use crate::measure::result::throttled_stretches;
use crate::model::{ChannelTrace, CommandMeasurement, Quantity, SourceTrace, Window};
use crate::units::Seconds;

/// Most vertices of one line: about eight per millimetre of a double column, beyond what print resolves.
pub const MOST_VERTICES: usize = 2000;

const COLUMNS: [&str; 9] = ["item", "name", "scope", "evidence", "quantity", "segment", "from_s", "until_s", "power_w"];

type Vertex = (f64, f64);

/// One line before it is drawn: where it comes from and its segments.
struct Series<'a> {
    trace: &'a SourceTrace,
    scope: Scope,
    quantity: Quantity,
    segments: Vec<Vec<Vertex>>,
}

/// Power over time, one panel per device and one for sources that belong to none.
pub fn power_trace(record: &RunRecord) -> Figure {
    let mut figure = begin("power-trace", "Power over the run".to_owned(), record, DOUBLE_COLUMN_MM);
    figure.table = Table::new(&COLUMNS);
    let all: Vec<Series> = record.traces.iter().flat_map(series_of).collect();
    let several = record.devices.len() > 1;
    let mut owners: Vec<Option<u32>> =
        if several { all.iter().map(|s| s.trace.source.device).collect() } else { vec![None] };
    // Devices in order, the host last.
    owners.sort_by_key(|owner| owner.map_or(u32::MAX, |ordinal| ordinal));
    owners.dedup();
    let mut index = 0;
    let end = end_of(record, &all);
    for owner in owners {
        let mine = |series: &&Series| !several || series.trace.source.device == owner;
        let series: Vec<&Series> = all.iter().filter(mine).collect();
        if series.iter().all(|series| series.segments.is_empty()) {
            continue;
        }
        let heading = match owner {
            Some(ordinal) => device_name(record, ordinal),
            None if several => "Host".to_owned(),
            None => String::new(),
        };
        let of = if several { owner } else { None };
        figure.panels.push(panel(record, &mut figure.legend, &series, heading, of, end, &mut index));
        series.iter().for_each(|series| fill_table(&mut figure.table, series));
    }
    if figure.panels.is_empty() {
        figure.panels.push(words("Power over the run", reason_for_nothing(record)));
    } else {
        tone_legend(&mut figure, record);
        figure.key = key(record);
        window_rows(&mut figure.table, record);
        strip_rows(&mut figure.table, record);
    }
    figure.caption = caption(record, &all, figure.is_empty());
    if !figure.is_empty() && !throttled_stretches(&record.traces).is_empty() {
        figure.caption.push_str(" A strip along the bottom marks clocks held down by more than the power limit.");
    }
    let lines: Vec<String> = all.iter().map(name_of).collect();
    let items = match (record.measurements.len(), record.commands.len()) {
        (0, programs @ 1..) => format!("{programs} metered program{}", if programs == 1 { "" } else { "s" }),
        (cases, _) => format!("{cases} cases"),
    };
    figure.alt = format!(
        "Power against time over {} seconds with {items}, measured windows shaded. Lines: {}.",
        end.round(),
        if lines.is_empty() { "none".to_owned() } else { lines.join("; ") }
    );
    figure
}

fn seconds(instant: Nanoseconds) -> f64 {
    Seconds::from_nanoseconds(instant.0).get()
}

/// The lines of one source: for each scope its instant power, else its averaged power, else its energy counter's slope.
fn series_of(trace: &SourceTrace) -> Vec<Series<'_>> {
    let scopes: BTreeSet<Scope> = trace.source.channels.iter().map(|channel| channel.scope).collect();
    let mut lines = Vec::new();
    for scope in scopes {
        for quantity in [Quantity::InstantPower, Quantity::AveragedPower, Quantity::EnergyCounter] {
            let channels = trace.source.channels.iter();
            let mut fitting = channels.filter(|channel| channel.scope == scope && channel.quantity == quantity);
            let Some(column) = fitting.find_map(|channel| trace.column(&channel.id)) else { continue };
            let segments = match quantity {
                Quantity::EnergyCounter => counter_segments(trace, column),
                _ => power_segments(trace, column),
            };
            if !segments.is_empty() {
                lines.push(Series { trace, scope, quantity, segments: thin(segments, MOST_VERTICES) });
                break;
            }
        }
    }
    lines
}

/// Instants at which a recorded gap of this channel begins, in order.
fn gap_starts(trace: &SourceTrace, column: &ChannelTrace) -> Vec<Nanoseconds> {
    let concerns = |channel: &Option<String>| channel.as_ref().is_none_or(|channel| *channel == column.channel);
    let mut starts: Vec<Nanoseconds> =
        trace.gaps.iter().filter(|gap| concerns(&gap.channel)).map(|gap| gap.from_ns).collect();
    starts.sort_unstable();
    starts
}

/// Runs of readings without a gap: a missing value or a recorded gap ends one.
fn power_segments(trace: &SourceTrace, column: &ChannelTrace) -> Vec<Vec<Vertex>> {
    let gaps = gap_starts(trace, column);
    let mut next_gap = gaps.iter().copied().peekable();
    let mut segments: Vec<Vec<Vertex>> = Vec::new();
    let mut open = false;
    let mut last = Nanoseconds(0);
    for (at, value) in trace.t_ns.iter().zip(&column.values) {
        while next_gap.next_if(|gap| *gap < *at).is_some_and(|gap| gap >= last) {
            open = false;
        }
        last = *at;
        match value.filter(|value| value.is_finite()) {
            None => open = false,
            Some(value) => {
                if !open {
                    segments.push(Vec::new());
                }
                open = true;
                if let Some(segment) = segments.last_mut() {
                    segment.push((seconds(*at), value));
                }
            }
        }
    }
    segments
}

/// Mean power between changes of a cumulative counter, as steps. A counter that steps back begins a new segment.
fn counter_segments(trace: &SourceTrace, column: &ChannelTrace) -> Vec<Vec<Vertex>> {
    let mut segments = Vec::new();
    for readings in power_segments(trace, column) {
        let mut segment: Vec<Vertex> = Vec::new();
        let mut changed: Option<Vertex> = None;
        for (at, energy) in readings {
            match changed {
                Some((_, before)) if energy == before => continue,
                Some((since, before)) if energy > before => {
                    let power = (energy - before) / (at - since);
                    segment.extend([(since, power), (at, power)]);
                }
                Some(_) => segments.push(std::mem::take(&mut segment)),
                None => {}
            }
            changed = Some((at, energy));
        }
        segments.push(segment);
    }
    segments.retain(|segment| !segment.is_empty());
    segments
}

/// Keeps at most about `most` vertices: the first, the last, and the smallest and largest of each of many equal
/// stretches of time, in order of time.
fn thin(segments: Vec<Vec<Vertex>>, most: usize) -> Vec<Vec<Vertex>> {
    let total: usize = segments.iter().map(Vec::len).sum();
    if total <= most {
        return segments;
    }
    let buckets = (most / 2).saturating_sub(segments.len()).max(8);
    let (Some(start), Some(end)) =
        (segments.first().and_then(|s| s.first()).map(|v| v.0), segments.last().and_then(|s| s.last()).map(|v| v.0))
    else {
        return segments;
    };
    let pitch = (end - start) / buckets as f64;
    segments.into_iter().map(|segment| thin_segment(&segment, start, pitch)).collect()
}

fn thin_segment(segment: &[Vertex], start: f64, pitch: f64) -> Vec<Vertex> {
    let bucket = |vertex: &Vertex| ((vertex.0 - start) / pitch).floor() as i64;
    let mut kept: Vec<Vertex> = Vec::new();
    kept.extend(segment.first());
    for chunk in segment.chunk_by(|a, b| bucket(a) == bucket(b)) {
        let low = chunk.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = chunk.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        if let (Some(low), Some(high)) = (low, high) {
            let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
            kept.extend([first, second]);
        }
    }
    kept.extend(segment.last());
    kept.dedup();
    kept
}

fn name_of(series: &Series) -> String {
    let source = &series.trace.source;
    let quantity = match series.quantity {
        Quantity::InstantPower => "instantaneous",
        Quantity::EnergyCounter => "from energy counter",
        _ => "averaged by the sensor",
    };
    let words = scope_words(series.scope, source.evidence);
    if source.evidence == Evidence::Measured {
        format!("{} ({words}, {quantity})", source.id)
    } else {
        format!("{} ({words})", source.id)
    }
}

/// End of the last window or reading, in seconds.
fn end_of(record: &RunRecord, all: &[Series]) -> f64 {
    let windows = record.idle.iter().flat_map(|idle| &idle.windows);
    let windows = windows.chain(record.measurements.iter().flat_map(|measurement| &measurement.windows));
    let windows = windows.chain(record.commands.iter().flat_map(command_windows));
    let readings = all.iter().flat_map(|series| series.segments.last().and_then(|segment| segment.last())).map(|v| v.0);
    windows.map(|window| seconds(window.end_ns)).chain(readings).fold(0.0, f64::max)
}

fn panel(
    record: &RunRecord,
    legend: &mut Vec<LegendEntry>,
    series: &[&Series],
    heading: String,
    of: Option<u32>,
    end: f64,
    index: &mut usize,
) -> Panel {
    let mut lines = Vec::new();
    let mut highest = 0f64;
    for series in series {
        let marker = Marker::series(*index, series.trace.source.evidence == Evidence::Measured);
        *index += 1;
        let name = name_of(series);
        legend.push(LegendEntry { sign: Sign::Line(marker), text: name.clone() });
        highest = series.segments.iter().flatten().map(|vertex| vertex.1).fold(highest, f64::max);
        lines.push(TraceLine { name, marker, segments: series.segments.clone() });
    }
    let x = Axis {
        label: "Time since the start of the run".to_owned(),
        unit: "s".to_owned(),
        prefix: Prefix::NONE,
        scale: Scale::Linear,
        low: 0.0,
        high: end.max(1e-3),
    };
    let y = Axis::from_zero("Power", "W", highest * 1.05);
    let bands = [bands(record, of), strips(record, of)].concat();
    Panel::Trace(TracePanel { heading, x, y, bands, spans: spans(record, of), lines })
}

/// Idle, warm-up and metered stretches of a program, in order of time.
fn command_windows(command: &CommandMeasurement) -> impl Iterator<Item = &Window> {
    let runs = command.runs.iter().flat_map(|run| run.warm_up.iter().chain([&run.window]));
    command.idle.iter().chain(runs)
}

/// True if a program belongs into the panel of a device, or of all; one whose device nobody knows belongs into each.
fn command_concerns(command: &CommandMeasurement, of: Option<u32>) -> bool {
    of.is_none() || command.device.is_none() || command.device == of
}

/// Idle, preheat and measured stretches; of one device, or of all.
fn bands(record: &RunRecord, of: Option<u32>) -> Vec<Band> {
    let concerns = |device: u32| of.is_none_or(|ordinal| ordinal == device);
    let idle = record.idle.iter().filter(|idle| concerns(idle.device)).flat_map(|idle| &idle.windows);
    let cases = record.measurements.iter().filter(|measurement| concerns(measurement.case.device));
    let commands = record.commands.iter().filter(|command| command_concerns(command, of));
    let band = |window: &Window| {
        Tone::of(window.kind).map(|tone| Band {
            tone,
            from_s: seconds(window.start_ns),
            until_s: seconds(window.end_ns),
        })
    };
    let windows = idle.chain(cases.flat_map(|measurement| &measurement.windows));
    windows.chain(commands.flat_map(command_windows)).filter_map(band).collect()
}

/// Stretches in which the clocks of one device, or of all, were held down by more than the power limit.
fn strips(record: &RunRecord, of: Option<u32>) -> Vec<Band> {
    let all = throttled_stretches(&record.traces).into_iter();
    let own = all.filter(|(device, ..)| of.is_none_or(|ordinal| ordinal == *device));
    own.map(|(_, from, until)| Band { tone: Tone::Throttled, from_s: seconds(from), until_s: seconds(until) }).collect()
}

fn strip_rows(table: &mut Table, record: &RunRecord) {
    for (device, from, until) in throttled_stretches(&record.traces) {
        let name = format!("device {device}");
        let lead = [Cell::from("Throttled"), name.into(), Cell::Empty, Cell::Empty, Cell::Empty, Cell::Empty];
        table.push(lead.into_iter().chain([seconds(from).into(), seconds(until).into(), Cell::Empty]).collect());
    }
}

/// Stretches of one case, in order of time; a case whose windows take turns with others has several.
fn spans(record: &RunRecord, of: Option<u32>) -> Vec<Span> {
    let mut windows: Vec<(f64, f64, usize)> = Vec::new();
    for (index, measurement) in record.measurements.iter().enumerate() {
        if of.is_none_or(|ordinal| ordinal == measurement.case.device) {
            let times = measurement.windows.iter().filter(|window| Tone::of(window.kind).is_some());
            windows.extend(times.map(|window| (seconds(window.start_ns), seconds(window.end_ns), index)));
        }
    }
    for (index, command) in record.commands.iter().enumerate().filter(|(_, own)| command_concerns(own, of)) {
        let times = command.runs.iter().map(|run| (run.warm_up.as_ref().unwrap_or(&run.window), &run.window));
        let number = record.measurements.len() + index;
        windows.extend(times.map(|(first, last)| (seconds(first.start_ns), seconds(last.end_ns), number)));
    }
    windows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let runs = windows.chunk_by(|a, b| a.2 == b.2);
    runs.filter_map(|run| {
        let (first, last) = (run.first()?, run.last()?);
        Some(Span { short: format!("{}", first.2 + 1), from_s: first.0, until_s: last.1 })
    })
    .collect()
}

fn tone_legend(figure: &mut Figure, record: &RunRecord) {
    let present: Vec<Tone> = figure
        .panels
        .iter()
        .flat_map(|panel| match panel {
            Panel::Trace(trace) => trace.bands.iter().map(|band| band.tone).collect::<Vec<_>>(),
            _ => Vec::new(),
        })
        .collect();
    for tone in [Tone::Idle, Tone::Preheat, Tone::Measured, Tone::Throttled] {
        if present.contains(&tone) {
            let warms_up = tone == Tone::Preheat && record.measurements.is_empty();
            let word = if warms_up { "warm-up" } else { tone.word() };
            figure.legend.push(LegendEntry { sign: Sign::Tone(tone), text: word.to_owned() });
        }
    }
}

/// What the case numbers along the top stand for.
fn key(record: &RunRecord) -> Vec<KeyEntry> {
    let names = short_names(record.measurements.iter().map(|measurement| &measurement.case));
    let numbered = names.into_iter().enumerate();
    let has_windows = |index: usize| record.measurements.get(index).is_some_and(|m| !m.windows.is_empty());
    let cases = numbered.filter(|(index, _)| has_windows(*index));
    let programs = record.commands.iter().enumerate().map(|(index, command)| {
        let nature = if command.is_idle() { "idle power" } else { "foreign work, not verified" };
        (record.measurements.len() + index, format!("{} ({nature})", command.label))
    });
    cases.chain(programs).map(|(index, long)| KeyEntry { short: format!("{}", index + 1), long }).collect()
}

fn reason_for_nothing(record: &RunRecord) -> String {
    if record.traces.is_empty() {
        return "No power source took part in this run: there is no reading of power or energy.".to_owned();
    }
    let sources: Vec<&str> = record.traces.iter().map(|trace| trace.source.id.as_str()).collect();
    format!("The power sources of this run ({}) gave no reading of power or energy.", sources.join(", "))
}

fn caption(record: &RunRecord, all: &[Series], empty: bool) -> String {
    let run = run_sentence(record);
    if empty {
        return format!("Power over the run: {} {run}", reason_for_nothing(record));
    }
    let breaks: usize = all.iter().map(|series| series.segments.len() - 1).sum();
    let gaps = match breaks {
        0 => "No line has a break.".to_owned(),
        1 => "One break in a line is a stretch without readings.".to_owned(),
        n => format!("{n} breaks in lines are stretches without readings."),
    };
    let notes: BTreeSet<String> = all
        .iter()
        .map(|series| &series.trace.source)
        .filter(|source| !source.note.is_empty())
        .map(|source| format!("{}: {}", source.id, source.note.trim_end_matches('.')))
        .collect();
    let notes: String = notes.iter().map(|note| format!(" {note}.")).collect();
    let (before, named) = if record.measurements.is_empty() && !record.commands.is_empty() {
        let windows = record.commands.iter().map(|command| command.runs.len()).sum::<usize>();
        let many = if windows == 1 { "1 execution".to_owned() } else { format!("{windows} executions") };
        ("warm-up", format!("metered programs ({many}; foreign work, whose output was not verified)"))
    } else {
        ("preheat", "cases".to_owned())
    };
    format!(
        "Power over the whole run. Shading: idle, {before}, and the measured windows from which energies are taken; \
         numbers name the {named}. Lines keep the smallest and largest reading of each short stretch (at most about \
         {MOST_VERTICES} vertices). {gaps}{notes} {run}"
    )
}

fn fill_table(table: &mut Table, series: &Series) {
    let source = &series.trace.source;
    for (index, segment) in series.segments.iter().enumerate() {
        for (at, power) in segment {
            table.push(vec![
                "power".into(),
                source.id.as_str().into(),
                series.scope.to_string().into(),
                source.evidence.to_string().into(),
                format!("{:?}", series.quantity).into(),
                (index as f64).into(),
                (*at).into(),
                (*at).into(),
                (*power).into(),
            ]);
        }
    }
}

fn window_rows(table: &mut Table, record: &RunRecord) {
    let mut push = |name: &str, window: &Window| {
        let kind = format!("{:?}", window.kind);
        table.push(vec![
            kind.into(),
            name.into(),
            Cell::Empty,
            Cell::Empty,
            Cell::Empty,
            Cell::Empty,
            seconds(window.start_ns).into(),
            seconds(window.end_ns).into(),
            Cell::Empty,
        ]);
    };
    for idle in &record.idle {
        idle.windows.iter().for_each(|window| push(&format!("device {}", idle.device), window));
    }
    for measurement in &record.measurements {
        measurement.windows.iter().for_each(|window| push(&measurement.case.label(), window));
    }
    for command in &record.commands {
        command_windows(command).for_each(|window| push(&command.label, window));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn thinning_keeps_a_single_spike_among_a_hundred_thousand_readings() {
        let mut readings: Vec<Vertex> = (0..100_000).map(|i| (f64::from(i) * 0.02, 300.0)).collect();
        readings[54_321].1 = 700.0;
        readings[12_345].1 = 10.0;
        let thinned = thin(vec![readings.clone()], MOST_VERTICES);
        assert!(thinned[0].len() <= MOST_VERTICES + 2);
        assert!(thinned[0].contains(&readings[54_321]) && thinned[0].contains(&readings[12_345]));
        assert_eq!((thinned[0].first(), thinned[0].last()), (readings.first(), readings.last()));
    }

    #[test]
    fn heat_is_a_strip_with_a_legend_and_rows_and_the_power_cap_is_none() {
        let golden = include_str!("../../../tests/fixtures/records/v1.0.json");
        let mut record: RunRecord = serde_json::from_str(golden).unwrap();
        let trace = &mut record.traces[0];
        trace.source.kind = "nvml".to_owned();
        trace.source.channels.push(crate::model::Channel::new("reasons", Quantity::ThrottleReasons, Scope::Board));
        trace.columns.push(ChannelTrace { channel: "reasons".into(), values: vec![Some(4.0); trace.t_ns.len()] });
        assert!(strips(&record, Some(0)).is_empty());
        let before = power_trace(&record);
        assert!(!before.caption.contains("strip"));
        if let Some(column) = record.traces[0].columns.last_mut() {
            column.values[10..20].fill(Some(36.0));
        }
        let figure = power_trace(&record);
        assert_eq!((strips(&record, Some(0)).len(), strips(&record, Some(1)).len()), (1, 0));
        assert!(
            figure.caption.contains("A strip along the bottom marks clocks held down by more than the power limit.")
        );
        assert!(figure.legend.iter().any(|entry| entry.text == "clocks held down by heat or hardware"));
        assert_eq!(figure.table.rows.len(), before.table.rows.len() + 1);
    }

    proptest! {
        #[test]
        fn thinned_vertices_are_readings_in_order_of_time(values in prop::collection::vec(0f64..700.0, 1..3000)) {
            let readings: Vec<Vertex> = values.iter().enumerate().map(|(i, v)| (i as f64, *v)).collect();
            let thinned = thin(vec![readings.clone()], 200).concat();
            prop_assert!(thinned.len() <= readings.len().min(204));
            prop_assert!(thinned.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert!(thinned.iter().all(|vertex| readings[vertex.0 as usize] == *vertex));
        }
    }
}
