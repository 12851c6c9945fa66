//! What a calibration found of the sensors, as text: a table of profiles, what differs from what a source declares of itself,
//! and gain and offset against a reference.
//!
//! What surprises people: the column `window` holds the time constant of a low-pass filter, which has no window.

use super::ceilings_text::Columns;
use super::number::{MISSING, percent, scaled, significant};
use super::table::wrapped;
use crate::measure::calibrate::LOAD_DETAIL;
use crate::measure::result::calibration::{ChannelFit, ReferenceFit};
use crate::model::{Correction, Quantity, Response, RunRecord, RunStatus, SensorProfile};
use crate::units::Seconds;

/// Two times that differ by less than this are taken as one: what the fit is good for.
const SAME: f64 = 0.1;
/// Part of the polls without a value that is worth a word.
const LOST: f64 = 0.01;
/// Other shapes that are named.
const OTHERS: usize = 2;
/// Columns of a label above the tables.
const LABEL: usize = 13;
/// Parts that hold the channels' name, so that other lines have their cells.
const INDENT: &str = "  ";

/// One word for a response.
pub fn shape(response: Response) -> &'static str {
    match response {
        Response::Instant => "instant",
        Response::Boxcar { .. } => "boxcar",
        Response::PartTime { .. } => "part-time",
        Response::LowPass { .. } => "low-pass",
        Response::Counter => "counter",
    }
}

/// Window or time constant of a response.
fn length(response: Response) -> Option<Seconds> {
    match response {
        Response::Instant | Response::Counter => None,
        Response::Boxcar { window_s } | Response::PartTime { window_s } => Some(window_s),
        Response::LowPass { time_constant_s } => Some(time_constant_s),
    }
}

fn time(seconds: Option<Seconds>) -> String {
    // Rounded first, so that 0.9999 s is one second and not 1000 ms.
    let rounded = |seconds: Seconds| format!("{:.2e}", seconds.get()).parse().unwrap_or(seconds.get());
    seconds.map_or_else(|| MISSING.to_owned(), |seconds| scaled(rounded(seconds), "s"))
}

/// A profile in words: `100 ms updates, part-time 25.0 ms (25% seen), delay 8.00 ms`.
pub fn profile_in_words(profile: &SensorProfile) -> String {
    let updates = time(Some(profile.update_period_s));
    let length = length(profile.response).map(|length| format!(" {}", time(Some(length)))).unwrap_or_default();
    let seen = if profile.coverage.get() < 1.0 - SAME {
        format!(" ({} seen)", percent(profile.coverage.get()))
    } else {
        String::new()
    };
    format!("{updates} updates, {}{length}{seen}, delay {}", shape(profile.response), time(Some(profile.delay_s)))
}

/// A correction in words: `gain 0.950, offset -20.0 W against csv:meter/power`.
pub fn correction_in_words(correction: &Correction) -> String {
    format!(
        "gain {}, offset {} W against {}",
        significant(correction.gain),
        significant(correction.offset_w.get()),
        correction.against
    )
}

/// What is known of the sensors of a run, a sentence each: when they were calibrated, and what corrects them.
pub(super) fn known_sensors(record: &RunRecord) -> Vec<String> {
    let channels = record.traces.iter().flat_map(|trace| trace.source.channels.iter().map(move |own| (trace, own)));
    let known = channels.filter_map(|(trace, channel)| {
        let day = |measured: &str| measured.split('T').next().unwrap_or(measured).to_owned();
        let profile = channel
            .profile
            .as_ref()
            .map(|found| format!("calibrated {}: {}", day(&found.measured), profile_in_words(found)));
        let correction = channel.correction.as_ref().map(|found| {
            let error = percent(found.error.get());
            format!("corrected by {} (found {}, ±{error})", correction_in_words(found), day(&found.measured))
        });
        let parts: Vec<String> = profile.into_iter().chain(correction).collect();
        (!parts.is_empty()).then(|| format!("{}/{} {}", trace.source.id, channel.id, parts.join("; ")))
    });
    known.collect()
}

