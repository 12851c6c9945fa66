//! From what the user asked for under `--power` to the sources that are polled.
//!
//! What surprises people: on the simulated clock `auto` looks for no hardware, because a real sensor knows nothing of
//! simulated time; and an estimate is opened only for devices of which nothing measured answered.

use super::sources::{estimate, scripted};
use super::{Findings, PROBES, Probe, ProbeContext};
use crate::clock::RunClock;
use crate::model::{Device, Evidence, PowerRequest, Scope};
use crate::names;

/// A request that cannot be met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PowerRequestError {
    /// No source is called that.
    #[error("there is no power source `{kind}`{suggestion}; known: auto, none, {known}")]
    UnknownKind {
        /// What was asked for.
        kind: String,
        /// A similar name, ready to print, or nothing.
        suggestion: String,
        /// All names.
        known: String,
    },
    /// `auto` or `none` among other sources.
    #[error(
        "power source `{kind}` stands alone and cannot be listed with others ({given}); name either `{kind}` or sources"
    )]
    NotAlone {
        /// `auto` or `none`.
        kind: String,
        /// The whole list.
        given: String,
    },
    /// A list without a source.
    #[error("the list of power sources is empty; known: auto, none, {known}")]
    Nothing {
        /// All names.
        known: String,
    },
    /// The source exists, but gives nothing here.
    #[error("power source `{kind}` gives no reading: {why}; {remedy}")]
    NoAnswer {
        /// What was asked for.
        kind: String,
        /// What was tried, and why it failed.
        why: String,
        /// What to do.
        remedy: String,
    },
}

/// Opens what was asked for; see [`PowerRequest`].
pub fn open(request: &PowerRequest, context: &ProbeContext) -> Result<Findings, PowerRequestError> {
    match request {
        PowerRequest::None => Ok(Findings::default()),
        PowerRequest::Auto { assume_watts } => {
            Ok(open_all(&ProbeContext { assume_watts: *assume_watts, ..context.clone() }))
        }
        PowerRequest::Only { kinds, assume_watts } => {
            if kinds.is_empty() {
                return Err(PowerRequestError::Nothing { known: known_kinds().collect::<Vec<_>>().join(", ") });
            }
            if let Some(kind) = kinds.iter().find(|kind| ["auto", "none"].contains(&kind.as_str())) {
                return Err(PowerRequestError::NotAlone { kind: kind.clone(), given: kinds.join(",") });
            }
            let mut findings = Findings::default();
            for wanted in kinds {
                let (kind, argument) = match wanted.split_once(':') {
                    Some((kind, argument)) => (kind, Some(argument.to_owned())),
                    None => (wanted.as_str(), None),
                };
                let probe = PROBES.iter().find(|probe| probe.kind == kind).ok_or_else(|| unknown(kind))?;
                let context = ProbeContext { assume_watts: *assume_watts, argument, ..context.clone() };
                let found = (probe.open)(&context);
                if found.sources.is_empty() {
                    return Err(no_answer(probe, wanted, &found));
                }
                add(&mut findings, found);
            }
            Ok(findings)
        }
    }
}

fn add(findings: &mut Findings, found: Findings) {
    findings.sources.extend(found.sources);
    findings.obstacles.extend(found.obstacles);
}

fn open_all(context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    if matches!(context.clock, RunClock::Wall(_)) {
        for probe in PROBES.iter().filter(|probe| probe.automatic) {
            add(&mut findings, (probe.open)(context));
        }
    }
    if context.activity.is_some() {
        add(&mut findings, (scripted::PROBE.open)(context));
    }
    let measured: Vec<_> = findings
        .sources
        .iter()
        .map(|source| source.info())
        .filter(|info| info.evidence == Evidence::Measured)
        .filter(|info| info.channels.iter().any(|channel| channel.quantity.is_energetic()))
        .map(|info| (info.device, info.channels.iter().any(|channel| channel.scope == Scope::Package)))
        .collect();
    // Without a device the declared watts are the host's, and one measured source is enough.
    if context.devices.is_empty() && !measured.is_empty() {
        return findings;
    }
    // The packages are what a software adapter runs on.
    let unmeasured = |device: &Device| {
        !measured.iter().any(|(of, has_packages)| {
            *of == Some(device.ordinal) || (of.is_none() && *has_packages && device.is_software())
        })
    };
    let estimated = estimate::for_devices(context, &unmeasured);
    add(&mut findings, estimated);
    findings
}

fn no_answer(probe: &Probe, wanted: &str, found: &Findings) -> PowerRequestError {
    let tried: Vec<String> =
        found.obstacles.iter().map(|obstacle| format!("{}: {}", obstacle.what, obstacle.why)).collect();
    let mut remedies: Vec<&str> = found.obstacles.iter().map(|obstacle| obstacle.remedy.as_str()).collect();
    remedies.dedup();
    let nothing = tried.is_empty();
    let why = if nothing { format!("this machine has no such sensor ({})", probe.summary) } else { tried.join("; ") };
    let remedy = match (nothing, probe.kind) {
        (true, "csv" | "scripted") => format!("name a file, --power {}:FILE", probe.kind),
        (true, "estimate") => "declare the power with --assume-watts WATTS".to_owned(),
        (true, _) => "use --power auto, or --power none to measure time only".to_owned(),
        (false, _) => remedies.join("; "),
    };
    PowerRequestError::NoAnswer { kind: wanted.to_owned(), why, remedy }
}

/// What can be asked for by name.
fn known_kinds() -> impl Iterator<Item = &'static str> {
    PROBES.iter().map(|probe| probe.kind)
}

fn unknown(kind: &str) -> PowerRequestError {
    let similar = names::closest(kind, known_kinds().chain(["auto", "none"]));
    PowerRequestError::UnknownKind {
        kind: kind.to_owned(),
        suggestion: similar.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)")),
        known: known_kinds().collect::<Vec<_>>().join(", "),
    }
}
