//! Wrong input through the binary: the exit code, the words a user needs, and that nothing was left behind.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

/// A device and a sensor that need no GPU.
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

fn wattmark(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("wattmark").unwrap();
    for variable in ["WATTMARK_GRID", "WATTMARK_PUE", "WATTMARK_RESULTS", "XDG_RUNTIME_DIR", "NODEVICE_SELECT"] {
        command.env_remove(variable);
    }
    command.current_dir(folder);
    command
}

/// A folder with a script, and the files given.
fn desk(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("script.toml"), SCRIPT).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn simulate(folder: &Path, args: &[&str]) -> Output {
    wattmark(folder).args(["run", "--simulate", "script.toml"]).args(args).output().unwrap()
}

/// Runs with these arguments and demands exit 2, every word, an empty standard output, and an untouched folder.
fn refused(files: &[(&str, &str)], args: &[&str], words: &[&str]) {
    let desk = desk(files);
    let before = names(desk.path());
    let output = simulate(desk.path(), args);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    for word in words {
        assert!(message.contains(word), "{args:?} does not say `{word}`:\n{message}");
    }
    assert!(!message.contains("panicked"), "{args:?}: {message}");
    assert_eq!(text(&output.stdout), "", "{args:?}");
    assert_eq!(names(desk.path()), before, "{args:?} left something behind");
}

#[test]
fn an_unknown_kernel_device_region_site_or_source_is_answered_with_those_there_are() {
    refused(&[], &["--kernel", "gemm/tiled-f23"], &["`gemm/tiled-f23`", "did you mean `gemm/tiled-f32`?", "list"]);
    refused(&[], &["--kernel", "softmx"], &["did you mean `softmax`?"]);
    refused(&[], &["--kernel", "zzzz"], &["no kernel matches `zzzz`", "wattmark list"]);
    refused(&[], &["--device", "7"], &["no device `7`", "0 (Simulated Accelerator)"]);
    refused(&[], &["--device", "0,foo"], &["no device `foo`", "0 (Simulated Accelerator)"]);
    refused(&[], &["--grid", "CN-QX"], &["`CN-QX`", "did you mean", "CN-QH", "wattmark factors"]);
    refused(&[], &["--grid", "Qinhai"], &["did you mean Qinghai?"]);
    refused(&[], &["--grid", "CN-QH@2019"], &["2019", "2023, 2022, 2021"]);
    refused(&[], &["--site", "xinin"], &["did you mean xining?"]);
    refused(&[], &["--power", "nvm"], &["no power source `nvm`", "did you mean `nvml`?", "rapl"]);
    refused(&[], &["--power", "nvml,auto"], &["`auto` stands alone"]);
    refused(&[], &["--power", ""], &["empty", "nvml"]);
    refused(&[], &["--power", "csv:missing.csv,time=t,watts=w"], &["missing.csv", "No such file", "--power csv:FILE"]);
    refused(
        &[],
        &["--data", "zeroes"],
        &["no data pattern is called `zeroes`", "normal, uniform, zeros, constant, sparse"],
    );
    refused(&[("wattmark.toml", "data = \"zeroes\"\n")], &[], &["`data` of the configuration", "`zeroes`", "zeros"]);
    refused(&[], &["--shaders", "nowhere"], &["nowhere", "No such file", "<problem>/<name>.wgsl"]);
    refused(&[], &["--kernel", "gemm", "--shape", "m=n=7,k=0"], &["k", "is 0", "between 1 and"]);
    refused(&[], &["--preset", "quik"], &["quik", "quick, standard and publication"]);
}

