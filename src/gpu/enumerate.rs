//! Finds the adapters of a machine through wgpu, lists every GPU once, and opens them.
//!
//! What surprises people: the same GPU appears under several graphics APIs, and DX12 gives identical cards the same PCI
//! address, so two adapters of one API are never taken for one card.

use std::collections::BTreeSet;

use super::hardware::WgpuAccelerator;
use super::quiet::shield;
use super::{Accelerator, GpuError, Machine};
use crate::clock::{RunClock, WallClock};
use crate::model::{CooperativeShape, Device, DeviceKind, DeviceLimits, Feature, PciAddress, Scalar, SubgroupRange};

/// The devices that wgpu finds on this machine.
#[derive(Debug)]
pub struct WgpuMachine {
    clock: WallClock,
    found: Vec<(wgpu::Adapter, Device)>,
}

impl WgpuMachine {
    /// Looks for adapters; without a graphics driver it finds none and prints nothing.
    pub fn discover(clock: WallClock) -> Self {
        // A driver that brings wgpu down is a machine without usable devices, not a crash.
        let found = shield(adapters).unwrap_or_else(|reason| {
            log::warn!("looking for adapters failed: {reason}");
            Vec::new()
        });
        Self { clock, found }
    }
}

impl Machine for WgpuMachine {
    fn devices(&self) -> Vec<Device> {
        self.found.iter().map(|(_, device)| device.clone()).collect()
    }
    fn open(&self, ordinal: u32) -> Result<Box<dyn Accelerator>, GpuError> {
        let Some((adapter, device)) = self.found.get(ordinal as usize) else {
            return Err(GpuError::NoDevice(unknown_ordinal(ordinal, self.found.len())));
        };
        Ok(Box::new(WgpuAccelerator::open(adapter, device.clone(), self.clock)?))
    }
    fn clock(&self) -> RunClock {
        RunClock::Wall(self.clock)
    }
    fn is_simulated(&self) -> bool {
        false
    }
}

/// Message for an ordinal that no device has.
pub(super) fn unknown_ordinal(ordinal: u32, count: usize) -> String {
    match count {
        0 => "no device: `wattmark doctor` says which driver is missing".to_owned(),
        1 => format!("no device {ordinal}: the only device is 0"),
        _ => format!("no device {ordinal}: devices are 0 to {} (`wattmark devices` lists them)", count - 1),
    }
}

fn adapters() -> Vec<(wgpu::Adapter, Device)> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let mut options = wgpu::InstanceDescriptor::new_without_display_handle();
    options.backends = backends;
    // No validation layers and no debug markers: they cost time and make a debug build measure something else.
    options.flags = wgpu::InstanceFlags::empty();
    let adapters = pollster::block_on(wgpu::Instance::new(options).enumerate_adapters(backends));
    let identities: Vec<Identity> = adapters.iter().map(|adapter| Identity::of(&adapter.get_info())).collect();
    let keep: BTreeSet<usize> = distinct(&identities).into_iter().collect();
    let kept = adapters.into_iter().enumerate().filter(|(index, _)| keep.contains(index));
    let mut found: Vec<(wgpu::Adapter, Device)> = kept
        .map(|(_, adapter)| {
            let device = describe(&adapter);
            (adapter, device)
        })
        .collect();
    // The sort is stable: devices without an address keep the driver's order.
    found.sort_by_key(|(_, device)| (rank(device.kind), device.pci.is_none(), device.pci.clone()));
    for (ordinal, (_, device)) in found.iter_mut().enumerate() {
        device.ordinal = ordinal as u32;
    }
    found
}

/// Order of listing: hardware first, software last.
fn rank(kind: DeviceKind) -> u8 {
    match kind {
        DeviceKind::Discrete => 0,
        DeviceKind::Integrated => 1,
        DeviceKind::Virtual => 2,
        DeviceKind::Other | DeviceKind::Simulated => 3,
        DeviceKind::Software => 4,
    }
}

/// What tells one adapter from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    /// Preference of its graphics API; lower is better.
    api: u8,
    pci: Option<PciAddress>,
    vendor: u32,
    device: u32,
    name: String,
}

