//! What a simulated device is: its description, its rates and its faults, as read from a scenario file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::FaultScript;
use crate::gpu::Program;
use crate::model::{CooperativeShape, Device, DeviceKind, DeviceLimits, Feature, PciAddress, SubgroupRange};
use crate::names;
use crate::units::{BytesPerSecond, FlopPerSecond, Seconds};

/// A simulated device. Only the name and the rates need to be given.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceScript {
    /// Marketing name.
    pub name: String,
    /// Kind of device it plays.
    #[serde(default = "default_kind")]
    pub kind: DeviceKind,
    /// PCI address.
    #[serde(default)]
    pub pci: Option<PciAddress>,
    /// PCI vendor identifier.
    #[serde(default)]
    pub vendor_id: u32,
    /// PCI device identifier.
    #[serde(default)]
    pub device_id: u32,
    /// Driver version and build.
    #[serde(default)]
    pub driver_info: String,
    /// Optional abilities; without `timestamps` its runs have no device time.
    #[serde(default = "default_features")]
    pub features: Vec<Feature>,
    /// Memory in bytes; a program that needs more is out of memory.
    #[serde(default = "default_memory")]
    pub memory_bytes: u64,
    /// Limits.
    #[serde(default = "default_limits")]
    pub limits: DeviceLimits,
    /// Time in seconds that each run waits before its pass begins; the device is idle in it.
    #[serde(default)]
    pub overhead_s: Seconds,
    /// Time in seconds of a submission without work.
    #[serde(default = "default_launch")]
    pub launch_s: Seconds,
    /// Time in seconds that each empty dispatch adds to it.
    #[serde(default = "default_dispatch")]
    pub dispatch_s: Seconds,
    /// Bandwidth from host to device, after the time of a submission.
    #[serde(default = "default_transfer")]
    pub upload_bytes_per_s: BytesPerSecond,
    /// Bandwidth from device to host, after the time of a submission.
    #[serde(default = "default_transfer")]
    pub download_bytes_per_s: BytesPerSecond,
    /// Matrices that its matrix units multiply.
    #[serde(default)]
    pub cooperative: Vec<CooperativeShape>,
    /// How fast it runs variants. The most specific entry counts: the first whose parameters fit as well, then an exact
    /// name, then the first pattern that matches.
    pub rates: Vec<RateScript>,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Vec<FaultScript>,
}

fn default_launch() -> Seconds {
    Seconds::new(40e-6)
}
fn default_dispatch() -> Seconds {
    Seconds::new(2e-6)
}
/// About what a PCIe link of the fourth generation with sixteen lanes moves.
fn default_transfer() -> BytesPerSecond {
    BytesPerSecond::new(25e9)
}
fn default_kind() -> DeviceKind {
    DeviceKind::Simulated
}
fn default_features() -> Vec<Feature> {
    vec![Feature::F16, Feature::Subgroup, Feature::Timestamps]
}
/// 80 GB, the memory of a common accelerator.
fn default_memory() -> u64 {
    80_000_000_000
}
/// The limits that wgpu reports for a current discrete GPU.
fn default_limits() -> DeviceLimits {
    DeviceLimits {
        max_buffer_bytes: 1 << 40,
        max_binding_bytes: (1 << 31) - 4,
        max_workgroup_memory_bytes: 48 << 10,
        max_invocations_per_workgroup: 1024,
        max_workgroup_size: [1024, 1024, 64],
        max_workgroups_per_dimension: 65535,
        max_storage_buffers: 64,
    }
}

impl DeviceScript {
    /// A device with every default, one rate for all variants and no faults.
    pub fn new(name: &str, rate: Rate) -> Self {
        Self {
            name: name.to_owned(),
            kind: default_kind(),
            pci: None,
            vendor_id: 0,
            device_id: 0,
            driver_info: String::new(),
            features: default_features(),
            memory_bytes: default_memory(),
            limits: default_limits(),
            overhead_s: Seconds::new(0.0),
            launch_s: default_launch(),
            dispatch_s: default_dispatch(),
            upload_bytes_per_s: default_transfer(),
            download_bytes_per_s: default_transfer(),
            cooperative: Vec::new(),
            rates: vec![RateScript { variant: "*".to_owned(), params: BTreeMap::new(), rate }],
            faults: Vec::new(),
        }
    }

    /// The device that this script plays.
    pub(super) fn device(&self, ordinal: u32) -> Device {
        let features = self.features.iter().copied().collect();
        let timed = self.features.contains(&Feature::Timestamps);
        Device {
            ordinal,
            name: self.name.clone(),
            vendor_id: self.vendor_id,
            device_id: self.device_id,
            kind: self.kind,
            backend: "simulated".to_owned(),
            driver: "scripted".to_owned(),
            driver_info: self.driver_info.clone(),
            // Scripts may spell the address in any way that is read elsewhere.
            pci: self.pci.as_ref().map(|pci| pci.as_str().parse().unwrap_or_else(|_| pci.clone())),
            subgroup: SubgroupRange { min: 32, max: 32 },
            features,
            limits: self.limits.clone(),
            timestamp_period_ns: timed.then_some(1.0),
            cooperative: self.cooperative.clone(),
        }
    }

