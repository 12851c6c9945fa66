//! What reaches a terminal or a pipe: help texts, silence where nothing is to be said, pipes that close early.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn wattmark(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattmark"));
    for variable in [
        "WATTMARK_GRID",
        "WATTMARK_PUE",
        "WATTMARK_RESULTS",
        "XDG_RUNTIME_DIR",
        "NODEVICE_SELECT",
        "NO_COLOR",
        "COLUMNS",
    ] {
        command.env_remove(variable);
    }
    command.args(args);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn help(command: &str) -> String {
    let args: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).chain(["--help"]).collect();
    let output = wattmark(&args).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn the_help_of_every_command() {
    insta::assert_snapshot!("help", help(""));
    for command in [
        "run",
        "tune",
        "meter",
        "watch",
        "ceilings",
        "calibrate",
        "qualify",
        "devices",
        "doctor",
        "list",
        "show",
        "compare",
        "fleet",
        "carbon",
        "carbon matrix",
        "carbon when",
        "carbon microgrid",
        "claim",
        "cost",
        "factors",
        "plot",
        "export",
        "validate",
        "schema",
    ] {
        insta::assert_snapshot!(format!("help-{}", command.replace(' ', "-")), help(command));
    }
}

#[test]
fn every_command_of_the_help_has_a_snapshot_of_its_own() {
    let all = help("");
    let commands = all.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A description that is continued on the next line begins far to the right.
    let commands = commands.filter(|line| !line.starts_with("   "));
    let names: Vec<&str> =
        commands.filter_map(|line| line.split_whitespace().next()).filter(|n| *n != "help").collect();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        let snapshot = format!("tests/snapshots/terminal__help-{name}.snap");
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&snapshot).is_file(), "{snapshot} is missing");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_that_closes_early_is_success() {
    for command in ["list", "factors", "schema", "factors --json", "completions bash", "man"] {
        let script = format!("set -o pipefail; \"$WATTMARK\" {command} | head -n 1");
        let output = Command::new("bash")
            .args(["-c", &script])
            .env("WATTMARK", env!("CARGO_BIN_EXE_wattmark"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{command}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{command}");
        assert_eq!(text(&output.stdout).lines().count(), 1, "{command}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_an_error_that_names_it() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = wattmark(&["list"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("standard output") && message.contains("No space left"), "{message}");
}

/// A quick run on the software adapter or whatever comes first, and the record commands after it.
fn piped(folder: &Path, environment: &[(&str, &str)]) -> Vec<Output> {
    let protocol =
        "run --device 0 --kernel gemm/tiled-f32 --shape m=n=k=64 --idle 0.3 --preheat-min 0 --window 200ms --windows 1";
    [protocol, "show latest", "carbon latest", "devices", "doctor", "list", "factors CN-QH"]
        .iter()
        .map(|line| {
            let args: Vec<&str> = line.split(' ').collect();
            wattmark(&args).current_dir(folder).envs(environment.iter().copied()).output().unwrap()
        })
        .collect()
}

#[test]
fn pipes_get_no_progress_bar_and_no_escape_code() {
    for environment in [&[][..], &[("NO_COLOR", "1")], &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]] {
        let folder = tempfile::tempdir().unwrap();
        let outputs = piped(folder.path(), environment);
        for (index, output) in outputs.iter().enumerate() {
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(!said.contains('\u{1b}') && !said.contains('\r'), "{index} {environment:?}: {said:?}");
            assert!(!said.contains("recording idle power") && !said.contains("[=="), "{index}: {said}");
        }
        assert!(outputs[0].status.success() && outputs[1].status.success(), "{}", text(&outputs[0].stderr));
        // The one thing to say: that no hardware GPU was found is said where a device is chosen, not here.
        assert_eq!(text(&outputs[1].stderr), "", "show is silent");
        assert_eq!(text(&outputs[3].stderr), "", "devices is silent, without a desktop session too");
    }
}
