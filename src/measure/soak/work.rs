//! What each phase computes on a device: sizes that saturate hardware, and ones that a software adapter finishes often enough.
//!
//! What surprises people: outputs are kept small where the rate allows it (16 MiB of the matrix product), so that every
//! byte can be read and digested after every window.

use crate::measure::plan::{case, class_of};
use crate::measure::suite::preferred;
use crate::model::{Case, DataPattern, Device, ElementType, Phase, Shape};
use crate::workload::{self, DeviceClass, Problem};

/// The work of each phase on each device, in order of the devices. Whether a device can run it is found when it is loaded:
/// what it cannot run is a skip of every segment, with the reason.
pub fn work(devices: &[Device], seed: u64) -> Vec<(Phase, Case)> {
    let pairs = devices.iter().flat_map(|device| Phase::ALL.map(|phase| (phase, device)));
    pairs.filter_map(|(phase, device)| Some((phase, phase_case(device, phase, seed)?))).collect()
}

fn phase_case(device: &Device, phase: Phase, seed: u64) -> Option<Case> {
    let (problem, element) = match phase {
        Phase::Integer => ("fma", ElementType::I32),
        Phase::Arithmetic => ("gemm", ElementType::F32),
        Phase::Memory => ("memory-triad", ElementType::F32),
        Phase::Mixed => ("transformer-layer", ElementType::F32),
        Phase::Steps => ("fma", ElementType::F32),
    };
    let problem = workload::problem(problem)?;
    let shape = shape(problem, element, phase, class_of(device));
    let variant = preferred(device, problem.id(), element, &shape, None)?;
    Some(case(device, problem, variant, shape, DataPattern::Normal, seed))
}

/// The default shape but for what a load needs.
fn shape(problem: &dyn Problem, element: ElementType, phase: Phase, class: DeviceClass) -> Shape {
    let mut shape = problem.default_shape_for(class, element);
    let own: &[(&str, u64)] = match (phase, class) {
        // 8.25 MiB of output; workgroups still fill 132 multiprocessors evenly.
        (Phase::Integer | Phase::Steps, DeviceClass::Hardware) => &[("n", 33 << 15)],
        // 16 MiB of output; as much arithmetic as a product of 3251 squared.
        (Phase::Arithmetic, DeviceClass::Hardware) => &[("m", 2048), ("n", 2048), ("k", 8192)],
        // A quarter of the defaults: submissions are then short enough for windows of a second.
        (Phase::Integer | Phase::Steps, DeviceClass::Software) => &[("n", 1 << 13)],
        (Phase::Arithmetic, DeviceClass::Software) => &[("m", 256), ("n", 256), ("k", 512)],
        _ => &[],
    };
    for (axis, extent) in own {
        shape.set(axis, *extent);
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Machine;
    use crate::gpu::simulated::{DeviceScript, Rate, SimulatedMachine};
    use crate::model::DeviceKind;
    use crate::units::FlopPerSecond;
    use std::sync::Arc;

    #[test]
    fn every_device_has_every_phase_and_outputs_that_can_be_digested_in_full_but_for_the_largest() {
        let script =
            |kind| DeviceScript { kind, ..DeviceScript::new("d", Rate::FlopPerSecond(FlopPerSecond::new(1e12))) };
        let scripts = vec![script(DeviceKind::Discrete), script(DeviceKind::Software)];
        let machine =
            SimulatedMachine::new(scripts, Default::default(), Default::default(), Arc::new(|_, _| Vec::new()));
        let work = work(&machine.devices(), 7);
        let phases: Vec<(u32, Phase)> = work.iter().map(|(phase, case)| (case.device, *phase)).collect();
        let wanted: Vec<(u32, Phase)> = [0, 1].into_iter().flat_map(|d| Phase::ALL.map(|phase| (d, phase))).collect();
        assert_eq!(phases, wanted);
        for (phase, case) in &work {
            let problem = workload::problem(&case.problem).unwrap();
            problem.check_for(&case.shape, case.element).unwrap();
            let tensors = problem.tensors(&case.shape, case.element);
            let written = |t: &&workload::Tensor| t.role == workload::TensorRole::Output;
            let bytes: u64 = tensors.iter().filter(written).map(workload::Tensor::bytes).sum();
            assert!(bytes <= 16 << 20 || *phase == Phase::Memory, "{phase} writes {bytes} bytes");
        }
        assert_eq!((work[0].1.variant.as_str(), work[4].1.variant.as_str()), ("fma/chains-i32", "fma/chains-f32"));
    }
}
