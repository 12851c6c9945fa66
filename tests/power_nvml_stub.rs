//! NVIDIA boards without NVIDIA: the NVML source against a stand-in for the driver's library, compiled here from C.
//!
//! The library is loaded once per process, so each scenario runs in a process of its own: a test calls itself with
//! `WATTMARK_NVML` naming the stand-in and `STUB_NVML_STEER` naming the file that steers it. What surprises people: the file
//! is read at every call, so that a scenario can break the driver while it is being polled.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod power_support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use power_support::{Tree, context, device, open, values};
use wattmark::clock::{Nanoseconds, RunClock, WallClock};
use wattmark::model::{DeviceKind, Quantity, Scope, SourceTrace};
use wattmark::power::{Findings, PollError, PowerSource, ProbeContext, Sampler, frozen_channels, window_energies};
use wattmark::units::Seconds;

/// NVML's codes for failures that the source must take in its stride: not supported, no permission, time-out, lost,
/// unknown.
const CODES: [u32; 5] = [3, 4, 10, GPU_IS_LOST, 999];
const GPU_IS_LOST: u32 = 15;

// --- the stage

/// What stands in for the driver's library.
#[derive(Clone, Copy)]
enum Driver {
    Today,
    /// Without the newer calls.
    Old,
    /// A file that is no library.
    None,
}

/// Compiles the stand-in, once per test process.
fn library(driver: Driver) -> &'static Path {
    static LIBRARIES: OnceLock<(tempfile::TempDir, [PathBuf; 2])> = OnceLock::new();
    let build = || {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stub_nvml/nvml.c");
        let compile = |name: &str, define: &str| {
            let file = folder.path().join(name);
            let done = Command::new("cc")
                .args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", define, "-o"])
                .args([&file, &source])
                .status()
                .unwrap_or_else(|error| panic!("cc, which also links wattmark, does not start: {error}"));
            assert!(done.success(), "cc failed on {}", source.display());
            file
        };
        let files = [compile("today.so", "-DTODAY"), compile("old.so", "-DOLD_DRIVER")];
        (folder, files)
    };
    match driver {
        Driver::Today => &LIBRARIES.get_or_init(build).1[0],
        Driver::Old => &LIBRARIES.get_or_init(build).1[1],
        Driver::None => Path::new("/dev/null"),
    }
}

/// Runs a scenario in a process of its own: `test` is the name of the calling test.
fn alone(test: &str, driver: Driver, steering: &str, scenario: impl Fn(&Stage)) {
    if let Some(steer) = std::env::var_os("STUB_NVML_STEER") {
        scenario(&Stage { steer: steer.into() });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let steer = folder.path().join("steer");
    std::fs::write(&steer, steering).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env("WATTMARK_NVML", library(driver))
        .env("STUB_NVML_STEER", &steer)
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// The steering file, seen from within a scenario.
struct Stage {
    steer: PathBuf,
}

impl Stage {
    fn steer(&self, steering: &str) {
        // Renamed into place, so that the driver never reads half a line.
        let next = self.steer.with_extension("next");
        std::fs::write(&next, steering).unwrap();
        std::fs::rename(&next, &self.steer).unwrap();
    }

    /// The machine with two boards, on the wall clock.
    fn context(&self) -> ProbeContext {
        let (mut context, _) = context(Path::new("/"));
        context.clock = RunClock::Wall(WallClock::start());
        context.devices = vec![
            device(0, DeviceKind::Discrete, Some("0000:01:00.0")),
            device(1, DeviceKind::Discrete, Some("0000:02:00.0")),
        ];
        context.devices.iter_mut().for_each(|device| device.vendor_id = 0x10de);
        context
    }

    fn open(&self) -> Findings {
        open("nvml", &self.context())
    }

    /// Samples for a while at 50 Hz.
    fn sample(&self, seconds: f64) -> Vec<SourceTrace> {
        self.sample_with(self.open(), seconds)
    }

    fn sample_with(&self, findings: Findings, seconds: f64) -> Vec<SourceTrace> {
        let sampler = Sampler::start(findings.sources, 50.0, &self.context().clock);
        std::thread::sleep(Duration::from_secs_f64(seconds));
        sampler.stop()
    }
}

fn ids(findings: &Findings) -> Vec<&str> {
    findings.sources.iter().map(|source| source.info().id.as_str()).collect()
}

fn trace<'a>(traces: &'a [SourceTrace], id: &str) -> &'a SourceTrace {
    traces.iter().find(|trace| trace.source.id == id).unwrap_or_else(|| panic!("no {id}"))
}

