//! Every power source over fake sensor trees: what it reads, what it refuses, and the contract that all of them keep.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod power_support;

use power_support::{Tree, at, context, device, fixture, last, open, values};
use wattmark::clock::{Activity, Busy, Clock, RunClock, WallClock};
use wattmark::model::{DeviceKind, Evidence, PowerRequest, Quantity, Scope, SourceInfo, SourceTrace};
use wattmark::power::{self, Findings, ProbeContext, Sampler, frozen_channels, window_energies};
use wattmark::units::{Seconds, Watts};

const CARD: &str = "sys/class/hwmon/hwmon3";
const METRICS: &str = "sys/devices/pci0000:00/0000:03:00.0/gpu_metrics";
const PACKAGE_0: &str = "sys/class/powercap/intel-rapl:0/energy_uj";

/// Polls once and returns the first source's trace.
fn sample(findings: Findings, context: &ProbeContext) -> SourceTrace {
    assert!(!findings.sources.is_empty(), "obstacles: {:?}", findings.obstacles);
    Sampler::start(findings.sources, 10.0, &context.clock).stop().remove(0)
}

fn software(context: &mut ProbeContext) {
    context.devices = vec![device(0, DeviceKind::Software, None)];
}

// --- what each source reads

#[test]
fn rapl_sums_the_packages_and_counts_nothing_twice() {
    let tree = Tree::build("rapl/two-packages");
    let (context, _) = context(tree.root());
    let trace = sample(open("rapl", &context), &context);
    assert_eq!(values(&trace, "energy.packages"), [Some(3.0)]);
    assert_eq!((trace.source.device, trace.source.channels.len()), (None, 1));
    assert_eq!(trace.source.channels[0].scope, Scope::Package);
}

#[test]
fn a_package_counter_that_wraps_goes_on_and_one_that_is_reset_leaves_a_gap() {
    let tree = Tree::build("rapl/two-packages");
    let (context, clock) = context(tree.root());
    tree.write(PACKAGE_0, "262143000000");
    let sampler = Sampler::start(open("rapl", &context).sources, 1.0, &context.clock);
    tree.write(PACKAGE_0, "671150");
    clock.sleep(Seconds::new(1.0));
    let trace = sampler.traces().remove(0);
    let energy = values(&trace, "energy.packages");
    // 328850 µJ to the wrap and 671150 µJ after it.
    assert!((energy[1].unwrap() - energy[0].unwrap() - 1.0).abs() < 1e-6, "{energy:?}");
    tree.write(PACKAGE_0, "10");
    clock.sleep(Seconds::new(1.0));
    assert_eq!(values(&sampler.stop()[0], "energy.packages")[2], None);
}

#[test]
fn an_unreadable_package_is_an_obstacle_with_the_line_that_cures_it() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::build("rapl/two-packages");
    let path = tree.root().join(PACKAGE_0);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&path).is_ok() {
        // The super-user reads everything: a folder in the file's place fails for everyone.
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
    }
    let (context, _) = context(tree.root());
    let findings = open("rapl", &context);
    let ids: Vec<&str> = findings.sources.iter().map(|source| source.info().id.as_str()).collect();
    assert_eq!(ids, ["rapl:cores"], "half of a host's packages would pass for all; the rest is read");
    let obstacle = &findings.obstacles[0];
    assert!(obstacle.what.ends_with("intel-rapl:0/energy_uj"), "{obstacle:?}");
    if obstacle.why.contains("denied") {
        assert!(obstacle.remedy.starts_with("sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"));
    }
}

