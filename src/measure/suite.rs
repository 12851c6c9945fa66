//! Which variants a run takes: one for each problem and precision where the user names none, and the probes that set the
//! ceilings of what was chosen.
//!
//! What surprises people: a variant counts only if it renders for the very shape on the very device, so that a missing
//! feature or a limit moves the choice to the next in rank. Where none renders, the first in rank stays, and its skip
//! says why.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::plan::{case, class_of};
use crate::kernel::{self, Variant};
use crate::model::{Case, Counted, DataPattern, Device, ElementType, Shape, Unit};
use crate::units::Bytes;
use crate::workload::{self, DeviceClass, Problem};

/// Traffic of one execution below which a memory probe does not stand for a device's memory, by class of device.
///
/// On hardware 64 MiB: above the 40 to 50 MiB level-2 caches of datacenter boards such as NVIDIA's A100 and H100. On
/// software adapters 4 MiB: their arrays compete with everything else for the processor's last-level cache.
pub(super) fn cached_below(device: &Device) -> Bytes {
    Bytes::new(if device.is_software() { 4_194_304.0 } else { 67_108_864.0 })
}

/// Every problem with every precision that some variant has, in order of the problems.
pub(super) fn offered() -> Vec<(&'static dyn Problem, ElementType)> {
    let elements = |problem: &dyn Problem| -> BTreeSet<ElementType> {
        kernel::variants().iter().filter(|v| v.problem == problem.id()).map(|variant| variant.element).collect()
    };
    let pairs = workload::problems().iter().flat_map(|problem| {
        let own: Vec<_> = elements(*problem).into_iter().map(|element| (*problem, element)).collect();
        own
    });
    pairs.collect()
}

/// The variant that stands for a problem and precision at a shape on a device where nothing was tuned: the highest in rank
/// of those that render there, else the highest of all; the first by name among equals. `unit` restricts the choice.
pub fn preferred(
    device: &Device,
    problem: &str,
    element: ElementType,
    shape: &Shape,
    unit: Option<Unit>,
) -> Option<&'static Variant> {
    let fits = |variant: &&'static Variant| {
        variant.problem == problem && variant.element == element && unit.is_none_or(|unit| variant.unit() == unit)
    };
    let renders = |variant: &Variant| variant.render(shape, &variant.default_params(device), device).is_ok();
    // The last of equal maxima is taken, so the order is reversed.
    kernel::variants()
        .iter()
        .rev()
        .filter(fits)
        .max_by_key(|variant| (renders(variant), variant.preference_at(shape, device)))
}

/// The probe whose rate is the arithmetic ceiling of a unit in a precision: its problem, and the precision it has there.
///
/// Block formats and f16 operands with f32 sums compute in f32 on vector units.
pub fn probe_for(unit: Unit, element: ElementType) -> Option<(&'static str, ElementType)> {
    use ElementType::{F16, F32, F64, I8, I32, Mixed, Q4_0, Q4K, Q8_0};
    match (unit, element) {
        (Unit::Vector, F32 | Mixed | Q8_0 | Q4_0 | Q4K) => Some(("fma", F32)),
        (Unit::Vector, F16 | F64 | I32) => Some(("fma", element)),
        (Unit::Vector, I8) => Some(("dot4", I8)),
        (Unit::Matrix, F16 | F32 | Mixed) => Some(("matrix-fma", element)),
        (Unit::Matrix, _) => None,
    }
}

/// The memory probe that is added where none is selected.
const MEMORY_PROBE: &str = "memory-read";

/// Adds the probes without which some case of a device would have no share of a ceiling, behind the device's cases.
pub fn with_ceilings(cases: Vec<Case>, devices: &[Device], seed: u64) -> Vec<Case> {
    let mut all = Vec::with_capacity(cases.len());
    for device in devices {
        let mut own: Vec<Case> = cases.iter().filter(|case| case.device == device.ordinal).cloned().collect();
        let added = missing_probes(&own, device, seed);
        own.extend(added);
        all.extend(own);
    }
    all
}

fn missing_probes(own: &[Case], device: &Device, seed: u64) -> Vec<Case> {
    let kernels: Vec<&Case> = own.iter().filter(|case| !workload::is_probe(&case.problem)).collect();
    let wanted: BTreeSet<(&str, ElementType)> = kernels
        .iter()
        .filter(|case| case.counted == Counted::Flop)
        .filter_map(|case| probe_for(case.unit, case.element))
        .collect();
    let has = |problem: &str, element| own.iter().any(|case| case.problem == problem && case.element == element);
    let absent = wanted.into_iter().filter(|(problem, element)| !has(problem, *element));
    // On the data of the kernels, for data change the clocks that a board can hold.
    let pattern = own.first().map(|case| case.pattern).unwrap_or_default();
    let data = (pattern, seed);
    let mut added: Vec<Case> = absent.filter_map(|(problem, element)| probe(device, problem, element, data)).collect();
    let reaches_memory =
        |case: &Case| case.problem.starts_with(workload::MEMORY_PROBES) && case.work.bytes >= cached_below(device);
    if !kernels.is_empty() && !own.iter().any(reaches_memory) {
        added.extend(probe(device, MEMORY_PROBE, ElementType::F32, data));
    }
    added
}

