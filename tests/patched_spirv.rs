//! Variants that reach the driver as SPIR-V of our own, on every adapter of this machine that takes it.
//!
//! What surprises people: Mesa's software adapter takes it too, though it has no matrix units, so that the whole path runs
//! without a GPU; what the patch adds for matrices is checked on words and by spirv-val.

// Helpers outside of test functions may stop the test too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use wattmark::clock::WallClock;
use wattmark::gpu::{Accelerator, ByteRange, GpuError, Job, Machine, Program, Role, WgpuMachine};
use wattmark::measure::plan::{self, Selection};
use wattmark::model::{Device, Feature, Translation};
use wattmark::verify::prepare::{instance_of, program_of, write_inputs};

/// Shaders with workgroup memory and barriers, with f16, and with neither, at shapes that no tile divides.
const CASES: &[(&str, &str)] = &[
    ("gemm/shared-f32", "m=37,n=35,k=51"),
    ("gemm/tiled-f32", "m=67,n=64,k=129"),
    ("gemv/rows-f16", "m=131,k=1031"),
    ("softmax/rows-f32", "rows=37,cols=1031"),
    ("memory-triad/direct-f32", "n=30011"),
];

fn program(variant: &str, shape: &str, device: &Device) -> Program {
    let selection = Selection {
        kernels: vec![variant.to_owned()],
        shapes: vec![shape.to_owned()],
        seed: 20_240_229,
        ..Selection::default()
    };
    let case = plan::cases(&selection, std::slice::from_ref(device)).unwrap().remove(0);
    program_of(&case, device).unwrap_or_else(|skip| panic!("{variant}: {}", skip.detail)).1
}

/// Every byte of the outputs after one run over poison.
fn outputs(gpu: &mut dyn Accelerator, program: &Program) -> Result<Vec<u8>, GpuError> {
    gpu.load(program)?;
    write_inputs(gpu, &program.case, &instance_of(&program.case))?;
    let buffers = program.buffers.iter().enumerate().filter(|(_, spec)| spec.role == Role::Output);
    let ranges = buffers.map(|(buffer, spec)| ByteRange { buffer, start: 0, end: spec.bytes }).collect();
    let mut bytes = Vec::new();
    for job in [Job::Poison, Job::Run { dispatches: 1 }, Job::Probe { ranges }] {
        let ticket = gpu.submit(&job)?;
        bytes = gpu.wait(ticket)?.bytes;
    }
    Ok(bytes)
}

/// Runs a check on every adapter that takes SPIR-V; none at all is a failure.
fn on_each(check: impl Fn(&mut dyn Accelerator, &Device)) {
    let machine = WgpuMachine::discover(WallClock::start());
    let devices = machine.devices();
    let takers: Vec<&Device> = devices.iter().filter(|one| one.features.contains(&Feature::Passthrough)).collect();
    assert!(!takers.is_empty(), "no adapter here takes SPIR-V: install mesa-vulkan-drivers");
    for device in takers {
        check(machine.open(device.ordinal).unwrap().as_mut(), device);
    }
}

#[test]
fn a_shader_as_patched_spirv_computes_the_same_bits_as_by_way_of_wgpu() {
    on_each(|gpu, device| {
        for (variant, shape) in CASES {
            let mut program = program(variant, shape, device);
            assert_eq!(program.translation, Translation::Trusted);
            let trusted = outputs(gpu, &program).unwrap();
            let mut patched = program.clone();
            patched.translation = Translation::PatchedSpirv;
            let bytes = outputs(gpu, &patched).unwrap();
            assert!(!bytes.is_empty() && bytes == trusted, "{variant} {shape} on {}", device.name);
            // The comparison can fail: other inputs give other bits.
            program.case.seed += 1;
            assert!(outputs(gpu, &program).unwrap() != trusted, "{variant} does not depend on its inputs");
        }
    });
}

#[test]
fn a_shader_that_does_not_compile_fails_with_the_compilers_message_and_the_device_goes_on() {
    on_each(|gpu, device| {
        let mut broken = program("gemm/tiled-f32", "m=n=k=64", device);
        broken.translation = Translation::PatchedSpirv;
        let right = broken.clone();
        broken.wgsl = broken.wgsl.replace("var sum0_0 =", "var sum0_0 = nothing +");
        match gpu.load(&broken) {
            Err(GpuError::Compile { case, message }) => {
                assert!(case.contains("gemm/tiled-f32"), "{case}");
                assert!(message.contains("no definition in scope for identifier: `nothing`"), "{message}");
            }
            other => panic!("{other:?}"),
        }
        assert!(!outputs(gpu, &right).unwrap().is_empty());
    });
}