#[test]
fn a_configuration_with_a_wrong_key_or_value_names_the_line_and_the_key_that_was_meant() {
    let config = |text: &'static str| [("bad.toml", text)];
    let named = ["--config", "bad.toml"];
    refused(
        &config("grid = \"CN\"\nkernl = \"x\"\n"),
        &named,
        &["bad.toml, line 2", "`kernl`", "did you mean `kernel`?"],
    );
    refused(&config("zzz = 1\n"), &named, &["line 1", "`zzz`", "the keys are preset, kernel"]);
    refused(&config("pue = \"1.2\"\n"), &named, &["line 1", "string", "f64"]);
    refused(&config("pue = 0.5\n"), &named, &["PUE 0.5", "at least 1"]);
    refused(&config("\nwindows = -1\n"), &named, &["line 2", "-1"]);
    refused(&config("grid = [\n"), &named, &["bad.toml, line"]);
    refused(&[], &["--config", "nope.toml"], &["nope.toml", "No such file", "--config"]);
    // A wattmark.toml in the working directory is read without being named.
    refused(&[("wattmark.toml", "gird = \"CN\"\n")], &[], &["wattmark.toml, line 1", "did you mean `grid`?"]);
}

#[test]
fn a_pue_below_one_infinite_or_not_a_number_is_refused_with_its_definition() {
    for value in ["0.99", "0", "-1", "nan", "inf"] {
        refused(&[], &[&format!("--pue={value}")], &["PUE", "at least 1", "facility's energy over its IT energy"]);
    }
    refused(&[], &["--pue", "abc"], &["abc", "--pue"]);
}

#[test]
fn a_factor_that_no_grid_can_have_is_refused_with_the_reason() {
    for (given, words) in [
        ("-0.5", &["`-0.5`", "negative"][..]),
        ("inf", &["infinite"]),
        ("1e999", &["infinite"]),
        ("nan", &["not a number"]),
        ("531", &["no unit", "531g"]),
        ("5000g", &["3000 g/kWh", "check the unit"]),
        ("", &["wattmark factors"]),
    ] {
        refused(&[], &[&format!("--grid={given}")], words);
    }
}

#[test]
fn a_factor_file_without_a_proper_value_is_refused_with_the_file_and_the_reason() {
    for (factor, words) in [
        ("intensity_g_per_kwh = -5\ngas = \"CO2\"", &["factor.toml", "negative"][..]),
        ("intensity_g_per_kwh = inf\ngas = \"CO2\"", &["factor.toml", "infinite"]),
        ("intensity_g_per_kwh = nan\ngas = \"CO2\"", &["factor.toml", "not a number"]),
        ("gas = \"CO2\"", &["factor.toml", "intensity_g_per_kwh is missing", "not zero"]),
        ("intensity_g_per_kwh = 500", &["factor.toml", "gas is missing", "CO2e"]),
        ("intensity_g_per_kwh = 500\ngas = \"CH4\"", &["factor.toml", "CH4", "CO2e"]),
        ("intensity_g_per_khw = 500\ngas = \"CO2\"", &["`intensity_g_per_khw`", "did you mean intensity_g_per_kwh?"]),
        ("intensity_g_per_kwh = \"500\"\ngas = \"CO2\"", &["factor.toml", "string"]),
        ("no toml [", &["factor.toml", "line 1"]),
        ("", &["factor.toml", "missing"]),
    ] {
        refused(&[("factor.toml", factor)], &["--grid", "factor.toml"], words);
    }
    refused(&[], &["--grid", "missing.toml"], &["missing.toml", "No such file"]);
}

#[test]
fn a_shape_that_cannot_be_is_refused_before_anything_is_measured() {
    for (shape, words) in [
        ("m", &["`m`", "m=1024"][..]),
        ("m=", &["`m=`", "m=1024"]),
        ("m=abc", &["`m=abc`", "m=1024"]),
        ("m=-1", &["`m=-1`"]),
        ("m=1.5", &["`m=1.5`"]),
        ("", &["``"]),
        ("m=0", &["axis m", "is 0", "between 1 and"]),
        ("m=n=k=18446744073709551615", &["18446744073709551615", "between 1 and"]),
        ("zz=3", &["`zz`", "none of the selected problems", "k, m, n"]),
        ("m=1,m=2", &["`m` twice", "m=1024,2048"]),
        ("m=n=k=1099511627776", &["gemm", "more than"]),
    ] {
        refused(&[], &["--kernel", "gemm/*", "--shape", shape], words);
    }
}

