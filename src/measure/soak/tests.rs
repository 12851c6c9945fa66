//! Sustained loads of simulated devices, exact to the nanosecond.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::clock::{Activity, Clock, SimulatedClock};
use crate::gpu::simulated::{DeviceScript, FaultScript, Oracle, Rate, SimulatedMachine};
use crate::measure::plan::{Selection, cases};
use crate::measure::{presets, result};
use crate::model::{Device, Measurement, Preset, RunStatus, SkipReason, Verification, WindowKind};
use crate::verify::prepare::instance_of;
use crate::workload;

/// Kernel and shape of each phase, small enough that the simulated device shows whole outputs.
const SMALL: [(Phase, &str, &str); 5] = [
    (Phase::Integer, "fma/chains-i32", "n=64,steps=64"),
    (Phase::Arithmetic, "gemm/naive-f32", "m=n=k=32"),
    (Phase::Memory, "memory-triad/direct-f32", "n=1024"),
    (Phase::Mixed, "gemm/tiled-f32", "m=n=k=24"),
    (Phase::Steps, "fma/chains-f32", "n=64,steps=64"),
];

fn small(devices: &[Device]) -> Vec<(Phase, Case)> {
    let of = |(phase, kernel, shape): &(Phase, &str, &str)| {
        let (kernels, shapes) = (vec![(*kernel).to_owned()], vec![(*shape).to_owned()]);
        let selection = Selection { kernels, shapes, seed: 5, ..Selection::default() };
        cases(&selection, devices).unwrap().into_iter().map(|case| (*phase, case)).collect::<Vec<_>>()
    };
    SMALL.iter().flat_map(of).collect()
}

fn seconds(value: f64) -> Seconds {
    Seconds::new(value)
}

fn script(name: &str, seconds_per_dispatch: f64) -> DeviceScript {
    DeviceScript::new(name, Rate::SecondsPerDispatch(seconds(seconds_per_dispatch)))
}

fn plan(work: Vec<(Phase, Case)>, duration: f64) -> SoakPlan {
    SoakPlan {
        work,
        duration: seconds(duration),
        done: seconds(0.0),
        first_segment: 1,
        segment: seconds(30.0),
        window: seconds(1.0),
        inject_error: false,
    }
}

/// What a load left behind.
struct Left {
    end: SoakEnd,
    segments: BTreeMap<u32, RunRecord>,
    saves: Vec<(u32, RunStatus)>,
    events: Vec<String>,
    clock: SimulatedClock,
}

impl Left {
    fn measurements(&self, device: u32, phase: Phase) -> impl Iterator<Item = &Measurement> {
        let of = move |m: &&Measurement| {
            m.case.device == device && m.sustained.as_ref().is_some_and(|sustained| sustained.phase == phase)
        };
        self.segments.values().flat_map(|record| &record.measurements).filter(of)
    }
    fn windows(&self, device: u32, phase: Phase) -> usize {
        self.measurements(device, phase).map(|m| m.measured().count()).sum()
    }
    fn digests(&self, device: u32, phase: Phase) -> Vec<&String> {
        self.measurements(device, phase).flat_map(|m| &m.sustained.as_ref().unwrap().digests).collect()
    }
    fn events(&self, word: &str) -> Vec<&String> {
        self.events.iter().filter(|event| event.contains(word)).collect()
    }
}

