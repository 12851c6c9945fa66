//! Runs that the user ends at any instant, and devices that do not open: every planned case is accounted for once, and
//! nothing that was saved is lost later.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::Cell;

use assert_cmd::Command;
use proptest::prelude::*;
use wattmark::cli::bench::TestBench;
use wattmark::clock::{Clock, Nanoseconds, RunClock};
use wattmark::gpu::{Accelerator, GpuError, Machine};
use wattmark::measure::run::{Event, Observer, Setup, execute};
use wattmark::model::{Case, Device, RunRecord, RunStatus, SkipReason, StopReason};
use wattmark::store;
use wattmark::units::Seconds;

const SCRIPT: &str = r#"
[[device]]
name = "First"
[[device.rates]]
variant = "*"
flop_per_s = 1e12
[[device]]
name = "Second"
[[device.rates]]
variant = "*"
flop_per_s = 5e11
"#;

struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event<'_>) {}
}

/// A machine whose devices open a given number of times.
struct Reluctant<'a> {
    inner: &'a dyn Machine,
    ordinal: u32,
    opens: Cell<u32>,
}

impl Machine for Reluctant<'_> {
    fn devices(&self) -> Vec<Device> {
        self.inner.devices()
    }
    fn open(&self, ordinal: u32) -> Result<Box<dyn Accelerator>, GpuError> {
        if ordinal == self.ordinal {
            let left = self.opens.get();
            self.opens.set(left.saturating_sub(1));
            if left == 0 {
                return Err(GpuError::NoDevice("the driver refused".to_owned()));
            }
        }
        self.inner.open(ordinal)
    }
    fn clock(&self) -> RunClock {
        self.inner.clock()
    }
    fn is_simulated(&self) -> bool {
        true
    }
}

/// The plan of two GEMM variants on both devices, as the program resolves it, in a record of nothing yet.
fn planned(folder: &std::path::Path, script: &str, interleaved: bool) -> RunRecord {
    std::fs::write(folder.join("script.toml"), script).unwrap();
    let args = [
        "run",
        "--no-ceilings",
        "--simulate",
        "script.toml",
        "--kernel",
        "gemm/naive-f32,gemm/tiled-f32",
        "--shape",
        "m=n=k=64",
        "--device",
        "all",
        "--no-figures",
    ];
    Command::cargo_bin("wattmark").unwrap().current_dir(folder).args(args).assert().success();
    let run = std::fs::read_dir(folder.join("results")).unwrap().next().unwrap().unwrap();
    let mut record = store::read(&run.path().join("run.json")).unwrap().record;
    record.measurements.clear();
    record.idle.clear();
    record.status = RunStatus::Running;
    record.plan.settings.interleaved = interleaved;
    record
}

/// Executes a plan and demands that no save holds less than the one before it, nor the end less than the last.
fn run(machine: &dyn Machine, record: &mut RunRecord, interrupted_at: Nanoseconds) {
    let clock = machine.clock();
    let mut held = (0, 0, 0);
    let mut save = |record: &RunRecord| {
        let windows = record.measurements.iter().map(|m| m.measured().count()).sum();
        let now = (windows, record.skips.len(), record.idle.len());
        assert!(now.0 >= held.0 && now.1 >= held.1 && now.2 >= held.2, "{now:?} after {held:?}");
        held = now;
        Ok(())
    };
    let mut setup = Setup {
        machine,
        sampler: None,
        interrupted: &|| clock.now() >= interrupted_at,
        observer: &mut Silent,
        save: &mut save,
    };
    execute(&mut setup, record);
    let windows: usize = record.measurements.iter().map(|m| m.measured().count()).sum();
    assert!(windows >= held.0);
    let place = |case: &Case| record.plan.cases.iter().position(|planned| planned == case).unwrap();
    let measured: Vec<usize> = record.measurements.iter().map(|m| place(&m.case)).collect();
    assert!(measured.is_sorted(), "measurements follow the plan's order: {measured:?}");
    let mut all: Vec<usize> = measured.into_iter().chain(record.skips.iter().map(|skip| place(&skip.case))).collect();
    all.sort_unstable();
    assert_eq!(all, (0..record.plan.cases.len()).collect::<Vec<_>>(), "each case is measured or skipped, once");
}