#[test]
fn amdgpu_joins_by_pci_address_and_reads_power_energy_and_telemetry() {
    let tree = Tree::build("amdgpu/discrete");
    let (context, _) = context(tree.root());
    let traces = Sampler::start(open("amdgpu", &context).sources, 50.0, &context.clock).stop();
    let ids: Vec<&str> = traces.iter().map(|trace| trace.source.id.as_str()).collect();
    assert_eq!(ids, ["amdgpu:0000:03:00.0", "amdgpu-telemetry:0000:03:00.0"]);
    assert_eq!((traces[0].source.device, traces[0].requested_hz, traces[1].requested_hz), (Some(0), 50.0, 5.0));
    for (source, channel, expected) in [
        (0, "power.average", 200.0),
        (0, "energy", 100.0),
        (1, "temperature.edge", 61.0),
        (1, "temperature.junction", 70.0),
        (1, "clock.core", 2.1e9),
        (1, "clock.memory", 1e9),
        (1, "power.limit", 250.0),
        (1, "power.limit.default", 300.0),
    ] {
        let value = last(&traces[source], channel);
        assert!((value - expected).abs() < 1e-6, "{channel}: {value}");
    }
    assert!(traces[0].by_quantity(Quantity::InstantPower).is_none(), "averaged power is not called instant");
}

#[test]
fn a_card_that_is_not_part_of_the_run_is_left_alone() {
    let tree = Tree::build("amdgpu/discrete");
    let (mut context, _) = context(tree.root());
    context.devices = vec![device(0, DeviceKind::Discrete, Some("0000:99:00.0"))];
    assert!(open("amdgpu", &context).sources.is_empty());
}

#[test]
fn the_power_of_an_apu_is_a_package_figure() {
    let tree = Tree::build("amdgpu/discrete");
    let (mut context, _) = context(tree.root());
    context.devices[0].kind = DeviceKind::Integrated;
    let trace = sample(open("amdgpu", &context), &context);
    assert_eq!(trace.source.channels[0].scope, Scope::Package);
    assert!(trace.source.note.contains("CPU cores"));
}

#[test]
fn a_die_that_reports_zero_watts_is_an_obstacle_and_no_source() {
    let tree = Tree::build("amdgpu/silent-die");
    let (context, _) = context(tree.root());
    let findings = open("amdgpu", &context);
    assert!(findings.sources.is_empty());
    assert!(findings.obstacles[0].why.contains("MI250"));
}

#[test]
fn a_metrics_table_of_an_unknown_revision_is_named_and_power_is_still_read() {
    let tree = Tree::build("amdgpu/discrete");
    let mut table = tree.read(METRICS);
    table[2] = 2;
    tree.write_bytes(METRICS, &table);
    let (context, _) = context(tree.root());
    let findings = open("amdgpu", &context);
    assert!(findings.obstacles[0].why.contains("2.3"), "{:?}", findings.obstacles);
    assert!(sample(findings, &context).by_quantity(Quantity::EnergyCounter).is_none());
}

#[test]
fn power_that_reads_zero_for_once_is_a_gap() {
    let tree = Tree::build("amdgpu/discrete");
    let (context, clock) = context(tree.root());
    let sampler = Sampler::start(open("amdgpu", &context).sources, 1.0, &context.clock);
    tree.write(&format!("{CARD}/power1_average"), "0");
    clock.sleep(Seconds::new(1.0));
    assert_eq!(values(&sampler.stop()[0], "power.average"), [Some(200.0), None]);
}

#[test]
fn a_frozen_accumulator_is_found_and_the_integral_stands() {
    let tree = Tree::build("amdgpu/discrete");
    let (context, clock) = context(tree.root());
    let sampler = Sampler::start(open("amdgpu", &context).sources, 10.0, &context.clock);
    clock.sleep(Seconds::new(10.0));
    let trace = sampler.stop().remove(0);
    assert_eq!(frozen_channels(&trace), ["energy"]);
    let energy = window_energies(&trace, at(2.0), at(8.0)).remove(0);
    assert_eq!((energy.counter, energy.integral.unwrap().get().round()), (None, 1200.0));
}

