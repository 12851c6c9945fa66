//! AMD's dual-die modules over a fake tree: both dies are joined to the sensor that speaks for them, and never to half of it.
//!
//! Cards of one die are in `power_sources`. What surprises people: the two devices of a module show the same joules, so
//! that adding them would count each joule twice; the note says so.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod power_support;

use power_support::{Tree, at, context, device, last, open, values};
use wattmark::clock::{Clock, SimulatedClock};
use wattmark::model::{DeviceKind, Scope, SourceTrace};
use wattmark::power::{ProbeContext, Sampler, holds_device, window_energies};
use wattmark::units::Seconds;

const EVEN: &str = "0000:c1:00.0";
const ODD: &str = "0000:c6:00.0";

fn machine(tree: &Tree, addresses: &[&str]) -> (ProbeContext, SimulatedClock) {
    let (mut context, clock) = context(tree.root());
    let die = |(ordinal, pci): (usize, &&str)| device(u32::try_from(ordinal).unwrap(), DeviceKind::Discrete, Some(pci));
    context.devices = addresses.iter().enumerate().map(die).collect();
    (context, clock)
}

fn power(traces: &[SourceTrace]) -> Vec<&SourceTrace> {
    traces.iter().filter(|trace| trace.source.id.starts_with("amdgpu:")).collect()
}

#[test]
fn both_dies_of_a_module_are_joined_to_the_sensor_that_speaks_for_both() {
    let tree = Tree::build("amdgpu/dual-die");
    let (context, clock) = machine(&tree, &[EVEN, ODD, "0000:c9:00.0", "0000:ce:00.0"]);
    let findings = open("amdgpu", &context);
    assert!(findings.obstacles.is_empty(), "{:?}", findings.obstacles);
    let sampler = Sampler::start(findings.sources, 10.0, &context.clock);
    clock.sleep(Seconds::new(2.0));
    let traces = sampler.stop();
    let found: Vec<(String, Option<u32>, f64)> = power(&traces)
        .iter()
        .map(|trace| (trace.source.id.clone(), trace.source.device, last(trace, "power.average")))
        .collect();
    let expected = [(EVEN, 0, 410.0), (ODD, 1, 410.0), ("0000:c9:00.0", 2, 390.0), ("0000:ce:00.0", 3, 390.0)];
    let expected = expected.map(|(pci, ordinal, watts)| (format!("amdgpu:{pci}"), Some(ordinal), watts));
    assert_eq!(found, expected);
    for trace in power(&traces) {
        let energy = window_energies(trace, at(0.5), at(1.5)).remove(0);
        let owner = context.devices.iter().find(|device| Some(device.ordinal) == trace.source.device).unwrap();
        assert_eq!(energy.scope, Scope::Module, "a die alone has no power reading");
        assert!(holds_device(energy.scope, trace.source.device, owner));
        assert!(trace.source.note.contains("both dies") && trace.source.note.contains("never add"));
    }
    let odd = power(&traces)[1];
    assert!(odd.source.note.contains(EVEN), "{}", odd.source.note);
    assert_eq!(last(odd, "energy"), 100.0, "the accumulator is that of both dies as well");
}

#[test]
fn each_die_keeps_its_own_temperature() {
    let tree = Tree::build("amdgpu/dual-die");
    let (context, _) = machine(&tree, &[EVEN, ODD]);
    let traces = Sampler::start(open("amdgpu", &context).sources, 10.0, &context.clock).stop();
    let edge = |id: &str| last(traces.iter().find(|trace| trace.source.id == id).unwrap(), "temperature.edge");
    assert_eq!(edge(&format!("amdgpu-telemetry:{EVEN}")), 52.0);
    assert_eq!(edge(&format!("amdgpu-telemetry:{ODD}")), 41.0);
}

/// Folder of the PCI device in the tree of one card.
const CARD: &str = "sys/devices/pci0000:00/0000:03:00.0";

/// The error counters of the one card of a tree.
fn errors(tree: &Tree) -> SourceTrace {
    let (context, clock) = machine(tree, &["0000:03:00.0"]);
    let sampler = Sampler::start(open("amdgpu", &context).sources, 10.0, &context.clock);
    clock.sleep(Seconds::new(2.0));
    sampler.stop().into_iter().find(|trace| trace.source.id == "amdgpu-errors:0000:03:00.0").unwrap()
}

