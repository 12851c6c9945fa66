//! `wattmark meter`: what a program drew and did, through the binary, with sensors whose watts are known.
//!
//! The watts are scripted, declared, or a file's, and constant, so that joules are exactly watts times the recorded
//! window. What surprises people: these tests run on the real clock, because a program does.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use wattmark::measure::result::{CommandResult, evaluate};
use wattmark::model::{CommandExit, CommandRun, Evidence, RunRecord, RunStatus, Scope, WarningCode, WindowKind};
use wattmark::store;

/// A wall meter that reads 100 W at all times.
const WALL: &str = "[[power]]\nscope = \"wall-ac\"\nidle_w = 100.0\nupdate_period_s = 0.02\n";

/// A folder with a scripted meter, and nothing of this machine's configuration.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("wall.toml"), WALL).unwrap();
        Self(folder)
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wattmark"));
        command.args(args).current_dir(self.path()).stdin(Stdio::null()).env("NO_COLOR", "1").env_remove("COLUMNS");
        command
    }
    fn ask(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
    /// Meters with the scripted wall meter and no idle time.
    fn meter(&self, args: &[&str]) -> Output {
        self.ask(&[&["meter", "--power", "scripted:wall.toml", "--idle", "0"], args].concat())
    }
    fn runs(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path().join("results")) else { return Vec::new() };
        let mut runs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        runs.sort();
        runs
    }
    /// The only record, which must be valid.
    fn record(&self) -> RunRecord {
        let runs = self.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        let validated = self.ask(&["validate", runs[0].to_str().unwrap()]);
        assert!(validated.status.success(), "{}", text(&validated.stdout));
        store::read(&runs[0]).unwrap().record
    }
    /// What another command says of the only record.
    fn of_record(&self, command: &str, more: &[&str]) -> String {
        let run = self.runs().remove(0);
        let output = self.ask(&[&[command, run.to_str().unwrap()], more].concat());
        assert!(output.status.success(), "{command}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn only(record: &RunRecord) -> CommandResult {
    let mut commands = evaluate(record).commands;
    assert_eq!(commands.len(), 1);
    commands.remove(0)
}

fn seconds(run: &CommandRun) -> f64 {
    run.window.duration().get()
}

fn near(got: f64, want: f64) -> bool {
    (got / want - 1.0).abs() < 1e-9
}

#[test]
fn joules_are_watts_times_the_window_and_work_per_joule_follows_from_them() {
    let desk = Desk::new();
    let args =
        ["--repeat", "3", "--pause", "50ms", "--work", "tokens=200", "--work", "flop=1e12", "--", "sleep", "0.6"];
    let output = desk.meter(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = desk.record();
    let runs = &record.commands[0].runs;
    assert_eq!((record.status.clone(), runs.len(), record.commands[0].device), (RunStatus::Complete, 3, None));
    assert!(runs.iter().all(|run| run.exit == CommandExit::Code { code: 0 } && run.window.kind == WindowKind::Measure));
    let time: f64 = runs.iter().map(seconds).sum();
    assert!((1.8..10.0).contains(&time), "{time}");
    let result = only(&record);
    let own = &result.energy[0];
    assert!(own.stands && own.energy.scope == Scope::WallAc && own.energy.evidence == Evidence::Measured);
    assert!(near(own.energy.per_execution.point.get(), 100.0 * time / 3.0), "{:?}", own.energy);
    assert!(near(own.energy.power.point.get(), 100.0) && own.energy.power.interval.is_some());
    let (token, flop) = (&result.work[0], &result.work[1]);
    assert_eq!((token.unit.as_str(), token.printed, token.total), ("token", false, 600.0));
    assert!(near(token.rate.point.get(), 600.0 / time));
    assert!(near(token.energy[0].energy.per_execution.point.get(), 100.0 * time / 600.0));
    assert!(near(flop.energy[0].per_joule().point.get(), 3e12 / (100.0 * time)));
}

#[test]
fn idle_power_before_the_program_is_recorded_and_taken_off_beside_the_gross_figure() {
    let desk = Desk::new();
    // 60 W in the first 1.2 s of the run, 160 W from then on, by the meter's own file.
    let rows: String =
        (0..400).map(|i| format!("{:.2},{}\n", f64::from(i) * 0.05, if i < 24 { 60 } else { 160 })).collect();
    std::fs::write(desk.path().join("m.csv"), format!("time,watts\n{rows}")).unwrap();
    let args = ["meter", "--power", "csv:m.csv,scope=host-dc", "--idle", "300ms", "--", "sleep", "2.5"];
    let output = desk.ask(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = desk.record();
    let idle = record.commands[0].idle.as_ref().unwrap();
    assert!((0.29..1.0).contains(&idle.duration().get()));
    let result = only(&record);
    let own = result.headline_energy().unwrap();
    assert_eq!((own.energy.source.as_str(), own.energy.scope), ("csv:m.csv", Scope::HostDc));
    let (gross, net, idle) =
        (own.energy.per_execution.point.get(), own.net.unwrap().get(), own.energy.idle.unwrap().get());
    assert!(near(net, gross - idle * seconds(&record.commands[0].runs[0])), "{gross} {net} {idle}");
}

#[test]
fn declared_watts_of_a_machine_without_a_device_are_marked_and_have_no_interval() {
    let desk = Desk::new();
    let output = desk.ask(&[
        "meter",
        "--assume-watts",
        "250",
        "--power",
        "estimate",
        "--idle",
        "0",
        "--repeat",
        "2",
        "--",
        "true",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let result = only(&desk.record());
    let energy = &result.energy[0].energy;
    assert_eq!((energy.evidence, energy.power.interval), (Evidence::Declared, None));
    assert!(near(energy.power.point.get(), 250.0) && result.energy[0].net.is_none());
    assert!(text(&output.stderr).contains("≈250"), "{}", text(&output.stderr));
    assert!(result.warnings.iter().any(|warning| warning.code == WarningCode::EnergyEstimated));
}

#[test]
fn the_amount_is_read_from_the_output_and_the_output_passes_through_byte_for_byte() {
    let desk = Desk::new();
    // Bytes that are no text, no line break at the end, and both streams.
    let script =
        "printf 'a\\377b\\000c\\nstep 40 tokens\\n'; printf 'warn 2 tokens\\n' >&2; printf 'total 1,234,567 tokens'";
    let args =
        ["--work", r"tokens=/total ([\d,]+) tokens/", "--work", r"steps=sum:/(\d+) tokens$/", "--", "sh", "-c", script];
    let output = desk.meter(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(output.stdout, b"a\xffb\x00c\nstep 40 tokens\ntotal 1,234,567 tokens");
    assert!(text(&output.stderr).starts_with("warn 2 tokens\n"), "{}", text(&output.stderr));
    let record = desk.record();
    let work = &record.commands[0].runs[0].work;
    assert_eq!((work[0].unit.as_str(), work[0].amount), ("token", 1_234_567.0));
    assert_eq!(work[0].pattern.as_deref(), Some(r"total ([\d,]+) tokens"));
    assert_eq!((work[1].unit.as_str(), work[1].amount), ("step", 40.0 + 2.0 + 567.0), "`$` is the end of a line");
}

#[test]
fn without_a_pattern_a_large_output_passes_through_whole() {
    let desk = Desk::new();
    for work in [&[][..], &["--work", r"tokens=/(\d+) tokens/"]] {
        let args = [work, &["--no-figures", "--", "sh", "-c", "yes 0123456789 | head -c 3000000"]].concat();
        let output = desk.meter(&args);
        assert!(output.status.success());
        assert_eq!(output.stdout.len(), 3_000_000);
        assert!(output.stdout.chunks(11).all(|line| line.starts_with(b"0123456789"[..line.len().min(10)].as_ref())));
    }
}

#[test]
fn a_pattern_that_finds_nothing_gives_a_warning_and_no_rate_and_never_zero() {
    let desk = Desk::new();
    let args = [
        "--work",
        r"tokens=/generated (\d+) tokens/",
        "--work",
        r"images=/did ([\d,]+) images/",
        "--",
        "echo",
        "did 20,000 images",
    ];
    let output = desk.meter(&args);
    assert!(output.status.success());
    let record = desk.record();
    assert!(record.commands[0].runs[0].work.is_empty());
    let warnings: Vec<&str> = record.commands[0].warnings.iter().map(|warning| warning.text.as_str()).collect();
    assert!(
        warnings.iter().any(|text| text.contains("no such line") && text.contains("joule per token")),
        "{warnings:?}"
    );
    assert!(warnings.iter().any(|text| text.contains("`20,000`") && text.contains("--thousands")), "{warnings:?}");
    assert!(only(&record).work.is_empty());
    assert!(text(&output.stderr).contains("it has no rate and no"), "{}", text(&output.stderr));
}

#[test]
fn a_failing_program_has_its_code_in_the_record_and_no_rate_unless_that_is_allowed() {
    let desk = Desk::new();
    let failing = ["--work", "tokens=5", "--", "sh", "-c", "sleep 0.3; exit 3"];
    let output = desk.meter(&failing);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("the program failed (code 3)"), "{}", text(&output.stderr));
    let record = desk.record();
    assert_eq!(record.commands[0].runs[0].exit, CommandExit::Code { code: 3 });
    let result = only(&record);
    assert!(result.failed && result.work.is_empty() && result.energy.len() == 1, "watts are shown, rates are not");
    assert!(desk.of_record("show", &[]).contains("1 of 1 executions failed"));

    let desk = Desk::new();
    let output = desk.meter(&[&["--allow-failure"], &failing[..]].concat());
    assert!(output.status.success());
    assert_eq!(only(&desk.record()).work.len(), 1);
}

#[test]
fn a_program_ended_by_a_signal_names_it() {
    let desk = Desk::new();
    let output = desk.meter(&["--", "sh", "-c", "kill -KILL $$"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(desk.record().commands[0].runs[0].exit, CommandExit::Signal { signal: 9 });
}

#[test]
fn failed_executions_among_good_ones_are_left_out_of_the_figures() {
    let desk = Desk::new();
    let script = "if [ -e second ]; then exit 1; fi; touch second; sleep 0.4";
    let output = desk.meter(&["--repeat", "2", "--pause", "0", "--", "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(1));
    let record = desk.record();
    let result = only(&record);
    assert_eq!((result.runs, result.failed), (1, false));
    assert!(near(result.time.unwrap().point.get(), seconds(&record.commands[0].runs[0])));
}

#[test]
fn a_program_that_cannot_be_started_ends_with_2_and_leaves_no_record() {
    let desk = Desk::new();
    let output = desk.meter(&["--", "no-such-program-here"]);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("cannot start `no-such-program-here`") && message.contains("after --"), "{message}");
    assert!(desk.runs().is_empty());
    // A file that exists and is no program is found out only when it is started.
    let output = desk.meter(&["--", "./wall.toml"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("cannot start `./wall.toml`: Permission denied"), "{}", text(&output.stderr));
    assert!(matches!(desk.record().status, RunStatus::Failed { .. }));
}

/// Ids of processes whose command line holds a word.
fn processes_with(word: &str) -> usize {
    let entries =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    entries.filter(|line| String::from_utf8_lossy(line).contains(word)).count()
}

#[test]
fn a_metered_time_leaves_out_the_warm_up_and_stops_the_program_with_its_children() {
    let desk = Desk::new();
    // A service with a child; the odd number of seconds tells it apart from every other sleep.
    let script =
        "echo boot 7 requests; sleep 4321.125 & sleep 0.8; while true; do echo now 5 requests; sleep 0.2; done";
    let args =
        ["--for", "1s", "--warm-up", "400ms", "--work", r"requests=sum:/(\d+) requests/", "--", "sh", "-c", script];
    let output = desk.meter(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = desk.record();
    let run = &record.commands[0].runs[0];
    assert_eq!(run.exit, CommandExit::Stopped);
    let warm = run.warm_up.as_ref().unwrap();
    assert_eq!((warm.kind, warm.end_ns), (WindowKind::Preheat, run.window.start_ns));
    assert!((0.4..1.0).contains(&warm.duration().get()) && (1.0..2.0).contains(&seconds(run)), "{run:?}");
    let said = run.work[0].amount;
    assert!(said >= 5.0 && said % 5.0 == 0.0, "the seven of the warm-up are not among the {said}");
    assert_eq!(processes_with("4321.125"), 0, "the child is gone, too");
    assert!(desk.of_record("show", &[]).contains("after a warm-up of"));
}

#[test]
fn a_program_that_ignores_the_polite_request_is_ended_by_force_after_the_grace() {
    let desk = Desk::new();
    let started = Instant::now();
    let script = "trap '' TERM; while true; do sleep 0.1; done";
    let output = desk.meter(&["--for", "300ms", "--grace", "500ms", "--", "sh", "-c", script]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(started.elapsed() < Duration::from_secs(20));
    let run = desk.record().commands.remove(0).runs.remove(0);
    assert!(run.exit == CommandExit::Stopped && seconds(&run) < 1.0, "{run:?}");
}

#[test]
fn a_service_that_ends_early_says_so() {
    let desk = Desk::new();
    let output = desk.meter(&["--for", "20s", "--", "sleep", "0.3"]);
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("instead of running for 20 s"), "{}", text(&output.stderr));
}

/// Starts a metering and waits for a word in its output.
fn going(desk: &Desk, args: &[&str]) -> Child {
    let all = [&["meter", "--power", "scripted:wall.toml", "--idle", "0"], args].concat();
    let mut command = desk.command(&all);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let patience = Instant::now();
    while !desk.path().join("started").exists() {
        assert!(patience.elapsed() < Duration::from_secs(60), "the program never started");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn ended(child: &mut Child) -> Option<i32> {
    let patience = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(patience.elapsed() < Duration::from_secs(30), "still running");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn ctrl_c_reaches_the_program_and_the_record_says_interrupted() {
    let desk = Desk::new();
    let script = "trap 'touch caught; exit 0' INT; touch started; while true; do sleep 0.05; done";
    let mut child = going(&desk, &["--repeat", "3", "--", "sh", "-c", script]);
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "INT");
    assert_eq!(ended(&mut child), Some(130));
    assert!(desk.path().join("caught").exists(), "the program heard it");
    let record = desk.record();
    assert_eq!((record.status.clone(), record.commands[0].runs.len()), (RunStatus::Interrupted, 1));
    assert_eq!(record.commands[0].runs[0].exit, CommandExit::Interrupted);
    assert!(only(&record).failed, "half an execution has no rate");
}

#[test]
fn a_second_ctrl_c_asks_a_deaf_program_to_end() {
    let desk = Desk::new();
    let script = "trap '' INT; touch started; while true; do sleep 0.05; done";
    let mut child = going(&desk, &["--", "sh", "-c", script]);
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(400));
    assert!(child.try_wait().unwrap().is_none(), "one is not enough for this program");
    signal(&child, "INT");
    assert_eq!(ended(&mut child), Some(130));
    assert_eq!(desk.record().status, RunStatus::Interrupted);
}

#[test]
fn idle_power_alone_needs_no_program_and_is_printed_on_standard_output() {
    let desk = Desk::new();
    let args = ["meter", "--power", "scripted:wall.toml", "--idle", "--for", "300ms", "--repeat", "2", "--pause", "0"];
    let output = desk.ask(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("idle (idle power, no program)"), "{}", text(&output.stdout));
    let record = desk.record();
    let command = &record.commands[0];
    assert!(command.is_idle() && command.runs.len() == 2);
    assert!(command.runs.iter().all(|run| run.exit == CommandExit::Idle && run.window.kind == WindowKind::IdleCold));
    assert!(near(only(&record).energy[0].energy.power.point.get(), 100.0));
}

#[test]
fn a_machine_without_any_adapter_meters_with_the_sensors_of_its_host() {
    let desk = Desk::new();
    let nowhere = |command: &mut Command| {
        command.env("VK_DRIVER_FILES", "/nonexistent").env("VK_ICD_FILENAMES", "/nonexistent").output().unwrap()
    };
    // `devices` finds nothing there, or the test would prove nothing.
    assert_eq!(nowhere(&mut desk.command(&["devices"])).status.code(), Some(3));
    let args = ["meter", "--power", "scripted:wall.toml", "--idle", "0", "--", "sleep", "0.5"];
    let output = nowhere(&mut desk.command(&args));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let record = desk.record();
    assert!(record.devices.is_empty());
    assert!(near(only(&record).headline_energy().unwrap().energy.power.point.get(), 100.0));
    let refused = nowhere(&mut desk.command(&["meter", "--device", "0", "--", "true"]));
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("metering needs none"), "{}", text(&refused.stderr));
}

#[test]
fn windows_shorter_than_twenty_updates_of_the_sensor_are_told() {
    let desk = Desk::new();
    let output = desk.meter(&["--", "true"]);
    assert!(output.status.success());
    let record = desk.record();
    assert!(record.commands[0].warnings.iter().any(|warning| warning.code == WarningCode::WindowTooShort));
    assert!(text(&output.stderr).contains("W02"), "{}", text(&output.stderr));
}

#[test]
fn wrong_arguments_are_refused_with_a_suggestion_before_anything_runs() {
    let desk = Desk::new();
    for (args, said) in [
        (&["--work", "tokns=5", "--", "true"][..], "did you mean `tokens`"),
        (&["--work", "flops=1e12", "--", "true"], "reads as a rate"),
        (&["--as", "gem/f32/m=n=k=8", "--work", "executions=1", "--", "true"], "did you mean `gemm`"),
        (&["--as", "gemm/f32/m=n=k=8", "--", "true"], "--work executions=COUNT"),
        (&["--device", "77", "--", "true"], "--device 77"),
        (&["--for", "0", "--", "true"], "longer than 0 s"),
        (&["--repeat", "0", "--", "true"], "--repeat is 0"),
        (&["--for", "1s", "--warm-up", "soon", "--", "true"], "--warm-up is `soon`"),
    ] {
        let output = desk.meter(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(said), "{args:?}: {}", text(&output.stderr));
    }
    let output = desk.ask(&["meter", "--power", "scripted:wall.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("nothing is to be metered"), "{}", text(&output.stderr));
    assert!(desk.runs().is_empty());
}

#[test]
fn every_command_that_reads_records_shows_the_program_as_foreign_work() {
    let desk = Desk::new();
    let output = desk.meter(&[
        "--label",
        "mine | yours",
        "--repeat",
        "2",
        "--pause",
        "0",
        "--work",
        "tokens=20",
        "--",
        "sleep",
        "0.45",
    ]);
    assert!(output.status.success());
    let shown = desk.of_record("show", &[]);
    assert!(shown.contains("mine | yours (foreign work, not verified)"), "{shown}");
    assert!(shown.contains("token/J") && shown.contains("wall AC"), "{shown}");
    assert!(text(&output.stderr).contains(shown.lines().nth(3).unwrap()), "the same table as at once");
    let markdown = desk.of_record("export", &["--format", "markdown"]);
    assert!(markdown.contains("## mine \\| yours (foreign work, not verified)"), "{markdown}");
    let csv = desk.of_record("export", &["--format", "csv"]);
    assert!(csv.lines().any(|line| line.contains("work_per_joule,token/J,") && line.contains("not verified")), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&desk.of_record("export", &["--format", "json"])).unwrap();
    let own = &json["commands"][0];
    assert_eq!((own["foreign"].as_bool(), own["verified"].as_bool()), (Some(true), Some(false)));
    let joules = own["work"][0]["energy"][0]["energy_per_unit_j"]["value"].as_f64().unwrap();
    assert!((2.2..20.0).contains(&joules), "{joules}");
    let carbon = desk.of_record("carbon", &["--grid", "0.5"]);
    assert!(carbon.contains("foreign work, not verified") && carbon.contains("token"), "{carbon}");
    let drawn = desk.of_record("plot", &["--out", "figures"]);
    assert_eq!(drawn.lines().count(), 3, "the power trace alone: {drawn}");
    let svg = std::fs::read_to_string(desk.path().join("figures/power-trace.svg")).unwrap();
    assert!(svg.contains("foreign work, not verified"));
    let caption = std::fs::read_to_string(desk.path().join("figures/power-trace.caption.txt")).unwrap();
    assert!(caption.contains("2 executions; foreign work"), "{caption}");
    let table = std::fs::read_to_string(desk.path().join("figures/power-trace.csv")).unwrap();
    assert_eq!(table.lines().filter(|line| line.starts_with("Measure,")).count(), 2, "{table}");
}

#[test]
fn programs_of_one_label_are_compared_by_their_work() {
    let desk = Desk::new();
    for tokens in ["tokens=20", "tokens=40"] {
        let output = desk.meter(&[
            "--label",
            "llm",
            "--no-figures",
            "--repeat",
            "3",
            "--pause",
            "0",
            "--work",
            tokens,
            "--",
            "sleep",
            "0.5",
        ]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let mut runs = desk.runs();
    runs.sort_by_key(|run| store::read(run).unwrap().record.commands[0].runs[0].work[0].amount as u64);
    let (a, b) = (runs[0].to_str().unwrap(), runs[1].to_str().unwrap());
    let output = desk.ask(&["compare", a, b, "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let pair = &json["comparisons"][0]["commands"][0];
    assert_eq!((pair["label"].as_str(), pair["unit"].as_str()), (Some("llm"), Some("token")));
    let ratio = pair["efficiency"]["ratio"].as_f64().unwrap();
    assert!((1.6..2.4).contains(&ratio), "{ratio}");
    assert_eq!(pair["energy"]["scope"].as_str(), Some("wall-ac"));
    assert!(pair["speed"]["verdict"].as_str().is_some());
    let shown = text(&desk.ask(&["compare", a, b]).stdout);
    assert!(shown.contains("Metered programs (foreign work, not verified)") && shown.contains("token/J"), "{shown}");
}

/// A simulated GPU in a machine whose wall meter is scripted.
const SIMULATION: &str = r#"
[[device]]
name = "Simulated Accelerator"
[[device.rates]]
variant = "*"
flop_per_s = 1e9
[[power]]
scope = "wall-ac"
idle_w = 100.0
update_period_s = 0.02
[[power.busy]]
variant = "*"
watts = 300.0
"#;

#[test]
fn a_program_that_amounts_to_a_case_stands_beside_our_kernel_of_the_same_problem() {
    let desk = Desk::new();
    std::fs::write(desk.path().join("sim.toml"), SIMULATION).unwrap();
    let line =
        "run --simulate sim.toml --no-ceilings --no-figures --kernel gemm/tiled-f32 --shape m=n=k=64 --results ours";
    let output = desk.ask(&line.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let ours = std::fs::read_dir(desk.path().join("ours")).unwrap().next().unwrap().unwrap().path();
    let output = desk.meter(&[
        "--label",
        "vendor",
        "--repeat",
        "2",
        "--as",
        "gemm/f32/m=n=k=64",
        "--work",
        "executions=1000",
        "--",
        "sleep",
        "0.5",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let theirs = desk.runs().remove(0);
    let record = desk.record();
    let time: f64 = record.commands[0].runs.iter().map(seconds).sum();
    let case = only(&record).case.unwrap();
    assert!(!case.verified && case.has_rates());
    // 2·64³ FLOP, 2000 times, in that time at 100 W.
    let flop = 2.0 * 64f64.powi(3) * 2000.0;
    assert!(near(case.flop_rate.unwrap().point.get(), flop / time));
    assert!(near(case.energy[0].flop_efficiency.unwrap().point.get(), flop / (100.0 * time)));
    let output = desk.ask(&["compare", ours.to_str().unwrap(), theirs.to_str().unwrap(), "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let pair = &json["comparisons"][0]["pairs"][0];
    assert_eq!(pair["b"]["variant"].as_str(), Some("foreign/vendor"));
    assert!(pair["speed"]["ratio"].as_f64().is_some() && pair["efficiency"]["ratio"].as_f64().is_some(), "{pair}");
    let shown = text(&desk.ask(&["compare", ours.to_str().unwrap(), theirs.to_str().unwrap()]).stdout);
    assert!(shown.contains("is foreign work") && shown.contains("not verified"), "{shown}");
}

#[test]
fn secrets_on_the_programs_command_line_never_enter_the_record() {
    let desk = Desk::new();
    let output = desk.meter(&["--redact", "--", "sh", "-c", "true", "--password=hunter2", "/home/alice/x"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    desk.record();
    let written = std::fs::read_to_string(desk.runs()[0].join("run.json")).unwrap();
    assert!(!written.contains("hunter2") && !written.contains("alice"), "{written}");
}
