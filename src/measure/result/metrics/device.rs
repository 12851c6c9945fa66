//! One device over many records: its phases or cases, its heat, its errors, its losses.
//!
//! What surprises people: a phase is known by its name alone, so that a case that was tuned anew after a restart goes on in
//! the same figures; the first case stands in the findings.

use std::collections::BTreeMap;

use super::DeviceFindings;
use super::counters::ErrorCounts;
use super::heat::Heat;
use super::rests::Rests;
use super::series::{Series, WindowFigure};
use crate::measure::result::energy::{Load, WindowJoules, by_window};
use crate::model::{
    Case, Counted, Device, Measurement, Metric, Phase, PhaseWork, RunRecord, RunStatus, Scope, SkipReason, SourceTrace,
    WarningCode, Window, Work,
};
use crate::power::holds_device;
use crate::units::{Bytes, Flop};

/// Keys of a device's details that tell a board from others of its kind.
const IDENTITY: [&str; 2] = ["serial", "uuid"];

/// What is known of one device so far.
#[derive(Debug)]
pub(super) struct DeviceTally {
    device: Device,
    identity: BTreeMap<String, String>,
    series: Vec<Series>,
    rests: Rests,
    heat: Heat,
    errors: ErrorCounts,
    losses: Vec<String>,
    /// What was lost and how, without the time.
    told: Vec<(String, String)>,
    /// End of the last window so far, in seconds of the whole.
    last_s: f64,
    /// Rounds so far.
    blocks: u32,
    measured_s: f64,
}

impl DeviceTally {
    pub fn new(device: &Device) -> Self {
        Self {
            device: device.clone(),
            identity: BTreeMap::new(),
            series: Vec::new(),
            rests: Rests::default(),
            heat: Heat::default(),
            errors: ErrorCounts::default(),
            losses: Vec::new(),
            told: Vec::new(),
            last_s: 0.0,
            blocks: 0,
            measured_s: 0.0,
        }
    }

    /// True for the device that it was made for, in another record.
    pub fn is_of(&self, device: &Device) -> bool {
        let own = &self.device;
        own.ordinal == device.ordinal && own.name == device.name && own.pci == device.pci
    }

    pub fn measured_s(&self) -> f64 {
        self.measured_s
    }

