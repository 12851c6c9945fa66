//! From what the user asked for under `--power` to the sources that are polled.
//!
//! What surprises people: on the simulated clock `auto` looks for no hardware, because a real sensor knows nothing of
//! simulated time; and an estimate is opened only for devices of which nothing measured answered.

use super::sources::{estimate, options, prometheus, redfish, scripted, shelly, tasmota};
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
    /// A password where the record would keep it.
    #[error(
        "power source `{kind}` is given a user, a password or a token on the command line, which the record keeps; set \
         WATTMARK_{}_USER and WATTMARK_{}_PASSWORD, or write both into a file that only you can read and name it with \
         credentials=FILE", kind.to_uppercase(), kind.to_uppercase()
    )]
    Secret {
        /// The kind of source. What else was given is not repeated.
        kind: String,
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

/// Kinds that speak HTTP: they may need a password, and a certificate may have to be let pass.
const HTTP_KINDS: [&Probe; 4] = [&redfish::PROBE, &shelly::PROBE, &tasmota::PROBE, &prometheus::PROBE];
/// Words by which secrets are named.
const SECRET_WORDS: [&str; 6] = ["password=", "passwd=", "user=", "token=", "secret=", "api_key="];

/// Refuses a list of sources, as it was given, in which an address holds `user:password@` or an option a secret.
pub fn refuse_secrets(list: &str) -> Result<(), PowerRequestError> {
    for probe in HTTP_KINDS {
        let name = format!("{}:", probe.kind);
        let mut starts = list.match_indices(&name).map(|(at, name)| at + name.len());
        let holds_secret = |start: usize| {
            let rest = &list[start..];
            // A password may hold any sign: all counts up to the next source, but for files and queries.
            let next = PROBES.iter().filter_map(|probe| rest.find(&format!(",{}:", probe.kind))).min();
            let rest = &rest[..next.unwrap_or(rest.len())];
            let keys = [",credentials=", ",ca=", ",query", ",match=", ",metric="];
            let end = keys.iter().filter_map(|key| rest.find(key)).min().unwrap_or(rest.len());
            rest[..end].contains('@') || named_secret(rest)
        };
        if starts.any(holds_secret) {
            return Err(PowerRequestError::Secret { kind: probe.kind.to_owned() });
        }
    }
    Ok(())
}

/// True if an option, or a part of an address's query, has the name of a secret.
fn named_secret(text: &str) -> bool {
    let begins = |part: &str| SECRET_WORDS.iter().any(|word| part.trim().to_lowercase().starts_with(word));
    options::split(text).into_iter().any(|part| begins(part) || part.split(['?', '&']).skip(1).any(begins))
}

/// The same request with `insecure=yes` for every source over HTTP, so that the record shows it.
pub fn accepting_any_certificate(request: PowerRequest) -> PowerRequest {
    let PowerRequest::Only { mut kinds, assume_watts } = request else { return request };
    for wanted in &mut kinds {
        let is_http = HTTP_KINDS.iter().any(|probe| wanted.split(':').next() == Some(probe.kind));
        if is_http && !options::split(wanted).iter().any(|part| part.trim().starts_with("insecure=")) {
            wanted.push_str(",insecure=yes");
        }
    }
    PowerRequest::Only { kinds, assume_watts }
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
                refuse_secrets(wanted)?;
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
        (true, "ptdaemon") => "name the machine it runs on, --power ptdaemon:HOST[:8888]".to_owned(),
        (true, "estimate") => "declare the power with --assume-watts WATTS".to_owned(),
        (true, kind) if !probe.automatic => format!("say which, --power {kind}:… (docs/sources/{kind}.md)"),
        (true, _) => "use --power auto, or --power none to measure time only".to_owned(),
        (false, _) => remedies.join("; "),
    };
    PowerRequestError::NoAnswer { kind: without_secrets(wanted), why, remedy }
}

/// The request without passwords and tokens, which have no place in it but may have been written there.
fn without_secrets(wanted: &str) -> String {
    let hide = |item: &str| match item.split_once('=') {
        Some((key, _)) if ["password", "token", "secret"].contains(&key.trim()) => format!("{key}=***"),
        _ => item.to_owned(),
    };
    wanted.split(',').map(hide).collect::<Vec<_>>().join(",")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
        for list in [
            "redfish:https://root:hunter2@bmc",
            "nvml,redfish:https://root:hunt,er2@bmc/redfish/v1",
            "shelly:admin:hunter2@10.0.0.2,every=1",
            "redfish:https://root:hunt/er2@bmc",
            "tasmota:10.0.0.2,password=hunter2",
            "tasmota:http://10.0.0.2/cm?user=admin&password=hunter2",
            "prometheus:https://p,token=hunter2",
            "redfish:bmc,User=root",
        ] {
            let error = refuse_secrets(list).unwrap_err().to_string();
            assert!(error.contains("credentials=FILE") && error.contains("_PASSWORD"), "{error}");
            assert!(!error.contains("hunt") && !error.contains("er2"), "{error}");
        }
        for list in [
            "auto",
            "redfish:https://bmc/redfish/v1,credentials=me@home",
            "redfish:bmc,ca=a@b.pem",
            "prometheus:http://p,metric=x,match={user=\"a@b\"}",
            "csv:me@home.csv",
            "redfish:bmc,csv:me@home.csv",
        ] {
            assert_eq!(refuse_secrets(list), Ok(()), "{list}");
        }
    }

    #[test]
    fn any_certificate_is_accepted_where_certificates_are_shown_and_the_plan_says_so() {
        let kinds = ["nvml", "redfish:bmc,scope=wall-ac", "prometheus:p,insecure=no", "csv:redfish"].map(str::to_owned);
        let request = PowerRequest::Only { kinds: kinds.to_vec(), assume_watts: None };
        let PowerRequest::Only { kinds, .. } = accepting_any_certificate(request) else { unreachable!() };
        let expected = ["nvml", "redfish:bmc,scope=wall-ac,insecure=yes", "prometheus:p,insecure=no", "csv:redfish"];
        assert_eq!(kinds, expected);
        assert_eq!(accepting_any_certificate(PowerRequest::None), PowerRequest::None);
    }
}
