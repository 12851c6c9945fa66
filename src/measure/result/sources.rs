//! Every power source of a record side by side: what each read over every measured case, every metered program and the
//! whole run, whether or not it holds the device.
//!
//! Watts of different scopes are never added. What surprises people: a source that says nothing of a case (a neighbour's
//! board) has its row all the same, because it was read at that time; whose board it is stands beside it.

use serde::Serialize;

use crate::clock::Nanoseconds;
use crate::model::{Channel, CommandExit, Evidence, Measurement, Quantity, RunRecord, Scope, SourceTrace, Window};
use crate::power::{Chosen, window_energies};
use crate::units::{Joules, Ratio, Seconds, Watts};

/// Least part of a span that readings must cover for its mean power to enter a ratio of two sources.
const LEAST_COVERAGE: f64 = 0.5;

/// A stretch of the run over which sources are laid side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpanLabel {
    /// What it is: a case, an execution of a metered program, or the whole run.
    pub what: String,
    /// Device that worked, where there was one.
    pub device: Option<u32>,
    /// Its length: of all its windows together.
    pub duration_s: Seconds,
    /// Its windows, in order of time.
    #[serde(skip)]
    pub windows: Vec<(Nanoseconds, Nanoseconds)>,
    /// True for the whole run.
    pub whole_run: bool,
}

/// What one source read within one span, for one scope.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpanEnergy {
    /// Gross energy of the windows that were read; holes take the mean around them. `None` where nothing was read.
    pub energy_j: Option<Joules>,
    /// Mean power over the windows that were read.
    pub mean_power_w: Option<Watts>,
    /// Part of the span that readings cover, 0 to 1.
    pub coverage: Ratio,
    /// `counter`, `integral`, or `mixed` where the windows differ.
    pub method: Option<&'static str>,
    /// Counter over integral, minus 1: the one that is farthest off among the windows.
    pub counter_over_integral_minus_1: Option<Ratio>,
}

/// A gap in the readings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GapRow {
    /// Channel without readings; `None` for the whole source.
    pub channel: Option<String>,
    /// Start on the run's clock.
    pub from_s: Seconds,
    /// End; `None` where no reading came any more.
    pub until_s: Option<Seconds>,
    /// Why.
    pub reason: String,
}

/// One source and scope.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceRow {
    /// Identifier of the source.
    pub source: String,
    /// Kind of source.
    pub kind: String,
    /// Ordinal of the device it belongs to; `None` for a whole host.
    pub device: Option<u32>,
    /// What its watts include.
    pub scope: Scope,
    /// Measured, declared or estimated.
    pub evidence: Evidence,
    /// What a reader of its figures must know.
    pub note: String,
    /// Cadence that was asked for.
    pub requested_hz: f64,
    /// Cadence that was reached.
    pub reached_hz: Option<f64>,
    /// Update period of the power channel, where known.
    pub update_period_s: Option<Seconds>,
    /// Averaging window of the power channel, where known.
    pub averaging_window_s: Option<Seconds>,
    /// Systematic error, stated or taken as a prior.
    pub stated_error: Option<Ratio>,
    /// Gaps of the whole source and of this scope's channels.
    pub gaps: Vec<GapRow>,
    /// What it read in each span, in the order of [`SideBySide::spans`].
    pub spans: Vec<SpanEnergy>,
}

/// Mean watts of one source over those of another whose scope holds it, or of two sources of one scope.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WattRatio {
    /// Index of the span.
    pub span: usize,
    /// Source above the line.
    pub inner: String,
    /// Its scope.
    pub inner_scope: Scope,
    /// Source below the line.
    pub outer: String,
    /// Its scope.
    pub outer_scope: Scope,
    /// Watts over watts.
    pub ratio: Ratio,
}

/// All sources over all spans.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideBySide {
    /// The stretches, in order of time; the whole run last.
    pub spans: Vec<SpanLabel>,
    /// The sources that read power or energy, in the record's order, one row per scope.
    pub sources: Vec<SourceRow>,
    /// Ratios of mean watts where one scope holds another.
    pub ratios: Vec<WattRatio>,
}