fn soak(scripts: Vec<DeviceScript>, change: impl FnOnce(&mut SoakPlan), stop_after: f64) -> Left {
    let clock = SimulatedClock::new();
    let oracle: Oracle = Arc::new(|program, range| {
        let problem = workload::problem(&program.case.problem).unwrap();
        workload::oracle_bytes(problem, &instance_of(&program.case), range.buffer, range.start, range.end)
    });
    let machine = SimulatedMachine::new(scripts, clock.clone(), Activity::default(), oracle);
    let mut plan = plan(small(&machine.devices()), 60.0);
    change(&mut plan);
    let (mut segments, mut saves, mut events) = (BTreeMap::new(), Vec::new(), Vec::new());
    let blank = || {
        let mut record = result::testing::empty();
        (record.measurements, record.devices) = (Vec::new(), machine.devices());
        record.plan.settings = presets::settings(Preset::Standard);
        record.plan.seed = 5;
        record.plan.cases = plan.work.iter().map(|(_, case)| case.clone()).collect();
        record
    };
    let mut save = |number: u32, record: &RunRecord| {
        saves.push((number, record.status.clone()));
        segments.insert(number, record.clone());
        Ok(())
    };
    let mut observer = |event: &SoakEvent<'_>| {
        events.push(match event {
            SoakEvent::Phase { phase, round } => format!("phase {phase} {round}"),
            SoakEvent::Window { case, phase, .. } => format!("window {} {phase}", case.device),
            SoakEvent::WrongOutput { case, phase, detail } => format!("wrong {} {phase}: {detail}", case.device),
            SoakEvent::Lost { device, reason } => format!("lost {device}: {reason}"),
            SoakEvent::Segment { number, done } => format!("segment {number} {:.1}", done.get()),
            SoakEvent::SaveFailed(reason) => format!("unsaved: {reason}"),
        });
    };
    let mut setup = SoakSetup {
        machine: &machine,
        sampler: None,
        interrupted: &|| clock.now().0 as f64 / 1e9 >= stop_after,
        observer: &mut observer,
        segment: &mut |_| blank(),
        save: &mut save,
    };
    let end = run(&mut setup, &plan);
    Left { end, segments, saves, events, clock }
}

#[test]
fn devices_of_different_speed_have_the_same_rounds_without_gaps_and_the_same_digests() {
    let left = soak(vec![script("fast", 0.001), script("slow", 0.007)], |_| {}, 1e9);
    // Quarter of preheat and three windows, or three rests and windows: a round is 4 · 3.25 + 6 = 19 s and a bit more.
    for phase in Phase::ALL {
        let (fast, slow) = (left.windows(0, phase), left.windows(1, phase));
        assert_eq!((fast, slow), (slow, fast), "{phase}");
        assert!((9..=12).contains(&fast), "{phase}: {fast} windows in a minute");
        let digests: std::collections::BTreeSet<&String> =
            [left.digests(0, phase), left.digests(1, phase)].concat().into_iter().collect();
        assert_eq!(digests.len(), 1, "{phase}");
        for device in [0, 1] {
            for measurement in left.measurements(device, phase) {
                assert!(measurement.verified(), "{:?}", measurement.verification);
                let busy = measurement.timing.as_ref().unwrap().busy_fraction.unwrap();
                assert!((busy - 1.0).abs() < 0.005, "{phase} on {device}: busy {busy}");
                assert!(measurement.measured().all(|window| window.duration().get() >= 0.999));
            }
        }
    }
    let integer = left.measurements(1, Phase::Integer).next().unwrap().sustained.as_ref().unwrap();
    assert_eq!(integer.known.as_ref(), Some(&integer.digests[0]), "known from the arithmetic alone");
    assert_eq!((integer.digested_bytes, integer.output_bytes), (512, 512));
    let float = left.measurements(1, Phase::Arithmetic).next().unwrap();
    assert_eq!(float.sustained.as_ref().unwrap().known, None);
    let Verification::Passed { after, .. } = &float.verification else { panic!("{:?}", float.verification) };
    assert!(after.product.is_some(), "sums of rows by Freivalds' method");
    let rests = left.measurements(0, Phase::Steps).flat_map(|m| &m.windows).filter(|w| w.kind == WindowKind::Cooldown);
    let rests: Vec<_> = rests.collect();
    assert!(rests.len() >= 9 && rests.iter().all(|rest| (rest.duration().get() - 1.0).abs() < 1e-6));
}