#[test]
fn protocol_values_that_cannot_be_are_refused_with_what_can() {
    for watts in ["0", "-5", "nan", "inf"] {
        refused(&[], &[&format!("--assume-watts={watts}")], &["--assume-watts", "positive number of watts"]);
    }
    refused(&[], &["--windows", "0"], &["--windows is 0", "at least one"]);
    for hertz in ["0", "-1", "nan", "1e9"] {
        refused(&[], &[&format!("--sampler-hz={hertz}")], &["--sampler-hz", "above 0 and at most 1000"]);
    }
    for time in ["nonsense", "-3s", "nan", "1e9", ""] {
        refused(&[], &[&format!("--window={time}")], &["--window", "30s, 500ms"]);
    }
    refused(&[], &["--window", "0"], &["--window is `0`", "longer than 0 s"]);
    refused(&[], &["--submission", "0s"], &["--submission is `0s`", "longer than 0 s"]);
    refused(&[], &["--job", "gemm"], &["`gemm`", "gemm=1e18"]);
    refused(&[], &["--job", "gemm=-1"], &["above 0"]);
    refused(&[], &["--kernel", "softmax", "--job", "gemm=1e18"], &["gemm=1e18", "none of the selected kernels"]);
}

#[test]
fn a_script_that_is_missing_or_wrong_is_an_error_of_usage() {
    for (file, words) in [("nope.toml", &["nope.toml", "No such file"][..]), ("wrong.toml", &["wrong.toml", "speed"])] {
        let desk = desk(&[("wrong.toml", "speed = 1\n")]);
        let before = names(desk.path());
        let output = wattmark(desk.path()).args(["run", "--simulate", file]).output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
        assert_eq!(names(desk.path()), before);
    }
}

#[test]
fn unknown_commands_and_flags_are_answered_with_the_nearest() {
    let desk = desk(&[]);
    for (args, words) in [
        (&["shwo"][..], "'show'"),
        (&["run", "--kernell", "x"], "'--kernel'"),
        (&["show"], "<RUN>"),
        (&["export", "x"], "--format"),
        (&["plot", "x", "--figure", "nosuch"], "power-trace"),
    ] {
        let output = wattmark(desk.path()).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(words), "{args:?}: {}", text(&output.stderr));
    }
}

/// The golden record with one change.
fn record_with(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut record: serde_json::Value = serde_json::from_str(include_str!("fixtures/records/v1.0.json")).unwrap();
    change(&mut record);
    serde_json::to_vec_pretty(&record).unwrap()
}

/// Every command that reads a record, for the record at `path`.
fn readers(path: &str) -> Vec<Vec<String>> {
    [
        "show PATH",
        "carbon PATH",
        "plot PATH",
        "export PATH --format csv",
        "export PATH --format json",
        "export PATH --format markdown",
        "compare good.json PATH",
        "compare PATH good.json",
        "validate PATH",
    ]
    .iter()
    .map(|line| line.split(' ').map(|word| if word == "PATH" { path.to_owned() } else { word.to_owned() }).collect())
    .collect()
}

/// Demands exit 7 and every word from every command that reads records; the file stays as it was, and nothing is made.
fn unreadable(bytes: &[u8], words: &[&str]) {
    let desk = desk(&[]);
    std::fs::write(desk.path().join("good.json"), record_with(|_| {})).unwrap();
    std::fs::write(desk.path().join("bad.json"), bytes).unwrap();
    let before = names(desk.path());
    for args in readers("bad.json") {
        let output = wattmark(desk.path()).args(&args).output().unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{args:?}: {said}");
        for word in words.iter().chain(&["bad.json"]) {
            assert!(said.contains(word), "{args:?} does not say `{word}`:\n{said}");
        }
        assert_eq!(std::fs::read(desk.path().join("bad.json")).unwrap(), bytes, "{args:?} changed the record");
        assert_eq!(names(desk.path()), before, "{args:?} left something behind");
    }
}

#[test]
fn a_truncated_or_empty_record_says_so_and_where_an_earlier_save_may_be() {
    let whole = record_with(|_| {});
    unreadable(&whole[..whole.len() / 2], &["truncated", &format!("{} bytes", whole.len() / 2), ".run-*.tmp"]);
    unreadable(&[], &["empty (0 bytes)"]);
}

