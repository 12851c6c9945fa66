//! NVIDIA's Arm machines over fake trees: ACPI power meters of Grace, and supply rails of Jetson boards.
//!
//! What surprises people: meters and rails overlap, so that what is tested most is what is *not* added up and what does
//! *not* stand for a GPU.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod power_support;

use power_support::{Tree, context, device, last, open, values};
use wattmark::clock::{Clock, SimulatedClock};
use wattmark::model::{DeviceKind, Quantity, Scope, SourceTrace};
use wattmark::power::{ProbeContext, Sampler, holds_device};
use wattmark::units::Seconds;

const MODULE: &str = "sys/devices/LNXSYSTM:00/ACPI000D:01/power1_average";

/// A machine whose GPUs are NVIDIA's.
fn machine(tree: &Tree, kinds: &[DeviceKind]) -> (ProbeContext, SimulatedClock) {
    let (mut context, clock) = context(tree.root());
    let gpu = |(ordinal, kind): (usize, &DeviceKind)| {
        let mut device = device(u32::try_from(ordinal).unwrap(), *kind, None);
        device.vendor_id = 0x10de;
        device
    };
    context.devices = kinds.iter().enumerate().map(gpu).collect();
    (context, clock)
}

fn sample(kind: &str, context: &ProbeContext) -> Vec<SourceTrace> {
    let findings = open(kind, context);
    assert!(findings.obstacles.is_empty(), "{:?}", findings.obstacles);
    Sampler::start(findings.sources, 10.0, &context.clock).stop()
}

/// Id, scope, device and watts of each trace.
fn watts(traces: &[SourceTrace]) -> Vec<(&str, Scope, Option<u32>, f64)> {
    let of = |trace: &SourceTrace| last(trace, &trace.source.channels[0].id);
    traces
        .iter()
        .map(|trace| (trace.source.id.as_str(), trace.source.channels[0].scope, trace.source.device, of(trace)))
        .collect()
}

#[test]
fn a_grace_hopper_has_a_module_that_holds_its_gpu_and_rails_that_do_not() {
    let tree = Tree::build("grace/hopper");
    let (context, _) = machine(&tree, &[DeviceKind::Discrete]);
    let traces = sample("grace", &context);
    assert_eq!(
        watts(&traces),
        [
            ("grace:module:0", Scope::Module, Some(0), 700.0),
            ("grace:grace", Scope::Package, None, 250.0),
            ("grace:cpu", Scope::Chip, None, 180.0),
            ("grace:sysio", Scope::Chip, None, 30.0),
        ],
        "the meter without a known label is left alone"
    );
    let held: Vec<bool> = traces
        .iter()
        .map(|trace| holds_device(trace.source.channels[0].scope, trace.source.device, &context.devices[0]))
        .collect();
    assert_eq!(held, [true, false, false, false]);
    let channel = &traces[0].source.channels[0];
    assert_eq!((channel.quantity, channel.averaging_window_s), (Quantity::AveragedPower, Some(Seconds::new(0.05))));
}

#[test]
fn with_two_gpus_a_module_is_nobodys() {
    let tree = Tree::build("grace/hopper");
    let (context, _) = machine(&tree, &[DeviceKind::Discrete, DeviceKind::Discrete]);
    let traces = sample("grace", &context);
    assert_eq!(traces[0].source.device, None);
    assert!(traces[0].source.note.contains("belongs to no one device"), "{}", traces[0].source.note);
}

#[test]
fn two_grace_sockets_are_one_figure_of_the_host() {
    let tree = Tree::build("grace/cpu");
    let (context, _) = machine(&tree, &[]);
    let traces = sample("grace", &context);
    assert_eq!(watts(&traces)[0], ("grace:grace", Scope::Package, None, 510.0));
    assert!(traces[0].source.note.starts_with("sum of 2 sockets"), "{}", traces[0].source.note);
    let software = device(0, DeviceKind::Software, None);
    assert!(holds_device(Scope::Package, None, &software), "a software adapter runs on the sockets");
}

#[test]
fn a_grace_meter_that_reads_zero_fails_or_vanishes_is_a_gap_and_the_others_go_on() {
    let tree = Tree::build("grace/hopper");
    let (context, clock) = machine(&tree, &[DeviceKind::Discrete]);
    let sampler = Sampler::start(open("grace", &context).sources, 10.0, &context.clock);
    for text in ["0", "not a number", "650000000"] {
        tree.write(MODULE, text);
        clock.sleep(Seconds::new(0.1));
    }
    tree.remove(MODULE);
    clock.sleep(Seconds::new(1.0));
    let traces = sampler.stop();
    assert_eq!(values(&traces[0], "power.average"), [Some(700.0), None, None, Some(650.0)]);
    assert!(traces[0].gaps.last().unwrap().reason.contains("cannot read"), "{:?}", traces[0].gaps);
    assert_eq!(traces[1].t_ns.len(), 14, "the socket's meter goes on");
}