fn channels(source: &dyn PowerSource) -> Vec<&str> {
    source.info().channels.iter().map(|channel| channel.id.as_str()).collect()
}

fn poll(source: &mut dyn PowerSource) -> (Result<(), PollError>, Vec<Option<f64>>) {
    let mut values = vec![None; source.info().channels.len()];
    let outcome = source.poll(Nanoseconds(0), &mut values);
    (outcome, values)
}

/// No energetic reading of a trace is zero: a board that is switched on draws power.
fn has_no_zeros(trace: &SourceTrace) {
    for channel in trace.source.channels.iter().filter(|channel| channel.quantity.is_energetic()) {
        assert!(!values(trace, &channel.id).contains(&Some(0.0)), "{}/{}", trace.source.id, channel.id);
    }
}

// --- what it reads

#[test]
fn two_boards_give_power_energy_and_telemetry_and_are_joined_by_address() {
    alone("two_boards_give_power_energy_and_telemetry_and_are_joined_by_address", Driver::Today, "", |stage| {
        let findings = stage.open();
        assert!(findings.obstacles.is_empty(), "{:?}", findings.obstacles);
        let expected =
            ["nvml:0000:01:00.0", "nvml-telemetry:0000:01:00.0", "nvml-errors:0000:01:00.0", "nvml:0000:02:00.0"];
        assert_eq!(ids(&findings)[..4], expected);
        assert_eq!(channels(&*findings.sources[0]), ["power.instant", "power.average", "energy"]);
        assert_eq!(findings.sources[3].info().device, Some(1));
        assert!(findings.sources[0].info().note.contains("25 % of the time"), "{}", findings.sources[0].info().note);
        let traces = stage.sample_with(findings, 0.4);
        let power = trace(&traces, "nvml:0000:02:00.0");
        assert_eq!(power.requested_hz, 20.0, "faster polling brings nothing new");
        let instant = values(power, "power.instant");
        assert!(instant.len() >= 4 && instant.iter().all(|w| (300.0..=306.0).contains(&w.unwrap())), "{instant:?}");
        let telemetry = trace(&traces, "nvml-telemetry:0000:01:00.0");
        assert_eq!(values(telemetry, "power.limit")[0], Some(650.0));
        assert_eq!(values(telemetry, "clock.memory")[0], Some(3.201e9));
        assert_eq!(values(telemetry, "throttle.power")[0], Some(0.25));
        assert_eq!(values(telemetry, "processes")[0], Some(0.0));
    });
}

#[test]
fn module_and_memory_stand_beside_the_board_with_scopes_of_their_own() {
    let test = "module_and_memory_stand_beside_the_board_with_scopes_of_their_own";
    alone(test, Driver::Today, "mode scopes\n", |stage| {
        let traces = stage.sample(0.3);
        let power = trace(&traces, "nvml:0000:01:00.0");
        let scopes: Vec<(String, Scope)> =
            power.source.channels.iter().map(|channel| (channel.id.clone(), channel.scope)).collect();
        for (id, scope, least) in [
            ("power.instant", Scope::Board, 300.0),
            ("power.instant.module", Scope::Module, 900.0),
            ("power.average.module", Scope::Module, 880.0),
            ("power.average.memory", Scope::Memory, 70.0),
        ] {
            assert!(scopes.contains(&(id.to_owned(), scope)), "{scopes:?}");
            let watts = values(power, id)[0].unwrap();
            assert!((least..least + 7.0).contains(&watts), "{id}: {watts}");
        }
        let until = *power.t_ns.last().unwrap();
        let energies = window_energies(power, power.t_ns[0], until);
        let found: Vec<Scope> = energies.iter().map(|energy| energy.scope).collect();
        assert_eq!(found, [Scope::Board, Scope::Module, Scope::Memory], "no scope swallows another");
    });
}