#[test]
fn a_foreign_file_is_no_record() {
    unreadable(b"{\"hello\": 1}", &["not a wattmark record", "wattmark/run"]);
    unreadable(b"[1, 2]", &["not a wattmark record"]);
    unreadable(&[0xff, 0xfe, 0x00, 0x9c], &["not UTF-8"]);
    unreadable(&record_with(|r| r["schema"] = "other/run".into()), &["not a wattmark record", "other/run"]);
    unreadable(&record_with(|r| r["status"] = 3.into()), &["`status"]);
}

#[test]
fn a_record_of_a_newer_major_names_the_version_that_reads_it() {
    let newer = record_with(|r| {
        r["version"] = serde_json::json!({ "major": 9, "minor": 0 });
        r["provenance"]["tool"]["version"] = "9.4.2".into();
    });
    unreadable(&newer, &["format 9.0", "reads 1.x", "9.4.2"]);
}

#[test]
fn a_record_of_a_newer_minor_is_read_with_a_warning() {
    let desk = desk(&[]);
    std::fs::write(desk.path().join("good.json"), record_with(|_| {})).unwrap();
    let bytes = record_with(|r| r["version"]["minor"] = 99.into());
    std::fs::write(desk.path().join("newer.json"), &bytes).unwrap();
    for args in readers("newer.json").into_iter().filter(|args| args[0] != "validate") {
        let output = wattmark(desk.path()).args(&args).output().unwrap();
        let message = text(&output.stderr);
        assert!(output.status.success(), "{args:?}: {message}");
        assert!(message.contains("newer.json") && message.contains("1.99"), "{args:?} does not warn: {message}");
        assert!(!text(&output.stdout).is_empty(), "{args:?}");
        assert_eq!(std::fs::read(desk.path().join("newer.json")).unwrap(), bytes);
    }
}

#[test]
fn a_missing_record_and_a_folder_without_one_are_told_apart() {
    let desk = desk(&[]);
    std::fs::write(desk.path().join("good.json"), record_with(|_| {})).unwrap();
    std::fs::create_dir(desk.path().join("empty")).unwrap();
    let before = names(desk.path());
    for (path, words) in [("missing.json", "no such file"), ("empty", "no run.json"), ("latest", "0 runs")] {
        for args in readers(path) {
            let output = wattmark(desk.path()).args(&args).output().unwrap();
            let said = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(output.status.code(), Some(7), "{args:?}: {said}");
            assert!(said.contains(path) && said.contains(words), "{args:?}: {said}");
        }
    }
    assert_eq!(names(desk.path()), before);
    assert_eq!(names(&desk.path().join("empty")).len(), 0);
}

#[test]
fn an_unwritable_results_folder_is_found_before_anything_is_measured() {
    let desk = desk(&[("results", "a file where the folder should be")]);
    let output = simulate(desk.path(), &["--kernel", "gemm/*"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("nothing was measured") && message.contains("results"), "{message}");
    assert_eq!(text(&output.stdout), "");
    assert_eq!(std::fs::read(desk.path().join("results")).unwrap(), b"a file where the folder should be");
}

/// A folder in which nobody, not even root, can make a file.
#[cfg(target_os = "linux")]
#[test]
fn a_results_folder_that_takes_no_files_is_found_before_anything_is_measured() {
    let desk = desk(&[]);
    let output = simulate(desk.path(), &["--kernel", "gemm/*", "--results", "/proc/self"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("nothing was measured") && message.contains("/proc/self"), "{message}");
    assert_eq!(text(&output.stdout), "");
}

#[cfg(unix)]
#[test]
fn a_read_only_results_folder_is_left_as_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let desk = desk(&[]);
    let results = desk.path().join("results");
    std::fs::create_dir(&results).unwrap();
    std::fs::set_permissions(&results, std::fs::Permissions::from_mode(0o555)).unwrap();
    let root_ignores_modes = std::fs::write(results.join("probe"), "").is_ok();
    let output = simulate(desk.path(), &["--kernel", "gemm/tiled-f32", "--shape", "m=n=k=64", "--no-figures"]);
    let message = text(&output.stderr);
    if root_ignores_modes {
        // Root writes where others may not: then the run must simply work.
        assert!(output.status.success(), "{message}");
        assert!(names(&results).len() == 2, "the record and the probe");
    } else {
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("nothing was measured") && message.contains("denied"), "{message}");
        assert_eq!(names(&results).len(), 0);
    }
}