#[test]
fn a_grace_meter_without_a_reading_is_an_obstacle() {
    let tree = Tree::build("grace/hopper");
    tree.write(MODULE, "0");
    let (context, _) = machine(&tree, &[DeviceKind::Discrete]);
    let findings = open("grace", &context);
    assert_eq!((findings.sources.len(), findings.obstacles.len()), (3, 1));
    assert!(findings.obstacles[0].why.contains("0 W"), "{:?}", findings.obstacles);
}

#[test]
fn a_jetson_with_a_module_rail_reads_it_and_the_gpus_rail_beside_it() {
    let tree = Tree::build("jetson/orin-nx");
    let (context, _) = machine(&tree, &[DeviceKind::Integrated]);
    let traces = sample("jetson", &context);
    assert_eq!(
        watts(&traces),
        [("jetson:VDD_IN", Scope::Module, Some(0), 12.0), ("jetson:VDD_CPU_GPU_CV", Scope::Chip, Some(0), 6.0)],
        "VDD_SOC is not known to be anything that we have a word for"
    );
    let channel = &traces[0].source.channels[0];
    assert_eq!((channel.quantity, channel.averaging_window_s), (Quantity::AveragedPower, Some(Seconds::new(0.018))));
}

#[test]
fn a_jetson_without_a_module_rail_adds_the_rails_that_make_one() {
    let tree = Tree::build("jetson/agx-orin");
    let (context, _) = machine(&tree, &[DeviceKind::Integrated]);
    let traces = sample("jetson", &context);
    assert_eq!(
        watts(&traces),
        [
            ("jetson:module", Scope::Module, Some(0), 17.8),
            ("jetson:VDD_GPU_SOC", Scope::Chip, Some(0), 9.5),
            ("jetson:VDD_CPU_CV", Scope::Chip, None, 3.8),
        ]
    );
    assert!(traces[0].source.note.contains("VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0"), "{}", traces[0].source.note);
    assert_eq!(traces[1].source.channels[0].quantity, Quantity::InstantPower, "single conversions");
}

#[test]
fn a_disabled_channel_and_a_dead_rail_are_not_read_as_zero_watts() {
    let tree = Tree::build("jetson/orin-nx");
    tree.write("sys/class/hwmon/hwmon1/in1_enable", "0");
    tree.write("sys/class/hwmon/hwmon1/curr2_input", "0");
    let (context, _) = machine(&tree, &[DeviceKind::Integrated]);
    let findings = open("jetson", &context);
    assert!(findings.sources.is_empty());
    assert_eq!(findings.obstacles.len(), 1, "{:?}", findings.obstacles);
    assert!(findings.obstacles[0].what.ends_with("VDD_CPU_GPU_CV") && findings.obstacles[0].why.contains("0 W"));
}

#[test]
fn a_rail_that_fails_for_once_is_a_gap_and_one_that_vanishes_ends() {
    let tree = Tree::build("jetson/agx-orin");
    let (context, clock) = machine(&tree, &[DeviceKind::Integrated]);
    let current = "sys/class/hwmon/hwmon1/curr1_input";
    let sampler = Sampler::start(open("jetson", &context).sources, 10.0, &context.clock);
    tree.write(current, "0");
    clock.sleep(Seconds::new(0.1));
    tree.write(current, "600");
    clock.sleep(Seconds::new(0.1));
    tree.remove(current);
    clock.sleep(Seconds::new(1.0));
    let traces = sampler.stop();
    assert_eq!(values(&traces[1], "power.instant"), [Some(9.5), None, Some(11.4)]);
    let module = values(&traces[0], "power.instant");
    assert_eq!((module[0], module[1]), (Some(17.8), None), "a sum without one of its parts is no sum");
    assert_eq!(values(&traces[2], "power.instant").len(), 13, "the CPU's rail goes on");
}

#[test]
fn a_machine_without_them_gives_nothing_and_no_error() {
    let tree = Tree::build("intel/xe");
    let (context, _) = machine(&tree, &[DeviceKind::Integrated]);
    for kind in ["grace", "jetson"] {
        let findings = open(kind, &context);
        assert!(findings.sources.is_empty() && findings.obstacles.is_empty(), "{kind}");
    }
}