#[test]
fn a_superchip_that_refuses_the_gpu_scope_is_read_by_module() {
    alone("a_superchip_that_refuses_the_gpu_scope_is_read_by_module", Driver::Today, "mode superchip\n", |stage| {
        let findings = stage.open();
        let power = &findings.sources[0];
        let channel = |id: &str| power.info().channels.iter().find(|channel| channel.id == id);
        assert!(channel("power.instant").is_none(), "{:?}", power.info().channels);
        assert_eq!(channel("power.instant.module").unwrap().scope, Scope::Module);
        // The older call still speaks for the GPU; on Hopper it is an average.
        assert_eq!(channel("power.average").unwrap().scope, Scope::Board);
        assert!(power.info().note.contains("CPU and GPU together"));
    });
}

#[test]
fn a_driver_that_ignores_the_scope_does_not_pass_board_watts_off_as_memory() {
    let test = "a_driver_that_ignores_the_scope_does_not_pass_board_watts_off_as_memory";
    alone(test, Driver::Today, "mode ignores-scope\n", |stage| {
        assert_eq!(channels(&*stage.open().sources[0]), ["power.instant", "power.average", "energy"]);
    });
}

/// The error counters of board 0.
fn errors(findings: &mut Findings) -> &mut Box<dyn PowerSource> {
    findings.sources.iter_mut().find(|source| source.info().id == "nvml-errors:0000:01:00.0").unwrap()
}

#[test]
fn error_counters_are_read_once_a_second_beside_a_power_cadence_that_they_do_not_slow() {
    let test = "error_counters_are_read_once_a_second_beside_a_power_cadence_that_they_do_not_slow";
    alone(test, Driver::Today, "corrected 7\nuncorrected 1\nreplays 12\n", |stage| {
        let mut findings = stage.open();
        let source = errors(&mut findings);
        assert_eq!(channels(&**source), ["ecc.corrected", "ecc.uncorrected", "pcie.replays", "driver.errors"]);
        assert_eq!(poll(&mut **source).1, [Some(7.0), Some(1.0), Some(12.0), Some(0.0)]);
        assert!(!source.info().note.contains("not readable"), "{}", source.info().note);
        stage.steer("hang DeviceGetTotalEccErrors 400\n");
        let traces = stage.sample_with(findings, 1.3);
        assert_eq!(trace(&traces, "nvml-errors:0000:01:00.0").requested_hz, 1.0);
        let polls = trace(&traces, "nvml:0000:01:00.0").t_ns.len();
        assert!(polls >= 15, "{polls} polls of power in 1.3 s");
    });
}

#[test]
fn xid_events_are_counted_for_the_board_that_had_them_without_waiting_for_any() {
    let test = "xid_events_are_counted_for_the_board_that_had_them_without_waiting_for_any";
    alone(test, Driver::Today, "", |stage| {
        let mut findings = stage.open();
        assert_eq!(poll(&mut **errors(&mut findings)).1[3], Some(0.0));
        stage.steer("events 3\n");
        let begun = Instant::now();
        assert_eq!(poll(&mut **errors(&mut findings)).1[3], Some(3.0));
        assert_eq!(poll(&mut **errors(&mut findings)).1[3], Some(3.0), "each is told once");
        let other = findings.sources.iter_mut().find(|source| source.info().id == "nvml-errors:0000:02:00.0").unwrap();
        assert_eq!(poll(&mut **other).1[3], Some(0.0));
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
        // A driver that never runs out of events holds no poll up for good.
        stage.steer("events 1000000\n");
        assert!(poll(&mut **errors(&mut findings)).1[3] < Some(1000.0));
    });
}

#[test]
fn a_board_without_error_correction_has_no_memory_counter_and_says_why() {
    let test = "a_board_without_error_correction_has_no_memory_counter_and_says_why";
    alone(test, Driver::Today, "ecc off\nfail DeviceGetSupportedEventTypes 3\n", |stage| {
        let mut findings = stage.open();
        let source = errors(&mut findings);
        assert_eq!(channels(&**source), ["pcie.replays"]);
        let note = &source.info().note;
        assert!(note.contains("ecc.corrected: error correction is off") && note.contains("driver.errors:"), "{note}");
        stage.steer("ecc no-volatile\nuncorrected 2\n");
        assert_eq!(poll(&mut **errors(&mut stage.open())).1[1], Some(2.0), "the counter over the board's life stands");
    });
}