#[test]
fn an_estimate_is_cpu_time_times_watts_and_is_called_an_estimate() {
    let tree = Tree::build("estimate/proc");
    let (mut context, clock) = context(tree.root());
    software(&mut context);
    let sampler = Sampler::start(open("estimate", &context).sources, 1.0, &context.clock);
    tree.write("proc/self/stat", "77 (x) S 1 77 77 0 -1 4194304 900 0 0 0 1250 200 0 0 20 0 8 0 4000 1000000 800 0");
    clock.sleep(Seconds::new(1.0));
    let trace = sampler.stop().remove(0);
    assert_eq!(trace.source.evidence, Evidence::Estimated);
    assert!(trace.source.note.contains("Cloud Carbon Footprint"));
    // 12 s, then 2.5 s more, at 3.5 W per vCPU.
    assert_eq!(values(&trace, "energy.estimated"), [Some(42.0), Some(50.75)]);
    assert_eq!(values(&trace, "power.estimated"), [None, Some(8.75)]);
}

// --- an external meter

fn meter(context: &mut ProbeContext, arguments: &str) -> Findings {
    context.argument = Some(format!("{}{arguments}", fixture("csv/meter.csv").display()));
    open("csv", context)
}

#[test]
fn a_meter_file_is_read_by_its_declared_columns_and_missing_cells_are_gaps() {
    let (mut context, clock) = context(Tree::empty().root());
    let findings = meter(&mut context, ",watts=watts,energy_j=joules,scope=host-dc,time_unit=s");
    let sampler = Sampler::start(findings.sources, 2.0, &context.clock);
    clock.sleep(Seconds::new(3.0));
    let trace = sampler.stop().remove(0);
    let watts = [Some(100.0), Some(100.0), None, Some(300.0), Some(300.0), None, Some(300.0)];
    assert_eq!(values(&trace, "power.meter"), watts);
    assert_eq!(last(&trace, "energy.meter"), 625.0);
    assert_eq!(trace.source.channels[0].update_period_s, Some(Seconds::new(0.5)));
    assert_eq!(trace.source.channels[0].scope, Scope::HostDc);
    assert_eq!(trace.gaps.len(), 2);
}

#[test]
fn an_offset_moves_the_meter_and_rows_older_than_three_periods_are_missing() {
    let (mut context, clock) = context(Tree::empty().root());
    let findings = meter(&mut context, ",offset=1");
    let sampler = Sampler::start(findings.sources, 2.0, &context.clock);
    clock.sleep(Seconds::new(8.0));
    let watts = values(&sampler.stop()[0], "power.meter");
    assert_eq!(watts[..5], [None, None, Some(100.0), Some(100.0), None]);
    // The last row is of 4 s on the run's clock.
    assert_eq!((watts[11], watts[12]), (Some(300.0), None));
}

#[test]
fn a_meter_file_may_grow_while_it_is_read_and_half_a_line_waits() {
    let tree = Tree::empty();
    let (mut context, clock) = context(tree.root());
    tree.write_bytes("log.csv", b"t_ms;W\n0;50\n");
    context.argument = Some(format!("{},time=t_ms,watts=W,time_unit=ms", tree.root().join("log.csv").display()));
    let sampler = Sampler::start(open("csv", &context).sources, 1.0, &context.clock);
    tree.write_bytes("log.csv", b"t_ms;W\n0;50\n1000;60\n2000;7");
    clock.sleep(Seconds::new(1.0));
    tree.write_bytes("log.csv", b"t_ms;W\n0;50\n1000;60\n2000;70\n");
    clock.sleep(Seconds::new(1.0));
    assert_eq!(values(&sampler.stop()[0], "power.meter"), [Some(50.0), Some(60.0), Some(70.0)]);
}

#[test]
fn absolute_times_are_placed_by_the_system_clock() {
    let tree = Tree::empty();
    let (mut context, _) = context(tree.root());
    context.clock = RunClock::Wall(WallClock::start());
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    for (unit, time) in [("unix", format!("{:.3}", unix - 1.0)), ("rfc3339", rfc3339(unix - 1.0))] {
        tree.write("log.csv", &format!("time,watts\n{time},123.5"));
        let file = tree.root().join("log.csv");
        context.argument = Some(format!("{},time_unit={unit}", file.display()));
        let trace = sample(open("csv", &context), &context);
        assert_eq!(values(&trace, "power.meter")[0], Some(123.5), "{unit} {time}");
    }
}