impl Identity {
    fn of(info: &wgpu::AdapterInfo) -> Self {
        let api = match info.backend {
            wgpu::Backend::Vulkan => 0,
            wgpu::Backend::Metal => 1,
            wgpu::Backend::Dx12 => 2,
            _ => 3,
        };
        let pci = info.device_pci_bus_id.parse().ok();
        Self { api, pci, vendor: info.vendor, device: info.device, name: info.name.clone() }
    }
    fn same_model(&self, other: &Self) -> bool {
        (self.vendor, self.device, &self.name) == (other.vendor, other.device, &other.name)
    }
}

/// Indices of the adapters to keep, each GPU once.
///
/// An adapter is a repetition if a better API lists the same address, or the same model where an address is missing or
/// is given to two adapters of one API (so cannot be trusted). Each kept adapter absorbs at most one of every other API.
fn distinct(all: &[Identity]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|&index| all[index].api);
    let doubtful = |one: &Identity| {
        one.pci.is_none() || all.iter().filter(|other| other.api == one.api && other.pci == one.pci).count() > 1
    };
    let mut kept: Vec<usize> = Vec::new();
    let mut absorbed: BTreeSet<(usize, u8)> = BTreeSet::new();
    for index in order {
        let this = &all[index];
        let free = |&&keeper: &&usize| all[keeper].api != this.api && !absorbed.contains(&(keeper, this.api));
        let same_address = |&&keeper: &&usize| this.pci.is_some() && all[keeper].pci == this.pci;
        let same_model =
            |&&keeper: &&usize| (doubtful(this) || doubtful(&all[keeper])) && this.same_model(&all[keeper]);
        let candidates = || kept.iter().filter(free);
        let keeper = candidates().find(same_address).or_else(|| candidates().find(same_model)).copied();
        match keeper {
            Some(keeper) => drop(absorbed.insert((keeper, this.api))),
            None => kept.push(index),
        }
    }
    kept
}

/// wgpu's feature for each of ours.
pub(super) const FEATURES: [(Feature, wgpu::Features); 7] = [
    (Feature::F16, wgpu::Features::SHADER_F16),
    (Feature::F64, wgpu::Features::SHADER_F64),
    (Feature::I64, wgpu::Features::SHADER_INT64),
    (Feature::Subgroup, wgpu::Features::SUBGROUP),
    (Feature::Timestamps, wgpu::Features::TIMESTAMP_QUERY),
    (Feature::CooperativeMatrix, wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
    (Feature::Passthrough, wgpu::Features::PASSTHROUGH_SHADERS),
];

fn describe(adapter: &wgpu::Adapter) -> Device {
    let info = adapter.get_info();
    let limits = adapter.limits();
    let offered = adapter.features();
    // What is passed through is SPIR-V, which only Vulkan takes.
    let usable = |feature: Feature| feature != Feature::Passthrough || info.backend == wgpu::Backend::Vulkan;
    let features: BTreeSet<Feature> = FEATURES
        .into_iter()
        .filter(|(feature, bit)| offered.contains(*bit) && usable(*feature))
        .map(|(feature, _)| feature)
        .collect();
    let timestamp_period_ns = features.contains(&Feature::Timestamps).then(|| timestamp_period(adapter)).flatten();
    Device {
        ordinal: 0,
        name: info.name.clone(),
        vendor_id: info.vendor,
        device_id: info.device,
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => DeviceKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => DeviceKind::Integrated,
            wgpu::DeviceType::VirtualGpu => DeviceKind::Virtual,
            wgpu::DeviceType::Cpu => DeviceKind::Software,
            wgpu::DeviceType::Other => DeviceKind::Other,
        },
        backend: info.backend.to_str().to_owned(),
        driver: info.driver.clone(),
        driver_info: info.driver_info.clone(),
        pci: info.device_pci_bus_id.parse().ok(),
        subgroup: SubgroupRange { min: info.subgroup_min_size, max: info.subgroup_max_size },
        features,
        limits: DeviceLimits {
            max_buffer_bytes: limits.max_buffer_size,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_workgroup_memory_bytes: limits.max_compute_workgroup_storage_size,
            max_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
            max_workgroup_size: [
                limits.max_compute_workgroup_size_x,
                limits.max_compute_workgroup_size_y,
                limits.max_compute_workgroup_size_z,
            ],
            max_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
            max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        },
        timestamp_period_ns,
        cooperative: cooperative_shapes(adapter),
    }
}