#[test]
fn errors_of_all_hardware_blocks_are_added_and_polled_once_a_second() {
    let tree = Tree::build("amdgpu/discrete");
    tree.write(&format!("{CARD}/ras/umc_err_count"), "ue: 1\nce: 20");
    tree.write(&format!("{CARD}/ras/gfx_err_count"), "ue: 0\nce: 3\nde: 9");
    tree.write(&format!("{CARD}/ras/sdma_err_count"), "Query currently inaccessible");
    tree.write(&format!("{CARD}/ras/features"), "feature mask: 0x1");
    tree.write(&format!("{CARD}/pcie_replay_count"), "17");
    let trace = errors(&tree);
    assert_eq!(trace.requested_hz, 1.0);
    assert_eq!(values(&trace, "ecc.corrected"), [Some(23.0); 3]);
    assert_eq!(values(&trace, "ecc.uncorrected"), [Some(1.0); 3]);
    assert_eq!(values(&trace, "pcie.replays"), [Some(17.0); 3]);
    assert!(
        trace.source.note.ends_with("gfx, umc"),
        "the block that is switched off is not among them: {}",
        trace.source.note
    );
}

#[test]
fn a_block_that_cannot_be_read_for_once_leaves_no_sum_and_a_card_without_counters_no_channel() {
    let tree = Tree::build("amdgpu/discrete");
    tree.write(&format!("{CARD}/ras/umc_err_count"), "ue: 1\nce: 20");
    let (context, clock) = machine(&tree, &["0000:03:00.0"]);
    let sampler = Sampler::start(open("amdgpu", &context).sources, 10.0, &context.clock);
    tree.write(&format!("{CARD}/ras/umc_err_count"), "Query currently inaccessible");
    clock.sleep(Seconds::new(1.0));
    let traces = sampler.stop();
    let trace = traces.iter().find(|trace| trace.source.id.starts_with("amdgpu-errors")).unwrap();
    assert_eq!(values(trace, "ecc.corrected"), [Some(20.0), None]);
    assert!(trace.source.channels.iter().all(|channel| channel.id != "pcie.replays"));
    tree.remove(&format!("{CARD}/ras/umc_err_count"));
    assert!(open("amdgpu", &context).sources.iter().all(|source| !source.info().id.starts_with("amdgpu-errors")));
}

#[test]
fn a_card_tells_the_number_that_is_burnt_into_its_chip() {
    let tree = Tree::build("amdgpu/discrete");
    tree.write(&format!("{CARD}/unique_id"), "a1b2c3d4e5f60718");
    let (context, _) = machine(&tree, &["0000:03:00.0"]);
    let known = wattmark::power::identities(&context);
    assert_eq!(known[&0].iter().collect::<Vec<_>>(), [(&"uuid".to_owned(), &"a1b2c3d4e5f60718".to_owned())]);
}

#[test]
fn a_run_on_the_silent_die_alone_is_measured_by_the_other() {
    let tree = Tree::build("amdgpu/dual-die");
    let (context, clock) = machine(&tree, &[ODD]);
    let sampler = Sampler::start(open("amdgpu", &context).sources, 1.0, &context.clock);
    tree.write("sys/class/hwmon/hwmon2/power1_average", "0");
    clock.sleep(Seconds::new(1.0));
    let traces = sampler.stop();
    let trace = power(&traces)[0];
    assert_eq!(trace.source.device, Some(0));
    assert_eq!(values(trace, "power.average"), [Some(410.0), None], "and a 0 of the one that speaks is a gap");
}

#[test]
fn a_silent_die_whose_partner_is_not_to_be_seen_is_an_obstacle() {
    let tree = Tree::build("amdgpu/dual-die");
    tree.remove("sys/class/hwmon/hwmon2/name");
    let (context, _) = machine(&tree, &[ODD]);
    let findings = open("amdgpu", &context);
    assert!(findings.sources.iter().all(|source| !source.info().id.starts_with("amdgpu:")));
    assert!(findings.obstacles[0].why.contains("MI250"), "{:?}", findings.obstacles);
}

#[test]
fn a_die_that_speaks_speaks_for_its_module_even_where_its_partner_is_not_to_be_seen() {
    let tree = Tree::build("amdgpu/dual-die");
    tree.remove("sys/class/hwmon/hwmon1/name");
    let (context, _) = machine(&tree, &[EVEN, "0000:ce:00.0"]);
    let findings = open("amdgpu", &context);
    assert_eq!(findings.obstacles.len(), 1, "the silent die of the other module is in doubt: {:?}", findings.obstacles);
    let traces = Sampler::start(findings.sources, 10.0, &context.clock).stop();
    let scopes: Vec<Scope> = power(&traces).iter().map(|trace| trace.source.channels[0].scope).collect();
    assert_eq!(scopes, [Scope::Module]);
}
