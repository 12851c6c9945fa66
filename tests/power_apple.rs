//! Apple's `powermetrics` by a stand-in: a script that prints what the program is known to print.
//!
//! No Mac took part: this checks the reading of its output and what happens when it refuses, falls silent or ends. What
//! surprises people: these watts are estimates by the word of the program's own manual.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod power_support;

use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use power_support::{Tree, context, device, open, values};
use wattmark::clock::{RunClock, WallClock};
use wattmark::model::{DeviceKind, Evidence, Scope};
use wattmark::power::{Findings, ProbeContext, Sampler, holds_device};

const SAMPLE: &str = "printf 'CPU Power: 900 mW\\nGPU Power: 5000 mW\\nANE Power: 0 mW\\nCombined Power (CPU + GPU + ANE): 5900 \
                      mW\\n'";

/// Opens the sources of a machine whose `powermetrics` is this script.
fn machine(script: &str) -> (Tree, ProbeContext, Findings) {
    // A program that is being started holds whatever file another test is writing, which could then not be run.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let tree = Tree::empty();
    let program = "usr/bin/powermetrics";
    tree.write(program, &format!("#!/bin/sh\n{script}"));
    let path = tree.root().join(program);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (mut context, _) = context(tree.root());
    context.clock = RunClock::Wall(WallClock::start());
    context.devices = vec![device(0, DeviceKind::Integrated, None)];
    let findings = open("apple", &context);
    (tree, context, findings)
}

#[test]
fn the_printed_watts_are_read_as_estimates_of_soc_and_gpu() {
    let (_tree, context, findings) = machine(&format!("while :; do {SAMPLE}; sleep 0.05; done"));
    assert!(findings.obstacles.is_empty(), "{:?}", findings.obstacles);
    let sampler = Sampler::start(findings.sources, 50.0, &context.clock);
    std::thread::sleep(Duration::from_millis(450));
    let traces = sampler.stop();
    let (soc, gpu) = (&traces[0], &traces[1]);
    assert_eq!((soc.source.channels[0].scope, gpu.source.channels[0].scope), (Scope::Package, Scope::Chip));
    assert_eq!((soc.source.evidence, gpu.source.device), (Evidence::Estimated, Some(0)));
    assert_eq!(soc.requested_hz, 10.0);
    assert!(values(soc, "power.average").len() >= 4);
    assert!(values(soc, "power.average").iter().all(|watts| *watts == Some(5.9)));
    assert!(values(gpu, "power.average").iter().all(|watts| *watts == Some(5.0)));
    assert!(holds_device(Scope::Package, None, &context.devices[0]), "the SoC holds its GPU");
}

#[test]
fn a_user_without_rights_is_told_what_to_do() {
    let (_tree, _, findings) = machine("echo 'powermetrics must be invoked as the superuser' >&2; exit 1");
    assert!(findings.sources.is_empty());
    assert!(findings.obstacles[0].why.contains("superuser"), "{:?}", findings.obstacles);
    assert!(findings.obstacles[0].remedy.contains("sudo"));
}

#[test]
fn a_program_that_falls_silent_is_a_gap_and_one_that_ends_is_gone() {
    let (_tree, context, findings) = machine(&format!("{SAMPLE}; sleep 1.2; exit 0"));
    let sampler = Sampler::start(findings.sources, 10.0, &context.clock);
    std::thread::sleep(Duration::from_millis(1700));
    let traces = sampler.stop();
    let read = values(&traces[0], "power.average");
    assert_eq!(read[0], Some(5.9));
    assert!(read.last().unwrap().is_none(), "{read:?}");
    let gap = traces[0].gaps.last().unwrap();
    assert!(gap.reason.contains("the program ended") && gap.until_ns.is_none(), "{:?}", traces[0].gaps);
}
