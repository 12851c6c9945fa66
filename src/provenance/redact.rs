//! Takes host names, user names, home folders, serial numbers and UUIDs out of a record before it is shared.
//!
//! Names become `redacted-` and a short hash, so that two records of one machine still match each other. What surprises
//! people: the hash hides a name from readers, not from someone who can guess it and hash the guess.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::model::{PowerRequest, RunRecord, RunStatus, Verification, Warning};

/// Beginning of every replaced name.
const MARK: &str = "redacted-";

/// Folders whose next component is a user's name, on Linux, macOS and Windows.
const HOMES: [&str; 4] = ["/home/", "/Users/", "\\Users\\", "/export/home/"];

/// Shortest name that is looked for inside free text; shorter ones would hit ordinary words.
const SHORTEST_NAME: usize = 3;

/// The stand-in for a name: `redacted-` and eight hex digits. A name that is one already stays.
pub fn redacted_name(name: &str) -> String {
    if name.starts_with(MARK) {
        return name.to_owned();
    }
    let digest = Sha256::digest(name.as_bytes());
    format!("{MARK}{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
}

/// Names of this machine and user that must not be found in a redacted record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// Host names.
    pub hosts: Vec<String>,
    /// User names.
    pub users: Vec<String>,
    /// Home folder.
    pub home: Option<String>,
}

impl Secrets {
    /// Those of the process that runs.
    pub fn of_this_process() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let host = super::host_below(std::path::Path::new("/")).hostname;
        Self {
            hosts: vec![host],
            users: ["USER", "LOGNAME", "USERNAME", "SUDO_USER"].iter().filter_map(|name| variable(name)).collect(),
            home: variable("HOME").or_else(|| variable("USERPROFILE")),
        }
    }
}

/// The record as it may leave the machine: itself, or a redacted copy where that was asked for.
pub fn redacted(record: &RunRecord, asked: bool) -> Cow<'_, RunRecord> {
    if !asked {
        return Cow::Borrowed(record);
    }
    let mut copy = record.clone();
    redact(&mut copy);
    Cow::Owned(copy)
}

/// Redacts a record in place. Doing it again changes nothing more.
pub fn redact(record: &mut RunRecord) {
    redact_with(record, Secrets::of_this_process());
}

/// Like [`redact`], with given names instead of this process's own.
pub fn redact_with(record: &mut RunRecord, mut secrets: Secrets) {
    secrets.hosts.push(record.provenance.host.hostname.clone());
    secrets.users.extend(users_in(record));
    let mut names: Vec<String> = secrets.hosts.iter().chain(&secrets.users).cloned().collect();
    names.extend(redact_details(record));
    names.extend(meters_of(record));
    names.retain(|name| worth_looking_for(name));
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.dedup();
    let cleaner = Cleaner { names, home: secrets.home };
    record.provenance.host.hostname = redacted_name(&record.provenance.host.hostname);
    redact_run_id(record, &secrets.hosts);
    for text in free_texts(record) {
        *text = cleaner.clean(text);
    }
    record.provenance.redacted = true;
}

/// Names too short, already redacted, or that every machine shares are left alone.
fn worth_looking_for(name: &str) -> bool {
    const SHARED: [&str; 4] = ["root", "localhost", "unknown", "host"];
    name.len() >= SHORTEST_NAME && !name.starts_with(MARK) && !SHARED.contains(&name)
}

/// Replaces serial numbers and UUIDs among the device details, and returns what they were.
fn redact_details(record: &mut RunRecord) -> Vec<String> {
    let mut found = Vec::new();
    for details in record.provenance.device_details.values_mut() {
        for (key, value) in details.iter_mut() {
            let key = key.to_lowercase();
            if ["serial", "uuid", "guid", "part_id"].iter().any(|word| key.contains(word)) {
                found.push(value.clone());
                *value = redacted_name(value);
            }
        }
    }
    found
}

/// The host part of `20260822T101530Z-node07-3f9c`; a run id of another form is cleaned like any text.
fn redact_run_id(record: &mut RunRecord, hosts: &[String]) {
    let id = record.run_id.clone();
    let parts = id.split_once('-').and_then(|(stamp, rest)| Some((stamp, rest.rsplit_once('-')?)));
    if let Some((stamp, (host, tail))) = parts
        && !host.starts_with(MARK)
    {
        // The folder's name holds a shortened, filename-safe host; the same host must give the same stand-in.
        let full = hosts.iter().rev().find(|name| !name.starts_with(MARK)).map_or(host, String::as_str);
        record.run_id = format!("{stamp}-{}-{tail}", redacted_name(full));
    }
}

