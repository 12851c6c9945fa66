//! Kernels by the device's own timestamps, on the first adapter of this machine: naive against tiled GEMM and the rest of
//! the suite at default shapes. `cargo bench --bench kernels -- ratios` prints each kernel's share of its ceiling instead.
//! Without an adapter both say so and measure nothing.

#![allow(clippy::expect_used, clippy::print_stderr, clippy::print_stdout, missing_docs)]

#[path = "kernels/ratios.rs"]
mod ratios;

use std::time::Duration;

use criterion::{Criterion, Throughput};
use wattmark::clock::WallClock;
use wattmark::gpu::{Accelerator, Job, Machine, WgpuMachine};
use wattmark::measure::plan::{Selection, cases};
use wattmark::model::{Case, Device};
use wattmark::verify::prepare::{program_of, write_inputs};

fn load(accelerator: &mut dyn Accelerator, case: &Case) -> Result<(), String> {
    let (instance, program) = program_of(case, accelerator.device()).map_err(|skip| skip.detail)?;
    accelerator.load(&program).map_err(|error| error.to_string())?;
    // Zeros are not the data of a run: they cost less power, and pages never written can share one page of memory.
    write_inputs(accelerator, case, &instance).map_err(|error| error.to_string())
}

/// Time of `count` executions in batches, by timestamps where the device has them.
fn execute(accelerator: &mut dyn Accelerator, count: u64) -> Duration {
    let mut total = Duration::ZERO;
    let mut left = count;
    while left > 0 {
        let dispatches = left.min(64) as u32;
        let start = std::time::Instant::now();
        let ticket = accelerator.submit(&Job::Run { dispatches }).expect("the job is submitted");
        let done = accelerator.wait(ticket).expect("the job completes");
        total += done.device_ns.map_or_else(|| start.elapsed(), Duration::from_nanos);
        left -= u64::from(dispatches);
    }
    total
}

fn suite(c: &mut Criterion, machine: &WgpuMachine, device: &Device) {
    let mut accelerator = machine.open(device.ordinal).expect("the adapter opens");
    let selections = [
        Selection { kernels: vec!["gemm".into()], shapes: vec!["m=n=k=1024".into()], seed: 1, ..Selection::default() },
        Selection { kernels: Vec::new(), shapes: Vec::new(), seed: 1, ..Selection::default() },
    ];
    let mut group = c.benchmark_group(format!("kernels on {}", device.name));
    group.sample_size(10);
    for (index, selection) in selections.iter().enumerate() {
        for case in cases(selection, std::slice::from_ref(device)).expect("the selection is sound") {
            if index == 1 && case.problem == "gemm" {
                continue;
            }
            if let Err(reason) = load(accelerator.as_mut(), &case) {
                eprintln!("{} is not measured: {reason}", case.label());
                continue;
            }
            let work = if case.work.flop.get() > 0.0 { case.work.flop.get() } else { case.work.bytes.get() };
            group.throughput(Throughput::Elements(work as u64));
            group.bench_function(case.label(), |b| b.iter_custom(|count| execute(accelerator.as_mut(), count)));
        }
    }
    group.finish();
}

fn main() {
    let machine = WgpuMachine::discover(WallClock::start());
    let Some(device) = machine.devices().into_iter().next() else {
        eprintln!("no adapter was found: no kernel is measured. Install a Vulkan driver (mesa-vulkan-drivers)");
        return;
    };
    if std::env::args().any(|argument| argument == "ratios") {
        ratios::print(&machine, &device);
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    suite(&mut criterion, &machine, &device);
    criterion.final_summary();
}