#[test]
fn a_shape_too_large_for_the_device_is_skipped_with_the_bytes_it_needs_and_the_run_goes_on() {
    let small = SCRIPT.replacen("name = ", "memory_bytes = 1048576\nname = ", 1);
    let desk = desk(&[("small.toml", &small)]);
    let args =
        ["run", "--simulate", "small.toml", "--no-ceilings", "--kernel", "gemm/tiled-f32", "--shape", "m=n=k=64,2048"];
    let output = wattmark(desk.path()).args(args).arg("--no-figures").output().unwrap();
    // Three matrices of 2048² f32.
    one_of_two_is_skipped(desk.path(), &output, "50331648 bytes");
}

#[test]
fn on_the_software_adapter_too_a_shape_too_large_is_skipped_and_the_run_goes_on() {
    let desk = desk(&[]);
    let protocol = ["--idle", "0", "--preheat-min", "0", "--window", "100ms", "--windows", "1", "--no-figures"];
    let output = wattmark(desk.path())
        .args([
            "run",
            "--device",
            "0",
            "--no-ceilings",
            "--kernel",
            "memory-copy/direct-f32",
            "--shape",
            "n=65536,50000000",
        ])
        .args(protocol)
        .output()
        .unwrap();
    one_of_two_is_skipped(desk.path(), &output, "200000000 bytes");
}

#[test]
fn a_shape_that_some_precision_cannot_have_is_skipped_with_the_rule_and_the_run_goes_on() {
    let desk = desk(&[]);
    let odd = ["--no-ceilings", "--no-figures", "--shape", "m=64,k=1000"];
    let kernels = "gemv/rows-f32,gemv/rows-q4_k";
    let output = simulate(desk.path(), &[&odd[..], &["--kernel", kernels]].concat());
    // 1000 weights are no whole number of blocks.
    one_of_two_is_skipped(desk.path(), &output, "problem gemv cannot have shape `k=1000 m=64`");
    let dry = simulate(desk.path(), &[&odd[..], &["--kernel", kernels, "--dry-run"]].concat());
    assert!(text(&dry.stdout).contains("gemv/rows-q4_k"), "{}", text(&dry.stdout));
    // Where no case is left, nothing is begun.
    refused(&[], &[&odd[..], &["--kernel", "gemv/rows-q4_k"]].concat(), &["gemv", "k=1000"]);
}

/// One case measured, one skipped with a reason that holds these words, exit 0.
fn one_of_two_is_skipped(folder: &Path, output: &Output, words: &str) {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let results = folder.join("results");
    let run = results.join(&names(&results)[0]);
    let record = wattmark::store::read(&run).unwrap().record;
    assert_eq!(record.status, wattmark::model::RunStatus::Complete);
    assert_eq!((record.measurements.len(), record.skips.len()), (1, 1));
    assert!(record.measurements[0].verified());
    let skip = &record.skips[0];
    assert!(skip.detail.contains(words), "{:?}: {}", skip.reason, skip.detail);
    assert!(text(&output.stdout).contains("skipped: "), "{}", text(&output.stdout));
}

#[test]
fn without_an_adapter_every_command_that_needs_one_exits_3_with_the_remedy() {
    let desk = desk(&[]);
    let before = names(desk.path());
    for args in [&["run"][..], &["run", "--dry-run"], &["run", "--device", "all"], &["devices"], &["doctor"]] {
        let output = wattmark(desk.path())
            .env("VK_DRIVER_FILES", "/nonexistent/driver.json")
            .env("VK_ICD_FILENAMES", "/nonexistent/driver.json")
            .args(args)
            .output()
            .unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
        assert!(said.contains("mesa-vulkan-drivers"), "{args:?}: {said}");
        assert!(said.contains("doctor") || args[0] == "doctor", "{args:?}: {said}");
    }
    assert_eq!(names(desk.path()), before);
}
