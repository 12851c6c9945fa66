//! Devices and cases for this room's tests.

use crate::clock::SimulatedClock;
use crate::gpu::Machine as _;
use crate::gpu::simulated::{DeviceScript, Rate, SimulatedMachine};
use crate::kernel;
use crate::model::{Case, DataPattern, Device, DeviceKind, Shape};
use crate::units::Seconds;
use crate::workload;

/// A device with the limits of a current GPU.
pub fn device(kind: DeviceKind) -> Device {
    let script = DeviceScript::new("test", Rate::SecondsPerDispatch(Seconds::new(1e-3)));
    let oracle: crate::gpu::simulated::Oracle = std::sync::Arc::new(|_, _| Vec::new());
    let machine = SimulatedMachine::new(vec![script], SimulatedClock::new(), Default::default(), oracle);
    Device { kind, ..machine.devices().remove(0) }
}

/// A case of a variant with the defaults of a hardware device.
pub fn case(variant: &str, shape: &[(&str, u64)]) -> Case {
    let variant = kernel::find(variant).unwrap();
    let problem = workload::problem(&variant.problem).unwrap();
    let shape = Shape::new(shape.iter().copied());
    Case {
        device: 0,
        problem: variant.problem.clone(),
        variant: variant.id.clone(),
        work: problem.work(&shape, variant.element),
        shape,
        element: variant.element,
        pattern: DataPattern::Normal,
        seed: 1,
        params: variant.default_params(&device(DeviceKind::Discrete)),
        counted: problem.counted(),
        shader_sha256: variant.sha256.clone(),
    }
}