/// The whole text, as wide as `width` columns.
pub fn calibration_text(
    record: &RunRecord,
    channels: &[ChannelFit<'_>],
    references: &[ReferenceFit<'_>],
    width: usize,
) -> String {
    let mut text = head(record, width);
    if !channels.is_empty() {
        text.push('\n');
        text.push_str(&profiles(channels, width));
    }
    let news: Vec<String> = channels.iter().filter_map(news).collect();
    if !news.is_empty() {
        text.push_str("\nOther than the source declares\n");
        text.push_str(&list(&news, width));
    }
    if !references.is_empty() {
        text.push('\n');
        text.push_str(&gains(references, width));
    }
    text
}

/// A label and a text that wraps below itself.
fn line(label: &str, text: &str, width: usize) -> String {
    let parts = wrapped(text, width.saturating_sub(LABEL).max(24));
    format!("{label:<LABEL$}{}\n", parts.join(&format!("\n{:LABEL$}", "")))
}

fn head(record: &RunRecord, width: usize) -> String {
    let mut text = line("calibration", &record.run_id, width);
    for calibration in &record.calibrations {
        let device = record.device(calibration.device).map_or("unknown device", |device| device.name.as_str());
        let periods = || calibration.waves.iter().map(|wave| wave.period_s.get());
        let (least, most) = (periods().fold(f64::INFINITY, f64::min), periods().fold(0.0, f64::max));
        let waves = match calibration.waves.len() {
            0 => "no wave".to_owned(),
            1 => format!("a square wave of {}", scaled(most, "s")),
            count => format!("{count} square waves of {} to {}", scaled(least, "s"), scaled(most, "s")),
        };
        text.push_str(&line(&format!("device {}", calibration.device), &format!("{device}, {waves}"), width));
        let details = record.provenance.device_details.get(&calibration.device);
        if let Some(load) = details.and_then(|details| details.get(LOAD_DETAIL)) {
            text.push_str(&line("load", load, width));
        }
    }
    if record.simulated {
        text.push_str(&line("simulated", "times and power are scripted; no hardware was measured", width));
    }
    match &record.status {
        RunStatus::Complete => {}
        RunStatus::Running => text.push_str(&line("status", "the calibration had not ended", width)),
        RunStatus::Interrupted => text.push_str(&line("status", "interrupted; this is what there was", width)),
        RunStatus::Failed { reason } => text.push_str(&line("status", &format!("failed: {reason}"), width)),
    }
    text
}

fn profiles(channels: &[ChannelFit<'_>], width: usize) -> String {
    let mut table = Columns { left: 1, lines: Vec::new() };
    let head = ["sensor", "updates every", "window", "response", "delay", "seen", "residual", "updates"];
    table.cells(head.map(str::to_owned).into());
    let mut source = "";
    for fit in channels {
        if fit.trace.source.id != source {
            source = &fit.trace.source.id;
            table.cells(vec![source.to_owned()]);
        }
        let name = format!("{INDENT}{}", fit.channel.id);
        match &fit.outcome {
            Err(error) => table.note(vec![name], error.to_string()),
            Ok(found) => {
                let SensorProfile { response, update_period_s, delay_s, coverage, residual, .. } = &found.profile;
                table.cells(vec![
                    name,
                    time(Some(*update_period_s)),
                    time(length(*response)),
                    shape(*response).to_owned(),
                    time(Some(*delay_s)),
                    percent(coverage.get()),
                    percent(residual.get()),
                    found.updates.to_string(),
                ]);
                if fit.channel.update_period_s.is_some() || fit.channel.averaging_window_s.is_some() {
                    let (period, window) = (fit.channel.update_period_s, fit.channel.averaging_window_s);
                    table.cells(vec![format!("{INDENT}{INDENT}declared"), time(period), time(window)]);
                }
                let others = found.alternatives.iter().filter(|other| other.response != *response);
                for other in others.take(OTHERS) {
                    let blank = String::new;
                    table.cells(vec![
                        format!("{INDENT}{INDENT}other shape"),
                        blank(),
                        time(length(other.response)),
                        shape(other.response).to_owned(),
                        time(Some(other.delay_s)),
                        blank(),
                        percent(other.residual.get()),
                    ]);
                }
            }
        }
        let lost = fit.lost as f64 / fit.polls.max(1) as f64;
        if lost > LOST {
            let text = format!(
                "{} of {} polls gave no value; if the sensor does not bear this cadence, poll it slower (--sampler-hz)",
                percent(lost),
                fit.polls
            );
            table.note(vec![format!("{INDENT}{INDENT}polls")], text);
        }
    }
    table.text(width)
}

/// In what a channel differs from what its source declares of it.
fn news(fit: &ChannelFit<'_>) -> Option<String> {
    let found = &fit.outcome.as_ref().ok()?.profile;
    let differ = |found: Option<Seconds>, declared: Option<Seconds>| match (found, declared) {
        (Some(found), Some(declared)) => (found / declared - 1.0).abs() > SAME,
        (found, declared) => found.is_some() != declared.is_some(),
    };
    let silent = fit.channel.update_period_s.is_none() && fit.channel.averaging_window_s.is_none();
    if silent && fit.channel.quantity != Quantity::InstantPower {
        return None;
    }
    let mut parts = Vec::new();
    let (period, window) = (fit.channel.update_period_s, fit.channel.averaging_window_s);
    if period.is_some() && differ(Some(found.update_period_s), period) {
        parts.push(format!("it updates every {}, not every {}", time(Some(found.update_period_s)), time(period)));
    }
    let seen = length(found.response);
    if window.is_some() && differ(seen, window) {
        parts.push(match seen {
            Some(seen) => format!(
                "its response is {} {}, not a mean over {}",
                shape(found.response),
                time(Some(seen)),
                time(window)
            ),
            None => format!("its response is {}, not a mean over {}", shape(found.response), time(window)),
        });
    }
    if window.is_none() && seen.is_some() {
        let silent = if silent { ", of which the source says nothing" } else { "" };
        parts.push(format!("its response is {} {}{silent}", shape(found.response), time(seen)));
    }
    (!parts.is_empty()).then(|| format!("{}/{}: {}", fit.trace.source.id, fit.channel.id, parts.join("; ")))
}

fn list(lines: &[String], width: usize) -> String {
    let mut text = String::new();
    for line in lines {
        for (index, part) in wrapped(line, width.saturating_sub(4).max(24)).iter().enumerate() {
            text.push_str(&format!("{}{part}\n", if index == 0 { INDENT } else { "    " }));
        }
    }
    text
}

fn gains(references: &[ReferenceFit<'_>], width: usize) -> String {
    let mut table = Columns { left: 1, lines: Vec::new() };
    let head = ["sensor", "gain", "offset", "error", "lag", "correlation", "scatter", "points"];
    table.cells(head.map(str::to_owned).into());
    let mut notes = Vec::new();
    let mut source = "";
    for fit in references {
        if fit.trace.source.id != source {
            source = &fit.trace.source.id;
            table.cells(vec![source.to_owned()]);
        }
        let name = format!("{INDENT}{}", fit.channel.id);
        match &fit.outcome {
            Err(error) => table.note(vec![name], error.to_string()),
            Ok(found) => {
                let correction = &found.correction;
                table.cells(vec![
                    name,
                    format!("{:.3}", correction.gain),
                    format!("{:.1} W", correction.offset_w.get()),
                    format!("±{}", percent(correction.error.get())),
                    time(Some(found.lag_s)),
                    format!("{:.3}", found.correlation.get()),
                    format!("{:.1} W", found.residual_w.get()),
                    found.points.to_string(),
                ]);
                let scope = correction.scope_note.iter().map(|note| format!("{}: {note}", fit.channel.id));
                notes.extend(scope.filter(|note| !notes.contains(note)).collect::<Vec<_>>());
            }
        }
    }
    let against = references.iter().find_map(|fit| fit.outcome.as_ref().ok()).map(|found| &found.correction.against);
    let title = against.map(|against| format!("Against {against}: reading = gain · reference + offset\n"));
    format!("{}{}{}", title.unwrap_or_default(), table.text(width), list(&notes, width))
}
