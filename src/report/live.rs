//! What sensors say right now, as a block of lines that is drawn over and over, and as tidy rows.
//!
//! What surprises people: watts of different scopes stand in one list, each with its scope, and are never added.

use super::number::{MISSING, scaled};
use crate::measure::live::{Live, LivePower, LiveState};
use crate::measure::result::reasons;
use crate::model::{Device, Evidence, Quantity};
use crate::units::{Seconds, Watts};

/// Steps of the small chart.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Width of the text before the small chart.
const TEXT_WIDTH: usize = 84;
/// Longest source identifier that is shown whole.
const NAME_WIDTH: usize = 30;
/// The block for a terminal of `width` columns.
pub fn live_table(live: &Live, devices: &[Device], width: usize) -> String {
    let mut text = format!("wattmark watch   {}   Ctrl-C ends\n", clock_text(live.elapsed()));
    let mut owners: Vec<Option<u32>> = live.powers().iter().map(|power| power.device).collect();
    owners.extend(live.states().iter().map(|state| state.device));
    owners.sort_by_key(|owner| owner.unwrap_or(u32::MAX));
    owners.dedup();
    for owner in owners {
        text.push('\n');
        text.push_str(&cut(&heading(live, devices, owner), width));
        text.push('\n');
        let powers: Vec<&LivePower> = live.powers().iter().filter(|power| power.device == owner).collect();
        if !powers.is_empty() {
            text.push_str(&cut(&head_line(), width));
            text.push('\n');
        }
        for power in powers {
            text.push_str(&cut(&power_line(power, width), width));
            text.push('\n');
            if let Some(gap) = &power.gap {
                text.push_str(&cut(&format!("    no reading: {gap}"), width));
                text.push('\n');
            }
        }
        for state in live.states().iter().filter(|state| state.device == owner) {
            if let Some(gap) = &state.gap {
                text.push_str(&cut(&format!("    {}: no reading: {gap}", state.source), width));
                text.push('\n');
            }
        }
    }
    if live.powers().iter().any(|power| power.evidence != Evidence::Measured) {
        text.push_str("\n≈ declared or estimated, not measured\n");
    }
    text
}