/// A probe at its default shape; `None` if there is no such variant.
fn probe(device: &Device, problem: &str, element: ElementType, (pattern, seed): (DataPattern, u64)) -> Option<Case> {
    let problem = workload::problem(problem)?;
    let shape = problem.default_shape_for(class_of(device), element);
    let variant = preferred(device, problem.id(), element, &shape, None)?;
    Some(case(device, problem, variant, shape, pattern, seed))
}

/// Every probe that a device offers: each variant of arithmetic at its default shape, and the memory probes from sizes that
/// fit the caches up to the largest.
pub fn ceilings(devices: &[Device], seed: u64) -> Vec<Case> {
    devices.iter().flat_map(|device| [arithmetic(device, seed), memory(device, seed)].concat()).collect()
}

fn arithmetic(device: &Device, seed: u64) -> Vec<Case> {
    let problems = workload::ARITHMETIC_PROBES.into_iter().filter_map(workload::problem);
    let cases = problems.flat_map(|problem| {
        let mut own: Vec<&Variant> = kernel::variants().iter().filter(|v| v.problem == problem.id()).collect();
        own.sort_by_key(|variant| (variant.element, Reverse(variant.preference(device))));
        let cases = own.into_iter().map(|variant| {
            let shape = problem.default_shape_for(class_of(device), variant.element);
            case(device, problem, variant, shape, DataPattern::Normal, seed)
        });
        cases.collect::<Vec<_>>()
    });
    cases.collect()
}

fn memory(device: &Device, seed: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for problem in workload::problems().iter().filter(|problem| problem.id().starts_with(workload::MEMORY_PROBES)) {
        for n in sweep(device) {
            let mut shape = problem.default_shape(class_of(device));
            shape.set("n", n);
            if problem.axes().iter().any(|axis| axis.name == "lanes") {
                let most = shape.get("lanes");
                shape.set("lanes", most.min(n / LEAST_ROWS));
            }
            let variant = preferred(device, problem.id(), ElementType::F32, &shape, None);
            cases.extend(variant.map(|variant| case(device, *problem, variant, shape, DataPattern::Normal, seed)));
        }
    }
    cases
}

/// Least number of elements of which a reduction makes one sum, so that what it writes counts for little.
const LEAST_ROWS: u64 = 8;

