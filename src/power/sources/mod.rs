//! Every kind of power source, one file each; what they share lies in `options`, `sysfs`, `unwrap` and `gpu_metrics`.
//!
//! To add one, write a file that exports a [`Probe`] and add one line to [`PROBES`]. What surprises people: a source of a
//! kind that needs a file, an address or a program answers only when `--power` names it.

pub mod amdgpu;
pub mod apple_powermetrics;
pub mod estimate;
mod gpu_metrics;
pub mod grace_hwmon;
pub mod intel_hwmon;
pub mod jetson_ina3221;
pub mod meter_csv;
pub mod nvml;
pub(crate) mod options;
pub mod rapl;
pub mod scripted;
mod sysfs;
mod unwrap;

use super::Probe;

/// Every kind of power source, in order of preference under `--power auto`.
pub const PROBES: &[&Probe] = &[
    &nvml::PROBE,
    &amdgpu::PROBE,
    &intel_hwmon::PROBE,
    &apple_powermetrics::PROBE,
    &grace_hwmon::PROBE,
    &jetson_ina3221::PROBE,
    &rapl::PROBE,
    &meter_csv::PROBE,
    &scripted::PROBE,
    &estimate::PROBE,
];