/// Hours, minutes and seconds.
fn clock_text(elapsed: Seconds) -> String {
    let seconds = elapsed.get().round() as u64;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The device's name and what it says of itself: `GPU 0 NVIDIA H200   66 °C   core 1980 MHz`.
fn heading(live: &Live, devices: &[Device], owner: Option<u32>) -> String {
    let Some(ordinal) = owner else { return "host".to_owned() };
    let name = devices.iter().find(|device| device.ordinal == ordinal).map_or("", |device| device.name.as_str());
    let states: Vec<&LiveState> = live.states().iter().filter(|state| state.device == owner).collect();
    let read = |quantity: Quantity| {
        states.iter().flat_map(|state| &state.readings).find(|(known, _)| *known == quantity).map(|(_, value)| *value)
    };
    let mut parts = vec![format!("device {ordinal}  {name}")];
    parts.extend(read(Quantity::Temperature).map(|celsius| format!("{celsius:.0} °C")));
    parts.extend(read(Quantity::CoreClock).map(|hertz| format!("core {:.0} MHz", hertz / 1e6)));
    parts.extend(read(Quantity::MemoryClock).map(|hertz| format!("memory {:.0} MHz", hertz / 1e6)));
    parts.extend(read(Quantity::Utilisation).map(|ratio| format!("{:.0} % busy", ratio * 100.0)));
    let drawn = live.powers().iter().find(|power| power.device == owner).and_then(|power| power.now);
    parts.extend(read(Quantity::PowerLimit).map(|limit| match drawn {
        Some(watts) => format!("{:.0} % of {limit:.0} W", 100.0 * watts.get() / limit),
        None => format!("limit {limit:.0} W"),
    }));
    parts.extend(read(Quantity::ProcessCount).map(|count| match count {
        1.0 => "1 process".to_owned(),
        _ => format!("{count:.0} processes"),
    }));
    parts.extend(states.iter().find_map(|state| held_down(state)));
    // Counters that stand at 0 are no news, and mended errors and repeated packets happen to sound boards.
    for (quantity, name) in
        [(Quantity::EccUncorrected, "uncorrected memory errors"), (Quantity::DriverErrors, "driver errors")]
    {
        parts.extend(read(quantity).filter(|count| *count > 0.0).map(|count| format!("{name}: {count:.0}")));
    }
    parts.join("   ")
}

/// Why clocks are held down; `None` if they are not, or if the source's bits are not known.
fn held_down(state: &LiveState) -> Option<String> {
    let (_, mask) = state.readings.iter().find(|(quantity, _)| *quantity == Quantity::ThrottleReasons)?;
    let known = reasons(&state.kind)?;
    let names: Vec<&str> =
        known.iter().filter(|reason| *mask as u64 & reason.bits != 0).map(|reason| reason.name).collect();
    (!names.is_empty()).then(|| format!("held down: {}", names.join(", ")))
}

fn head_line() -> String {
    format!(
        "  {:<NAME_WIDTH$} {:<8} {:>8} {:>8} {:>8} {:>8}   {:>9}  last minute",
        "source", "scope", "now W", "mean W", "low W", "high W", "energy"
    )
}

fn power_line(power: &LivePower, width: usize) -> String {
    let mark = power.evidence.mark();
    let watts = |value: Option<Watts>| {
        value.map_or(MISSING.to_owned(), |watts| format!("{mark}{}", super::number::significant(watts.get())))
    };
    let energy = if power.covered.get() > 0.0 {
        format!("{mark}{}", scaled(power.energy.get(), "J"))
    } else {
        MISSING.to_owned()
    };
    let room = width.saturating_sub(TEXT_WIDTH).min(crate::measure::live::HISTORY);
    format!(
        "  {:<NAME_WIDTH$} {:<8} {:>8} {:>8} {:>8} {:>8}   {energy:>9}  {}",
        cut(&power.source, NAME_WIDTH),
        power.scope.to_string(),
        watts(power.now),
        watts(power.mean),
        watts(power.low),
        watts(power.high),
        bars(power, room)
    )
}

/// The last intervals from 0 W to the highest, a space where nothing was read.
fn bars(power: &LivePower, room: usize) -> String {
    let top = power.high.map_or(0.0, Watts::get);
    let bar = |watts: &Option<Watts>| match watts {
        Some(watts) if top > 0.0 => {
            let step = (watts.get() / top * BARS.len() as f64).ceil() as usize;
            BARS[step.clamp(1, BARS.len()) - 1]
        }
        _ => ' ',
    };
    let skipped = power.history.len().saturating_sub(room);
    power.history.iter().skip(skipped).map(bar).collect()
}

/// A line no longer than `width` characters, an ellipsis at its end if it was cut.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Head of the tidy rows.
pub const LIVE_ROWS_HEAD: &str = "utc,elapsed_s,source,device,scope,evidence,quantity,value,unit";

/// One tidy row for each figure; a missing one has an empty value.
pub fn live_rows(live: &Live, utc: &str) -> String {
    let mut text = String::new();
    let elapsed = live.elapsed().get();
    let device = |ordinal: Option<u32>| ordinal.map_or("host".to_owned(), |ordinal| ordinal.to_string());
    let evidence = |evidence: Evidence| evidence.to_string();
    for power in live.powers() {
        let figures = [
            ("power", power.now.map(Watts::get), "W"),
            ("mean-power", power.mean.map(Watts::get), "W"),
            ("energy", (power.covered.get() > 0.0).then(|| power.energy.get()), "J"),
            ("covered-time", Some(power.covered.get()), "s"),
        ];
        let (source, scope) = (quoted(&power.source), word(&power.scope));
        for (quantity, value, unit) in figures {
            let value = value.map_or_else(String::new, |value| value.to_string());
            text.push_str(&format!(
                "{utc},{elapsed:.3},{source},{},{scope},{},{quantity},{value},{unit}\n",
                device(power.device),
                evidence(power.evidence)
            ));
        }
    }
    for state in live.states() {
        let source = quoted(&state.source);
        for (quantity, value) in &state.readings {
            let name = word(quantity);
            let (device, unit) = (device(state.device), quantity.unit());
            text.push_str(&format!("{utc},{elapsed:.3},{source},{device},,measured,{name},{value},{unit}\n"));
        }
    }
    text
}

/// The word that stands for a value in records.
fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|json| json.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A cell that may hold commas.
fn quoted(text: &str) -> String {
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_time_reads_as_a_clock() {
        assert_eq!(clock_text(Seconds::new(86_399.6)), "24:00:00");
        assert_eq!(clock_text(Seconds::new(61.2)), "00:01:01");
    }

    #[test]
    fn choices_of_clocks_are_no_throttling() {
        let state = |kind: &str, mask: u64| LiveState {
            source: "board".to_owned(),
            kind: kind.to_owned(),
            device: Some(0),
            readings: vec![(Quantity::ThrottleReasons, mask as f64)],
            gap: None,
        };
        assert_eq!(held_down(&state("nvml", 0x1 | 0x2 | 0x100)), None);
        assert_eq!(held_down(&state("nvml", 0x4 | 0x40)).unwrap(), "held down: power cap, hardware thermal");
        assert_eq!(held_down(&state("of another maker", 0x4)), None);
    }

    #[test]
    fn a_line_is_cut_with_an_ellipsis_and_a_cell_with_a_comma_is_quoted() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("°°", 2), "°°");
        assert_eq!(quoted("a,b"), "\"a,b\"");
    }
}