/// Lays every source of a record side by side.
pub fn side_by_side(record: &RunRecord) -> SideBySide {
    let spans = spans(record);
    let sources: Vec<SourceRow> = record.traces.iter().flat_map(|trace| rows(trace, &spans)).collect();
    let ratios = (0..spans.len()).flat_map(|span| ratios(&sources, &spans, span)).collect();
    SideBySide { spans, sources, ratios }
}

/// Measured windows of every case, then every execution of a metered program, then the whole run.
fn spans(record: &RunRecord) -> Vec<SpanLabel> {
    let edges = |window: &Window| (window.start_ns, window.end_ns);
    let label = |what: String, device, windows: Vec<(Nanoseconds, Nanoseconds)>, whole_run| {
        let duration_s = windows.iter().map(|(from, until)| until.since(*from)).sum();
        SpanLabel { what, device, duration_s, windows, whole_run }
    };
    let case = |m: &Measurement| {
        let windows: Vec<_> = m.measured().map(edges).collect();
        let failed = if m.verified() { "" } else { " (wrong output)" };
        let what = format!("{}{failed}", m.case.label());
        (!windows.is_empty()).then(|| label(what, Some(m.case.device), windows, false))
    };
    let mut spans: Vec<SpanLabel> = record.measurements.iter().filter_map(case).collect();
    for command in &record.commands {
        let several = command.runs.len() > 1;
        for (index, run) in command.runs.iter().enumerate() {
            let number = if several { format!(" run {}", index + 1) } else { String::new() };
            let idle = if run.exit == CommandExit::Idle { " (idle)" } else { "" };
            let what = format!("{}{number}{idle}", command.label);
            spans.push(label(what, command.device, vec![edges(&run.window)], false));
        }
    }
    let polls = || record.traces.iter().filter(|t| is_energetic(t)).flat_map(|t| t.t_ns.first().zip(t.t_ns.last()));
    if let (Some(from), Some(until)) = (polls().map(|(a, _)| *a).min(), polls().map(|(_, b)| *b).max()) {
        spans.push(label("whole run".to_owned(), None, vec![(from, until)], true));
    }
    spans
}

fn is_energetic(trace: &SourceTrace) -> bool {
    trace.source.channels.iter().any(|channel| channel.quantity.is_energetic())
}

/// One row per scope of a source.
fn rows(trace: &SourceTrace, spans: &[SpanLabel]) -> Vec<SourceRow> {
    let mut scopes: Vec<Scope> = Vec::new();
    for channel in trace.source.channels.iter().filter(|channel| channel.quantity.is_energetic()) {
        if !scopes.contains(&channel.scope) {
            scopes.push(channel.scope);
        }
    }
    scopes.into_iter().map(|scope| row(trace, scope, spans)).collect()
}

fn row(trace: &SourceTrace, scope: Scope, spans: &[SpanLabel]) -> SourceRow {
    let own: Vec<&Channel> =
        trace.source.channels.iter().filter(|c| c.scope == scope && c.quantity.is_energetic()).collect();
    // Instant before averaged power before a counter: the order in which energy is integrated.
    let order = [Quantity::InstantPower, Quantity::AveragedPower, Quantity::EnergyCounter];
    let main = order.iter().find_map(|quantity| own.iter().find(|channel| channel.quantity == *quantity));
    let concerns = |id: &Option<String>| id.as_ref().is_none_or(|id| own.iter().any(|channel| channel.id == *id));
    let seconds = |at: Nanoseconds| Seconds::from_nanoseconds(at.0);
    let gaps = trace.gaps.iter().filter(|gap| concerns(&gap.channel)).map(|gap| GapRow {
        channel: gap.channel.clone(),
        from_s: seconds(gap.from_ns),
        until_s: gap.until_ns.map(seconds),
        reason: gap.reason.clone(),
    });
    SourceRow {
        source: trace.source.id.clone(),
        kind: trace.source.kind.clone(),
        device: trace.source.device,
        scope,
        evidence: trace.source.evidence,
        note: trace.source.note.clone(),
        requested_hz: trace.requested_hz,
        reached_hz: trace.reached_hz(),
        update_period_s: main.and_then(|channel| channel.update_period_s),
        averaging_window_s: main.and_then(|channel| channel.averaging_window_s),
        stated_error: own.iter().filter_map(|channel| channel.stated_error).reduce(|a, b| if b > a { b } else { a }),
        gaps: gaps.collect(),
        spans: spans.iter().map(|span| span_energy(trace, scope, span)).collect(),
    }
}

