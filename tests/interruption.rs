//! Runs that end badly: signals, kills and full disks through the binary. What was measured must still be there.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wattmark::model::{RunRecord, RunStatus, SkipReason};
use wattmark::store;

/// Longest time to wait for something that takes seconds on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// One run at a time on the software adapter, so that runs do not starve each other.
static ADAPTER: Mutex<()> = Mutex::new(());

const TWO_CASES: [&str; 4] = ["--kernel", "memory-copy/direct-f32,gemm/tiled-f32", "--shape", "m=n=k=256"];
const LONG: [&str; 9] = ["--device", "0", "--idle", "0", "--preheat-min", "0.2", "--window", "1s", "--windows=3"];

/// A run on the first adapter of the machine, going on beside the test; killed if the test fails.
struct Going {
    child: Child,
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Drop for Going {
    fn drop(&mut self) {
        // Already ended in a test that passes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wattmark(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattmark"));
    for variable in ["WATTMARK_GRID", "WATTMARK_PUE", "WATTMARK_RESULTS"] {
        command.env_remove(variable);
    }
    command.current_dir(folder);
    command
}

impl Going {
    fn start(args: &[&str]) -> Self {
        let turn = ADAPTER.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let said = |name: &str| Stdio::from(std::fs::File::create(folder.path().join(name)).unwrap());
        let child = wattmark(folder.path())
            .args(["run", "--no-ceilings"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(said("stdout"))
            .stderr(said("stderr"))
            .spawn()
            .unwrap();
        Self { child, folder, _turn: turn }
    }
    fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
    /// The record as it is on disk now, if there is one.
    fn saved(&self) -> Option<RunRecord> {
        store::read(&self.record_path()?).ok().map(|loaded| loaded.record)
    }
    fn record_path(&self) -> Option<PathBuf> {
        let mut runs = std::fs::read_dir(self.folder.path().join("results")).ok()?;
        let path = runs.next()?.ok()?.path().join("run.json");
        path.is_file().then_some(path)
    }
    fn wait_until(&mut self, what: &str, met: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !met(self) {
            let ended = self.child.try_wait().unwrap();
            let late = start.elapsed() > PATIENCE;
            assert!(ended.is_none() && !late, "never came to {what}; it ended: {ended:?}\n{}", self.said("stderr"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    fn wait_for_first_case(&mut self) {
        self.wait_until("its first case", |run| run.saved().is_some_and(|record| !record.measurements.is_empty()));
    }
    fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }
    /// Exit code, within a time.
    fn end_within(&mut self, limit: Duration) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < limit, "still running after {limit:?}\n{}", self.said("stderr"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    fn ask(&self, command: &str) -> Output {
        wattmark(self.folder.path()).arg(command).arg(self.record_path().unwrap()).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The first case stays measured, the other is skipped as interrupted, and the record is whole.
fn interrupted_by(signal: &str) {
    let mut run = Going::start(&[&TWO_CASES[..], &LONG[..]].concat());
    run.wait_for_first_case();
    run.signal(signal);
    assert_eq!(run.end_within(Duration::from_secs(30)), Some(130), "{}", run.said("stderr"));
    let record = run.saved().unwrap();
    assert_eq!(record.status, RunStatus::Interrupted);
    assert!(record.ended.is_some());
    assert_eq!((record.measurements.len(), record.skips.len()), (1, 1));
    let first = &record.measurements[0];
    assert!(first.verified() && first.measured().count() == 3, "{:?}", first.verification);
    assert_eq!(record.skips[0].reason, SkipReason::Interrupted);
    assert!(record.skips[0].detail.contains("interrupted before"), "{}", record.skips[0].detail);
    assert!(run.said("stderr").contains("press Ctrl-C again"), "{}", run.said("stderr"));
    assert!(run.said("stdout").contains("interrupted"), "{}", run.said("stdout"));
    assert!(run.said("stdout").contains("run.json"), "{}", run.said("stdout"));
    let validated = run.ask("validate");
    assert!(validated.status.success(), "{}", text(&validated.stdout));
    assert!(run.ask("show").status.success());
    only_the_record_is_left(&run);
}

/// No temporary file lies beside the record.
fn only_the_record_is_left(run: &Going) {
    let folder = run.record_path().unwrap().parent().unwrap().to_owned();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".tmp"), "{name} was left behind");
    }
}

#[test]
fn ctrl_c_keeps_what_was_measured_and_exits_130() {
    interrupted_by("INT");
}

#[test]
fn a_polite_kill_is_like_ctrl_c() {
    interrupted_by("TERM");
}

#[test]
fn ctrl_c_while_idle_power_is_recorded_ends_the_run_with_every_case_skipped() {
    let mut run = Going::start(&[&TWO_CASES[..], &["--device", "0", "--idle", "100s"]].concat());
    run.wait_until("its first save", |run| run.saved().is_some());
    run.signal("INT");
    assert_eq!(run.end_within(Duration::from_secs(30)), Some(130), "{}", run.said("stderr"));
    let record = run.saved().unwrap();
    assert_eq!((record.status, record.measurements.len(), record.skips.len()), (RunStatus::Interrupted, 0, 2));
    assert!(record.skips.iter().all(|skip| skip.reason == SkipReason::Interrupted));
    assert!(run.ask("validate").status.success());
}

#[test]
fn a_second_ctrl_c_ends_the_run_at_once_and_the_last_save_stays() {
    let args = ["--device", "0", "--kernel", "memory-copy,gemm/tiled-f32", "--idle", "100s", "--window", "100ms"];
    let mut run = Going::start(&args);
    run.wait_until("its first save", |run| run.saved().is_some());
    // Both within the time in which the first one is still being obeyed; the order of delivery is that of sending.
    run.signal("INT");
    run.wait_until("the answer to the first", |run| run.said("stderr").contains("press Ctrl-C again"));
    run.signal("INT");
    assert_eq!(run.end_within(Duration::from_secs(5)), Some(130));
    assert!(run.saved().is_some(), "the record is readable");
}

#[test]
fn kill_9_in_mid_run_leaves_a_record_of_the_finished_cases() {
    let mut run = Going::start(&[&TWO_CASES[..], &LONG[..]].concat());
    run.wait_for_first_case();
    run.signal("KILL");
    assert_eq!(run.end_within(Duration::from_secs(30)), None, "a signal ended it");
    let record = run.saved().unwrap();
    assert_eq!(record.status, RunStatus::Running);
    assert_eq!((record.measurements.len(), record.ended.is_none()), (1, true));
    assert!(record.measurements[0].verified() && record.measurements[0].measured().count() == 3);
    let shown = run.ask("show");
    assert!(shown.status.success());
    assert!(text(&shown.stdout).contains("memory-copy"), "{}", text(&shown.stdout));
    assert!(text(&shown.stderr).contains("killed"), "{}", text(&shown.stderr));
    for command in ["validate", "carbon"] {
        let output = run.ask(command);
        assert!(output.status.success(), "{command}: {}{}", text(&output.stdout), text(&output.stderr));
    }
}

/// A simulation whose cases each add their power samples to the record, and end within a second.
const SCRIPT: &str = r#"
[[device]]
name = "Simulated Accelerator"
[[device.rates]]
variant = "*"
flop_per_s = 1e12

[[power]]
device = 0
scope = "board"
update_period_s = 0.02
idle_w = 50.0
[[power.busy]]
variant = "*"
watts = 250.0
"#;

const MANY_CASES: &str =
    "--no-ceilings --simulate script.toml --kernel gemm/tiled-f32 --shape m=n=k=32,48,64,80,96,112,128,144";

/// A desk with the script and a folder for temporary files, and the size in bytes of the record of an undisturbed run.
fn simulated_desk() -> (tempfile::TempDir, u64) {
    let desk = tempfile::tempdir().unwrap();
    std::fs::write(desk.path().join("script.toml"), SCRIPT).unwrap();
    std::fs::create_dir(desk.path().join("temporary")).unwrap();
    let line = format!("run {MANY_CASES} --no-figures --results undisturbed");
    let output = wattmark(desk.path()).args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let size = std::fs::metadata(only_run(&desk.path().join("undisturbed")).join("run.json")).unwrap().len();
    (desk, size)
}

fn only_run(results: &Path) -> PathBuf {
    let mut runs = std::fs::read_dir(results).unwrap_or_else(|error| panic!("{}: {error}", results.display()));
    let run = runs.next().unwrap_or_else(|| panic!("no run in {}", results.display())).unwrap().path();
    assert!(runs.next().is_none(), "one run in {}", results.display());
    run
}

fn sh(desk: &Path, script: &str) -> Output {
    Command::new("sh")
        .args(["-c", script])
        .current_dir(desk)
        .env("WATTMARK", env!("CARGO_BIN_EXE_wattmark"))
        .env("TMPDIR", desk.join("temporary"))
        .output()
        .unwrap()
}

/// What an early save holds: some cases, verified, and not all.
fn holds_some_cases(run: &Path) {
    let record = store::read(run).unwrap().record;
    assert_eq!(record.status, RunStatus::Running);
    assert!((1..8).contains(&record.measurements.len()), "{} cases", record.measurements.len());
    assert!(record.measurements.iter().all(|measurement| measurement.verified()));
    let names: Vec<_> = std::fs::read_dir(run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["run.json"], "no half-written file is left");
}

#[test]
fn a_disk_that_fills_up_in_mid_run_costs_no_case_and_the_whole_record_lies_in_the_temporary_folder() {
    let (desk, size) = simulated_desk();
    // A file system of its own, seen by this process only, gone with it; user namespaces make it possible without root.
    // It has room for one whole record, while a save needs room for the last one and the next.
    let kibibytes = size / 1024;
    let script = format!(
        "exec unshare -rm sh -c 'mkdir disk && mount -t tmpfs -o size={kibibytes}k tmpfs disk || exit 77; \
         \"$WATTMARK\" run {MANY_CASES} --results disk/results; code=$?; cp -r disk/results kept; exit $code'"
    );
    let output = sh(desk.path(), &script);
    let message = text(&output.stderr);
    if output.status.code() == Some(77) || message.contains("unshare") {
        // No file system can be mounted here: then the folder of the run goes away while it measures.
        eprintln!("no private file system ({}); a vanished folder stands for it", message.trim());
        return vanished_folder(desk.path());
    }
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("No space left on device") && message.contains("disk/results/"), "{message}");
    assert!(message.contains("the previous save is intact") && message.contains("lies complete in"), "{message}");
    assert!(message.contains("measuring goes on"), "{message}");
    holds_some_cases(&only_run(&desk.path().join("kept")));
    whole_record_in_refuge(desk.path(), &message);
}

#[test]
fn a_results_folder_that_vanishes_in_mid_run_costs_no_case() {
    let (desk, _) = simulated_desk();
    vanished_folder(desk.path());
}

/// Takes the results folder away after its first save, on the real clock of the adapter: in one step, for removing it would race
/// with the temporary files of the next save.
fn vanished_folder(desk: &Path) {
    let _turn = ADAPTER.lock().unwrap_or_else(PoisonError::into_inner);
    let script = "\"$WATTMARK\" run --no-ceilings --device 0 --kernel gemm/tiled-f32 --shape m=n=k=32,48,64,80,96,112,128,144 --idle 1 \
                  --preheat-min 0 --window 50ms --windows 1 --results gone & pid=$!; \
                  until ls gone/*/run.json >/dev/null 2>&1; do kill -0 $pid || exit 78; done; mv gone away; wait $pid";
    let output = sh(desk, script);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("gone/") && message.contains("lies complete in"), "{message}");
    whole_record_in_refuge(desk, &message);
}

/// The folder for temporary files holds the record with all eight cases, and the message says where.
fn whole_record_in_refuge(desk: &Path, message: &str) {
    let refuge = only_run(&desk.join("temporary"));
    assert!(message.contains(&refuge.display().to_string()), "{message}");
    let record = store::read(&refuge).unwrap().record;
    assert_eq!((record.status, record.measurements.len()), (RunStatus::Complete, 8));
}

#[test]
fn when_no_folder_can_take_the_record_the_last_save_stays_and_both_places_are_named() {
    let (desk, size) = simulated_desk();
    // POSIX counts the limit of a file's size in blocks of 512 bytes; without the trap, the signal would kill the run.
    let script =
        format!("trap '' XFSZ; ulimit -f {}; exec \"$WATTMARK\" run {MANY_CASES} --results limited", size / 2 / 512);
    let output = sh(desk.path(), &script);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    let temporary = desk.path().join("temporary").display().to_string();
    assert!(message.contains("neither in limited/") && message.contains(&temporary), "{message}");
    assert!(message.contains("File too large") && message.contains("holds what was measured"), "{message}");
    holds_some_cases(&only_run(&desk.path().join("limited")));
    assert_eq!(std::fs::read_dir(desk.path().join("temporary")).unwrap().count(), 0, "no empty folder is left");
}