    /// Time of one dispatch of a program; `None` if no rate matches its variant.
    pub(super) fn dispatch_time(&self, program: &Program) -> Option<Seconds> {
        let variant = program.case.variant.as_str();
        let fits = |rate: &&RateScript| {
            let same = |(name, value): (&String, &u64)| program.case.params.get(name) == Some(value);
            !rate.params.is_empty() && names::matches(&rate.variant, variant) && rate.params.iter().all(same)
        };
        let plain = || self.rates.iter().filter(|rate| rate.params.is_empty());
        let tuned = self.rates.iter().find(fits);
        let exact = tuned.or_else(|| plain().find(|rate| rate.variant == variant));
        let rate = exact.or_else(|| plain().find(|rate| names::matches(&rate.variant, variant)))?;
        let work = &program.case.work;
        Some(match rate.rate {
            Rate::SecondsPerDispatch(time) => time,
            // Work without an operation takes as if each byte were one.
            Rate::FlopPerSecond(rate) if work.flop.get() == 0.0 => Seconds::new(work.bytes.get() / rate.get()),
            Rate::FlopPerSecond(rate) => Seconds::new(work.flop.get() / rate.get()),
            Rate::BytesPerSecond(rate) => Seconds::new(work.bytes.get() / rate.get()),
        })
    }
}

/// How fast variants run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "RateFields")]
pub struct RateScript {
    /// Variant, with `*` for any run of characters and `?` for any one (`gemm/*`).
    pub variant: String,
    /// Parameters with which it runs at this rate; whatever they are, if none is given.
    pub params: BTreeMap<String, u64>,
    /// Its rate.
    pub rate: Rate,
}

/// A rate; in a file, exactly one of `seconds_per_dispatch`, `flop_per_s` and `bytes_per_s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Time of one dispatch in seconds, whatever its work.
    SecondsPerDispatch(Seconds),
    /// FLOP/s of the problem's work.
    FlopPerSecond(FlopPerSecond),
    /// B/s of the problem's compulsory traffic.
    BytesPerSecond(BytesPerSecond),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateFields {
    variant: String,
    #[serde(default)]
    params: BTreeMap<String, u64>,
    seconds_per_dispatch: Option<f64>,
    flop_per_s: Option<f64>,
    bytes_per_s: Option<f64>,
}

impl TryFrom<RateFields> for RateScript {
    type Error = String;

    fn try_from(fields: RateFields) -> Result<Self, String> {
        let RateFields { variant, params, seconds_per_dispatch, flop_per_s, bytes_per_s } = fields;
        let rates = [
            seconds_per_dispatch.map(|value| (value, Rate::SecondsPerDispatch(Seconds::new(value)))),
            flop_per_s.map(|value| (value, Rate::FlopPerSecond(FlopPerSecond::new(value)))),
            bytes_per_s.map(|value| (value, Rate::BytesPerSecond(BytesPerSecond::new(value)))),
        ];
        let mut given = rates.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some((value, rate)), None) if value.is_finite() && value > 0.0 => Ok(Self { variant, params, rate }),
            (Some(_), None) => Err(format!("the rate of `{variant}` must be a positive number")),
            _ => Err(format!("`{variant}` needs exactly one of seconds_per_dispatch, flop_per_s and bytes_per_s")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_needs_only_a_name_and_rates() {
        let text =
            "name = 'sim'\n[[rates]]\nvariant = '*'\nflop_per_s = 1e12\n[[faults]]\nkind = 'lost'\nvariant = '*'";
        let script: DeviceScript = toml::from_str(text).unwrap();
        let expected = DeviceScript::new("sim", Rate::FlopPerSecond(FlopPerSecond::new(1e12)));
        let fault = FaultScript::Lost { variant: "*".into(), after_submissions: 0, times: 1 };
        assert_eq!(script, DeviceScript { faults: vec![fault], ..expected });
    }

    #[test]
    fn scripts_with_unknown_fields_or_ambiguous_rates_are_refused() {
        let rate = "[[rates]]\nvariant = '*'\n";
        for (text, complaint) in [
            (format!("name = 'x'\ncolour = 1\n{rate}flop_per_s = 1"), "colour"),
            (format!("name = 'x'\n{rate}"), "exactly one"),
            (format!("name = 'x'\n{rate}flop_per_s = 1\nbytes_per_s = 1"), "exactly one"),
            (format!("name = 'x'\n{rate}flop_per_s = 0.0"), "positive"),
            (format!("name = 'x'\n{rate}flops = 1"), "flops"),
            (format!("name = 'x'\n{rate}flop_per_s = 1\n[[faults]]\nkind = 'gremlin'"), "gremlin"),
        ] {
            let error = toml::from_str::<DeviceScript>(&text).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