/// Hosts of the meters that were asked over the network: what stands after `https://` or the kind's colon, up to a port, a
/// path or an option.
fn meters_of(record: &RunRecord) -> Vec<String> {
    const NETWORKED: [&str; 6] = ["redfish", "shelly", "tasmota", "prometheus", "ipmi", "ptdaemon"];
    let PowerRequest::Only { kinds, .. } = &record.plan.power else { return Vec::new() };
    let host = |source: &String| {
        let (kind, target) = source.split_once(':')?;
        let target = target.split_once("://").map_or(target, |(_, rest)| rest);
        let host = target.split(['/', ':', ',']).next().unwrap_or_default();
        NETWORKED.contains(&kind).then(|| host.to_owned())
    };
    kinds.iter().filter_map(host).collect()
}

/// User names that stand in paths of the record.
fn users_in(record: &RunRecord) -> Vec<String> {
    let texts = record.provenance.argv.iter().chain(&record.plan.config_file);
    let texts = texts.chain(record.commands.iter().flat_map(|command| &command.command));
    texts.flat_map(|text| home_spans(text).into_iter().map(|(start, end)| text[start..end].to_owned())).collect()
}

/// Byte ranges of user names that follow a folder of homes.
fn home_spans(text: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    for home in HOMES {
        for (at, _) in text.match_indices(home) {
            let start = at + home.len();
            let length = text[start..].find(['/', '\\', ' ', '"', ':', ',']).unwrap_or(text.len() - start);
            if length > 0 {
                spans.push((start, start + length));
            }
        }
    }
    spans
}

/// Every text of a record in which a name may stand.
fn free_texts(record: &mut RunRecord) -> Vec<&mut String> {
    let mut texts: Vec<&mut String> = record.provenance.argv.iter_mut().collect();
    texts.extend(record.provenance.device_details.values_mut().flat_map(|details| details.values_mut()));
    texts.extend(&mut record.plan.config_file);
    texts
        .extend(record.plan.user_shaders.iter_mut().flat_map(|own| [&mut own.path].into_iter().chain(&mut own.broken)));
    texts.extend(&mut record.plan.account.grid);
    texts.extend(&mut record.plan.account.site);
    if let PowerRequest::Only { kinds, .. } = &mut record.plan.power {
        texts.extend(kinds);
    }
    if let RunStatus::Failed { reason } = &mut record.status {
        texts.push(reason);
    }
    for measurement in &mut record.measurements {
        texts.extend(warning_texts(&mut measurement.warnings));
        if let Verification::Failed { detail, when } = &mut measurement.verification {
            texts.extend([detail, when]);
        }
    }
    for command in &mut record.commands {
        texts.push(&mut command.label);
        texts.extend(command.command.iter_mut());
        texts.extend(command.equivalent.as_mut().map(|case| &mut case.variant));
        texts.extend(warning_texts(&mut command.warnings));
        let work = command.runs.iter_mut().flat_map(|run| &mut run.work);
        texts.extend(work.filter_map(|work| work.pattern.as_mut()));
    }
    texts.extend(record.skips.iter_mut().map(|skip| &mut skip.detail));
    for trace in &mut record.traces {
        texts.extend([&mut trace.source.id, &mut trace.source.note]);
        texts.extend(trace.gaps.iter_mut().map(|gap| &mut gap.reason));
    }
    texts.extend(warning_texts(&mut record.warnings));
    texts
}

fn warning_texts(warnings: &mut [Warning]) -> impl Iterator<Item = &mut String> {
    warnings.iter_mut().map(|warning| &mut warning.text)
}

/// Replaces known names, and anything that looks like a home folder or a GPU's UUID.
struct Cleaner {
    names: Vec<String>,
    home: Option<String>,
}

impl Cleaner {
    fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(home) = self.home.as_deref().filter(|home| home.len() > 1) {
            text = replace_whole(&text, home, "~");
        }
        for name in &self.names {
            text = replace_whole(&text, name, &redacted_name(name));
        }
        let mut spans = home_spans(&text);
        spans.extend(uuid_spans(&text));
        spans.sort_unstable();
        for (start, end) in spans.into_iter().rev() {
            let name = redacted_name(&text[start..end]);
            text.replace_range(start..end, &name);
        }
        text
    }
}

/// Replaces `name` where it stands as a whole word; `gpu` inside `gpu7` stays.
fn replace_whole(text: &str, name: &str, by: &str) -> String {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    for (at, found) in text.match_indices(name) {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        if before.is_some_and(part_of_word) || after.is_some_and(part_of_word) || text[..at].ends_with(MARK) {
            continue;
        }
        out.push_str(&text[rest..at]);
        out.push_str(by);
        rest = at + found.len();
    }
    out.push_str(&text[rest..]);
    out
}