    pub fn notes(&self) -> impl Iterator<Item = String> + '_ {
        self.errors.notes().map(|note| format!("device {}: {note}", self.device.ordinal))
    }

    /// Takes in a record that began `since` seconds after the first.
    pub fn add(&mut self, record: &RunRecord, since: f64) {
        let ordinal = self.device.ordinal;
        if let Some(details) = record.provenance.device_details.get(&ordinal) {
            let own = details.iter().filter(|(key, _)| IDENTITY.contains(&key.to_lowercase().as_str()));
            self.identity.extend(own.map(|(key, value)| (key.clone(), value.clone())));
        }
        let own: Vec<&Measurement> = record.measurements.iter().filter(|m| m.case.device == ordinal).collect();
        let all: Vec<&Window> = own.iter().flat_map(|measurement| measurement.measured()).collect();
        self.measured_s += all.iter().map(|window| window.duration().get()).sum::<f64>();
        self.errors.add(record, ordinal, since);
        self.heat.add(record, ordinal, &all);
        let indices: Vec<usize> = own.iter().map(|measurement| self.series_of(measurement)).collect();
        let blocks = self.blocks_of(&own, &indices);
        let mut done = 0;
        for (measurement, index) in own.iter().zip(&indices) {
            let until = done + measurement.measured().count();
            self.add_measurement(record, measurement, *index, &blocks[done..until], since);
            done = until;
        }
        self.add_losses(record, &own, since);
    }

    /// Place of a measurement's phase or case among the series.
    fn series_of(&mut self, measurement: &Measurement) -> usize {
        let phase = measurement.sustained.as_ref().map(|sustained| sustained.phase);
        let name = phase.map_or_else(|| measurement.case.label(), |phase| phase.name().to_owned());
        let known = self.series.iter().position(|series| series.phase == phase && series.name == name);
        known.unwrap_or_else(|| {
            self.series.push(Series::new(name, phase, measurement.case.clone()));
            self.series.len() - 1
        })
    }

    /// The round of every measured window, measurement by measurement: windows that follow one another in time without a
    /// window of another series between them. A record begins a new round.
    fn blocks_of(&mut self, own: &[&Measurement], indices: &[usize]) -> Vec<u32> {
        let windows = own.iter().zip(indices).flat_map(|(m, series)| m.measured().map(move |w| (w.start_ns, *series)));
        let windows: Vec<_> = windows.collect();
        let mut order: Vec<usize> = (0..windows.len()).collect();
        order.sort_by_key(|index| windows[*index].0);
        let mut blocks = vec![0; windows.len()];
        let mut last = None;
        for index in order {
            let series = windows[index].1;
            if last != Some(series) {
                self.blocks += 1;
                last = Some(series);
            }
            blocks[index] = self.blocks;
        }
        blocks
    }

    fn add_measurement(
        &mut self,
        record: &RunRecord,
        measurement: &Measurement,
        index: usize,
        blocks: &[u32],
        since: f64,
    ) {
        let windows: Vec<&Window> = measurement.measured().collect();
        let ends: Vec<f64> = windows.iter().map(|window| since + window.end_ns.0 as f64 / 1e9).collect();
        let last = ends.last().copied().unwrap_or(since);
        let series = &mut self.series[index];
        let digests = series.outputs.add(measurement, &ends, series.windows.len(), last);
        // Without digests a failed check leaves no window of which it is known that its output was right.
        if windows.is_empty() || (measurement.sustained.is_none() && !measurement.verified()) {
            return;
        }
        let figures = windows.iter().zip(digests).zip(blocks).map(|((window, digest), block)| WindowFigure {
            seconds: window.duration().get(),
            work: work_of(&measurement.case, window),
            block: *block,
            digest,
            celsius: self.heat.celsius(record, window),
        });
        let figures: Vec<WindowFigure> = figures.collect();
        let energies = energies_of(record, &self.device, &windows);
        series.extend(figures, energies);
        if series.phase == Some(Phase::Steps) {
            let rests = Rests::of(record, measurement);
            let refs: Vec<&Window> = rests.iter().collect();
            self.rests.add(&rests, &energies_of(record, &self.device, &refs));
        }
    }

    /// Losses of the device, and what a qualification could not run; an ordinary run skips much for good reasons.
    fn add_losses(&mut self, record: &RunRecord, own: &[&Measurement], since: f64) {
        let ends = own.iter().flat_map(|measurement| &measurement.windows).map(|window| window.end_ns.0);
        self.last_s = ends.max().map_or(self.last_s, |last| self.last_s.max(since + last as f64 / 1e9));
        let is_sustained = record.measurements.iter().any(|measurement| measurement.sustained.is_some());
        let ordinal = self.device.ordinal;
        for skip in record.skips.iter().filter(|skip| skip.case.device == ordinal) {
            let label = skip.case.label();
            match skip.reason {
                SkipReason::DeviceLost => self.lose("lost after", &format!("in {label}: {}", skip.detail)),
                SkipReason::Interrupted => {}
                _ if is_sustained => self.lose("", &format!("{label} was not measured: {}", skip.detail)),
                _ => {}
            }
        }
        for measurement in own {
            let lost = measurement.warnings.iter().filter(|warning| warning.code == WarningCode::DeviceLost);
            for warning in lost {
                self.lose("lost before", &format!("in {}: {}", measurement.case.label(), warning.text));
            }
        }
        if let RunStatus::Failed { reason } = &record.status {
            self.lose("the run failed after", &format!("of load: {reason}"));
        }
    }

    /// Notes a loss once, with the time of the last window so far: what a device cannot run stands in every segment.
    fn lose(&mut self, what: &str, how: &str) {
        if self.told.iter().all(|(before, known)| before != what || known != how) {
            self.told.push((what.to_owned(), how.to_owned()));
            let time = if what.is_empty() { String::new() } else { format!("{what} {:.0} s ", self.last_s) };
            self.losses.push(format!("{time}{how}"));
        }
    }

    /// Everything that is known so far.
    pub fn findings(&self) -> DeviceFindings {
        let mut ordered: Vec<&Series> = self.series.iter().collect();
        ordered.sort_by_key(|series| series.phase);
        let work = |series: &&Series| Some(PhaseWork { phase: series.phase?, case: series.case.clone() });
        let mut metrics: Vec<Metric> = ordered.iter().flat_map(|series| series.metrics()).collect();
        metrics.extend(self.steps());
        metrics.extend(self.heat.metrics(&self.series));
        metrics.extend(self.errors.metrics());
        metrics.retain(|metric| metric.value.is_finite());
        for metric in &mut metrics {
            metric.interval = metric.interval.filter(|(low, high)| low.is_finite() && high.is_finite());
        }
        DeviceFindings {
            device: self.device.clone(),
            identity: self.identity.clone(),
            work: ordered.iter().filter_map(work).collect(),
            metrics,
            outputs: ordered
                .iter()
                .filter_map(|series| series.outputs.findings(series.phase?, &series.windows))
                .collect(),
            losses: self.losses.clone(),
        }
    }

    /// How low and how high power goes in the steps.
    fn steps(&self) -> Vec<Metric> {
        let Some(series) = self.series.iter().find(|series| series.phase == Some(Phase::Steps)) else {
            return Vec::new();
        };
        let Some(energy) = series.headline() else { return Vec::new() };
        let high = series.mean_power(energy).map(|(watts, n)| Metric {
            evidence: Some(energy.evidence),
            scope: Some(energy.scope),
            ..super::series::plain(format!("{}.power.high", series.name), watts, "W", n as u64)
        });
        self.rests.metric(&series.name, energy).into_iter().chain(high).collect()
    }
}

/// Operations or bytes of a window, whatever its case is counted in.
fn work_of(case: &Case, window: &Window) -> f64 {
    let each = match case.counted {
        Counted::Flop => case.work.flop.get(),
        Counted::Bytes => case.work.bytes.get(),
    };
    each * window.dispatches as f64
}

/// What every source and scope that holds a device read of some windows.
fn energies_of<'a>(record: &'a RunRecord, device: &Device, windows: &[&Window]) -> Vec<WindowJoules<'a>> {
    let load = Load {
        parts: windows.iter().map(|window| (*window, window.dispatches as f64)).collect(),
        work: Work { flop: Flop::new(0.0), bytes: Bytes::new(0.0) },
        holds: &|trace: &SourceTrace, scope: Scope| {
            let other = trace.source.device.is_some_and(|ordinal| ordinal != device.ordinal);
            !other && holds_device(scope, trace.source.device, device)
        },
        idle: &|_, _| None,
    };
    by_window(record, &load)
}
