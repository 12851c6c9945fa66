//! `--power` and what belongs to it: the same flags for every command that reads sensors.

use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::cli::bench::TestBench;
use crate::cli::profiles::{self, ProfileArgs};
use crate::model::{Device, PowerRequest};
use crate::power::sources::options;
use crate::power::sources::scripted::open_scripts;
use crate::power::{self, Findings};
use crate::units::Watts;

/// Which sensors a command reads.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PowerArgs {
    /// Power sources: auto, none, or a list such as nvml,rapl or csv:meter.csv,scope=wall-ac.
    #[arg(long, value_name = "SOURCES")]
    pub power: Option<String>,
    /// Watts to assume where no sensor answers; figures are then marked as declared.
    #[arg(long, value_name = "WATTS", allow_negative_numbers = true)]
    pub assume_watts: Option<f64>,
    /// Accept any certificate of the sources over HTTPS (as insecure=yes does for one of them).
    #[arg(long)]
    pub insecure: bool,
    /// What calibrations found.
    #[command(flatten)]
    pub profiles: ProfileArgs,
    /// Folder below which sensors are read.
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub sensor_root: PathBuf,
}

impl PowerArgs {
    /// What was asked for.
    pub fn request(&self) -> anyhow::Result<PowerRequest> {
        let request = request(self.power.as_deref(), self.assume_watts, "--assume-watts")?;
        Ok(if self.insecure { power::accepting_any_certificate(request) } else { request })
    }

    /// Opens what was asked for.
    pub fn open(&self, devices: &[Device], bench: &TestBench) -> anyhow::Result<Findings> {
        open_known(&self.request()?, devices, bench, &self.sensor_root, &self.profiles)
    }
}

/// What a list of sources means; `watts_name` is how a message names the declared watts.
pub fn request(list: Option<&str>, watts: Option<f64>, watts_name: &str) -> anyhow::Result<PowerRequest> {
    if let Some(watts) = watts.filter(|watts| !(watts.is_finite() && *watts > 0.0)) {
        return Err(Failure::usage(format!("{watts_name} is {watts}: it must be a positive number of watts")).into());
    }
    let assume_watts = watts.map(Watts::new);
    // Before anything is stored or printed: the plan, which the record keeps, holds the list as it was given.
    power::refuse_secrets(list.unwrap_or_default()).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(match list.map_or("auto", str::trim) {
        "auto" => PowerRequest::Auto { assume_watts },
        "none" => PowerRequest::None,
        list => PowerRequest::Only { kinds: split_sources(list), assume_watts },
    })
}

/// Splits `nvml,csv:m.csv,scope=wall-ac,rapl` into sources: an item with `=` belongs to the source before it, unless a
/// colon before the `=` begins another.
fn split_sources(list: &str) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for item in options::split(list).into_iter().map(str::trim).filter(|item| !item.is_empty()) {
        match kinds.last_mut() {
            Some(last) if last.contains(':') && item.split_once('=').is_some_and(|(key, _)| !key.contains(':')) => {
                last.push(',');
                last.push_str(item);
            }
            _ => kinds.push(item.to_owned()),
        }
    }
    kinds
}

/// Opens power sources and tells them what calibrations found of them; see [`profiles::apply`].
pub fn open_known(
    request: &PowerRequest,
    devices: &[Device],
    bench: &TestBench,
    root: &Path,
    args: &ProfileArgs,
) -> anyhow::Result<Findings> {
    let Findings { sources, obstacles } = open(request, devices, bench, root)?;
    let sources = profiles::apply(sources, devices, bench.machine().is_simulated(), args);
    Ok(Findings { sources, obstacles })
}

/// Opens power sources as they describe themselves; in a simulation, the scripted ones stand for all sensors under `auto`.
pub fn open(request: &PowerRequest, devices: &[Device], bench: &TestBench, root: &Path) -> anyhow::Result<Findings> {
    let context = bench.probe_context(devices.to_vec(), root);
    if let (Some(simulation), PowerRequest::Auto { .. }) = (bench.simulation(), request) {
        return Ok(open_scripts(&simulation.power, &context));
    }
    power::open(request, &context).map_err(|error| Failure::usage(error.to_string()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_sources_keeps_their_options_together() {
        assert_eq!(split_sources("nvml,csv:m.csv,scope=wall-ac,rapl"), ["nvml", "csv:m.csv,scope=wall-ac", "rapl"]);
        assert_eq!(
            split_sources("csv:m.csv,stdin:wall=wall-ac,gpu=board"),
            ["csv:m.csv", "stdin:wall=wall-ac,gpu=board"]
        );
        assert_eq!(split_sources(""), [""; 0]);
        let query = r#"prometheus:http://p:9090,query=sum by (a, b) (x{c="d",e="f"}),scope=board"#;
        assert_eq!(split_sources(&format!("nvml,{query},rapl")), ["nvml", query, "rapl"]);
    }
}
