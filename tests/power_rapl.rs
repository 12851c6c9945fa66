//! RAPL by domain over fake trees: each joule counted once, each domain under its own scope, and no domain hiding another.
//!
//! What a source does with trouble in general is checked in `power_sources`. What surprises people: the super-user reads
//! files without permission, so that an unreadable counter is a folder in the file's place.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod power_support;

use power_support::{Tree, context, device, last, open, values};
use wattmark::clock::{Clock, SimulatedClock};
use wattmark::model::{DeviceKind, Scope, SourceTrace};
use wattmark::power::{Findings, ProbeContext, Sampler, holds_device};
use wattmark::units::Seconds;

/// A machine without a card.
fn machine(tree: &Tree) -> (ProbeContext, SimulatedClock) {
    let (mut context, clock) = context(tree.root());
    context.devices = vec![device(0, DeviceKind::Software, None)];
    (context, clock)
}

fn traces(fixture: &str) -> Vec<SourceTrace> {
    let tree = Tree::build(fixture);
    let (context, _) = machine(&tree);
    Sampler::start(open("rapl", &context).sources, 10.0, &context.clock).stop()
}

/// Id, scope and joules of each trace.
fn joules(traces: &[SourceTrace]) -> Vec<(&str, Scope, f64)> {
    let of = |trace: &SourceTrace| last(trace, &trace.source.channels[0].id);
    traces.iter().map(|trace| (trace.source.id.as_str(), trace.source.channels[0].scope, of(trace))).collect()
}

fn ids(findings: &Findings) -> Vec<&str> {
    findings.sources.iter().map(|source| source.info().id.as_str()).collect()
}

/// Puts a folder in a file's place, which nobody can read as a file.
fn make_unreadable(tree: &Tree, file: &str) {
    tree.remove(file);
    std::fs::create_dir(tree.root().join(file)).unwrap();
}

#[test]
fn the_dies_of_an_intel_server_are_added_and_the_domains_are_not() {
    let found = traces("rapl/server");
    let expected = [
        ("rapl:packages", Scope::Package, 7.0),
        ("rapl:dram", Scope::Memory, 0.6),
        ("rapl:cores", Scope::Chip, 1.8),
        ("rapl:psys", Scope::HostDc, 9.0),
    ];
    let found = joules(&found);
    assert_eq!(found.len(), expected.len(), "the uncore that counts nothing is no source: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((found.0, found.1), (expected.0, expected.1));
        assert!((found.2 - expected.2).abs() < 1e-9, "{found:?}");
    }
}

#[test]
fn the_dies_of_an_amd_package_show_one_counter_and_it_is_taken_once() {
    let found = traces("rapl/amd");
    assert_eq!(joules(&found), [("rapl:packages", Scope::Package, 5.0)], "and one core is not all cores");
}

#[test]
fn a_domain_that_cannot_be_read_hides_no_other() {
    for (file, hidden) in [
        ("sys/class/powercap/intel-rapl:2:1/energy_uj", "rapl:dram"),
        ("sys/class/powercap/intel-rapl:1/energy_uj", "rapl:packages"),
        ("sys/class/powercap/intel-rapl:3/energy_uj", "rapl:psys"),
    ] {
        let tree = Tree::build("rapl/server");
        make_unreadable(&tree, file);
        let (context, _) = machine(&tree);
        let findings = open("rapl", &context);
        let all = ["rapl:packages", "rapl:dram", "rapl:cores", "rapl:psys"];
        let left: Vec<&str> = all.into_iter().filter(|id| *id != hidden).collect();
        assert_eq!(ids(&findings), left);
        assert_eq!(findings.obstacles.len(), 1);
        assert!(findings.obstacles[0].what.ends_with(file), "{:?}", findings.obstacles);
    }
}

#[test]
fn the_platform_is_left_out_where_a_card_may_lie_outside_it() {
    let tree = Tree::build("rapl/server");
    let (mut context, _) = machine(&tree);
    context.devices.push(device(1, DeviceKind::Discrete, Some("0000:03:00.0")));
    assert_eq!(ids(&open("rapl", &context)), ["rapl:packages", "rapl:dram", "rapl:cores"]);
}

#[test]
fn every_domain_wraps_at_its_own_range() {
    let tree = Tree::build("rapl/server");
    let (context, clock) = machine(&tree);
    let dram = "sys/class/powercap/intel-rapl:0:1/energy_uj";
    tree.write(dram, "65712999000");
    let sampler = Sampler::start(open("rapl", &context).sources, 1.0, &context.clock);
    tree.write(dram, "999387");
    clock.sleep(Seconds::new(1.0));
    let traces = sampler.stop();
    let energy = values(&traces[1], "energy.dram");
    // 613 µJ to the wrap and 999387 µJ after it.
    assert!((energy[1].unwrap() - energy[0].unwrap() - 1.0).abs() < 1e-6, "{energy:?}");
}

#[test]
fn cores_and_memory_never_stand_for_a_device_and_packages_only_for_what_runs_on_them() {
    let software = device(0, DeviceKind::Software, None);
    let discrete = device(1, DeviceKind::Discrete, Some("0000:03:00.0"));
    let holds = |device, scope| holds_device(scope, None, device);
    assert!(holds(&software, Scope::Package) && !holds(&software, Scope::Chip) && !holds(&software, Scope::Memory));
    assert!(!holds(&discrete, Scope::Package) && !holds(&discrete, Scope::Chip) && !holds(&discrete, Scope::Memory));
}