#[test]
fn segments_are_whole_records_that_add_up_to_the_time_that_was_asked_for() {
    let left = soak(vec![script("a", 0.001)], |plan| (plan.done, plan.first_segment) = (seconds(40.0), 3), 1e9);
    // 20 of 60 s were left; a window and a preheat at most go beyond.
    assert!((60.0..62.0).contains(&left.end.done.get()), "{:?}", left.end);
    assert!(!left.end.interrupted && left.end.lost.is_empty());
    let whole = soak(vec![script("a", 0.001)], |plan| plan.duration = seconds(300.0), 1e9);
    assert!((300.0..302.0).contains(&whole.end.done.get()), "{:?}", whole.end);
    let numbers: Vec<u32> = whole.segments.keys().copied().collect();
    assert_eq!(numbers, (1..=whole.end.segments).collect::<Vec<_>>());
    assert!(whole.end.segments >= 8, "{}", whole.end.segments);
    assert_eq!(left.segments.keys().copied().collect::<Vec<_>>(), [3]);
    let mut last = 0;
    for (number, record) in &whole.segments {
        assert_eq!(record.status, RunStatus::Complete);
        assert_eq!(record.idle.len(), usize::from(*number == 1));
        let windows = || record.measurements.iter().flat_map(|m| &m.windows);
        assert!(windows().map(|w| w.start_ns.0).min().unwrap() >= last, "no window stands twice");
        last = windows().map(|w| w.end_ns.0).max().unwrap();
        let found = result::evaluate(record);
        assert!(found.cases.iter().all(|case| case.per_execution.is_some() && case.total_time.get() > 0.9));
        let time = found.cases[0].per_execution.unwrap().point.get();
        assert!((time - 0.001).abs() < 1e-9, "{time}");
    }
    let running = |(_, status): &&(u32, RunStatus)| *status == RunStatus::Running;
    assert!(whole.saves.iter().filter(running).count() >= 8, "a growing segment is saved too: {:?}", whole.saves);
}

#[test]
fn a_wrong_output_is_noticed_in_its_window_and_the_load_goes_on() {
    for (phase, kernel, _) in SMALL {
        let fault = FaultScript::WrongOutput { variant: kernel.to_owned(), after_runs: 60 };
        let bad = DeviceScript { faults: vec![fault], ..script("bad", 0.001) };
        let left = soak(vec![script("good", 0.001), bad], |_| {}, 1e9);
        let digests = left.digests(1, phase);
        let right = left.digests(0, phase)[0];
        let first = digests.iter().position(|digest| *digest != right).unwrap();
        assert!(first > 0 && digests[first..].iter().all(|digest| *digest != right), "{phase}: {digests:?}");
        let told = left.events(&format!("wrong 1 {phase}: after window {}:", first + 1));
        assert!(!told.is_empty(), "{phase}: {:?}", left.events("wrong"));
        assert!(left.events("wrong 0").is_empty());
        assert_eq!(left.windows(0, phase), left.windows(1, phase), "{phase}: the load goes on");
        let failed = left.measurements(1, phase).any(|m| !m.verified());
        assert!(failed && left.measurements(0, phase).all(Measurement::verified), "{phase}");
    }
}

#[test]
fn an_output_that_is_wrong_from_the_start_is_told_and_loaded_all_the_same() {
    let fault = FaultScript::WrongOutput { variant: "gemm/naive-f32".to_owned(), after_runs: 0 };
    let left = soak(vec![DeviceScript { faults: vec![fault], ..script("bad", 0.001) }], |_| {}, 1e9);
    assert!(!left.events("wrong 0 arithmetic: before the load").is_empty(), "{:?}", left.events("wrong"));
    assert!(left.windows(0, Phase::Arithmetic) >= 9);
    assert!(left.measurements(0, Phase::Arithmetic).all(|m| !m.verified()));
}

#[test]
fn an_error_made_on_purpose_is_caught_in_each_phase_once_and_is_no_fault_of_the_device() {
    let left = soak(vec![script("a", 0.001), script("b", 0.002)], |plan| plan.inject_error = true, 1e9);
    assert_eq!(left.end.injected.len(), 10);
    assert!(left.end.injected.iter().all(|injected| injected.caught), "{:?}", left.end.injected);
    assert!(left.events("wrong").is_empty(), "{:?}", left.events("wrong"));
    for device in [0, 1] {
        for phase in Phase::ALL {
            let injected = left.measurements(device, phase).filter_map(|m| m.injected.as_ref()).count();
            assert_eq!(injected, 1, "{phase}");
            assert!(left.measurements(device, phase).all(Measurement::verified));
            let digests = left.digests(device, phase);
            let odd: Vec<usize> = (0..digests.len()).filter(|index| digests[*index] != digests[0]).collect();
            assert_eq!(odd, [2], "{phase}: the third window's digest alone tells it");
        }
    }
}

