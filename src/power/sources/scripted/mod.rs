//! A sensor that follows a script: exact joules for tests, and every way in which a real sensor fails or falls short.
//!
//! It feels what a simulated device does through [`Activity`](crate::clock::Activity), or draws idle power when there is
//! none. `script` says what can be scripted, `flow` knows power and energy at any instant, `sensor` turns them into
//! readings, and [`trace`] polls one without a clock. What surprises people: energy is integrated analytically over the
//! activity, not over the polls, so a counter is exact at any cadence; and power that flows in an interval is the
//! script's, not the device's.

mod flow;
mod replay;
mod script;
mod sensor;

use serde::Deserialize;

use crate::power::{Findings, Obstacle, Probe, ProbeContext};

pub use replay::{Polling, activity_of, trace};
pub use script::{BusyPower, Frozen, PowerScript, ThrottleCause, ThrottleStretch};
use sensor::Scripted;

/// The probe behind `--power scripted:FILE`; FILE is TOML with one `[[power]]` table per sensor.
pub const PROBE: Probe = Probe {
    kind: "scripted",
    summary: "a sensor that follows a script, for tests and simulated devices (`--power scripted:FILE`)",
    automatic: false,
    open,
};

#[derive(Deserialize)]
struct ScriptFile {
    #[serde(default)]
    power: Vec<PowerScript>,
}

fn open(context: &ProbeContext) -> Findings {
    let Some(file) = &context.argument else { return Findings::default() };
    let scripts = std::fs::read_to_string(file)
        .map_err(|error| error.to_string())
        .and_then(|text| toml::from_str::<ScriptFile>(&text).map_err(|error| error.to_string()));
    match scripts {
        Ok(scripts) => open_scripts(&scripts.power, context),
        Err(why) => {
            let remedy = "name a TOML file with one `[[power]]` table per sensor".to_owned();
            Findings { sources: Vec::new(), obstacles: vec![Obstacle { what: file.clone(), why, remedy }] }
        }
    }
}

/// Sensors that follow the given scripts; those that are denied or contradict themselves become obstacles.
pub fn open_scripts(scripts: &[PowerScript], context: &ProbeContext) -> Findings {
    let mut findings = Findings::default();
    for (index, script) in scripts.iter().enumerate() {
        let what = format!("scripted:{index}");
        if let Some(why) = script.fault() {
            let remedy = "correct the script".to_owned();
            findings.obstacles.push(Obstacle { what, why, remedy });
        } else if script.deny {
            let (why, remedy) = ("permission denied".to_owned(), "remove `deny` from the script".to_owned());
            findings.obstacles.push(Obstacle { what, why, remedy });
        } else {
            let activity = context.activity.clone().unwrap_or_default();
            findings.sources.push(Box::new(Scripted::new(what, script.clone(), activity)));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