/// Byte ranges of `GPU-` or `MIG-` and a UUID (8-4-4-4-12 hex digits), as NVIDIA writes them, or of the UUID alone.
fn uuid_spans(text: &str) -> Vec<(usize, usize)> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    const LENGTH: usize = 36;
    let bytes = text.as_bytes();
    let is_uuid = |slice: &[u8]| {
        let mut groups = slice.split(|byte| *byte == b'-');
        GROUPS.iter().all(|n| groups.next().is_some_and(|g| g.len() == *n && g.iter().all(u8::is_ascii_hexdigit)))
            && groups.next().is_none()
    };
    let mut spans = Vec::new();
    let mut at = 0;
    while at + LENGTH <= bytes.len() {
        if is_uuid(&bytes[at..at + LENGTH]) {
            let prefixed = at >= 4 && matches!(&bytes[at - 4..at], b"GPU-" | b"MIG-");
            spans.push((if prefixed { at - 4 } else { at }, at + LENGTH));
            at += LENGTH;
        } else {
            at += 1;
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WarningCode;

    fn record() -> RunRecord {
        serde_json::from_str(include_str!("../../tests/fixtures/records/v1.0.json")).unwrap()
    }

    fn nobody() -> Secrets {
        Secrets::default()
    }

    #[test]
    fn no_name_serial_or_home_of_the_golden_record_survives() {
        let mut record = record();
        record.warnings[0].text =
            "node07: GPU-8d7a1c2e-0000-4444-8888-123456789abc of alice (/home/alice/x)".to_owned();
        record.traces[0].source.note = "sensor 1650522012345 on node07.example".to_owned();
        redact_with(&mut record, nobody());
        let text = serde_json::to_string(&record).unwrap();
        for secret in ["node07", "alice", "1650522012345", "8d7a1c2e"] {
            assert!(!text.contains(secret), "{secret} is still there: {text}");
        }
        assert!(record.provenance.redacted);
        assert_eq!(record.provenance.device_details[&0]["vbios"], "96.00.74.00.01", "the rest stays");
    }

    #[test]
    fn one_host_has_one_stand_in_in_name_and_run_id() {
        let mut record = record();
        redact_with(&mut record, nobody());
        let name = redacted_name("node07");
        assert_eq!(record.provenance.host.hostname, name);
        assert_eq!(record.run_id, format!("20260822T101530Z-{name}-3f9c"));
    }

    #[test]
    fn redacting_twice_changes_nothing_more() {
        let mut once = record();
        redact_with(&mut once, nobody());
        let mut twice = once.clone();
        redact_with(&mut twice, nobody());
        assert_eq!(once, twice);
    }

    #[test]
    fn names_of_the_process_are_removed_from_the_command_line_as_whole_words_only() {
        let mut record = record();
        record.provenance.argv =
            ["--site=/srv/bob/site.toml", "bobbin", "/data/h/cfg", "ssh bob@big"].map(str::to_owned).to_vec();
        let secrets =
            Secrets { hosts: vec!["big".to_owned()], users: vec!["bob".to_owned()], home: Some("/data/h".to_owned()) };
        redact_with(&mut record, secrets);
        let (bob, big) = (redacted_name("bob"), redacted_name("big"));
        let expected =
            [format!("--site=/srv/{bob}/site.toml"), "bobbin".into(), "~/cfg".into(), format!("ssh {bob}@{big}")];
        assert_eq!(record.provenance.argv, expected);
    }

    #[test]
    fn the_address_of_a_meter_is_taken_out_of_plan_sources_and_gaps() {
        let mut record = record();
        let kinds = vec!["redfish:https://bmc7.example.org:8443/redfish,ca=ca.pem".to_owned(), "nvml".to_owned()];
        record.plan.power = PowerRequest::Only { kinds, assume_watts: None };
        record.traces[0].source.id = "redfish:bmc7.example.org:8443/1".to_owned();
        record.warnings = vec![Warning { code: WarningCode::Other, text: "bmc7.example.org hangs".to_owned() }];
        redact_with(&mut record, nobody());
        let text = serde_json::to_string(&record).unwrap();
        assert!(!text.contains("bmc7"), "{text}");
        assert!(text.contains("https://redacted-") && text.contains("ca=ca.pem") && text.contains("\"nvml\""));
    }

    #[test]
    fn measured_facts_are_untouched() {
        let (before, mut after) = (record(), record());
        redact_with(&mut after, Secrets { users: vec!["root".to_owned()], ..nobody() });
        assert_eq!(before.measurements, after.measurements);
        assert_eq!(before.traces, after.traces);
        assert_eq!(before.plan.cases, after.plan.cases);
    }
}
