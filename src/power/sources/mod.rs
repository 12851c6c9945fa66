//! Every kind of power source, one file each; what they share lies in `options`, `sysfs`, `unwrap`,
//! `gpu_metrics` and, for services over HTTP, in `http`, `login` and `web`.
//! Every kind of power source, one file each; what they share lies in `options`, `sysfs`, `unwrap`, `gpu_metrics`, `command`
//! and `stamped`.
//!
//! To add one, write a file that exports a [`Probe`] and add one line to [`PROBES`]. What surprises people: a source of a
//! kind that needs a file, an address or a program answers only when `--power` names it.

pub mod amdgpu;
pub mod apple_powermetrics;
mod command;
pub mod estimate;
mod gpu_metrics;
pub mod grace_hwmon;
mod http;
pub mod intel_hwmon;
pub mod ipmi;
pub mod jetson_ina3221;
mod login;
pub mod meter_csv;
mod meter_format;
pub mod nvml;
pub(crate) mod options;
pub mod prometheus;
pub mod ptdaemon;
pub mod rapl;
pub mod redfish;
pub mod scripted;
pub mod shelly;
mod stamped;
pub mod stdin;
mod stdin_names;
mod sysfs;
pub mod tasmota;
mod unwrap;
mod web;

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
    &ipmi::PROBE,
    &ptdaemon::PROBE,
    &meter_csv::PROBE,
    &redfish::PROBE,
    &shelly::PROBE,
    &tasmota::PROBE,
    &prometheus::PROBE,
    &stdin::PROBE,
    &scripted::PROBE,
    &estimate::PROBE,
];