#[test]
fn a_board_tells_its_uuid_and_its_serial_number() {
    alone("a_board_tells_its_uuid_and_its_serial_number", Driver::Today, "fail DeviceGetSerial 3\n", |stage| {
        let known = wattmark::power::identities(&stage.context());
        assert_eq!(known[&1]["uuid"], "GPU-00000000-0000-0000-0000-000000000001");
        assert!(!known[&1].contains_key("serial") && known.len() == 2, "{known:?}");
        stage.steer("");
        assert_eq!(wattmark::power::identities(&stage.context())[&0]["serial"], "1651000000000");
    });
}

// --- what it refuses

#[test]
fn every_call_may_fail_with_every_code_and_the_rest_is_still_read() {
    const CALLS: [&str; 24] = [
        "value",
        "DeviceGetCount_v2",
        "DeviceGetHandleByIndex_v2",
        "DeviceGetPciInfo_v3",
        "DeviceGetName",
        "DeviceGetArchitecture",
        "DeviceGetFieldValues",
        "DeviceGetPowerUsage",
        "DeviceGetTotalEnergyConsumption",
        "DeviceGetClockInfo",
        "DeviceGetTemperature",
        "DeviceGetCurrentClocksThrottleReasons",
        "DeviceGetViolationStatus",
        "DeviceGetEnforcedPowerLimit",
        "DeviceGetPowerManagementDefaultLimit",
        "DeviceGetComputeRunningProcesses_v3",
        "DeviceGetGraphicsRunningProcesses_v3",
        "DeviceGetEccMode",
        "DeviceGetTotalEccErrors",
        "DeviceGetPcieReplayCounter",
        "DeviceGetSupportedEventTypes",
        "EventSetCreate",
        "DeviceRegisterEvents",
        "EventSetWait_v2",
    ];
    alone("every_call_may_fail_with_every_code_and_the_rest_is_still_read", Driver::Today, "", |stage| {
        for (call, code) in CALLS.iter().flat_map(|call| CODES.map(|code| (*call, code))) {
            let what = format!("{call} fails with {code}");
            // From the start.
            stage.steer(&format!("fail {call} {code}\n"));
            let findings = stage.open();
            let is_search = ["DeviceGetCount_v2", "DeviceGetHandleByIndex_v2", "DeviceGetPciInfo_v3"].contains(&call);
            assert_eq!(findings.sources.is_empty(), is_search, "{what}");
            assert_eq!(findings.obstacles.is_empty(), !is_search, "{what}: {:?}", findings.obstacles);
            for obstacle in &findings.obstacles {
                assert!(!obstacle.why.is_empty() && !obstacle.remedy.is_empty(), "{what}: {obstacle:?}");
            }
            // A board that loses one reading has others.
            for mut source in findings.sources {
                let (outcome, values) = poll(&mut *source);
                let is_lost = code == GPU_IS_LOST && matches!(outcome, Err(PollError::Gone(_)));
                assert!(is_lost || outcome.is_ok(), "{what}: {outcome:?}");
                assert!(is_lost || values.iter().any(Option::is_some), "{what}: {}", source.info().id);
                zeros_are_honest(&*source, &values);
            }
            // And in mid-run.
            stage.steer("");
            let mut sources = stage.open().sources;
            stage.steer(&format!("fail {call} {code}\n"));
            for source in &mut sources {
                let (outcome, values) = poll(&mut **source);
                zeros_are_honest(&**source, &values);
                if let Err(PollError::Transient(reason) | PollError::Gone(reason)) = outcome {
                    assert!(reason.starts_with("nvml"), "{what}: {reason}");
                }
            }
            stage.steer("");
            assert!(sources.iter_mut().all(|source| poll(&mut **source).0.is_ok()), "{what}: it comes back");
        }
    });
}

fn zeros_are_honest(source: &dyn PowerSource, values: &[Option<f64>]) {
    for (channel, value) in source.info().channels.iter().zip(values) {
        let may_be_zero = matches!(
            channel.quantity,
            Quantity::ProcessCount
                | Quantity::EccCorrected
                | Quantity::EccUncorrected
                | Quantity::PcieReplays
                | Quantity::DriverErrors
        );
        assert!(may_be_zero || *value != Some(0.0), "{}/{}", source.info().id, channel.id);
    }
}