/// What the matrix units multiply. (wgpu lists only what WGSL can say: multiples of 8 and 16 of f16, f32 and integers.)
fn cooperative_shapes(adapter: &wgpu::Adapter) -> Vec<CooperativeShape> {
    let scalar = |kind: wgpu::CooperativeScalarType| match kind {
        wgpu::CooperativeScalarType::F32 => Scalar::F32,
        wgpu::CooperativeScalarType::F16 => Scalar::F16,
        wgpu::CooperativeScalarType::I32 => Scalar::I32,
        wgpu::CooperativeScalarType::U32 => Scalar::U32,
    };
    let mut shapes: Vec<CooperativeShape> = adapter
        .cooperative_matrix_properties()
        .into_iter()
        .map(|shape| CooperativeShape {
            m: shape.m_size,
            n: shape.n_size,
            k: shape.k_size,
            ab: scalar(shape.ab_type),
            c: scalar(shape.cr_type),
        })
        .collect();
    shapes.sort_unstable();
    shapes.dedup();
    shapes
}

/// Nanoseconds per tick: wgpu tells it only of an open queue, so a bare device is opened for a moment.
fn timestamp_period(adapter: &wgpu::Adapter) -> Option<f64> {
    let options = wgpu::DeviceDescriptor { required_limits: wgpu::Limits::downlevel_defaults(), ..Default::default() };
    let options = wgpu::DeviceDescriptor { required_features: wgpu::Features::TIMESTAMP_QUERY, ..options };
    let (_device, queue) = pollster::block_on(adapter.request_device(&options)).ok()?;
    Some(f64::from(queue.get_timestamp_period())).filter(|period| *period > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn card(api: u8, pci: Option<&str>, device: u32) -> Identity {
        let pci = pci.map(|text| text.parse().unwrap());
        Identity { api, pci, vendor: 0x10de, device, name: format!("card {device}") }
    }

    #[test]
    fn a_card_under_two_apis_is_listed_once_under_the_better_one() {
        let all = [card(2, Some("01:00.0"), 1), card(0, Some("01:00.0"), 1)];
        assert_eq!(distinct(&all), vec![1]);
    }

    #[test]
    fn identical_cards_that_dx12_gives_one_address_stay_two() {
        let dx12 = [card(2, Some("01:00.0"), 1), card(2, Some("01:00.0"), 1)];
        assert_eq!(distinct(&dx12), vec![0, 1]);
        let both = [&[card(0, Some("01:00.0"), 1), card(0, Some("02:00.0"), 1)], &dx12[..]].concat();
        assert_eq!(distinct(&both), vec![0, 1]);
    }

    #[test]
    fn without_addresses_models_are_matched_one_to_one() {
        let all = [card(0, None, 1), card(2, None, 1), card(2, None, 1), card(2, None, 2)];
        assert_eq!(distinct(&all), vec![0, 2, 3]);
        assert_eq!(distinct(&[card(0, None, 1), card(0, None, 1)]), vec![0, 1]);
    }

    #[test]
    fn two_cards_of_one_model_at_different_known_addresses_are_two() {
        assert_eq!(distinct(&[card(0, Some("01:00.0"), 1), card(2, Some("02:00.0"), 1)]), vec![0, 1]);
    }

    proptest! {
        #[test]
        fn two_adapters_of_one_api_are_never_merged(cards in prop::collection::vec((0u8..3, 0u32..3, 0u32..2), 0..12)) {
            let addresses = [None, Some("01:00.0"), Some("02:00.0")];
            let all: Vec<Identity> =
                cards.iter().map(|&(api, pci, model)| card(api, addresses[pci as usize], model)).collect();
            let kept = distinct(&all);
            let most = (0..3).map(|api| all.iter().filter(|one| one.api == api).count()).max().unwrap_or(0);
            prop_assert!(kept.len() >= most, "{kept:?}");
            let best = all.iter().map(|one| one.api).min();
            prop_assert!((0..all.len()).filter(|&i| Some(all[i].api) == best).all(|i| kept.contains(&i)));
        }
    }
}
