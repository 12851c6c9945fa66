//! `wattmark qualify` through the program, on scripted devices: verdicts, exit codes, reports, and going on after a kill.
//!
//! What surprises people: simulated time passes at once; where a load must be caught in the act, a hidden flag waits in real
//! time after each segment.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "qualify_support/mod.rs"]
mod qualify_support;

use std::time::{Duration, Instant};

use qualify_support::{Bench, GOOD, PAIR, code, text};
use wattmark::model::{Grade, RunStatus};

// ---- verdicts ------------------------------------------------------------------------------------------------------

#[test]
fn a_device_without_any_reference_is_inconclusive_and_says_what_would_settle_it() {
    let bench = Bench::new(GOOD);
    let output = bench.qualify(&["--quick"]);
    assert_eq!(code(&output), 5, "{}", text(&output.stderr));
    let qualification = bench.only();
    assert_eq!((qualification.grade, &qualification.status), (Grade::Inconclusive, &RunStatus::Complete));
    assert!(qualification.simulated && qualification.devices.len() == 1);
    let printed = text(&output.stdout);
    assert!(printed.starts_with("verdict   INCONCLUSIVE (1 device)"), "{printed}");
    assert!(printed.contains("Q40") && printed.contains("--learn FILE"), "{printed}");
    assert!(printed.lines().all(|line| line.chars().count() <= 120), "{printed}");
}