#[test]
fn a_lost_device_is_taken_up_again_a_dead_one_is_missing_with_its_reason_and_the_others_go_on() {
    let lost = |times| FaultScript::Lost { variant: "memory*".to_owned(), after_submissions: 20, times };
    let once = DeviceScript { faults: vec![lost(1)], ..script("once", 0.001) };
    let often = DeviceScript { faults: vec![lost(u64::MAX)], ..script("often", 0.001) };
    let left = soak(vec![script("good", 0.001), once, often], |plan| plan.duration = seconds(120.0), 1e9);
    let whole = soak(vec![script("good", 0.001)], |plan| plan.duration = seconds(120.0), 1e9);
    for phase in Phase::ALL {
        let difference = whole.windows(0, phase) as i64 - left.windows(0, phase) as i64;
        assert!(difference.abs() <= 3, "{phase}: the others go on");
        assert!(left.windows(1, phase) >= 6, "{phase}: it is taken up again: {}", left.windows(1, phase));
    }
    assert_eq!(left.events("lost 1").len(), 1);
    assert!(left.end.lost.iter().filter(|(device, _)| *device == 2).count() >= 2, "{:?}", left.end.lost);
    assert!(left.windows(2, Phase::Integer) >= 9 && left.windows(2, Phase::Mixed) == 0);
    let skips = left.segments.values().flat_map(|record| &record.skips);
    let dead: Vec<_> = skips.filter(|skip| skip.case.device == 2 && skip.reason == SkipReason::DeviceLost).collect();
    assert!(!dead.is_empty() && dead[0].detail.contains("scripted loss"), "{dead:?}");
}

#[test]
fn a_phase_that_a_device_cannot_run_is_skipped_with_the_reason_and_the_rest_is_loaded() {
    let fault = FaultScript::CompileError { variant: "gemm/tiled-f32".to_owned() };
    let left = soak(vec![DeviceScript { faults: vec![fault], ..script("a", 0.001) }], |_| {}, 1e9);
    assert_eq!(left.windows(0, Phase::Mixed), 0);
    assert!(left.windows(0, Phase::Steps) >= 9);
    for record in left.segments.values() {
        assert_eq!(record.skips.len(), 1);
        assert_eq!(record.skips[0].reason, SkipReason::CompileError);
    }
}

#[test]
fn a_phase_that_fits_no_memory_is_left_out_and_the_others_are_loaded_in_turns() {
    let fault = FaultScript::OutOfMemory { variant: "fma/chains-f32".to_owned() };
    let left = soak(vec![DeviceScript { faults: vec![fault], ..script("a", 0.001) }], |_| {}, 1e9);
    assert_eq!(left.windows(0, Phase::Steps), 0, "it does not fit even alone");
    for phase in [Phase::Integer, Phase::Arithmetic, Phase::Memory, Phase::Mixed] {
        assert!(left.windows(0, phase) >= 9, "{phase}");
        assert!(left.measurements(0, phase).all(Measurement::verified));
    }
}

#[test]
fn ctrl_c_ends_the_load_and_leaves_an_interrupted_segment() {
    let left = soak(vec![script("a", 0.001)], |_| {}, 10.0 + 25.0);
    assert!(left.end.interrupted);
    // Five seconds of idle twice, then 25 s of load, and what was in flight.
    assert!((24.9..25.6).contains(&left.end.done.get()), "{:?}", left.end);
    assert!(left.clock.now().0 as f64 / 1e9 < 36.0);
    let (_, last) = left.segments.last_key_value().unwrap();
    assert_eq!(last.status, RunStatus::Interrupted);
    assert!(left.windows(0, Phase::Integer) >= 3);
    let early = soak(vec![script("a", 0.001)], |_| {}, 2.0);
    assert!(early.end.interrupted && early.end.segments == 1, "{:?}", early.end);
    assert_eq!(early.segments[&1].status, RunStatus::Interrupted);
}
