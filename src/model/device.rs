//! A GPU (or software adapter) as the run saw it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Scalar;

/// Address of a device on the PCI bus, in the form `0000:19:00.0` (domain:bus:device.function, lower-case hex).
///
/// This is the key that joins a wgpu adapter to its power sensor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct PciAddress(String);

impl FromStr for PciAddress {
    type Err = String;

    /// Accepts `0000:19:00.0`, NVML's eight-digit domain `00000000:19:00.0`, and the domain-less `19:00.0`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a PCI address (expected the form 0000:19:00.0)");
        let (rest, function) = text.trim().rsplit_once('.').ok_or_else(bad)?;
        let mut parts: Vec<&str> = rest.split(':').collect();
        if parts.len() == 2 {
            parts.insert(0, "0");
        }
        let [domain, bus, device] = parts[..] else { return Err(bad()) };
        let hex = |part: &str| u32::from_str_radix(part, 16).map_err(|_| bad());
        Ok(Self(format!("{:04x}:{:02x}:{:02x}.{:x}", hex(domain)?, hex(bus)?, hex(device)?, hex(function)?)))
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PciAddress {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What kind of adapter a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// A GPU with its own memory.
    Discrete,
    /// A GPU that shares memory with the CPU.
    Integrated,
    /// A virtual GPU.
    Virtual,
    /// The CPU, through a software driver such as llvmpipe.
    Software,
    /// Scripted times and power; no hardware.
    Simulated,
    /// The driver does not say.
    Other,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Software => "software",
            Self::Simulated => "simulated",
            Self::Other => "other",
        })
    }
}

/// An optional ability of a device that kernels may require.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// 16-bit floats in shaders (`enable f16;`).
    F16,
    /// 64-bit floats in shaders.
    F64,
    /// 64-bit integers in shaders.
    I64,
    /// Subgroup operations.
    Subgroup,
    /// Timestamps at the edges of a compute pass.
    Timestamps,
    /// Cooperative matrices (matrix units).
    CooperativeMatrix,
    /// Modules handed to the driver as they are, for SPIR-V that is patched after translation.
    Passthrough,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F16 => "f16",
            Self::F64 => "f64",
            Self::I64 => "i64",
            Self::Subgroup => "subgroup",
            Self::Timestamps => "timestamps",
            Self::CooperativeMatrix => "cooperative-matrix",
            Self::Passthrough => "passthrough",
        })
    }
}

/// Smallest and largest subgroup (warp, wave) size in invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubgroupRange {
    /// Smallest size.
    pub min: u32,
    /// Largest size.
    pub max: u32,
}

/// The limits that decide whether a case fits a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeviceLimits {
    /// Largest buffer in bytes.
    pub max_buffer_bytes: u64,
    /// Largest storage-buffer binding in bytes.
    pub max_binding_bytes: u64,
    /// Largest workgroup memory in bytes.
    pub max_workgroup_memory_bytes: u32,
    /// Most invocations in a workgroup.
    pub max_invocations_per_workgroup: u32,
    /// Largest workgroup size along x, y and z.
    pub max_workgroup_size: [u32; 3],
    /// Most workgroups along one dimension of a dispatch.
    pub max_workgroups_per_dimension: u32,
    /// Most storage buffers in one shader stage.
    pub max_storage_buffers: u32,
}

/// How a shader's source reaches the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Translation {
    /// WGSL, translated by wgpu without its run-time checks.
    #[default]
    Trusted,
    /// WGSL, translated to SPIR-V here, completed by the operands of the Vulkan memory model, and handed over as it is.
    PatchedSpirv,
}

/// A size and type of matrices that the matrix units multiply: C (m x n) + A (m x k) x B (k x n).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CooperativeShape {
    /// Rows of A and C.
    pub m: u32,
    /// Columns of B and C.
    pub n: u32,
    /// Columns of A, rows of B.
    pub k: u32,
    /// Type of A and B.
    pub ab: Scalar,
    /// Type of C and of the result.
    pub c: Scalar,
}

/// One GPU or software adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Device {
    /// Number by which the user selects it (`--device 0`).
    pub ordinal: u32,
    /// Marketing name from the driver.
    pub name: String,
    /// PCI vendor identifier (0x10de NVIDIA, 0x1002 AMD, 0x8086 Intel, 0x106b Apple, 0x10005 Mesa software).
    pub vendor_id: u32,
    /// PCI device identifier.
    pub device_id: u32,
    /// What kind of adapter it is.
    pub kind: DeviceKind,
    /// Graphics API it is reached through (`vulkan`, `metal`, `dx12`, `simulated`).
    pub backend: String,
    /// Driver name.
    pub driver: String,
    /// Driver version and build, as the driver states it.
    pub driver_info: String,
    /// PCI address, when the backend tells it.
    pub pci: Option<PciAddress>,
    /// Subgroup sizes.
    pub subgroup: SubgroupRange,
    /// Optional abilities it has.
    pub features: BTreeSet<Feature>,
    /// Limits that decide whether a case fits.
    pub limits: DeviceLimits,
    /// Nanoseconds per timestamp tick; `None` without timestamps.
    pub timestamp_period_ns: Option<f64>,
    /// What its matrix units multiply, as far as WGSL can say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cooperative: Vec<CooperativeShape>,
}

impl Device {
    /// Vendor's common name, from the PCI identifier.
    pub fn vendor(&self) -> &'static str {
        match self.vendor_id {
            0x10de => "NVIDIA",
            0x1002 | 0x1022 => "AMD",
            0x8086 => "Intel",
            0x106b => "Apple",
            0x13b5 => "Arm",
            0x5143 => "Qualcomm",
            0x10005 => "Mesa",
            _ => "unknown",
        }
    }

    /// True for adapters that compute on the CPU.
    pub fn is_software(&self) -> bool {
        self.kind == DeviceKind::Software
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_spellings_of_a_pci_address_are_one_address() {
        let canonical: PciAddress = "0000:19:00.0".parse().unwrap();
        for spelling in ["00000000:19:00.0", "19:00.0", "0000:19:00.0 "] {
            assert_eq!(spelling.parse::<PciAddress>().unwrap(), canonical);
        }
    }

    #[test]
    fn text_that_is_no_pci_address_is_refused_with_the_expected_form() {
        for text in ["", "GPU-1", "zz:00.0", "1:2:3:4.0"] {
            assert!(text.parse::<PciAddress>().unwrap_err().contains("0000:19:00.0"), "{text}");
        }
    }
}
