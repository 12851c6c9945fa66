//! What a tuning holds for: the case's kind and size, the device with its driver, and the software that built the kernels.
//!
//! What surprises people: the shape enters only as a bucket, so that 4096 and 5000 share an entry while 4096 and 4099 do
//! not: a power of two per axis, and whether the extent is a multiple of 32, of 4, or of neither.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::candidates::Freedom;
use crate::model::{Case, DataPattern, Device, ElementType, Objective, Shape};
use crate::provenance;

/// Identity of an entry of the cache; two cases with equal keys share a tuning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    problem: String,
    element: ElementType,
    /// The only variant, where the user named it.
    variant: Option<String>,
    /// Bucket of each axis, see [`bucket`].
    shape: BTreeMap<String, String>,
    pattern: DataPattern,
    objective: Objective,
    device: DeviceKey,
    /// Versions of wattmark, wgpu and naga.
    software: BTreeMap<String, String>,
}

/// What makes a device the same device to a tuning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceKey {
    name: String,
    vendor_id: u32,
    device_id: u32,
    backend: String,
    driver: String,
    driver_info: String,
    subgroup: [u32; 2],
    /// SHA-256 of limits, features and matrix shapes, in hex.
    limits_sha256: String,
}

impl Key {
    /// The key of a case on a device.
    pub fn new(case: &Case, freedom: Freedom, objective: Objective, device: &Device) -> Self {
        let tool = provenance::tool();
        let mut software = tool.libraries;
        software.insert("wattmark".to_owned(), tool.version);
        Self {
            problem: case.problem.clone(),
            element: case.element,
            variant: (freedom == Freedom::OwnVariant).then(|| case.variant.clone()),
            shape: buckets(&case.shape),
            pattern: case.pattern,
            objective,
            device: DeviceKey {
                name: device.name.clone(),
                vendor_id: device.vendor_id,
                device_id: device.device_id,
                backend: device.backend.clone(),
                driver: device.driver.clone(),
                driver_info: device.driver_info.clone(),
                subgroup: [device.subgroup.min, device.subgroup.max],
                limits_sha256: limits_hash(device),
            },
            software,
        }
    }
}

fn buckets(shape: &Shape) -> BTreeMap<String, String> {
    shape.iter().map(|(axis, extent)| (axis.to_owned(), bucket(extent))).collect()
}

/// Bucket of an extent: the power of two below it, and its alignment. `2^12 x32` holds 4096 and 8160, `2^12 x1` holds 4099.
/// Extents up to 8 stand for themselves, since a batch of 1 and one of 3 call for other kernels.
pub fn bucket(extent: u64) -> String {
    if extent <= 8 {
        return extent.to_string();
    }
    let alignment = [32, 4].into_iter().find(|unit| extent.is_multiple_of(*unit)).unwrap_or(1);
    format!("2^{} x{alignment}", extent.ilog2())
}

fn limits_hash(device: &Device) -> String {
    let text = format!("{:?} {:?} {:?}", device.limits, device.features, device.cooperative);
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{case, device};
    use super::*;
    use crate::model::DeviceKind;

    #[test]
    fn extents_share_a_bucket_within_a_power_of_two_and_an_alignment() {
        let of = |extents: &[u64]| extents.iter().map(|extent| bucket(*extent)).collect::<Vec<_>>();
        assert_eq!(of(&[4096, 5024, 8160]), ["2^12 x32"; 3]);
        assert_eq!(of(&[4100, 4099, 8192, 4095]), ["2^12 x4", "2^12 x1", "2^13 x32", "2^11 x1"]);
        assert_eq!(of(&[1, 3, 8, 9]), ["1", "3", "8", "2^3 x1"]);
    }

    #[test]
    fn whatever_changes_the_best_choice_changes_the_key() {
        let case = case("gemm/tiled-f32", &[("m", 512), ("n", 512), ("k", 512)]);
        let device = device(DeviceKind::Discrete);
        let key = |case: &Case, device: &Device| Key::new(case, Freedom::AnyVariant, Objective::Speed, device);
        let first = key(&case, &device);
        assert_eq!(first, key(&Case { seed: 9, ..case.clone() }, &device), "the seed is not part of it");
        let mut larger = case.clone();
        larger.shape.set("k", 4096);
        let newer = Device { driver_info: "2".to_owned(), ..device.clone() };
        let mut smaller = device.clone();
        smaller.limits.max_workgroup_memory_bytes = 1;
        for other in [
            key(&larger, &device),
            key(&Case { pattern: DataPattern::Zeros, ..case.clone() }, &device),
            key(&case, &newer),
            key(&case, &smaller),
            Key::new(&case, Freedom::OwnVariant, Objective::Speed, &device),
            Key::new(&case, Freedom::AnyVariant, Objective::Efficiency, &device),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_key_is_read_back_as_it_was_written() {
        let case = case("gemm/tiled-f32", &[("m", 512), ("n", 512), ("k", 512)]);
        let key = Key::new(&case, Freedom::OwnVariant, Objective::Speed, &device(DeviceKind::Discrete));
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<Key>(&text).unwrap(), key);
    }
}