fn rfc3339(unix: f64) -> String {
    jiff::Timestamp::from_second(unix as i64).unwrap().to_string()
}

#[test]
fn a_wrong_declaration_says_what_is_wrong_and_what_there_is() {
    let (mut context, _) = context(Tree::empty().root());
    for (arguments, expected) in [
        (",watts=power", "there is no column `power`; the file has: time, watts, joules, phase"),
        (",scope=rack", "scope `rack`"),
        (",time_unit=min", "time_unit `min`"),
        (",offset=soon", "offset `soon`"),
        (",colour=red", "unknown key `colour`"),
        (",watts", "`watts` is not KEY=VALUE"),
        (".missing", "cannot read"),
    ] {
        let findings = meter(&mut context, arguments);
        assert!(findings.sources.is_empty());
        assert!(findings.obstacles[0].why.contains(expected), "{}", findings.obstacles[0].why);
    }
}

// --- scripts

#[test]
fn a_part_time_sensor_says_so_in_its_channel_and_still_has_its_joules() {
    let (mut context, clock) = context(Tree::empty().root());
    let activity = Activity::default();
    activity.push(Busy { from: at(2.0), until: at(8.0), device: 0, variant: "gemm/naive-f32".to_owned() });
    context.activity = Some(activity);
    context.argument = Some(fixture("scripted/part-time.toml").display().to_string());
    let sampler = Sampler::start(open("scripted", &context).sources, 50.0, &context.clock);
    clock.sleep(Seconds::new(10.0));
    let trace = sampler.stop().remove(0);
    let channel = trace.by_quantity(Quantity::InstantPower).unwrap().0;
    assert!(channel.averaging_window_s.unwrap() < channel.update_period_s.unwrap());
    let energy = window_energies(&trace, at(3.0), at(7.0)).remove(0);
    assert!((energy.chosen.unwrap().1.get() - 1600.0).abs() < 1e-6, "{energy:?}");
}

#[test]
fn a_sensor_that_vanishes_half_way_does_not_end_the_others() {
    let (mut context, clock) = context(Tree::empty().root());
    context.argument = Some(fixture("scripted/troubled.toml").display().to_string());
    let sampler = Sampler::start(open("scripted", &context).sources, 10.0, &context.clock);
    clock.sleep(Seconds::new(10.0));
    let traces = sampler.stop();
    let polls: Vec<usize> = traces.iter().map(|trace| trace.t_ns.len()).collect();
    assert_eq!(polls, [101, 101, 50]);
    assert_eq!(traces[2].gaps[0].until_ns, None);
    assert_eq!(last(&traces[0], "energy"), 500.0, "the wrap at 100 J is undone");
    assert_eq!(frozen_channels(&traces[1]), ["energy"]);
}

// --- the contract

/// A source over a tree, and the file whose trouble is the source's trouble.
struct Subject {
    kind: &'static str,
    tree: Tree,
    context: ProbeContext,
    clock: wattmark::clock::SimulatedClock,
    file: &'static str,
}