#[test]
fn a_library_that_does_not_start_is_an_obstacle_with_its_reason() {
    for (code, why, remedy) in
        [(4, "permission", "/dev/nvidiactl"), (9, "driver", "nvidia-smi"), (999, "internal driver error", "nvidia-smi")]
    {
        let test = "a_library_that_does_not_start_is_an_obstacle_with_its_reason";
        alone(test, Driver::Today, &format!("fail Init_v2 {code}\n"), |stage| {
            let told = std::fs::read_to_string(&stage.steer).unwrap();
            if !told.contains(&format!(" {code}\n")) {
                return;
            }
            let findings = stage.open();
            assert!(findings.sources.is_empty());
            let obstacle = &findings.obstacles[0];
            assert!(obstacle.why.contains(why), "{obstacle:?}");
            assert!(obstacle.remedy.contains(remedy), "{obstacle:?}");
        });
    }
}

#[test]
fn a_file_that_is_no_library_is_named_with_the_variable_that_named_it() {
    let test = "a_file_that_is_no_library_is_named_with_the_variable_that_named_it";
    alone(test, Driver::None, "", |stage| {
        let findings = stage.open();
        assert_eq!(findings.obstacles[0].what, "/dev/null");
        assert!(findings.obstacles[0].remedy.contains("WATTMARK_NVML"), "{:?}", findings.obstacles);
    });
}

#[test]
fn an_old_driver_without_the_newer_calls_is_read_by_what_it_has() {
    alone("an_old_driver_without_the_newer_calls_is_read_by_what_it_has", Driver::Old, "", |stage| {
        let findings = stage.open();
        assert_eq!(channels(&*findings.sources[0]), ["power.average"], "power_usage of a Hopper is an average");
        assert!(channels(&*findings.sources[1]).contains(&"clock.core"));
        assert!(!channels(&*findings.sources[1]).contains(&"throttle.power"));
    });
}

#[test]
fn a_mig_slice_says_that_it_has_no_power_and_keeps_its_telemetry() {
    alone("a_mig_slice_says_that_it_has_no_power_and_keeps_its_telemetry", Driver::Today, "mode mig\n", |stage| {
        let findings = stage.open();
        assert_eq!(ids(&findings), ["nvml-telemetry:0000:01:00.0", "nvml-telemetry:0000:02:00.0"]);
        let obstacle = &findings.obstacles[0];
        assert!(obstacle.why.contains("power.instant:") && obstacle.why.contains("energy:"), "{obstacle:?}");
        assert!(obstacle.remedy.contains("MIG"), "{obstacle:?}");
    });
}

#[test]
fn zeros_are_gaps_with_a_reason_and_never_readings() {
    alone("zeros_are_gaps_with_a_reason_and_never_readings", Driver::Today, "", |stage| {
        let findings = stage.open();
        stage.steer("mode zero\n");
        assert!(stage.open().obstacles[0].why.contains("power.instant: it reads 0"));
        let traces = stage.sample_with(findings, 0.3);
        let power = trace(&traces, "nvml:0000:01:00.0");
        has_no_zeros(power);
        assert!(power.gaps[0].reason.contains("0 W"), "{:?}", power.gaps);
        assert_eq!(window_energies(power, power.t_ns[0], *power.t_ns.last().unwrap())[0].chosen, None);
    });
}

// --- what goes wrong in mid-run

#[test]
fn a_board_that_falls_off_the_bus_ends_its_own_trace_and_no_other() {
    let test = "a_board_that_falls_off_the_bus_ends_its_own_trace_and_no_other";
    // Opening asks each board for fields ten times.
    alone(test, Driver::Today, "lost-after 14\n", |stage| {
        let traces = stage.sample(0.8);
        let lost = trace(&traces, "nvml:0000:01:00.0");
        assert!((2..8).contains(&lost.t_ns.len()), "{} polls", lost.t_ns.len());
        let gap = lost.gaps.last().unwrap();
        assert!(gap.reason.contains("fallen off the bus") && gap.until_ns.is_none(), "{gap:?}");
        let other = trace(&traces, "nvml:0000:02:00.0");
        assert!(
            other.t_ns.len() >= 6 && !other.gaps.iter().any(|gap| gap.reason.contains("bus")),
            "{} {:?}",
            other.t_ns.len(),
            other.gaps
        );
    });
}

