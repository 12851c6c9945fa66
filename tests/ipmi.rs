//! The IPMI source against a real BMC simulator, OpenIPMI's `ipmi_sim`, asked through the real `ipmitool`.
//!
//! Runs where WATTMARK_IPMI_SIM names the simulator, which `make test` sees to (and says so where it cannot); without it,
//! only what a stand-in for `ipmitool` can show is tested.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may fail, and says so when it does not run"
)]

mod ipmi_support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ipmi_support::{Bmc, SECRET};

use wattmark::clock::{Clock, RunClock, WallClock};
use wattmark::model::{Scope, SourceTrace};
use wattmark::power::{Findings, PROBES, ProbeContext, Sampler};
use wattmark::units::Seconds;

fn context(root: &Path, argument: Option<String>) -> ProbeContext {
    ProbeContext {
        root: root.to_owned(),
        devices: Vec::new(),
        assume_watts: None,
        argument,
        clock: RunClock::Wall(WallClock::start()),
        activity: None,
    }
}

fn open(context: &ProbeContext) -> Findings {
    let probe = PROBES.iter().find(|probe| probe.kind == "ipmi").unwrap();
    (probe.open)(context)
}

impl Bmc {
    fn context(&self, options: &str) -> ProbeContext {
        context(self.folder.path(), Some(self.argument(options)))
    }

    fn sample(&self, options: &str) -> SourceTrace {
        let context = self.context(options);
        let findings = open(&context);
        assert!(!findings.sources.is_empty(), "{:?}", findings.obstacles);
        Sampler::start(findings.sources, 10.0, &context.clock).stop().remove(0)
    }

    fn refused(&self, options: &str) -> (String, String) {
        let mut findings = open(&self.context(options));
        assert!(findings.sources.is_empty());
        let obstacle = findings.obstacles.remove(0);
        (obstacle.why, obstacle.remedy)
    }
}

#[test]
fn the_dcmi_reading_is_the_current_power_and_never_the_average() {
    let Some(bmc) = Bmc::start(true, false) else { return };
    let trace = bmc.sample("");
    assert_eq!(trace.columns[0].values, [Some(214.0)]);
    let channel = &trace.source.channels[0];
    assert_eq!((channel.id.as_str(), channel.scope), ("power.dcmi", Scope::HostDc));
    assert_eq!(channel.update_period_s, Some(Seconds::new(5.0)));
    std::fs::write(bmc.file("dcmi"), "513 64").unwrap();
    let trace = bmc.sample(",scope=wall-ac,update=2");
    assert_eq!(trace.columns[0].values, [Some(513.0)]);
    assert_eq!(trace.source.channels[0].scope, Scope::WallAc);
    assert_eq!(trace.source.channels[0].update_period_s, Some(Seconds::new(2.0)));
    let told = format!("{trace:?}");
    assert!(!told.contains(SECRET), "the password is in the record");
}

#[test]
fn a_power_sensor_is_read_by_its_name() {
    let Some(bmc) = Bmc::start(false, true) else { return };
    let trace = bmc.sample(",sensor=Pwr Consumption");
    assert_eq!(trace.columns[0].values, [Some(212.0)]);
    assert!(bmc.refused(",sensor=Pwr Generation").0.contains("no sensor `Pwr Generation`"));
}

#[test]
fn a_bmc_that_does_not_measure_says_why_there_is_no_reading() {
    let Some(bmc) = Bmc::start(true, false) else { return };
    std::fs::write(bmc.file("dcmi"), "214 0").unwrap();
    assert!(bmc.refused("").0.contains("power reading state: deactivated"));
    std::fs::write(bmc.file("dcmi"), "0 64").unwrap();
    assert!(bmc.refused("").0.contains("0 W, which cannot be"));
}

#[test]
fn refusals_of_a_real_bmc_are_told_apart() {
    let Some(bmc) = Bmc::start(false, false) else { return };
    let (why, remedy) = bmc.refused("");
    assert!(why.contains("no DCMI power reading") && remedy.contains("sensor=NAME"), "{why}; {remedy}");
    let (why, _) = bmc.refused(",sensor=Pwr");
    assert!(why.contains("has no sensor records"), "{why}");
    std::fs::write(bmc.file("login"), "meter\nwrong\n").unwrap();
    let (why, _) = bmc.refused("");
    assert!(why.contains("wrong address, user or password"), "{why}");
}

#[test]
fn too_low_a_privilege_is_named() {
    let Some(bmc) = Bmc::start(true, false) else { return };
    let (why, remedy) = bmc.refused(",privilege=user");
    assert!(why.contains("may not read power") && remedy.contains("privilege"), "{why}; {remedy}");
}

