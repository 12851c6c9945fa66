//! A short sustained load of every adapter of this machine: all phases, right outputs, the known digest.
//!
//! Mesa's software adapter is enough. What surprises people: a window may be longer than asked for where other programs
//! share the processor, so nothing here is said of rates.

// Helpers outside of test functions may stop the test too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::{BTreeMap, BTreeSet};

use wattmark::clock::WallClock;
use wattmark::gpu::{Machine, WgpuMachine};
use wattmark::measure::result::evaluate;
use wattmark::measure::soak::{self, SoakEvent, SoakPlan, SoakSetup};
use wattmark::measure::{presets, run};
use wattmark::model::{Phase, Preset, RunRecord, RunStatus};
use wattmark::units::Seconds;

#[test]
fn every_phase_runs_on_every_adapter_with_right_outputs_and_one_digest() {
    let machine = WgpuMachine::discover(WallClock::start());
    let devices = machine.devices();
    assert!(!devices.is_empty(), "no adapter at all: install Mesa's software Vulkan driver");
    let plan = SoakPlan {
        work: soak::work(&devices, 2026),
        duration: Seconds::new(9.0),
        done: Seconds::new(0.0),
        first_segment: 1,
        segment: Seconds::new(60.0),
        window: Seconds::new(0.3),
        inject_error: true,
    };
    let golden = include_str!("fixtures/records/v1.0.json");
    let mut blank: RunRecord = serde_json::from_str(golden).unwrap();
    (blank.measurements, blank.idle, blank.traces, blank.skips) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    blank.devices.clone_from(&devices);
    blank.plan.settings = presets::settings(Preset::Standard);
    blank.plan.settings.idle_s = Seconds::new(0.2);
    let mut segments = BTreeMap::new();
    let mut save = |number: u32, record: &RunRecord| {
        segments.insert(number, record.clone());
        Ok(())
    };
    let mut wrong = Vec::new();
    let mut observer = |event: &SoakEvent<'_>| match event {
        SoakEvent::WrongOutput { phase, detail, .. } => wrong.push(format!("{phase}: {detail}")),
        SoakEvent::Lost { device, reason } => wrong.push(format!("{device} lost: {reason}")),
        _ => {}
    };
    let mut setup = SoakSetup {
        machine: &machine,
        sampler: None,
        interrupted: &|| false,
        observer: &mut observer,
        segment: &mut |_| blank.clone(),
        save: &mut save,
    };
    let end = soak::run(&mut setup, &plan);
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(end.lost.is_empty() && !end.interrupted && end.done.get() >= 9.0, "{end:?}");
    assert!(!end.injected.is_empty() && end.injected.iter().all(|injected| injected.caught), "{:?}", end.injected);
    let record = &segments[&1];
    assert_eq!(record.status, RunStatus::Complete);
    assert!(run::all_verified(record));
    for device in &devices {
        let own: Vec<_> = record.measurements.iter().filter(|m| m.case.device == device.ordinal).collect();
        let phases: BTreeSet<Phase> = own.iter().map(|m| m.sustained.as_ref().unwrap().phase).collect();
        assert_eq!(phases.len(), 5, "{}: {phases:?}, skips {:?}", device.name, record.skips);
        for measurement in own {
            let sustained = measurement.sustained.as_ref().unwrap();
            let digests: BTreeSet<&String> = sustained.digests.iter().collect();
            eprintln!(
                "{:10} {:28} {} windows, busy {:.3}, {} of {} bytes digested, {} digests",
                sustained.phase,
                measurement.case.label(),
                sustained.digests.len(),
                measurement.timing.as_ref().unwrap().busy_fraction.unwrap_or(f64::NAN),
                sustained.digested_bytes,
                sustained.output_bytes,
                digests.len()
            );
            // One, and one more in the window in which a bit was flipped.
            assert_eq!(digests.len(), 1 + usize::from(measurement.injected.is_some()));
            assert_eq!(sustained.known.is_some(), sustained.phase == Phase::Integer);
            assert!(sustained.known.as_ref().is_none_or(|known| *known == sustained.digests[0]));
        }
    }
    assert!(evaluate(record).cases.iter().all(|case| case.per_execution.is_some()));
}