/// Elements of an array of four-byte words, ascending by factors of four, as far as one binding of the device reaches.
///
/// On hardware from 64 KiB to 1 GiB, four times the largest last-level cache of today (256 MiB); on software adapters from
/// 32 KiB to 128 MiB.
pub fn sweep(device: &Device) -> Vec<u64> {
    let (least, most): (u64, u64) = match class_of(device) {
        DeviceClass::Hardware => (1 << 14, 1 << 28),
        DeviceClass::Software => (1 << 13, 1 << 25),
    };
    let limit = device.limits.max_binding_bytes.min(device.limits.max_buffer_bytes) / 4;
    std::iter::successors(Some(least), |n| Some(n * 4)).take_while(|n| *n <= most.min(limit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SimulatedClock;
    use crate::gpu::Machine;
    use crate::gpu::simulated::{DeviceScript, Oracle, Rate, SimulatedMachine};
    use crate::measure::plan::{Selection, cases};
    use crate::model::{DeviceKind, Feature};
    use crate::units::Seconds;
    use std::sync::Arc;

    fn device(kind: DeviceKind, features: &[Feature]) -> Device {
        let script = DeviceScript { kind, features: features.to_vec(), ..DeviceScript::new("test", rate()) };
        let oracle: Oracle = Arc::new(|_, _| Vec::new());
        SimulatedMachine::new(vec![script], SimulatedClock::new(), Default::default(), oracle).devices().remove(0)
    }

    fn rate() -> Rate {
        Rate::SecondsPerDispatch(Seconds::new(1.0))
    }

    fn chosen(patterns: &[&str], device: &Device) -> Vec<Case> {
        let kernels = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        cases(&Selection { kernels, ..Selection::default() }, std::slice::from_ref(device)).unwrap()
    }

    fn added(patterns: &[&str], device: &Device) -> Vec<String> {
        let own = chosen(patterns, device);
        let all = with_ceilings(own.clone(), std::slice::from_ref(device), 0);
        assert_eq!(all[..own.len()], own, "what was asked for comes first");
        all[own.len()..].iter().map(|case| case.variant.clone()).collect()
    }

    #[test]
    fn the_default_suite_has_one_variant_for_each_problem_and_precision_and_the_pattern_for_all_has_every_one() {
        for device in [
            device(DeviceKind::Discrete, &[Feature::F16, Feature::F64, Feature::Subgroup]),
            device(DeviceKind::Software, &[]),
        ] {
            let suite = chosen(&[], &device);
            let distinct: BTreeSet<(&str, ElementType)> =
                suite.iter().map(|case| (case.problem.as_str(), case.element)).collect();
            assert_eq!(distinct.len(), suite.len());
            let all: BTreeSet<(&str, ElementType)> =
                kernel::variants().iter().map(|variant| (variant.problem.as_str(), variant.element)).collect();
            assert_eq!(distinct, all);
            assert_eq!(chosen(&["*"], &device).len(), kernel::variants().len());
        }
    }

    #[test]
    fn the_highest_in_rank_of_those_that_render_is_chosen() {
        let everything = device(DeviceKind::Discrete, &[Feature::F16]);
        let halves = |device: &Device| {
            let shape = Shape::new([("n", 4096), ("steps", 64)]);
            preferred(device, "fma", ElementType::F16, &shape, None).unwrap().id.clone()
        };
        assert_eq!(halves(&everything), "fma/chains-f16");
        // None renders without the feature: the first in rank stays, so that its skip says what is missing.
        assert_eq!(halves(&device(DeviceKind::Discrete, &[])), "fma/chains-f16");
        // Too few invocations per workgroup for the default of one, and the next in rank is taken.
        let shape = Shape::new([("m", 512), ("n", 512), ("k", 512)]);
        let ranked = preferred(&everything, "gemm", ElementType::F32, &shape, None).unwrap();
        let mut small = everything.clone();
        let size = ranked.render(&shape, &ranked.default_params(&small), &small).unwrap().stages[0].workgroup_size;
        small.limits.max_invocations_per_workgroup = size.iter().product::<u32>() - 1;
        let next = preferred(&small, "gemm", ElementType::F32, &shape, None).unwrap();
        let fits = |variant: &Variant| variant.render(&shape, &variant.default_params(&small), &small).is_ok();
        assert!(!fits(ranked) && (fits(next) || kernel::variants().iter().all(|v| v.problem != "gemm" || !fits(v))));
    }

    #[test]
    fn every_selected_kernel_gets_the_probes_of_its_roof_and_no_probe_gets_others() {
        let device = device(DeviceKind::Discrete, &[Feature::F16]);
        let floats = added(&["gemm/naive-f32"], &device);
        assert_eq!(floats, ["fma/chains-f32", "memory-read/strided-f32"]);
        assert_eq!(added(&["gemm/naive-f32", "fma/chains-f32"], &device), ["memory-read/strided-f32"]);
        assert_eq!(added(&["softmax"], &device), ["fma/chains-f32", "memory-read/strided-f32"]);
        assert!(added(&["gemm/naive-f32", "fma", "memory-copy"], &device).is_empty());
        assert!(added(&["fma/chains-f16"], &device).is_empty() && added(&["memory-triad"], &device).is_empty());
        assert!(added(&[], &device).is_empty(), "the default suite has them all");
    }

    #[test]
    fn the_probe_of_a_precision_computes_what_kernels_of_it_compute() {
        use ElementType::{F16, F32, I8, Mixed, Q4_0};
        assert_eq!(probe_for(Unit::Vector, Mixed), Some(("fma", F32)));
        assert_eq!(probe_for(Unit::Vector, Q4_0), Some(("fma", F32)));
        assert_eq!(probe_for(Unit::Vector, F16), Some(("fma", F16)));
        assert_eq!(probe_for(Unit::Vector, I8), Some(("dot4", I8)));
        assert_eq!(probe_for(Unit::Matrix, Mixed), Some(("matrix-fma", Mixed)));
        assert_eq!(probe_for(Unit::Matrix, I8), None, "WGSL has no integer matrices");
    }

    #[test]
    fn arrays_grow_from_the_caches_to_one_binding_at_most() {
        let large = sweep(&device(DeviceKind::Discrete, &[]));
        assert_eq!((large[0] * 4, large[large.len() - 1] * 4, large.len()), (64 << 10, 1 << 30, 8));
        let mut software = device(DeviceKind::Software, &[]);
        software.limits.max_binding_bytes = 128 << 20;
        assert_eq!(sweep(&software).last(), Some(&(1 << 25)));
        software.limits.max_binding_bytes = (128 << 20) - 1;
        assert_eq!(sweep(&software).last(), Some(&(1 << 23)));
    }
}