#[test]
fn a_bmc_without_sensor_records_is_given_none() {
    let Some(bmc) = Bmc::start(true, false) else { return };
    let _ = bmc.refused(",sensor=Pwr");
    let mut command = Command::new("ipmitool");
    command.args(["-I", "lanplus", "-H", "127.0.0.1", "-U", "meter", "-E", "-C", "3", "-p", &bmc.port.to_string()]);
    let info = command.args(["sdr", "info"]).env("IPMI_PASSWORD", SECRET).output().unwrap();
    let info = String::from_utf8_lossy(&info.stdout).into_owned();
    assert!(
        info.contains("Record Count                        : 0")
            && info.contains("Most recent Erase                   : NA"),
        "{info}"
    );
}

#[test]
fn a_bmc_that_dies_becomes_a_gap_with_a_reason_and_no_zero() {
    let Some(mut bmc) = Bmc::start(true, false) else { return };
    let context = bmc.context(",every=0.1");
    let sampler = Sampler::start(open(&context).sources, 10.0, &context.clock);
    context.clock.sleep(Seconds::new(0.5));
    bmc.process.kill().unwrap();
    bmc.process.wait().unwrap();
    context.clock.sleep(Seconds::new(4.0));
    let trace = sampler.stop().remove(0);
    assert_eq!(trace.columns[0].values[0], Some(214.0));
    let gap = trace.gaps.iter().find(|gap| gap.channel.is_none() && gap.until_ns.is_none()).unwrap();
    assert!(gap.reason.contains("no session"), "{}", gap.reason);
    assert!(!trace.columns[0].values.contains(&Some(0.0)));
}

// --- a stand-in for ipmitool, through the binary

const SCRIPT: &str = "
[[device]]
name = \"Simulated Accelerator\"
[[device.rates]]
variant = \"*\"
flop_per_s = 1e12
";

/// Runs wattmark where `ipmitool` is a script, or where there is none.
fn run(ipmitool: Option<&str>, power: &str) -> (Option<i32>, String, tempfile::TempDir) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let programs = folder.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    std::fs::write(folder.path().join("script.toml"), SCRIPT).unwrap();
    if let Some(script) = ipmitool {
        let path = programs.join("ipmitool");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let arguments =
        ["run", "--no-ceilings", "--simulate", "script.toml", "--kernel", "gemm/naive-f32", "--shape", "m=n=k=500"];
    let output = assert_cmd::Command::cargo_bin("wattmark")
        .unwrap()
        .current_dir(folder.path())
        .args(arguments)
        .args(["--no-figures", "--power", power])
        .env("PATH", &programs)
        .env("WATTMARK_IPMI_PASSWORD", SECRET)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), folder)
}

#[test]
fn without_ipmitool_the_remedy_is_the_command_that_installs_it() {
    let (code, said, _) = run(None, "ipmi:bmc1,user=meter");
    assert_eq!(code, Some(2));
    assert!(said.contains("ipmitool is not installed") && said.contains("apt-get install ipmitool"), "{said}");
}

#[test]
fn an_ipmitool_that_hangs_is_killed_and_named() {
    let start = std::time::Instant::now();
    let (code, said, _) = run(Some("exec /bin/sleep 60"), "ipmi:bmc1,user=meter,timeout=0.2");
    assert_eq!(code, Some(2));
    assert!(said.contains("gave no answer within 0.2 s and was killed"), "{said}");
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn the_password_is_in_no_argument_no_message_and_no_record() {
    let answer = "echo \"$@\" >>../arguments; echo \"$IPMI_PASSWORD\" >../password
        echo '    Instantaneous power reading:  300 Watts'; echo '    Power reading state is:  activated'";
    // The script's folder is the working folder of the run.
    let answer = answer.replace("../", "");
    let (code, said, folder) = run(Some(&answer), "ipmi:bmc1,user=meter");
    assert_eq!(code, Some(0), "{said}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("password").trim(), SECRET);
    assert!(read("arguments").contains("-H bmc1 -U meter -E") && !read("arguments").contains(SECRET));
    let run = std::fs::read_dir(folder.path().join("results")).unwrap().next().unwrap().unwrap().path();
    let record = std::fs::read_to_string(run.join("run.json")).unwrap();
    assert!(record.contains("power.dcmi") && !record.contains(SECRET) && !said.contains(SECRET));
}

#[test]
fn a_password_among_the_options_is_refused_and_not_repeated() {
    let (code, said, _) = run(None, "ipmi:bmc1,user=meter,password=hunter2");
    assert_eq!(code, Some(2));
    assert!(said.contains("WATTMARK_IPMI_PASSWORD"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_machine_without_a_bmc_says_so() {
    let root = tempfile::tempdir().unwrap();
    let obstacle = open(&context(root.path(), None)).obstacles.remove(0);
    assert!(obstacle.why.contains("there is no") && obstacle.remedy.contains("modprobe"), "{obstacle:?}");
}