fn subjects() -> Vec<Subject> {
    let cases = [
        ("rapl", "rapl/two-packages", PACKAGE_0),
        ("amdgpu", "amdgpu/discrete", "sys/class/hwmon/hwmon3/power1_average"),
        ("amdgpu", "amdgpu/dual-die", "sys/class/hwmon/hwmon2/power1_average"),
        ("intel", "intel/xe", "sys/class/hwmon/hwmon5/energy1_input"),
        ("grace", "grace/hopper", "sys/devices/LNXSYSTM:00/ACPI000D:01/power1_average"),
        ("jetson", "jetson/orin-nx", "sys/class/hwmon/hwmon1/curr1_input"),
        ("estimate", "estimate/proc", "proc/self/stat"),
    ];
    let subject = |(kind, fixture, file): (&'static str, &str, &'static str)| {
        let tree = Tree::build(fixture);
        let (mut context, clock) = context(tree.root());
        match fixture {
            "estimate/proc" => software(&mut context),
            "amdgpu/dual-die" => context.devices[0].pci = Some("0000:c6:00.0".parse().unwrap()),
            _ => {}
        }
        Subject { kind, tree, context, clock, file }
    };
    let mut subjects: Vec<Subject> = cases.into_iter().map(subject).collect();
    let tree = Tree::empty();
    let (mut context, clock) = context(tree.root());
    tree.write("log.csv", "time,watts\n0,10\n1,11\n2,12\n3,13\n4,14");
    context.argument = Some(tree.root().join("log.csv").display().to_string());
    subjects.push(Subject { kind: "csv", tree, context, clock, file: "log.csv" });
    subjects
}

#[test]
fn every_source_says_what_it_is() {
    for subject in subjects() {
        let sources = open(subject.kind, &subject.context).sources;
        let energetic = |info: &SourceInfo| info.channels.iter().any(|channel| channel.quantity.is_energetic());
        assert!(energetic(sources[0].info()), "{}", subject.kind);
        for source in sources {
            let info = source.info();
            assert!(info.id.starts_with(subject.kind) && info.kind == subject.kind, "{info:?}");
            let mut ids: Vec<&str> = info.channels.iter().map(|channel| channel.id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), info.channels.len(), "ids are unique: {info:?}");
            let known = info.channels[0].update_period_s.is_some();
            assert!(known || !energetic(info) || info.note.contains("period unknown"), "{info:?}");
        }
    }
}

#[test]
fn every_source_turns_trouble_into_gaps_and_never_into_zeros() {
    for subject in subjects() {
        let Subject { kind, tree, context, clock, file } = subject;
        let sound = tree.read(file);
        let mut sources = open(kind, &context).sources;
        let count = sources.len();
        sources.extend(
            open(
                "scripted",
                &ProbeContext {
                    argument: Some(fixture("scripted/part-time.toml").display().to_string()),
                    ..context.clone()
                },
            )
            .sources,
        );
        let sampler = Sampler::start(sources, 5.0, &context.clock);
        clock.sleep(Seconds::new(1.0));
        if kind != "csv" {
            tree.write(file, "neither number nor reading");
        }
        clock.sleep(Seconds::new(1.0));
        tree.write_bytes(file, &sound);
        clock.sleep(Seconds::new(1.0));
        tree.remove(file);
        clock.sleep(Seconds::new(20.0));
        let traces = sampler.stop();
        let trace = &traces[0];
        assert!(trace.t_ns.windows(2).all(|pair| pair[0] < pair[1]), "{kind}");
        for channel in trace.source.channels.iter().filter(|channel| channel.quantity.is_energetic()) {
            // A process that computes nothing is estimated at 0 W, which is a reading.
            let zeros = values(trace, &channel.id).contains(&Some(0.0));
            assert!(!zeros || channel.id == "power.estimated", "{kind}: {}", channel.id);
        }
        if kind != "csv" {
            let outage = trace.gaps.iter().find(|gap| gap.channel.is_none() && gap.until_ns == Some(at(2.2)));
            let outage = outage.unwrap_or_else(|| panic!("{kind}: {:?}", trace.gaps));
            assert_eq!(outage.from_ns, at(1.0), "{kind}");
        }
        let end = trace.gaps.iter().find(|gap| gap.channel.is_none() && gap.until_ns.is_none());
        assert!(end.unwrap_or_else(|| panic!("{kind}: {:?}", trace.gaps)).reason.contains("cannot read"), "{kind}");
        assert!(*trace.t_ns.last().unwrap() < at(8.0), "{kind} is not polled once it is gone");
        assert_eq!(traces[count].t_ns.len(), 116, "{kind}: the other source goes on");
    }
}

