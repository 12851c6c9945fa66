//! What is known so far: segments are entered one after the other, and after each the verdict stands on disk.
//!
//! What surprises people: a qualification is judged while it runs, so that a node that dies leaves a verdict on what there
//! was; it can say FAIL, and otherwise that it did not come to its end.

use std::collections::BTreeMap;

use super::proof::Proof;
use crate::measure::result::metrics::Tally;
use crate::model::{
    Device, Grade, Host, QUALIFICATION_SCHEMA, QUALIFICATION_VERSION, Qualification, QualifiedDevice, RunRecord,
    RunStatus, Segment, Tool, Warning, WarningCode,
};
use crate::qualify::{self, Occasion, References};
use crate::units::Seconds;

/// Words of a warning on a segment that is not on disk.
pub const UNSAVED: &str = "could not be saved";
/// Beginning of the warning that a load was resumed.
pub const RESUMED: &str = "it was resumed";

/// A qualification in the making.
pub struct Ledger {
    /// The qualification, as it would be saved now.
    pub qualification: Qualification,
    /// Which injected errors were caught.
    pub proof: Proof,
    tally: Tally,
    references: References,
    /// Warnings that are not the tally's.
    warnings: Vec<Warning>,
    /// Load time of the segments that were entered.
    measured: Seconds,
    /// Numbers of segments of which only the figures are left.
    unsaved: Vec<u32>,
}

/// What is known before anything was measured.
pub struct Head {
    /// Name of the folder.
    pub id: String,
    /// UTC time of the start.
    pub started: String,
    /// True if times are scripted.
    pub simulated: bool,
    /// True if errors are made on purpose.
    pub inject_error: bool,
    /// The tool.
    pub tool: Tool,
    /// SHA-256 of the program.
    pub program_sha256: String,
    /// The node.
    pub host: Host,
    /// What the user says of it.
    pub labels: BTreeMap<String, String>,
    /// Length that was asked for.
    pub planned: Seconds,
}

impl Ledger {
    /// With nothing measured on these devices.
    pub fn new(head: Head, devices: Vec<QualifiedDevice>, references: References) -> Self {
        let qualification = Qualification {
            schema: QUALIFICATION_SCHEMA.to_owned(),
            version: QUALIFICATION_VERSION,
            id: head.id,
            started: head.started,
            ended: None,
            status: RunStatus::Running,
            simulated: head.simulated,
            inject_error: head.inject_error,
            tool: head.tool,
            program_sha256: head.program_sha256,
            host: head.host,
            labels: head.labels,
            planned_s: head.planned,
            measured_s: Seconds::new(0.0),
            devices,
            grade: Grade::Inconclusive,
            segments: Vec::new(),
            warnings: Vec::new(),
        };
        Self {
            qualification,
            proof: Proof::default(),
            tally: Tally::new(),
            references,
            warnings: Vec::new(),
            measured: Seconds::new(0.0),
            unsaved: Vec::new(),
        }
    }

    /// One that goes on with a saved qualification: its segments are still to be entered.
    pub fn reopened(saved: Qualification, references: References) -> Self {
        let head = Head {
            id: saved.id,
            started: saved.started,
            simulated: saved.simulated,
            inject_error: saved.inject_error,
            tool: saved.tool,
            program_sha256: saved.program_sha256,
            host: saved.host,
            labels: saved.labels,
            planned: saved.planned_s,
        };
        let mut ledger = Self::new(head, saved.devices, references);
        ledger.qualification.ended = saved.ended;
        ledger.qualification.status = saved.status;
        ledger
    }

    /// Adds a warning on the whole, once.
    pub fn warn(&mut self, text: impl Into<String>) {
        let warning = Warning { code: WarningCode::Other, text: text.into() };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Notes that a segment is not on disk.
    pub fn unsaved(&mut self, number: u32) {
        self.unsaved.push(number);
    }

    /// The warning on segments that are not on disk.
    fn unsaved_warning(&self) -> Option<Warning> {
        let (first, last) = (self.unsaved.first()?, self.unsaved.last()?);
        let which = match self.unsaved.len() {
            1 => format!("segment {first}"),
            count => format!("{count} segments between {first} and {last}"),
        };
        let text = format!("{which} {UNSAVED}: the figures are in the verdict, the raw data are lost");
        Some(Warning { code: WarningCode::Other, text })
    }

    /// Takes in a segment, whose file is known if it could be saved.
    pub fn enter(&mut self, segment: Option<Segment>, record: &RunRecord) {
        self.tally.add(record);
        self.measured = self.measured + load_time(record);
        self.proof.add(record);
        self.qualification.segments.extend(segment);
        for warning in &record.warnings {
            if !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
    }

    /// Load that was measured so far.
    pub fn measured(&self) -> Seconds {
        self.measured
    }

    /// Judges what there is; without a figure the devices stay as they are.
    pub fn judge(&mut self) {
        let unsaved = self.unsaved_warning();
        let own = &mut self.qualification;
        own.measured_s = self.measured;
        own.warnings = self.warnings.clone();
        let notes = self.tally.notes().into_iter().map(|text| Warning { code: WarningCode::Other, text });
        own.warnings.extend(unsaved.into_iter().chain(notes));
        self.references.occasion = Some(Occasion {
            id: own.id.clone(),
            // All simulated loads begin at the same instant: none is later than another.
            started: if own.simulated { String::new() } else { own.started.clone() },
            host: own.host.hostname.clone(),
            status: own.status.clone(),
            planned: own.planned_s,
            measured: own.measured_s,
        });
        let findings = self.tally.findings();
        if !findings.is_empty() {
            own.devices = qualify::judge(&findings, &self.references);
        }
        own.grade = qualify::overall(&own.devices);
        if own.inject_error {
            // Whatever was found, it was found on falsified outputs.
            own.grade = own.grade.max(Grade::Inconclusive);
        }
    }
}

/// Time from the beginning of the first window of any device to the end of the last: with the rests of the power steps and the
/// checks between windows, as the load itself counts.
pub fn load_time(record: &RunRecord) -> Seconds {
    let windows = || record.measurements.iter().flat_map(|measurement| &measurement.windows);
    let (from, until) = (windows().map(|w| w.start_ns).min(), windows().map(|w| w.end_ns).max());
    from.zip(until).map_or(Seconds::new(0.0), |(from, until)| until.since(from))
}

/// A device of which nothing was measured yet.
pub fn unmeasured(device: &Device, identity: BTreeMap<String, String>) -> QualifiedDevice {
    QualifiedDevice {
        device: device.clone(),
        identity,
        work: Vec::new(),
        metrics: Vec::new(),
        outputs: Vec::new(),
        checks: Vec::new(),
        grade: Grade::Inconclusive,
    }
}