#[test]
fn a_call_that_hangs_holds_up_its_own_board_alone() {
    alone("a_call_that_hangs_holds_up_its_own_board_alone", Driver::Today, "", |stage| {
        let tree = Tree::build("rapl/two-packages");
        let mut findings = stage.open();
        let (files, _) = context(tree.root());
        findings.sources.extend(open("rapl", &files).sources);
        stage.steer("hang DeviceGetTotalEnergyConsumption 600\n");
        let traces = stage.sample_with(findings, 1.0);
        let polls = |id: &str| trace(&traces, id).t_ns.len();
        assert!(polls("nvml:0000:01:00.0") <= 3, "{}", polls("nvml:0000:01:00.0"));
        assert!(polls("nvml:0000:02:00.0") >= 6, "{}", polls("nvml:0000:02:00.0"));
        assert!(polls("nvml-telemetry:0000:01:00.0") >= 3, "{}", polls("nvml-telemetry:0000:01:00.0"));
        assert!(polls("rapl:packages") >= 10, "{}", polls("rapl:packages"));
        let late = trace(&traces, "nvml:0000:01:00.0");
        assert!(late.gaps.iter().any(|gap| gap.reason.contains("late")), "{:?}", late.gaps);
    });
}

#[test]
fn a_driver_that_hangs_for_good_does_not_keep_the_run_from_ending() {
    alone("a_driver_that_hangs_for_good_does_not_keep_the_run_from_ending", Driver::Today, "", |stage| {
        let findings = stage.open();
        stage.steer("hang DeviceGetFieldValues 30000\n");
        let start = Instant::now();
        let traces = stage.sample_with(findings, 0.3);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert!(trace(&traces, "nvml:0000:01:00.0").t_ns.is_empty());
        assert!(!trace(&traces, "nvml:0000:02:00.0").t_ns.is_empty());
    });
}

#[test]
fn a_counter_that_runs_backwards_is_never_an_energy() {
    alone("a_counter_that_runs_backwards_is_never_an_energy", Driver::Today, "mode backwards\n", |stage| {
        let traces = stage.sample(0.8);
        let power = trace(&traces, "nvml:0000:01:00.0");
        let counter: Vec<f64> = values(power, "energy").into_iter().flatten().collect();
        assert!(counter.windows(2).all(|pair| pair[0] <= pair[1]), "{counter:?}");
        assert!(power.gaps.iter().any(|gap| gap.channel.as_deref() == Some("energy")), "{:?}", power.gaps);
        let energy = window_energies(power, power.t_ns[1], *power.t_ns.last().unwrap()).remove(0);
        assert_eq!(energy.counter, None);
        let mean = energy.mean_power.unwrap().get();
        assert!((300.0..=306.0).contains(&mean), "the integral stands: {mean} W");
    });
}

#[test]
fn a_driver_that_freezes_is_found_by_its_counter() {
    alone("a_driver_that_freezes_is_found_by_its_counter", Driver::Today, "mode freeze\n", |stage| {
        let traces = stage.sample(2.3);
        let power = trace(&traces, "nvml:0000:01:00.0");
        assert!(frozen_channels(power).contains(&"energy".to_owned()), "{:?}", frozen_channels(power));
        let energy = window_energies(power, power.t_ns[0], *power.t_ns.last().unwrap()).remove(0);
        assert_eq!(energy.counter, None, "a counter that stands still has counted nothing");
    });
}

#[test]
fn a_value_that_the_driver_repeats_with_its_old_stamp_goes_stale() {
    let test = "a_value_that_the_driver_repeats_with_its_old_stamp_goes_stale";
    alone(test, Driver::Today, "mode stale\n", |stage| {
        let traces = stage.sample(1.5);
        let power = trace(&traces, "nvml:0000:01:00.0");
        let instant = values(power, "power.instant");
        let fresh = instant.iter().take_while(|watts| watts.is_some()).count();
        let last_fresh = power.t_ns[fresh - 1].since(power.t_ns[0]);
        assert!(last_fresh <= Seconds::new(1.1) && fresh < instant.len(), "{last_fresh:?} {fresh}/{}", instant.len());
        assert!(instant[fresh..].iter().all(Option::is_none), "a stale value does not look fresh again");
        assert!(values(power, "energy").iter().all(Option::is_some), "the counter goes on");
    });
}
