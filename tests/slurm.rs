//! A real Slurm runs the job script of `deploy/slurm` as an array over eight devices, of which one is slow, one hot, one computes
//! wrongly without saying so, and one dies: `fleet` must name these four, and why, and no other.
//!
//! Runs where WATTMARK_SLURM is set, which `make test` sees to; without it the test says that it did not run. What surprises
//! people: all eight devices are on one host, so that they differ by their PCI addresses.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may fail, and says what it left out and what it saw"
)]

mod slurm_support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use slurm_support::Slurm;

const SLOW: u32 = 2;
const HOT: u32 = 3;
const CORRUPT: u32 = 5;
const DYING: u32 = 6;

/// The device of a task: 40 TFLOP/s at 650 W, give or take what boards differ by.
fn script(task: u32) -> String {
    let spread = 1.0 + 0.003 * (f64::from(task) - 3.5);
    let rate = 4e13 * spread;
    let kelvin_per_watt = if task == HOT { 0.11 } else { 0.05 };
    let fault = match task {
        SLOW => "[[device.faults]]\nkind = \"slow\"\nvariant = \"*\"\nfactor = 1.25\n",
        // One run in seven has one wrong bit: nothing fails, and speed and power are those of a sound device.
        CORRUPT => {
            "[[device.faults]]\nkind = \"bit-flip\"\nvariant = \"fma/chains-i32\"\nafter_runs = 200\nevery = 7\n"
        }
        // Half-way through its load it is gone, and cannot be opened again.
        DYING => "[[device.faults]]\nkind = \"dies\"\nafter_s = 60\n",
        _ => "",
    };
    format!(
        "[[device]]\nname = \"Simulated H100\"\nkind = \"software\"\npci = \"0000:{:02x}:00.0\"\n\
         features = [\"f16\", \"f64\", \"i64\", \"subgroup\", \"timestamps\"]\n\
         [[device.rates]]\nvariant = \"*\"\nflop_per_s = {rate:e}\n{fault}\
         [[power]]\ndevice = 0\nscope = \"board\"\nupdate_period_s = 0.02\nidle_w = 70.0\ncounter = true\nstated_error = 0.05\n\
         temperature_c = 35.0\nkelvin_per_watt = {kelvin_per_watt}\nthrottles_above_c = 88.0\npower_limit_w = 700.0\n\
         [[power.busy]]\nvariant = \"*\"\nwatts = 650.0\n",
        0x10 + task
    )
}

/// In the place of the program: gives each task its device.
fn stand_in(folder: &Path) -> String {
    let program = env!("CARGO_BIN_EXE_wattmark");
    let text = format!(
        "#!/bin/bash\nexec {program} \"$@\" --simulate {}/device-$SLURM_ARRAY_TASK_ID.toml\n",
        folder.display()
    );
    let path = folder.join("wattmark");
    std::fs::write(&path, text).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn an_array_of_eight_tasks_leaves_eight_records_and_the_fleet_names_the_four_bad_devices_and_why() {
    let Some(slurm) = Slurm::start(8) else { return };
    let shared = tempfile::tempdir().unwrap();
    for task in 0..8 {
        std::fs::write(shared.path().join(format!("device-{task}.toml")), script(task)).unwrap();
    }
    let job = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/slurm/qualify.sbatch");
    // Tasks share this one node, which a real cluster's must not.
    let arguments = ["--wait", "--array=0-7", "--exclusive=user", job.to_str().unwrap()];
    let submitted = slurm
        .command("sbatch", &arguments)
        .current_dir(shared.path())
        .env("WATTMARK", stand_in(shared.path()))
        .env("WATTMARK_RESULTS", shared.path().join("results"))
        .env("WATTMARK_OPTIONS", "--quick --label rack=r12 --label kind=acceptance")
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&submitted.stdout), String::from_utf8_lossy(&submitted.stderr));
    assert!(said.contains("Submitted batch job"), "{said}");
    println!("{said}{}", String::from_utf8_lossy(&slurm.run("squeue", &[]).stdout));
    let folders = std::fs::read_dir(shared.path().join("results")).unwrap().count();
    assert_eq!(folders, 8, "one folder for each task: {}", logs(shared.path()));

    let fleet = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wattmark"));
        let output = command.args(["fleet", "results", "--stale", "0s"]).args(arguments).current_dir(shared.path());
        let output = output.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, table) = fleet(&["--fail-on-outlier"]);
    println!("{table}");
    assert_eq!(code, Some(6), "{table}");
    let (_, json) = fleet(&["--json"]);
    let found: Value = serde_json::from_str(&json).unwrap();
    let named = named(&found);
    let numbers: Vec<u32> = named.iter().map(|(task, _)| *task).collect();
    assert_eq!(numbers, [SLOW, HOT, CORRUPT, DYING], "{named:?}\n{table}\n{}", logs(shared.path()));
    for (task, why, words) in [(0, SLOW, "rate"), (1, HOT, "thermal"), (2, CORRUPT, "integer"), (3, DYING, "lost")]
        .map(|(place, task, words)| (task, &named[place].1, words))
    {
        assert!(why.contains(words), "device {task} is named, but not for {words}: {why}");
    }
}

/// Task numbers of the devices that are named, in order, each with its reasons.
fn named(found: &Value) -> Vec<(u32, String)> {
    let mut named: Vec<(u32, String)> = found["off"]
        .as_array()
        .unwrap_or_else(|| panic!("no list of devices that are off: {found:#}"))
        .iter()
        .map(|device| {
            let text = device.to_string();
            let at = text.find("0000:").unwrap_or_else(|| panic!("no PCI address: {text}"));
            let bus = u32::from_str_radix(&text[at + 5..at + 7], 16).unwrap();
            (bus - 0x10, device["reasons"].to_string())
        })
        .collect();
    named.sort();
    named
}

/// What the tasks printed.
fn logs(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            all += &format!("{}:\n{}\n", path.display(), std::fs::read_to_string(&path).unwrap());
        }
    }
    all
}