#[test]
fn a_device_passes_by_the_profile_that_was_learned_from_its_like() {
    let bench = Bench::new(GOOD);
    for _ in 0..3 {
        bench.qualify(&["--quick", "--results", "good"]);
    }
    let learned = bench.run(&["qualify", "--learn", "h100.toml", "--from", "good"]);
    assert_eq!(code(&learned), 0, "{}", text(&learned.stderr));
    assert!(text(&learned.stdout).contains("learned from 3 runs of 1 device"), "{}", text(&learned.stdout));
    let output = bench.qualify(&["--quick", "--profile", "h100.toml"]);
    assert_eq!(code(&output), 0, "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(bench.only().grade, Grade::Pass);
    let again = bench.run(&["qualify", "--learn", "h100.toml", "--from", "good"]);
    assert_eq!(code(&again), 2);
    assert!(text(&again.stderr).contains("A profile is not overwritten"), "{}", text(&again.stderr));
}

#[test]
fn a_device_at_a_third_of_its_speed_fails_against_the_profile_with_exit_code_6() {
    let bench = Bench::new(GOOD);
    bench.qualify(&["--quick", "--results", "good"]);
    assert_eq!(code(&bench.run(&["qualify", "--learn", "p.toml", "--from", "good"])), 0);
    bench.script(&GOOD.replace("flop_per_s = 4e13", "flop_per_s = 1.33e13"));
    let output = bench.qualify(&["--quick", "--profile", "p.toml"]);
    assert_eq!(code(&output), 6, "{}", text(&output.stdout));
    let qualification = bench.only();
    let check = qualification.devices[0].checks.iter().find(|check| check.code == "Q10").unwrap();
    assert_eq!(check.grade, Grade::Fail);
    assert!(text(&output.stderr).contains("FAIL, Q10"), "{}", text(&output.stderr));
}

#[test]
fn a_device_is_held_against_its_own_past() {
    let bench = Bench::new(GOOD);
    for _ in 0..3 {
        bench.qualify(&["--quick", "--results", "past/2026"]);
    }
    std::fs::create_dir_all(bench.path().join("past/broken")).unwrap();
    std::fs::write(bench.path().join("past/broken/qualification.json"), "").unwrap();
    bench.script(&GOOD.replace("flop_per_s = 4e13", "flop_per_s = 2e13"));
    let output = bench.qualify(&["--quick", "--history", "past"]);
    let said = text(&output.stderr);
    assert!(said.contains("history: left out: ") && said.contains("is empty (0 bytes)"), "{said}");
    assert_eq!(code(&output), 6, "{}{said}", text(&output.stdout));
}

#[test]
fn the_verdict_is_made_again_from_the_segments_without_a_device() {
    let bench = Bench::new(GOOD);
    bench.qualify(&["--quick", "--label", "rack=r12"]);
    let saved = bench.only();
    let output = bench.run(&["qualify", "--verdict", &bench.folder(), "--json"]);
    assert_eq!(code(&output), 5, "{}", text(&output.stderr));
    let again: wattmark::model::Qualification = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(again, saved);
    // Without the file that says it, the same devices are found in the segments.
    std::fs::remove_file(bench.file("qualification.json")).unwrap();
    let output = bench.run(&["qualify", "--verdict", &bench.folder(), "--json"]);
    let again: wattmark::model::Qualification = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(again.devices, saved.devices);
    assert!(text(&output.stderr).contains("made again from the segments"), "{}", text(&output.stderr));
}

#[test]
fn a_segment_that_was_changed_or_is_gone_is_named_and_its_time_does_not_count() {
    let bench = Bench::new(GOOD);
    bench.qualify(&["--duration", "5m"]);
    let whole = bench.only().measured_s.get();
    std::fs::remove_file(bench.file("segment-0002.json")).unwrap();
    let changed = std::fs::read_to_string(bench.file("segment-0003.json")).unwrap().replace("hostname", "Hostname");
    std::fs::write(bench.file("segment-0003.json"), changed).unwrap();
    let output = bench.run(&["qualify", "--verdict", &bench.folder(), "--json"]);
    let again: wattmark::model::Qualification = serde_json::from_slice(&output.stdout).unwrap();
    let said: Vec<&str> = again.warnings.iter().map(|warning| warning.text.as_str()).collect();
    assert!(said.iter().any(|text| text.starts_with("segment-0002.json is missing")), "{said:?}");
    assert!(said.iter().any(|text| text.starts_with("segment-0003.json")), "{said:?}");
    assert!(again.measured_s.get() < 0.75 * whole, "{} of {whole}", again.measured_s);
    let validated = bench.run(&["validate", &bench.folder()]);
    assert_eq!(code(&validated), 7);
    assert!(text(&validated.stdout).contains("segment-0002.json"), "{}", text(&validated.stdout));
}

// ---- faults --------------------------------------------------------------------------------------------------------

/// The grade of a check of the first device, the gravest if it was made several times.
fn grade(bench: &Bench, code: &str) -> Option<Grade> {
    let qualification = bench.only();
    let checks = qualification.devices[0].checks.iter().filter(|check| check.code == code);
    checks.map(|check| check.grade).max()
}

#[test]
fn a_device_whose_outputs_go_wrong_fails_with_exit_code_4() {
    let fault = "[[device.faults]]\nkind = 'wrong-output'\nvariant = 'gemm/*'\nafter_runs = 40\n\n[[power]]";
    let bench = Bench::new(&GOOD.replacen("[[power]]", fault, 1));
    let output = bench.qualify(&["--quick"]);
    assert_eq!(code(&output), 4, "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("arithmetic: WRONG OUTPUT"), "{}", text(&output.stderr));
    let wrong = ["Q03", "Q05"].map(|code| grade(&bench, code));
    assert!(wrong.contains(&Some(Grade::Fail)), "{wrong:?}");
    assert_eq!(grade(&bench, "Q02"), Some(Grade::Pass), "the integers are right");
}

#[test]
fn a_device_that_is_lost_fails_and_the_verdict_is_there_all_the_same() {
    let fault = "[[device.faults]]\nkind = 'lost'\nvariant = 'memory-triad/*'\nafter_submissions = 30\n\n[[power]]";
    let bench = Bench::new(&GOOD.replacen("[[power]]", fault, 1));
    let output = bench.qualify(&["--quick", "--junit", "j.xml"]);
    assert_eq!(code(&output), 6, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("device 0 was lost"), "{}", text(&output.stderr));
    assert_eq!((grade(&bench, "Q01"), bench.only().grade), (Some(Grade::Fail), Grade::Fail));
    assert!(std::fs::read_to_string(bench.path().join("j.xml")).unwrap().contains("<error type=\"Q01\""));
}

#[test]
fn a_device_that_throttles_by_heat_fails_by_a_limit_that_needs_no_reference() {
    let hot = "[[power.throttle]]\ncause = \"thermal\"\nfrom_s = 30.0\n\n[[power.busy]]";
    let bench = Bench::new(&GOOD.replace("[[power.busy]]", hot));
    let output = bench.qualify(&["--quick"]);
    assert_eq!(code(&output), 6, "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(grade(&bench, "Q20"), Some(Grade::Fail));
}

#[test]
fn injected_errors_are_caught_in_every_phase_and_such_a_qualification_vouches_for_nothing() {
    let bench = Bench::new(GOOD);
    let output = bench.qualify(&["--quick", "--inject-error"]);
    assert_eq!(code(&output), 4, "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    for phase in ["integer", "arithmetic", "memory", "mixed", "steps"] {
        let row = printed.lines().find(|line| line.starts_with(&format!("     0  {phase} "))).unwrap_or_default();
        assert!(row.ends_with(" caught"), "{phase}: {printed}");
    }
    assert!(text(&output.stderr).contains("5 of 5 injected errors were caught"), "{}", text(&output.stderr));
    assert!(bench.only().inject_error && bench.only().grade != Grade::Pass);
    let learned = bench.run(&["qualify", "--learn", "p.toml", "--from", "results"]);
    assert_eq!(code(&learned), 7);
    assert!(text(&learned.stderr).contains("errors were injected into it"), "{}", text(&learned.stderr));
    let other = bench.qualify(&["--quick", "--history", "results", "--results", "other"]);
    assert!(text(&other.stderr).contains("is left out: errors were injected"), "{}", text(&other.stderr));
}

// ---- reports -------------------------------------------------------------------------------------------------------

#[test]
fn the_reports_are_accepted_by_the_programs_that_read_them() {
    let bench = Bench::new(PAIR);
    let files = ["--junit", "j.xml", "--openmetrics", "m.prom", "--markdown", "r.md"];
    let labels = ["--label", "rack=r12", "--label", "row=\"7\\ & <8>"];
    let output = bench.qualify(&[&["--quick", "--device", "all"][..], &files, &labels].concat());
    assert!(text(&output.stderr).contains("wrote j.xml"), "{}", text(&output.stderr));
    assert!(std::fs::read_to_string(bench.path().join("r.md")).unwrap().contains("| code | check |"));
    if let Some(xmllint) = std::env::var_os("WATTMARK_XMLLINT") {
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/junit.xsd");
        let checked = std::process::Command::new(xmllint)
            .args(["--noout", "--schema", schema])
            .arg(bench.path().join("j.xml"))
            .output()
            .unwrap();
        assert!(checked.status.success(), "{}", text(&checked.stderr));
    }
    if let Some(promtool) = std::env::var_os("WATTMARK_PROMTOOL") {
        let metrics = std::fs::File::open(bench.path().join("m.prom")).unwrap();
        let checked = std::process::Command::new(promtool).args(["check", "metrics"]).stdin(metrics).output().unwrap();
        assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
    }
}

#[test]
fn json_is_the_saved_qualification_and_show_prints_it_as_a_table() {
    let bench = Bench::new(GOOD);
    let output = bench.qualify(&["--quick", "--json"]);
    let printed: wattmark::model::Qualification = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, bench.only());
    let shown = bench.run(&["show", &bench.folder()]);
    assert!(text(&shown.stdout).starts_with("verdict   INCONCLUSIVE"), "{}", text(&shown.stdout));
    assert_eq!(code(&bench.run(&["validate", &bench.folder()])), 0);
    let refused = bench.run(&["plot", &bench.folder()]);
    assert_eq!(code(&refused), 7);
    assert!(text(&refused.stderr).contains("folder of a qualification"), "{}", text(&refused.stderr));
}

// ---- killed, interrupted, resumed ----------------------------------------------------------------------------------

/// Begins a load of ten segments in slow motion and kills it after some of them.
fn killed(bench: &Bench) -> usize {
    let slow = ["--duration", "10m", "--segment", "60s", "--slow", "400ms", "--label", "rack=r12"];
    let mut child = bench.start(&slow);
    let begun = Instant::now();
    let mut segments = 0;
    while segments < 2 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
        segments = bench.segments();
    }
    // On Unix this is kill -9.
    child.kill().unwrap();
    child.wait().unwrap();
    bench.segments()
}

#[test]
fn a_load_that_was_killed_leaves_a_verdict_and_goes_on_where_it_stood() {
    let bench = Bench::new(GOOD);
    let before = killed(&bench);
    assert!((2..10).contains(&before), "{before}");
    let left = bench.only();
    assert_eq!((&left.status, left.grade, &left.ended), (&RunStatus::Running, Grade::Inconclusive, &None));
    assert!(left.measured_s.get() > 0.0 && !left.segments.is_empty(), "{left:?}");

    let output = bench.qualify(&["--resume", &bench.folder(), "--segment", "60s"]);
    assert_eq!(code(&output), 5, "{}", text(&output.stderr));
    let whole = bench.only();
    assert_eq!((&whole.status, &whole.labels), (&RunStatus::Complete, &left.labels));
    // The segment that was open when the kill came is a short one: time, and not segments, adds up to 600 s.
    assert!((590.0..660.0).contains(&whole.measured_s.get()), "what was done is not done again: {}", whole.measured_s);
    assert!((10..=12).contains(&bench.segments()) && whole.segments.len() == bench.segments());
    assert!(whole.warnings.iter().any(|warning| warning.text.contains("was resumed after")), "{:?}", whole.warnings);
    assert_eq!(whole.started, left.started);

    let again = bench.qualify(&["--resume", &bench.folder()]);
    assert_eq!(code(&again), 2);
    assert!(text(&again.stderr).contains("it came to its end"), "{}", text(&again.stderr));
}

#[test]
fn a_load_is_not_resumed_by_another_program_on_other_devices_or_under_other_labels() {
    let bench = Bench::new(GOOD);
    killed(&bench);
    let file = bench.file("qualification.json");
    let saved = std::fs::read_to_string(&file).unwrap();
    let digest = bench.only().program_sha256;
    std::fs::write(&file, saved.replace(&digest, &"0".repeat(64))).unwrap();
    bench.script(&GOOD.replace("H100", "H200"));
    let output = bench.qualify(&["--resume", &bench.folder(), "--label", "rack=r13"]);
    let said = text(&output.stderr);
    assert_eq!(code(&output), 2, "{said}");
    for part in [
        "the program is another (SHA-256 000000000000… of wattmark",
        "device 0 was Simulated H100 at 0000:19:00.0 and is Simulated H200 at 0000:19:00.0",
        "label rack was `r12` and is `r13`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_damaged_segment_is_named_and_its_time_is_measured_again_under_a_new_number() {
    let bench = Bench::new(GOOD);
    let before = killed(&bench);
    std::fs::write(bench.file("segment-0001.json"), "{\"schema\"").unwrap();
    let output = bench.qualify(&["--resume", &bench.folder(), "--segment", "60s"]);
    let said = text(&output.stderr);
    assert!(said.contains("segment-0001.json is truncated"), "{said}");
    let whole = bench.only();
    assert!(bench.segments() > before && whole.segments.len() == bench.segments() - 1, "{said}");
    assert!((590.0..660.0).contains(&whole.measured_s.get()), "without the damaged one: {}", whole.measured_s);
    assert_eq!(std::fs::read_to_string(bench.file("segment-0001.json")).unwrap(), "{\"schema\"", "it stays as it is");
    assert!(bench.only().warnings.iter().any(|warning| warning.text.contains("segment-0001.json cannot be read")));
}

#[test]
#[cfg(unix)]
fn ctrl_c_leaves_a_verdict_on_what_there_was_and_exit_code_130() {
    let bench = Bench::new(GOOD);
    let mut child = bench.start(&["--duration", "10m", "--segment", "60s", "--slow", "400ms"]);
    let begun = Instant::now();
    while bench.segments() < 2 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let left = bench.only();
    assert_eq!((&left.status, left.grade), (&RunStatus::Interrupted, Grade::Inconclusive));
    assert!(left.ended.is_some());
    let resumed = bench.qualify(&["--resume", &bench.folder(), "--segment", "60s"]);
    assert_eq!((code(&resumed), &bench.only().status), (5, &RunStatus::Complete));
}

#[test]
fn eight_tasks_of_one_second_on_a_shared_file_system_leave_eight_folders() {
    let bench = Bench::new(GOOD);
    let children: Vec<_> = (0..8)
        .map(|task| {
            let mut command = bench.command(&["--duration", "20s"]);
            command.envs([("SLURM_ARRAY_JOB_ID", "17"), ("SLURM_ARRAY_TASK_ID", &task.to_string())]);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(5));
    }
    let folders = bench.folders();
    assert_eq!(folders.len(), 8);
    for task in 0..8 {
        assert!(folders.iter().any(|name| name.contains(&format!("-17-{task}-"))), "{folders:?}");
    }
}

// ---- wrong input ---------------------------------------------------------------------------------------------------

#[test]
fn each_flag_refuses_what_it_cannot_use_before_anything_is_made() {
    let bench = Bench::new(GOOD);
    std::fs::write(bench.path().join("bad.toml"), "schema = \"wattmark/profile\"\nversion = 1\ncolour = 3\n").unwrap();
    std::fs::create_dir(bench.path().join("empty")).unwrap();
    for (args, exit, words) in [
        (&["--duration", "soon"][..], 2, "--duration is `soon`"),
        (&["--duration", "1s"], 2, "must last 5 s at least"),
        (&["--burn-in", "90d"], 2, "--burn-in is `90d`"),
        (&["--label", "rack"], 2, "give a key and a value"),
        (&["--label", "rack=a", "--label", "rack=b"], 2, "twice"),
        (&["--device", "7"], 2, "there is no device `7`"),
        (&["--profile", "none.toml"], 2, "cannot use the profile none.toml"),
        (&["--profile", "bad.toml"], 2, "bad.toml"),
        (&["--history", "gone"], 2, "below gone"),
        (&["--junit", "gone/j.xml"], 2, "cannot write --junit gone/j.xml: its folder does not exist"),
        (&["--openmetrics", "empty"], 2, "it is a folder"),
        (&["--power", "nosuch"], 2, "nosuch"),
        (&["--resume", "gone"], 7, "there is no such folder"),
        (&["--resume", "empty"], 7, "there is no qualification.json"),
        (&["--verdict", "empty"], 7, "there is no qualification.json"),
        (&["--learn", "p.toml", "--from", "empty"], 7, "no qualification.json in it or below it"),
        (&["--learn", "p.toml"], 2, "--from"),
        (&["--quick", "--burn-in", "2h"], 2, "cannot be used with"),
        (&["--resume", "empty", "--quick"], 2, "cannot be used with"),
    ] {
        let output = bench.qualify(args);
        let said = text(&output.stderr);
        assert_eq!(code(&output), exit, "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    assert!(!bench.path().join("results").exists(), "nothing was measured, so nothing was made");
}

#[test]
fn the_list_of_checks_names_each_with_its_limit() {
    let bench = Bench::new(GOOD);
    let output = bench.run(&["qualify", "--list-checks"]);
    let printed = text(&output.stdout);
    for part in ["Q02  integer outputs", "Q33", "because", "to do"] {
        assert!(printed.contains(part), "{printed}");
    }
}
