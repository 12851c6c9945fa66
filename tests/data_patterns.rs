//! Every problem on every data pattern, on this machine's adapter: the checks must pass what is right, and not only for
//! random data; and each pattern is a case of its own in plans, records and tables.
//!
//! What surprises people: one variant per problem and precision runs here, the preferred one; all of them run on
//! normal data in `kernels_on_adapter`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;

use wattmark::clock::WallClock;
use wattmark::gpu::{Accelerator, Job, Machine, WgpuMachine};
use wattmark::kernel::{self, Variant};
use wattmark::measure::plan::{self, Selection};
use wattmark::model::{DataPattern, Device, ElementType, SkipReason};
use wattmark::verify::prepare::{program_of, write_inputs};
use wattmark::verify::{ProbePlan, WholeCheck};
use wattmark::workload::problem;

const SEED: u64 = 77;

/// Small extents of axes by name; a problem takes those it has. Odd, so that guards run.
const EXTENTS: &[(&str, u64)] = &[
    ("n", 131),
    ("m", 67),
    ("k", 256),
    ("steps", 32),
    ("lanes", 33),
    ("rows", 19),
    ("cols", 259),
    ("heads", 4),
    ("kv_heads", 2),
    ("seq", 37),
    ("context", 133),
    ("dim", 32),
    ("tokens", 9),
    ("d", 65),
    ("f", 71),
];

/// `--shape` texts for a problem: its own axes that are listed above, the others as they are by default.
fn shape(id: &str) -> Vec<String> {
    let axes = problem(id).unwrap().axes();
    let own = EXTENTS.iter().filter(|(axis, _)| axes.iter().any(|known| known.name == *axis));
    own.map(|(axis, extent)| format!("{axis}={extent}")).collect()
}

/// One variant of each problem and precision: the preferred one.
fn variants(device: &Device) -> Vec<&'static Variant> {
    let mut best: BTreeMap<(&str, ElementType), &Variant> = BTreeMap::new();
    for variant in kernel::variants() {
        let slot = best.entry((&variant.problem, variant.element)).or_insert(variant);
        if variant.preference(device) > slot.preference(device) {
            *slot = variant;
        }
    }
    best.into_values().collect()
}

fn verified(gpu: &mut dyn Accelerator, variant: &str, pattern: DataPattern) -> Result<(), String> {
    let id = variant.split('/').next().unwrap();
    let device = gpu.device().clone();
    let (kernels, shapes) = (vec![variant.to_owned()], shape(id));
    let selection = Selection { kernels, shapes, seed: SEED, patterns: vec![pattern] };
    let case = plan::cases(&selection, std::slice::from_ref(&device)).map_err(|error| error.to_string())?.remove(0);
    let (instance, program) = match program_of(&case, &device) {
        Ok(ready) => ready,
        Err(skip) if skip.reason == SkipReason::MissingFeature => {
            eprintln!("  {variant} did not run: {}", skip.detail);
            return Ok(());
        }
        Err(skip) => return Err(skip.detail),
    };
    let problem = problem(id).unwrap();
    let probe = ProbePlan::sample(problem, &instance, 256, SEED);
    let whole = WholeCheck::new(problem, &instance, SEED, None, true);
    let mut run = || {
        gpu.load(&program)?;
        write_inputs(gpu, &case, &instance)?;
        for job in [Job::Poison, Job::Run { dispatches: 1 }] {
            let ticket = gpu.submit(&job)?;
            gpu.wait(ticket)?;
        }
        let ticket = gpu.submit(&Job::Probe { ranges: probe.ranges() })?;
        let bytes = gpu.wait(ticket)?.bytes;
        let mut reading = whole.reading();
        gpu.read_outputs(&mut |tensor, offset, bytes| reading.add(tensor, offset, bytes))?;
        Ok((bytes, reading.judge()))
    };
    let (bytes, judged) = run().map_err(|error: wattmark::gpu::GpuError| error.to_string())?;
    probe.check(&bytes).map_err(|mismatch| mismatch.to_string())?;
    judged.map(drop)
}

#[test]
fn every_problem_is_right_on_every_pattern() {
    let machine = WgpuMachine::discover(WallClock::start());
    let devices = machine.devices();
    assert!(!devices.is_empty(), "no Vulkan adapter on this machine: install mesa-vulkan-drivers");
    let mut wrong = Vec::new();
    let mut gpu = machine.open(devices[0].ordinal).unwrap();
    for variant in variants(&devices[0]) {
        for pattern in DataPattern::ALL {
            if let Err(why) = verified(gpu.as_mut(), &variant.id, pattern) {
                wrong.push(format!("{} {pattern}: {why}", variant.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