// --- requests

fn auto() -> PowerRequest {
    PowerRequest::Auto { assume_watts: None }
}

fn kinds(findings: &Findings) -> Vec<String> {
    findings.sources.iter().map(|source| source.info().kind.clone()).collect()
}

#[test]
fn auto_opens_what_answers_and_estimates_only_what_nothing_measures() {
    let tree = Tree::build("amdgpu/discrete");
    let (mut context, _) = context(tree.root());
    context.clock = RunClock::Wall(WallClock::start());
    context.devices.push(device(1, DeviceKind::Software, None));
    tree.write_bytes("proc/self/stat", &Tree::build("estimate/proc").read("proc/self/stat"));
    assert_eq!(kinds(&power::open(&auto(), &context).unwrap()), ["amdgpu", "amdgpu", "estimate"]);
    tree.write("sys/class/powercap/intel-rapl:0/name", "package-0");
    tree.write(PACKAGE_0, "5");
    let found = power::open(&auto(), &context).unwrap();
    assert_eq!(kinds(&found), ["amdgpu", "amdgpu", "rapl"], "the packages measure what a software adapter runs on");
}

#[test]
fn declared_watts_stand_only_where_nothing_is_measured() {
    let tree = Tree::build("amdgpu/discrete");
    let (mut context, _) = context(tree.root());
    context.clock = RunClock::Wall(WallClock::start());
    context.devices.push(device(1, DeviceKind::Discrete, Some("0000:44:00.0")));
    let request = PowerRequest::Auto { assume_watts: Some(Watts::new(350.0)) };
    let found = power::open(&request, &context).unwrap();
    assert_eq!(kinds(&found), ["amdgpu", "amdgpu", "estimate"]);
    let info = found.sources[2].info();
    assert_eq!((info.device, info.evidence), (Some(1), Evidence::Declared));
    let unmeasured = power::open(&auto(), &context).unwrap();
    assert_eq!(kinds(&unmeasured), ["amdgpu", "amdgpu"], "a GPU without sensor is not guessed at");
}

#[test]
fn on_the_simulated_clock_auto_looks_for_no_hardware() {
    let tree = Tree::build("amdgpu/discrete");
    let (mut context, _) = context(tree.root());
    context.activity = Some(Activity::default());
    context.argument = Some(fixture("scripted/part-time.toml").display().to_string());
    assert_eq!(kinds(&power::open(&auto(), &context).unwrap()), ["scripted"]);
}

#[test]
fn none_opens_nothing_and_a_named_kind_opens_itself_alone() {
    let tree = Tree::build("rapl/two-packages");
    let (context, _) = context(tree.root());
    assert!(power::open(&PowerRequest::None, &context).unwrap().sources.is_empty());
    let only = PowerRequest::Only { kinds: vec!["rapl".to_owned()], assume_watts: None };
    assert!(kinds(&power::open(&only, &context).unwrap()).iter().all(|kind| kind == "rapl"));
}

#[test]
fn a_kind_that_does_not_answer_or_does_not_exist_is_an_error_that_helps() {
    let (context, _) = context(Tree::empty().root());
    for (kind, expected) in [
        ("nvlm", "(did you mean `nvml`?); known: auto, none, nvml, amdgpu, intel, "),
        ("ptdaemon", "--power ptdaemon:HOST"),
        ("barometer", "no power source `barometer`; known:"),
        ("amdgpu", "no such sensor"),
        ("csv", "name a file, --power csv:FILE"),
        ("csv:/nowhere.csv", "cannot read /nowhere.csv"),
        ("estimate", "--assume-watts"),
    ] {
        let request = PowerRequest::Only { kinds: vec![kind.to_owned()], assume_watts: None };
        let Err(error) = power::open(&request, &context) else { panic!("{kind} was opened") };
        assert!(error.to_string().contains(expected), "{error}");
    }
}