fn span_energy(trace: &SourceTrace, scope: Scope, span: &SpanLabel) -> SpanEnergy {
    let (mut joules, mut read, mut covered) = (0.0, 0.0, 0.0);
    let mut methods: Vec<Chosen> = Vec::new();
    let mut worst: Option<Ratio> = None;
    for (from, until) in &span.windows {
        let energies = window_energies(trace, *from, *until);
        let Some(energy) = energies.into_iter().find(|energy| energy.scope == scope) else { continue };
        let Some((method, chosen)) = energy.chosen else { continue };
        let length = until.since(*from).get();
        (joules, read) = (joules + chosen.get(), read + length);
        covered += energy.coverage.get() * length;
        if !methods.contains(&method) {
            methods.push(method);
        }
        let farther = |ratio: &Ratio| worst.is_none_or(|worst| ratio.get().abs() > worst.get().abs());
        worst = energy.disagreement.filter(farther).or(worst);
    }
    let length = span.duration_s.get();
    SpanEnergy {
        energy_j: (read > 0.0).then(|| Joules::new(joules)),
        mean_power_w: (read > 0.0).then(|| Watts::new(joules / read)),
        coverage: Ratio::new(if length > 0.0 { covered / length } else { 0.0 }),
        method: match methods[..] {
            [] => None,
            [Chosen::Counter] => Some("counter"),
            [Chosen::Integral] => Some("integral"),
            _ => Some("mixed"),
        },
        counter_over_integral_minus_1: worst,
    }
}

/// True if everything within `inner` also draws through `outer`.
fn nested(inner: Scope, outer: Scope) -> bool {
    use Scope::{Board, Chip, HostDc, Memory, Module, Package, WallAc};
    match outer {
        WallAc => inner != WallAc,
        HostDc => !matches!(inner, WallAc | HostDc),
        Module => matches!(inner, Board | Package | Chip | Memory),
        Board => matches!(inner, Chip | Memory),
        Package => inner == Chip,
        Chip | Memory => false,
    }
}

/// Ratios of two rows in one span: where one scope holds the other on the same device, or on the host that holds it; and of
/// two sources that measure the same.
fn ratios(sources: &[SourceRow], spans: &[SpanLabel], span: usize) -> Vec<WattRatio> {
    let watts = |row: &SourceRow| {
        let read = row.spans.get(span)?;
        let measured = row.evidence == Evidence::Measured && read.coverage.get() >= LEAST_COVERAGE;
        read.mean_power_w.filter(|watts| measured && watts.get() > 0.0)
    };
    // A neighbour's board says nothing of the device that worked.
    let device = spans.get(span).and_then(|span| span.device);
    let concerned = |row: &&SourceRow| device.is_none() || row.device.is_none() || row.device == device;
    let rows: Vec<(usize, &SourceRow)> = sources.iter().filter(concerned).enumerate().collect();
    let mut found = Vec::new();
    for (i, inner) in &rows {
        for (j, outer) in &rows {
            let whole = matches!(outer.scope, Scope::HostDc | Scope::WallAc);
            let holds = nested(inner.scope, outer.scope) && (outer.device == inner.device || whole);
            let same = inner.scope == outer.scope && inner.device == outer.device && i < j;
            let (true, Some(a), Some(b)) = (holds || same, watts(inner), watts(outer)) else { continue };
            found.push(WattRatio {
                span,
                inner: inner.source.clone(),
                inner_scope: inner.scope,
                outer: outer.source.clone(),
                outer_scope: outer.scope,
                ratio: Ratio::new(a.get() / b.get()),
            });
        }
    }
    found
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