#[test]
fn a_run_ended_at_any_instant_accounts_for_every_case() {
    let folder = tempfile::tempdir().unwrap();
    for interleaved in [false, true] {
        let plan = planned(folder.path(), SCRIPT, interleaved);
        let whole = {
            let bench = TestBench::open(Some(&folder.path().join("script.toml"))).unwrap();
            let mut record = plan.clone();
            run(bench.machine(), &mut record, Nanoseconds(u64::MAX));
            assert_eq!((record.measurements.len(), &record.status), (4, &RunStatus::Complete));
            bench.machine().clock().now()
        };
        proptest!(ProptestConfig::with_cases(60), |(part in 0.0f64..1.0)| {
            let bench = TestBench::open(Some(&folder.path().join("script.toml"))).unwrap();
            let mut record = plan.clone();
            run(bench.machine(), &mut record, Nanoseconds((whole.0 as f64 * part) as u64));
            prop_assert_eq!(&record.status, &RunStatus::Interrupted);
            prop_assert!(record.skips.iter().all(|skip| skip.reason == SkipReason::Interrupted));
            for measurement in &record.measurements {
                prop_assert!(measurement.verified());
                let whole = measurement.measured().count() == record.plan.settings.windows_max as usize;
                let expected = if whole { StopReason::WindowCap } else { StopReason::Interrupted };
                let stop = measurement.stop.clone();
                prop_assert!(stop.as_ref() == Some(&expected) || stop == Some(StopReason::TightEnough), "{:?}", stop);
            }
        });
    }
}

#[test]
fn a_second_device_that_does_not_open_leaves_the_first_ones_results_and_its_own_idle_power() {
    let folder = tempfile::tempdir().unwrap();
    let mut record = planned(folder.path(), SCRIPT, false);
    record.plan.settings.idle_s = Seconds::new(2.0);
    for ordinal in [0, 1] {
        let bench = TestBench::open(Some(&folder.path().join("script.toml"))).unwrap();
        let machine = Reluctant { inner: bench.machine(), ordinal, opens: Cell::new(0) };
        let mut record = record.clone();
        run(&machine, &mut record, Nanoseconds(u64::MAX));
        assert_eq!(record.status, RunStatus::Complete);
        assert!(record.measurements.iter().all(|m| m.case.device != ordinal && m.verified()));
        assert_eq!((record.measurements.len(), record.skips.len()), (2, 2));
        assert!(record.skips.iter().all(|skip| skip.detail.contains("the driver refused")));
        assert!(record.skips.iter().all(|skip| skip.reason == SkipReason::Other));
        let idle: Vec<(u32, usize)> = record.idle.iter().map(|idle| (idle.device, idle.windows.len())).collect();
        assert_eq!(idle, [(0, if ordinal == 0 { 1 } else { 2 }), (1, if ordinal == 1 { 1 } else { 2 })]);
    }
}

#[test]
fn a_lost_device_that_does_not_come_back_skips_its_other_cases_with_the_reason() {
    let fault = "[[device.faults]]\nkind = \"lost\"\nvariant = \"gemm/naive-f32\"\nafter_submissions = 5\n\n[[device]]\n\
                 name = \"Second\"";
    for interleaved in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let plan = planned(folder.path(), SCRIPT, interleaved);
        std::fs::write(folder.path().join("lost.toml"), SCRIPT.replace("[[device]]\nname = \"Second\"", fault))
            .unwrap();
        let bench = TestBench::open(Some(&folder.path().join("lost.toml"))).unwrap();
        let machine = Reluctant { inner: bench.machine(), ordinal: 0, opens: Cell::new(1) };
        let mut record = plan.clone();
        run(&machine, &mut record, Nanoseconds(u64::MAX));
        let lost: Vec<&str> = record.skips.iter().map(|skip| skip.case.variant.as_str()).collect();
        assert_eq!(lost, ["gemm/naive-f32", "gemm/tiled-f32"], "interleaved {interleaved}");
        assert!(record.skips.iter().all(|skip| skip.reason == SkipReason::DeviceLost && skip.case.device == 0));
        assert!(record.measurements.iter().all(|m| m.case.device == 1 && m.verified()));
    }
}
